//! The places of a result: workspaces, and their deployments where a call wants them.
//! A place whose list could not be read has no count.

use schemars::JsonSchema;
use serde::Serialize;

use super::reading::{ReadDeployment, Reading};
use crate::guards::secret::Secrets;

// A workspace in a result. (A doc comment would become a description in the schema.)
#[derive(Serialize, JsonSchema)]
pub struct WorkspaceView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Matches; absent where they could not be read: see notes.
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
    /// The place with those of its deployments alone that have matches; none if nothing of it has any. One that was not read
    /// may have some.
    pub fn narrowed(mut self, with_deployments: bool) -> Option<Self> {
        let is_unread = with_deployments && self.deployments.is_none();
        let fitting = self.deployments.take().map(|all| {
            let all = all.into_iter();
            all.filter(|one| one.count != Some(0)).collect::<Vec<_>>()
        });
        // An empty list would say that the workspace has none.
        self.deployments = fitting.filter(|fitting| !fitting.is_empty());
        (is_unread || self.has_matches()).then_some(self)
    }

    fn has_matches(&self) -> bool {
        let has = |count: Option<u64>| count != Some(0);
        let mut deployments = self.deployments.iter().flatten();
        has(self.count) || deployments.any(|deployment| has(deployment.count))
    }
}

impl<T> Reading<T> {
    /// The places as a result shows them, each with its number of matches. A workspace whose deployments could not be
    /// listed shows none. Secrets go: the lists that were read after the places may have told some.
    pub fn views(
        &self,
        with_deployments: bool,
        count: impl Fn(&T) -> u64,
        secrets: &Secrets,
    ) -> Vec<WorkspaceView> {
        let clean = |text: &str| secrets.scrubbed(text.to_owned());
        let count = |outcome: &Result<T, _>| outcome.as_ref().ok().map(&count);
        let deployment = |read: &ReadDeployment<T>| {
            let (_, deployment) = &read.place;
            DeploymentView {
                id: clean(deployment.id.as_str()),
                label: deployment.label.as_deref().map(clean),
                release_name: deployment.release_name.as_deref().map(clean),
                count: count(&read.outcome),
            }
        };
        let views = self.workspaces.iter().map(|read| {
            let id = &read.place.id;
            let is_listed = self.unlisted.iter().all(|(unlisted, _)| unlisted.id != *id);
            let here = self.deployments.iter().filter(|read| read.place.0 == *id);
            WorkspaceView {
                id: clean(id.as_str()),
                label: read.place.label.as_deref().map(clean),
                count: count(&read.outcome),
                deployments: (with_deployments && is_listed)
                    .then(|| here.map(deployment).collect()),
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

/// The places that fit into so many characters: those with matches first, where not all do. A deployment takes the room
/// that the workspaces leave: only this list tells the ids of the workspaces.
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
        match takes(&mut room, &view) {
            true => shown.push((view, deployments.unwrap_or_default())),
            false => unshown.workspaces += 1,
        }
    }
    let with_deployments = |(mut view, deployments): (WorkspaceView, Vec<DeploymentView>)| {
        let all = deployments.len();
        let fitting = deployments.into_iter();
        let fitting: Vec<_> = fitting.filter(|one| takes(&mut room, one)).collect();
        unshown.deployments += all - fitting.len();
        // An empty list would say that the workspace has none.
        let is_known = view.deployments.is_some() && (all == 0 || !fitting.is_empty());
        view.deployments = is_known.then_some(fitting);
        view
    };
    (shown.into_iter().map(with_deployments).collect(), unshown)
}

fn takes(room: &mut usize, place: &impl Serialize) -> bool {
    match room.checked_sub(length(place) + ",".len()) {
        Some(left) => {
            *room = left;
            true
        }
        None => false,
    }
}

fn length<T: Serialize>(value: &T) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large(workspaces: usize, deployments: usize) -> Vec<WorkspaceView> {
        let deployment = |number: usize| DeploymentView {
            id: format!("deployment{number:015}"),
            label: Some(format!("Airflow {number}")),
            release_name: Some(format!("celestial-{number:04}")),
            count: Some(1),
        };
        let workspace = |number: usize| WorkspaceView {
            id: format!("workspace{number:016}"),
            label: Some(format!("Workspace {number}")),
            count: Some(1),
            deployments: Some((0..deployments).map(deployment).collect()),
        };
        (0..workspaces).map(workspace).collect()
    }

    fn deployments_in(views: &[WorkspaceView]) -> usize {
        let lists = views.iter().flat_map(|view| &view.deployments);
        lists.map(Vec::len).sum()
    }

    #[test]
    fn deployments_take_no_room_from_workspaces() {
        let (shown, unshown) = shortened(large(200, 10), 50_000);
        assert_eq!((shown.len(), unshown.workspaces), (200, 0));
        let deployments = deployments_in(&shown);
        assert!(deployments > 100, "{deployments}");
        assert_eq!(unshown.deployments, 2_000 - deployments);
        assert!(length(&shown) <= 50_000 + 2, "{}", length(&shown));
        let is_empty = |view: &WorkspaceView| view.deployments.as_ref().is_some_and(Vec::is_empty);
        assert!(!shown.iter().any(is_empty));
    }

    #[test]
    fn a_workspace_without_deployments_is_shown_as_such_where_not_all_fit() {
        let (shown, unshown) = shortened(large(500, 0), 20_000);
        assert_eq!(unshown.workspaces, 500 - shown.len());
        assert_eq!(unshown.deployments, 0);
        assert!(shown.iter().all(|view| view.deployments.is_some()));
    }
}
