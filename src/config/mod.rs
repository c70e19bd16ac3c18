//! The settings: flags, environment and astro login become one configuration. Only this folder reads the environment.
//!
//! A broken setting never falls back to its default: it is kept, and every call names it.

pub mod advice;
mod astro_login;
mod carried;
mod credential;
mod fields;
mod flags;
mod not_configured;
mod placeholder;
mod proxy;
mod report;
pub(crate) mod setting;
mod token;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use apc_sandbox::Line;
use astro_login::ConfigPath;
use setting::{
    ALL, API_TOKEN, API_TOKEN_FILE, INSTALLATION, KEY_DIR, LOG_FILE, SANDBOX_LINE, Setting,
    ValueForm,
};
use values::Problem;

use crate::apc::installation::{ApiUrl, Installation, TokenSource};
use crate::guards::secret::Secret;

pub use carried::CarriedSettings;
pub use fields::{AllBrokenSettings, BrokenSetting, Config, Origin};
pub use flags::Flags;
pub use not_configured::{Audience, NotConfigured};
pub use report::CurrentSetting;
pub use token::token_in_words;

/// The variable for the directory of the astro CLI's login.
const ASTRO_HOME: &str = "ASTRO_HOME";

/// The variables of a process.
#[derive(Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable; an empty one is unset.
    fn get(&self, name: &str) -> Option<&OsString> {
        let value = self.0.get::<std::ffi::OsStr>(name.as_ref());
        value.filter(|value| !value.is_empty())
    }

    /// The first of some variables that is set, with its text.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, Result<String, Problem>)> {
        let set = |name: &&'static str| Some((*name, self.get(name)?));
        let (name, value) = names.iter().find_map(set)?;
        let text = value.to_str().map(str::to_owned);
        Some((name, text.ok_or(Problem::NotText)))
    }

    /// The variable that names the trusted authorities in place of the system's. Other systems have no such variable, and
    /// an empty file name is one for those who read it.
    fn trust_variable(&self) -> Option<&'static str> {
        let (file, directory) = ("SSL_CERT_FILE", "SSL_CERT_DIR");
        if cfg!(any(windows, target_vendor = "apple")) {
            None
        } else if self.0.contains_key(std::ffi::OsStr::new(file)) {
            Some(file)
        } else {
            self.get(directory).map(|_| directory)
        }
    }

    /// The place where the astro CLI keeps its login.
    fn astro_login_place(&self) -> ConfigPath {
        let home = self.astro_home();
        let home = home.or_else(|| std::env::home_dir().map(Ok))?;
        Some(home.map(|home| home.join(".astro").join("config.yaml")))
    }

    /// The directory that the variable of the astro CLI names. A blank one is unset.
    fn astro_home(&self) -> Option<Result<PathBuf, BrokenSetting>> {
        let home = self.get(ASTRO_HOME)?;
        let Some(text) = home.to_str() else {
            return Some(Ok(home.into()));
        };
        let text = values::without_mark(text.to_owned());
        let broken = |problem| BrokenSetting {
            setting: ASTRO_HOME,
            origin: Origin::Variable(ASTRO_HOME),
            problem,
        };
        (!text.trim().is_empty()).then(|| values::meant_path(&text).map_err(broken))
    }
}

impl Config {
    /// Reads flags and environment. A broken variable does not fail: clients hide the output of a server that does not
    /// start, so the calls report it. The error holds each broken flag, which is a usage error.
    pub fn new(flags: &Flags, environment: &Environment) -> Result<Self, AllBrokenSettings> {
        let mut config = Self::default();
        config.connecting.proxies = environment.proxies();
        config.connecting.trust_variable = environment.trust_variable();
        for setting in ALL {
            if !INSTALLATION.contains(setting) {
                config.read(setting, flags, environment);
            }
        }
        if !config.sandbox {
            config.read_installation(flags, environment);
        }
        let usage = config.broken.iter();
        let usage = usage.filter(|broken| broken.origin == Origin::Flag);
        let usage: Vec<_> = usage.cloned().collect();
        match usage.is_empty() {
            true => Ok(config),
            false => Err(AllBrokenSettings(usage)),
        }
    }

    fn read_installation(&mut self, flags: &Flags, environment: &Environment) {
        self.login_place = environment.astro_login_place();
        for setting in INSTALLATION {
            // A file that was typed beats the token of the environment.
            if *setting != API_TOKEN || self.origin(&API_TOKEN_FILE) != Origin::Flag {
                self.read(setting, flags, environment);
            }
        }
        if self.token.is_some() && self.token_file.is_some() {
            let other = self.written_as(&API_TOKEN_FILE);
            self.mark_broken(&API_TOKEN, Problem::SecondToken { other });
        }
    }

    fn read(&mut self, setting: &'static Setting, flags: &Flags, environment: &Environment) {
        let Some((origin, text)) = source(setting, flags, environment) else {
            return;
        };
        self.origins.insert(setting.name(), origin);
        if let Err(problem) = text.and_then(|text| setting.fill(self, &text)) {
            self.mark_broken(setting, problem);
        }
    }

    fn mark_broken(&mut self, setting: &'static Setting, problem: Problem) {
        let origin = self.origin(setting);
        self.broken.push(BrokenSetting {
            setting: setting.name(),
            origin,
            problem,
        });
    }

    /// Records that the log file cannot be opened. Every later call reports it.
    pub fn log_file_is_broken(&mut self, error: io::Error) {
        self.mark_broken(&LOG_FILE, Problem::LogFile(Arc::new(error)));
    }

    /// The line of the API that a sandbox of this configuration speaks. Fails if the setting is broken.
    pub fn usable_sandbox_line(&self) -> Result<Line, BrokenSetting> {
        let broken = self.broken(&SANDBOX_LINE).cloned();
        broken.map_or(Ok(self.sandbox_line), Err)
    }

    /// Tells whether key files go to the directory that is deleted with the sandbox.
    pub fn keys_go_with_the_sandbox(&self) -> bool {
        self.running_sandbox.is_some() && self.origin(&KEY_DIR) == Origin::Default
    }

    /// Makes a running sandbox the installation. Unless a directory for key files was set, they go to one that is deleted
    /// with the sandbox.
    pub fn set_sandbox(&mut self, url: ApiUrl, token: Secret, key_dir: PathBuf) {
        if self.origin(&KEY_DIR) == Origin::Default {
            self.key_dir = Some(key_dir);
        }
        self.running_sandbox = Some(Installation {
            url,
            token,
            token_source: TokenSource::Sandbox,
            login_workspace: None,
        });
    }
}

/// The text by which a setting is set, without a byte order mark, and the origin of it. A blank path is unset.
fn source(
    setting: &'static Setting,
    flags: &Flags,
    environment: &Environment,
) -> Option<(Origin, Result<String, Problem>)> {
    let typed = flags.text(setting).map(|text| (Origin::Flag, Ok(text)));
    let variable = environment.first(setting.variables);
    let variable = variable.map(|(name, text)| (Origin::Variable(name), text));
    let texts = [typed, variable].into_iter().flatten();
    let mut texts = texts.map(|(origin, text)| (origin, text.map(values::without_mark)));
    let is_path = matches!(setting.form, ValueForm::Path(_));
    let is_blank = |text: &String| is_path && text.trim().is_empty();
    texts.find(|(_, text)| !text.as_ref().is_ok_and(is_blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment(
            variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    async fn problem(variables: &[(&str, &str)]) -> String {
        let mut variables = variables.to_vec();
        variables.push(("ASTRO_HOME", "/nonexistent"));
        let config = Config::new(&Flags::default(), &environment(&variables)).unwrap();
        config.installation().await.unwrap_err().to_string()
    }

    async fn installation(variables: &[(&str, &str)]) -> Installation {
        let config = Config::new(&Flags::default(), &environment(variables)).unwrap();
        config.installation().await.unwrap()
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[tokio::test]
    async fn a_placeholder_is_refused_by_the_name_of_its_variable() {
        for placeholder in ["${TOKEN}", "${env:TOKEN}", "${input:token}", " ${TOKEN} "] {
            let text = problem(&[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", placeholder)]).await;
            assert!(text.starts_with("APC_API_TOKEN is "), "{text}");
            assert!(text.contains("placeholder"), "{text}");
        }
    }

    #[tokio::test]
    async fn an_empty_variable_is_unset() {
        let found = installation(&[
            ("APC_DOMAIN", ""),
            ("ASTRO_DOMAIN", "acme.dev"),
            ("APC_API_URL", ""),
            ("APC_API_TOKEN", KEY),
            ("APC_API_TOKEN_FILE", ""),
            ("APC_TIMEOUT", ""),
        ])
        .await;
        assert_eq!(found.url.as_str(), "https://houston.acme.dev/v1");
    }

    #[tokio::test]
    async fn bearer_and_blanks_around_a_token_are_stripped() {
        for pasted in [
            format!("Bearer {KEY}"),
            format!("  bearer  {KEY}\n"),
            format!("\t{KEY} "),
        ] {
            let found =
                installation(&[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", &pasted)]).await;
            assert_eq!(found.token.expose(), KEY);
        }
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_one_is_refused_and_not_shown() {
        for token in [
            "tooshort",
            "a-token-with-a b-in-it",
            "a-token-mit-ümlaut-darin",
        ] {
            let text = problem(&[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", token)]).await;
            assert!(text.contains("APC_API_TOKEN"), "{text}");
            assert!(!text.contains(token), "{text}");
        }
    }

    #[tokio::test]
    async fn a_long_value_in_the_wrong_setting_is_not_shown() {
        let text = problem(&[("APC_TIMEOUT", KEY)]).await;
        assert!(
            text.contains("APC_TIMEOUT is a value of 32 characters"),
            "{text}"
        );
        let text = problem(&[("APC_API_URL", "https://me:geheim@acme.dev/?token=geheim")]).await;
        assert!(
            text.contains("https://acme.dev/") && !text.contains("geheim"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_token_without_a_url_goes_nowhere() {
        let text = problem(&[("APC_API_TOKEN", KEY)]).await;
        assert!(
            text.starts_with("APC_API_TOKEN is set, but no installation"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_broken_switch_is_refused_with_the_accepted_values() {
        let text = problem(&[("APC_INSECURE", "maybe")]).await;
        assert!(
            text.starts_with("APC_INSECURE is 'maybe'; accepted: true, false, 1, 0"),
            "{text}"
        );
    }

    #[test]
    fn the_line_of_the_sandbox_is_that_of_the_setting() {
        for (text, line) in [("", Line::Today), ("2020", Line::Of2020)] {
            let variables = environment(&[("APC_SANDBOX_LINE", text)]);
            let config = Config::new(&Flags::default(), &variables).unwrap();
            assert_eq!(config.sandbox_line, line);
        }
    }
}
