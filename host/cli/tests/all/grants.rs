//! What a task is granted: nothing, unless somebody says so.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn what_is_denied_says_what_would_allow_it() {
    let it = Environment::new().with_dice();
    assert_snapshot!(it.run(&["run", "dice.wasm", "roll"]), @r#"
    --- stderr
    error: the guest returned the error "randomness is not granted; it takes `--allow random`"
    hint: `--allow random` allows it
    --- exit code 1
    "#);
    let said = it.run(&["run", "dice.wasm", "roll", "--allow", "random", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.json()["ok"].is_u64(), "{said}");
    // Another grant opens another door.
    assert_snapshot!(it.run(&["run", "dice.wasm", "roll", "--allow", "clock"]), @r#"
    --- stderr
    error: the guest returned the error "randomness is not granted; it takes `--allow random`"
    hint: `--allow random` allows it
    --- exit code 1
    "#);
}

#[test]
fn a_grant_may_be_for_one_effect() {
    let it = Environment::new().with_dice();
    let run = |allow: &[&str]| {
        let allow = allow.iter().flat_map(|grant| ["--allow", grant]);
        let run = ["run", "dice.wasm", "roll"].into_iter().chain(allow);
        it.run(&run.collect::<Vec<_>>()).code
    };
    assert_eq!(run(&["random:random"]), Some(0));
    let listed = it.run(&["effect", "list", "--json"]).json();
    let effects = listed["ok"].as_array().unwrap();
    let random = effects.iter().find(|effect| effect["name"] == "random");
    let cid = random.unwrap()["effect"]["/"].as_str().unwrap();
    assert_eq!(run(&[&format!("{cid}:random")]), Some(0));
    // An effect with grants of its own has those and no other.
    assert_eq!(run(&["random:clock", "random"]), Some(1));
    assert_eq!(run(&["random:clock", "random:random"]), Some(0));
}

#[test]
fn a_grant_that_helps_nobody_is_a_mistake() {
    let it = Environment::with(&["add"]).with_dice();
    for guest in [["dice.wasm", "roll"], ["add.wasm", "add(1, 2)"]] {
        let said = it.run(&["run", guest[0], guest[1], "--allow", "dies:random"]);
        assert_eq!(said.code, Some(4), "{said}");
    }
    assert_snapshot!(it.run(&["run", "dice.wasm", "roll", "--allow", "dies:random"]), @r#"
    --- stderr
    error: there is no effect dies, to which --allow grants something
    hint: `homestar effect list` shows those there are
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "dice.wasm", "roll", "--allow", "radnom"]), @r#"
    --- stderr
    error: invalid value 'radnom' for '--allow <[EFFECT:]GRANT>': `radnom` is no grant: there are https, dns, net, random, oracle, clock, crypto and state; for example `https=GET api.example.com`

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run", "dice.wasm", "roll", "--allow", "random:https"]), @r#"
    --- stderr
    error: invalid value 'random:https' for '--allow <[EFFECT:]GRANT>': `https` is no grant: it doesn't say what it opens; for example `https=GET api.example.com`

    For more information, try '--help'.
    --- exit code 2
    "#);
}

#[test]
fn calls_are_counted() {
    let it = Environment::new().with_dice();
    let allowed = ["run", "dice.wasm", "roll", "--allow", "random"];
    assert_snapshot!(it.run(&[&allowed[..], &["--calls", "0"]].concat()), @r#"
    --- stderr
    error: the guest returned the error "the task\'s 0 driver calls are used up"
    hint: `--calls` allows more
    --- exit code 1
    "#);
    assert_snapshot!(it.run(&[&allowed[..], &["--call-bytes", "0"]].concat()), @r#"
    --- stderr
    error: the guest returned the error "the task\'s 0 bytes of driver calls are used up"
    hint: `--call-bytes` allows more
    --- exit code 1
    "#);
    assert_eq!(
        it.run(&[&allowed[..], &["--calls", "1"]].concat()).code,
        Some(0)
    );
    assert_snapshot!(it.run(&[&allowed[..], &["--calls", "few"]].concat()), @r#"
    --- stderr
    error: invalid value 'few' for '--calls <COUNT>': not a number such as 100, 10_000 or 10k

    For more information, try '--help'.
    --- exit code 2
    "#);
}

#[test]
fn a_task_that_hears_nothing_needs_no_grant() {
    let it = Environment::with(&["add"]).with_effects(&["digest"]);
    assert_eq!(it.run(&["run", "add.wasm", "add(1, 2)"]).stdout(), "3\n");
    let said = it.run(&["run", "digest.wasm", "hash(sha256, [97, 98, 99])", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
}

/// `wasi:keyvalue` says no more than that it is closed.
#[test]
fn what_opens_a_bucket_is_said() {
    let it = Environment::with(&["ledger", "teller", "vault"]);
    let count = ["run", "ledger.wasm", r#"count("visits", "a")"#];
    assert_snapshot!(it.run(&count), @r#"
    --- stderr
    error: the guest returned the error "Error::AccessDenied"
    hint: `--allow state=visits` allows it
    --- exit code 1
    "#);
    let opened = it.run(&[&count[..], &["--allow", "state=visits"]].concat());
    assert_eq!(opened.stdout(), "1\n", "{opened}");
    it.run(&["effect", "add", "vault.wasm"]);
    let add = ["run", "teller.wasm", r#"vault-adds("sums", "a", 2)"#];
    let own = ["--allow", "vault:state=others"];
    assert_snapshot!(it.run(&[&add[..], &own].concat()), @r#"
    --- stderr
    error: the guest returned the error "vault: Error::AccessDenied"
    hint: `--allow vault:state=sums` allows it
    --- exit code 1
    "#);
}

/// `wasi:http` says no more than that it was denied.
#[test]
fn what_is_used_up_is_said() {
    let it = Environment::with(&["sender"]);
    let port = free_port();
    let send = format!(r#"send("GET", "127.0.0.1:{port}", 1, 1, chunked)"#);
    let allowed = format!("https=http://127.0.0.1:{port}");
    let run = ["run", "sender.wasm", &send, "--allow", &allowed];
    for option in ["--calls", "--call-bytes"] {
        let said = it.run(&[&run[..], &[option, "0"]].concat());
        let hint = format!("hint: `{option}` allows more\n");
        assert!(said.stderr.contains(&hint), "{said}");
    }
}

/// A port at which nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
