//! Mutations of what others write: answers of the API, the astro CLI's file, a user's answers. Whatever comes, the server
//! goes on, answers in codes that are documented, and lets no secret out.
//!
//! Lines on standard input are in `wire`.

use std::collections::BTreeMap;

use apc_sandbox::{Handle, Persona, Role, Sandbox};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::clients::*;
use crate::support::harness::*;
use crate::support::installation::{LOGIN, list, login_in};
use crate::support::standin::*;

/// The number of mutations of each kind.
const CASES: u32 = 48;

/// Every code that a result may have.
const CODES: [&str; 16] = [
    "invalid_arguments",
    "not_configured",
    "unauthenticated",
    "permission_denied",
    "not_allowed",
    "declined",
    "confirmation_required",
    "not_found",
    "already_exists",
    "rate_limited",
    "unreachable",
    "timed_out",
    "outcome_unknown",
    "api_error",
    "incompatible_api",
    "internal_error",
];

/// Tries many values, and shows the simplest that fails.
fn try_all<S: Strategy>(values: &S, mut test: impl FnMut(S::Value)) {
    let config = Config {
        cases: CASES,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let test = std::cell::RefCell::new(&mut test);
    let tried = TestRunner::new(config).run(values, |value| {
        (test.borrow_mut())(value);
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A change of one value somewhere in a document.
#[derive(Clone, Debug)]
struct Mutation {
    at: Index,
    becomes: Becomes,
}

#[derive(Clone, Debug)]
enum Becomes {
    Value(Value),
    Nested(usize),
    Listed,
    Twice,
    Gone,
}

fn mutation(deepest: usize) -> impl Strategy<Value = Mutation> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!([null])),
        Just(json!(true)),
        Just(json!("")),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("\u{0}\u{202e}\n'")),
        Just(json!(UNKNOWN_KEY)),
        Just(json!("x".repeat(100_000))),
    ];
    let becomes = prop_oneof![
        8 => value.prop_map(Becomes::Value),
        1 => (1..deepest).prop_map(Becomes::Nested),
        1 => Just(Becomes::Listed),
        1 => Just(Becomes::Twice),
        2 => Just(Becomes::Gone),
    ];
    (any::<Index>(), becomes).prop_map(|(at, becomes)| Mutation { at, becomes })
}

/// The paths of all values of a document.
fn paths(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                paths(value, &format!("{here}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                paths(value, &format!("{here}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn mutate(document: &mut Value, mutation: &Mutation) {
    let mut all = Vec::new();
    paths(document, "", &mut all);
    let path = mutation.at.get(&all);
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", ""));
    if let (Becomes::Gone, Some(Value::Object(members))) =
        (&mutation.becomes, document.pointer_mut(parent))
    {
        members.remove(name);
        return;
    }
    let value = document.pointer_mut(path).unwrap();
    let old = value.take();
    *value = match &mutation.becomes {
        Becomes::Value(new) => new.clone(),
        Becomes::Nested(depth) => (0..*depth).fold(old, |inner, _| json!([inner])),
        Becomes::Listed => json!([old]),
        Becomes::Twice => json!([old, old]),
        Becomes::Gone => Value::Null,
    };
}

/// A change of the bytes of an answer.
#[derive(Clone, Debug)]
enum Bytes {
    AsTheyAre,
    Cut(Index),
    Put(Index, u8),
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => Just(Bytes::AsTheyAre),
        1 => any::<Index>().prop_map(Bytes::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Bytes::Put(at, byte)),
    ]
}

impl Bytes {
    fn change(&self, mut body: Vec<u8>) -> Vec<u8> {
        match self {
            Self::AsTheyAre => {}
            Self::Cut(at) => body.truncate(at.index(body.len())),
            Self::Put(at, byte) => {
                let at = at.index(body.len());
                body[at] = *byte;
            }
        }
        body
    }
}

/// A list as the API answers with it: whole keys, several bindings, errors beside the data.
fn listed(handle: &Handle) -> Value {
    let rows: Vec<_> = handle.accounts().iter().map(row).collect();
    let error = json!({"message": "x", "path": [LIST, 0, "label"], "extensions": {"code": "NEW"}});
    json!({"data": {LIST: rows}, "errors": [error]})
}

fn row(account: &apc_sandbox::AccountSnapshot) -> Value {
    json!({
        "id": account.id, "label": format!("{} {}", account.label, account.key), "apiKey": account.key,
        "category": null, "active": true, "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z", "lastUsedAt": null,
        "roleBindings": [
            {"role": "WORKSPACE_VIEWER", "workspace": {"id": ANALYTICS}, "deployment": null},
            {"role": "SYSTEM_ADMIN", "workspace": null, "deployment": {"id": account.key}},
        ],
    })
}

/// A result in the words that are documented, without any of these secrets.
fn assert_sound(outcome: &Outcome, secrets: &[String], what: &str) {
    let shown = outcome.result.to_string();
    let out = secrets.iter().find(|secret| shown.contains(*secret));
    assert_eq!(out, None, "{what}: {shown}");
    if outcome.is_error() {
        assert!(CODES.contains(&outcome.code()), "{what}: {shown}");
        assert_ne!(outcome.code(), "internal_error", "{what}: {shown}");
    } else {
        outcome.structured();
    }
}

#[test]
fn mutated_answers_of_the_api_end_no_server_and_let_no_key_out() {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start(0)).unwrap();
    let before = runtime.block_on(StandIn::before(&sandbox));
    let program = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", before.url())
        .env("APC_CONFIRM", "never");
    let mut session = runtime.block_on(program.serve(Era::USUAL));
    let secrets: Vec<_> = sandbox
        .handle()
        .accounts()
        .into_iter()
        .map(|a| a.key)
        .collect();
    let true_list = listed(&sandbox.handle());
    let answers = |body: Vec<u8>, status: u16| {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
        before.arm(LIST, Play::Bytes(answer_of(&head, &body)), false, 0);
    };
    let calls: BTreeMap<_, _> = [
        (GET_TOOL, json!({"workspace_id": ANALYTICS})),
        (DELETE_TOOL, deletion_of(NOTHING)),
        (
            CREATE_TOOL,
            json!({"label": "ci-deploy", "workspace_id": NOTHING}),
        ),
    ]
    .into();
    // Every key is known from then on, whatever becomes of the member that it stands in.
    answers(true_list.to_string().into_bytes(), 200);
    runtime
        .block_on(session.call(GET_TOOL, calls[GET_TOOL].clone()))
        .structured();
    let status = prop_oneof![6 => Just(200_u16), 1 => Just(400), 1 => Just(500)];
    let mutated = (prop::collection::vec(mutation(300), 1..4), bytes(), status);
    try_all(&mutated, |(mutations, bytes, status)| {
        let mut document = true_list.clone();
        mutations
            .iter()
            .for_each(|mutation| mutate(&mut document, mutation));
        let body = bytes.change(document.to_string().into_bytes());
        let what = String::from_utf8_lossy(&body).into_owned();
        answers(body, status);
        for (tool, arguments) in &calls {
            let outcome = runtime.block_on(session.call(tool, arguments.clone()));
            assert_sound(&outcome, &secrets, &what);
        }
    });
    // A mutated list may lack the label, so a creation may be sent; but there is no such workspace.
    let keys = sandbox.handle().accounts().into_iter().map(|a| a.key);
    assert_eq!(keys.collect::<Vec<_>>(), secrets);
    assert_eq!(runtime.block_on(session.list_tools()).len(), 3);
}

#[test]
fn mutated_files_of_the_astro_cli_end_no_server_and_let_no_token_out() {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start(0)).unwrap();
    let token = sandbox.token(Persona::WorkspaceAdmin);
    let true_login = login_in(&sandbox.url(), &token, ANALYTICS);
    let lines: Vec<_> = true_login.lines().map(str::to_owned).collect();
    let mut session = runtime.block_on(Program::bare().serve(Era::USUAL));
    let secrets = [token];
    let strange = prop_oneof![
        Just("contexts: [".to_owned()),
        Just("  localhost: &a [*a, *a]".to_owned()),
        Just("\tcontext: x".to_owned()),
        Just("context: {localhost: 1}".to_owned()),
        Just("contexts: null".to_owned()),
        Just("? - - - :".to_owned()),
        Just("--- !!binary |".to_owned()),
        Just("    token: \"\\u0000\"".to_owned()),
        Just("    domain: 5".to_owned()),
        Just("%YAML 9.9".to_owned()),
        Just("[".repeat(5_000)),
        "[ -~\u{0}-\u{1f}]{0,30}",
    ];
    let edit = (any::<Index>(), any::<Index>(), 0..4_u8, strange);
    let mutated = (prop::collection::vec(edit, 1..4), bytes());
    try_all(&mutated, |(edits, bytes)| {
        let mut lines = lines.clone();
        for (at, other, kind, strange) in edits {
            let (at, other) = (at.index(lines.len()), other.index(lines.len()));
            match kind {
                0 => lines.swap(at, other),
                1 => lines.insert(at, lines[other].clone()),
                2 => lines[at] = strange,
                _ => lines.insert(at, strange),
            }
        }
        let text = bytes.change(lines.join("\n").into_bytes());
        let what = String::from_utf8_lossy(&text).into_owned();
        std::fs::create_dir_all(session.home().join(".astro")).unwrap();
        std::fs::write(session.home().join(LOGIN), text).unwrap();
        let outcome = runtime.block_on(list(&mut session));
        assert_sound(&outcome, &secrets, &what);
    });
    assert_eq!(runtime.block_on(session.list_tools()).len(), 3);
}

#[test]
fn mutated_answers_of_a_user_delete_nothing_without_a_yes() {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start(0)).unwrap();
    let handle = sandbox.handle();
    let mut session = runtime.block_on(
        asking(&sandbox)
            .env("APC_MAX_CHANGES_PER_MINUTE", "0")
            .serve(Era::USUAL),
    );
    let secrets: Vec<_> = handle
        .accounts()
        .into_iter()
        .map(|account| account.key)
        .collect();
    // A line of more than 128 levels is no message, so it answers nothing.
    try_all(&prop::collection::vec(mutation(100), 1..3), |mutations| {
        let account = handle.add_account(colleague("doomed", Role::WorkspaceViewer));
        let question = runtime.block_on(session.pose(DELETE_TOOL, deletion_of(&account.id)));
        let yes = question.accept(true);
        let mut answer = yes.clone();
        mutations
            .iter()
            .for_each(|mutation| mutate(&mut answer, mutation));
        let what = answer.to_string();
        let is_yes = answer["action"] == "accept"
            && keys(&yes["content"])
                .iter()
                .all(|field| answer["content"][field] == true);
        let outcome = runtime.block_on(session.answer(question, answer));
        assert_sound(&outcome, &secrets, &what);
        assert_eq!(
            exists(&handle, &account.id),
            !is_yes,
            "{what}: {}",
            outcome.result
        );
    });
}
