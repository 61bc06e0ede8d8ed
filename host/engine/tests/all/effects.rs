//! Effects are found in folders and composed into the guests that ask for them.

use std::fs;
use std::path::Path;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::{Kind, Outcome};
use homestar_core::task::Input;
use homestar_core::unixfs::cid_of_file;
use homestar_engine::{Call, Component, EffectError, Effects, Live, LoadError, PinError};

use crate::{engine, instruction, limits, text};

/// No effect in these tests is larger, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// A folder with copies of these components in it.
fn folder(files: &[(&str, &Path)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, path) in files {
        fs::copy(path, folder.path().join(name)).unwrap();
    }
    folder
}

fn effects(folders: &[&tempfile::TempDir]) -> Effects {
    let mut effects = Effects::new();
    for folder in folders {
        let errors = effects.add_folder(folder.path(), BYTES_MAX);
        assert!(errors.is_empty(), "{errors:?}");
    }
    effects
}

fn needs(effects: &Effects) -> Result<Component, LoadError> {
    engine().load_with(&fs::read(homestar_guests::needs()).unwrap(), || {
        effects.clone()
    })
}

fn advice(component: &Component, place: &str) -> Outcome {
    let instruction = instruction(component, Input::new("advice", vec![text(place)]));
    let done = engine()
        .call(component, Call::new(&instruction, &limits()))
        .unwrap();
    done.outcome
}

fn says(words: &str) -> Outcome {
    Outcome::Ok(Ipld::String(words.into()))
}

fn cid(path: &Path) -> homestar_core::ipld::Cid {
    cid_of_file(&fs::read(path).unwrap())
}

#[test]
fn an_effect_provides_what_a_guest_asks_for() {
    let folder = folder(&[("almanac.wasm", homestar_guests::almanac())]);
    let component = needs(&effects(&[&folder])).unwrap();
    assert_eq!(advice(&component, "Bergen"), says("take an umbrella"));
    assert_eq!(advice(&component, "Cairo"), says("go as you are"));
    assert_eq!(
        advice(&component, "Atlantis"),
        says("look out of the window: the almanac does not know Atlantis")
    );
    assert_eq!(component.effects(), &[cid(homestar_guests::almanac())]);
    assert_eq!(component.cid(), &cid(homestar_guests::needs()));
    assert_eq!(component.functions().len(), 1);
}

#[test]
fn an_effect_that_asks_for_what_it_offers_stands_in_front() {
    let folder = folder(&[
        ("a.wasm", homestar_guests::almanac()),
        ("z.wasm", homestar_guests::pessimist()),
    ]);
    let component = needs(&effects(&[&folder])).unwrap();
    assert_eq!(advice(&component, "Cairo"), says("take an umbrella"));
    assert_eq!(
        component.effects(),
        &[
            cid(homestar_guests::pessimist()),
            cid(homestar_guests::almanac())
        ]
    );
}

#[test]
fn the_composition_is_the_same_wherever_its_parts_lie() {
    let names = [["a.wasm", "b.wasm"], ["y.wasm", "x.wasm"]];
    let folders = names.map(|[almanac, pessimist]| {
        folder(&[
            (almanac, homestar_guests::almanac()),
            (pessimist, homestar_guests::pessimist()),
        ])
    });
    let fuel = folders.map(|folder| {
        let component = needs(&effects(&[&folder])).unwrap();
        let instruction = instruction(&component, Input::new("advice", vec![text("Cairo")]));
        engine()
            .call(&component, Call::new(&instruction, &limits()))
            .unwrap()
            .fuel
    });
    assert_eq!(fuel[0], fuel[1]);
}

#[test]
fn a_guest_that_asks_for_nothing_gets_nothing_and_looks_at_no_folder() {
    let bytes = fs::read(homestar_guests::hello()).unwrap();
    let component = engine()
        .load_with(&bytes, || -> Effects { panic!("nobody asked for effects") })
        .unwrap();
    assert!(component.effects().is_empty());
}

/// Nobody waits for what will never come.
#[test]
fn what_is_no_file_is_named_and_the_others_work() {
    let folder = folder(&[("almanac.wasm", homestar_guests::almanac())]);
    let mode = rustix::fs::Mode::from(0o600);
    let pipe = folder.path().join("pipe.wasm");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    fs::create_dir(folder.path().join("folder.wasm")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless.wasm")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling.wasm")).unwrap();
    let mut effects = Effects::new();
    let errors = effects.add_folder(folder.path(), BYTES_MAX);
    let names = errors.iter().map(|error| error.path().file_name().unwrap());
    let expected = ["dangling.wasm", "endless.wasm", "folder.wasm", "pipe.wasm"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let component = needs(&effects).unwrap();
    assert_eq!(advice(&component, "Cairo"), says("go as you are"));
    let live = Live::open(&[folder.path().to_owned()], BYTES_MAX).snapshot();
    assert_eq!(live.effects.iter().count(), 1);
    // For who watches, a link that leads nowhere is a file that isn't there yet.
    assert_eq!(live.errors.len(), errors.len() - 1);
}

#[test]
fn two_providers_in_one_folder_are_an_error_that_names_both() {
    let folder = folder(&[
        ("one.wasm", homestar_guests::almanac()),
        ("two.wasm", homestar_guests::almanac()),
    ]);
    let error = needs(&effects(&[&folder])).unwrap_err();
    let LoadError::TwoProviders { import, paths } = &error else {
        panic!("{error}")
    };
    assert_eq!(import, "acme:almanac/almanac@0.1.0");
    assert_eq!(
        paths
            .clone()
            .map(|path| path.file_name().unwrap().to_owned()),
        ["one.wasm", "two.wasm"]
    );
}

#[test]
fn a_nearer_folder_comes_first() {
    let near = folder(&[("one.wasm", homestar_guests::almanac())]);
    let far = folder(&[("two.wasm", homestar_guests::almanac())]);
    assert!(needs(&effects(&[&near, &far])).is_ok());
}

#[test]
fn nobody_in_front_of_nothing() {
    let folder = folder(&[("pessimist.wasm", homestar_guests::pessimist())]);
    let error = needs(&effects(&[&folder])).unwrap_err();
    let LoadError::Missing { missing } = &error else {
        panic!("{error}")
    };
    assert_eq!(missing[0].asker, Some(folder.path().join("pessimist.wasm")));
}

fn written(folder: &tempfile::TempDir, name: &str, wat: &str) {
    fs::write(folder.path().join(name), wat::parse_str(wat).unwrap()).unwrap();
}

#[test]
fn another_version_is_not_taken_but_named() {
    let folder = folder(&[]);
    written(
        &folder,
        "later.wasm",
        r#"(component
        (core module $m (func (export "f")))
        (core instance $a (instantiate $m))
        (func $f (canon lift (core func $a "f")))
        (instance $i (export "today" (func $f)))
        (export "acme:almanac/almanac@0.2.0" (instance $i)))"#,
    );
    let error = needs(&effects(&[&folder])).unwrap_err();
    let LoadError::Missing { missing } = &error else {
        panic!("{error}")
    };
    let offered = (
        folder.path().join("later.wasm"),
        "acme:almanac/almanac@0.2.0".to_owned(),
    );
    assert_eq!(missing[0].offered, Some(offered));
}

#[test]
fn an_effect_with_nobody_behind_it_is_told_from_another_version() {
    let folder = folder(&[("alone.wasm", homestar_guests::pessimist())]);
    let error = needs(&effects(&[&folder])).unwrap_err();
    let LoadError::Missing { missing } = &error else {
        panic!("{error}")
    };
    assert!(missing[0].is_in_front);
    assert_eq!(missing[0].asker, Some(folder.path().join("alone.wasm")));
    assert_eq!(missing[0].offered, None);
}

#[test]
fn an_effect_with_other_types_does_not_fit() {
    let folder = folder(&[]);
    written(
        &folder,
        "other.wasm",
        r#"(component
        (core module $m (func (export "f")))
        (core instance $a (instantiate $m))
        (func $f (canon lift (core func $a "f")))
        (instance $i (export "today" (func $f)))
        (export "acme:almanac/almanac@0.1.0" (instance $i)))"#,
    );
    let error = needs(&effects(&[&folder])).unwrap_err();
    let LoadError::DoesNotFit {
        import,
        asker,
        path,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    let other = folder.path().join("other.wasm");
    assert_eq!(
        (import.as_str(), asker, path),
        ("acme:almanac/almanac@0.1.0", &None, &other)
    );

    // Nor for an effect that asks for it.
    let nearer = self::folder(&[("pessimist.wasm", homestar_guests::pessimist())]);
    let error = needs(&effects(&[&nearer, &folder])).unwrap_err();
    let LoadError::DoesNotFit { asker, path, .. } = &error else {
        panic!("{error}")
    };
    let pessimist = nearer.path().join("pessimist.wasm");
    assert_eq!((asker, path), (&Some(pessimist), &other));
}

/// Each of two effects offers what the other asks for.
#[test]
fn a_circle_is_an_error() {
    let effect = |asks: &str, offers: &str| {
        format!(
            r#"(component
            (import "acme:circle/{asks}@0.1.0" (instance $asked (export "f" (func))))
            (core func $lowered (canon lower (func $asked "f")))
            (core module $m (import "a" "f" (func)) (export "f" (func 0)))
            (core instance $a (instantiate $m (with "a" (instance (export "f" (func $lowered))))))
            (func $f (canon lift (core func $a "f")))
            (instance $i (export "f" (func $f)))
            (export "acme:circle/{offers}@0.1.0" (instance $i)))"#
        )
    };
    let folder = folder(&[]);
    written(&folder, "a.wasm", &effect("one", "two"));
    written(&folder, "b.wasm", &effect("two", "one"));
    let guest = wat::parse_str(effect("one", "main")).unwrap();
    let error = engine()
        .load_with(&guest, || effects(&[&folder]))
        .unwrap_err();
    assert!(matches!(error, LoadError::Circle { .. }), "{error}");
}

#[test]
fn a_broken_file_is_named_and_the_others_work() {
    let folder = folder(&[("almanac.wasm", homestar_guests::almanac())]);
    fs::write(folder.path().join("broken.wasm"), b"\0asm broken").unwrap();
    fs::write(folder.path().join("notes.txt"), b"not looked at").unwrap();
    fs::copy(
        homestar_guests::add(),
        folder.path().join("offers-nothing.wasm"),
    )
    .unwrap();
    let mut effects = Effects::new();
    let errors = effects.add_folder(folder.path(), BYTES_MAX);
    let about: Vec<_> = errors
        .iter()
        .map(|error| error.path().file_name().unwrap().to_owned())
        .collect();
    assert_eq!(about, ["broken.wasm", "offers-nothing.wasm"]);
    assert!(matches!(errors[1], EffectError::NoInterface { .. }));
    assert_eq!(
        advice(&needs(&effects).unwrap(), "Bergen"),
        says("take an umbrella")
    );
}

#[test]
fn a_folder_that_does_not_exist_has_no_effects() {
    let mut effects = Effects::new();
    assert!(
        effects
            .add_folder("no/such/folder".as_ref(), BYTES_MAX)
            .is_empty()
    );
    assert!(effects.is_empty());
}

#[test]
fn a_trap_in_an_effect_says_in_which_function() {
    let folder = folder(&[("almanac.wasm", homestar_guests::almanac())]);
    let Outcome::Error(failure) = advice(&needs(&effects(&[&folder])).unwrap(), "nowhere") else {
        panic!("no failure")
    };
    assert_eq!(failure.kind, Kind::Trap);
    let message = failure.message;
    let place = message
        .lines()
        .find(|line| line.contains("acme:almanac/almanac@0.1.0#today"));
    let place = place.unwrap_or_else(|| panic!("{message}"));
    assert!(place.ends_with(" of almanac"), "{message}");
}

#[test]
fn offers_and_asks_are_read_from_the_type() {
    let folder = folder(&[("pessimist.wasm", homestar_guests::pessimist())]);
    let effects = effects(&[&folder]);
    let effect = effects.iter().next().unwrap();
    assert_eq!(
        effect.offers().collect::<Vec<_>>(),
        ["acme:almanac/almanac@0.1.0"]
    );
    assert_eq!(
        effect.asks().collect::<Vec<_>>(),
        ["acme:almanac/almanac@0.1.0"]
    );
    assert_eq!(effect.cid(), &cid(homestar_guests::pessimist()));
}

/// A guest in Rust, an effect in JavaScript: the call crosses between them, errors included.
#[test]
fn an_effect_may_be_in_another_language() {
    let Some(almanac) = homestar_guests::or_skip(homestar_guests::quickjs_almanac()) else {
        return;
    };
    let folder = folder(&[("almanac.wasm", &almanac)]);
    let mut effects = Effects::new();
    assert!(effects.add_folder(folder.path(), 8 * BYTES_MAX).is_empty());
    let component = needs(&effects).unwrap();
    assert_eq!(advice(&component, "Bergen"), says("take an umbrella"));
    let unknown = "look out of the window: the almanac does not know Cairo";
    assert_eq!(advice(&component, "Cairo"), says(unknown));
}

/// An interface of nothing but types needs no provider, so no effects are looked for and the component stays itself.
#[test]
fn types_alone_ask_for_nothing() {
    let bytes = fs::read(homestar_guests::image()).unwrap();
    let component = engine().load_with(&bytes, Effects::new).unwrap();
    assert_eq!(component.cid(), &cid_of_file(&bytes));
    let again = engine()
        .load_with(&bytes, || -> Effects { panic!("nobody asked for effects") })
        .unwrap();
    assert!(again.effects().is_empty());
}

/// Copies of one effect are two parts: each stands in front once.
#[test]
fn copies_of_an_effect_are_parts_of_their_own() {
    let folder = folder(&[
        ("almanac.wasm", homestar_guests::almanac()),
        ("one.wasm", homestar_guests::pessimist()),
        ("two.wasm", homestar_guests::pessimist()),
    ]);
    let component = needs(&effects(&[&folder])).unwrap();
    assert_eq!(component.effects().len(), 3);
    assert_eq!(advice(&component, "Cairo"), says("take an umbrella"));
}

#[test]
fn a_folder_that_is_given_twice_counts_once() {
    let folder = folder(&[
        ("almanac.wasm", homestar_guests::almanac()),
        ("pessimist.wasm", homestar_guests::pessimist()),
    ]);
    let mut effects = effects(&[&folder]);
    let same = folder
        .path()
        .join("..")
        .join(folder.path().file_name().unwrap());
    for again in [folder.path(), &same] {
        assert!(effects.add_folder(again, BYTES_MAX).is_empty());
    }
    assert_eq!(effects.iter().count(), 2);
    assert_eq!(needs(&effects).unwrap().effects().len(), 2);
}

#[test]
fn a_pin_decides_between_providers() {
    let near = folder(&[
        ("one.wasm", homestar_guests::almanac()),
        ("two.wasm", homestar_guests::almanac()),
    ]);
    let far = folder(&[("far.wasm", homestar_guests::almanac())]);
    let pinned = |interface: &str, which: &str| {
        let mut effects = effects(&[&near, &far]);
        effects.pin(interface, which)?;
        let provider = effects.provider(None, ALMANAC).expect("one provider");
        Ok::<_, PinError>(provider.expect("a provider").name().to_owned())
    };
    let base = ALMANAC.split('@').next().unwrap();
    for interface in [base, ALMANAC] {
        for name in ["one", "two", "far"] {
            assert_eq!(pinned(interface, name).as_deref(), Ok(name));
        }
    }
    let cid = cid(homestar_guests::almanac()).to_string();
    assert_eq!(pinned(base, &cid).as_deref(), Ok("one"));
    assert_eq!(
        pinned(base, "three").unwrap_err().to_string(),
        format!("there is no effect three to provide `{base}`")
    );
    assert_eq!(
        pinned("acme:almanac/rain", "one").unwrap_err().to_string(),
        format!("the effect one doesn't offer `acme:almanac/rain`; it offers `{ALMANAC}`")
    );
    assert!(pinned("acme:almanac/almanac@0.2.0", "one").is_err());
}

#[test]
fn a_pin_with_a_version_counts_for_more_and_the_first_of_two_alike() {
    let folder = folder(&[
        ("one.wasm", homestar_guests::almanac()),
        ("two.wasm", homestar_guests::almanac()),
    ]);
    let mut effects = effects(&[&folder]);
    let base = ALMANAC.split('@').next().unwrap();
    let name = |effects: &Effects| {
        let provider = effects.provider(None, ALMANAC).unwrap();
        provider.unwrap().name().to_owned()
    };
    effects.pin(base, "two").unwrap();
    effects.pin(base, "one").unwrap();
    assert_eq!(name(&effects), "two");
    effects.pin(ALMANAC, "one").unwrap();
    assert_eq!(name(&effects), "one");
}

#[test]
fn who_stands_in_front_still_does_when_a_source_is_pinned() {
    let folder = folder(&[
        ("one.wasm", homestar_guests::almanac()),
        ("two.wasm", homestar_guests::almanac()),
        ("z.wasm", homestar_guests::pessimist()),
    ]);
    let mut effects = effects(&[&folder]);
    assert!(needs(&effects).is_err());
    effects.pin(ALMANAC, "two").unwrap();
    assert_eq!(
        advice(&needs(&effects).unwrap(), "Cairo"),
        says("take an umbrella")
    );
    effects.pin(ALMANAC, "z").unwrap();
    assert!(needs(&effects).is_ok());
}

/// What `needs` asks for.
const ALMANAC: &str = "acme:almanac/almanac@0.1.0";
