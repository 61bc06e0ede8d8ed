//! `homestar bind`, and workflows in Python, TypeScript and Rust: the cases of `sdk/flows` are one in all of them, what is wrong
//! is told in the language's own terms, and they run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::environment::{Environment, Said};
use crate::projects::{Projects, has, python_with, root};

/// The guests whose functions the cases call.
const GUESTS: [&str; 7] = ["add", "image", "lines", "mender", "shapes", "text", "zoo"];

/// The cases, in `sdk/flows`.
const CASES: [&str; 4] = ["each", "pictures", "sums", "values"];

/// A project called `flows`, with the guests in it.
fn project() -> Projects {
    let it = Projects::new();
    for name in GUESTS {
        let mut all = homestar_guests::RUST.iter();
        let (_, path) = all.find(|(guest, _)| *guest == name).expect(name);
        it.0.put(&format!("words/{name}.wasm"), fs::read(path).unwrap());
    }
    let cat = fs::read(root().join("examples/image/cat.png")).unwrap();
    it.0.put("words/cat.png", cat);
    it.0.put("words/pages/1.txt", "one 1.txt\ntwo\n");
    it.0.put("words/pages/2.txt", "2.txt\n2.txt again\n");
    it
}

/// A file of `sdk/flows` or of the tests here.
fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// Writes the functions of each guest in `language`, to a folder of the project.
fn bind(it: &Projects, language: &str, folder: &str, ending: &str) {
    fs::create_dir_all(it.0.path("words").join(folder)).unwrap();
    for guest in GUESTS {
        let output = format!("{folder}{guest}.{ending}");
        let component = format!("{guest}.wasm");
        let arguments = ["bind", &component, "--lang", language, "-o", &output];
        let said = it.tool(env!("CARGO_BIN_EXE_homestar"), &arguments);
        assert_eq!(said.code, Some(0), "{said}");
    }
}

/// Returns a program in the project, which finds ours.
fn program(it: &Projects, program: &str, arguments: &[&str]) -> Command {
    let mut command = it.command(program, arguments);
    command
        .current_dir(it.0.path("words"))
        .env("HOMESTAR", env!("CARGO_BIN_EXE_homestar"));
    command
}

/// Compares the workflows in `texts`, in order of the cases, with what the cases are in YAML.
fn are_the_cases(it: &Projects, texts: &str) {
    let texts: Vec<&str> = texts.split("---\n").collect();
    assert_eq!(texts.len(), CASES.len(), "{texts:?}");
    for (case, text) in CASES.iter().zip(texts) {
        it.0.put("words/case.json", text);
        assert_eq!(cid(it, "case.json"), expected(case), "{case}\n{text}");
    }
}

fn cid(it: &Projects, file: &str) -> String {
    let arguments = ["check", file, "--json"];
    let said = it.tool(env!("CARGO_BIN_EXE_homestar"), &arguments);
    assert_eq!(said.code, Some(0), "{said}");
    said.json()["ok"]["workflow"].as_str().unwrap().to_owned()
}

/// The CID that a case has in every language.
fn expected(case: &str) -> String {
    text(&format!("sdk/flows/{case}.cid")).trim().to_owned()
}

#[test]
fn each_case_has_its_cid_in_yaml() {
    let it = project();
    let mut cids = Vec::new();
    for case in CASES {
        it.0.put("words/case.yaml", text(&format!("sdk/flows/{case}.yaml")));
        cids.push((case, cid(&it, "case.yaml")));
    }
    let expected: Vec<_> = CASES.map(|case| (case, expected(case))).into();
    assert_eq!(cids, expected);
    let mut names: Vec<_> = fs::read_dir(root().join("sdk/flows"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    let endings = ["cid", "py", "rs", "ts", "yaml"];
    let all = CASES.map(|case| endings.map(|ending| format!("{case}.{ending}")));
    assert_eq!(names, all.concat());
}

/// What the programs of `docs/workflows.md` print.
const SAID: &str = "2 pictures, 4 receipts\n";

/// Returns the program in a language that `docs/workflows.md` shows.
fn snippet(language: &str) -> String {
    let page = text("docs/workflows.md");
    let (_, section) = page
        .split_once("## In Python, JavaScript and Rust")
        .unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn a_workflow_comes_by_standard_input_and_gives_what_is_asked() {
    let it = Environment::with(&["add"]).with_key();
    let flow = br#"  {"tasks": {
        "three": {"component": "add.wasm", "call": "add", "args": [1, 2]},
        "five": {"component": "add.wasm", "call": "add", "args": [{"await/ok": "three"}, 2]}
    }}"#;
    let said = it.run_with(&["run", "-"], flow);
    assert_eq!((said.stdout(), said.code), ("5\n", Some(0)), "{said}");
    let said = it.run_with(&["run", "-", "--result", "three"], flow);
    assert_eq!((said.stdout(), said.code), ("3\n", Some(0)), "{said}");
    let both = [
        "run", "-", "--result", "three", "--result", "five", "--json",
    ];
    let said = it.run_with(&both, flow);
    let last: Value = serde_json::from_str(said.stdout().lines().last().unwrap()).unwrap();
    let expected = serde_json::json!({"five": {"ok": 5}, "three": {"ok": 3}});
    assert_eq!(last["results"], expected, "{said}");
    let said = it.run_with(&["run", "-", "--result", "four"], flow);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("the workflow has no task `four`"),
        "{said}"
    );
    let said = it.run(&["run", "add.wasm", "add(1, 2)", "--result", "a"]);
    assert_eq!(said.code, Some(2), "{said}");
    for command in ["check", "plan"] {
        let said = it.run_with(&[command, "-", "--json"], flow);
        assert_eq!(said.code, Some(0), "{said}");
        let said = it.run_with(&[command, "-"], b"{\"tasks\": ");
        assert_eq!(said.code, Some(4), "{said}");
    }
    // A component still does.
    let said = it.run_with(&["run", "-", "add(1, 2)"], &it.read("add.wasm"));
    assert_eq!((said.stdout(), said.code), ("3\n", Some(0)), "{said}");

    let listed = it.run(&["receipt", "list", "--json"]).json();
    let cid = listed["ok"][0]["receipt"]["/"].as_str().unwrap().to_owned();
    let shown = it.run(&["receipt", "show", &cid, "--json"]);
    assert_eq!(shown.json()["receipt"]["/"], *cid, "{shown}");
    let verified = it.run(&["receipt", "verify", &cid]);
    assert!(verified.stdout().starts_with("signature"), "{verified}");
    let other = "bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq";
    let said = it.run(&["receipt", "show", other]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("there is no receipt"), "{said}");
}

#[test]
fn what_somebody_wrote_is_not_bound_over() {
    let it = Environment::with(&["add", "cli"]);
    let bind = ["bind", "add.wasm", "--lang", "python"];
    let said = it.run(&bind);
    assert_eq!((said.stdout(), said.code), ("add.py\n", Some(0)), "{said}");
    assert_eq!(it.run(&bind).code, Some(0));
    it.put("add.py", "mine");
    let said = it.run(&bind);
    assert_eq!(said.code, Some(4), "{said}");
    let words = "error: add.py is there, and not made by `homestar bind`\nhint: `-o PATH`";
    assert!(said.stderr.starts_with(words), "{said}");
    assert_eq!(it.read("add.py"), b"mine");
    let said = it.run(&["bind", "cli.wasm", "--lang", "ts"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("it is the entry of a command"),
        "{said}"
    );
    let said = it.run(&["bind", "-", "--lang", "ts"]);
    assert_eq!(said.code, Some(2), "{said}");
    let said = it.run_with(&["bind", "add.py", "--lang", "rust"], b"");
    assert_eq!(said.code, Some(4), "{said}");
}

/// A checker of types that comes from npm, and stays between runs.
fn pyright(it: &Projects) -> PathBuf {
    let projects = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects");
    let folder = projects.join("pyright-1.1.414");
    let program = folder.join("node_modules/.bin/pyright");
    if program.exists() {
        return program;
    }
    // Several tests have it, and each that finds nothing makes it whole by itself.
    let mine = projects.join(format!("pyright-{}", std::process::id()));
    let prefix = ["install", "--prefix", mine.to_str().unwrap()];
    let what = [
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "pyright@1.1.414",
    ];
    let installed =
        it.0.said(&mut it.command("npm", &[&prefix[..], &what[..]].concat()));
    assert_eq!(installed.code, Some(0), "{installed}");
    if fs::rename(&mine, &folder).is_err() {
        fs::remove_dir_all(&mine).unwrap();
    }
    assert!(program.exists(), "{installed}");
    program
}

/// The files and lines in which pyright finds errors, whatever they say of that.
fn checked_by_pyright(it: &Projects, folder: &str) -> Vec<(String, u64)> {
    let sdk = root().join("sdk/python").canonicalize().unwrap();
    let config = serde_json::json!({
        "exclude": ["run.py"],
        "extraPaths": [sdk],
        "enableTypeIgnoreComments": false,
        "reportMissingParameterType": false,
        "reportUnknownArgumentType": false,
        "reportUnknownLambdaType": false,
        "reportUnknownParameterType": false,
        "reportUnknownVariableType": false,
        "typeCheckingMode": "strict",
    });
    it.0.put(&format!("{folder}/pyrightconfig.json"), config.to_string());
    let mut command = it.command(pyright(it).to_str().unwrap(), &["--outputjson"]);
    let said = it.0.said(command.current_dir(it.0.path(folder)));
    let found: Value = serde_json::from_str(said.stdout()).unwrap_or_else(|_| panic!("{said}"));
    let all = found["generalDiagnostics"].as_array().unwrap();
    let mut lines: Vec<_> = all
        .iter()
        .map(|one| {
            let file = Path::new(one["file"].as_str().unwrap())
                .file_name()
                .unwrap();
            let line = one["range"]["start"]["line"].as_u64().unwrap() + 1;
            (file.to_str().unwrap().to_owned(), line)
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

#[test]
fn templates_in_python_have_types() {
    if !has(&["node", "npm"]) {
        return;
    }
    for template in ["task", "effect", "stream", "workflow"] {
        let it = Projects::new();
        let files = homestar_templates::project("python", template, "words").unwrap();
        for (path, text) in files
            .iter()
            .filter(|(path, _)| !path.starts_with("vendor/"))
        {
            it.0.put(&format!("words/{path}"), text);
        }
        let expected = match template {
            "workflow" => vec![("test_app.py".to_owned(), 25)],
            _ => Vec::new(),
        };
        assert_eq!(checked_by_pyright(&it, "words"), expected, "{template}");
    }
}

#[test]
fn workflows_in_python() {
    if !has(&["python3"]) {
        return;
    }
    let it = project();
    let python = python_with(&it, "mypy", &["mypy==1.18.2"]);
    let python = python.to_str().unwrap();
    let run = |arguments: &[&str]| -> Said {
        let mut command = program(&it, python, arguments);
        command
            .env("PYTHONPATH", root().join("sdk/python"))
            .env("MYPYPATH", root().join("sdk/python"));
        it.0.said(&mut command)
    };
    bind(&it, "python", "", "py");
    for case in CASES {
        it.0.put(
            &format!("words/{case}.py"),
            text(&format!("sdk/flows/{case}.py")),
        );
    }
    for file in ["wrong.py", "run.py"] {
        it.0.put(
            &format!("words/{file}"),
            text(&format!("host/cli/tests/flows/{file}")),
        );
    }

    // A call that is wrong is marked in `wrong.py`, and a mark that isn't needed is an error too.
    let files = CASES.map(|case| format!("{case}.py"));
    let files = files.iter().map(String::as_str).chain(["wrong.py"]);
    // The functions of the cases say no types where none are needed.
    let options = [
        "-m",
        "mypy",
        "--strict",
        "--allow-untyped-defs",
        "--allow-incomplete-defs",
        "--allow-untyped-calls",
    ];
    let checked = run(&options.into_iter().chain(files).collect::<Vec<_>>());
    assert_eq!(checked.code, Some(0), "{checked}");

    let print = format!(
        "import {0}\nprint('---\\n'.join(case.flow().json() for case in [{0}]), end='')",
        CASES.join(", ")
    );
    let printed = run(&["-c", &print]);
    assert_eq!(printed.code, Some(0), "{printed}");
    are_the_cases(&it, printed.stdout());

    // The other checker, that of editors, finds wrong what is marked and nothing else.
    if has(&["node", "npm"]) {
        let checked = checked_by_pyright(&it, "words");
        let wrong = marked("host/cli/tests/flows/wrong.py", "# type: ignore").into_iter();
        let wrong: Vec<_> = wrong.map(|line| ("wrong.py".to_owned(), line)).collect();
        assert_eq!(checked, wrong);
    }

    let ran = run(&["run.py"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran = run(&["-c", &snippet("python")]);
    assert_eq!(ran.stdout(), SAID, "{ran}");
}

#[test]
fn workflows_in_typescript() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = project();
    for (path, text) in homestar_templates::project("ts", "task", "words").unwrap() {
        it.0.put(&format!("words/{path}"), text);
    }
    bind(&it, "ts", "src/", "ts");
    // The same as JavaScript, whose declarations stand beside it.
    bind(&it, "js", "js/", "js");
    for case in CASES {
        it.0.put(
            &format!("words/src/{case}.ts"),
            text(&format!("sdk/flows/{case}.ts")),
        );
    }
    for file in ["wrong.ts", "run.ts"] {
        it.0.put(
            &format!("words/src/{file}"),
            text(&format!("host/cli/tests/flows/{file}")),
        );
    }
    let imports = CASES.map(|case| format!("import {{ flow as {case} }} from './{case}.js';\n"));
    let print = format!(
        "{}process.stdout.write([{}].map((flow) => flow().json()).join('---\\n'));\n",
        imports.concat(),
        CASES.join(", ")
    );
    it.0.put("words/src/print.ts", print);
    it.0.put("words/src/snippet.ts", snippet("ts"));
    it.0.put(
        "words/src/declared.ts",
        "import * as zoo from '../js/zoo.js';\nzoo.echoU32(1);\n",
    );

    let install = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
    let installed = it.tool("npm", &install);
    assert_eq!(installed.code, Some(0), "{installed}");
    let compiled = it.tool("node", &["node_modules/typescript/bin/tsc"]);
    assert_eq!(compiled.code, Some(0), "{compiled}");

    let printed =
        it.0.said(&mut program(&it, "node", &["build/src/print.js"]));
    assert_eq!(printed.code, Some(0), "{printed}");
    are_the_cases(&it, printed.stdout());

    let ran = it.0.said(&mut program(&it, "node", &["build/src/run.js"]));
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran =
        it.0.said(&mut program(&it, "node", &["build/src/snippet.js"]));
    assert_eq!(ran.stdout(), SAID, "{ran}");
    // What was bound as JavaScript is the same.
    it.0.put(
        "words/plain.mjs",
        "import { workflow } from '@homestar/sdk/flow';\nimport { add } from './js/add.js';\n\
         const { result } = await workflow('plain', () => add(add(1, 2), 3))().run();\nconsole.log(result);\n",
    );
    let ran = it.0.said(&mut program(&it, "node", &["plain.mjs"]));
    assert_eq!(ran.stdout(), "6\n", "{ran}");
}

#[test]
fn workflows_in_rust() {
    if !has(&["cargo"]) {
        return;
    }
    let it = project();
    let sdk = root().join("sdk/rust");
    it.0.put(
        "words/Cargo.toml",
        format!(
            "[package]\nname = \"flows\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             homestar-sdk = {{ path = {:?}, features = [\"flow\"] }}\nserde_json = \"1\"\n\n\
             [features]\nwrong = []\n\n[lints.rust]\nwarnings = \"deny\"\n\n[workspace]\n",
            sdk.canonicalize().unwrap()
        ),
    );
    bind(&it, "rust", "src/", "rs");
    for case in CASES {
        it.0.put(
            &format!("words/src/{case}.rs"),
            text(&format!("sdk/flows/{case}.rs")),
        );
    }
    it.0.put("words/src/main.rs", text("host/cli/tests/flows/run.rs"));
    let wrong = text("host/cli/tests/flows/wrong.rs");
    it.0.put("words/src/wrong.rs", wrong);
    it.0.put(
        "words/src/bin/snippet.rs",
        snippet("rust").replace("mod image;", "#[path = \"../image.rs\"]\nmod image;"),
    );
    let printed = it.0.said(&mut program(
        &it,
        "cargo",
        &["run", "--quiet", "--bin", "flows", "--", "print"],
    ));
    assert_eq!(printed.code, Some(0), "{printed}");
    are_the_cases(&it, printed.stdout());

    let ran = it.0.said(&mut program(
        &it,
        "cargo",
        &["run", "--quiet", "--bin", "flows"],
    ));
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran = it.0.said(&mut program(
        &it,
        "cargo",
        &["run", "--quiet", "--bin", "snippet"],
    ));
    assert_eq!(ran.stdout(), SAID, "{ran}");

    let mut wrong = program(
        &it,
        "cargo",
        &[
            "check",
            "--quiet",
            "--features",
            "wrong",
            "--message-format",
            "json",
        ],
    );
    let said = it.0.said(&mut wrong);
    assert_eq!(said.code, Some(101), "{said}");
    assert_eq!(
        places(said.stdout(), "src/wrong.rs"),
        marked("host/cli/tests/flows/wrong.rs", "// wrong"),
        "{said}"
    );
}

/// The lines of a file in which cargo found errors.
fn places(messages: &str, file: &str) -> Vec<u64> {
    let messages = messages
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).unwrap() });
    let errors = messages.filter(|message| message["message"]["level"] == "error");
    let mut lines: Vec<_> = errors
        .flat_map(|error| error["message"]["spans"].as_array().unwrap().clone())
        .filter(|span| span["is_primary"] == true && span["file_name"] == file)
        .map(|span| span["line_start"].as_u64().unwrap())
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// The lines that say that they are wrong.
fn marked(file: &str, mark: &str) -> Vec<u64> {
    let text = text(file);
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| line.contains(mark))
        .map(|(_, number)| number)
        .collect()
}
