//! `homestar run`

mod args;
mod ask;
pub(in crate::commands) mod away;
mod doors;
mod example;
mod live;
mod reads;
pub(in crate::commands) mod request;
mod show;
pub(in crate::commands) mod sign;
mod there;
mod watch;
pub(in crate::commands) mod works;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime};

use clap::Args;
use homestar_core::grant::Grants;
use homestar_core::outcome::Outcome;
use homestar_core::task::{Instruction, Limits, Nonce, Resource};
use homestar_core::ucan::Leave;
use homestar_core::wit::ArgumentError;
use homestar_engine::{Answers, Blocks, Call, CallError, Component, Done, Engine, Origin, wit};
use homestar_node::Reference;

use self::ask::Asked;
use self::live::Live;
use self::reads::Reads;
pub(super) use self::watch::Source;
use super::inspect;
use super::limits::{CompileOptions, ConfigOptions, LimitOptions};
use super::load::{self, Loaded, Loading};
use super::node::ask::There;
use super::storage::StorageOptions;
use super::workflow;
use crate::authority::{Allow, Authority, Pin};
use crate::error::{CommandError, code_of};
use crate::files::Stdin;
use crate::last_words::LastWords;
use crate::print;
use crate::settings::Settings;
use crate::telemetry::Telemetry;

/// Run a function of a component, or the command that it is, or a workflow
///
/// CALL is a function with its arguments in WAVE, such as 'add(1, 2)'. An argument @FILE is the content of a file:
/// bytes for list<u8>, text for string, WAVE for any other type; @- is standard input. Without CALL a component that
/// is a command runs, with what follows -- as its arguments; of any other the functions are listed.
///
/// Content is named by its CID, or by ipfs://CID/PATH: an argument @bafy… is content of the store or of a gateway. A
/// function that takes a stream or a blob gets it as that; for such a one an argument @FILE is put into the store. A
/// stream or a blob that is returned is in the store too, and its CID is printed; -o writes the content to a file.
///
/// https://… names a place: what is there is downloaded into the store, and its CID is said on standard error. That CID
/// names the same content tomorrow, and the URL may not.
///
/// The result is printed as WAVE. Bytes, a list<u8>, are printed as they are, but not on a terminal.
/// What the guest logs goes to standard error.
///
/// A file that ends in .yaml, .yml, .toml or .json is a workflow: many tasks, and what they need of each other. It is
/// checked before anything runs. Tasks that need nothing of each other run side by side. What has a receipt is not run
/// again, nor what peers have receipts of by signers that homestar.toml says are believed; and the same command goes on
/// where a run was interrupted. The values of tasks that no other awaits are printed, or of those that --result names. As
/// JSON, a workflow is read from standard input too. Its file may grant its tasks what they reach: `homestar check` says
/// what. With --json, each line is an event.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
    /// The component: its file, its CID, ipfs://CID/PATH, https://…, or - for standard input; or the file of a workflow
    component: Reference,

    /// The function and its arguments, such as 'add(1, 2)'
    ///
    /// A function is named with as much as tells it apart: add, ops.add, acme:math/ops.add. A component with one
    /// function needs no name: '(1, 2)'.
    call: Option<String>,

    /// Arguments of a command
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,

    /// The function, for --args
    #[arg(long, value_name = "NAME", conflicts_with = "call")]
    func: Option<String>,

    /// The arguments as a list in DAG-JSON, such as '[1, 2]'; @FILE reads it from a file
    #[arg(long, value_name = "JSON")]
    args: Option<String>,

    /// What a command reads from standard input; - is ours
    ///
    /// Without this, our standard input is passed on if it is a file or a pipe. It is read to its end before the
    /// command starts, since it is part of what is asked; < /dev/null passes on nothing.
    #[arg(long, value_name = "FILE")]
    stdin: Option<String>,

    /// Write the result to a file: bytes and strings as they are, any other value as WAVE
    ///
    /// Of a workflow with several results each is written to a file in a folder, by the label of its task.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["json", "raw"])]
    output: Option<PathBuf>,

    /// Print a string without quotes, and bytes even on a terminal
    #[arg(long, conflicts_with = "json")]
    raw: bool,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    ///
    /// Values are DAG-JSON.
    #[arg(long)]
    json: bool,

    /// Write the signed receipt to a file, however the task ends
    ///
    /// A file that ends in .car also holds the component, its effects, everything they heard from outside and the
    /// content that they read, so that `homestar replay FILE.car` can run the task again, anywhere and offline. Content of
    /// more than 256 MiB is left out, which is said.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,

    /// Say on standard error what it cost
    #[arg(long)]
    stats: bool,

    /// Let the task reach something of the outside; may be given more than once
    ///
    /// GRANT is one of https=[METHODS ][http://]HOST[:PORT][/PATH], dns=[TYPES ]NAME, net=ADDRESSES, random, oracle,
    /// clock, crypto[=KEY] and state=BUCKET. A star stands for any host, any name beneath one, any port, any path
    /// beneath one, any key or any bucket. Effects act within the grants of who asks them, but one that is given a
    /// grant of its own, as EFFECT:GRANT, has that and no other. EFFECT is the name of its file without .wasm, or its
    /// CID.
    #[arg(long, value_name = "[EFFECT:]GRANT", help_heading = "Authority")]
    allow: Vec<Allow>,

    /// Choose who provides an interface, where several effects do; may be given more than once
    ///
    /// INTERFACE has its version or none, such as acme:weather/forecast. EFFECT is a name or a CID.
    #[arg(long, value_name = "INTERFACE=EFFECT", help_heading = "Authority")]
    pin: Vec<Pin>,

    #[command(flatten)]
    tokens: request::TokenOptions,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    storage: StorageOptions,

    #[command(flatten)]
    limits: LimitOptions,

    #[command(flatten)]
    compiling: CompileOptions,

    /// A folder of effects to ask before ./effects and the user's
    #[arg(long, value_name = "FOLDER")]
    effects: Vec<PathBuf>,

    /// Run again when the component changes, or an effect that it is wired to, until Ctrl-C
    ///
    /// What changed is said on standard error. With --json each run prints a line.
    #[arg(long)]
    watch: bool,

    /// Neither use compiled code of earlier runs nor keep it; run all tasks of a workflow, those with a receipt too
    #[arg(long)]
    no_cache: bool,

    /// How many tasks run at a time [default: as many as there are processors; four for each peer with --on]
    #[arg(short, long, value_name = "COUNT", help_heading = "Workflows")]
    jobs: Option<NonZero<u16>>,

    /// Start nothing more once a task failed whose failure no other awaits
    #[arg(long, help_heading = "Workflows")]
    fail_fast: bool,

    /// Give what this task gives, though others may await it, and of no task that isn't named; may be given more than once
    #[arg(long = "result", value_name = "LABEL", help_heading = "Workflows")]
    results: Vec<String>,
}

const EXAMPLES: &str = r#"Examples:
  homestar run add.wasm 'add(1, 2)'
  homestar run add.wasm --args '[1, 2]'
  homestar run image.wasm 'grayscale(@cat.png)' -o gray.png
  homestar run lines.wasm 'filter(@big.log, "error")' -o errors.log
  homestar run https://example.com/text.wasm 'word-count(@https://example.com/declaration.txt)'
  homestar run text.wasm 'word-count(@-)' < declaration.txt
  homestar run wc.wasm -- -l < declaration.txt
  homestar run add.wasm 'add(1, 2)' --receipt sum.receipt --stats
  homestar run dice.wasm roll --allow random --receipt roll.car
  homestar run news.wasm front-page --allow 'https=GET news.example.com/api/*'
  homestar run trip.wasm pack --allow weather:https=api.weather.example
  homestar run add.wasm 'add(1, 2)' --invoke request.ucan --proof mine.ucan
  homestar run add.wasm --ucan request.ucan
  homestar run add.wasm 'add(1, 2)' --on /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…
  homestar run pipeline.yaml
  homestar run pipeline.yaml --json --fail-fast -j 4
  homestar run pipeline.yaml --on any
  homestar run pipeline.yaml --node http://127.0.0.1:4807
  homestar run - --result sum < pipeline.json

Exit codes:
  0  it worked
  1  the guest returned an error of its own
  2  the command was not understood
  3  the guest trapped, or came to one of its limits
  4  the input is at fault: not a component, arguments that don't fit, an import that
     nothing provides, a file that can't be read
  5  this host failed
A component that is a command ends with its own exit code. A workflow ends with that of the first
task that failed, or with 130 if it was interrupted."#;

/// Runs what `options` ask for and returns the exit code.
pub(crate) fn main(options: &Options) -> ExitCode {
    let is_workflow = workflow::is_workflow(&options.component);
    if let Err(error) = options.fit(is_workflow) {
        return print::error(&error, options.json);
    }
    if options.watch {
        return watch::main(options, None, run);
    }
    let result = match is_workflow {
        true => many(options),
        false => run(options),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => print::error(&error, options.json),
    }
}

/// Builds `source` and runs what `options` ask for, again whenever something changes.
pub(super) fn again(options: &Options, source: &dyn Source) -> ExitCode {
    match options.fit(false) {
        Ok(()) => watch::main(options, Some(source), run),
        Err(error) => print::error(&error, options.json),
    }
}

fn run(options: &Options) -> Result<u8, CommandError> {
    let mut stdin = Stdin::default();
    let settings = options.config.settings()?;
    let away = match &options.tokens.on {
        Some(on) => away::Away::begin(on, options, &settings)?,
        None => None,
    };
    let data = match &away {
        Some(away) => away.data(options, &settings)?,
        None => options.storage.data(&settings)?,
    };
    let data = Arc::new(data);
    let admitted = options.tokens.ucan.as_deref();
    let admitted = admitted.map(|file| request::admit(file, &data));
    let admitted = admitted.transpose()?;
    let mut limits = options.limits.within(&settings)?;
    if let Some(admitted) = &admitted {
        let most = options.limits.over(settings.limits_max());
        limits = admitted.limits(limits, most);
    }
    let loading = options.loading(&settings)?;
    let engine = loading.engine()?;
    let begin = Instant::now();
    let loaded = loading.component(&engine, &options.component, &mut stdin, &data)?;
    let component = &loaded.component;
    let load_time = begin.elapsed();
    warn_of_code_not_kept(component);
    let asked = match &admitted {
        Some(admitted) if !options.asks() => Some(admitted.asked(component)?),
        _ => ask::asked(options, component, &mut stdin, &data)?,
    };
    let Some(asked) = asked else {
        return list(options, &loaded).map(|()| 0);
    };
    let is_command = asked.is_command;
    let nonce = match (&admitted, &away) {
        (Some(admitted), _) => admitted.nonce(),
        (None, Some(_)) => away::nonce(component)?,
        (None, None) => Nonce::EMPTY,
    };
    let instruction = instruction(component, asked, nonce)?;
    if let Some(to) = &options.tokens.invoke {
        return request::invoke(&options.tokens, to, &instruction, &limits).map(|()| 0);
    }
    if let Some(url) = &options.tokens.node {
        return there::run(options, &loaded, &instruction, is_command, &data, url);
    }
    if let Some(away) = away {
        return away.run(options, &loaded, &instruction, limits, is_command, &data);
    }
    let grants = loading.authority.task();
    if let Some(admitted) = &admitted {
        admitted.check(component, &instruction)?;
        let is_pure = component.is_pure(&grants.within(&admitted.leave));
        admitted.accept(&data, is_pure)?;
    }
    let signing = sign::key(options)?;
    let is_evidence = options.receipt.as_deref().is_some_and(sign::holds_all);
    let reads = is_evidence.then(|| Arc::new(Reads::new(Arc::clone(&data))));
    let task = Task {
        instruction: &instruction,
        limits,
        grants,
        leave: admitted.as_ref().map(|admitted| admitted.leave.clone()),
        is_command,
        blocks: match &reads {
            Some(reads) => reads.clone(),
            None => data.clone(),
        },
    };
    let telemetry = Telemetry::of_one_task();
    let begin = SystemTime::now();
    let (mut done, unread) = call(options, &engine, component, task)?;
    let calls = done
        .recording
        .as_ref()
        .map(|heard| print::calls(&heard.trace));
    // What was heard goes into the receipt.
    let hints = match options.json {
        true => Vec::new(),
        false => doors::hints(&loading.authority, &loaded, &done),
    };
    let asked_by = admitted.as_ref().map(request::Admitted::asked_by);
    let signing = signing.or_else(|| sign::key_for_store(&data));
    let signed = match signing {
        Some(key) => Some(sign::sign(
            &key,
            component,
            &instruction,
            &mut done,
            asked_by,
        )?),
        None => None,
    };
    if let Some(telemetry) = telemetry {
        let receipt = signed.as_ref().map(|signed| &signed.receipt);
        telemetry.ran_alone(&instruction, begin, &done, receipt);
    }
    if let Some(signed) = &signed {
        signed.record(&data, &instruction)?;
    }
    if let (Some(path), Some(signed)) = (&options.receipt, &signed) {
        signed.write(path, &loaded, &instruction, reads.as_deref())?;
    }
    let shown = show::outcome(options, &done, is_command, &data);
    for hint in hints {
        print::err(&print::hint(&hint));
    }
    if options.stats {
        let stats = show::Stats {
            component,
            instruction: &instruction,
            receipt: signed.as_ref().map(|signed| &signed.receipt),
            done: &done,
            calls,
            load_time: Some(load_time),
        };
        print::err(&stats.text());
    }
    match unread {
        Some(fault) => Err(fault),
        None => shown.map(|()| exit_code(&done)),
    }
}

/// Runs a workflow.
fn many(options: &Options) -> Result<u8, CommandError> {
    let file = match &options.component {
        Reference::Path(file) => file,
        _ => Path::new(workflow::STDIN),
    };
    let settings = options.config.settings()?;
    if let Some(url) = &options.tokens.node {
        return workflow::there::main(workflow::there::Options {
            file,
            loading: options.loading(&settings)?,
            data: Arc::new(options.storage.data(&settings)?),
            output: options.output.as_deref(),
            json: options.json,
            node: There::at(url, options.tokens.proof.clone())?,
            url,
            limits: options.limits.table(),
            wishes: workflow::there::Wishes {
                jobs: options.jobs,
                fails_fast: options.fail_fast,
                results: &options.results,
            },
        });
    }
    let (usual, loading) = (
        options.limits.within(&settings)?,
        options.loading(&settings)?,
    );
    let place = options.storage.place(&settings);
    let workflow = workflow::read(file)?;
    let (on, sites) = (options.tokens.on.as_ref(), workflow.sites());
    let away = away::Away::begin_for(on, &sites, options, &settings)?;
    let data = match &away {
        Some(away) => away.data(options, &settings)?,
        None => options.storage.data(&settings)?,
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let usual_jobs = match &away {
        Some(away) => away.count().saturating_mul(JOBS_OF_OTHERS).max(processors),
        None => processors,
    };
    workflow::run::main(workflow::run::Options {
        workflow,
        file,
        usual,
        loading,
        data: Arc::new(data),
        place: place.map_err(CommandError::input)?,
        output: options.output.as_deref(),
        json: options.json,
        jobs: options.jobs.map_or(usual_jobs, |jobs| jobs.get().into()),
        fails_fast: options.fail_fast,
        results: &options.results,
        looks_up: !options.no_cache,
        settings: &settings,
        away,
    })
}

/// Tasks at a time for each node that may be given some: what it has no room for waits there.
const JOBS_OF_OTHERS: usize = 4;

fn exit_code(done: &Done) -> u8 {
    match &done.outcome {
        Outcome::Ok(_) => 0,
        Outcome::Error(failure) => code_of(failure),
    }
}

fn warn_of_code_not_kept(component: &Component) {
    if let Origin::Compiler {
        not_kept: Some(reason),
        ..
    } = component.origin()
    {
        print::warning(&format!("compiled code is not kept: {reason}"));
    }
}

fn instruction(
    component: &Component,
    asked: Asked,
    nonce: Nonce,
) -> Result<Instruction, CommandError> {
    let resource = Resource::from(*component.cid());
    Instruction::new(resource, asked.input, nonce).map_err(CommandError::input)
}

/// What is run, and what it may.
struct Task<'a> {
    instruction: &'a Instruction,
    limits: Limits,
    grants: Grants,
    /// What whoever asked for it lets it do, if that was somebody else.
    leave: Option<Arc<Leave>>,
    is_command: bool,
    /// Where it reads and writes content.
    blocks: Arc<dyn Blocks>,
}

/// Runs the task. Beside what came of it returns why not all of a command's output was passed on, if so.
fn call(
    options: &Options,
    engine: &Engine,
    component: &Component,
    task: Task<'_>,
) -> Result<(Done, Option<CommandError>), CommandError> {
    let mut call = Call::new(task.instruction, &task.limits);
    call.answers = Answers::Drivers(task.grants);
    call.leave = task.leave;
    call.blocks = Some(task.blocks);
    let words = Arc::new(Mutex::new(LastWords::new()));
    call.on_log = Some(Arc::new({
        let words = Arc::clone(&words);
        move |bytes: &[u8]| print::log(&lock(&words).pass(bytes))
    }));
    let is_shown = task.is_command && !options.json && options.output.is_none();
    let live = is_shown.then(|| Live::new(options.receipt.is_some()));
    call.on_stdout = live.as_ref().map(Live::listener);
    let done = engine.call(component, call);
    print::log(&lock(&words).end());
    let done = done.map_err(|error| match error {
        CallError::Host(_) => CommandError::host(error),
        CallError::Arguments(ArgumentError::Count { .. }) => {
            let example = example::hint(options, component, Some(&task.instruction.input().func));
            let error = CommandError::input(error);
            example.into_iter().fold(error, CommandError::hint)
        }
        _ => CommandError::input(error),
    });
    Ok((done?, live.and_then(|live| live.fault())))
}

fn lock(words: &Mutex<LastWords>) -> MutexGuard<'_, LastWords> {
    // Whatever was half done, it is text.
    words.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Options {
    /// Returns how components are loaded.
    fn loading(&self, settings: &Settings) -> Result<Loading, CommandError> {
        let authority = Authority::new(settings, &self.allow, &self.pin);
        Ok(Loading {
            use_cache: !self.no_cache,
            compile_time: self.compiling.compile_time,
            compile_memory: self.compiling.compile_memory,
            effects: self.effects.clone(),
            drivers: settings.drivers(authority.sends())?,
            authority,
        })
    }

    /// Tells whether it is typed what is asked of the component.
    fn asks(&self) -> bool {
        self.call.is_some()
            || self.func.is_some()
            || self.args.is_some()
            || self.stdin.is_some()
            || !self.arguments.is_empty()
    }

    /// Refuses options that have no meaning for a workflow, or only for one.
    fn fit(&self, is_workflow: bool) -> Result<(), CommandError> {
        let of_one = [
            ("a call", self.call.is_some()),
            ("arguments after --", !self.arguments.is_empty()),
            ("--func", self.func.is_some()),
            ("--args", self.args.is_some()),
            ("--stdin", self.stdin.is_some()),
            ("--raw", self.raw),
            ("--receipt", self.receipt.is_some()),
            ("--stats", self.stats),
            ("--watch", self.watch),
            ("--ucan", self.tokens.ucan.is_some()),
            ("--invoke", self.tokens.invoke.is_some()),
        ];
        let of_many = [
            ("--jobs", self.jobs.is_some()),
            ("--fail-fast", self.fail_fast),
            ("--result", !self.results.is_empty()),
        ];
        let (options, other) = match is_workflow {
            true => (&of_one[..], "is for a component, and this is a workflow"),
            false => (&of_many[..], "is for workflows, and this is a component"),
        };
        match options.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => {
                let error = CommandError::usage(format!("{option} {other}"));
                Err(match *option {
                    "--receipt" => {
                        error.hint("its receipts are in the store: `homestar runs show`")
                    }
                    _ => error,
                })
            }
        }
    }

    /// Returns the component as the person calls it.
    fn name(&self) -> String {
        match &self.component {
            Reference::Stdin => "the component".to_owned(),
            named => named.to_string(),
        }
    }
}

/// Prints the functions of a component that nothing was asked of.
fn list(options: &Options, loaded: &Loaded) -> Result<(), CommandError> {
    let functions = wit::describe(&loaded.bytes()?)
        .map_err(load::explained)?
        .functions;
    if options.json {
        let answer = print::map([("ok", inspect::functions(&functions))]);
        return print::out(print::json_line(&answer)?.as_bytes());
    }
    if functions.is_empty() {
        return print::line(&format!("{} exports no functions", options.name()));
    }
    let mut text = format!("{} exports\n", options.name());
    for line in inspect::exports(&functions) {
        text += &format!("  {line}\n");
    }
    if let Some(example) = example::call(options, &loaded.component, None) {
        text += &format!("\nFor example: {example}\n");
    }
    print::out(text.as_bytes())
}
