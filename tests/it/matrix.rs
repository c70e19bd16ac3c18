//! The fault matrix: everything that can come back instead of an answer, for every tool. Each cell
//! says what the call comes to, and what is true at the API afterwards.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use apc_sandbox::{Entity, Fault, Handle, Line, NewAccount, On, Persona, Role, Sandbox};
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Map, Value, json};

use crate::support::clients::{kept_in, key_dir};
use crate::support::harness::*;
use crate::support::standin::*;

/// The peak memory that a server may have, in KiB: a body of 32 MiB while its buffer grows, and the rest of a debug
/// build.
const MEMORY_MAX: u64 = 200 * 1024;

const PAGE: &str = "<!DOCTYPE html><html><body>Sign in</body></html>";

/// The answer is good.
const OK: &str = "ok";
/// The answer was lost, and what became of the change was found out.
const FOUND: &str = "recovered";
const UNKNOWN: &str = "outcome_unknown";
const API: &str = "api_error";
const ALIEN: &str = "incompatible_api";
const LOST: &str = "unreachable";
const LATE: &str = "timed_out";
const BUSY: &str = "rate_limited";

/// A fault, whether the API has done its work by then, and what each tool makes of it:
/// get, create, delete.
struct Row {
    name: String,
    play: Play,
    executed: bool,
    seconds: &'static str,
    comes_to: [&'static str; 3],
}

const NOT_DONE: bool = false;
const DONE: bool = true;

fn row(name: &str, play: Play, executed: bool, comes_to: [&'static str; 3]) -> Row {
    let waits = matches!(play, Play::Hang | Play::Drip(_));
    Row {
        name: name.to_owned(),
        play,
        executed,
        // What comes to its end by waiting; a busy machine has to do everything else of the call in that time.
        seconds: if waits { "8" } else { "20" },
        comes_to,
    }
}

/// A canned answer, the API not asked.
fn says(name: &str, head: &str, body: &str, comes_to: [&'static str; 3]) -> Row {
    let bytes = answer_of(&format!("HTTP/1.1 {head}\r\n"), body.as_bytes());
    row(name, Play::Bytes(bytes), NOT_DONE, comes_to)
}

/// A canned answer with html, given before or after the work.
fn page(status: &str, executed: bool, comes_to: [&'static str; 3]) -> Row {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: text/html\r\n");
    let play = Play::Bytes(answer_of(&head, PAGE.as_bytes()));
    let when = if executed { "after" } else { "before" };
    row(
        &format!("html {status} {when} the work"),
        play,
        executed,
        comes_to,
    )
}

/// The true answer, changed.
fn edited(name: &str, edit: fn(&mut Value, &str), comes_to: [&'static str; 3]) -> Row {
    row(name, Play::Edit(edit), DONE, comes_to)
}

/// Something in place of the field's value.
fn set(body: &mut Value, field: &str, value: Value) {
    body["data"][field] = value;
}

/// Does this to every account in an answer.
fn each(body: &mut Value, field: &str, change: impl Fn(&mut Map<String, Value>)) {
    match &mut body["data"][field] {
        Value::Array(accounts) => {
            let accounts = accounts.iter_mut();
            accounts.for_each(|account| change(account.as_object_mut().unwrap()));
        }
        account => change(account.as_object_mut().unwrap()),
    }
}

fn put(body: &mut Value, field: &str, member: &str, value: &Value) {
    each(body, field, |account| {
        account.insert(member.to_owned(), value.clone());
    });
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inside, _| json!([inside]))
}

fn rows(trap: &str) -> Vec<Row> {
    let mut rows = transport();
    rows.extend(statuses(trap));
    rows.extend(bodies());
    rows.extend(values());
    rows
}

fn transport() -> Vec<Row> {
    let lost = [LOST, UNKNOWN, UNKNOWN];
    let found = [LOST, FOUND, FOUND];
    let too_large = [API, FOUND, FOUND];
    vec![
        row(
            "hang before the work",
            Play::Hang,
            NOT_DONE,
            [LATE, UNKNOWN, UNKNOWN],
        ),
        row(
            "hang after the work",
            Play::Hang,
            DONE,
            [LATE, FOUND, FOUND],
        ),
        row(
            "slow drip",
            Play::Drip(Duration::from_millis(50)),
            DONE,
            [LATE, FOUND, FOUND],
        ),
        row("reset before reading", Play::ResetUnread, NOT_DONE, lost),
        row("reset before the work", Play::Reset, NOT_DONE, lost),
        row("close before the work", Play::Close, NOT_DONE, lost),
        row("reset after the work", Play::Reset, DONE, found),
        row("close after the work", Play::Close, DONE, found),
        row("truncated body", Play::Half, DONE, found),
        row(
            "reset within the body",
            Play::BytesThenReset(
                b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"data\":".to_vec(),
            ),
            DONE,
            found,
        ),
        row(
            "truncated chunks",
            Play::Bytes(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"data\":".to_vec(),
            ),
            DONE,
            found,
        ),
        row(
            "chunks that are none",
            Play::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}".to_vec()),
            DONE,
            found,
        ),
        row(
            "not HTTP",
            Play::Bytes(b"220 mail.example.test ESMTP\r\n".to_vec()),
            DONE,
            found,
        ),
        row(
            "a head of 1 MB",
            Play::Bytes(
                [
                    b"HTTP/1.1 200 OK\r\nx: ",
                    &vec![b'x'; 1 << 20][..],
                    b"\r\n\r\n",
                ]
                .concat(),
            ),
            DONE,
            found,
        ),
        row("a second answer", Play::Twice, DONE, [OK, OK, OK]),
        row(
            "40 MiB announced",
            Play::Stream {
                head: "HTTP/1.1 200 OK\r\ncontent-length: 41943040\r\n\r\n",
                mebibytes: 40,
            },
            DONE,
            too_large,
        ),
        row(
            "400 MiB in chunks",
            Play::Stream {
                head: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                mebibytes: 400,
            },
            DONE,
            too_large,
        ),
        row(
            "400 MiB until the end",
            Play::Stream {
                head: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
                mebibytes: 400,
            },
            DONE,
            too_large,
        ),
    ]
}

fn statuses(trap: &str) -> Vec<Row> {
    let refused = [API, API, API];
    let undecided = [API, UNKNOWN, UNKNOWN];
    let found = [API, FOUND, FOUND];
    let busy = [BUSY, BUSY, BUSY];
    let mut rows: Vec<_> = ["301", "302", "303", "307", "308"]
        .into_iter()
        .map(|status| {
            let head = format!("{status} Elsewhere\r\nlocation: {trap}");
            says(&format!("{status} elsewhere"), &head, "", refused)
        })
        .collect();
    // Given before a request is passed on to the API.
    for status in ["413", "431"] {
        rows.push(page(status, NOT_DONE, refused));
    }
    rows.push(page("401", NOT_DONE, ["unauthenticated"; 3]));
    rows.push(page("407", NOT_DONE, [LOST; 3]));
    rows.push(page("429", NOT_DONE, busy));
    for wait in [
        "1",
        "3600",
        "18446744073709551615",
        "Fri, 31 Dec 2100 23:59:59 GMT",
        "soon",
    ] {
        let head = format!("429 Too Many Requests\r\nretry-after: {wait}");
        rows.push(says(&format!("429, wait {wait}"), &head, "", busy));
    }
    // A firewall or a gateway may put any of these in place of an answer.
    for status in [
        "200", "400", "403", "404", "408", "409", "422", "499", "500", "502", "503", "504", "520",
    ] {
        rows.push(page(status, NOT_DONE, undecided));
        rows.push(page(status, DONE, found));
    }
    for wait in ["1", "3600"] {
        let head = format!("503 Service Unavailable\r\nretry-after: {wait}");
        let comes_to = [BUSY, UNKNOWN, UNKNOWN];
        rows.push(says(&format!("503, wait {wait}"), &head, PAGE, comes_to));
    }
    rows.push(says("204", "204 No Content", "", undecided));
    rows.push(says("an empty body", "200 OK", "", undecided));
    rows
}

fn bodies() -> Vec<Row> {
    let alien = [ALIEN, FOUND, FOUND];
    let strange = [API, FOUND, FOUND];
    let head = |name, head, comes_to| row(name, Play::Head(head), DONE, comes_to);
    let body = |name, change, comes_to| row(name, Play::Body(change), DONE, comes_to);
    vec![
        head(
            "typed as html",
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n",
            [OK; 3],
        ),
        head("typed as nothing", "HTTP/1.1 200 OK\r\n", [OK; 3]),
        head("no date", "HTTP/1.0 200 OK\r\n", [OK; 3]),
        head("status 500 with data", "HTTP/1.1 500 X\r\n", strange),
        body(
            "blanks around",
            |body| [b" \n", &body[..], b"\n "].concat(),
            [OK; 3],
        ),
        body(
            "a byte order mark",
            |body| [b"\xef\xbb\xbf", &body[..]].concat(),
            strange,
        ),
        body(
            "half the JSON",
            |mut body| body.split_off(body.len() / 2),
            strange,
        ),
        body("invalid UTF-8", invalid_utf8, [ALIEN, FOUND, FOUND]),
        body("null", |_| b"null".to_vec(), strange),
        body("a number", |_| b"5".to_vec(), strange),
        body("a string", |_| b"\"data\"".to_vec(), strange),
        body("an array", |body| [b"[", &body[..], b"]"].concat(), strange),
        body("an empty object", |_| b"{}".to_vec(), strange),
        body(
            "nested a thousand deep",
            |_| nested(1000).to_string().into_bytes(),
            strange,
        ),
        edited("data null", |body, _| body["data"] = Value::Null, alien),
        edited("data an array", |body, _| body["data"] = json!([1]), alien),
        edited("data a number", |body, _| body["data"] = json!(7), alien),
        edited("data empty", |body, _| body["data"] = json!({}), alien),
        edited(
            "errors empty",
            |body, _| body["errors"] = json!([]),
            [OK; 3],
        ),
        edited(
            "errors null",
            |body, _| body["errors"] = Value::Null,
            [OK; 3],
        ),
        edited(
            "errors a string",
            |body, _| body["errors"] = json!("none"),
            alien,
        ),
        // A list is used although an error stands beside it; a creation is not adopted after an error; a deletion is
        // found out.
        edited(
            "errors of null",
            |body, _| body["errors"] = json!([null]),
            [OK, UNKNOWN, FOUND],
        ),
        edited(
            "an error of nothing",
            |body, _| body["errors"] = json!([{}]),
            [OK, UNKNOWN, FOUND],
        ),
        edited(
            "an error of other types",
            |body, _| body["errors"] = json!([{"message": 5, "extensions": "x"}]),
            [OK, UNKNOWN, FOUND],
        ),
        edited(
            "an error of an unknown code",
            |body, _| body["errors"] = json!([{"message": "?", "extensions": {"code": "NEW"}}]),
            [OK, UNKNOWN, FOUND],
        ),
        edited(
            "an error, and no data",
            |body, field| {
                body["errors"] =
                    json!([{"message": "?", "path": [field], "extensions": {"code": 7}}]);
                body["data"][field] = Value::Null;
            },
            [API, UNKNOWN, FOUND],
        ),
        edited(
            "an error about a part",
            |body, field| {
                body["errors"] = json!([{"message": "?", "path": [field, 0, "category"]}]);
            },
            [OK, OK, OK],
        ),
        edited(
            "extra members",
            |body, _| body["extensions"] = nested(60),
            [OK; 3],
        ),
    ]
}

fn values() -> Vec<Row> {
    let alien = [ALIEN, FOUND, FOUND];
    vec![
        edited("value null", |b, f| set(b, f, Value::Null), alien),
        edited("value a number", |b, f| set(b, f, json!(5)), alien),
        edited("value a string", |b, f| set(b, f, json!("gone")), alien),
        edited("value true", |b, f| set(b, f, json!(true)), alien),
        // A list without accounts is a list.
        edited(
            "value an empty array",
            |b, f| set(b, f, json!([])),
            [OK, FOUND, FOUND],
        ),
        edited(
            "value an array of numbers",
            |b, f| set(b, f, json!([1, 2])),
            alien,
        ),
        edited("value nested", |b, f| set(b, f, nested(90)), alien),
        edited("value an empty object", |b, f| set(b, f, json!({})), alien),
        edited("id null", |b, f| put(b, f, "id", &Value::Null), alien),
        edited("id a number", |b, f| put(b, f, "id", &json!(5)), alien),
        edited(
            "id missing",
            |b, f| each(b, f, |a| drop(a.remove("id"))),
            alien,
        ),
        edited(
            "key null",
            |b, f| put(b, f, "apiKey", &Value::Null),
            [OK, FOUND, OK],
        ),
        edited(
            "key missing",
            |b, f| each(b, f, |a| drop(a.remove("apiKey"))),
            [OK, FOUND, OK],
        ),
        edited(
            "key a number",
            |b, f| put(b, f, "apiKey", &json!(5)),
            [ALIEN, FOUND, OK],
        ),
        edited(
            "label null",
            |b, f| put(b, f, "label", &Value::Null),
            [OK; 3],
        ),
        edited(
            "label missing",
            |b, f| each(b, f, |a| drop(a.remove("label"))),
            [OK; 3],
        ),
        edited(
            "label with NULs",
            |b, f| put(b, f, "label", &json!("a\0b\0")),
            [OK; 3],
        ),
        edited(
            "label an object",
            |b, f| put(b, f, "label", &json!({})),
            [ALIEN, FOUND, OK],
        ),
        edited(
            "active a word",
            |b, f| put(b, f, "active", &json!("yes")),
            [ALIEN, FOUND, OK],
        ),
        edited(
            "dates that are none",
            |b, f| {
                put(b, f, "createdAt", &json!("yesterday"));
                put(b, f, "updatedAt", &json!(""));
                put(b, f, "lastUsedAt", &json!("9999999-99-99T99:99:99Z"));
            },
            [OK; 3],
        ),
        edited(
            "a date in seconds",
            |b, f| put(b, f, "createdAt", &json!(1)),
            [OK; 3],
        ),
        edited(
            "an unknown role",
            |b, f| {
                let unknown = json!({"role": "WORKSPACE_OVERLORD"});
                put(b, f, "roleBindings", &json!([unknown]));
                put(b, f, "roleBinding", &unknown);
            },
            [OK; 3],
        ),
        edited(
            "no role",
            |b, f| {
                put(b, f, "roleBindings", &Value::Null);
                put(b, f, "roleBinding", &Value::Null);
            },
            [OK; 3],
        ),
        edited(
            "bindings of null",
            |b, f| put(b, f, "roleBindings", &json!([null, {"role": null}])),
            [OK; 3],
        ),
        edited(
            "a binding of other types",
            |b, f| {
                put(
                    b,
                    f,
                    "roleBindings",
                    &json!([{"role": 5, "workspace": "x"}]),
                )
            },
            [ALIEN, FOUND, OK],
        ),
        edited(
            "one account null",
            |b, f| {
                if let Value::Array(accounts) = &mut b["data"][f] {
                    accounts[0] = Value::Null;
                }
            },
            [OK; 3],
        ),
        edited(
            "an unknown kind of entity",
            |b, f| put(b, f, "entityType", &json!("GALAXY")),
            [OK; 3],
        ),
        edited(
            "extra fields",
            |b, f| put(b, f, "novelty", &nested(60)),
            [OK; 3],
        ),
    ]
}

fn invalid_utf8(body: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(body).unwrap();
    let (before, after) = text.split_once("\"label\":\"").unwrap();
    [before.as_bytes(), b"\"label\":\"\xff", after.as_bytes()].concat()
}

/// A tool, the request of it that goes wrong, and how many connections come before that one.
struct Tool {
    name: &'static str,
    field: &'static str,
    spared: usize,
    arguments: [Value; 2],
}

/// The level of the place that the calls are about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Level {
    Workspace,
    Deployment,
}

/// The mutations of both levels.
const CHANGES: [&str; 4] = [
    CREATE,
    DELETE,
    "createDeploymentServiceAccount",
    "deleteDeploymentServiceAccount",
];

/// A second account of the deployment.
const SECOND: &str = "cmf3acc1o000d0h6secondone";

impl Level {
    fn tools(self) -> [Tool; 3] {
        match self {
            Self::Workspace => tools(
                ("workspace_id", ANALYTICS),
                [LIST, CREATE, DELETE],
                [CI_DEPLOY, MIGRATION],
            ),
            Self::Deployment => {
                let [_, _, create, delete] = CHANGES;
                let fields = ["deploymentServiceAccounts", create, delete];
                tools(("deployment_id", DEPLOYMENT), fields, [FORECASTS, SECOND])
            }
        }
    }

    /// A call that reads another place of this level.
    fn elsewhere(self) -> Value {
        match self {
            Self::Workspace => json!({"workspace_id": DATA_SCIENCE}),
            Self::Deployment => json!({"deployment_id": PROD_AIRFLOW}),
        }
    }
}

fn tools(place: (&str, &str), fields: [&'static str; 3], ids: [&str; 2]) -> [Tool; 3] {
    let there = |mut arguments: Value| {
        arguments[place.0] = json!(place.1);
        arguments
    };
    let [list, create, delete] = fields;
    [
        Tool {
            name: "get_service_accounts",
            field: list,
            spared: 0,
            arguments: [json!({}), json!({})].map(there),
        },
        Tool {
            name: "create_service_account",
            field: create,
            spared: 1,
            arguments: [json!({"label": "etl"}), json!({"label": "next"})].map(there),
        },
        Tool {
            name: "delete_service_account",
            field: delete,
            spared: 1,
            arguments: ids.map(|id| there(json!({"service_account_id": id}))),
        },
    ]
}

async fn cell(line: Line, level: Level, row: &Row, tool: &Tool, comes_to: &str) {
    let name = format!("{line}, {level:?}: {} × {}", row.name, tool.name);
    let sandbox = Sandbox::start_line(0, line).await.unwrap();
    sandbox.handle().add_account(NewAccount {
        id: Some(SECOND.into()),
        ..NewAccount::new(
            "second",
            Role::DeploymentViewer,
            Entity::Deployment(DEPLOYMENT.into()),
        )
    });
    let standin = StandIn::before(&sandbox).await;
    let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
        .env("APC_API_URL", standin.url())
        .env("APC_TIMEOUT", row.seconds)
        .serve(Era::USUAL)
        .await;
    if line == Line::Of2020 {
        // The fields of this line are known from then on, and no connection is kept.
        standin.end_idle(Idle::AfterAnswer);
        session
            .call("get_service_accounts", level.elsewhere())
            .await
            .structured();
    }
    let before = sandbox.handle().accounts();
    standin.arm(tool.field, row.play.clone(), row.executed, tool.spared);
    let outcome = session.call(tool.name, tool.arguments[0].clone()).await;
    standin.disarm();

    match comes_to {
        OK => assert_eq!(outcome.structured().get("recovered"), None, "{name}"),
        FOUND => assert_eq!(outcome.structured()["recovered"], true, "{name}"),
        code => {
            assert_eq!(outcome.code(), code, "{name}: {}", outcome.result);
            assert!(!outcome.refusal(code).contains(PAGE), "{name}");
        }
    }
    assert_truth(&name, row, tool, &before, &sandbox.handle().accounts());
    assert_keys(&name, &session, &outcome, &sandbox.handle());
    let changes: usize = CHANGES.iter().map(|field| standin.seen(field)).sum();
    let unread = matches!(row.play, Play::ResetUnread);
    let sent = usize::from(CHANGES.contains(&tool.field) && !unread);
    assert_eq!(changes, sent, "{name}: so many changes were sent");

    let next = session.call(tool.name, tool.arguments[1].clone()).await;
    assert!(!next.is_error(), "{name}: and then {}", next.text());
    let memory = memory_peak(session.id());
    assert!(memory < MEMORY_MAX, "{name}: {memory} KiB");
}

/// A key file is there for every success of a creation, with its key, and for nothing else.
fn assert_keys(name: &str, session: &Session, outcome: &Outcome, handle: &Handle) {
    let names = kept_in(&key_dir(session));
    let file = match outcome.is_error() {
        true => None,
        false => outcome.structured()["api_key_file"].as_str(),
    };
    assert_eq!(
        names.len(),
        usize::from(file.is_some()),
        "{name}: {names:?}"
    );
    if let Some(file) = file {
        let kept = std::fs::read_to_string(file).unwrap();
        assert_eq!(kept, truth(handle, "etl").key, "{name}");
    }
}

/// Asserts that the accounts at the API are a possible effect of the call.
fn assert_truth(
    name: &str,
    row: &Row,
    tool: &Tool,
    before: &[apc_sandbox::AccountSnapshot],
    after: &[apc_sandbox::AccountSnapshot],
) {
    let new: Vec<_> = after.iter().filter(|a| !before.contains(a)).collect();
    let gone: Vec<_> = before.iter().filter(|a| !after.contains(a)).collect();
    let is = |verb: &str| row.executed && tool.field.starts_with(verb);
    let (made, deleted) = (usize::from(is("create")), usize::from(is("delete")));
    assert_eq!((new.len(), gone.len()), (made, deleted), "{name}");
    assert!(new.iter().all(|account| account.label == "etl"), "{name}");
    let deletion = &tool.arguments[0]["service_account_id"];
    assert!(gone.iter().all(|account| *deletion == account.id), "{name}");
}

#[tokio::test]
async fn every_fault_comes_to_the_right_end_for_every_tool_today() {
    every_fault_comes_to_the_right_end(Line::Today, Level::Workspace).await;
}

#[tokio::test]
async fn every_fault_comes_to_the_right_end_on_a_deployment_today() {
    every_fault_comes_to_the_right_end(Line::Today, Level::Deployment).await;
}

#[tokio::test]
async fn every_fault_comes_to_the_right_end_on_a_deployment_on_the_line_of_2020() {
    every_fault_comes_to_the_right_end(Line::Of2020, Level::Deployment).await;
}

#[tokio::test]
async fn every_fault_comes_to_the_right_end_for_every_tool_on_the_line_of_2020() {
    every_fault_comes_to_the_right_end(Line::Of2020, Level::Workspace).await;
}

#[expect(clippy::print_stdout, reason = "how much is covered is asked for")]
async fn every_fault_comes_to_the_right_end(line: Line, level: Level) {
    let trap = Sandbox::start(0).await.unwrap();
    let (rows, tools) = (rows(&trap.url()), level.tools());
    let mut cells = 0;
    let mut under_way = Vec::new();
    for row in &rows {
        for (tool, comes_to) in tools.iter().zip(row.comes_to) {
            cells += 1;
            let held = AssertUnwindSafe(cell(line, level, row, tool, comes_to)).catch_unwind();
            let name = format!("{} × {}", row.name, tool.name);
            under_way.push(async move { held.await.err().map(|_| name) });
        }
    }
    // Each that fails has said why; all of them are named.
    let failed: Vec<_> = stream::iter(under_way)
        .buffer_unordered(12)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(trap.handle().requests(), [], "something was sent elsewhere");
    println!(
        "{} faults × {} tools = {cells} cells",
        rows.len(),
        tools.len()
    );
    assert_eq!(cells, rows.len() * tools.len());
    assert!(rows.len() >= 80, "rows have been lost: {}", rows.len());
}

#[tokio::test]
async fn reads_recover_from_faults_that_pass() {
    let answer = |status, wait: Option<&str>| Fault::Answer {
        status,
        headers: wait
            .map(|wait| ("retry-after".to_owned(), wait.to_owned()))
            .into_iter()
            .collect(),
        body: PAGE.to_owned(),
        executed: false,
    };
    for (fault, waits) in [
        (Fault::DropBefore, false),
        (Fault::DropAfter, false),
        (Fault::TruncateAfter, false),
        (answer(429, None), false),
        (answer(502, None), false),
        (answer(503, None), false),
        (answer(504, None), false),
        (answer(429, Some("1")), true),
        (answer(503, Some("1")), true),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = Session::start(Era::USUAL, &sandbox).await;
        let times = if waits { 1 } else { 2 };
        sandbox
            .handle()
            .inject(fault.clone(), On::Field(LIST), times);
        let began = Instant::now();
        let one = json!({"workspace_id": ANALYTICS});
        let found = session.call("get_service_accounts", one).await;
        assert_eq!(found.structured()["total"], 4, "{fault:?}");
        let waited = began.elapsed() >= Duration::from_secs(1);
        assert!(waited || !waits, "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_change_whose_workspace_cannot_be_read_either_is_unknown() {
    for fault in [
        Fault::DropAfter,
        Fault::TruncateAfter,
        Fault::Answer {
            status: 502,
            headers: Vec::new(),
            body: PAGE.to_owned(),
            executed: true,
        },
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let mut session = Session::start(Era::USUAL, &sandbox).await;
        // The look before the creation is spared.
        sandbox
            .handle()
            .inject(Fault::Delay(Duration::ZERO), On::Field(LIST), 1);
        sandbox.handle().inject(fault, On::Any, 100);
        let new = json!({"label": "etl", "workspace_id": ANALYTICS});
        let lost = session.call("create_service_account", new).await;
        assert_says(lost.refusal(UNKNOWN), &["could not be read", "etl"]);
        assert_eq!(mutations(&sandbox.handle()), 1);
        sandbox.handle().clear_faults();
        // What was said is true: it may well be there.
        truth(&sandbox.handle(), "etl");
    }
}
