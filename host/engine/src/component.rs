//! A component that is ready to start: checked, compiled, linked, and described by its own type.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use homestar_core::grant::{Denied, Grants};
use homestar_core::ipld::Cid;
use homestar_core::wit::{self, Function, NameError, Type, Value};
use wasmtime::Store;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{self, ComponentExportIndex, Func, InstancePre};

use crate::abi;
use crate::drivers::Drivers;
use crate::error::{LoadError, Missing};
use crate::instance::State;
use crate::link::{self, Needs};
use crate::types::Translator;
use crate::world;

/// A component that is ready to start. Clones share it.
#[derive(Clone)]
pub struct Component(Arc<Shared>);

struct Shared {
    identity: Identity,
    effects: Vec<Cid>,
    pre: InstancePre<State>,
    /// What it needs of the outside.
    needs: Needs,
    drivers: Arc<Drivers>,
    /// Whether calls may wait, and so need a stack of their own: true once it imports functions.
    may_wait: bool,
    imports: Vec<String>,
    exports: Vec<Export>,
    functions: Vec<Function>,
    origin: Origin,
}

/// What a component is: the bytes it was loaded from, and the effects in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cid: Cid,
    /// The guest, then what was wired to it.
    pub(crate) parts: Vec<Piece>,
    /// Whether the wiring follows from the effects in their order, so that a receipt's list of them says all.
    pub(crate) is_plain: bool,
}

/// One component of a composition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) cid: Cid,
    /// Number of the effect among those wired, so that copies are told from one effect that is there twice.
    pub(crate) effect: Option<usize>,
    /// Number of the part whose grants it has: its own, or that of the nearest part on the way to it that has any.
    pub(crate) principal: usize,
    /// What was granted to it by its name.
    pub(crate) grants: Option<Grants>,
    /// Number of the part that provides what it imports, by the name of the import.
    pub(crate) imports: BTreeMap<String, usize>,
}

impl Identity {
    /// Returns what a component is that nothing is wired to.
    pub(crate) fn of_guest(cid: Cid) -> Self {
        let guest = Piece {
            cid,
            effect: None,
            principal: 0,
            grants: None,
            imports: BTreeMap::new(),
        };
        Self {
            cid,
            parts: vec![guest],
            is_plain: true,
        }
    }

    /// Returns the effects, each once.
    fn effects(&self) -> Vec<Cid> {
        let mut effects = Vec::new();
        for piece in &self.parts {
            if piece.effect == Some(effects.len()) {
                effects.push(piece.cid);
            }
        }
        effects
    }
}

/// Where the compiled code came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the cache.
    Cache,
    /// From the compiler, which took this long.
    Compiler {
        /// Time it took.
        time: Duration,
        /// Why the code couldn't be kept, if it should have been.
        not_kept: Option<String>,
    },
}

/// A function that may be called.
#[derive(Clone, Debug)]
pub struct Export {
    function: Function,
    /// Number of its component in this process.
    component: u64,
    index: ComponentExportIndex,
    flat_count: usize,
    passing: Passing,
}

/// Which content passes through a function.
#[derive(Clone, Copy, Debug)]
struct Passing {
    takes_links: bool,
    gives_content: bool,
    gives_streams: bool,
}

impl Passing {
    fn of(function: &Function) -> Self {
        let is_stream = |ty: &Type| matches!(ty, Type::Stream(_));
        let result = function.result.as_ref();
        Self {
            takes_links: function
                .params
                .iter()
                .any(|(_, ty)| ty.any(&|ty| ty.takes_link() || ty.takes_any())),
            gives_content: result.is_some_and(|ty| ty.has_content() || ty.any(&Type::takes_any)),
            gives_streams: result.is_some_and(|ty| ty.any(&is_stream)),
        }
    }
}

impl Export {
    /// Returns its signature.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Tells whether it is the entry of a command: `run` of `wasi:cli/run`.
    pub fn is_command(&self) -> bool {
        let interface = self.function.interface.as_deref().unwrap_or_default();
        interface.starts_with("wasi:cli/run@") && self.function.name == "run"
    }

    pub(crate) fn takes(&self, args: &[Value]) -> bool {
        let params = &self.function.params;
        args.len() == params.len() && args.iter().zip(params).all(|(arg, (_, ty))| arg.fits(ty))
    }

    /// Tells whether an argument may be a link, or have one in it.
    pub(crate) fn takes_links(&self) -> bool {
        self.passing.takes_links
    }

    /// Tells whether a stream or a blob may be in the result.
    pub(crate) fn gives_content(&self) -> bool {
        self.passing.gives_content
    }

    /// Tells whether a stream may be in the result.
    pub(crate) fn gives_streams(&self) -> bool {
        self.passing.gives_streams
    }

    pub(crate) fn flat_count(&self) -> usize {
        self.flat_count
    }

    pub(crate) fn in_instance(
        &self,
        store: &mut Store<State>,
        instance: &component::Instance,
    ) -> wasmtime::Result<Func> {
        let function = instance.get_func(store, self.index);
        function
            .ok_or_else(|| wasmtime::format_err!("`{}` is not exported", self.function.full_name()))
    }
}

/// Returns how many core values the result of a function comes back as: see [`abi::Results`].
fn results_flat_count(function: &Function) -> usize {
    let count = function.result.as_ref().map_or(0, abi::flat_count);
    if function.is_async {
        count
    } else {
        count.min(1)
    }
}

impl Component {
    pub(crate) fn new(
        identity: Identity,
        compiled: &component::Component,
        linker: &component::Linker<State>,
        drivers: &Arc<Drivers>,
        origin: Origin,
    ) -> Result<Self, LoadError> {
        let imports = Imports::of(compiled);
        if !imports.missing.is_empty() {
            return Err(LoadError::Missing {
                missing: imports.missing,
            });
        }
        let pre = linker
            .instantiate_pre(compiled)
            .map_err(|error| LoadError::Link {
                source: error.into(),
            })?;
        let exports = exports(compiled)?;
        let functions = exports
            .iter()
            .map(|export| export.function.clone())
            .collect();
        Ok(Self(Arc::new(Shared {
            effects: identity.effects(),
            identity,
            pre,
            needs: imports.needs,
            drivers: drivers.clone(),
            may_wait: imports.has_functions || functions_are_async(&exports),
            imports: imports.names,
            exports,
            functions,
            origin,
        })))
    }

    /// Returns the CID of the bytes it was loaded from.
    pub fn cid(&self) -> &Cid {
        &self.0.identity.cid
    }

    /// Returns the CIDs of the effects that were wired to it, in the order in which they were first asked for.
    pub fn effects(&self) -> &[Cid] {
        &self.0.effects
    }

    /// Returns the names of the drivers that it and its effects are wired to, such as `homestar:driver/http`. With
    /// none it is pure: what it returns depends on nothing but the instruction.
    pub fn drivers_wired(&self) -> &[String] {
        &self.0.needs.drivers
    }

    /// Tells whether what it returns depends on nothing but the instruction, given what is granted to the guest.
    pub fn is_pure(&self, guest: &Grants) -> bool {
        !self.is_wired(&self.grants(guest).collect::<Vec<_>>())
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Returns its parts: the guest, then what was wired to it.
    pub(crate) fn parts(&self) -> &[Piece] {
        &self.0.identity.parts
    }

    /// Returns what its parts are granted if the guest is granted `guest`.
    pub(crate) fn grants(&self, guest: &Grants) -> impl Iterator<Item = Grants> {
        let parts = self.parts();
        parts.iter().map(move |part| {
            let own = &parts[part.principal].grants;
            own.as_ref().unwrap_or(guest).clone()
        })
    }

    /// Tells whether what it returns may depend on more than the instruction and the effects: on what enters it, or
    /// on how it was wired.
    pub(crate) fn is_wired(&self, grants: &[Grants]) -> bool {
        let needs = &self.0.needs;
        let any = |parts: &[usize], check: fn(&Grants) -> Result<(), Denied>| {
            parts.iter().any(|part| {
                grants
                    .get(*part)
                    .is_some_and(|grants| check(grants).is_ok())
            })
        };
        !needs.drivers.is_empty()
            || !self.0.identity.is_plain
            || any(&needs.random, Grants::random)
            || any(&needs.clock, Grants::clock)
    }

    pub(crate) fn drivers(&self) -> &Arc<Drivers> {
        &self.0.drivers
    }

    /// Tells whether its world starts tasks of tokio.
    pub(crate) fn starts_tasks(&self) -> bool {
        self.0.needs.tasks
    }

    /// Returns the names of what it imports.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// Returns the functions that it exports, with those of its interfaces.
    pub fn functions(&self) -> &[Function] {
        &self.0.functions
    }

    /// Returns where its compiled code came from.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Returns the function that a person means by `typed`, such as `add` or `acme:math/ops.add`.
    pub fn find(&self, typed: &str) -> Result<&Export, NameError> {
        let function = wit::resolve(&self.0.functions, typed)?;
        let position = self
            .0
            .functions
            .iter()
            .position(|other| std::ptr::eq(other, function));
        Ok(&self.0.exports[position.expect("resolve returns one of the functions it was given")])
    }

    /// Returns the entry of the command that it is, if it is one.
    pub fn command(&self) -> Option<&Export> {
        self.0.exports.iter().find(|export| export.is_command())
    }

    /// Tells whether `export` is one of its own.
    pub(crate) fn has(&self, export: &Export) -> bool {
        self.0
            .exports
            .first()
            .is_some_and(|first| first.component == export.component)
    }

    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        self.0.pre.engine()
    }

    pub(crate) fn may_wait(&self) -> bool {
        self.0.may_wait
    }

    pub(crate) fn start(&self, store: &mut Store<State>) -> wasmtime::Result<component::Instance> {
        if self.may_wait() {
            let idle = store.data().idle();
            return idle.run(self.0.pre.instantiate_async(store), self.starts_tasks())?;
        }
        self.0.pre.instantiate(store)
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("cid", &self.cid().to_string())
            .finish_non_exhaustive()
    }
}

fn functions_are_async(exports: &[Export]) -> bool {
    exports.iter().any(|export| export.function.is_async)
}

/// What a component imports, and what of it nothing provides.
#[derive(Default)]
struct Imports {
    names: Vec<String>,
    missing: Vec<Missing>,
    has_functions: bool,
    needs: Needs,
}

impl Imports {
    fn of(compiled: &component::Component) -> Self {
        let engine = compiled.engine();
        let mut imports = Self::default();
        for (name, item) in compiled.component_type().imports(engine) {
            imports.names.push(name.to_owned());
            imports.add(compiled, link::Import::new(name, item.implements), &item.ty);
        }
        imports
    }

    fn add(
        &mut self,
        compiled: &component::Component,
        import: link::Import<'_>,
        item: &ComponentItem,
    ) {
        let engine = compiled.engine();
        let functions = match item {
            ComponentItem::ComponentInstance(instance) => functions_of(engine, instance),
            // Types alone need no provider: those with a name of their own stand for one of an interface.
            ComponentItem::Type(_) | ComponentItem::Resource(_) => return,
            _ => Vec::new(),
        };
        let is_interface = matches!(item, ComponentItem::ComponentInstance(_));
        self.has_functions |= !functions.is_empty() || !is_interface;
        let needs_nothing = is_interface && functions.is_empty();
        if needs_nothing {
            return;
        }
        self.needs.add(import);
        if !world::offers(import.interface) && !link::offers(import.interface) {
            self.missing.push(Missing {
                import: import.name.to_owned(),
                functions,
                asker: None,
                is_in_front: false,
                offered: None,
            });
        }
    }
}

fn functions_of(
    engine: &wasmtime::Engine,
    instance: &component::types::ComponentInstance,
) -> Vec<String> {
    let functions = instance
        .exports(engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
    functions.map(|(name, _)| name.to_owned()).collect()
}

/// Returns the functions of `compiled`, those of its interfaces after its own.
fn exports(compiled: &component::Component) -> Result<Vec<Export>, LoadError> {
    let mut exporting = Exporting {
        component: NEXT.fetch_add(1, Ordering::Relaxed),
        compiled,
        translator: Translator::new(compiled),
        own: Vec::new(),
        nested: Vec::new(),
    };
    for (name, item) in compiled.component_type().exports(compiled.engine()) {
        match item.ty {
            ComponentItem::ComponentFunc(ty) => exporting.function(None, name, &ty)?,
            ComponentItem::ComponentInstance(ty) => exporting.interface(name, &ty, None)?,
            _ => {}
        }
    }
    let Exporting {
        mut own, nested, ..
    } = exporting;
    own.extend(nested);
    Ok(own)
}

/// Number of the next component.
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Exporting<'a> {
    component: u64,
    compiled: &'a component::Component,
    translator: Translator<'a>,
    own: Vec<Export>,
    nested: Vec<Export>,
}

impl Exporting<'_> {
    fn function(
        &mut self,
        interface: Option<(&str, &ComponentExportIndex)>,
        name: &str,
        ty: &component::types::ComponentFunc,
    ) -> Result<(), LoadError> {
        let Some(index) = self
            .compiled
            .get_export_index(interface.map(|(_, index)| index), name)
        else {
            return Ok(());
        };
        let function = self
            .translator
            .function(interface.map(|(name, _)| name), name, ty)?;
        let flat_count = results_flat_count(&function);
        let list = if interface.is_none() {
            &mut self.own
        } else {
            &mut self.nested
        };
        list.push(Export {
            passing: Passing::of(&function),
            function,
            component: self.component,
            index,
            flat_count,
        });
        Ok(())
    }

    fn interface(
        &mut self,
        name: &str,
        ty: &component::types::ComponentInstance,
        parent: Option<&ComponentExportIndex>,
    ) -> Result<(), LoadError> {
        let local = name.rsplit_once("//").map_or(name, |(_, local)| local);
        let Some(index) = self.compiled.get_export_index(parent, local) else {
            return Ok(());
        };
        for (item_name, item) in ty.exports(self.compiled.engine()) {
            match item.ty {
                ComponentItem::ComponentFunc(ty) => {
                    self.function(Some((name, &index)), item_name, &ty)?
                }
                ComponentItem::ComponentInstance(ty) => {
                    self.interface(&format!("{name}//{item_name}"), &ty, Some(&index))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
