//! The reference page says what `--help` says.

use std::fs;

use crate::environment::Environment;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");

/// What stands before the output of `--help` on the page, and after it.
const OPEN: &str = "```text\n$ homestar";
const CLOSE: &str = "\n```\n";

/// With this variable set, the page is written and not compared.
pub(crate) const WRITE: &str = "HOMESTAR_WRITE_DOCS";

#[test]
fn the_page_has_the_help_of_every_command() {
    let it = Environment::new();
    let page = fs::read_to_string(PAGE).unwrap();
    let mut wanted = String::new();
    let mut rest = &page[..];
    let mut commands = Vec::new();
    while let Some(start) = rest.find(OPEN) {
        let from = start + OPEN.len();
        let end = from + rest[from..].find(CLOSE).unwrap();
        let line = rest[from..end].lines().next().unwrap();
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let help = it.run(&arguments);
        assert_eq!(help.code, Some(0), "{help}");
        wanted += &format!("{}{line}\n", &rest[..from]);
        let lines: Vec<_> = help.stdout().lines().map(str::trim_end).collect();
        wanted += lines.join("\n").trim_end();
        rest = &rest[end..];
        commands.push(line.trim().to_owned());
    }
    wanted += rest;
    if std::env::var_os(WRITE).is_some() {
        fs::write(PAGE, &wanted).unwrap();
    }
    assert!(
        page == wanted,
        "docs/cli.md is not what --help says; {WRITE}=1 writes it"
    );
    let expected = [
        "--help",
        "new --help",
        "build --help",
        "dev --help",
        "bind --help",
        "run --help",
        "check --help",
        "plan --help",
        "runs --help",
        "runs show --help",
        "runs forget --help",
        "explain --help",
        "inspect --help",
        "effect --help",
        "effect list --help",
        "effect inspect --help",
        "effect add --help",
        "effect remove --help",
        "effect where --help",
        "receipt --help",
        "receipt list --help",
        "receipt show --help",
        "receipt verify --help",
        "replay --help",
        "add --help",
        "cat --help",
        "get --help",
        "ls --help",
        "stat --help",
        "pin --help",
        "pin add --help",
        "pin remove --help",
        "pin list --help",
        "gc --help",
        "car --help",
        "car export --help",
        "car import --help",
        "store --help",
        "store info --help",
        "store verify --help",
        "store rebuild --help",
        "serve --help",
        "serve gateway --help",
        "start --help",
        "stop --help",
        "status --help",
        "ping --help",
        "node --help",
        "node info --help",
        "node peers --help",
        "node connect --help",
        "share --help",
        "share add --help",
        "share remove --help",
        "share list --help",
        "key --help",
        "key new --help",
        "key list --help",
        "key show --help",
        "key path --help",
        "key import --help",
        "key export --help",
        "key protect --help",
        "key rename --help",
        "ucan --help",
        "ucan delegate --help",
        "ucan invoke --help",
        "ucan inspect --help",
        "ucan verify --help",
        "ucan revoke --help",
        "ucan list --help",
        "ucan add --help",
        "ucan forget --help",
        "ucan container --help",
        "ucan container pack --help",
        "ucan container unpack --help",
        "completions --help",
    ];
    assert_eq!(commands, expected);
}
