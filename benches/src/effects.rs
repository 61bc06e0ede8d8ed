//! What a call into an effect costs, and one out through a driver.
//!
//! The guest `caller` calls functions of `acme:tally/tally` over and over. They are served by the effect `tally`,
//! composed with it; by functions of the host in bare wasmtime; and by the same effect in a store of its own, to which
//! the host forwards each call.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use homestar_core::grant::{Grant, Grants};
use homestar_core::task::Limits;
use homestar_core::wit::Value;
use homestar_engine::drivers::{clock, entropy};
use homestar_engine::{Answers, Component, Effects, Instance, Setting};
use ring::rand::{SecureRandom as _, SystemRandom};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};
use wasmtime::Store;
use wasmtime::component::{
    self, ComponentNamedList, Lift, Linker, Lower, Resource, ResourceAny, ResourceType, TypedFunc,
};

use crate::Error;
use crate::calls::{LIMITS, called, ended, engine};
use crate::measure::{Effort, Measurement, Repeated, repeated};
use crate::peers::{Settings, config};

/// Calls of a guest for each call of ours.
const CALLS: u64 = 10_000;

const TALLY: &str = "acme:tally/tally@0.1.0";

/// What a store of bare wasmtime carries.
struct Host {
    start: Instant,
    random: SystemRandom,
    sums: Vec<u64>,
    /// Where calls are forwarded to.
    other: Option<Other>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            random: SystemRandom::new(),
            sums: Vec::new(),
            other: None,
        }
    }
}

/// The effect in a store of its own.
struct Other {
    store: Store<Host>,
    next: TypedFunc<(u64,), (u64,)>,
    length: TypedFunc<(Vec<u8>,), (u64,)>,
    sum: TypedFunc<(), (ResourceAny,)>,
    add: TypedFunc<(ResourceAny, u64), (u64,)>,
    sums: Vec<ResourceAny>,
}

/// Stands for the resource `sum` where the host has it.
struct Sum;

/// Who serves the guest in bare wasmtime.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// Functions of the host.
    Native,
    /// The effect, in a store of its own.
    Forwarded,
    /// The effect, composed with the guest. Its drivers are functions of the host that record nothing.
    Composed,
}

impl Server {
    fn as_str(self) -> &'static str {
        match self {
            Self::Native => "wasmtime: a function of the host",
            Self::Forwarded => "wasmtime: the effect in a store of its own",
            Self::Composed => "wasmtime: composed, drivers that record nothing",
        }
    }
}

/// Calls of the same functions, served in three ways.
pub(crate) fn effect(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let ours = Ours::load()?;
    let mut found = Vec::new();
    for (name, function, goal) in [
        ("effect: u64 → u64", "count", Some("≤ 10 ns")),
        ("effect: a list<u8> of 1 KiB", "lengths", None),
        ("effect: a method of a resource", "sums", None),
    ] {
        let export = ours.component.find(function)?;
        let mut instance = ours.start()?;
        let mut native = bare(Server::Native, function)?;
        let mut forwarded = bare(Server::Forwarded, function)?;
        let measured = repeated(
            name,
            effort,
            vec![
                Repeated::new("homestar: composed effect", || {
                    black_box(called(&mut instance, export, vec![Value::U64(CALLS)])?);
                    Ok(())
                })
                .of(CALLS),
                Repeated::new(Server::Native.as_str(), &mut native).of(CALLS),
                Repeated::new(Server::Forwarded.as_str(), &mut forwarded).of(CALLS),
            ],
        )?;
        found.push(match goal {
            Some(goal) => measured.goal(goal),
            None => measured,
        });
    }
    Ok(found)
}

/// Calls of an effect that asks a driver: recorded by Homestar, and as bare as they can be.
pub(crate) fn driver(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let ours = Ours::load()?;
    let clock = Instant::now();
    let random = SystemRandom::new();
    let mut found = Vec::new();
    for (name, function) in [
        ("driver: clock.monotonic, asked by an effect", "nows"),
        ("driver: entropy.bytes(8), asked by an effect", "draws"),
    ] {
        let export = ours.component.find(function)?;
        let mut native = bare(Server::Native, function)?;
        let mut composed = bare(Server::Composed, function)?;
        let alone = || {
            for _ in 0..CALLS {
                if function == "nows" {
                    black_box(clock.elapsed());
                } else {
                    let mut bytes = [0; 8];
                    random.fill(&mut bytes).map_err(|_| "no randomness")?;
                    black_box(bytes);
                }
            }
            Ok(())
        };
        let measured = repeated(
            name,
            effort,
            vec![
                // What was recorded stays with the instance, so each has its own.
                Repeated::new("homestar: recorded, each 10,000 in a new instance", || {
                    let mut instance = ours.start()?;
                    black_box(called(&mut instance, export, vec![Value::U64(CALLS)])?);
                    Ok(())
                })
                .of(CALLS),
                Repeated::new(Server::Composed.as_str(), &mut composed).of(CALLS),
                Repeated::new(Server::Native.as_str(), &mut native).of(CALLS),
                Repeated::new("what the driver does, alone", alone).of(CALLS),
            ],
        )?;
        found.push(measured.goal("≤ 60 ns where nothing is recorded"));
    }
    Ok(found)
}

/// The guest with its effect, as Homestar has them.
struct Ours {
    engine: homestar_engine::Engine,
    component: Component,
    grants: Grants,
}

impl Ours {
    fn load() -> Result<Self, Error> {
        let engine = engine()?;
        let mut effects = Effects::new();
        effects.add_built_in([("tally", fs::read(homestar_guests::tally())?)])?;
        let component = engine.load_file_with(homestar_guests::caller(), || effects)?;
        let grants = Grants::new(vec![Grant::parse("clock")?, Grant::parse("random")?]);
        Ok(Self {
            engine,
            component,
            grants,
        })
    }

    fn start(&self) -> Result<Instance, Error> {
        let setting = Setting {
            answers: Answers::Drivers(self.grants.clone()),
            ..Setting::default()
        };
        let limits = Limits {
            calls: u64::MAX,
            call_bytes: u64::MAX,
            ..LIMITS
        };
        let instance = self.engine.start(&self.component, setting, &limits);
        instance.map_err(ended)
    }
}

/// Returns what calls `function` of the guest in bare wasmtime.
fn bare(
    server: Server,
    function: &str,
) -> Result<impl FnMut() -> Result<(), Error> + use<>, Error> {
    let engine = wasmtime::Engine::new(&config(Settings::Ours))?;
    let mut linker = Linker::new(&engine);
    let mut host = Host::default();
    let guest = match server {
        Server::Native => {
            native(&mut linker)?;
            fs::read(homestar_guests::caller())?
        }
        Server::Forwarded => {
            forwarding(&mut linker)?;
            host.other = Some(Other::start(&engine)?);
            fs::read(homestar_guests::caller())?
        }
        Server::Composed => {
            drivers(&mut linker)?;
            composed(homestar_guests::caller(), homestar_guests::tally(), TALLY)?
        }
    };
    let (mut store, instance) = start(&engine, &linker, &guest, host)?;
    let function: TypedFunc<(u64,), (u64,)> = instance.get_typed_func(&mut store, function)?;
    Ok(move || {
        black_box(function.call(&mut store, (CALLS,))?);
        Ok(())
    })
}

fn start(
    engine: &wasmtime::Engine,
    linker: &Linker<Host>,
    bytes: &[u8],
    host: Host,
) -> Result<(Store<Host>, component::Instance), Error> {
    let component = component::Component::from_binary(engine, bytes)?;
    let mut store = Store::new(engine, host);
    store.set_fuel(u64::MAX)?;
    store.set_epoch_deadline(1);
    let instance = linker.instantiate(&mut store, &component)?;
    Ok((store, instance))
}

/// Returns one component made of `guest` and of `effect`, which serves the guest's import `interface`.
pub(crate) fn composed(guest: &Path, effect: &Path, interface: &str) -> Result<Vec<u8>, Error> {
    let mut graph = CompositionGraph::new();
    let guest = Package::from_bytes("guest", None, fs::read(guest)?, graph.types_mut())?;
    let effect = Package::from_bytes("effect", None, fs::read(effect)?, graph.types_mut())?;
    let exports: Vec<_> = graph.types()[guest.ty()].exports.keys().cloned().collect();
    let guest = graph.register_package(guest)?;
    let effect = graph.register_package(effect)?;
    let (guest, effect) = (graph.instantiate(guest), graph.instantiate(effect));
    let served = graph.alias_instance_export(effect, interface)?;
    graph.set_instantiation_argument(guest, interface, served)?;
    for name in exports {
        let export = graph.alias_instance_export(guest, &name)?;
        graph.export(export, name)?;
    }
    Ok(graph.encode(EncodeOptions::default())?)
}

/// Serves the guest by functions of the host.
fn native(linker: &mut Linker<Host>) -> Result<(), Error> {
    let mut tally = linker.instance(TALLY)?;
    tally.func_wrap("next", |_, (number,): (u64,)| Ok((number + 1,)))?;
    tally.func_wrap("length", |_, (bytes,): (Vec<u8>,)| {
        Ok((bytes.len() as u64,))
    })?;
    tally.resource("sum", ResourceType::host::<Sum>(), |_, _| Ok(()))?;
    tally.func_wrap("[constructor]sum", |mut store, (): ()| {
        let sums = &mut store.data_mut().sums;
        sums.push(0);
        Ok((Resource::<Sum>::new_own(sums.len() as u32 - 1),))
    })?;
    tally.func_wrap(
        "[method]sum.add",
        |mut store, (sum, number): (Resource<Sum>, u64)| {
            let sum = &mut store.data_mut().sums[sum.rep() as usize];
            *sum += number;
            Ok((*sum,))
        },
    )?;
    tally.func_wrap("now", |store, (): ()| {
        Ok((store.data().start.elapsed().as_nanos() as u64,))
    })?;
    tally.func_wrap("draw", |store, (): ()| {
        let mut bytes = [0; 8];
        let filled = store.data().random.fill(&mut bytes);
        filled.map_err(|_| wasmtime::format_err!("no randomness"))?;
        Ok((u64::from_le_bytes(bytes),))
    })?;
    Ok(())
}

/// Serves the guest by the effect in another store.
fn forwarding(linker: &mut Linker<Host>) -> Result<(), Error> {
    fn other(host: &mut Host) -> &mut Other {
        host.other.as_mut().expect("set for this linker")
    }
    let mut tally = linker.instance(TALLY)?;
    tally.func_wrap("next", |mut store, params: (u64,)| {
        let other = other(store.data_mut());
        other.next.call(&mut other.store, params)
    })?;
    tally.func_wrap("length", |mut store, params: (Vec<u8>,)| {
        let other = other(store.data_mut());
        other.length.call(&mut other.store, params)
    })?;
    tally.resource("sum", ResourceType::host::<Sum>(), |mut store, number| {
        let other = other(store.data_mut());
        other.sums[number as usize].resource_drop(&mut other.store)
    })?;
    tally.func_wrap("[constructor]sum", |mut store, (): ()| {
        let other = other(store.data_mut());
        let (sum,) = other.sum.call(&mut other.store, ())?;
        other.sums.push(sum);
        Ok((Resource::<Sum>::new_own(other.sums.len() as u32 - 1),))
    })?;
    tally.func_wrap(
        "[method]sum.add",
        |mut store, (sum, number): (Resource<Sum>, u64)| {
            let other = other(store.data_mut());
            let sum = other.sums[sum.rep() as usize];
            other.add.call(&mut other.store, (sum, number))
        },
    )?;
    // Not measured.
    tally.func_wrap("now", |_, (): ()| Ok((0_u64,)))?;
    tally.func_wrap("draw", |_, (): ()| Ok((0_u64,)))?;
    Ok(())
}

/// Defines drivers that record nothing.
fn drivers(linker: &mut Linker<Host>) -> Result<(), Error> {
    let mut clock = linker.instance("homestar:driver/clock@0.1.0")?;
    clock.func_wrap("monotonic", |store, (): ()| {
        let now = store.data().start.elapsed().as_nanos() as u64;
        Ok((Ok::<_, clock::Error>(now),))
    })?;
    let mut entropy = linker.instance("homestar:driver/entropy@0.1.0")?;
    entropy.func_wrap("bytes", |store, (length,): (u32,)| {
        Ok((entropy::bytes(length, &store.data().random),))
    })?;
    Ok(())
}

impl Other {
    fn start(engine: &wasmtime::Engine) -> Result<Self, Error> {
        let mut linker = Linker::new(engine);
        drivers(&mut linker)?;
        let bytes = fs::read(homestar_guests::tally())?;
        let (mut store, instance) = start(engine, &linker, &bytes, Host::default())?;
        let found = instance.get_export_index(&mut store, None, TALLY);
        let tally = found.ok_or("the effect doesn't offer what it should")?;
        Ok(Self {
            next: function(&mut store, &instance, &tally, "next")?,
            length: function(&mut store, &instance, &tally, "length")?,
            sum: function(&mut store, &instance, &tally, "[constructor]sum")?,
            add: function(&mut store, &instance, &tally, "[method]sum.add")?,
            sums: Vec::new(),
            store,
        })
    }
}

fn function<P, R>(
    store: &mut Store<Host>,
    instance: &component::Instance,
    interface: &component::ComponentExportIndex,
    name: &str,
) -> Result<TypedFunc<P, R>, Error>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let index = instance.get_export_index(&mut *store, Some(interface), name);
    let index = index.ok_or_else(|| format!("no function {name}"))?;
    Ok(instance.get_typed_func(store, index)?)
}
