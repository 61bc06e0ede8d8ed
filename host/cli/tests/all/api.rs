//! A node that is asked over TCP, by programs that aren't ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;

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

#[test]
fn a_workflow_runs_and_is_followed() {
    let node = Node::new(Environment::with(&["add"]));
    let component = node.add("add.wasm");
    let run = node.begin(&sums(&component));
    let told = node.follow(&run, "").all();
    let names: Vec<_> = told
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect();
    assert_eq!((names[0], names[5], names.len()), ("begun", "finished", 6));
    assert_eq!(told[5]["results"]["five"]["ok"], 5);
    let of_three = |event: &str| {
        let found = told
            .iter()
            .find(|it| it["event"] == event && it["task"] == "three");
        found.unwrap().clone()
    };
    assert_eq!(node.follow(&run, "?after=4").all(), told[4..]);
    // The command tells the same, but for what was known by then.
    node.it.put("flow.json", sums(&component));
    let said = node.it.run(&["run", "flow.json", "--json"]);
    let last = said.stdout().lines().last().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["results"], told[5]["results"]);
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&last), keys(&told[5]));
    // What is known of it is what the command says.
    let shown = node.ask("GET", &format!("/v1/runs/{run}"), "").json();
    let here = node.it.run(&["runs", "show", &run, "--json"]).json();
    assert_eq!(shown["run"], here["ok"]["run"]);
    assert_eq!(shown["tasks"], here["ok"]["tasks"]);
    assert_eq!(shown["tasks_all"], 2);
    // By its CID it is the same workflow.
    let by_cid = serde_json::json!({"workflow": told[0]["workflow"]}).to_string();
    let again = node.ask("POST", "/v1/runs", &by_cid).json();
    assert_eq!(again["workflow"], told[0]["workflow"]);
    let receipt = of_three("ended")["receipt"]["/"].clone();
    let receipt = receipt.as_str().unwrap();
    let receipt = node.ask("GET", &format!("/v1/receipts/{receipt}"), "");
    assert_eq!(receipt.status, 200);
    let ran = of_three("started")["instruction"]["/"].clone();
    let ran = ran.as_str().unwrap();
    let found = node
        .ask("GET", &format!("/v1/receipts?ran={ran}"), "")
        .json();
    assert_eq!(found[0]["receipt"], of_three("ended")["receipt"]);
    let metrics = node.ask("GET", "/v1/metrics", "");
    let metrics = String::from_utf8(metrics.body).unwrap();
    for line in [
        "homestar_tasks_total{how=\"ran\"} 2",
        "homestar_runs_total{how=\"well\"} 2",
        "homestar_store_receipts 2",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
}

/// What isn't there can be brought, as far as it isn't.
#[test]
fn content_is_brought() {
    let node = Node::new(Environment::new());
    let other = Environment::with(&["add"]);
    let said = other.run(&["add", "add.wasm"]);
    let cid = said.stdout().split_whitespace().next().unwrap().to_owned();
    assert_eq!(
        other.run(&["car", "export", &cid, "-o", "add.car"]).code,
        Some(0)
    );
    let car = std::fs::read(other.path("add.car")).unwrap();
    let wanted = serde_json::json!([{"/": cid}]).to_string();
    let missing = || node.ask("POST", "/v1/content/missing", &wanted).json();
    assert_eq!(missing()[0]["/"], cid.as_str());
    assert_eq!(node.ask("POST", "/v1/runs", &sums(&cid)).status, 400);
    let bring = |content: &[u8]| {
        node.it.put("content", content);
        let token = ["node", "token", "POST", "/v1/content", "--body", "content"];
        let token = node.it.run(&token).stdout().trim_end().to_owned();
        let mut request = format!(
            "POST /v1/content HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/vnd.ipld.car\r\n\
             content-length: {}\r\n\r\n",
            content.len()
        )
        .into_bytes();
        request.extend_from_slice(content);
        let mut stream = TcpStream::connect(&node.running.api).unwrap();
        stream.write_all(&request).unwrap();
        Answer::read(stream)
    };
    let brought = bring(&car);
    assert_eq!(brought.status, 200);
    assert_eq!(brought.json()["roots"][0]["/"], cid.as_str());
    assert_eq!(missing(), serde_json::json!([]));
    let run = node.begin(&sums(&cid));
    assert_eq!(node.follow(&run, "").all().last().unwrap()["how"], "well");
    // A block that isn't what its name says is none.
    let mut changed = car;
    *changed.last_mut().unwrap() ^= 1;
    let refused = bring(&changed);
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["kind"], "input");
}

/// Receipts of runs in a node are for others as those of the command are, if the settings say so.
#[test]
fn what_a_node_ran_another_need_not() {
    let it = Environment::with(&["add"]);
    it.put(
        ".config/homestar/homestar.toml",
        "[network]\nshare-receipts = true\n",
    );
    let node = Node::new(it);
    let component = node.add("add.wasm");
    let run = node.begin(&sums(&component));
    assert_eq!(node.follow(&run, "").all().last().unwrap()["how"], "well");
    let other = Environment::with(&["add"]);
    let settings = format!("[network]\nbelieved = [\"{}\"]\n", did(&node.it));
    other.put(".config/homestar/homestar.toml", settings);
    other.put("flow.json", sums("add.wasm"));
    let said = other.run(&["run", "flow.json", "--peer", &node.running.address]);
    assert!(said.stderr.contains("2 tasks: 2 memoised"), "{said}");
}

/// Tasks of others reach nothing, though the owner's would, and hear nothing that these heard.
#[test]
fn tasks_of_others_stay_inside() {
    let (node, slow, workflow) = slow_node();
    let workflow = workflow.replace("\"call\":\"fetch\"", "\"call\":\"fetch\",\"reuse\":\"1h\"");
    let mine = node.begin(&workflow);
    Slow::answer(slow.asked.recv().unwrap());
    assert_eq!(node.follow(&mine, "").all().last().unwrap()["how"], "well");
    let friend = Environment::new();
    let given = [
        "ucan",
        "delegate",
        &did(&friend),
        "/homestar/node/run",
        "-o",
        "run",
    ];
    assert_eq!(node.it.run(&given).code, Some(0));
    friend.put("run", std::fs::read(node.it.path("run")).unwrap());
    friend.put("flow.json", &workflow);
    let token = [
        "node",
        "token",
        "POST",
        "/v1/runs",
        "--body",
        "flow.json",
        "--proof",
        "run",
    ];
    let token = friend.run(&token).stdout().trim_end().to_owned();
    let begun = node.send_with(&token, "POST", "/v1/runs", &workflow).json();
    let run = begun["run"].as_str().unwrap();
    let told = node.follow(run, "").all();
    let last = told.last().unwrap();
    assert_eq!(last["how"], "failed", "{told:?}");
    assert_eq!(last["counts"]["memoised"], 0, "{told:?}");
    assert!(slow.asked.try_recv().is_err(), "it was asked");
}

#[test]
fn what_is_wrong_with_a_workflow_is_told() {
    let it = Environment::with(&["add"]);
    it.put("secret.txt", "a file of the owner's");
    let node = Node::new(it);
    let component = node.add("add.wasm");
    for (workflow, problem) in [
        (
            sums(&component).replace("\"call\":\"add\"", "\"call\":\"sub\""),
            "no function `sub`",
        ),
        (sums("add.wasm"), "`add.wasm` is no CID"),
        (
            sums("https://localhost/add.wasm"),
            "`https://localhost/add.wasm` is no CID",
        ),
        (
            sums(&component).replace("[1,2]", r#"[{"file":"secret.txt"},2]"#),
            "",
        ),
        ("[]".to_owned(), ""),
        ("{".to_owned(), ""),
    ] {
        let answer = node.ask("POST", "/v1/runs", &workflow);
        let said = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 400, "{workflow} {said}");
        let error = &answer.json()["error"];
        assert_eq!(error["kind"], "input", "{said}");
        let problems = error["problems"].as_array().unwrap();
        assert!(
            problems[0]["message"].as_str().unwrap().contains(problem),
            "{said}"
        );
    }
    let missing =
        r#"{"workflow": {"/": "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"}}"#;
    assert_eq!(node.ask("POST", "/v1/runs", missing).status, 404);
    let token = node.token("POST", "/v1/runs", "x");
    let bearer = format!("Bearer {token}");
    let text = [("authorization", &*bearer), ("content-type", "text/plain")];
    assert_eq!(node.send("POST", "/v1/runs", &text, "x").status, 415);
    let large = "x".repeat((64 << 10) + 1);
    assert_eq!(node.ask("POST", "/v1/connect", &large).status, 413);
}

/// A server whose answers wait for a word.
struct Slow {
    address: String,
    asked: mpsc::Receiver<TcpStream>,
}

impl Slow {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (ask, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines();
                while lines
                    .next()
                    .is_some_and(|line| line.is_ok_and(|it| !it.is_empty()))
                {}
                if ask.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, asked }
    }

    /// A workflow with a task that asks the server, and one that waits for it.
    fn workflow(&self, fetch: &str, zoo: &str) -> String {
        let at = &self.address;
        serde_json::json!({"tasks": {
            "slow": {"component": fetch, "call": "fetch", "args": [format!("http://{at}/")],
                "grant": [format!("https=http://{at}"), "net=127.0.0.0/8"]},
            "after": {"component": zoo, "call": "echo-string", "args": [{"await/ok": "slow"}]},
        }})
        .to_string()
    }

    fn answer(mut stream: TcpStream) {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn names(told: &[Value]) -> Vec<&str> {
    told.iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect()
}

fn slow_node() -> (Node, Slow, String) {
    let node = Node::new(Environment::with(&["fetch", "zoo"]));
    let slow = Slow::new();
    let workflow = slow.workflow(&node.add("fetch.wasm"), &node.add("zoo.wasm"));
    (node, slow, workflow)
}

/// What runs ends, the rest is for the next time, and nothing that ran runs again.
#[test]
fn a_node_that_ends_goes_on_when_it_is_started_again() {
    let (mut node, slow, workflow) = slow_node();
    let run = node.begin(&workflow);
    let follower = node.follow(&run, "");
    let asked = slow.asked.recv().unwrap();
    assert_eq!(node.it.run(&["stop"]).code, Some(0));
    // Nobody else comes in once the runs know.
    while TcpStream::connect(&node.running.api).is_ok() {
        std::thread::yield_now();
    }
    Slow::answer(asked);
    let told = follower.all();
    assert_eq!(names(&told), ["begun", "started", "ended", "interrupted"]);
    assert!(node.running.child.wait().unwrap().success());
    let node = node.again();
    let show = || node.ask("GET", &format!("/v1/runs/{run}"), "").json();
    let shown = std::iter::repeat_with(show).find(|it| !it["run"]["ended_ms"].is_null());
    let shown = &shown.unwrap()["run"];
    assert_eq!(shown["state"], "well");
    assert_eq!((&shown["ran"], &shown["memoised"]), (&1.into(), &1.into()));
    assert!(slow.asked.try_recv().is_err(), "it was asked twice");
}

#[test]
fn a_node_that_is_killed_goes_on_when_it_is_started_again() {
    let (mut node, slow, workflow) = slow_node();
    let run = node.begin(&workflow);
    let _ = slow.asked.recv().unwrap();
    node.running.child.kill().unwrap();
    node.running.child.wait().unwrap();
    let node = node.again();
    let asked = slow.asked.recv().unwrap();
    let follower = node.follow(&run, "");
    Slow::answer(asked);
    let told = follower.all();
    assert_eq!(told[0]["resumed"], true);
    let last = told.last().unwrap();
    assert_eq!(
        (&last["event"], &last["how"]),
        (&"finished".into(), &"well".into())
    );
}

#[test]
fn a_run_that_is_cancelled_is_over() {
    let (node, slow, workflow) = slow_node();
    let run = node.begin(&workflow);
    let follower = node.follow(&run, "");
    let asked = slow.asked.recv().unwrap();
    let cancelled = node.ask("POST", &format!("/v1/runs/{run}/cancel"), "");
    assert_eq!(cancelled.status, 202);
    Slow::answer(asked);
    let told = follower.all();
    let last = told.last().unwrap();
    assert_eq!(
        (&last["event"], &last["how"]),
        (&"finished".into(), &"cancelled".into())
    );
    let said = node.it.run(&["runs"]);
    assert!(said.stdout().contains("  cancelled  "), "{said}");
    let again = node.ask("POST", &format!("/v1/runs/{run}/cancel"), "");
    assert_eq!(again.status, 409);
    // It isn't gone on with.
    let node = node.stop().again();
    assert_eq!(node.ask("GET", "/v1/node", "").json()["runs"], 0);
}

#[test]
fn a_node_runs_by_itself() {
    let it = Environment::new();
    let start = ["start", "--detach", "--json", "--api", "127.0.0.1:0"];
    let start = [&start[..], &["--listen", "/ip4/127.0.0.1/tcp/0"]].concat();
    let said = it.run(&start);
    assert_eq!(said.code, Some(0), "{said}");
    let facts = said.json()["ok"].clone();
    assert!(
        facts["api"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    assert!(std::path::Path::new(facts["log"].as_str().unwrap()).exists());
    let status = it.run(&["status", "--json"]).json();
    assert_eq!(status["ok"]["pid"], facts["pid"]);
    // Why a second one doesn't is said.
    let said = it.run(&start);
    assert_eq!(said.code, Some(4), "{said}");
    let said = said.json();
    let words = said["error"]["message"].as_str().unwrap();
    assert_eq!(words, "a node of yours runs on this machine");
    assert_eq!(it.run(&["stop"]).code, Some(0));
}

#[test]
fn an_address_that_is_taken_is_said() {
    let it = Environment::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for more in [&["--detach"][..], &[]] {
        let start = [
            "start",
            "--listen",
            "/ip4/127.0.0.1/tcp/0",
            "--api",
            &address,
        ];
        let said = it.run(&[&start, more].concat());
        assert_eq!(said.code, Some(4), "{said}");
        assert!(
            said.stderr.contains(&format!("can't listen on {address}")),
            "{said}"
        );
    }
}

/// A supervisor hears when a node is ready, and when it ends.
#[test]
fn a_supervisor_is_told() {
    let it = Environment::new();
    let path = it.path("notify");
    let supervisor = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let mut start = it.command(&["start", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"]);
    start.env("NOTIFY_SOCKET", &path);
    let mut node = Running::of(start);
    let heard = || {
        let mut bytes = [0; 64];
        let count = supervisor.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    };
    assert_eq!(heard(), "READY=1");
    assert_eq!(it.run(&["stop"]).code, Some(0));
    assert_eq!(heard(), "STOPPING=1");
    assert!(node.child.wait().unwrap().success());
}

/// A Python with what `tests/api/requirements.txt` names. None if there is none and that may be.
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("HOMESTAR_SCHEMATHESIS").map(PathBuf::from);
    if found.is_none() {
        let words = "HOMESTAR_SCHEMATHESIS should name a Python in which tests/api/requirements.txt is installed";
        assert!(std::env::var_os("HOMESTAR_CI").is_none(), "{words}");
        eprintln!("not tested: {words}");
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The description says what the server does, whatever it is sent.
#[test]
fn the_server_is_as_it_is_described() {
    let Some(python) = python() else { return };
    let node = Node::new(Environment::with(&["add"]).with_key());
    let component = node.add("add.wasm");
    let run = node.begin(&sums(&component));
    let told = node.follow(&run, "").all();
    assert_eq!(told.last().unwrap()["how"], "well");
    let receipt = told.iter().find_map(|it| it["receipt"]["/"].as_str());
    let tests = root().join("tests/api");
    let said = Command::new(&python)
        .args(["-m", "schemathesis.cli", "run"])
        .arg(root().join("../../docs/openapi.json"))
        .args(["--url", &node.url(), "--seed", "7", "--max-examples", "60"])
        .args(["--phases", "examples,coverage,fuzzing", "--workers", "1"])
        .args(["--generation-database", "none", "--no-color"])
        // What looks like a CID needn't be one, and what is one needn't be there.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args([
            "--exclude-operation-id",
            "stop",
            "--exclude-operation-id",
            "follow",
        ])
        .env("SIGNING_KEY", node.it.path(".config/homestar/key.pem"))
        .envs([
            ("RUN", &*run),
            ("RECEIPT", receipt.unwrap()),
            ("CONTENT", &*component),
        ])
        .env("SCHEMATHESIS_HOOKS", "fuzz")
        .env("PYTHONPATH", &tests)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(node.it.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.status.success(),
        "{words}\n{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let status = node.it.run(&["status"]);
    assert_eq!(status.code, Some(0), "{status}");
}

/// Somebody else's WebSocket follows a run, by a token that isn't made by us.
#[test]
fn strangers_follow_a_run() {
    let Some(python) = python() else { return };
    let node = Node::new(Environment::with(&["add"]).with_key());
    let run = node.begin(&sums(&node.add("add.wasm")));
    let said = Command::new(&python)
        .arg(root().join("tests/api/follow.py"))
        .arg(node.it.path(".config/homestar/key.pem"))
        .args([&node.running.api, &format!("/v1/runs/{run}/events")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stdout);
    let fault = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{words}\n{fault}");
    assert!(words.contains(r#""event":"finished""#), "{words}");
    assert!(words.ends_with("1000\n"), "{words}");
}
