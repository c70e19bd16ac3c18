//! The rights of the token, as far as reading can tell: the lists that it may read, and the roles of its own account.
//!
//! The API tells nobody the roles of a user. Those of a key are the roles of its account.

use std::io;

use super::Doctor;
use super::caller::{Caller, NAMED, in_words};
use crate::apc::error::ApiError;
use crate::apc::exchange::Api;
use crate::apc::installation::Installation;
use crate::apc::operations;
use crate::apc::token::TokenKind;
use crate::apc::{Place, ServiceAccount, Workspace};
use crate::guards::text::quoted;

/// The answers to the first lists of accounts that the token asks for.
#[derive(Default)]
pub(super) struct Lists {
    /// Some answer came, be it a refusal. It tells the fields of the release.
    pub(super) were_answered: bool,
    readable: Vec<String>,
    refused: Vec<String>,
    own: Option<ServiceAccount>,
}

impl Lists {
    pub(super) async fn read(api: &Api<'_>, found: &Installation, caller: &Caller) -> Self {
        let is_key = TokenKind::of(&found.token) == TokenKind::ServiceAccountKey;
        let asked = match caller {
            Caller::System(_) if !is_key => 1,
            _ => NAMED,
        };
        let workspaces = caller.workspaces();
        let mut lists = Self::default();
        if workspaces.is_empty() {
            // Asked for the sake of its fields alone: a release tells them even to a caller that it refuses.
            lists.were_answered = operations::is_system_level(api).await.is_ok();
        }
        for workspace in workspaces.iter().take(asked) {
            lists.add(api, found, workspace).await;
        }
        lists
    }

    async fn add(&mut self, api: &Api<'_>, found: &Installation, workspace: &Workspace) {
        let place = Place::Workspace(workspace.id.clone());
        match operations::service_accounts(api, &place, |_| true).await {
            Ok(listing) => {
                self.were_answered = true;
                self.readable.push(in_words(workspace));
                let mut accounts = listing.accounts.into_iter();
                let own = accounts.find(|account| account.has_key(&found.token));
                self.own = self.own.take().or(own);
            }
            Err(ApiError::PermissionDenied) => {
                self.were_answered = true;
                self.refused.push(in_words(workspace));
            }
            Err(_) => {}
        }
    }
}

impl Doctor<'_> {
    pub(super) fn rights(&mut self, caller: &Caller, lists: &Lists) -> io::Result<()> {
        if !lists.refused.is_empty() {
            let text = format!("may not list the accounts of {}", lists.refused.join(", "));
            let advice = "Ask an admin of the workspace for WORKSPACE_VIEWER at least";
            match lists.refused.len() == caller.workspaces().len() {
                true => self.fail("rights", (text, advice))?,
                false => self.warn("rights", (text, advice))?,
            }
        }
        let text = match (&lists.own, caller) {
            (Some(own), _) => format!("the token is the key of {}", described(own)),
            (None, Caller::System(_)) => "system level: may list the accounts of every workspace; creating and deleting usually takes SYSTEM_ADMIN, which shows at the first change".to_owned(),
            (None, Caller::Workspaces(_)) if !lists.readable.is_empty() => format!(
                "may list the accounts of {}; the API does not tell this token's role there, and creating and deleting usually takes WORKSPACE_EDITOR or WORKSPACE_ADMIN, which shows at the first change",
                lists.readable.join(", ")
            ),
            _ => return Ok(()),
        };
        self.ok("rights", text)
    }
}

/// The label of an account, each of its roles, and what the role is good for.
fn described(account: &ServiceAccount) -> String {
    let label = quoted(account.label.as_deref().unwrap_or_default());
    let (role, place) = (account.role().unwrap_or("unknown"), &account.place);
    let mut roles = vec![format!("{} in {place} ({})", quoted(role), abilities(role))];
    roles.extend(account.other_bindings().map(|binding| {
        let role = binding.role.as_deref().unwrap_or("unknown");
        format!("{} ({})", quoted(&binding.to_string()), abilities(role))
    }));
    format!("{label}: {}", roles.join(", "))
}

fn abilities(role: &str) -> &'static str {
    match role {
        "WORKSPACE_VIEWER" | "DEPLOYMENT_VIEWER" | "SYSTEM_VIEWER" => "lists",
        role if role.ends_with("_EDITOR") || role.ends_with("_ADMIN") => {
            "lists, creates and deletes"
        }
        _ => "not known what it may do",
    }
}
