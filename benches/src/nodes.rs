//! A file from one machine to another: by peers, by HTTP, and without homestar. The machines are networks of this one, with a
//! wire between them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::Error;
use crate::measure::{Effort, Measurement, Program, programs};
use crate::peers::homestar_command;

/// Bytes of the file.
const BYTES: u64 = 256 << 20;
/// Bytes of the file when all that is asked is whether it works.
const BYTES_QUICK: u64 = 32 << 20;

/// Two networks with a wire between them. Gateways by `http://` are for one's own machine, so `there` finds the one that is `here`
/// at a port of its own.
const NETWORKS: &str = r#"
set -e
mount -t tmpfs none /run
for name in here there; do ip netns add $name; ip -n $name link set lo up; done
ip link add v-here netns here type veth peer name v-there netns there
ip -n here addr add 10.8.0.1/24 dev v-here
ip -n there addr add 10.8.0.2/24 dev v-there
ip -n here link set v-here up
ip -n there link set v-there up
ip netns exec there sh -c 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'
ip netns exec there iptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 8080 -j DNAT --to 10.8.0.1:8080
ip netns exec there iptables -t nat -A POSTROUTING -p tcp --dport 8080 -j MASQUERADE
echo ready
cat
"#;

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
    sendfile on;
    server { listen 10.8.0.1:8081; root .; }
}
"#;

/// The networks, as long as this lives.
struct Networks {
    holder: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Networks {
    fn new() -> Result<Self, Error> {
        let mut command = Command::new("unshare");
        command.args(["-r", "-n", "-m", "sh", "-c", NETWORKS]);
        command.env("PATH", path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut holder = command.spawn()?;
        let mut stdout = BufReader::new(holder.stdout.take().ok_or("no pipe")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        if line == "ready\n" {
            return Ok(Self {
                holder,
                _stdout: stdout,
            });
        }
        drop(holder.stdin.take());
        let said = holder.wait_with_output()?;
        Err(String::from_utf8_lossy(&said.stderr).trim().into())
    }

    /// A program in one of them.
    fn command(&self, network: &str, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let target = self.holder.id().to_string();
        command.args(["-t", &target, "-U", "-n", "-m", "--preserve-credentials"]);
        command.args(["ip", "netns", "exec", network]).arg(program);
        command.env("PATH", path());
        command
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Programs of the system are where not everybody looks.
fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

/// A server that ends when this does.
struct Server {
    child: Child,
    /// What it said first.
    said: String,
    _stdout: Option<BufReader<ChildStdout>>,
}

impl Server {
    fn start(mut command: Command) -> Result<Self, Error> {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let mut said = String::new();
        stdout.read_line(&mut said)?;
        Ok(Self {
            child,
            said,
            _stdout: Some(stdout),
        })
    }

    /// Starts nginx, over the files in a folder.
    fn nginx(networks: &Networks, folder: &Path) -> Result<Self, Error> {
        fs::write(folder.join("nginx.conf"), NGINX)?;
        let mut command = networks.command("here", Path::new("nginx"));
        command.arg("-p").arg(folder).args(["-c", "nginx.conf"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stderr = BufReader::new(child.stderr.take().ok_or("no pipe")?);
        let mut lines = stderr.lines().map_while(Result::ok);
        match lines.any(|line| line.contains("event method")) {
            true => Ok(Self {
                child,
                said: String::new(),
                _stdout: None,
            }),
            false => Err("nginx ended".into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A homestar with a home of its own.
struct Place<'a> {
    networks: &'a Networks,
    network: &'static str,
    program: &'a Path,
    home: PathBuf,
}

impl Place<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.networks.command(self.network, self.program);
        command.args(arguments);
        command
            .env("HOMESTAR_HOME", &self.home)
            .env("HOME", &self.home)
            .env("XDG_CACHE_HOME", self.home.join("cache"))
            .env("XDG_STATE_HOME", self.home.join("state"));
        command
    }

    fn printed(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = self.command(arguments).stdin(Stdio::null()).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }
}

/// Measures all ways. Where networks can't be made, there is nothing to measure.
pub(crate) fn nodes(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let networks = match Networks::new() {
        Ok(networks) => networks,
        Err(error) => {
            eprintln!("  left out, since no networks can be made (unshare, ip, iptables): {error}");
            return Ok(Vec::new());
        }
    };
    let bytes = match effort {
        Effort::Full => BYTES,
        Effort::Quick => BYTES_QUICK,
    };
    let folder = TempDir::new()?;
    let program = homestar_command()?;
    let place = |network, home: &str| Place {
        networks: &networks,
        network,
        program: &program,
        home: folder.path().join(home),
    };
    let (here, there) = (place("here", "one"), place("there", "two"));
    fs::create_dir(&here.home)?;
    let file = folder.path().join("file");
    write(&file, bytes)?;
    let path = file.to_string_lossy();
    let added = here.printed(&["add", "--quiet", &path])?;
    let cid = added.trim().to_owned();
    here.printed(&["share", "add", &cid])?;
    let node = Server::start(here.command(&[
        "start",
        "--json",
        "--listen",
        "/ip4/10.8.0.1/tcp/4808",
        "--listen",
        "/ip4/10.8.0.1/udp/4808/quic-v1",
    ]))?;
    let gateway = ["serve", "gateway", "--listen", "10.8.0.1:8080"];
    let _gateway = Server::start(here.command(&gateway))?;
    let nginx = Server::nginx(&networks, folder.path());

    let said: Value = serde_json::from_str(&node.said)?;
    let addresses = said["ok"]["addresses"].as_array();
    let addresses = addresses.into_iter().flatten().filter_map(Value::as_str);
    let address = |part: &str| {
        addresses
            .clone()
            .find(|it| it.contains(part))
            .ok_or("no address")
    };
    let (tcp, quic) = (address("/tcp/")?.to_owned(), address("/quic")?.to_owned());
    let out = folder.path().join("out").to_string_lossy().into_owned();
    let get = |from: [&str; 2]| {
        for path in [&there.home, Path::new(&out)] {
            let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
        }
        fs::create_dir(&there.home)?;
        Ok(there.command(&["get", &cid, "-o", &out, from[0], from[1]]))
    };
    let mut sides = vec![
        Program::new("homestar get --peer, TCP", || get(["--peer", &tcp])),
        Program::new("homestar get --peer, QUIC", || get(["--peer", &quic])),
        Program::new("homestar get --gateway, HTTP", || {
            get(["--gateway", "http://127.0.0.1:8080"])
        }),
    ];
    if nginx.is_ok() {
        sides.push(Program::new("curl from nginx: no hash, no store", || {
            let _ = fs::remove_file(&out);
            let mut command = networks.command("there", Path::new("curl"));
            command.args(["-sf", "-o", &out, "http://10.8.0.1:8081/file"]);
            Ok(command)
        }));
    }
    let name = format!("peers: a file of {} MiB over a wire", bytes >> 20);
    let measured = programs(&name, effort.rounds(10), sides)?;
    Ok(measured
        .map(|found| {
            let found = found.goal("≤ 1.25 of HTTP");
            match &nginx {
                Ok(_) => found,
                Err(error) => found.note(format!("no nginx: {error}")),
            }
        })
        .into())
}

/// Writes a file in which no two pieces are the same.
fn write(path: &Path, bytes: u64) -> Result<(), Error> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in 0..bytes / 32 {
        writeln!(file, "{number:031}")?;
    }
    Ok(file.flush()?)
}
