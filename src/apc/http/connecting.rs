//! Connections: trust, proxies, and one HTTP client for each kind of route.

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Certificate, ClientBuilder, redirect, retry};

use super::Purpose;
use super::failure::causes;
use crate::apc::error::ApiError;
use crate::apc::installation::ApiUrl;
use crate::apc::proxy::{Proxies, ProxyAddress, ProxyVariable, Route};
use crate::apc::unreachable::{CertificateFault, ProxyFault, Unreachable};
use crate::guards::regular_file;

/// The largest file with further authorities, in bytes.
const CA_FILE_MAX: u64 = 16 * 1024 * 1024;

/// The beginning of a certificate that is not in PEM form.
const DER: &[u8] = b"\x30\x82";
const IN_DER_FORM: &str = "it is in DER form; 'openssl x509 -inform der' makes a PEM file of it";

/// Ingresses close idle connections without a word; ours are dropped before that.
const IDLE: Duration = Duration::from_secs(5);

/// The settings of connections, the same for every call of a server.
#[derive(Debug, Clone, Default)]
pub struct Connecting {
    /// A file with further trusted authorities (PEM), beside the system's.
    pub ca_cert: Option<PathBuf>,
    /// True if certificates go unchecked.
    pub insecure: bool,
    /// The proxies that the environment names.
    pub proxies: Proxies,
    /// The variable that names the trusted authorities in place of the system's, where one is set.
    pub trust_variable: Option<&'static str>,
}

/// The kinds of host that need their own way of connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum HostKind {
    /// This machine without TLS: no trust store is read and no proxy is used.
    PlainLoopback,
    /// With TLS and without a proxy.
    Direct,
    /// With TLS, through the proxy that was set, or as the system's configuration has it.
    ByProxy,
}

impl Connecting {
    /// The proxy that requests to this URL go through, without its login; none for a direct way. Fails where the variable
    /// that applies cannot be used.
    pub fn proxy(&self, url: &ApiUrl) -> Result<Option<String>, Unreachable> {
        match self.proxies.route(url) {
            Route::Direct => Ok(None),
            Route::System => Ok(system_proxy(url)),
            Route::Through(variable) => Ok(Some(usable(variable)?.shown.clone())),
        }
    }

    /// Names the variable that an error is about.
    pub(super) fn attributed(&self, error: ApiError, url: &ApiUrl) -> ApiError {
        let ApiError::Unreachable(why) = error else {
            return error;
        };
        let route = self.proxies.route(url);
        ApiError::Unreachable(match (why, route) {
            (Unreachable::Proxy { .. }, Route::Direct) => Unreachable::UnknownProxy,
            (Unreachable::Proxy { fault, .. }, _) => self.proxy_at_fault(fault, url),
            // The connection that took too long is the one to the proxy, or one through it.
            (Unreachable::ConnectTimedOut, Route::Through(_)) => {
                self.proxy_at_fault(ProxyFault::TimedOut, url)
            }
            (Unreachable::Certificate(CertificateFault::UnknownAuthority { .. }), _) => {
                let variable = self.trust_variable;
                Unreachable::Certificate(CertificateFault::UnknownAuthority { variable })
            }
            (why, _) => why,
        })
    }

    fn proxy_at_fault(&self, fault: ProxyFault, url: &ApiUrl) -> Unreachable {
        let variable = match self.proxies.route(url) {
            Route::Through(variable) => Some(variable.name),
            Route::Direct | Route::System => None,
        };
        Unreachable::Proxy {
            address: self.proxy(url).ok().flatten(),
            variable,
            fault,
        }
    }

    /// The kind of the host of a URL.
    pub(super) fn host_kind(&self, url: &ApiUrl) -> HostKind {
        match self.proxies.route(url) {
            _ if url.is_loopback() && url.is_plain() => HostKind::PlainLoopback,
            Route::Direct => HostKind::Direct,
            Route::System | Route::Through(_) => HostKind::ByProxy,
        }
    }

    /// A client for this kind of way.
    pub(super) fn client(
        &self,
        url: &ApiUrl,
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
        let builder = routed(builder, self.proxies.route(url))?;
        self.trusting(builder, self.host_kind(url))?
            .build()
            .map_err(|error| self.build_failure(&error))
    }

    fn trusting(
        &self,
        builder: ClientBuilder,
        host_kind: HostKind,
    ) -> Result<ClientBuilder, Unreachable> {
        if host_kind == HostKind::PlainLoopback {
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
        let found = regular_file::read_text(path, CA_FILE_MAX).map_err(|error| error.to_string());
        let found = found.and_then(|pem| match Certificate::from_pem_bundle(&pem) {
            _ if pem.starts_with(DER) => Err(IN_DER_FORM.to_owned()),
            Err(_) => Err("it is not a PEM file".to_owned()),
            Ok(found) if found.is_empty() => Err("it holds no PEM certificate".to_owned()),
            Ok(found) => Ok(found),
        });
        found.map_err(|problem| Unreachable::CaFile { problem })
    }

    /// The files of our authorities are read here and not before.
    fn build_failure(&self, error: &reqwest::Error) -> Unreachable {
        if causes(error).any(|cause| cause.to_string().contains("No CA certificates")) {
            let variable = self.trust_variable;
            return Unreachable::NoTrustStore { variable };
        }
        let problem = "it holds something that is no certificate".to_owned();
        match self.ca_cert {
            Some(_) => Unreachable::CaFile { problem },
            None => Unreachable::Tls,
        }
    }
}

/// The proxy of the system's own configuration, as macOS and Windows have it.
fn system_proxy(url: &ApiUrl) -> Option<String> {
    let target = url.as_str().parse().ok()?;
    let found = Matcher::from_system().intercept(&target)?;
    let (scheme, host) = (found.uri().scheme_str()?, found.uri().host()?);
    let port = found.uri().port_u16().map(|port| format!(":{port}"));
    Some(format!("{scheme}://{host}{}", port.unwrap_or_default()))
}

fn usable(variable: &ProxyVariable) -> Result<&ProxyAddress, Unreachable> {
    let address = variable.address.as_ref();
    address.map_err(|problem| unusable(variable, problem.clone()))
}

fn unusable(variable: &ProxyVariable, problem: String) -> Unreachable {
    Unreachable::ProxySetting {
        variable: variable.name,
        problem,
    }
}

fn routed(builder: ClientBuilder, route: Route<'_>) -> Result<ClientBuilder, Unreachable> {
    match route {
        Route::Direct => Ok(builder.no_proxy()),
        Route::System => Ok(builder),
        Route::Through(variable) => {
            let proxy = reqwest::Proxy::all(usable(variable)?.url.expose());
            let unusable = |_| unusable(variable, "is not the address of a proxy".to_owned());
            Ok(builder.proxy(proxy.map_err(unusable)?))
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
