//! Encodings of the text that people save: a byte order mark is dropped, and UTF-16 is named.

use std::io::{Error, ErrorKind, Result};

/// The mark that some programs write before UTF-8 text.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The text without a byte order mark, which programs on Windows write first. Fails for UTF-16, which they write as well.
pub fn utf8(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    if is_utf16(&bytes) {
        let text = "it is UTF-16 text; save it as UTF-8";
        return Err(Error::new(ErrorKind::InvalidData, text));
    }
    if bytes.starts_with(BYTE_ORDER_MARK.as_bytes()) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

/// Tells if a text is UTF-16, by its mark or by its first character.
pub fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        // Without a mark: every other byte of ASCII is zero.
        [0, second, ..] => *second != 0,
        [_, 0, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_goes_and_nothing_else_does() {
        for text in ["", "x", "text"] {
            assert_eq!(utf8(text.into()).unwrap(), text.as_bytes());
            let marked = [BYTE_ORDER_MARK, text].concat().into_bytes();
            assert_eq!(utf8(marked).unwrap(), text.as_bytes());
        }
        assert_eq!(utf8(b"\xef\xbb".to_vec()).unwrap(), b"\xef\xbb");
    }

    #[test]
    fn utf16_is_named_with_and_without_its_mark() {
        for text in [&b"\xff\xfet\0"[..], b"\xfe\xff\0t", b"t\0e\0", b"\0t\0e"] {
            let refused = utf8(text.to_vec()).unwrap_err();
            assert_eq!(refused.to_string(), "it is UTF-16 text; save it as UTF-8");
        }
    }
}
