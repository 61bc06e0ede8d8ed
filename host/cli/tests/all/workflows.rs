//! Workflows: checked, run, interrupted, gone on with, and looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::environment::{Environment, Said};

const SUMS: &str = "
name: sums
defaults: {component: add.wasm}
tasks:
  three: {call: add, args: [1, 2]}
  five: {call: add, args: [{await/ok: three}, 2]}
  six: {call: add, args: [3, 3]}
";

pub(crate) fn with(guests: &[&str], workflow: &str) -> Environment {
    let it = Environment::with(guests).with_key();
    it.put("flow.yaml", workflow);
    it
}

/// The lines of JSON that a program said.
pub(crate) fn events(said: &Said) -> Vec<Value> {
    let lines = said.stdout().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The events of a kind, by what they say of `field`.
pub(crate) fn of<'a>(events: &'a [Value], event: &str, field: &str) -> Vec<&'a str> {
    let fit = events.iter().filter(|it| it["event"] == event);
    fit.map(|it| it[field].as_str().unwrap()).collect()
}

#[test]
fn a_workflow_runs_and_its_receipts_answer_the_next_time() {
    let it = with(&["add"], SUMS);
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!(said.code, Some(0), "{said}");
    let lines: BTreeSet<_> = said.stdout().lines().collect();
    assert_eq!(lines, BTreeSet::from(["five  5", "six   6"]), "{said}");
    assert!(said.stderr.contains("3 tasks: 3 ran, in "), "{said}");

    let said = it.run(&["run", "flow.yaml"]);
    assert!(said.stderr.contains("3 tasks: 3 memoised, in "), "{said}");
    let again = events(&it.run(&["run", "flow.yaml", "--json"]));
    assert_eq!(of(&again, "started", "task"), [""; 0]);
    let last = again.last().unwrap();
    assert_eq!(last["results"]["five"]["ok"], 5);
    assert_eq!(
        (&last["how"], &last["counts"]["memoised"]),
        (&"well".into(), &3.into())
    );

    // In another workflow too, and in another language.
    let toml = "[tasks.other]\ncomponent = \"add.wasm\"\ncall = \"add\"\nargs = [1, 2]\n";
    it.put("other.toml", toml);
    let said = it.run(&["run", "other.toml"]);
    assert_eq!((said.stdout(), said.code), ("3\n", Some(0)), "{said}");
    assert!(said.stderr.contains("1 task: 1 memoised"), "{said}");
    let said = it.run(&["run", "other.toml", "--no-cache"]);
    assert!(said.stderr.contains("1 task: 1 ran"), "{said}");
}

#[test]
fn what_is_wrong_is_told_at_once_and_nothing_runs() {
    let wrong = "
defaults: {component: add.wasm}
tasks:
  a: {call: add, args: [1, {await/ok: bb}]}
  b: {call: ad, args: [1, 2]}
  c: {call: add, args: [1, many]}
  d: {call: add, args: [{'@': nowhere.txt}, 2]}
  e: {call: longest-word, component: text.wasm, args: [a b]}
  f: {call: add, args: [{await/ok: e}, 2]}
  g: {component: gone.wasm, call: x}
  h: {component: needs.wasm, call: forecast}
";
    let it = with(&["add", "text", "needs"], wrong);
    for command in ["check", "run", "plan"] {
        let said = it.run(&[command, "flow.yaml"]);
        assert_eq!(said.code, Some(4), "{said}");
        for line in [
            "error: flow.yaml has 8 problems",
            "flow.yaml:4:28: task `a`: no task `bb`",
            "flow.yaml:5:13: task `b`: ",
            "flow.yaml:6:28: task `c`: ",
            "can't read nowhere.txt: No such file",
            "flow.yaml:9:25: task `f`: parameter `a` of `add` takes `u32`, but `await/ok` of task `e` gives `string`",
            "flow.yaml:10:18: component `gone.wasm`: can't read gone.wasm: No such file",
            "flow.yaml:11:18: component `needs.wasm`: ",
            "hint: no effect offers `",
        ] {
            assert!(said.stderr.contains(line), "{line}\n{said}");
        }
    }
    let said = it.run(&["check", "flow.yaml", "--json"]);
    let problems = &said.json()["error"]["problems"];
    assert_eq!(problems.as_array().unwrap().len(), 8, "{said}");
    assert_eq!(
        (&problems[0]["line"], &problems[0]["task"]),
        (&4.into(), &"a".into())
    );
    let said = it.run(&["runs"]);
    assert_eq!((said.stdout(), said.code), ("", Some(0)), "{said}");

    it.put("broken.yaml", "tasks:\n  a: [1\n");
    let said = it.run(&["check", "broken.yaml"]);
    assert!(said.stderr.contains("  broken.yaml:3:1: "), "{said}");
    it.put(
        "circle.yaml",
        "tasks:\n  a: {component: add.wasm, call: add, args: [1, {await/ok: a}]}\n",
    );
    let said = it.run(&["check", "circle.yaml"]);
    assert!(
        said.stderr.contains("tasks wait for each other: a → a"),
        "{said}"
    );
}

#[test]
fn a_check_looks_and_leaves_nothing_behind() {
    let it = with(
        &["image"],
        "
defaults: {component: image.wasm}
tasks:
  gray: {call: grayscale, for-each: {'@': photos}, args: [{'@each': value}], grant: [random]}
",
    );
    it.put("photos/a.png", "no picture");
    let said = it.run(&["check", "flow.yaml"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(
        said.stdout(),
        "flow.yaml: 1 task, nothing wrong\n  grants random\n"
    );
    assert!(!it.path(".local/share/homestar/store").exists());
}

#[test]
fn a_folder_is_gone_through_and_gathered() {
    let it = with(
        &["text"],
        "
defaults: {component: text.wasm}
tasks:
  count: {call: line-count, for-each: [a, \"b\\nc\", \"\"], args: [{'@each': value}]}
",
    );
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!(
        (said.stdout(), said.code),
        ("[1, 2, 0]\n", Some(0)),
        "{said}"
    );
    let said = it.run(&["explain", "count[1]"]);
    assert!(said.stdout().contains(r#"arguments    ["b\nc"]"#), "{said}");

    let cat = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/image/cat.png"
    ));
    let cat = cat.unwrap();
    it.put("photos/one.png", &cat);
    it.put("photos/two.png", &cat);
    it.put(
        "image.wasm",
        std::fs::read(homestar_guests::image()).unwrap(),
    );
    it.put(
        "photos.yaml",
        "
defaults: {component: image.wasm}
tasks:
  gray: {call: grayscale, for-each: {'@': photos}, args: [{'@each': value}]}
  small: {call: crop, args: [{'@': photos/one.png}, 1, 2, 3, 4]}
  turned: {call: rotate90, args: [{await/ok: small}]}
",
    );
    let said = it.run(&["run", "photos.yaml", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    let told = events(&said);
    let mut ended = of(&told, "ended", "task");
    ended.sort_unstable();
    // Two files with the same content are one task.
    assert_eq!(ended, ["gray[one.png]", "small", "turned"], "{said}");
    assert_eq!(told.last().unwrap()["counts"]["all"], 5);
    let said = it.run(&["run", "photos.yaml", "-o", "out"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(it.read("out/turned").starts_with(b"\x89PNG"));
}

const ROLLS: &str = "
defaults: {component: dice.wasm, call: roll, grant: [random]}
tasks:
  roll: {call: roll}
  other: {call: roll, nonce: b, REUSE}
";

#[test]
fn what_was_heard_from_outside_counts_for_one_run() {
    let it = with(
        &[],
        &ROLLS
            .replace(", call: roll, grant", ", grant")
            .replace(", REUSE", ", reuse: 1h"),
    )
    .with_dice();
    let roll = || {
        let said = it.run(&["run", "flow.yaml", "--json"]);
        assert_eq!(said.code, Some(0), "{said}");
        let results = events(&said).last().unwrap()["results"].clone();
        (
            results["roll"]["ok"].clone(),
            results["other"]["ok"].clone(),
        )
    };
    let (first, second) = (roll(), roll());
    assert_ne!(first.0, second.0);
    assert_eq!(first.1, second.1, "it may be used for an hour");
    let said = it.run(&["explain", "roll"]);
    assert!(
        said.stdout().contains("heard        1 call to entropy\n"),
        "{said}"
    );
    let closed = ROLLS
        .replace(", call: roll, grant: [random]", "")
        .replace(", REUSE", "");
    it.put("closed.yaml", closed);
    let said = it.run(&["run", "closed.yaml"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("roll: failed (guest): "), "{said}");
    let said = it.run(&["run", "closed.yaml", "--allow", "random"]);
    assert_eq!(said.code, Some(0), "{said}");
    it.put(".config/homestar/homestar.toml", "ceiling = [\"clock\"]\n");
    let said = it.run(&["check", "flow.yaml"]);
    assert!(
        said.stderr
            .contains("`random` is beyond what the operator allows"),
        "{said}"
    );
}

#[test]
fn a_value_flows_on_however_large_it_is() {
    let it = with(
        &["text"],
        "
defaults: {component: text.wasm}
tasks:
  counts: {component: numbers.wasm, call: numbers, args: [200000]}
  sum: {call: sum, args: [{await/ok: counts}]}
",
    );
    it.put("numbers.wasm", wat::parse_str(NUMBERS).unwrap());
    for _ in 0..2 {
        let said = it.run(&["run", "flow.yaml"]);
        assert_eq!(
            (said.stdout(), said.code),
            ("19999900000\n", Some(0)),
            "{said}"
        );
    }
    let said = it.run(&["explain", "sum"]);
    assert!(said.stdout().contains("reads        bafy"), "{said}");
    let receipt = it.run(&["explain", "counts", "--json"]).json();
    let value = receipt["ok"]["receipts"][0]["out"]["ok"]["/"]
        .as_str()
        .unwrap()
        .to_owned();
    it.run(&["gc"]);
    let said = it.run(&["run", "flow.yaml", "--no-cache"]);
    assert_eq!(said.code, Some(0), "{value} {said}");
}

/// Gives the numbers below another.
const NUMBERS: &str = r#"
(component
    (core module $module
        (memory (export "memory") 64)
        (func (export "numbers") (param $count i64) (result i32)
            (local $at i64)
            (loop $more
                (i64.store (i32.add (i32.const 16) (i32.wrap_i64 (i64.mul (local.get $at) (i64.const 8))))
                    (local.get $at))
                (br_if $more (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 1)))
                    (local.get $count))))
            (i32.store (i32.const 0) (i32.const 16))
            (i32.store (i32.const 4) (i32.wrap_i64 (local.get $count)))
            (i32.const 0))
    )
    (core instance $instance (instantiate $module))
    (alias core export $instance "memory" (core memory $memory))
    (alias core export $instance "numbers" (core func $numbers))
    (func (export "numbers") (param "count" u64) (result (list u64))
        (canon lift (core func $numbers) (memory $memory)))
)"#;

#[test]
fn secrets_stay_out_of_what_is_said() {
    let it = with(
        &["plain"],
        "
defaults: {component: plain.wasm}
tasks:
  word: {call: shout, args: [swordfish], secret: true}
  louder: {call: shout, args: [{await/ok: word}]}
",
    );
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        !format!("{said}").to_lowercase().contains("swordfish"),
        "{said}"
    );
    let said = it.run(&["run", "flow.yaml", "--no-cache", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        !format!("{said}").to_lowercase().contains("swordfish"),
        "{said}"
    );
    let said = it.run(&["run", "flow.yaml", "-o", "result"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(it.read("result").to_ascii_lowercase(), b"swordfish");
}

/// A chain beside independent tasks and tasks that hear from outside.
fn long(count: usize) -> String {
    let mut text = "defaults: {component: add.wasm}\ntasks:\n".to_owned();
    for at in 0..count {
        let awaited = at
            .checked_sub(1)
            .map(|at| format!("{{await/ok: chain-{at}}}"));
        let first = awaited.unwrap_or_else(|| "7".to_owned());
        text += &format!("  chain-{at}: {{call: add, args: [{first}, 1]}}\n");
        text += &format!("  free-{at}: {{call: add, args: [{at}, 1000]}}\n");
        if at % 10 == 0 {
            text += &format!(
                "  roll-{at}: {{component: dice.wasm, call: roll, nonce: n{at}, grant: [random]}}\n"
            );
        }
    }
    text
}

/// A program that is running, whose events are read as they come.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    told: Vec<Value>,
}

impl Running {
    fn new(it: &Environment, arguments: &[&str]) -> Self {
        let mut command = it.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = Vec::new();
        Self { child, lines, told }
    }

    /// Reads until so many tasks have ended, or to the end.
    fn until(&mut self, ended: usize) {
        while of(&self.told, "ended", "task").len() < ended {
            let Some(Ok(line)) = self.lines.next() else {
                return;
            };
            self.told.extend(serde_json::from_str::<Value>(&line).ok());
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Reads what it says to its end. What was cut off was not said.
    fn end(mut self) -> (Vec<Value>, Option<i32>) {
        self.until(usize::MAX);
        let code = self.child.wait().unwrap().code();
        (self.told, code)
    }
}

/// The receipts that were told of, by their tasks.
fn receipts(told: &[Value]) -> BTreeMap<String, String> {
    let ended = told.iter().filter(|it| it["event"] == "ended");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    ended
        .map(|it| (text(&it["task"]), text(&it["receipt"]["/"])))
        .collect()
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_where_it_was() {
    let tasks = 200;
    let undisturbed = with(&["add"], &long(tasks)).with_dice();
    let (told, code) = Running::new(&undisturbed, &["run", "flow.yaml", "--json"]).end();
    assert_eq!(code, Some(0));
    let all = receipts(&told);
    assert_eq!(all.len(), 2 * tasks + tasks / 10);

    let it = with(&["add"], &long(tasks)).with_dice();
    let mut known = BTreeMap::new();
    let mut run = None;
    for kill_at in [1, 40, 41, 120, 200, 300, usize::MAX] {
        let mut running = Running::new(&it, &["run", "flow.yaml", "--json"]);
        running.until(kill_at);
        if kill_at < usize::MAX {
            running.child.kill().unwrap();
        }
        let (told, code) = running.end();
        let begun = &told[0];
        assert_eq!(begun["resumed"], run.is_some());
        assert_eq!(run.get_or_insert(begun["run"].clone()), &begun["run"]);
        let started: BTreeSet<_> = of(&told, "started", "task").into_iter().collect();
        let again: Vec<_> = known
            .keys()
            .filter(|task: &&String| started.contains(&***task))
            .collect();
        assert!(again.is_empty(), "what was told of ran again: {again:?}");
        for (task, receipt) in receipts(&told) {
            let before = known.insert(task.clone(), receipt.clone());
            assert!(before.is_none_or(|before| before == receipt), "{task}");
        }
        if kill_at == usize::MAX {
            assert_eq!(code, Some(0));
        }
    }
    assert_eq!(known.len(), all.len());
    for (task, receipt) in &all {
        assert!(
            task.starts_with("roll") || &known[task] == receipt,
            "{task}"
        );
    }
    let said = it.run(&["store", "verify"]);
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn ctrl_c_lets_what_runs_end_and_the_same_command_goes_on() {
    let it = with(&["add"], &long(200)).with_dice();
    let mut running = Running::new(&it, &["run", "flow.yaml", "--json"]);
    running.until(20);
    running.signal(rustix::process::Signal::INT);
    let (told, code) = running.end();
    assert_eq!(code, Some(130));
    let last = told.last().unwrap();
    assert_eq!(
        (&last["event"], &last["how"]),
        (&"finished".into(), &"cancelled".into())
    );
    let said = it.run(&["runs"]);
    assert!(said.stdout().contains("  interrupted  "), "{said}");
    // Its tasks are named as far as they came.
    let run = told[0]["run"].as_str().unwrap();
    let shown = it.run(&["runs", "show", run, "--json"]).json()["ok"]["tasks"].clone();
    let shown = shown.as_array().unwrap();
    assert_eq!(shown.len(), 420);
    for (task, receipt) in receipts(&told) {
        let task = shown.iter().find(|it| it["task"] == *task).unwrap();
        assert_eq!(
            (&task["status"], &task["receipt"]["/"]),
            (&"ran".into(), &receipt.into())
        );
    }
    assert!(shown.iter().any(|task| task["status"] == "waiting"));
    let said = it.run(&["explain", "chain-0"]);
    assert!(said.stdout().contains("ended        ran\n"), "{said}");
    let (rest, code) = Running::new(&it, &["run", "flow.yaml", "--json"]).end();
    assert_eq!((code, &rest[0]["resumed"]), (Some(0), &true.into()));
    let first: BTreeSet<_> = of(&told, "started", "task").into_iter().collect();
    let second: BTreeSet<_> = of(&rest, "started", "task").into_iter().collect();
    assert!(first.is_disjoint(&second));
    assert_eq!(first.len() + second.len(), 420);
}

#[test]
fn who_leaves_ends_the_run_and_comes_back_to_it() {
    let it = with(&["add"], &long(200)).with_dice();
    let mut running = Running::new(&it, &["run", "flow.yaml", "--json"]);
    running.until(10);
    let Running {
        mut child, lines, ..
    } = running;
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let (told, code) = Running::new(&it, &["run", "flow.yaml", "--json"]).end();
    assert_eq!((code, &told[0]["resumed"]), (Some(0), &true.into()));
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let it = with(
        &["hostile"],
        "tasks: {spin: {component: hostile.wasm, call: spin, limits: {time: 5m, fuel: 1000T}}}",
    );
    let mut running = Running::new(&it, &["run", "flow.yaml", "--json"]);
    while of(&running.told, "started", "task").is_empty() {
        let line = running.lines.next().unwrap().unwrap();
        running.told.push(serde_json::from_str(&line).unwrap());
    }
    running.signal(rustix::process::Signal::INT);
    // One that comes before the first was taken note of counts for none.
    let code = loop {
        running.signal(rustix::process::Signal::INT);
        if let Some(status) = running.child.try_wait().unwrap() {
            break status.code();
        }
        std::thread::yield_now();
    };
    assert_eq!(code, Some(130));
    let said = it.run(&["runs"]);
    assert!(said.stdout().contains("  interrupted  "), "{said}");
}

#[test]
fn two_at_a_time_are_two_runs() {
    let it = with(&["add"], &long(100)).with_dice();
    let arguments = ["run", "flow.yaml", "--json"];
    let running = [0; 2].map(|_| Running::new(&it, &arguments));
    let mut runs = BTreeSet::new();
    for running in running {
        let (told, code) = running.end();
        assert_eq!(code, Some(0));
        runs.insert(told[0]["run"].as_str().unwrap().to_owned());
        assert_eq!(told[0]["resumed"], false);
    }
    assert_eq!(runs.len(), 2);
}

#[test]
fn a_task_asks_for_further_tasks() {
    let it = with(
        &["diary"],
        "tasks: {plan: {component: diary.wasm, call: plan, args: [4]}}",
    );
    let said = it.run(&["run", "flow.yaml", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    let told = events(&said);
    // Those of 0, 1, 2 and 3, each once, though several ask for them.
    assert_eq!(of(&told, "started", "task").len(), 5, "{said}");
    assert_eq!(told.last().unwrap()["counts"]["ran"], 5);
    let said = it.run(&["explain", "plan"]);
    assert_eq!(said.code, Some(0), "{said}");

    it.put(
        "wrong.yaml",
        "
defaults: {component: diary.wasm, call: ask}
tasks:
  a: {call: ask, args: [bafy, f, '[]']}
  b: {call: ask, args: [null, f, '{}']}
  c: {call: ask, args: [null, f, '[1']}
",
    );
    let flow = String::from_utf8(it.read("wrong.yaml")).unwrap();
    it.put(
        "wrong.yaml",
        flow.replace(", call: ask}\ntasks", "}\ntasks"),
    );
    let said = it.run(&["run", "wrong.yaml"]);
    assert_eq!(said.code, Some(1), "{said}");
    for words in [
        "Malformed(\\\"the component: ",
        "the arguments: they are no list",
        "the arguments: ",
    ] {
        assert!(said.stderr.contains(words), "{words} {said}");
    }

    // A receipt in a file says what is asked for, and a replay compares that.
    let said = it.run(&["run", "diary.wasm", "plan(2)", "--receipt", "plan.car"]);
    assert_eq!(said.code, Some(0), "{said}");
    let said = it.run(&["receipt", "show", "plan.car"]);
    assert_eq!(
        said.stdout().matches("asks for     bafy").count(),
        2,
        "{said}"
    );
    let said = it.run(&["replay", "plan.car"]);
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn the_form_of_2024_runs_as_it_is() {
    let it = with(&["add"], "");
    let component = it
        .run(&["add", "-q", "add.wasm"])
        .stdout()
        .trim()
        .to_owned();
    let task = |args: &str| {
        format!(
            r#"{{"run": {{"rsc": "ipfs://{component}", "op": "wasm/run", "nnc": "", "input": {{"func": "add", "args": {args}}}}},
            "meta": {{"fuel": 18446744073709552000, "time": 100000}}, "prf": [], "cause": null}}"#
        )
    };
    it.put(
        "old.json",
        format!(r#"{{"tasks": [{}, {}]}}"#, task("[1, 2]"), task("[3, 4]")),
    );
    let said = it.run(&["run", "old.json"]);
    assert_eq!(
        (said.stdout(), said.code),
        ("task-1  3\ntask-2  7\n", Some(0)),
        "{said}"
    );
}

#[test]
fn a_plan_shows_what_would_run() {
    let it = with(&["add"], SUMS);
    let said = it.run(&["plan", "flow.yaml"]);
    assert!(said.stdout().contains("runs   three  add\n"), "{said}");
    assert!(
        said.stdout().contains("waits  five   add  after three\n"),
        "{said}"
    );
    assert_eq!(it.run(&["run", "flow.yaml"]).code, Some(0));
    let said = it.run(&["plan", "flow.yaml", "--json"]);
    let prospects = said.json()["ok"]["tasks"].clone();
    let all = prospects
        .as_array()
        .unwrap()
        .iter()
        .all(|it| it["prospect"] == "memoised");
    assert!(all, "{said}");
    assert!(
        it.run(&["plan", "flow.yaml", "--dot"])
            .stdout()
            .starts_with("digraph workflow {\n")
    );
    assert!(
        it.run(&["plan", "flow.yaml", "--mermaid"])
            .stdout()
            .starts_with("flowchart LR\n")
    );
}

#[test]
fn runs_are_listed_shown_and_forgotten() {
    let it = with(&["add"], SUMS);
    assert_eq!(it.run(&["run", "flow.yaml"]).code, Some(0));
    let listed = it.run(&["runs", "--json"]);
    let run = listed.json()["ok"][0].clone();
    assert_eq!(
        (&run["state"], &run["ran"]),
        (&"well".into(), &3.into()),
        "{listed}"
    );
    let id = run["run"].as_str().unwrap();
    let said = it.run(&["runs", "show", &id[..4]]);
    assert_eq!(said.stdout().matches("ran       ").count(), 3, "{said}");
    let said = it.run(&["explain", "five", "--run", id, "--json"]);
    let explained = said.json()["ok"].clone();
    let receipt = explained["receipts"][0]["receipt"]["/"].as_str().unwrap();
    assert_eq!(explained["receipts"][0]["out"]["ok"], 5);
    let said = it.run(&["explain", receipt]);
    assert!(said.stdout().contains("outcome      ok 5\n"), "{said}");
    let said = it.run(&["receipt", "list", "--limit", "2"]);
    assert_eq!(said.stdout().lines().count(), 2, "{said}");
    let said = it.run(&["explain", "seven"]);
    assert!(said.stderr.contains("has no task seven"), "{said}");
    assert_eq!(it.run(&["runs", "forget", id]).code, Some(0));
    assert_eq!(it.run(&["runs"]).stdout(), "");
    let said = it.run(&["runs", "show", id]);
    assert_eq!(said.code, Some(4), "{said}");
}

#[test]
fn what_is_for_one_is_not_for_many() {
    let it = with(&["add"], SUMS);
    for (arguments, words) in [
        (
            &["run", "flow.yaml", "add(1, 2)"][..],
            "a call is for a component, and this is a workflow",
        ),
        (
            &["run", "flow.yaml", "--receipt", "x"],
            "--receipt is for a component",
        ),
        (
            &["run", "add.wasm", "add(1, 2)", "--fail-fast"],
            "--fail-fast is for workflows",
        ),
        (&["run", "add.wasm", "-j", "2"], "--jobs is for workflows"),
    ] {
        let said = it.run(arguments);
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains(words), "{said}");
    }
    let said = it.run(&["check", "add.wasm"]);
    assert!(
        said.stderr.contains("files of workflows end in .yaml"),
        "{said}"
    );
}
