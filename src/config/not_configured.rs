//! The reasons why no call can be made, each with its own way out, for a reader at a client or at a terminal.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use super::astro_login::{LoginProblem, TokenPlace};
use super::fields::{AllBrokenSettings, BrokenSetting, Origin};
use super::setting::{API_TOKEN, API_TOKEN_FILE, API_URL, DOMAIN};
use super::token::TokenProblem;
use crate::apc::installation::{Domain, TokenSource, UrlRefused};

/// The place where a person reads what is missing, and sets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Audience {
    /// An MCP client, which starts this server with the settings of its own configuration.
    #[default]
    Client,
    /// A terminal, in which a command of this program was typed.
    Terminal,
}

impl Audience {
    fn set(self, what: impl Display) -> String {
        match self {
            Self::Client => format!(
                "set {what} in this server's entry of the MCP client's configuration and restart the server (a variable \
                 of your shell may not reach it)"
            ),
            Self::Terminal => format!("set {what} in this shell"),
        }
    }

    fn correct(self, what: &str) -> String {
        match self {
            Self::Client => format!(
                "correct or remove {what} in this server's entry of the MCP client's configuration, and restart the \
                 server"
            ),
            Self::Terminal => format!("correct or unset {what} in this shell"),
        }
    }

    fn log_in(self, domain: impl Display) -> String {
        match self {
            Self::Client => format!(
                "run 'astro login {domain}' in a terminal, which takes effect at the next call"
            ),
            Self::Terminal => format!("run 'astro login {domain}'"),
        }
    }
}

/// A reason why no call can be made: something is not set up. The text says what, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{problem}. {}", self.advice())]
pub struct NotConfigured {
    pub(super) problem: InstallationProblem,
    pub(super) reader: Audience,
}

impl NotConfigured {
    /// The problem alone.
    pub fn fact(&self) -> String {
        self.problem.to_string()
    }

    /// The way out of it.
    pub fn advice(&self) -> String {
        capitalised(&self.problem.way_out(self.reader))
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InstallationProblem {
    #[error(transparent)]
    Broken(AllBrokenSettings),
    #[error("No installation is set: there is no {}, and {}", DOMAIN.variable(), .0)]
    NoInstallation(LoginProblem),
    #[error("{token} is set, but no installation that it belongs to")]
    NoUrl { token: &'static str },
    #[error("There is no token for {place}: {} is not set, and {problem}", API_TOKEN.variable())]
    NoToken {
        place: String,
        domain: String,
        problem: LoginProblem,
    },
    #[error(
        "There is no token for {url}: {} is not set, and the astro login is for {login}, another URL",
        API_TOKEN.variable()
    )]
    LoginElsewhere {
        url: String,
        set_by: &'static str,
        login: String,
        /// True if the URL is that of the login but for the version at its end.
        lacks_version: bool,
    },
    #[error("The domain {domain} is that of an API on this machine, whose URL is not set")]
    LocalDomain { domain: Domain },
    #[error("The astro login for {domain} {place}")]
    LoggedOut { domain: String, place: TokenPlace },
    #[error("The token file {} ({setting}) cannot be used: {problem}", path.display())]
    TokenFile {
        path: PathBuf,
        setting: &'static str,
        problem: io::Error,
    },
    #[error("The token from {origin} cannot be used: {problem}")]
    Token {
        origin: TokenSource,
        domain: String,
        problem: TokenProblem,
    },
}

fn token_settings() -> String {
    format!("{} or {}", API_TOKEN.variable(), API_TOKEN_FILE.variable())
}

impl InstallationProblem {
    fn way_out(&self, reader: Audience) -> String {
        let (domain_variable, url_variable) = (DOMAIN.variable(), API_URL.variable());
        let set_token = reader.set(token_settings());
        match self {
            Self::Broken(AllBrokenSettings(broken)) => correct(broken, reader),
            Self::NoInstallation(login) => without_installation(login, reader),
            Self::NoUrl { .. } => reader.set(format!(
                "{domain_variable} (such as acme.dev) or {url_variable} beside it"
            )),
            Self::NoToken {
                problem: LoginProblem::Home(home),
                ..
            } => format!("{}, or {set_token}", reader.correct(home.setting)),
            // No one can log in to an address by the astro CLI.
            Self::NoToken { domain, .. } if is_address(domain) => set_token,
            Self::NoToken { domain, .. } => format!("{}, or {set_token}", reader.log_in(domain)),
            Self::LoginElsewhere {
                set_by,
                lacks_version,
                ..
            } => {
                let hint = match lacks_version {
                    true => "The URL that is set has no /v1 at its end. ",
                    false => "",
                };
                let correct = match is_flag(set_by) {
                    true => "correct or leave out",
                    false => "correct or unset",
                };
                format!(
                    "{hint}To use the astro login, {correct} {set_by}; to use another token, {set_token}"
                )
            }
            Self::LocalDomain { .. } => reader.set(format!(
                "{url_variable}, for instance to http://localhost:8871/v1, beside the token"
            )),
            Self::LoggedOut { domain, place } => logged_out(domain, place, reader),
            Self::TokenFile { setting, .. } => {
                let name_another = match reader {
                    Audience::Terminal if is_flag(setting) => {
                        format!("give {setting} another file")
                    }
                    _ => reader.set(format!("{setting} to another file")),
                };
                format!(
                    "Put a token into that file, which takes effect at the next call, or {name_another}"
                )
            }
            Self::Token { origin, domain, .. } => another_token(origin, domain, reader),
        }
    }
}

fn is_address(domain: &str) -> bool {
    let bare = domain.trim_matches(['[', ']']);
    bare.parse::<std::net::IpAddr>().is_ok()
}

fn is_flag(setting: &str) -> bool {
    setting.starts_with("--")
}

fn correct(broken: &[BrokenSetting], reader: Audience) -> String {
    let are_flags = broken.iter().all(|one| one.origin == Origin::Flag);
    let them = if broken.len() == 1 { "it" } else { "them" };
    let advice = match reader {
        Audience::Terminal if are_flags => {
            format!("Correct {them} in the command, or leave {them} out")
        }
        _ => capitalised(&reader.correct(them)),
    };
    format!("Nothing was sent. {advice}")
}

fn without_installation(login: &LoginProblem, reader: Audience) -> String {
    let settings = reader.set(format!("{} and {}", DOMAIN.variable(), token_settings()));
    let log_in = reader.log_in("<domain>");
    match login {
        LoginProblem::Home(home) => format!("{}, or {settings}", reader.correct(home.setting)),
        LoginProblem::Malformed { .. } | LoginProblem::Unreadable { .. } => {
            format!("Correct that file, or {log_in}, or {settings}")
        }
        LoginProblem::Refused {
            refused: UrlRefused::Hosted,
            ..
        } => format!(
            "Switch the astro CLI to a Private Cloud installation ('astro context switch <domain>'), or {settings}"
        ),
        LoginProblem::NoLocalUrl { .. } => {
            reader.set(format!("{} and {}", API_URL.variable(), token_settings()))
        }
        _ => format!("{log_in}, or {settings}"),
    }
}

fn logged_out(domain: &str, place: &TokenPlace, reader: Audience) -> String {
    let (domain_variable, file_variable) = (DOMAIN.variable(), API_TOKEN_FILE.variable());
    let settings = reader.set(format!(
        "{domain_variable} to {domain}, and {file_variable} to a file that holds a token and nothing else,"
    ));
    let log_in = reader.log_in(domain);
    match place {
        TokenPlace::CredentialsFile(_) => settings,
        TokenPlace::Unknown(_) => format!("{log_in}; if these words come again, {settings}"),
    }
}

fn another_token(origin: &TokenSource, domain: &str, reader: Audience) -> String {
    match origin {
        TokenSource::Setting(name) if *name == API_TOKEN.name() => {
            reader.set(format!("{name} to a whole token"))
        }
        TokenSource::Setting(_) => {
            "Put a whole token and nothing else into that file, which takes effect at the next call"
                .to_owned()
        }
        TokenSource::AstroLogin | TokenSource::Sandbox => reader.log_in(domain),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
