//! Effects in folders, as a person adds and uses them.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn an_effect_is_added_used_and_removed() {
    let it = Environment::with(&["needs", "almanac"]).with_key();
    let before = it.run(&["effect", "list"]).to_string();
    assert_snapshot!(it.run(&["effect", "add", "almanac.wasm"]), @r#"
    effects/almanac.wasm offers acme:weather/forecast@0.1.0
    --- exit code 0
    "#);
    let listed = it.run(&["effect", "list"]).to_string();
    assert_snapshot!(listed.strip_suffix(&before).unwrap(), @r#"
    effect  almanac
    file    effects/almanac.wasm
    cid     bafkr…
    offers  acme:weather/forecast@0.1.0
    "#);
    assert_snapshot!(it.run(&["inspect", "needs.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       yes, with effects/almanac.wasm

    imports:
      acme:weather/forecast@0.1.0  (from effects/almanac.wasm)

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
    let (added, _) = listed.split_once("\neffect  digest").unwrap();
    assert_snapshot!(added, @r#"
    effect  pessimist
    file    effects/pessimist.wasm
    cid     bafkr…
    offers  acme:weather/forecast@0.1.0
    asks    acme:weather/forecast@0.1.0  (from $HOME/.local/share/homestar/effects/almanac.wasm)

    effect  almanac
    file    $HOME/.local/share/homestar/effects/almanac.wasm
    cid     bafkr…
    offers  acme:weather/forecast@0.1.0
    "#);
    let listed = it.run(&["effect", "list", "--json"]).json();
    assert_eq!(listed["ok"][0]["asks"][0], "acme:weather/forecast@0.1.0");
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
    let cid = homestar_core::ipld::cid_of_raw(&mine).to_string();
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
    error: two effects provide `acme:weather/forecast@0.1.0`: effects/one.wasm and effects/two.wasm
    hint: `homestar effect remove NAME` removes one; one in a nearer folder comes first
    --- exit code 4
    "#);
}

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
