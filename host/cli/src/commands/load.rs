//! Reading components, and what to say when that fails.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use homestar_core::evidence;
use homestar_core::ipld::Cid;
use homestar_engine::{
    Allocation, Compiler, Component, Config, DriverSettings, Effect, Effects, Engine, EngineError,
    LoadError, Missing,
};

use homestar_node::Reference;

use super::data::Data;
use super::project;
use crate::authority::{self, Authority};
use crate::cli::WORKER;
use crate::error::CommandError;
use crate::files::{self, Stdin};
use crate::settings::Settings;
use crate::{folders, paths, print};

/// How components are loaded.
#[derive(Debug)]
pub(crate) struct Loading {
    /// Whether compiled code is kept and used.
    pub(super) use_cache: bool,
    /// Longest time that compiling may take, if not the engine's own.
    pub(super) compile_time: Option<Duration>,
    /// Most memory that compiling may take, in bytes, if not the engine's own.
    pub(super) compile_memory: Option<u64>,
    /// Folders of effects to ask before the usual ones.
    pub(super) effects: Vec<PathBuf>,
    /// What the task and its effects are granted.
    pub(super) authority: Authority,
    /// What drivers use.
    pub(super) drivers: DriverSettings,
}

impl Loading {
    /// Returns how a node loads components, for others and for its owner: as the settings say, and nobody typed anything.
    pub(super) fn of_node(authority: Authority, settings: &Settings) -> Result<Self, CommandError> {
        Ok(Self {
            use_cache: true,
            compile_time: None,
            compile_memory: None,
            effects: Vec::new(),
            drivers: settings.drivers(authority.sends())?,
            authority,
        })
    }

    /// Returns an engine. Without a folder for compiled code it works too, and says so.
    pub(super) fn engine(&self) -> Result<Engine, CommandError> {
        self.engine_with(Allocation::OnDemand)
    }

    /// Returns an engine that finds memory for instances in such a way.
    pub(super) fn engine_with(&self, allocation: Allocation) -> Result<Engine, CommandError> {
        let mut config = Config {
            compiler: Compiler::Process {
                program: std::env::current_exe().map_err(CommandError::host)?,
                arguments: vec![WORKER.into()],
            },
            drivers: self.drivers.clone(),
            allocation,
            ..Config::default()
        };
        config.compile_time_max = self.compile_time.unwrap_or(config.compile_time_max);
        let memory_max = self
            .compile_memory
            .unwrap_or(config.compile_memory_bytes_max);
        config.compile_memory_bytes_max = memory_max;
        if self.use_cache {
            match paths::code() {
                Ok(folder) => config.cache = Some(folder),
                Err(error) => print::warning(&format!("compiled code is not kept: {error}")),
            }
        }
        match Engine::new(config.clone()) {
            Err(error @ EngineError::Cache { .. }) => {
                print::warning(&format!("compiled code is not kept: {error}"));
                config.cache = None;
                Engine::new(config).map_err(CommandError::host)
            }
            engine => engine.map_err(CommandError::host),
        }
    }

    /// Returns the component that is named.
    pub(super) fn component(
        &self,
        engine: &Engine,
        named: &Reference,
        stdin: &mut Stdin,
        data: &Data,
    ) -> Result<Loaded, CommandError> {
        self.component_with(engine, named, stdin, data, &BTreeMap::new())
    }

    /// Returns the component that is named, for which `pins` choose who provides interfaces.
    pub(super) fn component_with(
        &self,
        engine: &Engine,
        named: &Reference,
        stdin: &mut Stdin,
        data: &Data,
        pins: &BTreeMap<String, String>,
    ) -> Result<Loaded, CommandError> {
        let found = Found::new(self, pins)?;
        let effects = || found.effects();
        let (loaded, source) = match named {
            Reference::Stdin | Reference::Content(_) | Reference::Url(_) => {
                let bytes_max = Config::default().component_bytes_max;
                let (name, bytes) = match named {
                    Reference::Content(path) => (path.to_string(), data.read(path, bytes_max)?),
                    Reference::Url(url) => (url.to_string(), data.read_url(url, bytes_max)?),
                    _ => (COMPONENT.to_owned(), read_stdin(stdin)?),
                };
                let load = || engine.load_with(&bytes, effects);
                let loaded = self.while_it_compiles(&name, bytes.len() as u64, load);
                (loaded, Source::Bytes(bytes))
            }
            Reference::Path(path) => {
                let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
                let load = || engine.load_file_with(path, effects);
                let loaded = self.while_it_compiles(&path.display().to_string(), bytes, load);
                (loaded, Source::File(path.to_owned()))
            }
        };
        let effects = found.finish()?;
        Ok(Loaded {
            component: loaded.map_err(|error| unbuilt(named, explained(error)))?,
            effects,
            source,
        })
    }

    /// Returns the effects there are, with what was granted to them. What was typed counts for more than `pins`.
    fn effects(&self, pins: &BTreeMap<String, String>) -> Result<Effects, CommandError> {
        let mut effects = folders::effects(&self.effects);
        self.authority.give(&mut effects)?;
        for (interface, effect) in pins {
            let pinned = effects.pin(interface, effect);
            pinned.map_err(|error| CommandError::input(error).hint(authority::LIST))?;
        }
        Ok(effects)
    }

    /// Does `load`. If that takes long and somebody watches, says why.
    fn while_it_compiles<T>(&self, name: &str, bytes: u64, load: impl FnOnce() -> T) -> T {
        if bytes < LONG_BYTES_MIN || !std::io::stderr().is_terminal() {
            return load();
        }
        let size = print::size(bytes);
        let words = match self.use_cache {
            true => format!("compiling {name} ({size}), once per machine …\n"),
            false => format!("compiling {name} ({size}) …\n"),
        };
        let (done, wait) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                    print::err(&words);
                }
            });
            let loaded = load();
            drop(done);
            loaded
        })
    }
}

/// Effects that are looked for when somebody asks for them, and what came of that.
struct Found<'a> {
    loading: &'a Loading,
    pins: &'a BTreeMap<String, String>,
    found: RefCell<Option<Result<Effects, CommandError>>>,
}

impl<'a> Found<'a> {
    /// An effect that a person named has to be there, whether or not anybody asks for it.
    fn new(loading: &'a Loading, pins: &'a BTreeMap<String, String>) -> Result<Self, CommandError> {
        let found = match loading.authority.names_effects() || !pins.is_empty() {
            true => Some(Ok(loading.effects(pins)?)),
            false => None,
        };
        Ok(Self {
            loading,
            pins,
            found: RefCell::new(found),
        })
    }

    fn effects(&self) -> Effects {
        let mut found = self.found.borrow_mut();
        match found.get_or_insert_with(|| self.loading.effects(self.pins)) {
            Ok(effects) => effects.clone(),
            Err(_) => Effects::new(),
        }
    }

    fn finish(self) -> Result<Effects, CommandError> {
        self.found
            .into_inner()
            .unwrap_or_else(|| Ok(Effects::new()))
    }
}

/// A component, and where its bytes are.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) component: Component,
    /// The effects there are, if it asked for any.
    effects: Effects,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Loaded {
    /// Returns the bytes that it was loaded from.
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>, CommandError> {
        match &self.source {
            Source::File(path) => {
                files::read(path, Config::default().component_bytes_max).map(Cow::Owned)
            }
            Source::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Returns the component as it goes into evidence.
    pub(super) fn guest(&self) -> Result<evidence::Component, CommandError> {
        let guest = evidence::Component::new(self.bytes()?.into_owned());
        match guest.cid() == self.component.cid() {
            true => Ok(guest),
            false => Err(CommandError::input(
                "the component's file was changed while the task ran",
            )),
        }
    }

    /// Returns the effects that are wired to it.
    pub(super) fn wired(&self) -> impl Iterator<Item = &Effect> {
        let wired = self.component.effects();
        self.effects
            .iter()
            .filter(|effect| wired.contains(effect.cid()))
    }

    /// Returns the effects that are wired to it as they go into evidence, in the order of its receipt.
    pub(super) fn effects(&self) -> Result<Vec<evidence::Component>, CommandError> {
        let named = |cid: &Cid| {
            let effect = self.effects.iter().find(|effect| effect.cid() == cid);
            match effect {
                Some(effect) => Ok(evidence::Component::new(effect.bytes().to_vec())),
                None => Err(CommandError::host(format!("the effect {cid} is gone"))),
            }
        };
        self.component.effects().iter().map(named).collect()
    }
}

/// Returns the bytes of the component that is named.
pub(super) fn bytes(named: &Reference, data: &Data) -> Result<Vec<u8>, CommandError> {
    let bytes_max = Config::default().component_bytes_max;
    match named {
        Reference::Stdin => read_stdin(&mut Stdin::default()),
        Reference::Path(path) => {
            files::read(path, bytes_max).map_err(|error| unbuilt(named, error))
        }
        Reference::Content(path) => data.read(path, bytes_max),
        Reference::Url(url) => data.read_url(url, bytes_max),
    }
}

/// A component that isn't there may be that of a project that wasn't built yet.
fn unbuilt(named: &Reference, error: CommandError) -> CommandError {
    match named {
        Reference::Path(path) if project::makes(path) => {
            error.hint("`homestar build` makes it, where its project is")
        }
        _ => error,
    }
}

fn read_stdin(stdin: &mut Stdin) -> Result<Vec<u8>, CommandError> {
    stdin.read(COMPONENT, Config::default().component_bytes_max)
}

/// What standard input is read for.
const COMPONENT: &str = "the component";

/// Size from which a component takes long enough to compile that somebody would wonder, in bytes.
const LONG_BYTES_MIN: u64 = 256 << 10;

/// How long somebody waits without wondering.
const PATIENCE: Duration = Duration::from_millis(300);

/// How to make a component, said where something else was given.
const BUILD: &str = "`cargo build --target wasm32-wasip2` builds a component";

/// Returns `error` with its exit code and hints.
pub(super) fn explained(error: LoadError) -> CommandError {
    let hints: Vec<String> = match &error {
        LoadError::Missing { missing } => missing.iter().take(HINTS_MAX).map(provider).collect(),
        LoadError::TwoProviders { import, .. } => vec![format!(
            "`--pin {import}=NAME` chooses one; `homestar effect remove NAME` removes one"
        )],
        LoadError::DoesNotFit { import, .. } => vec![format!(
            "the two were built from other definitions of it; `--pin {import}=NAME` chooses another effect, \
             `homestar effect remove NAME` removes one"
        )],
        LoadError::CoreModule => vec![BUILD.into()],
        LoadError::NotWasm {
            found: "WebAssembly text",
        } => vec!["`wasm-tools parse FILE -o OUT` turns it into binary".into()],
        LoadError::NotWasm { .. } => vec![BUILD.into()],
        LoadError::CompileTime { .. } => vec!["`--compile-time` gives it longer".into()],
        _ => Vec::new(),
    };
    let mut error = match error {
        LoadError::Compiler { .. } => CommandError::host(error),
        _ => CommandError::input(error),
    };
    error.hints = hints;
    error
}

/// Most missing imports that get a hint of their own.
const HINTS_MAX: usize = 3;

fn provider(missing: &Missing) -> String {
    let Missing {
        import, offered, ..
    } = missing;
    if let Some((path, other)) = offered {
        let path = path.display();
        return format!(
            "{path} offers `{other}`, which is another version; `homestar effect add FILE` adds one that offers this one"
        );
    }
    let who = match missing.is_in_front {
        true => "no effect behind it offers",
        false => "no effect offers",
    };
    format!("{who} `{import}`; `homestar effect add FILE` adds one that does")
}
