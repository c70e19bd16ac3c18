//! The workspaces that a token can see: what calls without a place are about.
//! Sees none beyond the allow-list.

use std::collections::{BTreeSet, HashSet};

use futures_util::{StreamExt, stream};

use super::{AT_ONCE, Gaps};
use crate::apc::error::ApiError;
use crate::apc::operations::{self, Workspaces};
use crate::apc::{Place, Workspace, WorkspaceId};
use crate::tools::{Call, Code, Failure};

/// The workspaces that calls without a place are about.
#[derive(Default)]
pub struct VisibleWorkspaces {
    /// The workspaces, within the allow-list.
    pub workspaces: Vec<Workspace>,
    /// The workspaces among them that the API has told nothing about: they may not exist, and the token may be bad.
    pub unproven: HashSet<Place>,
    /// The workspaces that may be missing.
    pub gaps: Gaps,
}

/// The level of a token, as its lists of workspaces tell it.
pub(super) enum TokenLevel {
    /// Bound to workspaces.
    Workspaces,
    /// Bound to the whole installation, whose workspaces the release lists.
    System,
    /// Bound to the whole installation, on a release that does not list all workspaces.
    SystemWithoutList,
    /// Bound to deployments alone, or to nothing.
    Neither,
}

/// Finds the workspaces of the token: those it is bound to, else all of them for a system-level token; and the default
/// workspace and those of the allow-list. Under an allow-list none besides.
///
/// # Errors
/// The token is not accepted, or sees no workspace: a system-level one on a release that does not list them all, or one
/// without a role in any workspace.
pub async fn visible(call: &Call) -> Result<VisibleWorkspaces, Failure> {
    let mut visible = VisibleWorkspaces::default();
    let level = match listed_workspaces(call).await {
        Ok((level, listed)) => {
            let gaps = &mut visible.gaps;
            gaps.add_unreadable("token's workspaces", listed.unreadable);
            visible.add(listed.listed);
            Ok(level)
        }
        Err(failure) if failure.code() == Code::Unauthenticated => return Err(failure),
        Err(failure) => Err(failure),
    };
    let is_allowed = |workspace: &Workspace| call.policy().allows(&workspace.id);
    visible.workspaces.retain(is_allowed);
    add_named(call, &mut visible).await?;
    match (visible.workspaces.is_empty(), level) {
        (true, Err(failure)) => Err(failure),
        (true, Ok(_)) if !visible.gaps.is_empty() => Err(visible.gaps.nothing_read()),
        (true, Ok(TokenLevel::System)) => Ok(visible),
        (true, Ok(level)) => Err(no_workspace(call, &level)),
        (false, level) => {
            visible.gaps.add_missing_list(&level);
            Ok(visible)
        }
    }
}

impl VisibleWorkspaces {
    /// The one workspace that a call names.
    pub fn named(id: WorkspaceId) -> Self {
        Self {
            unproven: HashSet::from([id.clone().into()]),
            workspaces: vec![Workspace { id, label: None }],
            gaps: Gaps::default(),
        }
    }

    fn add(&mut self, more: Vec<Workspace>) {
        let known = self.workspaces.iter().map(|known| known.id.clone());
        let mut known: HashSet<_> = known.collect();
        let more = more.into_iter();
        self.workspaces
            .extend(more.filter(|workspace| known.insert(workspace.id.clone())));
    }
}

async fn listed_workspaces(call: &Call) -> Result<(TokenLevel, Workspaces), Failure> {
    let api = call.api();
    let failed = |error: ApiError| call.failure(&error);
    let bound = operations::workspaces(&api).await.map_err(failed)?;
    if !bound.listed.is_empty() || bound.unreadable > 0 {
        return Ok((TokenLevel::Workspaces, bound));
    }
    let all = match operations::sys_workspaces(&api).await {
        Ok(all) if !all.listed.is_empty() || all.unreadable > 0 => {
            return Ok((TokenLevel::System, all));
        }
        Err(ApiError::PermissionDenied) => return Ok((TokenLevel::Neither, bound)),
        Ok(all) => Some(all),
        Err(error) if error.is_an_answer() => None,
        Err(error) => return Err(failed(error)),
    };
    let is_system_level = operations::is_system_level(&api).await.map_err(failed)?;
    Ok(match (is_system_level, all) {
        (false, _) => (TokenLevel::Neither, bound),
        (true, Some(all)) => (TokenLevel::System, all),
        (true, None) => (TokenLevel::SystemWithoutList, bound),
    })
}

/// Adds the default workspace and those of the allow-list, where the token's own list does not have them.
///
/// # Errors
/// The token is not accepted.
async fn add_named(call: &Call, visible: &mut VisibleWorkspaces) -> Result<(), Failure> {
    let default = call.default_workspace();
    let allowed = call.policy().allowed_workspaces.iter().flatten();
    let named: BTreeSet<WorkspaceId> = default.iter().chain(allowed).cloned().collect();
    let known: HashSet<_> = visible.workspaces.iter().map(|known| &known.id).collect();
    let missing = named.into_iter().filter(|id| !known.contains(id));
    let missing: Vec<_> = missing.collect();
    let asked = stream::iter(missing).map(|id| async move {
        let found = operations::workspace(&call.api(), &id).await;
        (id, found)
    });
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut more = Vec::new();
    for (id, found) in answers {
        match found {
            Ok(Some(workspace)) => more.push(workspace),
            Ok(None) => visible.gaps.add_unknown_workspace(id),
            Err(error @ (ApiError::Unauthenticated | ApiError::TokenInDoubt { .. })) => {
                return Err(call.failure(&error));
            }
            Err(error) => {
                // A refusal was explained: the token is good.
                if error != ApiError::PermissionDenied {
                    visible.unproven.insert(id.clone().into());
                }
                more.push(Workspace { id, label: None });
            }
        }
    }
    visible.add(more);
    Ok(())
}

fn no_workspace(call: &Call, level: &TokenLevel) -> Failure {
    let source = &call.installation.token_source;
    if matches!(level, TokenLevel::SystemWithoutList) {
        let text = format!(
            "workspace_id is missing: the token from {source} is a system-level one, and this release of the platform does not list all workspaces. Nothing was changed. Call again with a workspace_id; a platform administrator can tell the ids."
        );
        return Failure::new(Code::InvalidArguments, text);
    }
    let (or_on_deployments, ask) = match call.policy().has_deployments() {
        true => (
            ", or only roles on deployments; the API does not tell which",
            "If it belongs to a deployment, call again with that deployment_id: such a token cannot learn it, so ask the user. Else ask",
        ),
        false => ("", "Ask"),
    };
    let text = format!(
        "The token from {source} is valid, but it has no role in any workspace{or_on_deployments}. Nothing was changed. {ask} an admin of the workspace for a role there (WORKSPACE_VIEWER to list, usually WORKSPACE_EDITOR or WORKSPACE_ADMIN to create and delete), or set another token."
    );
    Failure::new(Code::PermissionDenied, text)
}
