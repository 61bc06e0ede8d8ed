//! A node behind a NAT, in networks of its own: namespaces, with a router between them that translates addresses.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::environment::Environment;
use crate::nodes::Running;

/// `home` is behind `router`; `relay` and `other` are outside.
const NETWORKS: &str = r#"
set -e
mount -t tmpfs none /run
for name in home router outside; do ip netns add $name; ip -n $name link set lo up; done
ip link add v-home type veth peer name v-in
ip link add v-outside type veth peer name v-out
ip link set v-home netns home
ip link set v-in netns router
ip link set v-outside netns outside
ip link set v-out netns router
ip -n home addr add 10.9.0.2/24 dev v-home
ip -n router addr add 10.9.0.1/24 dev v-in
ip -n router addr add 9.9.9.1/24 dev v-out
ip -n outside addr add 9.9.9.2/24 dev v-outside
for link in 'home v-home' 'router v-in' 'router v-out' 'outside v-outside'; do
  set -- $link
  ip -n $1 link set $2 up
done
ip -n home route add default via 10.9.0.1
ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
ip netns exec router iptables -t nat -A POSTROUTING -o v-out -j MASQUERADE --random-fully
ip netns exec router iptables -A FORWARD -i v-out -o v-in -m conntrack --ctstate NEW -j DROP
echo ready
cat
"#;

/// The networks, as long as this lives.
struct Networks {
    holder: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Networks {
    /// Makes them, if this machine lets us.
    fn new() -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["-r", "-n", "-m", "sh", "-c", NETWORKS]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let cannot = |why: String| {
            let words = "networks can't be made here (unshare, ip, iptables)";
            let _ = writeln!(std::io::stderr(), "skipped: {words}: {why}");
        };
        let mut holder = match command.spawn() {
            Ok(holder) => holder,
            Err(error) => {
                cannot(error.to_string());
                return None;
            }
        };
        let mut stdout = BufReader::new(holder.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        if line == "ready\n" {
            return Some(Self {
                holder,
                _stdout: stdout,
            });
        }
        drop(holder.stdin.take());
        let said = holder.wait_with_output().unwrap();
        cannot(String::from_utf8_lossy(&said.stderr).trim().to_owned());
        None
    }

    /// The program, in one of them.
    fn command(&self, network: &str, it: &Environment, arguments: &[&str]) -> Command {
        let target = self.holder.id().to_string();
        let enter = ["-t", &target, "-U", "-n", "-m", "--preserve-credentials"];
        let program = [
            "ip",
            "netns",
            "exec",
            network,
            env!("CARGO_BIN_EXE_homestar"),
        ];
        let all = [&enter[..], &program, arguments].concat();
        let mut command = it.in_environment("nsenter", &all);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// A node, in one of them.
    fn node(&self, network: &str, it: &Environment, more: &[&str]) -> Running {
        let start = ["start", "--json", "--listen", "/ip4/0.0.0.0/tcp/4808"];
        Running::of(self.command(network, it, &[&start, more].concat()))
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// How often the file is asked for.
const TRIES: usize = 10;

#[test]
fn a_node_behind_a_nat_says_so_and_is_reached_through_a_relay() {
    let Some(networks) = Networks::new() else {
        return;
    };
    let (home, outside, other) = (Environment::new(), Environment::new(), Environment::new());
    outside.put(
        ".config/homestar/homestar.toml",
        "[network]\nrelay = true\n",
    );
    let _relay = networks.node("outside", &outside, &[]);
    // Where a node listens is known one after the other.
    let addresses = || outside.run(&["node", "info", "--json"]).json()["ok"]["addresses"].clone();
    let is_known = |all: serde_json::Value| {
        let mut all = all.as_array().unwrap().iter().filter_map(|it| it.as_str());
        all.find(|it| it.contains("/9.9.9.2/")).map(str::to_owned)
    };
    let through = std::iter::repeat_with(addresses).find_map(is_known);
    let through = &through.unwrap();

    home.put("file", "from behind");
    let said = home.run(&["add", "file"]);
    let cid = said.stdout().split_whitespace().next().unwrap().to_owned();
    assert_eq!(home.run(&["share", "add", &cid]).code, Some(0));
    let node = networks.node("home", &home, &["--relay", through]);
    // The socket is a file, so the node is asked from anywhere.
    let status = || home.run(&["status", "--json"]);
    let said = std::iter::repeat_with(status).find(|said| {
        let facts: serde_json::Value = serde_json::from_str(said.stdout()).unwrap();
        let reached = &facts["ok"]["reached"];
        reached["in_vain"] == true && reached["relays"][0].is_string()
    });
    let said = said.unwrap();
    assert!(said.stdout().contains("\"addresses\":[]"), "{said}");
    let id = node.address.rsplit('/').next().unwrap();
    let circuit = format!("{through}/p2p-circuit/p2p/{id}");
    let cat = ["cat", &cid, "--peer", &circuit];
    // On a busy machine the way may take longer than one who asks waits.
    let ask = || networks.command("outside", &other, &cat).output().unwrap();
    let mut asked = std::iter::repeat_with(ask).take(TRIES);
    let output = asked.find(|output| output.status.success());
    let output = output.expect("a file from behind");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from behind");
    // There is no other way.
    let direct = format!("/ip4/9.9.9.1/tcp/4808/p2p/{id}");
    let cat = ["cat", &cid, "--peer", &direct];
    let another = Environment::new();
    let output = networks
        .command("outside", &another, &cat)
        .output()
        .unwrap();
    assert!(!output.status.success());
}
