//! Who may do what: roles, what they are bound to, and the rights that come of it.
//! Knows neither tokens nor accounts.

use async_graphql::Enum;
use async_graphql::resolver_utils::EnumType;

/// A role, by its name in the API.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Role {
    User,
    SystemViewer,
    SystemEditor,
    SystemAdmin,
    WorkspaceViewer,
    WorkspaceEditor,
    WorkspaceAdmin,
    DeploymentViewer,
    DeploymentEditor,
    DeploymentAdmin,
}

/// What a role is held on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// The whole installation.
    System,
    /// A workspace, by id.
    Workspace(String),
    /// A deployment, by id.
    Deployment(String),
}

/// A role on an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) role: Role,
    pub(super) entity: Entity,
}

/// What somebody wants to do to service accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Get,
    Create,
    Update,
    Delete,
}

impl Role {
    /// The name in the API, such as `WORKSPACE_ADMIN`.
    pub fn name(self) -> &'static str {
        let item = Role::items().iter().find(|item| item.value == self);
        item.map_or("", |item| item.name)
    }

    pub(super) fn parse(name: &str) -> Option<Role> {
        let item = Role::items().iter().find(|item| item.name == name);
        item.map(|item| item.value)
    }

    pub(super) fn is_system(self) -> bool {
        matches!(
            self,
            Role::SystemViewer | Role::SystemEditor | Role::SystemAdmin
        )
    }

    fn is_workspace(self) -> bool {
        matches!(
            self,
            Role::WorkspaceViewer | Role::WorkspaceEditor | Role::WorkspaceAdmin
        )
    }

    fn allows(self, action: Action) -> bool {
        match self {
            Role::User => false,
            Role::SystemViewer | Role::WorkspaceViewer | Role::DeploymentViewer => {
                action == Action::Get
            }
            Role::SystemEditor => matches!(action, Action::Get | Action::Update),
            _ => true,
        }
    }
}

impl Binding {
    /// `home` is the workspace of the deployment wanted, where a deployment is wanted.
    pub(super) fn allows(&self, action: Action, wanted: &Entity, home: Option<&Entity>) -> bool {
        self.role.allows(action) && (self.role.is_system() || self.reaches(wanted, home))
    }

    fn reaches(&self, wanted: &Entity, home: Option<&Entity>) -> bool {
        match wanted {
            Entity::System => false,
            Entity::Workspace(_) => self.role.is_workspace() && self.entity == *wanted,
            Entity::Deployment(_) => self.entity == *wanted || Some(&self.entity) == home,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_workspace(role: Role) -> Binding {
        let entity = Entity::Workspace("w".into());
        Binding { role, entity }
    }

    #[test]
    fn names_are_the_wire_names() {
        assert_eq!(Role::WorkspaceAdmin.name(), "WORKSPACE_ADMIN");
        assert_eq!(Role::parse("SYSTEM_EDITOR"), Some(Role::SystemEditor));
        assert_eq!(Role::parse("system_editor"), None);
    }

    #[test]
    fn a_system_role_reaches_everywhere_wherever_it_is_bound() {
        let binding = on_workspace(Role::SystemAdmin);
        assert!(binding.allows(Action::Delete, &Entity::System, None));
        assert!(binding.allows(Action::Create, &Entity::Workspace("x".into()), None));
    }

    #[test]
    fn a_workspace_role_reaches_the_deployments_of_its_workspace() {
        let (deployment, home) = (
            Entity::Deployment("d".into()),
            Entity::Workspace("w".into()),
        );
        let editor = on_workspace(Role::WorkspaceEditor);
        assert!(editor.allows(Action::Create, &deployment, Some(&home)));
        assert!(!editor.allows(Action::Create, &deployment, None));
        assert!(!on_workspace(Role::DeploymentAdmin).allows(Action::Get, &home, None));
    }
}
