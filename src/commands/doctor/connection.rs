//! The way to the API, and what it says: URL, proxy, name, TLS, platform, token, workspaces.
//! Stops where the next line could only repeat the one before.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, timeout};

use super::Doctor;
use crate::apc::error::{ApiError, Unreachable};
use crate::apc::exchange::{Api, Houston};
use crate::apc::http;
use crate::apc::installation::{ApiUrl, Installation, TokenKind, TokenSource};
use crate::apc::operations::{self, AppConfig};
use crate::apc::{Workspace, WorkspaceId};
use crate::config::setting::{ALLOW_WORKSPACE, API_TOKEN, INSECURE, WORKSPACE_ID};
use crate::guards::secret::Secret;
use crate::guards::text::{on_one_line, quoted};
use crate::tools;

/// How long the system may take to find an address.
const DNS: Duration = Duration::from_secs(10);

/// How long all questions to the API may take together.
const ASKING: Duration = Duration::from_secs(45);

/// How many workspaces are named.
const NAMED: usize = 20;

impl Doctor<'_> {
    /// What can be said where there is no token to ask with.
    pub(super) async fn without_installation(&mut self, missing: &str) -> io::Result<()> {
        if self.config.is_broken() {
            return self.fail("API", "not asked: the settings that say fail come first");
        }
        self.fail("installation and token", missing)?;
        let Some(url) = self.config.url_from_settings() else {
            return Ok(());
        };
        let anonymous = Installation {
            url,
            token: Secret::new(""),
            token_source: TokenSource::Setting(API_TOKEN.name()),
            login_workspace: None,
        };
        let houston = self.houston();
        let api = houston.within(&anonymous, Instant::now() + ASKING).once();
        self.reach(&api, &anonymous).await.map(drop)
    }

    /// A line for each step of the way.
    pub(super) async fn connection(&mut self, found: &Installation) -> io::Result<()> {
        let houston = self.houston();
        let api = houston.within(found, Instant::now() + ASKING).once();
        if !self.reach(&api, found).await? {
            return Ok(());
        }
        match operations::workspaces(&api).await {
            Ok(visible) => {
                self.token(found)?;
                self.workspaces(&visible)?;
                self.named_workspaces(&api, found, &visible).await
            }
            Err(error) => self.fail("token", &self.explained(&error, found)),
        }
    }

    fn houston(&self) -> Houston {
        let config = self.config;
        Houston::new(
            config.connecting.clone(),
            config.timeout,
            self.secrets.clone(),
        )
    }

    /// Whether the API answers.
    async fn reach(&mut self, api: &Api<'_>, found: &Installation) -> io::Result<bool> {
        let url = &found.url;
        self.ok("API URL", url.as_str())?;
        let proxy = http::proxy(url);
        match &proxy {
            Some(proxy) => self.ok("proxy", proxy)?,
            None => self.ok("proxy", "none")?,
        }
        if !self.dns(url, proxy.is_some()).await? {
            return Ok(false);
        }
        match operations::app_config(api).await {
            Err(ApiError::Unreachable(why)) => {
                let subject = subject(&why);
                let text = self.explained(&ApiError::Unreachable(why), found);
                self.fail(subject, &text)?;
                Ok(false)
            }
            answer => {
                self.tls(url)?;
                self.platform(answer, found)
            }
        }
    }

    async fn dns(&mut self, url: &ApiUrl, by_proxy: bool) -> io::Result<bool> {
        let host = url.host().trim_matches(['[', ']']);
        if by_proxy {
            return self.ok("DNS", "left to the proxy").map(|()| true);
        }
        if host.parse::<IpAddr>().is_ok() {
            return self
                .ok("DNS", "not needed, the URL holds an address")
                .map(|()| true);
        }
        let addresses = timeout(DNS, tokio::net::lookup_host((host, url.port()))).await;
        match addresses
            .ok()
            .and_then(Result::ok)
            .and_then(|mut all| all.next())
        {
            Some(address) => self
                .ok("DNS", &format!("{host} is {}", address.ip()))
                .map(|()| true),
            None => {
                let text = format!(
                    "{host} has no address. Check the domain for a typing error, and whether a VPN or a proxy (HTTPS_PROXY) is needed"
                );
                self.fail("DNS", &text).map(|()| false)
            }
        }
    }

    fn tls(&self, url: &ApiUrl) -> io::Result<()> {
        if url.is_plain() {
            return self.ok("TLS", "none: plain http, which does not leave this machine");
        }
        if self.config.connecting.insecure {
            return self.warn(
                "TLS",
                &format!("the certificate is not verified: {INSECURE}"),
            );
        }
        self.ok(
            "TLS",
            &format!("the certificate of {} is trusted", url.host()),
        )
    }

    /// A release that does not tell its version may work all the same; no API at all does not.
    fn platform(
        &mut self,
        answer: Result<AppConfig, ApiError>,
        found: &Installation,
    ) -> io::Result<bool> {
        match answer {
            Ok(AppConfig {
                version,
                base_domain,
            }) => {
                let unknown = || "unknown".to_owned();
                let version = version.map_or_else(unknown, |version| quoted(&version));
                let domain = base_domain.map_or_else(unknown, |domain| quoted(&domain));
                let text = format!("version {version}, base domain {domain}");
                self.ok("platform", &text).map(|()| true)
            }
            Err(
                ApiError::Incompatible { .. }
                | ApiError::MissingData
                | ApiError::Forbidden
                | ApiError::Unauthenticated
                | ApiError::Rejected(_),
            ) => self
                .warn("platform", "does not tell its version")
                .map(|()| true),
            Err(error) => {
                let text = self.explained(&error, found);
                self.fail("platform", &text).map(|()| false)
            }
        }
    }

    fn token(&self, found: &Installation) -> io::Result<()> {
        let source = &found.token_source;
        match TokenKind::of(&found.token) {
            TokenKind::ServiceAccountKey => {
                let text = format!(
                    "accepted; a service account's key from {source}, which does not expire"
                );
                self.ok("token", &text)
            }
            TokenKind::UserToken { expires: None } => {
                let text = format!(
                    "accepted; a user's token from {source}, which does not say when it expires"
                );
                self.ok("token", &text)
            }
            TokenKind::UserToken {
                expires: Some(expires),
            } => {
                let text =
                    format!("accepted; a user's token from {source}, which expires on {expires}");
                let soon = expires < Utc::now() + Duration::from_secs(3600);
                match soon {
                    true => self.warn("token", &format!("{text}, within the hour")),
                    false => self.ok("token", &text),
                }
            }
        }
    }

    fn workspaces(&self, visible: &[Workspace]) -> io::Result<()> {
        if visible.is_empty() {
            let text = "none is visible to this token by itself, as to system-level ones: calls have to name a workspace_id";
            return self.warn("workspaces", text);
        }
        let mut named: Vec<_> = visible.iter().take(NAMED).map(in_words).collect();
        if visible.len() > NAMED {
            named.push(format!("and {} more", visible.len() - NAMED));
        }
        self.ok("workspaces", &named.join(", "))
    }

    /// Ids in the settings are typed by hand, and a wrong one shows late.
    async fn named_workspaces(
        &mut self,
        api: &Api<'_>,
        found: &Installation,
        visible: &[Workspace],
    ) -> io::Result<()> {
        let default = self.config.default_workspace(found);
        let allowed = self.config.policy.allowed_workspaces.iter().flatten();
        let named = default
            .iter()
            .map(|id| (WORKSPACE_ID.name(), id))
            .chain(allowed.map(|id| (ALLOW_WORKSPACE.name(), id)));
        let unseen = named.filter(|(_, id)| visible.iter().all(|workspace| workspace.id != **id));
        for (setting, id) in unseen.collect::<Vec<_>>() {
            self.unseen_workspace(api, found, setting, id).await?;
        }
        Ok(())
    }

    async fn unseen_workspace(
        &mut self,
        api: &Api<'_>,
        found: &Installation,
        setting: &str,
        id: &WorkspaceId,
    ) -> io::Result<()> {
        match operations::workspace(api, id).await {
            Ok(Some(workspace)) => self.ok(setting, &in_words(&workspace)),
            Ok(None) => {
                let text = format!("there is no workspace {id}. Take one of those above");
                self.fail(setting, &text)
            }
            Err(error) => {
                let text = format!("{id}: {}", self.explained(&error, found));
                self.fail(setting, &text)
            }
        }
    }

    fn explained(&self, error: &ApiError, found: &Installation) -> String {
        let text = tools::explained(error, found, self.secrets);
        let text = text.strip_suffix(" Nothing was sent.").unwrap_or(&text);
        text.to_owned()
    }
}

fn in_words(workspace: &Workspace) -> String {
    let id = on_one_line(workspace.id.as_str());
    match &workspace.label {
        Some(label) => format!("{id} {}", quoted(label)),
        None => id,
    }
}

/// The line that a failure to connect belongs to.
fn subject(why: &Unreachable) -> &'static str {
    match why {
        Unreachable::Dns => "DNS",
        Unreachable::Connect | Unreachable::ConnectTimedOut | Unreachable::NoTimeLeft => {
            "connection"
        }
        Unreachable::Proxy | Unreachable::ProxyLogin => "proxy",
        _ => "TLS",
    }
}
