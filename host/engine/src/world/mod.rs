//! The deterministic world: what a guest sees when nothing was granted to it.
//!
//! WASI is there, because the runtimes of Rust, JavaScript and Python import it, but nothing in it can differ
//! between two machines: the clock stands still ([`clock`]), random numbers follow from the instruction
//! ([`random`]), the file system and the environment are empty, sockets refuse, standard output is kept
//! ([`stdio`]), and waiting takes no time ([`drive`]).

pub(crate) mod clock;
mod clocks;
pub(crate) mod drive;
mod random;
pub(crate) mod stdio;

use bytes::Bytes;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::config::Mode;
use crate::instance::State;
use clock::Clock;
use random::Random;
use stdio::Capture;

/// Name that a command finds as its first argument, where other systems give the name of the program.
const PROGRAM_NAME: &str = "main";

/// Most bytes that one request for random numbers may ask for: a guest's number becomes an allocation of ours.
const RANDOM_BYTES_MAX: u64 = 64 << 20;

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
}

/// Setting WASI up costs more than a small call, and most small guests never ask for it.
enum Wasi {
    Asleep(Option<Box<Given>>),
    Awake(Box<WasiCtx>),
}

impl World {
    pub(crate) fn new(given: Given) -> Self {
        Self {
            clock: Clock::default(),
            table: ResourceTable::new(),
            wasi: Wasi::Asleep(Some(Box::new(given))),
        }
    }

    /// Tells whether the guest has asked WASI for anything. Until then it can't have written anything.
    pub(crate) fn is_awake(&self) -> bool {
        matches!(self.wasi, Wasi::Awake(_))
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

/// Returns WASI as the builder closes it by default (no environment, no folders, no network), with our sources.
fn wasi(given: Given) -> WasiCtx {
    let random = Random::new(given.seed);
    let mut builder = WasiCtxBuilder::new();
    builder
        .arg(PROGRAM_NAME)
        .args(&given.arguments)
        .stdin(MemoryInputPipe::new(given.stdin))
        .stdout(given.stdout)
        .stderr(given.stderr)
        .secure_random(random.secure)
        .insecure_random(random.insecure)
        .insecure_random_seed(random.insecure_seed)
        .max_random_size(RANDOM_BYTES_MAX)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

/// Adds WASI 0.2, and on the concurrent engine 0.3, to `linker`. Clocks are ours, since those of wasmtime-wasi
/// sleep in real time.
pub(crate) fn add_to_linker(linker: &mut Linker<State>, mode: Mode) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    clocks::add_p2_to_linker(linker)?;
    if mode == Mode::Concurrent {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        clocks::add_p3_to_linker(linker)?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

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
    fn offers_wasi_and_nothing_else() {
        assert!(offers("wasi:io/poll@0.2.0") && offers("wasi:io/poll@0.2.12"));
        assert!(offers("wasi:clocks/system-clock@0.3.0"));
        assert!(!offers("wasi:io/poll@0.3.0"));
        assert!(!offers("wasi:http/outgoing-handler@0.2.6"));
        assert!(!offers("wasi:io/poll") && !offers("acme:weather/forecast@0.2.0"));
    }
}
