//! The arguments of a prompt, defined by one struct that derives `Deserialize` and `JsonSchema`.
//! Knows no prompt.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::iter;

use rmcp::model::{ErrorData, JsonObject, PromptArgument};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apc::{Accepted, DeploymentId, ServiceAccountId, WorkspaceId};
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;

/// The most days that may be given: ten years.
const DAYS_MAX: u16 = 3650;

/// The definitions of the arguments, in the order of their struct, as clients see them.
pub fn definitions<T: JsonSchema>() -> Vec<PromptArgument> {
    let schema = Value::from(SchemaGenerator::default().into_root_schema_for::<T>());
    let required = |name: &String| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let fields = schema.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    fields
        .map(|(name, field)| definition(name, field).with_required(required(name)))
        .collect()
}

fn definition(name: &str, field: &Value) -> PromptArgument {
    let text = |keyword| {
        field
            .get(keyword)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let default = field.get("default").filter(|default| !default.is_null());
    let default = default.map(|default| format!("; {default} if left out"));
    PromptArgument::new(name)
        .with_title(text("title"))
        .with_description(text("description").to_owned() + &default.unwrap_or_default())
}

/// The arguments that came with a request, as text. Clients send empty text for a field that was left empty.
pub struct GivenArguments<'a> {
    prompt: &'a str,
    texts: BTreeMap<String, String>,
    secrets: &'a Secrets,
}

impl<'a> GivenArguments<'a> {
    /// The arguments for this prompt.
    pub fn new(prompt: &'a str, arguments: Option<JsonObject>, secrets: &'a Secrets) -> Self {
        let arguments = arguments.into_iter().flatten();
        let texts = arguments.map(|(name, value)| match value {
            Value::String(text) => (name, text.trim().to_owned()),
            Value::Null => (name, String::new()),
            other => (name, other.to_string()),
        });
        Self {
            prompt,
            texts: texts.filter(|(_, text)| !text.is_empty()).collect(),
            secrets,
        }
    }

    /// Tells if an argument is given.
    pub fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// Reads the arguments. The error tells all faults.
    pub fn read<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, ErrorData> {
        let texts = self.texts.iter();
        let texts = texts.map(|(name, text)| (name.as_str(), text.as_str()));
        let arguments = T::deserialize(MapDeserializer::new(texts));
        arguments.map_err(|_: Fault| ErrorData::invalid_params(self.faults::<T>().join(" "), None))
    }

    /// Reads each argument by itself: serde stops at the first fault.
    fn faults<T: DeserializeOwned + JsonSchema>(&self) -> Vec<String> {
        let definitions = definitions::<T>();
        let refused = self.texts.iter().filter_map(|(name, text)| {
            let alone = iter::once((name.as_str(), text.as_str()));
            match T::deserialize(MapDeserializer::new(alone)).err()? {
                Fault::Refused(accepted) => Some(format!(
                    "{name} is {}; accepted: {accepted}.",
                    quoted(&self.secrets.scrub(text))
                )),
                Fault::Unknown => Some(self.unknown(name, &definitions)),
                // The others are missing, since this one is alone.
                Fault::Missing => None,
            }
        });
        let required = definitions
            .iter()
            .filter(|argument| argument.required == Some(true));
        let missing = required.filter(|argument| !self.has(&argument.name));
        let missing = missing.map(|argument| {
            let meaning = argument.description.as_deref().unwrap_or_default();
            format!("{} is missing: {meaning}.", argument.name)
        });
        refused.chain(missing).collect()
    }

    fn unknown(&self, name: &str, known: &[PromptArgument]) -> String {
        let known: Vec<_> = known.iter().map(|argument| &*argument.name).collect();
        let (name, known) = (quoted(&self.secrets.scrub(name)), known.join(", "));
        format!(
            "{name} is not an argument of {}; accepted: {known}.",
            self.prompt
        )
    }
}

/// The fault of an argument, as serde reports it.
#[derive(Debug, thiserror::Error)]
#[error("{self:?}")]
enum Fault {
    Refused(String),
    Unknown,
    Missing,
}

impl de::Error for Fault {
    fn custom<T: Display>(accepted: T) -> Self {
        Self::Refused(accepted.to_string())
    }

    fn unknown_field(_name: &str, _known: &'static [&'static str]) -> Self {
        Self::Unknown
    }

    fn missing_field(_name: &'static str) -> Self {
        Self::Missing
    }
}

/// Reads the id of a service account.
///
/// # Errors
/// The text is not an id.
pub fn service_account<'de, D: Deserializer<'de>>(text: D) -> Result<ServiceAccountId, D::Error> {
    parsed(text, ServiceAccountId::parse)
}

/// Reads the id of a workspace, where one is given.
///
/// # Errors
/// The text is not an id.
pub fn workspace<'de, D: Deserializer<'de>>(text: D) -> Result<Option<WorkspaceId>, D::Error> {
    parsed(text, WorkspaceId::parse).map(Some)
}

/// Reads the id of a deployment, where one is given.
///
/// # Errors
/// The text is not an id.
pub fn deployment<'de, D: Deserializer<'de>>(text: D) -> Result<Option<DeploymentId>, D::Error> {
    parsed(text, DeploymentId::parse).map(Some)
}

fn parsed<'de, D: Deserializer<'de>, T>(
    text: D,
    parse: impl FnOnce(&str) -> Result<T, Accepted>,
) -> Result<T, D::Error> {
    let value = parse(&String::deserialize(text)?);
    value.map_err(|accepted| de::Error::custom(accepted.0))
}

/// A number of days, from 1 to ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Days(pub u16);

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let days = String::deserialize(text)?.parse().ok();
        let days = days.filter(|days| (1..=DAYS_MAX).contains(days));
        let accepted = || format!("a whole number from 1 to {DAYS_MAX}");
        days.map(Self).ok_or_else(|| de::Error::custom(accepted()))
    }
}

impl Display for Days {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} days", self.0)
    }
}
