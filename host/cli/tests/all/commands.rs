//! Components that are commands: arguments, standard input and output, exit codes.

use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn a_command_gets_arguments_and_standard_input() {
    let it = Environment::with(&["cli"]);
    let text = b"one two\nthree\n";
    it.put("text", text);
    assert_snapshot!(it.run_with(&["run", "cli.wasm"], text), @r#"
    2 3 14
    --- exit code 0
    "#);
    assert_snapshot!(it.run_with(&["run", "cli.wasm", "--", "-l", "-w"], text), @r#"
    2 3
    --- exit code 0
    "#);
    assert_snapshot!(it.run_with(&["run", "cli.wasm", "--stdin", "-"], text), @r#"
    2 3 14
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "cli.wasm", "--stdin", "text"]), @r#"
    2 3 14
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "cli.wasm"]), @r#"
    0 0 0
    --- exit code 0
    "#);
}

#[test]
fn a_command_ends_with_its_own_exit_code() {
    let it = Environment::with(&["cli"]);
    assert_snapshot!(it.run(&["run", "cli.wasm", "--", "-x"]), @r#"
    --- stderr
    cli: unknown argument "-x", known are -l, -w and -c
    --- exit code 1
    "#);
    let said = it.run(&["run", "cli.wasm", "--json", "--", "-x"]);
    assert_eq!(said.json()["error"]["kind"], "exit");
    assert_eq!(said.json()["error"]["value"]["status"], 1);
}

#[test]
fn what_a_command_prints_is_its_result() {
    let it = Environment::with(&["cli"]);
    assert_snapshot!(it.run_with(&["run", "cli.wasm", "--json"], b"a b"), @r#"
    {"ok":{"/":{"bytes":"MCAyIDMK"}}}
    --- exit code 0
    "#);
    assert_snapshot!(it.run_with(&["run", "cli.wasm", "-o", "counts"], b"a b"), @r#"--- exit code 0"#);
    assert_eq!(it.read("counts"), b"0 2 3\n");
}

#[test]
fn a_function_is_no_command() {
    let it = Environment::with(&["add", "cli"]);
    assert_snapshot!(it.run(&["run", "add.wasm", "--", "1", "2"]), @r#"
    --- stderr
    error: what follows -- is for commands, and add.wasm is none
    hint: for example `homestar run add.wasm 'add(1, 1)'`
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--stdin", "text", "add(1, 2)"]), @r#"
    --- stderr
    error: --stdin is for commands, and add.wasm is none
    hint: an argument @FILE is the content of a file, and @- standard input
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run", "cli.wasm", "words"]), @r#"
    --- stderr
    error: no function `words`; there is `wasi:cli/run@0.2.0#run`
    hint: it is a command, whose arguments follow `--`
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "cli.wasm", "-l"]), @r#"
    --- stderr
    error: unexpected argument '-l' found

      tip: to pass '-l' as a value, use '-- -l'

    Usage: homestar run [OPTIONS] <COMPONENT> [CALL] [-- <ARGS>...]

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "add", "1", "2"]), @r#"
    --- stderr
    error: unexpected argument '1' found

    Usage: homestar run [OPTIONS] <COMPONENT> [CALL] [-- <ARGS>...]

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run", "cli.wasm", "run()", "--", "-l"]), @r#"
    --- stderr
    error: what follows -- is for commands, and a function was asked for
    hint: a call has its arguments in parentheses
    --- exit code 2
    "#);
}

#[test]
fn standard_input_is_part_of_what_is_asked_and_nothing_is_as_none() {
    let it = Environment::with(&["cli"]).with_key();
    let asked = |said: crate::environment::Said| {
        assert_eq!(said.code, Some(0), "{said}");
        let shown = it.run(&["receipt", "show", "r", "--json"]);
        shown.json()["ran"]["/"].as_str().unwrap().to_owned()
    };
    let run = ["run", "cli.wasm", "--receipt", "r"];
    let none = asked(it.run(&run));
    let empty = asked(it.run_with(&run, b""));
    let some = asked(it.run_with(&run, b"x"));
    assert_eq!(none, empty);
    assert_ne!(none, some);
}

#[test]
fn a_reader_who_leaves_ends_it_quietly() {
    let it = Environment::with(&["cli", "zoo"]);
    it.put("text", "x".repeat(1 << 20));
    for arguments in [
        &["run", "zoo.wasm", "echo-string(@text)"][..],
        &["run", "cli.wasm"],
        &["completions", "bash"],
    ] {
        // A socket that was shut down is closed for everyone, also for a child of another test that holds it
        // until it becomes another program. A pipe isn't.
        let (reader, writer) = UnixStream::pair().unwrap();
        reader.shutdown(Shutdown::Both).unwrap();
        let said = it.said(it.command(arguments).stdout(OwnedFd::from(writer)));
        assert_eq!(
            (said.code, &said.stderr[..]),
            (Some(141), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn output_that_is_lost_is_said_and_has_a_receipt() {
    let it = Environment::with(&["cli"]).with_key();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = it.command(&["run", "cli.wasm", "--receipt", "r"]);
    assert_eq!(it.said(command.stdout(full)).code, Some(5));
    assert_eq!(it.run(&["receipt", "verify", "r"]).code, Some(0));
}
