//! The outline of a line that rmcp cannot read: its id, and its being a request or a response.
//! Looks at no other member; rmcp reads messages.

use std::fmt;

use rmcp::model::RequestId;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

/// The members of a line that decide on its answer.
#[derive(Debug, Default)]
pub struct Outline {
    id: Option<Box<RawValue>>,
    kind: MessageKind,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    #[default]
    Other,
    Request,
    Response,
}

impl Outline {
    /// The outline of a line. Returns nothing if the line is neither a JSON object nor an array.
    pub fn of(line: &[u8]) -> Option<Self> {
        let mut outline = Self::default();
        let mut json = serde_json::Deserializer::from_slice(line);
        json.deserialize_any(&mut outline).ok()?;
        json.end().ok()?;
        // An object with an id and no method can only be meant as a response.
        if outline.kind == MessageKind::Other && outline.id.is_some() {
            outline.kind = MessageKind::Response;
        }
        Some(outline)
    }

    /// The outline of a line by its beginning and its end. Clients write the id first or last.
    pub fn of_ends(beginning: &[u8], end: &[u8]) -> Self {
        let mut outline = Self::default();
        // The middle is missing, so this always fails; the members before it have been read by then.
        let _ = serde_json::Deserializer::from_slice(beginning).deserialize_any(&mut outline);
        outline.id = outline.id.or_else(|| last_id(end));
        outline
    }

    /// Tells whether the line is a request: an object with a method, or an array, which older versions
    /// took for a batch. A response must not be answered: its sender would take that for the answer to a
    /// request of its own.
    pub fn is_request(&self) -> bool {
        self.kind == MessageKind::Request
    }

    /// The id of the request that a response belongs to.
    pub fn answers(&self) -> Option<RequestId> {
        let id = self
            .id
            .as_deref()
            .filter(|_| self.kind == MessageKind::Response)?;
        serde_json::from_str(id.get()).ok()
    }

    /// The id to answer under, as it was written: numbers may be larger than 64 bits.
    pub fn id(&self) -> Option<&RawValue> {
        let id = self.id.as_deref().filter(|_| self.is_request())?;
        let is_scalar = |first: char| first == '"' || first == '-' || first.is_ascii_digit();
        id.get().starts_with(is_scalar).then_some(id)
    }

    /// The id as rmcp represents it, if it can.
    pub fn request_id(&self) -> Option<RequestId> {
        serde_json::from_str(self.id()?.get()).ok()
    }
}

/// The id that is the last member of an object. The line ends with `}`, so each quote before it belongs to the
/// JSON, and the comma before the name proves that the name begins there.
fn last_id(end: &[u8]) -> Option<Box<RawValue>> {
    let end = std::str::from_utf8(skip_part_of_a_letter(end)).ok()?;
    let members = end.trim_end().strip_suffix('}')?;
    let mut colons = members
        .rmatch_indices(':')
        .map(|(at, _)| members.split_at(at));
    colons.find_map(|(before, id)| {
        let before = before.trim_end().strip_suffix("\"id\"")?.trim_end();
        before.ends_with(',').then_some(())?;
        serde_json::from_str(id.strip_prefix(':')?).ok()
    })
}

/// The bytes without the rest of a letter that was cut.
fn skip_part_of_a_letter(bytes: &[u8]) -> &[u8] {
    let is_continuation = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    let start = bytes.iter().position(|byte| !is_continuation(byte));
    bytes.split_at(start.unwrap_or_default()).1
}

impl<'de> Visitor<'de> for &mut Outline {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut batch: A) -> Result<(), A::Error> {
        self.kind = MessageKind::Request;
        while batch.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key()? {
            match name {
                Name::Id => {
                    self.id = Some(members.next_value()?);
                    continue;
                }
                Name::Method => self.kind = MessageKind::Request,
                Name::Reply if self.kind == MessageKind::Other => self.kind = MessageKind::Response,
                Name::Reply | Name::Other => {}
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

enum Name {
    Id,
    Method,
    Reply,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    /// Reads the name as bytes, since half a surrogate pair is no text.
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_bytes<E: de::Error>(self, name: &[u8]) -> Result<Name, E> {
                Ok(match name {
                    b"id" => Name::Id,
                    b"method" => Name::Method,
                    b"result" | b"error" => Name::Reply,
                    _ => Name::Other,
                })
            }
        }

        name.deserialize_bytes(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(line: &str) -> Option<String> {
        let outline = Outline::of(line.as_bytes());
        outline.and_then(|outline| Some(outline.id()?.get().to_owned()))
    }

    #[test]
    fn an_id_is_kept_as_it_was_written() {
        for written in ["7", "-7", "1.50", "99999999999999999999", r#""\ud800""#] {
            let line = format!(r#"{{"id":{written},"method":"ping"}}"#);
            assert_eq!(id(&line).as_deref(), Some(written));
        }
    }

    #[test]
    fn an_object_or_a_literal_is_no_id() {
        for written in ["{}", "[1]", "null", "true"] {
            assert_eq!(id(&format!(r#"{{"id":{written},"method":"ping"}}"#)), None);
        }
    }

    #[test]
    fn names_and_values_that_are_no_text_hide_nothing() {
        let line = br#"{"\ud800":{"\udc00":"\ud800"},"id":7,"method":"x","params":"P"}"#;
        let line = [&line[..line.len() - 3], b"\xff\"}"].concat();
        let outline = Outline::of(&line).unwrap();
        assert_eq!(outline.request_id(), Some(RequestId::Number(7)));
    }

    #[test]
    fn a_response_has_no_id_to_answer_under() {
        let outline = Outline::of(br#"{"id":7,"result":{}}"#).unwrap();
        assert!(!outline.is_request() && outline.id().is_none());
    }

    #[test]
    fn a_beginning_shows_the_members_before_its_end() {
        let whole = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"#;
        for (length, expected) in [(whole.len(), Some("\"a\"")), (26, None), (20, None)] {
            let outline = Outline::of_ends(&whole.as_bytes()[..length], b"");
            assert_eq!(outline.id().map(RawValue::get), expected, "{length}");
        }
    }

    #[test]
    fn an_end_shows_the_id_if_it_is_the_last_member() {
        for (end, expected) in [
            (r#"x"},"jsonrpc":"2.0","id":7}"#, Some("7")),
            ("\" , \"id\" : \"a-1\" } \r\n", Some("\"a-1\"")),
            (r#","id":"a:b"}"#, Some(r#""a:b""#)),
            (r#","id":"x,\"id\":7"}"#, Some(r#""x,\"id\":7""#)),
            (r#"\u00fc","id":-1.5}"#, Some("-1.5")),
            (r#""id":7,"jsonrpc":"2.0"}"#, None),
            (r#""\",\"id":7}"#, None),
            (r#"{"id":7}}"#, None),
            (r#"{"id":7}"#, None),
            (r#","id":7"#, None),
            (r#","id":}"#, None),
            ("", None),
        ] {
            let outline = Outline::of_ends(br#"{"method":"x","params":{"#, end.as_bytes());
            assert_eq!(outline.id().map(RawValue::get), expected, "{end}");
        }
        let cut_letter = [
            "\u{20ac}".as_bytes().last_chunk::<2>().unwrap(),
            &br#"","id":7}"#[..],
        ]
        .concat();
        let outline = Outline::of_ends(br#"{"method":"x","#, &cut_letter);
        assert_eq!(outline.id().map(RawValue::get), Some("7"));
    }

    #[test]
    fn a_response_names_the_request_that_it_answers() {
        for line in [
            r#"{"id":7,"result":{}}"#,
            r#"{"error":"no","id":7}"#,
            r#"{"id":7}"#,
        ] {
            let outline = Outline::of(line.as_bytes()).unwrap();
            assert_eq!(outline.answers(), Some(RequestId::Number(7)), "{line}");
        }
        for line in [r#"{"id":7,"method":"x","result":{}}"#, r#"{"result":{}}"#] {
            let outline = Outline::of(line.as_bytes()).unwrap();
            assert_eq!(outline.answers(), None, "{line}");
        }
    }

    #[test]
    fn a_batch_is_a_request_without_an_id() {
        for line in ["[]", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
            let outline = Outline::of(line.as_bytes()).unwrap();
            assert!(outline.is_request() && outline.id().is_none(), "{line}");
        }
    }

    #[test]
    fn anything_else_has_no_outline() {
        for line in [
            "5",
            "null",
            "{",
            "[",
            "[]]",
            r#"{"id":1}}"#,
            r#"{"id":1"#,
            "text",
        ] {
            assert!(Outline::of(line.as_bytes()).is_none(), "{line}");
        }
    }
}
