//! What the operator of this machine decides: `homestar.toml`, and variables above it.
//!
//! It is read from the file that a person names, or from the user's. Never from the working directory: a folder from
//! a stranger must not open anything.

mod drivers;
mod file;
mod variables;

use std::path::{Path, PathBuf};
use std::{fs, io};

use homestar_core::task::Limits;
use homestar_core::ucan::Did;
use homestar_engine::drivers::DriverSettings;
use homestar_node::Believed;
use toml::Table;

use self::file::{File, LimitTable};
use crate::error::{Caused, CommandError};
use crate::{files, paths};

pub(crate) use self::variables::{KEYS, Key, Said};

/// Most bytes of the file: nobody writes a longer one by hand.
const BYTES_MAX: u64 = 1 << 20;

/// What the operator decided.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Where it stands, if there is a file.
    path: Option<PathBuf>,
    /// What stands in the file.
    text: String,
    /// What variables say.
    said: Vec<Said>,
    /// Both together.
    file: File,
}

impl Settings {
    /// Reads the file that was named, or the user's, and what the environment says. Without either, nothing was decided.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, CommandError> {
        let path = match (named, paths::settings()) {
            (Some(named), _) => Some(named.to_owned()),
            (None, Ok(path)) if !is_absent(&path) => Some(path),
            (None, _) => None,
        };
        let (text, file) = match &path {
            Some(path) => text_and_file(path)?,
            None => (String::new(), File::default()),
        };
        let bad = |words: String| {
            let error = Caused::new("can't use what the environment says", words);
            CommandError::input(error)
                .hint("`homestar config --help` tells what variables there are")
        };
        let said = variables::said(paths::variables()).map_err(bad)?;
        let file = match said.is_empty() {
            true => file,
            false => variables::merged(table(&text), &said).map_err(bad)?,
        };
        Ok(Self {
            path,
            text,
            said,
            file,
        })
    }

    /// Returns where the file stands, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns what variables say.
    pub(crate) fn said(&self) -> &[Said] {
        &self.said
    }

    /// Returns all that is said, as it is written.
    pub(crate) fn table(&self) -> Table {
        let mut table = table(&self.text);
        self.said.iter().for_each(|said| said.put(&mut table));
        table
    }

    /// Returns what is said in the file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Returns how the settings are called in a message.
    pub(crate) fn name(&self) -> String {
        match (&self.path, self.said.is_empty()) {
            (Some(path), true) => path.display().to_string(),
            (Some(path), false) => format!("{} and the environment", path.display()),
            (None, true) => "homestar.toml".to_owned(),
            (None, false) => "the environment".to_owned(),
        }
    }

    /// Returns what a task may use unless an option says otherwise: never more than the most.
    pub(crate) fn limits(&self) -> Limits {
        limits(&self.file.limits, Limits::default()).clamp(self.limits_max())
    }

    /// Returns the most that a task may use, whatever options say.
    pub(crate) fn limits_max(&self) -> Limits {
        match &self.file.limits.max {
            Some(max) => limits(max, Limits::MAX).clamp(Limits::MAX),
            None => Limits::MAX,
        }
    }

    /// Tells whether the operator set a most at all.
    pub(crate) fn has_limits_max(&self) -> bool {
        self.file.limits.max.is_some()
    }

    /// Returns what drivers use. Secrets are fetched only if `sends`, since nothing else needs them.
    pub(crate) fn drivers(&self, sends: bool) -> Result<DriverSettings, CommandError> {
        drivers::settings(self, sends)
    }

    /// Returns what is wrong with secrets.
    pub(crate) fn secrets_wrong(&self) -> Vec<CommandError> {
        let mut wrong = Vec::new();
        let had = drivers::secrets(self, &mut |missing| wrong.push(missing));
        wrong.extend(had.err());
        wrong
    }

    /// Returns whose receipts count as one's own.
    pub(crate) fn believed(&self) -> Result<Believed, CommandError> {
        let mut signers = Vec::new();
        for text in &self.file.network.believed {
            let did: Did = text.parse().map_err(|_| {
                let words = format!("`{text}` is no signer, such as did:key:z6Mk…");
                let error = Caused::new(format!("can't use [network] of {}", self.name()), words);
                CommandError::input(error).hint(
                    "`homestar key show` says the name of a key, and receipts say whose they are",
                )
            })?;
            signers.push(did);
        }
        Ok(Believed::new(signers))
    }

    /// Returns a path that stands in the file: relative to the file.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        let folder = self.path.as_deref().and_then(Path::parent);
        folder.unwrap_or(Path::new("")).join(path)
    }
}

/// Returns the limits in `table`, and those of `usual` where it has none.
fn limits(table: &LimitTable, usual: Limits) -> Limits {
    Limits {
        fuel: table.fuel.unwrap_or(usual.fuel),
        memory_bytes: table.memory.unwrap_or(usual.memory_bytes),
        time: table.time.unwrap_or(usual.time),
        output_bytes: table.output.unwrap_or(usual.output_bytes),
        storage_bytes: table.storage.unwrap_or(usual.storage_bytes),
        log_bytes: table.log.unwrap_or(usual.log_bytes),
        calls: table.calls.unwrap_or(usual.calls),
        call_bytes: table.call_bytes.unwrap_or(usual.call_bytes),
        ..usual
    }
}

/// Tells whether nothing is there. A file that can't be looked at is there: it may have a ceiling in it.
fn is_absent(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Reads a file.
fn text_and_file(path: &Path) -> Result<(String, File), CommandError> {
    let bytes = files::read(path, BYTES_MAX)?;
    let bad = |words: String| {
        let error = Caused::new(format!("can't use {}", path.display()), words);
        CommandError::input(error).hint("docs/config.md tells what may stand there")
    };
    let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
    let file = parse(&text).map_err(bad)?;
    Ok((text, file))
}

/// Reads a text that was understood before, as it is written.
fn table(text: &str) -> Table {
    text.parse().unwrap_or_default()
}

/// Reads what stands in a file, or says in which line it goes wrong.
fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let words = error.message().trim();
        match error.span() {
            Some(span) => {
                let before = text.get(..span.start).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                format!("line {line}: {words}")
            }
            None => words.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the code blocks of the page that are TOML.
    fn documented() -> Vec<&'static str> {
        let page = include_str!("../../../docs/config.md");
        let blocks = page.split("```toml\n").skip(1);
        blocks.filter_map(|rest| rest.split("```").next()).collect()
    }

    #[test]
    fn everything_on_the_page_is_understood() {
        let blocks = documented();
        assert!(blocks.len() > 3);
        for block in blocks {
            assert!(parse(block).is_ok(), "{block}\n{:?}", parse(block));
        }
    }

    #[test]
    fn the_first_example_has_it_all() {
        let settings = Settings {
            path: Some(PathBuf::from("/etc/homestar/homestar.toml")),
            file: parse(documented()[0]).unwrap(),
            ..Settings::default()
        };
        let file = settings.file();
        assert!(file.ceiling.is_some() && !file.grant.is_empty());
        assert_eq!(settings.limits().calls, 1_000);
        assert_eq!(settings.limits().call_bytes, 64 << 20);
        assert_eq!(settings.limits_max().memory_bytes, 2 << 30);
        assert_eq!(file.effect.len(), 1);
        assert_eq!(file.pin["acme:weather/forecast"], "weather");
        assert_eq!(
            settings.place(&file.https.ca[0]),
            Path::new("/etc/homestar/ca.pem")
        );
        assert_eq!(file.secret.len(), 2);
        assert!(!settings.believed().unwrap().is_nobody());
        assert!(file.network.share_receipts);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, words) in [
            (
                "grants = []",
                "line 1: unknown field `grants`, expected one of `ceiling`, `grant`, ",
            ),
            (
                "\n\ngrant = [\"random\",\n\"radnom\"]",
                "line 3: `radnom` is no grant: there are https,",
            ),
            ("[effect.a]", "line 1: missing field `grant`"),
            (
                "[effect.a]\ngrant = []\nallow = []",
                "line 3: unknown field `allow`, expected `grant`",
            ),
            (
                "[limits]\nmemory = \"1 GB of it\"",
                "line 2: not a size such as 4096, 512KiB,",
            ),
            (
                "[limits]\ntime = 3",
                "line 2: invalid type: integer `3`, expected a time such as \"30s\"",
            ),
            (
                "[limits.max]\nmemroy = 1",
                "line 2: unknown field `memroy`, expected one of `fuel`, `memory`, ",
            ),
            ("[limits.max.max]\nfuel = 1", "line 1: unknown field `max`"),
            ("[limits]\ncalls = -1", "line 2: a limit is not negative"),
            (
                "[secret.a]\nhosts = []",
                "line 1: a secret comes from either a file or env",
            ),
            (
                "[secret.a]\nfile = \"a\"\nenv = \"B\"\nhosts = []",
                "line 1: a secret comes from either",
            ),
            (
                "[dns]\nresolver = \"none\"",
                "line 2: `none` is no resolver; there are \"system\",",
            ),
            (
                "[dns]\nresolver = [\"ns.example\"]",
                "line 2: `ns.example` is no address of a resolver, such as",
            ),
            (
                "[network]\nbelieve = []",
                "line 2: unknown field `believe`, expected one of `listen`, ",
            ),
            (
                "[dns]\nresolver = \"http://192.0.2.1\"",
                "line 2: `http://192.0.2.1` is no resolver",
            ),
            ("grant = [", "line 1: "),
        ] {
            let error = parse(text).map(|_| ()).unwrap_err();
            assert!(error.starts_with(words), "{text}\n{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
