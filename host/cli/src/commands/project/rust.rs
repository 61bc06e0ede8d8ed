//! Rust: `cargo build`. It knows best what has changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{Project, tools};
use crate::error::CommandError;
use crate::files;

const TARGET: &str = "wasm32-wasip2";

const INSTALL: &str = "https://rustup.rs installs Rust";

/// Largest component that is taken, in bytes: as large as any may be.
const COMPONENT_BYTES_MAX: u64 = homestar_engine::Config::COMPONENT_BYTES_MAX;

/// Builds `project`, and tells whether its component is another than before.
pub(super) fn build(project: &Project) -> Result<bool, CommandError> {
    tools::version("cargo", INSTALL)?;
    check_target(&project.folder)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&project.folder).args([
        "build",
        "--release",
        "--target",
        TARGET,
        "--message-format=json-render-diagnostics",
    ]);
    let output = tools::output(&mut cargo, "`cargo build`")?;
    let built = component(&String::from_utf8_lossy(&output.stdout), project)?;
    let bytes = files::read(&built, COMPONENT_BYTES_MAX)?;
    let place = project.component();
    if std::fs::read(&place).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    files::write(&place, &bytes)?;
    Ok(true)
}

/// The standard library for the target comes apart from the compiler, of which a project may choose its own.
fn check_target(folder: &Path) -> Result<(), CommandError> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(folder)
        .args(["--print", "target-libdir", "--target", TARGET]);
    let output = tools::output(&mut rustc, "`rustc --print target-libdir`")?;
    let library = String::from_utf8_lossy(&output.stdout);
    match Path::new(library.trim()).exists() {
        true => Ok(()),
        false => Err(
            CommandError::input(format!("Rust has no library for {TARGET} here"))
                .hint(format!("`rustup target add {TARGET}` installs it")),
        ),
    }
}

/// What cargo tells of something that it built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
}

/// Finds the component among what cargo tells.
fn component(messages: &str, project: &Project) -> Result<PathBuf, CommandError> {
    let manifest = project.folder.join("Cargo.toml").canonicalize().ok();
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter(|artifact| artifact.manifest_path.canonicalize().ok() == manifest);
    let mut files = artifacts.flat_map(|artifact| artifact.filenames);
    let is_component = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "wasm");
    files.find(is_component).ok_or_else(|| {
        CommandError::input(format!("cargo built no component of {}", project.name))
            .hint("Cargo.toml needs `crate-type = [\"cdylib\"]` under `[lib]`")
    })
}

#[cfg(test)]
mod tests {
    use super::super::Language;
    use super::*;

    #[test]
    fn the_component_is_that_of_the_project() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let project = Project {
            folder: folder.path().to_owned(),
            language: Language::Rust,
            name: "words".to_owned(),
        };
        let manifest = folder.path().join("Cargo.toml");
        let line = |manifest: &Path, file: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"manifest_path\":{manifest:?},\"filenames\":[{file:?}]}}\n"
            )
        };
        let other = line(Path::new("/elsewhere/Cargo.toml"), "/t/other.wasm");
        let text = format!("{other}{{\"reason\":\"build-finished\"}}\n");
        let error = component(&text, &project).unwrap_err();
        assert_eq!(error.message(), "cargo built no component of words");
        let text = format!("{other}{}", line(&manifest, "/t/words.wasm"));
        assert_eq!(
            component(&text, &project).unwrap(),
            Path::new("/t/words.wasm")
        );
    }
}
