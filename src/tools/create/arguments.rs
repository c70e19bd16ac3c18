//! The arguments of a creation: their schema as the policy shapes it, and the account that they ask for.
//! Names the faults of place and role beside those of single arguments, all at once.

use std::sync::LazyLock;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::NAME;
use crate::apc::{DeploymentId, Label, Level, NewServiceAccount, Rank, Role, WorkspaceId};
use crate::guards::policy::Policy;
use crate::tools::arguments::invalid;
use crate::tools::by_levels::ByLevels;
use crate::tools::context::{Call, is_given};
use crate::tools::place_words::{empty_place, left_out, no_place};
use crate::tools::places::NamedPlace;
use crate::tools::words::{role_not_allowed, role_of_other_level};
use crate::tools::{AuditRecord, Code, Failure, ToolOptions, schema};

/// The number of allowed workspaces up to which the schema lists them.
const LISTED: usize = 20;

static INPUT: LazyLock<ByLevels> = LazyLock::new(|| {
    ByLevels::new(schema::input::<Arguments>(), |input| {
        schema::make_required(input, "workspace_id");
        let lowest = Role::lowest(Level::Workspace).name();
        schema::set(input, "role", "default", json!(lowest));
    })
});

/// The arguments. The default workspace stands in where no place is named.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Tells its purpose, 1 to 255 characters; unique in its place. No secrets: the platform logs it.
    label: Label,
    /// Id of its workspace.
    workspace_id: Option<WorkspaceId>,
    /// Id of its deployment.
    deployment_id: Option<DeploymentId>,
    /// Its rights there.
    role: Option<Role>,
    /// A group, up to 255 characters; default none.
    category: Option<Label>,
}

pub(super) fn input(options: &ToolOptions) -> JsonObject {
    let policy = &options.policy;
    let mut input = INPUT.under(policy).clone();
    if options.has_default_workspace {
        schema::make_optional(&mut input, "workspace_id");
    }
    let place = place_description(options);
    schema::set(&mut input, "workspace_id", "description", json!(place));
    let roles: Vec<_> = policy.roles().map(Role::name).collect();
    schema::set(&mut input, "role", "enum", json!(roles));
    let rights = rights(policy);
    schema::set(&mut input, "role", "description", json!(rights));
    let allowed = policy.allowed_workspaces.as_ref();
    if let Some(allowed) = allowed.filter(|allowed| allowed.len() <= LISTED) {
        let ids: Vec<_> = allowed.iter().map(WorkspaceId::as_str).collect();
        schema::set(&mut input, "workspace_id", "enum", json!(ids));
    }
    input
}

fn place_description(options: &ToolOptions) -> &'static str {
    let has_default = options.has_default_workspace;
    match (options.policy.has_deployments(), has_default) {
        (true, true) => {
            "Id of its workspace; default without deployment_id: the one set for this server."
        }
        (true, false) => "Id of its workspace; this or deployment_id.",
        (false, true) => "Id of its workspace; default: the one set for this server.",
        (false, false) => "Id of its workspace.",
    }
}

fn rights(policy: &Policy) -> String {
    let ranks = Level::Workspace.roles().into_iter().map(|role| role.rank);
    let offered = ranks.filter(|rank| *rank <= policy.max_role);
    let levels = " DEPLOYMENT_ roles with deployment_id.";
    let (editor, levels) = match policy.has_deployments() {
        true => ("EDITOR also deploys and changes", levels),
        false => ("EDITOR also changes", ""),
    };
    let clause = |rank| match rank {
        Rank::Viewer => "VIEWER (default) reads",
        Rank::Editor => editor,
        Rank::Admin => "ADMIN also manages users and accounts",
    };
    let clauses: Vec<_> = offered.map(clause).collect();
    format!("{}.{levels}", clauses.join(", "))
}

/// The account that the arguments ask for.
///
/// # Errors
/// Every fault of the call, or the policy forbids the place or the role.
pub(super) async fn read(
    call: &Call,
    given: JsonObject,
    record: &mut AuditRecord,
) -> Result<NewServiceAccount, Failure> {
    let policy = call.policy();
    let default = call.default_workspace();
    let faults = faults_of_place_and_role(&given, policy, default.as_ref());
    let read = call.read(NAME, INPUT.under(policy), given);
    let arguments = with_faults::<Arguments>(read, &faults)?;
    let named = NamedPlace {
        workspace_id: arguments.workspace_id,
        deployment_id: arguments.deployment_id,
    };
    let role = arguments.role.unwrap_or(Role::lowest(named.level()));
    record.named_place(&named);
    record.label_and_role(Some(arguments.label.as_str()), Some(role.name()));
    if role.rank > policy.max_role {
        return Err(role_not_allowed(role, policy));
    }
    let place = named.resolve(call).await?;
    let place = place.ok_or_else(|| invalid(&[no_place()]))?;
    record.found_place(call, &place);
    Ok(NewServiceAccount {
        place,
        label: arguments.label,
        role,
        category: arguments.category,
    })
}

/// The faults that show in several arguments together: no place at all, and a role of the other level.
fn faults_of_place_and_role(
    given: &JsonObject,
    policy: &Policy,
    default: Option<&WorkspaceId>,
) -> Vec<String> {
    let is_given = |name| is_given(given, name);
    let level = match (is_given("workspace_id"), is_given("deployment_id")) {
        (_, true) if policy.has_deployments() => Level::Deployment,
        (false, false) if policy.has_deployments() => return vec![empty_place(given, default)],
        _ => Level::Workspace,
    };
    let role = given.get("role").and_then(Value::as_str);
    let role = role.and_then(|name| Role::parse(name).ok());
    let of_other_level = role.filter(|role| role.level != level);
    let mut faults =
        Vec::from_iter(of_other_level.map(|role| role_of_other_level(role, level, policy)));
    // The value itself is refused where the argument is read.
    let is_empty = given.get("workspace_id").is_some_and(|id| id == "");
    if let (true, Level::Workspace, Some(id)) = (is_empty, level, default) {
        faults.push(left_out("workspace_id", id));
    }
    faults
}

/// The arguments as they were read, unless there are further faults, which are named beside those of single arguments.
fn with_faults<T>(read: Result<T, Failure>, further: &[String]) -> Result<T, Failure> {
    match read {
        Ok(_) if !further.is_empty() => Err(invalid(further)),
        Err(failure) if failure.code() == Code::InvalidArguments => {
            let also = further.iter().map(|fault| format!("Also: {fault}."));
            Err(failure.noting(&also.collect::<Vec<_>>()))
        }
        read => read,
    }
}
