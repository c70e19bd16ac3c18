//! For any sequence of creations, deletions and faults: what results claim is what the sandbox holds.
//! One server a case, two workspaces and a deployment, and every step is held against the accounts before and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use apc_sandbox::{
    AccountSnapshot, Entity, Fault, Handle, Line, NewAccount, On, Persona, Role, Sandbox,
};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use crate::support::clients::*;
use crate::support::harness::*;

/// The number of sequences that are tried; each undecided step takes about a second.
const CASES: u32 = 20;

/// The beginning of the ids of accounts that a colleague makes.
const THEIRS: &str = "colleagues";

/// The places that calls are about.
const PLACES: [Place; 3] = [
    Place::workspace(ANALYTICS),
    Place::workspace(DATA_SCIENCE),
    Place {
        argument: "deployment_id",
        id: DEPLOYMENT,
        level: "DEPLOYMENT",
        fields: [
            "deploymentServiceAccounts",
            "createDeploymentServiceAccount",
            "deleteDeploymentServiceAccount",
        ],
    },
];

struct Place {
    argument: &'static str,
    id: &'static str,
    /// The beginning of its roles, and its kind at the API.
    level: &'static str,
    /// The list, the creation and the deletion.
    fields: [&'static str; 3],
}

impl Place {
    const fn workspace(id: &'static str) -> Self {
        Self {
            argument: "workspace_id",
            id,
            level: "WORKSPACE",
            fields: [LIST, CREATE, DELETE],
        }
    }

    fn entity(&self) -> Entity {
        match self.level {
            "WORKSPACE" => Entity::Workspace(self.id.into()),
            _ => Entity::Deployment(self.id.into()),
        }
    }

    /// The place of an account, if it is in one of these.
    fn of(account: &AccountSnapshot) -> Option<&'static Self> {
        let is_here = |place: &&Self| account.entity_uuid.as_deref() == Some(place.id);
        PLACES.iter().find(is_here)
    }
}

const LABELS: [&str; 4] = ["etl", "etl", "ci-deploy", "notebooks"];
const RANKS: [&str; 3] = ["VIEWER", "VIEWER", "EDITOR"];

#[derive(Clone, Debug)]
enum Step {
    Create {
        place: usize,
        label: usize,
        rank: usize,
        trouble: Trouble,
        /// An account of that label that a colleague makes while the creation is under way: an admin, or a viewer.
        colleague: Option<bool>,
    },
    Delete {
        /// Of all accounts there are, whatever they belong to.
        account: prop::sample::Index,
        place: Option<usize>,
        trouble: Trouble,
    },
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    DropAfter,
    TruncateAfter,
    ErrorAfter,
    PageAfter,
    NullAfter,
    HangAfter,
    Slow,
    DropBefore,
    PageBefore,
    Hang,
    TooMany,
    /// The API refuses, in the words of its line.
    Refused,
    /// The API answers with an error, and has done nothing.
    ErrorBefore,
    /// A firewall shows a page in place of the answer.
    FirewallAfter,
    /// The answer is lost, and the workspace cannot be read for a while.
    Blind,
}

impl Trouble {
    fn begin(self, handle: &Handle, list: &'static str, field: &'static str) {
        let fault = match self {
            Self::None => return,
            Self::DropAfter => Fault::DropAfter,
            Self::TruncateAfter => Fault::TruncateAfter,
            Self::ErrorAfter => Fault::ErrorAfter {
                code: "INTERNAL_SERVER_ERROR".into(),
                message: "Something went wrong".into(),
            },
            Self::PageAfter => page(502, true),
            Self::NullAfter => null(field, true),
            Self::HangAfter => Fault::HangAfter,
            Self::Slow => Fault::Delay(std::time::Duration::from_millis(50)),
            Self::DropBefore => Fault::DropBefore,
            Self::PageBefore => page(200, false),
            Self::Hang => Fault::Hang,
            Self::TooMany => page(429, false),
            Self::FirewallAfter => page(403, true),
            Self::Refused => Fault::ErrorBefore {
                code: "INTERNAL_SERVER_ERROR".into(),
                message: match handle.line() {
                    Line::Today => "Insufficient permissions.".into(),
                    Line::Of2020 => "You do not have the appropriate permissions for that".into(),
                },
            },
            Self::ErrorBefore => Fault::ErrorBefore {
                code: "INTERNAL_SERVER_ERROR".into(),
                message: "Something went wrong".into(),
            },
            Self::Blind => {
                // The look before the change shall see.
                handle.inject(Fault::Delay(std::time::Duration::ZERO), On::Field(list), 1);
                handle.inject(page(500, false), On::Field(list), 4);
                Fault::DropAfter
            }
        };
        handle.inject(fault, On::Field(field), 1);
    }
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        12 => Just(Trouble::None),
        2 => Just(Trouble::DropAfter),
        2 => Just(Trouble::TruncateAfter),
        2 => Just(Trouble::ErrorAfter),
        2 => Just(Trouble::PageAfter),
        2 => Just(Trouble::NullAfter),
        2 => Just(Trouble::Slow),
        1 => Just(Trouble::TooMany),
        2 => Just(Trouble::Refused),
        2 => Just(Trouble::ErrorBefore),
        2 => Just(Trouble::FirewallAfter),
        1 => Just(Trouble::HangAfter),
        1 => Just(Trouble::DropBefore),
        1 => Just(Trouble::PageBefore),
        1 => Just(Trouble::Hang),
        1 => Just(Trouble::Blind),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..PLACES.len();
    let named = prop::option::weighted(0.8, place.clone());
    let colleague = prop::option::weighted(0.3, any::<bool>());
    let create = (place, 0..LABELS.len(), 0..RANKS.len(), trouble(), colleague);
    let delete = (any::<prop::sample::Index>(), named, trouble());
    prop_oneof![
        create.prop_map(|(place, label, rank, trouble, colleague)| Step::Create {
            place,
            label,
            rank,
            trouble,
            colleague
        }),
        delete.prop_map(|(account, place, trouble)| Step::Delete {
            account,
            place,
            trouble
        }),
    ]
}

type Accounts = BTreeMap<String, AccountSnapshot>;

fn accounts(handle: &Handle) -> Accounts {
    let all = handle.accounts().into_iter();
    all.map(|account| (account.id.clone(), account)).collect()
}

/// One run of a server.
struct Run {
    sandbox: Sandbox,
    session: Session,
    keys: BTreeSet<String>,
    colleagues: usize,
}

impl Run {
    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let handle = self.sandbox.handle();
        let before = accounts(&handle);
        let outcome = match step {
            Step::Create {
                place,
                label,
                rank,
                trouble,
                colleague,
            } => {
                let place = &PLACES[*place];
                let [list, create, _] = place.fields;
                trouble.begin(&handle, list, create);
                if let Some(is_admin) = colleague {
                    let role = match (place.level, is_admin) {
                        ("WORKSPACE", false) => Role::WorkspaceViewer,
                        ("WORKSPACE", true) => Role::WorkspaceAdmin,
                        (_, false) => Role::DeploymentViewer,
                        (_, true) => Role::DeploymentAdmin,
                    };
                    let theirs = NewAccount {
                        id: Some(self.next_colleagues_id()),
                        ..NewAccount::new(LABELS[*label], role, place.entity())
                    };
                    handle.add_account_on(On::Field(create), theirs);
                }
                let role = format!("{}_{}", place.level, RANKS[*rank]);
                let asked =
                    json!({"label": LABELS[*label], place.argument: place.id, "role": role});
                self.session.call(CREATE_TOOL, asked).await
            }
            Step::Delete {
                account,
                place,
                trouble,
            } => {
                let id = deleted_id(account, &before);
                let home = place.map(|at| &PLACES[at]).or(Place::of(&before[id]));
                let [list, _, delete] = home.unwrap_or(&PLACES[0]).fields;
                trouble.begin(&handle, list, delete);
                let mut asked = json!({"service_account_id": id});
                if let Some(at) = place {
                    asked[PLACES[*at].argument] = json!(PLACES[*at].id);
                }
                self.session.call(DELETE_TOOL, asked).await
            }
        };
        handle.clear_faults();
        let after = accounts(&handle);
        self.keys
            .extend(after.values().map(|account| account.key.clone()));
        match step {
            Step::Create {
                place, label, rank, ..
            } => {
                let place = &PLACES[*place];
                let role = format!("{}_{}", place.level, RANKS[*rank]);
                created(&outcome, &before, &after, [place.id, LABELS[*label], &role])
            }
            Step::Delete { account, place, .. } => deleted(
                &outcome,
                &before,
                &after,
                deleted_id(account, &before),
                place.map(|at| PLACES[at].id),
            ),
        }
    }
}

impl Run {
    fn next_colleagues_id(&mut self) -> String {
        self.colleagues += 1;
        format!("{THEIRS}{}", self.colleagues)
    }
}

fn deleted_id<'a>(account: &prop::sample::Index, there: &'a Accounts) -> &'a str {
    there.keys().nth(account.index(there.len())).unwrap()
}

fn created(
    outcome: &Outcome,
    before: &Accounts,
    after: &Accounts,
    asked: [&str; 3],
) -> Result<(), TestCaseError> {
    let new: Vec<_> = after
        .values()
        .filter(|account| !before.contains_key(&account.id))
        .collect();
    let kept = before
        .iter()
        .all(|(id, account)| after.get(id) == Some(account));
    prop_assert!(
        kept,
        "a creation changed another account: {}",
        outcome.result
    );
    let (theirs, new): (Vec<_>, Vec<_>) = new
        .into_iter()
        .partition(|account| account.id.starts_with(THEIRS));
    for account in &new {
        prop_assert_eq!(account.entity_uuid.as_deref(), Some(asked[0]));
        prop_assert_eq!([&*account.label, &*account.role], [asked[1], asked[2]]);
    }
    if outcome.is_error() {
        let most = usize::from(outcome.code() == "outcome_unknown");
        prop_assert!(new.len() <= most, "{} and yet {new:?}", outcome.text());
        return Ok(());
    }
    let claimed = outcome.account()["id"].as_str().unwrap();
    // A colleague's account of the same label, role and category, made between the look and the lost creation, cannot
    // be told from it by anything that the API shows.
    let twin = theirs
        .iter()
        .any(|account| account.id == claimed && account.role == asked[2]);
    let is_recovered = outcome.structured()["recovered"] == true;
    prop_assert!(
        !twin || (is_recovered && new.is_empty()),
        "{}",
        outcome.text()
    );
    prop_assert!(
        twin || (new.len() == 1 && new[0].id == claimed),
        "{}",
        outcome.text()
    );
    let file = outcome.structured()["api_key_file"].as_str().unwrap();
    prop_assert_eq!(&fs::read_to_string(file).unwrap(), &after[claimed].key);
    Ok(())
}

fn deleted(
    outcome: &Outcome,
    before: &Accounts,
    after: &Accounts,
    id: &str,
    place: Option<&str>,
) -> Result<(), TestCaseError> {
    let mut without = before.clone();
    let account = without.remove(id).unwrap();
    let here = Place::of(&account).is_some_and(|home| place.is_none_or(|place| place == home.id));
    let done = *after == without;
    prop_assert!(
        done || after == before,
        "a deletion changed another account: {}",
        outcome.result
    );
    prop_assert!(
        here || !done,
        "an account of another place was deleted: {}",
        outcome.result
    );
    if outcome.is_error() {
        prop_assert!(
            !done || outcome.code() == "outcome_unknown",
            "{} and yet it was done",
            outcome.text()
        );
    } else {
        prop_assert!(done, "{} and yet it was not done", outcome.text());
        prop_assert_eq!(&outcome.account()["id"], &json!(id));
    }
    Ok(())
}

async fn run(line: Line, era: Era, hours: i64, steps: &[Step]) -> Result<(), TestCaseError> {
    let sandbox = Sandbox::start_line(0, line).await.unwrap();
    sandbox.handle().skew_clock(TimeDelta::hours(hours));
    let settings = [
        "--timeout",
        "0.5",
        "--max-changes-per-minute",
        "0",
        "--log",
        "info",
    ];
    let session = guarded(&sandbox, Persona::WorkspaceAdmin)
        .args(&settings)
        .serve(era)
        .await;
    let keys = all_keys(&sandbox.handle()).into_iter().collect();
    let mut run = Run {
        sandbox,
        session,
        keys,
        colleagues: 0,
    };
    if line == Line::Of2020 {
        // The fields of this line are known from then on.
        let all = json!({"include_deployments": true});
        run.session.call(GET_TOOL, all).await.structured();
    }
    for step in steps {
        run.take(step).await?;
    }
    run.session.close_stdin_and_wait().await;
    let stderr = run.session.stderr().await;
    for key in &run.keys {
        prop_assert!(!run.session.stdout().contains(key), "on stdout: {key}");
        prop_assert!(!stderr.contains(key), "on stderr: {key}");
    }
    Ok(())
}

fn results_are_true(line: Line, era: Era) {
    let config = Config {
        cases: CASES / 2,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let sequences = (-2_i64..=2, prop::collection::vec(step(), 1..9));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tried = TestRunner::new(config).run(&sequences, |(hours, steps)| {
        runtime.block_on(run(line, era, hours, &steps))
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}

#[test]
fn what_results_claim_is_what_the_sandbox_holds() {
    results_are_true(Line::Today, Era::USUAL);
}

#[test]
fn what_results_claim_is_what_the_sandbox_holds_in_the_stateless_era() {
    results_are_true(Line::Today, Era::Stateless);
}

#[test]
fn what_results_claim_is_what_the_sandbox_holds_on_the_line_of_2020() {
    results_are_true(Line::Of2020, Era::USUAL);
}
