//! Files and folders by content: in and out of the store, to guests, and to others.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::environment::Environment;

/// What `ipfs add --cid-version 1` says of a file with the bytes `hello`.
const HELLO: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";

fn text(lines: usize) -> String {
    (0..lines).map(|line| format!("line {line}\n")).collect()
}

/// Adds a file and returns its CID.
fn add(it: &Environment, arguments: &[&str]) -> String {
    let said = it.run(&[&["add", "-q"], arguments].concat());
    assert_eq!(said.code, Some(0), "{said}");
    said.stdout().trim_end().to_owned()
}

#[test]
fn a_file_goes_in_and_comes_out() {
    let it = Environment::new();
    it.put("hello", "hello");
    it.put("large", text(100_000));
    let said = it.run(&["add", "hello", "large"]);
    assert_eq!(said.code, Some(0), "{said}");
    let lines: Vec<_> = said.stdout().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], format!("{HELLO}  hello"));
    let large = lines[1].split(' ').next().unwrap();
    assert_eq!(it.run(&["cat", large]).stdout(), text(100_000));
    let part = it.run(&["cat", large, "--offset", "5", "--length", "9"]);
    assert_eq!(part.stdout(), "0\nline 1\n");
    let said = it.run(&["get", large, "-o", "copy"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(it.read("copy"), text(100_000).as_bytes());
    let said = it.run(&["get", large, "-o", "copy"]);
    assert_eq!(said.code, Some(4), "{said}");
    let said = it.run(&["stat", HELLO, "--json"]);
    assert!(said.stdout().contains(r#""bytes":5"#), "{said}");
}

#[test]
fn a_folder_goes_in_and_comes_out() {
    let it = Environment::new();
    it.put("folder/b/c", "c");
    it.put("folder/a", "hello");
    it.put("folder/.hidden", "x");
    std::os::unix::fs::symlink("b/c", it.path("folder/link")).unwrap();
    let said = it.run(&["add", "folder"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("hint: `-r` takes folders"), "{said}");
    let folder = add(&it, &["-r", "folder"]);
    let names = it.run(&["ls", &folder]);
    let names: Vec<_> = names
        .stdout()
        .lines()
        .map(|line| line.split("  ").nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a", "b", "link"]);
    assert_eq!(it.run(&["cat", &format!("{folder}/b/c")]).stdout(), "c");
    let said = it.run(&["get", &folder, "-o", "out"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(it.read("out/a"), b"hello");
    assert_eq!(
        fs::read_link(it.path("out/link")).unwrap().to_str(),
        Some("b/c")
    );
    let said = it.run(&["cat", &format!("{folder}/nothing")]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("nothing"), "{said}");
}

#[test]
fn what_is_pinned_stays_and_the_rest_goes() {
    let it = Environment::new();
    it.put("kept", "kept");
    it.put("loose", "loose");
    let kept = add(&it, &["kept"]);
    let loose = add(&it, &["--no-pin", "loose"]);
    assert_eq!(it.run(&["pin", "list"]).stdout(), format!("{kept}\n"));
    let said = it.run(&["gc", "--json"]);
    assert!(said.stdout().contains(r#""blocks":1"#), "{said}");
    assert_eq!(it.run(&["cat", &kept]).stdout(), "kept");
    let said = it.run(&["cat", &loose]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("hint: `--gateway URL`"), "{said}");
    assert_eq!(it.run(&["pin", "remove", &kept]).code, Some(0));
    assert_eq!(it.run(&["pin", "remove", &kept]).code, Some(4));
    it.run(&["gc"]);
    assert_eq!(it.run(&["cat", &kept]).code, Some(4));
}

#[test]
fn a_car_file_passes_content_on() {
    let it = Environment::new();
    it.put("folder/a", text(50_000));
    let folder = add(&it, &["-r", "folder"]);
    let said = it.run(&["car", "export", &folder, "-o", "it.car"]);
    assert_eq!(said.code, Some(0), "{said}");
    let other = Environment::new();
    other.put("it.car", it.read("it.car"));
    let said = other.run(&["car", "import", "it.car"]);
    assert_eq!(said.stdout(), format!("{folder}\n"), "{said}");
    assert_eq!(
        other.run(&["cat", &format!("{folder}/a")]).stdout(),
        text(50_000)
    );
    let cut = it.read("it.car");
    other.put("cut.car", &cut[..cut.len() - 1]);
    assert_eq!(other.run(&["car", "import", "cut.car"]).code, Some(4));
}

#[test]
fn a_guest_gets_content_and_gives_some() {
    let it = Environment::with(&["lines", "add"]).with_key();
    it.put("log", text(20_000));
    let log = add(&it, &["log"]);
    let wanted = "line 1999\nline 19990\nline 19991\nline 19992\nline 19993\nline 19994\nline 19995\n\
                  line 19996\nline 19997\nline 19998\nline 19999\n";
    let by_cid = it.run(&["run", "lines.wasm", &format!("filter(@{log}, \"1999\")")]);
    assert_eq!(by_cid.code, Some(0), "{by_cid}");
    let by_path = it.run(&["run", "lines.wasm", "filter(@log, \"1999\")"]);
    assert_eq!(by_path.stdout(), by_cid.stdout());
    let found = by_cid.stdout().trim_end().to_owned();
    assert_eq!(it.run(&["cat", &found]).stdout(), wanted);
    // A receipt in the store keeps it.
    it.run(&["gc"]);
    assert_eq!(it.run(&["cat", &found]).stdout(), wanted);
    let said = it.run(&["run", "lines.wasm", "filter(@log, \"1999\")", "-o", "found"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(it.read("found"), wanted.as_bytes());
    let component = add(&it, &["add.wasm"]);
    let said = it.run(&["run", &format!("ipfs://{component}"), "add(1, 2)"]);
    assert_eq!(said.stdout(), "3\n", "{said}");
    let missing = it.run(&["run", "lines.wasm", &format!("filter(@{HELLO}, \"x\")")]);
    assert_eq!(missing.code, Some(4), "{missing}");
    assert!(missing.stderr.contains(HELLO), "{missing}");
}

#[test]
fn a_task_with_content_is_replayed() {
    let it = Environment::with(&["lines"]).with_key();
    it.put("log", text(1_000));
    let said = it.run(&[
        "run",
        "lines.wasm",
        "filter(@log, \"99\")",
        "--receipt",
        "it.car",
    ]);
    assert_eq!(said.code, Some(0), "{said}");
    let said = it.run(&["replay", "it.car"]);
    assert_eq!(
        said.stdout(),
        "the same: outcome, fuel and memory peak\n",
        "{said}"
    );
}

/// A gateway that serves until this is dropped.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn new(it: &Environment) -> Self {
        let mut command = it.command(&["serve", "gateway", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.split(' ').next().unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_one_has_another_gets() {
    let one = Environment::with(&["add"]);
    one.put("folder/a", text(50_000));
    let folder = add(&one, &["-r", "folder"]);
    let component = add(&one, &["add.wasm"]);
    let serving = Serving::new(&one);
    let other = Environment::new();
    let from = ["--gateway", &serving.url];
    let said = other.run(&[&["cat", &format!("{folder}/a")], &from[..]].concat());
    assert_eq!(said.stdout(), text(50_000));
    let said = other.run(&[&["run", &component, "add(1, 2)"], &from[..]].concat());
    assert_eq!(said.stdout(), "3\n", "{said}");
    let said = other.run(&[&["cat", HELLO], &from[..]].concat());
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("answered with status 404"), "{said}");
    // What was fetched is here now.
    drop(serving);
    assert_eq!(
        other
            .run(&["cat", &format!("{folder}/a"), "--offline"])
            .stdout(),
        text(50_000)
    );
}

#[test]
fn a_damaged_block_is_named_and_mended() {
    let it = Environment::new();
    it.put("large", text(20_000));
    let large = add(&it, &["large"]);
    let segments = it.path(".local/share/homestar/store/segments");
    let segment = fs::read_dir(segments)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let said = it.run(&["store", "verify"]);
    assert_eq!(said.code, Some(5), "{said}");
    assert!(said.stdout().contains("is damaged"), "{said}");
    assert_eq!(it.run(&["cat", &large]).code, Some(4));
    assert_eq!(add(&it, &["large"]), large);
    assert_eq!(it.run(&["store", "verify"]).code, Some(0));
    assert_eq!(it.run(&["cat", &large]).stdout(), text(20_000));
}

#[test]
fn what_is_no_content_is_refused() {
    let it = Environment::new();
    let said = it.run(&["cat", "nothing"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("`nothing` is no CID"), "{said}");
    let said = it.run(&["cat", "https://example.com/x"]);
    assert_eq!(said.code, Some(2), "{said}");
    let said = it.run(&["cat", HELLO, "--json"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stdout().starts_with(r#"{"error":{"kind":"input""#),
        "{said}"
    );
    let said = it.run(&["cat", HELLO, "--gateway", "ftp://x"]);
    assert_eq!(said.code, Some(2), "{said}");
}
