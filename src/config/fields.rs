//! The configuration: a field for each setting, the origin of each value, and the values that are broken.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::time::Duration;

use apc_sandbox::Line;
use etcetera::BaseStrategy;

use super::astro_login::ConfigPath;
use super::not_configured::Audience;
use super::values::Problem;
use crate::apc::WorkspaceId;
use crate::apc::http::Connecting;
use crate::apc::installation::{ApiUrl, Domain, Installation};
use crate::guards::audit::AuditLog;
use crate::guards::logging::Level;
use crate::guards::policy::Policy;
use crate::guards::secret::Secret;

/// The time for one API request, unless set.
const TIMEOUT: Duration = Duration::from_secs(20);

/// All settings, read once at the start. The credential is looked up afresh at every call.
#[derive(Debug)]
pub struct Config {
    /// The way connections are made.
    pub connecting: Connecting,
    /// The time for one API request, all included.
    pub timeout: Duration,
    /// The log level.
    pub log: Level,
    /// The log file; none for standard error.
    pub log_file: Option<PathBuf>,
    /// The limits of this server.
    pub policy: Policy,
    /// The directory for key files; none where there is no home directory.
    pub key_dir: Option<PathBuf>,
    /// The audit log.
    pub audit: AuditLog,
    /// Use of the embedded sandbox instead of an installation.
    pub sandbox: bool,
    /// The line of the API that the embedded sandbox speaks.
    pub sandbox_line: Line,
    /// The place where a person reads what is missing.
    pub reader: Audience,
    pub(super) api_url: Option<ApiUrl>,
    pub(super) domain: Option<Domain>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) workspace_id: Option<WorkspaceId>,
    pub(super) login_place: ConfigPath,
    pub(super) running_sandbox: Option<Installation>,
    pub(super) origins: BTreeMap<&'static str, Origin>,
    pub(super) broken: Vec<BrokenSetting>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connecting: Connecting::default(),
            timeout: TIMEOUT,
            log: Level::WARN,
            log_file: None,
            policy: Policy::default(),
            key_dir: default_key_dir(),
            audit: AuditLog::default(),
            sandbox: false,
            sandbox_line: Line::default(),
            reader: Audience::default(),
            api_url: None,
            domain: None,
            token: None,
            token_file: None,
            workspace_id: None,
            login_place: ConfigPath::default(),
            running_sandbox: None,
            origins: BTreeMap::new(),
            broken: Vec::new(),
        }
    }
}

/// The user's own directory for the state of programs.
fn default_key_dir() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(state.join("apc-mcp").join("keys"))
}

/// The origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This variable.
    Variable(&'static str),
    /// The astro CLI's login.
    AstroLogin,
    /// Nobody has set it.
    Default,
}

impl Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => formatter.write_str("flag"),
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::AstroLogin => formatter.write_str("astro login"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

impl Origin {
    /// The name by which a setting was set: the variable, or else the setting's own name.
    pub(super) fn name_of(self, setting: &'static str) -> &'static str {
        match self {
            Self::Variable(variable) => variable,
            _ => setting,
        }
    }
}

/// A setting whose value cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} {problem}", self.origin.name_of(self.setting))]
pub struct BrokenSetting {
    pub(super) setting: &'static str,
    pub(super) origin: Origin,
    pub(super) problem: Problem,
}

/// All settings of a kind whose values cannot be used. The text names each.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct AllBrokenSettings(pub(super) Vec<BrokenSetting>);

fn listed(broken: &[BrokenSetting]) -> String {
    let sentences: Vec<_> = broken.iter().map(BrokenSetting::to_string).collect();
    sentences.join(". ")
}
