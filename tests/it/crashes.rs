//! Processes that die in the middle of a creation: afterwards every key is in a file, or is named as lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use apc_sandbox::{AccountSnapshot, Fault, On, Persona, Role, Sandbox};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::clients::*;
use crate::support::harness::*;

/// A directory of keys and an audit log that several servers share.
struct Shared {
    sandbox: Sandbox,
    home: TempDir,
}

impl Shared {
    async fn new() -> Self {
        Self {
            sandbox: Sandbox::start(0).await.unwrap(),
            home: TempDir::new().unwrap(),
        }
    }

    fn program(&self) -> Program {
        let keys = self.keys();
        let audit = self.home.path().join(AUDIT);
        guarded(&self.sandbox, Persona::WorkspaceAdmin).args(&[
            "--key-dir",
            keys.to_str().unwrap(),
            "--audit-log",
            audit.to_str().unwrap(),
            "--max-changes-per-minute",
            "0",
        ])
    }

    async fn serve(&self) -> Session {
        self.program().serve(Era::USUAL).await
    }

    fn keys(&self) -> PathBuf {
        self.home.path().join("keys")
    }

    fn audit(&self) -> Vec<Value> {
        lines(&self.home.path().join(AUDIT))
    }

    /// The accounts that were created with labels that begin so.
    fn created(&self, beginning: &str) -> Vec<AccountSnapshot> {
        let mut accounts = self.sandbox.handle().accounts();
        accounts.retain(|account| account.label.starts_with(beginning));
        accounts
    }

    fn has_key(&self, account: &AccountSnapshot) -> bool {
        let file = self.keys().join(format!("{}.key", account.id));
        fs::read_to_string(file).is_ok_and(|key| key == account.key)
    }

    fn with_outcome(&self, outcome: &str) -> Vec<Value> {
        let mut lines = self.audit();
        lines.retain(|line| line["outcome"] == outcome);
        lines
    }

    /// A creation that the API made and whose process was killed before the answer came.
    async fn killed(&self, label: &str) -> AccountSnapshot {
        self.killed_at(CREATE, new(label)).await
    }

    async fn killed_at(&self, field: &'static str, new: Value) -> AccountSnapshot {
        let handle = self.sandbox.handle();
        handle.inject(Fault::HangAfter, On::Field(field), 1);
        let label = new["label"].as_str().unwrap().to_owned();
        let label = label.as_str();
        let mut session = self.serve().await;
        session.send_call(CREATE_TOOL, new).await;
        until("it is created", || !labelled(&handle, label).is_empty()).await;
        session.signal(Signal::KILL);
        session.exit().await;
        truth(&handle, label)
    }

    fn rewrite_intent(&self, change: impl Fn(&mut Value)) {
        let names = intents_in(&self.keys());
        assert_eq!(names.len(), 1, "{names:?}");
        let path = self.keys().join(&names[0]);
        let changed = lines(&path).into_iter().map(|mut line| {
            change(&mut line);
            format!("{line}\n")
        });
        let changed: String = changed.collect();
        fs::write(path, changed).unwrap();
    }
}

fn notes(outcome: &Outcome) -> Vec<&str> {
    let notes = outcome.structured()["notes"].as_array();
    let notes = notes.into_iter().flatten();
    notes.map(|note| note.as_str().unwrap()).collect()
}

fn in_analytics() -> Value {
    json!({"workspace_id": ANALYTICS})
}

#[tokio::test]
async fn a_key_whose_process_was_killed_is_recovered_by_the_next_call_and_told_once() {
    for tool in [GET_TOOL, CREATE_TOOL, DELETE_TOOL] {
        let shared = Shared::new().await;
        let lost = shared.killed("lost").await;
        assert!(!shared.has_key(&lost));
        let arguments = match tool {
            GET_TOOL => in_analytics(),
            CREATE_TOOL => new("other"),
            _ => deletion_of(CI_DEPLOY),
        };
        let mut session = shared.serve().await;
        let outcome = session.call(tool, arguments).await;
        let told = notes(&outcome);
        assert_eq!(told.len(), 1, "{told:?}");
        let file = format!("{}.key", lost.id);
        assert_says(told[0], &["lost", &lost.id, "recovered", &file]);
        assert!(shared.has_key(&lost));
        assert_eq!(intents_in(&shared.keys()), Vec::<String>::new());
        let again = session.call(GET_TOOL, in_analytics()).await;
        assert_eq!(notes(&again), Vec::<&str>::new());
        let lines = shared.with_outcome("recovered");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["client"], "recovery");
        assert_eq!(lines[0]["service_account_id"], lost.id);
        assert_eq!(lines[0]["workspace_id"], ANALYTICS);
        assert_eq!(lines[0]["label"], "lost");
    }
}

#[tokio::test]
async fn a_key_is_recovered_whatever_the_clock_of_the_platform_says() {
    for hours in [-5, 5] {
        let shared = Shared::new().await;
        let skew = chrono::TimeDelta::hours(hours);
        shared.sandbox.handle().skew_clock(skew);
        let lost = shared.killed("lost").await;
        let mut session = shared.serve().await;
        let outcome = session.call(GET_TOOL, in_analytics()).await;
        assert_says(notes(&outcome)[0], &["lost", &lost.id, "recovered"]);
        assert!(shared.has_key(&lost), "{hours}");
    }
}

#[tokio::test]
async fn a_key_of_a_deployment_is_recovered_by_the_next_call_that_reads_it() {
    let place = json!({"deployment_id": DEPLOYMENT});
    for (tool, arguments) in [
        (GET_TOOL, place.clone()),
        (GET_TOOL, json!({"include_deployments": true})),
        (
            CREATE_TOOL,
            json!({"label": "other", "deployment_id": DEPLOYMENT}),
        ),
        (DELETE_TOOL, json!({"service_account_id": FORECASTS})),
    ] {
        let shared = Shared::new().await;
        let new = json!({"label": "lost", "deployment_id": DEPLOYMENT});
        let lost = shared
            .killed_at("createDeploymentServiceAccount", new)
            .await;
        for arguments in [
            &["--allow-workspace", ANALYTICS][..],
            &["--levels", "workspace"],
        ] {
            let mut other = shared.program().args(arguments).serve(Era::USUAL).await;
            other.call(GET_TOOL, json!({})).await.accounts();
            let named = other.call(GET_TOOL, place.clone()).await;
            named.refusal("not_allowed");
            assert_eq!(intents_in(&shared.keys()).len(), 1);
        }
        let mut session = shared.serve().await;
        let outcome = session.call(tool, arguments).await;
        let told = notes(&outcome);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_says(told[0], &["lost", &lost.id, "recovered"]);
        assert!(shared.has_key(&lost));
        assert_eq!(intents_in(&shared.keys()), Vec::<String>::new());
        let lines = shared.with_outcome("recovered");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["deployment_id"], DEPLOYMENT);
        assert_eq!(lines[0]["role"], "DEPLOYMENT_VIEWER");
    }
}

#[tokio::test]
async fn an_intent_holds_no_secret_and_says_what_is_under_way() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let names = intents_in(&shared.keys());
    let path = shared.keys().join(&names[0]);
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let lines = lines(&path);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["phase"], "prepared");
    assert_eq!(lines[1]["phase"], "sent");
    for fact in [
        "host",
        "boot",
        "process",
        "prepared_at",
        "workspace_id",
        "label",
        "role",
    ] {
        assert!(!lines[0][fact].is_null(), "{fact}: {}", lines[0]);
    }
    #[cfg(target_os = "linux")]
    {
        let of_kernel = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap();
            text.trim().to_owned()
        };
        assert_eq!(lines[0]["host"], of_kernel("hostname"));
        assert_eq!(lines[0]["boot"], of_kernel("random/boot_id"));
    }
    for fact in ["at", "api_at", "seen"] {
        assert!(!lines[1][fact].is_null(), "{fact}: {}", lines[1]);
    }
    let text = fs::read_to_string(path).unwrap();
    let token = shared.sandbox.token(Persona::WorkspaceAdmin);
    assert!(
        !text.contains(&lost.key) && !text.contains(&token),
        "{text}"
    );
}

#[tokio::test]
async fn a_failure_mentions_a_recovered_key_and_the_next_success_tells_it() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let mut session = shared.serve().await;
    let file = format!("{}.key", lost.id);
    for _ in 0..2 {
        let refused = session.call(CREATE_TOOL, new("lost")).await;
        assert_says(refused.refusal("already_exists"), &["recovered", &file]);
    }
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_says(&notes(&found).concat(), &[&file]);
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_eq!(notes(&found), Vec::<&str>::new());
    assert_eq!(shared.with_outcome("recovered").len(), 1);
}

#[tokio::test]
async fn a_key_that_the_api_masks_by_now_is_named_as_lost() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let (handle, eleven) = (shared.sandbox.handle(), chrono::TimeDelta::minutes(11));
    // The creation stays within its time: only the clock that masks goes on.
    handle.skew_clock(eleven);
    let mut session = shared.serve().await;
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_says(&notes(&found).concat(), &["lost", &lost.id, "Delete"]);
    assert!(!shared.has_key(&lost));
    let lines = shared.with_outcome("key_lost");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["service_account_id"], lost.id);
    assert_eq!(names_in(&shared.keys()), Vec::<String>::new());
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_eq!(notes(&found), Vec::<&str>::new());
}

#[tokio::test]
async fn a_key_that_the_dead_process_had_got_is_published_although_the_api_does_not_show_it() {
    for is_masked in [true, false] {
        let shared = Shared::new().await;
        let lost = shared.killed("lost").await;
        let pending = kept_in(&shared.keys());
        assert_eq!(pending.len(), 1, "{pending:?}");
        fs::write(shared.keys().join(&pending[0]), &lost.key).unwrap();
        let handle = shared.sandbox.handle();
        match is_masked {
            true => handle.skew_clock(chrono::TimeDelta::minutes(11)),
            false => handle.lack_field("ServiceAccount.apiKey"),
        }
        let mut session = shared.serve().await;
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert_says(&notes(&found).concat(), &["recovered", &lost.id]);
        assert!(shared.has_key(&lost));
        assert_eq!(names_in(&shared.keys()), [format!("{}.key", lost.id)]);
    }
}

#[tokio::test]
async fn a_key_of_another_account_stays_in_the_file_that_it_is_in() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let pending = shared.keys().join(&kept_in(&shared.keys())[0]);
    fs::write(&pending, UNKNOWN_KEY).unwrap();
    let mut session = shared.serve().await;
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_says(&notes(&found).concat(), &["recovered", &lost.id]);
    assert!(shared.has_key(&lost));
    assert_eq!(fs::read_to_string(pending).unwrap(), UNKNOWN_KEY);
}

#[tokio::test]
async fn a_key_whose_file_had_got_its_name_when_the_process_died_is_told() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let file = shared.keys().join(format!("{}.key", lost.id));
    fs::write(&file, &lost.key).unwrap();
    let mut session = shared.serve().await;
    let refused = session.call(CREATE_TOOL, new("lost")).await;
    let file = file.to_str().unwrap();
    assert_says(refused.refusal("already_exists"), &["recovered", file]);
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_says(&notes(&found).concat(), &[&lost.id, file]);
    assert_eq!(shared.with_outcome("recovered").len(), 1);
    assert!(shared.has_key(&lost));
    assert_eq!(names_in(&shared.keys()).len(), 1);
}

#[tokio::test]
async fn an_account_made_at_another_time_is_told_to_be_perhaps_another_one() {
    for hours in [-1, 1] {
        let shared = Shared::new().await;
        let lost = shared.killed("lost").await;
        // The clock that dates accounts is another one than that of the answers.
        let now = chrono::Utc::now();
        let of_answers = now + chrono::TimeDelta::hours(hours);
        shared.rewrite_intent(|line| {
            if line["phase"] == "sent" {
                line["api_at"] = of_answers.to_rfc3339().into();
            }
        });
        let mut session = shared.serve().await;
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert_eq!(notes(&found), Vec::<&str>::new(), "it may still show");
        let earlier = now - chrono::TimeDelta::seconds(41);
        shared.rewrite_intent(|line| {
            if line["phase"] == "sent" {
                line["at"] = earlier.to_rfc3339().into();
            }
        });
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert_says(
            &notes(&found).concat(),
            &[
                "lost",
                &lost.id,
                "may be another one",
                "If nobody has its key",
            ],
        );
        assert_eq!(names_in(&shared.keys()), Vec::<String>::new());
        let lines = shared.with_outcome("outcome_unknown");
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["service_account_id"], lost.id);
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert_eq!(notes(&found), Vec::<&str>::new());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_that_cannot_be_written_is_told_while_it_can_still_be_read() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let server = format!("ulimit -f 0; exec {} \"$@\"", env!("CARGO_BIN_EXE_apc-mcp"));
    let keys = shared.keys();
    let full = guarded(&shared.sandbox, Persona::WorkspaceAdmin)
        .named("/bin/sh")
        .args(&["-c", &server, "sh", "--key-dir", keys.to_str().unwrap()]);
    let mut session = full.serve(Era::USUAL).await;
    for _ in 0..2 {
        let found = session.call(GET_TOOL, in_analytics()).await;
        let says = [
            "lost",
            &lost.id,
            keys.to_str().unwrap(),
            "within ten minutes",
        ];
        assert_says(&notes(&found).concat(), &says);
    }
    let mut session = shared.serve().await;
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_says(&notes(&found).concat(), &["recovered", &lost.id]);
    assert!(shared.has_key(&lost));
}

#[tokio::test]
async fn servers_that_may_not_create_there_leave_an_intent_alone() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let other = Sandbox::start(0).await.unwrap();
    for arguments in [
        vec!["--read-only"],
        vec!["--allow-workspace", DATA_SCIENCE],
        vec!["--key-output", "show"],
        vec!["--api-url", &other.url()],
    ] {
        let mut session = shared.program().args(&arguments).serve(Era::USUAL).await;
        session
            .call(GET_TOOL, json!({"workspace_id": DATA_SCIENCE}))
            .await;
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert!(!found.text().contains("recovered"), "{arguments:?}");
        assert_eq!(intents_in(&shared.keys()).len(), 1, "{arguments:?}");
    }
    let mut session = shared.serve().await;
    let elsewhere = json!({"workspace_id": DATA_SCIENCE});
    session.call(GET_TOOL, elsewhere).await.structured();
    assert!(!shared.has_key(&lost), "a call to another place");
    session.call(GET_TOOL, json!({})).await.structured();
    assert!(shared.has_key(&lost), "a call to every place");
}

#[tokio::test]
async fn nothing_is_taken_that_is_not_clearly_of_the_dead_process() {
    // Two that could each be it; a list that cannot be read, or shows no roles; an account of another time.
    for case in ["two", "unreadable", "no roles", "long before"] {
        let shared = Shared::new().await;
        let lost = shared.killed("lost").await;
        let handle = shared.sandbox.handle();
        match case {
            "two" => drop(handle.add_account(colleague("lost", Role::WorkspaceViewer))),
            "unreadable" => handle.inject(Fault::DropBefore, On::Field(LIST), 1),
            "no roles" => handle.lack_field("ServiceAccount.roleBindings"),
            _ => assert!(handle.age(&lost.id, Duration::from_secs(300))),
        }
        let mut session = shared.serve().await;
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert_eq!(notes(&found), Vec::<&str>::new(), "{case}");
        assert!(!shared.has_key(&lost), "{case}");
        assert_eq!(intents_in(&shared.keys()).len(), 1, "{case}");
    }
}

#[tokio::test]
async fn an_intent_of_another_installation_is_left_alone() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    // The same place, and an account that would fit.
    let elsewhere = Shared {
        sandbox: Sandbox::start(0).await.unwrap(),
        home: shared.home,
    };
    let handle = elsewhere.sandbox.handle();
    handle.add_account(colleague("lost", Role::WorkspaceViewer));
    let mut session = elsewhere.serve().await;
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_eq!(notes(&found), Vec::<&str>::new());
    assert_eq!(intents_in(&elsewhere.keys()).len(), 1);
    let shared = Shared {
        sandbox: shared.sandbox,
        home: elsewhere.home,
    };
    let found = shared.serve().await.call(GET_TOOL, in_analytics()).await;
    assert_says(&notes(&found).concat(), &["recovered", &lost.id]);
}

#[tokio::test]
async fn a_colleagues_account_of_another_role_does_not_stand_in_the_way() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    let handle = shared.sandbox.handle();
    let theirs = handle.add_account(colleague("lost", Role::WorkspaceAdmin));
    let mut session = shared.serve().await;
    let found = session.call(GET_TOOL, in_analytics()).await;
    assert_eq!(notes(&found).len(), 1);
    assert!(shared.has_key(&lost) && !shared.has_key(&theirs));
}

#[tokio::test]
async fn an_intent_of_another_host_or_boot_is_left_alone_until_its_time_has_passed() {
    for fact in ["host", "boot"] {
        let shared = Shared::new().await;
        let lost = shared.killed("lost").await;
        shared.rewrite_intent(|line| {
            if line["phase"] == "prepared" {
                line[fact] = "another".into();
            }
        });
        let mut session = shared.serve().await;
        session.call(GET_TOOL, in_analytics()).await.structured();
        assert!(!shared.has_key(&lost), "{fact}");
        // Both clocks of the intent go back alike: the account was made in its time.
        let earlier = chrono::Utc::now() - chrono::TimeDelta::seconds(41);
        shared.rewrite_intent(|line| {
            if line["phase"] == "sent" {
                line["at"] = earlier.to_rfc3339().into();
            }
        });
        session.call(GET_TOOL, in_analytics()).await.structured();
        assert!(shared.has_key(&lost), "{fact}");
    }
}

#[tokio::test]
async fn a_creation_that_another_host_only_planned_makes_way_for_one_of_its_label() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    shared.sandbox.handle().remove_account(&lost.id);
    let path = shared.keys().join(&intents_in(&shared.keys())[0]);
    let mut planned = lines(&path)[0].clone();
    planned["host"] = "another".into();
    fs::write(&path, format!("{planned}\n")).unwrap();
    let mut session = shared.serve().await;
    let created = session.call(CREATE_TOOL, new("lost")).await;
    let key_file = format!("{}.key", created.account()["id"].as_str().unwrap());
    let files = fs::read_dir(shared.keys()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, [key_file.as_str()]);
}

#[tokio::test]
async fn an_intent_of_which_nothing_came_is_kept_until_its_time_has_passed() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    shared.sandbox.handle().remove_account(&lost.id);
    let mut session = shared.serve().await;
    session.call(GET_TOOL, in_analytics()).await.structured();
    assert_eq!(intents_in(&shared.keys()).len(), 1);
    let earlier = chrono::Utc::now() - chrono::TimeDelta::seconds(41);
    shared.rewrite_intent(|line| {
        if line["phase"] == "sent" {
            line["at"] = earlier.to_rfc3339().into();
        }
    });
    session.call(GET_TOOL, in_analytics()).await.structured();
    assert_eq!(names_in(&shared.keys()), Vec::<String>::new());
}

#[tokio::test]
async fn a_list_with_a_gap_forgets_no_intent_however_old_it_is() {
    let here = json!({"id": "a", "label": null, "roleBindings": []});
    let unlabelled = json!([{"message": "broken", "path": [LIST, 0, "label"]}]);
    for (rows, errors) in [
        (json!([here]), unlabelled),
        (json!([{"label": "other"}]), json!(null)),
    ] {
        let shared = Shared::new().await;
        shared.killed("lost").await;
        let earlier = chrono::Utc::now() - chrono::TimeDelta::seconds(41);
        shared.rewrite_intent(|line| {
            if line["phase"] == "sent" {
                line["at"] = earlier.to_rfc3339().into();
            }
        });
        let body = json!({"data": {LIST: rows}, "errors": errors}).to_string();
        let gap = answer(200, "application/json", body, false);
        shared.sandbox.handle().inject(gap, On::Field(LIST), 1);
        let mut session = shared.serve().await;
        session.call(GET_TOOL, in_analytics()).await.structured();
        assert_eq!(intents_in(&shared.keys()).len(), 1, "{rows}");
    }
}

#[tokio::test]
async fn an_intent_of_which_nothing_was_sent_is_removed_with_its_file() {
    let shared = Shared::new().await;
    let handle = shared.sandbox.handle();
    handle.inject(Fault::Hang, On::Field(LIST), 1);
    let mut session = shared.serve().await;
    session.send_call(CREATE_TOOL, new("lost")).await;
    until("it looks", || count(&handle, LIST) == 1).await;
    session.signal(Signal::KILL);
    session.exit().await;
    assert_eq!(names_in(&shared.keys()).len(), 2);
    let mut session = shared.serve().await;
    session.call(GET_TOOL, in_analytics()).await.structured();
    assert_eq!(names_in(&shared.keys()), Vec::<String>::new());
}

#[tokio::test]
async fn a_creation_that_was_stopped_undecided_is_recovered_by_the_next_server() {
    for end in ["TERM", "HUP", "QUIT", "INT", "input"] {
        let shared = Shared::new().await;
        let handle = shared.sandbox.handle();
        handle.inject(Fault::HangAfter, On::Field(CREATE), 1);
        let mut session = shared.serve().await;
        session.send_call(CREATE_TOOL, new("lost")).await;
        until("it is created", || !labelled(&handle, "lost").is_empty()).await;
        match end {
            "TERM" => session.signal(Signal::TERM),
            "HUP" => session.signal(Signal::HUP),
            "QUIT" => session.signal(Signal::QUIT),
            "INT" => session.signal(Signal::INT),
            _ => session.close_stdin(),
        }
        assert!(session.wait().await.success());
        let outcomes = shared.with_outcome("outcome_unknown");
        assert_eq!(outcomes.len(), 1, "{end}");
        let mut session = shared.serve().await;
        let found = session.call(GET_TOOL, in_analytics()).await;
        assert_eq!(notes(&found).len(), 1, "{end}");
        assert!(shared.has_key(&truth(&handle, "lost")), "{end}");
    }
}

#[tokio::test]
async fn while_another_process_creates_a_label_a_second_one_waits_and_is_refused() {
    let shared = Shared::new().await;
    let handle = shared.sandbox.handle();
    handle.set_duplicate_check(false);
    handle.inject(Fault::Delay(Duration::from_secs(1)), On::Field(CREATE), 1);
    let mut first = shared.serve().await;
    let mut second = shared.serve().await;
    let sent = first.send_call(CREATE_TOOL, new("twin")).await;
    until("it is sent", || count(&handle, CREATE) == 1).await;
    let refused = second.call(CREATE_TOOL, new("twin")).await;
    refused.refusal("already_exists");
    first.outcome(CREATE_TOOL, sent).await.structured();
    assert_eq!(labelled(&handle, "twin").len(), 1);

    handle.inject(Fault::Hang, On::Field(CREATE), 1);
    let mut second = shared
        .program()
        .env("APC_TIMEOUT", "1")
        .serve(Era::USUAL)
        .await;
    first.send_call(CREATE_TOOL, new("hung")).await;
    until("it is sent", || count(&handle, CREATE) == 2).await;
    let refused = second.call(CREATE_TOOL, new("hung")).await;
    assert_says(
        refused.refusal("timed_out"),
        &["under way", "Nothing was sent"],
    );
    assert_eq!(count(&handle, CREATE), 2);
}

/// Parts of a whole between 0 and 1, by a generator whose numbers a failure can be repeated with.
fn parts(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::from_fn(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        Some((state >> 33) as f64 / (1u64 << 31) as f64)
    })
}

/// The ways in which a process ends in the middle of its work.
#[derive(Clone, Copy)]
enum End {
    Killed,
    Terminated,
    HungUp,
    OfInput,
}

/// The moment at which a process ends.
enum Moment {
    /// This long after its call was sent.
    AfterCall(Duration),
    /// This long after the API has made the account.
    AfterAccount(Duration),
}

async fn one_crash(shared: &Shared, label: &str, moment: &Moment, end: End) {
    let handle = shared.sandbox.handle();
    let mut session = shared.serve().await;
    session.send_call(CREATE_TOOL, new(label)).await;
    match moment {
        Moment::AfterCall(wait) => tokio::time::sleep(*wait).await,
        Moment::AfterAccount(wait) => {
            until("it is created", || !labelled(&handle, label).is_empty()).await;
            tokio::time::sleep(*wait).await;
        }
    }
    match end {
        End::Killed => session.signal(Signal::KILL),
        End::Terminated => session.signal(Signal::TERM),
        End::HungUp => session.signal(Signal::HUP),
        End::OfInput => session.close_stdin(),
    }
    session.exit().await;
}

/// Lets that many processes end so, four at a time, and checks that no key is lost untold.
async fn crash(count: usize, end: End) {
    let shared = Shared::new().await;
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = seed.subsec_nanos().into();
    let mut first = shared.serve().await;
    let (_, creation) = timed(first.call(CREATE_TOOL, new("whole"))).await;
    let moments = parts(seed)
        .enumerate()
        .map(|(number, part)| match number % 2 {
            0 => Moment::AfterCall(creation.mul_f64(4.0 * part)),
            _ => Moment::AfterAccount(creation.mul_f64(part / 4.0)),
        });
    let numbered: Vec<_> = moments.take(count).enumerate().collect();
    // Some are never answered, so that there are undecided ones on any machine.
    let handle = shared.sandbox.handle();
    for nth in (1..=count / 4).step_by(4) {
        handle.inject_nth(Fault::HangAfter, On::Field(CREATE), nth);
    }
    let lanes = numbered.chunks(count.div_ceil(4)).map(|lane| {
        let shared = &shared;
        async move {
            for (number, moment) in lane {
                one_crash(shared, &format!("crash-{number}"), moment, end).await;
            }
        }
    });
    futures_util::future::join_all(lanes).await;
    handle.clear_faults();
    // The sandbox may still be at work on what the last ones sent.
    let (mut made, mut still) = (0, 0);
    until("nothing is created any more", || {
        let now = handle.accounts().len();
        still = if now == made { still + 1 } else { 0 };
        made = now;
        still == 30
    })
    .await;
    let mut session = shared.serve().await;
    session.call(GET_TOOL, in_analytics()).await.structured();
    let accounts = shared.created("crash-");
    assert!(accounts.len() >= count / 2, "{}", accounts.len());
    assert!(!shared.with_outcome("recovered").is_empty());
    let lost: BTreeSet<_> = shared
        .with_outcome("key_lost")
        .iter()
        .filter_map(|line| Some(line["service_account_id"].as_str()?.to_owned()))
        .collect();
    for account in &accounts {
        assert!(
            shared.has_key(account) || lost.contains(&account.id),
            "seed {seed}: the key of {} is nowhere: {:?}",
            account.label,
            names_in(&shared.keys())
        );
    }
    let labels: BTreeSet<_> = accounts.iter().map(|account| &account.label).collect();
    assert_eq!(
        labels.len(),
        accounts.len(),
        "seed {seed}: one was made twice"
    );
}

#[tokio::test]
async fn after_200_kills_at_random_moments_every_key_is_in_a_file_or_named_as_lost() {
    crash(200, End::Killed).await;
}

#[tokio::test]
async fn after_signals_and_ends_of_input_at_random_moments_every_key_is_in_a_file() {
    for end in [End::Terminated, End::HungUp, End::OfInput] {
        crash(16, end).await;
    }
}

#[tokio::test]
async fn ten_servers_on_one_directory_and_log_tear_nothing_and_take_nothing_twice() {
    let shared = Shared::new().await;
    shared.sandbox.handle().set_duplicate_check(false);
    let lost = shared.killed("lost").await;
    const LABELS: usize = 5;
    let servers = (0..10).map(|_| async {
        let mut session = shared.serve().await;
        let mut sent = Vec::new();
        for label in 0..LABELS {
            let label = format!("shared-{label}");
            sent.push(session.send_call(CREATE_TOOL, new(&label)).await);
        }
        let mut told = 0;
        let mut made = 0;
        for call in sent {
            let outcome = session.outcome(CREATE_TOOL, call).await;
            if outcome.is_error() {
                outcome.refusal("already_exists");
            } else {
                made += 1;
                told += notes(&outcome).len();
            }
        }
        let found = session.call(GET_TOOL, in_analytics()).await;
        (made, told + notes(&found).len())
    });
    let done = futures_util::future::join_all(servers).await;
    let made: usize = done.iter().map(|(made, _)| made).sum();
    let told: usize = done.iter().map(|(_, told)| told).sum();
    assert_eq!(made, LABELS);
    assert_eq!(told, 1, "{done:?}");
    let accounts = shared.created("shared-");
    assert_eq!(accounts.len(), LABELS);
    assert!(
        accounts
            .iter()
            .chain([&lost])
            .all(|account| shared.has_key(account))
    );
    let with_outcome = |outcome| shared.with_outcome(outcome).len();
    assert_eq!(with_outcome("recovered"), 1);
    assert_eq!(with_outcome("ok"), LABELS);
    assert_eq!(with_outcome("already_exists"), 9 * LABELS);
    assert_eq!(names_in(&shared.keys()).len(), LABELS + 1);
}

fn write_old_pending(keys: &Path, name: &str, text: &str) {
    let path = keys.join(name);
    fs::write(&path, text).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    let day = Duration::from_secs(24 * 3600);
    file.set_modified(SystemTime::now() - day).unwrap();
}

#[tokio::test]
async fn the_doctor_names_what_dead_processes_left_and_changes_nothing() {
    let shared = Shared::new().await;
    let lost = shared.killed("lost").await;
    write_old_pending(&shared.keys(), ".pending-empty", "");
    write_old_pending(&shared.keys(), ".pending-AbC123", &lost.key);
    fs::write(shared.keys().join(".intent-0123"), "{}\n").unwrap();
    let intent = intents_in(&shared.keys())[1].clone();
    let ended = shared.program().args(&["doctor"]).run().await;
    assert_says(
        &ended.stdout,
        &[
            "'lost'",
            ANALYTICS,
            &intent,
            "get_service_accounts",
            ".pending-AbC123",
            ".intent-0123",
        ],
    );
    assert!(!ended.stdout.contains(".pending-empty"), "{}", ended.stdout);
    assert!(!ended.stdout.contains(&lost.key), "{}", ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stdout);
    assert_eq!(intents_in(&shared.keys()).len(), 2);
    assert!(!shared.has_key(&lost));
    let kept = fs::read_to_string(shared.keys().join(".pending-AbC123"));
    assert_eq!(kept.unwrap(), lost.key);
}
