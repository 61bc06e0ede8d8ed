//! The drivers' types are those of `wit/deps/homestar-driver`.

use homestar_engine::drivers::{clock, entropy, keys, state, vrf};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, StoreContextMut};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component that imports all that these drivers offer, and does nothing.
fn importer() -> Vec<u8> {
    const WORLD: &str = "
        package test:drivers;
        world all {
            import homestar:driver/clock@0.1.0;
            import homestar:driver/entropy@0.1.0;
            import homestar:driver/keys@0.1.0;
            import homestar:driver/state@0.1.0;
            import homestar:driver/vrf@0.1.0;
        }";
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
    resolve.push_dir(wit).expect("our own WIT");
    let package = resolve.push_str("all.wit", WORLD).expect("a world");
    let world = resolve.select_world(&[package], None).expect("one world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a section");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .expect("a component")
}

/// Defines functions that have the right types and are never called.
macro_rules! define {
    ($linker:ident, $interface:literal, $($name:literal: $params:ty => $result:ty,)*) => {
        let mut instance = $linker.instance(concat!("homestar:driver/", $interface, "@0.1.0"))?;
        $(instance.func_wrap(
            $name,
            |_: StoreContextMut<'_, ()>, _: $params| -> wasmtime::Result<($result,)> {
                wasmtime::bail!("only linked")
            },
        )?;)*
    };
}

type Bytes = Vec<u8>;

#[test]
fn a_component_for_the_drivers_links_with_their_types() -> wasmtime::Result<()> {
    let engine = Engine::default();
    let component = Component::new(&engine, importer())?;
    let mut linker = Linker::<()>::new(&engine);
    assert!(linker.instantiate_pre(&component).is_err());

    define! { linker, "clock",
        "now": () => Result<u64, clock::Error>,
        "monotonic": () => Result<u64, clock::Error>,
        "sleep": (u64,) => Result<(), clock::Error>,
    }
    define! { linker, "entropy",
        "bytes": (u32,) => Result<Bytes, entropy::Error>,
    }
    define! { linker, "vrf",
        "prove": (Bytes,) => Result<vrf::Value, vrf::Error>,
    }
    define! { linker, "state",
        "get": (String, String) => Result<Option<Bytes>, state::Error>,
        "set": (String, String, Bytes) => Result<(), state::Error>,
        "delete": (String, String) => Result<(), state::Error>,
        "list": (String,) => Result<Vec<String>, state::Error>,
    }
    define! { linker, "keys",
        "generate": (keys::Algorithm,) => Result<u32, keys::Error>,
        "import": (keys::Algorithm, Bytes) => Result<u32, keys::Error>,
        "open": (String,) => Result<u32, keys::Error>,
        "keep": (u32, String) => Result<(), keys::Error>,
        "algorithm-of": (u32,) => Result<keys::Algorithm, keys::Error>,
        "public-key": (u32,) => Result<Bytes, keys::Error>,
        "sign": (u32, Bytes) => Result<Bytes, keys::Error>,
        "verify": (keys::Algorithm, Bytes, Bytes, Bytes) => Result<bool, keys::Error>,
        "hmac": (u32, keys::Hash, Bytes) => Result<Bytes, keys::Error>,
        "derive": (u32, keys::Hash, Bytes, Bytes, keys::Algorithm) => Result<u32, keys::Error>,
        "agree": (u32, Bytes) => Result<u32, keys::Error>,
        "encrypt": (u32, Bytes, Bytes, Bytes) => Result<Bytes, keys::Error>,
        "decrypt": (u32, Bytes, Bytes, Bytes) => Result<Bytes, keys::Error>,
        "seal-box": (Bytes, Bytes, Bytes, Bytes) => Result<Bytes, keys::Error>,
        "open-box": (u32, Bytes, Bytes, Bytes) => Result<Bytes, keys::Error>,
    }
    linker
        .instance("homestar:driver/keys@0.1.0")?
        .func_wrap("close", |_: StoreContextMut<'_, ()>, _: (u32,)| Ok(()))?;
    linker.instantiate_pre(&component)?;
    Ok(())
}
