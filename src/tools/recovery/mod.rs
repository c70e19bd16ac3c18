//! The account of a creation whose answer was lost or was an error, as far as the place shows it.
//! Takes no account that was there before, and no colleague's: what is not certain is unclear.

pub mod unfinished;

use std::collections::HashSet;

use crate::apc::operations::Listing;
use crate::apc::{Bindings, Category, Label, NewServiceAccount, ServiceAccount, ServiceAccountId};

/// The ids that a place showed before a creation was sent. What was seen decides, and no clock.
pub type SeenBefore = HashSet<String>;

/// The state of a place after a creation whose answer was lost.
#[derive(Debug)]
pub enum CreationTrace {
    /// An account that can only be the new one.
    New(Box<ServiceAccount>),
    /// No account of that label that was not there before.
    Nothing,
    /// Accounts that decide nothing, and the reason.
    Unclear {
        ids: Vec<ServiceAccountId>,
        why: String,
    },
}

/// The accounts of the label that was asked for which were not there before.
pub fn new_ones(
    listing: Listing,
    new: &NewServiceAccount,
    before: &SeenBefore,
) -> Vec<ServiceAccount> {
    let is_new = |account: &ServiceAccount| {
        account.label.as_deref() == Some(new.label.as_str())
            && !before.contains(account.id.as_str())
    };
    listing.accounts.into_iter().filter(is_new).collect()
}

/// Tells the new account from others: it was not there before, it has the label, role and category that were asked
/// for, it is the only one of that kind, and no other process has its key.
pub fn trace(
    listing: Listing,
    new: &NewServiceAccount,
    before: &SeenBefore,
    has_key_file: impl Fn(&ServiceAccountId) -> bool,
) -> CreationTrace {
    let is_complete = listing.is_complete && listing.labels_are_known;
    let mut accounts = new_ones(listing, new, before);
    accounts.retain(|account| !has_key_file(&account.id));
    if accounts.is_empty() {
        return CreationTrace::Nothing;
    }
    let ids = accounts.iter().map(|account| account.id.clone()).collect();
    let (role, category) = (new.role.name(), new.category.as_ref().map(Label::as_str));
    accounts.retain(|account| could_be(account, role, category));
    let mut ours = accounts;
    let why = match (ours.pop(), ours.len()) {
        (None, _) => "has that label, with another role or category",
        (Some(_), 1..) => "could each be the one",
        (Some(_), 0) if !is_complete => "could be the one, but not every account could be read",
        (Some(account), 0) if has_further_roles(&account, role) => {
            "has that label, role and category, and further roles that this creation did not ask for, so it may be another account"
        }
        (Some(account), 0) if !is_as_asked(&account, role) => {
            "could be the one, but its role or category is not shown"
        }
        (Some(account), 0) => match &account.api_key {
            Some(key) if !key.is_masked() => return CreationTrace::New(Box::new(account)),
            _ => "could be the one, but its key is not shown in full any more",
        },
    };
    let why = why.to_owned();
    CreationTrace::Unclear { ids, why }
}

/// Tells whether nothing that is known of the account speaks against it.
fn could_be(account: &ServiceAccount, asked_role: &str, asked_category: Option<&str>) -> bool {
    let has_role = account.role().is_none_or(|role| role == asked_role);
    let has_category = match &account.category {
        Category::Known(category) => category.as_deref() == asked_category,
        Category::Unknown => true,
    };
    has_role && has_category
}

/// Tells whether role and category are the ones that were asked for, and the account has roles besides.
fn has_further_roles(account: &ServiceAccount, asked_role: &str) -> bool {
    account.role() == Some(asked_role)
        && account.other_bindings().next().is_some()
        && account.category != Category::Unknown
}

/// Tells whether role and category are known: the role that was asked for and no other, and the category.
fn is_as_asked(account: &ServiceAccount, asked_role: &str) -> bool {
    let is_role = account.role() == Some(asked_role);
    let is_only_role = matches!(&account.bindings, Bindings::Known(all) if all.len() == 1);
    is_role && is_only_role && account.category != Category::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::{Binding, Entity, Level, Place, Rank, Role, WorkspaceId};
    use crate::guards::secret::Secret;

    fn place() -> Place {
        Place::Workspace(WorkspaceId::verbatim("ws".to_owned()))
    }

    fn new() -> NewServiceAccount {
        NewServiceAccount {
            place: place(),
            label: Label::parse("ci").unwrap(),
            role: Role {
                level: Level::Workspace,
                rank: Rank::Editor,
            },
            category: None,
        }
    }

    fn role(name: &str) -> Bindings {
        Bindings::Known(vec![Binding {
            role: Some(name.to_owned()),
            entity: Entity::Place(place()),
        }])
    }

    /// An account as it would be after `new()`.
    fn account(id: &str) -> ServiceAccount {
        ServiceAccount {
            id: ServiceAccountId::verbatim(id.to_owned()),
            label: Some("ci".to_owned()),
            api_key: Some(Secret::new("0123456789abcdef0123456789abcdef")),
            bindings: role("WORKSPACE_EDITOR"),
            category: Category::Known(None),
            place: place(),
            active: Some(true),
            created_at: None,
            updated_at: None,
            last_used_at: None,
        }
    }

    fn listing(accounts: Vec<ServiceAccount>) -> Listing {
        Listing {
            size: accounts.len(),
            accounts,
            unreadable: 0,
            partly_read: 0,
            is_complete: true,
            labels_are_known: true,
            foreign: Vec::new(),
            clock_ahead: None,
        }
    }

    /// The trace in a place with these accounts, of which `before` was there and `theirs` has a key file.
    fn seen(accounts: Vec<ServiceAccount>) -> CreationTrace {
        let before = SeenBefore::from(["before".to_owned()]);
        trace(listing(accounts), &new(), &before, |id| {
            id.as_str() == "theirs"
        })
    }

    fn found(trace: CreationTrace) -> Option<String> {
        match trace {
            CreationTrace::New(account) => Some(account.id.into_string()),
            _ => None,
        }
    }

    fn unclear(trace: CreationTrace) -> Option<(Vec<String>, String)> {
        match trace {
            CreationTrace::Unclear { ids, why } => Some((
                ids.into_iter().map(ServiceAccountId::into_string).collect(),
                why,
            )),
            _ => None,
        }
    }

    #[test]
    fn the_one_account_that_was_not_there_before_is_the_new_one() {
        let all = vec![account("before"), account("a"), account("theirs")];
        assert_eq!(found(seen(all)).as_deref(), Some("a"));
    }

    #[test]
    fn an_account_that_was_seen_before_or_has_a_key_file_is_not_the_new_one() {
        for id in ["before", "theirs"] {
            assert!(
                matches!(seen(vec![account(id)]), CreationTrace::Nothing),
                "{id}"
            );
        }
    }

    #[test]
    fn an_empty_category_is_none() {
        let blank = ServiceAccount {
            category: Category::of(Some(String::new())),
            ..account("a")
        };
        assert_eq!(found(seen(vec![blank])).as_deref(), Some("a"));
    }

    #[test]
    fn a_colleagues_account_is_not_the_new_one() {
        let other_role = ServiceAccount {
            bindings: role("WORKSPACE_VIEWER"),
            ..account("a")
        };
        let other_category = ServiceAccount {
            category: Category::Known(Some("x".to_owned())),
            ..account("a")
        };
        for colleagues in [other_role, other_category] {
            let (ids, why) = unclear(seen(vec![colleagues.clone()])).unwrap();
            assert_eq!(ids, ["a"]);
            assert!(why.contains("another role or category"), "{why}");
            let beside = vec![colleagues, account("b")];
            assert_eq!(found(seen(beside)).as_deref(), Some("b"));
        }
    }

    #[test]
    fn two_that_could_be_it_decide_nothing() {
        let (ids, why) = unclear(seen(vec![account("a"), account("b")])).unwrap();
        assert_eq!(ids, ["a", "b"]);
        assert!(why.contains("could each be"), "{why}");
        let roleless = ServiceAccount {
            bindings: Bindings::NotShown,
            ..account("b")
        };
        assert!(unclear(seen(vec![account("a"), roleless])).is_some());
    }

    #[test]
    fn without_a_known_role_a_whole_key_or_a_whole_list_nothing_is_decided() {
        let mut second_role = account("a");
        let Bindings::Known(bindings) = &mut second_role.bindings else {
            unreachable!()
        };
        bindings.push(Binding {
            role: Some("SYSTEM_ADMIN".to_owned()),
            entity: Entity::System,
        });
        let cases = [
            ServiceAccount {
                bindings: Bindings::NotShown,
                ..account("a")
            },
            ServiceAccount {
                bindings: Bindings::Unreadable,
                ..account("a")
            },
            ServiceAccount {
                bindings: Bindings::Known(vec![]),
                ..account("a")
            },
            second_role,
            ServiceAccount {
                category: Category::Unknown,
                ..account("a")
            },
            ServiceAccount {
                api_key: Some(Secret::new("012345****")),
                ..account("a")
            },
            ServiceAccount {
                api_key: None,
                ..account("a")
            },
        ];
        for account in cases {
            assert!(
                unclear(seen(vec![account.clone()])).is_some(),
                "{account:?}"
            );
        }
        let unlisted = Listing {
            unreadable: 1,
            is_complete: false,
            ..listing(vec![account("a")])
        };
        let unlabelled = Listing {
            labels_are_known: false,
            ..listing(vec![account("a")])
        };
        for partly in [unlisted, unlabelled] {
            let trace = trace(partly, &new(), &SeenBefore::new(), |_| false);
            assert!(unclear(trace).is_some());
        }
    }

    #[test]
    fn another_label_is_nothing() {
        let other = ServiceAccount {
            label: Some("CI".to_owned()),
            ..account("a")
        };
        assert!(matches!(seen(vec![other]), CreationTrace::Nothing));
    }
}
