//! `wasi:clocks` over virtual time.

use wasmtime::component::{Accessor, HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks as p2;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::clocks as p3;

use super::World;
use super::clock::Clock;
use crate::instance::State;

/// One nanosecond: the clock moves by exactly what a guest sleeps.
const RESOLUTION_NANOSECONDS: u64 = 1;

/// What wasmtime's bindings call with.
struct Clocks;

impl HasData for Clocks {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    clock: &'a Clock,
    table: &'a mut ResourceTable,
}

fn view(state: &mut State) -> View<'_> {
    let World { clock, table, .. } = &mut state.world;
    View { clock, table }
}

pub(super) fn add_p2_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p2::wall_clock::add_to_linker::<_, Clocks>(linker, view)?;
    p2::monotonic_clock::add_to_linker::<_, Clocks>(linker, view)
}

pub(super) fn add_p3_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    p3::system_clock::add_to_linker::<_, Clocks>(linker, view)?;
    p3::monotonic_clock::add_to_linker::<_, Clocks>(linker, view)
}

impl p2::wall_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<p2::wall_clock::Datetime> {
        let now = self.clock.wall();
        Ok(p2::wall_clock::Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<p2::wall_clock::Datetime> {
        Ok(p2::wall_clock::Datetime {
            seconds: 0,
            nanoseconds: RESOLUTION_NANOSECONDS as u32,
        })
    }
}

impl p2::monotonic_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NANOSECONDS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let alarm = self.table.push(Alarm {
            clock: self.clock.clone(),
            at: when,
        })?;
        subscribe(self.table, alarm)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(self.clock.now().saturating_add(duration))
    }
}

/// Something a guest waits for: a moment.
struct Alarm {
    clock: Clock,
    at: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        self.clock.sleep_until(self.at).await;
    }
}

impl p3::types::Host for View<'_> {}

impl p3::system_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<p3::system_clock::Instant> {
        let now = self.clock.wall();
        Ok(p3::system_clock::Instant {
            seconds: i64::try_from(now.as_secs())?,
            nanoseconds: now.subsec_nanos(),
        })
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NANOSECONDS)
    }
}

impl p3::monotonic_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now())
    }

    fn get_resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NANOSECONDS)
    }
}

impl p3::monotonic_clock::HostWithStore<State> for Clocks {
    async fn wait_until(store: &Accessor<State, Self>, when: u64) -> wasmtime::Result<()> {
        let clock = store.with(|mut view| view.get().clock.clone());
        clock.sleep_until(when).await;
        Ok(())
    }

    async fn wait_for(store: &Accessor<State, Self>, duration: u64) -> wasmtime::Result<()> {
        let clock = store.with(|mut view| view.get().clock.clone());
        let until = clock.now().saturating_add(duration);
        clock.sleep_until(until).await;
        Ok(())
    }
}
