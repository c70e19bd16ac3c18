//! The words of failures to connect: nothing was sent. Each names host and port, what is at fault, and what to do.

use super::failure::{Code, Failure};
use super::words::REASON_MAX;
use crate::apc::installation::ApiUrl;
use crate::apc::unreachable::{CertificateFault, ProxyFault, Unreachable};
use crate::config::setting::{API_URL, CA_CERT, DOMAIN};
use crate::guards::text::{on_one_line, quoted};

const NAMES_MAX: usize = 3;

/// The way out of most faults of a certificate.
const RENEW: &str = "Those who run the installation have to install another certificate.";

/// The failure of a request that could not be sent.
pub fn unreachable(why: &Unreachable, url: &ApiUrl) -> Failure {
    let at = url.address();
    let text = match why {
        Unreachable::ProxySetting { variable, problem } => {
            return not_configured(proxy_setting(variable, &reason(problem), url));
        }
        Unreachable::CaFile { problem } => {
            return not_configured(format!(
                "The file of {CA_CERT} cannot be used: {}. Set it to a PEM file with certificates",
                reason(problem)
            ));
        }
        Unreachable::NoTimeLeft => {
            let text = format!(
                "The time for the call was over before {at} could be asked. Nothing was changed. Call again."
            );
            return Failure::new(Code::TimedOut, text);
        }
        Unreachable::UnknownProxy => {
            let text = format!(
                "{at} answered that a proxy wants a login (HTTP 407), and this server used no proxy to reach it. Nothing was changed. Check that the API is what listens there, and the port of {API_URL} or {DOMAIN}."
            );
            return Failure::new(Code::Unreachable, text);
        }
        Unreachable::Certificate(fault) => certificate(fault, &at),
        Unreachable::Proxy {
            address,
            variable,
            fault,
        } => proxy(*fault, address.as_deref(), *variable, url),
        why => connection(why, &at),
    };
    Failure::new(Code::Unreachable, format!("{text} Nothing was sent."))
}

fn not_configured(text: String) -> Failure {
    Failure::new(Code::NotConfigured, format!("{text}. Nothing was sent."))
}

/// A reason that quotes by itself what is foreign in it.
fn reason(problem: &str) -> String {
    let beginning: String = problem.chars().take(REASON_MAX).collect();
    on_one_line(&beginning)
}

fn proxy_setting(variable: &str, problem: &str, url: &ApiUrl) -> String {
    let (at, host) = (url.address(), url.host());
    if variable.eq_ignore_ascii_case("NO_PROXY") {
        return format!(
            "{variable} {problem}. It lists the hosts that are reached without a proxy, so it is not known whether {at} is. Correct or unset {variable}"
        );
    }
    format!(
        "{variable} {problem}. It is the proxy setting that applies to {at}. Correct or unset {variable}, or add {host} to NO_PROXY if it is reached without a proxy"
    )
}

fn connection(why: &Unreachable, at: &str) -> String {
    match why {
        Unreachable::Dns => format!(
            "No connection to {at}: the host has no address. Check the domain for a typing error, and whether a VPN or a proxy (HTTPS_PROXY) is needed."
        ),
        Unreachable::ConnectTimedOut => format!(
            "The connection to {at} took too long. A firewall or a missing VPN often is the reason."
        ),
        Unreachable::NoTrustStore { variable: None } => format!(
            "This machine has no trusted certificate authorities, so {at} cannot be verified. Install its CA certificates, or set {CA_CERT} or SSL_CERT_FILE."
        ),
        Unreachable::NoTrustStore {
            variable: Some(variable),
        } => format!(
            "{variable} is set and leads to no trusted certificate authorities, so {at} cannot be verified. Correct or unset {variable}, or set {CA_CERT}."
        ),
        Unreachable::NotTls => format!(
            "No secure connection to {at}: the answer is not TLS. Check that this port speaks https, and the port of {API_URL} or {DOMAIN}."
        ),
        Unreachable::TlsVersion => format!(
            "No secure connection to {at}: there is no version of TLS that both sides accept; this server speaks 1.2 and 1.3. Those who run the installation have to switch on one of them."
        ),
        Unreachable::ClientCertificate => format!(
            "No secure connection to {at}: it wants a certificate of the client's own, which this server does not have. Ask those who run the installation for an address without it."
        ),
        Unreachable::UnknownName => format!(
            "No secure connection to {at}: it serves no host of that name. Check the domain or URL for a typing error."
        ),
        Unreachable::HandshakeEnded => format!(
            "No secure connection to {at}: it ended the connection before TLS was agreed on. Check that this port speaks https, and whether a firewall or a proxy on the way interrupts it."
        ),
        Unreachable::Tls => format!(
            "No secure connection to {at} could be agreed on. Check that this port speaks https."
        ),
        _ => format!(
            "No connection to {at} could be made. Check the network, a VPN, and that the host and the port are right."
        ),
    }
}

fn certificate(fault: &CertificateFault, at: &str) -> String {
    match fault {
        CertificateFault::UnknownAuthority { variable } => {
            let instead = variable.map_or_else(String::new, |variable| {
                format!(" {variable} is set, so only the authorities that it names count, and not the system's.")
            });
            format!(
                "The certificate of {at} is from an authority that this machine does not know.{instead} Set {CA_CERT} to the PEM file of that authority. If the authority is a public one, the host does not send its intermediate certificates: those who run it have to add them."
            )
        }
        CertificateFault::AnotherKey => format!(
            "The certificate of {at} is signed with another key than that of the authority of this name that is known here. The file of {CA_CERT} (or SSL_CERT_FILE) may be an old one: get the present certificate of the authority, or that of the host if it has signed itself, and set {CA_CERT} to that PEM file."
        ),
        CertificateFault::Expired => format!(
            "The certificate of {at} has expired. Those who run it have to renew it; check this machine's clock, too."
        ),
        CertificateFault::NotYetValid => {
            format!("The certificate of {at} is not valid yet. Check this machine's clock.")
        }
        CertificateFault::AnotherName { names } => format!(
            "The certificate of {at} is for another name{}. Check the domain or URL for a typing error.",
            listed(names)
        ),
        CertificateFault::NoName => format!(
            "The certificate of {at} names no host: it has no subjectAltName, and a common name does not count. {RENEW}"
        ),
        CertificateFault::OfAnAuthority => format!(
            "The certificate of {at} is that of a certificate authority itself, which no server may use. {RENEW} It has to be issued by that authority, for this host."
        ),
        CertificateFault::NameConstraint => format!(
            "The certificate of {at} comes from an authority whose name constraints do not allow it to issue one for this host. {RENEW} It has to be of an authority that may."
        ),
        CertificateFault::NotForServers => format!(
            "The certificate of {at} is not one for servers: its extended key usage allows other uses only, such as that of a client. {RENEW} It has to allow server authentication."
        ),
        CertificateFault::IssuerIsNone => format!(
            "The certificate of {at} was issued by a certificate that may not issue it. {RENEW}"
        ),
        CertificateFault::Revoked => {
            format!("The certificate of {at} was revoked. {RENEW}")
        }
        CertificateFault::Outdated => format!(
            "The certificate of {at} is of an old form or signed in an old way, such as X.509 version 1, SHA-1 or a short RSA key, and is not accepted. {RENEW}"
        ),
        CertificateFault::Unreadable => format!(
            "The certificate of {at} cannot be verified: a part of it is malformed or unknown. {RENEW}"
        ),
    }
}

fn listed(names: &[String]) -> String {
    let mut told: Vec<_> = names
        .iter()
        .take(NAMES_MAX)
        .map(|name| quoted(name))
        .collect();
    if names.len() > NAMES_MAX {
        told.push("others".to_owned());
    }
    match told.is_empty() {
        true => String::new(),
        false => format!(": {}", told.join(", ")),
    }
}

fn proxy(fault: ProxyFault, address: Option<&str>, variable: Option<&str>, url: &ApiUrl) -> String {
    let at = url.address();
    let host = url.host();
    let setting = variable.unwrap_or("the system's proxy settings");
    let named = address.map_or_else(String::new, |address| format!("{address}, "));
    let proxy = format!("The proxy on the way to {at} ({named}from {setting})");
    match fault {
        ProxyFault::NotReached => format!(
            "{proxy} could not be reached. Check {setting}, or add {host} to NO_PROXY if it is reached without a proxy."
        ),
        ProxyFault::NotTls => format!(
            "{proxy} speaks no TLS: write http:// in place of https:// in {setting}. The connection to {at} itself is encrypted in any case."
        ),
        ProxyFault::Certificate => format!(
            "{proxy} has a certificate of its own that was not accepted; that of {at} was not seen yet. Set {CA_CERT} to the PEM file of the authority of the proxy, or ask those who run the proxy for its right address."
        ),
        ProxyFault::Refused => format!(
            "{proxy} did not connect to it. The proxy may not allow this host or port, or not find it: ask those who run the proxy, or add {host} to NO_PROXY if it is reached without one."
        ),
        ProxyFault::Login => format!(
            "{proxy} wants a login, or another one. Put user and password into {setting} (http://user:password@host:port), or add {host} to NO_PROXY if it is reached without a proxy."
        ),
        ProxyFault::TimedOut => format!(
            "The connection to {at} through the proxy ({named}from {setting}) took too long. Check {setting}, or add {host} to NO_PROXY if it is reached without a proxy."
        ),
    }
}
