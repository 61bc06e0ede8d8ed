//! How a node starts, and whom it tells.

use std::net::TcpListener;

use crate::environment::Environment;
use crate::nodes::Running;

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
