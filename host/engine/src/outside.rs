//! What a task that is wired to drivers has beside its world: its door, what is granted to its parts, and what it
//! holds open.

use std::sync::Arc;
use std::time::Duration;

use homestar_core::grant::{Denied, Grant, GrantError, Grants};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_bytes::ByteBuf;

use crate::door::Door;
use crate::drivers::Drivers;
use crate::drivers::clock::Clock;
use crate::session::Session;
use crate::world::part::Sleep;

/// The outside as one task has it.
pub(crate) struct Outside {
    pub(crate) door: Door,
    /// By the number of the part.
    grants: Vec<Grants>,
    /// What the task holds open. A replay has none: it asks nobody.
    session: Option<Arc<Session>>,
    pub(crate) clock: Clock,
}

impl Outside {
    pub(crate) fn new(door: Door, grants: Vec<Grants>, drivers: Option<Arc<Drivers>>) -> Self {
        let parts = grants.len();
        Self {
            door,
            grants,
            session: drivers.map(|drivers| Arc::new(Session::new(drivers, parts))),
            clock: Clock::start(),
        }
    }

    /// Returns what is granted to a part.
    pub(crate) fn grants(&self, part: usize) -> &Grants {
        &self.grants[part]
    }

    /// Tells whether something is granted to a part.
    pub(crate) fn allows(&self, part: usize, check: fn(&Grants) -> Result<(), Denied>) -> bool {
        self.grants
            .get(part)
            .is_some_and(|grants| check(grants).is_ok())
    }

    /// Returns what the task holds open. It is there whenever a driver does anything: a replay asks nobody.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Returns random bytes of the operating system.
    pub(crate) fn random_bytes(&self, part: usize, length: usize) -> wasmtime::Result<Vec<u8>> {
        let bytes: Result<ByteBuf, String> = self.door.ask_now(
            number(part),
            "homestar:driver/entropy.bytes",
            &(length as u64,),
            || {
                let mut bytes = vec![0; length];
                let filled = SystemRandom::new().fill(&mut bytes);
                filled.map_err(|_| "the operating system gives no random bytes".to_owned())?;
                Ok(ByteBuf::from(bytes))
            },
        )?;
        bytes.map(ByteBuf::into_vec).map_err(wasmtime::Error::msg)
    }

    /// Returns the time of day, as time since the start of 1970.
    pub(crate) fn wall(&self, part: usize) -> wasmtime::Result<Duration> {
        let now: u64 =
            self.door
                .ask_now(number(part), "homestar:driver/clock.now", &NO_ARGS, || {
                    self.clock.now()
                })?;
        Ok(Duration::from_nanos(now))
    }

    /// Returns nanoseconds since the task began.
    pub(crate) fn monotonic(&self, part: usize) -> wasmtime::Result<u64> {
        let name = "homestar:driver/clock.monotonic";
        self.door
            .ask_now(number(part), name, &NO_ARGS, || self.clock.monotonic())
    }

    /// Returns what ends when that many nanoseconds have really passed.
    pub(crate) fn sleep(&self, part: usize, nanoseconds: u64) -> wasmtime::Result<Sleep> {
        let name = "homestar:driver/clock.sleep";
        let answer = self
            .door
            .ask(number(part), name, &(nanoseconds,), |_| async move {
                tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
                NOTHING
            })?;
        Ok(Box::pin(async move { answer.await.map(drop) }))
    }
}

/// Returns the number of a part as it stands in a trace.
pub(crate) fn number(part: usize) -> u32 {
    u32::try_from(part).unwrap_or(u32::MAX)
}

/// Writes grants as they stand in a trace.
pub(crate) fn texts(grants: &Grants) -> Vec<Vec<String>> {
    let set = |set: &[Grant]| set.iter().map(Grant::to_string).collect();
    grants.sets().map(set).collect()
}

/// Reads grants as they stand in a trace.
pub(crate) fn of_texts(sets: &[Vec<String>]) -> Result<Grants, GrantError> {
    let mut all = Grants::everything();
    for set in sets {
        let grants = set.iter().map(|text| Grant::parse(text));
        all = all.and(&Grants::new(grants.collect::<Result<_, _>>()?));
    }
    Ok(all)
}

/// The arguments of a call without any, as they stand in a trace.
pub(crate) const NO_ARGS: [bool; 0] = [];

/// What a call answers that has nothing to say, as it stands in a trace.
pub(crate) const NOTHING: Option<bool> = None;
