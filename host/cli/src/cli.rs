//! What can be typed.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::content::{add, car, cat, gc, get, ls, pin, serve, share, stat, store};
use crate::commands::project::{build, dev, new};
use crate::commands::workflow::{check, explain, plan, runs};
use crate::commands::{
    bind, completions, config, effect, inspect, key, node, receipt, replay, run, ucan,
};
use crate::error::CommandError;
use crate::print;

const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  the guest returned an error of its own
  2  the command was not understood
  3  the guest trapped, or came to one of its limits
  4  the input is at fault: not a component, arguments that don't fit, an import that
     nothing provides, a file that can't be read, a receipt that isn't good
  5  this host failed
A component that is a command ends with its own exit code.";

/// Runs WebAssembly components as tasks that give the same answer everywhere.
///
/// A component is named by its content. What it is asked, what it answers and what that cost can be
/// signed, as a receipt. While it runs it can do nothing but compute: it sees no file, no network,
/// no clock that moves and no chance, so that whoever runs it again gets the same.
#[derive(Debug, Parser)]
#[command(
    name = "homestar",
    version,
    max_term_width = 100,
    after_long_help = EXIT_CODES,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Options),
    Build(build::Options),
    Dev(dev::Options),
    Bind(bind::Options),
    Run(Box<run::Options>),
    Check(Box<check::Options>),
    Plan(Box<plan::Options>),
    Runs(runs::Options),
    Explain(explain::Options),
    Inspect(inspect::Options),
    Effect(effect::Options),
    Receipt(receipt::Options),
    Replay(replay::Options),
    Add(add::Options),
    Cat(cat::Options),
    Get(get::Options),
    Ls(ls::Options),
    Stat(stat::Options),
    Pin(pin::Options),
    Gc(gc::Options),
    Car(car::Options),
    Store(store::Options),
    Serve(serve::Options),
    Share(share::Options),
    Start(Box<node::start::Start>),
    Stop(node::Stop),
    Status(node::Status),
    Ping(node::Ping),
    Node(node::Options),
    Config(config::Options),
    Key(key::Options),
    Ucan(ucan::Options),
    Completions(completions::Options),
    /// Compiles a component for `run`, in a process that can be stopped.
    #[command(name = WORKER, hide = true)]
    CompileWorker {
        arguments: Vec<OsString>,
    },
}

/// The hidden command by which this program starts itself to compile.
pub(crate) const WORKER: &str = "compile-worker";

/// Does what `arguments` ask.
pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let command = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.command,
        Err(error) => return print::usage(&error),
    };
    match command {
        Command::New(options) => ended(new::main(&options), options.json),
        Command::Build(options) => ended(build::main(&options), options.json),
        Command::Dev(options) => dev::main(&options),
        Command::Bind(options) => ended(bind::main(&options), options.json),
        Command::Run(options) => run::main(&options),
        Command::CompileWorker { arguments } => compile(&arguments),
        Command::Check(options) => ended(check::main(&options), options.common.json),
        Command::Plan(options) => ended(plan::main(&options), options.common.json),
        Command::Runs(options) => ended(runs::main(&options), options.json()),
        Command::Explain(options) => ended(explain::main(&options), options.common.json),
        Command::Inspect(options) => ended(inspect::main(&options), options.json),
        Command::Effect(options) => ended(effect::main(&options), options.json()),
        Command::Receipt(options) => ended(receipt::main(&options), options.json()),
        Command::Replay(options) => ended(replay::main(&options), options.json),
        Command::Add(options) => ended(add::main(&options), options.common.json),
        Command::Cat(options) => ended(cat::main(&options), options.common.json),
        Command::Get(options) => ended(get::main(&options), options.common.json),
        Command::Ls(options) => ended(ls::main(&options), options.common.json),
        Command::Stat(options) => ended(stat::main(&options), options.common.json),
        Command::Pin(options) => ended(pin::main(&options), options.json()),
        Command::Gc(options) => ended(gc::main(&options), options.common.json),
        Command::Car(options) => ended(car::main(&options), options.json()),
        Command::Store(options) => ended(store::main(&options), options.json()),
        Command::Serve(options) => ended(serve::main(&options), options.json()),
        Command::Share(options) => ended(share::main(&options), options.json()),
        Command::Start(options) => ended(node::start::main(&options), options.json),
        Command::Stop(options) => ended(node::stop(&options), options.plain.json),
        Command::Status(options) => ended(node::status(&options), options.plain.json),
        Command::Ping(options) => ended(node::ping(&options), options.plain.json),
        Command::Node(options) => ended(node::main(&options), options.json()),
        Command::Config(options) => ended(config::main(&options), options.json()),
        Command::Key(options) => ended(key::main(&options), options.json()),
        Command::Ucan(options) => ended(ucan::main(&options), options.json()),
        Command::Completions(options) => ended(completions::main(&options, Cli::command()), false),
    }
}

/// Returns the exit code, after saying what went wrong if something did.
fn ended(result: Result<(), CommandError>, json: bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print::error(&error, json),
    }
}

/// Compiles for another process of this program, which reads what is said.
fn compile(arguments: &[OsString]) -> ExitCode {
    match homestar_engine::compile_worker(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::err(&format!("{}\n", failure.words));
            ExitCode::from(failure.status)
        }
    }
}
