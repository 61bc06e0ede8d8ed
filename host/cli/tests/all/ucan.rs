//! Tokens: given, passed on, used, shown and checked.

use serde_json::Value;

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
    // What can't be allowed isn't asked for.
    let arguments = [
        "ucan",
        "invoke",
        "/https/post",
        "{}",
        "--proof",
        "mine.ucan",
    ];
    let said = stranger.run(&arguments);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("for /https/post"), "{said}");
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

/// The answer of a command, in JSON.
fn facts(it: &Environment, arguments: &[&str]) -> Value {
    let said = it.run(&[arguments, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{said}");
    said.json()["ok"].clone()
}

/// What is listed, by kind, side and state.
fn listed(it: &Environment) -> Vec<String> {
    let list = facts(it, &["ucan", "list"]);
    let line = |token: &Value| {
        let fields = ["kind", "side", "state"].map(|key| token[key].as_str().unwrap_or("-"));
        fields.join(" ")
    };
    let mut lines: Vec<_> = list.as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn what_was_given_is_listed_and_taken_back() {
    let [owner, friend, stranger] = [0; 3].map(|_| Environment::new());
    let dids = [&owner, &friend, &stranger].map(did);
    assert_eq!(listed(&owner), [] as [&str; 0]);
    assert!(!owner.path(".local").exists());
    let given = facts(&owner, &["ucan", "delegate", &dids[1], "/https"]);
    friend.put("given.ucan", given["container"].as_str().unwrap());
    ok(&friend, &["ucan", "add", "given.ucan"]);
    let given = given["cid"].as_str().unwrap();
    // What one has is named by its CID.
    let arguments = ["ucan", "delegate", &dids[2], "/https/get", "--proof", given];
    let passed = ok(&friend, &arguments);
    stranger.put("mine.ucan", &passed);
    assert_eq!(listed(&owner), ["delegation made holds"]);
    assert_eq!(
        listed(&friend),
        ["delegation made holds", "delegation received holds"]
    );

    let arguments = ["ucan", "invoke", "/https/get", "{}", "--proof", "mine.ucan"];
    let asked = ok(&stranger, &arguments);
    for it in [&owner, &friend, &stranger] {
        it.put("asked.ucan", &asked);
        ok(it, &["ucan", "verify", "asked.ucan"]);
    }

    // The owner takes back what the friend passed on, which comes with what is asked.
    let words = "holds no delegation of which it is clear";
    stranger.put("other.pem", "");
    let said = stranger.run(&["ucan", "revoke", "nothing.ucan"]);
    assert_eq!(said.code, Some(4), "{said}");
    let contents = facts(&owner, &["ucan", "inspect", "asked.ucan"]);
    let cids = contents["delegations"].as_array().unwrap().iter();
    let cids: Vec<_> = cids.map(|it| it["cid"].as_str().unwrap()).collect();
    let passed = *cids.iter().find(|cid| **cid != given).unwrap();
    let third = Environment::new();
    third.put("asked.ucan", &asked);
    let said = third.run(&["ucan", "revoke", "asked.ucan"]);
    assert!(said.stderr.contains(words), "{said}");
    let said = third.run(&["ucan", "revoke", passed, "--proof", "asked.ucan"]);
    assert!(said.stderr.contains("has no say in"), "{said}");
    let said = owner.run(&["ucan", "revoke", passed]);
    assert!(said.stderr.contains("there is no delegation"), "{said}");
    let taken = owner.run(&["ucan", "revoke", passed, "--proof", "asked.ucan"]);
    assert_eq!(taken.code, Some(0), "{taken}");
    assert!(taken.stderr.starts_with("note: revoked: "), "{taken}");

    // Here it is known, there it isn't, until it is told.
    let refused = |it: &Environment, file: &str| {
        let said = it.run(&["ucan", "verify", file]);
        assert_eq!(said.code, Some(4), "{said}");
        assert!(said.stderr.contains("Revoked: proof 2 of 2"), "{said}");
    };
    refused(&owner, "asked.ucan");
    ok(&friend, &["ucan", "verify", "asked.ucan"]);
    friend.put("taken.ucan", taken.stdout());
    let said = friend.run(&["ucan", "inspect", "taken.ucan"]);
    assert_eq!(said.code, Some(0), "{said}");
    ok(
        &friend,
        &[
            "ucan",
            "container",
            "pack",
            "asked.ucan",
            "taken.ucan",
            "-o",
            "both.ucan",
        ],
    );
    refused(&friend, "both.ucan");
    ok(&friend, &["ucan", "verify", "asked.ucan"]);
    ok(&friend, &["ucan", "add", "taken.ucan"]);
    refused(&friend, "asked.ucan");
    assert_eq!(
        listed(&owner),
        [
            "delegation made holds",
            "delegation other revoked",
            "revocation - -"
        ]
    );
    let text = ok(&friend, &["ucan", "list"]);
    assert!(
        text.contains(&format!("state       it was revoked by {}\n", dids[0])),
        "{text}"
    );
    let said = friend.run(&["ucan", "inspect", "asked.ucan"]);
    let words = format!("it was revoked by {}", dids[0]);
    assert!(said.stderr.contains(&words), "{said}");

    // Nothing takes it back, and what is forgotten stays revoked.
    let list = facts(&owner, &["ucan", "list"]);
    let mut list = list.as_array().unwrap().iter();
    let revocation = list.find(|token| token["kind"] == "revocation").unwrap();
    assert_eq!(revocation["revokes"], passed);
    let said = owner.run(&["ucan", "forget", revocation["cid"].as_str().unwrap()]);
    assert!(said.stderr.contains("nothing takes that back"), "{said}");
    ok(&owner, &["ucan", "forget", passed]);
    let said = owner.run(&["ucan", "forget", passed]);
    assert_eq!(said.code, Some(4), "{said}");
    ok(&owner, &["gc"]);
    refused(&owner, "asked.ucan");
}

#[test]
fn one_gives_back_what_one_was_given() {
    let [owner, friend] = [0; 2].map(|_| Environment::new());
    let given = ok(&owner, &["ucan", "delegate", &did(&friend), "/https"]);
    friend.put("given.ucan", &given);
    ok(
        &friend,
        &["ucan", "revoke", "given.ucan", "-o", "taken.ucan"],
    );
    assert_eq!(
        listed(&friend),
        ["delegation received revoked", "revocation - -"]
    );
    owner.put("taken.ucan", friend.read("taken.ucan"));
    ok(&owner, &["ucan", "add", "taken.ucan"]);
    assert_eq!(
        listed(&owner),
        ["delegation made revoked", "revocation - -"]
    );
}

#[test]
fn forged_tokens_are_not_kept() {
    let it = Environment::new();
    let own = did(&it);
    let given = facts(
        &it,
        &["ucan", "delegate", &own, "/a", "--store", "elsewhere"],
    );
    it.put("given.ucan", given["container"].as_str().unwrap());
    ok(
        &it,
        &["ucan", "container", "unpack", "given.ucan", "-o", "tokens"],
    );
    let path = format!("tokens/{}.ucan", given["cid"].as_str().unwrap());
    let mut bytes = it.read(&path);
    bytes[10] ^= 1;
    it.put("forged.ucan", bytes);
    let said = it.run(&["ucan", "add", "given.ucan", "forged.ucan"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("error: 1 are kept, and not these\n"),
        "{said}"
    );
    assert_eq!(listed(&it), ["delegation made holds"]);
    let asked = ok(&it, &["ucan", "invoke", "/a"]);
    it.put("asked.ucan", asked);
    let said = it.run(&["ucan", "add", "asked.ucan"]);
    assert!(
        said.stderr.contains("asks for something, and isn't kept"),
        "{said}"
    );
    assert_eq!((said.code, said.stdout()), (Some(0), ""));
}

#[test]
fn containers_are_packed_in_every_encoding_and_unpacked() {
    let it = Environment::new();
    let own = did(&it);
    let one = facts(&it, &["ucan", "delegate", &own, "/a"]);
    it.put("one.ucan", one["container"].as_str().unwrap());
    it.put("two.ucan", ok(&it, &["ucan", "delegate", &own, "/b"]));
    for (encoding, header) in [
        ("bytes", b'@'),
        ("base64", b'B'),
        ("base64url", b'C'),
        ("bytes-gzip", b'M'),
        ("base64-gzip", b'O'),
        ("base64url-gzip", b'P'),
    ] {
        // The same token twice is in it once.
        let cid = one["cid"].as_str().unwrap();
        let arguments = ["ucan", "container", "pack", "one.ucan", "two.ucan", cid];
        let all = [&arguments[..], &["--as", encoding, "-o", "all.ucan"]].concat();
        let cids = facts(&it, &all);
        assert_eq!(cids.as_array().unwrap().len(), 2);
        assert_eq!(it.read("all.ucan")[0], header);
        let said = it.run(&[&arguments[..], &["--as", encoding]].concat());
        assert_eq!(said.stdout, it.read("all.ucan"), "{encoding}");
        let letter = char::from(header).to_string();
        let said = it.run(&[&arguments[..], &["--as", &letter]].concat());
        assert_eq!(said.stdout, it.read("all.ucan"), "{encoding}");

        let out = format!("out-{encoding}");
        let files = facts(
            &it,
            &["ucan", "container", "unpack", "all.ucan", "-o", &out],
        );
        let files: Vec<_> = files.as_array().unwrap().iter().collect();
        assert_eq!(files.len(), 2);
        for file in files {
            let inspected = facts(&it, &["ucan", "inspect", file.as_str().unwrap()]);
            assert_eq!(inspected["delegations"].as_array().unwrap().len(), 1);
        }
        let said = it.run_with(&["ucan", "container", "pack", "-"], &it.read("all.ucan"));
        assert_eq!(said.code, Some(0), "{said}");
    }
    for (tokens, words) in [
        (&["nothing.ucan"][..], "can't read nothing.ucan"),
        (&["-", "-"], "standard input can't be"),
        (
            &["bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"],
            "there is no token",
        ),
    ] {
        let arguments = [&["ucan", "container", "pack"], tokens].concat();
        let said = it.run_with(&arguments, &it.read("all.ucan"));
        assert!(matches!(said.code, Some(2 | 4)), "{said}");
        assert!(said.stderr.contains(words), "{said}");
    }
}

#[test]
fn another_key_gives_by_its_name() {
    let it = Environment::new();
    let own = did(&it);
    ok(&it, &["key", "new", "work", "--type", "secp256k1"]);
    let given = facts(&it, &["ucan", "delegate", &own, "/a", "--key", "work"]);
    it.put("given.ucan", given["container"].as_str().unwrap());
    let asked = ok(&it, &["ucan", "invoke", "/a/b", "--proof", "given.ucan"]);
    it.put("asked.ucan", asked);
    let verified = facts(&it, &["ucan", "verify", "asked.ucan"]);
    let work = facts(&it, &["key", "export", "work", "--form", "did"]);
    assert_eq!(verified[0]["subject"], work.as_str().unwrap().trim());
    assert_eq!(verified[0]["command"], "/a/b");
    let said = it.run(&["ucan", "revoke", "given.ucan"]);
    assert_eq!(said.code, Some(0), "{said}");
    let text = ok(&it, &["ucan", "list"]);
    assert!(text.contains("given by your key work\n"), "{text}");
    let said = it.run(&["ucan", "delegate", &own, "/a", "--key", "none"]);
    assert!(said.stderr.contains("there is no key none"), "{said}");
}

#[test]
fn a_powerline_passes_on_what_others_give() {
    let [owner, friend, stranger] = [0; 3].map(|_| Environment::new());
    let dids = [&owner, &friend, &stranger].map(did);
    let line = |command| friend.run(&["ucan", "delegate", &dids[2], command, "--powerline"]);
    let everything = line("/");
    let words = "warning: this gives ";
    assert!(everything.stderr.contains(words), "{everything}");
    let line = line("/https/get");
    assert!(!line.stderr.contains(words), "{line}");
    let given = ok(&owner, &["ucan", "delegate", &dids[1], "/https"]);
    stranger.put("line.ucan", line.stdout());
    stranger.put("given.ucan", given);
    ok(
        &stranger,
        &[
            "ucan",
            "container",
            "pack",
            "line.ucan",
            "given.ucan",
            "-o",
            "both.ucan",
        ],
    );
    let asked = ok(
        &stranger,
        &["ucan", "invoke", "/https/get", "--proof", "both.ucan"],
    );
    owner.put("asked.ucan", asked);
    let verified = facts(&owner, &["ucan", "verify", "asked.ucan"]);
    assert_eq!(verified[0]["subject"], dids[0]);
    // By itself it gives nothing.
    let said = stranger.run(&["ucan", "invoke", "/https/get", "--proof", "line.ucan"]);
    assert!(said.stderr.contains("no chain of delegations"), "{said}");
}
