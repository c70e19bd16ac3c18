//! One installation and the credential for it: a token belongs to exactly one URL.
//! Refuses URLs that a token must not travel to; where the values come from is config's business.

use std::fmt;

use chrono::Utc;
use url::{Host, Url};

use super::WorkspaceId;
use super::token::TokenKind;
use crate::guards::secret::Secret;

/// The installation that calls go to, and the credential for it.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The API's URL.
    pub url: ApiUrl,
    /// The credential that belongs to that URL.
    pub token: Secret,
    /// The source of the credential.
    pub token_source: TokenSource,
    /// The workspace that the astro CLI is switched to, where the credential is its login.
    pub login_workspace: Option<WorkspaceId>,
}

impl Installation {
    /// Tells whether the token says of itself that its time is over.
    pub fn token_has_expired(&self) -> bool {
        matches!(
            TokenKind::of(&self.token),
            TokenKind::UserToken { expires: Some(expires) } if expires < Utc::now()
        )
    }
}

/// The source of a token, in the words a person would look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A variable or flag's file, by the name of the setting.
    Setting(&'static str),
    /// The astro CLI's login.
    AstroLogin,
    /// The embedded sandbox.
    Sandbox,
}

impl fmt::Display for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(name) => formatter.write_str(name),
            Self::AstroLogin => formatter.write_str("the astro login"),
            Self::Sandbox => formatter.write_str("the sandbox"),
        }
    }
}

/// The URL of an API: `https`, or plain `http` to this machine; no credentials in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiUrl(Url);

/// The reason why a token may not be sent to a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It does not parse, or has no host.
    #[error("it is not a whole URL such as https://houston.acme.dev/v1")]
    Malformed,
    /// It names a user or password.
    #[error("it holds credentials, which do not belong in a URL")]
    Credentials,
    /// It is plain http to another machine.
    #[error(
        "plain http would show the token to the network; use https (http is for loopback only)"
    )]
    PlainHttp,
    /// It names the vendor's hosted product.
    #[error(
        "that is the hosted Astro, which has another API; this server is for Astro Private Cloud"
    )]
    Hosted,
}

impl ApiUrl {
    /// Reads a URL. The error tells why a token must not be sent there.
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        let mut url = without_login(text)?;
        without_end_marks(&mut url)?;
        let host = url.host().ok_or(UrlRefused::Malformed)?;
        let name = host.to_string();
        if is_scheme(&name) || has_empty_label(&name) {
            return Err(UrlRefused::Malformed);
        }
        if is_hosted(&name) {
            return Err(UrlRefused::Hosted);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(UrlRefused::PlainHttp),
            _ => return Err(UrlRefused::Malformed),
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The host and the port, as they are written together.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }

    /// The base domain, as `astro login DOMAIN` wants it: the host without the label of a service of the platform.
    pub fn base_domain(&self) -> &str {
        without_service(self.host())
    }

    /// Tells if the path names no version of the API. Every installation has it at `/v1`.
    pub fn lacks_version(&self) -> bool {
        let mut segments = self.0.path_segments().into_iter().flatten();
        segments.all(|segment| segment != "v1")
    }

    /// The URL that the API of this installation usually has.
    pub fn usual(&self) -> String {
        let (scheme, base) = (self.0.scheme(), self.base_domain());
        let port = self.0.port().map(|port| format!(":{port}"));
        let label = if base == self.host() { "" } else { "houston." };
        format!("{scheme}://{label}{base}{}/v1", port.unwrap_or_default())
    }

    /// Tells if the host is an IP address, which no one can log in to by the astro CLI.
    pub fn is_an_address(&self) -> bool {
        matches!(self.0.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)))
    }

    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }

    /// The whole URL as text, with its query.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Tells whether it is this machine: such traffic never goes through a proxy.
    pub fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

/// Leaves the query out, which may hold a secret.
impl fmt::Display for ApiUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, _) = self.as_str().split_once('?').unwrap_or((self.as_str(), ""));
        formatter.write_str(before)
    }
}

/// Reads a URL that holds no credentials.
fn without_login(text: &str) -> Result<Url, UrlRefused> {
    let url = Url::parse(text).map_err(|_| UrlRefused::Malformed)?;
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err(UrlRefused::Credentials),
    }
}

/// Tells if a host is the scheme of a URL that was pasted behind another one.
fn is_scheme(host: &str) -> bool {
    matches!(host, "http" | "https")
}

/// Tells if a host has two dots in a row, or one before it.
fn has_empty_label(host: &str) -> bool {
    host.split('.').any(str::is_empty)
}

/// Tells if an `@` stands before the host and nothing before the `@`, as in `@file`. The parser drops it.
fn has_empty_login(url: &str) -> bool {
    let after = url.split_once("://").map(|(_, after)| after);
    after.is_some_and(|after| after.starts_with('@'))
}

/// Drops what makes no other URL: a dot after the host, and slashes after the path.
fn without_end_marks(url: &mut Url) -> Result<(), UrlRefused> {
    if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')) {
        let host = host.to_owned();
        let set = url.set_host(Some(&host));
        set.map_err(|_| UrlRefused::Malformed)?;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(())
}

/// The base domain of an installation, such as `acme.dev`, with a port where one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    name: String,
    port: Option<u16>,
}

impl Domain {
    /// Reads a domain as people have it: `acme.dev`, `houston.acme.dev`, `https://app.acme.dev/w/…`.
    ///
    /// # Errors
    /// The reason why it is not the domain of a Private Cloud installation.
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        let text = text.trim();
        let whole = match text.contains("://") {
            true => text.to_owned(),
            false => format!("https://{text}"),
        };
        let url = without_login(&whole)?;
        let (Some(Host::Domain(host)), "http" | "https") = (url.host(), url.scheme()) else {
            return Err(UrlRefused::Malformed);
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if has_empty_label(host) || has_empty_login(&whole) {
            return Err(UrlRefused::Malformed);
        }
        if is_hosted(host) {
            return Err(UrlRefused::Hosted);
        }
        let name = without_service(host).to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || is_scheme(&name) || !name.chars().all(is_plain) {
            return Err(UrlRefused::Malformed);
        }
        let port = url.port();
        Ok(Self { name, port })
    }

    /// The domain's name without a port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells if a port was given.
    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// The API's URL; none for the two names of a local machine, whose URL is in the astro CLI's configuration.
    pub fn api_url(&self) -> Option<Result<ApiUrl, UrlRefused>> {
        if matches!(self.name.as_str(), "localhost" | "houston") {
            return None;
        }
        Some(ApiUrl::parse(&format!("https://houston.{self}/v1")))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port.map(|port| format!(":{port}"));
        write!(formatter, "{}{}", self.name, port.unwrap_or_default())
    }
}

/// The labels of the platform's services, which stand before the base domain.
const SERVICES: [&str; 9] = [
    "houston.",
    "app.",
    "deployments.",
    "registry.",
    "grafana.",
    "kibana.",
    "prometheus.",
    "alertmanager.",
    "mcp-server.",
];

/// The host without the label of the service that stands before the base domain.
fn without_service(host: &str) -> &str {
    let mut bases = SERVICES
        .iter()
        .filter_map(|service| host.strip_prefix(service));
    let base = bases.next().filter(|base| base.contains('.'));
    base.unwrap_or(host)
}

/// Tells whether a host belongs to the vendor's hosted product, whose API is another one.
pub fn is_hosted(host: &str) -> bool {
    const HOSTED: [&str; 4] = [
        "astronomer.io",
        "astronomer-dev.io",
        "astronomer-stage.io",
        "astronomer-perf.io",
    ];
    let mut before = HOSTED.iter().filter_map(|domain| host.strip_suffix(domain));
    before.any(|before| before.is_empty() || before.ends_with('.'))
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in [
            "http://127.0.0.1:8871/v1",
            "http://127.9.9.9/v1",
            "http://[::1]:1/v1",
            "http://localhost/v1",
            "https://houston.acme.dev/v1",
        ] {
            assert!(ApiUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://houston.acme.dev/v1",
            "http://localhost.acme.dev/v1",
            "http://127.0.0.1.acme.dev/",
        ] {
            assert_eq!(ApiUrl::parse(bad), Err(UrlRefused::PlainHttp), "{bad}");
        }
    }

    #[test]
    fn a_url_with_credentials_or_another_scheme_is_refused() {
        assert_eq!(
            ApiUrl::parse("https://me:pw@houston.acme.dev/v1"),
            Err(UrlRefused::Credentials)
        );
        for bad in [
            "ftp://acme.dev",
            "acme.dev",
            "",
            "https://",
            "https://https://houston.acme.dev/v1",
            "file:///etc/passwd",
        ] {
            assert_eq!(ApiUrl::parse(bad), Err(UrlRefused::Malformed), "{bad}");
        }
    }

    #[test]
    fn the_hosted_product_is_refused_and_its_namesakes_are_not() {
        assert_eq!(
            ApiUrl::parse("https://api.astronomer.io/v1"),
            Err(UrlRefused::Hosted)
        );
        assert_eq!(
            ApiUrl::parse("https://astronomer-stage.io/"),
            Err(UrlRefused::Hosted)
        );
        assert!(ApiUrl::parse("https://houston.notastronomer.io/v1").is_ok());
    }

    #[test]
    fn a_domain_may_be_pasted_as_people_have_it() {
        for pasted in [
            "acme.dev",
            " ACME.dev. ",
            "houston.acme.dev",
            "app.acme.dev",
            "https://app.acme.dev/w/ck1/deployments?x=1#y",
            "http://app.acme.dev",
            "https://houston.acme.dev:443/v1",
        ] {
            let url = Domain::parse(pasted).unwrap().api_url().unwrap().unwrap();
            assert_eq!(url.as_str(), "https://houston.acme.dev/v1", "{pasted}");
        }
    }

    #[test]
    fn every_host_of_the_platform_leads_to_its_base_domain_and_a_port_stays() {
        for service in SERVICES {
            let pasted = format!("https://{service}acme.dev:8443/orbit-1234/airflow");
            let domain = Domain::parse(&pasted).unwrap();
            assert_eq!(domain.to_string(), "acme.dev:8443");
            let url = domain.api_url().unwrap().unwrap();
            assert_eq!(url.as_str(), "https://houston.acme.dev:8443/v1");
            let alone = Domain::parse(&format!("{service}dev")).unwrap();
            assert_eq!(alone.name(), format!("{service}dev"));
        }
    }

    #[test]
    fn what_is_no_domain_of_an_installation_is_refused() {
        assert_eq!(
            Domain::parse("me:pw@acme.dev"),
            Err(UrlRefused::Credentials)
        );
        assert_eq!(
            Domain::parse("cloud.astronomer.io"),
            Err(UrlRefused::Hosted)
        );
        for bad in [
            "",
            "10.0.0.1",
            "[::1]",
            "ftp://acme.dev",
            "https://https://acme.dev",
            "a b",
            "acme.dev:port",
            "a_b.dev",
        ] {
            assert_eq!(Domain::parse(bad), Err(UrlRefused::Malformed), "{bad}");
        }
        assert_eq!(Domain::parse("localhost").unwrap().api_url(), None);
    }

    #[test]
    fn urls_are_equal_whatever_their_spelling() {
        for spelled in [
            "HTTPS://Houston.ACME.dev:443/v1",
            "https://houston.acme.dev/v1/",
            "https://houston.acme.dev./v1",
            "https://houston.acme.dev.:443/v1//#x",
        ] {
            let one = ApiUrl::parse("https://houston.acme.dev/v1");
            assert_eq!(ApiUrl::parse(spelled), one, "{spelled}");
        }
        for other in [
            "https://houston.acme.dev/",
            "https://houston.acme.dev:8443/v1",
            "https://houston.acme.dev/v2",
        ] {
            let one = ApiUrl::parse("https://houston.acme.dev/v1");
            assert_ne!(ApiUrl::parse(other), one, "{other}");
        }
    }

    #[test]
    fn a_url_without_the_version_of_the_api_is_noticed() {
        for (url, lacks) in [
            ("https://houston.acme.dev", true),
            ("https://houston.acme.dev/graphql", true),
            ("https://houston.acme.dev/v1", false),
            ("https://gateway.acme.dev/houston/v1/", false),
        ] {
            assert_eq!(ApiUrl::parse(url).unwrap().lacks_version(), lacks, "{url}");
        }
    }

    #[test]
    fn the_usual_url_is_that_of_the_api_of_the_same_installation() {
        for (url, usual) in [
            ("https://houston.acme.dev", "https://houston.acme.dev/v1"),
            (
                "https://app.acme.dev:8443/w",
                "https://houston.acme.dev:8443/v1",
            ),
            ("https://gateway.test/", "https://gateway.test/v1"),
            ("http://127.0.0.1:8871/", "http://127.0.0.1:8871/v1"),
        ] {
            assert_eq!(ApiUrl::parse(url).unwrap().usual(), usual);
        }
    }
}
