//! TLS and proxies: a real TLS server before the sandbox, and a real proxy on the way to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apc_sandbox::{Persona, Sandbox};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::harness::*;

/// A name that nobody resolves.
const HOST: &str = "houston.example.test";

/// A certificate authority of our own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// What a server with a certificate of this authority shows.
    fn server(&self, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.unwrap())
    }

    fn good_server(&self) -> Arc<ServerConfig> {
        self.server(&["127.0.0.1", "localhost", HOST], (2020, 2100))
    }
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
    let says = ["127.0.0.1", "authority", "--ca-cert", "APC_CA_CERT"];
    refused(&sandbox, program, "unreachable", &says).await;
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_named_as_what_it_is() {
    let ours = Authority::new("ours");
    for (names, years, says) in [
        (["127.0.0.1"], (2010, 2020), ["has expired", "clock"]),
        (["127.0.0.1"], (2090, 2100), ["not valid yet", "clock"]),
        (
            ["elsewhere.example.test"],
            (2020, 2100),
            ["another name", "typing error"],
        ),
    ] {
        let sandbox = Sandbox::start(0).await.unwrap();
        let port = secured(&sandbox, ours.server(&names, years)).await;
        let strict = program(&sandbox, "127.0.0.1", port, &ours);
        refused(&sandbox, strict, "unreachable", &says).await;
        let lax = program(&sandbox, "127.0.0.1", port, &ours).args(&["--insecure"]);
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
    refused(&sandbox, missing, "unreachable", &["--ca-cert"]).await;
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
    refused(&sandbox, at_plain, "unreachable", &["https"]).await;
    let closing = listen(|stream| async move { drop(stream) }).await;
    let at_closing = program(&sandbox, "127.0.0.1", closing, &ours);
    refused(&sandbox, at_closing, "unreachable", &["127.0.0.1"]).await;
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
    let began = Instant::now();
    refused(&sandbox, program, "unreachable", &["took too long"]).await;
    assert!(began.elapsed() < Duration::from_secs(20));
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
    let says = ["proxy", "login", "HTTPS_PROXY", "NO_PROXY"];
    refused(&sandbox, without, "unreachable", &says).await;
    let url = proxy.url.replace("http://", "http://me:secret@");
    works(program(&sandbox, HOST, 443, &ours).env("HTTPS_PROXY", url)).await;
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
        (refusing, "proxy"),
        (hanging, "took too long"),
        (closed, "proxy"),
    ] {
        let program = program(&sandbox, HOST, 443, &ours)
            .env("HTTPS_PROXY", format!("http://127.0.0.1:{port}"))
            .env("APC_TIMEOUT", "2");
        refused(&sandbox, program, "unreachable", &[HOST, says]).await;
    }
}

#[tokio::test]
async fn no_proxy_is_honoured() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let ours = Authority::new("ours");
    let port = secured(&sandbox, ours.good_server()).await;
    let proxy = Proxy::to(port, None).await;
    let program = program(&sandbox, HOST, 443, &ours)
        .env("HTTPS_PROXY", &proxy.url)
        .env("NO_PROXY", "example.test");
    // Nobody resolves the name, so without the proxy there is no way.
    refused(&sandbox, program, "unreachable", &[HOST]).await;
    assert_eq!(proxy.heads(), Vec::<String>::new());
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
