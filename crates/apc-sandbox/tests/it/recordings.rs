//! Holds the sandbox to the answers of the real API: every recorded exchange, over a socket.

use std::collections::BTreeSet;

use apc_sandbox::{Line, Persona, Sandbox};
use serde_json::{Value, json};

use crate::comparison::Comparison;
use crate::installations::{
    USERS_OF_2020, USERS_OF_DEPLOYMENTS, USERS_OF_SHIELD, start_2020, start_deployments,
    start_shield,
};
use crate::replay::{Recordings, name};
use crate::support::{ANALYTICS, CREATE, DELETE, LIST, ask, post};

const OF_2020: &str = include_str!("recordings.json");
const DEPLOYMENTS: &str = include_str!("recordings-deployments.json");
const SHIELD: &str = include_str!("recordings-shield.json");

/// The recordings that the sandbox does not follow, with the reason: file, reason, names.
const EXCEPTIONS: [(&str, &str, &[&str]); 8] = [
    (
        DEPLOYMENTS,
        "fields of deployments and callers that are of no use for service accounts",
        &[
            "workspaceDeployments, more fields (ws1_viewer)",
            "workspaceDeployments, capabilities of a system admin (system_admin)",
            "workspaceDeployments with their role bindings (ws1_viewer)",
            "a deployment admin's key: self (dep1_admin_key)",
        ],
    ),
    (
        DEPLOYMENTS,
        "a mutation that anybody may send, and no client does",
        &["legacy deleteServiceAccount by nobody: nothing is checked (nobody)"],
    ),
    (
        SHIELD,
        "the same mutation comes before",
        &["… is it gone? (sys_admin_user)"],
    ),
    (
        SHIELD,
        "the branch binds a new account to the calling user as well, and fails for keys; no release does",
        &[
            "create by ws1_admin_with_bearer (ws1_admin_with_bearer)",
            "create by ws1_editor_key (ws1_editor_key)",
            "create by ws1_admin (ws1_admin)",
            "create by system_admin (system_admin)",
            "create by a key, as apc-mcp asks (ws1_admin)",
            "create in a deployment by ws1_admin_with_bearer (ws1_admin_with_bearer)",
            "create in a deployment by ws1_editor_key (ws1_editor_key)",
            "create in a deployment by ws1_admin (ws1_admin)",
            "create in a deployment by system_admin (system_admin)",
            "create in a deployment by dep1_editor (dep1_editor)",
            "create in a deployment by its own editor's key (dep1_editor)",
        ],
    ),
    (
        SHIELD,
        "selects `roleBinding`, which has become the list `roleBindings`",
        &[
            "create by a user, every field (ws1_editor_user)",
            "list right after a create (ws1_editor_user)",
            "create by an editor, of an admin (ws1_editor_user)",
            "create in a deployment by its workspace's editor (ws1_editor_user)",
            "list, as apc-mcp asks (ws1_admin)",
            "update the role (ws1_editor_key)",
        ],
    ),
    (
        SHIELD,
        "selects `roleBindings`, which the branch had not yet",
        &[
            "list with roleBindings (ws1_admin)",
            "two unknown fields (ws1_admin)",
        ],
    ),
    (
        SHIELD,
        "asks for something that came later",
        &[
            "sysWorkspaces (sys_admin_user)",
            "workspaces by label (ws1_admin)",
        ],
    ),
    (
        SHIELD,
        "the branch lets a role be left out, and then never answers the user that it bound to the account",
        &["list by an editor who has made an account without a role (ws1_editor_user)"],
    ),
];

/// Replays a file and holds the table of exceptions to it.
async fn hold<F: AsyncFn(&Value) -> Sandbox>(
    recordings: &Recordings,
    file: &str,
    start: F,
) -> usize {
    let mut differing = BTreeSet::new();
    let excepted = EXCEPTIONS.iter().filter(|(found, ..)| *found == file);
    let excepted = excepted.flat_map(|(_, _, names)| names.iter().map(|name| name.to_string()));
    let excepted: BTreeSet<_> = excepted.collect();
    for case in recordings.cases() {
        let sandbox = start(case).await;
        let differences = recordings.replay(&sandbox, case).await;
        if !differences.is_empty() {
            let name = name(case);
            let expected = excepted.contains(&name);
            assert!(expected, "{name}:\n{}", differences.join("\n"));
            differing.insert(name);
        }
    }
    assert_eq!(differing, excepted, "exceptions that agree with the API");
    recordings.cases().len() - excepted.len()
}

fn recordings(text: &str, users: &'static [&'static str]) -> Recordings {
    let file: Value = serde_json::from_str(text).unwrap();
    Recordings {
        comparison: Comparison::new(&file["seeds"]),
        file,
        users,
    }
}

#[tokio::test]
async fn the_line_of_2020_answers_as_the_api_did() {
    let recordings = recordings(OF_2020, USERS_OF_2020);
    let start = async |_: &Value| start_2020(&recordings).await;
    assert_eq!(hold(&recordings, OF_2020, start).await, 52);
}

#[tokio::test]
async fn the_line_of_2020_answers_about_deployments_as_the_api_did() {
    let recordings = recordings(DEPLOYMENTS, USERS_OF_DEPLOYMENTS);
    let start = async |_: &Value| start_deployments(&recordings).await;
    assert_eq!(hold(&recordings, DEPLOYMENTS, start).await, 110);
}

#[tokio::test]
async fn the_line_of_today_answers_as_its_ancestor_did() {
    let mut recordings = recordings(SHIELD, USERS_OF_SHIELD);
    recordings.comparison.unordered = true;
    // DEPLOYMENT in the branch and SYSTEM in the releases, whatever the account is bound to.
    recordings.comparison.free = &["entityType"];
    let start = async |case: &Value| start_shield(&recordings, case).await;
    assert_eq!(hold(&recordings, SHIELD, start).await, 237);
}

/// Compares with what each version of the libraries since 2020 makes of the API's rules.
#[tokio::test]
async fn the_words_of_today_are_those_that_its_libraries_make() {
    let file: Value = serde_json::from_str(SHIELD).unwrap();
    let answers = file["library_behaviour"]["answers"].as_object().unwrap();
    let sandbox = Sandbox::start_line(0, Line::Today).await.unwrap();
    let new = json!({ "label": "x", "workspace": ANALYTICS, "role": "WORKSPACE_VIEWER" });
    let foreign = json!({ "workspace": "elsewhere" });
    let unknown = json!({ "id": "nobody", "workspace": ANALYTICS });
    let cases = [
        ("bad token, list", None, LIST, &foreign),
        ("bad token, create", None, CREATE, &new),
        (
            "bad token, workspaces",
            None,
            "{ workspaces { id } }",
            &foreign,
        ),
        (
            "viewer creates (SA!)",
            Some(Persona::WorkspaceViewer),
            CREATE,
            &new,
        ),
        (
            "foreign list",
            Some(Persona::WorkspaceViewer),
            LIST,
            &foreign,
        ),
        ("not found", Some(Persona::WorkspaceAdmin), DELETE, &unknown),
    ];
    for (name, persona, query, variables) in cases {
        let answer = match persona {
            Some(persona) => ask(&sandbox, persona, query, variables.clone()).await,
            None => {
                let body = json!({ "query": query, "variables": variables }).to_string();
                post(&sandbox, None, &body).await
            }
        };
        let body = answer.json();
        // One row is of a setting that the API does not have.
        for (versions, recorded) in answers
            .iter()
            .filter(|(name, _)| !name.contains("debug: false"))
        {
            let recorded = &recorded[name]["body"]["errors"][0];
            let ours = &body["errors"][0];
            assert_eq!(ours["message"], recorded["message"], "{name}: {versions}");
            let code = &recorded["extensions"]["code"];
            assert_eq!(ours["extensions"]["code"], *code, "{name}: {versions}");
        }
    }
}
