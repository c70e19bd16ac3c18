//! The common helpers of the tests: a small installation, and raw HTTP, so that a broken answer is seen as it is.

use std::time::Duration;

use apc_sandbox::{Entity, Handle, Line, NewAccount, Persona, Role, Sandbox, Store};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// All bytes that came back before the connection was closed.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub fn code(&self) -> String {
        told(&self.json()).1.into()
    }
}

/// Sends a body as JSON and reads to the end.
pub async fn post(sandbox: &Sandbox, authorization: Option<&str>, body: &str) -> Answer {
    let answer = try_post(sandbox, authorization, body).await;
    answer.expect("an answer")
}

async fn try_post(sandbox: &Sandbox, authorization: Option<&str>, body: &str) -> Option<Answer> {
    let mut headers = String::from("content-type: application/json\r\n");
    if let Some(value) = authorization {
        headers += &format!("authorization: {value}\r\n");
    }
    raw(sandbox, &headers, body).await
}

/// None if the connection was closed without a byte.
pub async fn raw(sandbox: &Sandbox, headers: &str, body: &str) -> Option<Answer> {
    let url = sandbox.url();
    let address = url.strip_prefix("http://")?.strip_suffix("/v1")?;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST /v1 HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    let request = head + body;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A reset after the last byte is as good an end as any.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.into(),
        body: body.into(),
    })
}

pub async fn ask(sandbox: &Sandbox, persona: Persona, query: &str, variables: Value) -> Answer {
    graphql(sandbox, &sandbox.token(persona), query, variables).await
}

/// The first workspace of the default installation.
pub const ANALYTICS: &str = "cmf3ana1y00010h6analytics";
/// The second one, which has the deployment.
pub const DATA_SCIENCE: &str = "cmf3dsc1e00020h6datascien";
/// The deployment of the default installation.
pub const FORECASTS: &str = "cmf3dep1o00030h6forecasts";
/// The key of the account in the small installation.
pub const KEY: &str = "abcdef0123456789abcdef0123456789";

pub const CREATE: &str = "mutation($label: String!, $workspace: Uuid!, $role: Role!) {
    createWorkspaceServiceAccount(label: $label, workspaceUuid: $workspace, role: $role) { id apiKey label } }";
pub const LIST: &str = "query($workspace: Uuid!) {
    workspaceServiceAccounts(workspaceUuid: $workspace) { id apiKey createdAt } }";
pub const LIST_WITHOUT_DATE: &str = "query($workspace: Uuid!) {
    workspaceServiceAccounts(workspaceUuid: $workspace) { id apiKey } }";
pub const DELETE: &str = "mutation($id: Uuid!, $workspace: Uuid!) {
    deleteWorkspaceServiceAccount(serviceAccountUuid: $id, workspaceUuid: $workspace) { id } }";
pub const LINES: [Line; 2] = [Line::Today, Line::Of2020];

pub fn new_ci() -> Value {
    json!({ "label": "new", "workspace": "w1", "role": "WORKSPACE_VIEWER" })
}

pub fn w1() -> Entity {
    Entity::Workspace("w1".into())
}

/// One workspace, one account, an admin who signs in by the name `admin`.
pub async fn small(line: Line) -> (Sandbox, Handle, String) {
    let account = NewAccount {
        id: Some("a1".into()),
        key: Some(KEY.into()),
        ..NewAccount::new("ci", Role::WorkspaceEditor, w1())
    };
    let store = Store::empty()
        .line(line)
        .workspace("w1", "One")
        .user("admin", &[(Role::WorkspaceAdmin, w1())])
        .account(account);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let handle = sandbox.handle();
    let token = handle.sign_in("admin", TimeDelta::hours(24));
    (sandbox, handle, token)
}

/// The small installation on each line.
pub async fn both() -> [(Sandbox, Handle, String); 2] {
    [small(Line::Today).await, small(Line::Of2020).await]
}

/// The code of a good token without the right.
pub fn refusal(line: Line) -> &'static str {
    match line {
        Line::Today => "INTERNAL_SERVER_ERROR",
        Line::Of2020 => "FORBIDDEN",
    }
}

/// The message and the code of the first error.
pub fn told(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    let code = &error["extensions"]["code"];
    let [message, code] = [&error["message"], code].map(|text| text.as_str().unwrap_or_default());
    (message, code)
}

pub async fn graphql(sandbox: &Sandbox, token: &str, query: &str, variables: Value) -> Answer {
    let body = json!({ "query": query, "variables": variables }).to_string();
    post(sandbox, Some(token), &body).await
}

/// A creation that may get no answer at all.
pub async fn try_create(sandbox: &Sandbox, token: &str) -> Option<Answer> {
    let body = json!({ "query": CREATE, "variables": new_ci() }).to_string();
    try_post(sandbox, Some(token), &body).await
}

pub fn labels(handle: &Handle) -> Vec<String> {
    let accounts = handle.accounts().into_iter();
    accounts.map(|account| account.label).collect()
}

/// Tells that a request is never answered: later ones are, and it has no status.
pub async fn is_silent(sandbox: &Sandbox, token: &str, query: &str) -> bool {
    let body = json!({ "query": query }).to_string();
    let handle = sandbox.handle();
    handle.clear_requests();
    let later = async {
        until(|| !handle.requests().is_empty()).await;
        let body = "{\"query\": \"{ appConfig { version } }\"}";
        assert_eq!(post(sandbox, None, body).await.status, 200);
    };
    tokio::select! {
        _ = try_post(sandbox, Some(token), &body) => false,
        () = later => handle.requests()[0].status.is_none(),
    }
}

/// Waits for as long as it takes.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(Duration::from_millis(10)).await;
    }
}
