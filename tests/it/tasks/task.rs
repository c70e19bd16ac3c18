//! The tasks of `tests/tasks/`: a request, the world that it is made in, and what has to hold at the end.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

/// One everyday request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// The words of the user.
    pub request: String,
    /// The accounts beside the sandbox's own.
    #[serde(default)]
    pub world: Vec<Accounts>,
    /// Further flags of the server.
    #[serde(default)]
    pub server: Vec<String>,
    /// The user behind the client: `yes`, `no` or `select LABEL`; a client that cannot ask has none.
    pub user: Option<String>,
    /// The calls of the scripted player.
    pub script: Vec<Step>,
    /// The number of calls that the request needs.
    pub calls: usize,
    /// The state and the answer at the end.
    pub holds: Holds,
}

/// Several accounts of one kind. `{n}` in the label is their number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub label: String,
    pub count: u64,
    pub workspace: String,
    pub role: String,
    pub age_days: u64,
    pub used_days_ago: Option<u64>,
    pub key: Option<String>,
    /// Each account is a day younger than the one before.
    #[serde(default)]
    pub each_day_younger: bool,
}

/// One call of the script, or one for each row of the result before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub tool: String,
    pub arguments: Value,
    /// The rows that the step is repeated for.
    pub for_each: Option<String>,
    /// A field of a row, and the path of the value that it has to have.
    #[serde(rename = "where")]
    pub only: Option<(String, String)>,
}

/// The conditions that have to hold at the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holds {
    /// Texts of the answer.
    #[serde(default)]
    pub said: Vec<String>,
    /// New accounts.
    #[serde(default)]
    pub accounts: Vec<NewAccount>,
    /// Labels of accounts that are deleted.
    #[serde(default)]
    pub gone: Vec<String>,
    /// An account whose key is nowhere in what the player has read.
    pub never_said_key_of: Option<String>,
    /// Nothing else has changed. Every task wants that; it is there to be read.
    #[serde(default, rename = "unchanged", alias = "others_unchanged")]
    pub _unchanged: bool,
}

/// An account that has to be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    pub label: String,
    pub role: String,
    /// The label of its workspace or deployment.
    pub place: String,
    pub category: Option<String>,
}

/// Every task, by name.
pub fn all() -> Vec<Task> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tasks");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Task {
    let text = with_dates(&std::fs::read_to_string(path).unwrap());
    let task = serde_json::from_str(&text);
    let mut task: Task = task.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    task.name = path.file_stem().unwrap().to_string_lossy().into_owned();
    task
}

/// `{date:100}` is the day 100 days ago.
fn with_dates(text: &str) -> String {
    let mut parts = text.split("{date:");
    let mut dated = parts.next().unwrap().to_owned();
    for part in parts {
        let (days, rest) = part.split_once('}').unwrap();
        let date = Utc::now() - TimeDelta::days(days.parse().unwrap());
        dated.push_str(&date.date_naive().to_string());
        dated.push_str(rest);
    }
    dated
}
