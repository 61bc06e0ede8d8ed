//! Tokens: given, passed on, used, shown and checked.

use crate::environment::Environment;

/// The did:key of an environment's own key.
fn did(it: &Environment) -> String {
    let said = it.run(&["key", "show", "--json"]);
    said.json()["did"].as_str().unwrap().to_owned()
}

/// Runs a command that has to do well, and returns what it printed.
fn ok(it: &Environment, arguments: &[&str]) -> String {
    let said = it.run(arguments);
    assert_eq!(said.code, Some(0), "{said}");
    said.stdout().to_owned()
}

#[test]
fn leave_is_given_passed_on_and_used() {
    let [owner, friend, stranger] = [0; 3].map(|_| Environment::new());
    let dids = [&owner, &friend, &stranger].map(did);
    let condition = r#".host like "*.example.com""#;
    let given = ok(
        &owner,
        &[
            "ucan",
            "delegate",
            &dids[1],
            "/https",
            "--where",
            condition,
            "--expires",
            "7d",
        ],
    );
    friend.put("mine.ucan", &given);
    let passed = ok(
        &friend,
        &[
            "ucan",
            "delegate",
            &dids[2],
            "/https/get",
            "--proof",
            "mine.ucan",
        ],
    );
    stranger.put("mine.ucan", &passed);
    let invoke = |arguments: &str, command: &str| {
        let asked = ok(
            &stranger,
            &["ucan", "invoke", command, arguments, "--proof", "mine.ucan"],
        );
        owner.put("asked.ucan", asked);
    };

    invoke(r#"{"host": "api.example.com"}"#, "/https/get");
    let said = ok(&owner, &["ucan", "verify", "asked.ucan"]);
    assert!(
        said.starts_with(&format!("{} asks for /https/get", dids[2])),
        "{said}"
    );
    assert!(said.contains(&dids[0]), "{said}");
    let said = ok(&owner, &["ucan", "inspect", "asked.ucan"]);
    assert_eq!(said.matches("└─ ").count(), 3, "{said}");
    let said = owner.run(&[
        "ucan",
        "verify",
        "asked.ucan",
        "--json",
        "--executor",
        &dids[0],
    ]);
    assert_eq!(said.json()["ok"].as_array().unwrap().len(), 1, "{said}");

    // A day later what was passed on has ended; another host and another command were never given.
    let said = owner.run(&["ucan", "verify", "asked.ucan", "--at", "4000000000"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("Expired"), "{said}");
    invoke(r#"{"host": "example.org"}"#, "/https/get");
    let said = owner.run(&["ucan", "verify", "asked.ucan", "--json"]);
    let problem = &said.json()["error"]["problems"][0];
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("proof 1 of 2"),
        "{said}"
    );
    invoke(r#"{"host": "api.example.com"}"#, "/https/post");
    let said = owner.run(&["ucan", "verify", "asked.ucan"]);
    assert!(said.stderr.contains("CommandNotCovered"), "{said}");
}

#[test]
fn what_is_wrong_is_told() {
    let it = Environment::new();
    let own = did(&it);
    it.put("text", "no tokens");
    let said = it.run(&["ucan", "inspect", "text"]);
    assert!(
        said.stderr.contains("error: text holds no tokens"),
        "{said}"
    );
    let given = it.run(&["ucan", "delegate", &own, "/", "--expires", "never"]);
    assert!(given.stderr.contains("warning: this lets "), "{given}");
    assert!(given.stderr.contains("warning: this never ends"), "{given}");
    it.put("given", &given.stdout);
    let said = it.run(&["ucan", "verify", "given"]);
    assert!(
        said.stderr.contains("there is no invocation in it"),
        "{said}"
    );
    for (arguments, words) in [
        (
            &["ucan", "delegate", "did:key:zzz", "/a"][..],
            "did:key:zzz",
        ),
        (&["ucan", "delegate", &own, "a"], "'a'"),
        (
            &["ucan", "delegate", &own, "/a", "--where", ".a =="],
            "--where",
        ),
        (
            &["ucan", "delegate", &own, "/a", "--expires", "soon"],
            "days such as 7d",
        ),
        (&["ucan", "invoke", "/a", "[1]"], "no map in DAG-JSON"),
    ] {
        let said = it.run(arguments);
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains(words), "{words}: {said}");
    }
    let other = Environment::new();
    other.put("given", &given.stdout);
    let said = other.run(&["ucan", "invoke", "/a", "--proof", "given"]);
    assert!(
        said.stderr.contains("given holds no delegation to you"),
        "{said}"
    );
}
