//! What the operator decides, in `homestar.toml`.

use insta::assert_snapshot;

use crate::environment::{Environment, Said};

/// Where the user's settings are.
const USERS: &str = ".config/homestar/homestar.toml";

fn roll(it: &Environment, options: &[&str]) -> Said {
    it.run(&[&["run", "dice.wasm", "roll"], options].concat())
}

#[test]
fn every_task_is_granted_what_the_user_decided() {
    let it = Environment::new().with_dice();
    it.put(USERS, "grant = [\"random\"]");
    assert_eq!(roll(&it, &[]).code, Some(0));
    // Another file counts instead, not beside.
    it.put("other.toml", "");
    assert_eq!(roll(&it, &["--config", "other.toml"]).code, Some(1));
    let mut command = it.command(&["run", "dice.wasm", "roll"]);
    assert_eq!(
        it.said(command.env("HOMESTAR_HOME", it.path("home"))).code,
        Some(1)
    );
    it.put("home/homestar.toml", "grant = [\"random\"]");
    assert_eq!(it.said(&mut command).code, Some(0));
}

#[test]
fn the_working_directory_decides_nothing() {
    let it = Environment::new().with_dice();
    for name in [
        "homestar.toml",
        "effects/homestar.toml",
        "homestar/homestar.toml",
    ] {
        it.put(name, "grant = [\"random\"]");
    }
    assert_eq!(roll(&it, &[]).code, Some(1));
    let mut command = it.command(&["run", "dice.wasm", "roll"]);
    command
        .env("HOMESTAR_HOME", ".")
        .env("XDG_CONFIG_HOME", ".");
    assert_eq!(it.said(&mut command).code, Some(1));
}

#[test]
fn nothing_is_granted_beyond_the_ceiling() {
    let it = Environment::new().with_dice();
    it.put(USERS, "ceiling = [\"clock\"]\ngrant = [\"random\"]");
    assert_snapshot!(roll(&it, &["--allow", "random"]), @r#"
    --- stderr
    error: the guest returned the error "randomness is not granted; it takes `--allow random`"
    hint: `--allow random` allows it as far as the ceiling in $HOME/.config/homestar/homestar.toml does
    --- exit code 1
    "#);
    assert_eq!(roll(&it, &["--allow", "random:random"]).code, Some(1));
    it.put(USERS, "ceiling = [\"clock\", \"random\"]");
    assert_eq!(roll(&it, &[]).code, Some(1));
    assert_eq!(roll(&it, &["--allow", "random"]).code, Some(0));
    it.put(USERS, "ceiling = []\n[effect.random]\ngrant = [\"random\"]");
    assert_eq!(roll(&it, &["--allow", "random"]).code, Some(1));
}

#[test]
fn an_effect_has_what_it_was_granted_by_name() {
    let it = Environment::new().with_dice();
    it.put(USERS, "[effect.random]\ngrant = [\"random\"]");
    assert_eq!(roll(&it, &[]).code, Some(0));
    it.put(USERS, "[effect.random]\ngrant = []");
    assert_snapshot!(roll(&it, &["--allow", "random"]), @r#"
    --- stderr
    error: the guest returned the error "randomness is not granted; it takes `--allow random`"
    hint: `--allow random:random` allows it
    --- exit code 1
    "#);
    assert_eq!(roll(&it, &["--allow", "random:random"]).code, Some(0));
    it.put(USERS, "[effect.radnom]\ngrant = []");
    assert_snapshot!(roll(&it, &[]), @r#"
    --- stderr
    error: there is no effect radnom, to which $HOME/.config/homestar/homestar.toml grants something
    hint: `homestar effect list` shows those there are
    --- exit code 4
    "#);
}

#[test]
fn a_mistake_is_named_with_its_line() {
    let it = Environment::with(&["add"]);
    let add = ["run", "add.wasm", "add(1, 2)"];
    it.put(USERS, "grant = []\ncieling = []");
    assert_snapshot!(it.run(&add), @r#"
    --- stderr
    error: can't use $HOME/.config/homestar/homestar.toml
      because: line 2: unknown field `cieling`, expected one of `ceiling`, `grant`, `effect`, `pin`, `limits`, `https`, `dns`, `store`, `gateways`, `network`, `work`, `secret`
    hint: docs/config.md tells what may stand there
    --- exit code 4
    "#);
    it.put(USERS, "grant = [\n  \"random\",\n  \"radnom\",\n]");
    assert_snapshot!(it.run(&add), @r#"
    --- stderr
    error: can't use $HOME/.config/homestar/homestar.toml
      because: line 1: `radnom` is no grant: there are https, dns, net, random, oracle, clock, crypto and state; for example `https=GET api.example.com`
    hint: docs/config.md tells what may stand there
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&[&add[..], &["--config", "none.toml"]].concat()), @r#"
    --- stderr
    error: can't read none.toml
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
    it.put(USERS, vec![b'\n'; (1 << 20) + 1]);
    assert_eq!(it.run(&add).code, Some(4));
}

/// What can't be read may have a ceiling in it.
#[test]
fn settings_that_can_not_be_read_are_not_passed_over() {
    let it = Environment::with(&["add"]);
    std::fs::create_dir_all(it.path(USERS)).unwrap();
    assert_eq!(it.run(&["run", "add.wasm", "add(1, 2)"]).code, Some(4));
    std::fs::remove_dir(it.path(USERS)).unwrap();
    std::os::unix::fs::symlink("nowhere", it.path(USERS)).unwrap();
    assert_eq!(it.run(&["run", "add.wasm", "add(1, 2)"]).code, Some(4));
}

#[test]
fn limits_are_used_where_no_option_is_given() {
    let it = Environment::with(&["hostile"]).with_dice();
    it.put(
        USERS,
        "grant = [\"random\"]\n[limits]\nfuel = \"1k\"\ncalls = 0",
    );
    assert_eq!(
        it.run(&["run", "hostile.wasm", "spin", "--json"]).json()["error"]["kind"],
        "fuel"
    );
    assert_eq!(roll(&it, &["--fuel", "1M"]).code, Some(1));
    assert_eq!(roll(&it, &["--fuel", "1M", "--calls", "1"]).code, Some(0));
}

#[test]
fn no_option_goes_beyond_the_most_that_the_operator_allows() {
    let it = Environment::with(&["hostile"]);
    it.put(USERS, "[limits.max]\nfuel = \"1k\"\nmemory = \"1GiB\"");
    let spin = ["run", "hostile.wasm", "spin"];
    // What nobody asked for is bounded too.
    let said = it.run(&[&spin[..], &["--json"]].concat());
    assert_eq!(said.json()["error"]["kind"], "fuel");
    let said = it.run(&[&spin[..], &["--fuel", "1M"]].concat());
    assert_snapshot!(said, @r#"
    --- stderr
    error: --fuel asks for more than 1,000
    hint: that is the most that `[limits.max]` of $HOME/.config/homestar/homestar.toml lets a task use
    --- exit code 2
    "#);
    let said = it.run(&[&spin[..], &["--fuel", "1k", "--memory", "2GiB"]].concat());
    assert!(said.stderr.contains("--memory asks for more than 1.0 GiB"));
    assert_eq!(
        it.run(&[&spin[..], &["--fuel", "1k"]].concat()).code,
        Some(3)
    );
}

#[test]
fn a_pin_chooses_among_several() {
    let it = Environment::with(&["needs", "almanac", "pessimist"]);
    for name in ["one", "two"] {
        it.run(&["effect", "add", "almanac.wasm", "--name", name]);
    }
    let advice = ["run", "needs.wasm", "advice(\"Cairo\")"];
    assert_snapshot!(it.run(&advice), @r#"
    --- stderr
    error: two effects provide `acme:almanac/almanac@0.1.0`: effects/one.wasm and effects/two.wasm
    hint: `--pin acme:almanac/almanac@0.1.0=NAME` chooses one; `homestar effect remove NAME` removes one
    --- exit code 4
    "#);
    for interface in ["acme:almanac/almanac", "acme:almanac/almanac@0.1.0"] {
        it.put(USERS, format!("[pin]\n\"{interface}\" = \"two\""));
        assert_eq!(it.run(&advice).stdout(), "\"go as you are\"\n");
    }
    it.put(USERS, "[pin]\n\"acme:almanac/almanac\" = \"random\"");
    assert_snapshot!(it.run(&advice), @r#"
    --- stderr
    error: the effect random doesn't offer `acme:almanac/almanac`; it offers `homestar:random/random@0.1.0`
    hint: `homestar effect list` shows those there are
    --- exit code 4
    "#);
    let pinned = |pin: &str| it.run(&[&advice[..], &["--pin", pin]].concat());
    it.put(USERS, "");
    assert_eq!(pinned("acme:almanac/almanac=one").code, Some(0));
    assert_snapshot!(pinned("acme:almanac/almanac=three"), @r#"
    --- stderr
    error: there is no effect three to provide `acme:almanac/almanac`
    hint: `homestar effect list` shows those there are
    --- exit code 4
    "#);
    assert_snapshot!(pinned("one"), @r#"
    --- stderr
    error: invalid value 'one' for '--pin <INTERFACE=EFFECT>': not a pin such as acme:weather/forecast=weather

    For more information, try '--help'.
    --- exit code 2
    "#);
}

#[test]
fn a_secret_that_is_not_there_is_warned_of_where_it_may_be_sent() {
    let it = Environment::with(&["add"]);
    let settings = "[secret.token]\nenv = \"NO_SUCH_TOKEN\"\nhosts = [\"api.example.com\"]\n\
        [secret.other]\nfile = \"other.txt\"\nhosts = [\"api.example.com\"]";
    it.put(USERS, settings);
    let add = ["run", "add.wasm", "add(1, 2)"];
    assert_eq!(it.run(&add).stderr, "");
    let sends = ["--allow", "https=api.example.com"];
    assert_snapshot!(it.run(&[&add[..], &sends].concat()), @r#"
    3
    --- stderr
    warning: the secret other can't be had: can't read $HOME/.config/homestar/other.txt: No such file or directory (os error 2)
    warning: the secret token can't be had: NO_SUCH_TOKEN is not set to a text
    --- exit code 0
    "#);
    it.put(".config/homestar/other.txt", "s3cr3t\n");
    let mut command = it.command(&[&add[..], &sends].concat());
    assert_eq!(it.said(command.env("NO_SUCH_TOKEN", "abc")).stderr, "");
    it.put(
        USERS,
        settings.replace("api.example.com", "http://api.example.com"),
    );
    assert_snapshot!(it.said(&mut command), @r#"
    --- stderr
    error: can't use $HOME/.config/homestar/homestar.toml
      because: the secret `other` can't be bound to `http://api.example.com`: in the clear, it would be anyone's; for example `api.example.com`
    --- exit code 4
    "#);
}
