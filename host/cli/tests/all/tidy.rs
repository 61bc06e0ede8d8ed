//! Rules that a compiler can't see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The files of the tree that end in `ending`, as git knows them, with their text.
pub(crate) fn files(ending: &str) -> Vec<(String, String)> {
    let list = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git");
    let list = String::from_utf8(list.stdout).unwrap();
    let names = list
        .split_terminator('\0')
        .filter(|name| name.ends_with(ending));
    // A file may be removed and not yet committed.
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?));
    let files: Vec<_> = names.filter_map(read).collect();
    assert!(!files.is_empty(), "no {ending} in {}", root().display());
    files
}

/// Everything before the unit tests.
pub(crate) fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The lines of the code in `folder` that hold any of `words`, but for the files in `except`.
fn found(folder: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, text) in files(".rs") {
        if !name.starts_with(folder) || except.contains(&name.as_str()) || name.contains("/tests/")
        {
            continue;
        }
        for line in code(&text)
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            if words.iter().any(|word| line.contains(word)) {
                lines.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    lines
}

const NOTHING: [String; 0] = [];

#[test]
fn dependencies_point_one_way() {
    let allowed = [
        ("host/core", &[][..]),
        ("host/engine", &["homestar-core"]),
        ("host/store", &["homestar-core"]),
        ("host/net", &["homestar-core"]),
        (
            "host/node",
            &[
                "homestar-core",
                "homestar-engine",
                "homestar-net",
                "homestar-store",
            ],
        ),
        (
            "host/cli",
            &[
                "homestar-core",
                "homestar-effects",
                "homestar-engine",
                "homestar-node",
                "homestar-templates",
            ],
        ),
        ("effects", &[]),
        ("guests", &[]),
        ("sdk", &[]),
    ];
    for (folder, allowed) in allowed {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        let ours = dependencies
            .lines()
            .filter_map(|line| line.split(['.', ' ']).next());
        let ours = ours.filter(|name| name.starts_with("homestar-"));
        assert_eq!(ours.collect::<Vec<_>>(), allowed, "{folder}");
    }
}

#[test]
fn heavy_dependencies_have_one_home() {
    for (word, home) in [
        ("wasmtime", "host/engine"),
        ("hyper", "host/net"),
        ("libp2p", "host/net"),
        ("rusqlite", "host/store"),
        ("clap", "host/cli"),
        ("opentelemetry", "host/cli"),
    ] {
        let manifests = files("Cargo.toml").into_iter().filter(|(name, text)| {
            name.starts_with("host/")
                && text
                    .lines()
                    .any(|line| line.starts_with(&format!("{word}.")))
        });
        let homes: Vec<_> = manifests.map(|(name, _)| name).collect();
        assert_eq!(homes, [format!("{home}/Cargo.toml")]);
    }
}

#[test]
fn core_does_no_input_or_output_and_reads_no_clock() {
    let words = [
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "std::env",
        "std::thread",
        "std::process",
        "Instant",
        "SystemTime",
        "async fn",
    ];
    assert_eq!(found("host/core/src", &words, &[]), NOTHING);
}

#[test]
fn only_cli_prints_and_reads_the_environment() {
    let printing = ["println!", "eprintln!", "print!(", "eprint!("];
    assert_eq!(found("host/core/src", &printing, &[]), NOTHING);
    assert_eq!(found("host/engine/src", &printing, &[]), NOTHING);
    assert_eq!(found("host/store/src", &printing, &[]), NOTHING);
    assert_eq!(found("host/net/src", &printing, &[]), NOTHING);
    assert_eq!(found("host/node/src", &printing, &[]), NOTHING);
    let reading = ["env::var", "env::home_dir"];
    assert_eq!(
        found("host/", &reading, &["host/cli/src/paths.rs"]),
        NOTHING
    );
}

#[test]
fn unsafe_code_stands_where_it_is_said_to_stand() {
    let except = [
        "host/engine/src/abi.rs",
        "host/engine/src/cache.rs",
        "host/engine/src/engine.rs",
    ];
    assert_eq!(
        found("host/", &["unsafe {", "unsafe impl", "unsafe fn"], &except),
        NOTHING
    );
}

#[test]
fn nothing_is_unfinished() {
    let words = ["todo!(", "unimplemented!(", "dbg!("];
    assert_eq!(found("", &words, &[]), NOTHING);
}

#[test]
fn files_stay_readable() {
    let long = files(".rs")
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 800);
    assert_eq!(long.map(|(name, _)| name).collect::<Vec<_>>(), NOTHING);
}

/// Whether a page of a template links to what its project will have of the SDK.
fn is_vendored(page: &str, link: &str) -> bool {
    let language = page
        .strip_prefix("sdk/templates/")
        .and_then(|rest| rest.split('/').next());
    let (Some(language), Some(file)) = (language, link.strip_prefix("vendor/homestar-sdk/")) else {
        return false;
    };
    let language = if language == "ts" { "js" } else { language };
    root().join("sdk").join(language).join(file).exists()
}

/// The names by which a page's headings are linked, as GitHub and mdBook make them.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let headings = text.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    let name = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let letters = words.chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter => (letter.is_alphanumeric() || "-_".contains(letter)).then_some(letter),
        });
        letters.collect()
    };
    headings.map(name).collect()
}

/// Links between pages lead somewhere.
#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for (name, text) in files(".md") {
        let folder = root().join(&name);
        let folder = folder.parent().unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = link.split('#').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let file = match path {
                "" => root().join(&name),
                path => folder.join(path),
            };
            let has_heading = |anchor: &str| {
                let page = std::fs::read_to_string(&file).unwrap_or_default();
                anchors(&page).iter().any(|name| name == anchor)
            };
            let is_there = file.exists() || is_vendored(&name, path);
            let anchor = link.split_once('#').map(|(_, anchor)| anchor);
            if !is_there || anchor.is_some_and(|anchor| !has_heading(anchor)) {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert_eq!(broken, NOTHING);
}
