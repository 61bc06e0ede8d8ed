//! Tasks that run on other nodes.

use crate::environment::{Environment, Said};
use crate::nodes::Running;

/// Counts down, for as long as it takes a moment or two.
const BURN: &str = r#"(component
  (core module $m
    (func (export "burn") (param $n i32) (result i32)
      (local $x i32)
      (loop $again
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 31)) (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (local.get $n)))
      (local.get $x)))
  (core instance $i (instantiate $m))
  (func (export "burn") (param "n" u32) (result u32) (canon lift (core func $i "burn"))))"#;

fn did(it: &Environment) -> String {
    let said = it.run(&["key", "show", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    said.json()["did"].as_str().unwrap().to_owned()
}

fn id(node: &Running) -> &str {
    node.address.rsplit('/').next().unwrap()
}

/// Asks until the answer is as it should be.
fn until(ask: impl Fn() -> Said, is_so: impl Fn(&Said) -> bool) -> Said {
    std::iter::repeat_with(ask).find(is_so).unwrap()
}

#[test]
fn a_task_runs_on_another_node_which_gets_what_it_takes_and_nothing_else() {
    let me = Environment::with(&["add"]);
    let other = Environment::new();
    let node = Running::new(&other, &["--work-for", &did(&me)]);
    let here = me.run(&["run", "add.wasm", "add(1, 2)", "--receipt", "here"]);
    let on = ["--on", &node.address];
    let there = me.run(
        &[
            &["run", "add.wasm", "add(1, 2)", "--receipt", "there"],
            &on[..],
        ]
        .concat(),
    );
    assert_eq!(
        (there.code, there.stdout()),
        (Some(0), here.stdout()),
        "{there}"
    );
    let ran = format!("{}, {} ran it", id(&node), did(&other));
    assert!(there.stderr.contains(&ran), "{there}");
    let said = me.run(&["receipt", "show", "there", "--json"]).json();
    assert_eq!(said["issuer"], did(&other).as_str(), "{said}");
    // It has its own store for that.
    let said = other.run(&["run", "add.wasm", "add(1, 2)", "--offline"]);
    assert_ne!(said.code, Some(0));
    // The receipt is kept here.
    let said = me.run(&["receipt", "list"]);
    assert!(said.code != Some(2), "{said}");
    // As JSON it is the same too.
    let json =
        |more: &[&str]| me.run(&[&["run", "add.wasm", "add(40, 2)", "--json"], more].concat());
    assert_eq!(json(&on).stdout(), json(&[]).stdout());
}

#[test]
fn content_goes_there_and_a_result_comes_back() {
    let me = Environment::with(&["lines"]);
    let other = Environment::new();
    let node = Running::new(&other, &["--work-for", "anyone"]);
    let lines: Vec<String> = (0..40_000).map(|at| format!("line {at}\n")).collect();
    me.put("log", lines.concat());
    let run =
        |more: &[&str]| me.run(&[&["run", "lines.wasm", "filter(@log, \"7\")"], more].concat());
    let there = run(&["--on", &node.address, "-o", "there"]);
    assert_eq!(there.code, Some(0), "{there}");
    assert_eq!(run(&["-o", "here"]).code, Some(0));
    assert_eq!(me.read("there"), me.read("here"));
    // What was lent for the task is over with it.
    let cid = me.run(&["add", "log"]);
    let cid = cid.stdout().split_whitespace().next().unwrap();
    let said = Environment::new().run(&["cat", cid, "--peer", &node.address]);
    assert_eq!(said.code, Some(4), "{said}");
}

#[test]
fn who_is_not_let_is_told_so_and_what_to_do() {
    let me = Environment::with(&["add"]);
    let other = Environment::new();
    let run = |on: &str| me.run(&["run", "add.wasm", "add(1, 2)", "--on", on]);
    // A node works for nobody unless its owner says so.
    let node = Running::new(&other, &[]);
    let said = run(&node.address);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("it runs no tasks for others"),
        "{said}"
    );
    drop(node);
    let somebody = did(&Environment::new());
    let node = Running::new(&other, &["--work-for", &somebody]);
    let said = run(&node.address);
    assert_eq!(said.code, Some(4), "{said}");
    let words = format!(
        "{} says: {} doesn't work for {}",
        id(&node),
        did(&other),
        did(&me)
    );
    assert!(said.stderr.contains(&words), "{said}");
    assert!(
        said.stderr.contains("under [work] in homestar.toml"),
        "{said}"
    );
    // By a delegation one is.
    drop(node);
    let node = Running::new(&other, &["--work-for", "delegated"]);
    let said = run(&node.address);
    assert_eq!(said.code, Some(4), "{said}");
    let said = other.run(&[
        "ucan",
        "delegate",
        &did(&me),
        "/wasm/run",
        "-o",
        "mine.ucan",
    ]);
    assert_eq!(said.code, Some(0), "{said}");
    me.put("mine.ucan", other.read("mine.ucan"));
    let proof = ["--on", &node.address, "--proof", "mine.ucan"];
    let said = me.run(&[&["run", "add.wasm", "add(1, 2)"], &proof[..]].concat());
    assert_eq!(said.stdout(), "3\n", "{said}");
}

#[test]
fn a_task_reaches_outside_as_far_as_the_operator_grants_and_delegates() {
    let (me, other) = (
        Environment::new().with_dice(),
        Environment::new().with_dice(),
    );
    other.put(
        "homestar.toml",
        format!("grant = [\"random\"]\n[work]\nfor = [\"{}\"]\n", did(&me)),
    );
    let node = Running::new(&other, &["--config", "homestar.toml"]);
    let run = ["run", "dice.wasm", "roll", "--on", &node.address];
    let said = me.run(&run);
    assert!(said.stderr.contains("randomness is not granted"), "{said}");
    for (command, file) in [("/wasm/run", "run.ucan"), ("/random/bytes", "random.ucan")] {
        let said = other.run(&["ucan", "delegate", &did(&me), command, "-o", file]);
        assert_eq!(said.code, Some(0), "{said}");
    }
    let pack = [
        "ucan",
        "container",
        "pack",
        "-o",
        "mine.ucan",
        "run.ucan",
        "random.ucan",
    ];
    assert_eq!(other.run(&pack).code, Some(0));
    me.put("mine.ucan", other.read("mine.ucan"));
    let proof = ["--proof", "mine.ucan", "--receipt", "roll.receipt"];
    let said = me.run(&[&run[..], &proof[..]].concat());
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout().trim().parse::<u64>().is_ok(), "{said}");
    let said = me
        .run(&["receipt", "show", "roll.receipt", "--json"])
        .json();
    assert_eq!(said["pure"], false, "{said}");
}

#[test]
fn what_the_operator_does_not_allow_is_refused() {
    let me = Environment::with(&["add"]);
    let other = Environment::new();
    other.put(
        "homestar.toml",
        "[limits.max]\nmemory = \"64MiB\"\n[work]\nfor = [\"anyone\"]\njobs = 1\n",
    );
    let node = Running::new(&other, &["--config", "homestar.toml"]);
    let run = ["run", "add.wasm", "add(1, 2)", "--on", &node.address];
    let said = me.run(&run);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr
            .contains("no task has more than 64.0 MiB of memory"),
        "{said}"
    );
    let said = me.run(&[&run[..], &["--memory", "32MiB"]].concat());
    assert_eq!(said.stdout(), "3\n", "{said}");
}

#[test]
fn what_a_node_keeps_for_itself_no_task_reads() {
    let me = Environment::with(&["lines"]);
    let other = Environment::new();
    other.put("secret", "for nobody else");
    let said = other.run(&["add", "secret"]);
    let cid = said.stdout().split_whitespace().next().unwrap().to_owned();
    let node = Running::new(&other, &["--work-for", "anyone"]);
    let call = format!("count(@{cid}, \"n\")");
    let run = || me.run(&["run", "lines.wasm", &call, "--on", &node.address]);
    let said = run();
    assert_ne!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains(&cid), "{said}");
    // What it shares, tasks read as everybody does.
    assert_eq!(other.run(&["share", "add", &cid]).code, Some(0));
    let said = until(run, |said| said.code == Some(0));
    assert_eq!(said.stdout(), "1\n", "{said}");
}

/// The one who runs a task is killed in the middle of it, and somebody else ends it.
#[test]
fn a_task_ends_on_another_node_when_the_first_is_killed() {
    let me = Environment::new();
    me.put("burn.wasm", wat::parse_str(BURN).unwrap());
    let others = [Environment::new(), Environment::new()];
    let start = |other: &Environment| Running::new(other, &["--work-for", "anyone"]);
    let mut nodes: Vec<Running> = others.iter().map(start).collect();
    let addresses: Vec<String> = nodes.iter().map(|node| node.address.clone()).collect();
    let mut run = me.command(&[
        "run",
        "burn.wasm",
        "burn(2000000000)",
        "--on",
        "any",
        "--peer",
        &addresses[0],
        "--peer",
        &addresses[1],
    ]);
    run.stdout(std::process::Stdio::piped());
    run.stderr(std::process::Stdio::piped());
    let run = run.spawn().unwrap();
    let is_at_work = |said: &Said| said.json()["ok"]["working"] == 1;
    let mut which = [0, 1].into_iter().cycle();
    let first = which
        .find(|at| is_at_work(&others[*at].run(&["status", "--json"])))
        .unwrap();
    nodes[first].child.kill().unwrap();
    let said = me.of(run.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said}");
    let second = did(&others[1 - first]);
    assert!(said.stderr.contains(&format!("{second} ran it")), "{said}");
    let here = me.run(&["run", "burn.wasm", "burn(2000000000)"]);
    assert_eq!(said.stdout(), here.stdout());
}

/// Never ends.
const SPIN: &str = r#"(component
  (core module $m (func (export "spin") (result i32) (loop $again (br $again)) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "spin") (result u32) (canon lift (core func $i "spin"))))"#;

/// A machine with what never ends, and another one that runs it for as long as nobody tells it otherwise.
fn endless() -> (Environment, Environment, Running) {
    let me = Environment::with(&["add"]);
    me.put("spin.wasm", wat::parse_str(SPIN).unwrap());
    let other = Environment::new();
    other.put(
        "homestar.toml",
        "[limits.max]\ntime = \"24h\"\n[work]\nfor = [\"anyone\"]\njobs = 1\n",
    );
    let node = Running::new(&other, &["--config", "homestar.toml"]);
    (me, other, node)
}

/// What it takes to run without an end.
const FOR_EVER: [&str; 4] = ["--time", "24h", "--fuel", "18446744073709551615"];

fn piped(mut command: std::process::Command) -> std::process::Child {
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    command.spawn().unwrap()
}

fn until_working(node: &Environment, count: u64) {
    let status = || node.run(&["status", "--json"]);
    until(status, |said| said.json()["ok"]["working"] == count);
}

fn interrupt(child: &std::process::Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn who_interrupts_a_task_ends_it_on_the_other_node() {
    let (me, other, node) = endless();
    let run = [
        &["run", "spin.wasm", "spin", "--on", &node.address],
        &FOR_EVER[..],
    ]
    .concat();
    let run = piped(me.command(&run));
    until_working(&other, 1);
    interrupt(&run);
    let said = me.of(run.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{said}");
    assert!(
        said.stderr.contains("was told that nobody waits for it"),
        "{said}"
    );
    until_working(&other, 0);
    // There is room for others.
    let said = me.run(&["run", "add.wasm", "add(1, 2)", "--on", &node.address]);
    assert_eq!(said.stdout(), "3\n", "{said}");
}

/// Whoever wanted it is killed and tells nobody, so the lease ends by itself.
#[test]
fn a_task_ends_on_the_other_node_when_who_wants_it_is_killed() {
    let (me, other, node) = endless();
    let run = [
        &["run", "spin.wasm", "spin", "--on", &node.address],
        &FOR_EVER[..],
    ]
    .concat();
    let mut run = piped(me.command(&run));
    until_working(&other, 1);
    run.kill().unwrap();
    run.wait().unwrap();
    until_working(&other, 0);
    let said = me.run(&["run", "add.wasm", "add(1, 2)", "--on", &node.address]);
    assert_eq!(said.stdout(), "3\n", "{said}");
}

#[test]
fn a_workflow_that_stops_ends_what_it_has_on_other_nodes() {
    let (me, other, node) = endless();
    me.put(
        "flow.yaml",
        "defaults: {limits: {time: 24h, fuel: 18446744073709551615}}
tasks:
  endless: {component: spin.wasm, call: spin}
  other: {component: add.wasm, call: add, args: [1, 2], place: local}
",
    );
    let run = ["run", "flow.yaml", "--on", &node.address];
    let run = piped(me.command(&run));
    until_working(&other, 1);
    interrupt(&run);
    let said = me.of(run.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{said}");
    assert!(said.stderr.contains("endless: stopped"), "{said}");
    until_working(&other, 0);
    // So it does when it fails, if that ends it.
    me.put("burn.wasm", wat::parse_str(BURN).unwrap());
    let flow = String::from_utf8(me.read("flow.yaml")).unwrap();
    let fails = "component: burn.wasm, call: burn, args: [0], place: local, limits: {time: 2s}";
    me.put("flow.yaml", format!("{flow}  fails: {{{fails}}}\n"));
    let run = [
        "run",
        "flow.yaml",
        "--on",
        &node.address,
        "--fail-fast",
        "--json",
    ];
    let said = me.run(&run);
    assert_eq!(said.code, Some(3), "{said}");
    let told = said.stdout();
    let stopped = |line: &str| line.contains("stopped") && line.contains("endless");
    assert!(told.lines().any(stopped), "{said}");
    until_working(&other, 0);
}

#[test]
fn what_makes_no_sense_is_said() {
    let it = Environment::with(&["add"]);
    let run = |more: &[&str]| it.run(&[&["run", "add.wasm", "add(1, 2)"], more].concat());
    let said = run(&["--on", "127.0.0.1"]);
    assert_eq!(said.code, Some(2), "{said}");
    let said = run(&["--on", "any"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("no peer is known"), "{said}");
    assert_eq!(run(&["--on", "local"]).stdout(), "3\n");
    let said = run(&["--on", "any", "--allow", "random"]);
    assert_eq!(said.code, Some(2), "{said}");
    let said = it.run(&["start", "--work-for", "everyone"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("trusted, delegated and anyone"),
        "{said}"
    );
}

#[test]
fn a_workflow_runs_on_other_nodes_but_for_what_has_to_stay_here() {
    let me = Environment::with(&["add", "image"]);
    me.put(
        "flow.yaml",
        "defaults: {component: add.wasm}
tasks:
  three: {call: add, args: [1, 2]}
  thirteen: {call: add, args: [{await/ok: three}, 10]}
  hidden: {call: add, args: [5, 6], secret: true}
  gray: {component: image.wasm, call: grayscale, args: [{\"@\": cat.png}]}
",
    );
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/image/cat.png");
    me.put("cat.png", std::fs::read(cat).unwrap());
    let other = Environment::new();
    let node = Running::new(&other, &["--work-for", &did(&me)]);
    let run = |more: &[&str]| me.run(&[&["run", "flow.yaml", "-o", "results"], more].concat());
    let said = run(&["--on", &node.address]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("4 tasks: 4 ran"), "{said}");
    let there = me.read("results/gray");
    for (task, by) in [
        ("three", &other),
        ("thirteen", &other),
        ("gray", &other),
        ("hidden", &me),
    ] {
        let said = me.run(&["explain", task]);
        assert!(said.stdout().contains(&did(by)), "{task}: {said}");
    }
    // What others ran answers the next time, here and without them.
    drop(node);
    let said = run(&[]);
    assert!(said.stderr.contains("4 tasks: 4 memoised"), "{said}");
    let said = run(&["--no-cache"]);
    assert!(said.stderr.contains("4 tasks: 4 ran"), "{said}");
    assert_eq!(me.read("results/gray"), there);
}

/// Two nodes run the tasks of a workflow, one of them is killed in the middle, and the other ends it.
#[test]
fn a_workflow_ends_on_another_node_when_one_is_killed() {
    let me = Environment::new();
    me.put("burn.wasm", wat::parse_str(BURN).unwrap());
    let tasks = (0..6).map(|at| format!("  t{at}: {{call: burn, args: [{}]}}\n", 500_000_000 + at));
    let tasks: String = tasks.collect();
    me.put(
        "flow.yaml",
        format!("defaults: {{component: burn.wasm}}\ntasks:\n{tasks}"),
    );
    let others = [Environment::new(), Environment::new()];
    let start = |other: &Environment| Running::new(other, &["--work-for", "anyone", "--jobs", "1"]);
    let mut nodes: Vec<Running> = others.iter().map(start).collect();
    let peers = nodes
        .iter()
        .flat_map(|node| ["--peer".to_owned(), node.address.clone()]);
    let peers: Vec<String> = peers.collect();
    let mut run = me.command(&["run", "flow.yaml", "--on", "any"]);
    run.args(&peers);
    run.stdout(std::process::Stdio::piped());
    run.stderr(std::process::Stdio::piped());
    let run = run.spawn().unwrap();
    let is_at_work = |said: &Said| said.json()["ok"]["working"] == 1;
    until(|| others[0].run(&["status", "--json"]), is_at_work);
    nodes[0].child.kill().unwrap();
    let said = me.of(run.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("6 tasks: 6 ran"), "{said}");
    let here = me.run(&["run", "flow.yaml", "--no-cache"]);
    assert_eq!(said.stdout(), here.stdout());
}

#[test]
fn a_workflow_says_who_runs_its_tasks() {
    let me = Environment::with(&["add"]);
    let flow = |places: [&str; 4]| {
        let [here, any, there, usual] = places;
        me.put(
            "flow.yaml",
            format!(
                "defaults: {{component: add.wasm}}
tasks:
  here: {{call: add, args: [1, 2], place: {here}}}
  any: {{call: add, args: [{{await/ok: here}}, 3], place: {any}}}
  there: {{call: add, args: [4, 5], place: {there}}}
  usual: {{call: add, args: [6, 7]{usual}}}
"
            ),
        );
    };
    let run = |more: &[&str]| me.run(&[&["run", "flow.yaml", "--no-cache"], more].concat());
    let ran_by = |whose: [&Environment; 4]| {
        for (task, by) in ["here", "any", "there", "usual"].iter().zip(whose) {
            let said = me.run(&["explain", task]);
            assert!(said.stdout().contains(&did(by)), "{task}: {said}");
        }
    };
    let other = Environment::new();
    let node = Running::new(&other, &["--work-for", &did(&me)]);
    flow(["local", "any", &node.address, ""]);
    let said = run(&["--peer", &node.address]);
    assert_eq!(said.code, Some(0), "{said}");
    ran_by([&me, &other, &other, &me]);
    let said = run(&["--on", &node.address]);
    assert_eq!(said.code, Some(0), "{said}");
    ran_by([&me, &me, &other, &other]);
    assert_eq!(run(&["--on", "local"]).code, Some(0));
    ran_by([&me; 4]);
    // A peer by its id has to be known.
    flow(["local", "any", id(&node), ""]);
    let said = run(&["--peer", &node.address]);
    assert_eq!(said.code, Some(0), "{said}");
    ran_by([&me, &other, &other, &me]);
    let said = run(&[]);
    let words = format!("nobody here knows where {} is", id(&node));
    assert!(
        said.code == Some(4) && said.stderr.contains(&words),
        "{said}"
    );
    // What is secret stays.
    flow([
        "local",
        "any",
        "local",
        &format!(", secret: true, place: {}", node.address),
    ]);
    let said = run(&["--peer", &node.address]);
    assert_ne!(said.code, Some(0), "{said}");
    assert!(
        said.stderr
            .contains("the `place` of the task `usual` is a peer, and it is secret"),
        "{said}"
    );
    // Whoever may run it may be nobody.
    flow(["local", "any", "any", ", place: any"]);
    assert_eq!(run(&[]).code, Some(0));
    ran_by([&me; 4]);
    let said = me.run(&["check", "flow.yaml"]);
    assert_eq!(said.code, Some(0), "{said}");
    flow(["local", "anywhere", "any", ""]);
    let said = me.run(&["check", "flow.yaml"]);
    assert!(
        said.stderr.contains("`place` is `local`, `any`, or a peer"),
        "{said}"
    );
}

#[test]
fn what_reaches_the_outside_or_is_in_a_node_already_goes_to_no_peer() {
    let me = Environment::with(&["add"]).with_dice().with_key();
    let other = Environment::new();
    let node = Running::new(&other, &["--work-for", "anyone"]);
    let place = |tasks: &str| {
        me.put(
            "flow.yaml",
            format!("tasks: {{t: {{{tasks}, place: {}}}}}", node.address),
        )
    };
    place("component: dice.wasm, call: roll, grant: [random]");
    let said = me.run(&["run", "flow.yaml"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr
            .contains("what reaches the outside runs here: `place: local` says so"),
        "{said}"
    );
    place("component: add.wasm, call: add, args: [1, 2]");
    let mine = Running::new(&me, &["--api", "127.0.0.1:0"]);
    let url = format!("http://{}", mine.api);
    let said = me.run(&["run", "flow.yaml", "--node", &url]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr
            .contains("what a node is asked to run runs there"),
        "{said}"
    );
}
