//! Nodes on one machine, each with a home of its own, and what their owners do with them.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::environment::Environment;

/// A node that runs until this is dropped.
struct Running {
    child: Child,
    /// Where it listens.
    address: String,
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    fn new(it: &Environment, more: &[&str]) -> Self {
        let start = ["start", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"];
        let mut command = it.command(&[&start, more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = said["ok"]["addresses"][0].as_str().unwrap().to_owned();
        Self {
            child,
            address,
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
