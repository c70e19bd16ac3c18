//! Answers of the API: where in the text the value stands, and the errors beside it.
//! Copies nothing of the text and makes nothing of it before it is asked for: an answer may be large, and of any shape.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::task::{spawn_blocking, yield_now};

use super::bounded::Bounded;
use super::error::{ApiError, GraphqlError};
use super::http::HttpResponse;

/// The size from which an answer is looked through on another thread, in bytes: it takes so long that others would wait.
const LARGE: usize = 4 * 1024 * 1024;

/// The number of rows that are read before others get their turn.
const ROWS_AT_ONCE: usize = 1_000;

/// The number of errors that are kept of an answer.
const ERRORS_MAX: usize = 1_000;

/// The reason why an answer holds no data.
pub enum NoData {
    /// The document was refused, with these words, before anything was done.
    Document(Vec<String>),
    /// Anything else.
    Other(ApiError),
}

/// An answer with data, and the errors that came beside it.
pub struct GraphqlResponse {
    text: String,
    /// The place of the one top-level field's value; none where it is null and no error says why.
    value: Option<Range<usize>>,
    /// The errors that came with it. The data may lack what they are about.
    pub errors: Vec<GraphqlError>,
    /// The time of the API's clock, where it was told.
    pub date: Option<DateTime<Utc>>,
}

impl GraphqlResponse {
    /// Finds the value of a field. The error tells why there is no data.
    pub async fn of(reply: HttpResponse, field: &'static str) -> Result<Self, NoData> {
        if reply.body.len() < LARGE {
            return found(reply, field);
        }
        let found = spawn_blocking(move || found(reply, field)).await;
        found.unwrap_or(Err(NoData::Other(ApiError::MissingData)))
    }

    /// Reads the value; none where it is null. A value of another form fails with the first error beside it, if any.
    pub fn read<'a, D: Deserialize<'a>>(&'a self) -> Result<Option<D>, ApiError> {
        let value = self.value().map(serde_json::from_str);
        value.transpose().map_err(|_| self.of_another_form())
    }

    /// Reads the value of a change. An error about a part of the answer leaves the rest certain.
    pub fn of_change<'a, D: Deserialize<'a>>(&'a self) -> Result<Option<D>, ApiError> {
        self.check_the_whole()?;
        self.read()
    }

    /// Fails with the first error that is about the whole of the answer: it speaks against the data, whatever they hold.
    pub fn check_the_whole(&self) -> Result<(), ApiError> {
        let about_the_whole = self.errors.iter().find(|error| !error.is_partial());
        about_the_whole.map_or(Ok(()), |error| Err(error.classify(200, true)))
    }

    /// Hands on every row of a list, in steps between which other calls get their turn. Tells if there is a list.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn rows<'a, R: Deserialize<'a>>(
        &'a self,
        mut take: impl FnMut(Option<R>),
    ) -> Result<bool, ApiError> {
        let Some(value) = self.value() else {
            return Ok(false);
        };
        let list = value.strip_prefix('[');
        let mut rest = list.ok_or_else(|| self.of_another_form())?;
        for number in 1_usize.. {
            // The text is JSON as a whole: nothing else can stand here.
            rest = rest.trim_start_matches([',', ' ', '\t', '\r', '\n']);
            let mut rows = serde_json::Deserializer::from_str(rest).into_iter();
            match rows.next().filter(|_| !rest.starts_with(']')) {
                Some(row) => take(row.map_err(|_| self.of_another_form())?),
                None => break,
            }
            rest = rest.get(rows.byte_offset()..).unwrap_or_default();
            if number.is_multiple_of(ROWS_AT_ONCE) {
                yield_now().await;
            }
        }
        Ok(true)
    }

    fn value(&self) -> Option<&str> {
        self.text.get(self.value.clone()?)
    }

    fn of_another_form(&self) -> ApiError {
        first_that_counts(&self.errors)
            .map_or(ApiError::MissingData, |error| error.classify(200, true))
    }
}

fn found(reply: HttpResponse, field: &str) -> Result<GraphqlResponse, NoData> {
    let (status, date) = (reply.status, reply.date);
    let text = String::from_utf8(reply.body);
    let text = text.map_err(|error| unreadable(status, error.as_bytes()))?;
    let Some(Envelope { data, errors }) = envelope(&text, field) else {
        return Err(unreadable(status, text.as_bytes()));
    };
    let has_data = data.is_some();
    if is_page(status, &errors, has_data) {
        return Err(NoData::Other(ApiError::Status { status }));
    }
    // What is no page has status 200 or errors.
    let value = match data.flatten() {
        Some(value) if status == 200 && (value.is_some() || errors.is_empty()) => value,
        _ if !errors.is_empty() => return Err(refused(&errors, status, has_data)),
        _ if has_data => return Err(NoData::Other(ApiError::MissingData)),
        _ => return Err(NoData::Other(ApiError::NotGraphql)),
    };
    Ok(GraphqlResponse {
        value: value.map(|value| range_within(&text, value.get())),
        text,
        errors,
        date,
    })
}

/// The place of a part in the text that it was borrowed from.
fn range_within(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// The members of an answer that count.
struct Envelope<'a> {
    /// None without such a member, then none where it is null or lacks the field, then none where the field is null.
    data: Option<Option<Option<&'a RawValue>>>,
    errors: Vec<GraphqlError>,
}

fn envelope<'a>(text: &'a str, field: &str) -> Option<Envelope<'a>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let envelope = json.deserialize_map(EnvelopeVisitor(field)).ok()?;
    json.end().ok()?;
    Some(envelope)
}

struct EnvelopeVisitor<'f>(&'f str);

impl<'de> Visitor<'de> for EnvelopeVisitor<'_> {
    type Value = Envelope<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a GraphQL answer")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "lowercase")]
        enum Member {
            Data,
            Errors,
            #[serde(other)]
            Other,
        }
        let mut envelope = Envelope {
            data: None,
            errors: Vec::new(),
        };
        while let Some(member) = map.next_key()? {
            match member {
                Member::Data => envelope.data = Some(map.next_value_seed(Data(self.0))?),
                Member::Errors => envelope.errors = errors(map.next_value()?),
                Member::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(envelope)
    }
}

/// Further errors than are kept may be about anything, so they count as one about the whole.
fn errors(read: Option<Bounded<GraphqlError, ERRORS_MAX>>) -> Vec<GraphqlError> {
    let Bounded { mut kept, left_off } = read.unwrap_or_default();
    if left_off > 0 {
        kept.push(GraphqlError::default());
    }
    kept
}

/// The `data` of an answer, of which one field is kept.
struct Data<'f>(&'f str);

impl<'de> DeserializeSeed<'de> for Data<'_> {
    type Value = Option<Option<&'de RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Data<'_> {
    type Value = Option<Option<&'de RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the data of a GraphQL answer")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<super::wire::Text<'de>>()? {
            match name.as_str() == self.0 {
                true => found = Some(map.next_value()?),
                false => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Tells whether something in front of the API has answered. The API itself answers with 200, or with 400 and a code if
/// it executes nothing. Its words of a refusal behind any other status are an answer as well.
fn is_page(status: u16, errors: &[GraphqlError], has_data: bool) -> bool {
    let is_of_the_api = |error: &GraphqlError| error.has_code() || error.is_validation();
    match status {
        200 => false,
        _ if errors.iter().any(GraphqlError::is_refusal) => false,
        400 => has_data || errors.is_empty() || !errors.iter().all(is_of_the_api),
        _ => true,
    }
}

fn refused(errors: &[GraphqlError], status: u16, has_data: bool) -> NoData {
    if !has_data && errors.iter().any(GraphqlError::is_validation) {
        let messages = errors.iter().map(|error| error.message().to_owned());
        return NoData::Document(messages.collect());
    }
    let classified = first_that_counts(errors).map(|error| error.classify(status, has_data));
    NoData::Other(classified.unwrap_or(ApiError::MissingData))
}

/// The first error about the whole, or else the first one.
fn first_that_counts(errors: &[GraphqlError]) -> Option<&GraphqlError> {
    let about_the_whole = errors.iter().find(|error| !error.is_partial());
    about_the_whole.or(errors.first())
}

/// Tells why an answer cannot be read, as far as its form tells.
fn unreadable(status: u16, body: &[u8]) -> NoData {
    #[derive(Deserialize)]
    struct Members {
        #[serde(default)]
        errors: Option<Bounded<GraphqlError, ERRORS_MAX>>,
        #[serde(default, deserialize_with = "present")]
        data: Option<IgnoredAny>,
    }
    // Such a struct would be read out of an array as well.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let (errors, has_data) = match serde_json::from_slice::<Members>(body) {
        _ if !is_object => (Vec::new(), false),
        Ok(members) => (errors(members.errors), members.data.is_some()),
        Err(_) => (Vec::new(), has_data_member(body)),
    };
    match status {
        _ if is_page(status, &errors, has_data) => NoData::Other(ApiError::Status { status }),
        _ if !errors.is_empty() => refused(&errors, status, has_data),
        200 if has_data => NoData::Other(ApiError::MissingData),
        200 => NoData::Other(ApiError::NotGraphql),
        status => NoData::Other(ApiError::Status { status }),
    }
}

/// Tells whether there is data, whatever the errors beside it are.
fn has_data_member(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default, deserialize_with = "present")]
        data: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Data>(body).is_ok_and(|members| members.data.is_some())
}

/// A member that is there, even if it is null.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(status: u16, body: &str) -> Result<GraphqlResponse, NoData> {
        let reply = HttpResponse {
            status,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
        };
        found(reply, "q")
    }

    fn answered(status: u16, body: &str) -> ApiError {
        match found_in(status, body) {
            Err(NoData::Other(error)) => error,
            Err(NoData::Document(messages)) => ApiError::Incompatible {
                message: messages.join("\n"),
            },
            Ok(answer) => answer.read::<String>().unwrap_err(),
        }
    }

    #[test]
    fn answers_that_are_none_are_told_apart() {
        assert_eq!(answered(200, "<html>"), ApiError::NotGraphql);
        assert_eq!(answered(200, "[1]"), ApiError::NotGraphql);
        assert_eq!(answered(200, r#"{"data": null}"#), ApiError::MissingData);
        assert_eq!(answered(200, r#"{"data": [1]}"#), ApiError::MissingData);
        assert_eq!(answered(200, r#"{"data": {}}"#), ApiError::MissingData);
        assert_eq!(
            answered(200, r#"{"data": {"q": 1}}"#),
            ApiError::MissingData
        );
        assert_eq!(answered(500, "<html>"), ApiError::Status { status: 500 });
        assert_eq!(
            answered(500, r#"{"data": {}}"#),
            ApiError::Status { status: 500 }
        );
        let forbidden = r#"{"errors": [{"message": "x", "extensions": {"code": "FORBIDDEN"}}], "data": {"a": null}}"#;
        assert!(matches!(answered(200, forbidden), ApiError::Rejected(_)));
    }

    #[test]
    fn what_has_no_data_member_was_not_executed() {
        let began = |body| match answered(200, body) {
            ApiError::Rejected(rejection) => rejection.began,
            other => panic!("{other:?}"),
        };
        assert!(began(r#"{"errors": [{"message": "x"}], "data": null}"#));
        assert!(began(
            r#"{"errors": [{"message": "x"}], "data": {"q": null}}"#
        ));
        assert!(!began(r#"{"errors": [{"message": "x"}]}"#));
    }

    #[test]
    fn data_beside_errors_is_used() {
        let body = r#"{"errors": [{"message": "x", "path": ["q", 1]}], "data": {"q": "a"}}"#;
        let answer = found_in(200, body).ok().unwrap();
        assert_eq!(answer.read(), Ok(Some("a")));
        assert_eq!(answer.errors.len(), 1);
        assert_eq!(answer.of_change(), Ok(Some("a")));
    }

    #[tokio::test]
    async fn rows_come_one_by_one_whatever_stands_between_them() {
        let body = "{\"data\": {\"q\": [1,null , \n2,\"a,]\"\t] } }";
        let answer = found_in(200, body).ok().unwrap();
        let mut rows = Vec::new();
        let is_list = answer
            .rows(|row: Option<serde_json::Value>| rows.push(row))
            .await;
        assert_eq!(is_list, Ok(true));
        let value = |json: &str| Some(serde_json::from_str(json).unwrap());
        assert_eq!(rows, [value("1"), None, value("2"), value("\"a,]\"")]);
    }

    #[tokio::test]
    async fn a_list_may_be_empty_or_null_or_none() {
        for (value, expected) in [
            ("[]", Ok(true)),
            ("[ ]", Ok(true)),
            ("null", Ok(false)),
            ("{}", Err(ApiError::MissingData)),
            ("[[1]]", Err(ApiError::MissingData)),
        ] {
            let answer = found_in(200, &format!("{{\"data\": {{\"q\": {value}}}}}"));
            let rows = answer.ok().unwrap().rows(|_: Option<String>| {}).await;
            assert_eq!(rows, expected, "{value}");
        }
    }

    #[test]
    fn more_errors_than_are_kept_speak_against_the_whole() {
        let partial = r#"{"message": "x", "path": ["q", 1, "label"]}"#;
        for (number, certain) in [(ERRORS_MAX, true), (ERRORS_MAX + 1, false)] {
            let errors = vec![partial; number].join(",");
            let body = format!("{{\"errors\": [{errors}], \"data\": {{\"q\": \"a\"}}}}");
            let answer = found_in(200, &body).ok().unwrap();
            assert_eq!(answer.of_change::<&str>().is_ok(), certain);
        }
    }
}
