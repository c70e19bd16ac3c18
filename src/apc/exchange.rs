//! Documents out, answers in: one GraphQL exchange with the API, made again where that is safe.
//! Decides nothing about tools; knows no operation by name.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

use super::document::Document;
use super::error::{ApiError, GraphqlError, Unreachable};
use super::http::{Connecting, HttpClient, Purpose, Reply};
use super::installation::{ApiUrl, Installation};
use crate::guards::secret::Secrets;

/// How often a request is sent at most.
const TRIES: u32 = 3;

/// The pause before the second try; four times as long before the third.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long a release is remembered to lack a field. An upgrade shows after that without a restart.
const LACKING: Duration = Duration::from_secs(300);

/// The API of every installation this server may meet.
pub struct GraphqlClient {
    http: HttpClient,
    timeout: Duration,
    secrets: Secrets,
    lacking: Mutex<HashMap<DocumentAt, Lacking>>,
    warned: Mutex<HashSet<DocumentAt>>,
}

/// A document, by its field, at one installation.
type DocumentAt = (ApiUrl, &'static str);

struct Lacking {
    since: Instant,
    fields: Arc<BTreeSet<&'static str>>,
}

impl GraphqlClient {
    /// An API that has been sent nothing yet; `timeout` is for one request, its repetitions
    /// included. Tokens and keys that pass through are remembered among the secrets.
    pub fn new(connecting: Connecting, timeout: Duration, secrets: Secrets) -> Self {
        Self {
            http: HttpClient::new(connecting, timeout),
            timeout,
            secrets,
            lacking: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    /// The API for one call, which has to be over by the deadline.
    pub fn within<'a>(&'a self, installation: &'a Installation, deadline: Instant) -> Api<'a> {
        self.secrets.remember(installation.token.expose());
        Api {
            client: self,
            installation,
            deadline,
            tries: TRIES,
        }
    }

    /// Says once per installation that a release has neither name of a field.
    fn warn_of_lacking(&self, place: &DocumentAt, sentence: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(place.clone()) {
            tracing::warn!(api = %place.0, "{sentence}");
        }
    }

    fn lacking(&self, place: &DocumentAt) -> Arc<BTreeSet<&'static str>> {
        let mut all = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lacking| lacking.since.elapsed() < LACKING);
        all.get(place)
            .map(|lacking| Arc::clone(&lacking.fields))
            .unwrap_or_default()
    }

    fn remember_lacking(&self, place: DocumentAt, fields: Arc<BTreeSet<&'static str>>) {
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
    client: &'a GraphqlClient,
    installation: &'a Installation,
    deadline: Instant,
    tries: u32,
}

impl Api<'_> {
    /// The same API, each request sent once, whatever happens.
    pub fn once(self) -> Self {
        Self { tries: 1, ..self }
    }

    /// The name by which a renamed field is asked of this installation.
    pub fn renamed_field(&self, document: &Document) -> Option<&'static str> {
        let at = (self.installation.url.clone(), document.field);
        document.renamed_field(&self.client.lacking(&at))
    }

    /// Whether the token says of itself that its time is over.
    pub fn token_has_expired(&self) -> bool {
        self.installation.token_has_expired()
    }

    /// Remembers a key that came from the API, unless the API masked it.
    pub fn remember_key(&self, key: &str) {
        if !key.contains('*') {
            self.client.secrets.remember(key);
        }
    }

    /// Text from the API, without any secret known by now: a label may hold one.
    pub fn scrubbed(&self, text: String) -> String {
        self.client.secrets.scrubbed(text)
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
        let permit = timeout_at(self.deadline, self.client.http.permit()).await;
        let _permit = permit.map_err(|_| ApiError::Unreachable(Unreachable::NoTimeLeft))?;
        let until = self.deadline.min(Instant::now() + self.client.timeout);
        let place = (self.installation.url.clone(), document.field);
        let mut lacking = self.client.lacking(&place);
        loop {
            let body = request_body(document, &lacking, variables);
            let reply = self.send(body, purpose, until).await?;
            match keep(&reply, document.field) {
                Err(Refusal::Document(messages)) => {
                    lacking = Arc::new(document.after_refusal(&lacking, &messages)?);
                    self.client
                        .remember_lacking(place.clone(), Arc::clone(&lacking));
                    if let Some(field) = document.wholly_lacking(&lacking) {
                        self.client.warn_of_lacking(&place, field.lacking);
                    }
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
                .client
                .http
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

/// Why an answer holds no data.
pub enum Refusal {
    /// The document was refused, with these words, before anything was done.
    Document(Vec<String>),
    /// Anything else.
    Other(ApiError),
}

/// The data of an answer, and the errors that came beside it.
pub struct Answer<D> {
    /// The value of the one top-level field; none where it is null and no error says why.
    pub data: Option<D>,
    /// The errors that came with it. The data may lack what they are about.
    pub errors: Vec<GraphqlError>,
}

impl<D> Answer<D> {
    /// The data of a change. An error about a part of the answer leaves the rest certain; any other speaks against
    /// the data, whatever it holds.
    ///
    /// # Errors
    /// The first error that is about the whole.
    pub fn of_change(self) -> Result<Option<D>, Refusal> {
        match self.errors.iter().find(|error| !error.is_partial()) {
            Some(error) => Err(Refusal::Other(error.classify(200, true))),
            None => Ok(self.data),
        }
    }
}

#[derive(Deserialize)]
#[serde(bound = "D: Deserialize<'de>")]
struct Envelope<D> {
    // A map and not a struct of one field: serde would read such a struct out of an array as well.
    #[serde(default, deserialize_with = "present")]
    data: Option<Option<HashMap<String, Option<D>>>>,
    #[serde(default)]
    errors: Option<Vec<GraphqlError>>,
}

/// A member that is there, even if it is null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Reads an answer; its data may borrow from it.
///
/// # Errors
/// Why there is no data, where an error says so or the answer is not GraphQL's.
pub fn read<'a, D: Deserialize<'a>>(reply: &'a Reply, field: &str) -> Result<Answer<D>, Refusal> {
    // Checked to be text once, as a whole: thousands of strings need not be, each by itself.
    let Ok(text) = std::str::from_utf8(&reply.body) else {
        return Err(unreadable(reply));
    };
    if !text.trim_ascii_start().starts_with('{') {
        return Err(unreadable(reply));
    }
    let Ok(envelope) = serde_json::from_str::<Envelope<D>>(text) else {
        return Err(unreadable(reply));
    };
    let errors = envelope.errors.unwrap_or_default();
    let has_data = envelope.data.is_some();
    let value = envelope
        .data
        .flatten()
        .and_then(|mut data| data.remove(field));
    match value {
        Some(Some(data)) if reply.status == 200 => Ok(Answer {
            data: Some(data),
            errors,
        }),
        _ if !errors.is_empty() => Err(refused(&errors, reply.status, has_data)),
        Some(None) if reply.status == 200 => Ok(Answer { data: None, errors }),
        None if reply.status == 200 && has_data => Err(Refusal::Other(ApiError::MissingData)),
        _ => Err(unreadable(reply)),
    }
}

fn refused(errors: &[GraphqlError], status: u16, has_data: bool) -> Refusal {
    if !has_data && errors.iter().any(GraphqlError::is_validation) {
        let messages = errors.iter().map(|error| error.message().to_owned());
        return Refusal::Document(messages.collect());
    }
    let first = errors
        .iter()
        .find(|error| !error.is_partial())
        .or(errors.first());
    let classified = first.map(|error| error.classify(status, has_data));
    Refusal::Other(classified.unwrap_or(ApiError::MissingData))
}

/// Tells why an answer cannot be read, as far as its form tells.
fn unreadable(reply: &Reply) -> Refusal {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<GraphqlError>,
        #[serde(default, deserialize_with = "present")]
        data: Option<IgnoredAny>,
    }
    match serde_json::from_slice::<Errors>(&reply.body) {
        Ok(Errors { errors, data }) if !errors.is_empty() => {
            refused(&errors, reply.status, data.is_some())
        }
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
        text: "query q { q }",
        optional: &[],
        renamed: None,
    };

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_permit_ends_with_the_call() {
        let second = Duration::from_secs(1);
        let graphql = GraphqlClient::new(Connecting::default(), second, Secrets::default());
        let installation = Installation {
            url: ApiUrl::parse("http://127.0.0.1:1/v1").unwrap(),
            token: Secret::new("0123456789abcdef".to_owned()),
            token_source: TokenSource::Sandbox,
            login_workspace: None,
        };
        let mut permits = Vec::new();
        for _ in 0..64 {
            permits.push(graphql.http.permit().await);
        }
        let began = Instant::now();
        let asked = graphql
            .within(&installation, began + 45 * second)
            .query(&DOCUMENT, &(), |reply, field| {
                Ok(read::<String>(reply, field)?.data)
            })
            .await;
        let late = ApiError::Unreachable(Unreachable::NoTimeLeft);
        assert_eq!(asked, Err(late));
        assert_eq!(began.elapsed().as_secs(), 45);
    }

    fn answered(status: u16, body: &str) -> ApiError {
        let reply = Reply {
            status,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
        };
        match read::<String>(&reply, "q") {
            Err(Refusal::Other(error)) => error,
            Err(Refusal::Document(messages)) => ApiError::Incompatible {
                message: messages.join("\n"),
            },
            Ok(answer) => panic!("read as {:?}", answer.data),
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
        assert_eq!(answered(200, forbidden), ApiError::Refused);
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
        let reply = Reply {
            status: 200,
            retry_after: None,
            date: None,
            body: body.as_bytes().to_vec(),
        };
        let Ok(answer) = read::<String>(&reply, "q") else {
            panic!("not read");
        };
        assert_eq!(
            (answer.data.as_deref(), answer.errors.len()),
            (Some("a"), 1)
        );
        assert!(matches!(answer.of_change(), Ok(Some(_))));
    }
}
