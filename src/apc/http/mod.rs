//! Talks to the Private Cloud API. Knows HTTP and nothing of GraphQL or MCP.
//! Follows no redirect, reads no body over 32 MiB, and sends the token to the one URL it belongs to.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, ClientBuilder, Response, StatusCode, redirect, retry};
use rustls::CertificateError;
use tokio::sync::Semaphore;
use url::Url;

use super::error::{ApiError, Unreachable};
use super::installation::{ApiUrl, Installation};

/// The largest answer that is read, in bytes.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// The number of requests that are under way at once; the others wait.
const AT_ONCE: usize = 64;

/// Ingresses close idle connections without a word; ours are dropped before that.
const IDLE: Duration = Duration::from_secs(5);

/// The longest a connection may take, TLS and proxy included.
const CONNECT: Duration = Duration::from_secs(10);

/// How connections are made, the same for every call of a server.
#[derive(Debug, Clone, Default)]
pub struct Connecting {
    /// A file with further trusted authorities (PEM), beside the system's.
    pub ca_cert: Option<PathBuf>,
    /// Whether certificates go unchecked.
    pub insecure: bool,
}

/// What a request may do, which decides how its connection is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Reads: over a connection that is kept alive.
    Read,
    /// Changes: over a connection of its own, since a kept one that the other side has just closed
    /// would leave open whether the change was made.
    Change,
}

/// A whole answer to a request that the API may have seen.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status; any but 429, 401, 407 and redirects, which are errors.
    pub status: u16,
    /// How long something before the API asks to wait.
    pub retry_after: Option<Duration>,
    /// The time at which the API answered, on its own clock.
    pub date: Option<DateTime<Utc>>,
    /// The body, unread.
    pub body: Vec<u8>,
}

/// The HTTP side of the API. Connections are made when first needed and kept between calls.
pub struct HttpClient {
    connecting: Connecting,
    connect_timeout: Duration,
    clients: Mutex<HashMap<(Reach, Purpose), reqwest::Client>>,
    permits: Semaphore,
}

/// The kinds of host that need their own way of connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reach {
    /// This machine without TLS: no trust store is read and no proxy is used.
    PlainLoopback,
    /// This machine with TLS: no proxy is used.
    Loopback,
    /// Anywhere else.
    Remote,
}

impl HttpClient {
    /// A client that has connected to nothing yet. Of the time for a request, a part is for the
    /// connection: what takes longer was certainly not sent.
    pub fn new(connecting: Connecting, timeout: Duration) -> Self {
        Self {
            connecting,
            connect_timeout: CONNECT.min(timeout * 3 / 4),
            clients: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
        }
    }

    /// Sends one request and reads the whole answer, within the time given.
    ///
    /// # Errors
    /// What happened instead, where there is no answer of the API's own.
    pub async fn post(
        &self,
        installation: &Installation,
        body: Vec<u8>,
        purpose: Purpose,
        timeout: Duration,
    ) -> Result<Reply, ApiError> {
        let client = self.connected(&installation.url, purpose)?;
        let mut token = HeaderValue::from_str(installation.token.expose())
            .map_err(|_| ApiError::Unauthenticated)?;
        token.set_sensitive(true);
        let mut request = client
            .post(installation.url.as_url().clone())
            .header(CONTENT_TYPE, "application/json")
            .timeout(timeout)
            .body(body);
        // Without a token only what needs none is asked.
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, token);
        }
        let response = request.send().await.map_err(|error| classify(&error))?;
        reply(response).await
    }

    /// Waits until one more request may be under way. Dropping the permit lets the next one begin.
    pub async fn permit(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    fn connected(&self, url: &ApiUrl, purpose: Purpose) -> Result<reqwest::Client, ApiError> {
        let key = (Reach::of(url), purpose);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self
            .connecting
            .client(key.0, purpose, self.connect_timeout)
            .map_err(ApiError::Unreachable)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// The proxy that requests to this URL go through, without its login; none for this machine.
pub fn proxy(url: &ApiUrl) -> Option<String> {
    if Reach::of(url) != Reach::Remote {
        return None;
    }
    let target = url.as_str().parse().ok()?;
    let found = Matcher::from_system().intercept(&target)?;
    let proxy = found.uri();
    let port = proxy.port_u16().map(|port| format!(":{port}"));
    Some(format!(
        "{}://{}{}",
        proxy.scheme_str()?,
        proxy.host()?,
        port.unwrap_or_default()
    ))
}

impl Reach {
    fn of(url: &ApiUrl) -> Self {
        match (url.is_loopback(), url.is_plain()) {
            (true, true) => Self::PlainLoopback,
            (true, false) => Self::Loopback,
            _ => Self::Remote,
        }
    }
}

impl Connecting {
    fn client(
        &self,
        reach: Reach,
        purpose: Purpose,
        connect_timeout: Duration,
    ) -> Result<reqwest::Client, Unreachable> {
        install_crypto();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("apc-mcp/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE);
        if purpose == Purpose::Change {
            builder = builder.pool_max_idle_per_host(0);
        }
        if reach != Reach::Remote {
            builder = builder.no_proxy();
        }
        self.trusting(builder, reach)?
            .build()
            .map_err(|error| self.build_failure(&error))
    }

    fn trusting(&self, builder: ClientBuilder, reach: Reach) -> Result<ClientBuilder, Unreachable> {
        if reach == Reach::PlainLoopback {
            // Reading the system's store takes longer than everything else at start, and fails where
            // it is empty, even for plain http. Without any authority TLS could only fail closed.
            return Ok(builder.tls_certs_only([]));
        }
        let mut builder = builder.tls_danger_accept_invalid_certs(self.insecure);
        for certificate in self.authorities()? {
            builder = builder.add_root_certificate(certificate);
        }
        Ok(builder)
    }

    fn authorities(&self) -> Result<Vec<Certificate>, Unreachable> {
        let Some(path) = &self.ca_cert else {
            return Ok(Vec::new());
        };
        let unusable = |problem: String| Unreachable::CaFile { problem };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let found = Certificate::from_pem_bundle(&pem)
            .map_err(|_| unusable("it is not a PEM file".to_owned()))?;
        if found.is_empty() {
            return Err(unusable("it holds no PEM certificate".to_owned()));
        }
        Ok(found)
    }

    /// What our authorities hold is looked at here and not before.
    fn build_failure(&self, error: &reqwest::Error) -> Unreachable {
        if causes(error).any(|cause| cause.to_string().contains("No CA certificates")) {
            return Unreachable::NoTrustStore;
        }
        match self.ca_cert {
            Some(_) => Unreachable::CaFile {
                problem: "it holds something that is no certificate".to_owned(),
            },
            None => Unreachable::Tls,
        }
    }
}

/// reqwest panics without a provider; a second installation is harmless and refused.
fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

async fn reply(mut response: Response) -> Result<Reply, ApiError> {
    if let Some(refusal) = refusal(response.status(), response.headers()) {
        return Err(refusal);
    }
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let date = header(response.headers(), &DATE).and_then(http_date);
    let promised = response.content_length().unwrap_or(0);
    if promised > BODY_MAX as u64 {
        return Err(ApiError::TooLarge);
    }
    let mut body = Vec::with_capacity(usize::try_from(promised).unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(ApiError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply {
        status,
        retry_after,
        date,
        body,
    })
}

/// Statuses that say all there is to say, whatever the body holds.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<ApiError> {
    match status {
        StatusCode::UNAUTHORIZED => Some(ApiError::Unauthenticated),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(ApiError::Unreachable(Unreachable::ProxyLogin))
        }
        StatusCode::TOO_MANY_REQUESTS => Some(ApiError::RateLimited {
            retry_after: retry_after(headers),
        }),
        status if status.is_redirection() => {
            let target = header(headers, &LOCATION).and_then(|location| Url::parse(location).ok());
            Some(ApiError::Redirected {
                host: target.and_then(|url| url.host_str().map(str::to_owned)),
            })
        }
        _ => None,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.to_utc())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    header(headers, &RETRY_AFTER).and_then(|text| wait(text, Utc::now()))
}

/// `Retry-After` is a number of seconds or a date.
fn wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    http_date(text).map(|until| (until - now).to_std().unwrap_or_default())
}

fn classify(error: &reqwest::Error) -> ApiError {
    if error.is_connect() {
        return ApiError::Unreachable(unreachable(error));
    }
    if error.is_timeout() {
        ApiError::TimedOut
    } else {
        ApiError::ConnectionLost
    }
}

fn unreachable(error: &reqwest::Error) -> Unreachable {
    for cause in causes(error) {
        if let Some(found) = cause.downcast_ref::<rustls::Error>() {
            return tls(found);
        }
        let text = cause.to_string();
        if text.contains("proxy authorization required") {
            return Unreachable::ProxyLogin;
        }
        if text.starts_with("tunnel error") {
            return Unreachable::Proxy;
        }
    }
    match error {
        error if error.is_timeout() => Unreachable::ConnectTimedOut,
        error if error.is_dns() => Unreachable::Dns,
        _ => Unreachable::Connect,
    }
}

/// The causes of an error, those inside an `io::Error` included: rustls hides there.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| {
        let hidden = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        hidden
            .map(|inner| inner as &(dyn Error + 'static))
            .or_else(|| cause.source())
    })
}

fn tls(error: &rustls::Error) -> Unreachable {
    let rustls::Error::InvalidCertificate(problem) = error else {
        return Unreachable::Tls;
    };
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Unreachable::CertificateExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Unreachable::CertificateNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Unreachable::CertificateForAnotherHost
        }
        CertificateError::UnknownIssuer => Unreachable::UnknownAuthority,
        _ => Unreachable::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_may_have_its_zone_in_numbers() {
        let date = http_date("Mon, 23 Nov 2026 18:00:00 GMT");
        assert!(date.is_some());
        for zone in ["+0000", "-0000", "UT"] {
            let text = format!("Mon, 23 Nov 2026 18:00:00 {zone}");
            assert_eq!(http_date(&text), date, "{zone}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = http_date("Mon, 23 Nov 2026 18:00:00 GMT").unwrap();
        assert_eq!(wait("7", now), Some(Duration::from_secs(7)));
        assert_eq!(
            wait("Mon, 23 Nov 2026 18:00:30 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            wait("Mon, 23 Nov 2026 17:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(wait("soon", now), None);
    }
}
