//! The types of drivers are those of the WIT packages: wasmtime links them, and a trace holds them.

use std::path::Path;

use homestar_core::ipld::Block;
use homestar_engine::drivers::{dns, http};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = "
    package test:types;
    world drivers {
        import homestar:driver/http@0.1.0;
        import homestar:driver/dns@0.1.0;
    }
";

/// A module that imports what the world does, and never calls it.
const MODULE: &str = r#"
    (module
        (import "homestar:driver/http@0.1.0" "send"
            (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "homestar:driver/http@0.1.0" "read" (func (param i32 i32 i32)))
        (import "homestar:driver/http@0.1.0" "close" (func (param i32)))
        (import "homestar:driver/dns@0.1.0" "lookup" (func (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    )
"#;

fn component() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_path(wit).expect("the WIT packages");
    let package = resolve.push_str("types.wit", WORLD).expect("a world");
    let world = resolve.select_world(&[package], None).expect("the world");
    let mut module = wat::parse_str(MODULE).expect("a module");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.validate(true).module(&module);
    encoder.expect("an encoder").encode().expect("a component")
}

#[test]
fn wasmtime_links_them() -> wasmtime::Result<()> {
    let engine = Engine::default();
    let component = Component::new(&engine, component())?;
    let mut linker = Linker::<()>::new(&engine);
    let mut interface = linker.instance("homestar:driver/http@0.1.0")?;
    type Sent = (Result<http::Head, http::Error>,);
    type Read = (Result<Vec<u8>, http::Error>,);
    type Looked = (Result<Vec<dns::Answer>, dns::Error>,);
    interface.func_wrap("send", |_, _: (http::Request,)| -> wasmtime::Result<Sent> {
        Ok((Err(http::Error::Timeout),))
    })?;
    interface.func_wrap("read", |_, _: (u32, u32)| -> wasmtime::Result<Read> {
        Ok((Err(http::Error::Closed),))
    })?;
    interface.func_wrap("close", |_, _: (u32,)| Ok(()))?;
    let mut interface = linker.instance("homestar:driver/dns@0.1.0")?;
    interface.func_wrap(
        "lookup",
        |_, _: (String, dns::RecordType)| -> wasmtime::Result<Looked> {
            Ok((Err(dns::Error::NotFound),))
        },
    )?;
    let linked = linker.instantiate_pre(&component)?;
    linked.instantiate(&mut Store::new(&engine, ()))?;
    Ok(())
}

#[test]
fn a_trace_holds_them() {
    let request = http::Request {
        method: "GET".to_owned(),
        headers: vec![("a".to_owned(), "b".to_owned())],
        body: vec![0, 255],
        timeout_ms: Some(7),
        ..http::Request::default()
    };
    let block = Block::of_dag_cbor(&request).unwrap();
    assert_eq!(block.decode::<http::Request>().unwrap(), request);
    let answer = dns::Answer {
        name: "a".to_owned(),
        ttl: 1,
        data: dns::Data::Txt(vec![vec![0, 255], vec![]]),
    };
    let block = Block::of_dag_cbor(&answer).unwrap();
    assert_eq!(block.decode::<dns::Answer>().unwrap(), answer);
    for error in [http::Error::Timeout, http::Error::Denied("x".to_owned())] {
        let block = Block::of_dag_cbor(&error).unwrap();
        assert_eq!(block.decode::<http::Error>().unwrap(), error);
    }
}
