//! HTTP with nginx and name resolution with NSD, as Debian has them.
//!
//! Where they are not installed these tests are skipped, but in CI (the environment variable `CI` or `HOMESTAR_CI` is
//! set) they fail.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use homestar_core::grant::{Grants, Secrets};
use homestar_engine::drivers::dns::{Answer, Caa, Data, Error, Mx, RecordType, Srv, lookup};
use homestar_engine::drivers::http::{self, Http, HttpSettings, Request, Response};
use homestar_engine::drivers::resolver::Resolver;
use rustix::process::{Pid, Signal, kill_process};

use super::net_server::*;

/// A program that runs until it is dropped, in a folder of its own.
pub(crate) struct Program {
    child: Child,
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Program {
    /// The signal lets the program end its own children.
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Starts a program, and waits until it says on standard error that it is ready. None if it isn't installed and
/// tests may be skipped.
fn start(
    program: &str,
    package: &str,
    prepare: impl Fn(&Path, u16) -> Vec<String>,
    ready: &str,
) -> Option<Program> {
    let mut said = Vec::new();
    // A port that was free may be somebody else's by now.
    for _ in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut child = match spawn(program, prepare(folder.path(), port)) {
            Ok(child) => child,
            Err(error) => {
                skip(&format!(
                    "{program}: {error}; `apt-get install {package}` installs it"
                ));
                return None;
            }
        };
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut lines = stderr.lines().map_while(Result::ok);
        let is_ready = lines.by_ref().any(|line| {
            let is_ready = line.contains(ready);
            said.push(line);
            is_ready
        });
        // Who writes into a pipe that nobody reads stops.
        std::thread::spawn(move || lines.for_each(drop));
        let program = Program {
            child,
            port,
            folder,
        };
        if is_ready {
            return Some(program);
        }
    }
    panic!("{}", said.join("\n"));
}

fn spawn(program: &str, arguments: Vec<String>) -> io::Result<Child> {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new(program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Says why a test doesn't run. In CI, it has to.
fn skip(why: &str) {
    let mut names = ["CI", "HOMESTAR_CI"].iter();
    assert!(!names.any(|name| std::env::var_os(name).is_some()), "{why}");
    eprintln!("skipped: {why}");
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

const NGINX: &str = r#"
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    types { text/plain txt; }
    default_type application/octet-stream;
    server {
        listen 127.0.0.1:PORT ssl PROTOCOL;
        server_name localhost;
        ssl_certificate certificate.pem;
        ssl_certificate_key key.pem;
        root www;
        client_max_body_size 64k;
        add_header X-Protocol $server_protocol always;
        add_header X-Connection $connection always;
        add_header X-Length $content_length always;
        gzip on;
        gzip_types text/plain;
        gzip_min_length 1;
        location = /made { if ($request_method = POST) { return 201 "made"; } return 405; }
        location = /moved { return 301 /made; }
    }
}
"#;

/// nginx over TLS, with HTTP/2 if `protocol` says so.
pub(crate) fn nginx(protocol: &str) -> Option<Program> {
    let prepare = |folder: &Path, port: u16| {
        let config = NGINX
            .replace("PORT", &port.to_string())
            .replace("PROTOCOL", protocol);
        write(folder, "nginx.conf", &config);
        write(folder, "certificate.pem", &authority().certificate_pem);
        write(folder, "key.pem", &authority().key.serialize_pem());
        fs::create_dir(folder.join("www")).expect("a folder");
        write(
            &folder.join("www"),
            "a.txt",
            &"the same over and over\n".repeat(1000),
        );
        let folder = folder.display().to_string();
        ["-p", &folder, "-c", "nginx.conf", "-e", "stderr"]
            .map(str::to_owned)
            .into()
    };
    start("nginx", "nginx-light", prepare, "event method")
}

/// nginx, and a driver for what is asked of it.
struct Site {
    nginx: Program,
    http: Http,
}

impl Site {
    fn new(protocol: &str) -> Option<Self> {
        let nginx = nginx(protocol)?;
        let http = http(Resolver::default());
        Some(Self { nginx, http })
    }

    /// Sends a request, and returns the response and its body.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (Response, Vec<u8>) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = Request {
            headers: headers.collect(),
            body: body.to_vec(),
            ..request(
                method,
                &format!("https://localhost:{}{path}", self.nginx.port),
            )
        };
        let granted = grants(&["https=localhost:*"]);
        runtime().block_on(async {
            let sent = self
                .http
                .send(&granted.clone().into(), &Secrets::default(), request)
                .await;
            let mut response = sent.expect("a response");
            let body = read(&mut response).await;
            (response, body)
        })
    }
}

fn exchanges(protocol: &str, version: &str) {
    let Some(site) = Site::new(protocol) else {
        return;
    };
    let text = fs::read(site.nginx.folder.path().join("www/a.txt")).unwrap();

    let (response, body) = site.send("GET", "/a.txt", &[], b"");
    assert_eq!((response.status, body == text), (200, true));
    assert_eq!(header(&response, "x-protocol"), Some(version));
    assert_eq!(header(&response, "content-type"), Some("text/plain"));
    assert_eq!(header(&response, "content-length"), Some("23000"));

    let (response, body) = site.send("HEAD", "/a.txt", &[], b"");
    assert_eq!((response.status, body.len()), (200, 0));
    assert_eq!(header(&response, "content-length"), Some("23000"));

    let (response, body) = site.send("GET", "/a.txt", &[("accept-encoding", "gzip")], b"");
    assert_eq!(header(&response, "content-encoding"), Some("gzip"));
    assert_eq!(header(&response, "content-length"), None);
    assert!(body.starts_with(&[0x1f, 0x8b]) && body.len() < 1000);

    let (response, body) = site.send("GET", "/a.txt", &[("range", "bytes=4-7")], b"");
    assert_eq!((response.status, body), (206, b"same".to_vec()));

    let (response, body) = site.send("POST", "/made", &[], b"something");
    assert_eq!((response.status, body), (201, b"made".to_vec()));
    assert_eq!(header(&response, "x-length"), Some("9"));
    let (response, _) = site.send("POST", "/made", &[], b"");
    assert_eq!(
        (response.status, header(&response, "x-length")),
        (201, Some("0"))
    );

    assert_eq!(site.send("GET", "/absent", &[], b"").0.status, 404);
    let (response, _) = site.send("GET", "/moved", &[], b"");
    assert_eq!(response.status, 301);
    assert!(header(&response, "location").unwrap().ends_with("/made"));

    // A connection is free for the next request a moment after a body was read.
    let mut connections = (0..1000).map(|_| {
        let (response, _) = site.send("GET", "/a.txt", &[], b"");
        header(&response, "x-connection").unwrap().to_owned()
    });
    let mut seen = HashSet::new();
    assert!(
        connections.any(|connection| !seen.insert(connection)),
        "none is used twice"
    );
    assert_eq!(
        site.send("PUT", "/a.txt", &[], &[b'x'; 100_000]).0.status,
        413
    );
}

#[test]
fn nginx_over_http_1() {
    exchanges("", "HTTP/1.1");
}

#[test]
fn nginx_over_http_2() {
    exchanges("http2", "HTTP/2.0");
}

#[test]
fn nginx_is_not_trusted_without_its_authority() {
    let Some(nginx) = nginx("") else {
        return;
    };
    let http = Http::new(&HttpSettings::default(), Arc::new(Resolver::default())).unwrap();
    let request = get(&format!("https://localhost:{}/", nginx.port));
    let granted = grants(&["https=localhost:*"]);
    let sent = runtime().block_on(http.send(&granted.clone().into(), &Secrets::default(), request));
    assert!(matches!(sent, Err(http::Error::Tls(_))), "{sent:?}");
}

const ZONE: &str = r#"
$ORIGIN example.test.
$TTL 300
@           SOA   ns hostmaster 1 3600 600 86400 60
@           NS    ns
@           MX    10 mail
@           CAA   128 issue "ca.example.test; account=7"
@           TXT   "one" "two and \255"
ns          A     127.0.0.1
mail        A     192.0.2.25
mail        AAAA  2001:db8::25
www         CNAME mail
_sip._tcp   SRV   1 2 5060 mail
long        TXT   LONG
"#;

const REVERSE: &str = r#"
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@           SOA   ns.example.test. hostmaster.example.test. 1 3600 600 86400 60
@           NS    ns.example.test.
25          PTR   mail.example.test.
"#;

const NSD: &str = r#"
server:
    ip-address: 127.0.0.1@PORT
    zonesdir: "FOLDER"
    pidfile: "FOLDER/nsd.pid"
    xfrdfile: "FOLDER/xfrd.state"
    zonelistfile: "FOLDER/zone.list"
    xfrdir: "FOLDER"
    database: ""
    username: ""
    server-count: 1
    verbosity: 1
remote-control:
    control-enable: no
zone:
    name: example.test
    zonefile: example.test.zone
zone:
    name: 2.0.192.in-addr.arpa
    zonefile: reverse.zone
"#;

fn nsd() -> Option<Program> {
    let prepare = |folder: &Path, port: u16| {
        let long = format!("\"{}\" ", "x".repeat(250)).repeat(10);
        write(folder, "example.test.zone", &ZONE.replace("LONG", &long));
        write(folder, "reverse.zone", REVERSE);
        let config = NSD.replace("PORT", &port.to_string());
        let config = config.replace("FOLDER", &folder.display().to_string());
        let config = write(folder, "nsd.conf", &config);
        ["-d", "-c", &config.display().to_string()]
            .map(str::to_owned)
            .into()
    };
    start("nsd", "nsd", prepare, "nsd started")
}

#[test]
fn nsd_answers_for_each_type() {
    let Some(nsd) = nsd() else {
        return;
    };
    let resolver = resolver(SocketAddr::from((Ipv4Addr::LOCALHOST, nsd.port)));
    let look = |name: &str, record_type| {
        runtime().block_on(lookup(
            &resolver,
            &Grants::everything().into(),
            name,
            record_type,
        ))
    };
    let name = |text: &str| text.to_owned();
    let caa = Caa {
        critical: true,
        tag: name("issue"),
        value: b"ca.example.test; account=7".to_vec(),
    };
    let srv = Srv {
        priority: 1,
        weight: 2,
        port: 5060,
        target: name("mail.example.test"),
    };
    let mx = Mx {
        preference: 10,
        exchange: name("mail.example.test"),
    };
    for (asked, record_type, data) in [
        (
            "mail.example.test",
            RecordType::A,
            Data::A(name("192.0.2.25")),
        ),
        (
            "mail.example.test",
            RecordType::Aaaa,
            Data::Aaaa(name("2001:db8::25")),
        ),
        ("example.test", RecordType::Caa, Data::Caa(caa)),
        (
            "www.example.test",
            RecordType::Cname,
            Data::Cname(name("mail.example.test")),
        ),
        ("example.test", RecordType::Mx, Data::Mx(mx)),
        (
            "example.test",
            RecordType::Ns,
            Data::Ns(name("ns.example.test")),
        ),
        (
            "25.2.0.192.in-addr.arpa",
            RecordType::Ptr,
            Data::Ptr(name("mail.example.test")),
        ),
        ("_sip._tcp.example.test", RecordType::Srv, Data::Srv(srv)),
        (
            "example.test",
            RecordType::Txt,
            Data::Txt(vec![b"one".to_vec(), b"two and \xff".to_vec()]),
        ),
    ] {
        let answers = look(asked, record_type).unwrap();
        let expected = Answer {
            name: name(asked),
            ttl: answers[0].ttl,
            data,
        };
        assert_eq!(answers, [expected]);
        assert!((1..=300).contains(&answers[0].ttl), "{}", answers[0].ttl);
    }
    let aliased = look("www.example.test", RecordType::A).unwrap();
    assert_eq!(aliased.len(), 1);
    assert_eq!(aliased[0].name, "mail.example.test");
    // Too long for UDP.
    let Data::Txt(parts) = &look("long.example.test", RecordType::Txt).unwrap()[0].data else {
        panic!("no text");
    };
    assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 2500);

    assert_eq!(look("mail.example.test", RecordType::Mx), Ok(vec![]));
    assert_eq!(
        look("absent.example.test", RecordType::A),
        Err(Error::NotFound)
    );
    let refused = look("example.org", RecordType::A);
    assert!(
        matches!(&refused, Err(Error::Failed(text)) if text.contains("Refused")),
        "{refused:?}"
    );
}

#[test]
fn names_of_nsd_lead_to_nginx() {
    let (Some(nsd), Some(nginx)) = (nsd(), nginx("http2")) else {
        return;
    };
    let http = http(resolver(SocketAddr::from((Ipv4Addr::LOCALHOST, nsd.port))));
    let request = get(&format!("https://ns.example.test:{}/", nginx.port));
    let send = |granted: &[&str]| {
        let granted = grants(granted);
        runtime().block_on(http.send(
            &granted.clone().into(),
            &Secrets::default(),
            request.clone(),
        ))
    };
    let denied = send(&["https=*.example.test:*"]).unwrap_err();
    assert!(
        matches!(&denied, http::Error::Denied(text) if text.contains("127.0.0.1")),
        "{denied:?}"
    );
    // Let through, it finds a certificate for another name.
    let error = send(&["https=*.example.test:*", "net=127.0.0.1"]).unwrap_err();
    assert!(matches!(error, http::Error::Tls(_)), "{error:?}");
}
