//! What each component of a composition has of its own: random numbers, clocks, and where its output goes.
//!
//! A component that is granted `random` or `clock` gets the real ones through the drivers; all others get those that
//! the instruction decides. The guest is part 0, its effects are the others.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use homestar_core::grant::Grants;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, ComponentNamedList, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource,
};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView};
use wasmtime_wasi::p2::bindings::cli as p2_cli;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::cli as p3_cli;
use wasmtime_wasi::p3::bindings::clocks::system_clock::Instant;

use super::GUEST;
use super::random::Random;
use crate::instance::State;

/// One part's share of a task's state.
struct View<'a> {
    state: &'a mut State,
    part: usize,
}

/// Standard input and output of effects: nothing comes in, and what they write goes to the log.
fn effects_cli(state: &mut State) -> WasiCliCtxView<'_> {
    state.world.effects_cli()
}

/// Defines the interface under `name` for one part, if it is one of which each part has its own.
pub(crate) fn add_to_linker(
    linker: &mut Linker<State>,
    name: &str,
    interface: &str,
    part: usize,
) -> wasmtime::Result<bool> {
    let mut instance = linker.instance(name)?;
    let (base, version) = interface.split_once('@').unwrap_or((interface, ""));
    let mut own = Own {
        instance: &mut instance,
        part,
    };
    match (base, version.starts_with("0.3")) {
        ("wasi:random/random", _) => own.add_random()?,
        ("wasi:random/insecure", _) => own.add_insecure()?,
        ("wasi:random/insecure-seed", false) => own.add_seed("insecure-seed")?,
        ("wasi:random/insecure-seed", true) => own.add_seed("get-insecure-seed")?,
        ("wasi:clocks/wall-clock", false) => own.add_wall_clock()?,
        ("wasi:clocks/monotonic-clock", false) => own.add_monotonic_clock()?,
        ("wasi:clocks/system-clock", true) => own.add_system_clock()?,
        ("wasi:clocks/monotonic-clock", true) => own.add_monotonic_clock_of_0_3()?,
        _ if part > GUEST => return add_cli(own.instance, base, version),
        _ => return Ok(false),
    }
    Ok(true)
}

/// An interface that is being defined for one part.
struct Own<'a, 'b> {
    instance: &'a mut LinkerInstance<'b, State>,
    part: usize,
}

impl Own<'_, '_> {
    fn add<A, R>(
        &mut self,
        name: &str,
        answer: impl Fn(&mut View<'_>, A) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        A: ComponentNamedList + Lift + 'static,
        R: ComponentType + Lower + 'static,
    {
        let part = self.part;
        self.instance.func_wrap(
            name,
            move |mut store: StoreContextMut<'_, State>, args: A| {
                let state = store.data_mut();
                Ok((answer(&mut View { state, part }, args)?,))
            },
        )
    }

    /// Adds a function that returns once the sleep is over that `begin` begins.
    fn add_sleep(
        &mut self,
        name: &str,
        begin: fn(&mut View<'_>, u64) -> wasmtime::Result<Sleep>,
    ) -> wasmtime::Result<()> {
        let part = self.part;
        self.instance.func_wrap_concurrent(
            name,
            move |accessor: &Accessor<State>, (nanoseconds,): (u64,)| {
                Box::pin(async move {
                    let sleep = accessor.with(|mut access| {
                        let state = access.data_mut();
                        begin(&mut View { state, part }, nanoseconds)
                    });
                    sleep?.await
                })
            },
        )
    }

    fn add_random(&mut self) -> wasmtime::Result<()> {
        self.add("get-random-bytes", |view, (length,): (u64,)| {
            view.random_bytes(bounded(length)?)
        })?;
        self.add("get-random-u64", |view, (): ()| view.random_u64())
    }

    fn add_insecure(&mut self) -> wasmtime::Result<()> {
        self.add("get-insecure-random-bytes", |view, (length,): (u64,)| {
            Ok(bytes(&mut view.random().insecure, bounded(length)?))
        })?;
        self.add("get-insecure-random-u64", |view, (): ()| {
            Ok(view.random().insecure.next_u64())
        })
    }

    fn add_seed(&mut self, name: &str) -> wasmtime::Result<()> {
        self.add(name, |view, (): ()| Ok(view.random().insecure_seed))
    }

    fn add_wall_clock(&mut self) -> wasmtime::Result<()> {
        self.add("now", |view, (): ()| {
            let now = view.wall()?;
            Ok(Datetime {
                seconds: now.as_secs(),
                nanoseconds: now.subsec_nanos(),
            })
        })?;
        self.add("resolution", |_, (): ()| {
            Ok(Datetime {
                seconds: 0,
                nanoseconds: RESOLUTION_NANOSECONDS as u32,
            })
        })
    }

    fn add_system_clock(&mut self) -> wasmtime::Result<()> {
        self.add("now", |view, (): ()| {
            let now = view.wall()?;
            Ok(Instant {
                seconds: i64::try_from(now.as_secs())?,
                nanoseconds: now.subsec_nanos(),
            })
        })?;
        self.add("get-resolution", |_, (): ()| Ok(RESOLUTION_NANOSECONDS))
    }

    fn add_monotonic_clock(&mut self) -> wasmtime::Result<()> {
        self.add("now", |view, (): ()| view.monotonic())?;
        self.add("resolution", |_, (): ()| Ok(RESOLUTION_NANOSECONDS))?;
        self.add("subscribe-instant", |view, (when,): (u64,)| {
            let left = view.until(when)?;
            view.subscribe(left)
        })?;
        self.add("subscribe-duration", |view, (nanoseconds,): (u64,)| {
            view.subscribe(nanoseconds)
        })
    }

    fn add_monotonic_clock_of_0_3(&mut self) -> wasmtime::Result<()> {
        self.add("now", |view, (): ()| view.monotonic())?;
        self.add("get-resolution", |_, (): ()| Ok(RESOLUTION_NANOSECONDS))?;
        self.add_sleep("wait-for", |view, nanoseconds| view.sleep(nanoseconds))?;
        self.add_sleep("wait-until", |view, when| {
            let left = view.until(when)?;
            view.sleep(left)
        })
    }
}

/// Standard input and output, arguments and environment: the guest's are the task's, those of effects are empty, and
/// what they write goes to the log.
fn add_cli(
    instance: &mut LinkerInstance<'_, State>,
    base: &str,
    version: &str,
) -> wasmtime::Result<bool> {
    match (base, version.starts_with("0.3")) {
        ("wasi:cli/environment", false) => {
            p2_cli::environment::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/environment", true) => {
            p3_cli::environment::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/stdin", false) => {
            p2_cli::stdin::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/stdin", true) => {
            p3_cli::stdin::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/stdout", false) => {
            p2_cli::stdout::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/stdout", true) => {
            p3_cli::stdout::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/stderr", false) => {
            p2_cli::stderr::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        ("wasi:cli/stderr", true) => {
            p3_cli::stderr::add_to_linker_instance::<_, WasiCli>(instance, effects_cli)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Interfaces of which each part of a composition has its own. They define no resources, which all parts share.
const OWN: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Tells whether each part of a composition has an interface of its own, named `name` with its version.
pub(crate) fn has_own(name: &str) -> bool {
    super::offers(name)
        && name
            .split_once('@')
            .is_some_and(|(base, _)| OWN.contains(&base))
}

impl View<'_> {
    fn random(&mut self) -> &mut Random {
        self.state.world.random(self.part)
    }

    fn random_bytes(&mut self, length: usize) -> wasmtime::Result<Vec<u8>> {
        match self.state.outside_with(self.part, Grants::random) {
            Some(outside) => outside.random_bytes(self.part, length),
            None => Ok(bytes(&mut self.random().secure, length)),
        }
    }

    fn random_u64(&mut self) -> wasmtime::Result<u64> {
        let mut number = [0; 8];
        number.copy_from_slice(&self.random_bytes(8)?);
        Ok(u64::from_le_bytes(number))
    }
}

/// Most bytes that one request for random numbers may ask for: a guest's number becomes an allocation of ours.
const RANDOM_BYTES_MAX: u64 = 16 << 20;

fn bounded(length: u64) -> wasmtime::Result<usize> {
    if length > RANDOM_BYTES_MAX {
        return Err(wasmtime::format_err!(
            "{length} random bytes are more than the {RANDOM_BYTES_MAX} of one call"
        ));
    }
    Ok(usize::try_from(length)?)
}

fn bytes(source: &mut ChaCha20Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    source.fill_bytes(&mut bytes);
    bytes
}

impl View<'_> {
    /// Returns the time of day, as time since the start of 1970.
    fn wall(&mut self) -> wasmtime::Result<Duration> {
        match self.state.outside_with(self.part, Grants::clock) {
            Some(outside) => outside.wall(self.part),
            None => Ok(self.state.world.clock.wall()),
        }
    }

    /// Returns nanoseconds since the task began.
    fn monotonic(&mut self) -> wasmtime::Result<u64> {
        match self.state.outside_with(self.part, Grants::clock) {
            Some(outside) => outside.monotonic(self.part),
            None => Ok(self.state.world.clock.now()),
        }
    }

    /// Returns the nanoseconds that are left until then.
    fn until(&mut self, when: u64) -> wasmtime::Result<u64> {
        Ok(when.saturating_sub(self.monotonic()?))
    }

    /// Returns what can be waited for until that many nanoseconds have passed.
    fn subscribe(&mut self, nanoseconds: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let alarm = Alarm(Some(self.sleep(nanoseconds)?));
        let table = self.state.world.table();
        let alarm = table.push(alarm)?;
        subscribe(table, alarm)
    }

    /// Returns what ends after that many nanoseconds.
    fn sleep(&mut self, nanoseconds: u64) -> wasmtime::Result<Sleep> {
        match self.state.outside_with(self.part, Grants::clock) {
            Some(outside) => outside.sleep(self.part, nanoseconds),
            None => {
                let clock = &self.state.world.clock;
                let until = clock.now().saturating_add(nanoseconds);
                let sleep = clock.sleep_until(until);
                Ok(Box::pin(async move {
                    sleep.await;
                    Ok(())
                }))
            }
        }
    }
}

/// Ends when a time has passed.
pub(crate) type Sleep = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>>;

/// Something a guest waits for: a moment. Once it is past it stays so.
struct Alarm(Option<Sleep>);

#[wasmtime_wasi::async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        if let Some(sleep) = &mut self.0 {
            // A door that fails ends the task as soon as it is asked for anything else.
            let _ = sleep.await;
            self.0 = None;
        }
    }
}

/// One nanosecond: virtual time moves by exactly what a guest sleeps.
const RESOLUTION_NANOSECONDS: u64 = 1;
