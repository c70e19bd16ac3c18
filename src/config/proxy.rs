//! The proxy variables. One that applies and cannot be used is named; another one is never taken in its place.

use url::{Host, Url};

use super::Environment;
use super::placeholder::{self, Kind};
use super::values::Problem;
use crate::apc::proxy::{Proxies, ProxyAddress, ProxyVariable};
use crate::guards::secret::{REDACTED, Secret, without_secret_shapes};

/// The variables that name a proxy for https. The first one that is set counts.
const PROXY: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The variables that list hosts without a proxy. The first one that is set counts.
const NO_PROXY: &[&str] = &["NO_PROXY", "no_proxy"];

/// The characters that end a login too early where they are not encoded, each with its encoding.
const TO_ENCODE: &[(char, &str)] = &[('#', "%23"), ('/', "%2F"), ('?', "%3F"), ('\\', "%5C")];

/// A reason why the value of a proxy variable cannot be used. Its text follows the name of the variable and shows no
/// part of the value, which may hold a password.
#[derive(Debug, thiserror::Error)]
enum ProxyProblem {
    #[error("is a placeholder that nobody filled in")]
    Placeholder,
    #[error("is in quotes, which became a part of the value; remove them")]
    Quoted,
    #[error(
        "names a SOCKS proxy, which this server cannot use; set it to an http:// or https:// proxy"
    )]
    Socks,
    #[error("begins with a scheme that is none of a proxy; accepted: http:// and https://")]
    Scheme,
    #[error(
        "has a {character} in its user or password, which ends them too early; write it as {encoded}"
    )]
    Login {
        character: char,
        encoded: &'static str,
    },
    #[error("is not the address of a proxy such as http://proxy.acme.dev:3128")]
    Malformed,
}

impl Environment {
    /// The proxies that the variables name.
    pub(super) fn proxies(&self) -> Proxies {
        let proxy = self.first(PROXY).map(|(name, text)| ProxyVariable {
            name,
            address: text
                .map_err(|problem| problem.to_string())
                .and_then(|text| address(&text).map_err(|problem| problem.to_string())),
        });
        match self.first(NO_PROXY) {
            Some((name, text)) => with_exceptions(proxy, name, text),
            None => Proxies {
                proxy,
                no_proxy: None,
            },
        }
    }
}

/// Adds the hosts without a proxy. If they cannot be read, no proxy can be used: it might not be meant for the host.
fn with_exceptions(
    proxy: Option<ProxyVariable>,
    name: &'static str,
    text: Result<String, Problem>,
) -> Proxies {
    let text = text.and_then(|text| match placeholder::find_in_hosts(&text) {
        Some(problem) => Err(problem.into()),
        None => Ok(text),
    });
    match text {
        Ok(text) => Proxies {
            proxy,
            no_proxy: Some(text),
        },
        Err(problem) => Proxies {
            proxy: proxy.map(|_| ProxyVariable {
                name,
                address: Err(problem.to_string()),
            }),
            no_proxy: None,
        },
    }
}

fn address(text: &str) -> Result<ProxyAddress, ProxyProblem> {
    let text = text.trim();
    is_meant(text)?;
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => {}
        socks if socks.starts_with("socks") => return Err(ProxyProblem::Socks),
        _ => return Err(ProxyProblem::Scheme),
    }
    has_whole_login(rest)?;
    if !text.contains("://") && rest.trim_end_matches('/').contains('/') {
        return Err(ProxyProblem::Malformed);
    }
    let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| ProxyProblem::Malformed)?;
    let shown = shown(&url).ok_or(ProxyProblem::Malformed)?;
    // The URL has its host in small letters, in which the shape of a token does not show.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let shown = match without_secret_shapes(host) == host {
        true => shown,
        false => format!("{scheme}://{REDACTED}"),
    };
    Ok(ProxyAddress {
        url: Secret::new(url.as_str()),
        shown,
    })
}

/// Refuses placeholders. In a login only a whole `${NAME}` is one: anything may stand in a password.
fn is_meant(text: &str) -> Result<(), ProxyProblem> {
    if text.starts_with(['"', '\'', '`', '“', '‘']) {
        return Err(ProxyProblem::Quoted);
    }
    let (login, host) = text.rsplit_once('@').unwrap_or(("", text));
    let login = login.split_once("://").map_or(login, |(_, login)| login);
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let is_unfilled = |text: &str| text.starts_with("${") && text.ends_with('}');
    let is_one = placeholder::find(host, Kind::Word).is_some();
    match is_one || [text, user, password].into_iter().any(is_unfilled) {
        true => Err(ProxyProblem::Placeholder),
        false => Ok(()),
    }
}

/// Refuses a login with a character in it that ends the host's part of a URL.
fn has_whole_login(rest: &str) -> Result<(), ProxyProblem> {
    let Some((login, _)) = rest.rsplit_once('@') else {
        return Ok(());
    };
    let found = TO_ENCODE
        .iter()
        .find(|(character, _)| login.contains(*character));
    match found {
        Some((character, encoded)) => Err(ProxyProblem::Login {
            character: *character,
            encoded,
        }),
        None => Ok(()),
    }
}

/// Scheme, host and port of a proxy. A host of other characters than names have is none.
fn shown(url: &Url) -> Option<String> {
    let host = url.host()?;
    if let Host::Domain(name) = host {
        let mut letters = name.chars();
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        letters.all(is_name).then_some(())?;
    }
    let port = url.port_or_known_default()?;
    Some(format!("{}://{host}:{port}", url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_in_every_form_that_works_elsewhere() {
        for (text, shown) in [
            ("http://proxy.acme.dev:3128", "http://proxy.acme.dev:3128"),
            ("proxy.acme.dev:3128", "http://proxy.acme.dev:3128"),
            ("localhost:3128", "http://localhost:3128"),
            ("10.0.0.1:3128", "http://10.0.0.1:3128"),
            (" http://proxy/ ", "http://proxy:80"),
            ("HTTPS://proxy/x", "https://proxy:443"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            ("http://me:secret@proxy:3128", "http://proxy:3128"),
            ("http://me:p@ss@proxy:3128", "http://proxy:3128"),
            ("http://me:p%23ss@proxy:3128", "http://proxy:3128"),
            ("http://me:$ecret@proxy:3128", "http://proxy:3128"),
            ("http://me:{x}<y>%z%@proxy:3128", "http://proxy:3128"),
            ("http://me:ge${x}heim@proxy:3128", "http://proxy:3128"),
            ("me:secret@proxy:3128", "http://proxy:3128"),
            ("vault:3128", "http://vault:3128"),
            ("me:secret@keeper:3128", "http://keeper:3128"),
            ("ssm:80/", "http://ssm:80"),
        ] {
            assert_eq!(address(text).unwrap().shown, shown, "{text}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_by_its_reason_and_not_shown() {
        for (text, reason) in [
            ("socks5://proxy:1080", "SOCKS"),
            ("socks5h://me:geheim@proxy:1080", "SOCKS"),
            ("SOCKS4://proxy", "SOCKS"),
            ("ftp://proxy", "scheme"),
            ("http//geheim:3128", "not the address"),
            ("\"http://geheim:3128\"", "quotes"),
            ("'http://geheim:3128'", "quotes"),
            ("${HTTPS_PROXY}", "placeholder"),
            ("$HTTPS_PROXY", "placeholder"),
            ("%HTTPS_PROXY%", "placeholder"),
            ("{env:HTTPS_PROXY}", "placeholder"),
            ("<your-proxy>", "placeholder"),
            ("http://${PROXY_HOST}:3128", "placeholder"),
            ("http://${USER}:${GEHEIM}@proxy:3128", "placeholder"),
            ("http://me:ge#heim@proxy:3128", "%23"),
            ("http://me:12#heim@proxy:3128", "%23"),
            ("http://me:ge/heim@proxy:3128", "%2F"),
            ("http://me:ge?heim@proxy:3128", "%3F"),
            ("http://corp\\me:geheim@proxy:3128", "%5C"),
            ("http://", "not the address"),
            ("http://:3128", "not the address"),
            ("http://proxy:port", "not the address"),
            ("http://my proxy:3128", "not the address"),
        ] {
            let problem = address(text).unwrap_err().to_string();
            assert!(problem.contains(reason), "{text}: {problem}");
            assert!(!problem.contains("heim"), "{text}: {problem}");
        }
    }
}
