//! Workflows that run in a node, and content that is brought for them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::Value;

use super::{Answer, Node, did, sums};
use crate::environment::Environment;

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
    let again = node.follow(&node.begin(&by_cid), "").all();
    assert_eq!(again[0]["workflow"], told[0]["workflow"]);
    assert_eq!(again.last().unwrap()["counts"]["memoised"], 2);
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
            sums(&component).replace("[1,2]", r#"[{"@":"secret.txt"},2]"#),
            "`secret.txt` is no CID",
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
    let said = node.it.run(&["node", "cancel", &run]);
    assert_eq!(said.stdout(), format!("run {run} ends\n"), "{said}");
    // What it waits for never comes: it is ended as it waits.
    let told = follower.all();
    drop(asked);
    assert!(
        told.iter().any(|event| event["event"] == "stopped"),
        "{told:?}"
    );
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

/// A call runs there, by whoever is let, and prints what it prints here.
#[test]
fn a_call_runs_elsewhere() {
    let node = Node::new(Environment::new());
    let me = Environment::with(&["add", "lines"]);
    let given = [
        "ucan",
        "delegate",
        &did(&me),
        "/homestar/node",
        "-o",
        "given",
    ];
    assert_eq!(node.it.run(&given).code, Some(0));
    me.put("given", std::fs::read(node.it.path("given")).unwrap());
    me.put("log", "seven 7\none 1\n".repeat(50_000));
    let url = node.url();
    let there = ["--node", &url, "--proof", "given"];
    for call in [
        &["run", "add.wasm", "add(1, 2)"][..],
        &["run", "add.wasm", "add(1, 2)", "--json"],
        &["run", "add.wasm", "--func", "add", "--args", "[20, 22]"],
        &["run", "add.wasm", "add(7, 8)", "--fuel", "1"],
        &["run", "add.wasm", "add(7, 8)", "--fuel", "1", "--json"],
        &["run", "lines.wasm", "count(@log, \"7\")"],
        &["run", "lines.wasm", "filter(@log, \"7\")"],
    ] {
        let (here, there) = (me.run(call), me.run(&[call, &there[..]].concat()));
        assert_eq!(there.code, here.code, "{there}");
        assert_eq!(there.stdout(), here.stdout(), "{there}");
    }
    // What it gave is fetched, and so is its receipt.
    let filter = [
        "run",
        "lines.wasm",
        "filter(@log, \"seven\")",
        "-o",
        "lines",
    ];
    let receipt = ["--receipt", "lines.receipt", "--stats"];
    let said = me.run(&[&filter[..], &receipt, &there].concat());
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(me.read("lines"), "seven 7\n".repeat(50_000).into_bytes());
    let shown = me
        .run(&["receipt", "show", "lines.receipt", "--json"])
        .json();
    assert_eq!(shown["issuer"], did(&node.it).as_str(), "{shown}");
    // What makes no sense there is said.
    let add = ["run", "add.wasm", "add(1, 2)"];
    for (more, words) in [
        (["--jobs", "2"], "--jobs is for workflows"),
        (["--result", "a"], "--result is for workflows"),
        (
            ["--receipt", "sum.car"],
            "a .car file is written where a task runs",
        ),
        (["--pin", "a:b/c=d"], "--pin"),
    ] {
        let said = me.run(&[&add[..], &more, &there].concat());
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains(words), "{said}");
    }
}

/// A workflow there has the options that it has here.
#[test]
fn a_workflow_elsewhere_is_run_as_is_asked() {
    let node = Node::new(Environment::with(&["add"]));
    let sum = |label: &str, args: &str| {
        format!("  {label}: {{component: add.wasm, call: add, args: {args}}}\n")
    };
    let tasks = sum("three", "[1, 2]") + &sum("five", "[{await/ok: three}, 2]");
    node.it.put("flow.yaml", format!("tasks:\n{tasks}"));
    let url = node.url();
    let run = |more: &[&str]| {
        let run = ["run", "flow.yaml", "--node", &url];
        node.it.run(&[&run[..], more].concat())
    };
    assert_eq!(run(&[]).stdout(), "5\n");
    assert_eq!(run(&["--result", "three", "--jobs", "1"]).stdout(), "3\n");
    let said = run(&["--result", "four"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("the workflow has no task `four`"),
        "{said}"
    );
    // The node says so too, whoever asks.
    let workflow = r#"{"tasks": {"a": {"component": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", "call": "a"}}}"#;
    for query in ["jobs=0", "fail-fast=yes", "other=1"] {
        let path = format!("/v1/runs?{query}");
        assert_eq!(node.ask("POST", &path, workflow).status, 400, "{query}");
    }
    // A limit that is typed is that of its tasks.
    node.it
        .put("flow.yaml", format!("tasks:\n{}", sum("seven", "[3, 4]")));
    let said = run(&["--fuel", "1", "--fail-fast"]);
    assert_ne!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("fuel"), "{said}");
}

/// What a workflow names comes along, and what happens there is told as if it were here.
#[test]
fn a_workflow_runs_elsewhere() {
    let node = Node::new(Environment::new());
    let me = Environment::with(&["add", "lines"]);
    let given = ["/homestar/node/run", "/homestar/node/write"].map(|command| {
        let file = command.rsplit('/').next().unwrap();
        let given = ["ucan", "delegate", &did(&me), command, "-o", file];
        assert_eq!(node.it.run(&given).code, Some(0));
        std::fs::read(node.it.path(file)).unwrap()
    });
    // Both in one container.
    for (name, given) in ["run", "write"].iter().zip(given) {
        me.put(name, given);
    }
    let packed = me.run(&["ucan", "container", "pack", "run", "write", "-o", "given"]);
    assert_eq!(packed.code, Some(0), "{packed}");
    me.put("words.txt", "one\ntree\nthree\n".repeat(100_000));
    me.put(
        "flow.yaml",
        "name: both\n\
         tasks:\n\
         \x20 sum: {component: add.wasm, call: add, args: [1, 2]}\n\
         \x20 more: {component: add.wasm, call: add, args: [{await/ok: sum}, 4]}\n\
         \x20 lines: {component: lines.wasm, call: count, args: [{\"@\": words.txt}, ree]}\n",
    );
    let url = node.url();
    let there = ["run", "flow.yaml", "--node", &url, "--proof", "given"];
    let said = me.run(&there);
    assert_eq!(said.code, Some(0), "{said}");
    let here = me.run(&["run", "flow.yaml"]);
    assert_eq!(said.stdout(), here.stdout(), "{said}");
    assert!(said.stderr.contains("both: run "), "{said}");
    assert!(said.stderr.contains("3 tasks: 3 ran"), "{said}");
    // It is known there, and not here.
    let listed = node.it.run(&["runs"]);
    assert!(listed.stdout().contains("3 ran, 0 memoised"), "{listed}");
    let events = |said: &crate::environment::Said| -> Vec<Value> {
        let lines = said.stdout().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let (there, here) = (
        events(&me.run(&[&there[..], &["--json"]].concat())),
        events(&me.run(&["run", "flow.yaml", "--json"])),
    );
    let last = |told: &[Value]| told.last().unwrap()["results"].clone();
    assert_eq!(last(&there), last(&here));
    assert_eq!(
        there.last().unwrap()["counts"],
        here.last().unwrap()["counts"]
    );
    // What is wrong is said here, with its place.
    me.put(
        "flow.yaml",
        "tasks: {sum: {component: add.wasm, call: sub}}",
    );
    let said = me.run(&["run", "flow.yaml", "--node", &url, "--proof", "given"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("flow.yaml:1:"), "{said}");
    // And who may not is told so.
    me.put(
        "flow.yaml",
        "tasks: {sum: {component: add.wasm, call: add, args: [1, 2]}}",
    );
    let said = me.run(&["run", "flow.yaml", "--node", &url]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("`--proof FILE` shows"), "{said}");
}

/// A task that fails elsewhere ends the command as it does here.
#[test]
fn a_failure_elsewhere_is_one_here() {
    let node = Node::new(Environment::with(&["hostile"]).with_key());
    let me = Environment::with(&["hostile"]).with_key();
    me.put(
        "flow.yaml",
        "tasks: {spin: {component: hostile.wasm, call: spin, limits: {fuel: 1M}}}",
    );
    let url = node.url();
    let there = me.run(&["run", "flow.yaml", "--node", &url]);
    let here = me.run(&["run", "flow.yaml"]);
    assert_eq!(
        (there.code, here.code),
        (Some(3), Some(3)),
        "{there}\n{here}"
    );
    let lines = |said: &crate::environment::Said| -> Vec<String> {
        let lines = said
            .stderr
            .lines()
            .filter(|line| line.starts_with("spin: "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines(&there), lines(&here), "{there}\n{here}");
}
