//! What can't be loaded says why.

use std::error::Error as _;
use std::fs;

use homestar_engine::{Config, Engine, LoadError, Missing};

use crate::engine;

fn refused(bytes: &[u8]) -> LoadError {
    engine().load(bytes).unwrap_err()
}

#[test]
fn a_missing_import_is_named_with_its_functions() {
    let error = engine().load_file(homestar_guests::needs()).unwrap_err();
    let LoadError::Missing { missing } = &error else {
        panic!("{error}")
    };
    let expected = Missing {
        import: "acme:almanac/almanac@0.1.0".into(),
        functions: vec!["today".into()],
        asker: None,
        is_in_front: false,
        offered: None,
    };
    assert_eq!(missing, &[expected]);
    assert_eq!(
        error.to_string(),
        "nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`"
    );
}

#[test]
fn an_import_of_the_world_itself_is_named() {
    let text = r#"(component (import "now" (func)))"#;
    let error = refused(&wat::parse_str(text).unwrap());
    assert_eq!(error.to_string(), "nothing provides the import `now`");
}

#[test]
fn what_is_no_component_is_said_to_be_what_it_is() {
    assert_eq!(
        refused(b"").to_string(),
        "not a WebAssembly component: it looks like nothing at all"
    );
    assert_eq!(
        refused(b"hello").to_string(),
        "not a WebAssembly component: it looks like text"
    );
    let module = wat::parse_str("(module)").unwrap();
    assert_eq!(
        refused(&module).to_string(),
        "a core WebAssembly module, not a component"
    );
}

/// A component cut between two sections may be a smaller one; cut anywhere else it is none.
#[test]
fn a_cut_component_is_invalid_or_exports_less() {
    let bytes = fs::read(homestar_guests::add()).unwrap();
    for end in (8..bytes.len()).step_by(97) {
        match engine().load(&bytes[..end]) {
            Ok(component) => assert!(component.functions().is_empty(), "{end}"),
            Err(LoadError::Invalid { .. }) => {}
            Err(error) => panic!("{end}: {error} {:?}", error.source()),
        }
    }
}

#[test]
fn damaged_components_never_bring_the_host_down() {
    let bytes = fs::read(homestar_guests::add()).unwrap();
    let engine = Engine::new(Config::default()).unwrap();
    for position in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x55;
        // Whether it still loads depends on what was hit; that it answers is what counts.
        let _ = engine.load(&damaged);
    }
}

#[test]
fn a_component_may_be_too_large() {
    let engine = Engine::new(Config {
        component_bytes_max: 1000,
        ..Config::default()
    })
    .unwrap();
    let error = engine.load_file(homestar_guests::add()).unwrap_err();
    assert!(
        matches!(
            error,
            LoadError::TooLarge {
                bytes_max: 1000,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn types_may_be_too_large() {
    let mut text = String::from("(component (type $t0 (tuple u8 u8))");
    for number in 1..30 {
        let before = number - 1;
        text += &format!("(type $t{number} (tuple $t{before} $t{before}))");
    }
    text += r#"(core module $m (memory (export "m") 1) (func (export "f") (result i32) (i32.const 0)))
        (core instance $a (instantiate $m))
        (func (export "f") (result $t29) (canon lift (core func $a "f") (memory $a "m"))))"#;
    let bytes = wat::parse_str(&text).unwrap();
    let error = refused(&bytes);
    let is_known = matches!(
        error,
        LoadError::Invalid { .. } | LoadError::TypesTooLarge { .. }
    );
    assert!(is_known, "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = engine()
        .load_file("no/such/file.wasm".as_ref())
        .unwrap_err();
    assert_eq!(error.to_string(), "can't read no/such/file.wasm");
}

#[test]
fn a_component_describes_itself_as_wit() {
    let wit = homestar_engine::wit::print(&fs::read(homestar_guests::zoo()).unwrap()).unwrap();
    assert!(
        wit.contains("echo-person: func(value: person) -> person;"),
        "{wit}"
    );
    let needs = homestar_engine::wit::print(&fs::read(homestar_guests::needs()).unwrap()).unwrap();
    assert!(
        needs.contains("import acme:almanac/almanac@0.1.0;"),
        "{needs}"
    );
}
