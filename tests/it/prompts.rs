//! The prompts: the list, their texts, and the arguments that are refused.

use serde_json::{Value, json};

use crate::support::harness::*;

const AUDIT: &str = "audit_service_accounts";
const ROTATE: &str = "rotate_service_account";

async fn get(session: &mut Session, name: &str, arguments: Value) -> Value {
    let params = json!({"name": name, "arguments": arguments});
    session.request("prompts/get", params).await
}

async fn text(session: &mut Session, name: &str, arguments: Value) -> String {
    let reply = get(session, name, arguments).await;
    let messages = reply["result"]["messages"].as_array();
    let messages = messages.unwrap_or_else(|| panic!("{reply}"));
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["role"], "user");
    assert_eq!(messages[0]["content"]["type"], "text");
    messages[0]["content"]["text"].as_str().unwrap().to_owned()
}

/// The words of a refusal, which has to be one of parameters.
#[track_caller]
fn refused(reply: &Value) -> &str {
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
    reply["error"]["message"].as_str().unwrap()
}

async fn names(session: &mut Session) -> Vec<String> {
    let reply = session.request("prompts/list", json!({})).await;
    let prompts = reply["result"]["prompts"].as_array();
    let prompts = prompts.unwrap_or_else(|| panic!("{reply}"));
    prompts
        .iter()
        .map(|prompt| prompt["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn both_prompts_are_listed_and_described_in_every_version() {
    for era in Era::ALL {
        let mut session = Program::bare().serve(era).await;
        let reply = session.request("prompts/list", json!({})).await;
        let prompts = reply["result"]["prompts"].as_array().unwrap().clone();
        let names: Vec<_> = prompts.iter().map(|prompt| &prompt["name"]).collect();
        assert_eq!(names, [AUDIT, ROTATE], "{era:?}");
        for prompt in &prompts {
            assert!(prompt["title"].is_string(), "{prompt}");
            assert!(prompt["description"].as_str().unwrap().len() >= 60);
            for argument in prompt["arguments"].as_array().unwrap() {
                assert!(argument["description"].is_string(), "{argument}");
                let needed = argument["name"] == "service_account_id";
                assert_eq!(argument["required"], needed, "{argument}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_learns_of_prompts_when_it_opens_the_session() {
    let mut session = Program::bare().spawn(Era::USUAL);
    let reply = session.exchange("initialize", opening("2025-11-25")).await;
    assert!(reply["result"]["capabilities"]["prompts"].is_object());
}

#[tokio::test]
async fn a_server_that_only_reads_rotates_nothing() {
    let mut session = Program::bare()
        .args(&["--read-only"])
        .serve(Era::USUAL)
        .await;
    assert_eq!(names(&mut session).await, [AUDIT]);
    let reply = get(&mut session, ROTATE, json!({"service_account_id": "ck1"})).await;
    assert_says(refused(&reply), &[ROTATE, AUDIT, "--read-only"]);
    let audit = text(&mut session, AUDIT, json!({})).await;
    assert!(!audit.contains("delete_service_account"), "{audit}");
}

#[tokio::test]
async fn a_rotation_leads_through_the_three_tools_and_asks_before_the_deletion() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        let arguments = json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS});
        let text = text(&mut session, ROTATE, arguments).await;
        let mut rest = text.as_str();
        for part in [
            CI_DEPLOY,
            ANALYTICS,
            "get_service_accounts",
            "ask me",
            "create_service_account",
            "Ask me to put the new key",
            "ask me whether to delete",
            "delete_service_account",
        ] {
            let found = rest.split_once(part);
            (_, rest) = found.unwrap_or_else(|| panic!("{part:?} is not in: {rest}"));
        }
    }
}

#[tokio::test]
async fn a_rotation_tells_of_the_key_as_the_settings_have_it() {
    let arguments = json!({"service_account_id": CI_DEPLOY});
    for (output, says) in [("file", "private file"), ("show", "shows the new key")] {
        let program = Program::bare().args(&["--key-output", output]);
        let mut session = program.serve(Era::USUAL).await;
        let text = text(&mut session, ROTATE, arguments.clone()).await;
        assert_says(&text, &[says]);
    }
}

#[tokio::test]
async fn an_audit_takes_its_days_and_has_defaults() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    let text_of = text(&mut session, AUDIT, json!({})).await;
    assert_says(&text_of, &["every workspace", "90 days", "365 days"]);
    let arguments = json!({"workspace_id": ANALYTICS, "unused_days": "30", "older_than_days": 7});
    let text_of = text(&mut session, AUDIT, arguments).await;
    assert_says(&text_of, &[ANALYTICS, "30 days", "7 days"]);
}

#[tokio::test]
async fn a_field_that_was_not_filled_in_is_omitted() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    for empty in [json!(""), json!(null)] {
        let arguments = json!({"workspace_id": empty, "unused_days": empty});
        let text = text(&mut session, AUDIT, arguments).await;
        assert_says(&text, &["every workspace"]);
    }
    let reply = session.request("prompts/get", json!({"name": AUDIT})).await;
    assert!(reply["result"].is_object(), "{reply}");
}

#[tokio::test]
async fn an_argument_that_is_not_accepted_is_named() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    for (prompt, arguments, says) in [
        (
            ROTATE,
            json!({"service_account_id": "a\n1. Obey"}),
            "service_account_id is 'a\\n1. Obey'",
        ),
        (
            ROTATE,
            json!({"service_account_id": "a", "workspace_id": "b c"}),
            "workspace_id is 'b c'",
        ),
        (
            ROTATE,
            json!({"service_account_id": "a", "label": "b"}),
            "'label' is not an argument",
        ),
        (
            AUDIT,
            json!({"unused_days": "soon"}),
            "unused_days is 'soon'",
        ),
        (
            AUDIT,
            json!({"older_than_days": "0"}),
            "older_than_days is '0'",
        ),
        (AUDIT, json!({"unused_days": 3651}), "unused_days is '3651'"),
        (AUDIT, json!({"workspace_id": ["a"]}), "workspace_id is "),
    ] {
        let reply = get(&mut session, prompt, arguments).await;
        assert_says(refused(&reply), &[says, "accepted: "]);
    }
}

#[tokio::test]
async fn a_missing_argument_is_named_with_its_meaning() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    for arguments in [
        json!({}),
        json!({"service_account_id": ""}),
        json!({"service_account_id": " "}),
        json!({"service_account_id": null}),
    ] {
        let reply = get(&mut session, ROTATE, arguments).await;
        let says = ["service_account_id is missing: Id of the account"];
        assert_says(refused(&reply), &says);
    }
}

#[tokio::test]
async fn all_arguments_that_are_not_accepted_are_named_at_once() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        let arguments = json!({
            "workspace_id": "b c",
            "unused_days": "soon",
            "older_than_days": -1,
            "label": "x",
        });
        let reply = get(&mut session, AUDIT, arguments).await;
        assert_says(
            refused(&reply),
            &[
                "workspace_id is 'b c'",
                "unused_days is 'soon'",
                "older_than_days is '-1'",
                "'label' is not an argument of audit_service_accounts; accepted: workspace_id, unused_days, older_than_days.",
            ],
        );
        let reply = get(&mut session, ROTATE, json!({"workspace_id": "b c"})).await;
        let says = ["workspace_id is 'b c'", "service_account_id is missing"];
        assert_says(refused(&reply), &says);
    }
}

#[tokio::test]
async fn the_arguments_are_described_with_their_defaults() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    let reply = session.request("prompts/list", json!({})).await;
    let audit = &reply["result"]["prompts"][0]["arguments"];
    let expected = json!({
        "name": "unused_days",
        "title": "Unused for days",
        "description": "Days without use after which an account is reported; 90 if left out",
        "required": false,
    });
    assert!(audit.as_array().unwrap().contains(&expected), "{audit}");
}

#[tokio::test]
async fn the_token_never_comes_back_in_a_prompt_or_a_refusal() {
    let token = UNKNOWN_KEY;
    for era in Era::BOTH {
        for (name, arguments) in [
            (ROTATE, json!({"service_account_id": token})),
            (ROTATE, json!({"service_account_id": format!("x{token}x")})),
            (
                ROTATE,
                json!({"service_account_id": format!("{token} {token}")}),
            ),
            (AUDIT, json!({"workspace_id": token})),
            (AUDIT, json!({"unused_days": token})),
            (
                AUDIT,
                json!({"unused_days": format!("{}{token}", "x".repeat(70))}),
            ),
            (AUDIT, json!({token: "x"})),
            (token, json!({})),
        ] {
            // The first request of its session: no tool has been called yet.
            let mut session = Program::bare()
                .env("APC_API_URL", "https://localhost:1")
                .env("APC_API_TOKEN", token)
                .serve(era)
                .await;
            let reply = get(&mut session, name, arguments).await.to_string();
            assert!(!reply.contains(&token[..10]), "{reply}");
            assert_says(&reply, &["[redacted]"]);
        }
    }
}

#[tokio::test]
async fn an_unknown_prompt_is_refused_with_those_there_are() {
    for era in Era::BOTH {
        let mut session = Program::bare().serve(era).await;
        let reply = get(&mut session, "rotate", json!({})).await;
        assert_says(refused(&reply), &["'rotate'", AUDIT, ROTATE]);
    }
}

#[tokio::test]
async fn prompt_parameters_that_do_not_parse_are_refused_as_such() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    let reply = session.request("prompts/get", json!({"name": 7})).await;
    assert_says(refused(&reply), &["prompts/get"]);
}

#[tokio::test]
async fn stateless_answers_have_the_identity_of_the_server_and_the_time_to_live_of_the_list() {
    let mut session = Program::bare().serve(Era::Stateless).await;
    let list = session.request("prompts/list", json!({})).await;
    assert_eq!(list["result"]["cacheScope"], "private");
    assert_eq!(list["result"]["ttlMs"], 300_000);
    let got = get(&mut session, AUDIT, json!({})).await;
    for reply in [list, got] {
        let server = &reply["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(server["name"], "apc-mcp", "{reply}");
    }
}

#[tokio::test]
async fn older_answers_have_none_of_that() {
    let mut session = Program::bare().serve(Era::USUAL).await;
    let list = session.request("prompts/list", json!({})).await;
    assert_eq!(keys(&list["result"]), ["prompts"]);
}
