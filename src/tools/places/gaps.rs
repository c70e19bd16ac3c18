//! Everything that a call could not read.
//! Drops nothing silently: a gap becomes a note, or the error of the call.

use super::reading::Reading;
use super::visible::TokenLevel;
use crate::apc::operations::Listing;
use crate::apc::{Place, ServiceAccountId, Workspace, WorkspaceId};
use crate::guards::policy::Policy;
use crate::guards::text::quoted;
use crate::tools::words::{accounts, first_named};
use crate::tools::{Code, Failure};

const NAMED: usize = 20;

/// Everything that a call could not read. It becomes notes of a result, and nothing in it is taken for gone.
#[derive(Default)]
pub struct Gaps {
    notes: Vec<String>,
    unknown_workspaces: Vec<WorkspaceId>,
    /// The places of accounts of which something could not be read, with the numbers of those.
    partly_read: Vec<(Place, usize)>,
    /// The same of accounts of which nothing could be read.
    unreadable: Vec<(Place, usize)>,
    /// The places whose list came with an error of the API beside it.
    with_an_error: Vec<Place>,
    /// The code of the trouble that was met, denials aside; that of the API where it was of several kinds.
    trouble: Option<Code>,
    is_denied: bool,
    may_hide_an_account: bool,
}

impl Gaps {
    /// Adds the places that could not be read, with the reason.
    pub fn add_unread<T>(&mut self, reading: &Reading<T>) {
        let workspaces = reading.workspaces.iter().filter_map(|read| {
            let failure = read.outcome.as_ref().err()?;
            Some((named_workspace(&read.place), failure))
        });
        let deployments = reading.deployments.iter().filter_map(|read| {
            let failure = read.outcome.as_ref().err()?;
            let (_, deployment) = &read.place;
            Some((named(deployment.id.as_str(), &deployment.label), failure))
        });
        let unlisted = reading.unlisted.iter();
        let unlisted = unlisted.map(|(workspace, failure)| (named_workspace(workspace), failure));
        self.add_failed("Not read, so", "workspace", workspaces.collect());
        self.add_failed("Not read, so", "deployment", deployments.collect());
        let why = "The deployments could not be listed, so";
        self.add_failed(why, "workspace", unlisted.collect());
        self.add_unreadable("deployments", reading.unreadable_deployments);
    }

    fn add_failed(&mut self, why: &str, kind: &str, failed: Vec<(String, &Failure)>) {
        for (_, failure) in &failed {
            self.may_hide_an_account = true;
            self.is_denied |= failure.code() == Code::PermissionDenied;
            if !failure.is_denial() {
                self.add_trouble(failure.code());
            }
        }
        let named = first_named(failed.iter(), NAMED, |(name, failure)| {
            format!("{name} ({})", failure.code().name())
        });
        let note = |named| format!("{why} their accounts are missing here: {kind} {named}.");
        self.notes.extend(named.map(note));
    }

    /// Adds the entries of a list of places that the API itself could not read.
    pub(super) fn add_unreadable(&mut self, places: &str, count: usize) {
        if count > 0 {
            self.add_hiding(Code::ApiError);
            self.notes.push(format!(
                "{count} of the {places} could not be read by the API itself; their accounts are missing here."
            ));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sentences().is_empty()
    }

    pub(super) fn add_unknown_workspace(&mut self, id: WorkspaceId) {
        self.unknown_workspaces.push(id);
    }

    /// Adds the workspaces that are not known because the list of all could not be had.
    pub(super) fn add_missing_list(&mut self, level: &Result<TokenLevel, Failure>) {
        let (why, code) = match level {
            Ok(TokenLevel::SystemWithoutList) => (
                "this release of the platform does not list all workspaces",
                Code::ApiError,
            ),
            Err(failure) => (
                "the list of the token's workspaces could not be read",
                failure.code(),
            ),
            Ok(_) => return,
        };
        self.add_hiding(code);
        self.notes.push(format!(
            "Only the workspaces of this server's settings were read: {why}. Others may exist; name one as workspace_id."
        ));
    }

    pub(super) fn nothing_read(&self) -> Failure {
        let text = format!(
            "Nothing could be read. {} Nothing was changed. If the token lacks a role, ask an admin of the workspace for WORKSPACE_VIEWER; else call again later.",
            self.sentences().join(" ")
        );
        Failure::new(self.code(), text)
    }

    /// Adds the accounts of a place that could not be read.
    pub fn add_unreadable_accounts(&mut self, place: &Place, listing: &Listing) {
        if listing.partly_read > 0 {
            self.partly_read.push((place.clone(), listing.partly_read));
        }
        if !listing.is_complete {
            self.add_hiding(Code::ApiError);
        }
        match listing.unreadable {
            0 if listing.is_complete => {}
            0 => self.with_an_error.push(place.clone()),
            count => self.unreadable.push((place.clone(), count)),
        }
    }

    /// The sentences, as many as there are kinds of gaps and not as there are places.
    fn sentences(&self) -> Vec<String> {
        let in_place = |(place, count): &(Place, usize)| format!("{} in {place}", accounts(*count));
        let workspace = |id: &WorkspaceId| quoted(id.as_str());
        let kinds = [
            first_named(self.unknown_workspaces.iter(), NAMED, workspace).map(|named| {
                format!("The settings of this server name workspaces that do not exist: {named}.")
            }),
            first_named(self.partly_read.iter(), NAMED, in_place).map(|named| {
                format!("The API itself could not read everything of {named}: the missing parts are not known.")
            }),
            first_named(self.with_an_error.iter(), NAMED, Place::to_string).map(|named| {
                format!("The API reported an error beside the list of {named}. An account that is not listed there may still exist.")
            }),
            first_named(self.unreadable.iter(), NAMED, in_place).map(|named| {
                format!("The API itself could not read {named}. An account that is not listed there may still exist.")
            }),
        ];
        let kinds = kinds.into_iter().flatten();
        self.notes.iter().cloned().chain(kinds).collect()
    }

    /// The sentences for a result; none where everything was read.
    pub fn into_notes(self) -> Option<Vec<String>> {
        Some(self.sentences()).filter(|notes| !notes.is_empty())
    }

    /// The failure for an account that is in nothing that was read: it is not found only if the id of every
    /// account was read.
    pub fn missing_account(
        &self,
        id: &ServiceAccountId,
        place: Option<&Place>,
        policy: &Policy,
    ) -> Failure {
        let account = quoted(id.as_str());
        let (or_deployment, or_a_deployment, ids) = match policy.has_deployments() {
            true => (
                " or deployment",
                " or a deployment",
                "workspace_id or deployment_id",
            ),
            false => ("", "", "workspace_id"),
        };
        let searched = place.map_or_else(
            || format!("any workspace{or_deployment} that this token may list"),
            Place::to_string,
        );
        let failure = if self.may_hide_an_account {
            // A denial does not pass by itself.
            let way_on = match (self.trouble, self.is_denied) {
                (None, true) => {
                    "The token may not list the places that are marked permission_denied here, and waiting does not change that: set another token, or ask an admin of those places for a role; or call again with"
                }
                _ => "Call again in a minute, or with",
            };
            let text = format!(
                "Service account {account} was not found in {searched}, but not everything could be read, so it may still exist. {} Nothing was changed. {way_on} the {ids} that the user names.",
                self.sentences().join(" ")
            );
            Failure::new(self.code(), text)
        } else {
            let way_on = match place {
                Some(_) => format!(
                    "belong to another workspace{or_a_deployment}: call get_service_accounts with that service_account_id alone to search all that you can see."
                ),
                None => format!(
                    "its place may have to be named as {ids}: call get_service_accounts with limit 0 to see every workspace you can."
                ),
            };
            let text = format!(
                "There is no service account {account} in {searched}. Nothing was changed. It may be deleted, or {way_on}"
            );
            Failure::new(Code::NotFound, text)
        };
        let failure = failure.about_account(id);
        match place {
            Some(place) => failure.about_place(place),
            None => failure,
        }
    }

    fn add_hiding(&mut self, code: Code) {
        self.add_trouble(code);
        self.may_hide_an_account = true;
    }

    fn add_trouble(&mut self, code: Code) {
        let is_alike = self.trouble.is_none_or(|known| known == code);
        self.trouble = Some(if is_alike { code } else { Code::ApiError });
    }

    fn code(&self) -> Code {
        self.trouble.unwrap_or(Code::PermissionDenied)
    }
}

fn named_workspace(workspace: &Workspace) -> String {
    named(workspace.id.as_str(), &workspace.label)
}

fn named(id: &str, label: &Option<String>) -> String {
    match label {
        Some(label) => format!("{} {}", quoted(id), quoted(label)),
        None => quoted(id),
    }
}
