//! Python: a virtual environment of its own, and the SDK in it.

use std::path::PathBuf;
use std::process::Command;

use super::sources::{self, Stamp};
use super::{Project, build, tools};
use crate::error::{Caused, CommandError};

const INSTALL: &str = "https://www.python.org/downloads has Python, 3.10 or later";

const REQUIREMENTS: &str = "requirements.txt";

/// Builds `project`, and tells whether anything had to be done.
pub(super) fn build(project: &Project) -> Result<bool, CommandError> {
    let version = tools::version("python3", INSTALL)?;
    let python = install(project, &version)?;
    build::unless_same(project, &version, || {
        tools::say(&format!("building {}", project.component().display()));
        build::write_effects(project)?;
        let mut command = Command::new(&python);
        command
            .current_dir(&project.folder)
            .args(["-m", "homestar", "--contracts", build::CONTRACTS])
            .args(["--name", &project.name, "--output"])
            .arg(format!("{}.wasm", project.name));
        tools::run(&mut command, "the build")
    })
}

/// Installs what the project requires, unless that was done with the same, and returns its Python.
fn install(project: &Project, version: &str) -> Result<PathBuf, CommandError> {
    let folder = project.folder.canonicalize();
    let folder = folder
        .map_err(|error| CommandError::input(Caused::new("the project can't be read", error)))?;
    let environment = folder.join(".venv");
    let python = environment.join("bin/python");
    let requirements = project.folder.join(REQUIREMENTS);
    if !requirements.is_file() {
        return Err(CommandError::input(format!(
            "there is no {REQUIREMENTS} in {}",
            project.folder.display()
        ))
        .hint("it names `./vendor/homestar-sdk`, which `homestar new NAME --lang python` writes"));
    }
    let mut files = vec![requirements];
    files.extend(vendored(project)?);
    let digest = sources::digest(
        &project.folder,
        &files,
        &[version, &python.to_string_lossy()],
    );
    let digest = digest.map_err(build::unreadable)?;
    let stamp = Stamp::new(project.kept()?.join("installed"));
    if stamp.is(digest) && python.exists() {
        return Ok(python);
    }
    if !python.exists() {
        tools::say("making .venv");
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&environment);
        tools::run(&mut make, "`python3 -m venv .venv`").map_err(|error| {
            error.hint("on Debian and Ubuntu, `apt install python3-venv` installs what it needs")
        })?;
    }
    tools::say(&format!("installing {REQUIREMENTS} into .venv"));
    let mut pip = Command::new(&python);
    pip.current_dir(&folder).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        REQUIREMENTS,
    ]);
    tools::run(&mut pip, "`pip install`")?;
    stamp.set(digest);
    Ok(python)
}

/// The SDK is a part of the project that is installed too.
fn vendored(project: &Project) -> Result<Vec<PathBuf>, CommandError> {
    let folder = project.folder.join(homestar_templates::VENDORED);
    match folder.is_dir() {
        false => Ok(Vec::new()),
        true => Ok(sources::files(&folder)
            .map_err(build::unreadable)?
            .unwrap_or_default()),
    }
}
