//! Where requests may go: addresses that are closed, names that point there, and connections that are kept.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use hickory_resolver::proto::rr::RecordType;
use homestar_core::grant::{Grants, Secrets};
use homestar_engine::drivers::http::{Error, Http};
use homestar_engine::drivers::resolver::Resolver;

use super::net_server::*;

/// Any name and any public address.
fn anyone() -> Grants {
    grants(&["https=*:*", "https=http://*:*"])
}

async fn body(http: &Http, grants: &Grants, url: &str) -> Result<String, Error> {
    let mut response = http
        .send(&grants.clone().into(), &Secrets::default(), get(url))
        .await?;
    Ok(String::from_utf8(read(&mut response).await).unwrap())
}

/// A server on all addresses that says on which one it was reached.
fn whereabouts() -> (u16, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    let port = serve_at("0.0.0.0", move |mut stream: TcpStream| {
        counter.fetch_add(1, Ordering::SeqCst);
        let address = stream.local_addr().unwrap().ip().to_string();
        let length = address.len();
        answer(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{address}"
        ))(&mut stream);
    });
    (port, connections)
}

/// A resolver whose names all have the same addresses.
fn pointing(addresses: &'static [&'static str]) -> Resolver {
    resolver(name_server(move |_, record_type| {
        Some(Ok(records(addresses, record_type)))
    }))
}

#[test]
fn closed_addresses_are_denied_however_they_are_written() {
    let (port, connections) = whereabouts();
    let http = http(pointing(&[]));
    for host in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[::1]",
        "[::]",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.0.0.1.",
        "0",
        "localhost",
        "localhost.",
        "a.LOCALHOST",
        "①②⑦.⓪.⓪.①",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = runtime()
            .block_on(body(&http, &anyone(), &url))
            .unwrap_err();
        assert!(
            matches!(&error, Error::Denied(text) if text.contains("--allow")),
            "{url}: {error:?}"
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[test]
fn a_name_that_points_to_a_closed_address_is_denied() {
    let (port, connections) = whereabouts();
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["10.0.0.1", "169.254.169.254"],
    ] {
        let http = http(pointing(addresses));
        let url = format!("http://rebound.test.:{port}/");
        let error = runtime()
            .block_on(body(&http, &anyone(), &url))
            .unwrap_err();
        let Error::Denied(text) = &error else {
            panic!("{addresses:?}: {error:?}");
        };
        assert!(text.contains(addresses[0]) || text.contains("::"), "{text}");
        assert!(text.starts_with("rebound.test is at "), "{text}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[test]
fn of_several_addresses_only_those_that_are_open_are_tried() {
    let (port, _) = whereabouts();
    let http = http(pointing(&["127.0.0.1", "127.0.0.2", "127.0.0.3"]));
    let granted = anyone().and(&Grants::everything());
    let only = |net: &str| granted.and(&grants(&["https=http://*:*", net]));
    let url = format!("http://host.test:{port}/");
    for address in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
        let both = grants(&["https=http://*:*", "net=127.0.0.0/8"])
            .and(&grants(&["https=http://*:*", &format!("net={address}")]));
        assert_eq!(
            runtime().block_on(body(&http, &both, &url)).as_deref(),
            Ok(address)
        );
    }
    // One of two sets that must agree opens nothing.
    let error = runtime()
        .block_on(body(&http, &only("net=127.0.0.1"), &url))
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
}

#[test]
fn a_name_is_looked_up_once() {
    let (port, connections) = whereabouts();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    // What is open at first, and closed whenever it is asked again.
    let server = name_server(move |_, record_type| {
        if record_type != RecordType::A {
            return Some(Ok(vec![]));
        }
        let address = ["127.0.0.2", "127.0.0.1"][counter.fetch_add(1, Ordering::SeqCst).min(1)];
        Some(Ok(records(&[address], record_type)))
    });
    let granted = grants(&["https=http://host.test:*", "net=127.0.0.2"]);
    let http = http(resolver(server));
    let url = format!("http://host.test:{port}/");
    assert_eq!(
        runtime().block_on(body(&http, &granted, &url)).as_deref(),
        Ok("127.0.0.2")
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let error = runtime().block_on(body(&http, &granted, &url)).unwrap_err();
    assert!(
        matches!(&error, Error::Denied(text) if text.contains("127.0.0.1")),
        "{error:?}"
    );
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kept_connection_serves_only_who_may_reach_its_end() {
    let (port, connections) = whereabouts();
    let http = http(pointing(&["127.0.0.1", "127.0.0.2"]));
    let url = format!("http://host.test:{port}/");
    let wide = grants(&["https=http://*:*", "net=127.0.0.1"]);
    let narrow = grants(&["https=http://*:*", "net=127.0.0.2"]);
    runtime().block_on(async {
        for sent in (2..2000).step_by(2) {
            assert_eq!(body(&http, &wide, &url).await.as_deref(), Ok("127.0.0.1"));
            assert_eq!(body(&http, &narrow, &url).await.as_deref(), Ok("127.0.0.2"));
            let error = body(&http, &anyone(), &url).await.unwrap_err();
            assert!(matches!(error, Error::Denied(_)), "{error:?}");
            if connections.load(Ordering::SeqCst) < sent {
                return;
            }
        }
        panic!("no connection was kept");
    });
}

#[test]
fn a_redirect_is_not_followed() {
    let (sender, reached) = mpsc::channel();
    let inside = serve(move |_| {
        let _ = sender.send(());
    });
    let port = serve(answer(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n"
    )));
    let url = format!("http://localhost:{port}/");
    let granted = grants(&["https=http://localhost:*"]);
    let http = http(Resolver::default());
    let response =
        runtime().block_on(http.send(&granted.clone().into(), &Secrets::default(), get(&url)));
    assert_eq!(response.unwrap().status, 307);
    assert!(reached.try_recv().is_err());
}

#[test]
fn a_method_or_path_that_is_not_granted_is_denied() {
    let (port, connections) = whereabouts();
    let granted = grants(&[&format!("https=GET http://localhost:{port}/v1/*")]);
    let http = http(Resolver::default());
    for (method, path) in [
        ("POST", "v1/a"),
        ("GET", "v2"),
        ("GET", "v1/../v2"),
        ("GET", "v1/..%2fv2"),
    ] {
        let request = request(method, &format!("http://localhost:{port}/{path}"));
        let sent =
            runtime().block_on(http.send(&granted.clone().into(), &Secrets::default(), request));
        assert!(matches!(sent, Err(Error::Denied(_))), "{method} {path}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    let url = format!("http://localhost:{port}/v1/a");
    assert_eq!(
        runtime().block_on(body(&http, &granted, &url)).as_deref(),
        Ok("127.0.0.1")
    );
}

#[test]
fn a_name_without_addresses_has_no_address() {
    let http = http(pointing(&[]));
    let error = runtime()
        .block_on(body(&http, &anyone(), "http://nowhere.test/"))
        .unwrap_err();
    assert!(
        matches!(&error, Error::Name(text) if text.contains("nowhere.test")),
        "{error:?}"
    );
}
