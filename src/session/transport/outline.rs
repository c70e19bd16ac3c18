//! The outline of a line that rmcp cannot read: its id, and its being a request or not.
//! Looks at no other member; rmcp reads messages.

use std::fmt;

use rmcp::model::RequestId;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

/// The members of a line that decide on its answer.
#[derive(Debug, Default)]
pub struct Outline {
    id: Option<Box<RawValue>>,
    is_request: bool,
}

impl Outline {
    /// The outline of a line. Returns nothing if the line is neither a JSON object nor an array.
    pub fn of(line: &[u8]) -> Option<Self> {
        let mut outline = Self::default();
        let mut json = serde_json::Deserializer::from_slice(line);
        outline.deserialize(&mut json).ok()?;
        json.end().ok()?;
        Some(outline)
    }

    /// The outline of a line of which only the beginning is known.
    pub fn of_beginning(beginning: &[u8]) -> Self {
        let mut outline = Self::default();
        // The end is missing, so this always fails; the members before it have been read by then.
        let _ = outline.deserialize(&mut serde_json::Deserializer::from_slice(beginning));
        outline
    }

    /// Tells whether the line is a request: an object with a method, or an array, which older versions
    /// took for a batch. A response must not be answered: its sender would take that for the answer to a
    /// request of its own.
    pub fn is_request(&self) -> bool {
        self.is_request
    }

    /// The id to answer under, as it was written: numbers may be larger than 64 bits.
    pub fn id(&self) -> Option<&RawValue> {
        let id = self.id.as_deref().filter(|_| self.is_request)?;
        let is_scalar = |first: char| first == '"' || first == '-' || first.is_ascii_digit();
        id.get().starts_with(is_scalar).then_some(id)
    }

    /// The id as rmcp represents it, if it can.
    pub fn request_id(&self) -> Option<RequestId> {
        serde_json::from_str(self.id()?.get()).ok()
    }
}

impl<'de> DeserializeSeed<'de> for &mut Outline {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, line: D) -> Result<(), D::Error> {
        line.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Outline {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut batch: A) -> Result<(), A::Error> {
        self.is_request = true;
        while batch.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key()? {
            match name {
                Name::Id => self.id = Some(members.next_value()?),
                Name::Method => {
                    self.is_request = true;
                    members.next_value::<IgnoredAny>()?;
                }
                Name::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

enum Name {
    Id,
    Method,
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
            let outline = Outline::of_beginning(&whole.as_bytes()[..length]);
            assert_eq!(outline.id().map(RawValue::get), expected, "{length}");
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
