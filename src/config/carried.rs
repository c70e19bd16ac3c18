//! The settings of this process in the form that a client's configuration can hold, so that a server which a client
//! starts has them as well. Holds no secret.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::fields::{AllBrokenSettings, Config};
use super::flags::Flags;
use super::placeholder::ValueUse;
use super::proxy::{NO_PROXY, PROXY};
use super::setting::{ALL, API_TOKEN, Setting, ValueForm};
use super::values::{self, Problem};
use super::{ASTRO_HOME, Environment};
use crate::guards::secret::{is_secret_shaped, without_secret_shapes};

/// The variable for the directory of the states of programs, which the default directory for key files is in.
const XDG_STATE_HOME: &str = "XDG_STATE_HOME";

/// The variables that hold the path of a file or directory.
const PATHS: &[&str] = &["SSL_CERT_FILE", "SSL_CERT_DIR", ASTRO_HOME, XDG_STATE_HOME];

/// The variables that count beside the settings: the way through the network, and the places of login and keys.
fn beside_settings() -> impl Iterator<Item = &'static str> {
    [PROXY, NO_PROXY, PATHS].into_iter().flatten().copied()
}

/// The settings as a client's configuration can hold them.
#[derive(Debug, Default)]
pub struct CarriedSettings {
    /// The arguments of the server.
    pub arguments: Vec<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// The variables that are left out, each with the reason.
    pub left_out: Vec<(&'static str, LeftOut)>,
}

/// A reason to leave a variable out. Its text follows the name of the variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It is the API token.
    #[error("is set in this shell and does not belong into a client's configuration")]
    Token,
    #[error(
        "holds a password; add it to the entry's env yourself if the client keeps that file private"
    )]
    Password,
    /// It is not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// It names an installation, and the sandbox is used.
    #[error("names an installation or its credential, and the sandbox does without them")]
    Sandbox,
    /// It is a URL with a query.
    #[error("holds a query, which may be a secret; set it without the query")]
    Query,
    /// It has the form of a token.
    #[error("holds a value that looks like a token; correct or unset it")]
    LooksLikeToken,
    /// It is a placeholder, a reference or in quotes.
    #[error("holds a placeholder or quotes and not the value that was meant; correct or unset it")]
    Unmeant,
    /// It is a relative path, which this process ignores.
    #[error("is not an absolute path, so it does not count here either; correct or unset it")]
    Relative,
    /// It names a proxy that cannot be used.
    #[error("cannot be used: 'apc-mcp doctor' says why; correct or unset it")]
    Unusable,
}

/// A reason why nothing can be carried over.
#[derive(Debug, thiserror::Error)]
pub enum NotCarried {
    /// A server with these settings would refuse every call.
    #[error(
        "{0}. Nothing was printed or written, since a server with such a setting refuses every call. Correct or unset it"
    )]
    Broken(AllBrokenSettings),
    /// There is no current directory for a relative path.
    #[error("a relative path cannot be made absolute: {0}")]
    Path(#[from] io::Error),
}

impl CarriedSettings {
    /// The flags as they were typed, and the variables: a setting becomes a flag, which no other variable can overrule.
    /// Fails if a setting is broken, or a path cannot be made absolute.
    pub fn of(
        config: &Config,
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Self, NotCarried> {
        let broken = config.broken.iter();
        let broken = broken.filter(|broken| broken.setting != API_TOKEN.name());
        let broken: Vec<_> = broken.cloned().collect();
        if !broken.is_empty() {
            return Err(NotCarried::Broken(AllBrokenSettings(broken)));
        }
        let mut carried = Self::default();
        for setting in ALL {
            let Some((origin, text)) = super::source(setting, flags, environment) else {
                continue;
            };
            let name = origin.name_of(setting.name());
            match of_setting(setting, text, config) {
                Err(reason) => carried.left_out.push((name, reason)),
                Ok(text) => match as_flags(setting, &text) {
                    Some(flags) => carried.arguments.extend(flags.arguments()?),
                    None => drop(carried.variables.insert(name.to_owned(), text)),
                },
            }
        }
        for name in beside_settings() {
            match of_variable(name, config, environment) {
                None => {}
                Some(Err(reason)) => carried.left_out.push((name, reason)),
                Some(Ok(mut text)) => {
                    if PATHS.contains(&name) {
                        text = std::path::absolute(text)?.display().to_string();
                    }
                    carried.variables.insert(name.to_owned(), text);
                }
            }
        }
        Ok(carried)
    }
}

/// The text of a setting, if an entry can hold it.
fn of_setting(
    setting: &Setting,
    text: Result<String, Problem>,
    config: &Config,
) -> Result<String, LeftOut> {
    if config.sandbox && setting.names_the_installation() {
        return Err(LeftOut::Sandbox);
    }
    if *setting == API_TOKEN {
        return Err(LeftOut::Token);
    }
    let text = text.map_err(|_| LeftOut::NotText)?;
    // The name of a file may be a hash.
    let is_name = setting.kind() == ValueUse::Name;
    if is_name && without_secret_shapes(&text) != text {
        return Err(LeftOut::LooksLikeToken);
    }
    match is_name && text.contains(['?', '#']) {
        true => Err(LeftOut::Query),
        false => Ok(text),
    }
}

/// The text of a variable that is set, if an entry can hold it.
fn of_variable(
    name: &str,
    config: &Config,
    environment: &Environment,
) -> Option<Result<String, LeftOut>> {
    let Some(text) = environment.get(name)?.to_str() else {
        return Some(Err(LeftOut::NotText));
    };
    let fit = match PATHS.contains(&name) {
        true => is_fit_path(name, text),
        false => is_fit(name, text, config),
    };
    if name != ASTRO_HOME || fit.is_err() {
        return Some(fit.map(|()| text.to_owned()));
    }
    // Others read the other paths as they stand.
    let home = environment.astro_home()?.map_err(|_| LeftOut::Unmeant);
    Some(home.map(|home| home.display().to_string()))
}

fn is_fit(name: &str, text: &str, config: &Config) -> Result<(), LeftOut> {
    // A login ends with this, also in a URL that is not well-formed.
    if text.contains('@') {
        return Err(LeftOut::Password);
    }
    if without_secret_shapes(text) != text {
        return Err(LeftOut::LooksLikeToken);
    }
    values::not_a_placeholder(text, ValueUse::Word).map_err(|_| LeftOut::Unmeant)?;
    let proxy = config.connecting.proxies.proxy.as_ref();
    match proxy.is_some_and(|proxy| proxy.name == name && proxy.address.is_err()) {
        true => Err(LeftOut::Unusable),
        false => Ok(()),
    }
}

fn is_fit_path(name: &str, text: &str) -> Result<(), LeftOut> {
    // The name of a file may be a hash.
    if is_secret_shaped(text.trim()) {
        return Err(LeftOut::LooksLikeToken);
    }
    values::not_a_placeholder(text, ValueUse::Path).map_err(|_| LeftOut::Unmeant)?;
    match name == XDG_STATE_HOME && !Path::new(text).is_absolute() {
        true => Err(LeftOut::Relative),
        false => Ok(()),
    }
}

/// The text of a variable, typed as flags. A switch that is off has no flag.
fn as_flags(setting: &'static Setting, text: &str) -> Option<Flags> {
    let texts: Vec<&str> = match setting.form {
        ValueForm::Switch if matches!(values::switch(text.trim()), Ok(true)) => vec![text],
        ValueForm::Switch => return None,
        ValueForm::List(_) => text.split(',').map(str::trim).collect(),
        ValueForm::Text(_) | ValueForm::Path(_) => vec![text],
    };
    let typed = texts.into_iter().map(|text| (setting, text.to_owned()));
    Some(Flags::new(typed))
}

impl Environment {
    /// The names of the variables that count and are set.
    pub fn counting(&self) -> Vec<&'static str> {
        let of_setting = |setting: &&'static Setting| {
            let (origin, _) = super::source(setting, &Flags::default(), self)?;
            Some(origin.name_of(setting.name()))
        };
        let settings = ALL.iter().filter_map(of_setting);
        let beside = beside_settings().filter(|name| self.get(name).is_some());
        settings.chain(beside).collect()
    }

    /// The program that a command of this name starts.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let endings: &[&str] = match cfg!(windows) {
            true => &[".exe", ".cmd"],
            false => &[""],
        };
        let files = |directory: PathBuf| {
            let file = move |ending: &&str| directory.join(format!("{name}{ending}"));
            endings.iter().map(file)
        };
        let mut files = std::env::split_paths(self.get("PATH")?).flat_map(files);
        files.find(|path| is_executable(path))
    }

    /// The directory that a variable names.
    pub fn directory(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from)
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let metadata = path.metadata();
    metadata.is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}
