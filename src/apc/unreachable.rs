//! The reasons why a request could not be sent, as facts: the network, the certificate, the proxy, or a setting.

/// The reason why nothing could be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// The host's name has no address.
    Dns,
    /// The connection was refused, or the network is down.
    Connect,
    /// The connection took too long.
    ConnectTimedOut,
    /// The server's certificate was not accepted.
    Certificate(CertificateFault),
    /// The answer to the handshake is not TLS.
    NotTls,
    /// There is no version of TLS that both sides accept.
    TlsVersion,
    /// The server wants a certificate of the client's own.
    ClientCertificate,
    /// The server knows no host of that name.
    UnknownName,
    /// The connection ended within the handshake.
    HandshakeEnded,
    /// Any other failure to agree on TLS.
    Tls,
    /// The proxy on the way is at fault.
    Proxy {
        /// Scheme, host and port of the proxy, where they are known.
        address: Option<String>,
        /// The variable that names it; none where it is the system's configuration.
        variable: Option<&'static str>,
        fault: ProxyFault,
    },
    /// The answer is that of a proxy that wants a login, and no proxy is on the way.
    UnknownProxy,
    /// The proxy variable that applies cannot be used.
    ProxySetting {
        variable: &'static str,
        /// The reason, as it follows the name of the variable.
        problem: String,
    },
    /// There are no trusted authorities on this machine.
    NoTrustStore {
        /// The variable that names the authorities in place of the system's.
        variable: Option<&'static str>,
    },
    /// The file with further authorities cannot be used.
    CaFile { problem: String },
    /// The server's own time for the call was used up before it could be sent.
    NoTimeLeft,
}

/// The fault of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is from no authority known here.
    UnknownAuthority {
        /// The variable that names the authorities in place of the system's.
        variable: Option<&'static str>,
    },
    /// It names an authority that is known here, and another key has signed it.
    AnotherKey,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is for other names.
    AnotherName { names: Vec<String> },
    /// It has no subjectAltName.
    NoName,
    /// It is that of an authority, which must not be a server's.
    OfAnAuthority,
    /// Its authority must not issue certificates for this host.
    NameConstraint,
    /// It may be used by clients, or for something else, but not by servers.
    NotForServers,
    /// It was issued by a certificate that must not issue any.
    IssuerIsNone,
    /// It was revoked.
    Revoked,
    /// It is of an old form, or signed in an old way.
    Outdated,
    /// It cannot be read, or asks for something unknown.
    Unreadable,
}

/// The fault of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFault {
    /// It could not be reached.
    NotReached,
    /// It is to be reached by TLS, and answers with something else.
    NotTls,
    /// Its own certificate was not accepted.
    Certificate,
    /// It did not connect to the host.
    Refused,
    /// It wants a login.
    Login,
    /// The connection through it took too long.
    TimedOut,
}
