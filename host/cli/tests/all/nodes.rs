//! Nodes on one machine, each with a home of its own, and what their owners do with them.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::environment::Environment;

/// A node that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Where it listens.
    pub(crate) address: String,
    /// Where it is asked over TCP, if it is: an address with a port.
    pub(crate) api: String,
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn new(it: &Environment, more: &[&str]) -> Self {
        let start = ["start", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"];
        Self::of(it.command(&[&start, more].concat()))
    }

    /// The node that a command starts.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = said["ok"]["addresses"][0].as_str().unwrap().to_owned();
        let api = said["ok"]["api"].as_str().unwrap_or_default();
        let api = api.trim_start_matches("http://").to_owned();
        Self {
            child,
            address,
            api,
            _stdout: stdout,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn add(it: &Environment, name: &str, content: &str) -> String {
    it.put(name, content);
    let said = it.run(&["add", name]);
    assert_eq!(said.code, Some(0), "{said}");
    said.stdout().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn what_one_shares_another_gets() {
    let one = Environment::new();
    let (shared, private) = (
        add(&one, "shared", "for all"),
        add(&one, "private", "for none"),
    );
    let node = Running::new(&one, &[]);
    let other = Environment::new();
    let peer = ["--peer", &node.address];
    // Nothing is for everybody until it is shared.
    let said = other.run(&[&["cat", &shared], &peer[..]].concat());
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("doesn't have it"), "{said}");
    let said = one.run(&["share", "add", &shared]);
    assert_eq!(said.code, Some(0), "{said}");
    // The node believes what it knows for a second.
    let get = || other.run(&[&["cat", &shared], &peer[..]].concat());
    let said = std::iter::repeat_with(get).find(|said| said.code == Some(0));
    assert_eq!(said.unwrap().stdout(), "for all");
    let said = other.run(&[&["cat", &private], &peer[..]].concat());
    assert_eq!(said.code, Some(4), "{said}");
    assert_eq!(one.run(&["share", "list"]).stdout(), format!("{shared}\n"));
    assert_eq!(one.run(&["share", "remove", &shared]).code, Some(0));
    assert_eq!(one.run(&["share", "list"]).stdout(), "");
}

/// A guest's link, its component and a file come through the node of the machine, which knows a peer.
#[test]
fn commands_use_the_node_of_the_machine() {
    let one = Environment::with(&["add"]);
    let said = one.run(&["add", "add.wasm"]);
    let component = said.stdout().split_whitespace().next().unwrap().to_owned();
    assert_eq!(one.run(&["share", "add", &component]).code, Some(0));
    let far = Running::new(&one, &[]);
    let other = Environment::new();
    let mut node = Running::new(&other, &["--peer", &far.address]);
    let said = other.run(&["run", &component, "add(1, 2)"]);
    assert_eq!(said.stdout(), "3\n", "{said}");
    // It is in the store, which is the node's too.
    let said = other.run(&["run", &component, "add(1, 2)", "--offline"]);
    assert_eq!(said.stdout(), "3\n", "{said}");
    let said = other.run(&["status", "--json"]).json();
    assert_eq!(said["ok"]["peers"], 1);
    let said = other.run(&["node", "peers"]);
    assert!(said.stdout().contains("homestar/"), "{said}");
    assert_eq!(other.run(&["ping"]).code, Some(0));
    // A second one isn't started beside it.
    let said = other.run(&["start"]);
    assert!(
        said.stderr.contains("a node of yours runs on this machine"),
        "{said}"
    );
    assert_eq!(other.run(&["stop"]).code, Some(0));
    assert!(node.child.wait().unwrap().success());
    let said = other.run(&["status"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("no node of yours runs"), "{said}");
}

#[test]
fn who_is_trusted_gets_all() {
    let (one, friend) = (Environment::new(), Environment::new());
    let private = add(&one, "private", "for friends");
    let friends = Running::new(&friend, &[]);
    let id = friends.address.rsplit('/').next().unwrap();
    one.put(
        "homestar.toml",
        format!("[network]\ntrusted = [\"{id}\"]\n"),
    );
    let node = Running::new(&one, &["--config", "homestar.toml"]);
    let said = friend.run(&["node", "connect", &node.address]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(friend.run(&["cat", &private]).stdout(), "for friends");
    let stranger = Environment::new();
    let said = stranger.run(&["cat", &private, "--peer", &node.address]);
    assert_eq!(said.code, Some(4), "{said}");
}

const SUMS: &str = "
name: sums
defaults: {component: add.wasm}
tasks:
  three: {call: add, args: [1, 2]}
  five: {call: add, args: [{await/ok: three}, 2]}
  six: {call: add, args: [3, 3]}
  seven: {call: add, args: [3, 4], secret: true}
";
const SETTINGS: &str = ".config/homestar/homestar.toml";

/// Somebody who ran sums and lets everybody have the receipts, and who that is.
fn who_ran_sums() -> (Environment, String) {
    let one = Environment::with(&["add"]);
    one.put("flow.yaml", SUMS);
    one.put(SETTINGS, "[network]\nshare-receipts = true\n");
    let said = one.run(&["run", "flow.yaml"]);
    assert!(said.stderr.contains("4 tasks: 4 ran"), "{said}");
    let shown = one.run(&["key", "show"]);
    let words = shown.stdout().split_whitespace();
    let did = words.into_iter().find(|word| word.starts_with("did:key:"));
    let did = did.unwrap().to_owned();
    (one, did)
}

fn believing(did: &str) -> Environment {
    let other = Environment::with(&["add"]);
    other.put("flow.yaml", SUMS);
    other.put(SETTINGS, format!("[network]\nbelieved = [\"{did}\"]\n"));
    other
}

#[test]
fn what_one_ran_another_need_not() {
    let (one, did) = who_ran_sums();
    let node = Running::new(&one, &[]);
    let peer = ["run", "flow.yaml", "--peer", &node.address];
    // Who believes nobody runs all of it.
    let stranger = Environment::with(&["add"]);
    stranger.put("flow.yaml", SUMS);
    let said = stranger.run(&peer);
    assert!(said.stderr.contains("4 tasks: 4 ran"), "{said}");
    // What was secret isn't told of.
    let other = believing(&did);
    let said = other.run(&peer);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("4 tasks: 1 ran, 3 memoised"), "{said}");
    let from = format!("memoised, signed by {did}");
    assert!(said.stderr.contains(&from), "{said}");
    let said = other.run(&["explain", "five"]);
    assert!(
        said.stdout().contains("somebody who is believed ran it"),
        "{said}"
    );
    assert!(said.stdout().contains(&did), "{said}");
    // From then on it is here.
    let said = other.run(&["run", "flow.yaml"]);
    assert!(said.stderr.contains("4 tasks: 4 memoised"), "{said}");
}

/// The node of a machine looks among its peers, for the programs of its owner.
#[test]
fn a_node_finds_receipts_for_its_owner() {
    let (one, did) = who_ran_sums();
    let ones = Running::new(&one, &[]);
    let other = believing(&did);
    let _others = Running::new(&other, &["--peer", &ones.address]);
    let said = other.run(&["node", "connect", &ones.address]);
    assert_eq!(said.code, Some(0), "{said}");
    let said = other.run(&["run", "flow.yaml", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    let lines = said.stdout().lines();
    let events: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last["counts"]["memoised"], 3, "{said}");
    let by = events.iter().filter(|it| it["by"] == did.as_str());
    assert_eq!(by.count(), 3, "{said}");
    let said = other.run(&["node", "info"]);
    assert!(said.stdout().contains("3 taken of others"), "{said}");
}

#[test]
fn receipts_are_closed_again_when_the_settings_say_so() {
    let (one, did) = who_ran_sums();
    one.put(SETTINGS, "");
    let node = Running::new(&one, &[]);
    let said = believing(&did).run(&["run", "flow.yaml", "--peer", &node.address]);
    assert!(said.stderr.contains("4 tasks: 4 ran"), "{said}");
}

#[test]
fn a_signer_that_is_none_is_named() {
    let it = Environment::with(&["add"]);
    it.put("flow.yaml", SUMS);
    it.put(SETTINGS, "[network]\nbelieved = [\"alice\"]\n");
    for command in [&["run", "flow.yaml"][..], &["start"]] {
        let said = it.run(command);
        assert_eq!(said.code, Some(4), "{said}");
        assert!(said.stderr.contains("`alice` is no signer"), "{said}");
    }
}

/// Who asks the node of the machine in vain hears whom that has asked.
#[test]
fn a_node_says_whom_it_has_asked() {
    let (one, other) = (Environment::new(), Environment::new());
    let missing = add(&Environment::new(), "missing", "somewhere else");
    let ones = Running::new(&one, &[]);
    let _others = Running::new(&other, &[]);
    let said = other.run(&["node", "connect", &ones.address]);
    assert_eq!(said.code, Some(0), "{said}");
    let said = other.run(&["cat", &missing]);
    assert_eq!(said.code, Some(4), "{said}");
    let id = ones.address.rsplit('/').next().unwrap();
    let words =
        format!("the node of this machine says: nobody gave {missing}: {id} doesn't have it");
    assert!(said.stderr.contains(&words), "{said}");
}

#[test]
fn who_isnt_there_is_named() {
    let it = Environment::new();
    let id = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
    let cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
    // A port that nobody listens at, since somebody did just now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let peer = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{id}");
    let said = it.run(&["cat", cid, "--peer", &peer]);
    assert_eq!(said.code, Some(4), "{said}");
    let words = format!("nobody gave {cid}: {id} can't be reached: {peer}: ");
    assert!(said.stderr.contains(&words), "{}", said.stderr);
    assert!(said.stderr.contains("refused"), "{said}");
}

#[test]
fn what_is_no_address_is_said() {
    let it = Environment::new();
    let said = it.run(&["cat", "bafkqaaa", "--peer", "127.0.0.1:4001"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("is no address of a peer"), "{said}");
    it.put("homestar.toml", "[network]\nlisten = [\"4001\"]\n");
    let said = it.run(&["start", "--config", "homestar.toml"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("`4001` is no address to listen at"),
        "{said}"
    );
}
