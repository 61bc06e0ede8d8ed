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

/// What somebody sees who types `input`.
fn typed(it: &Environment, arguments: &str, input: &str) -> Option<String> {
    use std::io::Write;
    if !has("script") {
        return None;
    }
    let line = format!(
        "{} {arguments}; echo code $?",
        env!("CARGO_BIN_EXE_homestar")
    );
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("HOME", it.path(""))
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("HOMESTAR_HOME")
        .env_remove("HOMESTAR_KEY")
        .env_remove("HOMESTAR_PASSPHRASE")
        .current_dir(it.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let said = child.wait_with_output().unwrap().stdout;
    Some(String::from_utf8(said).unwrap().replace("\r\n", "\n"))
}

#[test]
fn passphrases_are_typed() {
    let it = Environment::new();
    let Some(said) = typed(
        &it,
        "key new work --passphrase",
        "open sesame\nopen sesame\n",
    ) else {
        return;
    };
    assert!(said.contains("new passphrase of the key work: "), "{said}");
    assert!(said.contains("the same again: "), "{said}");
    assert!(said.ends_with("code 0\n"), "{said}");
    let file = String::from_utf8(it.read(".config/homestar/keys/work.pem")).unwrap();
    assert!(file.starts_with("-----BEGIN ENCRYPTED"), "{file}");

    // A slip isn't the end.
    let typed_in = "open barley\nopen sesame\n";
    let said = typed(&it, "key protect work --off", typed_in).unwrap();
    assert!(
        said.contains("that isn't its passphrase; once more"),
        "{said}"
    );
    assert!(said.ends_with("code 0\n"), "{said}");
    let said = typed(&it, "key protect work", "one\nother\n").unwrap();
    assert!(said.contains("error: the two passphrases differ"), "{said}");
    assert!(said.ends_with("code 4\n"), "{said}");
}
