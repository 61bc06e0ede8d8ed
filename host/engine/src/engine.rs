//! The engine: loads components.

use std::borrow::{Borrow, Cow};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use homestar_core::ipld::Cid;
use homestar_core::task::Limits;
use homestar_core::trace::Trace;
use homestar_core::unixfs::cid_of_file;
use wasmtime::component::Linker;
use wasmtime::component::types::ComponentItem;

use crate::cache::Cache;
use crate::compile::compile;
use crate::component::{Component, Identity, Origin};
use crate::compose::{self, Wiring};
use crate::config::{Config, Mode, wasmtime_config};
use crate::drivers::Drivers;
use crate::effects::Effects;
use crate::end::End;
use crate::error::{EngineError, LoadError};
use crate::instance::{Instance, Setting, Stage, State};
use crate::link::blocks::Known;
use crate::parts::Part;
use crate::ready::{Guest, Ready};
use crate::{link, scan, world};

/// Loads components and runs them. See the [crate] for an example.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    cache: Option<Cache>,
    sync: OnceLock<Side>,
    concurrent: OnceLock<Side>,
    drivers: Arc<Drivers>,
    ready: Ready,
}

/// wasmtime's engine for one of the two modes, with what it offers to components.
struct Side {
    engine: wasmtime::Engine,
    /// Offers nothing, for components that ask for nothing.
    bare: Linker<State>,
    /// Offers the deterministic world.
    world: OnceLock<Linker<State>>,
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").finish_non_exhaustive()
    }
}

impl Engine {
    /// Returns an engine. Opens the folder of its cache; everything else waits until it is needed.
    pub fn new(config: Config) -> Result<Self, EngineError> {
        let cache = match &config.cache {
            Some(path) => Some(Cache::open(path, config.cache_bytes_max)?),
            None => None,
        };
        let drivers = Arc::new(Drivers::new(config.drivers.clone()));
        Ok(Self {
            drivers,
            ready: Ready::new(config.ready_bytes_max),
            config,
            cache,
            sync: OnceLock::new(),
            concurrent: OnceLock::new(),
        })
    }

    /// Loads the component in the file at `path`.
    pub fn load_file(&self, path: &Path) -> Result<Component, LoadError> {
        self.load(&read(path, self.config.component_bytes_max)?)
    }

    /// Loads the component in the file at `path` together with what it asks for of `effects`.
    pub fn load_file_with<E: Borrow<Effects>>(
        &self,
        path: &Path,
        effects: impl FnOnce() -> E,
    ) -> Result<Component, LoadError> {
        self.load_with(&read(path, self.config.component_bytes_max)?, effects)
    }

    /// Loads a component: a binary component, or a core module that carries its component type.
    pub fn load(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        self.load_with(bytes, Effects::new)
    }

    /// Loads a component together with what it asks for of `effects`, which is called only if it asks for anything.
    ///
    /// What was loaded lately and is wired to the same effects is ready at once.
    pub fn load_with<E: Borrow<Effects>>(
        &self,
        bytes: &[u8],
        effects: impl FnOnce() -> E,
    ) -> Result<Component, LoadError> {
        check_size(bytes.len() as u64, self.config.component_bytes_max)?;
        let guest = cid_of_file(bytes);
        match self.ready.guest(&guest) {
            Some(Guest::Whole(component)) => Ok(component),
            Some(Guest::Asking(sheet)) => {
                let effects = effects();
                let wiring = compose::wire(&sheet, effects.borrow())?;
                self.load_wired(guest, &wiring, || Part::read(bytes))
            }
            None => self.load_new(guest, bytes, effects),
        }
    }

    /// Returns the component of the CID `guest` together with what it asks for of `effects`, if it is ready: it was
    /// loaded lately, and is wired to the same effects.
    pub fn ready<E: Borrow<Effects>>(
        &self,
        guest: &Cid,
        effects: impl FnOnce() -> E,
    ) -> Result<Option<Component>, LoadError> {
        match self.ready.guest(guest) {
            Some(Guest::Whole(component)) => Ok(Some(component)),
            Some(Guest::Asking(sheet)) => {
                let effects = effects();
                let wiring = compose::wire(&sheet, effects.borrow())?;
                Ok(self.ready.find(&wiring.identity(*guest)))
            }
            None => Ok(None),
        }
    }

    fn load_new<E: Borrow<Effects>>(
        &self,
        cid: Cid,
        bytes: &[u8],
        effects: impl FnOnce() -> E,
    ) -> Result<Component, LoadError> {
        let guest = scan::component(bytes)?;
        let identity = Identity::of_guest(cid);
        let imports = scan::imports(&guest)?;
        let is_offered = |import: &String| world::offers(import) || link::offers(import);
        if imports.iter().all(is_offered) {
            return self.load_whole(&identity, &cid, &guest);
        }
        // Interfaces of nothing but types need no provider. That there are no others was seen before it was compiled.
        if let Some(component) = self.load_cached(&identity, &cid)? {
            return Ok(component);
        }
        let part = Part::read(&guest)?;
        if part.sheet.asks().next().is_none() {
            return self.load_compiled(&identity, &cid, &guest);
        }
        self.ready.remember(cid, &part.sheet);
        let effects = effects();
        let wiring = compose::wire(&part.sheet, effects.borrow())?;
        self.load_wired(cid, &wiring, || Ok(part))
    }

    /// Loads `guest` with what is wired to it. `part` reads it, if it isn't ready.
    fn load_wired(
        &self,
        guest: Cid,
        wiring: &Wiring<'_>,
        part: impl FnOnce() -> Result<Part, LoadError>,
    ) -> Result<Component, LoadError> {
        let identity = wiring.identity(guest);
        if let Some(component) = self.ready.find(&identity) {
            return Ok(component);
        }
        let bytes = compose::compose(part()?, wiring)?;
        self.load_whole(&identity, &cid_of_file(&bytes), &bytes)
    }

    /// Loads a component and its effects as they were wired when `trace` was recorded. `parts` are the bytes of its
    /// parts, in their order.
    pub fn load_as_traced(
        &self,
        parts: &[impl AsRef<[u8]>],
        trace: &Trace,
    ) -> Result<Component, LoadError> {
        let are_the_same = parts.len() == trace.parts.len()
            && parts
                .iter()
                .zip(&trace.parts)
                .all(|(bytes, part)| cid_of_file(bytes.as_ref()) == part.component);
        let (Some((guest, others)), true) = (parts.split_first(), are_the_same) else {
            return Err(LoadError::OtherParts);
        };
        if others.is_empty() {
            return self.load(guest.as_ref());
        }
        let names: Vec<_> = (1..parts.len())
            .map(|number| format!("part-{number}"))
            .collect();
        let mut effects = Effects::new();
        let bytes = others.iter().map(|bytes| bytes.as_ref().to_vec());
        effects.add_built_in(names.iter().map(String::as_str).zip(bytes))?;
        let guest = guest.as_ref();
        let wiring = compose::rewire(&effects, &trace.parts)?;
        self.load_wired(cid_of_file(guest), &wiring, || Part::read(guest))
    }

    /// Starts `component`, to call its exports one by one. [`Engine::call`] does that for a whole task.
    pub fn start(
        &self,
        component: &Component,
        setting: Setting,
        limits: &Limits,
    ) -> Result<Instance, End> {
        let stage = Stage::new(component, setting, limits);
        let stage = stage.map_err(|error| End::Host(error.to_string()))?;
        stage.start().map_err(|failed| failed.0)
    }

    /// Loads what asks for nothing that the world doesn't offer. Its code is kept under the name `whole`.
    fn load_whole(
        &self,
        identity: &Identity,
        whole: &Cid,
        bytes: &[u8],
    ) -> Result<Component, LoadError> {
        match self.load_cached(identity, whole)? {
            Some(component) => Ok(component),
            None => self.load_compiled(identity, whole, bytes),
        }
    }

    /// Which engine a component needs is known only after reading it, so both are asked.
    fn load_cached(
        &self,
        identity: &Identity,
        whole: &Cid,
    ) -> Result<Option<Component>, LoadError> {
        let Some(cache) = &self.cache else {
            return Ok(None);
        };
        for mode in Mode::ALL {
            let side = self.side(mode)?;
            let code = cache.load(&cache.path(whole, &side.engine), &side.engine);
            if let Some(code) = code {
                return self
                    .link(side, identity, &code, mode, Origin::Cache)
                    .map(Some);
            }
        }
        Ok(None)
    }

    fn load_compiled(
        &self,
        identity: &Identity,
        whole: &Cid,
        bytes: &[u8],
    ) -> Result<Component, LoadError> {
        let mode = scan::mode(bytes)?;
        let side = self.side(mode)?;
        let begin = Instant::now();
        // What has no effects in it is compiled once, so only what has is kept function by function.
        let cache = self.cache.as_ref().filter(|_| identity.parts.len() > 1);
        let functions = cache.map(|cache| cache.functions(&identity.cid, &side.engine));
        let code = compile(
            bytes,
            &side.engine,
            mode,
            &self.config,
            functions.as_deref(),
        )?;
        let time = begin.elapsed();
        let not_kept = self
            .keep(whole, side, &code)
            .err()
            .map(|error| error.to_string());
        let code = deserialize(&side.engine, &code)?;
        self.link(
            side,
            identity,
            &code,
            mode,
            Origin::Compiler { time, not_kept },
        )
    }

    fn keep(&self, whole: &Cid, side: &Side, code: &[u8]) -> std::io::Result<()> {
        match &self.cache {
            Some(cache) => cache.save(&cache.path(whole, &side.engine), code),
            None => Ok(()),
        }
    }

    fn link(
        &self,
        side: &Side,
        identity: &Identity,
        code: &wasmtime::component::Component,
        mode: Mode,
        origin: Origin,
    ) -> Result<Component, LoadError> {
        let linker = side.linker(code, mode)?;
        let component = Component::new(identity.clone(), code, &linker, &self.drivers, origin)?;
        self.ready.keep(&component, code);
        Ok(component)
    }

    fn side(&self, mode: Mode) -> Result<&Side, LoadError> {
        let slot = match mode {
            Mode::Sync => &self.sync,
            Mode::Concurrent => &self.concurrent,
        };
        if let Some(side) = slot.get() {
            return Ok(side);
        }
        let side = Side::new(mode, &self.config).map_err(link_error)?;
        Ok(slot.get_or_init(|| side))
    }
}

impl Side {
    fn new(mode: Mode, config: &Config) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&wasmtime_config(mode, config.allocation))?;
        Ok(Self {
            bare: Linker::new(&engine),
            engine,
            world: OnceLock::new(),
        })
    }

    /// Returns what offers `code` all that it imports: shared, unless it imports something of its own.
    fn linker(
        &self,
        code: &wasmtime::component::Component,
        mode: Mode,
    ) -> Result<Cow<'_, Linker<State>>, LoadError> {
        let ty = code.component_type();
        let imports = || {
            ty.imports(&self.engine)
                .map(|(name, item)| link::Import::new(name, item.implements))
        };
        if imports().len() == 0 {
            return Ok(Cow::Borrowed(&self.bare));
        }
        let mut linker = Cow::Borrowed(self.world(mode)?);
        for import in imports().filter(|import| !link::is_shared(*import)) {
            link::add_to_linker(linker.to_mut(), import).map_err(link_error)?;
        }
        for (name, item) in ty.imports(&self.engine) {
            if let ComponentItem::Resource(resource) = item.ty
                && let Some(known) = Known::of(code, &resource)
            {
                let root = &mut linker.to_mut().root();
                known.add(root, name).map_err(link_error)?;
            }
        }
        Ok(linker)
    }

    fn world(&self, mode: Mode) -> Result<&Linker<State>, LoadError> {
        if let Some(linker) = self.world.get() {
            return Ok(linker);
        }
        let mut linker = Linker::new(&self.engine);
        world::add_to_linker(&mut linker, mode).map_err(link_error)?;
        Ok(self.world.get_or_init(|| linker))
    }
}

fn link_error(error: wasmtime::Error) -> LoadError {
    LoadError::Link {
        source: error.into(),
    }
}

#[expect(unsafe_code, reason = "the code comes from our own compiler")]
fn deserialize(
    engine: &wasmtime::Engine,
    code: &[u8],
) -> Result<wasmtime::component::Component, LoadError> {
    // SAFETY: `code` was made by `compile` a moment ago, in this process or by a worker of this program.
    unsafe { wasmtime::component::Component::deserialize(engine, code) }.map_err(link_error)
}

/// Reads what somebody named, which may be a pipe.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
    read_opened(path, File::open(path), bytes_max)
}

/// Reads what was found, and waits for nobody: a pipe is no file.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path);
    let file = file.and_then(|file| match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "it is no file")),
    });
    read_opened(path, file, bytes_max)
}

fn read_opened(path: &Path, file: io::Result<File>, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let file = file.map_err(failed)?;
    let expected = file.metadata().map_err(failed)?.len();
    check_size(expected, bytes_max)?;
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    // A pipe says that it has no bytes, and a file may grow, so the end is watched too.
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    check_size(bytes.len() as u64, bytes_max)?;
    Ok(bytes)
}

fn check_size(bytes: u64, bytes_max: u64) -> Result<(), LoadError> {
    if bytes > bytes_max {
        return Err(LoadError::TooLarge { bytes, bytes_max });
    }
    Ok(())
}
