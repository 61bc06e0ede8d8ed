//! Pages from a server beside us: what a whole exchange costs in Homestar, in wasmtime, and without either.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use homestar_core::grant::{Grant, Grants, Permit, Secrets};
use homestar_core::task::Limits;
use homestar_core::wit::Value;
use homestar_engine::drivers::http::{Http, HttpSettings, Request};
use homestar_engine::drivers::resolver::{Resolver, ResolverSettings};
use homestar_engine::{Answers, Component, Effects, Engine, Instance, Setting};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::Error;
use crate::calls::{LIMITS, ended, engine};
use crate::measure::{Batch, Effort, Measurement, batches};
use crate::peers::wasmtime_command;

/// Bytes of the page.
const PAGE_BYTES: usize = 1024;

/// Pages for each turn.
const PAGES: u32 = 200;

pub(crate) fn http(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let server = match Server::start() {
        Ok(server) => server,
        Err(error) => {
            eprintln!("  no nginx: {error}");
            return Ok(Vec::new());
        }
    };
    let authority = format!("127.0.0.1:{}", server.port);
    let url = format!("http://{authority}/");
    let grants = Grants::new(vec![Grant::parse(&format!("https={url}"))?]);
    let engine = engine()?;
    let effects = || {
        let mut effects = Effects::new();
        let all = homestar_effects::all().iter();
        let all = all.map(|effect| (effect.name, effect.bytes));
        effects.add_built_in(all).expect("effects that load");
        effects
    };

    let fetch = engine.load_file_with(homestar_guests::fetch(), effects)?;
    let getter = engine.load_file_with(homestar_guests::getter(), effects)?;
    let by_wasi = by_wasi(&engine, &getter, &authority, &grants)?;
    let by_effect = by_effect(&engine, &fetch, &url, &grants)?;

    let home = TempDir::new()?;
    let wasmtime = wasmtime_command();
    let mut sides = vec![
        Batch::new("homestar: wasi:http", by_wasi),
        Batch::new("homestar: the effect homestar:https", by_effect),
    ];
    if let Ok(program) = &wasmtime {
        sides.push(Batch::new("wasmtime run -S http", |count| {
            by_wasmtime(program, home.path(), &authority, count)
        }));
    }
    sides.push(Batch::new("the driver alone", by_driver(&url, &grants)?));
    sides.push(Batch::new("reqwest", by_reqwest(&url)?));
    let name = "http: a page of 1 KiB from nginx";
    let [cpu, wall] = batches(name, effort.rounds(20), PAGES, sides)?;
    let both = [cpu, wall].map(|measured| measured.goal("≤ 1.1 of wasmtime"));
    Ok(match &wasmtime {
        Ok(_) => both.into(),
        Err(error) => both
            .map(|found| found.note(format!("no wasmtime: {error}")))
            .into(),
    })
}

/// Starts a task that may ask as often as it likes.
fn started(engine: &Engine, component: &Component, grants: &Grants) -> Result<Instance, Error> {
    let setting = Setting {
        answers: Answers::Drivers(grants.clone()),
        ..Setting::default()
    };
    let limits = Limits {
        calls: u64::MAX,
        call_bytes: u64::MAX,
        ..LIMITS
    };
    engine.start(component, setting, &limits).map_err(ended)
}

fn by_effect<'a>(
    engine: &'a Engine,
    component: &'a Component,
    url: &'a str,
    grants: &'a Grants,
) -> Result<impl FnMut(u32) -> Result<(), Error> + 'a, Error> {
    let export = component.find("fetch")?;
    Ok(move |count| {
        let mut instance = started(engine, component, grants)?;
        for _ in 0..count {
            let page = instance.call(export, vec![Value::String(url.into())]);
            expect_ok(page.map_err(ended)?)?;
        }
        Ok(())
    })
}

fn by_wasi<'a>(
    engine: &'a Engine,
    component: &'a Component,
    authority: &'a str,
    grants: &'a Grants,
) -> Result<impl FnMut(u32) -> Result<(), Error> + 'a, Error> {
    let export = component.find("get")?;
    Ok(move |count| {
        let mut instance = started(engine, component, grants)?;
        let args = vec![Value::String(authority.into()), Value::U32(count)];
        expect_ok(instance.call(export, args).map_err(ended)?)
    })
}

fn expect_ok(value: Option<Value>) -> Result<(), Error> {
    match value {
        Some(Value::Result(Ok(_))) => Ok(()),
        other => Err(format!("no page, but {other:?}").into()),
    }
}

fn by_wasmtime(program: &Path, home: &Path, authority: &str, count: u32) -> Result<(), Error> {
    let output = Command::new(program)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("XDG_CACHE_HOME", home)
        .args(["run", "-C", "cache=y", "-S", "http", "--invoke"])
        .arg(format!("get(\"{authority}\", {count})"))
        .arg(homestar_guests::getter())
        .stdin(Stdio::null())
        .output()?;
    let bytes = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if bytes == format!("ok({})", PAGE_BYTES * count as usize) {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("wasmtime got {bytes}: {words}").into())
}

fn by_driver<'a>(
    url: &'a str,
    grants: &Grants,
) -> Result<impl FnMut(u32) -> Result<(), Error> + 'a, Error> {
    let resolver = Resolver::new(ResolverSettings::default());
    let http = Http::new(&HttpSettings::default(), Arc::new(resolver))?;
    let secrets = Secrets::default();
    let permit = Permit::from(grants.clone());
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                let request = Request {
                    method: "GET".into(),
                    url: url.into(),
                    ..Request::default()
                };
                let mut response = http.send(&permit, &secrets, request).await?;
                let mut length = 0;
                while let Some(piece) = response.body.chunk().await? {
                    length += piece.len();
                }
                expect_length(length)?;
            }
            Ok(())
        })
    })
}

fn by_reqwest(url: &str) -> Result<impl FnMut(u32) -> Result<(), Error>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().no_proxy();
    let client = client.tls_backend_preconfigured(tls).build()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                expect_length(client.get(url).send().await?.bytes().await?.len())?;
            }
            Ok(())
        })
    })
}

fn expect_length(length: usize) -> Result<(), Error> {
    match length {
        PAGE_BYTES => Ok(()),
        _ => Err(format!("a page of {length} bytes").into()),
    }
}

/// An nginx that serves one page on loopback. It ends with this.
struct Server {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    fn start() -> Result<Self, Error> {
        let folder = TempDir::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(folder.path(), port))?;
        let mut process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(Self {
                    process,
                    port,
                    _folder: folder,
                });
            }
            if let Some(status) = process.try_wait()? {
                return Err(format!("it ended with {status}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        process.kill()?;
        process.wait()?;
        Err("it answers nobody".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let page = "x".repeat(PAGE_BYTES);
    format!(
        "daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 \"{page}\"; }}
    }}
}}
"
    )
}
