//! Every command that a README shows is run, in a shell, as a reader would.

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The `homestar` commands in the code blocks of a page.
fn commands(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.filter(|block| block.starts_with("sh\n") || block.starts_with("console\n"));
    let commands = lines
        .flat_map(str::lines)
        .map(|line| line.strip_prefix("$ ").unwrap_or(line));
    let commands: Vec<_> = commands
        .filter(|line| line.starts_with("homestar ") || line.starts_with("HOMESTAR_KEY="))
        .map(str::to_owned)
        .collect();
    assert!(!commands.is_empty(), "{}", page.display());
    commands
}

/// Puts the files of a folder where commands run, those of its folders too.
fn copy(it: &Environment, folder: &Path, name: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => copy(it, &entry.path(), &format!("{name}/")),
            false => drop(it.put(&name, fs::read(entry.path()).unwrap())),
        }
    }
}

/// Runs the commands of `page` where the files of `folder` and all guests are.
fn run(page: &Path, folder: &Path) {
    let guests: Vec<_> = homestar_guests::RUST
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let it = Environment::with(&guests).with_key();
    copy(&it, folder, "");
    let program = Path::new(env!("CARGO_BIN_EXE_homestar"));
    let path = [
        program.parent().unwrap().as_os_str(),
        "/usr/bin:/bin".as_ref(),
    ]
    .join(":".as_ref());
    for command in commands(page) {
        let mut shell = it.in_environment("sh", &["-c", &command]);
        let said = it.said(shell.env("PATH", &path));
        assert_eq!(said.code, Some(0), "{command}\n{said}");
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    run(&root().join("README.md"), &root().join("examples/image"));
}

#[test]
fn the_commands_of_the_page_on_tokens_work() {
    run(&root().join("docs/ucan.md"), &root().join("examples/text"));
}

#[test]
fn the_commands_of_the_examples_work() {
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        // Those have servers or a kernel to talk to, and modules of their own.
        let others = ["effects", "log", "notebook"];
        if others.iter().any(|other| folder.ends_with(other)) {
            continue;
        }
        run(&folder.join("README.md"), &folder);
    }
}
