//! What packages hold, and their own tests.

use std::fs;

use crate::projects::{Projects, has, python_with, root};

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

/// A project without an SDK of its own builds and passes its tests with what its files name instead.
fn builds_with(it: &Projects, language: &str, tests: &[&str]) {
    fs::remove_dir_all(it.0.path("words/vendor")).unwrap();
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{language}: {built}");
    let inspected = it.run(&["inspect", "words/words.wasm"]);
    let words = "top-words: func(text: string, count: u32) -> result<list<word>, string>";
    assert!(
        inspected.stdout().contains(words),
        "{language}: {inspected}"
    );
    let tested = it.tool(tests[0], &tests[1..]);
    assert_eq!(tested.code, Some(0), "{language}: {tested}");
}

/// Puts something else in the place of the SDK that a project holds.
fn depends(it: &Projects, file: &str, on: &str) {
    let path = format!("words/{file}");
    let text = String::from_utf8(it.0.read(&path)).unwrap();
    let vendored = [
        "file:vendor/homestar-sdk",
        "./vendor/homestar-sdk",
        "{ path = \"vendor/homestar-sdk\" }",
    ];
    let vendored = vendored.iter().find(|vendored| text.contains(**vendored));
    it.0.put(&path, text.replace(vendored.expect("it names the SDK"), on));
}

fn packed(it: &Projects, program: &str, arguments: &[&str], folder: &str) {
    let mut command = it.command(program, arguments);
    let said = it.0.said(command.current_dir(root().join(folder)));
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn a_project_builds_with_what_npm_packs() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("ts");
    let folder = it.0.path("words");
    packed(
        &it,
        "npm",
        &["pack", "--pack-destination", folder.to_str().unwrap()],
        "sdk/js",
    );
    depends(&it, "package.json", "file:homestar-sdk-0.1.0.tgz");
    builds_with(&it, "ts", &["npm", "test"]);
}

#[test]
fn a_project_builds_with_what_python_builds() {
    if !has(&["python3"]) {
        return;
    }
    let it = Projects::with("python");
    let python = python_with(&it, "build", &["build==1.6.1"]);
    let folder = it.0.path("words/packed");
    // The wheel is made of what is in the source distribution, so both are whole.
    let build = ["-m", "build", "--outdir", folder.to_str().unwrap(), "."];
    packed(&it, python.to_str().unwrap(), &build, "sdk/python");
    assert!(folder.join("homestar_sdk-0.1.0.tar.gz").is_file());
    depends(
        &it,
        "requirements.txt",
        "./packed/homestar_sdk-0.1.0-py3-none-any.whl",
    );
    builds_with(&it, "python", &[".venv/bin/python", "-m", "unittest"]);
}

#[test]
fn a_project_builds_with_what_cargo_packs() {
    if !has(&["cargo", "tar"]) {
        return;
    }
    let it = Projects::with("rust");
    let target = it.0.path("packed");
    let package = [
        "package",
        "--workspace",
        "--no-verify",
        "--allow-dirty",
        "--target-dir",
        target.to_str().unwrap(),
    ];
    packed(&it, "cargo", &package, "sdk/rust");
    for name in ["homestar-sdk", "homestar-sdk-macros"] {
        let archive = format!("packed/package/{name}-0.1.0.crate");
        let archive = it.0.path(&archive);
        let into = it.0.path("packed").display().to_string();
        let unpack = ["-xzf", archive.to_str().unwrap(), "-C", &into];
        packed(&it, "tar", &unpack, "sdk/rust");
    }
    depends(&it, "Cargo.toml", "\"0.1.0\"");
    let manifest = String::from_utf8(it.0.read("words/Cargo.toml")).unwrap();
    // As a registry would have them.
    let patch = "\n[patch.crates-io]\n\
        homestar-sdk = { path = \"../packed/homestar-sdk-0.1.0\" }\n\
        homestar-sdk-macros = { path = \"../packed/homestar-sdk-macros-0.1.0\" }\n";
    it.0.put("words/Cargo.toml", manifest + patch);
    builds_with(&it, "rust", &["cargo", "test"]);
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
