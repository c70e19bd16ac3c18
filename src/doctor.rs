//! `apc-mcp doctor`: whether a call could work, line by line, and what to do where it could not.
//! Changes nothing at the API, and prints no secret.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use chrono::Utc;
use tokio::time::{Instant, timeout};

use crate::apc::client;
use crate::apc::error::{ApiError, Unreachable};
use crate::apc::graphql::{Api, Houston};
use crate::apc::installation::{ApiUrl, Installation, TokenKind, TokenSource};
use crate::apc::operations::{self, AppConfig};
use crate::apc::{Workspace, WorkspaceId};
use crate::config::{Config, token_in_words};
use crate::keys;
use crate::policy::{Confirm, KeyOutput};
use crate::secret::{Secret, Secrets};
use crate::server::Playground;
use crate::text::{on_one_line, quoted};
use crate::tools;

/// How long the system may take to find an address.
const DNS: Duration = Duration::from_secs(10);

/// How long all questions to the API may take together.
const ASKING: Duration = Duration::from_secs(45);

/// How many workspaces are named.
const NAMED: usize = 20;

const TITLE: Style = Style::new().bold();
const OK: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAIL: Style = AnsiColor::Red.on_default().bold();

/// Checks everything that a call needs and prints what it finds.
///
/// # Errors
/// Nobody reads what is printed, or the sandbox does not start.
pub async fn run(
    mut config: Config,
    secrets: Secrets,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let _playground = Playground::if_wanted(&mut config).await?;
    let installation = config.installation().await;
    if let Ok(found) = &installation {
        secrets.remember(found.token.expose());
    }
    let mut doctor = Doctor {
        config: &config,
        secrets: &secrets,
        failed: 0,
    };
    doctor.settings(installation.as_ref().ok()).await?;
    doctor.title("Connection")?;
    match &installation {
        Ok(found) => doctor.connection(found).await?,
        Err(missing) => doctor.without_installation(&missing.to_string()).await?,
    }
    doctor.title("This machine")?;
    doctor.machine()?;
    Ok(doctor.verdict()?)
}

/// What is being looked at, and how many lines say that it cannot work.
struct Doctor<'a> {
    config: &'a Config,
    secrets: &'a Secrets,
    failed: usize,
}

// How it is said.
impl Doctor<'_> {
    fn ok(&self, subject: &str, text: &str) -> io::Result<()> {
        self.line(OK, "ok", subject, text)
    }

    fn warn(&self, subject: &str, text: &str) -> io::Result<()> {
        self.line(WARN, "warn", subject, text)
    }

    fn fail(&mut self, subject: &str, text: &str) -> io::Result<()> {
        self.failed += 1;
        self.line(FAIL, "fail", subject, text)
    }

    fn line(&self, style: Style, verdict: &str, subject: &str, text: &str) -> io::Result<()> {
        let text = on_one_line(&self.secrets.scrub(text));
        writeln!(
            anstream::stdout(),
            "{style}{verdict:<4}{style:#}  {subject}: {text}"
        )
    }

    fn title(&self, text: &str) -> io::Result<()> {
        writeln!(anstream::stdout(), "\n{TITLE}{text}{TITLE:#}")
    }

    fn verdict(&self) -> io::Result<ExitCode> {
        let (text, code) = match self.failed {
            0 => ("All of it can be used.".to_owned(), ExitCode::SUCCESS),
            1 => (
                "One line says fail; mend that.".to_owned(),
                ExitCode::FAILURE,
            ),
            many => (
                format!("{many} lines say fail; mend the first one first."),
                ExitCode::FAILURE,
            ),
        };
        writeln!(anstream::stdout(), "\n{text}")?;
        Ok(code)
    }
}

// The settings and where they came from.
impl Doctor<'_> {
    async fn settings(&mut self, installation: Option<&Installation>) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            anstream::stdout(),
            "{TITLE}apc-mcp {version}: the settings, and where each came from{TITLE:#}"
        )?;
        for setting in self.config.settings(installation) {
            let name = setting.name;
            match (&setting.value, self.reservation(name)) {
                (Err(problem), _) => {
                    let text =
                        format!("{problem}. Every call is refused until it is mended or unset");
                    self.fail(name, &text)?;
                }
                (Ok(value), Some(why)) => {
                    self.warn(name, &format!("{value} ({}); {why}", setting.origin))?;
                }
                (Ok(value), None) => self.ok(name, &format!("{value} ({})", setting.origin))?,
            }
        }
        if !self.config.sandbox {
            self.astro_login().await?;
        }
        Ok(())
    }

    /// What speaks against a value that can be used.
    fn reservation(&self, name: &str) -> Option<&'static str> {
        match name {
            "--insecure" if self.config.connecting.insecure => {
                Some("anybody on the way can read the token. Use --ca-cert (APC_CA_CERT) instead")
            }
            "--key-output" if self.config.policy.key_output == KeyOutput::Show => {
                Some("new keys pass through the model and its logs")
            }
            "--sandbox" if self.config.sandbox => Some(
                "this is a sandbox with invented accounts; domain, URL, token and login are not used",
            ),
            _ => None,
        }
    }

    async fn astro_login(&self) -> io::Result<()> {
        match self.config.astro_login().await {
            Ok(login) if login.token.expose().trim().is_empty() => {
                self.ok("astro login", &format!("{}, logged out", login.domain))?;
            }
            Ok(login) => {
                let text = format!("{}, token {}", login.domain, token_in_words(&login.token));
                self.ok("astro login", &text)?;
            }
            Err(problem) => self.ok("astro login", &format!("none: {problem}"))?,
        }
        if self.config.astro_skips_verification() {
            let text = "is true in the astro CLI's configuration and is not honoured here. For a private authority set \
                        --ca-cert (APC_CA_CERT)";
            self.warn("skip_verify_tls", text)?;
        }
        Ok(())
    }
}

// The way to the API, and what it says.
impl Doctor<'_> {
    async fn without_installation(&mut self, missing: &str) -> io::Result<()> {
        if self.config.is_broken() {
            return self.fail("API", "not asked: the settings that say fail come first");
        }
        self.fail("installation and token", missing)?;
        let Some(url) = self.config.url_alone() else {
            return Ok(());
        };
        let anonymous = Installation {
            url,
            token: Secret::new(""),
            token_source: TokenSource::Setting("APC_API_TOKEN"),
            default_workspace: None,
        };
        let houston = self.houston();
        let api = houston.within(&anonymous, Instant::now() + ASKING).once();
        self.reach(&api, &anonymous).await.map(drop)
    }

    async fn connection(&mut self, found: &Installation) -> io::Result<()> {
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
        let proxy = client::proxy(url);
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
                "the certificate is not verified (--insecure, APC_INSECURE)",
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
                let text = format!(
                    "accepted; a user's token from {source}, which expires on {}",
                    expires.format("%Y-%m-%d %H:%M UTC")
                );
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
        let default = found.default_workspace.iter();
        let allowed = self.config.policy.allowed_workspaces.iter().flatten();
        let named = default
            .map(|id| ("--workspace-id", id))
            .chain(allowed.map(|id| ("--allow-workspace", id)));
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

// What a change needs here.
impl Doctor<'_> {
    fn machine(&mut self) -> io::Result<()> {
        self.key_directory()?;
        self.audit_log()?;
        self.ok("policy", &self.policy())
    }

    fn key_directory(&mut self) -> io::Result<()> {
        let policy = &self.config.policy;
        if policy.read_only || policy.key_output == KeyOutput::Show {
            return self.ok(
                "key directory",
                "not used: no key is kept under these settings",
            );
        }
        match keys::prepare(self.config.key_dir.as_deref()) {
            // Dropped, the unpublished file is gone.
            Ok(_) => {
                let path = self.config.key_dir.as_deref().map(|path| path.display());
                let path = path.map(|path| path.to_string()).unwrap_or_default();
                self.ok("key directory", &format!("{path} can be used"))
            }
            Err(problem) => {
                let text = format!(
                    "{problem}. Set --key-dir (APC_KEY_DIR) to a directory of your own that nobody else can write to"
                );
                self.fail("key directory", &text)
            }
        }
    }

    fn audit_log(&mut self) -> io::Result<()> {
        let audit = &self.config.audit;
        let Some(path) = audit.path() else {
            return self.ok("audit log", "off");
        };
        match audit.open() {
            Ok(_) => self.ok("audit log", &format!("{} can be written", path.display())),
            Err(error) => {
                let text = format!(
                    "{} cannot be opened: {error}. No change is made until --audit-log (APC_AUDIT_LOG) is mended or unset",
                    path.display()
                );
                self.fail("audit log", &text)
            }
        }
    }

    fn policy(&self) -> String {
        let policy = &self.config.policy;
        let place = match &policy.allowed_workspaces {
            None => "every workspace of the token".to_owned(),
            Some(allowed) => format!("{} workspaces", allowed.len()),
        };
        if policy.read_only {
            return format!("only reads, in {place}");
        }
        let asks = match policy.confirm {
            Confirm::Auto => "asking first where the client can ask",
            Confirm::Always => "asking first, and not at all where the client cannot ask",
            Confirm::Never => "without asking",
        };
        let keys = match policy.key_output {
            KeyOutput::File => "keys to private files",
            KeyOutput::Show => "keys into results",
        };
        let rate = match policy.changes_per_minute {
            0 => "any number of changes".to_owned(),
            limit => format!("up to {limit} changes a minute"),
        };
        format!(
            "reads, creates up to {} and deletes ({asks}) in {place}; {keys}; {rate}",
            policy.max_role.name()
        )
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
