//! The contract in tools/ is what the server really says, over the real pipe.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::contract::folder;
use crate::support::harness::{Era, Program};

const REWRITE: &str = "To accept the change: UPDATE_TOOLS=1 cargo test --test it snapshots";

async fn tools(era: Era) -> Vec<Value> {
    Program::bare().serve(era).await.list_tools().await
}

fn name(tool: &Value) -> &str {
    tool["name"].as_str().expect("a name")
}

/// The entry as it stands in its file: pretty, in the order in which the server says it.
fn written(tool: &Value) -> String {
    let pretty = serde_json::to_string_pretty(tool).unwrap();
    format!("{pretty}\n")
}

fn on_disk() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder()).into_iter().flatten();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn the_files_in_tools_are_exactly_the_entries_of_the_list() {
    let tools = tools(Era::USUAL).await;
    let listed: BTreeMap<_, _> = tools
        .iter()
        .map(|tool| (format!("{}.json", name(tool)), written(tool)))
        .collect();
    if std::env::var_os("UPDATE_TOOLS").is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).unwrap();
        for (file, text) in &listed {
            std::fs::write(folder().join(file), text).unwrap();
        }
    }
    let files = on_disk();
    let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        names(&files),
        names(&listed),
        "a file too few or too many in tools/. {REWRITE}"
    );
    for (file, text) in &listed {
        assert_eq!(
            &files[file], text,
            "tools/{file} is not what the server says. {REWRITE}"
        );
    }
}

#[tokio::test]
async fn every_era_lists_the_same_tools() {
    let usual = tools(Era::USUAL).await;
    for era in Era::ALL {
        assert_eq!(tools(era).await, usual, "{era:?}");
    }
}

#[tokio::test]
async fn a_model_reads_at_most_3900_characters_of_the_tools() {
    let tools = tools(Era::USUAL).await;
    let seen = tools.iter().map(|tool| {
        let seen = serde_json::json!({
            "name": tool["name"],
            "description": tool["description"],
            "inputSchema": tool["inputSchema"],
        });
        seen.to_string().chars().count()
    });
    let length: usize = seen.sum();
    assert!(length <= 3_900, "a model reads {length} characters");
}

#[tokio::test]
async fn every_tool_says_what_it_is_for_and_what_it_may_do() {
    for tool in tools(Era::USUAL).await {
        let description = tool["description"].as_str().unwrap();
        assert!(description.chars().count() >= 60, "{description}");
        assert!(
            tool["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["outputSchema"]["type"], "object");
    }
}

#[tokio::test]
async fn the_hints_are_those_of_the_design() {
    let hints = |read_only, destructive, idempotent| {
        serde_json::json!({
            "readOnlyHint": read_only, "destructiveHint": destructive,
            "idempotentHint": idempotent, "openWorldHint": true,
        })
    };
    for tool in tools(Era::USUAL).await {
        let expected = match name(&tool) {
            "create_service_account" => hints(false, false, false),
            "delete_service_account" => hints(false, true, true),
            "get_service_accounts" => hints(true, false, true),
            other => panic!("{other}"),
        };
        assert_eq!(tool["annotations"], expected, "{}", name(&tool));
    }
}

#[tokio::test]
async fn the_schemas_are_flat() {
    for tool in tools(Era::USUAL).await {
        for schema in ["inputSchema", "outputSchema"] {
            assert_flat(&tool[schema], &format!("{} {schema}", name(&tool)));
        }
        assert_eq!(tool["inputSchema"].get("additionalProperties"), None);
    }
}

fn assert_flat(schema: &Value, place: &str) {
    match schema {
        Value::Object(members) => {
            for banned in [
                "$ref", "$defs", "$schema", "oneOf", "anyOf", "allOf", "format", "nullable",
            ] {
                assert!(!members.contains_key(banned), "{banned} in {place}");
            }
            assert!(
                members.get("type").is_none_or(|kind| kind != "null"),
                "{place}"
            );
            for (name, member) in members {
                assert_flat(member, &format!("{place}/{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                assert_ne!(item, "null", "{place}");
                assert_flat(item, place);
            }
        }
        other => assert!(!other.is_null(), "null in {place}"),
    }
}

#[tokio::test]
async fn every_argument_says_its_bounds_and_its_default_in_words() {
    for tool in tools(Era::USUAL).await {
        let arguments = tool["inputSchema"]["properties"].as_object().unwrap();
        let required = tool["inputSchema"]["required"].as_array();
        for (argument, schema) in arguments {
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{} {argument}", name(&tool));
            for bound in ["maxLength", "minimum", "maximum", "default"] {
                let Some(value) = schema.get(bound) else {
                    continue;
                };
                let value = value.to_string().replace('"', "");
                // The description of a role says the ranks.
                let said = value.trim_start_matches("WORKSPACE_");
                assert!(
                    description.contains(said),
                    "{argument} {bound} {value}: {description}"
                );
            }
            let is_required =
                required.is_some_and(|names| names.iter().any(|name| name == argument));
            for keyword in ["pattern", "minLength"] {
                assert!(
                    is_required || schema.get(keyword).is_none(),
                    "{argument} {keyword}"
                );
            }
        }
    }
}

/// The arguments in the order of the schema.
fn in_order(schema: &Value) -> Vec<&str> {
    let properties = schema["properties"].as_object().unwrap();
    properties.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_arguments_and_their_bounds_are_those_of_the_design() {
    let tools = tools(Era::USUAL).await;
    let input = |index: usize| &tools[index]["inputSchema"];
    let property = |index: usize, name: &str| input(index)["properties"][name].clone();

    assert_eq!(
        in_order(input(0)),
        ["label", "workspace_id", "deployment_id", "role", "category"]
    );
    assert_eq!(input(0)["required"], serde_json::json!(["label"]));
    assert_eq!(
        property(0, "role")["enum"],
        serde_json::json!([
            "WORKSPACE_VIEWER",
            "WORKSPACE_EDITOR",
            "WORKSPACE_ADMIN",
            "DEPLOYMENT_VIEWER",
            "DEPLOYMENT_EDITOR",
            "DEPLOYMENT_ADMIN",
        ])
    );
    assert_eq!(property(0, "label")["maxLength"], 255);
    assert_eq!(property(0, "category")["maxLength"], 255);

    assert_eq!(
        in_order(input(1)),
        ["service_account_id", "workspace_id", "deployment_id"]
    );
    assert_eq!(input(1).get("required"), None);

    let expected = [
        "workspace_id",
        "deployment_id",
        "include_deployments",
        "label",
        "service_account_id",
        "role",
        "category",
        "key_prefix",
        "unused_since",
        "order",
        "limit",
        "cursor",
    ];
    assert_eq!(in_order(input(2)), expected);
    assert_eq!(input(2).get("required"), None);
    assert_eq!(property(2, "limit")["minimum"], 0);
    assert_eq!(property(2, "limit")["maximum"], 200);
    assert_eq!(property(2, "limit")["default"], 50);
    assert_eq!(
        property(2, "order")["enum"],
        serde_json::json!(["oldest", "newest"])
    );
}
