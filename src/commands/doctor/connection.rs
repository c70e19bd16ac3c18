//! The way to the API: URL, proxy, name, TLS, platform.
//! Stops where the next line could only repeat the one before.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Doctor, Finding};
use crate::apc::error::ApiError;
use crate::apc::exchange::{Api, GraphqlClient};
use crate::apc::installation::{ApiUrl, Installation, TokenSource};
use crate::apc::operations::{self, AppConfig};
use crate::apc::unreachable::Unreachable;
use crate::config::NotConfigured;
use crate::config::setting::{API_TOKEN, INSECURE};
use crate::guards::secret::Secret;
use crate::guards::text::quoted;
use crate::tools;

/// The time that the system has to find an address.
const DNS: Duration = Duration::from_secs(10);

/// The time that all questions to the API have together.
const ASKING: Duration = Duration::from_secs(45);

impl Doctor<'_> {
    /// The checks that need no token.
    pub(super) async fn without_installation(&mut self, missing: &NotConfigured) -> io::Result<()> {
        if self.config.is_broken() {
            let text = "not asked, since a setting is wrong";
            return self.fail("API", (text, "Correct the settings that say fail first"));
        }
        let words = (missing.fact(), missing.advice());
        self.fail("installation and token", words)?;
        let Some(url) = self.config.url_from_settings() else {
            return Ok(());
        };
        let anonymous = Installation {
            url,
            token: Secret::new(""),
            token_source: TokenSource::Setting(API_TOKEN.name()),
            login_workspace: None,
        };
        let client = self.client();
        let api = client.within(&anonymous, Instant::now() + ASKING).once();
        self.reach(&api, &anonymous).await.map(drop)
    }

    /// Prints a line for each step of the way. The way is tried without the token: a bad key can make the API hang.
    pub(super) async fn connection(&mut self, found: &Installation) -> io::Result<()> {
        let client = self.client();
        let anonymous = Installation {
            token: Secret::new(""),
            ..found.clone()
        };
        let until = Instant::now() + ASKING;
        let without_token = client.within(&anonymous, until).once();
        if self.reach(&without_token, found).await? {
            let with_token = client.within(found, until).once();
            self.caller(&with_token, found).await?;
        }
        Ok(())
    }

    fn client(&self) -> GraphqlClient {
        let connecting = self.config.connecting.clone();
        GraphqlClient::new(connecting, self.config.timeout, self.secrets.clone())
    }

    async fn reach(&mut self, api: &Api<'_>, found: &Installation) -> io::Result<bool> {
        let url = &found.url;
        self.ok("API URL", url.to_string())?;
        let proxy = match self.config.connecting.proxy(url) {
            Ok(proxy) => proxy,
            Err(why) => return self.unreachable(why, found),
        };
        self.ok("proxy", proxy.as_deref().unwrap_or("none"))?;
        if !self.dns(url, proxy.is_some()).await? {
            return Ok(false);
        }
        match operations::app_config(api).await {
            Err(ApiError::Unreachable(why)) => self.unreachable(why, found),
            answer => {
                self.tls(url)?;
                self.platform(answer, found)
            }
        }
    }

    fn unreachable(&mut self, why: Unreachable, found: &Installation) -> io::Result<bool> {
        let subject = subject(&why);
        let text = self.explained(&ApiError::Unreachable(why), found);
        self.fail(subject, text).map(|()| false)
    }

    async fn dns(&mut self, url: &ApiUrl, by_proxy: bool) -> io::Result<bool> {
        let host = url.host().trim_matches(['[', ']']);
        let text = if by_proxy {
            "left to the proxy".to_owned()
        } else if host.parse::<IpAddr>().is_ok() {
            "not needed, the URL holds an address".to_owned()
        } else {
            let found = timeout(DNS, tokio::net::lookup_host((host, url.port()))).await;
            let mut found = found.into_iter().flatten().flatten();
            let Some(address) = found.next() else {
                let text = format!("{host} has no address");
                let advice = "Check the domain for a typing error, and whether a VPN or a proxy (HTTPS_PROXY) is needed";
                return self.fail("DNS", (text, advice)).map(|()| false);
            };
            format!("{host} is {}", address.ip())
        };
        self.ok("DNS", text).map(|()| true)
    }

    fn tls(&mut self, url: &ApiUrl) -> io::Result<()> {
        if url.is_plain() {
            self.ok("TLS", "none: plain http, which does not leave this machine")
        } else if self.config.connecting.insecure {
            let text = format!("the certificate is not verified: {INSECURE}");
            self.warn("TLS", text)
        } else {
            let text = format!("the certificate of {} is trusted", url.host());
            self.ok("TLS", text)
        }
    }

    /// A release that does not tell its version may work all the same; no API at all does not.
    fn platform(
        &mut self,
        answer: Result<AppConfig, ApiError>,
        found: &Installation,
    ) -> io::Result<bool> {
        match answer {
            Ok(config) => {
                let told = |text: Option<String>| match text {
                    Some(text) => quoted(&text),
                    None => "unknown".to_owned(),
                };
                let (version, domain) = (told(config.version), told(config.base_domain));
                self.ok(
                    "platform",
                    format!("version {version}, base domain {domain}"),
                )?;
            }
            Err(
                ApiError::Incompatible { .. }
                | ApiError::MissingData
                | ApiError::Refused
                | ApiError::Unauthenticated
                | ApiError::Rejected(_),
            ) => self.warn("platform", "does not tell its version")?,
            Err(error) => {
                self.fail("platform", self.explained(&error, found))?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The words of an error of the API: the fact, and the advice after it.
    pub(super) fn explained(&self, error: &ApiError, found: &Installation) -> Finding {
        let text = tools::explained(error, found, self.secrets);
        // The doctor changes nothing, so it need not say so.
        let parts = NOTHING_DONE.iter().find_map(|said| text.split_once(said));
        match parts {
            Some((fact, "")) => fact.into(),
            Some((fact, advice)) => (fact, advice.trim_start()).into(),
            None => text.into(),
        }
    }
}

/// The sentences of a failed call that say what it left undone.
const NOTHING_DONE: [&str; 2] = [" Nothing was changed.", " Nothing was sent."];

/// The line that a failure to connect belongs to.
fn subject(why: &Unreachable) -> &'static str {
    match why {
        Unreachable::Dns => "DNS",
        Unreachable::Connect | Unreachable::ConnectTimedOut | Unreachable::NoTimeLeft => {
            "connection"
        }
        Unreachable::Proxy { .. } | Unreachable::ProxySetting { .. } => "proxy",
        _ => "TLS",
    }
}
