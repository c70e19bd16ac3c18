//! The switches of the handle that releases and installations differ by, on both lines.

use std::time::{Duration, SystemTime};

use apc_sandbox::{Breakage, Line, NewAccount, On, Role};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{CREATE, LIST_WITHOUT_DATE, both, graphql, labels, new_ci, try_create, w1};

#[tokio::test]
async fn a_category_that_was_left_out_is_null_or_blank() {
    for (sandbox, handle, token) in both().await {
        let create = CREATE.replace("{ id apiKey label }", "{ category }");
        for (label, category) in [("one", json!(null)), ("two", json!(""))] {
            let mut variables = new_ci();
            variables["label"] = label.into();
            let body = graphql(&sandbox, &token, &create, variables).await.json();
            let created = json!({ "category": category });
            assert_eq!(body["data"]["createWorkspaceServiceAccount"], created);
            handle.blank_categories();
        }
    }
}

#[tokio::test]
async fn a_key_can_be_masked_from_the_start() {
    for (sandbox, handle, token) in both().await {
        handle.mask_new_keys();
        let body = try_create(&sandbox, &token).await.unwrap().json();
        let shown = body["data"]["createWorkspaceServiceAccount"]["apiKey"].clone();
        let new = &handle.accounts()[1];
        assert_eq!(shown, format!("{}{}", &new.key[..6], "*".repeat(26)));
    }
}

#[tokio::test]
async fn a_skewed_clock_shows_in_new_rows_and_in_the_date_header() {
    let hours_ahead = |time: DateTime<FixedOffset>| {
        let ahead = time.to_utc() - DateTime::<Utc>::from(SystemTime::now());
        (ahead.as_seconds_f64() / 3600.0).round()
    };
    let create = CREATE.replace("{ id apiKey label }", "{ createdAt }");
    for (sandbox, handle, token) in both().await {
        for (label, skew) in [("ahead", 5), ("behind", -5)] {
            handle.skew_clock(TimeDelta::hours(skew));
            let variables = json!({ "label": label, "workspace": "w1", "role": "USER" });
            let answer = graphql(&sandbox, &token, &create, variables).await;
            let body = answer.json();
            let created = body["data"]["createWorkspaceServiceAccount"]["createdAt"].as_str();
            let created = DateTime::parse_from_rfc3339(created.unwrap()).unwrap();
            let date = DateTime::parse_from_rfc2822(answer.header("date").unwrap()).unwrap();
            let ahead = [hours_ahead(created), hours_ahead(date)];
            assert_eq!(ahead, [skew as f64, skew as f64]);
        }
    }
}

#[tokio::test]
async fn parallel_creations_of_one_label_are_all_made_while_the_window_is_open() {
    for (sandbox, handle, token) in both().await {
        handle.set_duplicate_check(true);
        handle.race_creations(4);
        let creations = (0..4).map(|_| try_create(&sandbox, &token));
        for answer in join_all(creations).await {
            assert_eq!(answer.unwrap().code(), "");
        }
        assert_eq!(labels(&handle), ["ci", "new", "new", "new", "new"]);
        let fifth = try_create(&sandbox, &token).await.unwrap();
        assert_eq!(fifth.code(), "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn a_broken_row_costs_itself_or_the_list() {
    for (sandbox, handle, token) in both().await {
        handle.add_account(NewAccount {
            id: Some("a2".into()),
            age: Duration::from_secs(60),
            ..NewAccount::new("older", Role::WorkspaceViewer, w1())
        });
        let list = async || {
            let variables = json!({ "workspace": "w1" });
            graphql(&sandbox, &token, LIST_WITHOUT_DATE, variables)
                .await
                .json()
        };
        assert!(handle.break_account("a2", Breakage::Row));
        assert!(!handle.break_account("nobody", Breakage::Row));
        let body = list().await;
        let rows = &body["data"]["workspaceServiceAccounts"];
        assert_eq!((&rows[0]["id"], &rows[1]), (&json!("a1"), &json!(null)));
        let path = json!(["workspaceServiceAccounts", 1, "id"]);
        assert_eq!(body["errors"][0]["path"], path);
        let binding = match handle.line() {
            Line::Today => "roleBindings",
            Line::Of2020 => "roleBinding",
        };
        let fields = format!("{{ id {binding} {{ serviceAccount {{ id }} }} }}");
        let query = LIST_WITHOUT_DATE.replace("{ id apiKey }", &fields);
        let nested = graphql(&sandbox, &token, &query, json!({ "workspace": "w1" }))
            .await
            .json();
        assert_eq!(nested["data"]["workspaceServiceAccounts"][1], json!(null));
        handle.break_account("a2", Breakage::List);
        let body = list().await;
        assert_eq!(body["data"], json!({ "workspaceServiceAccounts": null }));
        assert_eq!(body["errors"][0]["path"], path);
        assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_colleague_can_create_an_account_just_before_a_request() {
    for (sandbox, handle, token) in both().await {
        let colleagues = NewAccount::new("theirs", Role::User, w1());
        handle.add_account_on(On::Field("createWorkspaceServiceAccount"), colleagues);
        let theirs = || {
            labels(&handle)
                .iter()
                .filter(|label| *label == "theirs")
                .count()
        };
        assert_eq!(theirs(), 0);
        for _ in 0..2 {
            try_create(&sandbox, &token).await.unwrap();
            assert_eq!(theirs(), 1);
        }
    }
}
