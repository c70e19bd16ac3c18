//! Requests that both lines refuse before they execute anything, and the pages that they answer with.

use serde_json::json;

use crate::support::{CREATE, LIST, both, graphql, labels, new_ci, post, refusal, told};

#[tokio::test]
async fn answers_a_malformed_body_with_a_page() {
    for (sandbox, _, token) in both().await {
        let answer = post(&sandbox, Some(&token), "{\"query\": ").await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(answer.body.starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn answers_a_body_over_100_kb_with_a_page() {
    for (sandbox, _, token) in both().await {
        let body = json!({ "query": "{ workspaces { id } }", "x": "x".repeat(100 * 1024) });
        let answer = post(&sandbox, Some(&token), &body.to_string()).await;
        assert_eq!(answer.status, 413);
        assert!(answer.body.starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn answers_headers_over_8_kb_with_nothing_but_a_status() {
    for (sandbox, _, _) in both().await {
        let answer = post(&sandbox, Some(&"x".repeat(9000)), "{}").await;
        assert_eq!((answer.status, answer.body.as_str()), (431, ""));
    }
}

#[tokio::test]
async fn answers_an_empty_body_with_a_page() {
    for (sandbox, _, token) in both().await {
        let answer = post(&sandbox, Some(&token), "").await;
        assert_eq!(answer.status, 500);
        assert!(answer.body.starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn dates_its_answers() {
    for (sandbox, _, token) in both().await {
        let answer = graphql(&sandbox, &token, "{ workspaces { id } }", json!({})).await;
        assert!(answer.header("date").unwrap().ends_with("GMT"));
    }
}

#[tokio::test]
async fn refuses_a_variable_that_is_missing_or_of_the_wrong_type() {
    for (sandbox, handle, token) in both().await {
        for (name, value) in [
            ("label", json!(5)),
            ("role", json!(5)),
            ("workspace", json!(null)),
        ] {
            let mut variables = new_ci();
            variables[name] = value;
            let answer = graphql(&sandbox, &token, CREATE, variables).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "INTERNAL_SERVER_ERROR")
            );
            assert!(answer.json().get("data").is_none());
        }
        let answer = graphql(&sandbox, &token, CREATE, json!({ "label": "new" })).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "INTERNAL_SERVER_ERROR")
        );
        assert_eq!(labels(&handle), ["ci"]);
    }
}

#[tokio::test]
async fn refuses_a_document_whose_variable_is_declared_of_another_type() {
    for (sandbox, handle, token) in both().await {
        for (from, to) in [("Uuid!", "ID!"), ("Uuid!", "Uuid"), ("Role!", "String!")] {
            let query = CREATE.replace(from, to);
            let answer = graphql(&sandbox, &token, &query, new_ci()).await;
            let refusal = (answer.status, answer.code());
            assert_eq!(refusal, (400, "GRAPHQL_VALIDATION_FAILED".into()), "{to}");
        }
        assert_eq!(labels(&handle), ["ci"]);
    }
}

#[tokio::test]
async fn takes_any_value_for_an_id() {
    for (sandbox, _, token) in both().await {
        let answer = graphql(&sandbox, &token, LIST, json!({ "workspace": 5 })).await;
        let code = refusal(sandbox.handle().line());
        assert_eq!((answer.status, answer.code().as_str()), (200, code));
    }
}

#[tokio::test]
async fn refuses_a_string_in_place_of_a_role() {
    for (sandbox, handle, token) in both().await {
        let query = "mutation { createWorkspaceServiceAccount(
            label: \"new\", workspaceUuid: \"w1\", role: \"WORKSPACE_VIEWER\") { id } }";
        let answer = graphql(&sandbox, &token, query, json!({})).await;
        let told = (answer.status, answer.code());
        assert_eq!(told, (400, "GRAPHQL_VALIDATION_FAILED".into()));
        assert_eq!(labels(&handle), ["ci"]);
        let query = query.replace("\"WORKSPACE_VIEWER\"", "WORKSPACE_VIEWER");
        assert_eq!(
            graphql(&sandbox, &token, &query, json!({})).await.code(),
            ""
        );
    }
}

#[tokio::test]
async fn refuses_introspection() {
    for (sandbox, _, token) in both().await {
        for query in [
            "{ __schema { types { name } } }",
            "{ __type(name: \"Query\") { name } }",
        ] {
            let answer = graphql(&sandbox, &token, query, json!({})).await;
            let body = answer.json();
            let (message, code) = told(&body);
            assert!(message.starts_with("GraphQL introspection is not allowed"));
            assert_eq!((answer.status, code), (400, "GRAPHQL_VALIDATION_FAILED"));
        }
        let query = "{ workspaces { __typename } }";
        let body = graphql(&sandbox, &token, query, json!({})).await.json();
        assert_eq!(
            body["data"]["workspaces"],
            json!([{ "__typename": "Workspace" }])
        );
    }
}
