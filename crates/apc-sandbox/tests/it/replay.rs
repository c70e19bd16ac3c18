//! Sends recorded requests to a sandbox, over a socket.

use apc_sandbox::{AccountSnapshot, Sandbox};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::Value;

use crate::comparison::Comparison;
use crate::support::{Answer, is_silent, post};

/// A file of recordings, with all that is needed to replay it.
pub struct Recordings {
    pub file: Value,
    pub comparison: Comparison,
    /// The names of users, which speak of their roles.
    pub users: &'static [&'static str],
}

/// The name of a recording. Where two have the same, their callers tell them apart.
pub fn name(case: &Value) -> String {
    format!("{} ({})", text(case, "case"), text(case, "caller"))
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

impl Recordings {
    pub fn cases(&self) -> &[Value] {
        self.file["recordings"].as_array().unwrap()
    }

    /// Replays one recording and returns the differences.
    pub async fn replay(&self, sandbox: &Sandbox, case: &Value) -> Vec<String> {
        let replay = Replay {
            recordings: self,
            sandbox,
            accounts: sandbox.handle().accounts(),
        };
        replay.differences(case).await
    }
}

struct Replay<'a> {
    recordings: &'a Recordings,
    sandbox: &'a Sandbox,
    /// The accounts of the beginning: some recordings delete their own caller.
    accounts: Vec<AccountSnapshot>,
}

impl Replay<'_> {
    async fn differences(&self, case: &Value) -> Vec<String> {
        let mut made = None;
        for step in case["before"].as_array().unwrap() {
            let answer = self.send(step, made.as_deref()).await;
            made = key_in(&answer);
        }
        if case["status"].is_null() {
            return self.expect_silence(case).await;
        }
        let Some(bodies) = case["body"].as_array() else {
            let answer = self.send(case, made.as_deref()).await;
            return self.recordings.comparison.differences(&answer, case);
        };
        let answers = join_all(bodies.iter().map(|_| self.send(case, None))).await;
        let mut found = self.list_after(case).await;
        for (answer, body) in answers.iter().zip(bodies) {
            let comparison = &self.recordings.comparison;
            found.extend(comparison.bodies(&answer.json(), body, case));
        }
        found
    }

    async fn list_after(&self, case: &Value) -> Vec<String> {
        let query = "query($workspaceUuid: Uuid!) { workspaceServiceAccounts(workspaceUuid: $workspaceUuid) { id label } }";
        let mut step = case.clone();
        step["request"]["query"] = query.into();
        let answer = self.send(&step, None).await;
        let comparison = &self.recordings.comparison;
        comparison.bodies(&answer.json(), &case["list_after"], case)
    }

    async fn send(&self, step: &Value, made: Option<&str>) -> Answer {
        let authorization = match text(step, "caller") {
            "key_made_before" => made.map(String::from),
            caller => self.authorization(caller),
        };
        post(self.sandbox, authorization.as_deref(), &body(step)).await
    }

    async fn expect_silence(&self, case: &Value) -> Vec<String> {
        let token = self.authorization(text(case, "caller")).unwrap();
        match is_silent(self.sandbox, &token, text(&case["request"], "query")).await {
            true => Vec::new(),
            false => vec!["an answer, recorded: none".into()],
        }
    }

    fn authorization(&self, caller: &str) -> Option<String> {
        let user = |name, hours| self.sandbox.handle().sign_in(name, TimeDelta::hours(hours));
        let key = |caller: &str| self.authorization(caller).unwrap();
        let other = match caller {
            "none" => return None,
            "garbage" => "ffffffffffffffffffffffffffffffff".into(),
            "garbage_text" => "not-a-token".into(),
            "expired_jwt" => user(self.recordings.users[0], -1),
            "jwt_of_a_deleted_user" => user("deleted", 24),
            "ws1_admin_with_bearer" => format!("Bearer {}", key("ws1_admin")),
            "ws1_admin_with_lowercase_bearer" => format!("bearer {}", key("ws1_admin")),
            name if self.recordings.users.contains(&name) => user(name, 24),
            name => self.key_of(name),
        };
        Some(other)
    }

    /// The key of the seeded account that a caller is named after.
    fn key_of(&self, caller: &str) -> String {
        let name = caller.trim_end_matches("_key").replace('_', "-");
        let label = format!("seed-{}", name.replace("system", "sys"));
        let found = self.accounts.iter().find(|account| account.label == label);
        let found = found.unwrap_or_else(|| panic!("no account for {caller}"));
        found.key.clone()
    }
}

fn key_in(answer: &Answer) -> Option<String> {
    let body = answer.json();
    let mut fields = body["data"].as_object()?.values();
    Some(fields.next()?["apiKey"].as_str()?.into())
}

/// The body of a request; some recordings have it raw.
fn body(step: &Value) -> String {
    match step["request"]["raw"].as_str() {
        Some(raw) => raw.into(),
        None => step["request"].to_string(),
    }
}
