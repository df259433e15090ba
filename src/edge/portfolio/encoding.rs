//! Answers in fewer bytes: which way of writing them a client takes best, and the bytes.

use std::io::Write;

use actix_web::http::header::{ACCEPT_ENCODING, ContentEncoding, HeaderMap};
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};

/// Bytes of an answer from which on it is worth it: less fits into one packet anyway.
const LEAST: usize = 1_024;

/// Of 11: past it each step takes twice the time and saves a few percent of JSON.
const BROTLI: i32 = 4;

/// Of 9; the same.
const GZIP: u32 = 5;

/// How an answer may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The smallest that the client takes; none if it wants the bytes as they are.
    pub fn wanted(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(ACCEPT_ENCODING).filter_map(|list| list.to_str().ok());
        let offers: Vec<(&str, bool)> = lists.flat_map(|list| list.split(',')).map(offer).collect();
        let takes = |name: &str| {
            let said = |name: &str| {
                offers.iter().find(|offer| offer.0.eq_ignore_ascii_case(name)).map(|offer| offer.1)
            };
            said(name).or_else(|| said("*")).unwrap_or(false)
        };
        [Self::Brotli, Self::Gzip].into_iter().find(|one| takes(one.name()))
    }

    /// As HTTP calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => ContentEncoding::Brotli.as_str(),
            Self::Gzip => ContentEncoding::Gzip.as_str(),
        }
    }

    /// The same in fewer bytes; none if that saves nothing.
    pub fn write(self, bytes: &[u8]) -> Option<Vec<u8>> {
        if bytes.len() < LEAST {
            return None;
        }
        let mut fewer = Vec::with_capacity(bytes.len() / 4);
        match self {
            Self::Brotli => {
                let how = BrotliEncoderParams { quality: BROTLI, ..Default::default() };
                brotli::BrotliCompress(&mut &*bytes, &mut fewer, &how).ok()?;
            }
            Self::Gzip => {
                let mut writer = GzEncoder::new(&mut fewer, Compression::new(GZIP));
                writer.write_all(bytes).ok()?;
                writer.finish().ok()?;
            }
        }
        (fewer.len() < bytes.len()).then_some(fewer)
    }
}

/// `br;q=0.5`: a name, and whether it is taken at all (RFC 9110, 12.5.3).
fn offer(one: &str) -> (&str, bool) {
    let (name, rest) = one.split_once(';').unwrap_or((one, ""));
    let weight =
        rest.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
    (name.trim(), weight.is_none_or(|weight| weight > 0.0))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_smallest_that_a_client_takes_is_taken() {
        use Encoding::{Brotli, Gzip};
        for (accept, wanted) in [
            ("gzip, deflate, br", Some(Brotli)),
            ("gzip", Some(Gzip)),
            ("GZIP;q=0.1, br; q=0", Some(Gzip)),
            ("*", Some(Brotli)),
            ("*;q=1, br;q=0.0", Some(Gzip)),
            ("identity", None),
            ("*;q=0", None),
            ("", None),
            ("brotli, x-gzip;q=1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(Encoding::wanted(&headers), wanted, "{accept}");
        }
        assert_eq!(Encoding::wanted(&HeaderMap::new()), None);
    }

    #[test]
    fn fewer_bytes_say_the_same() {
        let text = r#"{"quantity":"12.5","value":"1000"},"#.repeat(300).into_bytes();
        let mut back = Vec::new();
        let fewer = Encoding::Brotli.write(&text).unwrap();
        brotli::BrotliDecompress(&mut fewer.as_slice(), &mut back).unwrap();
        assert!(back == text && fewer.len() < text.len() / 10, "{}", fewer.len());
        let (fewer, mut back) = (Encoding::Gzip.write(&text).unwrap(), Vec::new());
        flate2::read::GzDecoder::new(fewer.as_slice()).read_to_end(&mut back).unwrap();
        assert!(back == text && fewer.len() < text.len() / 10, "{}", fewer.len());
        assert_eq!(Encoding::Gzip.write(b"short"), None);
    }
}
