//! Servers for tests: a thread for each connection, on loopback, for as long as the tests run.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use homestar_core::grant::{Grant, Grants};
use homestar_engine::drivers::http::{Http, HttpSettings, Request, Response};
use homestar_engine::drivers::resolver::{Resolver, ResolverSettings, Servers};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::runtime::Runtime;

/// A connection, with TLS or without.
pub(crate) trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// A runtime that all tests share: connections that are kept live on it.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// Serves plain connections on `127.0.0.1`, and returns the port.
pub(crate) fn serve(serve: impl Fn(&mut dyn Wire) + Send + Sync + 'static) -> u16 {
    serve_at("127.0.0.1", move |mut stream| serve(&mut stream))
}

/// Serves plain connections on some address, and returns the port.
pub(crate) fn serve_at(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Serves connections with TLS, as `localhost`, and returns the port.
pub(crate) fn serve_tls(
    alpn: &[&str],
    serve: impl Fn(&mut dyn Wire) + Send + Sync + 'static,
) -> u16 {
    let mut config = server_config();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let config = Arc::new(config);
    serve_at("127.0.0.1", move |stream| {
        let connection = ServerConnection::new(config.clone()).expect("a connection");
        serve(&mut StreamOwned::new(connection, stream));
    })
}

/// An authority that tests trust, and a certificate of it for `localhost` and `127.0.0.1`.
pub(crate) struct Authority {
    pub(crate) authority_pem: String,
    pub(crate) certificate_pem: String,
    pub(crate) key: KeyPair,
}

pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(make_authority)
}

pub(crate) fn make_authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer_key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&issuer_key).expect("an authority");
    let issuer = Issuer::new(params, issuer_key);
    let names = ["localhost", "127.0.0.1", "host.test"].map(str::to_owned);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    Authority {
        authority_pem: authority.pem(),
        certificate_pem: certificate.pem(),
        key,
    }
}

fn server_config() -> ServerConfig {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let authority = authority();
    let certificate = CertificateDer::from_pem_slice(authority.certificate_pem.as_bytes());
    let key = PrivateKeyDer::try_from(authority.key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("a certificate")], key)
        .expect("a configuration")
}

/// Reads a request with its body, which is as long as `content-length` says or comes in chunks.
pub(crate) fn read_request(wire: &mut (impl Read + ?Sized)) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        receive(wire, &mut bytes)?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_lowercase();
    let mut body = bytes.split_off(head_end);
    if head.contains("transfer-encoding: chunked") {
        while !body.ends_with(b"0\r\n\r\n") {
            receive(wire, &mut body)?;
        }
    } else if let Some((_, length)) = head.split_once("content-length: ") {
        let length: usize = length.lines().next()?.parse().ok()?;
        while body.len() < length {
            receive(wire, &mut body)?;
        }
    }
    Some((String::from_utf8_lossy(&bytes).into_owned(), body))
}

fn receive(wire: &mut (impl Read + ?Sized), bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    match wire.read(&mut buffer) {
        Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
        _ => return None,
    }
    Some(())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Answers each request with the same bytes.
pub(crate) fn answer(response: impl Into<Vec<u8>>) -> impl Fn(&mut dyn Wire) + Send + Sync {
    let response = response.into();
    move |wire| {
        while read_request(wire).is_some() {
            if wire
                .write_all(&response)
                .and_then(|()| wire.flush())
                .is_err()
            {
                return;
            }
        }
    }
}

/// Waits until the other side goes away.
pub(crate) fn wait_for_end(wire: &mut dyn Wire) {
    let mut bytes = Vec::new();
    while receive(wire, &mut bytes).is_some() {
        bytes.clear();
    }
}

/// A name server that gives the answers of a function, and none where it gives none.
pub(crate) fn name_server(
    answers: impl Fn(&str, RecordType) -> Option<Result<Vec<RData>, ResponseCode>> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = Message::from_vec(&buffer[..length]).expect("a message");
            if let Some(reply) = reply(&query, &answers) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    address
}

/// The reply to a query.
pub(crate) fn reply(
    query: &Message,
    answers: &impl Fn(&str, RecordType) -> Option<Result<Vec<RData>, ResponseCode>>,
) -> Option<Vec<u8>> {
    let question = query.queries.first()?.clone();
    let name: Name = question.name().clone();
    let answer = answers(&name.to_ascii(), question.query_type())?;
    let mut reply = Message::response(query.id, query.op_code);
    reply.add_query(question);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    match answer {
        Ok(records) => {
            // Without time to live, so that every lookup asks.
            reply.add_answers(
                records
                    .into_iter()
                    .map(|data| Record::from_rdata(name.clone(), 0, data)),
            );
        }
        Err(code) => reply.metadata.response_code = code,
    }
    Some(reply.to_vec().expect("a reply"))
}

/// A resolver that asks one server, and does not wait long.
pub(crate) fn resolver(server: SocketAddr) -> Resolver {
    Resolver::new(ResolverSettings {
        servers: Servers::Addresses(vec![server]),
        ..ResolverSettings::default()
    })
}

/// The addresses of a name, as records of one type.
pub(crate) fn records(addresses: &[&str], record_type: RecordType) -> Vec<RData> {
    let data = addresses
        .iter()
        .map(|address| RData::from(address.parse::<IpAddr>().expect("an address")));
    data.filter(|data| data.record_type() == record_type)
        .collect()
}

/// A driver that trusts the tests' authority.
pub(crate) fn http(resolver: Resolver) -> Http {
    let file = authority_file(authority());
    let settings = HttpSettings {
        authorities: vec![file.path().to_owned()],
    };
    Http::new(&settings, Arc::new(resolver)).expect("a driver")
}

pub(crate) fn authority_file(authority: &Authority) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &authority.authority_pem).expect("a file that is written");
    file
}

pub(crate) fn write(folder: &std::path::Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file that is written");
    path
}

pub(crate) fn grants(texts: &[&str]) -> Grants {
    Grants::new(
        texts
            .iter()
            .map(|text| Grant::parse(text).expect("a grant"))
            .collect(),
    )
}

pub(crate) fn get(url: &str) -> Request {
    request("GET", url)
}

pub(crate) fn request(method: &str, url: &str) -> Request {
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        ..Request::default()
    }
}

/// Reads a body to its end.
pub(crate) async fn read(response: &mut Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.body.chunk().await.expect("a body") {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

/// A header's value.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut headers = response.headers.iter();
    headers
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}
