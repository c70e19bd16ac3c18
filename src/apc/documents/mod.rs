//! Every document that this server sends: one file each, named as its field.
//! Mutations select scalars only: with a binding selected the API answers a deletion with an error although it was done.

use super::document::{Document, Renamed};

pub(super) const APP_CONFIG: Document = Document::of(
    "appConfig",
    include_str!("appConfig.graphql"),
    &["version", "baseDomain"],
);

pub(super) const WORKSPACES: Document =
    Document::of("workspaces", include_str!("workspaces.graphql"), &["label"]);

pub(super) const SYS_WORKSPACES: Document = Document::of(
    "sysWorkspaces",
    include_str!("sysWorkspaces.graphql"),
    &["label"],
);

pub(super) const WORKSPACE: Document =
    Document::of("workspace", include_str!("workspace.graphql"), &["label"]);

pub(super) const WORKSPACE_DEPLOYMENTS: Document = Document::of(
    "workspaceDeployments",
    include_str!("workspaceDeployments.graphql"),
    &["label", "releaseName"],
);

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
    renamed: BINDINGS,
    ..Document::of(
        "workspaceServiceAccounts",
        include_str!("workspaceServiceAccounts.graphql"),
        OPTIONAL,
    )
};

pub(super) const DEPLOYMENT_SERVICE_ACCOUNTS: Document = Document {
    renamed: BINDINGS,
    ..Document::of(
        "deploymentServiceAccounts",
        include_str!("deploymentServiceAccounts.graphql"),
        OPTIONAL,
    )
};

/// The fields of a created account that a release may lack. Without the key the account would be of no use.
const OPTIONAL_IN_CREATED: &[&str] = &[
    "label",
    "category",
    "active",
    "createdAt",
    "updatedAt",
    "lastUsedAt",
];

pub(super) const CREATE_IN_WORKSPACE: Document = Document::of(
    "createWorkspaceServiceAccount",
    include_str!("createWorkspaceServiceAccount.graphql"),
    OPTIONAL_IN_CREATED,
);

pub(super) const CREATE_IN_DEPLOYMENT: Document = Document::of(
    "createDeploymentServiceAccount",
    include_str!("createDeploymentServiceAccount.graphql"),
    OPTIONAL_IN_CREATED,
);

pub(super) const DELETE_IN_WORKSPACE: Document = Document::of(
    "deleteWorkspaceServiceAccount",
    include_str!("deleteWorkspaceServiceAccount.graphql"),
    &["label"],
);

pub(super) const DELETE_IN_DEPLOYMENT: Document = Document::of(
    "deleteDeploymentServiceAccount",
    include_str!("deleteDeploymentServiceAccount.graphql"),
    &["label"],
);
