//! The filters of a list, each by one fact of an account.
//! Takes no fact that is not known for one that fits.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::super::arguments::{SearchText, text_argument};
use super::super::schema::{inlined_schema, text};
use super::super::words::accounts;
use crate::apc::selection::{Candidate, Shown};
use crate::apc::{Accepted, ServiceAccountId, TEXT_MAX};
use crate::guards::secret::{SHOWN, Secrets, visible_part};
use crate::guards::text::quoted;

const ROLES_NAMED: usize = 20;

const ON_DEPLOYMENTS: &str = "DEPLOYMENT_";

/// The filters of a call. They hold together.
#[derive(Default, PartialEq)]
pub(super) struct Filter {
    pub(super) service_account_id: Option<ServiceAccountId>,
    pub(super) label: Option<LabelPattern>,
    pub(super) role: Option<SearchText>,
    pub(super) category: Option<SearchText>,
    pub(super) key_prefix: Option<KeyPrefix>,
    pub(super) unused_since: Option<Moment>,
}

/// Facts of an account that the API may not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    Role,
    Category,
    Key,
    LastUse,
}

/// The verdict on an account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It fits every filter.
    Match,
    /// It does not fit.
    Other,
    /// It would fit, but for a fact that is not known.
    NotKnown(Fact),
}

impl From<bool> for Verdict {
    fn from(fits: bool) -> Self {
        match fits {
            true => Self::Match,
            false => Self::Other,
        }
    }
}

impl Filter {
    pub(super) fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// Judges an account. What is certain to be another one decides before what is not known.
    pub(super) fn judge(&self, account: Candidate<'_>) -> Verdict {
        let mut sum = Verdict::Match;
        for verdict in self.verdicts(account) {
            match verdict {
                Verdict::Other => return Verdict::Other,
                Verdict::NotKnown(_) if sum == Verdict::Match => sum = verdict,
                Verdict::NotKnown(_) | Verdict::Match => {}
            }
        }
        sum
    }

    fn verdicts(&self, account: Candidate<'_>) -> [Verdict; 6] {
        let role = account.role.map_or(Shown::Unknown, Shown::Value);
        [
            verdict(&self.service_account_id, |id| {
                (id.as_str() == account.id).into()
            }),
            verdict(&self.label, |label| label.fits(account.label).into()),
            verdict(&self.role, |wanted| is(&wanted.0, role, Fact::Role)),
            verdict(&self.category, |wanted| {
                is(&wanted.0, account.category, Fact::Category)
            }),
            verdict(&self.key_prefix, |prefix| prefix.judge(account.api_key)),
            verdict(&self.unused_since, |moment| {
                moment.judge(account.last_used_at)
            }),
        ]
    }
}

fn verdict<T>(filter: &Option<T>, judge: impl FnOnce(&T) -> Verdict) -> Verdict {
    filter.as_ref().map_or(Verdict::Match, judge)
}

fn is(wanted: &str, shown: Shown<&str>, fact: Fact) -> Verdict {
    match shown {
        Shown::Value(value) => (value == wanted).into(),
        Shown::Nothing => Verdict::Other,
        Shown::Unknown => Verdict::NotKnown(fact),
    }
}

/// A part of a label, in any case; with `*`, which stands for anything, the whole of it.
#[derive(PartialEq)]
pub(super) struct LabelPattern {
    parts: Vec<String>,
}

impl LabelPattern {
    pub(super) fn new(text: &SearchText) -> Self {
        let text = text.0.to_lowercase();
        let parts = match text.contains('*') {
            true => text.split('*').map(str::to_owned).collect(),
            false => vec![String::new(), text, String::new()],
        };
        Self { parts }
    }

    /// Tells whether a label begins with the first part, ends with the last one, and has the others between in their order.
    fn fits(&self, label: Option<&str>) -> bool {
        let label = label.unwrap_or_default().to_lowercase();
        let [first, between @ .., last] = self.parts.as_slice() else {
            return false;
        };
        let inner = label.strip_prefix(first.as_str());
        let inner = inner.and_then(|rest| rest.strip_suffix(last.as_str()));
        let after = |rest: Option<_>, part: &String| {
            let rest: &str = rest?;
            let start = rest.find(part.as_str())?;
            rest.get(start + part.len()..)
        };
        between.iter().fold(inner, after).is_some()
    }
}

/// The beginning of a key: as many characters as show of a masked one, or more.
#[derive(PartialEq)]
pub(super) struct KeyPrefix(String);

impl KeyPrefix {
    const ACCEPTED: Accepted = Accepted(
        "the first 6 to 255 characters of a key, with or without the sign that hides the rest",
    );

    fn parse(text: &str) -> Result<Self, Accepted> {
        let shown = text.trim().trim_end_matches(['*', '…', '.']);
        match shown.chars().count() {
            SHOWN..=TEXT_MAX => Ok(Self(shown.to_owned())),
            _ => Err(Self::ACCEPTED),
        }
    }

    fn judge(&self, key: Option<&str>) -> Verdict {
        let Some(key) = key else {
            return Verdict::NotKnown(Fact::Key);
        };
        let Some(shown) = visible_part(key) else {
            return key.starts_with(&self.0).into();
        };
        let fits = self.0.starts_with(shown) || shown.starts_with(&self.0);
        match fits && shown.len() < SHOWN {
            true => Verdict::NotKnown(Fact::Key),
            false => fits.into(),
        }
    }
}

/// A moment: a date, whose day begins at midnight UTC, or a date with a time.
#[derive(PartialEq)]
pub(super) struct Moment(pub(super) DateTime<Utc>);

impl Moment {
    const ACCEPTED: Accepted =
        Accepted("a date such as 2026-08-01, or a time such as 2026-08-01T12:00:00Z");

    fn parse(text: &str) -> Result<Self, Accepted> {
        let text = text.trim();
        let midnight = format!("{text}T00:00:00Z");
        let moment = moment(&midnight).or_else(|| moment(text));
        moment.map(Self).ok_or(Self::ACCEPTED)
    }

    /// Judges by the last use. An account that was never used was not used since.
    fn judge(&self, last_used_at: Shown<&str>) -> Verdict {
        match last_used_at {
            Shown::Nothing => Verdict::Match,
            Shown::Value(text) => moment(text).map_or(Verdict::NotKnown(Fact::LastUse), |used| {
                (used < self.0).into()
            }),
            Shown::Unknown => Verdict::NotKnown(Fact::LastUse),
        }
    }
}

/// A moment as the API writes it.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?;
    Some(moment.to_utc())
}

text_argument!(KeyPrefix);
text_argument!(Moment);
inlined_schema!(KeyPrefix, "KeyPrefix", text());
inlined_schema!(Moment, "Moment", text());

/// The accounts that were judged: those that fit, and those that were left out for a fact that is not known.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) matches: u64,
    pub(super) has_id: bool,
    left_out: BTreeMap<Fact, usize>,
    /// The roles of all accounts that were read, where a role is searched.
    roles: BTreeSet<String>,
}

impl Tally {
    pub(super) fn count(&mut self, filter: &Filter, account: Candidate<'_>) -> bool {
        let id = filter.service_account_id.as_ref();
        self.has_id |= id.is_some_and(|id| id.as_str() == account.id);
        self.count_role(filter, account.role);
        let verdict = filter.judge(account);
        match verdict {
            Verdict::Match => self.matches += 1,
            Verdict::Other => {}
            Verdict::NotKnown(fact) => *self.left_out.entry(fact).or_default() += 1,
        }
        verdict == Verdict::Match
    }

    /// Keeps the role of an account: always the one that is searched, and the first others.
    fn count_role(&mut self, filter: &Filter, role: Option<&str>) {
        let (Some(wanted), Some(role)) = (&filter.role, role) else {
            return;
        };
        let has_room = self.roles.len() < ROLES_NAMED || role == wanted.0;
        if has_room && !self.roles.contains(role) {
            self.roles.insert(role.to_owned());
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.matches += other.matches;
        self.has_id |= other.has_id;
        self.roles.extend(other.roles.iter().cloned());
        for (fact, count) in &other.left_out {
            *self.left_out.entry(*fact).or_default() += count;
        }
    }

    /// A sentence on a role that is searched and that no account has, although others are known.
    pub(super) fn note_on_role(
        &self,
        filter: &Filter,
        skips_deployments: bool,
        secrets: &Secrets,
    ) -> Option<String> {
        let wanted = &filter.role.as_ref()?.0;
        if self.roles.is_empty() || self.roles.contains(wanted) {
            return None;
        }
        let roles = self.roles.iter().take(ROLES_NAMED);
        // Secrets go before a role is cut, or a part would stay.
        let roles: Vec<_> = roles.map(|role| quoted(&secrets.scrub(role))).collect();
        Some(format!(
            "No account has the role {} in the place where it was read; roles of the accounts read: {}. The filter role takes the whole name; roles that an account has elsewhere, such as SYSTEM_ADMIN, stand in its other_bindings and are not searched.{}",
            quoted(wanted),
            roles.join(", "),
            match skips_deployments && wanted.starts_with(ON_DEPLOYMENTS) {
                true =>
                    " Accounts of deployments are read with include_deployments or a deployment_id only.",
                false => "",
            }
        ))
    }

    pub(super) fn notes(&self, shows_roles: bool) -> impl Iterator<Item = String> {
        self.left_out.iter().map(move |(fact, count)| {
            let accounts = accounts(*count);
            let (argument, why) = words(*fact, shows_roles);
            format!("The filter {argument} has left out {accounts} that may fit: {why}.")
        })
    }
}

fn words(fact: Fact, shows_roles: bool) -> (&'static str, &'static str) {
    match fact {
        Fact::Role if shows_roles => ("role", "the API did not show the role"),
        Fact::Role => ("role", "this release of the platform does not show roles"),
        Fact::Category => ("category", "the API did not show the category"),
        Fact::Key => (
            "key_prefix",
            "the API shows fewer than 6 characters of the key",
        ),
        Fact::LastUse => ("unused_since", "the API did not show the last use"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Candidate<'_> = Candidate {
        id: "ck1",
        label: None,
        api_key: None,
        role: None,
        category: Shown::Unknown,
        created_at: None,
        last_used_at: Shown::Unknown,
    };

    fn fits(pattern: &str, label: &str) -> bool {
        LabelPattern::new(&SearchText(pattern.to_owned())).fits(Some(label))
    }

    #[test]
    fn a_pattern_is_a_part_of_a_label_or_the_whole_with_asterisks() {
        for (pattern, label) in [
            ("etl", "nightly-ETL-2"),
            ("etl-*", "etl-1"),
            ("ETL-*", "etl-"),
            ("*-old", "ci-old"),
            ("a*b*c", "a1b2c"),
            ("*", ""),
            ("**", "x"),
            ("a*a", "aa"),
            ("Ä*", "ärger"),
        ] {
            assert!(fits(pattern, label), "{pattern} {label}");
        }
        for (pattern, label) in [
            ("etl-*", "my-etl-1"),
            ("*-old", "ci-older"),
            ("a*a", "a"),
            ("a*b*b", "a1b"),
            ("etl", "elt"),
            (".*", "x"),
        ] {
            assert!(!fits(pattern, label), "{pattern} {label}");
        }
    }

    #[test]
    fn a_key_is_compared_as_far_as_it_shows() {
        let judge = |prefix: &str, key: Option<&str>| {
            let prefix = KeyPrefix::parse(prefix).ok().unwrap();
            prefix.judge(key)
        };
        let whole = "429b85d1c0ffee00429b85d1c0ffee00";
        for (prefix, key, verdict) in [
            ("429b85", Some(whole), Verdict::Match),
            ("429b85d1", Some(whole), Verdict::Match),
            ("429b85d2", Some(whole), Verdict::Other),
            ("429b85d2", Some("429b85****"), Verdict::Match),
            ("429b86", Some("429b85****"), Verdict::Other),
            ("429b85", Some("429b85d1****"), Verdict::Match),
            ("429b85…", Some("429b85****"), Verdict::Match),
            (" 429b85**** ", Some(whole), Verdict::Match),
            ("429b85d2", Some("429b85…"), Verdict::Match),
            ("429b85d2", Some("429b85"), Verdict::Match),
            ("429b85", Some("[REDACTED]"), Verdict::NotKnown(Fact::Key)),
            ("429b85", Some("429*****"), Verdict::NotKnown(Fact::Key)),
            ("429b85", Some("428*****"), Verdict::Other),
            ("429b85", Some("********"), Verdict::NotKnown(Fact::Key)),
            ("429b85", None, Verdict::NotKnown(Fact::Key)),
        ] {
            assert_eq!(judge(prefix, key), verdict, "{prefix} {key:?}");
        }
        for short in ["429b8", "429b8***", "", "******"] {
            assert!(KeyPrefix::parse(short).is_err(), "{short}");
        }
    }

    #[test]
    fn unused_since_is_before_that_moment_or_never() {
        let judge = |since: &str, used| Moment::parse(since).ok().unwrap().judge(used);
        let used = Shown::Value("2026-08-01T00:00:00.000Z");
        for (since, used, verdict) in [
            ("2026-08-02", used, Verdict::Match),
            ("2026-08-01", used, Verdict::Other),
            ("2026-08-01T00:00:01Z", used, Verdict::Match),
            ("2026-08-01T02:00:00+02:00", used, Verdict::Other),
            ("2026-08-01", Shown::Nothing, Verdict::Match),
            (
                "2026-08-01",
                Shown::Unknown,
                Verdict::NotKnown(Fact::LastUse),
            ),
            (
                "2026-08-01",
                Shown::Value("yesterday"),
                Verdict::NotKnown(Fact::LastUse),
            ),
        ] {
            assert_eq!(judge(since, used), verdict, "{since} {used:?}");
        }
        for bad in ["yesterday", "2026-13-01", "2026-02-30", "01.08.2026"] {
            assert!(Moment::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_another_one_for_certain_is_not_counted_as_unknown() {
        let filter = Filter {
            label: Some(LabelPattern::new(&SearchText("etl".to_owned()))),
            role: Some(SearchText("WORKSPACE_ADMIN".to_owned())),
            ..Filter::default()
        };
        let named = |label| Candidate {
            label: Some(label),
            ..NOBODY
        };
        assert_eq!(filter.judge(named("ci")), Verdict::Other);
        assert_eq!(filter.judge(named("etl")), Verdict::NotKnown(Fact::Role));
        let admin = Candidate {
            role: Some("WORKSPACE_ADMIN"),
            ..named("etl")
        };
        assert_eq!(filter.judge(admin), Verdict::Match);
    }
}
