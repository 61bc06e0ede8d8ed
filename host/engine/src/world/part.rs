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
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView};
use wasmtime_wasi::p2::bindings::cli as p2_cli;
use wasmtime_wasi::p2::bindings::clocks as p2_clocks;
use wasmtime_wasi::p2::bindings::random as p2_random;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::cli as p3_cli;
use wasmtime_wasi::p3::bindings::clocks as p3_clocks;
use wasmtime_wasi::p3::bindings::random as p3_random;

use super::random::Random;
use crate::instance::State;

/// The world as part `PART` sees it, for wasmtime's bindings.
pub(super) struct Of<const PART: usize>;

impl<const PART: usize> HasData for Of<PART> {
    type Data<'a> = View<'a>;
}

/// One part's share of a task's state.
pub(super) struct View<'a> {
    pub(super) state: &'a mut State,
    pub(super) part: usize,
}

fn view<const PART: usize>(state: &mut State) -> View<'_> {
    View { state, part: PART }
}

/// Standard input and output of effects: nothing comes in, and what they write goes to the log.
fn effects_cli(state: &mut State) -> WasiCliCtxView<'_> {
    state.world.effects_cli()
}

/// Most parts of a composition that may have a world of their own.
pub(crate) const PARTS_MAX: usize = 32;

/// Defines the interface under `name` for one part, if it is one of which each part has its own.
pub(crate) fn add_to_linker(
    linker: &mut Linker<State>,
    name: &str,
    interface: &str,
    part: usize,
) -> wasmtime::Result<bool> {
    macro_rules! parts {
        ($($number:literal)*) => {
            match part {
                $($number => add::<$number>(linker, name, interface),)*
                _ => Err(wasmtime::format_err!(
                    "more than {PARTS_MAX} components ask for WASI"
                )),
            }
        };
    }
    parts!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
}

fn add<const PART: usize>(
    linker: &mut Linker<State>,
    name: &str,
    interface: &str,
) -> wasmtime::Result<bool> {
    let mut instance = linker.instance(name)?;
    let instance = &mut instance;
    let (base, version) = interface.split_once('@').unwrap_or((interface, ""));
    let of = view::<PART>;
    match (base, version.starts_with("0.3")) {
        ("wasi:random/random", false) => {
            p2_random::random::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:random/random", true) => {
            p3_random::random::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:random/insecure", false) => {
            p2_random::insecure::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:random/insecure", true) => {
            p3_random::insecure::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:random/insecure-seed", false) => {
            p2_random::insecure_seed::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:random/insecure-seed", true) => {
            p3_random::insecure_seed::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:clocks/wall-clock", false) => {
            p2_clocks::wall_clock::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:clocks/monotonic-clock", false) => {
            p2_clocks::monotonic_clock::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:clocks/system-clock", true) => {
            p3_clocks::system_clock::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        ("wasi:clocks/monotonic-clock", true) => {
            p3_clocks::monotonic_clock::add_to_linker_instance::<_, Of<PART>>(instance, of)?;
        }
        _ if PART > 0 => return add_cli(instance, base, version),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Standard input and output, arguments and environment: the guest's are the task's, those of effects are empty, and
/// what they write goes to the log.
fn add_cli(
    instance: &mut wasmtime::component::LinkerInstance<'_, State>,
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

impl p2_random::random::Host for View<'_> {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(bounded(length)?)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64()
    }
}

impl p3_random::random::Host for View<'_> {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(bounded(length)?)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64()
    }
}

impl p2_random::insecure::Host for View<'_> {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        Ok(bytes(&mut self.random().insecure, bounded(length)?))
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random().insecure.next_u64())
    }
}

impl p3_random::insecure::Host for View<'_> {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        Ok(bytes(&mut self.random().insecure, bounded(length)?))
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random().insecure.next_u64())
    }
}

impl p2_random::insecure_seed::Host for View<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok(self.random().insecure_seed)
    }
}

impl p3_random::insecure_seed::Host for View<'_> {
    fn get_insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok(self.random().insecure_seed)
    }
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

impl p2_clocks::wall_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<p2_clocks::wall_clock::Datetime> {
        let now = self.wall()?;
        Ok(p2_clocks::wall_clock::Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<p2_clocks::wall_clock::Datetime> {
        Ok(p2_clocks::wall_clock::Datetime {
            seconds: 0,
            nanoseconds: RESOLUTION_NANOSECONDS as u32,
        })
    }
}

impl p2_clocks::monotonic_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.monotonic()
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NANOSECONDS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.monotonic()?;
        self.subscribe_duration(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let alarm = Alarm(Some(self.sleep(duration)?));
        let table = self.state.world.table();
        let alarm = table.push(alarm)?;
        subscribe(table, alarm)
    }
}

impl p3_clocks::types::Host for View<'_> {}

impl p3_clocks::system_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<p3_clocks::system_clock::Instant> {
        let now = self.wall()?;
        Ok(p3_clocks::system_clock::Instant {
            seconds: i64::try_from(now.as_secs())?,
            nanoseconds: now.subsec_nanos(),
        })
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NANOSECONDS)
    }
}

impl p3_clocks::monotonic_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.monotonic()
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NANOSECONDS)
    }
}

impl<const PART: usize> p3_clocks::monotonic_clock::HostWithStore<State> for Of<PART> {
    async fn wait_until(store: &Accessor<State, Self>, when: u64) -> wasmtime::Result<()> {
        let sleep = store.with(|mut view| {
            let mut view = view.get();
            let now = view.monotonic()?;
            view.sleep(when.saturating_sub(now))
        })?;
        sleep.await
    }

    async fn wait_for(store: &Accessor<State, Self>, duration: u64) -> wasmtime::Result<()> {
        let sleep = store.with(|mut view| view.get().sleep(duration))?;
        sleep.await
    }
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
