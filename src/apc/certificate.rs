//! Faults of a TLS handshake, told apart: which fault of which certificate, or of the protocol.

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use super::unreachable::{CertificateFault as Fault, Unreachable};

/// The platform's verifier says this in place of a purpose that does not fit. Its type is private.
const PURPOSE: &str = "certificate had invalid extensions";

/// The reason why no secure connection came about.
pub fn unreachable(error: &Error) -> Unreachable {
    match error {
        Error::InvalidCertificate(error) => Unreachable::Certificate(fault(error)),
        Error::InvalidMessage(_) => Unreachable::NotTls,
        Error::PeerIncompatible(_) | Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            Unreachable::TlsVersion
        }
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA,
        ) => Unreachable::ClientCertificate,
        Error::AlertReceived(AlertDescription::UnrecognisedName) => Unreachable::UnknownName,
        _ => Unreachable::Tls,
    }
}

fn fault(error: &CertificateError) -> Fault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Fault::NotYetValid
        }
        CertificateError::UnknownIssuer => Fault::UnknownAuthority { variable: None },
        CertificateError::BadSignature => Fault::AnotherKey,
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            Fault::NoName
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().map(|name| bare(name)).collect();
            Fault::AnotherName { names }
        }
        CertificateError::NotValidForName => Fault::AnotherName { names: Vec::new() },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Fault::NotForServers
        }
        CertificateError::Revoked => Fault::Revoked,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            Fault::Outdated
        }
        CertificateError::Other(other) => of_webpki(other),
        _ => Fault::Unreadable,
    }
}

fn of_webpki(OtherError(error): &OtherError) -> Fault {
    match error.downcast_ref::<webpki::Error>() {
        Some(webpki::Error::CaUsedAsEndEntity) => Fault::OfAnAuthority,
        Some(webpki::Error::NameConstraintViolation) => Fault::NameConstraint,
        Some(webpki::Error::EndEntityUsedAsCa | webpki::Error::PathLenConstraintViolated) => {
            Fault::IssuerIsNone
        }
        Some(webpki::Error::UnsupportedCertVersion) => Fault::Outdated,
        None if error.to_string() == PURPOSE => Fault::NotForServers,
        _ => Fault::Unreadable,
    }
}

/// The name within `DnsName("acme.dev")` or `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> String {
    let inside = name.split_once('(').map_or(name, |(_, inside)| inside);
    inside.trim_matches([')', '"']).to_owned()
}
