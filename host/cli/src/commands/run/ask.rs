//! What is asked of the component.

use homestar_core::task::Input;
use homestar_core::wit::wave::{Arg, Call};
use homestar_core::wit::{Function, NameError};
use homestar_engine::{Component, Export};

use super::super::data::Data;
use super::{Options, args, example};
use crate::error::{Caused, CommandError};
use crate::files::Stdin;

/// A function with its arguments, or a command with its own.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) input: Input,
    pub(super) is_command: bool,
}

/// Returns what `options` ask of `component`; none if it is to be described.
pub(super) fn asked(
    options: &Options,
    component: &Component,
    stdin: &mut Stdin,
    data: &Data,
) -> Result<Option<Asked>, CommandError> {
    let asks_for_function =
        options.call.is_some() || options.func.is_some() || options.args.is_some();
    match component.command() {
        Some(entry) if !asks_for_function => command(options, component, entry, stdin).map(Some),
        _ => {
            refuse_what_is_for_commands(options, component)?;
            function(options, component, stdin, data)
        }
    }
}

fn command(
    options: &Options,
    component: &Component,
    entry: &Export,
    stdin: &mut Stdin,
) -> Result<Asked, CommandError> {
    let args = options.arguments.iter().cloned().map(Into::into).collect();
    let mut input = Input::new(entry.function().full_name(), args);
    let purpose = "the command's standard input";
    input.stdin = match &options.stdin {
        Some(path) => Some(stdin.read_path(path, purpose)?),
        None if reads_stdin(component) => stdin.read_if_given(purpose)?,
        None => None,
    };
    // None is another instruction than empty, but the guest sees no difference.
    input.stdin = input.stdin.filter(|bytes| !bytes.is_empty());
    Ok(Asked {
        input,
        is_command: true,
    })
}

fn reads_stdin(component: &Component) -> bool {
    let mut imports = component.imports().iter();
    imports.any(|import| import.starts_with("wasi:cli/stdin@"))
}

fn refuse_what_is_for_commands(
    options: &Options,
    component: &Component,
) -> Result<(), CommandError> {
    let (words, hint) = if !options.arguments.is_empty() {
        let words = "what follows -- is for commands";
        let hint = match component.command() {
            Some(_) => Some("a call has its arguments in parentheses".to_owned()),
            None => example::hint(options, component, None),
        };
        (words, hint)
    } else if options.stdin.is_some() {
        let words = "--stdin is for commands";
        let hint = "an argument @FILE is the content of a file, and @- standard input";
        (words, Some(hint.to_owned()))
    } else {
        return Ok(());
    };
    let error = match component.command() {
        Some(_) => CommandError::usage(format!("{words}, and a function was asked for")),
        None => CommandError::usage(format!("{words}, and {} is none", options.name())),
    };
    Err(hint.into_iter().fold(error, CommandError::hint))
}

fn function(
    options: &Options,
    component: &Component,
    stdin: &mut Stdin,
    data: &Data,
) -> Result<Option<Asked>, CommandError> {
    let call = options.call.as_deref().map(parse).transpose()?;
    let name = match &call {
        Some(call) => Some(call.name.as_str()).filter(|name| !name.is_empty()),
        None => options.func.as_deref(),
    };
    let typed = call.as_ref().and_then(|call| call.args.as_ref());
    let export = match (name, only(component)) {
        (Some(name), _) => component
            .find(name)
            .map_err(|error| unknown(component, error))?,
        (None, Some(only)) => component
            .find(&only.full_name())
            .map_err(CommandError::input)?,
        (None, None) if call.is_none() && options.args.is_none() => return Ok(None),
        (None, None) => return Err(which(options, component)),
    };
    let function = export.function();
    let args = match (typed, &options.args) {
        (Some(_), Some(_)) => {
            return Err(CommandError::usage(
                "the arguments stand in the call and in --args",
            ));
        }
        (Some(typed), None) => args::typed(function, typed, stdin, data),
        (None, Some(json)) => args::json(function, json, stdin),
        (None, None) if function.params.is_empty() => Ok(Vec::new()),
        // Nothing was asked: the only function takes arguments.
        (None, None) if name.is_none() => return Ok(None),
        (None, None) => args::typed(function, &[], stdin, data),
    };
    let hinted = |error: CommandError| {
        let hint = example::hint(options, component, Some(&function.full_name()));
        hint.into_iter().fold(error, CommandError::hint)
    };
    Ok(Some(Asked {
        input: Input::new(
            function.full_name(),
            args.map_err(|fault| match fault {
                args::Fault::Count(error) => hinted(error),
                args::Fault::Other(error) => error,
            })?,
        ),
        is_command: export.is_command(),
    }))
}

/// Reads a call. The name may be left out, `(1, 2)`; it is empty then.
fn parse(text: &str) -> Result<Call, CommandError> {
    let failed = |error| CommandError::input(Caused::new("can't read the call", error));
    if !text.trim_start().starts_with('(') {
        return Call::parse(text).map_err(failed);
    }
    // A name of one letter stands in for the one left out, so columns are one too far.
    let parsed = Call::parse(&format!("f{}", text.trim_start()));
    let args: Option<Vec<Arg>> = parsed
        .map_err(|mut error| {
            error.column -= usize::from(error.line == 1);
            failed(error)
        })?
        .args;
    Ok(Call {
        name: String::new(),
        args,
    })
}

/// Returns the only function that a component exports.
fn only(component: &Component) -> Option<&Function> {
    let mut functions = component
        .functions()
        .iter()
        .filter(|function| !function.is_of_resource());
    match (functions.next(), functions.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn unknown(component: &Component, error: NameError) -> CommandError {
    let error = CommandError::input(error);
    match component.command() {
        Some(_) => error.hint("it is a command, whose arguments follow `--`"),
        None => error,
    }
}

fn which(options: &Options, component: &Component) -> CommandError {
    let error = match component.functions().len() {
        0 => return CommandError::input(format!("{} exports no functions", options.name())),
        count => CommandError::usage(format!(
            "{} exports {count} functions, and none was named",
            options.name()
        )),
    };
    let hint = example::hint(options, component, None);
    hint.into_iter().fold(error, CommandError::hint)
}
