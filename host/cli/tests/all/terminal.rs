//! On a terminal, as `script` makes one.

use std::process::{Command, Stdio};

use crate::environment::{Environment, has};

fn on_a_terminal(it: &Environment, arguments: &str) -> Option<String> {
    if !has("script") {
        return None;
    }
    let line = format!(
        "{} {arguments}; echo code $?",
        env!("CARGO_BIN_EXE_homestar")
    );
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("HOME", it.path(""))
        .env(
            "XDG_CACHE_HOME",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/cli"),
        )
        .env_remove("HOMESTAR_HOME")
        .current_dir(it.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some(
        String::from_utf8(output.stdout)
            .unwrap()
            .replace("\r\n", "\n"),
    )
}

#[test]
fn bytes_are_not_printed() {
    let it = Environment::with(&["zoo"]);
    let Some(said) = on_a_terminal(&it, "run zoo.wasm 'echo-bytes([7, 27])'") else {
        return;
    };
    insta::assert_snapshot!(said, @r#"
    error: the result is a list<u8> of 2 bytes, which is not for a terminal
    hint: `-o FILE` writes it to a file, `--raw` prints it all the same
    code 2
    "#);
}

#[test]
fn bytes_are_printed_all_the_same_when_asked_for() {
    let it = Environment::with(&["zoo"]);
    let Some(said) = on_a_terminal(&it, "run zoo.wasm 'echo-bytes([65, 66])' --raw") else {
        return;
    };
    assert_eq!(said, "ABcode 0\n");
}

#[test]
fn a_command_does_not_wait_for_a_terminal() {
    let it = Environment::with(&["cli"]);
    let Some(said) = on_a_terminal(&it, "run cli.wasm") else {
        return;
    };
    assert_eq!(said, "0 0 0\ncode 0\n");
}
