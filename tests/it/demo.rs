//! `apc-mcp demo`: what a person sees who types one command.

use apc_sandbox::{Persona, Sandbox};

use crate::support::clients::names_in;
use crate::support::harness::*;

#[tokio::test]
async fn it_shows_the_tools_and_the_life_of_an_account_and_succeeds() {
    let shown = Program::bare().args(&["demo"]).run().await;
    assert!(shown.status.success(), "{}", shown.stderr);
    let story = [
        "create_service_account:",
        "delete_service_account:",
        "get_service_accounts:",
        "> create_service_account {",
        "\"service_account\": {",
        "> get_service_accounts {",
        "\"total\": 1",
        "> create_service_account {\"label\":\"airflow-api\",\"deployment_id\":",
        "\"role\": \"DEPLOYMENT_EDITOR\"",
        "\"deployment_id\": \"",
        "> create_service_account {",
        "SYSTEM_ADMIN",
        "invalid_arguments: role is 'SYSTEM_ADMIN'",
        "> delete_service_account {",
        "? ",
        "'nightly-etl'",
        "The user says yes.",
        "\"deleted\": true",
        "> get_service_accounts {",
        "\"total\": 0",
        "apc-mcp client NAME",
    ];
    let mut rest = shown.stdout.as_str();
    for part in story {
        let found = rest.split_once(part);
        (_, rest) = found.unwrap_or_else(|| panic!("{part:?} is not in: {rest}"));
    }
    assert_eq!(shown.stderr, "");
}

#[tokio::test]
async fn it_is_plain_text_where_nobody_sees_colours() {
    let shown = Program::bare().args(&["demo"]).run().await;
    assert!(!shown.stdout.contains('\u{1b}'), "{}", shown.stdout);
}

#[tokio::test]
async fn it_ignores_the_settings_of_the_person_even_broken_ones() {
    let trap = Sandbox::start(0).await.unwrap();
    let shown = Program::at(&trap, Persona::WorkspaceAdmin)
        .env("APC_TIMEOUT", "soon")
        .env("APC_WORKSPACE_ID", "not an id")
        .env("APC_SANDBOX", "perhaps")
        .env("APC_DOMAIN", "${env:DOMAIN}")
        .args(&["demo"])
        .run()
        .await;
    assert!(shown.status.success(), "{}", shown.stderr);
    assert_says(&shown.stdout, &["nightly-etl", "invalid_arguments"]);
    assert_eq!(trap.handle().requests(), []);
}

#[tokio::test]
async fn it_leaves_nothing_in_the_home_and_no_temporary_file() {
    let program = Program::bare().args(&["demo"]);
    assert!(program.run().await.status.success());
    let names = |path: &str| names_in(program.path(path).as_ref());
    assert_eq!(names(""), [".tmp"]);
    assert_eq!(names(".tmp"), Vec::<String>::new());
}
