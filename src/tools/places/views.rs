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

    /// Tells whether everything of it was read, and nothing in it matches.
    pub fn is_without_matches(&self) -> bool {
        let deployments = self.deployments.iter().flatten().map(|one| one.count);
        deployments
            .chain([self.count])
            .all(|count| count == Some(0))
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
