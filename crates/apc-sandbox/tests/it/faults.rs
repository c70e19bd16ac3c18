//! Faults, lacking fields and the log of requests, on both lines.

use std::time::Duration;

use apc_sandbox::{Fault, Line, On};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{LIST, both, graphql, labels, raw, try_create, until};

#[tokio::test]
async fn a_connection_dropped_before_leaves_the_state_as_it_was() {
    for (sandbox, handle, token) in both().await {
        handle.inject(Fault::DropBefore, On::Any, 1);
        assert!(try_create(&sandbox, &token).await.is_none());
        assert_eq!(labels(&handle), ["ci"]);
        assert_eq!(handle.requests().last().unwrap().status, None);
    }
}

#[tokio::test]
async fn a_connection_dropped_after_has_changed_the_state() {
    for (sandbox, handle, token) in both().await {
        handle.inject(
            Fault::DropAfter,
            On::Field("createWorkspaceServiceAccount"),
            1,
        );
        assert!(try_create(&sandbox, &token).await.is_none());
        assert_eq!(labels(&handle), ["ci", "new"]);
    }
}

#[tokio::test]
async fn a_truncated_answer_announces_more_than_it_sends() {
    for (sandbox, handle, token) in both().await {
        handle.inject(Fault::TruncateAfter, On::Any, 1);
        let answer = try_create(&sandbox, &token).await.unwrap();
        let announced: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert_eq!(answer.body.len(), announced / 2);
        assert_eq!(labels(&handle), ["ci", "new"]);
    }
}

#[tokio::test]
async fn a_hanging_request_is_neither_done_nor_answered() {
    for (sandbox, handle, token) in both().await {
        handle.inject(Fault::Hang, On::Any, 1);
        let patience = Duration::from_millis(200);
        let answer = timeout(patience, try_create(&sandbox, &token)).await;
        assert!(answer.is_err());
        assert_eq!(labels(&handle), ["ci"]);
    }
}

#[tokio::test]
async fn a_request_that_hangs_after_is_done_without_an_answer() {
    for (sandbox, handle, token) in both().await {
        handle.inject(Fault::HangAfter, On::Any, 1);
        tokio::select! {
            _ = try_create(&sandbox, &token) => panic!("an answer"),
            () = until(|| labels(&handle).len() == 2) => {}
        }
    }
}

#[tokio::test]
async fn a_delayed_creation_happens_although_the_caller_has_left() {
    for (sandbox, handle, token) in both().await {
        handle.inject(Fault::Delay(Duration::from_millis(200)), On::Any, 1);
        tokio::select! {
            _ = try_create(&sandbox, &token) => {}
            () = until(|| !handle.requests().is_empty()) => {}
        }
        until(|| labels(&handle).len() == 2).await;
    }
}

#[tokio::test]
async fn a_dripping_answer_arrives_whole() {
    for (sandbox, handle, token) in both().await {
        handle.inject(Fault::SlowDrip(Duration::from_millis(1)), On::Any, 1);
        let answer = try_create(&sandbox, &token).await.unwrap();
        let account = &answer.json()["data"]["createWorkspaceServiceAccount"];
        assert_eq!(account["label"], "new");
    }
}

#[tokio::test]
async fn a_canned_answer_comes_with_or_without_the_work() {
    for (sandbox, handle, token) in both().await {
        for (executed, expected) in [(false, 1), (true, 2)] {
            let fault = Fault::Answer {
                status: 429,
                headers: vec![("retry-after".into(), "7".into())],
                body: "<html>slow down</html>".into(),
                executed,
            };
            handle.inject(fault, On::Any, 1);
            let answer = try_create(&sandbox, &token).await.unwrap();
            assert_eq!(
                (answer.status, answer.header("retry-after")),
                (429, Some("7"))
            );
            assert_eq!(answer.body, "<html>slow down</html>");
            assert_eq!(labels(&handle).len(), expected);
        }
    }
}

#[tokio::test]
async fn an_error_comes_with_or_without_the_work_and_leaves_null() {
    for (sandbox, handle, token) in both().await {
        let (code, message) = (String::from("LUCK"), String::from("out of luck"));
        let before = Fault::ErrorBefore {
            code: code.clone(),
            message: message.clone(),
        };
        for (fault, expected) in [(before, 1), (Fault::ErrorAfter { code, message }, 2)] {
            handle.inject(fault, On::Any, 1);
            let answer = try_create(&sandbox, &token).await.unwrap();
            assert_eq!((answer.status, answer.code().as_str()), (200, "LUCK"));
            let nothing = match handle.line() {
                Line::Today => json!(null),
                Line::Of2020 => json!({ "createWorkspaceServiceAccount": null }),
            };
            assert_eq!(answer.json()["data"], nothing);
            let path = json!(["createWorkspaceServiceAccount"]);
            assert_eq!(answer.json()["errors"][0]["path"], path);
            assert_eq!(labels(&handle).len(), expected);
        }
    }
}

#[tokio::test]
async fn a_fault_can_wait_for_a_later_request() {
    for (sandbox, handle, token) in both().await {
        handle.inject_nth(Fault::DropBefore, On::Field("workspaceServiceAccounts"), 2);
        let list = async || {
            let headers = format!("content-type: application/json\r\nauthorization: {token}\r\n");
            let body = json!({ "query": LIST, "variables": { "workspace": "w1" } }).to_string();
            raw(&sandbox, &headers, &body).await.is_some()
        };
        assert!(list().await);
        graphql(&sandbox, &token, "{ workspaces { id } }", json!({})).await;
        assert!(!list().await);
        assert!(list().await);
    }
}

#[tokio::test]
async fn a_fault_for_a_field_spares_the_others_and_wears_off() {
    for (sandbox, handle, token) in both().await {
        handle.inject(
            Fault::DropBefore,
            On::Field("createWorkspaceServiceAccount"),
            2,
        );
        let answer = graphql(&sandbox, &token, "{ workspaces { id } }", json!({})).await;
        assert_eq!(answer.status, 200);
        assert!(try_create(&sandbox, &token).await.is_none());
        assert!(try_create(&sandbox, &token).await.is_none());
        assert!(try_create(&sandbox, &token).await.is_some());
    }
}

#[tokio::test]
async fn remembers_what_was_asked_and_answered() {
    for (sandbox, handle, token) in both().await {
        graphql(&sandbox, &token, LIST, json!({ "workspace": "w1" })).await;
        let requests = handle.requests();
        let request = requests.first().unwrap();
        assert_eq!(request.operation, ["workspaceServiceAccounts"]);
        assert_eq!(request.variables, json!({ "workspace": "w1" }));
        assert_eq!(request.authorization.as_deref(), Some(token.as_str()));
        assert_eq!(request.status, Some(200));
        handle.clear_requests();
        assert!(handle.requests().is_empty());
    }
}

#[tokio::test]
async fn a_dropped_sandbox_is_gone() {
    for (sandbox, _, _) in both().await {
        let address = sandbox.url().replace("http://", "").replace("/v1", "");
        drop(sandbox);
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
