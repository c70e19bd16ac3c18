//! The token and its holder: its acceptance by the API, its kind, its workspaces, and the line of the API.
//! Reads lists only; changes nothing.

use std::io;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use std::time::Duration;

use super::rights::Lists;
use super::{Doctor, Finding};
use crate::apc::error::ApiError;
use crate::apc::exchange::Api;
use crate::apc::installation::Installation;
use crate::apc::operations::{self, Workspaces};
use crate::apc::token::TokenKind;
use crate::apc::{Workspace, WorkspaceId};
use crate::config::setting::{ALLOW_WORKSPACE, WORKSPACE_ID};
use crate::guards::text::{on_one_line, quoted};

/// The number of workspaces that are named, and searched for the token's own account.
pub(super) const NAMED: usize = 20;

/// The number of lists that are read at once.
const AT_ONCE: usize = 8;

/// The kind of caller that a token stands for.
pub(super) enum Caller {
    /// Bound to workspaces.
    Workspaces(Workspaces),
    /// Bound to the whole installation; its workspaces where the release lists them.
    System(Option<Workspaces>),
    /// Bound to no workspace: to deployments, or to nothing.
    Neither,
    /// Bound to no workspace, and the question for more got no answer.
    Unclear(ApiError),
}

impl Caller {
    async fn of(api: &Api<'_>) -> Result<Self, ApiError> {
        let bound = operations::workspaces(api).await?;
        if !bound.listed.is_empty() || bound.unreadable > 0 {
            return Ok(Self::Workspaces(bound));
        }
        let all = match operations::sys_workspaces(api).await {
            Ok(all) if !all.listed.is_empty() => return Ok(Self::System(Some(all))),
            Ok(all) => Some(all),
            Err(ApiError::PermissionDenied) => return Ok(Self::Neither),
            Err(ApiError::Incompatible { .. }) => None,
            Err(error) => return Ok(Self::Unclear(error)),
        };
        Ok(match operations::is_system_level(api).await {
            Ok(true) => Self::System(all),
            Ok(false) => Self::Neither,
            Err(error) => Self::Unclear(error),
        })
    }

    pub(super) fn workspaces(&self) -> &[Workspace] {
        match self {
            Self::Workspaces(found) | Self::System(Some(found)) => &found.listed,
            Self::System(None) | Self::Neither | Self::Unclear(_) => &[],
        }
    }
}

impl Doctor<'_> {
    /// Checks the token, its kind, its workspaces, and its rights.
    pub(super) async fn caller(&mut self, api: &Api<'_>, found: &Installation) -> io::Result<()> {
        self.report.begin("token", "Token", "")?;
        let caller = match Caller::of(api).await {
            Ok(caller) => caller,
            Err(error) => return self.fail("token", self.not_accepted(&error, found)),
        };
        self.token(found)?;
        self.kind(&caller, found)?;
        if self.config.policy.has_deployments() {
            self.deployments(api, caller.workspaces()).await?;
        }
        let lists = Lists::read(api, found, &caller).await;
        self.roles(api, lists.were_answered)?;
        self.rights(&caller, &lists)?;
        self.named_workspaces(api, found, caller.workspaces()).await
    }

    /// The API has answered without the token by now, so silence is the token's doing.
    fn not_accepted(&self, error: &ApiError, found: &Installation) -> Finding {
        let source = &found.token_source;
        match error {
            ApiError::TimedOut
            | ApiError::ConnectionLost
            | ApiError::Status { status: 502..=504 } => Finding::from((
                format!("the API answers without the token from {source}, and not with it"),
                "The key of an account whose workspace was deleted does that. Set another token",
            )),
            error => self.explained(error, found),
        }
    }

    fn token(&mut self, found: &Installation) -> io::Result<()> {
        let source = &found.token_source;
        let TokenKind::UserToken { expires } = TokenKind::of(&found.token) else {
            let text = "accepted; a service account's key from";
            return self.ok("token", format!("{text} {source}, which does not expire"));
        };
        let text = format!("accepted; a user's token from {source}, which");
        let Some(expires) = expires else {
            return self.ok("token", format!("{text} does not say when it expires"));
        };
        let text = format!("{text} expires on {expires}");
        match expires < Utc::now() + Duration::from_secs(3600) {
            true => self.warn("token", format!("{text}, within the hour")),
            false => self.ok("token", text),
        }
    }

    fn kind(&mut self, caller: &Caller, found: &Installation) -> io::Result<()> {
        let warning = match caller {
            Caller::Workspaces(bound) => {
                return self.ok("workspaces", format!("bound to {}", counted(bound)));
            }
            Caller::System(Some(all)) if !all.listed.is_empty() => {
                let text = format!("a system-level token, which sees {}", counted(all));
                return self.ok("workspaces", text);
            }
            Caller::System(Some(_)) => {
                Finding::from("a system-level token; the platform has no workspace yet")
            }
            Caller::System(None) => Finding::from((
                "a system-level token, and this release does not list all workspaces",
                "Name a workspace_id in each call",
            )),
            Caller::Unclear(error) => self.explained(error, found).after(
                "the token is bound to none by itself, and it is not known whether it is a system-level one: ",
            ),
            Caller::Neither if self.config.policy.has_deployments() => Finding::from((
                "none: the token has no role in any workspace, or only roles on deployments",
                "If it is for a deployment, name its deployment_id in each call; else ask an admin of a workspace for a role there",
            )),
            Caller::Neither => Finding::from((
                "none: the token has no role in any workspace",
                "Ask an admin of a workspace for a role there",
            )),
        };
        self.warn("workspaces", warning)
    }

    /// Counts the deployments of each of the first workspaces.
    async fn deployments(&mut self, api: &Api<'_>, workspaces: &[Workspace]) -> io::Result<()> {
        let api = &api.with_good_token();
        let counts = workspaces.iter().take(NAMED).map(|workspace| async move {
            let listed = operations::deployments(api, &workspace.id).await;
            let count = listed.map(|found| found.listed.len() + found.unreadable);
            (in_words(workspace), count)
        });
        let counts: Vec<_> = stream::iter(counts).buffered(AT_ONCE).collect().await;
        if counts.is_empty() {
            return Ok(());
        }
        let is_listed = counts.iter().all(|(_, count)| count.is_ok());
        let counts = counts.into_iter();
        let mut named: Vec<_> = counts
            .map(|(workspace, count)| match count {
                Ok(count) => format!("{count} in {workspace}"),
                Err(ApiError::PermissionDenied) => format!("not to be listed in {workspace}"),
                Err(_) => format!("not read in {workspace}"),
            })
            .collect();
        if workspaces.len() > NAMED {
            named.push(format!("{} more workspaces", workspaces.len() - NAMED));
        }
        match is_listed {
            true => self.ok("deployments", named.join(", ")),
            false => self.warn("deployments", named.join(", ")),
        }
    }

    /// The lists tell which line of the API answers.
    fn roles(&mut self, api: &Api<'_>, were_answered: bool) -> io::Result<()> {
        if !were_answered {
            return self.warn("roles", "not known: no list of accounts could be read");
        }
        match operations::role_field(api) {
            Some("roleBindings") => self.ok(
                "roles",
                "shown, several an account (roleBindings: the API as it is since 2021)",
            ),
            Some(_) => self.ok("roles", "shown, one an account (roleBinding: the API of 2020)"),
            None => self.warn(
                "roles",
                "this release shows none: results are without a role, and lost creations cannot be found again",
            ),
        }
    }

    /// Ids in the settings are typed by hand, and a wrong one shows late.
    async fn named_workspaces(
        &mut self,
        api: &Api<'_>,
        found: &Installation,
        visible: &[Workspace],
    ) -> io::Result<()> {
        let config = self.config;
        let default = config.default_workspace(found);
        let default = default.iter().map(|id| (WORKSPACE_ID.name(), id));
        let allowed = config.policy.allowed_workspaces.iter().flatten();
        let allowed = allowed.map(|id| (ALLOW_WORKSPACE.name(), id));
        let is_unseen = |id: &WorkspaceId| visible.iter().all(|workspace| workspace.id != *id);
        for (setting, id) in default.chain(allowed).filter(|(_, id)| is_unseen(id)) {
            match operations::workspace(api, id).await {
                Ok(Some(workspace)) => self.ok(setting, in_words(&workspace))?,
                Ok(None) => {
                    let text = format!("there is no workspace {id}");
                    self.fail(setting, (text, "Take one of those above"))?;
                }
                Err(error) => {
                    let words = self.explained(&error, found).after(&format!("{id}: "));
                    self.fail(setting, words)?;
                }
            }
        }
        Ok(())
    }
}

/// The number of workspaces, and the first of them.
fn counted(found: &Workspaces) -> String {
    let visible = &found.listed;
    let mut named: Vec<_> = visible.iter().take(NAMED).map(in_words).collect();
    if visible.len() > NAMED {
        named.push(format!("and {} more", visible.len() - NAMED));
    }
    let named = named.join(", ");
    match visible.len() + found.unreadable {
        1 => format!("1 workspace: {named}"),
        many => format!("{many} workspaces: {named}"),
    }
}

pub(super) fn in_words(workspace: &Workspace) -> String {
    let id = on_one_line(workspace.id.as_str());
    match &workspace.label {
        Some(label) => format!("{id} {}", quoted(label)),
        None => id,
    }
}
