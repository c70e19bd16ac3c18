//! The bundle for desktop hosts: its manifest fits this version, these settings and these tools.
//! `tests/clients/run` packs it with its own tool, which needs Node.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::harness::*;

fn manifest() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mcpb/manifest.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The environment that a host makes if its user has set nothing but `chosen`.
fn environment(manifest: &Value, chosen: &Value) -> Vec<(String, String)> {
    let variables = manifest["server"]["mcp_config"]["env"].as_object().unwrap();
    let filled_in = variables.iter().map(|(variable, value)| {
        let name = value
            .as_str()
            .and_then(|text| text.strip_prefix("${user_config."));
        let name = name.and_then(|text| text.strip_suffix('}')).unwrap();
        let option = &manifest["user_config"][name];
        let value = chosen.get(name).unwrap_or(&option["default"]);
        let text = value.as_str().map_or(value.to_string(), str::to_owned);
        (variable.clone(), text)
    });
    filled_in.collect()
}

async fn installed(chosen: Value) -> Session {
    let program = environment(&manifest(), &chosen)
        .into_iter()
        .fold(Program::bare(), |program, (name, value)| {
            program.env(&name, value)
        });
    program.serve(Era::USUAL).await
}

#[test]
fn the_bundle_has_the_version_of_the_crate() {
    assert_eq!(manifest()["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_choice_has_a_default_and_sets_one_variable() {
    let manifest = manifest();
    let options = keys(&manifest["user_config"]);
    assert_eq!(environment(&manifest, &json!({})).len(), options.len());
    for option in options {
        let option = &manifest["user_config"][option];
        assert!(option.get("default").is_some(), "{option}");
    }
    assert_eq!(manifest["user_config"]["api_token"]["sensitive"], true);
}

#[tokio::test]
async fn as_installed_it_lists_its_tools_and_says_what_is_missing() {
    let mut session = installed(json!({})).await;
    let listed: Vec<_> = session.list_tools().await;
    let listed: Vec<_> = listed.iter().map(|tool| tool["name"].clone()).collect();
    let manifest = manifest();
    let announced: Vec<_> = manifest["tools"].as_array().unwrap().iter().collect();
    let announced: Vec<_> = announced.iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(listed, announced);
    let refused = session.call("get_service_accounts", json!({})).await;
    let text = refused.refusal("not_configured");
    assert!(
        !text.contains("placeholder") && !text.contains("APC_MAX_ROLE"),
        "{text}"
    );
}

#[tokio::test]
async fn every_choice_reaches_the_server() {
    let mut session = installed(json!({"sandbox": true, "read_only": true})).await;
    assert_eq!(session.list_tools().await.len(), 1);
    assert!(
        !session
            .call("get_service_accounts", json!({}))
            .await
            .is_error()
    );

    for (choice, variable) in [
        ("levels", "APC_LEVELS"),
        ("max_role", "APC_MAX_ROLE"),
        ("confirm", "APC_CONFIRM"),
        ("domain", "APC_DOMAIN"),
        ("ca_cert", "APC_CA_CERT"),
        ("api_token", "APC_API_TOKEN"),
    ] {
        let mut chosen = json!({"domain": "acme.dev", "api_token": UNKNOWN_KEY});
        chosen[choice] = json!("${wrong}");
        let refused = installed(chosen)
            .await
            .call("get_service_accounts", json!({}))
            .await;
        assert!(
            refused.refusal("not_configured").contains(variable),
            "{choice}"
        );
    }
}
