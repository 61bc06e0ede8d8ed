//! Gives a component the functions that it imports and that are not WASI's deterministic world: drivers, and the
//! interfaces that are served through them.
//!
//! In a composition each part imports them under a name of its own, made by [`label`]. So every function knows which
//! part is asking, and what was granted to that part.

pub(crate) mod blocks;
mod blocks_streams;
mod clock;
mod dns;
mod entropy;
mod guest;
mod http;
mod http_streams;
pub(crate) mod ipld;
mod keys;
mod keyvalue;
mod state;
mod vrf;
pub(crate) mod wasi_http;

use std::sync::Arc;

use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance};

use crate::door::Door;
use crate::drivers::{self, Drivers};
use crate::instance::State;
use crate::outside::Outside;
use crate::session::Session;
use crate::world::part;

/// Something a component imports.
#[derive(Clone, Copy)]
pub(crate) struct Import<'a> {
    /// The name under which it does.
    pub(crate) name: &'a str,
    /// The interface, with its version.
    pub(crate) interface: &'a str,
}

impl<'a> Import<'a> {
    /// Returns what is imported under `name`, given the interface that the component says that this implements.
    pub(crate) fn new(name: &'a str, implements: Option<&'a str>) -> Self {
        let own = || {
            let part = part_of(name)?;
            let mut own = WITH_RESOURCES.iter();
            own.find(|interface| label(part, interface) == name)
                .copied()
        };
        Self {
            name,
            interface: implements.or_else(own).unwrap_or(name),
        }
    }

    /// Returns the number of the part that asks.
    fn part(self) -> usize {
        match self.name == self.interface {
            true => 0,
            false => part_of(self.name).unwrap_or(0),
        }
    }
}

/// Returns the number of the part that a label begins with.
fn part_of(label: &str) -> Option<usize> {
    let (number, _) = label.strip_prefix(LABEL)?.split_once('-')?;
    number.parse().ok()
}

/// What the names of parts' imports begin with.
const LABEL: &str = "part";

/// Returns the name under which part number `part` imports its own `interface`: `part1-homestar-driver-http-v0x1x0`.
/// It stands in the composition, so it may not change.
pub(crate) fn label(part: usize, interface: &str) -> String {
    let (base, version) = interface.split_once('@').unwrap_or((interface, "0"));
    let base = base.replace([':', '/'], "-");
    let version = version.replace(|c: char| !c.is_ascii_alphanumeric(), "x");
    format!("{LABEL}{part}-{base}-v{version}")
}

/// The interfaces with resources of which each part has its own. The resources themselves are shared, so a part's own
/// is another interface than the one that it stands for, and a component can't say that it implements that.
const WITH_RESOURCES: &[&str] = &[
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft2",
];

/// The interfaces that lead outside, with the driver that each leads to and their version, or what it begins with if
/// that ends in a dot.
const OUTSIDE: &[(&str, &str, &str)] = &[
    ("homestar:driver/clock", "0.1.", "homestar:driver/clock"),
    ("homestar:driver/dns", "0.1.", "homestar:driver/dns"),
    ("homestar:driver/entropy", "0.1.", "homestar:driver/entropy"),
    ("homestar:driver/http", "0.1.", "homestar:driver/http"),
    (
        "homestar:driver/http-streams",
        "0.1.",
        "homestar:driver/http",
    ),
    ("homestar:driver/keys", "0.1.", "homestar:driver/keys"),
    ("homestar:driver/state", "0.1.", "homestar:driver/state"),
    ("homestar:driver/vrf", "0.1.", "homestar:driver/vrf"),
    ("wasi:http/client", "0.3.", "homestar:driver/http"),
    ("wasi:http/outgoing-handler", "0.2.", "homestar:driver/http"),
    (
        "wasi:keyvalue/atomics",
        keyvalue::FIRST,
        "homestar:driver/state",
    ),
    (
        "wasi:keyvalue/atomics",
        keyvalue::SECOND,
        "homestar:driver/state",
    ),
    (
        "wasi:keyvalue/batch",
        keyvalue::FIRST,
        "homestar:driver/state",
    ),
    (
        "wasi:keyvalue/batch",
        keyvalue::SECOND,
        "homestar:driver/state",
    ),
    (
        "wasi:keyvalue/store",
        keyvalue::FIRST,
        "homestar:driver/state",
    ),
    (
        "wasi:keyvalue/store",
        keyvalue::SECOND,
        "homestar:driver/state",
    ),
];

/// The interfaces that don't, with the start of their versions.
const INSIDE: &[(&str, &str)] = &[
    ("homestar:blocks/dag", "0.1."),
    ("homestar:blocks/files", "0.1."),
    ("homestar:blocks/streams", "0.1."),
    ("homestar:std/ipld", "0.1."),
    ("homestar:std/log", "0.1."),
    ("homestar:std/task", "0.1."),
    ("wasi:http/types", "0.2."),
    ("wasi:http/types", "0.3."),
    ("wasi:logging/logging", "0.1."),
];

/// Returns the driver that the interface `name` leads to, if it does.
pub(crate) fn driver(name: &str) -> Option<&'static str> {
    let (base, version) = name.split_once('@')?;
    let mut outside = OUTSIDE.iter();
    let found =
        outside.find(|(interface, served, _)| *interface == base && serves(served, version));
    found.map(|(_, _, driver)| *driver)
}

fn serves(served: &str, version: &str) -> bool {
    match served.ends_with('.') {
        true => version.starts_with(served),
        false => version == served,
    }
}

/// Tells whether the interface `name` is provided here.
pub(crate) fn offers(name: &str) -> bool {
    driver(name).is_some() || is_inside(name)
}

fn is_inside(name: &str) -> bool {
    let (base, version) = name.split_once('@').unwrap_or((name, "0.1."));
    let mut inside = INSIDE.iter();
    inside.any(|(interface, start)| *interface == base && version.starts_with(start))
}

/// Tells whether each part of a composition imports the interface `name` under a name of its own.
pub(crate) fn has_own(name: &str) -> bool {
    part::has_own(name) || driver(name).is_some()
}

/// What a component needs of the outside.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Names of drivers.
    pub(crate) drivers: Vec<String>,
    /// Parts that import `wasi:random`.
    pub(crate) random: Vec<usize>,
    /// Parts that import `wasi:clocks`.
    pub(crate) clock: Vec<usize>,
    /// Whether its world starts tasks of tokio.
    pub(crate) tasks: bool,
}

impl Needs {
    pub(crate) fn add(&mut self, import: Import<'_>) {
        if let Some(driver) = driver(import.interface)
            && !self.drivers.iter().any(|known| known == driver)
        {
            self.drivers.push(driver.to_owned());
        }
        self.tasks |= import.interface.starts_with("wasi:http/");
        let part = import.part();
        if import.interface.starts_with("wasi:random/random@") {
            self.random.push(part);
        }
        if import.interface.starts_with("wasi:clocks/") {
            self.clock.push(part);
        }
    }
}

/// Tells whether `import` is of the world that all components share.
pub(crate) fn is_shared(import: Import<'_>) -> bool {
    import.name == import.interface && !offers(import.interface)
}

/// Defines `import` in `linker`, if it is provided here.
pub(crate) fn add_to_linker(
    linker: &mut Linker<State>,
    import: Import<'_>,
) -> wasmtime::Result<()> {
    let part = import.part();
    if import.name != import.interface
        && part::add_to_linker(linker, import.name, import.interface, part)?
    {
        return Ok(());
    }
    let (base, _) = import
        .interface
        .split_once('@')
        .unwrap_or((import.interface, ""));
    let mut instance = linker.instance(import.name)?;
    match base {
        "homestar:blocks/dag" => blocks::add_dag(&mut instance),
        "homestar:blocks/files" => blocks::add_files(&mut instance),
        "homestar:blocks/streams" => blocks_streams::add(&mut instance),
        "homestar:driver/clock" => clock::add(&mut instance, part),
        "homestar:driver/dns" => dns::add(&mut instance, part),
        "homestar:driver/http" => http::add(&mut instance, part),
        "homestar:driver/entropy" => entropy::add(&mut instance, part),
        "homestar:driver/http-streams" => http_streams::add(&mut instance, part),
        "wasi:http/types" => wasi_http::add_types(&mut instance, import.interface),
        "wasi:http/client" | "wasi:http/outgoing-handler" => {
            wasi_http::add_sending(&mut instance, import.interface, part)
        }
        "homestar:driver/keys" => keys::add(&mut instance, part),
        "homestar:driver/state" => state::add(&mut instance, part),
        "homestar:driver/vrf" => vrf::add(&mut instance, part),
        "homestar:std/ipld" => ipld::add(&mut instance),
        "homestar:std/log" => guest::add_log(&mut instance),
        "homestar:std/task" => guest::add_task(&mut instance),
        "wasi:keyvalue/atomics" | "wasi:keyvalue/batch" | "wasi:keyvalue/store" => {
            keyvalue::add(&mut instance, import.interface, part)
        }
        "wasi:logging/logging" => guest::add_logging(&mut instance),
        _ => Ok(()),
    }
}

type Instance<'a> = LinkerInstance<'a, State>;

/// Returns the outside, which every component has that imports a driver.
fn outside<'a>(store: &'a StoreContextMut<'_, State>) -> wasmtime::Result<&'a Outside> {
    let outside = store.data().outside();
    outside.ok_or_else(|| wasmtime::format_err!("a component without drivers asks one"))
}

/// Returns the drivers. Whoever asks them is not a replay, so they are there.
fn drivers_of(outside: &Outside) -> &Drivers {
    let session = outside
        .session()
        .expect("only a task that is no replay asks drivers");
    &session.drivers
}

/// Returns what the task holds open, for work that is done later; a replay does none.
fn session_of<E: Refusal>(outside: &Outside) -> Result<Arc<Session>, E> {
    let session = outside.session().cloned();
    session.ok_or_else(|| E::denied("a replay asks nobody".to_owned()))
}

/// Returns what stands in a trace for a text that isn't for others to read, or that is long.
fn digest(text: &[u8]) -> ByteBuf {
    ByteBuf::from(Sha256::digest(text).to_vec())
}

/// Returns the function in the name of a driver call: `get` of `homestar:driver/state.get`.
fn function_of(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Why the next call may not be made: it wasn't granted, or the budget is used up. Each driver has its own error.
trait Refusal: Sized {
    fn denied(text: String) -> Self;
    fn budget(text: String) -> Self;
}

macro_rules! refusals {
    ($($error:ty),* $(,)?) => {$(
        impl Refusal for $error {
            fn denied(text: String) -> Self {
                Self::Denied(text)
            }

            fn budget(text: String) -> Self {
                Self::Budget(text)
            }
        }
    )*};
}

refusals!(
    drivers::clock::Error,
    drivers::dns::Error,
    drivers::http::Error,
    drivers::keys::Error,
    drivers::entropy::Error,
    drivers::state::Error,
    drivers::vrf::Error,
);

/// Returns an error if the budget is used up or `granted` says no.
fn permitted<E: Refusal>(
    door: &Door,
    granted: Result<(), homestar_core::grant::Denied>,
) -> Result<(), E> {
    if let Some(text) = door.over_budget() {
        return Err(E::budget(text));
    }
    granted.map_err(|denied| E::denied(denied.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_the_part() {
        let interface = "homestar:driver/http@0.1.0";
        let name = label(12, interface);
        assert_eq!(name, "part12-homestar-driver-http-v0x1x0");
        let name = name.as_str();
        assert_eq!(Import { name, interface }.part(), 12);
        assert_eq!(Import::new(interface, None).part(), 0);
    }

    #[test]
    fn versions_and_names_are_exact() {
        assert_eq!(
            driver("homestar:driver/entropy@0.1.7"),
            Some("homestar:driver/entropy")
        );
        assert_eq!(driver("homestar:driver/entropy@0.2.0"), None);
        assert_eq!(driver("homestar:driver/entropy"), None);
        assert!(offers("homestar:std/log@0.1.0") && !offers("homestar:std/logs@0.1.0"));
        assert!(offers("wasi:keyvalue/store@0.2.0-draft2"));
        assert!(
            !offers("wasi:keyvalue/store@0.2.0-draft3") && !offers("wasi:keyvalue/store@0.2.0")
        );
    }

    #[test]
    fn a_label_tells_the_interface_if_nothing_else_does() {
        for interface in WITH_RESOURCES.iter().copied() {
            let name = label(3, interface);
            let import = Import::new(&name, None);
            assert_eq!((import.interface, import.part()), (interface, 3));
        }
        let import = Import::new("part3-of", None);
        assert_eq!((import.interface, import.part()), ("part3-of", 0));
        let import = Import::new("part3-of", Some("a:b/c"));
        assert_eq!((import.interface, import.part()), ("a:b/c", 3));
    }
}
