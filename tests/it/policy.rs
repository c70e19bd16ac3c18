//! The policy forbids things in the schema, in the call and on the wire.

use apc_sandbox::{Handle, Persona, Sandbox};
use serde_json::{Value, json};

use crate::support::clients::*;
use crate::support::harness::*;

async fn start(settings: &[&str], era: Era) -> (Sandbox, Session) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).args(settings);
    let session = program.serve(era).await;
    (sandbox, session)
}

async fn schema(session: &mut Session, tool: &str) -> Value {
    let tools = session.list_tools().await;
    let found = tools.iter().find(|entry| entry["name"] == tool);
    found.unwrap()["inputSchema"].clone()
}

/// No request named this workspace.
#[track_caller]
fn assert_never_asked_about(handle: &Handle, workspace: &str) {
    for request in handle.requests() {
        assert!(
            !request.variables.to_string().contains(workspace),
            "{request:?}"
        );
        assert!(!request.query.contains(workspace), "{request:?}");
    }
}

#[tokio::test]
async fn a_read_only_server_has_one_tool_and_the_others_do_not_exist() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(&["--read-only"], era).await;
        let tools = session.list_tools().await;
        assert_eq!(tools.len(), 1);
        assert_eq!(tools[0]["name"], GET_TOOL);
        for (tool, arguments) in [
            (CREATE_TOOL, new("etl")),
            (DELETE_TOOL, deletion_of(CI_DEPLOY)),
        ] {
            let params = json!({"name": tool, "arguments": arguments});
            let reply = session.request("tools/call", params).await;
            assert_eq!(reply["error"]["code"], -32602, "{reply}");
            let text = reply["error"]["message"].as_str().unwrap();
            assert_says(text, &[tool, "--read-only", "APC_READ_ONLY", GET_TOOL]);
        }
        assert!(sandbox.handle().requests().is_empty());
        session.call(GET_TOOL, json!({})).await.structured();
    }
}

#[tokio::test]
async fn the_variable_makes_a_server_read_only_as_well() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin).env("APC_READ_ONLY", "1");
    let mut session = program.serve(Era::USUAL).await;
    assert_eq!(session.list_tools().await.len(), 1);
    let reply = session
        .request(
            "tools/call",
            json!({"name": DELETE_TOOL, "arguments": deletion_of(CI_DEPLOY)}),
        )
        .await;
    assert_eq!(reply["error"]["code"], -32602);
}

#[tokio::test]
async fn a_policy_that_does_not_parse_allows_no_change() {
    for (name, value) in [
        ("APC_READ_ONLY", "yes please"),
        ("APC_MAX_ROLE", "OWNER"),
        ("APC_ALLOWED_WORKSPACES", "a b"),
        ("APC_ALLOWED_WORKSPACES", ","),
        ("APC_CONFIRM", "sometimes"),
        ("APC_KEY_OUTPUT", "none"),
        ("APC_MAX_CHANGES_PER_MINUTE", "-1"),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let program = guarded(&sandbox, Persona::WorkspaceAdmin).env(name, value);
        let mut session = program.serve(Era::USUAL).await;
        for (tool, arguments) in [
            (CREATE_TOOL, new("etl")),
            (DELETE_TOOL, deletion_of(CI_DEPLOY)),
            (GET_TOOL, json!({})),
        ] {
            let refused = session.call(tool, arguments).await;
            assert_says(refused.refusal("not_configured"), &[name]);
        }
        assert!(sandbox.handle().requests().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_allowed_workspaces_are_the_ones_of_the_schema() {
    for era in Era::BOTH {
        let (_sandbox, mut session) = start(
            &[
                "--allow-workspace",
                DATA_SCIENCE,
                "--allow-workspace",
                ANALYTICS,
            ],
            era,
        )
        .await;
        let schema = schema(&mut session, CREATE_TOOL).await;
        assert_eq!(
            schema["properties"]["workspace_id"]["enum"],
            json!([ANALYTICS, DATA_SCIENCE])
        );
    }
}

#[tokio::test]
async fn a_workspace_that_is_not_allowed_is_refused_before_any_request() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(&["--allow-workspace", ANALYTICS], era).await;
        let calls = [
            (
                CREATE_TOOL,
                json!({"label": "etl", "workspace_id": DATA_SCIENCE}),
            ),
            (
                DELETE_TOOL,
                json!({"service_account_id": NOTEBOOKS, "workspace_id": DATA_SCIENCE}),
            ),
            (DELETE_TOOL, json!({"workspace_id": DATA_SCIENCE})),
            (GET_TOOL, json!({"workspace_id": DATA_SCIENCE})),
            (
                GET_TOOL,
                json!({"workspace_id": DATA_SCIENCE, "service_account_id": NOTEBOOKS}),
            ),
        ];
        for (tool, arguments) in calls {
            let refused = session.call(tool, arguments).await;
            let text = refused.refusal("not_allowed");
            assert_says(
                text,
                &[DATA_SCIENCE, "--allow-workspace", "APC_ALLOWED_WORKSPACES"],
            );
            assert_eq!(refused.error()["workspace_id"], DATA_SCIENCE);
        }
        assert!(sandbox.handle().requests().is_empty());
    }
}

#[tokio::test]
async fn an_allowed_workspace_is_served_as_ever() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let program = guarded(&sandbox, Persona::WorkspaceAdmin);
    let list = format!(" {DATA_SCIENCE} , {ANALYTICS}");
    let mut session = program
        .env("APC_ALLOWED_WORKSPACES", list)
        .serve(Era::USUAL)
        .await;
    session.call(CREATE_TOOL, new("etl")).await.structured();
    session
        .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
        .await
        .structured();
    session
        .call(DELETE_TOOL, json!({"service_account_id": NOTEBOOKS}))
        .await
        .structured();
}

#[tokio::test]
async fn listing_everything_asks_about_no_workspace_that_is_not_allowed() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(&["--allow-workspace", ANALYTICS], era).await;
        let found = session.call(GET_TOOL, json!({})).await;
        let workspaces = found.structured()["workspaces"].as_array().unwrap();
        assert_eq!(workspaces.len(), 1);
        assert_eq!(workspaces[0]["id"], ANALYTICS);
        assert!(
            found
                .column("workspace_id")
                .iter()
                .all(|id| *id == ANALYTICS)
        );
        assert_never_asked_about(&sandbox.handle(), DATA_SCIENCE);
    }
}

#[tokio::test]
async fn searching_by_id_asks_about_no_workspace_that_is_not_allowed() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(&["--allow-workspace", ANALYTICS], era).await;
        for tool in [DELETE_TOOL, GET_TOOL] {
            let refused = session
                .call(tool, json!({"service_account_id": NOTEBOOKS}))
                .await;
            refused.refusal("not_found");
        }
        assert_never_asked_about(&sandbox.handle(), DATA_SCIENCE);
        assert_eq!(mutations(&sandbox.handle()), 0);
    }
}

#[tokio::test]
async fn a_default_workspace_that_is_not_allowed_is_never_asked_about() {
    for era in Era::BOTH {
        let settings = [
            "--allow-workspace",
            ANALYTICS,
            "--workspace-id",
            DATA_SCIENCE,
        ];
        let (sandbox, mut session) = start(&settings, era).await;
        let found = session.call(GET_TOOL, json!({})).await;
        assert!(
            found
                .column("workspace_id")
                .iter()
                .all(|id| *id == ANALYTICS),
            "{}",
            found.text()
        );
        assert!(
            session
                .call(GET_TOOL, json!({"service_account_id": NOTEBOOKS}))
                .await
                .is_error()
        );
        assert!(
            session
                .call(CREATE_TOOL, json!({"label": "etl"}))
                .await
                .is_error()
        );
        assert!(
            session
                .call(DELETE_TOOL, json!({"service_account_id": NOTEBOOKS}))
                .await
                .is_error()
        );
        assert!(session.call(DELETE_TOOL, json!({})).await.is_error());
        assert_never_asked_about(&sandbox.handle(), DATA_SCIENCE);
        assert_eq!(mutations(&sandbox.handle()), 0);
        let schema = schema(&mut session, CREATE_TOOL).await;
        assert_eq!(schema["required"], json!(["label"]));
        assert_says(
            schema["properties"]["workspace_id"]["description"]
                .as_str()
                .unwrap(),
            &["this or deployment_id"],
        );
    }
}

#[tokio::test]
async fn a_sandbox_keeps_to_the_allowed_workspaces_as_well() {
    let program = Program::bare().args(&["--sandbox", "--allow-workspace", ANALYTICS]);
    let mut session = program.serve(Era::USUAL).await;
    let found = session.call(GET_TOOL, json!({})).await;
    assert!(
        found
            .column("workspace_id")
            .iter()
            .all(|id| *id == ANALYTICS)
    );
    let other = json!({"label": "etl", "workspace_id": DATA_SCIENCE});
    session
        .call(CREATE_TOOL, other)
        .await
        .refusal("not_allowed");
}

#[tokio::test]
async fn the_highest_role_bounds_schema_and_call() {
    let cases = [
        ("WORKSPACE_VIEWER", vec!["WORKSPACE_VIEWER"]),
        (
            "WORKSPACE_EDITOR",
            vec!["WORKSPACE_VIEWER", "WORKSPACE_EDITOR"],
        ),
        (
            "WORKSPACE_ADMIN",
            vec!["WORKSPACE_VIEWER", "WORKSPACE_EDITOR", "WORKSPACE_ADMIN"],
        ),
    ];
    for (highest, allowed) in cases {
        for era in Era::BOTH {
            let (sandbox, mut session) = start(&["--max-role", highest], era).await;
            let schema = schema(&mut session, CREATE_TOOL).await;
            let role = &schema["properties"]["role"];
            let on_deployments = allowed
                .iter()
                .map(|role| role.replace("WORKSPACE", "DEPLOYMENT"));
            let all: Vec<_> = allowed
                .iter()
                .map(|role| (*role).to_owned())
                .chain(on_deployments)
                .collect();
            assert_eq!(role["enum"], json!(all));
            for role in ["WORKSPACE_VIEWER", "WORKSPACE_EDITOR", "WORKSPACE_ADMIN"] {
                let asked = json!({"label": role, "workspace_id": ANALYTICS, "role": role});
                let outcome = session.call(CREATE_TOOL, asked).await;
                if allowed.contains(&role) {
                    assert_eq!(outcome.account()["role"], role);
                } else {
                    let text = outcome.refusal("not_allowed");
                    assert_says(text, &[role, highest, "--max-role", "APC_MAX_ROLE"]);
                }
            }
            assert_eq!(
                mutations(&sandbox.handle()),
                allowed.len(),
                "{highest} {era:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_answered_with_those_that_are_allowed() {
    let (sandbox, mut session) = start(&["--max-role", "WORKSPACE_EDITOR"], Era::USUAL).await;
    for role in [
        "ADMIN",
        "SYSTEM_ADMIN",
        "workspace_admin",
        "WORKSPACE_ADMIN ",
    ] {
        let asked = json!({"label": "etl", "workspace_id": ANALYTICS, "role": role});
        let refused = session.call(CREATE_TOOL, asked).await;
        let text = refused.refusal("invalid_arguments");
        let accepted = "accepted: WORKSPACE_VIEWER, WORKSPACE_EDITOR";
        assert_says(
            text,
            &[
                role.trim(),
                accepted,
                "WORKSPACE_ADMIN",
                "--max-role",
                "APC_MAX_ROLE",
            ],
        );
    }
    assert!(sandbox.handle().requests().is_empty());
}

#[tokio::test]
async fn the_default_workspace_makes_the_argument_optional() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(&["--workspace-id", ANALYTICS], era).await;
        let schema = schema(&mut session, CREATE_TOOL).await;
        assert_eq!(schema["required"], json!(["label"]));
        session
            .call(CREATE_TOOL, json!({"label": "etl"}))
            .await
            .structured();
        assert_eq!(
            truth(&sandbox.handle(), "etl").entity_uuid.as_deref(),
            Some(ANALYTICS)
        );
        let gone = session
            .call(DELETE_TOOL, json!({"service_account_id": CI_DEPLOY}))
            .await;
        assert_eq!(gone.account()["workspace_id"], ANALYTICS);
    }
}

#[tokio::test]
async fn the_third_change_of_two_a_minute_has_to_wait() {
    for era in Era::BOTH {
        let (sandbox, mut session) = start(&["--max-changes-per-minute", "2"], era).await;
        session.call(CREATE_TOOL, new("one")).await.structured();
        session
            .call(DELETE_TOOL, deletion_of(CI_DEPLOY))
            .await
            .structured();
        for (tool, arguments) in [
            (CREATE_TOOL, new("two")),
            (DELETE_TOOL, deletion_of(MIGRATION)),
        ] {
            let refused = session.call(tool, arguments).await;
            let text = refused.refusal("rate_limited");
            assert_says(
                text,
                &[
                    "--max-changes-per-minute",
                    "APC_MAX_CHANGES_PER_MINUTE",
                    "Nothing was done",
                ],
            );
            let seconds = refused.error()["retry_after_seconds"].as_u64().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
            assert_says(text, &[&format!("{seconds} s")]);
        }
        assert_eq!(mutations(&sandbox.handle()), 2);
        assert!(
            names_in(&key_dir(&session))
                .iter()
                .all(|name| !name.starts_with('.'))
        );
        session.call(GET_TOOL, json!({})).await.structured();
    }
}

#[tokio::test]
async fn what_is_refused_here_costs_no_change() {
    let (sandbox, mut session) = start(
        &[
            "--max-changes-per-minute",
            "1",
            "--max-role",
            "WORKSPACE_VIEWER",
            "--allow-workspace",
            ANALYTICS,
        ],
        Era::USUAL,
    )
    .await;
    let admin = json!({"label": "etl", "workspace_id": ANALYTICS, "role": "WORKSPACE_ADMIN"});
    session
        .call(CREATE_TOOL, admin)
        .await
        .refusal("not_allowed");
    session
        .call(CREATE_TOOL, json!({"label": "", "workspace_id": ANALYTICS}))
        .await
        .refusal("invalid_arguments");
    session
        .call(DELETE_TOOL, deletion_of(NOTEBOOKS))
        .await
        .refusal("not_found");
    session
        .call(DELETE_TOOL, json!({"workspace_id": ANALYTICS}))
        .await
        .refusal("invalid_arguments");
    session.call(CREATE_TOOL, new("etl")).await.structured();
    assert_eq!(mutations(&sandbox.handle()), 1);
}

#[tokio::test]
async fn rounds_that_only_ask_cost_no_change() {
    for era in Era::BOTH {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = asking(&sandbox)
            .args(&["--max-changes-per-minute", "1"])
            .serve(era)
            .await;
        for _ in 0..3 {
            let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
            session
                .answer(question, json!({"action": "decline"}))
                .await
                .refusal("declined");
        }
        let question = session.pose(DELETE_TOOL, deletion_of(CI_DEPLOY)).await;
        let yes = question.accept(true);
        session.answer(question, yes).await.structured();
        session
            .call(CREATE_TOOL, new("etl"))
            .await
            .refusal("rate_limited");
    }
}

#[tokio::test]
async fn zero_is_no_limit_and_30_the_default() {
    let (sandbox, mut session) = start(&["--max-changes-per-minute", "0"], Era::USUAL).await;
    for number in 0..32 {
        session
            .call(CREATE_TOOL, new(&format!("n{number}")))
            .await
            .structured();
    }
    assert_eq!(mutations(&sandbox.handle()), 32);
    let (sandbox, mut session) = start(&[], Era::USUAL).await;
    for number in 0..30 {
        session
            .call(CREATE_TOOL, new(&format!("n{number}")))
            .await
            .structured();
    }
    session
        .call(CREATE_TOOL, new("n30"))
        .await
        .refusal("rate_limited");
    assert_eq!(mutations(&sandbox.handle()), 30);
}
