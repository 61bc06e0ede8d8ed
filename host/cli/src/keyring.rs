//! The keys that sign: files of the user's, each with a name.
//!
//! The one called `default` signs wherever nobody names another, and is made when it is first needed. Guests have keys
//! of their own, which the engine keeps; none of these here is ever a guest's.

mod name;
mod passphrase;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use homestar_core::key::{KeyFile, LockedKey, SALT_BYTES, SigningKey, UnlockError};
use homestar_core::ucan::varsig::Algorithm;
use zeroize::Zeroizing;

pub(crate) use self::name::{DEFAULT, KeyName, Named};
pub(crate) use self::passphrase::{Given, Passphrase};
use crate::error::{Caused, CommandError};
use crate::{paths, print};

/// Which key signs.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SignerOptions {
    /// The name of the key that signs, instead of $HOMESTAR_KEY, or of the one called default
    #[arg(long, value_name = "NAME", help_heading = "Key")]
    key: Option<KeyName>,

    /// A file with the passphrase of the key, instead of $HOMESTAR_PASSPHRASE, or of asking on the terminal
    #[arg(long, value_name = "FILE", help_heading = "Key")]
    passphrase_file: Option<PathBuf>,
}

impl SignerOptions {
    /// Returns the key, opened. The one called `default` is made if it isn't there.
    pub(crate) fn key(&self) -> Result<SigningKey, CommandError> {
        let name = match &self.key {
            Some(name) => name.clone(),
            None => chosen()?,
        };
        let file = open_or_make(&name)?;
        unlock(
            &name,
            file,
            &Passphrase::of(self.passphrase_file.as_deref()),
        )
    }
}

/// Returns the key that signs where no option names one, after making it if it is the one called `default` and isn't
/// there.
pub(crate) fn key() -> Result<SigningKey, CommandError> {
    SignerOptions::default().key()
}

/// Returns the name of the key that signs where no option names one.
pub(crate) fn chosen() -> Result<KeyName, CommandError> {
    match paths::key_chosen() {
        None => Ok(KeyName::default()),
        Some(name) => name
            .parse()
            .map_err(|error| CommandError::usage(Caused::new("HOMESTAR_KEY names no key", error))),
    }
}

/// Returns where the file of a key is.
pub(crate) fn path(name: &KeyName) -> Result<PathBuf, CommandError> {
    let path = match name.as_str() {
        DEFAULT => paths::key(),
        name => paths::keys().map(|folder| folder.join(format!("{name}{ENDING}"))),
    };
    path.map_err(CommandError::input)
}

/// What names of files end in.
const ENDING: &str = ".pem";

/// Returns the names of all keys, the one called `default` first.
pub(crate) fn names() -> Result<Vec<KeyName>, CommandError> {
    let mut names = Vec::new();
    let default = KeyName::default();
    if path(&default)?.exists() {
        names.push(default);
    }
    let folder = paths::keys().map_err(CommandError::input)?;
    let failed = |error| {
        let words = format!("can't read the folder {}", folder.display());
        CommandError::input(Caused::new(words, error))
    };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries.map_err(failed)?,
    };
    let mut others = Vec::new();
    for entry in entries {
        let file = entry.map_err(failed)?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(ENDING));
        let name = name.and_then(|name| name.parse::<KeyName>().ok());
        others.extend(name.filter(|name| name.as_str() != DEFAULT));
    }
    others.sort();
    names.extend(others);
    Ok(names)
}

/// Reads the file of a key, if there is one.
pub(crate) fn open(name: &KeyName) -> Result<Option<KeyFile>, CommandError> {
    let path = path(name)?;
    match File::open(&path) {
        Ok(file) => read(name, &path, file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot("read", &path, error)),
    }
}

/// Reads the file of a key that has to be there.
pub(crate) fn existing(name: &KeyName) -> Result<KeyFile, CommandError> {
    open(name)?.ok_or_else(|| missing(&name.to_string()))
}

/// Returns what is said of a key that isn't there.
pub(crate) fn missing(name: &str) -> CommandError {
    CommandError::input(format!("there is no key {name}")).hint(format!(
        "`homestar key list` shows those there are, `homestar key new {name}` makes one"
    ))
}

/// Reads the file of a key. The one called `default` is made if it isn't there.
pub(crate) fn open_or_make(name: &KeyName) -> Result<KeyFile, CommandError> {
    if let Some(file) = open(name)? {
        return Ok(file);
    }
    if name.as_str() != DEFAULT {
        return Err(missing(name.as_str()));
    }
    // Another process may be faster: what is on disk is the key.
    let made = KeyFile::Plain(draw(Algorithm::Ed25519)?);
    write(&path(name)?, &made)?;
    existing(name)
}

/// Keeps a key under a name that no other has.
pub(crate) fn add(name: &KeyName, file: &KeyFile) -> Result<(), CommandError> {
    let path = path(name)?;
    match write(&path, file)? {
        true => Ok(()),
        false => Err(taken(name)),
    }
}

fn taken(name: &KeyName) -> CommandError {
    CommandError::input(format!("there is a key {name} already")).hint(format!(
        "`homestar key rename {name} NEW` gives it another name"
    ))
}

/// Puts a key into the place of the one that has the name: the same under another passphrase, or under none.
pub(crate) fn replace(name: &KeyName, file: &KeyFile) -> Result<(), CommandError> {
    let path = path(name)?;
    let failed = |error| cannot("write", &path, error);
    // Behind a link stands the file that is meant.
    let place = fs::canonicalize(&path).map_err(failed)?;
    let folder = folder_of(&place);
    let temporary = temporary(folder, file).map_err(failed)?;
    let persisted = temporary.persist(&place);
    persisted.map_err(|error| failed(error.error))?;
    sync(folder).map_err(failed)
}

/// Gives a key another name, which no other has.
pub(crate) fn rename(name: &KeyName, new: &KeyName) -> Result<(), CommandError> {
    existing(name)?;
    let (from, to) = (path(name)?, path(new)?);
    let failed = |error| cannot("rename", &from, error);
    make_folder(folder_of(&to)).map_err(failed)?;
    // Unlike a rename, a link takes nobody's place.
    match fs::hard_link(&from, &to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken(new)),
        linked => linked.map_err(failed)?,
    }
    sync(folder_of(&to)).map_err(failed)?;
    fs::remove_file(&from).map_err(failed)?;
    sync(folder_of(&from)).map_err(failed)
}

/// Draws a key.
pub(crate) fn draw(algorithm: Algorithm) -> Result<SigningKey, CommandError> {
    loop {
        let mut secret = Zeroizing::new([0; 32]);
        random(&mut *secret)?;
        // All but one of 2^32 are keys.
        if let Some(key) = SigningKey::from_secret(algorithm, &secret) {
            return Ok(key);
        }
    }
}

/// Locks a key.
pub(crate) fn lock(key: &SigningKey, passphrase: &Given) -> Result<KeyFile, CommandError> {
    let (mut salt, mut vector) = ([0; SALT_BYTES], [0; SALT_BYTES]);
    random(&mut salt)?;
    random(&mut vector)?;
    let locked = key.lock(passphrase.text().as_bytes(), &salt, &vector);
    Ok(KeyFile::Locked(locked))
}

fn random(bytes: &mut [u8]) -> Result<(), CommandError> {
    getrandom::fill(bytes).map_err(|error| {
        let words = "the operating system gives no random numbers";
        CommandError::host(Caused::new(words, io::Error::other(error)))
    })
}

/// Keys that were opened by a passphrase, so that nobody is asked twice within one command.
static OPENED: Mutex<Vec<(KeyName, SigningKey)>> = Mutex::new(Vec::new());

/// Opens the key of that name.
pub(crate) fn unlock(
    name: &KeyName,
    file: KeyFile,
    passphrase: &Passphrase<'_>,
) -> Result<SigningKey, CommandError> {
    let locked = match file {
        KeyFile::Plain(key) => return Ok(key),
        KeyFile::Locked(locked) => locked,
    };
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, key)) = opened.iter().find(|(known, _)| known == name) {
        return Ok(key.clone());
    }
    let (key, _) = open_by(&locked, &format!("the key {name}"), passphrase)?;
    opened.push((name.clone(), key.clone()));
    Ok(key)
}

/// How often a person may try.
const TRIES: usize = 3;

/// Opens a locked key, which `what` says, and returns the passphrase that did it too.
pub(crate) fn open_by(
    locked: &LockedKey,
    what: &str,
    passphrase: &Passphrase<'_>,
) -> Result<(SigningKey, Given), CommandError> {
    let mut tries = 1;
    loop {
        let given = passphrase.of_key(what)?;
        match locked.unlock(given.text().as_bytes()) {
            Ok(key) => return Ok((key, given)),
            Err(UnlockError::Passphrase) if given.was_typed() && tries < TRIES => {
                tries += 1;
                print::err("that isn't its passphrase; once more\n");
            }
            Err(error) => {
                let words = format!("can't open {what}");
                return Err(CommandError::input(Caused::new(words, error)));
            }
        }
    }
}

fn cannot(verb: &str, path: &Path, error: io::Error) -> CommandError {
    CommandError::input(Caused::new(
        format!("can't {verb} the key {}", path.display()),
        error,
    ))
}

/// A key in PEM has some 120 bytes, a locked one some 600; a file longer than this is none.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 10;

fn read(name: &KeyName, path: &Path, file: File) -> Result<KeyFile, CommandError> {
    let failed = |error| cannot("read", path, error);
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(CommandError::input(format!(
            "others than you may read or change the key {path}"
        ))
        .hint(format!("`chmod 600 {path}` closes it")));
    }
    let mut pem = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut pem)
        .map_err(failed)?;
    KeyFile::parse(&pem).map_err(|error| {
        let words = format!("can't read the key {}", path.display());
        let error = CommandError::input(Caused::new(words, error));
        match name.as_str() {
            DEFAULT => {
                error.hint("move it away and a new one is made; receipts signed with it stay good")
            }
            _ => error,
        }
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a key to a file that isn't there yet, and returns whether it did. It appears whole or not at all.
fn write(path: &Path, key: &KeyFile) -> Result<bool, CommandError> {
    create(path, key).map_err(|error| cannot("make", path, error))
}

fn create(path: &Path, key: &KeyFile) -> io::Result<bool> {
    let folder = folder_of(path);
    make_folder(folder)?;
    match temporary(folder, key)?.persist_noclobber(path) {
        Ok(_) => sync(folder).map(|()| true),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

/// A temporary file has the mode 0600 from its beginning.
fn temporary(folder: &Path, key: &KeyFile) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(key.to_pem().as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a private key to a file that only the user may read and that isn't there yet.
pub(crate) fn write_private(path: &Path, pem: &str) -> Result<(), CommandError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        let words = format!("can't write {}", path.display());
        let is_there = error.kind() == io::ErrorKind::AlreadyExists;
        let error = CommandError::input(Caused::new(words, error));
        match is_there {
            true => error.hint("a private key is written to a new file only"),
            false => error,
        }
    })
}
