//! Every document that this server sends: one file each, named as its field.
//! Mutations select scalars only: with a binding selected the API answers a deletion with an error although it was done.

use super::document::{Document, Renamed};

pub(super) const APP_CONFIG: Document = Document {
    field: "appConfig",
    text: include_str!("appConfig.graphql"),
    optional: &["version", "baseDomain"],
    renamed: None,
};

pub(super) const WORKSPACES: Document = Document {
    field: "workspaces",
    text: include_str!("workspaces.graphql"),
    optional: &["label"],
    renamed: None,
};

pub(super) const SYS_WORKSPACES: Document = Document {
    field: "sysWorkspaces",
    text: include_str!("sysWorkspaces.graphql"),
    optional: &["label"],
    renamed: None,
};

pub(super) const WORKSPACE: Document = Document {
    field: "workspace",
    text: include_str!("workspace.graphql"),
    optional: &["label"],
    renamed: None,
};

pub(super) const WORKSPACE_DEPLOYMENTS: Document = Document {
    field: "workspaceDeployments",
    text: include_str!("workspaceDeployments.graphql"),
    optional: &["label", "releaseName"],
    renamed: None,
};

/// The fields of a listed account that a release may lack.
const OPTIONAL: &[&str] = &[
    "label",
    "apiKey",
    "category",
    "active",
    "createdAt",
    "updatedAt",
    "lastUsedAt",
    "roleBindings",
    "roleBinding",
];

/// A list since 2021, a single one before.
const BINDINGS: Option<Renamed> = Some(Renamed {
    newer: "roleBindings",
    older: "roleBinding",
    of_type: "RoleBinding",
    lacking: "this release shows no role bindings: roles are missing in results, and no account can be told to belong elsewhere as well",
});

pub(super) const WORKSPACE_SERVICE_ACCOUNTS: Document = Document {
    field: "workspaceServiceAccounts",
    text: include_str!("workspaceServiceAccounts.graphql"),
    optional: OPTIONAL,
    renamed: BINDINGS,
};

pub(super) const DEPLOYMENT_SERVICE_ACCOUNTS: Document = Document {
    field: "deploymentServiceAccounts",
    text: include_str!("deploymentServiceAccounts.graphql"),
    optional: OPTIONAL,
    renamed: BINDINGS,
};

/// The fields of a created account that a release may lack. The key is not among them: an account whose key nobody
/// gets to see is of no use.
const OPTIONAL_IN_CREATED: &[&str] = &[
    "label",
    "category",
    "active",
    "createdAt",
    "updatedAt",
    "lastUsedAt",
];

pub(super) const CREATE_IN_WORKSPACE: Document = Document {
    field: "createWorkspaceServiceAccount",
    text: include_str!("createWorkspaceServiceAccount.graphql"),
    optional: OPTIONAL_IN_CREATED,
    renamed: None,
};

pub(super) const CREATE_IN_DEPLOYMENT: Document = Document {
    field: "createDeploymentServiceAccount",
    text: include_str!("createDeploymentServiceAccount.graphql"),
    optional: OPTIONAL_IN_CREATED,
    renamed: None,
};

pub(super) const DELETE_IN_WORKSPACE: Document = Document {
    field: "deleteWorkspaceServiceAccount",
    text: include_str!("deleteWorkspaceServiceAccount.graphql"),
    optional: &["label"],
    renamed: None,
};

pub(super) const DELETE_IN_DEPLOYMENT: Document = Document {
    field: "deleteDeploymentServiceAccount",
    text: include_str!("deleteDeploymentServiceAccount.graphql"),
    optional: &["label"],
    renamed: None,
};
