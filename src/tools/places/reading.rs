//! Several places read at once: workspaces and, where they are wanted, their deployments.
//! Every place gets its own outcome, so that one that cannot be read hides no other.

use futures_util::{StreamExt, stream};

use super::deployments::deployments_of;
use super::{AT_ONCE, Gaps};
use crate::apc::operations::Deployments;
use crate::apc::{Deployment, Place, Workspace, WorkspaceId};
use crate::tools::{Call, Code, Failure};

/// A place, and its list or the reason why there is none.
pub struct ReadPlace<P, T> {
    pub place: P,
    pub outcome: Result<T, Failure>,
}

/// A workspace, and its list as far as it could be read.
pub type ReadWorkspace<T> = ReadPlace<Workspace, T>;

/// A deployment whose list was asked for, after the workspace that it is in.
pub type ReadDeployment<T> = ReadPlace<(WorkspaceId, Deployment), T>;

/// The places that a call has read, in the order given.
pub struct Reading<T> {
    /// The workspaces, in the order given.
    pub workspaces: Vec<ReadWorkspace<T>>,
    /// Empty unless they were wanted.
    pub deployments: Vec<ReadDeployment<T>>,
    /// The workspaces whose deployments could not be listed.
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
    let read_workspace = |workspace: &Workspace| read(workspace.id.clone().into());
    let mut reading = Reading {
        workspaces: read_places(call, workspaces, read_workspace).await,
        deployments: Vec::new(),
        unlisted: Vec::new(),
        unreadable_deployments: 0,
    };
    if wants_deployments(&reading.workspaces) {
        let listed = reading.list_deployments(call).await;
        let read_deployment =
            |(_, deployment): &(_, Deployment)| read(deployment.id.clone().into());
        reading.deployments = read_places(call, listed, read_deployment).await;
    }
    match reading.decisive() {
        Some(failure) => Err(failure),
        None => Ok(reading),
    }
}

/// Reads the lists of places, several at once. Each is progress.
async fn read_places<P, T, F>(
    call: &Call,
    places: Vec<P>,
    read: impl Fn(&P) -> F,
) -> Vec<ReadPlace<P, T>>
where
    F: Future<Output = Result<T, Failure>>,
{
    call.progress.expect(places.len());
    let reads = places.into_iter().map(|place| {
        let outcome = read(&place);
        async move {
            let outcome = outcome.await;
            ReadPlace { place, outcome }
        }
    });
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
        let workspaces = workspaces.map(|read| (read.place.id.into(), read.outcome));
        let deployments = self.deployments.into_iter();
        let deployments = deployments.map(|read| (read.place.1.id.into(), read.outcome));
        let all = workspaces.chain(deployments);
        all.filter_map(|(place, outcome)| Some((place, outcome.ok()?)))
    }

    async fn list_deployments(&mut self, call: &Call) -> Vec<(WorkspaceId, Deployment)> {
        let token_is_good = self.workspaces.iter().any(|read| read.outcome.is_ok());
        let api = &match token_is_good {
            true => call.api().with_good_token(),
            false => call.api(),
        };
        let workspaces = self.workspaces.iter().map(|read| read.place.clone());
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
            // A denial says nothing of other places.
            [first, rest @ ..]
                if !first.is_denial() && rest.iter().all(|one| one.code() == first.code()) =>
            {
                Some((*first).clone().about_no_place())
            }
            _ => {
                let mut gaps = Gaps::default();
                gaps.add_unread(self);
                Some(gaps.nothing_read())
            }
        }
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        let workspaces = self.workspaces.iter().map(|read| &read.outcome);
        let deployments = self.deployments.iter().map(|read| &read.outcome);
        let all = workspaces.chain(deployments);
        all.filter_map(|outcome| outcome.as_ref().err())
    }
}
