//! The Homestar of 2024, version 0.3.0, as it can be had from npm.
//!
//! It is a node that has to run before anything can be asked of it, and it takes components from an IPFS node over
//! HTTP. So for its tasks it is started in a network of its own, beside a server that plays the IPFS node, and it is
//! asked until it gives the receipts.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use homestar_core::ipld::{Cid, DAG_CBOR, Ipld, encode};
use homestar_core::unixfs::cid_of_file;
use multihash::Multihash;
use serde_json::{Value, json};
use sha3::{Digest, Sha3_256};

use crate::Error;
use crate::peers::{folder, run};

/// The first argument of this program when it is started by itself, to play the IPFS node.
pub(crate) const BLOCK_SERVER: &str = "--block-server";

/// The package with the program for this platform in its dependencies.
const PACKAGE: &str = "homestar-runtime@0.3.0";

/// Returns the program, installing it below the target folder if it isn't there.
pub(crate) fn program() -> Result<PathBuf, Error> {
    let folder = folder()?.join(PACKAGE.replace('@', "-"));
    let program = folder.join("node_modules/homestar-linux-x64/bin/homestar");
    if !program.exists() {
        fs::create_dir_all(&folder)?;
        let options = ["--no-audit", "--no-fund", "--no-package-lock"];
        run(Command::new("npm")
            .arg("install")
            .args(options)
            .arg("--prefix")
            .arg(&folder)
            .arg(PACKAGE))?;
    }
    // In some places a program may not make a network of its own.
    run(Command::new("unshare").args(["--net", "--map-root-user", "true"]))?;
    Ok(program)
}

/// What happens in the network of its own, with this program, its argument, the component, the node's program, the
/// workflow and how many tasks it has.
const SCRIPT: &str = r#"
ip link set lo up
"$0" "$1" "$2" & server=$!
"$3" start --db homestar.db > node.log 2>&1 & node=$!
found=1
for attempt in $(seq 1000); do
    receipts=$("$3" run "$4" 2>&1 | grep -cE '\| bafy\w+ +\| bafy\w+ +\| bafy')
    if [ "$receipts" = "$5" ]; then found=0; break; fi
    sleep 0.01
done
kill $node $server
wait $node $server
exit $found
"#;

/// Returns a chain of tasks that add: the first `add(1, 2)`, each other two to what the one before gives.
fn chain(component: &Cid, tasks: usize) -> Result<Value, Error> {
    let mut before: Option<Cid> = None;
    let mut all = Vec::new();
    for _ in 0..tasks {
        let (first, link) = match &before {
            Some(cid) => (
                json!({ "await/ok": { "/": cid.to_string() } }),
                Ipld::Map([("await/ok".to_owned(), Ipld::Link(*cid))].into()),
            ),
            None => (json!(1), Ipld::Integer(1)),
        };
        let resource = format!("ipfs://{component}");
        before = Some(name(&resource, link)?);
        all.push(json!({
            "run": {
                "rsc": resource,
                "op": "wasm/run",
                "nnc": "",
                "input": { "func": "add", "args": [first, 2] },
            },
            "meta": { "fuel": u64::MAX, "memory": 1u64 << 32, "time": 100_000 },
            "prf": [],
            "cause": null,
        }));
    }
    Ok(json!({ "tasks": all }))
}

/// Returns the name by which its tasks await this one.
fn name(resource: &str, first: Ipld) -> Result<Cid, Error> {
    let map = |entries: Vec<(&str, Ipld)>| {
        let entries = entries.into_iter();
        Ipld::Map(
            entries
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    };
    let text = |text: &str| Ipld::String(text.to_owned());
    let args = Ipld::List(vec![first, Ipld::Integer(2)]);
    let bytes = encode(&map(vec![
        ("rsc", text(resource)),
        ("op", text("wasm/run")),
        ("nnc", text("")),
        ("input", map(vec![("func", text("add")), ("args", args)])),
    ]))?;
    let digest = Multihash::wrap(0x16, &Sha3_256::digest(&bytes))?;
    Ok(Cid::new_v1(DAG_CBOR, digest))
}

/// Returns what starts the node in the empty `folder`, and asks it for a chain of so many tasks until it has all receipts.
pub(crate) fn tasks(
    program: &Path,
    component: &Path,
    folder: &Path,
    tasks: usize,
) -> Result<Command, Error> {
    let cid = cid_of_file(&fs::read(component)?);
    let file = folder.join("workflow.json");
    fs::write(&file, chain(&cid, tasks)?.to_string())?;
    let mut command = Command::new("unshare");
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .args(["--net", "--map-root-user", "sh", "-c", SCRIPT])
        .arg(std::env::current_exe()?)
        .arg(BLOCK_SERVER)
        .args([component, program, &file])
        .arg(tasks.to_string());
    Ok(command)
}

/// Plays an IPFS node whose every file is the one at `path`, until it is ended.
pub(crate) fn serve(path: &str) -> Result<(), Error> {
    let file = fs::read(path)?;
    for stream in TcpListener::bind("127.0.0.1:5001")?.incoming() {
        let (stream, file) = (stream?, file.clone());
        // A connection that breaks is the client's business.
        std::thread::spawn(move || answer(stream, &file));
    }
    Ok(())
}

/// Answers the one request on `stream`: with `file`, or with words for what would be kept.
fn answer(stream: TcpStream, file: &[u8]) -> Result<(), Error> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let asks_for_file = line.contains("/cat?");
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let body = if asks_for_file { file } else { b"{}" };
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    Ok(stream.write_all(body)?)
}
