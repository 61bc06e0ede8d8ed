//! The page of `examples/log`: its commands say what it shows.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::Serving;
use crate::environment::Environment;

/// The gateway that the page shows.
const GATEWAY: &str = "http://127.0.0.1:8080";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/log")
}

/// The commands of each code block, with what the page says that they print.
pub(crate) fn blocks(page: &str) -> Vec<Vec<(String, String)>> {
    let blocks = page.split("```").skip(1).step_by(2);
    let commands = |block: &str| {
        let mut commands: Vec<(String, String)> = Vec::new();
        for line in block.lines().skip(1) {
            match (line.strip_prefix("    "), commands.last_mut()) {
                (Some(said), Some((_, expected))) => *expected += &format!("{said}\n"),
                _ => commands.push((line.to_owned(), String::new())),
            }
        }
        commands
    };
    blocks.map(commands).collect()
}

/// Runs commands in a shell, as a reader would, with `there` in place of the address that a page shows.
pub(crate) fn run(it: &Environment, commands: &[(String, String)], [shown, there]: [&str; 2]) {
    let program = Path::new(env!("CARGO_BIN_EXE_homestar"));
    let folder = program.parent().unwrap();
    for (command, expected) in commands {
        let (command, expected) = (
            command.replace(shown, there),
            expected.replace(shown, there),
        );
        let mut shell = it.in_environment("sh", &["-c", &command]);
        shell.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        let said = it.said(&mut shell);
        assert_eq!(said.code, Some(0), "{command}\n{said}");
        assert_eq!(said.stdout(), expected, "{command}");
    }
}

#[test]
fn a_log_is_filtered_and_passed_on() {
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    let [one, serve, other] = &blocks(&page)[..] else {
        panic!("three blocks");
    };
    assert_eq!(serve[0].0, "homestar serve gateway");
    let (here, there) = (
        Environment::with(&["lines"]).with_key(),
        Environment::with(&["lines"]).with_key(),
    );
    here.put("access.log", fs::read(folder().join("access.log")).unwrap());
    run(&here, one, [GATEWAY; 2]);
    let serving = Serving::new(&here);
    run(&there, other, [GATEWAY, &serving.url]);
}
