//! TLS and proxies: a real TLS server before the sandbox, and a real proxy on the way to it.

use std::sync::{Arc, Mutex};

use apc_sandbox::{Persona, Sandbox};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, NameConstraints, date_time_ymd,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::harness::*;

/// A name that nobody resolves.
const HOST: &str = "houston.example.test";

/// A certificate authority of our own.
struct Authority {
    pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The configuration of a server with a certificate of this authority.
    fn server(&self, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
        self.server_with(names, |params| {
            params.not_before = date_time_ymd(years.0, 1, 1);
            params.not_after = date_time_ymd(years.1, 1, 1);
        })
    }

    fn server_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server_of(certificate.der().clone(), &key)
    }

    /// The configuration of a server with the certificate of the authority itself.
    fn itself(&self) -> Arc<ServerConfig> {
        server_of(self.certificate.clone(), self.issuer.key())
    }

    fn good_server(&self) -> Arc<ServerConfig> {
        self.server(&["127.0.0.1", "localhost", HOST], (2020, 2100))
    }
}

fn server_of(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

/// The sandbox behind TLS. Gives back the port.
async fn secured(sandbox: &Sandbox, config: Arc<ServerConfig>) -> u16 {
    let target = address(sandbox);
    listen(move |stream| {
        let (acceptor, target) = (TlsAcceptor::from(Arc::clone(&config)), target.clone());
        async move {
            let Ok(mut near) = acceptor.accept(stream).await else {
                return;
            };
            let mut far = TcpStream::connect(target).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    })
    .await
}

fn address(sandbox: &Sandbox) -> String {
    let url = sandbox.url();
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");
    address.to_owned()
}

/// Treats every connection so, for as long as the test lasts.
async fn listen<F, W>(mut treat: F) -> u16
where
    F: FnMut(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    port
}

/// A proxy that connects to one port, whatever it is asked for, and remembers what that was.
struct Proxy {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn to(port: u16, login: Option<&'static str>) -> Self {
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        let own = listen(move |mut stream| {
            let seen = Arc::clone(&seen);
            async move {
                let head = read_head(&mut stream).await;
                seen.lock().unwrap().push(head.clone());
                let welcome = login.is_none_or(|login| head.contains(login));
                if !welcome {
                    let no = b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(no).await;
                    return;
                }
                let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await;
                let _ = copy_bidirectional(&mut stream, &mut far).await;
            }
        })
        .await;
        Self {
            url: format!("http://127.0.0.1:{own}"),
            heads,
        }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A program for the sandbox behind TLS at this port, which trusts the authority by the environment.
fn program(sandbox: &Sandbox, host: &str, port: u16, trusted: &Authority) -> Program {
    let program = Program::at(sandbox, Persona::WorkspaceAdmin).file("trusted.pem", &trusted.pem);
    let bundle = program.path("trusted.pem");
    program
        .env("APC_API_URL", format!("https://{host}:{port}/v1"))
        .env("SSL_CERT_FILE", bundle)
}

async fn works(program: Program) {
    let mut session = program.serve(Era::USUAL).await;
    let found = session
        .call("get_service_accounts", json!({"workspace_id": ANALYTICS}))
        .await;
    assert_eq!(found.structured()["total"], 4);
    let new = json!({"label": "secured", "workspace_id": ANALYTICS});
    let created = session.call("create_service_account", new).await;
    assert_eq!(created.account()["label"], "secured");
}

/// Every tool is refused with this code and these words, and the sandbox sees nothing.
async fn refused(sandbox: &Sandbox, program: Program, code: &str, says: &[&str]) {
    let mut session = program.serve(Era::USUAL).await;
    for (tool, arguments) in [
        ("get_service_accounts", json!({"workspace_id": ANALYTICS})),
        (
            "create_service_account",
            json!({"label": "x", "workspace_id": ANALYTICS}),
        ),
        (
            "delete_service_account",
            json!({"service_account_id": CI_DEPLOY, "workspace_id": ANALYTICS}),
        ),
    ] {
        let refused = session.call(tool, arguments).await;
        assert_says(refused.refusal(code), says);
        assert_says(refused.text(), &["Nothing was sent"]);
    }
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn a_private_authority_is_trusted_by_the_setting_or_the_environment() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let port = secured(&sandbox, ours.good_server()).await;
    works(program(&sandbox, "127.0.0.1", port, &ours)).await;
    let with_setting = |trusted| {
        let program = program(&sandbox, "localhost", port, trusted).file("ours.pem", &ours.pem);
        let path = program.path("ours.pem");
        (program, path)
    };
    sandbox
        .handle()
        .remove_account(&truth(&sandbox.handle(), "secured").id);
    let (by_variable, path) = with_setting(&other);
    works(by_variable.env("APC_CA_CERT", path)).await;
    sandbox
        .handle()
        .remove_account(&truth(&sandbox.handle(), "secured").id);
    let (by_flag, path) = with_setting(&other);
    works(by_flag.args(&["--ca-cert", &path])).await;
}

#[tokio::test]
async fn the_setting_stands_beside_the_system_s_authorities_and_does_not_replace_them() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let port = secured(&sandbox, ours.good_server()).await;
    let program = program(&sandbox, "127.0.0.1", port, &ours).file("other.pem", &other.pem);
    let path = program.path("other.pem");
    works(program.env("APC_CA_CERT", path)).await;
}

#[tokio::test]
async fn an_unknown_authority_is_named_with_the_way_out() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let port = secured(&sandbox, ours.good_server()).await;
    let program = program(&sandbox, "127.0.0.1", port, &other);
    let says = [
        "127.0.0.1",
        "authority",
        "SSL_CERT_FILE is set, so only the authorities that it names count",
        "--ca-cert",
        "APC_CA_CERT",
    ];
    refused(&sandbox, program, "unreachable", &says).await;
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_named_as_what_it_is() {
    let ours = Authority::new("ours");
    let other = Authority::new("other");
    let narrow = Authority::with("narrow", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("elsewhere.test".to_owned())],
            excluded_subtrees: Vec::new(),
        });
    });
    let of_old = Authority::new("ours");
    let here = ["localhost"];
    let for_clients = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    let faults = [
        (
            &ours,
            ours.server(&here, (2010, 2020)),
            vec!["has expired", "clock"],
        ),
        (
            &ours,
            ours.server(&here, (2090, 2100)),
            vec!["not valid yet", "clock"],
        ),
        (
            &ours,
            ours.server(&["elsewhere.test"], (2020, 2100)),
            vec!["for another name: 'elsewhere.test'", "typing error"],
        ),
        (
            &ours,
            ours.server(&[], (2020, 2100)),
            vec!["names no host", "subjectAltName"],
        ),
        (&ours, ours.itself(), vec!["authority itself"]),
        (&other, ours.itself(), vec!["authority itself"]),
        (
            &of_old,
            ours.server(&here, (2020, 2100)),
            vec![
                "signed with another key",
                "APC_CA_CERT",
                "SSL_CERT_FILE",
                "present certificate",
            ],
        ),
        (
            &narrow,
            narrow.server(&here, (2020, 2100)),
            vec!["name constraints"],
        ),
        (
            &ours,
            ours.server_with(&here, for_clients),
            vec!["not one for servers", "extended key usage"],
        ),
        (
            &other,
            ours.server(&here, (2020, 2100)),
            vec![
                "authority that this machine does not know",
                "SSL_CERT_FILE is set",
                "APC_CA_CERT",
            ],
        ),
    ];
    for (trusted, config, mut says) in faults {
        let sandbox = Sandbox::start(0).await.unwrap();
        let port = secured(&sandbox, config).await;
        let strict = program(&sandbox, "localhost", port, trusted);
        let at = format!("localhost:{port}");
        says.push(&at);
        refused(&sandbox, strict, "unreachable", &says).await;
        let lax = program(&sandbox, "localhost", port, trusted).args(&["--insecure"]);
        works(lax).await;
    }
}

#[tokio::test]
async fn without_verification_everything_works_and_a_warning_stands_on_stderr() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let port = secured(&sandbox, ours.good_server()).await;
    let program = program(&sandbox, "127.0.0.1", port, &other).env("APC_INSECURE", "true");
    let mut session = program.serve(Era::USUAL).await;
    let found = session
        .call("get_service_accounts", json!({"workspace_id": ANALYTICS}))
        .await;
    assert_eq!(found.structured()["total"], 4);
    assert!(session.close_stdin_and_wait().await.success());
    let stderr = session.stderr().await;
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_says(&stderr, &["WARN", "--insecure", "not verified"]);
}

#[tokio::test]
async fn a_machine_without_authorities_is_told_so() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let empty = || {
        let program = program(&sandbox, "127.0.0.1", port, &ours)
            .file("empty.pem", "")
            .file("none/readme", "no certificate");
        let (file, folder) = (program.path("empty.pem"), program.path("none"));
        [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder)]
            .into_iter()
            .fold(program, |program, (name, path)| program.env(name, path))
    };
    let says = [
        "no trusted certificate authorities",
        "--ca-cert",
        "SSL_CERT_FILE",
    ];
    refused(&sandbox, empty(), "unreachable", &says).await;
    let missing = empty().env("SSL_CERT_FILE", "/nowhere/at/all.pem");
    refused(
        &sandbox,
        missing,
        "unreachable",
        &["SSL_CERT_FILE is set", "--ca-cert"],
    )
    .await;
    let unset = empty().without("SSL_CERT_FILE");
    refused(&sandbox, unset, "unreachable", &["SSL_CERT_DIR is set"]).await;
    let helped = empty();
    let path = helped.path("trusted.pem");
    works(helped.env("APC_CA_CERT", path)).await;
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_is_a_setting_to_mend() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (file, text) in [
        ("missing.pem", None),
        ("empty.pem", Some("")),
        ("prose.pem", Some("no certificate")),
        ("broken.pem", Some(broken)),
        ("half.pem", Some(&ours.pem[..ours.pem.len() / 2])),
    ] {
        let mut program = program(&sandbox, "127.0.0.1", port, &ours);
        if let Some(text) = text {
            program = program.file(file, text);
        }
        let path = program.path(file);
        let program = program.env("APC_CA_CERT", path);
        refused(
            &sandbox,
            program,
            "not_configured",
            &["--ca-cert", "APC_CA_CERT"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_file_of_authorities_may_begin_with_a_byte_order_mark_and_another_form_is_named() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let port = secured(&sandbox, ours.good_server()).await;
    let with = |bytes: &[u8]| {
        let program = program(&sandbox, "localhost", port, &other);
        let path = program.path("ours.pem");
        std::fs::write(&path, bytes).unwrap();
        program.env("APC_CA_CERT", path)
    };
    let units = ours.pem.encode_utf16().flat_map(u16::to_le_bytes);
    let utf16 = [b"\xff\xfe".to_vec(), units.collect()].concat();
    for (bytes, says) in [
        (&utf16[..], "UTF-16"),
        (&ours.certificate[..], "openssl x509"),
    ] {
        let says = ["APC_CA_CERT", says];
        refused(&sandbox, with(bytes), "not_configured", &says).await;
    }
    works(with(format!("\u{feff}{}", ours.pem).as_bytes())).await;
}

#[tokio::test]
async fn what_is_no_tls_server_is_unreachable() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let plain: u16 = address(&sandbox)
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let at_plain = program(&sandbox, "127.0.0.1", plain, &ours);
    let says = ["not TLS", "https", &format!("127.0.0.1:{plain}")];
    refused(&sandbox, at_plain, "unreachable", &says).await;
    let closing = listen(|stream| async move { drop(stream) }).await;
    let at_closing = program(&sandbox, "127.0.0.1", closing, &ours);
    let says = [
        "ended the connection before TLS",
        &format!("127.0.0.1:{closing}"),
    ];
    refused(&sandbox, at_closing, "unreachable", &says).await;
}

#[tokio::test]
async fn a_handshake_that_hangs_is_unreachable_in_time() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = listen(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let program = program(&sandbox, "127.0.0.1", port, &ours).env("APC_TIMEOUT", "2");
    refused(&sandbox, program, "unreachable", &["took too long"]).await;
}

// Proxies.

#[tokio::test]
async fn a_proxy_is_used_for_what_is_not_this_machine() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        let proxy = Proxy::to(port, None).await;
        works(program(&sandbox, HOST, 443, &ours).env(variable, &proxy.url)).await;
        sandbox
            .handle()
            .remove_account(&truth(&sandbox.handle(), "secured").id);
        let heads = proxy.heads();
        assert!(heads.len() >= 2, "{heads:?}");
        for head in heads {
            assert!(
                head.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")),
                "{head}"
            );
            assert!(!head.to_lowercase().contains("authorization"), "{head}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_told_from_an_api_that_does() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let proxy = Proxy::to(port, Some("Basic bWU6c2VjcmV0")).await;
    let without = program(&sandbox, HOST, 443, &ours).env("HTTPS_PROXY", &proxy.url);
    let says = ["proxy", "login", "HTTPS_PROXY", &proxy.url, "NO_PROXY"];
    refused(&sandbox, without, "unreachable", &says).await;
    let url = proxy.url.replace("http://", "http://me:secret@");
    works(program(&sandbox, HOST, 443, &ours).env("HTTPS_PROXY", url)).await;
}

#[tokio::test]
async fn a_fault_in_the_tls_of_a_proxy_is_told_as_the_proxy_s_own() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let plain = listen(|mut stream| async move {
        let _ = stream.read_u8().await;
        let no = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(no).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let private = secured(&sandbox, other.good_server()).await;
    for (port, says) in [
        (plain, ["speaks no TLS", "http:// in place of https://"]),
        (
            private,
            ["certificate of its own", "authority of the proxy"],
        ),
    ] {
        let address = format!("https://127.0.0.1:{port}");
        let program = program(&sandbox, HOST, 443, &ours).env("HTTPS_PROXY", &address);
        let says = [
            says[0],
            says[1],
            "The proxy on the way",
            &address,
            "HTTPS_PROXY",
        ];
        refused(&sandbox, program, "unreachable", &says).await;
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_help_is_named() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let refusing = listen(|mut stream| async move {
        read_head(&mut stream).await;
        let no = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(no).await;
    })
    .await;
    let hanging = listen(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    for (port, says) in [
        (refusing, "did not connect"),
        (hanging, "took too long"),
        (closed, "could not be reached"),
    ] {
        let address = format!("http://127.0.0.1:{port}");
        for variable in ["HTTPS_PROXY", "all_proxy"] {
            let program = program(&sandbox, HOST, 443, &ours)
                .env(variable, &address)
                .env("APC_TIMEOUT", "2");
            let says = [&format!("{HOST}:443"), "proxy", &address, variable, says];
            refused(&sandbox, program, "unreachable", &says).await;
        }
    }
}

/// One call that reads goes through.
async fn reads(program: Program) {
    let mut session = program.serve(Era::USUAL).await;
    let one = json!({"workspace_id": ANALYTICS});
    session.call("get_service_accounts", one).await.structured();
}

#[tokio::test]
async fn a_proxy_setting_that_applies_and_cannot_be_used_is_named() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let proxy = Proxy::to(port, None).await;
    let address = proxy.url.trim_start_matches("http://");
    let login = |password: &str| format!("http://me:{password}@{address}");
    for (value, says) in [
        (format!("socks5://{address}"), "SOCKS"),
        (format!("socks5h://{address}"), "SOCKS"),
        (format!("socks4://{address}"), "SOCKS"),
        (format!("ftp://{address}"), "scheme"),
        (format!("\"http://{address}\""), "quotes"),
        (format!("'http://{address}'"), "quotes"),
        ("${HTTPS_PROXY}".to_owned(), "placeholder"),
        ("$HTTPS_PROXY".to_owned(), "placeholder"),
        ("%HTTPS_PROXY%".to_owned(), "placeholder"),
        ("{env:HTTPS_PROXY}".to_owned(), "placeholder"),
        ("<your-proxy>".to_owned(), "placeholder"),
        ("[REDACTED]".to_owned(), "placeholder"),
        (login("ge#heim"), "%23"),
        (login("ge/heim"), "%2F"),
        (login("ge?heim"), "%3F"),
        (format!("http://corp\\me:geheim@{address}"), "%5C"),
        ("http://".to_owned(), "http://proxy.acme.dev:3128"),
        ("http://proxy:port".to_owned(), "http://proxy.acme.dev:3128"),
    ] {
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            let program = program(&sandbox, HOST, 443, &ours).env(variable, &value);
            let doctor = program.run_with(&["doctor"]).await;
            assert_says(
                &doctor.stdout,
                &[&format!("fail  proxy: {variable} "), says],
            );
            assert!(!doctor.stdout.contains("heim"), "{}", doctor.stdout);
            let mut session = program.serve(Era::USUAL).await;
            let one = json!({"workspace_id": ANALYTICS});
            let refused = session.call("get_service_accounts", one).await;
            let text = refused.refusal("not_configured");
            assert_says(
                text,
                &[
                    &format!("{variable} "),
                    says,
                    &format!("{HOST}:443"),
                    "Nothing was sent",
                ],
            );
            assert!(!text.contains("heim"), "{text}");
        }
    }
    assert_eq!(proxy.heads(), Vec::<String>::new());
    assert_eq!(sandbox.handle().requests(), []);
}

#[tokio::test]
async fn the_first_proxy_variable_that_is_set_counts_and_the_others_are_no_fault() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let proxy = Proxy::to(port, None).await;
    let good = proxy.url.as_str();
    for set in [
        [("HTTP_PROXY", "socks5://x"), ("HTTPS_PROXY", good)],
        [("http_proxy", "${X}"), ("https_proxy", good)],
        [("ALL_PROXY", "socks5://x"), ("HTTPS_PROXY", good)],
        [("all_proxy", "'x'"), ("https_proxy", good)],
        [("https_proxy", "socks5://x"), ("HTTPS_PROXY", good)],
        [("HTTPS_PROXY", ""), ("https_proxy", good)],
        [("HTTPS_PROXY", ""), ("ALL_PROXY", good)],
        [("ALL_PROXY", ""), ("all_proxy", good)],
        [("NO_PROXY", ""), ("HTTPS_PROXY", good)],
        [
            ("NO_PROXY", "other.test,${X}"),
            ("no_proxy", "example.test"),
        ],
    ] {
        let with = |program: Program, (name, value): &(&str, &str)| program.env(name, *value);
        let program = set.iter().fold(program(&sandbox, HOST, 443, &ours), with);
        if set[0].1.contains("other.test") {
            let program = program.env("HTTPS_PROXY", good);
            refused(
                &sandbox,
                program,
                "not_configured",
                &["NO_PROXY is ", "placeholder"],
            )
            .await;
        } else {
            let before = proxy.heads().len();
            reads(program).await;
            assert!(proxy.heads().len() > before, "{set:?}");
            sandbox.handle().clear_requests();
        }
    }
    for (broken, passed_over) in [
        ("HTTPS_PROXY", "https_proxy"),
        ("https_proxy", "ALL_PROXY"),
        ("ALL_PROXY", "all_proxy"),
    ] {
        let program = program(&sandbox, HOST, 443, &ours)
            .env(broken, "socks5://x")
            .env(passed_over, good);
        refused(
            &sandbox,
            program,
            "not_configured",
            &[&format!("{broken} names")],
        )
        .await;
    }
}

#[tokio::test]
async fn a_proxy_setting_that_does_not_apply_is_no_fault() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    for broken in ["socks5://x", "${HTTPS_PROXY}", "\"http://x\""] {
        let at = |host| {
            program(&sandbox, host, port, &ours)
                .env("HTTPS_PROXY", broken)
                .env("ALL_PROXY", broken)
        };
        reads(at("localhost")).await;
        reads(Program::at(&sandbox, Persona::WorkspaceAdmin).env("ALL_PROXY", broken)).await;
        sandbox.handle().clear_requests();
        let listed = at(HOST)
            .env("NO_PROXY", "*.example.test")
            .env("APC_TIMEOUT", "2");
        refused(&sandbox, listed, "unreachable", &["no address"]).await;
    }
}

#[tokio::test]
async fn a_password_may_hold_what_a_proxy_s_url_allows() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    for (password, login) in [
        ("p@ss", "Basic bWU6cEBzcw=="),
        ("p%23ss", "Basic bWU6cCNzcw=="),
        ("$ecret", "Basic bWU6JGVjcmV0"),
        ("ge${x}heim", "Basic bWU6Z2Uke3h9aGVpbQ=="),
    ] {
        let proxy = Proxy::to(port, Some(login)).await;
        let url = proxy
            .url
            .replace("http://", &format!("http://me:{password}@"));
        reads(program(&sandbox, HOST, 443, &ours).env("HTTPS_PROXY", url)).await;
        let bare = proxy.url.replace("http://", &format!("me:{password}@"));
        reads(program(&sandbox, HOST, 443, &ours).env("HTTPS_PROXY", bare)).await;
    }
}

#[tokio::test]
async fn a_list_of_hosts_that_nobody_filled_in_is_to_be_corrected_and_not_added_to() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    for variable in ["NO_PROXY", "no_proxy"] {
        let mut session = program(&sandbox, HOST, 443, &ours)
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env(variable, "${NO_PROXY}")
            .serve(Era::USUAL)
            .await;
        let one = json!({"workspace_id": ANALYTICS});
        let refused = session.call("get_service_accounts", one).await;
        let text = refused.refusal("not_configured");
        let says = format!("{variable} is '${{NO_PROXY}}', a placeholder");
        assert_says(text, &[&says, &format!("Correct or unset {variable}.")]);
        assert!(!text.contains("add "), "{text}");
    }
}

#[tokio::test]
async fn no_proxy_is_honoured_in_every_form_that_people_write() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let proxy = Proxy::to(port, None).await;
    let with = |list: &str| {
        program(&sandbox, HOST, 443, &ours)
            .env("HTTPS_PROXY", &proxy.url)
            .env("APC_TIMEOUT", "2")
            .env("NO_PROXY", list)
    };
    for list in [
        "example.test",
        ".example.test",
        "*.example.test",
        "houston.example.test:443",
        "*.example.test:443",
        "localhost example.test",
        " localhost , example.test ",
        "*",
        "\"localhost,example.test\"",
        "vault:8200,.example.test",
        "localhost;127.*;<local>;*.example.test",
    ] {
        // Nobody resolves the name, so without the proxy there is no way.
        refused(
            &sandbox,
            with(list),
            "unreachable",
            &["no address", &format!("{HOST}:443")],
        )
        .await;
        let lower = with("").env("no_proxy", list);
        refused(&sandbox, lower, "unreachable", &["no address"]).await;
    }
    assert_eq!(proxy.heads(), Vec::<String>::new());
    for list in [
        "",
        "other.test",
        "example.test:8443",
        "ample.test",
        "10.0.0.0/8",
        "vault:8200,.svc",
        "localhost;127.*;<local>",
    ] {
        let before = proxy.heads().len();
        reads(with(list)).await;
        assert!(proxy.heads().len() > before, "{list}");
    }
}

#[tokio::test]
async fn this_machine_is_never_reached_by_a_proxy() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let proxy = Proxy::to(port, None).await;
    let proxied = |program: Program| {
        ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy"]
            .into_iter()
            .fold(program, |program, name| program.env(name, &proxy.url))
    };
    for host in ["127.0.0.1", "localhost"] {
        works(proxied(program(&sandbox, host, port, &ours))).await;
        sandbox
            .handle()
            .remove_account(&truth(&sandbox.handle(), "secured").id);
    }
    works(proxied(Program::at(&sandbox, Persona::WorkspaceAdmin))).await;
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

#[tokio::test]
async fn plain_http_is_for_this_machine_alone() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let proxy = Proxy::to(1, None).await;
    for url in [
        "http://houston.example.test/v1",
        "http://192.0.2.1:8871/v1",
        "http://127.0.0.1.example.test/v1",
    ] {
        let mut session = Program::at(&sandbox, Persona::WorkspaceAdmin)
            .env("APC_API_URL", url)
            .env("HTTP_PROXY", &proxy.url)
            .serve(Era::USUAL)
            .await;
        let refused = session.call("get_service_accounts", json!({})).await;
        assert_says(refused.refusal("not_configured"), &["APC_API_URL", "https"]);
    }
    assert_eq!(proxy.heads(), Vec::<String>::new());
}
