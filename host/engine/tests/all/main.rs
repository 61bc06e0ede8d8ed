//! The engine with real components. Each file is about one promise.

mod blocks;
mod cache;
mod calls;
mod drivers;
mod effects;
mod keys;
mod keyvalue;
mod languages;
mod limits;
mod live;
mod load;
mod many;
mod net;
mod net_dns;
mod net_drand;
mod net_policy;
mod net_real;
mod net_server;
mod net_types;
mod outside;
mod replay;
mod shapes;
mod stops;
mod uploads;
mod values;
mod wit_folder;
mod world;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::task::{Input, Instruction, Limits, Nonce};
use homestar_engine::{Call, CallError, Component, Config, Done, DriverSettings, Engine};

/// An engine that all tests share. It trusts the tests' authority.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine_with(DriverSettings::default()))
}

/// An engine that trusts the tests' authority, with a cache that is removed by nobody: compiling a Python interpreter
/// takes seconds, and a second run of the tests shall not take them again.
fn engine_with(mut drivers: DriverSettings) -> Engine {
    static AUTHORITY: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let authority = AUTHORITY.get_or_init(|| net_server::authority_file(net_server::authority()));
    drivers.http.authorities = vec![authority.path().to_owned()];
    let cache = homestar_guests::add()
        .ancestors()
        .nth(5)
        .expect("guests lie deep")
        .join("code");
    let config = Config {
        cache: Some(cache),
        drivers,
        ..Config::default()
    };
    Engine::new(config).expect("an engine")
}

fn load(path: &Path) -> Component {
    engine().load_file(path).expect("a component that loads")
}

/// Limits that no test reaches by being slow.
fn limits() -> Limits {
    Limits {
        time: Duration::from_secs(600),
        ..Limits::default()
    }
}

fn instruction(component: &Component, input: Input) -> Instruction {
    Instruction::new(*component.cid(), input, Nonce::EMPTY).expect("an instruction")
}

fn call(component: &Component, func: &str, args: Vec<Ipld>) -> Result<Done, CallError> {
    call_within(component, func, args, &limits())
}

fn call_within(
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
    limits: &Limits,
) -> Result<Done, CallError> {
    let instruction = instruction(component, Input::new(func, args));
    engine().call(component, Call::new(&instruction, limits))
}

/// Calls `func` and returns its value.
fn ok(component: &Component, func: &str, args: Vec<Ipld>) -> Ipld {
    match call(component, func, args).expect(func).outcome {
        Outcome::Ok(value) => value,
        Outcome::Error(failure) => panic!("{func}: {failure:?}"),
    }
}

/// Calls `func` and returns how it failed.
fn failure(component: &Component, func: &str, args: Vec<Ipld>, limits: &Limits) -> Failure {
    match call_within(component, func, args, limits)
        .expect(func)
        .outcome
    {
        Outcome::Error(failure) => failure,
        Outcome::Ok(value) => panic!("{func}: {value:?}"),
    }
}

/// Calls `func` and returns by what it ended.
fn end(component: &Component, func: &str, args: Vec<Ipld>, limits: &Limits) -> Kind {
    failure(component, func, args, limits).kind
}

fn int(value: impl Into<i128>) -> Ipld {
    Ipld::Integer(value.into())
}

fn text(value: &str) -> Ipld {
    Ipld::String(value.into())
}

fn list(values: impl IntoIterator<Item = Ipld>) -> Ipld {
    Ipld::List(values.into_iter().collect())
}
