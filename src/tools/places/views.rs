//! The places of a result: workspaces, and their deployments where a call wants them.
//! A place whose list could not be read has no count.

use schemars::JsonSchema;
use serde::Serialize;

use super::reading::{ReadDeployment, ReadWorkspace, Reading};
use crate::guards::secret::Secrets;

// A workspace in a result. (A doc comment would become a description in the schema.)
#[derive(Serialize, JsonSchema)]
pub struct WorkspaceView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Matches; absent where the token may not list them.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployments: Option<Vec<DeploymentView>>,
}

// A deployment in a result.
#[derive(Serialize, JsonSchema)]
struct DeploymentView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl WorkspaceView {
    fn of<T>(read: &ReadWorkspace<T>, count: impl Fn(&T) -> u64) -> Self {
        Self {
            id: read.workspace.id.as_str().to_owned(),
            label: read.workspace.label.clone(),
            count: read.outcome.as_ref().ok().map(count),
            deployments: None,
        }
    }

    /// Without secrets. The lists that were read after the places may have told some.
    pub fn scrubbed(self, secrets: &Secrets) -> Self {
        let clean = |text: Option<String>| text.map(|text| secrets.scrubbed(text));
        let deployments = self.deployments.map(|all| {
            let all = all.into_iter();
            all.map(|one| DeploymentView {
                id: secrets.scrubbed(one.id),
                label: clean(one.label),
                release_name: clean(one.release_name),
                count: one.count,
            })
            .collect()
        });
        Self {
            id: secrets.scrubbed(self.id),
            label: clean(self.label),
            count: self.count,
            deployments,
        }
    }
}

impl DeploymentView {
    fn of<T>(read: &ReadDeployment<T>, count: impl Fn(&T) -> u64) -> Self {
        let deployment = read.deployment.clone();
        Self {
            id: deployment.id.into_string(),
            label: deployment.label,
            release_name: deployment.release_name,
            count: read.outcome.as_ref().ok().map(count),
        }
    }
}

impl<T> Reading<T> {
    /// The places as a result shows them, each with its number of matches. A workspace whose deployments could not be
    /// listed shows none.
    pub fn views(&self, with_deployments: bool, count: impl Fn(&T) -> u64) -> Vec<WorkspaceView> {
        let views = self.workspaces.iter().map(|read| {
            let id = &read.workspace.id;
            let is_listed = self.unlisted.iter().all(|(unlisted, _)| unlisted.id != *id);
            let here = self.deployments.iter();
            let here = here.filter(|read| read.workspace_id == *id);
            let deployments = here.map(|read| DeploymentView::of(read, &count));
            WorkspaceView {
                deployments: (with_deployments && is_listed).then(|| deployments.collect()),
                ..WorkspaceView::of(read, &count)
            }
        });
        views.collect()
    }
}

/// The numbers of places that did not fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unshown {
    /// Workspaces, with their deployments.
    pub workspaces: usize,
    /// Deployments of workspaces that did fit.
    pub deployments: usize,
}

/// The places that fit into so many characters: those with matches first, where not all do.
pub fn shortened(mut all: Vec<WorkspaceView>, most: usize) -> (Vec<WorkspaceView>, Unshown) {
    let mut unshown = Unshown::default();
    if length(&all) <= most {
        return (all, unshown);
    }
    all.sort_by_key(|view| !view.has_matches());
    let (mut room, mut shown) = (most, Vec::new());
    for mut view in all {
        let deployments = view.deployments.take();
        view.deployments = deployments.as_ref().map(|_| Vec::new());
        let Some(left) = room.checked_sub(length(&view) + 1) else {
            unshown.workspaces += 1;
            continue;
        };
        room = left;
        for deployment in deployments.into_iter().flatten() {
            match room.checked_sub(length(&deployment) + 1) {
                Some(left) => {
                    room = left;
                    view.deployments.get_or_insert_default().push(deployment);
                }
                None => unshown.deployments += 1,
            }
        }
        shown.push(view);
    }
    (shown, unshown)
}

impl WorkspaceView {
    fn has_matches(&self) -> bool {
        let has = |count: Option<u64>| count != Some(0);
        let mut deployments = self.deployments.iter().flatten();
        has(self.count) || deployments.any(|deployment| has(deployment.count))
    }
}

fn length<T: Serialize>(value: &T) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.chars().count())
}
