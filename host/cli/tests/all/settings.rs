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
      because: line 2: unknown field `cieling`, expected one of `ceiling`, `grant`, `effect`, `pin`, `limits`, `https`, `dns`, `store`, `gateways`, `network`, `api`, `work`, `secret`
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

#[test]
fn a_variable_stands_above_the_file() {
    let it = Environment::new().with_dice();
    it.put(USERS, "grant = [\"clock\"]\nlimits.fuel = 1");
    let roll = |variables: &[(&str, &str)]| {
        let mut command = it.command(&["run", "dice.wasm", "roll"]);
        it.said(command.envs(variables.iter().copied()))
    };
    assert_eq!(roll(&[]).code, Some(3));
    let fuel = ("HOMESTAR_LIMITS_FUEL", "1G");
    assert_eq!(roll(&[fuel]).code, Some(1));
    let grant = ("HOMESTAR_GRANT", "[\"clock\", \"random\"]");
    assert_eq!(roll(&[fuel, grant]).code, Some(0));
    let ceiling = ("HOMESTAR_CEILING", "clock");
    assert_eq!(roll(&[fuel, grant, ceiling]).code, Some(1));
    // One that is empty counts as not set.
    assert_eq!(roll(&[fuel, grant, ("HOMESTAR_CEILING", "")]).code, Some(0));
    assert_snapshot!(roll(&[("HOMESTAR_LIMITS_FULE", "1")]).stderr, @r#"
    error: can't use what the environment says
      because: HOMESTAR_LIMITS_FULE is no setting; there are HOMESTAR_LIMITS_FUEL, HOMESTAR_LIMITS_MEMORY, HOMESTAR_LIMITS_TIME, HOMESTAR_LIMITS_OUTPUT, HOMESTAR_LIMITS_STORAGE, HOMESTAR_LIMITS_LOG, HOMESTAR_LIMITS_CALLS, HOMESTAR_LIMITS_CALL_BYTES, HOMESTAR_LIMITS_MAX_FUEL, HOMESTAR_LIMITS_MAX_MEMORY, HOMESTAR_LIMITS_MAX_TIME, HOMESTAR_LIMITS_MAX_OUTPUT, HOMESTAR_LIMITS_MAX_STORAGE, HOMESTAR_LIMITS_MAX_LOG, HOMESTAR_LIMITS_MAX_CALLS, HOMESTAR_LIMITS_MAX_CALL_BYTES
    hint: `homestar config --help` tells what variables there are
    "#);
    // Others may have variables that begin alike.
    assert_eq!(roll(&[fuel, ("HOMESTAR_LIMITLESS", "1")]).code, Some(1));
}

#[test]
fn what_is_shown_is_what_counts_and_can_be_read_again() {
    let it = Environment::new();
    let file = "grant = ['random']\n[limits]\nmemory = 4096\n[pin]\n\"acme:weather/forecast\" = 'weather'\n\
        [secret.token]\nenv = \"TOKEN\"\nhosts = [\"api.example.com\"]";
    it.put(USERS, file);
    let mut command = it.command(&["config", "show"]);
    command
        .env("HOMESTAR_LIMITS_TIME", "5s")
        .env("TOKEN", "s3cr3t");
    let shown = it.said(&mut command);
    assert_eq!(shown.code, Some(0), "{shown}");
    let text = shown.stdout();
    assert!(text.starts_with(&format!("# {}\n", it.path(USERS).display())));
    for line in [
        "# ceiling is not set",
        "grant = [\"random\"]",
        "gateways = []  # default",
        "limits.fuel = \"1T\"  # default",
        "limits.memory = 4096",
        "limits.time = \"5s\"  # HOMESTAR_LIMITS_TIME",
        "limits.max.memory = \"4GiB\"  # default",
        "# limits.max.fuel is not set",
        "pin.\"acme:weather/forecast\" = \"weather\"",
        "secret.token.env = \"TOKEN\"",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(!text.contains("s3cr3t"));
    it.put("again.toml", text);
    let again = it.run(&["config", "show", "--config", "again.toml", "--json"]);
    let again = again.json();
    let settings = &again["ok"]["settings"];
    assert_eq!(again["ok"]["file"], "again.toml");
    assert_eq!(settings["limits.time"]["value"], "5s");
    assert_eq!(settings["limits.time"]["from"], "file");
    assert_eq!(settings["store.quota"]["value"], serde_json::Value::Null);
    assert_eq!(settings["store.quota"]["from"], "default");
}

#[test]
fn a_check_tells_all_that_is_wrong_at_once() {
    let it = Environment::new();
    let check = || it.run(&["config", "check"]);
    assert_snapshot!(check(), @r#"
    there is no $HOME/.config/homestar/homestar.toml, so nothing is granted and all is as usual
    --- exit code 0
    "#);
    it.put(USERS, "grant = ['random']");
    assert_snapshot!(check(), @r#"
    $HOME/.config/homestar/homestar.toml is good
    --- exit code 0
    "#);
    let file = "gateways = ['ftp://x']\nlimits.fuel = 5\nlimits.max.fuel = 4\nhttps.ca = ['none.pem']\n\
        [effect.radnom]\ngrant = []\n[network]\npeers = ['nobody']\nbelieved = ['him']\n[work]\nfor = ['her']\n\
        [secret.token]\nenv = 'NO_SUCH_TOKEN'\nhosts = ['api.example.com']";
    it.put(USERS, file);
    assert_snapshot!(check(), @r#"
    --- stderr
    error: there are 8 things wrong with $HOME/.config/homestar/homestar.toml
      can't use [network] of $HOME/.config/homestar/homestar.toml: `him` is no signer, such as did:key:z6Mk…
      can't use [network] of $HOME/.config/homestar/homestar.toml: `nobody` is no address of a peer, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…
      `for` under [work] of $HOME/.config/homestar/homestar.toml names `her`, and those are did:key:…, trusted, delegated and anyone
      there is no effect radnom, to which $HOME/.config/homestar/homestar.toml grants something
      no certificates could be read from $HOME/.config/homestar/none.pem; it should hold them in PEM: I/O error: No such file or directory (os error 2)
      can't use a gateway of $HOME/.config/homestar/homestar.toml: "ftp://x" is no gateway: its scheme should be https
      the secret token can't be had: NO_SUCH_TOKEN is not set to a text
      limits.fuel is above limits.max.fuel, which is what counts
    --- exit code 4
    "#);
    let wrong = it.run(&["config", "check", "--json"]).json();
    let problems = wrong["error"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 8);
}
