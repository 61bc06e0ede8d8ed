//! Compositions of many parts, each with a world and doors of its own.

use std::path::Path;

use homestar_engine::{Allocation, Effects};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::*;

/// Parts that are composed. There used to be limits of 8 and of 32.
const PARTS: usize = 40;

/// A component with all of `world` that does nothing.
fn idle(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wasi = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/python/web/wit/deps");
    for name in ["io.wit", "clocks.wit", "http.wit"] {
        let text = std::fs::read_to_string(wasi.join(name)).unwrap();
        resolve.push_str(name, &text).expect("WASI");
    }
    let text = format!(
        "package test:many;
        world part {{ {world} }}
        package acme:chain@0.1.0 {{ interface chain {{ next: func() -> u64; }} }}
        package wasi:random@0.2.12 {{ interface random {{ get-random-u64: func() -> u64; }} }}"
    );
    let package = resolve.push_str("many.wit", &text).expect("a world");
    let world = resolve.select_world(&[package], None).expect("one world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a section");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .expect("a component")
}

/// A guest with this many parts behind it, all told.
fn chain(engine: &Engine) -> Component {
    const WASI: &str = "
        import wasi:http/outgoing-handler@0.2.12;
        import wasi:random/random@0.2.12;
        import wasi:clocks/monotonic-clock@0.2.12;";
    const ASKS: &str = "import acme:chain/chain@0.1.0;";
    const OFFERS: &str = "export acme:chain/chain@0.1.0;";
    let link = idle(&[WASI, ASKS, OFFERS].concat());
    let names: Vec<_> = (1..PARTS).map(|number| format!("link-{number}")).collect();
    let links = names.iter().map(|name| (name.as_str(), link.clone()));
    let mut effects = Effects::new();
    effects.add_built_in(links).expect("effects");
    let last = idle(&[WASI, OFFERS].concat());
    effects.add_built_in([("last", last)]).expect("an effect");
    let guest = idle(&[WASI, ASKS, "export run: func() -> u64;"].concat());
    let guest = engine.load_with(&guest, || effects).expect("a guest");
    assert_eq!(guest.effects().len(), PARTS);
    guest
}

#[test]
fn there_may_be_many_parts_with_a_world_and_doors_of_their_own() {
    // It has started, with all of its parts, when its function traps.
    let end = end(&chain(engine()), "run", vec![], &limits());
    assert_eq!(end, Kind::Trap);
}

#[test]
fn a_pool_that_is_too_small_for_them_says_so() {
    let small = Engine::new(Config {
        allocation: Allocation::Pooling { instances_max: 1 },
        ..Config::default()
    });
    let small = small.expect("an engine");
    let guest = chain(&small);
    let instruction = instruction(&guest, Input::new("run", vec![]));
    let done = small.call(&guest, Call::new(&instruction, &limits()));
    let Err(CallError::Host(words)) = done else {
        panic!("{done:?}");
    };
    assert!(
        words.contains("core instances") && words.contains("`instances_max`"),
        "{words}"
    );
}
