//! Projects whose tasks wait, and those over streams.

use crate::projects::{Projects, has};

#[test]
fn a_project_over_streams_works() {
    for (language, tools, tests) in [
        ("rust", &["cargo"][..], &["cargo", "test"][..]),
        ("js", &["node", "npm"], &["npm", "test"]),
        ("ts", &["node", "npm"], &["npm", "test"]),
        (
            "python",
            &["python3"],
            &[".venv/bin/python", "-m", "unittest"],
        ),
    ] {
        if has(tools) {
            is_over_streams(language, tests);
        }
    }
}

/// Tasks whose streams fail after they were returned, and the place where they do.
const HALFWAY: [(&str, &str, &str, &str); 3] = [
    (
        "js",
        "src/index.js",
        "
/**
 * @param {AsyncIterable<Uint8Array>} text
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* broken(text) {
  for await (const piece of text) {
    yield piece;
    throw new Error('halfway', { cause: new RangeError('because') });
  }
}

/**
 * @param {u32} number
 * @returns {Promise<string>}
 */
export async function wrong(number) {
  return number;
}
",
        "Error: halfway\n    at broken (src/index.js:50)\n  caused by RangeError: because\n",
    ),
    (
        "ts",
        "src/index.ts",
        "
export async function* broken(text: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of text) {
    yield piece;
    throw new Error('halfway');
  }
}

export async function wrong(number: u32): Promise<string> {
  return number as any;
}
",
        "Error: halfway\n    at broken (src/index.ts:36)\nerror: the guest trapped",
    ),
    (
        "python",
        "app.py",
        "

@task
async def broken(text: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in text:
        yield piece
        raise ValueError('halfway')


@task
async def wrong(number: u64) -> str:
    return number
",
        "  File \"app.py\", line 37, in broken\nValueError: halfway\nerror: the guest trapped",
    ),
];

fn is_over_streams(language: &str, tests: &[&str]) {
    let it = Projects::new();
    let new = ["new", "words", "--lang", language, "--template", "stream"];
    let said = it.run(&new);
    assert_eq!(said.code, Some(0), "{said}");
    let halfway = HALFWAY.iter().find(|(of, ..)| *of == language);
    if let Some((_, file, more, _)) = halfway {
        let path = format!("words/{file}");
        let text = String::from_utf8(it.0.read(&path)).unwrap();
        it.0.put(&path, text + more);
    }
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    let tested = it.tool(tests[0], &tests[1..]);
    assert_eq!(tested.code, Some(0), "{tested}");
    let text = "an error\nfine\n".repeat(100_000) + "errors";
    it.0.put("big.log", text);
    let counted = it.run(&["run", "words/words.wasm", "count(@big.log, \"error\")"]);
    assert_eq!(counted.stdout(), "100001\n", "{counted}");
    let call = "filter(@big.log, \"error\")";
    let found = it.run(&["run", "words/words.wasm", call, "-o", "found.log"]);
    assert_eq!(found.code, Some(0), "{found}");
    let expected = "an error\n".repeat(100_000) + "errors";
    assert!(it.0.read("found.log") == expected.as_bytes());
    if let Some((.., words)) = halfway {
        let said = it.run(&["run", "words/words.wasm", "broken(@big.log)"]);
        assert_eq!(said.code, Some(3), "{said}");
        assert!(said.stderr.contains(words), "{said}");
        let said = it.run(&["run", "words/words.wasm", "wrong(5)"]);
        assert_eq!(said.code, Some(3), "{said}");
        let words = ["wrong returned 5 where a str", "was declared\n"];
        assert!(
            words.iter().all(|words| said.stderr.contains(words)),
            "{said}"
        );
        assert!(!said.stderr.contains("panicked"), "{said}");
    }
}

#[test]
fn a_task_in_rust_may_be_async() {
    if !has(&["cargo"]) {
        return;
    }
    let it = Projects::with("rust");
    let text = "
        #[homestar_sdk::tasks]
        mod waits {
            pub struct Sum { pub of: u32, pub name: String }
            async fn later(number: u32) -> u32 { number + 1 }
            pub async fn add(number: u32, name: &str) -> Result<Sum, String> {
                let of = later(number).await;
                match name {
                    \"\" => Err(\"no name\".into()),
                    name => Ok(Sum { of, name: name.to_owned() }),
                }
            }
            pub fn plain(number: u32) -> u32 { number + 1 }
        }
    ";
    it.0.put("words/src/lib.rs", text);
    let built = it.run(&["build", "words"]);
    assert_eq!(built.code, Some(0), "{built}");
    for (call, said) in [
        ("add(1, \"a\")", "{of: 2, name: \"a\"}\n"),
        ("plain(1)", "2\n"),
    ] {
        let answer = it.run(&["run", "words/words.wasm", call]);
        assert_eq!(answer.stdout(), said, "{answer}");
    }
    let failed = it.run(&["run", "words/words.wasm", "add(1, \"\")"]);
    let words = "error: the guest returned the error \"no name\"\n";
    assert!(failed.stderr.ends_with(words), "{failed}");
}
