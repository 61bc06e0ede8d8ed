//! A node that is asked over TCP, by programs that aren't ours.

mod runs;
mod start;
mod strangers;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use crate::environment::Environment;
use crate::nodes::Running;

/// A node with an API, and its owner's home.
struct Node {
    it: Environment,
    running: Running,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    /// Reads one to the end of its connection.
    fn read(mut stream: TcpStream) -> Self {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.unwrap());
        let head = String::from_utf8(head.to_vec()).unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body[4..].to_vec(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The words of an error.
    fn words(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl Node {
    fn new(it: Environment) -> Self {
        let running = Running::new(&it, &["--api", "127.0.0.1:0"]);
        Self { it, running }
    }

    /// Starts it once more, after it ended.
    fn again(mut self) -> Self {
        self.running = Running::new(&self.it, &["--api", "127.0.0.1:0"]);
        self
    }

    fn url(&self) -> String {
        format!("http://{}", self.running.api)
    }

    fn token(&self, method: &str, path: &str, body: &str) -> String {
        let mut asked = vec!["node", "token", method, path];
        if !body.is_empty() {
            self.it.put("body", body);
            asked.extend(["--body", "body"]);
        }
        let said = self.it.run(&asked);
        assert_eq!(said.code, Some(0), "{said}");
        said.stdout().trim_end().to_owned()
    }

    /// Sends a request as it is given.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request += &format!("host: {}\r\n", self.running.api);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(&self.running.api).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(stream)
    }

    fn send_with(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        self.send(method, path, &headers, body)
    }

    /// Asks as its owner.
    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let token = self.token(method, path, body);
        self.send_with(&token, method, path, body)
    }

    /// Begins a run, and returns its id.
    fn begin(&self, workflow: &str) -> String {
        let begun = self.ask("POST", "/v1/runs", workflow);
        let words = String::from_utf8_lossy(&begun.body);
        assert_eq!(begun.status, 202, "{words}");
        let run = begun.json()["run"].as_str().unwrap().to_owned();
        assert!(begun.head.contains(&format!("location: /v1/runs/{run}")));
        run
    }

    /// Follows a run.
    fn follow(&self, run: &str, query: &str) -> Follower {
        let path = format!("/v1/runs/{run}/events{query}");
        let token = self.token("GET", &path, "");
        let mut request = format!("ws://{}{path}", self.running.api)
            .into_client_request()
            .unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let stream = TcpStream::connect(&self.running.api).unwrap();
        let (socket, _) = tungstenite::client(request, stream).expect("a WebSocket");
        Follower(socket)
    }

    /// Puts a guest into the store, and returns its CID.
    fn add(&self, guest: &str) -> String {
        let said = self.it.run(&["add", guest]);
        assert_eq!(said.code, Some(0), "{said}");
        said.stdout().split_whitespace().next().unwrap().to_owned()
    }

    fn stop(mut self) -> Self {
        let said = self.it.run(&["stop"]);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(self.running.child.wait().unwrap().success());
        self
    }
}

/// Somebody who follows a run.
struct Follower(WebSocket<TcpStream>);

impl Follower {
    fn next(&mut self) -> Option<Value> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    fn all(mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

fn sums(component: &str) -> String {
    serde_json::json!({"name": "sums", "tasks": {
        "three": {"component": component, "call": "add", "args": [1, 2]},
        "five": {"component": component, "call": "add", "args": [{"await/ok": "three"}, 2]},
    }})
    .to_string()
}

#[test]
fn nothing_but_health_is_answered_without_leave() {
    let node = Node::new(Environment::new());
    let health = node.send("GET", "/v1/health", &[], "");
    assert_eq!(health.status, 200);
    assert_eq!(health.json()["status"], "ok");
    assert!(!health.head.contains("access-control"), "{}", health.head);
    for (method, path) in [
        ("GET", "/v1/node"),
        ("GET", "/v1/metrics"),
        ("GET", "/v1/openapi.json"),
        ("GET", "/ipfs/bafkqaaa?format=raw"),
        ("HEAD", "/ipfs/bafkqaaa?format=raw"),
        ("GET", "/v1/runs"),
        ("POST", "/v1/runs"),
        ("POST", "/v1/stop"),
        ("OPTIONS", "/v1/stop"),
        ("GET", "/v1/nothing"),
        ("GET", "/"),
    ] {
        let answer = node.send(method, path, &[], "");
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(answer.head.contains("www-authenticate: bearer"));
        for token in [
            "Bearer ",
            "Bearer x",
            "Basic eDp5",
            "Bearer C",
            "Bearer \u{fc}",
        ] {
            let answer = node.send(method, path, &[("authorization", token)], "");
            assert!(
                (401..=405).contains(&answer.status),
                "{method} {path} {token}"
            );
        }
    }
    let said = node.it.run(&["status"]);
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn pages_of_browsers_get_nothing() {
    let node = Node::new(Environment::new());
    let port = node.running.api.rsplit(':').next().unwrap();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        ("[::1]".to_owned(), 200),
        (format!("evil.example:{port}"), 403),
        ("evil.example".to_owned(), 403),
    ] {
        let answer = node.send("GET", "/v1/health", &[("host", &host)], "");
        assert_eq!(answer.status, status, "{host}");
    }
    let origin = format!("http://{}", node.running.api);
    let token = node.token("GET", "/v1/node", "");
    let headers = [
        ("origin", &*origin),
        ("authorization", &format!("Bearer {token}")),
    ];
    let answer = node.send("GET", "/v1/node", &headers, "");
    assert_eq!(answer.status, 403);
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
}

#[test]
fn a_token_is_for_one_request_and_good_once() {
    let node = Node::new(Environment::new());
    let token = node.token("GET", "/v1/node", "");
    let other = node.send_with(&token, "GET", "/v1/peers", "");
    assert_eq!(other.status, 403);
    assert!(other.words().starts_with("it is for another request"));
    let first = node.send_with(&token, "GET", "/v1/node", "");
    assert_eq!(first.status, 200);
    let status = node.it.run(&["status", "--json"]).json()["ok"].clone();
    assert_eq!(first.json()["id"], status["id"]);
    let again = node.send_with(&token, "GET", "/v1/node", "");
    assert_eq!(again.status, 403);
    assert!(again.words().starts_with("Replay: "), "{}", again.words());
    // What was signed is the body too.
    let token = node.token("POST", "/v1/connect", r#"{"peer": "one"}"#);
    let other = node.send_with(&token, "POST", "/v1/connect", r#"{"peer": "two"}"#);
    assert_eq!(other.status, 403);
    assert!(other.words().starts_with("the body is another"));
}

/// Who somebody is, by the key that they have from now on.
fn did(it: &Environment) -> String {
    assert_eq!(it.run(&["key", "show"]).code, Some(0));
    let said = it.run(&["key", "export", "default", "--form", "did"]);
    said.stdout().trim().to_owned()
}

#[test]
fn a_friend_does_what_they_were_let() {
    let node = Node::new(Environment::with(&["add"]));
    let friend = Environment::new();
    let did = did(&friend);
    let url = node.url();
    let at = |more: &[&str]| friend.run(&[more, &["--node", &url]].concat());
    // Everybody may know that it is there.
    assert_eq!(at(&["ping"]).code, Some(0));
    let said = at(&["status"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("`--proof FILE` shows"), "{said}");
    for (command, file) in [
        ("/homestar/node/read", "read"),
        ("/homestar/node/run", "run"),
    ] {
        let given = ["ucan", "delegate", &did, command, "-o", file];
        assert_eq!(node.it.run(&given).code, Some(0));
        friend.put(file, std::fs::read(node.it.path(file)).unwrap());
    }
    let said = at(&["status", "--proof", "read", "--json"]);
    let here = node.it.run(&["status", "--json"]);
    assert_eq!(said.json(), here.json(), "{said}");
    assert_eq!(at(&["node", "peers", "--proof", "read"]).stdout(), "");
    let said = at(&["stop", "--proof", "read"]);
    assert_eq!(said.code, Some(4), "{said}");
    // Runs are those of whoever asked for them.
    let component = node.add("add.wasm");
    let mine = node.begin(&sums(&component));
    let theirs = sums(&component).replace("sums", "theirs");
    friend.put("flow.json", &theirs);
    let ask = |method: &str, path: &str, more: &[&str]| {
        let token = ["node", "token", method, path, "--proof", "run"];
        let said = friend.run(&[&token, more].concat());
        assert_eq!(said.code, Some(0), "{said}");
        let body = if more.is_empty() { "" } else { &theirs };
        node.send_with(said.stdout().trim_end(), method, path, body)
    };
    let begun = ask("POST", "/v1/runs", &["--body", "flow.json"]);
    assert_eq!(begun.status, 202);
    let run = begun.json()["run"].as_str().unwrap().to_owned();
    let ended = node.follow(&run, "").all();
    assert_eq!(ended.last().unwrap()["how"], "well");
    let listed = ask("GET", "/v1/runs", &[]).json();
    let listed: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["run"].clone())
        .collect();
    assert_eq!(listed, [run]);
    assert_eq!(ask("GET", &format!("/v1/runs/{mine}"), &[]).status, 404);
    let all = node.ask("GET", "/v1/runs", "").json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    // What was taken back is nothing more.
    assert_eq!(node.it.run(&["ucan", "revoke", "read"]).code, Some(0));
    let said = at(&["status", "--proof", "read"]);
    assert!(said.stderr.contains("Revoked: "), "{said}");
}
