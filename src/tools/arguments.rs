//! Reads the arguments of a call: one struct a tool says their names, their types and, by its schema, their words.
//! Sends nothing, takes nothing unknown, and names all faults of a call at once.

use rmcp::model::JsonObject;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::failure::{Code, Failure};
use crate::apc::{Accepted, DeploymentId, Label, Role, ServiceAccountId, TEXT_MAX, WorkspaceId};
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;

/// The argument that is there to search for a key.
const KEY_SEARCH: &str = "key_prefix";

/// The reader of one tool's arguments.
pub struct ArgumentReader<'a> {
    /// The tool's name.
    pub tool: &'a str,
    /// The schema that clients see: it lists the arguments, and those that are required.
    pub schema: &'a JsonObject,
    /// The secrets that no message repeats.
    pub secrets: &'a Secrets,
    /// Words on what an argument accepts, where the policy has its say; else the type's own are taken.
    pub accepted: &'a dyn Fn(&str) -> Option<String>,
}

impl ArgumentReader<'_> {
    /// Reads arguments into the struct that the schema was made from. Null means omitted, and so does an empty text in the
    /// place of an optional argument.
    ///
    /// # Errors
    /// Every fault of the call, by the argument's name, its value and what is accepted.
    pub fn read<T: DeserializeOwned>(&self, mut given: JsonObject) -> Result<T, Failure> {
        let mut faults = self.unknown(&mut given);
        omit_empty(&mut given, self.schema);
        faults.extend(self.missing::<T>(&given));
        faults.extend(self.secret(&mut given));
        loop {
            let refused = match parse::<T>(&given) {
                Ok(arguments) if faults.is_empty() => return Ok(arguments),
                Ok(_) => return Err(invalid(&faults)),
                Err(refused) => refused,
            };
            // What is missing has no name here, and is among the faults already.
            let Some(value) = given.remove(&refused.name) else {
                return Err(invalid(&faults));
            };
            let (value, accepted) = (self.shown(&refused.name, &value), self.words(&refused));
            faults.push(format!("{} is {value}; accepted: {accepted}", refused.name));
        }
    }

    fn unknown(&self, given: &mut JsonObject) -> Vec<String> {
        let known: Vec<_> = properties(self.schema).collect();
        let mut faults = Vec::new();
        given.retain(|name, _| {
            let is_known = known.contains(&name.as_str());
            if !is_known {
                let (name, tool) = (quoted(&self.secrets.scrub(name)), self.tool);
                let accepted = known.join(", ");
                faults.push(format!(
                    "{name} is not an argument of {tool}; accepted: {accepted}"
                ));
            }
            is_known
        });
        faults
    }

    /// Takes out what holds a secret: the platform keeps and logs what it is sent. Only a search for a key may hold one.
    fn secret(&self, given: &mut JsonObject) -> Vec<String> {
        let mut faults = Vec::new();
        given.retain(|name, value| {
            let has_secret = value.as_str().is_some_and(|text| self.secrets.are_in(text));
            let is_refused = has_secret && name != KEY_SEARCH;
            if is_refused {
                faults.push(format!(
                    "{name} holds the API token of this server or the key of a service account; accepted: text without secrets"
                ));
            }
            !is_refused
        });
        faults
    }

    fn missing<T: DeserializeOwned>(&self, given: &JsonObject) -> Vec<String> {
        let absent = required(self.schema).filter(|name| !given.contains_key(*name));
        let fault = |name: &str| {
            // No argument takes a list, so its type says what it takes instead.
            let probe = JsonObject::from_iter([(name.to_owned(), Value::Array(Vec::new()))]);
            let refused = parse::<T>(&probe).err();
            let accepted = refused.map(|refused| self.words(&refused));
            let accepted = accepted.unwrap_or_default();
            format!("{name} is missing; accepted: {accepted}")
        };
        absent.map(fault).collect()
    }

    fn words(&self, refused: &RefusedArgument) -> String {
        (self.accepted)(&refused.name).unwrap_or_else(|| refused.accepted.clone())
    }

    /// A refused value, without secrets: they go before it is cut, or a part would stay. A search for a key may hold one
    /// that this session has never met.
    fn shown(&self, name: &str, value: &Value) -> String {
        match value {
            Value::String(text) if name == KEY_SEARCH => quoted(&self.secrets.scrub_foreign(text)),
            Value::String(text) => quoted(&self.secrets.scrub(text)),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            Value::Null => "null".to_owned(),
        }
    }
}

/// Takes out null, and empty text in the place of an optional argument: both mean omitted.
pub fn omit_empty(given: &mut JsonObject, schema: &JsonObject) {
    let is_required = |name: &str| required(schema).any(|required| required == name);
    let is_known = |name: &str| properties(schema).any(|known| known == name);
    given.retain(|name, value| match value {
        Value::Null => !is_known(name),
        value => value != "" || is_required(name) || !is_known(name),
    });
}

/// The failure of a call whose arguments have these faults.
pub fn invalid(faults: &[String]) -> Failure {
    let faults = faults.join("; ");
    let text = format!("{faults}. Nothing was sent; call again with that changed.");
    Failure::new(Code::InvalidArguments, text)
}

/// An argument that was not accepted, and the accepted values in words.
struct RefusedArgument {
    name: String,
    accepted: String,
}

fn parse<T: DeserializeOwned>(given: &JsonObject) -> Result<T, RefusedArgument> {
    serde_path_to_error::deserialize(Value::Object(given.clone())).map_err(|error| {
        RefusedArgument {
            name: error.path().to_string(),
            accepted: error.inner().to_string(),
        }
    })
}

fn required(schema: &JsonObject) -> impl Iterator<Item = &str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

fn properties(schema: &JsonObject) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    properties.map(|(name, _)| name.as_str())
}

/// Reads a type of the vocabulary; the error is the sentence on what it accepts.
macro_rules! text_argument {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                let read = value.as_str().ok_or(Self::ACCEPTED).and_then(Self::parse);
                read.map_err(|accepted| serde::de::Error::custom(accepted.0))
            }
        }
    };
}

text_argument!(Label);
text_argument!(WorkspaceId);
text_argument!(DeploymentId);
text_argument!(ServiceAccountId);
text_argument!(Role);
text_argument!(SearchText);

pub(super) use text_argument;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: u64, const MAX: u64>(pub u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        whole(&value)
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("a whole number from {MIN} to {MAX}")))
    }
}

/// JSON does not tell 10 from 10.0, and some clients send the latter.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
    })
}

/// A choice between yes and no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(pub bool);

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let on = value.as_bool().map(Self);
        on.ok_or_else(|| D::Error::custom("true or false, without quotes"))
    }
}

/// Text to search for, taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(pub String);

impl SearchText {
    const ACCEPTED: Accepted = Accepted("text of 1 to 255 characters");

    fn parse(text: &str) -> Result<Self, Accepted> {
        match text.chars().count() {
            1..=TEXT_MAX => Ok(Self(text.to_owned())),
            _ => Err(Self::ACCEPTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Arguments {
        label: Label,
        limit: Option<Whole<1, 1000>>,
        role: Option<Role>,
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn read(given: Value) -> Result<Arguments, String> {
        let schema = json!({
            "properties": {"label": {}, "limit": {}, "role": {}, "key_prefix": {}},
            "required": ["label"],
        });
        let secrets = Secrets::default();
        secrets.remember(KEY);
        let reader = ArgumentReader {
            tool: "tool",
            schema: schema.as_object().unwrap(),
            secrets: &secrets,
            accepted: &|name| (name == "role").then(|| "only A".to_owned()),
        };
        let read = reader.read(given.as_object().cloned().unwrap());
        read.map_err(|failure| failure.text().to_owned())
    }

    #[test]
    fn an_unknown_argument_is_named_with_those_that_exist() {
        let text = read(json!({"label": "ci", "lable": "ci"})).unwrap_err();
        let expected =
            "'lable' is not an argument of tool; accepted: label, limit, role, key_prefix.";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_accepted() {
        for (value, expected) in [
            (
                json!("10"),
                "limit is '10'; accepted: a whole number from 1 to 1000.",
            ),
            (json!(0), "limit is 0; accepted"),
            (json!(1001), "limit is 1001; accepted"),
            (json!(1.5), "limit is 1.5; accepted"),
            (json!(-1), "limit is -1; accepted"),
            (json!(1e300), "limit is 1e+300; accepted"),
            (json!(true), "limit is true; accepted"),
            (json!([1]), "limit is an array; accepted"),
            (json!({"a": [1]}), "limit is an object; accepted"),
        ] {
            let text = read(json!({"label": "ci", "limit": value})).unwrap_err();
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn all_faults_of_a_call_are_named_at_once() {
        let text = read(json!({"limit": 0, "role": "ADMIN", "extra": 1})).unwrap_err();
        for fault in [
            "'extra' is not an argument of tool",
            "label is missing; accepted: text of 1 to 255",
            "limit is 0; accepted: a whole number",
            "role is 'ADMIN'; accepted: only A",
        ] {
            assert!(text.contains(fault), "{fault} is not in {text}");
        }
    }

    #[test]
    fn null_is_omitted_and_a_whole_float_is_whole() {
        let arguments = read(json!({"label": " ci ", "limit": 10.0, "role": null})).unwrap();
        assert_eq!(arguments.limit, Some(Whole(10)));
        assert_eq!(arguments.label.as_str(), "ci");
        assert_eq!(arguments.role, None);
        let text = read(json!({"label": null})).unwrap_err();
        assert!(text.starts_with("label is missing"), "{text}");
    }

    #[test]
    fn an_empty_text_is_omitted_unless_the_argument_is_required() {
        let arguments = read(json!({"label": "ci", "limit": "", "role": ""})).unwrap();
        assert_eq!((arguments.limit, arguments.role), (None, None));
        let text = read(json!({"label": "", "limit": 0})).unwrap_err();
        assert!(text.starts_with("label is ''; accepted: text"), "{text}");
        assert!(text.contains("limit is 0"), "{text}");
    }

    #[test]
    fn a_search_for_a_key_is_not_repeated_where_it_is_refused() {
        let schema = json!({"properties": {"key_prefix": {}}});
        let reader = ArgumentReader {
            tool: "tool",
            schema: schema.as_object().unwrap(),
            secrets: &Secrets::default(),
            accepted: &|_| None,
        };
        let value = json!(format!("{KEY} "));
        assert_eq!(reader.shown("key_prefix", &value), "'[redacted] '");
    }

    #[test]
    fn a_secret_is_refused_and_not_repeated_but_where_a_key_is_searched() {
        let text = read(json!({"label": format!("for {KEY}"), "role": KEY})).unwrap_err();
        for name in ["label", "role"] {
            let fault = format!("{name} holds the API token of this server or the key");
            assert!(text.contains(&fault), "{text}");
        }
        assert!(!text.contains(KEY) && !text.contains("missing"), "{text}");
        read(json!({"label": "ci", "key_prefix": KEY})).unwrap();
    }
}
