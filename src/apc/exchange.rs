//! Documents out, answers in: one GraphQL exchange with the API, made again where that is safe.
//! Decides nothing about tools; knows no operation by name.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

use super::error::{ApiError, GraphqlError, Unreachable};
use super::http::{Client, Connecting, Purpose, Reply};
use super::installation::{ApiUrl, Installation};
use crate::guards::secret::Secrets;

/// How often a request is sent at most.
const TRIES: u32 = 3;

/// The pause before the second try; four times as long before the third.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long a release is remembered to lack a field. An upgrade shows after that without a restart.
const LACKING: Duration = Duration::from_secs(300);

/// A document of `apc/documents/`, one field a line.
pub struct Document {
    /// The one top-level field it selects.
    pub field: &'static str,
    /// The file's text.
    pub text: &'static str,
    /// The fields that a release may lack: each costs itself, not the call.
    pub optional: &'static [&'static str],
}

/// The API of every installation this server may meet.
pub struct Houston {
    client: Client,
    timeout: Duration,
    secrets: Secrets,
    lacking: Mutex<HashMap<Place, Lacking>>,
}

/// Where a field may be lacking: in one document to one installation.
type Place = (ApiUrl, &'static str);

struct Lacking {
    since: Instant,
    fields: Arc<BTreeSet<&'static str>>,
}

impl Houston {
    /// An API that has been sent nothing yet; `timeout` is for one request, its repetitions
    /// included. Tokens and keys that pass through are remembered among the secrets.
    pub fn new(connecting: Connecting, timeout: Duration, secrets: Secrets) -> Self {
        Self {
            client: Client::new(connecting, timeout),
            timeout,
            secrets,
            lacking: Mutex::default(),
        }
    }

    /// The API for one call, which has to be over by the deadline.
    pub fn within<'a>(&'a self, installation: &'a Installation, deadline: Instant) -> Api<'a> {
        self.secrets.remember(installation.token.expose());
        Api {
            houston: self,
            installation,
            deadline,
            tries: TRIES,
        }
    }

    fn lacking(&self, place: &Place) -> Arc<BTreeSet<&'static str>> {
        let mut all = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lacking| lacking.since.elapsed() < LACKING);
        all.get(place)
            .map(|lacking| Arc::clone(&lacking.fields))
            .unwrap_or_default()
    }

    fn remember_lacking(&self, place: Place, fields: Arc<BTreeSet<&'static str>>) {
        let mut all = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(
            place,
            Lacking {
                since: Instant::now(),
                fields,
            },
        );
    }
}

/// The API of one installation, for the length of one call.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    houston: &'a Houston,
    installation: &'a Installation,
    deadline: Instant,
    tries: u32,
}

impl Api<'_> {
    /// The same API, each request sent once, whatever happens.
    pub fn once(self) -> Self {
        Self { tries: 1, ..self }
    }

    /// Remembers a key that came from the API, unless the API masked it.
    pub fn remember_key(&self, key: &str) {
        if !key.contains('*') {
            self.houston.secrets.remember(key);
        }
    }

    /// Text from the API, without any secret known by now: a label may hold one.
    pub fn scrubbed(&self, text: String) -> String {
        match self.houston.secrets.scrub(&text) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => text,
        }
    }

    /// Reads. Passing faults are tried again within the time for one request. `keep` gets the answer
    /// as it came, and makes of it with [`read`] what is worth keeping: a list may be large.
    ///
    /// # Errors
    /// What happened, where no try brought an answer.
    pub async fn query<V: Serialize, D>(
        &self,
        document: &Document,
        variables: &V,
        keep: impl FnMut(&Reply, &str) -> Result<Option<D>, Refusal>,
    ) -> Result<Option<D>, ApiError> {
        self.exchange(document, variables, Purpose::Read, keep)
            .await
    }

    /// Changes. Sent again only where the request certainly never left, or was refused before
    /// anything was done.
    ///
    /// # Errors
    /// What happened; [`ApiError::effect`] tells whether the change may have been made.
    pub async fn mutate<V: Serialize, D>(
        &self,
        document: &Document,
        variables: &V,
        keep: impl FnMut(&Reply, &str) -> Result<Option<D>, Refusal>,
    ) -> Result<Option<D>, ApiError> {
        self.exchange(document, variables, Purpose::Change, keep)
            .await
    }

    async fn exchange<V: Serialize, D>(
        &self,
        document: &Document,
        variables: &V,
        purpose: Purpose,
        mut keep: impl FnMut(&Reply, &str) -> Result<Option<D>, Refusal>,
    ) -> Result<Option<D>, ApiError> {
        let turn = timeout_at(self.deadline, self.houston.client.turn()).await;
        let _turn = turn.map_err(|_| ApiError::Unreachable(Unreachable::NoTimeLeft))?;
        let until = self.deadline.min(Instant::now() + self.houston.timeout);
        let place = (self.installation.url.clone(), document.field);
        let mut lacking = self.houston.lacking(&place);
        loop {
            let body = request_body(document, &lacking, variables);
            let reply = self.send(body, purpose, until).await?;
            match keep(&reply, document.field) {
                Err(Refusal::Document(message)) => {
                    let fields = without_named(document, &lacking, &message);
                    lacking = Arc::new(fields.ok_or(ApiError::Incompatible { message })?);
                    self.houston
                        .remember_lacking(place.clone(), Arc::clone(&lacking));
                }
                Err(Refusal::Other(error)) => return Err(error),
                Ok(data) => return Ok(data),
            }
        }
    }

    async fn send(
        &self,
        body: Vec<u8>,
        purpose: Purpose,
        until: Instant,
    ) -> Result<Reply, ApiError> {
        let mut pause = FIRST_PAUSE;
        let mut connection = purpose;
        for tried in 1.. {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ApiError::Unreachable(Unreachable::NoTimeLeft));
            }
            let error = match self
                .houston
                .client
                .post(self.installation, body.clone(), connection, left)
                .await
            {
                Ok(reply) => match gateway_failure(&reply, purpose) {
                    None => return Ok(reply),
                    Some(error) => error,
                },
                Err(error) => error,
            };
            let wait = wait_before_again(&error, pause);
            let again = tried < self.tries
                && may_send_again(&error, purpose)
                && wait < until.saturating_duration_since(Instant::now());
            if !again {
                return Err(error);
            }
            tracing::info!(?error, "sending the request again");
            sleep(wait).await;
            pause *= 4;
            // Of the kept connections more may have been closed by the other side.
            connection = Purpose::Change;
        }
        Err(ApiError::Unreachable(Unreachable::NoTimeLeft))
    }
}

/// A read that met a gateway's 502–504 is worth another try, after the wait that it asks for if it
/// does; anything else is read further on.
fn gateway_failure(reply: &Reply, purpose: Purpose) -> Option<ApiError> {
    let error = match (reply.status, reply.retry_after) {
        (503, retry_after @ Some(_)) => ApiError::RateLimited { retry_after },
        (status, _) => ApiError::Status { status },
    };
    (purpose == Purpose::Read && error.is_passing()).then_some(error)
}

fn may_send_again(error: &ApiError, purpose: Purpose) -> bool {
    let never_left = matches!(error, ApiError::Unreachable(_));
    error.is_passing() && (purpose == Purpose::Read || never_left)
}

fn wait_before_again(error: &ApiError, pause: Duration) -> Duration {
    match error {
        ApiError::RateLimited {
            retry_after: Some(wait),
        } => *wait,
        _ => pause,
    }
}

fn request_body<V: Serialize>(
    document: &Document,
    lacking: &BTreeSet<&str>,
    variables: &V,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a, V> {
        query: &'a str,
        variables: &'a V,
    }
    let query = document.without(lacking);
    // Variables are structs of strings: serialising them cannot fail.
    serde_json::to_vec(&Body {
        query: &query,
        variables,
    })
    .unwrap_or_default()
}

impl Document {
    /// The text without the lines of the fields that the release lacks.
    fn without(&self, lacking: &BTreeSet<&str>) -> Cow<'static, str> {
        if lacking.is_empty() {
            return self.text.trim_end().into();
        }
        let selected =
            |line: &&str| !(line.starts_with("    ") && lacking.contains(field_of(line)));
        let lines: Vec<_> = self.text.lines().filter(selected).collect();
        lines.join("\n").into()
    }
}

fn field_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The fields to leave out after the API refused the document with these words; none where that
/// would not help.
fn without_named(
    document: &Document,
    lacking: &BTreeSet<&'static str>,
    message: &str,
) -> Option<BTreeSet<&'static str>> {
    // Suggestions name fields that do exist.
    let complaint = message.split("Did you mean").next().unwrap_or(message);
    let words: BTreeSet<&str> = complaint
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let still_asked = || {
        document
            .optional
            .iter()
            .filter(|field| !lacking.contains(*field))
    };
    let mut named: BTreeSet<_> = still_asked()
        .filter(|field| words.contains(*field))
        .copied()
        .collect();
    if named.is_empty() {
        // Not in words we know: what the astro CLI does not ask for is the likeliest.
        named.extend(still_asked().find(|field| **field == NOT_ASKED_BY_THE_CLI));
    }
    if named.is_empty() {
        return None;
    }
    named.extend(lacking);
    Some(named)
}

/// The only field of our selection that the astro CLI never asks for.
const NOT_ASKED_BY_THE_CLI: &str = "roleBinding";

/// Why an answer holds no data.
pub enum Refusal {
    /// The document was refused, with these words, before anything was done.
    Document(String),
    /// Anything else.
    Other(ApiError),
}

#[derive(Deserialize)]
#[serde(bound = "D: Deserialize<'de>")]
struct Envelope<D> {
    // A map and not a struct of one field: serde would read such a struct out of an array as well.
    data: Option<HashMap<String, Option<D>>>,
    #[serde(default)]
    errors: Option<Vec<GraphqlError>>,
}

/// The data of an answer; it may borrow from it.
///
/// # Errors
/// Why there is none.
pub fn read<'a, D: Deserialize<'a>>(reply: &'a Reply, field: &str) -> Result<Option<D>, Refusal> {
    // Checked to be text once, as a whole: thousands of strings need not be, each by itself.
    let Ok(text) = std::str::from_utf8(&reply.body) else {
        return Err(unreadable(reply));
    };
    if !text.trim_ascii_start().starts_with('{') {
        return Err(unreadable(reply));
    }
    match serde_json::from_str::<Envelope<D>>(text) {
        Ok(Envelope {
            errors: Some(errors),
            ..
        }) if !errors.is_empty() => Err(refused(&errors, reply.status)),
        Ok(Envelope {
            data: Some(mut data),
            ..
        }) if reply.status == 200 => data
            .remove(field)
            .ok_or(Refusal::Other(ApiError::MissingData)),
        _ => Err(unreadable(reply)),
    }
}

fn refused(errors: &[GraphqlError], status: u16) -> Refusal {
    if errors.iter().any(GraphqlError::is_validation) {
        let messages: Vec<_> = errors.iter().map(GraphqlError::message).collect();
        return Refusal::Document(messages.join("\n"));
    }
    let classified = errors.first().map(|error| error.classify(status));
    Refusal::Other(classified.unwrap_or(ApiError::MissingData))
}

/// An answer that is no answer to what was asked: why, as far as its form tells.
fn unreadable(reply: &Reply) -> Refusal {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<GraphqlError>,
    }
    match serde_json::from_slice::<Errors>(&reply.body) {
        Ok(Errors { errors }) if !errors.is_empty() => refused(&errors, reply.status),
        _ if reply.status != 200 => Refusal::Other(ApiError::Status {
            status: reply.status,
        }),
        _ if is_graphql(&reply.body) => Refusal::Other(ApiError::MissingData),
        _ => Refusal::Other(ApiError::NotGraphql),
    }
}

fn is_graphql(body: &[u8]) -> bool {
    serde_json::from_slice::<HashMap<String, IgnoredAny>>(body)
        .is_ok_and(|answer| answer.contains_key("data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::installation::TokenSource;
    use crate::guards::secret::Secret;

    const DOCUMENT: Document = Document {
        field: "q",
        text: "query q($label: String!) {\n  q(label: $label) {\n    id\n    label\n    createdAt\n    roleBinding { role }\n  }\n}\n",
        optional: &["label", "createdAt", "roleBinding"],
    };

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_ends_with_the_call() {
        let second = Duration::from_secs(1);
        let houston = Houston::new(Connecting::default(), second, Secrets::default());
        let installation = Installation {
            url: ApiUrl::parse("http://127.0.0.1:1/v1").unwrap(),
            token: Secret::new("0123456789abcdef".to_owned()),
            token_source: TokenSource::Sandbox,
            login_workspace: None,
        };
        let mut turns = Vec::new();
        for _ in 0..64 {
            turns.push(houston.client.turn().await);
        }
        let began = Instant::now();
        let asked = houston
            .within(&installation, began + 45 * second)
            .query(&DOCUMENT, &(), |reply, field| read::<String>(reply, field))
            .await;
        let late = ApiError::Unreachable(Unreachable::NoTimeLeft);
        assert_eq!(asked, Err(late));
        assert_eq!(began.elapsed().as_secs(), 45);
    }

    fn lacking(message: &str) -> Option<Vec<&'static str>> {
        without_named(&DOCUMENT, &BTreeSet::new(), message)
            .map(|fields| fields.into_iter().collect())
    }

    #[test]
    fn a_named_field_is_left_out_and_a_suggested_one_is_not() {
        let message =
            r#"Cannot query field "label" on type "ServiceAccount". Did you mean "createdAt"?"#;
        assert_eq!(lacking(message), Some(vec!["label"]));
        assert_eq!(
            lacking("Unknown field 'createdAt' on 'ServiceAccount'"),
            Some(vec!["createdAt"])
        );
    }

    #[test]
    fn words_that_name_nothing_cost_the_field_that_the_cli_does_not_ask_for() {
        assert_eq!(lacking("The query is invalid."), Some(vec!["roleBinding"]));
        let without = BTreeSet::from(["roleBinding"]);
        assert_eq!(
            without_named(&DOCUMENT, &without, "The query is invalid."),
            None
        );
    }

    #[test]
    fn a_field_leaves_the_selection_and_stays_among_the_variables() {
        let text = DOCUMENT.without(&BTreeSet::from(["label", "roleBinding"]));
        assert_eq!(
            text,
            "query q($label: String!) {\n  q(label: $label) {\n    id\n    createdAt\n  }\n}"
        );
    }

    fn answered(status: u16, body: &str) -> ApiError {
        let reply = Reply {
            status,
            date: None,
            retry_after: None,
            body: body.as_bytes().to_vec(),
        };
        match read::<String>(&reply, "q") {
            Err(Refusal::Other(error)) => error,
            Err(Refusal::Document(message)) => ApiError::Incompatible { message },
            Ok(data) => panic!("read as {data:?}"),
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
        assert_eq!(answered(200, forbidden), ApiError::Forbidden);
    }
}
