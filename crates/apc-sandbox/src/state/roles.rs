//! Roles, what they are held on, and the rights that come of them.

use crate::line::Line;

/// A role, by its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

const ROLES: [Role; 10] = [
    Role::User,
    Role::SystemViewer,
    Role::SystemEditor,
    Role::SystemAdmin,
    Role::WorkspaceViewer,
    Role::WorkspaceEditor,
    Role::WorkspaceAdmin,
    Role::DeploymentViewer,
    Role::DeploymentEditor,
    Role::DeploymentAdmin,
];

/// The place where a role is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// The whole installation.
    System,
    /// A workspace, by id.
    Workspace(String),
    /// A deployment, by id.
    Deployment(String),
}

/// The kind of an [`Entity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    System,
    Workspace,
    Deployment,
}

/// A role on an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) role: Role,
    pub(crate) entity: Entity,
}

/// A way to use the service accounts of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Get,
    Create,
    Update,
    Delete,
}

impl Role {
    /// The name in the API, such as `WORKSPACE_ADMIN`.
    pub fn name(self) -> &'static str {
        match self {
            Role::User => "USER",
            Role::SystemViewer => "SYSTEM_VIEWER",
            Role::SystemEditor => "SYSTEM_EDITOR",
            Role::SystemAdmin => "SYSTEM_ADMIN",
            Role::WorkspaceViewer => "WORKSPACE_VIEWER",
            Role::WorkspaceEditor => "WORKSPACE_EDITOR",
            Role::WorkspaceAdmin => "WORKSPACE_ADMIN",
            Role::DeploymentViewer => "DEPLOYMENT_VIEWER",
            Role::DeploymentEditor => "DEPLOYMENT_EDITOR",
            Role::DeploymentAdmin => "DEPLOYMENT_ADMIN",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Role> {
        ROLES.into_iter().find(|role| role.name() == name)
    }

    /// The level that the role's name speaks of; none for USER.
    pub(crate) fn level(self) -> Option<Level> {
        match self.name().split_once('_')? {
            ("SYSTEM", _) => Some(Level::System),
            ("WORKSPACE", _) => Some(Level::Workspace),
            _ => Some(Level::Deployment),
        }
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

impl Entity {
    pub(crate) fn level(&self) -> Level {
        match self {
            Entity::System => Level::System,
            Entity::Workspace(_) => Level::Workspace,
            Entity::Deployment(_) => Level::Deployment,
        }
    }

    /// The id; none for the system.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Entity::System => None,
            Entity::Workspace(id) | Entity::Deployment(id) => Some(id),
        }
    }
}

/// An action on an entity that somebody asks for.
pub(crate) struct Access<'a> {
    pub(crate) line: Line,
    pub(crate) action: Action,
    pub(crate) entity: &'a Entity,
    /// The workspace of the deployment, where a deployment is asked for.
    pub(crate) home: Option<&'a Entity>,
}

impl Access<'_> {
    /// A binding on the deployment itself counts before those on its workspace, even if it is the lower one.
    pub(crate) fn is_granted_by(&self, grants: &[Grant]) -> bool {
        let on = |entity: &Entity| grants.iter().any(|grant| grant.entity == *entity);
        let decisive = match self.home {
            Some(home) if !on(self.entity) => home,
            _ => self.entity,
        };
        grants.iter().any(|grant| {
            let near = grant.entity == *decisive;
            self.reaches_as_system(grant.role) || (near && self.reaches(grant.role))
        })
    }

    /// Today only system admins reach the accounts of workspaces; those of deployments are open to all system roles.
    fn reaches_as_system(&self, role: Role) -> bool {
        let to_workspace = self.entity.level() == Level::Workspace;
        let kept_out = self.line == Line::Today && to_workspace && role != Role::SystemAdmin;
        role.level() == Some(Level::System) && role.allows(self.action) && !kept_out
    }

    fn reaches(&self, role: Role) -> bool {
        let fits = match self.entity.level() {
            Level::System => false,
            Level::Workspace => role.level() == Some(Level::Workspace),
            Level::Deployment => true,
        };
        fits && role.allows(self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Entity {
        Entity::Workspace("w".into())
    }

    fn deployment() -> Entity {
        Entity::Deployment("d".into())
    }

    fn granted(grants: &[(Role, Entity)], action: Action, entity: &Entity) -> bool {
        let grants: Vec<_> = grants
            .iter()
            .cloned()
            .map(|(role, entity)| Grant { role, entity })
            .collect();
        let home = (*entity == deployment()).then(workspace);
        let access = Access {
            line: Line::Of2020,
            action,
            entity,
            home: home.as_ref(),
        };
        access.is_granted_by(&grants)
    }

    #[test]
    fn names_are_the_wire_names() {
        assert_eq!(Role::WorkspaceAdmin.name(), "WORKSPACE_ADMIN");
        assert_eq!(Role::parse("SYSTEM_EDITOR"), Some(Role::SystemEditor));
        assert_eq!(Role::parse("system_editor"), None);
        assert!(
            ROLES
                .iter()
                .all(|role| Role::parse(role.name()) == Some(*role))
        );
    }

    #[test]
    fn a_system_role_reaches_everywhere_wherever_it_is_bound() {
        let grants = [(Role::SystemAdmin, workspace())];
        let other = Entity::Workspace("x".into());
        assert!(granted(&grants, Action::Delete, &Entity::System));
        assert!(granted(&grants, Action::Create, &other));
    }

    #[test]
    fn a_workspace_role_reaches_the_deployments_of_its_workspace() {
        let grants = [(Role::WorkspaceEditor, workspace())];
        let elsewhere = Entity::Deployment("x".into());
        assert!(granted(&grants, Action::Create, &deployment()));
        assert!(!granted(&grants, Action::Create, &elsewhere));
    }

    #[test]
    fn a_role_of_another_level_does_not_reach_a_workspace() {
        let grants = [(Role::DeploymentAdmin, workspace())];
        assert!(!granted(&grants, Action::Get, &workspace()));
    }

    #[test]
    fn a_binding_on_the_deployment_counts_before_the_workspace_s() {
        let grants = [
            (Role::WorkspaceAdmin, workspace()),
            (Role::DeploymentViewer, deployment()),
        ];
        assert!(granted(&grants, Action::Get, &deployment()));
        assert!(!granted(&grants, Action::Create, &deployment()));
        assert!(granted(&grants, Action::Create, &workspace()));
    }
}
