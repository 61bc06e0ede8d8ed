//! What a task that is wired to drivers has beside its world: its door, what is granted to its parts, and what it
//! holds open.

use std::sync::Arc;
use std::time::Duration;

use homestar_core::grant::{Asking, Denied, Grant, GrantError, Grants, Permit};
use homestar_core::ipld::Cid;
use homestar_core::ucan::Leave;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_bytes::ByteBuf;

use crate::door::Door;
use crate::drivers::Drivers;
use crate::drivers::clock::{self, Clock};
use crate::drivers::entropy;
use crate::session::Session;
use crate::world::part::Sleep;

/// The outside as one task has it.
pub(crate) struct Outside {
    pub(crate) door: Door,
    /// By the number of the part.
    grants: Vec<Grants>,
    /// What whoever asked for the task lets it do. None for the operator's own, and for a replay.
    leave: Option<Arc<Leave>>,
    /// Components by the number of the part.
    components: Vec<Cid>,
    /// What the task holds open. A replay has none: it asks nobody.
    session: Option<Arc<Session>>,
    pub(crate) clock: Clock,
}

impl Outside {
    pub(crate) fn new(door: Door, parts: Parts, drivers: Option<Arc<Drivers>>) -> Self {
        let Parts {
            grants,
            components,
            leave,
        } = parts;
        let parts = grants.len();
        Self {
            door,
            grants,
            leave,
            components,
            session: drivers.map(|drivers| Arc::new(Session::new(drivers, parts))),
            clock: Clock::start(),
        }
    }

    /// Returns what is granted to a part.
    pub(crate) fn grants(&self, part: usize) -> &Grants {
        &self.grants[part]
    }

    /// Returns what a part may do by its next call.
    pub(crate) fn permit(&self, part: usize) -> Permit {
        let grants = self.grants[part].clone();
        let Some(leave) = &self.leave else {
            return grants.into();
        };
        let (calls, bytes) = self.door.asked_before();
        let asking = Asking {
            component: self.components[part],
            calls: calls.saturating_add(1),
            bytes,
            now: clock::seconds(),
        };
        Permit::with_leave(grants, leave.clone(), asking)
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
        let allowed = self.permit(part).random(length as u64);
        let name = "homestar:driver/entropy.bytes";
        let bytes = self
            .door
            .ask_now(number(part), name, &(length as u64,), || {
                allowed.map_err(|denied| entropy::Error::Denied(denied.to_string()))?;
                let mut bytes = vec![0; length];
                let filled = SystemRandom::new().fill(&mut bytes);
                filled.map_err(|_| entropy::Error::none())?;
                Ok(ByteBuf::from(bytes))
            })?;
        let bytes = bytes.map_err(|error: entropy::Error| Refused(error.to_string()))?;
        Ok(bytes.into_vec())
    }

    /// Returns the time of day, as time since the start of 1970.
    pub(crate) fn wall(&self, part: usize) -> wasmtime::Result<Duration> {
        let now = self.time(part, "homestar:driver/clock.now", "now", Clock::now)?;
        Ok(Duration::from_nanos(now))
    }

    /// Returns nanoseconds since the task began.
    pub(crate) fn monotonic(&self, part: usize) -> wasmtime::Result<u64> {
        let name = "homestar:driver/clock.monotonic";
        self.time(part, name, "monotonic", Clock::monotonic)
    }

    fn time(
        &self,
        part: usize,
        name: &'static str,
        function: &str,
        time: fn(&Clock) -> u64,
    ) -> wasmtime::Result<u64> {
        let allowed = self.told(part, function);
        let time = self.door.ask_now(number(part), name, &NO_ARGS, || {
            allowed.map(|()| time(&self.clock))
        })?;
        Ok(time.map_err(|error| Refused(error.to_string()))?)
    }

    /// Whether a part may use a clock, which nobody can tell it whose interface has no errors.
    fn told(&self, part: usize, function: &str) -> Result<(), clock::Error> {
        let allowed = self.permit(part).clock(function);
        allowed.map_err(|denied| clock::Error::Denied(denied.to_string()))
    }

    /// Returns what ends when that many nanoseconds have really passed.
    pub(crate) fn sleep(&self, part: usize, nanoseconds: u64) -> wasmtime::Result<Sleep> {
        let name = "homestar:driver/clock.sleep";
        let allowed = self.told(part, "sleep");
        let answer = self
            .door
            .ask(number(part), name, &(nanoseconds,), |_, _| async move {
                allowed?;
                tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
                Ok::<_, clock::Error>(NOTHING)
            })?;
        Ok(Box::pin(async move {
            let slept = answer.await?;
            slept.map_err(|error| Refused(error.to_string()))?;
            Ok(())
        }))
    }
}

/// What the parts of a task may do.
pub(crate) struct Parts {
    /// By the number of the part.
    pub(crate) grants: Vec<Grants>,
    /// The components, in the same order.
    pub(crate) components: Vec<Cid>,
    /// What whoever asked for the task lets it do. None for the operator's own, and for a replay.
    pub(crate) leave: Option<Arc<Leave>>,
}

/// Something was refused to whom nobody can tell, since the interface has no errors. It ends the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

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
