//! JavaScript and TypeScript: npm, and the SDK that it installs.

use std::fs;
use std::process::Command;

use super::sources::{self, Stamp};
use super::{Language, Project, bound, build, tools};
use crate::error::CommandError;

const INSTALL: &str = "https://nodejs.org has Node.js with npm, 20 or later";

/// What the SDK is called at npm.
const SDK: &str = "@homestar/sdk";

/// Builds `project`, and tells whether anything had to be done.
pub(super) fn build(project: &Project) -> Result<bool, CommandError> {
    let version = tools::version("node", INSTALL)?;
    tools::version("npm", INSTALL)?;
    install(project, &version)?;
    build::unless_same(project, &version, || {
        tools::say(&format!("building {}", project.component().display()));
        let is_typed = project.language == Language::Ts;
        // What calls the component is checked with the types of the one that is built now.
        let is_bound = is_typed && bound::is_any(project)?;
        if is_typed && !is_bound {
            check_types(project)?;
        }
        build::write_effects(project)?;
        let output = match is_bound {
            true => format!(".homestar/{}.wasm", project.name),
            false => format!("{}.wasm", project.name),
        };
        let mut command = Command::new("node");
        command
            .current_dir(&project.folder)
            .arg(format!("node_modules/{SDK}/src/build.js"))
            .args(["--contracts", build::CONTRACTS])
            .args(["--name", &project.name, "--output", &output]);
        tools::run(&mut command, "the build")?;
        if is_bound {
            let output = project.folder.join(&output);
            bound::write(project, &output)?;
            check_types(project)?;
            fs::rename(&output, project.component()).map_err(build::unreadable)?;
        }
        Ok(())
    })
}

/// Installs what the project depends on, unless that was done with the same.
fn install(project: &Project, version: &str) -> Result<(), CommandError> {
    let installed = project.folder.join("node_modules").join(SDK);
    let manifests = [
        "package.json".to_owned(),
        "package-lock.json".to_owned(),
        format!("{}/package.json", homestar_templates::VENDORED),
    ];
    let manifests = manifests.map(|file| project.folder.join(file));
    let stamp = Stamp::new(project.kept()?.join("installed"));
    let digest = || {
        let there: Vec<_> = manifests
            .iter()
            .filter(|file| file.is_file())
            .cloned()
            .collect();
        sources::digest(&project.folder, &there, &[version]).map_err(build::unreadable)
    };
    if stamp.is(digest()?) && installed.exists() {
        return Ok(());
    }
    tools::say("installing what package.json names");
    let mut npm = Command::new("npm");
    npm.current_dir(&project.folder).args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]);
    tools::run(&mut npm, "`npm install`")?;
    if !installed.exists() {
        return Err(
            CommandError::input(format!("package.json doesn't name {SDK}")).hint(format!(
                "`\"{SDK}\": \"file:{}\"` under `devDependencies` does",
                homestar_templates::VENDORED
            )),
        );
    }
    // npm may have written or changed its lock file.
    stamp.set(digest()?);
    Ok(())
}

/// What the compiler of TypeScript says against it is said before anything is built.
fn check_types(project: &Project) -> Result<(), CommandError> {
    let compiler = project.folder.join("node_modules/typescript/bin/tsc");
    if !compiler.exists() {
        return Err(CommandError::input("package.json doesn't name typescript")
            .hint("`npm install --save-dev typescript` does"));
    }
    let mut command = Command::new("node");
    command
        .current_dir(&project.folder)
        .args(["node_modules/typescript/bin/tsc", "--noEmit"]);
    tools::run(&mut command, "`tsc --noEmit`")
}
