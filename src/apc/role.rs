//! Roles of service accounts: a rank on a level.
//! Knows the six roles that are given here; the API itself takes any role at all, `SYSTEM_ADMIN` included.

use super::Accepted;

/// The level on which a role is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A workspace.
    Workspace,
    /// A deployment.
    Deployment,
}

impl Level {
    /// Its roles, lowest first.
    pub fn roles(self) -> [Role; 3] {
        [Rank::Viewer, Rank::Editor, Rank::Admin].map(|rank| Role { level: self, rank })
    }
}

/// The rank of a role, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Reads.
    Viewer,
    /// Deploys and edits.
    Editor,
    /// Administers, users and accounts included.
    Admin,
}

/// A role that a service account may be given here. The API does not check who may give which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// The level on which it is held.
    pub level: Level,
    /// Its rank there.
    pub rank: Rank,
}

impl Role {
    /// The lowest role on a level.
    pub fn lowest(level: Level) -> Self {
        let rank = Rank::Viewer;
        Self { level, rank }
    }

    /// Every role, by level and lowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        let levels = [Level::Workspace, Level::Deployment];
        levels.into_iter().flat_map(Level::roles)
    }

    /// The API's name of the role.
    pub fn name(self) -> &'static str {
        match (self.level, self.rank) {
            (Level::Workspace, Rank::Viewer) => "WORKSPACE_VIEWER",
            (Level::Workspace, Rank::Editor) => "WORKSPACE_EDITOR",
            (Level::Workspace, Rank::Admin) => "WORKSPACE_ADMIN",
            (Level::Deployment, Rank::Viewer) => "DEPLOYMENT_VIEWER",
            (Level::Deployment, Rank::Editor) => "DEPLOYMENT_EDITOR",
            (Level::Deployment, Rank::Admin) => "DEPLOYMENT_ADMIN",
        }
    }

    /// The role of the same rank on another level.
    #[must_use]
    pub fn on(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The names that [`parse`](Self::parse) accepts.
    pub const ACCEPTED: Accepted = Accepted(
        "WORKSPACE_VIEWER, WORKSPACE_EDITOR, WORKSPACE_ADMIN, DEPLOYMENT_VIEWER, DEPLOYMENT_EDITOR, DEPLOYMENT_ADMIN",
    );

    /// The role of that name, exactly as the API spells it. The error tells the names that are accepted.
    pub fn parse(name: &str) -> Result<Self, Accepted> {
        let named = Self::all().find(|role| role.name() == name);
        named.ok_or(Self::ACCEPTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_spelling() {
        let editor = Role::parse("DEPLOYMENT_EDITOR").unwrap();
        assert_eq!(
            (editor.level, editor.rank),
            (Level::Deployment, Rank::Editor)
        );
        for bad in ["workspace_editor", "SYSTEM_ADMIN", "", "EDITOR"] {
            assert_eq!(Role::parse(bad), Err(Role::ACCEPTED), "{bad:?}");
        }
        let names: Vec<_> = Role::all().map(Role::name).collect();
        assert_eq!(Role::ACCEPTED.0, names.join(", "));
    }

    #[test]
    fn a_role_has_a_counterpart_of_its_rank_on_the_other_level() {
        for role in Level::Workspace.roles() {
            let other = role.on(Level::Deployment);
            assert_eq!(other.name(), role.name().replace("WORKSPACE", "DEPLOYMENT"));
            assert_eq!(other.on(Level::Workspace), role);
        }
    }
}
