//! Documents out, answers in: one GraphQL exchange with the API, made again where that is safe.
//! Decides nothing about tools; knows no operation by name.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
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
    /// The newer and the older name of one field: the older one is asked for where the newer one is lacking.
    pub renamed: Option<Renamed>,
}

/// Two names of one field.
pub struct Renamed {
    /// The name that is asked for first.
    pub newer: &'static str,
    /// The name in older releases.
    pub older: &'static str,
    /// The type of its values. A release that lacks a part of it is asked without the field.
    pub of_type: &'static str,
    /// The sentence for the log, once, where a release has neither.
    pub lacking: &'static str,
}

/// The API of every installation this server may meet.
pub struct Houston {
    client: Client,
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

impl Houston {
    /// An API that has been sent nothing yet; `timeout` is for one request, its repetitions
    /// included. Tokens and keys that pass through are remembered among the secrets.
    pub fn new(connecting: Connecting, timeout: Duration, secrets: Secrets) -> Self {
        Self {
            client: Client::new(connecting, timeout),
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
            houston: self,
            installation,
            deadline,
            tries: TRIES,
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

impl Houston {
    /// Says once per installation that a release has neither name of a field.
    fn warn_of_lacking(&self, place: &DocumentAt, sentence: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(place.clone()) {
            tracing::warn!(api = %place.0, "{sentence}");
        }
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

    /// The name by which a renamed field is asked of this installation.
    pub fn renamed_field(&self, document: &Document) -> Option<&'static str> {
        let at = (self.installation.url.clone(), document.field);
        document.renamed_field(&self.houston.lacking(&at))
    }

    /// Whether the token says of itself that its time is over.
    pub fn token_has_expired(&self) -> bool {
        self.installation.token_has_expired()
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
                Err(Refusal::Document(messages)) => {
                    lacking = Arc::new(document.after_refusal(&lacking, &messages)?);
                    self.houston
                        .remember_lacking(place.clone(), Arc::clone(&lacking));
                    if let Some(field) = document.wholly_lacking(&lacking) {
                        self.houston.warn_of_lacking(&place, field.lacking);
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
        if lacking.is_empty() && self.renamed.is_none() {
            return self.text.trim_end().into();
        }
        let selected =
            |line: &&str| !line.starts_with("    ") || self.asks(field_of(line), lacking);
        let lines: Vec<_> = self.text.lines().filter(selected).collect();
        lines.join("\n").into()
    }

    /// Whether the field is asked of a release that lacks these.
    fn asks(&self, field: &str, lacking: &BTreeSet<&str>) -> bool {
        let newer_is_there =
            |renamed: &Renamed| renamed.older == field && !lacking.contains(renamed.newer);
        !lacking.contains(field) && !self.renamed.as_ref().is_some_and(newer_is_there)
    }

    /// The renamed field, by the name that is asked of a release that lacks these.
    fn renamed_field(&self, lacking: &BTreeSet<&str>) -> Option<&'static str> {
        let renamed = self.renamed.as_ref()?;
        [renamed.newer, renamed.older]
            .into_iter()
            .find(|name| self.asks(name, lacking))
    }

    /// The renamed field, where the release has it by neither name.
    fn wholly_lacking(&self, lacking: &BTreeSet<&str>) -> Option<&Renamed> {
        self.renamed
            .as_ref()
            .filter(|renamed| lacking.contains(renamed.newer) && lacking.contains(renamed.older))
    }

    /// The fields to leave out after the API refused the document with these words.
    ///
    /// # Errors
    /// Leaving out what may be left out would not help.
    fn after_refusal(
        &self,
        lacking: &BTreeSet<&'static str>,
        messages: &[String],
    ) -> Result<BTreeSet<&'static str>, ApiError> {
        let named: BTreeSet<&str> = messages
            .iter()
            .flat_map(|message| words_of(message))
            .collect();
        let mut refused: BTreeSet<_> = self
            .optional
            .iter()
            .copied()
            .filter(|field| named.contains(field) && self.asks(field, lacking))
            .collect();
        let of_type = self.renamed.as_ref().map(|renamed| renamed.of_type);
        if refused.is_empty() || of_type.is_some_and(|name| named.contains(name)) {
            // Not in words we know: of our selection, the field with two names is the likeliest to be lacking.
            refused.extend(self.renamed_field(lacking));
        }
        if refused.is_empty() {
            let message = messages.join("\n");
            return Err(ApiError::Incompatible { message });
        }
        refused.extend(lacking);
        Ok(refused)
    }
}

fn field_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The words of a complaint. Suggestions name fields that do exist, so they are left out.
fn words_of(message: &str) -> impl Iterator<Item = &str> {
    let complaint = message.split("Did you mean").next().unwrap_or(message);
    complaint.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
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
        text: "query q($label: String!) {\n  q(label: $label) {\n    id\n    label\n    createdAt\n    roleBindings { role }\n    roleBinding { role }\n  }\n}\n",
        optional: &["label", "createdAt", "roleBindings", "roleBinding"],
        renamed: Some(Renamed {
            newer: "roleBindings",
            older: "roleBinding",
            of_type: "RoleBinding",
            lacking: "no roles",
        }),
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
            .query(&DOCUMENT, &(), |reply, field| {
                Ok(read::<String>(reply, field)?.data)
            })
            .await;
        let late = ApiError::Unreachable(Unreachable::NoTimeLeft);
        assert_eq!(asked, Err(late));
        assert_eq!(began.elapsed().as_secs(), 45);
    }

    fn lacking(known: &[&'static str], messages: &[&str]) -> Option<Vec<&'static str>> {
        let messages: Vec<_> = messages.iter().map(|text| (*text).to_owned()).collect();
        let known = known.iter().copied().collect();
        let fields = DOCUMENT.after_refusal(&known, &messages).ok()?;
        Some(fields.into_iter().collect())
    }

    #[test]
    fn a_named_field_is_left_out_and_a_suggested_one_is_not() {
        let suggesting =
            r#"Cannot query field "label" on type "ServiceAccount". Did you mean "createdAt"?"#;
        let named = "Unknown field 'createdAt' on 'ServiceAccount'";
        assert_eq!(lacking(&[], &[suggesting]), Some(vec!["label"]));
        assert_eq!(lacking(&[], &[named]), Some(vec!["createdAt"]));
        assert_eq!(
            lacking(&[], &[suggesting, named]),
            Some(vec!["createdAt", "label"])
        );
    }

    #[test]
    fn the_older_name_follows_the_newer_one_and_nothing_follows_both() {
        let newer = r#"Cannot query field "roleBindings" on type "ServiceAccount". Did you mean "roleBinding"?"#;
        let older = r#"Cannot query field "roleBinding" on type "ServiceAccount"."#;
        let part = r#"Cannot query field "deployment" on type "RoleBinding"."#;
        let (first, both) = (vec!["roleBindings"], vec!["roleBinding", "roleBindings"]);
        assert_eq!(lacking(&[], &[newer]), Some(first.clone()));
        assert_eq!(lacking(&[], &[part]), Some(first.clone()));
        assert_eq!(lacking(&["roleBindings"], &[older]), Some(both.clone()));
        assert_eq!(lacking(&["roleBindings"], &[part]), Some(both));
        assert_eq!(lacking(&["roleBinding", "roleBindings"], &[part]), None);
        assert!(
            DOCUMENT
                .wholly_lacking(&BTreeSet::from(["roleBindings"]))
                .is_none()
        );
    }

    #[test]
    fn words_that_name_nothing_cost_the_field_with_two_names() {
        assert_eq!(
            lacking(&[], &["The query is invalid."]),
            Some(vec!["roleBindings"])
        );
    }

    #[test]
    fn a_field_leaves_the_selection_and_stays_among_the_variables() {
        let asked = |lacking: &[&'static str]| {
            let text = DOCUMENT.without(&lacking.iter().copied().collect());
            let text = text.strip_prefix("query q($label: String!) {\n  q(label: $label) {\n");
            text.unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(asked(&[]), "id label createdAt roleBindings { role } } }");
        assert_eq!(
            asked(&["label", "roleBindings"]),
            "id createdAt roleBinding { role } } }"
        );
        assert_eq!(
            asked(&["label", "roleBinding", "roleBindings"]),
            "id createdAt } }"
        );
    }

    fn answered(status: u16, body: &str) -> ApiError {
        let reply = Reply {
            status,
            retry_after: None,
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
