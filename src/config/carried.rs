//! The settings of this process in the form that a client's configuration can hold, so that a server which a client
//! starts has them as well. Holds no secret.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::fields::{AllBroken, Config};
use super::flags::Flags;
use super::placeholder::Kind;
use super::setting::{ALL, API_TOKEN, Form, Setting};
use super::values::{self, Problem};
use super::{ASTRO_HOME, Environment};
use crate::guards::secret::{is_secret_shaped, without_secret_shapes};

/// The variable for the directory of the states of programs, which the default directory for key files is in.
const XDG_STATE_HOME: &str = "XDG_STATE_HOME";

/// The variables that count beside the settings: the way through the network, and the places of login and keys.
const BESIDE_SETTINGS: [&str; 10] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    ASTRO_HOME,
    XDG_STATE_HOME,
];

/// Those of them that hold a path.
const PATHS: [&str; 4] = ["SSL_CERT_FILE", "SSL_CERT_DIR", ASTRO_HOME, XDG_STATE_HOME];

/// The settings as a client's configuration can hold them.
#[derive(Debug, Default)]
pub struct Carried {
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
    /// It holds a password.
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
    Broken(AllBroken),
    /// A path is relative, and there is no current directory.
    #[error("a relative path cannot be made absolute: {0}")]
    Path(#[from] io::Error),
}

impl Carried {
    /// The flags as they were typed, and the variables: a setting becomes a flag, which no other variable can overrule.
    ///
    /// # Errors
    /// A setting is broken, or a path cannot be made absolute.
    pub fn of(
        config: &Config,
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Self, NotCarried> {
        let broken = config.broken.iter().cloned();
        let broken: Vec<_> = broken
            .filter(|broken| broken.setting != API_TOKEN.name())
            .collect();
        if !broken.is_empty() {
            return Err(NotCarried::Broken(AllBroken(broken)));
        }
        let mut carried = Self::default();
        for setting in ALL {
            let source = super::source(setting, flags, environment);
            let Some((origin, text)) = source else {
                continue;
            };
            let name = origin.name_of(setting.name());
            if config.sandbox && setting.names_the_installation() {
                carried.left_out.push((name, LeftOut::Sandbox));
            } else if **setting == API_TOKEN {
                carried.left_out.push((name, LeftOut::Token));
            } else {
                carried.add_setting(setting, name, text)?;
            }
        }
        for name in BESIDE_SETTINGS {
            carried.add_variable(name, config, environment)?;
        }
        Ok(carried)
    }

    fn add_setting(
        &mut self,
        setting: &'static Setting,
        name: &'static str,
        text: Result<String, Problem>,
    ) -> io::Result<()> {
        let Ok(text) = text else {
            self.left_out.push((name, LeftOut::NotText));
            return Ok(());
        };
        if let Some(reason) = unfit(setting, &text) {
            self.left_out.push((name, reason));
            return Ok(());
        }
        match as_flags(setting, &text) {
            Some(flags) => self.arguments.extend(flags.arguments()?),
            None => drop(self.variables.insert(name.to_owned(), text)),
        }
        Ok(())
    }

    fn add_variable(
        &mut self,
        name: &'static str,
        config: &Config,
        environment: &Environment,
    ) -> io::Result<()> {
        let Some(value) = environment.get(name) else {
            return Ok(());
        };
        let checked = value.to_str().ok_or(LeftOut::NotText);
        match checked.and_then(|text| fit(name, text, config)) {
            Err(reason) => self.left_out.push((name, reason)),
            Ok(text) if PATHS.contains(&name) => {
                let path = match name {
                    ASTRO_HOME => environment.astro_home(),
                    // Others read these as they stand.
                    _ => Some(Ok(text.into())),
                };
                match path.transpose() {
                    Ok(path) => self.add_path(name, path)?,
                    Err(_) => self.left_out.push((name, LeftOut::Unmeant)),
                }
            }
            Ok(text) => drop(self.variables.insert(name.to_owned(), text.to_owned())),
        }
        Ok(())
    }

    fn add_path(&mut self, name: &'static str, path: Option<PathBuf>) -> io::Result<()> {
        if let Some(path) = path {
            let path = std::path::absolute(path)?;
            self.variables
                .insert(name.to_owned(), path.display().to_string());
        }
        Ok(())
    }
}

/// The reason why an entry cannot hold the text of a setting. The name of a file may be a hash.
fn unfit(setting: &Setting, text: &str) -> Option<LeftOut> {
    if setting.kind() != Kind::Name {
        return None;
    }
    if without_secret_shapes(text) != text {
        return Some(LeftOut::LooksLikeToken);
    }
    text.contains(['?', '#']).then_some(LeftOut::Query)
}

/// The text of a variable, if an entry can hold it.
fn fit<'a>(name: &str, text: &'a str, config: &Config) -> Result<&'a str, LeftOut> {
    let is_path = PATHS.contains(&name);
    let looks_like_token = match is_path {
        // The name of a file may be a hash.
        true => is_secret_shaped(text.trim()),
        false => without_secret_shapes(text) != text,
    };
    // A login ends with this, also in a URL that is not well-formed.
    if !is_path && text.contains('@') {
        return Err(LeftOut::Password);
    }
    if looks_like_token {
        return Err(LeftOut::LooksLikeToken);
    }
    let kind = if is_path { Kind::Path } else { Kind::Word };
    values::not_a_placeholder(text, kind).map_err(|_| LeftOut::Unmeant)?;
    if name == XDG_STATE_HOME && !Path::new(text).is_absolute() {
        return Err(LeftOut::Relative);
    }
    let proxy = config.connecting.proxies.proxy.as_ref();
    match proxy.is_some_and(|proxy| proxy.name == name && proxy.address.is_err()) {
        true => Err(LeftOut::Unusable),
        false => Ok(text),
    }
}

/// The text of a variable, typed as flags. A switch that is off has no flag.
fn as_flags(setting: &'static Setting, text: &str) -> Option<Flags> {
    let texts: Vec<&str> = match setting.form {
        Form::Switch if matches!(values::switch(text.trim()), Ok(true)) => vec![text],
        Form::Switch => return None,
        Form::List(_) => text.split(',').map(str::trim).collect(),
        Form::Text(_) | Form::Path(_) => vec![text],
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
        let beside = BESIDE_SETTINGS.into_iter();
        settings
            .chain(beside.filter(|name| self.get(name).is_some()))
            .collect()
    }

    /// The program that a command of this name starts.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let directories = self.get("PATH")?;
        let candidates =
            std::env::split_paths(directories).flat_map(|directory| executables(&directory, name));
        candidates.into_iter().find(|path| is_executable(path))
    }

    /// The directory that a variable names.
    pub fn directory(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from)
    }
}

/// The files that a command may mean in a directory.
fn executables(directory: &Path, name: &str) -> Vec<PathBuf> {
    let endings: &[&str] = if cfg!(windows) {
        &[".exe", ".cmd"]
    } else {
        &[""]
    };
    let file = |ending: &&str| directory.join(format!("{name}{ending}"));
    endings.iter().map(file).collect()
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
