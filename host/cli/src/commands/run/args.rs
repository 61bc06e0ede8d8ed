//! Arguments of a function, from what was typed.

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::wit::wave::{self, Arg};
use homestar_core::wit::{self, ArgumentError, Function, Type, Value};
use homestar_node::Reference;

use super::super::data::{DOWNLOAD_BYTES_MAX, Data};
use crate::error::{Caused, CommandError};
use crate::files::{BYTES_MAX, Stdin};

/// Arguments that can't be passed.
#[derive(Debug)]
pub(super) enum Fault {
    /// There are too many or too few, so an example helps.
    Count(CommandError),
    /// One is not what it should be.
    Other(CommandError),
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        Self::Other(error)
    }
}

impl From<ArgumentError> for Fault {
    fn from(error: ArgumentError) -> Self {
        match error {
            ArgumentError::Count { .. } => Self::Count(CommandError::input(error)),
            ArgumentError::Mismatch(_) => Self::Other(CommandError::input(error)),
        }
    }
}

/// Returns the arguments of a call as IPLD.
pub(super) fn typed(
    function: &Function,
    args: &[Arg],
    stdin: &mut Stdin,
    data: &Data,
) -> Result<Vec<Ipld>, Fault> {
    if args.len() != function.params.len() {
        return Err(Fault::from(ArgumentError::Count {
            function: function.to_string(),
            expected: function.params.len(),
            found: args.len(),
        }));
    }
    let pairs = args.iter().zip(&function.params);
    let read = |(arg, (name, ty)): (&Arg, &(String, Type))| -> Result<Ipld, Fault> {
        let value = value(arg, name, ty, stdin, data)?;
        Ok(wit::into_ipld(value, ty).map_err(CommandError::input)?)
    };
    pairs.map(read).collect()
}

fn value(
    arg: &Arg,
    name: &str,
    ty: &Type,
    stdin: &mut Stdin,
    data: &Data,
) -> Result<Value, CommandError> {
    let parse = |text: &str| {
        wave::parse(text, ty).map_err(|error| {
            let words = format!("can't read the argument `{name}`");
            CommandError::input(Caused::new(words, error))
        })
    };
    let named = match arg {
        Arg::Wave(text) => return parse(text),
        Arg::File(named) => named,
    };
    let reference: Reference = named.parse().map_err(CommandError::input)?;
    let purpose = format!("the argument `{name}`");
    // Bytes of a file are passed as they are, and what is content already as a link.
    let is_content = ty.takes_link() && !ty.is_bytes();
    let bytes = match &reference {
        Reference::Content(path) if ty.takes_link() => return data.resolve(path).map(Value::Link),
        Reference::Url(url) if is_content => {
            return data.download(url, DOWNLOAD_BYTES_MAX).map(Value::Link);
        }
        Reference::Path(path) if is_content => return data.add_path(path).map(Value::Link),
        Reference::Stdin if is_content => {
            stdin.take(&purpose)?;
            return data.add_stdin().map(Value::Link);
        }
        Reference::Content(path) => data.read(path, BYTES_MAX)?,
        Reference::Url(url) => data.read_url(url, BYTES_MAX)?,
        Reference::Path(_) | Reference::Stdin => stdin.read_path(named, &purpose)?,
    };
    match ty {
        ty if ty.is_bytes() => Ok(Value::Bytes(bytes)),
        Type::String => text(bytes, named).map(Value::String),
        _ => parse(text(bytes, named)?.trim()),
    }
}

fn text(bytes: Vec<u8>, path: &str) -> Result<String, CommandError> {
    let source = match path {
        "-" => "standard input",
        path => path,
    };
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        CommandError::input(format!("{source} is not UTF-8 text: see byte {place}"))
    })
}

/// Returns the arguments that stand in `typed`, a list in DAG-JSON or `@FILE`. However a value was written, it
/// becomes the one form that its type has, so that the same question has the same name.
pub(super) fn json(
    function: &Function,
    typed: &str,
    stdin: &mut Stdin,
) -> Result<Vec<Ipld>, Fault> {
    let text = match typed.strip_prefix('@') {
        Some(path) => text(stdin.read_path(path, "the arguments")?, path)?,
        None => typed.to_owned(),
    };
    let parsed = json::parse(&text)
        .map_err(|error| CommandError::input(Caused::new("can't read --args", error)))?;
    let Ipld::List(args) = parsed else {
        let error = CommandError::input("--args is not a list");
        return Err(error
            .hint("one argument is a list of one, such as '[1]'")
            .into());
    };
    let values = wit::args_from_ipld(function, args)?;
    let types = function.params.iter().map(|(_, ty)| ty);
    values
        .into_iter()
        .zip(types)
        .map(|(value, ty)| Ok(wit::into_ipld(value, ty).map_err(CommandError::input)?))
        .collect()
}
