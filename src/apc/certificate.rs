//! Faults of a TLS handshake, told apart: which fault of which certificate, or of the protocol.

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use super::unreachable::{CertificateFault, Unreachable};

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

fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::UnknownIssuer => CertificateFault::UnknownAuthority { variable: None },
        CertificateError::BadSignature => CertificateFault::AnotherKey,
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            CertificateFault::NoName
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().map(|name| bare(name)).collect();
            CertificateFault::AnotherName { names }
        }
        CertificateError::NotValidForName => CertificateFault::AnotherName { names: Vec::new() },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::NotForServers
        }
        CertificateError::Revoked => CertificateFault::Revoked,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            CertificateFault::Outdated
        }
        CertificateError::Other(other) => of_webpki(other),
        _ => CertificateFault::Unreadable,
    }
}

fn of_webpki(OtherError(error): &OtherError) -> CertificateFault {
    match error.downcast_ref::<webpki::Error>() {
        Some(webpki::Error::CaUsedAsEndEntity) => CertificateFault::OfAnAuthority,
        Some(webpki::Error::NameConstraintViolation) => CertificateFault::NameConstraint,
        Some(webpki::Error::EndEntityUsedAsCa | webpki::Error::PathLenConstraintViolated) => {
            CertificateFault::IssuerIsNone
        }
        Some(webpki::Error::UnsupportedCertVersion) => CertificateFault::Outdated,
        None if error.to_string() == PURPOSE => CertificateFault::NotForServers,
        _ => CertificateFault::Unreadable,
    }
}

/// The name within `DnsName("acme.dev")` or `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> String {
    let inside = name.split_once('(').map_or(name, |(_, inside)| inside);
    inside.trim_matches([')', '"']).to_owned()
}
