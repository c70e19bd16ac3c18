//! The instructions of the server: what a model reads before it sees a tool.
//! Names what is switched off by its flag, and says nothing that a tool says itself.

use crate::apc::Role;
use crate::config::Config;
use crate::guards::policy::{Confirm, KeyOutput, Policy};

const SANDBOX: &str =
    "This is a sandbox: an embedded API with invented accounts, gone when the server ends.";

pub(super) fn text(config: &Config) -> String {
    let mut sentences = Vec::from_iter(config.sandbox.then(|| SANDBOX.to_owned()));
    sentences.push(purpose(&config.policy));
    sentences.extend(restrictions(&config.policy));
    sentences.join(" ")
}

fn purpose(policy: &Policy) -> String {
    let deployments = match policy.has_deployments() {
        true => ", with include_deployments their deployments as well",
        false => "",
    };
    format!(
        "Administers the service accounts of Astro Private Cloud. get_service_accounts with limit 0 lists the workspaces and their ids{deployments}; its filters find accounts without reading every page. Delete only what the user named. Tell the user what notes say. An error's text says what to do next."
    )
}

/// A sentence for each setting of the policy that is not the default, and the limit of changes.
fn restrictions(policy: &Policy) -> Vec<String> {
    let mut sentences = Vec::new();
    if !policy.has_deployments() {
        sentences
            .push("All places but workspaces are switched off by --levels workspace.".to_owned());
    }
    if policy.read_only {
        sentences.push("Creating and deleting are switched off by --read-only.".to_owned());
    } else {
        sentences.extend(limits(policy));
    }
    if let Some(allowed) = &policy.allowed_workspaces {
        let ids: Vec<_> = allowed.iter().map(|id| id.as_str()).take(20).collect();
        let more = match allowed.len().saturating_sub(ids.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let ids = ids.join(", ");
        sentences.push(format!(
            "All workspaces but {ids}{more} are switched off by --allow-workspace."
        ));
    }
    if policy.key_output == KeyOutput::Show {
        sentences.push("Results show whole keys: --key-output show.".to_owned());
    }
    sentences
}

fn limits(policy: &Policy) -> Vec<String> {
    let mut sentences = Vec::new();
    let most = policy.changes_per_minute;
    if most > 0 {
        sentences.push(format!("At most {most} changes a minute are made (--max-changes-per-minute): plan for it where there are more."));
    }
    let known = policy.known_roles();
    let off = known.filter(|role| role.rank > policy.max_role);
    let off: Vec<_> = off.map(Role::name).collect();
    if !off.is_empty() {
        let verb = if off.len() == 1 { "is" } else { "are" };
        let off = off.join(", ");
        sentences.push(format!("{off} {verb} switched off by --max-role."));
    }
    let confirm = match policy.confirm {
        Confirm::Auto => None,
        Confirm::Always => Some("No deletion without a user who can be asked: --confirm always."),
        Confirm::Never => Some("Questions before a deletion are switched off by --confirm never."),
    };
    sentences.extend(confirm.map(str::to_owned));
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::{Rank, WorkspaceId};
    use crate::guards::policy::Levels;

    fn said(policy: &Policy) -> String {
        restrictions(policy).join(" ")
    }

    #[test]
    fn what_is_switched_off_is_named_with_its_flag() {
        let workspace = WorkspaceId::verbatim("ck1".to_owned());
        let policy = Policy {
            allowed_workspaces: Some([workspace].into()),
            max_role: Rank::Editor,
            levels: Levels::WorkspaceOnly,
            confirm: Confirm::Never,
            key_output: KeyOutput::Show,
            changes_per_minute: 7,
            read_only: false,
        };
        let text = said(&policy);
        for part in [
            "ck1 are switched off by --allow-workspace",
            "All places but workspaces are switched off by --levels",
            "WORKSPACE_ADMIN is switched off by --max-role",
            "--confirm never",
            "--key-output show",
            "At most 7 changes a minute",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let read_only = Policy {
            read_only: true,
            ..policy
        };
        assert!(said(&read_only).contains("--read-only"));
        assert!(!said(&read_only).contains("--max-role"));
    }

    #[test]
    fn by_default_nothing_but_the_limit_is_said() {
        let text = said(&Policy::default());
        assert!(text.starts_with("At most 30 changes a minute"), "{text}");
        assert_eq!(text.matches("--").count(), 1, "{text}");
        let unlimited = Policy {
            changes_per_minute: 0,
            ..Policy::default()
        };
        assert_eq!(said(&unlimited), "");
    }
}
