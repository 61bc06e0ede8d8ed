//! The deterministic world: what a guest sees when nothing was granted to it.
//!
//! WASI is there, because the runtimes of Rust, JavaScript and Python import it, but nothing in it can differ
//! between two machines: the clock stands still ([`clock`]), random numbers follow from the instruction
//! ([`random`]), the file system and the environment are empty, sockets refuse, standard output is kept
//! ([`stdio`]), and waiting takes no time ([`drive`]). Of some of
//! it each component of a composition has its own ([`part`]).

pub(crate) mod clock;
pub(crate) mod drive;
pub(crate) mod part;
mod random;
pub(crate) mod stdio;

use bytes::Bytes;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::WasiCliCtxView;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::config::Mode;
use crate::instance::State;
use clock::Clock;
use random::Random;
use stdio::Capture;

/// Name that a command finds as its first argument, where other systems give the name of the program.
const PROGRAM_NAME: &str = "main";

/// Most things of the host that the parts of a task hold at once: streams, requests, buckets and what else has handles.
/// Each takes less than a KiB beside what it leads to.
const HANDLES_MAX: usize = 100_000;

/// What a task may see of the outside: all of it is in its instruction.
#[derive(Debug)]
pub(crate) struct Given {
    /// SHA-256 digest that the random numbers follow from.
    pub(crate) seed: [u8; 32],
    /// Arguments of a command, without the name of the program.
    pub(crate) arguments: Vec<String>,
    /// Standard input.
    pub(crate) stdin: Bytes,
    /// Standard output.
    pub(crate) stdout: Capture,
    /// Standard error.
    pub(crate) stderr: Capture,
}

/// The world of one task.
pub(crate) struct World {
    pub(crate) clock: Clock,
    table: ResourceTable,
    wasi: Wasi,
    seed: [u8; 32],
    /// By the number of the part, those that were asked.
    randoms: Vec<Option<Box<Random>>>,
    log: Capture,
    effects: Option<Box<WasiCtx>>,
}

/// Setting WASI up costs more than a small call, and most small guests never ask for it.
enum Wasi {
    Asleep(Option<Box<Given>>),
    Awake(Box<WasiCtx>),
}

impl World {
    pub(crate) fn new(given: Given) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self {
            clock: Clock::default(),
            table,
            seed: given.seed,
            randoms: Vec::new(),
            log: given.stderr.clone(),
            effects: None,
            wasi: Wasi::Asleep(Some(Box::new(given))),
        }
    }

    /// Tells whether the guest has asked WASI for anything. Until then it can't have written anything.
    pub(crate) fn is_awake(&self) -> bool {
        matches!(self.wasi, Wasi::Awake(_)) || self.effects.is_some()
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// Returns the log.
    pub(crate) fn log(&self) -> &Capture {
        &self.log
    }

    /// Returns the random numbers that the instruction decides for a part.
    fn random(&mut self, part: usize) -> &mut Random {
        if self.randoms.len() <= part {
            self.randoms.resize_with(part + 1, || None);
        }
        let seed = self.seed;
        self.randoms[part].get_or_insert_with(|| Box::new(Random::new(seed, part)))
    }

    /// Returns standard input and output as effects have them.
    fn effects_cli(&mut self) -> WasiCliCtxView<'_> {
        let log = &self.log;
        let ctx = self.effects.get_or_insert_with(|| {
            let mut builder = WasiCtxBuilder::new();
            builder.stdout(log.clone()).stderr(log.clone());
            Box::new(builder.build())
        });
        WasiCliCtxView {
            ctx: ctx.cli(),
            table: &mut self.table,
        }
    }
}

impl WasiView for World {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        if let Wasi::Asleep(given) = &mut self.wasi {
            let given = given
                .take()
                .expect("taken once, since the next line replaces it");
            self.wasi = Wasi::Awake(Box::new(wasi(*given)));
        }
        let Wasi::Awake(ctx) = &mut self.wasi else {
            unreachable!("awake since the lines above");
        };
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

/// Returns WASI as the builder closes it by default: no environment, no folders, no network. Clocks and random
/// numbers are those of [`part`].
fn wasi(given: Given) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .arg(PROGRAM_NAME)
        .args(&given.arguments)
        .stdin(MemoryInputPipe::new(given.stdin))
        .stdout(given.stdout)
        .stderr(given.stderr)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

/// Adds WASI 0.2, and on the concurrent engine 0.3, to `linker`, as the guest sees it. Clocks and random numbers are
/// ours: those of wasmtime-wasi sleep in real time and know one component only.
pub(crate) fn add_to_linker(linker: &mut Linker<State>, mode: Mode) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    for interface in P2_OF_GUEST {
        part::add_to_linker(linker, interface, interface, GUEST)?;
    }
    if mode == Mode::Concurrent {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        for interface in P3_OF_GUEST {
            part::add_to_linker(linker, interface, interface, GUEST)?;
        }
    }
    linker.allow_shadowing(false);
    Ok(())
}

/// Number of the guest among the parts.
pub(crate) const GUEST: usize = 0;

/// Interfaces of WASI 0.2 that are ours, in the version that wasmtime-wasi has.
const P2_OF_GUEST: &[&str] = &[
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/random@0.2.12",
];

/// Interfaces of WASI 0.3 that are ours.
const P3_OF_GUEST: &[&str] = &[
    "wasi:clocks/monotonic-clock@0.3.0",
    "wasi:clocks/system-clock@0.3.0",
    "wasi:random/insecure@0.3.0",
    "wasi:random/insecure-seed@0.3.0",
    "wasi:random/random@0.3.0",
];

/// Interfaces that [`add_to_linker`] offers of WASI 0.2 and of 0.3.
const BOTH: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
];

/// Interfaces that it offers of WASI 0.2 alone.
const ONLY_P2: &[&str] = &[
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:sockets/instance-network",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Interfaces that it offers of WASI 0.3 alone.
const ONLY_P3: &[&str] = &[
    "wasi:cli/types",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:sockets/types",
];

/// Tells whether the deterministic world offers the interface `name`, such as `wasi:io/poll@0.2.6`.
pub(crate) fn offers(name: &str) -> bool {
    let Some((interface, version)) = name.split_once('@') else {
        return false;
    };
    let only = match version.rsplit_once('.') {
        Some(("0.2", _)) => ONLY_P2,
        Some(("0.3", _)) => ONLY_P3,
        _ => return false,
    };
    BOTH.contains(&interface) || only.contains(&interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_bounded() {
        let output = || Capture::new(0, crate::end::LimitReached::Log, None);
        let mut world = World::new(Given {
            seed: [0; 32],
            arguments: Vec::new(),
            stdin: Bytes::new(),
            stdout: output(),
            stderr: output(),
        });
        for _ in 0..HANDLES_MAX {
            world.table().push(()).unwrap();
        }
        assert!(world.table().push(()).is_err());
    }

    #[test]
    fn offers_wasi_and_nothing_else() {
        assert!(offers("wasi:io/poll@0.2.0") && offers("wasi:io/poll@0.2.12"));
        assert!(offers("wasi:clocks/system-clock@0.3.0"));
        assert!(!offers("wasi:io/poll@0.3.0"));
        assert!(!offers("wasi:http/outgoing-handler@0.2.6"));
        assert!(!offers("wasi:io/poll") && !offers("acme:weather/forecast@0.2.0"));
    }
}
