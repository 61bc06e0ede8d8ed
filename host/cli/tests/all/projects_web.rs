//! Projects in TypeScript that use what the web has: streams and `crypto`. They do the same in a component and in Node.js.

use std::fs;

use serde_json::Value;

use crate::projects::{Projects, has, root};

fn web() -> Projects {
    let it = Projects::with("ts");
    let text = fs::read_to_string(root().join("host/cli/tests/projects/web.ts")).unwrap();
    it.0.put("words/src/index.ts", text);
    fs::remove_file(it.0.path("words/test/index.test.ts")).unwrap();
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    it
}

/// What a task gives without a receipt of another run.
fn given(it: &Projects, call: &str) -> Value {
    let said = it.run(&["run", "words/words.wasm", call, "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    said.json()["ok"].clone()
}

#[test]
fn streams_and_crypto_of_the_web_are_those_of_node() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = web();
    let compiled = it.tool("npx", &["tsc"]);
    assert_eq!(compiled.code, Some(0), "{compiled}");
    let script = "import { digests, made } from './build/src/index.js';\n\
        console.log(JSON.stringify([await made(), await digests('abc'), await digests('')]));";
    let native = it.tool("node", &["--input-type=module", "-e", script]);
    assert_eq!(native.code, Some(0), "{native}");
    let native: Value = serde_json::from_str(native.stdout()).unwrap();
    assert_eq!(native[0][0], "2,4,6", "{native}");
    let calls = ["made()", "digests(\"abc\")", "digests(\"\")"];
    let ours: Vec<_> = calls.iter().map(|call| given(&it, call)).collect();
    assert_eq!(Value::from(ours), native);

    let text = "ein größeres Stück, 12€\n".repeat(40_000);
    it.0.put("text.txt", &text);
    let call = "shouted(@text.txt)";
    let shouted = it.run(&["run", "words/words.wasm", call, "-o", "capitals.txt"]);
    assert_eq!(shouted.code, Some(0), "{shouted}");
    // JavaScript and Rust write capitals alike.
    assert!(it.0.read("capitals.txt") == text.to_uppercase().as_bytes());
    let call = "begin(@text.txt, 12)";
    assert_eq!(given(&it, call), "ein größeres");
    let twice = given(&it, "twice(@text.txt)");
    assert_eq!(twice, serde_json::json!([text.len(), text.len()]));
}

#[test]
fn random_values_of_the_web_are_those_of_the_task() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = web();
    let said = it.run(&["inspect", "words/words.wasm"]);
    assert!(said.stdout().contains("wasi:random/random"), "{said}");
    let run = |more: &[&str]| {
        let said = it.run(&[&["run", "words/words.wasm", "chances()", "--json"], more].concat());
        assert_eq!(said.code, Some(0), "{said}");
        said.json()["ok"].as_array().unwrap().clone()
    };
    let first = run(&[]);
    assert_eq!(first.len(), 6);
    assert_eq!(run(&["--no-cache"]), first);
    let real = run(&["--allow", "random"]);
    assert_ne!(real[..5], first[..5]);

    // While a component is built there is no task whose they could be, and none is made up.
    it.0.put(
        "words/src/index.ts",
        "const id = crypto.randomUUID();\nexport function own(): string {\n  return id;\n}\n",
    );
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(4), "{built}");
    let words = "error: the program failed while the component was built, which runs it once\n\
        Error: a random number was asked for while the component is built, where there is no task; ask within a function\n    \
        at the module (src/index.ts:1)\n";
    assert!(built.stderr.contains(words), "{built}");
}

#[test]
fn a_component_has_of_the_web_what_its_program_names() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("ts");
    fs::remove_file(it.0.path("words/test/index.test.ts")).unwrap();
    let built = |text: &str| {
        let head =
            "/** @throws {string} */\nexport async function made(url: string): Promise<string> {\n";
        it.0.put("words/src/index.ts", format!("{head}{text}\n}}\n"));
        let built = it.run(&["build", "words"]);
        assert_eq!(built.code, Some(0), "{built}");
        let wit = String::from_utf8(it.0.read("words/wit/words.wit")).unwrap();
        let imports = wit
            .lines()
            .filter_map(|line| line.trim().strip_prefix("import "));
        let imports = imports.filter(|import| !import.starts_with("homestar:std/log"));
        let imports: Vec<_> = imports
            .map(|import| import.split('@').next().unwrap().to_owned())
            .collect();
        (imports, it.0.read("words/words.wasm").len())
    };
    let (imports, least) = built("return url;");
    assert!(imports.is_empty(), "{imports:?}");
    let (imports, size) = built("return (await fetch(url, { method: 'POST', body: 'a' })).text();");
    assert_eq!(imports, ["homestar:https/client"]);
    // Streams would be a megabyte.
    assert!(size < least + 400_000, "{size}, {least}");
    let (_, size) = built("return String((await fetch(url)).body?.locked);");
    assert!(size > least + 400_000, "{size}, {least}");
    let (imports, _) = built("return crypto.randomUUID() + globalThis.crypto.randomUUID();");
    assert_eq!(imports, ["wasi:random/random"]);
    let (imports, _) = built("return `${url} ${Math.random()}`;");
    assert_eq!(imports, ["wasi:random/insecure"]);
}

#[test]
fn tests_say_where_in_typescript_something_failed() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("ts");
    let path = "words/src/index.ts";
    let text = String::from_utf8(it.0.read(path)).unwrap();
    let place = "if (times.size === 0)";
    let line = text.lines().position(|line| line.contains(place)).unwrap() + 1;
    it.0.put(path, text.replace(place, "if (times.size > 0)"));
    let installed = it.tool("npm", &["install", "--no-audit", "--no-fund"]);
    assert_eq!(installed.code, Some(0), "{installed}");
    let tested = it.tool("npm", &["test"]);
    assert_ne!(tested.code, Some(0), "{tested}");
    let place = format!("src/index.ts:{line}:");
    assert!(tested.stdout().contains(&place), "{tested}");
}

/// Results of a task that says that it gives a `Nested`, and what is said of each.
const MISFITS: [(&str, &str); 12] = [
    ("null", "null where an object was declared"),
    ("undefined", "undefined where an object was declared"),
    ("5", "5 where an object was declared"),
    (
        "{ ...FINE, points: 'none' }",
        "\"none\" where an array was declared, at points",
    ),
    (
        "{ ...FINE, points: [POINT, { ...POINT, x: 1n }] }",
        "1n where a number was declared, at points[1].x",
    ),
    (
        "{ ...FINE, points: [POINT, null] }",
        "null where an object was declared, at points[1]",
    ),
    (
        "{ ...FINE, points: [{ ...POINT, name: 1 }] }",
        "1 where a string was declared, at points[0].name",
    ),
    (
        "{ ...FINE, pair: [300, 'red'] }",
        "300 where an u8 was declared, at pair[0]",
    ),
    (
        "{ ...FINE, pair: [1, 'blue'] }",
        "\"blue\" where one of red, green was declared, at pair[1]",
    ),
    (
        "{ ...FINE, bytes: [1] }",
        "an array of 1 where an Uint8Array was declared, at bytes",
    ),
    (
        "{ ...FINE, maybe: { tag: 'square' } }",
        "\"square\" where one of circle, point was declared, at maybe.tag",
    ),
    (
        "{ ...FINE, maybe: { tag: 'circle', val: true } }",
        "true where a number was declared, at maybe.val",
    ),
];

#[test]
fn a_result_that_does_not_fit_is_told_by_its_place() {
    if !has(&["node", "npm"]) {
        return;
    }
    let it = Projects::with("ts");
    fs::remove_file(it.0.path("words/test/index.test.ts")).unwrap();
    let program = "import type { s8, u32, u8 } from '@homestar/sdk';
export interface Point { x: number; y: number; name: string }
export type Color = 'red' | 'green';
export type Shape = { tag: 'circle'; val: number } | { tag: 'point' };
export interface Nested { points: Point[]; pair: [u8, Color]; maybe?: Shape; bytes: Uint8Array; least: s8; is: boolean }

const POINT: any = { x: NaN, y: -0.5, name: '' };
const FINE: any = { points: [POINT], pair: [255, 'green'], bytes: new Uint8Array(1), least: -128, is: false };

export function deep(which: u32): Nested {
  return [FINE, { ...FINE, maybe: { tag: 'circle', val: Infinity } }, MISFITS][which];
}
";
    let misfits: Vec<_> = MISFITS.iter().map(|(value, _)| *value).collect();
    it.0.put(
        "words/src/index.ts",
        program.replace("MISFITS", &misfits.join(", ")),
    );
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    let fine = it.run(&["run", "words/words.wasm", "deep(1)"]);
    let shown = "{points: [{x: nan, y: -0.5, name: \"\"}], pair: (255, green), maybe: some(circle(inf)), bytes: [0], least: -128, is: false}\n";
    assert_eq!(fine.stdout(), shown, "{fine}");
    for (at, (value, words)) in MISFITS.iter().enumerate() {
        let call = format!("deep({})", at + 2);
        let said = it.run(&["run", "words/words.wasm", &call]);
        assert_eq!(said.code, Some(3), "{value}: {said}");
        let told = format!("TypeError: deep returned {words}\n    at deep (src/index.ts:10)\n");
        assert!(said.stderr.contains(&told), "{value}: {told}{said}");
    }
}
