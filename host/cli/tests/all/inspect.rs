//! What a component is.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn what_a_component_imports_and_exports() {
    let it = Environment::with(&["add", "needs", "cli", "plain", "image"]);
    assert_snapshot!(it.run(&["inspect", "add.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       yes

    imports: none

    exports:
      add: func(a: u32, b: u32) -> u32
    --- exit code 0
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
    assert_snapshot!(it.run(&["inspect", "plain.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library, from a core module
    pure       yes

    imports: none

    exports:
      multiply: func(a: u32, b: u32) -> u32
      shout: func(text: string) -> string
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["inspect", "image.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       yes

    imports:
      homestar:image/types@0.1.0

    exports:
      crop: func(image: list<u8>, x: u32, y: u32, width: u32, height: u32) -> result<list<u8>, error>
      rotate90: func(image: list<u8>) -> result<list<u8>, error>
      grayscale: func(image: list<u8>) -> result<list<u8>, error>
      blur: func(image: list<u8>, sigma: f32) -> result<list<u8>, error>
    --- exit code 0
    "#);
    let cli = it.run(&["inspect", "cli.wasm"]).to_string();
    assert!(
        cli.contains("kind       command\n") && cli.contains("pure       yes\n"),
        "{cli}"
    );
}

#[test]
fn its_type_as_wit() {
    let it = Environment::with(&["needs"]);
    assert_snapshot!(it.run(&["inspect", "needs.wasm", "--wit"]), @r#"
    package root:component;

    world root {
      import acme:almanac/almanac@0.1.0;

      export advice: func(place: string) -> string;
    }
    package acme:almanac@0.1.0 {
      interface almanac {
        record weather {
          temperature: f32,
          chance-of-rain: f32,
        }

        today: func(place: string) -> result<weather, string>;
      }
    }
    --- exit code 0
    "#);
}

#[test]
fn facts_for_programs() {
    let it = Environment::with(&["needs"]);
    let facts = it.run(&["inspect", "needs.wasm", "--json"]).json();
    assert_eq!(facts["pure"], false);
    assert_eq!(
        facts["needs"],
        serde_json::json!(["acme:almanac/almanac@0.1.0"])
    );
    assert_eq!(facts["exports"][0]["name"], "advice");
    assert_eq!(facts["bytes"], it.read("needs.wasm").len());
}

#[test]
fn what_is_read_from_its_bytes_is_what_runs() {
    let it = Environment::with(&["zoo", "text", "hello", "asynchronous"]);
    for name in ["zoo.wasm", "text.wasm", "hello.wasm", "asynchronous.wasm"] {
        let facts = it.run(&["inspect", name, "--json"]).json();
        let listed = it.run(&["run", name, "--json"]).json();
        let names = |list: &serde_json::Value| -> Vec<String> {
            let functions = list.as_array().unwrap().iter();
            functions
                .map(|function| function["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&facts["exports"]), names(&listed["ok"]), "{name}");
    }
}

#[test]
fn shells_complete_it() {
    let it = Environment::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = it.run(&["completions", shell]);
        assert!(
            said.code == Some(0) && said.stdout().contains("inspect"),
            "{shell}"
        );
    }
    let version = concat!("homestar ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(it.run(&["--version"]).stdout(), version);
}

#[test]
fn what_leads_outside_is_named_with_the_way_there() {
    let it = Environment::with(&["nosy"])
        .with_dice()
        .with_effects(&["random"]);
    assert_snapshot!(it.run(&["inspect", "dice.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       no
    reaches    homestar:driver/entropy through built-in/random.wasm

    imports:
      homestar:random/types@0.1.0
      homestar:random/random@0.1.0  (from built-in/random.wasm)

    exports:
      roll: func() -> result<u64, string>
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["inspect", "random.wasm"]), @r#"
    component  bafkr…
    size       …
    kind       library
    pure       no
    reaches    homestar:driver/entropy

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
    let facts = it.run(&["inspect", "dice.wasm", "--json"]).json();
    assert_eq!(facts["pure"], false);
    assert_eq!(facts["reaches"][0]["through"], "built-in/random.wasm");
    let nosy = it.run(&["inspect", "nosy.wasm"]).to_string();
    let pure = nosy.lines().find(|line| line.starts_with("pure")).unwrap();
    assert_eq!(pure, "pure       yes, unless granted clock or random");
    let facts = it.run(&["inspect", "nosy.wasm", "--json"]).json();
    assert_eq!(facts["pure"], true);
    assert_eq!(
        facts["pure_unless_granted"],
        serde_json::json!(["clock", "random"])
    );
}

/// What the settings grant to everybody or to one effect makes a task that much less pure.
#[test]
fn what_is_granted_is_not_pure() {
    const SETTINGS: &str = ".config/homestar/homestar.toml";
    let it = Environment::with(&["nosy"]).with_key();
    it.put(SETTINGS, "grant = [\"random\"]");
    let nosy = it.run(&["inspect", "nosy.wasm"]).to_string();
    assert!(
        nosy.contains("pure       no\nreaches    homestar:driver/entropy\n"),
        "{nosy}"
    );
    let facts = it.run(&["inspect", "nosy.wasm", "--json"]).json();
    assert_eq!(facts["pure"], false);
    assert_eq!(facts["pure_unless_granted"], serde_json::json!(["clock"]));

    // A component that passes on what `function` of `import` says.
    let passing = |import: &str, function: &str, export: &str| {
        let text = format!(
            r#"(component
            (import "{import}" (instance $r (export "{function}" (func (result u64)))))
            (core func $lowered (canon lower (func $r "{function}")))
            (core module $m
                (import "" "f" (func $f (result i64)))
                (func (export "f") (result i64) call $f))
            (core instance $c
                (instantiate $m (with "" (instance (export "f" (func $lowered))))))
            (func $f (result u64) (canon lift (core func $c "f")))
            {export})"#
        );
        wat::parse_str(text).unwrap()
    };
    let offer = r#"(instance $i (export "roll" (func $f)))
        (export "acme:luck/luck@0.1.0" (instance $i))"#;
    let luck = passing("wasi:random/random@0.2.0", "get-random-u64", offer);
    let player = passing(
        "acme:luck/luck@0.1.0",
        "roll",
        r#"(export "roll" (func $f))"#,
    );
    it.put("effects/luck.wasm", luck);
    it.put("player.wasm", player);
    for (settings, pure, reaches) in [
        (
            "",
            "yes, with effects/luck.wasm, unless granted random",
            None,
        ),
        (
            "effect.luck.grant = [\"random\"]",
            "no",
            Some("homestar:driver/entropy through effects/luck.wasm"),
        ),
        (
            "grant = [\"random\"]\neffect.luck.grant = [\"clock\"]",
            "yes, with effects/luck.wasm, unless granted random",
            None,
        ),
    ] {
        it.put(SETTINGS, settings);
        let said = it.run(&["inspect", "player.wasm"]).to_string();
        let row = |name: &str| {
            let mut lines = said.lines();
            lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
        };
        assert_eq!((row("pure"), row("reaches")), (Some(pure), reaches));
        let reaches = reaches.map_or("nothing outside", |_| "homestar:driver/entropy");
        let effect = it.run(&["effect", "inspect", "luck"]).to_string();
        assert!(
            effect.contains(&format!("reaches  {reaches}\n")),
            "{effect}"
        );
        // So does the receipt of a run.
        let run = ["run", "player.wasm", "roll", "--receipt", "roll.receipt"];
        let said = it.run(&run);
        assert_eq!(said.code, Some(0), "{said}");
        let receipt = it.run(&["receipt", "show", "roll.receipt"]).to_string();
        let is_pure = receipt.contains("pure         yes");
        assert_eq!(is_pure, pure.starts_with("yes"), "{receipt}");
    }
}
