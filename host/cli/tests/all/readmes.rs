//! What the pages of the SDKs show does what they say. (What `sdk/rust/README.md` shows is compiled and run by cargo, too, but for what it ignores.)

use std::fs;
use std::path::Path;

use crate::examples_effects::Server;
use crate::projects::{Projects, has, root};

/// The blocks of code of a page, each with its language, in their order.
struct Page {
    text: String,
    next: usize,
}

impl Page {
    fn of(language: &str) -> Self {
        let text = fs::read_to_string(root().join(format!("sdk/{language}/README.md"))).unwrap();
        Self { text, next: 0 }
    }

    /// The next block, which has to be in this language.
    fn block(&mut self, language: &str) -> String {
        let block = self.text.split("```").skip(1).step_by(2).nth(self.next);
        self.next += 1;
        let (found, text) = block.expect("a block").split_once('\n').unwrap();
        assert_eq!(found, language, "block {}", self.next);
        text.to_owned()
    }

    /// The command in the text that begins so.
    fn command(&self, begin: &str) -> &str {
        let at = self.text.find(&format!("`{begin}")).expect(begin) + 1;
        self.text[at..].split('`').next().unwrap()
    }

    /// There is no block that nobody tried.
    fn ends(&self) {
        let rest = self.text.split("```").skip(1).step_by(2).skip(self.next);
        assert_eq!(rest.count(), 0, "more is shown than is tried");
    }
}

fn site() -> Server {
    Server::new(|_, _| (200, "<title>Fish\n chips</title>"))
}

/// Types what a page shows of a recording. What it calls `titles.wasm` is the project's component, and the site is ours.
fn records(it: &Projects, shown: &str, site: &Server) {
    let host = site.url.as_str();
    for line in shown.lines() {
        let line = line.replace("titles.wasm", "words.wasm");
        let line = line.replace("https=example.com", &format!("https={host}"));
        let line = line.replace("https://example.com", host);
        let said = it.shell(Path::new("words"), &line);
        assert_eq!(said.code, Some(0), "{line}\n{said}");
    }
}

fn builds(it: &Projects) {
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
}

/// Pages of a book, of which the longest has 8 bytes.
fn pages(it: &Projects) {
    it.0.put("words/pages/1.txt", "one\n");
    it.0.put("words/pages/2.txt", "one two\n");
}

/// Runs a program that prints how long the longest page is.
fn longest(it: &Projects, program: &[&str]) {
    let mut command = it.command(program[0], &program[1..]);
    command
        .current_dir(it.0.path("words"))
        .env("HOMESTAR", env!("CARGO_BIN_EXE_homestar"));
    let said = it.0.said(&mut command);
    // `8n` is how Node.js shows a whole number of 64 bits.
    let shown = said.stdout().trim();
    assert!(shown == "8" || shown == "8n", "{said}");
}

#[test]
fn the_page_of_the_sdk_for_javascript_is_true() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("ts");
    fs::remove_file(it.0.path("words/test/index.test.ts")).unwrap();
    let mut page = Page::of("js");
    let mut program: Vec<_> = (0..4).map(|_| page.block("ts")).collect();
    let files = homestar_templates::project("ts", "effect", "words").unwrap();
    let (_, title) = files
        .iter()
        .find(|(path, _)| path == "src/index.ts")
        .unwrap();
    program.push(title.replace("import https from '@homestar/sdk/https';", ""));
    it.0.put("words/src/index.ts", program.concat());
    builds(&it);
    for (call, answer) in [
        ("square-root(16)", "4\n"),
        (
            "square-root(2)",
            "error: the guest returned the error \"2 is no square\"\n",
        ),
    ] {
        let said = it.run(&["run", "words/words.wasm", call]);
        assert!(said.to_string().contains(answer), "{said}");
    }
    it.0.put("zeros", b"a\0b\0\0");
    for (name, answer) in [("dense", "ab"), ("shouted", "A\0B\0\0")] {
        let call = format!("{name}(@zeros)");
        let said = it.run(&["run", "words/words.wasm", &call, "-o", name]);
        assert_eq!(said.code, Some(0), "{said}");
        assert_eq!(it.0.read(name), answer.as_bytes(), "{call}");
    }

    let head = "import assert from 'node:assert/strict';\nimport { test } from 'node:test';\n\
        import https from '@homestar/sdk/https';\nimport { size, title } from './build/src/index.js';\n";
    let mocked = page.block("js");
    let site = site();
    records(&it, &page.block("sh"), &site);
    it.0.put(
        "words/readme.test.mjs",
        [head, &mocked, &page.block("js")].concat(),
    );
    let compiled = it.tool("npx", &["tsc"]);
    assert_eq!(compiled.code, Some(0), "{compiled}");
    let tested = it.tool("node", &["--test", "readme.test.mjs"]);
    assert_eq!(tested.code, Some(0), "{tested}");
    assert!(tested.stdout().contains("pass 2"), "{tested}");

    let words = "import type { u32 } from '@homestar/sdk';\n\
        export const count = (page: Uint8Array): u32 => page.length;\n\
        export const longest = (counts: u32[]): u32 => Math.max(...counts);\n";
    it.0.put("words/src/index.ts", words);
    builds(&it);
    let bound = it.shell(Path::new("words"), page.command("homestar bind"));
    assert_eq!(bound.code, Some(0), "{bound}");
    it.0.put("words/src/flow.ts", page.block("ts"));
    pages(&it);
    let compiled = it.tool("npx", &["tsc"]);
    assert_eq!(compiled.code, Some(0), "{compiled}");
    longest(&it, &["node", "build/src/flow.js"]);
    page.ends();
}

#[test]
fn the_page_of_the_sdk_for_python_is_true() {
    if !has(&["python3"]) {
        return;
    }
    let it = Projects::with("python");
    let mut page = Page::of("python");
    let mut program = vec!["from collections.abc import AsyncIterator\n".to_owned()];
    program.extend((0..3).map(|_| page.block("python")));
    let files = homestar_templates::project("python", "effect", "words").unwrap();
    let (_, title) = files.iter().find(|(path, _)| path == "app.py").unwrap();
    program.push(title.clone());
    it.0.put("words/app.py", program.join("\n\n"));
    builds(&it);
    for (call, answer) in [
        ("square-root(16)", "4\n"),
        (
            "square-root(-1)",
            "error: the guest returned the error \"a negative number has none\"\n",
        ),
    ] {
        let said = it.run(&["run", "words/words.wasm", call]);
        assert!(said.to_string().contains(answer), "{said}");
    }
    it.0.put("zeros", b"a\0b\0\0");
    let said = it.run(&["run", "words/words.wasm", "dense(@zeros)", "-o", "out"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(it.0.read("out"), b"ab");

    let mocked = page.block("python");
    let site = site();
    records(&it, &page.block("sh"), &site);
    let head = "from homestar import https\nfrom app import size, title\n";
    let calls = "\ntest_size()\ntest_title()\nprint('both')\n";
    let program = [head, &mocked, &page.block("python"), calls].concat();
    let tested = it.tool(".venv/bin/python", &["-c", &program]);
    assert_eq!(tested.stdout(), "both\n", "{tested}");

    let words = "from homestar import task, u32\n\n\n\
        @task\ndef count(page: bytes) -> u32:\n    return len(page)\n\n\n\
        @task\ndef longest(counts: list[u32]) -> u32:\n    return max(counts)\n";
    it.0.put("words/app.py", words);
    builds(&it);
    let bound = it.shell(Path::new("words"), page.command("homestar bind"));
    assert_eq!(bound.code, Some(0), "{bound}");
    pages(&it);
    it.0.put("words/flow.py", page.block("python"));
    longest(&it, &[".venv/bin/python", "flow.py"]);
    page.ends();
}

#[test]
fn the_page_of_the_sdk_for_rust_is_true() {
    if !has(&["cargo"]) {
        return;
    }
    let it = Projects::new();
    let said = it.run(&["new", "words", "--lang", "rust", "--template", "effect"]);
    assert_eq!(said.code, Some(0), "{said}");
    builds(&it);
    let mut page = Page::of("rust");
    for _ in 0..3 {
        page.block("rust");
    }
    let site = site();
    records(&it, &page.block("sh"), &site);
    let text = String::from_utf8(it.0.read("words/src/lib.rs")).unwrap();
    let recorded = page.block("rust,ignore");
    let test = format!("#[test]\nfn it_is_as_shown() {{\n    use titles::title;\n{recorded}}}\n");
    it.0.put("words/src/lib.rs", text + &test);
    let tested = it.tool("cargo", &["test", "--quiet", "it_is_as_shown"]);
    assert_eq!(tested.code, Some(0), "{tested}");
    assert!(tested.stdout().contains("1 passed"), "{tested}");

    let words = "#[homestar_sdk::tasks]\nmod words {\n\
        pub fn count(page: &[u8]) -> u32 { page.len() as u32 }\n\
        pub fn longest(counts: &[u32]) -> u32 { counts.iter().copied().max().unwrap_or_default() }\n}\n";
    it.0.put("words/src/lib.rs", words);
    builds(&it);
    let bound = it.shell(Path::new("words"), page.command("homestar bind"));
    assert_eq!(bound.code, Some(0), "{bound}");
    pages(&it);
    let manifest = String::from_utf8(it.0.read("words/Cargo.toml")).unwrap();
    let manifest = manifest.replace("features = [\"testing\"]", "features = [\"flow\"]");
    it.0.put("words/Cargo.toml", manifest);
    let flow = page.block("rust,ignore");
    let flow = format!(
        "#[path = \"../src/words.rs\"]\nmod words;\n\nfn main() -> Result<(), homestar_sdk::flow::Error> {{\n{flow}    Ok(())\n}}\n"
    );
    it.0.put("words/examples/flow.rs", flow);
    longest(&it, &["cargo", "run", "--quiet", "--example", "flow"]);
    page.ends();
}
