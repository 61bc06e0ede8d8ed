//! One task on one component: from an instruction to its outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use homestar_core::ipld::{Cid, Ipld};
use homestar_core::outcome::{Failure, Kind, Outcome, read_linked};
use homestar_core::task::{Input, Instruction, Limits};
use homestar_core::ucan::Leave;
use homestar_core::wit::{self, ArgumentError, Function, NameError, Type, Value, wave};

use crate::blocks::Blocks;
use crate::component::{Component, Export};
use crate::content::pass;
use crate::end::End;
use crate::engine::Engine;
use crate::instance::{Answers, Diverged, Recording, Setting, Stage};
use crate::stop::Stop;
use crate::world::stdio::Listener;

/// A task to be run.
#[derive(Clone)]
pub struct Call<'a> {
    /// What to compute. Its function is looked up by the full name, as [`Function::full_name`] gives it, or any
    /// name that a person would type.
    pub instruction: &'a Instruction,
    /// What it may use.
    pub limits: &'a Limits,
    /// Whose answers its driver calls get.
    pub answers: Answers,
    /// What whoever asked for the task lets it do, within what was granted to it; none for a task of the operator's own.
    pub leave: Option<Arc<Leave>>,
    /// Where content is read and written, such as what its arguments link to; none for a task that does neither.
    pub blocks: Option<Arc<dyn Blocks>>,
    /// Is told of a command's standard output while it is written.
    pub on_stdout: Option<Listener>,
    /// Is told of standard error while it is written, and of standard output of anything but a command.
    pub on_log: Option<Listener>,
    /// Ends it from outside.
    pub stop: Option<Stop>,
}

impl<'a> Call<'a> {
    /// Returns a task that nobody listens to.
    pub fn new(instruction: &'a Instruction, limits: &'a Limits) -> Self {
        Self {
            instruction,
            limits,
            answers: Answers::default(),
            leave: None,
            blocks: None,
            on_stdout: None,
            on_log: None,
            stop: None,
        }
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("instruction", &self.instruction)
            .field("limits", &self.limits)
            .finish()
    }
}

/// What came of a task.
#[derive(Clone, Debug)]
pub struct Done {
    /// How it ended. This, `fuel` and `memory_peak` are the same on every machine with the same engine.
    pub outcome: Outcome,
    /// The value that the function returned and its type, if it returned one, to be shown to people.
    pub value: Option<(Value, Type)>,
    /// Fuel used, about one unit for each instruction of WebAssembly.
    pub fuel: u64,
    /// Most linear memory there was, in bytes.
    pub memory_peak: u64,
    /// What it wrote to standard error, and to standard output if it isn't a command.
    pub log: Vec<u8>,
    /// Further tasks that it asks for.
    pub asked: Vec<Instruction>,
    /// What it heard from outside, if it was wired to any driver.
    pub recording: Option<Recording>,
    /// Time that starting it took.
    pub start_time: Duration,
    /// Time that the call took.
    pub run_time: Duration,
}

/// A task can't be run. Nothing of the guest has run, or this host failed it.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The function isn't there.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The arguments don't fit the function.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// The function takes or returns something that can't be written down.
    #[error(
        "`{function}` uses {handle}, and a handle lives only as long as the component that made it"
    )]
    Handle {
        /// The function, as WIT.
        function: String,
        /// The type that is the reason.
        handle: String,
    },
    /// Arguments of a command are strings.
    #[error("arguments of a command are strings, and number {number} is not")]
    CommandArgument {
        /// Which one, from 1.
        number: usize,
    },
    /// An argument is a link that stands for a value, and the value can't be had.
    #[error("the value that {cid} stands for can't be had: {reason}")]
    Linked {
        /// The link.
        cid: Cid,
        /// Why not.
        reason: String,
    },
    /// Standard input is for commands.
    #[error("`{function}` is a function, and only a command has standard input")]
    Stdin {
        /// The function's full name.
        function: String,
    },
    /// It was stopped from outside. What came of it until then is nothing.
    #[error("it was stopped")]
    Stopped,
    /// The run went another way than the recorded one.
    #[error("the run differs from the recorded one: {0}")]
    Diverged(String),
    /// This host failed.
    #[error("the host failed: {0}")]
    Host(String),
}

impl From<Diverged> for CallError {
    fn from(diverged: Diverged) -> Self {
        Self::Diverged(diverged.0)
    }
}

impl Engine {
    /// Runs one task on `component`.
    ///
    /// An error means that nothing ran, or that this host is at fault; everything the guest does, traps and limits
    /// included, is an [`Outcome`].
    pub fn call(&self, component: &Component, call: Call<'_>) -> Result<Done, CallError> {
        let input = call.instruction.input();
        let export = component.find(&input.func)?;
        if let Some(handle) = export.function().handle() {
            return Err(CallError::Handle {
                function: export.function().to_string(),
                handle: handle.to_string(),
            });
        }
        let task = if export.is_command() {
            Task::command(input)?
        } else {
            let blocks = call.blocks.as_deref();
            Task::function(export, input, blocks, call.limits)?
        };
        let setting = Setting {
            seed: seed(call.instruction),
            instruction: call.instruction.link().to_string(),
            answers: call.answers,
            leave: call.leave,
            blocks: call.blocks,
            links: pass::links(&input.args),
            arguments: task.arguments,
            stdin: task.stdin,
            is_command: export.is_command(),
            on_stdout: call.on_stdout,
            on_log: call.on_log,
            stop: call.stop,
        };
        self.run(component, export, setting, task.args, call.limits)
    }

    fn run(
        &self,
        component: &Component,
        export: &Export,
        setting: Setting,
        args: Vec<Value>,
        limits: &Limits,
    ) -> Result<Done, CallError> {
        let begin = Instant::now();
        let stop = setting.stop.clone();
        let stage = Stage::new(component, setting, limits)?;
        let fetched = stage.fetch(export, args);
        let (started, args) = match fetched {
            Ok(args) => (stage.start(), args),
            Err(end) => (Err(Box::new((end, stage))), Vec::new()),
        };
        let start_time = begin.elapsed();
        let begin = Instant::now();
        let (returned, mut stage) = match started {
            Ok(mut instance) => (instance.call(export, args), instance.into_stage()),
            Err(failed) => (Err(failed.0), failed.1),
        };
        let run_time = begin.elapsed();
        // However it ended, that it was stopped may be why.
        if returned.is_err() && stop.is_some_and(|stop| stop.is_stopped()) {
            return Err(CallError::Stopped);
        }
        let recording = stage.take_recording()?;
        let (outcome, value) = outcome(export, returned, &mut stage)?;
        Ok(Done {
            outcome,
            value,
            fuel: stage.fuel(),
            memory_peak: stage.memory_peak(),
            log: stage.take_log(),
            asked: stage.take_asked(),
            recording,
            start_time,
            run_time,
        })
    }
}

/// What an instruction gives to the component, by its kind.
struct Task {
    args: Vec<Value>,
    arguments: Vec<String>,
    stdin: Bytes,
}

impl Task {
    fn function(
        export: &Export,
        input: &Input,
        blocks: Option<&dyn Blocks>,
        limits: &Limits,
    ) -> Result<Self, CallError> {
        let function = export.function();
        if input.stdin.is_some() {
            return Err(CallError::Stdin {
                function: function.full_name(),
            });
        }
        let linked = Linked {
            blocks,
            bytes_max: limits.memory_bytes,
        };
        let types = function.params.iter().map(|(_, ty)| ty);
        let args = input.args.iter().cloned().zip(types);
        let mut args = args
            .map(|(arg, ty)| linked.value(arg, ty))
            .collect::<Result<Vec<_>, _>>()?;
        // One too many or too few is told by whoever compares them.
        args.extend(input.args.iter().skip(args.len()).cloned());
        let args = wit::args_from_ipld(function, args)?;
        Ok(Self {
            args,
            arguments: Vec::new(),
            stdin: Bytes::new(),
        })
    }

    fn command(input: &Input) -> Result<Self, CallError> {
        let argument = |(position, arg): (usize, &Ipld)| match arg {
            Ipld::String(text) => Ok(text.clone()),
            _ => Err(CallError::CommandArgument {
                number: position + 1,
            }),
        };
        let arguments = input
            .args
            .iter()
            .enumerate()
            .map(argument)
            .collect::<Result<_, _>>()?;
        let stdin = input.stdin.clone().unwrap_or_default().into();
        Ok(Self {
            args: Vec::new(),
            arguments,
            stdin,
        })
    }
}

/// Puts values in the place of links that stand for them.
///
/// A receipt links a value that is too large for it, so such a value comes to the next task as a link. Where a type takes
/// links, or anything, a link is what is meant.
struct Linked<'a> {
    blocks: Option<&'a dyn Blocks>,
    bytes_max: u64,
}

impl Linked<'_> {
    fn value(&self, arg: Ipld, ty: &Type) -> Result<Ipld, CallError> {
        match (arg, ty) {
            (Ipld::Link(cid), ty) if !may_be_link(ty) => self.read(cid),
            (Ipld::List(items), Type::List(element)) => {
                let items = items.into_iter().map(|item| self.value(item, element));
                Ok(Ipld::List(items.collect::<Result<_, _>>()?))
            }
            (arg, _) => Ok(arg),
        }
    }

    fn read(&self, cid: Cid) -> Result<Ipld, CallError> {
        let mut failed = None;
        let block = |wanted: &Cid| {
            let got = self.blocks?.get(wanted);
            got.map_err(|error| failed = Some(error)).ok()
        };
        let read = read_linked(&cid, self.bytes_max, block);
        read.map_err(|error| {
            let reason = failed.map_or_else(|| error.to_string(), |error| error.to_string());
            CallError::Linked { cid, reason }
        })
    }
}

/// Whether a link itself may be a value of a type.
fn may_be_link(ty: &Type) -> bool {
    match ty {
        Type::Own(_) | Type::Borrow(_) | Type::Stream(_) | Type::Future(_) => true,
        Type::Option(inner) => may_be_link(inner),
        ty => ty.takes_link(),
    }
}

/// Returns what random numbers follow from: the digest of the instruction, which is SHA-256 and so 32 bytes.
fn seed(instruction: &Instruction) -> [u8; 32] {
    let link = instruction.link();
    let mut seed = [0; 32];
    let digest = link.cid().hash().digest();
    let length = digest.len().min(seed.len());
    seed[..length].copy_from_slice(&digest[..length]);
    seed
}

type Shown = Option<(Value, Type)>;

fn outcome(
    export: &Export,
    returned: Result<Option<Value>, End>,
    stage: &mut Stage,
) -> Result<(Outcome, Shown), CallError> {
    let value = match returned {
        Ok(value) => value,
        Err(End::Failure(failure)) => return Ok((Outcome::Error(*failure), None)),
        Err(End::Host(reason)) => return Err(CallError::Host(reason)),
        Err(End::Exit(status)) => return Ok((of_command(status, stage), None)),
    };
    if export.is_command() {
        let status = i32::from(matches!(value, Some(Value::Result(Err(_)))));
        return Ok((of_command(status, stage), None));
    }
    of_function(export.function(), value)
}

/// A command returns what it wrote to standard output. Status 0 is success, as everywhere.
fn of_command(status: i32, stage: &mut Stage) -> Outcome {
    let stdout = Ipld::Bytes(stage.take_stdout());
    if status == 0 {
        return Outcome::Ok(stdout);
    }
    let value = Ipld::Map(
        [
            ("status".to_owned(), Ipld::Integer(status.into())),
            ("stdout".to_owned(), stdout),
        ]
        .into(),
    );
    let failure = Failure::new(Kind::Exit, format!("exited with status {status}"));
    Outcome::Error(failure.with_value(value))
}

/// A function that returns a `result` says by it whether it succeeded; any other return is success.
fn of_function(function: &Function, value: Option<Value>) -> Result<(Outcome, Shown), CallError> {
    let (Some(value), Some(ty)) = (value, &function.result) else {
        return Ok((Outcome::Ok(Ipld::Null), None));
    };
    match (value, ty) {
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            let shown = payload.map(|value| *value).zip(ok.as_deref().cloned());
            Ok((Outcome::Ok(written(shown.as_ref())?), shown))
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            let shown = payload.map(|value| *value).zip(err.as_deref().cloned());
            let message = match &shown {
                Some((value, ty)) => wave::print_brief(value, ty, MESSAGE_CHARS_MAX),
                None => "the guest returned an error without a value".to_owned(),
            };
            let failure = Failure::new(Kind::Guest, message).with_value(written(shown.as_ref())?);
            Ok((Outcome::Error(failure), shown))
        }
        (value, ty) => {
            let shown = Some((value, ty.clone()));
            Ok((Outcome::Ok(written(shown.as_ref())?), shown))
        }
    }
}

/// Most characters of a guest's error that stand in the message; its value has all.
const MESSAGE_CHARS_MAX: usize = 500;

fn written(value: Option<&(Value, Type)>) -> Result<Ipld, CallError> {
    match value {
        None => Ok(Ipld::Null),
        Some((value, ty)) => {
            wit::into_ipld(value.clone(), ty).map_err(|error| CallError::Host(error.to_string()))
        }
    }
}
