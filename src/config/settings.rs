//! Reads settings one by one, and keeps where each came from and what is wrong with it.
//! Falls back to nothing: a value that does not parse is broken, not unset.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::credential::{TOKEN, TOKEN_FILE, TOKEN_FILE_FLAG, TokenSetting};
use super::report::Origin;
use super::values::{
    changes, confirm, key_output, not_a_placeholder, path, role, switch, workspace_ids,
};
use crate::cli::Flags;
use crate::guards::policy::Policy;
use crate::guards::secret::Secret;

/// A setting whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct Broken {
    /// The flag or variable.
    pub setting: &'static str,
    /// What is wrong with it and what is accepted.
    pub problem: String,
    pub(super) from_flag: bool,
}

/// The variables of a process.
#[derive(Debug, Default)]
pub struct Environment(pub(super) BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable; an empty one is unset.
    fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Where the astro CLI keeps its login.
    pub(super) fn astro_login_file(&self) -> Option<PathBuf> {
        let home = self
            .get("ASTRO_HOME")
            .map(PathBuf::from)
            .or_else(std::env::home_dir)?;
        Some(home.join(".astro").join("config.yaml"))
    }
}

/// Reads settings one by one and keeps what is wrong with them.
pub(super) struct Settings<'a> {
    pub(super) environment: &'a Environment,
    pub(super) origins: BTreeMap<&'static str, Origin>,
    pub(super) broken: Vec<Broken>,
}

impl Settings<'_> {
    pub(super) fn parsed<T>(
        &mut self,
        flag: &'static str,
        typed: Option<String>,
        variables: &[&'static str],
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (setting, from_flag, text) = match typed.filter(|text| !text.is_empty()) {
            Some(text) => (flag, true, text),
            None => self
                .variable(variables)
                .map(|(name, text)| (name, false, text))?,
        };
        let origin = match from_flag {
            true => Origin::Flag,
            false => Origin::Variable(setting),
        };
        self.origins.insert(flag, origin);
        let value = not_a_placeholder(&text).and_then(parse);
        value
            .map_err(|problem| {
                self.broken.push(Broken {
                    setting,
                    problem,
                    from_flag,
                })
            })
            .ok()
    }

    fn variable(&mut self, names: &[&'static str]) -> Option<(&'static str, String)> {
        let environment = self.environment;
        let (name, value) = names
            .iter()
            .find_map(|name| Some((*name, environment.get(name)?)))?;
        match value.to_str() {
            Some(text) => Some((name, text.to_owned())),
            None => {
                let problem = "is not UTF-8 text".to_owned();
                self.broken.push(Broken {
                    setting: name,
                    problem,
                    from_flag: false,
                });
                None
            }
        }
    }

    pub(super) fn switch(
        &mut self,
        flag: &'static str,
        typed: bool,
        variable: &'static str,
    ) -> bool {
        if typed {
            self.origins.insert(flag, Origin::Flag);
        }
        typed
            || self
                .parsed(flag, None, &[variable], switch)
                .unwrap_or_default()
    }

    pub(super) fn policy(&mut self, flags: &Flags) -> Policy {
        let role = self.parsed(
            "--max-role",
            flags.max_role.clone(),
            &["APC_MAX_ROLE"],
            role,
        );
        let confirm = self.parsed(
            "--confirm",
            flags.confirm.clone(),
            &["APC_CONFIRM"],
            confirm,
        );
        let output = self.parsed(
            "--key-output",
            flags.key_output.clone(),
            &["APC_KEY_OUTPUT"],
            key_output,
        );
        let rate = flags.max_changes_per_minute.clone();
        let rate = self.parsed(
            "--max-changes-per-minute",
            rate,
            &["APC_MAX_CHANGES_PER_MINUTE"],
            changes,
        );
        let listed =
            Some(flags.allow_workspace.join(",")).filter(|_| !flags.allow_workspace.is_empty());
        let allowed = self.parsed(
            "--allow-workspace",
            listed,
            &["APC_ALLOWED_WORKSPACES"],
            workspace_ids,
        );
        let default = Policy::default();
        Policy {
            read_only: self.switch("--read-only", flags.read_only, "APC_READ_ONLY"),
            allowed_workspaces: allowed,
            max_role: role.unwrap_or(default.max_role),
            confirm: confirm.unwrap_or_default(),
            key_output: output.unwrap_or_default(),
            changes_per_minute: rate.unwrap_or(default.changes_per_minute),
        }
    }

    pub(super) fn token(&mut self, file_flag: Option<String>) -> Option<TokenSetting> {
        if let Some(path) = self.parsed(
            TOKEN_FILE_FLAG,
            file_flag.filter(|typed| !typed.is_empty()),
            &[],
            path,
        ) {
            return Some(TokenSetting::File {
                path,
                setting: TOKEN_FILE_FLAG,
            });
        }
        let value = self.parsed(TOKEN, None, &[TOKEN], |text| Ok(Secret::new(text)));
        let file = self.parsed(TOKEN_FILE_FLAG, None, &[TOKEN_FILE], path);
        match (value, file) {
            (Some(_), Some(_)) => {
                let problem = format!(
                    "and {TOKEN_FILE} are both set; which token is meant is not certain, unset one"
                );
                self.broken.push(Broken {
                    setting: TOKEN,
                    problem,
                    from_flag: false,
                });
                None
            }
            (Some(value), None) => Some(TokenSetting::Value(value)),
            (None, file) => file.map(|path| TokenSetting::File {
                path,
                setting: TOKEN_FILE,
            }),
        }
    }
}
