//! What the tests share: a small installation, and raw HTTP, so that a broken answer is seen as it is.

use std::time::Duration;

use apc_sandbox::{Entity, Handle, NewAccount, Persona, Role, Sandbox, Store};
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
        let body = self.json();
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .into()
    }
}

/// Sends a body as JSON and reads to the end.
pub async fn post(sandbox: &Sandbox, authorization: Option<&str>, body: &str) -> Answer {
    let authorization =
        authorization.map_or(String::new(), |value| format!("authorization: {value}\r\n"));
    let headers = format!("content-type: application/json\r\n{authorization}");
    raw(sandbox, &headers, body).await.expect("an answer")
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
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
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
    let token = sandbox.token(persona);
    let body = json!({ "query": query, "variables": variables }).to_string();
    post(sandbox, Some(&token), &body).await
}

/// The first workspace of the default installation.
pub const ANALYTICS: &str = "cmf3ana1y00010h6analytics";

pub const CREATE: &str = "mutation($label: String!, $workspace: Uuid!, $role: Role!) {
    createWorkspaceServiceAccount(label: $label, workspaceUuid: $workspace, role: $role) { id apiKey label } }";
pub const LIST: &str = "query($workspace: Uuid!) {
    workspaceServiceAccounts(workspaceUuid: $workspace) { id apiKey createdAt } }";
pub const LIST_WITHOUT_DATE: &str = "query($workspace: Uuid!) {
    workspaceServiceAccounts(workspaceUuid: $workspace) { id apiKey } }";
pub const DELETE: &str = "mutation($id: Uuid!, $workspace: Uuid!) {
    deleteWorkspaceServiceAccount(serviceAccountUuid: $id, workspaceUuid: $workspace) { id } }";

pub fn new_ci() -> Value {
    json!({ "label": "new", "workspace": "w1", "role": "WORKSPACE_VIEWER" })
}

pub fn w1() -> Entity {
    Entity::Workspace("w1".into())
}

/// One workspace, one account, an admin who signs in by the name `admin`.
pub async fn small() -> (Sandbox, Handle, String) {
    let account = NewAccount {
        id: Some("a1".into()),
        key: Some("abcdef0123456789abcdef0123456789".into()),
        ..NewAccount::new("ci", Role::WorkspaceEditor, w1())
    };
    let store = Store::empty()
        .workspace("w1", "One")
        .user("admin", &[(Role::WorkspaceAdmin, w1())])
        .account(account);
    let sandbox = Sandbox::start_with(0, store).await.unwrap();
    let handle = sandbox.handle();
    let token = handle.sign_in("admin", TimeDelta::hours(24));
    (sandbox, handle, token)
}

pub async fn graphql(sandbox: &Sandbox, token: &str, query: &str, variables: Value) -> Answer {
    let body = json!({ "query": query, "variables": variables }).to_string();
    post(sandbox, Some(token), &body).await
}

/// A creation that may get no answer at all.
pub async fn try_create(sandbox: &Sandbox, token: &str) -> Option<Answer> {
    let headers = format!("content-type: application/json\r\nauthorization: {token}\r\n");
    let body = json!({ "query": CREATE, "variables": new_ci() }).to_string();
    raw(sandbox, &headers, &body).await
}

pub fn labels(handle: &Handle) -> Vec<String> {
    handle
        .accounts()
        .into_iter()
        .map(|account| account.label)
        .collect()
}

/// Waits for as long as it takes.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(Duration::from_millis(10)).await;
    }
}
