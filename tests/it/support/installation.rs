//! Helpers of the tests of settings: logins as the astro CLI writes them, and the outcome of a call.

use apc_sandbox::{Persona, Sandbox};
use serde_json::json;

use crate::support::harness::*;

pub const LOGIN: &str = ".astro/config.yaml";

/// The file that the astro CLI writes for an API on this machine.
pub fn login(url: &str, token: &str) -> String {
    login_in(url, token, "")
}

/// The same, switched to a workspace.
pub fn login_in(url: &str, token: &str, workspace: &str) -> String {
    format!(
        "context: localhost\n\
         contexts:\n\
         \x20 localhost:\n\
         \x20   domain: localhost\n\
         \x20   token: {token}\n\
         \x20   workspace: \"{workspace}\"\n\
         houston: {{ dial_timeout: \"10\", skip_verify_tls: \"false\" }}\n\
         cloud: {{ api: {{ protocol: https, port: \"443\" }} }}\n\
         local: {{ houston: \"{url}\" }}\n"
    )
}

pub fn login_of(sandbox: &Sandbox) -> String {
    login(&sandbox.url(), &sandbox.token(Persona::WorkspaceAdmin))
}

pub async fn sandbox() -> Sandbox {
    Sandbox::start(0).await.unwrap()
}

pub async fn list(session: &mut Session) -> Outcome {
    session.call("get_service_accounts", json!({})).await
}

pub async fn outcome(program: Program) -> Outcome {
    list(&mut program.serve(Era::USUAL).await).await
}

/// Every tool refuses with the same words, and the tools are there all the same.
pub async fn assert_not_configured(program: Program, says: &[&str]) {
    let mut session = program.serve(Era::USUAL).await;
    assert_eq!(session.list_tools().await.len(), 3);
    let one = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
    for (tool, arguments) in [
        ("get_service_accounts", json!({})),
        (
            "create_service_account",
            json!({"label": "etl", "workspace_id": ANALYTICS}),
        ),
        ("delete_service_account", one),
    ] {
        let refused = session.call(tool, arguments).await;
        assert_says(refused.refusal("not_configured"), says);
    }
    assert!(session.close_stdin_and_wait().await.success());
}

/// The tokens that arrived, in order and without repetition.
pub fn tokens(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.handle().requests().into_iter();
    let mut tokens: Vec<_> = requests
        .filter_map(|request| request.authorization)
        .collect();
    tokens.dedup();
    tokens
}
