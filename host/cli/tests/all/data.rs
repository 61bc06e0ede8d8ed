//! Files and folders by content: in and out of the store, to guests, and to others.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};

use crate::environment::Environment;
use crate::web::{Web, serve_once};

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
fn a_store_is_made_where_one_is() {
    let it = Environment::new();
    it.put("hello", "hello");
    let said = it.run(&["add", "-q", "hello", "--store", "here"]);
    assert_eq!(
        (said.code, said.stdout().trim_end()),
        (Some(0), HELLO),
        "{said}"
    );
    let said = it.run(&["cat", HELLO, "--store", "here"]);
    assert_eq!(said.stdout(), "hello", "{said}");
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
    let wanted = "line 1999\nline 11999\nline 19990\nline 19991\nline 19992\nline 19993\nline 19994\nline 19995\n\
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
    let same = "the same: outcome, fuel and memory peak\n";
    assert_eq!(said.stdout(), same, "{said}");
    // The file is enough for anybody.
    let other = Environment::new();
    other.put("it.car", it.read("it.car"));
    let said = other.run(&["replay", "it.car", "--offline"]);
    assert_eq!(said.stdout(), same, "{said}");
    // What came of it is content that isn't in the file. What is stays in a store all the same.
    // The replay may have left it in its store.
    let other = Environment::new();
    other.put("it.car", it.read("it.car"));
    let said = other.run(&["car", "import", "it.car"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        said.stderr.contains("it.car doesn't hold all that "),
        "{said}"
    );
    let root = said.stdout().trim();
    assert!(other.run(&["gc"]).code == Some(0) && other.run(&["stat", root]).code == Some(0));
}

/// A gateway that serves until this is dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
}

impl Serving {
    pub(crate) fn new(it: &Environment) -> Self {
        let mut command = it.command(&["serve", "gateway", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
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
    assert!(
        said.code == Some(0) && said.stdout() == text(50_000),
        "{}",
        said.stderr
    );
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
    for url in [
        "http://example.com/x",
        "https://",
        "https://a@example.com/x",
        "ftp://x",
    ] {
        let said = it.run(&["cat", url]);
        assert_eq!(said.code, Some(2), "{said}");
    }
    let said = it.run(&["cat", HELLO, "--json"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stdout().starts_with(r#"{"error":{"kind":"input""#),
        "{said}"
    );
    let said = it.run(&["cat", HELLO, "--gateway", "ftp://x"]);
    assert_eq!(said.code, Some(2), "{said}");
}

#[test]
fn what_is_in_a_folder_is_told() {
    let it = Environment::new();
    it.put("folder/b/c", "c");
    it.put("folder/a", "hello");
    it.put("other", "hello");
    let said = it.run(&["add", "-r", "folder", "other"]);
    let paths = |said: &str| -> Vec<String> {
        let lines = said.lines();
        lines
            .map(|line| line.split("  ").nth(1).unwrap().to_owned())
            .collect()
    };
    // What was named comes last, when it is safe.
    assert_eq!(
        paths(said.stdout()),
        ["folder/a", "folder/b/c", "folder/b", "folder", "other"],
        "{said}"
    );
    let roots: Vec<_> = said.stdout().lines().skip(3).map(str::to_owned).collect();
    let quiet = it.run(&["add", "-rq", "folder", "other"]);
    let quiet: Vec<_> = quiet.stdout().lines().map(str::to_owned).collect();
    assert!(
        quiet
            .iter()
            .zip(&roots)
            .all(|(cid, line)| line.starts_with(cid.as_str()))
    );
    assert_eq!(quiet.len(), roots.len());
    let json = it.run(&["add", "-r", "folder", "--json"]);
    let entries: Vec<serde_json::Value> = json
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries.len(), 4);
    assert_eq!(entries[0]["ok"]["cid"], HELLO);
    assert_eq!(entries[0]["ok"]["path"], "folder/a");
    assert_eq!(entries[0]["ok"]["bytes"], 5);
}

#[test]
fn files_are_wrapped_into_a_folder() {
    let it = Environment::new();
    it.put("x/a", "hello");
    it.put("b", "b");
    let wrapped = add(&it, &["--wrap", "x/a", "b"]);
    assert_eq!(it.run(&["cat", &format!("{wrapped}/a")]).stdout(), "hello");
    assert_eq!(it.run(&["cat", &format!("{wrapped}/b")]).stdout(), "b");
    assert_eq!(it.run(&["pin", "list"]).stdout(), format!("{wrapped}\n"));
    it.put("folder/a", "hello");
    it.put("folder/b", "b");
    assert_eq!(add(&it, &["-r", "folder"]), wrapped);
    it.put("y/a", "other");
    let said = it.run(&["add", "--wrap", "x/a", "y/a"]);
    assert_eq!(said.code, Some(4), "{said}");
    let said = it.run_with(&["add", "--wrap", "-"], b"x");
    assert_eq!(said.code, Some(2), "{said}");
}

#[test]
fn a_gateway_ends_in_order() {
    let it = Environment::new();
    it.put("large", vec![7; 40 << 20]);
    let large = add(&it, &["large"]);
    let mut serving = Serving::new(&it);
    let pid = rustix::process::Pid::from_child(&serving.child);
    // A client that has taken the beginning and nothing else yet.
    let address = serving.url.trim_start_matches("http://").to_owned();
    let mut client = std::net::TcpStream::connect(&address).unwrap();
    let request = format!(
        "GET /ipfs/{large}?format=car HTTP/1.1\r\nhost: x\r\naccept: application/vnd.ipld.car; dups=y\r\n\r\n"
    );
    client.write_all(request.as_bytes()).unwrap();
    let mut begin = [0; 1024];
    client.read_exact(&mut begin).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(serving.child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert_eq!(
        said,
        "note: no more connections are taken; what is being sent ends within ten seconds\n"
    );
    // It gets the rest, and then there is nobody any more.
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 40 << 20, "{}", rest.len());
    assert!(serving.child.wait().unwrap().success());
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn a_gateway_that_is_asked_twice_ends_at_once() {
    let it = Environment::new();
    it.put("large", vec![7; 40 << 20]);
    let large = add(&it, &["large"]);
    let mut serving = Serving::new(&it);
    let pid = rustix::process::Pid::from_child(&serving.child);
    let address = serving.url.trim_start_matches("http://").to_owned();
    let mut client = std::net::TcpStream::connect(&address).unwrap();
    let request = format!(
        "GET /ipfs/{large}?format=car HTTP/1.1\r\nhost: x\r\naccept: application/vnd.ipld.car; dups=y\r\n\r\n"
    );
    client.write_all(request.as_bytes()).unwrap();
    let mut begin = [0; 1024];
    client.read_exact(&mut begin).unwrap();
    let signal = rustix::process::Signal::INT;
    rustix::process::kill_process(pid, signal).unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(serving.child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
    assert_eq!(serving.child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_url_names_a_place() {
    let it = Environment::with(&["add", "lines", "text"]).with_key();
    let web = Web::new(&it);
    it.put("log", text(20_000));
    it.put("hello", "hello");
    let at = |path: &str| web.url(path);
    let said = it.run(&["run", &at("add.wasm"), "add(1, 2)"]);
    assert_eq!(said.stdout(), "3\n", "{said}");
    // What it was can be named from now on, and nobody is asked for it.
    let component = add(&it, &["add.wasm"]);
    assert_eq!(
        said.stderr,
        format!("note: {} is {component}\n", at("add.wasm"))
    );
    let said = it.run(&["run", &component, "add(1, 2)", "--offline"]);
    assert_eq!(said.stdout(), "3\n", "{said}");
    let said = it.run(&["inspect", &at("add.wasm")]);
    assert!(said.stdout().contains(&component), "{said}");
    let by_path = it.run(&["run", "lines.wasm", "filter(@log, \"1999\")"]);
    let call = format!("filter(@{}, \"1999\")", at("log"));
    let by_url = it.run(&["run", "lines.wasm", &call]);
    assert_eq!(by_url.stdout(), by_path.stdout(), "{by_url}");
    let call = format!("word-count(@{})", at("hello"));
    assert_eq!(it.run(&["run", "text.wasm", &call]).code, Some(0));
    assert_eq!(add(&it, &[&at("hello")]), HELLO);
    let said = it.run(&["add", &at("hello")]);
    assert_eq!(said.stdout(), format!("{HELLO}  {}\n", at("hello")));
    assert_eq!(it.run(&["cat", &at("log")]).stdout(), text(20_000));
    assert_eq!(it.run(&["get", &at("hello")]).code, Some(4));
    assert_eq!(it.run(&["get", &at("hello"), "-o", "copy"]).code, Some(0));
    assert_eq!(it.read("copy"), b"hello");
    assert!(
        it.run(&["stat", &at("hello"), "--json"])
            .stdout()
            .contains(HELLO)
    );
    assert_eq!(it.run(&["pin", "add", &at("log")]).code, Some(0));
}

#[test]
fn a_url_that_gives_nothing_is_named() {
    let it = Environment::with(&["add"]);
    let web = Web::new(&it);
    let missing = web.url("missing");
    for command in [
        &["cat", &missing][..],
        &["add", &missing],
        &["run", &missing, "f()"],
    ] {
        let said = it.run(command);
        assert_eq!(said.code, Some(4), "{said}");
        let because = format!("because: {missing} answered with status 404");
        assert!(said.stderr.contains(&because), "{said}");
    }
    let said = it.run(&["run", &web.url("add.wasm"), "add(1, 2)", "--offline"]);
    assert_eq!(said.code, Some(4), "{said}");
    let words = format!(
        "can't ask for {}: nobody is asked offline",
        web.url("add.wasm")
    );
    assert!(said.stderr.contains(&words), "{said}");
    let said = it.run(&["run", &web.url("add.wasm"), "--watch"]);
    assert_eq!(said.code, Some(2), "{said}");
    // A file that breaks off is none.
    let cut = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
    let said = it.run(&["add", &cut]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("broke off after 5 bytes"), "{said}");
    let huge = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n");
    let said = it.run(&["add", &huge]);
    assert!(
        said.stderr
            .contains("hint: more comes through standard input"),
        "{said}"
    );
    assert_eq!(it.run(&["pin", "list"]).stdout(), "");
}

#[test]
fn a_workflow_names_places() {
    let it = Environment::with(&["lines"]).with_key();
    let web = Web::new(&it);
    it.put("log", text(20_000));
    let [component, log] = [web.url("lines.wasm"), web.url("log")];
    let workflow = format!(
        "defaults: {{component: '{component}'}}\n\
         tasks:\n\
         \x20 nines: {{call: filter, args: [{{'@': '{log}'}}, '999']}}\n\
         \x20 ones: {{call: filter, args: [{{'@': '{log}'}}, '1999']}}\n"
    );
    it.put("workflow.yaml", workflow);
    let said = it.run(&["run", "workflow.yaml", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    // Each was asked for once.
    for url in [&component, &log] {
        assert_eq!(
            said.stderr.matches(&format!("note: {url} is ")).count(),
            1,
            "{said}"
        );
    }
    let by_path = it.run(&["run", "lines.wasm", "filter(@log, \"1999\")"]);
    assert!(
        said.stdout().contains(by_path.stdout().trim_end()),
        "{said}"
    );
    let said = it.run(&["check", "workflow.yaml", "--offline"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("nobody is asked offline"), "{said}");
}
