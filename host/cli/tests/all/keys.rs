//! The key: made once, for one reader.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::environment::Environment;

const PATH: &str = ".config/homestar/key.pem";

#[test]
fn who_one_is() {
    let it = Environment::new().with_key();
    assert_snapshot!(it.run(&["key", "show"]), @r#"
    did   did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    path  $HOME/.config/homestar/key.pem
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["key", "show", "--json"]), @r#"
    {"did":"did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd","path":"$HOME/.config/homestar/key.pem"}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["key", "path"]), @r#"
    $HOME/.config/homestar/key.pem
    --- exit code 0
    "#);
}

#[test]
fn the_path_follows_the_environment() {
    let it = Environment::new();
    let path = |variable, value| {
        let mut command = it.command(&["key", "path"]);
        it.said(command.env(variable, value)).to_string()
    };
    assert_snapshot!(path("HOMESTAR_HOME", "/a"), @r#"
    /a/key.pem
    --- exit code 0
    "#);
    assert_snapshot!(path("XDG_CONFIG_HOME", "/b"), @r#"
    /b/homestar/key.pem
    --- exit code 0
    "#);
    assert_snapshot!(path("XDG_CONFIG_HOME", "relative"), @r#"
    $HOME/.config/homestar/key.pem
    --- exit code 0
    "#);
}

#[test]
fn a_key_is_made_for_its_user_alone() {
    let it = Environment::new();
    let first = it.run(&["key", "show"]);
    assert_eq!(first.code, Some(0), "{first}");
    let mode = |name| fs::metadata(it.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(PATH), mode(".config/homestar")), (0o600, 0o700));
    assert_eq!(first.stdout, it.run(&["key", "show"]).stdout);
    let files = fs::read_dir(it.path(".config/homestar")).unwrap();
    assert_eq!(files.count(), 1);
}

#[test]
fn without_need_there_is_no_key() {
    let it = Environment::with(&["add"]);
    it.run(&["run", "add.wasm", "add(1, 2)"]);
    assert!(!it.path(".config").exists());
}

#[test]
fn processes_that_make_it_at_once_agree() {
    let it = Environment::new();
    let start = |_| {
        let mut command = it.command(&["key", "show"]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    let said = |child: std::process::Child| it.of(child.wait_with_output().unwrap()).to_string();
    let mut said: Vec<_> = children.into_iter().map(said).collect();
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let it = Environment::with(&["add"]).with_key();
    fs::set_permissions(it.path(PATH), fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(it.run(&["key", "show"]), @r#"
    --- stderr
    error: others than you may read or change the key $HOME/.config/homestar/key.pem
    hint: `chmod 600 $HOME/.config/homestar/key.pem` closes it
    --- exit code 4
    "#);
    let run = ["run", "add.wasm", "add(1, 2)", "--receipt", "r"];
    assert_eq!(it.run(&run).code, Some(4));
    assert!(!it.path("r").exists());
}

#[test]
fn a_damaged_key_is_said() {
    let it = Environment::new().with_key();
    fs::write(it.path(PATH), "-----BEGIN").unwrap();
    assert_snapshot!(it.run(&["key", "show"]), @r#"
    --- stderr
    error: can't read the key $HOME/.config/homestar/key.pem
      because: not an Ed25519, P-256 or secp256k1 key in PKCS#8 PEM
    hint: move it away and a new one is made; receipts signed with it stay good
    --- exit code 4
    "#);
}
