//! Passphrases: from a file, from the environment, or asked for on the terminal.

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Caused, CommandError};
use crate::{files, paths};

/// The longest passphrase.
const BYTES_MAX: usize = 1024;

/// Where a passphrase comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passphrase<'a> {
    /// The file that an option names.
    File(&'a Path),
    /// `HOMESTAR_PASSPHRASE` if it is set, and otherwise the terminal.
    Environment,
    /// A person.
    Terminal,
}

/// A passphrase.
pub(crate) struct Given {
    text: Zeroizing<String>,
    was_typed: bool,
}

impl Given {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a person typed it, who may try again.
    pub(crate) fn was_typed(&self) -> bool {
        self.was_typed
    }
}

impl<'a> Passphrase<'a> {
    /// From the file that an option names, if it does.
    pub(crate) fn of(file: Option<&'a Path>) -> Self {
        file.map_or(Self::Environment, Self::File)
    }

    /// Returns the passphrase of a key that is there.
    pub(crate) fn of_key(&self, what: &str) -> Result<Given, CommandError> {
        if let Some(given) = self.without_asking()? {
            return Ok(given);
        }
        Ok(Given {
            text: typed(&format!("passphrase of {what}: "), what)?,
            was_typed: true,
        })
    }

    /// Returns the passphrase that a key shall have. On the terminal it is asked for twice.
    pub(crate) fn for_key(&self, what: &str) -> Result<Given, CommandError> {
        let given = match self.without_asking()? {
            Some(given) => given,
            None => {
                let text = typed(&format!("new passphrase of {what}: "), what)?;
                let again = typed("the same again: ", what)?;
                if *text != *again {
                    return Err(CommandError::input("the two passphrases differ"));
                }
                let was_typed = true;
                Given { text, was_typed }
            }
        };
        match given.text.is_empty() {
            true => Err(CommandError::input("an empty passphrase protects nothing")),
            false => Ok(given),
        }
    }

    fn without_asking(&self) -> Result<Option<Given>, CommandError> {
        let text = match self {
            Self::File(file) => Some(read(file)?),
            Self::Environment => paths::passphrase().map(Zeroizing::new),
            Self::Terminal => None,
        };
        let Some(text) = text else { return Ok(None) };
        let was_typed = false;
        checked(text).map(|text| Some(Given { text, was_typed }))
    }
}

/// Returns the one line of a file.
fn read(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    // One more for each half of a line break.
    let bytes = Zeroizing::new(files::read(path, BYTES_MAX as u64 + 2)?);
    let what = path.display();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| CommandError::input(format!("{what} is not UTF-8 text")))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.contains('\n') {
        true => Err(CommandError::input(format!(
            "{what} has more than one line, and a passphrase has one"
        ))),
        false => Ok(Zeroizing::new(line.to_owned())),
    }
}

fn checked(text: Zeroizing<String>) -> Result<Zeroizing<String>, CommandError> {
    match text.len() > BYTES_MAX {
        true => Err(CommandError::input(format!(
            "a passphrase has at most {BYTES_MAX} bytes"
        ))),
        false => Ok(text),
    }
}

/// Asks on the terminal, where what is typed isn't shown. Not standard input: that may be data.
fn typed(prompt: &str, what: &str) -> Result<Zeroizing<String>, CommandError> {
    let text = rpassword::prompt_password(prompt).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => CommandError::input("no passphrase was given"),
        _ => {
            let words = format!("there is no terminal to ask for the passphrase of {what}");
            CommandError::input(Caused::new(words, error))
                .hint("`--passphrase-file FILE`, or HOMESTAR_PASSPHRASE in the environment, has it")
        }
    })?;
    checked(Zeroizing::new(text))
}
