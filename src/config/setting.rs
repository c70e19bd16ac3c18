//! The table of settings: one row for each, with its flag, variables, help, parser and shown form.
//!
//! A new setting is a row and the field of [`Config`] that it fills. Flags, `--help`, the report of the doctor and
//! `apc-mcp client` follow from the row.

use std::fmt::{self, Display};

use ValueForm::{List, Path, Switch, Text};

use super::fields::{Config, Origin};
use super::placeholder::ValueUse;
use super::token::token_in_words;
use super::values::{
    self, CONFIRMS, KEY_OUTPUTS, LEVELS, NOT_SET, OFF, Problem, RANKS, SANDBOX_LINES, choice,
    name_of, on_or_off, or_not_set, path_in_words, switch,
};
use crate::guards::audit::AuditLog;
use crate::guards::secret::{Secret, without_secret_shapes};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The flag; none for a secret, since arguments show in process lists.
    pub flag: Option<&'static str>,
    /// The variables; the first one that is set counts.
    pub variables: &'static [&'static str],
    /// The form of the value.
    pub form: ValueForm,
    /// The meaning, in words.
    pub help: &'static str,
    fill: fn(&mut Config, &str) -> Result<(), Problem>,
    show: fn(&Config) -> String,
}

/// The form of a value, with the name of the value in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// The flag has no value and switches on.
    Switch,
    /// One text.
    Text(&'static str),
    /// One path. A relative one belongs to the current directory.
    Path(&'static str),
    /// Several texts: the flag repeats, and the variable has commas.
    List(&'static str),
}

impl Setting {
    /// The shown form of the value, for everybody to read. A path or a URL may hold a token by mistake.
    pub(super) fn shown(&self, config: &Config) -> String {
        without_secret_shapes(&(self.show)(config))
    }

    /// The flag, or the variable where there is no flag.
    pub fn name(&self) -> &'static str {
        self.flag.unwrap_or_else(|| self.variable())
    }

    /// The first variable.
    pub fn variable(&self) -> &'static str {
        self.variables.first().copied().unwrap_or_default()
    }

    /// Tells if the setting names an installation or its credential.
    pub fn names_the_installation(&self) -> bool {
        INSTALLATION.contains(&self)
    }

    /// The help of the flag: the meaning, the variables and the default.
    pub fn help(&self) -> String {
        let variables = self.variables.join(", ");
        let commas = match self.form {
            List(_) => ", separated by commas",
            _ => "",
        };
        let default = match (self.show)(&Config::default()) {
            shown if shown == OFF || shown == NOT_SET => String::new(),
            shown => format!("; default: {shown}"),
        };
        format!("{} ({variables}{commas}{default})", self.help)
    }

    /// Parses a value and fills the field.
    pub(super) fn fill(&self, config: &mut Config, text: &str) -> Result<(), Problem> {
        values::not_a_placeholder(text, self.kind())?;
        if *self != API_TOKEN {
            values::not_a_token(text)?;
        }
        (self.fill)(config, text)
    }

    pub(super) fn kind(&self) -> ValueUse {
        match self.form {
            Path(_) => ValueUse::Path,
            Text("TOKEN") => ValueUse::Token,
            Text("DOMAIN" | "URL" | "ID") | List("ID") => ValueUse::Name,
            Switch | Text(_) | List(_) => ValueUse::Word,
        }
    }
}

impl Config {
    pub(super) fn origin(&self, setting: &Setting) -> Origin {
        let origin = self.origins.get(setting.name());
        origin.copied().unwrap_or(Origin::Default)
    }

    /// The flag or variable by which a setting was set.
    pub(super) fn written_as(&self, setting: &Setting) -> &'static str {
        self.origin(setting).name_of(setting.name())
    }
}

impl Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flag {
            Some(flag) => write!(formatter, "{flag} ({})", self.variable()),
            None => formatter.write_str(self.variable()),
        }
    }
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// The settings that name an installation and its credential. A sandbox does without them.
pub(super) static INSTALLATION: [&Setting; 4] = [&DOMAIN, &API_URL, &API_TOKEN_FILE, &API_TOKEN];

/// Declares each row as a static, and the list of them all.
macro_rules! table {
    ($($name:ident $row:tt)*) => {
        $(pub static $name: Setting = Setting $row;)*
        /// All settings, in the order of `--help`.
        pub static ALL: &[&Setting] = &[$(&$name),*];
    };
}

table! {
    DOMAIN {
        flag: Some("--domain"), variables: &["APC_DOMAIN", "ASTRO_DOMAIN"], form: Text("DOMAIN"),
        help: "Base domain of the installation, such as acme.dev; without it, the astro login's current context",
        fill: |config, text| values::domain(text, &API_URL).map(|domain| config.domain = Some(domain)),
        show: |config| or_not_set(config.domain.as_ref()),
    }
    API_URL {
        flag: Some("--api-url"), variables: &["APC_API_URL"], form: Text("URL"),
        help: "URL of the API, such as https://houston.acme.dev/v1; wins over a domain",
        fill: |config, text| values::api_url(text).map(|url| config.api_url = Some(url)),
        show: |config| or_not_set(config.api_url.as_ref()),
    }
    API_TOKEN {
        flag: None, variables: &["APC_API_TOKEN"], form: Text("TOKEN"),
        help: "The API token: a service account's key or a user's token",
        fill: |config, text| { config.token = Some(Secret::new(text)); Ok(()) },
        show: |config| config.token.as_ref().map_or(NOT_SET.to_owned(), token_in_words),
    }
    API_TOKEN_FILE {
        flag: Some("--api-token-file"), variables: &["APC_API_TOKEN_FILE"], form: Path("FILE"),
        help: "File that holds the API token, read at every call",
        fill: |config, text| values::path(text).map(|path| config.token_file = Some(path)),
        show: |config| path_in_words(config.token_file.as_deref()),
    }
    WORKSPACE_ID {
        flag: Some("--workspace-id"), variables: &["APC_WORKSPACE_ID"], form: Text("ID"),
        help: "Workspace meant where a call to create or delete names none; without it, the astro login's",
        fill: |config, text| values::workspace_id(text).map(|id| config.workspace_id = Some(id)),
        show: |config| or_not_set(config.workspace_id.as_ref()),
    }
    ALLOW_WORKSPACE {
        flag: Some("--allow-workspace"), variables: &["APC_ALLOWED_WORKSPACES"], form: List("ID"),
        help: "Workspace that calls may be about; repeat it for more",
        fill: |config, text| values::workspace_ids(text).map(|ids| config.policy.allowed_workspaces = Some(ids)),
        show: |config| values::ids_in_words(config.policy.allowed_workspaces.as_ref()),
    }
    LEVELS_OF_WORK {
        flag: Some("--levels"), variables: &["APC_LEVELS"], form: List("LEVELS"),
        help: "Levels to work on: workspace,deployment, or workspace alone",
        fill: |config, text| values::levels(text).map(|levels| config.policy.levels = levels),
        show: |config| name_of(config.policy.levels, values::LEVELS_OF_WORK),
    }
    READ_ONLY {
        flag: Some("--read-only"), variables: &["APC_READ_ONLY"], form: Switch,
        help: "Only read: get_service_accounts is the only tool",
        fill: |config, text| switch(text).map(|on| config.policy.read_only = on),
        show: |config| on_or_off(config.policy.read_only),
    }
    MAX_ROLE {
        flag: Some("--max-role"), variables: &["APC_MAX_ROLE"], form: Text("ROLE"),
        help: "Highest role that may be created: VIEWER, EDITOR, ADMIN, or a full role name of that rank",
        fill: |config, text| choice(text, RANKS).map(|role| config.policy.max_role = role),
        show: |config| name_of(config.policy.max_role, RANKS),
    }
    KEY_OUTPUT {
        flag: Some("--key-output"), variables: &["APC_KEY_OUTPUT"], form: Text("WHERE"),
        help: "Place of new API keys: file (private files, masked in results) or show (in results)",
        fill: |config, text| choice(text, KEY_OUTPUTS).map(|output| config.policy.key_output = output),
        show: |config| name_of(config.policy.key_output, KEY_OUTPUTS),
    }
    KEY_DIR {
        flag: Some("--key-dir"), variables: &["APC_KEY_DIR"], form: Path("DIR"),
        help: "Directory for key files",
        fill: |config, text| values::path(text).map(|path| config.key_dir = Some(path)),
        show: |config| path_in_words(config.key_dir.as_deref()),
    }
    CONFIRM {
        flag: Some("--confirm"), variables: &["APC_CONFIRM"], form: Text("WHEN"),
        help: "Ask the user before a deletion: auto (where the client can ask), always (else refuse), never",
        fill: |config, text| choice(text, CONFIRMS).map(|confirm| config.policy.confirm = confirm),
        show: |config| name_of(config.policy.confirm, CONFIRMS),
    }
    MAX_CHANGES_PER_MINUTE {
        flag: Some("--max-changes-per-minute"), variables: &["APC_MAX_CHANGES_PER_MINUTE"], form: Text("NUMBER"),
        help: "Changes sent in a minute at most, 0 for any number",
        fill: |config, text| values::changes(text).map(|number| config.policy.changes_per_minute = number),
        show: |config| values::changes_in_words(config.policy.changes_per_minute),
    }
    AUDIT_LOG {
        flag: Some("--audit-log"), variables: &["APC_AUDIT_LOG"], form: Path("FILE"),
        help: "File that gets one JSON line per change tried",
        fill: |config, text| values::path(text).map(|path| config.audit = AuditLog::new(Some(path))),
        show: |config| path_in_words(config.audit.path()),
    }
    TIMEOUT {
        flag: Some("--timeout"), variables: &["APC_TIMEOUT"], form: Text("SECONDS"),
        help: "Seconds for one API request, all included",
        fill: |config, text| values::seconds(text).map(|time| config.timeout = time),
        show: |config| format!("{} s", config.timeout.as_secs_f64()),
    }
    CA_CERT {
        flag: Some("--ca-cert"), variables: &["APC_CA_CERT"], form: Path("FILE"),
        help: "Further trusted certificate authorities (PEM), beside the system's",
        fill: |config, text| values::path(text).map(|path| config.connecting.ca_cert = Some(path)),
        show: |config| path_in_words(config.connecting.ca_cert.as_deref()),
    }
    INSECURE {
        flag: Some("--insecure"), variables: &["APC_INSECURE"], form: Switch,
        help: "Do not verify TLS certificates",
        fill: |config, text| switch(text).map(|on| config.connecting.insecure = on),
        show: |config| on_or_off(config.connecting.insecure),
    }
    LOG {
        flag: Some("--log"), variables: &["APC_LOG"], form: Text("LEVEL"),
        help: "Log level: off, error, warn or info",
        fill: |config, text| choice(text, LEVELS).map(|level| config.log = level),
        show: |config| name_of(config.log, LEVELS),
    }
    LOG_FILE {
        flag: Some("--log-file"), variables: &["APC_LOG_FILE"], form: Path("FILE"),
        help: "File to log to instead of standard error",
        fill: |config, text| values::path(text).map(|path| config.log_file = Some(path)),
        show: |config| path_in_words(config.log_file.as_deref()),
    }
    SANDBOX {
        flag: Some("--sandbox"), variables: &["APC_SANDBOX"], form: Switch,
        help: "Use the embedded sandbox instead of an installation",
        fill: |config, text| switch(text).map(|on| config.sandbox = on),
        show: |config| on_or_off(config.sandbox),
    }
    SANDBOX_LINE {
        flag: Some("--sandbox-line"), variables: &["APC_SANDBOX_LINE"], form: Text("LINE"),
        help: "Line of the API that the sandbox speaks: today or 2020",
        fill: |config, text| choice(text, SANDBOX_LINES).map(|line| config.sandbox_line = line),
        show: |config| name_of(config.sandbox_line, SANDBOX_LINES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of a setting that is not its default.
    fn value(setting: &Setting) -> &'static str {
        match setting.name() {
            "--domain" => "acme.dev",
            "--api-url" => "https://houston.acme.dev/v1",
            "APC_API_TOKEN" => "0123456789abcdef",
            "--workspace-id" | "--allow-workspace" => "ck1",
            "--levels" => "workspace",
            "--max-role" => "VIEWER",
            "--key-output" => "show",
            "--confirm" => "never",
            "--max-changes-per-minute" | "--timeout" => "7",
            "--log" => "info",
            "--sandbox-line" => "2020",
            _ if setting.form == Switch => "true",
            _ => "/some/text-that-is-no-default",
        }
    }

    #[test]
    fn a_setting_fills_the_field_that_it_shows_and_no_other() {
        let unset = Config::default();
        for setting in ALL {
            let mut set = Config::default();
            setting.fill(&mut set, value(setting)).unwrap();
            let mut changed = ALL
                .iter()
                .filter(|other| (other.show)(&set) != (other.show)(&unset));
            assert_eq!(changed.next(), Some(setting), "add its value to this test");
            assert_eq!(changed.next(), None, "{setting}");
        }
    }

    #[test]
    fn a_path_that_holds_a_token_is_shown_without_it() {
        let key = "0123456789abcdef0123456789abcdef";
        for setting in ALL.iter().filter(|setting| matches!(setting.form, Path(_))) {
            let mut config = Config::default();
            setting.fill(&mut config, &format!("/some/{key}")).unwrap();
            assert_eq!(setting.shown(&config), "/some/[redacted]");
        }
    }

    #[test]
    fn no_two_settings_share_a_name() {
        let flags = ALL.iter().filter_map(|setting| setting.flag);
        let variables = ALL
            .iter()
            .flat_map(|setting| setting.variables.iter().copied());
        let mut names: Vec<_> = flags.chain(variables).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_help_of_a_setting_with_few_values_names_them_all() {
        fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
            choices.iter().map(|(name, _)| *name).collect()
        }
        for (setting, names) in [
            (&MAX_ROLE, names(RANKS).into_iter().take(3).collect()),
            (&KEY_OUTPUT, names(KEY_OUTPUTS)),
            (&CONFIRM, names(CONFIRMS)),
            (&LOG, names(LEVELS)),
            (&SANDBOX_LINE, names(SANDBOX_LINES)),
        ] {
            let missing = names.iter().find(|name| !setting.help.contains(*name));
            assert_eq!(missing, None, "{setting}");
        }
    }
}
