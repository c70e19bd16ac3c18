//! What a workspace shows of a creation whose answer was lost.
//! Takes no older account of the label, and no colleague's, for the new one: what is not certain is
//! unclear.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::apc::operations::Listing;
use crate::apc::{Label, NewServiceAccount, ServiceAccount, ServiceAccountId};
use crate::guards::text::quoted;

/// How far the API's clock may be off from what we make of it: its `Date` has whole seconds.
const CLOCK: TimeDelta = TimeDelta::seconds(2);

/// What the workspace shows.
#[derive(Debug)]
pub enum Trace {
    /// An account that can only be the new one.
    New(Box<ServiceAccount>),
    /// Only accounts that had the label before; the first of them.
    Older(Box<ServiceAccount>),
    /// No account of that label.
    Nothing,
    /// Something that decides nothing, in words.
    Unclear(String),
}

/// Whether the account has the label that was asked for.
pub fn has_label(account: &ServiceAccount, new: &NewServiceAccount) -> bool {
    account.label.as_deref() == Some(new.label.as_str())
}

/// Tells the new account from others of its label, by everything that was asked for and by when it
/// was made: since the creation was sent, so long ago, on the API's own clock. That clock is read in
/// whole seconds, so accounts known from before are told apart by that alone.
pub fn trace(
    listing: Listing,
    new: &NewServiceAccount,
    elapsed: Duration,
    is_known: impl Fn(&ServiceAccountId) -> bool,
) -> Trace {
    let Listing { accounts, date, .. } = listing;
    let of_label: Vec<_> = accounts
        .into_iter()
        .filter(|account| has_label(account, new))
        .collect();
    if of_label.is_empty() {
        return Trace::Nothing;
    }
    let dated: Option<Vec<_>> = of_label
        .into_iter()
        .map(|account| Some((made(&account)?, account)))
        .collect();
    let (Some(now), Some(dated)) = (date, dated) else {
        return Trace::Unclear(
            "The workspace shows an account of that label, but not when it was created.".to_owned(),
        );
    };
    // A clock at the end of all dates is none to go by.
    let ago = TimeDelta::from_std(elapsed)
        .ok()
        .and_then(|elapsed| elapsed.checked_add(&CLOCK));
    let Some(began) = ago.and_then(|ago| now.checked_sub_signed(ago)) else {
        return Trace::Unclear("The API's clock tells no time to go by.".to_owned());
    };
    let is_since = |(made, account): &(DateTime<Utc>, ServiceAccount)| {
        *made >= began && !is_known(&account.id)
    };
    let (since, before): (Vec<_>, Vec<_>) = dated.into_iter().partition(is_since);
    if let (true, Some((_, older))) = (since.is_empty(), before.into_iter().next()) {
        return Trace::Older(Box::new(older));
    }
    decide(since.into_iter().map(|(_, account)| account).collect(), new)
}

/// Of the accounts of the label that were made since, exactly one may be as it was asked for.
fn decide(since: Vec<ServiceAccount>, new: &NewServiceAccount) -> Trace {
    let (mut ours, others): (Vec<_>, Vec<_>) = since
        .into_iter()
        .partition(|account| is_as_asked(account, new));
    match (ours.pop(), ours.len()) {
        (Some(account), 0) => with_key(account),
        (Some(_), more) => {
            Trace::Unclear(format!("The workspace shows {} such accounts.", more + 1))
        }
        (None, _) => {
            let ids: Vec<_> = others
                .iter()
                .map(|account| quoted(account.id.as_str()))
                .collect();
            let ids = ids.join(", ");
            Trace::Unclear(format!(
                "The workspace shows {ids} of that label, with another role or category."
            ))
        }
    }
}

fn with_key(account: ServiceAccount) -> Trace {
    if account.api_key.as_ref().is_some_and(|key| !key.is_masked()) {
        return Trace::New(Box::new(account));
    }
    let id = quoted(account.id.as_str());
    Trace::Unclear(format!(
        "The workspace shows it as {id}, but not its key: delete it before creating it again."
    ))
}

fn made(account: &ServiceAccount) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(account.created_at.as_deref()?)
        .ok()
        .map(|made| made.to_utc())
}

fn is_as_asked(account: &ServiceAccount, new: &NewServiceAccount) -> bool {
    account.category.as_deref() == new.category.as_ref().map(Label::as_str)
        && account
            .role
            .as_deref()
            .is_none_or(|role| role == new.role.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::{Role, WorkspaceId};
    use crate::guards::secret::Secret;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn new() -> NewServiceAccount {
        NewServiceAccount {
            workspace_id: WorkspaceId::verbatim("ws".to_owned()),
            label: Label::parse("ci").unwrap(),
            role: Role::WorkspaceEditor,
            category: None,
        }
    }

    /// An account as it would be after `new()`, made so many seconds before now.
    fn account(id: &str, seconds: i64) -> ServiceAccount {
        let made = DateTime::parse_from_rfc3339(NOW).unwrap() - TimeDelta::seconds(seconds);
        ServiceAccount {
            id: ServiceAccountId::verbatim(id.to_owned()),
            label: Some("ci".to_owned()),
            api_key: Some(Secret::new("0123456789abcdef0123456789abcdef")),
            role: Some("WORKSPACE_EDITOR".to_owned()),
            category: None,
            workspace_id: WorkspaceId::verbatim("ws".to_owned()),
            active: Some(true),
            created_at: Some(made.to_rfc3339()),
            updated_at: None,
            last_used_at: None,
        }
    }

    /// What is made of a workspace with these accounts, 10 seconds after the creation was sent.
    fn seen(accounts: Vec<ServiceAccount>) -> Trace {
        let date = Some(NOW.parse().unwrap());
        trace(
            Listing {
                size: accounts.len(),
                accounts,
                date,
            },
            &new(),
            Duration::from_secs(10),
            |id| id.as_str() == "known",
        )
    }

    fn found(trace: Trace) -> Option<String> {
        match trace {
            Trace::New(account) => Some(account.id.into_string()),
            _ => None,
        }
    }

    #[test]
    fn the_account_made_since_is_the_new_one() {
        for seconds in [0, 9, 12] {
            assert_eq!(
                found(seen(vec![account("a", seconds)])).as_deref(),
                Some("a"),
                "{seconds}"
            );
        }
    }

    #[test]
    fn an_older_account_is_not_the_new_one() {
        let Trace::Older(older) = seen(vec![account("a", 13), account("b", 1000)]) else {
            panic!("not older")
        };
        assert_eq!(older.id.as_str(), "a");
    }

    #[test]
    fn an_account_known_from_before_is_older_however_young_it_is() {
        assert!(matches!(seen(vec![account("known", 0)]), Trace::Older(_)));
        assert_eq!(
            found(seen(vec![account("known", 0), account("a", 0)])).as_deref(),
            Some("a")
        );
    }

    #[test]
    fn the_new_one_is_found_beside_an_older_one_and_a_colleagues() {
        let colleagues = ServiceAccount {
            role: Some("WORKSPACE_ADMIN".to_owned()),
            ..account("c", 1)
        };
        let trace = seen(vec![account("a", 1000), account("b", 5), colleagues]);
        assert_eq!(found(trace).as_deref(), Some("b"));
    }

    #[test]
    fn a_colleagues_account_is_not_the_new_one() {
        let role = ServiceAccount {
            role: Some("WORKSPACE_VIEWER".to_owned()),
            ..account("a", 1)
        };
        let category = ServiceAccount {
            category: Some("x".to_owned()),
            ..account("a", 1)
        };
        for colleagues in [role, category] {
            assert!(
                matches!(seen(vec![colleagues]), Trace::Unclear(words) if words.contains("'a'"))
            );
        }
    }

    #[test]
    fn two_that_could_be_it_decide_nothing() {
        assert!(matches!(
            seen(vec![account("a", 1), account("b", 2)]),
            Trace::Unclear(_)
        ));
    }

    #[test]
    fn without_a_date_or_a_key_nothing_is_decided() {
        let undated = ServiceAccount {
            created_at: None,
            ..account("a", 1)
        };
        let odd = ServiceAccount {
            created_at: Some("yesterday".to_owned()),
            ..account("a", 1)
        };
        let masked = ServiceAccount {
            api_key: Some(Secret::new("012345****")),
            ..account("a", 1)
        };
        let keyless = ServiceAccount {
            api_key: None,
            ..account("a", 1)
        };
        for account in [undated, odd, masked, keyless] {
            assert!(matches!(seen(vec![account]), Trace::Unclear(_)));
        }
        let listing = Listing {
            accounts: vec![account("a", 1)],
            size: 1,
            date: None,
        };
        assert!(matches!(
            trace(listing, &new(), Duration::ZERO, |_| false),
            Trace::Unclear(_)
        ));
    }

    #[test]
    fn a_clock_at_the_end_of_all_dates_decides_nothing() {
        for date in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let listing = Listing {
                accounts: vec![account("a", 1)],
                size: 1,
                date: Some(date),
            };
            let trace = trace(listing, &new(), Duration::MAX, |_| false);
            assert!(matches!(trace, Trace::Unclear(_)), "{date}");
        }
    }

    #[test]
    fn another_label_is_nothing_and_a_release_without_roles_is_enough() {
        let other = ServiceAccount {
            label: Some("CI".to_owned()),
            ..account("a", 1)
        };
        assert!(matches!(seen(vec![other]), Trace::Nothing));
        let roleless = ServiceAccount {
            role: None,
            ..account("a", 1)
        };
        assert_eq!(found(seen(vec![roleless])).as_deref(), Some("a"));
    }
}
