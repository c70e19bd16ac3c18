//! The proxy variables. One that applies and cannot be used is named; another one is never taken in its place.

use url::{Host, Url};

use super::Environment;
use super::placeholder::{self, MASKS, ValueUse};
use super::values::Problem;
use crate::apc::proxy::{Proxies, ProxyAddress, ProxyVariable};
use crate::guards::secret::{REDACTED, Secret, without_secret_shapes};

/// The variables that name a proxy for https. The first one that is set counts.
pub(super) const PROXY: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The variables that list hosts without a proxy. The first one that is set counts.
pub(super) const NO_PROXY: &[&str] = &["NO_PROXY", "no_proxy"];

/// The characters that end a login too early where they are not encoded, each with its encoding.
const TO_ENCODE: &[(char, &str)] = &[('#', "%23"), ('/', "%2F"), ('?', "%3F"), ('\\', "%5C")];

/// The beginnings and ends of placeholders of a user or password.
const UNFILLED: &[(&str, &str)] = &[
    ("${", "}"),
    ("{env:", "}"),
    ("{{", "}}"),
    ("<", ">"),
    ("[redacted", "]"),
    ("[REDACTED", "]"),
];

/// The words that people set for no proxy. Each would be the name of a host.
const NO_PROXY_WORDS: &str = "none null nil undefined direct no off false disable disabled";

/// A reason why the value of a proxy variable cannot be used. Its text follows the name of the variable and shows no
/// part of the value, which may hold a password.
#[derive(Debug, thiserror::Error)]
enum ProxyProblem {
    #[error("is a placeholder that nobody filled in")]
    Placeholder,
    #[error("is a word that names no proxy; unset it to connect without one")]
    NoProxy,
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
    pub(super) fn proxies(&self) -> Proxies {
        let proxy = self.first(PROXY).map(|(name, text)| ProxyVariable {
            name,
            address: text
                .map_err(|problem| problem.to_string())
                .and_then(|text| address(&text).map_err(|problem| problem.to_string())),
        });
        let Some((name, text)) = self.first(NO_PROXY) else {
            return Proxies {
                proxy,
                no_proxy: None,
            };
        };
        let text = text.and_then(|text| match placeholder::find_in_hosts(&text) {
            Some(problem) => Err(problem.into()),
            None => Ok(text),
        });
        // If the exceptions cannot be read, no proxy can be used: it might not be meant for the host.
        let address = text.as_ref().map_err(Problem::to_string).err();
        let of_exceptions = address.map(|problem| ProxyVariable {
            name,
            address: Err(problem),
        });
        Proxies {
            proxy: proxy.map(|proxy| of_exceptions.unwrap_or(proxy)),
            no_proxy: text.ok(),
        }
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

/// Refuses placeholders, and words for no proxy.
fn is_meant(text: &str) -> Result<(), ProxyProblem> {
    if text.starts_with(['"', '\'', '`', '“', '‘']) {
        return Err(ProxyProblem::Quoted);
    }
    let mut words = NO_PROXY_WORDS.split(' ');
    if words.any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(ProxyProblem::NoProxy);
    }
    let (login, host) = text.rsplit_once('@').unwrap_or(("", text));
    let login = login.split_once("://").map_or(login, |(_, login)| login);
    let (_, password) = login.split_once(':').unwrap_or((login, ""));
    let is_one = placeholder::find(host, ValueUse::Word).is_some()
        || [text, login, password].into_iter().any(is_unfilled)
        || users(login).any(is_unfilled);
    match is_one {
        true => Err(ProxyProblem::Placeholder),
        false => Ok(()),
    }
}

/// Tells if a whole user or password is a placeholder. Anything may stand in a password, so a part of it is none.
fn is_unfilled(text: &str) -> bool {
    let is_within = |(open, close): &(&str, &str)| {
        let after = text.strip_prefix(open);
        after.is_some_and(|text| text.ends_with(close))
    };
    let hides = text.chars().count() > 1 && text.chars().all(|letter| MASKS.contains(&letter));
    hides || UNFILLED.iter().any(is_within)
}

/// The texts before a colon, of which one is the user: a placeholder, such as `{env:USER}`, may have a colon in it.
fn users(login: &str) -> impl Iterator<Item = &str> {
    let colons = login.match_indices(':');
    colons.filter_map(|(at, _)| login.get(..at))
}

/// Refuses a login with a character in it that ends the host's part of a URL.
fn has_whole_login(rest: &str) -> Result<(), ProxyProblem> {
    let Some((login, _)) = rest.rsplit_once('@') else {
        return Ok(());
    };
    let mut characters = TO_ENCODE.iter().copied();
    match characters.find(|(character, _)| login.contains(*character)) {
        Some((character, encoded)) => Err(ProxyProblem::Login { character, encoded }),
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
            ("none:3128", "http://none:3128"),
            ("http://me:*@proxy:3128", "http://proxy:3128"),
            ("http://me:a:<x>@proxy:3128", "http://proxy:3128"),
            ("http://me:ge<x>heim@proxy:3128", "http://proxy:3128"),
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
            ("http://<user>:geheim@proxy:3128", "placeholder"),
            ("http://{env:USER}:geheim@proxy:3128", "placeholder"),
            ("http://me:{env:GEHEIM}@proxy:3128", "placeholder"),
            ("http://me:********@proxy:3128", "placeholder"),
            ("none", "no proxy"),
            (" Direct ", "no proxy"),
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
