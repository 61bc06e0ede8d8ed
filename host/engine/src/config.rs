//! What an [`Engine`](crate::Engine) may use, and the one function that builds wasmtime's own configuration.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::drivers::DriverSettings;
use wasmtime::{
    Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// Settings of an [`Engine`](crate::Engine).
///
/// The defaults suit a program that loads a few components it trusts: compiled in this process, nothing kept on
/// disk, memory mapped as it is needed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled code is kept between processes; `None` compiles anew each time. The folder is created
    /// with mode 0700 and refused when somebody else may write to it, because its content is machine code.
    pub cache: Option<PathBuf>,
    /// Bytes that the cache folder may hold; the longest unused files go first. Default 2 GiB.
    pub cache_bytes_max: u64,
    /// Bytes of code that loaded components may have together and still be kept ready in this process; the longest
    /// unused go first. Default 1 GiB, which is mapped from the cache and takes memory only where it runs.
    pub ready_bytes_max: u64,
    /// Who compiles. Default [`Compiler::InProcess`].
    pub compiler: Compiler,
    /// Size of the largest component that is taken, in bytes. Default 64 MiB: a Python interpreter with its
    /// standard library is 18 MiB.
    pub component_bytes_max: u64,
    /// Longest time that compiling one component may take. Default 2 minutes: an 18 MiB component takes 5 to 15
    /// seconds. Kept only by [`Compiler::Process`], since a thread can't be stopped from outside.
    pub compile_time_max: Duration,
    /// Address space that compiling one component may take, in bytes. Default 6 GiB. Kept only by
    /// [`Compiler::Process`].
    pub compile_memory_bytes_max: u64,
    /// How memory for instances is found. Default [`Allocation::OnDemand`].
    pub allocation: Allocation,
    /// What the drivers use.
    pub drivers: DriverSettings,
}

impl Config {
    /// Size of the largest component that is taken unless set otherwise, in bytes.
    pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache: None,
            cache_bytes_max: 2 << 30,
            ready_bytes_max: 1 << 30,
            compiler: Compiler::InProcess,
            component_bytes_max: Self::COMPONENT_BYTES_MAX,
            compile_time_max: Duration::from_secs(120),
            compile_memory_bytes_max: 6 << 30,
            allocation: Allocation::OnDemand,
            drivers: DriverSettings::default(),
        }
    }
}

/// Who turns a component into machine code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// This process. Bounded in size only: for components from a trusted source.
    #[default]
    InProcess,
    /// A process of its own, that calls [`compile_worker`](crate::compile_worker). It ends when it takes too
    /// long or too much memory, and takes nothing with it.
    Process {
        /// The program to start.
        program: PathBuf,
        /// Arguments that come before those of [`compile_worker`](crate::compile_worker).
        arguments: Vec<OsString>,
    },
}

/// How memory for instances is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// Mapped when an instance starts: cheapest for one call in a process.
    #[default]
    OnDemand,
    /// Reserved once and reused: cheapest for many calls in a process. Reserves address space, not memory.
    Pooling {
        /// Calls that may run at the same time, each of up to 8 components that have memories and make up 32 core
        /// instances. A larger composition takes the room of several. A call for which there is no room fails by
        /// [`CallError::Host`](crate::CallError::Host), which says so.
        instances_max: u32,
    },
}

/// Which of the two engines a component runs on. Calls of synchronous components cost several times less when
/// wasmtime's support for concurrency is off, so it is on only for components that ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// No async functions, streams or futures.
    Sync,
    /// The whole component model.
    Concurrent,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::Sync, Self::Concurrent];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Concurrent => "concurrent",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Stack that a guest may use, in bytes: twice wasmtime's default, because interpreters recurse deeply.
const STACK_BYTES_MAX: usize = 1 << 20;

/// Stack of a call that may wait, in bytes: the guest's share, and as much again for the host's functions.
const ASYNC_STACK_BYTES: usize = 2 << 20;

/// Largest linear memory that the pooling allocator holds a place for, in bytes: all that 32 bits can address.
const POOL_MEMORY_BYTES_MAX: usize = 1 << 32;

/// Returns the configuration that compiled code depends on, so it is built here and nowhere else.
///
/// What makes two machines agree is set here: NaNs are canonical, relaxed SIMD instructions have one meaning,
/// threads are compiled out of wasmtime, and fuel is counted.
pub(crate) fn wasmtime_config(mode: Mode, allocation: Allocation) -> wasmtime::Config {
    let concurrent = mode == Mode::Concurrent;
    let mut config = wasmtime::Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_implements(true)
        .wasm_component_model_async(concurrent)
        .wasm_component_model_more_async_builtins(concurrent)
        .concurrency_support(concurrent)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(ASYNC_STACK_BYTES)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    if let Allocation::Pooling { instances_max } = allocation {
        config.allocation_strategy(pooling(instances_max));
    }
    config
}

/// Bytes of a memory that stay when its instance has ended. Guests of one call write some pages of stack and data; where the kernel
/// can't say which, this much is cleared.
const MEMORY_KEPT_BYTES: usize = 128 << 10;

/// Returns room for `instances_max` compositions of some dozen core instances each.
fn pooling(instances_max: u32) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .total_core_instances(instances_max.saturating_mul(32))
        .total_memories(instances_max.saturating_mul(8))
        .total_tables(instances_max.saturating_mul(16))
        .total_stacks(instances_max.saturating_mul(2))
        .max_memory_size(POOL_MEMORY_BYTES_MAX)
        .table_elements(1 << 20)
        .max_unused_warm_slots(instances_max)
        // The kernel says which pages were written (Linux 6.7), so that few are written back, and none has to come anew.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10);
    InstanceAllocationStrategy::Pooling(pool)
}
