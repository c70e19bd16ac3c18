//! Talks to the Private Cloud API. Knows HTTP and nothing of GraphQL or MCP.
//! Follows no redirect, reads no body over 32 MiB, and sends the token to the one URL it belongs to.

mod connecting;
mod failure;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use super::error::ApiError;
use super::installation::{ApiUrl, Installation};
use super::unreachable::ProxyFault;
use connecting::HostKind;
use failure::{by_proxy, classify};

pub use connecting::Connecting;

/// The largest answer that is read, in bytes.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// The number of requests that are under way at once; the others wait.
const AT_ONCE: usize = 64;

/// The longest wait that an answer may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// The longest a connection may take, TLS and proxy included.
const CONNECT: Duration = Duration::from_secs(10);

/// The purpose of a request. Reads may reuse a connection; changes always open their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Reads: over a connection that is kept alive.
    Read,
    /// Changes: over a connection of its own. A kept one that was just closed would leave the outcome open.
    Change,
}

/// A whole answer to a request that the API may have seen.
#[derive(Debug)]
pub struct HttpResponse {
    /// The HTTP status; any but 429, 401, 407 and redirects, which are errors.
    pub status: u16,
    /// The time for which something in front of the API asks to wait.
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
    clients: Mutex<HashMap<(HostKind, Purpose), reqwest::Client>>,
    permits: Semaphore,
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
    /// The error, if there is no answer of the API's own.
    pub async fn post(
        &self,
        installation: &Installation,
        body: Vec<u8>,
        purpose: Purpose,
        timeout: Duration,
    ) -> Result<HttpResponse, ApiError> {
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
        let answered = match request.send().await {
            Ok(response) => reply(response).await,
            Err(error) => Err(classify(&error)),
        };
        answered.map_err(|error| self.connecting.attributed(error, &installation.url))
    }

    /// Waits until one more request may be under way. Dropping the permit lets the next one begin.
    pub async fn permit(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    fn connected(&self, url: &ApiUrl, purpose: Purpose) -> Result<reqwest::Client, ApiError> {
        let key = (self.connecting.host_kind(url), purpose);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.connecting.client(url, purpose, self.connect_timeout);
        let client = client.map_err(ApiError::Unreachable)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

async fn reply(mut response: Response) -> Result<HttpResponse, ApiError> {
    if let Some(refusal) = refusal(response.status(), response.headers()) {
        return Err(refusal);
    }
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let date = header(response.headers(), &DATE).and_then(http_date);
    let encoding = header(response.headers(), &CONTENT_ENCODING).map(str::to_owned);
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
    // The statuses that the API itself answers with.
    let may_be_the_api = matches!(status, 200..=299 | 400);
    if let Some(encoding) = compression(encoding, &body).filter(|_| may_be_the_api) {
        return Err(ApiError::Compressed { encoding });
    }
    Ok(HttpResponse {
        status,
        retry_after,
        date,
        body,
    })
}

/// The compression of a body, which nobody asked for. A body that is JSON is none, whatever its header says.
fn compression(encoding: Option<String>, body: &[u8]) -> Option<String> {
    let is_text = std::str::from_utf8(body).is_ok();
    let named = encoding.filter(|encoding| !is_text && !encoding.eq_ignore_ascii_case("identity"));
    let is_gzip = body.starts_with(b"\x1f\x8b");
    named.or_else(|| is_gzip.then(|| "gzip".to_owned()))
}

/// Statuses that say all there is to say, whatever the body holds.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<ApiError> {
    match status {
        StatusCode::UNAUTHORIZED => Some(ApiError::Unauthenticated),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(ApiError::Unreachable(by_proxy(ProxyFault::Login)))
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
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(date.to_utc())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    header(headers, &RETRY_AFTER).and_then(|text| wait(text, Utc::now()))
}

/// `Retry-After` is a number of seconds or a date. A time that no one would wait for is cut.
fn wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (http_date(text)? - now).to_std().unwrap_or_default(),
    };
    Some(wait.min(RETRY_AFTER_MAX))
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
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(wait("18446744073709551615", now), hour);
        assert_eq!(wait("Fri, 31 Dec 2100 23:59:59 GMT", now), hour);
    }
}
