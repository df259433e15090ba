//! Both encodings as a peer sees them: bytes in, bytes out.

mod frames;
