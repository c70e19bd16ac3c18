//! Several places read at once: workspaces and, where they are wanted, their deployments.
//! Every place gets its own outcome, so that one that cannot be read hides no other.

use futures_util::{StreamExt, stream};

use super::homes::deployments_of;
use super::{AT_ONCE, Gaps};
use crate::apc::operations::Deployments;
use crate::apc::{Deployment, Place, Workspace, WorkspaceId};
use crate::tools::context::Call;
use crate::tools::failure::{Code, Failure};

/// A workspace, and its list as far as it could be read.
pub struct ReadWorkspace<T> {
    /// The workspace.
    pub workspace: Workspace,
    /// Its list, or the reason why there is none.
    pub outcome: Result<T, Failure>,
}

/// A deployment, and its list as far as it could be read.
pub struct ReadDeployment<T> {
    /// The workspace that it is in.
    pub workspace_id: WorkspaceId,
    /// The deployment.
    pub deployment: Deployment,
    /// Its list, or the reason why there is none.
    pub outcome: Result<T, Failure>,
}

/// The places that a call has read.
pub struct Reading<T> {
    /// The workspaces, in the order given.
    pub workspaces: Vec<ReadWorkspace<T>>,
    /// Their deployments, where they were read, in the same order.
    pub deployments: Vec<ReadDeployment<T>>,
    /// The workspaces whose deployments could not be listed, with the reason.
    pub unlisted: Vec<(Workspace, Failure)>,
    /// The number of deployments that the API itself could not read.
    pub unreadable_deployments: usize,
}

/// Reads the list of every workspace, several at once, in the order given; then those of their deployments, if they are
/// wanted after that.
///
/// # Errors
/// The token is not accepted any more, or nothing at all could be read.
pub async fn read_all<T, F>(
    call: &Call,
    workspaces: Vec<Workspace>,
    read: impl Fn(Place) -> F,
    wants_deployments: impl FnOnce(&[ReadWorkspace<T>]) -> bool,
) -> Result<Reading<T>, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut reading = Reading {
        workspaces: read_workspaces(call, workspaces, &read).await,
        deployments: Vec::new(),
        unlisted: Vec::new(),
        unreadable_deployments: 0,
    };
    if wants_deployments(&reading.workspaces) {
        let listed = reading.list_deployments(call).await;
        reading.deployments = read_deployments(call, listed, &read).await;
    }
    match reading.decisive() {
        Some(failure) => Err(failure),
        None => Ok(reading),
    }
}

async fn read_workspaces<T, F>(
    call: &Call,
    workspaces: Vec<Workspace>,
    read: &impl Fn(Place) -> F,
) -> Vec<ReadWorkspace<T>>
where
    F: Future<Output = Result<T, Failure>>,
{
    call.progress.expect(workspaces.len());
    let reads = workspaces.into_iter().map(|workspace| {
        let outcome = read(Place::Workspace(workspace.id.clone()));
        async move {
            let outcome = outcome.await;
            ReadWorkspace { workspace, outcome }
        }
    });
    gathered(call, reads).await
}

async fn read_deployments<T, F>(
    call: &Call,
    listed: Vec<(WorkspaceId, Deployment)>,
    read: &impl Fn(Place) -> F,
) -> Vec<ReadDeployment<T>>
where
    F: Future<Output = Result<T, Failure>>,
{
    call.progress.expect(listed.len());
    let reads = listed.into_iter().map(|(workspace_id, deployment)| {
        let outcome = read(Place::Deployment(deployment.id.clone()));
        async move {
            let outcome = outcome.await;
            ReadDeployment {
                workspace_id,
                deployment,
                outcome,
            }
        }
    });
    gathered(call, reads).await
}

/// The results of reads, several at once, each of which is progress.
async fn gathered<R, F: Future<Output = R>>(call: &Call, reads: impl Iterator<Item = F>) -> Vec<R> {
    let mut reads = stream::iter(reads).buffered(AT_ONCE);
    let mut all = Vec::new();
    while let Some(read) = reads.next().await {
        all.push(read);
        call.progress.advance(&*call.user).await;
    }
    all
}

impl<T> Reading<T> {
    /// The lists that could be read, with their places: those of workspaces first.
    pub fn into_lists(self) -> impl Iterator<Item = (Place, T)> {
        let workspaces = self.workspaces.into_iter();
        let workspaces = workspaces.map(|read| (read.workspace.id.into(), read.outcome));
        let deployments = self.deployments.into_iter();
        let deployments = deployments.map(|read| (read.deployment.id.into(), read.outcome));
        workspaces
            .chain(deployments)
            .filter_map(|(place, outcome)| Some((place, outcome.ok()?)))
    }

    /// Lists the deployments of all workspaces, several lists at once.
    async fn list_deployments(&mut self, call: &Call) -> Vec<(WorkspaceId, Deployment)> {
        let token_is_good = self.workspaces.iter().any(|read| read.outcome.is_ok());
        let api = &match token_is_good {
            true => call.api().with_good_token(),
            false => call.api(),
        };
        let workspaces = self.workspaces.iter().map(|read| read.workspace.clone());
        let workspaces: Vec<_> = workspaces.collect();
        let lists = workspaces.into_iter().map(|workspace| async move {
            let listed = deployments_of(call, api, &workspace.id).await;
            (workspace, listed)
        });
        let lists: Vec<_> = stream::iter(lists).buffered(AT_ONCE).collect().await;
        let mut deployments = Vec::new();
        for (workspace, listed) in lists {
            match listed {
                Ok(Deployments { listed, unreadable }) => {
                    self.unreadable_deployments += unreadable;
                    let named = listed.into_iter();
                    deployments.extend(named.map(|one| (workspace.id.clone(), one)));
                }
                Err(failure) => self.unlisted.push((workspace, failure)),
            }
        }
        deployments
    }

    /// The failure that speaks for all: a token that is not accepted, or the sum of them where nothing was read.
    fn decisive(&self) -> Option<Failure> {
        let unlisted = self.unlisted.iter().map(|(_, failure)| failure);
        let mut all = self.failures().chain(unlisted);
        if let Some(refused) = all.find(|failure| failure.code() == Code::Unauthenticated) {
            return Some(refused.clone());
        }
        let failures: Vec<_> = self.failures().collect();
        let places = self.workspaces.len() + self.deployments.len();
        match failures.as_slice() {
            [] => None,
            all if all.len() < places => None,
            [only] => Some((*only).clone()),
            [first, rest @ ..] if is_common(first, rest) => Some((*first).clone().about_no_place()),
            _ => {
                let mut gaps = Gaps::default();
                gaps.add_unread(self);
                Some(gaps.nothing_read())
            }
        }
    }

    /// The failures of lists of accounts.
    fn failures(&self) -> impl Iterator<Item = &Failure> {
        let workspaces = self.workspaces.iter().map(|read| &read.outcome);
        let deployments = self.deployments.iter().map(|read| &read.outcome);
        workspaces
            .chain(deployments)
            .filter_map(|outcome| outcome.as_ref().err())
    }
}

/// Tells whether all places failed in the way of the first one, which is no denial: that says nothing of one place.
fn is_common(first: &Failure, rest: &[&Failure]) -> bool {
    let mut rest = rest.iter();
    !first.is_denial() && rest.all(|failure| failure.code() == first.code())
}
