//! Documents out, answers in: one GraphQL exchange with the API, made again where that is safe.
//! Decides nothing about tools; knows no operation by name.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::document::Document;
use super::error::ApiError;
use super::http::{Connecting, HttpClient, HttpResponse, Purpose};
use super::installation::{ApiUrl, Installation};
use super::response::{GraphqlResponse, NoData};
use super::unreachable::Unreachable;
use crate::guards::secret::Secrets;
use crate::guards::secret_set::SecretSet;

/// The highest number of times that a request is sent.
const TRIES: u32 = 3;

/// The pause before the second try; four times as long before the third.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The time for which a release is remembered to lack a field. After that, an upgrade shows without a restart.
const LACKING: Duration = Duration::from_secs(300);

/// The API of every installation this server may meet.
pub struct GraphqlClient {
    http: HttpClient,
    timeout: Duration,
    secrets: Secrets,
    /// The fields that releases lack, and the time since when that is known.
    lacking: Mutex<HashMap<DocumentAt, (Instant, Fields)>>,
    /// The warnings that were given, each once per installation.
    warned: Mutex<HashSet<(ApiUrl, &'static str)>>,
}

/// A document, by its field, at one installation.
type DocumentAt = (ApiUrl, &'static str);

type Fields = Arc<BTreeSet<&'static str>>;

type Answered = Result<GraphqlResponse, ApiError>;

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
        self.secrets.remember_token(installation.token.expose());
        Api {
            client: self,
            installation,
            deadline,
            tries: TRIES,
            token_is_good: false,
        }
    }

    /// Says once per installation that a release has neither name of a field, whichever documents ask for it.
    fn warn_of_lacking(&self, url: &ApiUrl, sentence: &'static str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert((url.clone(), sentence)) {
            tracing::warn!(api = %url, "{sentence}");
        }
    }

    fn lacking(&self, place: &DocumentAt) -> Fields {
        let mut all = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (since, _)| since.elapsed() < LACKING);
        let known = all.get(place).map(|(_, fields)| Arc::clone(fields));
        known.unwrap_or_default()
    }

    fn remember_lacking(&self, place: &DocumentAt, fields: &Fields) {
        let mut all = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(place.clone(), (Instant::now(), Arc::clone(fields)));
    }
}

/// The API of one installation, for the length of one call.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    client: &'a GraphqlClient,
    installation: &'a Installation,
    deadline: Instant,
    tries: u32,
    token_is_good: bool,
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

    /// Tells whether the token's own date of expiry has passed.
    pub fn token_has_expired(&self) -> bool {
        self.installation.token_has_expired()
    }

    /// The same API, whose token was found to be good in this call: a refusal needs no question then.
    pub fn with_good_token(self) -> Self {
        Self {
            token_is_good: true,
            ..self
        }
    }

    /// Tells whether this call has found the token to be good.
    pub fn token_is_good(&self) -> bool {
        self.token_is_good
    }

    /// Remembers the keys of an answer. What comes back scrubs texts of that very answer, however many keys it has.
    pub fn remember_keys<'a>(&self, keys: Vec<Cow<'a, str>>) -> Scrubber<'a> {
        let secrets = self.client.secrets.clone();
        keys.iter().for_each(|key| secrets.remember(key));
        Scrubber {
            keys: keys.into_iter().collect(),
            secrets,
        }
    }

    /// Text from the API, without any secret known by now: a label may hold one.
    pub fn scrubbed(&self, text: String) -> String {
        self.client.secrets.scrubbed(text)
    }

    /// Reads. Passing faults are tried again within the time for one request; the error is that of the last try.
    pub async fn query(&self, document: &Document, variables: &impl Serialize) -> Answered {
        self.exchange(document, variables, Purpose::Read).await
    }

    /// Changes. Sent again only where the request certainly never left, or was refused before anything was done. The
    /// error's `effect` tells whether the change may have been made.
    pub async fn mutate(&self, document: &Document, variables: &impl Serialize) -> Answered {
        self.exchange(document, variables, Purpose::Change).await
    }

    async fn exchange(
        &self,
        document: &Document,
        variables: &impl Serialize,
        purpose: Purpose,
    ) -> Answered {
        let permit = timeout_at(self.deadline, self.client.http.permit()).await;
        let _permit = permit.map_err(|_| ApiError::Unreachable(Unreachable::NoTimeLeft))?;
        let until = self.deadline.min(Instant::now() + self.client.timeout);
        let place = (self.installation.url.clone(), document.field);
        let mut lacking = self.client.lacking(&place);
        loop {
            let body = request_body(document, &lacking, variables);
            let reply = self.send(body, purpose, until).await?;
            match GraphqlResponse::of(reply, document.field).await {
                Err(NoData::Document(messages)) => {
                    lacking = Arc::new(document.after_refusal(&lacking, &messages)?);
                    self.client.remember_lacking(&place, &lacking);
                    if let Some(field) = document.wholly_lacking(&lacking) {
                        self.client.warn_of_lacking(&place.0, field.lacking);
                    }
                }
                Err(NoData::Other(error)) => return Err(error),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn send(
        &self,
        body: Vec<u8>,
        purpose: Purpose,
        until: Instant,
    ) -> Result<HttpResponse, ApiError> {
        let mut pause = FIRST_PAUSE;
        let mut connection = purpose;
        for tried in 1.. {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ApiError::Unreachable(Unreachable::NoTimeLeft));
            }
            let http = &self.client.http;
            let posted = http.post(self.installation, body.clone(), connection, left);
            let error = match posted.await {
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

/// Takes secrets out of the texts of one answer: the answer's own keys, and all that are remembered.
pub struct Scrubber<'a> {
    keys: SecretSet<Cow<'a, str>>,
    secrets: Secrets,
}

impl Scrubber<'_> {
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.secrets.scrub(&self.keys.scrub(text)).into_owned()
    }
}

/// The error of a read that met a gateway's 502–504, which is worth another try.
fn gateway_failure(reply: &HttpResponse, purpose: Purpose) -> Option<ApiError> {
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
        ApiError::RateLimited { retry_after } => retry_after.unwrap_or(pause),
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
    let query = &document.without(lacking);
    // Variables are structs of strings: serialising them cannot fail.
    serde_json::to_vec(&Body { query, variables }).unwrap_or_default()
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
            .query(&DOCUMENT, &())
            .await;
        let late = ApiError::Unreachable(Unreachable::NoTimeLeft);
        assert_eq!(asked.err(), Some(late));
        assert_eq!(began.elapsed().as_secs(), 45);
    }
}
