//! The values that answers are made of.

use async_graphql::Value;
use async_graphql::dynamic::FieldValue;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::state::refusal::Refusal;

/// The value of a field. None is null, or an error where null is not allowed.
pub(crate) type Answer = Result<Option<FieldValue<'static>>, Refusal>;

pub(crate) fn text(text: impl Into<String>) -> Option<FieldValue<'static>> {
    Some(FieldValue::value(Value::String(text.into())))
}

pub(crate) fn maybe(text: Option<&str>) -> Option<FieldValue<'static>> {
    text.and_then(self::text)
}

/// A time in the API's spelling: UTC, with milliseconds.
pub(crate) fn time(time: DateTime<Utc>) -> Option<FieldValue<'static>> {
    text(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
