//! The doorbell: parse arguments, hand over.
fn main() {}
