//! The effects of `examples/effects`: their commands say what their pages show, and they do what they promise.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use homestar_guests::{example_forecast, example_greetings, or_skip};

use crate::environment::{Environment, Said};

const FORECAST: &str = r#"{"temperature": 8.5, "chance_of_rain": 0.75}"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// With the components of `examples/effects` in Rust, a key, and the guest `fetch`.
fn environment() -> Environment {
    let it = Environment::with(&["fetch"]).with_key();
    for (name, path) in homestar_guests::EXAMPLES {
        it.put(&format!("{name}.wasm"), fs::read(path).unwrap());
    }
    it
}

/// A server on this machine, for as long as the tests run.
pub(crate) struct Server {
    /// Such as `http://127.0.0.1:8099`.
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Answers with the status and body that `answer` gives to the number and the first line of each request.
    pub(crate) fn new(
        answer: impl Fn(usize, &str) -> (u16, &'static str) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let head = read_head(&mut stream);
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = answer(number, head.lines().next().unwrap_or_default());
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                // The other side may have gone.
                drop(stream.write_all((head + body).as_bytes()));
            }
        });
        Self { url, requests }
    }

    /// As the folder `site` of `weather`, served as files.
    fn site() -> Self {
        Self::new(|_, line| match line {
            "GET /forecast/Bergen.json HTTP/1.1" => (200, FORECAST),
            _ => (404, ""),
        })
    }

    /// As `flaky.py` of `retry`.
    fn flaky() -> Self {
        Self::new(|number, _| match number % 3 {
            2 => (200, FORECAST),
            _ => (503, ""),
        })
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn today(&self) -> String {
        format!("today(\"{}\", \"Bergen\")", self.url)
    }

    fn advice(&self) -> String {
        format!("advice(\"{}\", \"Bergen\")", self.url)
    }

    /// A grant of it, to the task or, with `who` such as `weather:`, to an effect.
    fn grant(&self, who: &str) -> String {
        format!("{who}https={}", self.url)
    }
}

/// Reads a request without a body.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn adds(it: &Environment, effects: &[&str]) {
    for effect in effects {
        let said = it.run(&["effect", "add", &format!("{effect}.wasm")]);
        assert_eq!(said.code, Some(0), "{said}");
    }
}

/// The commands in the console blocks of a page, each with what it is shown to say.
fn shown(page: &Path) -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(page).unwrap();
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        let Some(block) = block.strip_prefix("console\n") else {
            continue;
        };
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push((command.to_owned(), Vec::new())),
                None => commands.last_mut().unwrap().1.push(line.to_owned()),
            }
        }
    }
    assert!(!commands.is_empty(), "{}", page.display());
    commands
}

/// Whether a line is as shown, where `…` stands for anything.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

/// Runs the `homestar` commands of `page` and compares what they say. Without Python, those that need it are left out.
fn run(page: &str) {
    let it = environment();
    let forecast = or_skip(example_forecast());
    let greetings = or_skip(example_greetings());
    for (name, file) in [("forecast-py", &forecast), ("greetings", &greetings)] {
        if let Some(file) = file {
            it.put(&format!("{name}.wasm"), fs::read(file).unwrap());
        }
    }
    let (site, flaky) = (Server::site(), Server::flaky());
    let ports = [
        ("http://127.0.0.1:8099", &site),
        ("http://127.0.0.1:8098", &flaky),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_homestar"));
    let path = [
        program.parent().unwrap().as_os_str(),
        "/usr/bin:/bin".as_ref(),
    ];
    for (command, lines) in shown(&root().join(page)) {
        let needs_python = ["greet", "welcome(", "forecast-py"];
        let left_out =
            greetings.is_none() && needs_python.iter().any(|word| command.contains(word));
        if !command.starts_with("homestar ") || left_out {
            continue;
        }
        let here = ports
            .iter()
            .fold(command.clone(), |command, (port, server)| {
                command.replace(port, &server.url)
            });
        let mut shell = it.in_environment("sh", &["-c", &here]);
        let said = it.said(shell.env("PATH", path.join(":".as_ref())));
        let text = format!("{}{}", said.stdout(), said.stderr);
        let text = ports
            .iter()
            .fold(text, |text, (port, server)| text.replace(&server.url, port));
        let fails = lines.iter().any(|line| line.starts_with("error: "));
        assert_eq!(said.code != Some(0), fails, "{page}: {command}\n{said}");
        let same = text.lines().count() == lines.len()
            && text
                .lines()
                .zip(&lines)
                .all(|(line, shown)| is_as_shown(line, shown));
        assert!(
            same,
            "{page} shows\n$ {command}\n{}\nand it says\n{text}",
            lines.join("\n")
        );
    }
}

#[test]
fn the_pages_show_what_is_said() {
    for name in ["weather", "retry", "forecast", "greetings", "welcome"] {
        run(&format!("examples/effects/{name}/README.md"));
    }
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for shown in ["a b c", "…", "a … c", "a…", "…c", "a…b…c"] {
        assert!(is_as_shown("a b c", shown), "{shown}");
    }
    for shown in ["", "a", "…b", "b…", "a …d", "a…c…b"] {
        assert!(!is_as_shown("a b c", shown), "{shown}");
    }
}

#[test]
fn what_fails_for_a_moment_is_asked_again() {
    let it = environment();
    let server = Server::flaky();
    let fetch = format!("fetch(\"{}/\")", server.url);
    let grant = server.grant("");
    let arguments = ["run", "fetch.wasm", &fetch, "--allow", &grant];
    assert_eq!(it.run(&arguments).stdout(), "\"503 \"\n");
    assert_eq!(it.run(&arguments).stdout(), "\"503 \"\n");
    assert!(it.run(&arguments).stdout().starts_with("\"200 "));
    assert_eq!(server.requests(), 3);

    adds(&it, &["retry"]);
    let said = it.run(&[&arguments[..], &["--receipt", "r.car"]].concat());
    assert!(said.stdout().starts_with("\"200 "), "{said}");
    assert_eq!(server.requests(), 6);
    let shown = it.run(&["receipt", "show", "r.car", "--json"]).json();
    let calls = shown["calls"].as_array().unwrap();
    let sent = calls
        .iter()
        .filter(|call| call["name"] == "homestar:driver/http.send");
    assert_eq!(sent.count(), 3, "{shown}");

    // All three attempts are played back, and nobody is asked.
    let said = it.run(&["replay", "r.car"]);
    assert_eq!((said.code, server.requests()), (Some(0), 6), "{said}");
}

#[test]
fn attempts_are_bounded_and_only_of_what_may_be_repeated() {
    let it = environment();
    let server = Server::new(|_, _| (502, ""));
    let grant = server.grant("");
    for (method, attempts) in [("GET", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1)] {
        let before = server.requests();
        let url = &server.url;
        let send = format!("send({{method: \"{method}\", url: \"{url}\", headers: [], body: []}})");
        let said = it.run(&["run", "retry.wasm", &send, "--allow", &grant]);
        assert!(said.stdout().contains("status: 502"), "{said}");
        assert_eq!(server.requests() - before, attempts, "{method}");
    }
    // A task's calls are counted whoever makes them.
    let before = server.requests();
    let get = format!("get(\"{}\")", server.url);
    let said = it.run(&["run", "retry.wasm", &get, "--allow", &grant, "--calls", "1"]);
    assert_eq!(
        (said.code, server.requests() - before),
        (Some(1), 1),
        "{said}"
    );
}

#[test]
fn an_effect_reaches_what_its_guest_does_not() {
    let it = environment();
    adds(&it, &["weather"]);
    let server = Server::site();
    let own = server.grant("weather:");
    let said = it.run(&["run", "forecast.wasm", &server.advice(), "--allow", &own]);
    assert_eq!(said.stdout(), "\"take an umbrella\"\n", "{said}");

    // The grant is the effect's. A guest that asks for HTTPS itself gets nothing by it.
    let before = server.requests();
    let fetch = format!("fetch(\"{}/forecast/Bergen.json\")", server.url);
    let said = it.run(&["run", "fetch.wasm", &fetch, "--allow", &own]);
    assert!(is_not_granted(&said), "{said}");

    // An effect with a grant of its own doesn't act within that of the guest.
    let elsewhere = "weather:https=weather.example";
    let grant = server.grant("");
    let arguments = ["run", "forecast.wasm", &server.advice()];
    let said = it.run(&[&arguments[..], &["--allow", &grant, "--allow", elsewhere]].concat());
    assert!(is_not_granted(&said), "{said}");
    assert_eq!(server.requests(), before);
    let said = it.run(&[&arguments[..], &["--allow", &grant]].concat());
    assert_eq!(said.code, Some(0), "{said}");
}

fn is_not_granted(said: &Said) -> bool {
    said.code == Some(1) && said.stderr.contains("is not granted")
}

#[test]
fn the_guest_has_no_https_of_its_own() {
    let it = environment();
    adds(&it, &["weather"]);
    let inspected = it.run(&["inspect", "forecast.wasm", "--json"]).json();
    let text = inspected.to_string();
    assert!(text.contains("acme:weather/forecast@0.1.0"), "{text}");
    assert!(
        !it.run(&["inspect", "forecast.wasm", "--wit"])
            .stdout()
            .contains("https")
    );

    // Without the effect there is nobody to ask, whatever is granted.
    let it = environment();
    let server = Server::site();
    let grant = server.grant("");
    let said = it.run(&["run", "forecast.wasm", &server.advice(), "--allow", &grant]);
    assert_eq!((said.code, server.requests()), (Some(4), 0), "{said}");
}

#[test]
fn a_server_that_is_wrong_or_gone_gives_typed_errors() {
    let it = environment();
    let run = |server: &Server| {
        let grant = server.grant("");
        it.run(&[
            "run",
            "weather.wasm",
            &server.today(),
            "--allow",
            &grant,
            "--json",
        ])
        .json()["error"]["value"]
            .clone()
    };
    let unknown = run(&Server::new(|_, _| (404, "")));
    assert!(unknown.get("unknown-place").is_some(), "{unknown}");
    let malformed = run(&Server::new(|_, _| (200, "sunny")));
    assert!(malformed["malformed"].is_string(), "{malformed}");
    let unavailable = run(&Server::new(|_, _| (500, "")));
    assert_eq!(unavailable["unavailable"], "status 500");

    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        Server { url, requests }
    };
    let gone = run(&gone);
    assert!(gone["unavailable"].is_string(), "{gone}");
}

/// A file of `examples/effects`, without its unit tests, as it is in the folder that the guide makes.
fn as_in_the_guide(file: &str) -> String {
    let text = fs::read_to_string(root().join("examples/effects").join(file)).unwrap();
    let code = text
        .split("\n#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    code.replace("\"../../../wit\"", "\"../wit\"")
        .trim_end()
        .to_owned()
}

#[test]
fn the_guide_shows_the_files_of_the_examples() {
    let guide = fs::read_to_string(root().join("docs/write-an-effect.md")).unwrap();
    for file in [
        "forecast/app.py",
        "forecast/src/lib.rs",
        "forecast/wit/forecast.wit",
        "greetings/app.py",
        "greetings/wit/greetings.wit",
        "retry/flaky.py",
        "retry/src/lib.rs",
        "weather/src/lib.rs",
        "weather/wit/weather.wit",
    ] {
        let shown = guide.contains(&format!("\n{}\n```\n", as_in_the_guide(file)));
        assert!(shown, "{file} is not as the guide shows it");
    }
}

#[test]
fn the_guide_shows_what_is_said() {
    run("docs/write-an-effect.md");
}
