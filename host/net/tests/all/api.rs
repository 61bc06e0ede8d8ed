//! A server with an API, and what clients may do to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use homestar_core::ipld::{Block, Cid};
use homestar_net::{
    Answer, Api, ApiAnswer, ApiHead, ApiRequest, BlockSource, Caller, Feed, GatewayServer,
    ServerSettings, SourceError, Ticket,
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

const BODY_BYTES_MAX: usize = 1_000;

/// Answers with what was asked those who say `Bearer me`, and lets all of them follow one feed.
#[derive(Debug, Default)]
struct Echo {
    feed: Arc<Feed>,
}

impl Api for Echo {
    fn admit(&self, head: &ApiHead) -> Result<Ticket, Answer> {
        let me = Caller::Somebody {
            bearer: Some("me".to_owned()),
        };
        match head.caller == me {
            true => Ok(Ticket {
                by: None,
                bytes_max: BODY_BYTES_MAX,
                body: None,
            }),
            false => Err(Answer::json(401, "{}".to_owned()).with("www-authenticate", "Bearer")),
        }
    }

    fn answer(&self, request: &ApiRequest) -> ApiAnswer {
        if request.head.path == "/v1/feed" {
            return ApiAnswer::Follow(Arc::clone(&self.feed), 0);
        }
        let ApiRequest { head, body, .. } = request;
        let text = format!("{} {} {}", head.method, head.target(), body.len());
        ApiAnswer::Whole(Answer::json(200, text))
    }
}

#[derive(Debug)]
struct Nothing;

impl BlockSource for Nothing {
    fn get(&self, _: &Cid) -> Result<Option<Block>, SourceError> {
        Ok(None)
    }
}

struct Case {
    feed: Arc<Feed>,
    address: SocketAddr,
    server: GatewayServer,
}

fn case() -> Case {
    case_with(ServerSettings::default())
}

fn case_with(settings: ServerSettings) -> Case {
    let api = Echo::default();
    let feed = Arc::clone(&api.feed);
    let (address, server) =
        GatewayServer::spawn_api(settings, Vec::new(), Arc::new(Nothing), Arc::new(api)).unwrap();
    Case {
        feed,
        address,
        server,
    }
}

impl Case {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Sends some bytes, and returns all that comes back.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may be answered before all of it was taken.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn ask(&self, line: &str, more: &str, body: &str) -> String {
        self.send(
            format!(
                "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    }

    fn follow(&self) -> WebSocket<TcpStream> {
        let url = format!("ws://{}/v1/feed", self.address);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", "Bearer me".parse().unwrap());
        tungstenite::client(request, self.connect()).unwrap().0
    }
}

const ME: &str = "authorization: Bearer me\r\n";

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[test]
fn who_is_let_is_answered() {
    let it = case();
    let answer = it.ask("POST /v1/a?b=c%20d", ME, "body");
    assert_eq!(status(&answer), "200");
    assert!(answer.ends_with("POST /v1/a?b=c%20d 4"), "{answer}");
    assert!(!answer.contains("access-control"), "{answer}");
    // Blocks are for them too, and for nobody else.
    assert_eq!(
        status(&it.ask("GET /ipfs/bafkqaaa?format=raw", ME, "")),
        "200"
    );
    let answer = it.ask("GET /ipfs/bafkqaaa?format=raw", "", "");
    assert_eq!(status(&answer), "401");
    assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
}

/// Of who isn't let nothing is read but the head: here the rest never comes.
#[test]
fn no_body_is_waited_for_of_strangers() {
    let it = case();
    let mut stream = it.connect();
    let head = "POST /v1/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[test]
fn what_is_too_much_is_refused() {
    let it = case();
    let body = |bytes: usize| it.ask("POST /v1/a", ME, &"x".repeat(bytes));
    assert_eq!(status(&body(BODY_BYTES_MAX)), "200");
    assert_eq!(status(&body(BODY_BYTES_MAX + 1)), "413");
    let chunked = format!(
        "POST /v1/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{ME}transfer-encoding: chunked\r\n\r\n{}",
        "3e8\r\n".to_owned() + &"x".repeat(1_000) + "\r\n1\r\nx\r\n0\r\n\r\n"
    );
    assert_eq!(status(&it.send(chunked.as_bytes())), "413");
    let long = format!("x: {}\r\n", "y".repeat(32 << 10));
    assert_eq!(status(&it.ask("GET /v1/a", &long, "")), "431");
    let many = "x: y\r\n".repeat(100);
    assert_eq!(status(&it.ask("GET /v1/a", &many, "")), "431");
    assert_eq!(status(&it.ask("GET /v1/a", ME, "")), "200");
}

#[test]
fn nonsense_breaks_nothing() {
    let it = case();
    for bytes in [
        &b"\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /v1/a HTTP/9.9\r\nhost: localhost\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/a HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"GET http://evil.example/v1/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = it.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert_eq!(status(&it.ask("GET /v1/a", ME, "")), "200");
}

#[test]
fn connections_have_a_bound() {
    let it = case_with(ServerSettings {
        connections_max: 2,
        ..ServerSettings::default()
    });
    let _one = it.follow();
    let _two = it.follow();
    assert_eq!(status(&it.ask("GET /v1/a", ME, "")), "503");
}

#[test]
fn a_feed_is_told_from_its_beginning_to_its_end() {
    let it = case();
    it.feed.tell("one");
    let mut socket = it.follow();
    it.feed.tell("two");
    it.feed.end();
    assert_eq!(socket.read().unwrap(), Message::text("one"));
    assert_eq!(socket.read().unwrap(), Message::text("two"));
    let Message::Close(Some(close)) = socket.read().unwrap() else {
        panic!("it goes on");
    };
    assert_eq!(close.code, CloseCode::Normal);
}

/// A follower who takes nothing for long hears how much they missed, and then the rest.
#[test]
fn who_is_slow_is_told_so() {
    let it = case();
    let mut socket = it.follow();
    let event = "x".repeat(10_000);
    for _ in 0..20_000 {
        it.feed.tell(event.as_str());
    }
    it.feed.tell("last");
    it.feed.end();
    let (mut told, mut missed) = (0, 0);
    loop {
        match socket.read().unwrap() {
            Message::Text(text) if text.starts_with('{') => {
                let said: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(said["event"], "missed");
                missed += said["count"].as_u64().unwrap();
            }
            Message::Text(text) if *text == *"last" => break,
            Message::Text(_) => told += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told + missed, 20_000);
    assert!(missed > 10_000, "{missed}");
}

#[test]
fn a_follower_only_listens() {
    let it = case();
    let mut socket = it.follow();
    socket.send(Message::Ping(Vec::new().into())).unwrap();
    assert!(matches!(socket.read(), Ok(Message::Pong(_))));
    socket.send(Message::text("hear me")).unwrap();
    let Ok(Message::Close(Some(close))) = socket.read() else {
        panic!("it goes on");
    };
    assert_eq!(close.code, CloseCode::Policy);
}

#[test]
fn what_is_no_upgrade_is_told_what_to_do() {
    let it = case();
    let answer = it.ask("GET /v1/feed", ME, "");
    assert_eq!(status(&answer), "426");
    assert!(answer.contains("upgrade: websocket"), "{answer}");
    let old = format!(
        "{ME}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\nsec-websocket-key: x\r\n"
    );
    assert_eq!(status(&it.ask("GET /v1/feed", &old, "")), "426");
}

/// Nobody else comes in, and who is in hears what was, and that it is over.
#[test]
fn it_ends_in_order() {
    let it = case();
    let mut socket = it.follow();
    it.feed.tell("one");
    it.server.close();
    while TcpStream::connect_timeout(&it.address, Duration::from_secs(5)).is_ok() {}
    it.feed.tell("two");
    let server = it.server;
    let ending = std::thread::spawn(move || server.shutdown());
    assert_eq!(socket.read().unwrap(), Message::text("one"));
    assert_eq!(socket.read().unwrap(), Message::text("two"));
    let Message::Close(Some(close)) = socket.read().unwrap() else {
        panic!("it goes on");
    };
    assert_eq!(close.code, CloseCode::Away);
    // The answer to that goes out, and then nobody is there.
    while socket.read().is_ok() {}
    ending.join().unwrap();
}
