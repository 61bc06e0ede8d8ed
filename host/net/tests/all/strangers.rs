//! Our client with nginx, and Helia's client with our server.
//!
//! nginx serves blocks and CAR files that lie in a folder. Where it isn't installed its tests are skipped, but in CI (the
//! environment variable `CI` or `HOMESTAR_CI` is set) they fail. So it is with Helia.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use homestar_core::car;
use homestar_core::ipld::{Block, Ipld};
use homestar_net::{Fetch, FetchError, Scope, What, wait};
use rustix::process::{Pid, Signal, kill_process};

use crate::helia::{script, skip};
use crate::kept::{Kept, dag, file, impatient, serve};
use crate::tls::Authority;

const NGINX: &str = r#"
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $arg_format $kind { raw raw; car car; default none; }
    types { application/vnd.ipld.raw raw; application/vnd.ipld.car car; }
    server {
        root www;
        SERVER
    }
}
"#;

/// nginx, until it is dropped.
pub(crate) struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// Starts it as a gateway. None if it isn't installed and the test may be skipped.
    fn start() -> Option<Self> {
        let location = "location ~ ^/ipfs/([a-z0-9]+)$ { try_files /$1.$kind =404; }";
        Self::with(
            &format!("listen 127.0.0.1:PORT; {location}"),
            "http://127.0.0.1",
        )
    }

    /// Starts it as a server of files, on `localhost` by TLS. What is under `/moved` is elsewhere.
    pub(crate) fn with_tls(authority: &Authority) -> Option<Self> {
        let (certificate, key) = (authority.certificate(), authority.key());
        let (certificate, key) = (certificate.display(), key.display());
        let files = format!(
            "listen 127.0.0.1:PORT ssl; server_name localhost; ssl_certificate {certificate}; \
             ssl_certificate_key {key}; rewrite ^/moved/(.*)$ https://localhost:PORT/$1 redirect;"
        );
        Self::with(&files, "https://localhost")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn with(server: &str, url: &str) -> Option<Self> {
        let mut said = Vec::new();
        // A port that was free may be somebody else's by now.
        for _ in 0..3 {
            let folder = tempfile::tempdir().expect("a folder");
            let port = free_port();
            fs::create_dir(folder.path().join("www")).expect("a folder");
            let config = NGINX.replace("SERVER", server);
            let config = config.replace("PORT", &port.to_string());
            fs::write(folder.path().join("nginx.conf"), config).expect("a file");
            let mut child = match run(folder.path()) {
                Ok(child) => child,
                Err(error) => {
                    skip(&format!(
                        "nginx: {error}; `apt-get install nginx-light` installs it"
                    ));
                    return None;
                }
            };
            let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
            let mut lines = stderr.lines().map_while(Result::ok);
            let is_ready = lines.by_ref().any(|line| {
                let is_ready = line.contains("event method");
                said.push(line);
                is_ready
            });
            // Who writes into a pipe that nobody reads stops.
            std::thread::spawn(move || lines.for_each(drop));
            let url = format!("{url}:{port}");
            let nginx = Self { child, folder, url };
            if is_ready {
                return Some(nginx);
            }
        }
        panic!("{}", said.join("\n"));
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join("www").join(name), bytes).expect("a file");
    }

    fn put_block(&self, block: &Block) {
        self.put(&format!("{}.raw", block.cid()), block.bytes());
    }
}

fn run(folder: &Path) -> std::io::Result<Child> {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("nginx")
        .args([
            "-p",
            &folder.display().to_string(),
            "-c",
            "nginx.conf",
            "-e",
            "stderr",
        ])
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn nginx_serves_blocks() {
    let Some(nginx) = Nginx::start() else { return };
    let blocks = file(120, 5000);
    blocks.iter().for_each(|block| nginx.put_block(block));
    let gateways = impatient(&[&nginx.url]);
    assert_eq!(wait(gateways.block(blocks[7].cid())), Ok(blocks[7].clone()));
    let missing = *Block::raw(vec![]).cid();
    let Err(FetchError::Nowhere { faults, .. }) = wait(gateways.block(&missing)) else {
        panic!("found");
    };
    assert_eq!(faults[0].what, What::Answered { status: 404 });
    // There is no CAR file, so block by block.
    assert_eq!(dag(&gateways, blocks[0].cid(), Scope::All).unwrap(), blocks);
}

#[test]
fn nginx_serves_car_files() {
    let Some(nginx) = Nginx::start() else { return };
    let blocks = file(120, 5000);
    let root = *blocks[0].cid();
    let whole = car::write(&[root], &blocks);
    nginx.put(&format!("{root}.car"), &whole);
    let gateways = impatient(&[&nginx.url]);
    assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
    // Half of it, and the blocks beside it.
    nginx.put(&format!("{root}.car"), &whole[..whole.len() / 2]);
    blocks.iter().for_each(|block| nginx.put_block(block));
    assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
}

#[test]
fn nginx_with_a_wrong_block_is_found_out() {
    let Some(nginx) = Nginx::start() else { return };
    let block = Block::raw(b"hello".to_vec());
    let cid = *block.cid();
    nginx.put(&format!("{cid}.raw"), b"jello");
    let gateways = impatient(&[&nginx.url]);
    assert!(wait(gateways.block(&cid)).is_err());
    let dropped = gateways.standings()[0].dropped.clone();
    assert_eq!(dropped.expect("a liar").what, What::Lied { cid });
}

/// Helia fetches blocks, files and a DAG from our server, and says what it got.
#[test]
fn helia_fetches_from_our_server() {
    let blocks = file(250, 4000);
    let value = Block::of_dag_cbor(&Ipld::List(vec![
        Ipld::Link(*blocks[0].cid()),
        Ipld::Bool(true),
    ]))
    .unwrap();
    let mut all = blocks.clone();
    all.push(value.clone());
    let (url, _server) = serve(Kept::new(all));
    let Some((mut node, _script)) = script(include_str!("../helia/fetch.mjs")) else {
        return;
    };
    let output = node
        .args([
            &url,
            &blocks[0].cid().to_string(),
            &blocks[2].cid().to_string(),
            &value.cid().to_string(),
        ])
        .output()
        .expect("node");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let leaves = blocks
        .iter()
        .filter(|block| block.cid().codec() == homestar_core::ipld::RAW);
    let content: Vec<u8> = leaves.flat_map(|leaf| leaf.bytes().to_vec()).collect();
    let expected = format!(
        "block {}\nfile {}\ncar {}\nvalue true\n",
        blocks[2].cid(),
        homestar_core::ipld::cid_of_raw(&content),
        blocks.len()
    );
    assert_eq!(said, expected);
}
