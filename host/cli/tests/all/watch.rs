//! `homestar run --watch` runs again when something changes that the result depends on.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use crate::environment::Environment;

/// A program that goes on until this is dropped.
struct Running {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn new(environment: &Environment, arguments: &[&str]) -> Self {
        let mut command = environment.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            stdout,
            stderr,
        }
    }

    fn prints(&mut self, line: &str) {
        assert_eq!(self.stdout.next().unwrap().unwrap(), line);
    }

    fn says(&mut self, line: &str) {
        assert_eq!(self.stderr.next().unwrap().unwrap(), line);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const RUN: [&str; 4] = ["run", "--watch", "needs.wasm", "advice(\"Cairo\")"];

fn guest(environment: &Environment, name: &str) -> Vec<u8> {
    environment.read(&format!("{name}.wasm"))
}

#[test]
fn a_run_is_repeated_when_an_effect_or_the_component_changes() {
    let environment = Environment::with(&["needs", "almanac", "pessimist", "hello"]);
    let [needs, almanac, pessimist, hello] =
        ["needs", "almanac", "pessimist", "hello"].map(|name| guest(&environment, name));
    environment.put("effects/a.wasm", &almanac);
    let mut running = Running::new(&environment, &RUN);
    running.prints("\"go as you are\"");
    environment.put("effects/b.wasm", &pessimist);
    running.says("effects/b.wasm is new");
    running.prints("\"take an umbrella\"");
    fs::remove_file(environment.path("effects/b.wasm")).unwrap();
    running.says("effects/b.wasm was removed");
    running.prints("\"go as you are\"");
    environment.put("needs.wasm", &hello);
    running.says("needs.wasm changed");
    running.says("error: no function `advice`; there is `greet`");
    loop {
        // Hints follow, until it is asked for something else.
        environment.put("needs.wasm", &needs);
        let line = running.stderr.next().unwrap().unwrap();
        if line == "needs.wasm changed" {
            break;
        }
    }
    running.prints("\"go as you are\"");
}

#[test]
fn what_is_not_wired_is_no_reason_to_run_again_and_what_is_broken_is_named() {
    let environment = Environment::with(&["needs", "almanac", "pessimist"]);
    let [almanac, pessimist] = ["almanac", "pessimist"].map(|name| guest(&environment, name));
    environment.put("effects/a.wasm", &almanac);
    let mut running = Running::new(&environment, &[&RUN[..], &["--json"]].concat());
    running.prints("{\"ok\":\"go as you are\"}");
    environment.put("effects/notes.txt", "not an effect");
    environment.put("effects/broken.wasm", "not an effect either");
    running.says("warning: effects/broken.wasm can't be used as an effect: not a WebAssembly component: it looks like text");
    // Had it run meanwhile, there would be another line.
    environment.put("effects/broken.wasm", &pessimist);
    running.prints("{\"ok\":\"take an umbrella\"}");
    running.says("effects/broken.wasm is new");
}

#[test]
fn what_is_missing_is_waited_for() {
    let environment = Environment::with(&["needs", "almanac"]);
    let almanac = guest(&environment, "almanac");
    let mut running = Running::new(&environment, &[&RUN[..], &["--json"]].concat());
    let line = running.stdout.next().unwrap().unwrap();
    assert!(line.contains("acme:almanac/almanac"), "{line}");
    environment.put("effects/almanac.wasm", &almanac);
    running.prints("{\"ok\":\"go as you are\"}");
    running.says("effects/almanac.wasm is new");
}

#[test]
fn standard_input_is_not_watched() {
    let said = Environment::new().run(&["run", "--watch", "-", "add(1, 2)"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.stderr, "error: standard input can't be watched\n");
}
