//! Failures of reqwest, as facts of our own.

use std::error::Error;

use crate::apc::certificate;
use crate::apc::error::ApiError;
use crate::apc::unreachable::{ProxyFault, Unreachable};

pub(super) fn classify(error: &reqwest::Error) -> ApiError {
    match error {
        error if error.is_connect() => ApiError::Unreachable(unreachable(error)),
        error if error.is_timeout() => ApiError::TimedOut,
        _ => ApiError::ConnectionLost,
    }
}

fn unreachable(error: &reqwest::Error) -> Unreachable {
    let mut inner = causes(error);
    while let Some(cause) = inner.next() {
        if let Some(found) = cause.downcast_ref::<rustls::Error>() {
            return certificate::unreachable(found);
        }
        if let Some(problem) = cause.to_string().strip_prefix("tunnel error: ") {
            return by_proxy(match problem {
                "proxy authorization required" => ProxyFault::Login,
                "failed to create underlying connection" => fault_on_the_way_to_proxy(inner),
                _ => ProxyFault::Refused,
            });
        }
    }
    match error {
        error if error.is_timeout() => Unreachable::ConnectTimedOut,
        error if error.is_dns() => Unreachable::Dns,
        error if causes(error).any(is_end) => Unreachable::HandshakeEnded,
        _ => Unreachable::Connect,
    }
}

/// The fault of a connection to a proxy, which may be one with TLS of its own.
fn fault_on_the_way_to_proxy<'a>(
    mut causes: impl Iterator<Item = &'a (dyn Error + 'static)>,
) -> ProxyFault {
    match causes.find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => ProxyFault::NotTls,
        Some(rustls::Error::InvalidCertificate(_)) => ProxyFault::Certificate,
        _ => ProxyFault::NotReached,
    }
}

/// Tells if the other side ended a connection that was already there.
fn is_end(cause: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let ends = [
        UnexpectedEof,
        ConnectionReset,
        ConnectionAborted,
        BrokenPipe,
    ];
    let error = cause.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| ends.contains(&error.kind()))
}

/// The fault of a proxy that is not named yet.
pub(super) fn by_proxy(fault: ProxyFault) -> Unreachable {
    Unreachable::Proxy {
        address: None,
        variable: None,
        fault,
    }
}

/// The causes of an error, those inside an `io::Error` included: rustls hides there.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        match io.and_then(std::io::Error::get_ref) {
            Some(hidden) => Some(hidden),
            None => cause.source(),
        }
    })
}
