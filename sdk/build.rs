//! Lists the files of the templates and of the SDKs, for the crate to hold.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the package of each SDK holds. Tests compare it with what the languages' own tools pack.
const SDKS: &[(&str, &[&str])] = &[
    ("js", &["README.md", "package.json", "src"]),
    ("python", &["README.md", "homestar", "pyproject.toml"]),
    (
        "rust",
        &[
            "Cargo.toml",
            "README.md",
            "macros/Cargo.toml",
            "macros/src",
            "src",
            "wit",
        ],
    ),
];

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=build.rs");
    let templates = here.join("templates");
    let templates = list("TEMPLATES", [(templates.clone(), templates)]);
    let wit = here.join("../wit");
    let contracts = list("CONTRACTS", [(wit.clone(), wit.join("deps"))]);
    let packed = SDKS.iter().flat_map(|(language, parts)| {
        let here = here.clone();
        parts
            .iter()
            .map(move |part| (here.clone(), here.join(language).join(part)))
    });
    let sdks = list("SDKS", packed);
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("files.rs"), templates + &contracts + &sdks)
        .expect("the target folder can be written");
}

/// Returns a constant with all files in folders, each named as it is within the first of its pair.
fn list(name: &str, folders: impl IntoIterator<Item = (PathBuf, PathBuf)>) -> String {
    let mut text = format!("const {name}: &[File] = &[\n");
    for (root, folder) in folders {
        println!("cargo::rerun-if-changed={}", folder.display());
        for file in files(&folder) {
            let path = file.strip_prefix(&root).expect("it lies in it");
            writeln!(
                text,
                "    File {{ path: {path:?}, text: include_str!({file:?}) }},"
            )
            .expect("a text can be written to");
        }
    }
    text + "];\n"
}

/// What tools leave among the sources.
const LEFT: &[&str] = &["__pycache__", "node_modules", "target"];

/// Returns the files in a folder, in order.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entries = entries.map(|entry| entry.expect("the sources can be read").path());
    let is_source = |path: &PathBuf| !LEFT.iter().any(|name| path.ends_with(name));
    let mut paths: Vec<_> = entries.filter(is_source).collect();
    paths.sort();
    paths.iter().flat_map(|path| files(path)).collect()
}
