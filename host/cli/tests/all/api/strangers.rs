//! Programs that aren't ours, and what they make of the description.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Node, sums};
use crate::environment::Environment;

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
