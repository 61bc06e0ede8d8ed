//! Tasks of somebody else's: nothing runs without a valid invocation, and nothing is reached without leave.

use serde_json::Value;

use crate::environment::Environment;
use crate::web::Web;

/// Two machines: one whose operator lets somebody do something, and the one of that somebody.
struct Two {
    operator: Environment,
    asker: Environment,
    asker_did: String,
}

impl Two {
    fn new(operator: Environment, asker: Environment) -> Self {
        let operator = operator.with_key();
        let did = asker.run(&["key", "show", "--json"]).json();
        let asker_did = did["did"].as_str().unwrap().to_owned();
        Self {
            operator,
            asker,
            asker_did,
        }
    }

    fn with(guests: &[&str]) -> Self {
        Self::new(Environment::with(guests), Environment::with(guests))
    }

    fn with_dice() -> Self {
        let [operator, asker] = [(); 2].map(|()| Environment::new().with_dice());
        Self::new(operator, asker)
    }

    /// The operator lets the asker do things, each under a condition; all of it is in `mine.ucan`.
    fn lets(&self, leave: &[(&str, &str)]) {
        let mut packed = Vec::new();
        for (at, (command, condition)) in leave.iter().enumerate() {
            let file = format!("{at}.ucan");
            let run = [
                "ucan",
                "delegate",
                &self.asker_did,
                command,
                "--where",
                condition,
                "-o",
                &file,
            ];
            let said = self.operator.run(&run);
            assert_eq!(said.code, Some(0), "{said}");
            packed.push(file);
        }
        let pack = ["ucan", "container", "pack", "-o", "mine.ucan"];
        let files = packed.iter().map(String::as_str);
        let said = self
            .operator
            .run(&pack.into_iter().chain(files).collect::<Vec<_>>());
        assert_eq!(said.code, Some(0), "{said}");
        self.asker.put("mine.ucan", self.operator.read("mine.ucan"));
    }

    /// The asker signs a request to run something, and the operator has it as `request.ucan`.
    fn asks(&self, run: &[&str]) {
        let request = ["--invoke", "request.ucan", "--proof", "mine.ucan"];
        let said = self.asker.run(&[&["run"], run, &request].concat());
        assert_eq!(said.code, Some(0), "{said}");
        self.operator
            .put("request.ucan", self.asker.read("request.ucan"));
    }

    /// The operator carries the request out.
    fn runs(&self, component: &str, more: &[&str]) -> Said {
        let run = ["run", component, "--ucan", "request.ucan", "--json"];
        let said = self.operator.run(&[&run, more].concat());
        Said(said.json())
    }
}

/// What came of a request.
#[derive(Debug)]
struct Said(Value);

impl Said {
    fn ok(&self) -> &Value {
        assert!(self.0.get("ok").is_some(), "{self:?}");
        &self.0["ok"]
    }

    /// The kind of the error and its words.
    fn error(&self) -> (&str, &str) {
        let error = &self.0["error"];
        let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("{self:?}"));
        (text("kind"), text("message"))
    }
}

const TASKS: (&str, &str) = ("/wasm/run", "[]");

#[test]
fn a_task_runs_by_leave_and_its_receipt_says_by_whose() {
    let two = Two::with(&["add"]);
    two.lets(&[("/wasm/run", r#".func == "add" and .fuel <= 1000000"#)]);
    two.asks(&["add.wasm", "add(1, 2)", "--fuel", "1M"]);
    let said = two.runs("add.wasm", &["--receipt", "sum.car"]);
    assert_eq!(said.ok(), 3);
    let shown = two
        .operator
        .run(&["receipt", "show", "sum.car", "--json"])
        .json();
    let invocation = shown["meta"]["invocation"]["/"].as_str().unwrap();
    let inspected = two
        .operator
        .run(&["ucan", "inspect", "request.ucan", "--json"]);
    assert_eq!(inspected.json()["ok"]["invocations"][0]["cid"], invocation);
    let shown = two.operator.run(&["receipt", "show", "sum.car"]);
    assert!(shown.stdout().contains(&two.asker_did), "{shown}");
    let explained = two
        .operator
        .run(&["explain", shown_receipt(shown.stdout())]);
    assert!(explained.stdout().contains(invocation), "{explained}");
    // It replays without any leave: what was done is in the file.
    let replayed = two.operator.run(&["replay", "sum.car"]);
    assert_eq!(replayed.code, Some(0), "{replayed}");
}

fn shown_receipt(table: &str) -> &str {
    let mut lines = table.lines();
    let line = lines
        .find_map(|line| line.strip_prefix("receipt "))
        .unwrap();
    line.trim()
}

#[test]
fn what_the_invocation_does_not_say_is_not_run() {
    let two = Two::with(&["add", "text"]);
    two.lets(&[("/wasm/run", ".fuel <= 1000000")]);
    let denied = |said: Said, words: &str| {
        let (kind, message) = said.error();
        assert!(
            kind == "denied" && message.contains(words),
            "{words}: {said:?}"
        );
    };
    // The asker is told before anything is sent.
    let run = [
        "run",
        "add.wasm",
        "add(1, 2)",
        "--invoke",
        "-",
        "--proof",
        "mine.ucan",
    ];
    let said = two.asker.run(&run);
    assert!(
        said.stderr.contains("MatchError") && said.stderr.contains(".fuel <= 1000000"),
        "{said}"
    );

    two.asks(&["add.wasm", "add(1, 2)", "--fuel", "1M"]);
    denied(two.runs("text.wasm", &[]), "asks for the component");
    denied(
        two.runs("add.wasm", &["add(1, 3)"]),
        "something else than what was typed",
    );
    assert_eq!(two.runs("add.wasm", &["add(1, 2)"]).ok(), 3);
    denied(two.runs("add.wasm", &[]), "Replay");
    // Nobody else's machine does it, nor does anybody without the delegation.
    let other = Environment::with(&["add"]);
    other.put("request.ucan", two.asker.read("request.ucan"));
    let said = other.run(&["run", "add.wasm", "--ucan", "request.ucan"]);
    assert!(
        said.code == Some(4) && said.stderr.contains("InvalidAudience"),
        "{said}"
    );
    two.operator
        .put("request.ucan", two.operator.read("mine.ucan"));
    denied(
        two.runs("add.wasm", &[]),
        "holds no invocation of /wasm/run",
    );
    let said = other.run(&["run", "add.wasm", "add(1, 2)", "--invoke", "request.ucan"]);
    assert_eq!(said.code, Some(0), "{said}");
    two.operator.put("request.ucan", other.read("request.ucan"));
    denied(two.runs("add.wasm", &[]), "InvalidAudience");
}

#[test]
fn a_task_has_the_limits_it_asks_for_and_no_more_than_the_operator_allows() {
    let two = Two::with(&["add"]);
    two.lets(&[TASKS]);
    two.asks(&["add.wasm", "add(1, 2)", "--fuel", "5"]);
    assert_eq!(two.runs("add.wasm", &[]).error().0, "fuel");
    two.asks(&["add.wasm", "add(1, 2)", "--fuel", "1M"]);
    assert_eq!(two.runs("add.wasm", &["--fuel", "5"]).error().0, "fuel");
}

#[test]
fn both_grants_and_delegations_open_a_door() {
    let two = Two::with_dice();
    let roll = ["dice.wasm", "roll"];
    let guest_says = |said: Said| {
        let (kind, message) = said.error();
        assert_eq!(kind, "guest", "{said:?}");
        message.to_owned()
    };
    two.lets(&[TASKS, ("/random", ".length <= 8")]);
    two.asks(&roll);
    assert!(
        guest_says(two.runs("dice.wasm", &[]))
            .contains("is not granted; it takes `--allow random`")
    );
    two.asks(&roll);
    assert!(two.runs("dice.wasm", &["--allow", "random"]).ok().is_u64());

    two.lets(&[TASKS, ("/random", ".length < 8")]);
    two.asks(&roll);
    let said = guest_says(two.runs("dice.wasm", &["--allow", "random", "--receipt", "roll.car"]));
    assert!(
        said.contains("/random/bytes is not granted by who asked for the task: MatchError"),
        "{said}"
    );
    // The refusal is in the trace, and the same comes of it without any tokens.
    let replayed = two.operator.run(&["replay", "roll.car"]);
    assert_eq!(replayed.code, Some(0), "{replayed}");

    // A door to which no delegation leads isn't there at all, so what comes of it is everybody's.
    two.lets(&[TASKS]);
    two.asks(&roll);
    let said = guest_says(two.runs("dice.wasm", &["--allow", "random"]));
    assert!(said.contains("randomness is not granted"), "{said}");
}

#[test]
fn whoever_carries_a_request_adds_nothing_to_it() {
    let two = Two::with_dice();
    two.lets(&[TASKS]);
    two.asks(&["dice.wasm", "roll"]);
    // Leave that its bearer has, but that the request doesn't show.
    let more = [
        "ucan",
        "delegate",
        &two.asker_did,
        "/random",
        "-o",
        "more.ucan",
    ];
    assert_eq!(two.operator.run(&more).code, Some(0));
    let pack = [
        "ucan",
        "container",
        "pack",
        "request.ucan",
        "more.ucan",
        "-o",
        "both.ucan",
    ];
    assert_eq!(two.operator.run(&pack).code, Some(0));
    two.operator
        .put("request.ucan", two.operator.read("both.ucan"));
    let said = two.runs("dice.wasm", &["--allow", "random"]);
    assert!(
        said.error().1.contains("randomness is not granted"),
        "{said:?}"
    );
}

#[test]
fn what_was_revoked_opens_nothing() {
    let two = Two::with_dice();
    two.lets(&[TASKS, ("/random", "[]")]);
    let roll = ["dice.wasm", "roll"];
    two.asks(&roll);
    assert!(two.runs("dice.wasm", &["--allow", "random"]).ok().is_u64());
    two.asks(&roll);
    let said = two.operator.run(&["ucan", "revoke", "1.ucan"]);
    assert_eq!(said.code, Some(0), "{said}");
    let said = two.runs("dice.wasm", &["--allow", "random"]);
    let (kind, message) = said.error();
    assert!(
        kind == "denied" && message.contains("Revoked in number 1 of `proofs`"),
        "{said:?}"
    );
}

#[test]
fn an_effect_with_grants_of_its_own_needs_the_leave_too() {
    let two = Two::with_dice();
    two.lets(&[TASKS, ("/dns", "[]")]);
    two.asks(&["dice.wasm", "roll"]);
    let said = two.runs("dice.wasm", &["--allow", "random:random"]);
    assert_eq!(said.error().0, "guest");
    two.lets(&[TASKS, ("/random/bytes", "[]")]);
    two.asks(&["dice.wasm", "roll"]);
    assert!(
        two.runs("dice.wasm", &["--allow", "random:random"])
            .ok()
            .is_u64()
    );
}

#[test]
fn conditions_are_about_each_request() {
    let two = Two::with(&["fetch"]);
    two.operator.put("page.txt", "hello");
    let web = Web::new(&two.operator);
    let fetch = |path: &str| format!("fetch(\"{}\")", web.url(path));
    let allow = ["--allow", "https=http://127.0.0.1:*"];
    let condition = r#".path like "/page*" and .method == "GET""#;
    two.lets(&[TASKS, ("/http/get", condition)]);
    two.asks(&["fetch.wasm", &fetch("page.txt")]);
    assert_eq!(two.runs("fetch.wasm", &allow).ok(), "200 hello");
    two.asks(&["fetch.wasm", &fetch("other.txt")]);
    let said = two.runs("fetch.wasm", &allow);
    assert!(
        said.error()
            .1
            .contains("/http/get is not granted by who asked"),
        "{said:?}"
    );
    // Leave for HTTPS is none for what goes over the wire in plain text.
    two.lets(&[TASKS, ("/https", "[]")]);
    two.asks(&["fetch.wasm", &fetch("page.txt")]);
    let said = two.runs("fetch.wasm", &allow);
    assert!(
        said.error()
            .1
            .contains("no delegation that was shown covers it"),
        "{said:?}"
    );
}

#[test]
fn keys_are_used_by_leave() {
    let two = Two::with(&["fetch"]);
    let sign = ["fetch.wasm", "hash-and-sign(\"text\")"];
    let allow = ["--allow", "crypto"];
    two.lets(&[
        TASKS,
        ("/crypto/generate", r#".algorithm == "ed25519""#),
        ("/crypto/sign", ".key == null"),
    ]);
    two.asks(&sign);
    assert!(two.runs("fetch.wasm", &allow).0.get("ok").is_some());
    two.lets(&[TASKS, ("/crypto/generate", "[]")]);
    two.asks(&sign);
    let said = two.runs("fetch.wasm", &allow);
    assert!(
        said.error()
            .1
            .contains("/crypto/sign is not granted by who asked"),
        "{said:?}"
    );
}

#[test]
fn budgets_are_conditions() {
    let two = Two::with(&["diary"]);
    let note = ["diary.wasm", "note(\"a\")"];
    let allow = ["--allow", "state=*"];
    two.lets(&[TASKS, ("/state", ".calls <= 100 and .bucket != \"x\"")]);
    two.asks(&note);
    assert!(two.runs("diary.wasm", &allow).0.get("ok").is_some());
    two.lets(&[TASKS, ("/state", ".calls <= 1")]);
    two.asks(&note);
    let said = two.runs("diary.wasm", &allow);
    assert!(said.error().1.contains(".calls <= 1"), "{said:?}");
}

#[test]
fn content_is_written_by_leave() {
    let two = Two::with(&["lines"]);
    let text = "a line\n".repeat(10_000);
    for it in [&two.operator, &two.asker] {
        it.put("text", &text);
    }
    let filter = ["lines.wasm", "filter(@text, \"line\")"];
    two.operator.run(&["add", "text"]);
    two.lets(&[TASKS, ("/blocks/put", ".stored <= 1000000")]);
    two.asks(&filter);
    let said = two.runs("lines.wasm", &[]);
    assert!(said.ok()["/"].is_string(), "{said:?}");
    two.lets(&[TASKS, ("/blocks/put", ".stored <= 1000")]);
    two.asks(&filter);
    let said = two.runs("lines.wasm", &[]);
    let (kind, message) = said.error();
    assert!(
        kind == "denied" && message.contains(".stored <= 1000"),
        "{said:?}"
    );
    two.lets(&[TASKS]);
    two.asks(&filter);
    assert_eq!(two.runs("lines.wasm", &[]).error().0, "denied");
}

#[test]
fn who_can_not_be_told_ends() {
    let two = Two::with(&["nosy"]);
    two.lets(&[TASKS, ("/random", ".length < 8"), ("/clock/now", "[]")]);
    let allow = ["--allow", "random", "--allow", "clock"];
    two.asks(&["nosy.wasm", "random(4)"]);
    assert!(two.runs("nosy.wasm", &allow).ok().is_object());
    two.asks(&["nosy.wasm", "random(8)"]);
    let said = two.runs("nosy.wasm", &allow);
    let (kind, message) = said.error();
    assert!(
        kind == "denied" && message.contains("/random/bytes"),
        "{said:?}"
    );
    two.asks(&["nosy.wasm", "elapsed-of-sleep(1)"]);
    let said = two.runs(
        "nosy.wasm",
        &[&allow[..], &["--receipt", "nosy.car"]].concat(),
    );
    let (kind, message) = said.error();
    assert!(
        kind == "denied" && message.contains("/clock/monotonic"),
        "{said:?}"
    );
    let replayed = two.operator.run(&["replay", "nosy.car"]);
    assert_eq!(replayed.code, Some(0), "{replayed}");
}
