//! Effects in folders, as a person adds and uses them.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn an_effect_is_added_used_and_removed() {
    let it = Environment::with(&["needs", "almanac"]).with_key();
    let before = it.run(&["effect", "list"]).to_string();
    assert_snapshot!(it.run(&["effect", "add", "almanac.wasm"]), @r#"
    effects/almanac.wasm offers acme:almanac/almanac@0.1.0
    --- exit code 0
    "#);
    let listed = it.run(&["effect", "list"]).to_string();
    assert_snapshot!(listed.strip_suffix(&before).unwrap(), @r#"
    effect  almanac
    file    effects/almanac.wasm
    cid     bafkr…
    offers  acme:almanac/almanac@0.1.0
    "#);
    assert_snapshot!(it.run(&["inspect", "needs.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       yes, with effects/almanac.wasm

    imports:
      acme:almanac/almanac@0.1.0  (from effects/almanac.wasm)

    exports:
      advice: func(place: string) -> string
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Bergen")"#, "--receipt", "r"]), @r#"
    "take an umbrella"
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["receipt", "show", "r"]), @r#"
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     advice
    outcome      ok "take an umbrella"
    pure         yes
    fuel         …
    memory peak  …
    engine       …
    effect       bafkr…
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["effect", "add", "almanac.wasm"]), @r#"
    --- stderr
    error: effects/almanac.wasm is there already
    hint: `--force` replaces it, `--name` gives another name
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["effect", "remove", "almanac"]), @r#"
    removed effects/almanac.wasm
    --- exit code 0
    "#);
    assert_eq!(
        it.run(&["run", "needs.wasm", r#"advice("Bergen")"#]).code,
        Some(4)
    );
    assert_snapshot!(it.run(&["effect", "remove", "../almanac"]), @r#"
    --- stderr
    error: there is no effect ../almanac
    hint: `homestar effect list` shows those there are
    --- exit code 4
    "#);
}

#[test]
fn one_effect_stands_in_front_of_another() {
    let it = Environment::with(&["needs", "almanac", "pessimist"]);
    assert_eq!(
        it.run(&["effect", "add", "almanac.wasm", "--user"]).code,
        Some(0)
    );
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    "go as you are"
    --- exit code 0
    "#);
    assert_eq!(it.run(&["effect", "add", "pessimist.wasm"]).code, Some(0));
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    "take an umbrella"
    --- exit code 0
    "#);
    let listed = it.run(&["effect", "list"]).to_string();
    let added: Vec<_> = listed.split("\n\n").take(2).collect();
    assert_snapshot!(added.join("\n\n"), @r#"
    effect  pessimist
    file    effects/pessimist.wasm
    cid     bafkr…
    offers  acme:almanac/almanac@0.1.0
    asks    acme:almanac/almanac@0.1.0  (from $HOME/.local/share/homestar/effects/almanac.wasm)

    effect  almanac
    file    $HOME/.local/share/homestar/effects/almanac.wasm
    cid     bafkr…
    offers  acme:almanac/almanac@0.1.0
    "#);
    let listed = it.run(&["effect", "list", "--json"]).json();
    assert_eq!(listed["ok"][0]["asks"][0], "acme:almanac/almanac@0.1.0");
    assert_eq!(listed["ok"][1]["name"], "almanac");
}

#[test]
fn some_come_with_homestar() {
    let it = Environment::new();
    let listed = it.run(&["effect", "list"]).to_string();
    let random = listed
        .split("\n\n")
        .find(|effect| effect.starts_with("effect  random"));
    assert_snapshot!(random.unwrap(), @r#"
    effect  random
    file    built-in/random.wasm
    cid     bafkr…
    offers  homestar:random/random@0.1.0
    driver  homestar:driver/entropy@0.1.0
    "#);
    let listed = it.run(&["effect", "list", "--json"]).json();
    let effects = listed["ok"].as_array().unwrap();
    assert!(effects.iter().all(|effect| effect["built_in"] == true));
    assert_eq!(effects.len(), homestar_effects::all().len());
    assert_snapshot!(it.run(&["effect", "remove", "random"]), @r#"
    --- stderr
    error: random comes with homestar
    hint: an effect of yours that offers the same is asked first
    --- exit code 4
    "#);
}

#[test]
fn one_of_yours_is_asked_before_one_that_comes_with_homestar() {
    let it = Environment::new().with_dice().with_key();
    let mut all = homestar_effects::all().iter();
    let random = all.find(|effect| effect.name == "random").unwrap();
    // A component with something beside is another component.
    let mine = [random.bytes, b"\0\x02\x01x"].concat();
    it.put("effects/mine.wasm", &mine);
    it.run(&["run", "dice.wasm", "roll", "--receipt", "r"]);
    let facts = it.run(&["receipt", "show", "r", "--json"]).json();
    let cid = homestar_core::unixfs::cid_of_file(&mine).to_string();
    assert_eq!(facts["meta"]["effects"][0]["/"], cid);
}

#[test]
fn two_that_offer_the_same_are_both_named() {
    let it = Environment::with(&["needs", "almanac"]);
    for name in ["one", "two"] {
        assert_eq!(
            it.run(&["effect", "add", "almanac.wasm", "--name", name])
                .code,
            Some(0)
        );
    }
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    --- stderr
    error: two effects provide `acme:almanac/almanac@0.1.0`: effects/one.wasm and effects/two.wasm
    hint: `--pin acme:almanac/almanac@0.1.0=NAME` chooses one; `homestar effect remove NAME` removes one
    --- exit code 4
    "#);
}

#[test]
fn one_in_front_of_nobody_is_named() {
    let it = Environment::with(&["needs", "pessimist"]);
    assert_eq!(it.run(&["effect", "add", "pessimist.wasm"]).code, Some(0));
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    --- stderr
    error: nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`, for effects/pessimist.wasm
    hint: no effect behind it offers `acme:almanac/almanac@0.1.0`; `homestar effect add FILE` adds one that does
    --- exit code 4
    "#);
}

/// An effect that offers `interface`, whose function `today` takes and gives nothing.
fn nothing_today(interface: &str) -> Vec<u8> {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $a (instantiate $m))
        (func $f (canon lift (core func $a "f")))
        (instance $i (export "today" (func $f)))
        (export "INTERFACE" (instance $i)))"#;
    wat::parse_str(text.replace("INTERFACE", interface)).unwrap()
}

#[test]
fn another_version_of_an_interface_is_named() {
    let it = Environment::with(&["needs", "almanac"]);
    it.put("later.wasm", nothing_today("acme:almanac/almanac@0.2.0"));
    it.put("flow.yaml", FLOW);
    assert_eq!(it.run(&["effect", "add", "later.wasm"]).code, Some(0));
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    --- stderr
    error: nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`
    hint: effects/later.wasm offers `acme:almanac/almanac@0.2.0`, which is another version; `homestar effect add FILE` adds one that offers this one
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["check", "flow.yaml"]), @r#"
    --- stderr
    error: flow.yaml has 1 problem
      flow.yaml:1:27: component `needs.wasm`: nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`
    hint: effects/later.wasm offers `acme:almanac/almanac@0.2.0`, which is another version; `homestar effect add FILE` adds one that offers this one
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["inspect", "needs.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       it can't run: nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`

    imports:
      acme:almanac/almanac@0.1.0  (nothing provides it)

    exports:
      advice: func(place: string) -> string
    --- exit code 0
    "#);
    // What the hint says helps.
    assert_eq!(it.run(&["effect", "add", "almanac.wasm"]).code, Some(0));
    assert_eq!(
        it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]).code,
        Some(0)
    );
    assert_eq!(it.run(&["check", "flow.yaml"]).code, Some(0));
}

#[test]
fn an_effect_of_other_types_is_named() {
    let it = Environment::with(&["needs", "almanac"]);
    it.put("other.wasm", nothing_today("acme:almanac/almanac@0.1.0"));
    it.put("flow.yaml", FLOW);
    assert_eq!(it.run(&["effect", "add", "other.wasm"]).code, Some(0));
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    --- stderr
    error: effects/other.wasm offers `acme:almanac/almanac@0.1.0`, but not as the component asks for it
      because: mismatched instantiation argument `acme:almanac/almanac@0.1.0`
      because: instance is missing expected record export `weather`
    hint: the two were built from other definitions of it; `--pin acme:almanac/almanac@0.1.0=NAME` chooses another effect, `homestar effect remove NAME` removes one
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["check", "flow.yaml"]), @r#"
    --- stderr
    error: flow.yaml has 1 problem
      flow.yaml:1:27: component `needs.wasm`: effects/other.wasm offers `acme:almanac/almanac@0.1.0`, but not as the component asks for it: mismatched instantiation argument `acme:almanac/almanac@0.1.0`: instance is missing expected record export `weather`
    hint: the two were built from other definitions of it; `--pin acme:almanac/almanac@0.1.0=NAME` chooses another effect, `homestar effect remove NAME` removes one
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["inspect", "needs.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       it can't run: effects/other.wasm offers `acme:almanac/almanac@0.1.0`, but not as the component asks for it

    imports:
      acme:almanac/almanac@0.1.0  (from effects/other.wasm)

    exports:
      advice: func(place: string) -> string
    --- exit code 0
    "#);
    assert_eq!(it.run(&["effect", "remove", "other"]).code, Some(0));
    assert_eq!(it.run(&["effect", "add", "almanac.wasm"]).code, Some(0));
    assert_eq!(
        it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]).code,
        Some(0)
    );
}

/// A workflow of one task that asks for an effect.
const FLOW: &str = "tasks: {trip: {component: needs.wasm, call: advice, args: [Cairo]}}";

#[test]
fn a_broken_effect_is_named_and_the_others_work() {
    let it = Environment::with(&["needs", "almanac"]);
    it.put("effects/broken.wasm", b"not wasm");
    assert_eq!(it.run(&["effect", "add", "almanac.wasm"]).code, Some(0));
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("Cairo")"#]), @r#"
    "go as you are"
    --- stderr
    warning: effects/broken.wasm can't be used as an effect: not a WebAssembly component: it looks like text
    --- exit code 0
    "#);
}

#[test]
fn what_offers_nothing_is_no_effect() {
    let it = Environment::with(&["add"]);
    assert_snapshot!(it.run(&["effect", "add", "add.wasm"]), @r#"
    --- stderr
    error: add.wasm offers no interface, so nothing can import it
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["effect", "add", "add.wasm", "--name", "a/b"]), @r#"
    --- stderr
    error: "a/b" is no name for an effect
    --- exit code 2
    "#);
}

#[test]
fn folders_may_be_given() {
    let it = Environment::with(&["needs"]);
    let (_, almanac) = homestar_guests::RUST
        .iter()
        .find(|(name, _)| *name == "almanac")
        .unwrap();
    it.put("mine/almanac.wasm", std::fs::read(almanac).unwrap());
    let advice = r#"advice("Cairo")"#;
    assert_snapshot!(it.run(&["run", "--effects", "mine", "needs.wasm", advice]), @r#"
    "go as you are"
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["effect", "where"]), @r#"
    effects
    $HOME/.local/share/homestar/effects
    built-in
    --- exit code 0
    "#);
}

#[test]
fn an_effect_shows_what_it_asks_for_before_it_is_added() {
    let it = Environment::with(&["pessimist", "almanac", "add"]);
    assert_snapshot!(it.run(&["effect", "inspect", "pessimist.wasm"]), @r#"
    effect   pessimist
    file     pessimist.wasm
    cid      bafkr…
    size     …
    granted  what is granted to who asks it
    reaches  it can't run: nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`

    imports:
      acme:almanac/almanac@0.1.0  (nothing provides it)

    exports:
      acme:almanac/almanac@0.1.0
        today: func(place: string) -> result<weather, string>
    --- exit code 0
    "#);
    it.run(&["effect", "add", "almanac.wasm"]);
    let facts = it
        .run(&["effect", "inspect", "pessimist.wasm", "--json"])
        .json();
    assert_eq!(facts["asks"][0], "acme:almanac/almanac@0.1.0");
    assert_eq!(facts["offers"][0], "acme:almanac/almanac@0.1.0");
    assert_eq!(facts["reaches"], serde_json::json!([]));
    assert_eq!(facts["built_in"], false);
    assert_eq!(facts["granted"], serde_json::Value::Null);
    let wit = it.run(&["effect", "inspect", "almanac", "--wit"]);
    assert!(wit.stdout().contains("interface almanac {"), "{wit}");
    assert_snapshot!(it.run(&["effect", "inspect", "almanack"]), @r#"
    --- stderr
    error: there is no effect almanack, and no file almanack
    hint: `homestar effect list` shows those there are
    --- exit code 4
    "#);
    assert_eq!(it.run(&["effect", "inspect", "add.wasm"]).code, Some(4));
}

#[test]
fn an_effect_shows_what_it_reaches_and_may() {
    let it = Environment::new();
    assert_snapshot!(it.run(&["effect", "inspect", "random"]), @r#"
    effect   random
    file     built-in/random.wasm
    cid      bafkr…
    size     …
    granted  what is granted to who asks it
    reaches  homestar:driver/entropy

    imports:
      homestar:random/types@0.1.0
      homestar:driver/entropy@0.1.0  (leads outside)

    exports:
      homestar:random/random@0.1.0
        bytes: func(length: u32) -> result<list<u8>, error>
        u64: func() -> result<u64, error>
        range: func(start: s64, end: s64) -> result<s64, error>
        shuffle: func(length: u32) -> result<list<u32>, error>
        uuid: func() -> result<string, error>
    --- exit code 0
    "#);
    let beacon = it.run(&["effect", "inspect", "beacon", "--json"]).json();
    let reaches = serde_json::json!([
        {"driver": "homestar:driver/http", "through": "built-in/https.wasm"}
    ]);
    assert_eq!(beacon["reaches"], reaches);
    let settings = "ceiling = [\"random\"]\n[effect.random]\ngrant = [\"random\", \"clock\"]";
    it.put("mine.toml", settings);
    let mine = ["effect", "inspect", "random", "--config", "mine.toml"];
    let granted = it.run(&mine).stdout().to_owned();
    let granted = granted.lines().find(|line| line.starts_with("granted"));
    assert_eq!(granted, Some("granted  `random`, `clock` and `random`"));
    let facts = it.run(&[&mine[..], &["--json"]].concat()).json();
    assert_eq!(
        facts["granted"],
        serde_json::json!([["random", "clock"], ["random"]])
    );
}
