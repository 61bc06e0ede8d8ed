//! The page of `examples/text`: a text comes through HTTPS from a server that is not ours, and is worked on as it comes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::environment::{Environment, has};
use crate::examples_log::{blocks, run};

/// Where the page's server listens.
const SHOWN: &str = "127.0.0.1:8443";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/text")
}

/// A server that runs until this is dropped.
struct Server {
    child: Child,
    /// Such as `127.0.0.1:40123`.
    address: String,
}

impl Server {
    /// Starts the program that the page starts, at a port that is free.
    fn new(it: &Environment, command: &str) -> Self {
        let command = command.replace(SHOWN, "127.0.0.1:0");
        let mut shell = it.in_environment("sh", &["-c", &format!("exec {command}")]);
        let mut child = shell
            .env("PATH", "/usr/bin:/bin")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
        let address = address.expect("where it listens");
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_text_is_downloaded_worked_on_as_it_comes_and_kept() {
    if !has("openssl") {
        return;
    }
    let it = Environment::with(&["stream", "lines", "squeeze"]).with_key();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        it.put(name, fs::read(&path).unwrap());
    }
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    let [_, serve, first, again] = &blocks(&page)[..] else {
        panic!("four blocks");
    };
    let [certificate, server] = &serve[..] else {
        panic!("a certificate and a server");
    };
    run(&it, std::slice::from_ref(certificate), [SHOWN; 2]);
    let server = Server::new(&it, &server.0);
    let workflow = String::from_utf8(it.read("download.yaml")).unwrap();
    let workflow = workflow.replace(SHOWN, &server.address);
    it.put("download.yaml", &workflow);

    // Whom nobody vouches for is not asked for anything. That this failed counts for no other run.
    it.put("once.yaml", workflow.replace("    retry: 3\n", ""));
    let said = it.run(&["run", "once.yaml"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.stderr.contains("page: failed (guest): \"Error::Tls("),
        "{said}"
    );

    run(&it, first, [SHOWN, &server.address]);
    let address = server.address.clone();
    drop(server);
    run(&it, again, [SHOWN, &address]);
}
