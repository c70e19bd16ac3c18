//! The intent: a planned creation, written down before it is sent. After a crash a later process reads it.
//! Holds no secret. A phase is a whole line of JSON: a line that was torn was never acted upon.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::apc::{DeploymentId, NewServiceAccount, Place, WorkspaceId};

pub(super) const INTENT: &str = ".intent-";

/// The bytes of a hash that make the name of an intent. Twice as many digits are too few for a key.
const HASH_BYTES: usize = 12;

/// The shortest time in which a creation that was sent may still show.
const STILL_TO_SHOW_MIN: Duration = Duration::from_secs(10);

/// The difference that the clocks of the API's machines may have.
const CLOCKS: TimeDelta = TimeDelta::seconds(60);

/// The creation that an intent is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    #[serde(flatten)]
    machine: Machine,
    process: u32,
    /// The time of this machine at which the intent was written.
    prepared_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment_id: Option<String>,
    /// The label of the account.
    pub label: String,
    /// The name of its role.
    pub role: String,
    /// Its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The name of the file that is to take the key.
    pub key_file: String,
    /// The seconds that one request may take.
    timeout: u64,
}

/// The sending of a creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// The time of this machine.
    at: DateTime<Utc>,
    /// The time of the API at that moment, by its `Date` header.
    api_at: DateTime<Utc>,
    /// The ids of the accounts of that label that were there before.
    pub seen: Vec<String>,
}

/// The account that came of a creation whose process died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveredAccount {
    /// Its id.
    pub service_account_id: String,
    /// Its key file; none where the key is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<String>,
    /// True if it may be another one: by the API's clock it was not made in the time of the creation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_doubtful: bool,
}

/// One line of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub(super) enum PhaseLine {
    /// Nothing was sent so far.
    Prepared(Plan),
    /// The creation is sent right after this line is written.
    Sent(Sending),
    /// The outcome is known, and nobody was told so far.
    Found(RecoveredAccount),
}

/// The phase of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was sent.
    Prepared,
    /// The creation was sent, and its outcome is not known.
    Sent(Sending),
    /// The outcome is known, and nobody was told.
    Found(RecoveredAccount),
}

/// An intent as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The creation.
    pub plan: Plan,
    /// Its phase.
    pub phase: Phase,
}

/// The content of an intent's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// No whole line: its process died before it had sent anything.
    Nothing,
    /// An intent.
    Intent(Box<Intent>),
    /// Lines that this version cannot read.
    Unreadable,
}

impl Plan {
    /// The plan of this process for a new account, whose key is to go into that file.
    pub fn new(new: &NewServiceAccount, key_file: &str, timeout: Duration) -> Self {
        let (workspace_id, deployment_id) = match &new.place {
            Place::Workspace(id) => (Some(id.as_str().to_owned()), None),
            Place::Deployment(id) => (None, Some(id.as_str().to_owned())),
        };
        let category = new.category.as_ref();
        Self {
            machine: Machine::this(),
            process: std::process::id(),
            prepared_at: Utc::now(),
            workspace_id,
            deployment_id,
            label: new.label.as_str().to_owned(),
            role: new.role.name().to_owned(),
            category: category.map(|category| category.as_str().to_owned()),
            key_file: key_file.to_owned(),
            timeout: timeout.as_secs(),
        }
    }

    /// The place; none where a hand has altered it.
    pub fn place(&self) -> Option<Place> {
        match (&self.workspace_id, &self.deployment_id) {
            (Some(id), None) => Some(WorkspaceId::verbatim(id.clone()).into()),
            (None, Some(id)) => Some(DeploymentId::verbatim(id.clone()).into()),
            _ => None,
        }
    }

    /// Tells whether its process ran on another machine, or before this one was restarted: then its lock tells nothing.
    pub fn is_of_another_boot(&self) -> bool {
        self.machine != Machine::this()
    }
}

impl Sending {
    /// The sending of a creation now. `ahead` is the time by which the API's clock is ahead of ours.
    pub fn now(ahead: TimeDelta, seen: Vec<String>) -> Self {
        let at = Utc::now();
        let api_at = at + ahead;
        Self { at, api_at, seen }
    }
}

impl Intent {
    /// The moment of the last thing that its process did.
    pub fn since(&self) -> DateTime<Utc> {
        match &self.phase {
            Phase::Prepared | Phase::Found(_) => self.plan.prepared_at,
            Phase::Sent(sending) => sending.at,
        }
    }

    /// Tells whether the account may still appear.
    pub fn may_still_show(&self, now: DateTime<Utc>) -> bool {
        let twice = Duration::from_secs(2 * self.plan.timeout).max(STILL_TO_SHOW_MIN);
        let age = (now - self.since()).to_std().unwrap_or_default();
        age < twice
    }

    /// Tells whether an account that was made at that time of the API can be the result of the sending.
    pub fn covers(&self, sending: &Sending, made_at: DateTime<Utc>) -> bool {
        let timeout = TimeDelta::try_seconds(self.plan.timeout.cast_signed()).unwrap_or_default();
        (sending.api_at - CLOCKS..=sending.api_at + timeout + CLOCKS).contains(&made_at)
    }
}

/// The beginning of the names of the intents for a label in a place of the API at that URL.
pub fn name_of(url: &str, place: &Place, label: &str) -> String {
    let text = format!("{url}\n{}\n{}\n{label}", place.kind(), place.id());
    let hash = digest(&SHA256, text.as_bytes());
    let bytes = hash.as_ref().iter().take(HASH_BYTES);
    let digits: String = bytes.map(|byte| format!("{byte:02x}")).collect();
    format!("{INTENT}{digits}")
}

/// Reads the whole lines of an intent.
pub(super) fn parse(text: &str) -> Content {
    let Some((whole, _torn)) = text.rsplit_once('\n') else {
        return Content::Nothing;
    };
    let lines: Result<Vec<PhaseLine>, _> = whole.lines().map(serde_json::from_str).collect();
    let mut lines = lines.unwrap_or_default().into_iter();
    let Some(PhaseLine::Prepared(plan)) = lines.next() else {
        return Content::Unreadable;
    };
    let mut phase = Phase::Prepared;
    for line in lines {
        phase = match line {
            PhaseLine::Prepared(_) => return Content::Unreadable,
            PhaseLine::Sent(sending) => Phase::Sent(sending),
            PhaseLine::Found(found) => Phase::Found(found),
        };
    }
    Content::Intent(Box::new(Intent { plan, phase }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::{Label, Level, Role};

    fn plan() -> Plan {
        let new = NewServiceAccount {
            place: WorkspaceId::verbatim("ck1".to_owned()).into(),
            label: Label::parse("ci").unwrap(),
            role: Role::lowest(Level::Workspace),
            category: None,
        };
        Plan::new(&new, ".pending-1", Duration::from_secs(20))
    }

    fn line(line: &PhaseLine) -> String {
        format!("{}\n", serde_json::to_string(line).unwrap())
    }

    fn sending() -> Sending {
        Sending::now(TimeDelta::hours(1), Vec::new())
    }

    fn phase(text: &str) -> Phase {
        match parse(text) {
            Content::Intent(intent) => intent.phase,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_intent_is_in_the_phase_of_its_last_whole_line() {
        let (prepared, sent) = (
            line(&PhaseLine::Prepared(plan())),
            line(&PhaseLine::Sent(sending())),
        );
        assert_eq!(phase(&prepared), Phase::Prepared);
        let whole = phase(&format!("{prepared}{sent}"));
        assert!(matches!(whole, Phase::Sent(_)), "{whole:?}");
        for end in 0..sent.len() {
            let torn = format!("{prepared}{}", &sent[..end]);
            assert_eq!(phase(&torn), Phase::Prepared, "{torn}");
        }
        for end in 0..prepared.len() {
            assert_eq!(parse(&prepared[..end]), Content::Nothing);
        }
    }

    #[test]
    fn lines_of_another_version_or_hand_are_unreadable() {
        let prepared = line(&PhaseLine::Prepared(plan()));
        let sent = line(&PhaseLine::Sent(sending()));
        for text in [
            "\n".to_owned(),
            "{}\n".to_owned(),
            sent.clone(),
            format!("{prepared}{prepared}"),
            format!("{prepared}{{\"phase\":\"new\"}}\n"),
        ] {
            assert_eq!(parse(&text), Content::Unreadable, "{text}");
        }
    }

    #[test]
    fn the_name_tells_url_place_and_label_apart_and_is_no_key() {
        let place = |id: &str| Place::Workspace(WorkspaceId::verbatim(id.to_owned()));
        let deployment = Place::Deployment(DeploymentId::verbatim("a".to_owned()));
        let names = [
            name_of("https://a/v1", &place("a"), "ci"),
            name_of("https://b/v1", &place("a"), "ci"),
            name_of("https://a/v1", &place("b"), "ci"),
            name_of("https://a/v1", &place("a"), "cd"),
            name_of("https://a/v1", &deployment, "ci"),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert_eq!(names[0].len(), INTENT.len() + 24);
        assert_eq!(names[0], name_of("https://a/v1", &place("a"), "ci"));
    }

    #[test]
    fn an_account_is_of_the_sending_if_it_was_made_then_on_the_clock_of_the_api() {
        let sending = sending();
        let intent = Intent {
            plan: plan(),
            phase: Phase::Sent(sending.clone()),
        };
        let made = |seconds: i64| sending.api_at + TimeDelta::seconds(seconds);
        for (seconds, covers) in [
            (-61, false),
            (-60, true),
            (0, true),
            (80, true),
            (81, false),
        ] {
            assert_eq!(intent.covers(&sending, made(seconds)), covers, "{seconds}");
        }
    }

    #[test]
    fn what_was_sent_may_show_for_two_timeouts_and_ten_seconds_at_least() {
        for (timeout, wait) in [(1, 10), (20, 40)] {
            let mut plan = plan();
            plan.timeout = timeout;
            let sending = sending();
            let after = |seconds| sending.at + TimeDelta::seconds(seconds);
            let intent = Intent {
                plan,
                phase: Phase::Sent(sending.clone()),
            };
            assert!(intent.may_still_show(after(wait - 1)));
            assert!(!intent.may_still_show(after(wait)));
        }
    }

    #[test]
    fn an_intent_of_another_host_or_boot_is_known() {
        assert!(!plan().is_of_another_boot());
        for name in ["host", "boot"] {
            let mut value = serde_json::to_value(plan()).unwrap();
            value[name] = "another".into();
            let other: Plan = serde_json::from_value(value).unwrap();
            assert!(other.is_of_another_boot(), "{name}");
        }
    }
}
