//! `homestar new`, `build` and `dev`: every template is generated, tested with its language's own tools, built and run.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::environment::{Environment, Said};
use crate::examples_effects::Server;
use crate::recordings;

/// What the task of every template is asked, and what it answers.
const CALL: &str = "top-words(\"To be, or not to be: to …\", 2)";
const ANSWER: &str = "[{text: \"to\", times: 3}, {text: \"be\", times: 2}]\n";

/// A folder for projects, in which the languages' own tools find what they keep between runs: what they download and
/// compile stays in the target folder.
pub(crate) struct Projects(pub(crate) Environment);

impl Projects {
    pub(crate) fn new() -> Self {
        Self(Environment::new())
    }

    /// With a project called `words`.
    pub(crate) fn with(language: &str) -> Self {
        let it = Self::new();
        let said = it.run(&["new", "words", "--lang", language]);
        assert_eq!(said.code, Some(0), "{said}");
        it
    }

    /// A program in this folder, with the environment of this process but for what is homestar's.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects");
        let home = self.0.path(".homestar-home");
        fs::create_dir_all(&home).unwrap();
        // Compiled code is shared by all tests, as on a machine.
        let code = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli/homestar/code");
        fs::create_dir_all(&code).unwrap();
        let _ = symlink(code, home.join("code"));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.0.path(""))
            .env("HOMESTAR_HOME", home)
            .env("CARGO_TARGET_DIR", kept.join("cargo"))
            .env("npm_config_cache", kept.join("npm"))
            .env("PIP_CACHE_DIR", kept.join("pip"))
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        // Cargo tells what it runs about the package that it tests.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_told = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST");
            if is_told || text == "RUSTFLAGS" || text == "CARGO_ENCODED_RUSTFLAGS" {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut command = self.command(env!("CARGO_BIN_EXE_homestar"), arguments);
        self.0.said(&mut command)
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &Path, content: impl AsRef<[u8]>) {
        self.0.put(&name.display().to_string(), content);
    }

    /// Runs a line as a shell in a folder does, in which `homestar` is the program.
    pub(crate) fn shell(&self, folder: &Path, line: &str) -> Said {
        let mut command = self.command("sh", &["-c", line]);
        let program = Path::new(env!("CARGO_BIN_EXE_homestar")).parent().unwrap();
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = [program.as_os_str(), &paths].join(":".as_ref());
        command
            .env("PATH", paths)
            .current_dir(self.0.path("").join(folder));
        self.0.said(&mut command)
    }

    /// Runs a program in the project.
    pub(crate) fn tool(&self, program: &str, arguments: &[&str]) -> Said {
        let mut command = self.command(program, arguments);
        command.current_dir(self.0.path("words"));
        self.0.said(&mut command)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = format!("words/{file}");
        let text = String::from_utf8(self.0.read(&path)).unwrap();
        assert!(text.contains(from), "{text}");
        self.0.put(&path, text.replace(from, to));
    }
}

/// Whether the tools of a language are here. In CI they have to be.
pub(crate) fn has(tools: &[&str]) -> bool {
    let has = tools.iter().all(|tool| crate::environment::has(tool));
    let is_ci = ["CI", "HOMESTAR_CI"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    assert!(has || !is_ci, "one of {tools:?} is missing");
    has
}

/// The interpreter of an environment of Python's that stays between runs, with these packages in it. One test has it.
pub(crate) fn python_with(it: &Projects, name: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("projects")
        .join(name);
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = packages.join("\n");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let make = ["-m", "venv", folder.to_str().unwrap()];
    let made = it.0.said(&mut it.command("python3", &make));
    assert_eq!(made.code, Some(0), "{made}");
    let install = [&["-m", "pip", "install", "--quiet"], packages].concat();
    let installed =
        it.0.said(&mut it.command(python.to_str().unwrap(), &install));
    assert_eq!(installed.code, Some(0), "{installed}");
    fs::write(done, wanted).unwrap();
    python
}

/// A project builds, tells when nothing changed, runs, and passes its own tests.
fn works(language: &str, tests: &[&str]) -> Projects {
    let it = Projects::with(language);
    let early = it.run(&["run", "words/words.wasm", CALL]);
    let hint = "\nhint: `homestar build` makes it, where its project is\n";
    assert!(early.stderr.ends_with(hint), "{early}");
    let built = it.run(&["build", "words", "--json"]);
    assert_eq!(built.code, Some(0), "{built}");
    let facts =
        serde_json::json!({"changed": true, "component": "words/words.wasm", "language": language});
    assert_eq!(built.json()["ok"], facts);
    // From within, too.
    let mut again = it.command(env!("CARGO_BIN_EXE_homestar"), &["build", "--json"]);
    let again = it.0.said(again.current_dir(it.0.path("words/vendor")));
    assert_eq!(again.json()["ok"]["changed"], false, "{again}");
    assert_eq!(again.stderr.matches("installing").count(), 0, "{again}");

    let answer = it.run(&["run", "words/words.wasm", CALL]);
    assert_eq!(answer.stdout(), ANSWER, "{answer}");
    let error = it.run(&["run", "words/words.wasm", "top-words(\"?!\", 2)"]);
    assert_eq!(error.code, Some(1));
    assert!(
        error
            .stderr
            .ends_with("error: the guest returned the error \"there are no words\"\n"),
        "{error}"
    );
    let wrong = it.run(&["run", "words/words.wasm", "top-words(\"a\", -2)"]);
    assert_eq!(wrong.code, Some(4), "{wrong}");

    // What asks for nothing imports nothing of it.
    let seen = it.run(&["inspect", "words/words.wasm"]);
    assert!(!seen.stdout().contains("homestar:https"), "{seen}");

    let tested = it.tool(tests[0], &tests[1..]);
    assert_eq!(tested.code, Some(0), "{tested}");
    it
}

/// A component that does nothing itself: `read` is `title` of who provides that.
const READER: &str = r#"(component
    (import "my:words/tasks" (instance $words
        (export "title" (func (param "url" string) (result (result (option string) (error string)))))))
    (alias export $words "title" (func $title))
    (export "read" (func $title)))"#;

/// The project becomes that of the template `effect`, which passes its own tests. With `more` in `file`, which uses the other
/// effects, it builds, runs, and serves another component. When it can't go on it says `words`.
fn is_an_effect(
    it: &Projects,
    language: &str,
    tests: &[&str],
    file: &str,
    more: impl Fn(String) -> String,
    words: &str,
) {
    for (path, text) in homestar_templates::project(language, "effect", "words").unwrap() {
        it.0.put(&format!("words/{path}"), text);
    }
    let tested = it.tool(tests[0], &tests[1..]);
    assert_eq!(tested.code, Some(0), "{tested}");
    let path = format!("words/{file}");
    let text = String::from_utf8(it.0.read(&path)).unwrap();
    it.0.put(&path, more(text.clone()));
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");

    let server = Server::new(|_, line| match line {
        "GET / HTTP/1.1" => (200, "<html><title>Fish\n chips</title>"),
        "POST / HTTP/1.1" => (201, ""),
        _ => (404, "nothing"),
    });
    let host = format!("https={}", server.url);
    let says = |call: &str, grant: &str, words: &str| {
        let said = it.run(&["run", "words/words.wasm", call, "--allow", grant]);
        let whole = format!("{}{}", said.stdout(), said.stderr);
        assert!(whole.contains(words), "{call}: {said}");
    };
    let url = |function: &str, path: &str| format!("{function}(\"{}/{path}\")", server.url);
    says(&url("title", ""), &host, "some(\"Fish chips\")\n");
    says(&url("title", "other"), &host, "none\n");
    says(
        &url("title", ""),
        "random",
        "is not granted; it takes `--allow",
    );
    says(&url("sent", ""), &host, "info: sending\n");
    says(
        &url("sent", ""),
        &host,
        "\"201 0 the body has more than 3 bytes\"\n",
    );
    if matches!(language, "js" | "ts") {
        says(&url("fetched", ""), &host, "\"201 true 0 0\"\n");
    }
    says(
        "looked-up(\"localhost\")",
        "dns=localhost",
        "[\"::1\", \"127.0.0.1\"]\n",
    );
    says("looked-up(\"localhost\")", "random", "is not granted");
    says("drawn()", "random", "[4, 3, 0, 1, 2]\n");
    says("signed(\"text\")", "crypto", "true\n");
    let wrong = "error: the guest returned the error \"the key is for";
    says("wrongly()", "crypto", wrong);
    says("counted()", "state=counts", "[\"n\", \"1\"]\n");
    says("counted()", "state=counts", "[\"n\", \"11\"]\n");

    // An end that nobody declared is told in the program's words, and by its place.
    let ended = it.run(&["run", "words/words.wasm", "ending(0)"]);
    assert_eq!(ended.code, Some(3), "{ended}");
    let place = "executed\n  in my:words/tasks#ending\n";
    assert!(ended.stderr.contains(place), "{ended}");
    assert!(ended.stderr.contains(words), "{ended}");

    it.0.put("reader.wasm", wat::parse_str(READER).unwrap());
    let added = it.run(&["effect", "add", "words/words.wasm"]);
    assert_eq!(added.code, Some(0), "{added}");
    let read = it.run(&["run", "reader.wasm", &url("read", ""), "--allow", &host]);
    assert_eq!(read.stdout(), "some(\"Fish chips\")\n", "{read}");

    recordings::of_every_effect(it, language, &server.url);
    // The tests are those of the template.
    it.0.put(&path, text);
    recordings::of_the_template(it, language, tests, &url("title", ""), &host);
}

/// The project becomes that of the template `workflow`, which passes its own tests. Its component is built, and what the template
/// has of that is what `homestar bind` writes. Run, it prints what it should, and run again no task runs.
fn is_a_workflow(it: &Projects, language: &str, tests: &[&str], run: &[&str], bound: &str) {
    let files = homestar_templates::project(language, "workflow", "words").unwrap();
    for (path, text) in &files {
        it.0.put(&format!("words/{path}"), text);
    }
    let tested = it.tool(tests[0], &tests[1..]);
    assert_eq!(tested.code, Some(0), "{tested}");
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    let homestar = env!("CARGO_BIN_EXE_homestar");
    let arguments = ["bind", "words.wasm", "--lang", language, "-o", bound];
    let said = it.tool(homestar, &arguments);
    assert_eq!(said.code, Some(0), "{said}");
    for path in said.stdout().lines() {
        let (_, text) = files.iter().find(|(file, _)| file == path).expect(path);
        let now = String::from_utf8(it.0.read(&format!("words/{path}"))).unwrap();
        assert!(
            now == *text,
            "the template for {language} has another {path}:\n{now}"
        );
    }
    for _ in 0..2 {
        let mut command = it.command(run[0], &run[1..]);
        command.current_dir(it.0.path("words"));
        let said = it.0.said(command.env("HOMESTAR", homestar));
        assert!(said.stdout().ends_with("be 3\nto 2\nor 1\n"), "{said}");
        assert_eq!(said.code, Some(0), "{said}");
    }
    let ran = it.run(&["runs", "--json"]).json();
    let counts = ["ran", "memoised"].map(|how| ran["ok"][0][how].as_u64());
    assert_eq!(counts, [Some(0), Some(3)], "{ran}");
    follows_its_component(it, language, bound);
}

/// A task that is new, as each language has it, and what is written of it to the module that is bound.
const SHOUT: [(&str, &str, &str, &str); 4] = [
    (
        "js",
        "src/index.js",
        "/** @param {string} text @returns {string} */\nexport function shout(text) {\n  return text.toUpperCase();\n}\n",
        "export const shout = ",
    ),
    (
        "ts",
        "src/index.ts",
        "export function shout(text: string): string {\n  return text.toUpperCase();\n}\n",
        "export const shout: (text: Arg<string>) => Task<string> =",
    ),
    (
        "python",
        "app.py",
        "\n\n@task\ndef shout(text: str) -> str:\n    return text.upper()\n",
        "def shout(text: Arg[str]) -> Task[str]:",
    ),
    (
        "rust",
        "src/lib.rs",
        "    pub fn shout(text: &str) -> String {\n        text.to_uppercase()\n    }\n",
        "pub fn shout(",
    ),
];

/// What is bound has the types of the component, whenever it is built, and TypeScript is checked with them.
fn follows_its_component(it: &Projects, language: &str, bound: &str) {
    let bound = format!("words/{bound}");
    let before = it.0.read(&bound);
    let mut shouts = SHOUT.iter();
    let (_, file, more, words) = shouts.find(|(of, ..)| *of == language).unwrap();
    let path = format!("words/{file}");
    let text = String::from_utf8(it.0.read(&path)).unwrap();
    let with_more = match language {
        // It stands in the module, before the tests.
        "rust" => text.replacen("\n}\n", &format!("\n\n{more}}}\n"), 1),
        _ => format!("{text}\n{more}"),
    };
    it.0.put(&path, with_more);
    if language == "ts" {
        let text =
            "import { shout } from './component.js';\nexport const shouted = () => shout('a');\n";
        it.0.put("words/src/more.ts", text);
    }
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    let now = String::from_utf8(it.0.read(&bound)).unwrap();
    assert!(now.contains(words), "{now}");
    assert!(
        built.stderr.contains("anew, for words.wasm is another"),
        "{built}"
    );
    // Nothing is built anew for what was written.
    let built = it.run(&["build", "words", "--json"]);
    assert_eq!(built.json()["ok"]["changed"], false, "{built}");
    it.0.put(&path, text);
    let _ = fs::remove_file(it.0.path("words/src/more.ts"));
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    assert!(it.0.read(&bound) == before, "{built}");
    // What somebody changed by hand is written anew too.
    it.0.put(&bound, [&before[..], b"\n\n"].concat());
    let built = it.run(&["build", "words", "--json"]);
    assert_eq!(built.json()["ok"]["changed"], false, "{built}");
    assert!(it.0.read(&bound) == before, "{built}");
    if language == "ts" {
        // A component whose calls don't fit it stays where it was built.
        let component = it.0.read("words/words.wasm");
        it.edit("src/index.ts", "words(text: string)", "words(text: u32)");
        it.edit(
            "src/index.ts",
            "text.toLowerCase()",
            "String(text).toLowerCase()",
        );
        let built = it.run(&["build", "words"]);
        assert_eq!(built.code, Some(4), "{built}");
        let words = "src/flow.ts(8,55): error TS2345";
        assert!(built.stderr.contains(words), "{built}");
        assert!(it.0.read("words/words.wasm") == component);
    }
}

/// A program that uses every effect.
fn more(ending: &str) -> String {
    let file = format!("host/cli/tests/projects/effects.{ending}");
    fs::read_to_string(root().join(file)).unwrap()
}

/// JavaScript uses what TypeScript does, as another file.
fn with_more_in_typescript(it: &Projects, text: String) -> String {
    it.0.put("words/src/more.ts", more("ts"));
    text + "export { counted, drawn, fetched, lookedUp, sent, signed, wrongly, ending } from './more.js';\n"
}

#[test]
fn a_project_in_rust_works() {
    if !has(&["cargo"]) {
        return;
    }
    let it = works("rust", &["cargo", "test"]);
    it.edit(
        "src/lib.rs",
        "words.truncate(count as usize);",
        "let _: () = count;",
    );
    let said = it.run(&["build", "words"]);
    assert_eq!(said.code, Some(4));
    assert!(said.stderr.contains("src/lib.rs:30:21"), "{said}");
    assert!(
        said.stderr
            .ends_with("error: `cargo build` failed, see above\n"),
        "{said}"
    );
    is_an_effect(
        &it,
        "rust",
        &["cargo", "test"],
        "src/lib.rs",
        |text| {
            let import = "use homestar_sdk::https;\n";
            text.replacen(import, &format!("{import}{}", more("rs")), 1)
        },
        "\nattempt to divide by zero\n",
    );
    let run = ["cargo", "run", "--quiet", "--example", "flow"];
    let tests = ["cargo", "test", "--all-targets"];
    is_a_workflow(&it, "rust", &tests, &run, "examples/flow/component.rs");
}

#[test]
fn a_project_in_javascript_works() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = works("js", &["npm", "test"]);
    it.edit("src/index.js", "@param {u32} count", "@param {Date} count");
    let said = it.run(&["build", "words"]);
    assert_eq!(said.code, Some(4));
    let words = "error: src/index.js:21: the parameter `count` of `topWords` is `Date`, which WIT has no type for";
    assert!(said.stderr.contains(words), "{said}");
    let words = "Error: nothing to divide by\n    at divided (src/more.ts:63)\n    at ending (src/more.ts:68)\nerror: the guest trapped";
    is_an_effect(
        &it,
        "js",
        &["npm", "test"],
        "src/index.js",
        |text| with_more_in_typescript(&it, text),
        words,
    );
    let run = ["npm", "start", "--silent"];
    is_a_workflow(&it, "js", &["npm", "test"], &run, "src/component.js");
    let files = [
        "derive.test.js",
        "testing.test.js",
        "text.test.js",
        "web.test.js",
    ];
    its_sdk_passes_its_tests(&it, "js", "node", &["--test"], &files);
}

#[test]
fn a_project_in_typescript_works() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = works("ts", &["npm", "test"]);
    it.edit("src/index.ts", "times.size === 0", "times === 0");
    let said = it.run(&["build", "words"]);
    assert_eq!(said.code, Some(4));
    assert!(
        said.stderr.contains("src/index.ts(21,7): error TS2367"),
        "{said}"
    );
    let words = "Error: nothing to divide by\n    at divided (src/more.ts:63)\n    at ending (src/more.ts:68)\nerror: the guest trapped";
    is_an_effect(
        &it,
        "ts",
        &["npm", "test"],
        "src/index.ts",
        |text| with_more_in_typescript(&it, text),
        words,
    );
    let run = ["npm", "start", "--silent"];
    is_a_workflow(&it, "ts", &["npm", "test"], &run, "src/component.ts");
}

#[test]
fn a_project_in_python_works() {
    if !has(&["python3"]) {
        return;
    }
    let it = works("python", &[".venv/bin/python", "-m", "unittest"]);
    its_package_is_whole(&it);
    it.edit("app.py", "count: u32", "count");
    let said = it.run(&["build", "words"]);
    assert_eq!(said.code, Some(4));
    let words = "error: app.py:18: the parameter `count` of `top_words` has no type, such as `count: str`\n";
    assert!(said.stderr.contains(words), "{said}");
    it.edit("app.py", "import re", "import re, nothing_of_this_name");
    let said = it.run(&["build", "words"]);
    assert_eq!(said.code, Some(4));
    assert!(
        said.stderr
            .contains("words/app.py\", line 3, in <module>\n"),
        "{said}"
    );
    assert!(
        said.stderr
            .contains("ModuleNotFoundError: No module named 'nothing_of_this_name'\n"),
        "{said}"
    );
    assert!(!said.stderr.contains("importlib"), "{said}");
    let tests = [".venv/bin/python", "-m", "unittest"];
    let words = r#"Traceback (most recent call last):
  File "app.py", line 71, in ending
  File "app.py", line 66, in divided
ZeroDivisionError: division by zero
error: the guest trapped: wasm `unreachable` instruction executed
"#;
    is_an_effect(
        &it,
        "python",
        &tests,
        "app.py",
        |text| text + &more("py"),
        words,
    );
    let run = [".venv/bin/python", "flow.py"];
    is_a_workflow(&it, "python", &tests, &run, "component.py");
    let files = ["test_derive.py", "test_testing.py"];
    its_sdk_passes_its_tests(&it, "python", ".venv/bin/python", &[], &files);
}

#[test]
fn with_wit_by_hand_nothing_is_derived_and_our_packages_are_there() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("js");
    it.0.put(
        "words/wit/mine.wit",
        "package acme:words;\nworld mine {\n    import homestar:std/task@0.1.0;\n    import homestar:crypto/digest@0.1.0;\n    \
         export me: func() -> bool;\n}\n",
    );
    it.0.put(
        "words/src/index.js",
        "import task from 'homestar:std/task@0.1.0';\nimport digest from '@homestar/sdk/digest';\n\
         export const me = () => task.component().startsWith('baf') && digest.hash('sha256', 'a').length === 32;\n",
    );
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    assert!(it.0.path("words/wit/deps/homestar-std/std.wit").exists());
    assert!(!it.0.path("words/wit/words.wit").exists());
    let answer = it.run(&["run", "words/words.wasm", "me()"]);
    assert_eq!(answer.stdout(), "true\n", "{answer}");
}

/// The tests of an SDK need what a project has installed.
fn its_sdk_passes_its_tests(
    it: &Projects,
    language: &str,
    program: &str,
    options: &[&str],
    files: &[&str],
) {
    let tests = root().join("sdk").join(language).join("tests");
    let names = fs::read_dir(&tests)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.filter(|name| name != "__pycache__").collect();
    names.sort();
    assert_eq!(names, files);
    for file in files {
        let place = format!("{}/tests/{file}", homestar_templates::VENDORED);
        it.0.put(
            &format!("words/{place}"),
            fs::read(tests.join(file)).unwrap(),
        );
        let said = it.tool(program, &[options, &[&place]].concat());
        assert_eq!(said.code, Some(0), "{said}");
    }
}

/// What pip installed is what the project had of the SDK.
fn its_package_is_whole(it: &Projects) {
    let said = it.tool(
        ".venv/bin/python",
        &["-m", "pip", "show", "--files", "homestar-sdk"],
    );
    let lines = said.stdout().lines().map(str::trim);
    let mut packed: Vec<_> = lines
        .filter(|line| line.starts_with("homestar/") && line.ends_with(".py"))
        .collect();
    let files = homestar_templates::project("python", "task", "words").unwrap();
    let sdk = format!("{}/", homestar_templates::VENDORED);
    let vendored = files.iter().filter_map(|(path, _)| path.strip_prefix(&sdk));
    let mut vendored: Vec<_> = vendored.filter(|path| path.ends_with(".py")).collect();
    packed.sort_unstable();
    vendored.sort_unstable();
    assert_eq!(packed, vendored, "{said}");
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The commands that README shows do what it shows, with the function that it shows.
#[test]
fn the_task_of_the_readme_works() {
    if !has(&["python3"]) {
        return;
    }
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = text.split_once("## A task of your own").unwrap();
    let block = |begin: &str| {
        section
            .split(begin)
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap()
    };
    let it = Projects::new();
    let mut folder = it.0.path("");
    let mut said = None;
    for line in block("```text\n").lines() {
        match line.strip_prefix("    ") {
            Some(shown) => {
                let said: Said = said.take().unwrap();
                assert_eq!(said.stdout(), format!("{shown}\n"), "{said}");
            }
            None if line.starts_with("cd ") => {
                folder = it.0.path("roots");
                it.0.put("roots/app.py", block("```python\n"));
            }
            None => {
                let mut shell = it.command("sh", &["-c", line]);
                let program = Path::new(env!("CARGO_BIN_EXE_homestar")).parent().unwrap();
                let mut path = program.as_os_str().to_owned();
                path.push(":");
                path.push(std::env::var_os("PATH").unwrap());
                let ran = it.0.said(shell.current_dir(&folder).env("PATH", path));
                assert_eq!(ran.code, Some(0), "{line}\n{ran}");
                said = Some(ran);
            }
        }
    }
    assert!(said.is_none(), "README shows no result");
}

#[test]
fn a_missing_tool_is_named_with_how_to_install_it() {
    let it = Projects::new();
    for (language, tool, hint) in [
        ("rust", "cargo", "https://rustup.rs installs Rust"),
        (
            "js",
            "node",
            "https://nodejs.org has Node.js with npm, 20 or later",
        ),
        (
            "ts",
            "node",
            "https://nodejs.org has Node.js with npm, 20 or later",
        ),
        (
            "python",
            "python3",
            "https://www.python.org/downloads has Python, 3.10 or later",
        ),
    ] {
        let said = it.run(&["new", language, "--lang", language]);
        // `rust` is a name as any other.
        assert_eq!(said.code, Some(0), "{said}");
        let mut command = it.command(env!("CARGO_BIN_EXE_homestar"), &["build", language]);
        let said = it.0.said(command.env("PATH", it.0.path("")));
        assert_eq!(said.code, Some(4), "{said}");
        assert_eq!(
            said.stderr,
            format!("error: there is no `{tool}` here\nhint: {hint}\n")
        );
    }
    // A compiler without the library for the target.
    for (tool, prints) in [("cargo", "cargo 1.95.0"), ("rustc", "/nowhere")] {
        let path = it.0.put(
            &format!("bin/{tool}"),
            format!("#!/bin/sh\necho {prints}\n"),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = it.command(env!("CARGO_BIN_EXE_homestar"), &["build", "rust"]);
    let said = it.0.said(command.env("PATH", it.0.path("bin")));
    insta::assert_snapshot!(said.to_string(), @"
    --- stderr
    error: Rust has no library for wasm32-wasip2 here
    hint: `rustup target add wasm32-wasip2` installs it
    --- exit code 4
    ");
}

#[test]
fn what_is_there_is_not_overwritten_and_names_are_checked() {
    let it = Projects::new();
    it.0.put("words/notes.txt", "mine");
    let said = it.run(&["new", "words", "--lang", "python"]);
    assert_eq!(said.stderr, "error: words is there and not empty\n");
    assert_eq!(fs::read_dir(it.0.path("words")).unwrap().count(), 1);
    let said = it.run(&["new", "Words", "--lang", "python"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr
            .starts_with("error: a project can't be called `Words`: a name is made of words"),
        "{said}"
    );
    let said = it.run(&["new", "stream", "--lang", "python"]);
    assert_eq!(
        said.stderr,
        "error: a project can't be called `stream`: that name means something else\n"
    );
    let said = it.run(&["new", "/", "--lang", "python"]);
    assert_eq!(said.stderr, "error: / has no name to call a project by\n");
    let said = it.run(&["build", "words"]);
    assert_eq!(said.code, Some(4));
    assert!(
        said.stderr
            .starts_with("error: no project in words: no Cargo.toml, package.json"),
        "{said}"
    );
    let said = it.run(&["build", "nowhere"]);
    assert!(
        said.stderr.starts_with("error: there is no nowhere\n"),
        "{said}"
    );
    let said = it.run(&["new", "small", "--lang", "python", "--json"]);
    assert_eq!(said.json()["ok"]["name"], "small");
    assert_eq!(said.json()["ok"]["files"][0], ".gitignore");
}

/// A program that goes on until this is dropped.
struct Running {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn prints(&mut self, line: &str) {
        assert_eq!(self.stdout.next().unwrap().unwrap(), line);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn dev_builds_and_runs_again_when_a_file_changes() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("js");
    let mut command = it.command(
        env!("CARGO_BIN_EXE_homestar"),
        &[
            "dev",
            "--project",
            "words",
            "top-words(\"a b a\", 1)",
            "--json",
        ],
    );
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut running = Running { child, stdout };
    running.prints("{\"ok\":[{\"text\":\"a\",\"times\":2}]}");
    it.edit("src/index.js", "a.times)", "a.times).reverse()");
    running.prints("{\"ok\":[{\"text\":\"b\",\"times\":1}]}");
    it.edit("src/index.js", ".reverse()", ".reverse(");
    running.prints("{\"error\":{\"kind\":\"input\",\"message\":\"the build failed, see above\"}}");
    it.edit("src/index.js", ".reverse(", "");
    running.prints("{\"ok\":[{\"text\":\"a\",\"times\":2}]}");
}

#[test]
fn dev_takes_what_run_takes() {
    let it = Projects::with("python");
    let said = it.run(&["dev", "--project", "words", "a()", "--jobs", "2"]);
    assert_eq!(
        said.stderr,
        "error: --jobs is for workflows, and this is a component\n"
    );
    let said = it.run(&["dev", "--project", "words", "a()", "--nonsense"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("--nonsense"), "{said}");
}
