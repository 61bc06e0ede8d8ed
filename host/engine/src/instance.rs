//! One component at work: its memories, its world, its limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use homestar_core::grant::{Denied, Grants};
use homestar_core::ipld::{Block, Cid};
use homestar_core::task::{Instruction, Limits};
use homestar_core::trace::{self, Trace};
use homestar_core::ucan::Leave;
use homestar_core::wit::{Function, Value};
use wasmtime::component::{Func, ResourceTable, TypedFunc};
use wasmtime::{AsContextMut as _, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::abi::{self, Args, Results};
use crate::blocks::Blocks;
use crate::component::{Component, Export};
use crate::content::{Content, pass};
use crate::door::{Budget, Divergence, Door, Live, Replay};
use crate::end::{self, End, LimitReached};
use crate::link::{ipld, wasi_http::Http};
use crate::meter::Meter;
use crate::outside::{self, Outside, Parts};
use crate::stop::{Deadline, Stop, Waking};
use crate::watchdog::{self, Watch};
use crate::world::drive::Idle;
use crate::world::{Given, World, stdio::Capture, stdio::Listener};

/// What wasmtime keeps for us beside an instance.
pub(crate) struct State {
    pub(crate) world: World,
    outside: Option<Box<Outside>>,
    http: Option<Box<Http>>,
    /// CID of the instruction and of the guest, for a guest that asks.
    pub(crate) names: [String; 2],
    /// Further tasks that were asked for, each once.
    pub(crate) asked: Vec<Instruction>,
    pub(crate) content: Arc<Content>,
    meter: Meter,
    deadline: Deadline,
    time_max: Duration,
}

impl State {
    /// Returns the outside, if the task is wired to any driver.
    pub(crate) fn outside(&self) -> Option<&Outside> {
        self.outside.as_deref()
    }

    /// Returns the outside if something is granted to a part.
    pub(crate) fn outside_with(
        &self,
        part: usize,
        check: fn(&Grants) -> Result<(), Denied>,
    ) -> Option<&Outside> {
        self.outside().filter(|outside| outside.allows(part, check))
    }

    /// Returns what counts the task's memory.
    pub(crate) fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    /// Returns what `wasi:http` needs.
    pub(crate) fn http_and_table(&mut self) -> (&mut Http, &mut ResourceTable) {
        (self.http.get_or_insert_default(), self.world.table())
    }

    /// Returns what a call that waits waits for.
    pub(crate) fn idle(&self) -> Idle {
        Idle {
            clock: self.world.clock.clone(),
            door: self.outside().map(|outside| outside.door.clone()),
            deadline: self.deadline.clone(),
            time_max: self.time_max,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.world.ctx()
    }
}

/// Most bytes that one call of a host function may copy out of a guest. It bounds what the guest makes this
/// process allocate at once; what a result may weigh is counted after.
const HOST_CALL_BYTES_MIN: u64 = 1 << 20;

/// What a task gives to an instance. All of it follows from the instruction, but who listens.
#[derive(Clone, Default)]
pub struct Setting {
    /// SHA-256 digest in the CID of the instruction; random numbers follow from it.
    pub seed: [u8; 32],
    /// CID of the instruction, for a guest that asks.
    pub instruction: String,
    /// Whose answers its driver calls get.
    pub answers: Answers,
    /// What whoever asked for the task lets it do, within what was granted to it; none for a task of the operator's own.
    pub leave: Option<Arc<Leave>>,
    /// Where content is read and written; none for a task that does neither.
    pub blocks: Option<Arc<dyn Blocks>>,
    /// What the instruction links to, and so what the task reaches of content at first.
    pub links: Vec<Cid>,
    /// Arguments of a command, without the name of the program.
    pub arguments: Vec<String>,
    /// Standard input.
    pub stdin: Bytes,
    /// Whether standard output is the result (of a command) or belongs to the log.
    pub is_command: bool,
    /// Is told of standard output while it is written.
    pub on_stdout: Option<Listener>,
    /// Is told of the log while it is written.
    pub on_log: Option<Listener>,
    /// Ends it from outside.
    pub stop: Option<Stop>,
}

/// Whose answers a task's driver calls get.
#[derive(Clone, Debug)]
pub enum Answers {
    /// The drivers', as far as it was granted to the guest.
    Drivers(Grants),
    /// Those that were given before.
    Recording(Recording),
}

/// What a task heard, with everything that is needed to play it back.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// What it heard.
    pub trace: Trace,
    /// The long byte strings in it.
    pub blocks: Vec<Block>,
}

impl Default for Answers {
    fn default() -> Self {
        Self::Drivers(Grants::none())
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting")
            .field("arguments", &self.arguments)
            .field("is_command", &self.is_command)
            .finish_non_exhaustive()
    }
}

/// Where a component runs: the store of wasmtime, and what was written.
pub(crate) struct Stage {
    store: Store<State>,
    component: Component,
    limits: Limits,
    stdout: Capture,
    log: Capture,
    _watch: Watch,
    _waking: Option<Waking>,
}

impl Stage {
    pub(crate) fn new(
        component: &Component,
        mut setting: Setting,
        limits: &Limits,
    ) -> Result<Self, Diverged> {
        let answers = std::mem::take(&mut setting.answers);
        let outside = outside(component, answers, setting.leave.clone(), limits)?;
        let log = Capture::new(limits.log_bytes, LimitReached::Log, setting.on_log.clone());
        let stdout = match setting.is_command {
            true => Capture::new(
                limits.output_bytes,
                LimitReached::Output,
                setting.on_stdout.clone(),
            ),
            false => log.clone(),
        };
        let store = store(component, setting, outside, limits, &stdout, &log);
        Ok(Self {
            _watch: watchdog::watch(store.engine(), store.data().deadline.at()),
            _waking: watch_for_stop(&store),
            store,
            component: component.clone(),
            limits: *limits,
            stdout,
            log,
        })
    }

    /// Starts the component; its own start functions run under the limits too.
    pub(crate) fn start(mut self) -> Result<Instance, Box<(End, Self)>> {
        let component = self.component.clone();
        match (component.start(&mut self.store), self.exceeded()) {
            (Ok(instance), None) => Ok(Instance {
                stage: self,
                instance,
                is_over: false,
            }),
            (_, Some(limit)) => Err(Box::new((end::of_limit(limit), self))),
            (Err(error), None) => Err(Box::new((end::of(&error, &self.limits), self))),
        }
    }

    /// Fetches what the arguments of a call link to, as far as it is needed before that. Nothing of the guest runs.
    pub(crate) fn fetch(&self, export: &Export, args: Vec<Value>) -> Result<Vec<Value>, End> {
        if !export.takes_links() || !export.takes(&args) {
            return Ok(args);
        }
        let content = &self.store.data().content;
        let params = &export.function().params;
        let fetched = pass::fetch(content, args, params, self.limits.memory_bytes);
        fetched.map_err(|error| end::of(&error, &self.limits))
    }

    /// Returns the fuel used so far.
    pub(crate) fn fuel(&self) -> u64 {
        self.limits
            .fuel
            .saturating_sub(self.store.get_fuel().unwrap_or(0))
    }

    /// Returns the most linear memory there was, in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.store.data().meter.memory_peak()
    }

    /// Takes what a command wrote to standard output.
    pub(crate) fn take_stdout(&mut self) -> Vec<u8> {
        self.stdout.take()
    }

    /// Takes what was written to the log: standard error, and standard output of anything but a command.
    pub(crate) fn take_log(&mut self) -> Vec<u8> {
        self.log.take()
    }

    /// Takes the further tasks that were asked for.
    pub(crate) fn take_asked(&mut self) -> Vec<Instruction> {
        std::mem::take(&mut self.store.data_mut().asked)
    }

    /// Returns what was heard, if the task is wired to any driver.
    pub(crate) fn take_recording(&mut self) -> Result<Option<Recording>, Diverged> {
        let Some(outside) = self.store.data().outside() else {
            return Ok(None);
        };
        let heard = outside.door.finish().map_err(Diverged::from)?;
        let parts = self.component.parts().iter().enumerate();
        let parts = parts.map(|(number, part)| trace::Part {
            component: part.cid,
            grants: outside::texts(outside.grants(number)),
            imports: part
                .imports
                .iter()
                .map(|(name, part)| (name.clone(), outside::number(*part)))
                .collect(),
        });
        Ok(Some(Recording {
            trace: Trace {
                parts: parts.collect(),
                events: heard.events,
            },
            blocks: heard.blocks,
        }))
    }

    fn exceeded(&self) -> Option<LimitReached> {
        if !self.store.data().world.is_awake() {
            return None;
        }
        self.stdout.exceeded().or_else(|| self.log.exceeded())
    }
}

/// A component that was started. Its exports may be called until one of them ends by a trap or a limit; fuel,
/// time and memory are counted over all of them.
pub struct Instance {
    stage: Stage,
    instance: wasmtime::component::Instance,
    is_over: bool,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("component", &self.stage.component)
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// Calls `export` with `args`, one for each of its parameters.
    pub fn call(&mut self, export: &Export, args: Vec<Value>) -> Result<Option<Value>, End> {
        if self.is_over {
            return Err(End::Host("the instance has ended before".into()));
        }
        if !self.stage.component.has(export) {
            return Err(End::Host(format!(
                "`{}` is of another component",
                export.function()
            )));
        }
        if !export.takes(&args) {
            return Err(End::Host(format!(
                "the arguments don't fit `{}`",
                export.function()
            )));
        }
        let returned = self.pass(export, args);
        let end = match (returned, self.stage.exceeded()) {
            (Ok(value), None) => return self.weighed(value),
            (_, Some(limit)) => end::of_limit(limit),
            (Err(error), None) => end::of(&error, &self.stage.limits),
        };
        self.is_over = true;
        Err(end)
    }

    pub(crate) fn into_stage(self) -> Stage {
        self.stage
    }

    /// Lets `value` pass if the task may return that much.
    fn weighed(&self, value: Option<Value>) -> Result<Option<Value>, End> {
        let limit = self.stage.limits.output_bytes;
        match &value {
            Some(value) if weight(value) > limit.saturating_add(size_of::<Value>() as u64) => {
                Err(end::of_limit(LimitReached::Output(limit)))
            }
            _ => Ok(value),
        }
    }

    /// Passes arguments in and the result out, with the content that they link to.
    fn pass(&mut self, export: &Export, args: Vec<Value>) -> wasmtime::Result<Option<Value>> {
        let Function { params, result, .. } = export.function();
        let mut opened = pass::Opened::plain(args);
        if export.takes_links() {
            let content = self.stage.store.data().content.clone();
            let memory_bytes = self.stage.limits.memory_bytes;
            let values = pass::fetch(&content, opened.values, params, memory_bytes)?;
            opened = pass::open(&mut self.stage.store, values, params)?;
        }
        let pass::Opened {
            values,
            streams,
            lent,
        } = opened;
        let (mut value, files) = self.enter(export, Args { values, streams })?;
        pass::take_back(self.stage.store.as_context_mut(), &lent)?;
        let store = self.stage.store.as_context_mut();
        if let (Some(returned), Some(ty)) = (value.take_if(|_| export.gives_content()), result) {
            value = Some(pass::close(store, returned, ty, &files)?);
        }
        self.stage.store.data().content.finish()?;
        Ok(value)
    }

    /// Picks the way by which the result comes back: see [`abi::Results`].
    fn enter(
        &mut self,
        export: &Export,
        args: Args,
    ) -> wasmtime::Result<(Option<Value>, Vec<Cid>)> {
        let gives_streams = export.gives_streams();
        let function = export.in_instance(&mut self.stage.store, &self.instance)?;
        match export.flat_count() {
            0 => self.enter_as::<0>(function, args, gives_streams),
            1 => self.enter_as::<1>(function, args, gives_streams),
            2 => self.enter_as::<2>(function, args, gives_streams),
            3 => self.enter_as::<3>(function, args, gives_streams),
            4 => self.enter_as::<4>(function, args, gives_streams),
            5 => self.enter_as::<5>(function, args, gives_streams),
            6 => self.enter_as::<6>(function, args, gives_streams),
            7 => self.enter_as::<7>(function, args, gives_streams),
            8 => self.enter_as::<8>(function, args, gives_streams),
            9 => self.enter_as::<9>(function, args, gives_streams),
            10 => self.enter_as::<10>(function, args, gives_streams),
            11 => self.enter_as::<11>(function, args, gives_streams),
            12 => self.enter_as::<12>(function, args, gives_streams),
            13 => self.enter_as::<13>(function, args, gives_streams),
            14 => self.enter_as::<14>(function, args, gives_streams),
            15 => self.enter_as::<15>(function, args, gives_streams),
            16 => self.enter_as::<16>(function, args, gives_streams),
            _ => self.enter_as::<17>(function, args, gives_streams),
        }
    }

    fn enter_as<const FLAT: usize>(
        &mut self,
        function: Func,
        args: Args,
        gives_streams: bool,
    ) -> wasmtime::Result<(Option<Value>, Vec<Cid>)> {
        let function = abi::typed::<FLAT>(function);
        let store = &mut self.stage.store;
        if !self.stage.component.may_wait() {
            return Ok((function.call(store, args)?.value, Vec::new()));
        }
        let idle = store.data().idle();
        let with_tasks = self.stage.component.starts_tasks();
        if gives_streams {
            return idle.run(call_with_streams(store, function, args), with_tasks)?;
        }
        let results = idle.run(function.call_async(store, args), with_tasks)??;
        Ok((results.value, Vec::new()))
    }
}

/// Calls `function` and goes on until the streams that it returns have ended. Returns the files that they became.
async fn call_with_streams<const FLAT: usize>(
    store: &mut Store<State>,
    function: TypedFunc<Args, Results<FLAT>>,
    args: Args,
) -> wasmtime::Result<(Option<Value>, Vec<Cid>)> {
    store
        .run_concurrent(async |accessor| {
            let call = accessor.with(|access| function.start_call_concurrent(access, args))?;
            let Results { value, streams } =
                function.finish_call_concurrent(accessor, call).await?;
            let files = accessor.with(|access| pass::pipe(access, streams))?;
            let mut cids = Vec::new();
            for file in files {
                cids.push(pass::finish(file).await?);
            }
            Ok((value, cids))
        })
        .await?
}

fn store(
    component: &Component,
    setting: Setting,
    outside: Option<Outside>,
    limits: &Limits,
    stdout: &Capture,
    log: &Capture,
) -> Store<State> {
    let now = Instant::now();
    let given = Given {
        seed: setting.seed,
        arguments: setting.arguments,
        stdin: setting.stdin,
        stdout: stdout.clone(),
        stderr: log.clone(),
    };
    // A time beyond what the clock can hold is a time that never comes; a century will do.
    let deadline = now.checked_add(limits.time).unwrap_or(now + CENTURY);
    let deadline = Deadline::new(deadline, setting.stop);
    let content = Content::new(setting.blocks, setting.links, limits, deadline.clone());
    let content = match setting.leave {
        Some(leave) => content.with_leave(leave, *component.cid()),
        None => content,
    };
    let state = State {
        world: World::new(given),
        outside: outside.map(Box::new),
        http: None,
        names: [setting.instruction, component.cid().to_string()],
        asked: Vec::new(),
        content: Arc::new(content),
        meter: Meter::new(limits),
        deadline,
        time_max: limits.time,
    };
    let mut store = Store::new(component.engine(), state);
    store.limiter(|state| &mut state.meter);
    store
        .set_fuel(limits.fuel)
        .expect("fuel is on in every engine");
    let host_call_bytes = limits.output_bytes.max(HOST_CALL_BYTES_MIN);
    store.set_hostcall_fuel(usize::try_from(host_call_bytes).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        let State {
            deadline, time_max, ..
        } = store.data();
        if !deadline.left().is_zero() {
            return Ok(UpdateDeadline::Continue(1));
        }
        Err(LimitReached::Time(*time_max).into())
    });
    store
}

/// Lets the guest look whether it is stopped as soon as it is, if that may be.
fn watch_for_stop(store: &Store<State>) -> Option<Waking> {
    let engine = store.engine().weak();
    // Watched until the stage is gone, since a guest may have looked just before.
    let watched = Mutex::<Option<Watch>>::default();
    store.data().deadline.on_stop(move || {
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_none() {
            *watched = Some(watchdog::watch_weak(engine.clone(), Instant::now()));
        }
    })
}

/// Returns the outside of a task on `component`, if the component is wired to any driver.
fn outside(
    component: &Component,
    answers: Answers,
    leave: Option<Arc<Leave>>,
    limits: &Limits,
) -> Result<Option<Outside>, Diverged> {
    let (door, grants, drivers) = match answers {
        Answers::Drivers(guest) => {
            let within = |grants: Grants| match &leave {
                Some(leave) => grants.within(leave),
                None => grants,
            };
            let grants: Vec<_> = component.grants(&guest).map(within).collect();
            if !component.is_wired(&grants) {
                return Ok(None);
            }
            let budget = Budget {
                calls: limits.calls,
                bytes: limits.call_bytes,
            };
            let drivers = component.drivers().clone();
            let door = Door::live(Live::new(drivers.clone()), budget);
            (door, grants, Some(drivers))
        }
        Answers::Recording(recording) => {
            let grants = granted(component, &recording.trace)?;
            let blocks = recording.blocks.into_iter();
            let blocks = blocks.map(|block| (*block.cid(), block)).collect();
            let door = Door::replay(Replay::new(recording.trace.events, blocks));
            (door, grants, None)
        }
    };
    let parts = Parts {
        grants,
        components: component.parts().iter().map(|part| part.cid).collect(),
        leave: leave.filter(|_| drivers.is_some()),
    };
    Ok(Some(Outside::new(door, parts, drivers)))
}

/// Returns what was granted to the parts of `component` when the trace was recorded.
fn granted(component: &Component, trace: &Trace) -> Result<Vec<Grants>, Diverged> {
    let are_same = component.parts().len() == trace.parts.len()
        && component
            .parts()
            .iter()
            .zip(&trace.parts)
            .all(|(part, recorded)| part.cid == recorded.component);
    if !are_same {
        return Err(Diverged("the trace is of other components".to_owned()));
    }
    let grants = trace
        .parts
        .iter()
        .map(|part| outside::of_texts(&part.grants));
    let grants = grants.collect::<Result<_, _>>();
    grants.map_err(|error| Diverged(error.to_string()))
}

/// A run that follows a trace left it, and so is no replay of it; or the drivers can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Diverged(pub(crate) String);

impl From<Divergence> for Diverged {
    fn from(divergence: Divergence) -> Self {
        Self(divergence.to_string())
    }
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Returns how much of the host's memory `value` stands for, in bytes: the length of texts and byte strings, and
/// the size of a value for every other part.
fn weight(value: &Value) -> u64 {
    let own = size_of::<Value>() as u64;
    let rest = match value {
        Value::String(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::Any(value) => ipld::weight(value),
        Value::List(values) | Value::Record(values) | Value::Tuple(values) => {
            values.iter().map(weight).sum()
        }
        Value::Variant(_, Some(payload)) | Value::Option(Some(payload)) => weight(payload),
        Value::Result(Ok(Some(payload)) | Err(Some(payload))) => weight(payload),
        _ => 0,
    };
    own + rest
}
