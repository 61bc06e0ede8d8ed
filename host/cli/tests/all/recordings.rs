//! What effects answered once, in the tests of projects.

use std::fs;

use crate::projects::{Projects, root};

/// Runs a task and writes what its effects answered to `file`.
fn records(it: &Projects, call: &str, grant: &str, file: &str) {
    let run = ["run", "words/words.wasm", call, "--allow", grant];
    it.run(&[&run[..], &["--receipt", "run.car"]].concat());
    let said = it.run(&["replay", "run.car", "--fixture", file]);
    assert_eq!(said.code, Some(0), "{said}");
}

/// Native tests of every effect hear what was recorded. (Node.js runs no TypeScript by itself.)
pub(crate) fn of_every_effect(it: &Projects, language: &str, server: &str) {
    let calls = [
        (
            "sent",
            format!("sent(\"{server}/\")"),
            &*format!("https={server}"),
        ),
        (
            "looked_up",
            "looked-up(\"localhost\")".into(),
            "dns=localhost",
        ),
        ("drawn", "drawn()".into(), "random"),
        ("signed", "signed(\"text\")".into(), "crypto"),
        ("counted", "counted()".into(), "state=counts"),
        ("wrongly", "wrongly()".into(), "crypto"),
    ];
    let fetched = format!("fetched(\"{server}/\")");
    let fetched = ("fetched", fetched, &*format!("https={server}"));
    let fetched = (language == "ts").then_some(fetched);
    for (name, call, grant) in calls.into_iter().chain(fetched) {
        let file = format!("words/{name}.json");
        records(it, &call, grant, &file);
    }
    let test = |ending: &str| {
        let file = format!("host/cli/tests/projects/recorded.{ending}");
        fs::read_to_string(root().join(file)).unwrap()
    };
    let tools: &[&[&str]] = match language {
        "python" => {
            it.0.put("words/recorded.py", test("py"));
            &[&[".venv/bin/python", "recorded.py"]]
        }
        "ts" => {
            it.0.put("words/recorded.mjs", test("mjs"));
            &[&["npx", "tsc"], &["node", "recorded.mjs"]]
        }
        "rust" => {
            let text = String::from_utf8(it.0.read("words/src/lib.rs")).unwrap();
            it.0.put("words/src/lib.rs", text + &test("rs"));
            &[&["cargo", "test"]]
        }
        _ => &[],
    };
    for tool in tools {
        let said = it.tool(tool[0], &tool[1..]);
        assert_eq!(said.code, Some(0), "{said}");
    }
}

/// What the task heard for real is what its tests hear, and they say where it goes another way.
pub(crate) fn of_the_template(
    it: &Projects,
    language: &str,
    tests: &[&str],
    call: &str,
    host: &str,
) {
    records(it, call, host, "words/page.json");
    let tested = it.tool(tests[0], &tests[1..]);
    assert_eq!(tested.code, Some(0), "{tested}");

    let text = String::from_utf8(it.0.read("words/page.json")).unwrap();
    let fails = |text: &str, words: &str| {
        it.0.put("words/page.json", text);
        let tested = it.tool(tests[0], &tests[1..]);
        assert_ne!(tested.code, Some(0), "{tested}");
        let whole = format!("{}{}", tested.stdout(), tested.stderr);
        assert!(whole.contains(words), "{language}: {words}\n{tested}");
    };
    let other = text.replace("],\"call\"", ",1],\"call\"");
    fails(&other, "page.json: call 1 is another than was recorded");
    let line = text.lines().find(|line| line.starts_with("    {")).unwrap();
    let twice = text.replace(line, &format!("{line},\n{line}"));
    fails(&twice, "page.json: a recorded call was not made; call 2 is");
    fails(
        &text[..text.len() / 2],
        "page.json is damaged, or nothing that",
    );
    it.0.put("words/page.json", text);
}
