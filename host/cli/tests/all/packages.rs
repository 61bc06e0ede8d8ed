//! What packages hold, and their own tests.

use std::fs;

use crate::projects::{Projects, has, root};

#[test]
fn the_sdk_for_rust_passes_its_tests() {
    if !has(&["cargo"]) {
        return;
    }
    let it = Projects::new();
    let mut cargo = it.command(
        "cargo",
        &["test", "--workspace", "--all-features", "--quiet"],
    );
    let said = it.0.said(cargo.current_dir(root().join("sdk/rust")));
    assert_eq!(said.code, Some(0), "{said}");
    // What is published compiles: it is what projects get.
    let arguments = [
        "publish",
        "--workspace",
        "--dry-run",
        "--no-verify",
        "--allow-dirty",
    ];
    let mut cargo = it.command("cargo", &arguments);
    let said = it.0.said(cargo.current_dir(root().join("sdk/rust")));
    assert_eq!(said.code, Some(0), "{said}");
}

/// What packages hold is what a project gets.
#[test]
fn what_is_packed_is_what_a_project_has() {
    let it = Projects::new();
    for (language, folder, tool, arguments) in [
        ("js", "", "npm", &["pack", "--dry-run", "--json"][..]),
        (
            "rust",
            "",
            "cargo",
            &[
                "package",
                "--list",
                "--allow-dirty",
                "--package",
                "homestar-sdk",
            ],
        ),
        (
            "rust",
            "macros/",
            "cargo",
            &[
                "package",
                "--list",
                "--allow-dirty",
                "--package",
                "homestar-sdk-macros",
            ],
        ),
    ] {
        if !has(&[tool]) {
            continue;
        }
        let files = homestar_templates::project(language, "task", "words").unwrap();
        let sdk = format!("{}/{folder}", homestar_templates::VENDORED);
        let vendored = files.iter().filter_map(|(path, _)| path.strip_prefix(&sdk));
        let mut vendored: Vec<_> = vendored
            .filter(|path| !path.starts_with("macros/"))
            .collect();
        let mut command = it.command(tool, arguments);
        let said =
            it.0.said(command.current_dir(root().join("sdk").join(language)));
        assert_eq!(said.code, Some(0), "{said}");
        let mut packed: Vec<String> = match language {
            "js" => {
                let packed: serde_json::Value = serde_json::from_str(said.stdout()).unwrap();
                let files = packed[0]["files"].as_array().unwrap();
                files
                    .iter()
                    .map(|file| file["path"].as_str().unwrap().to_owned())
                    .collect()
            }
            // Cargo adds what it makes itself.
            _ => {
                let made = ["Cargo.lock", "Cargo.toml.orig", ".cargo_vcs_info.json"];
                let lines = said.stdout().lines().filter(|line| !made.contains(line));
                lines.map(str::to_owned).collect()
            }
        };
        packed.sort();
        vendored.sort_unstable();
        assert_eq!(packed, vendored, "{language}/{folder}");
    }
}

/// The SDK for Rust calls the interfaces that there are.
#[test]
fn the_wit_of_the_sdk_for_rust_is_ours() {
    for name in ["crypto", "dns", "https", "random", "std"] {
        let file = format!("wit/deps/homestar-{name}/{name}.wit");
        let ours = fs::read_to_string(root().join(&file)).unwrap();
        let its = fs::read_to_string(root().join("sdk/rust").join(&file)).unwrap();
        assert!(
            its == ours,
            "sdk/rust/{file} is another than {file}; copy it"
        );
    }
}
