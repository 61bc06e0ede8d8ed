//! Keys that are made, renamed, and put under passphrases.

use std::path::PathBuf;

use clap::Args;
use homestar_core::key::{KeyFile, SigningKey};

use super::{Type, guests, show};
use crate::error::CommandError;
use crate::keyring::{self, KeyName, Named, Passphrase};
use crate::print;

/// How a key that is put away is protected.
#[derive(Args, Debug)]
pub(super) struct Protection {
    /// Protect it by a passphrase: $HOMESTAR_PASSPHRASE, or one that is asked for on the terminal
    #[arg(long)]
    passphrase: bool,

    /// Protect it by the passphrase in a file
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

impl Protection {
    /// Returns what is put away.
    pub(super) fn of(&self, key: SigningKey, name: &Named) -> Result<KeyFile, CommandError> {
        if !self.passphrase && self.passphrase_file.is_none() {
            return Ok(KeyFile::Plain(key));
        }
        let passphrase = Passphrase::of(self.passphrase_file.as_deref());
        keyring::lock(&key, &passphrase.for_key(&format!("the key {name}"))?)
    }
}

/// Puts a key away under a name that no other has.
pub(super) fn put(name: &Named, file: &KeyFile) -> Result<(), CommandError> {
    match (name, file) {
        (Named::Own(name), file) => keyring::add(name, file),
        (Named::Guests(name), KeyFile::Plain(key)) => guests::keep(name, key),
        (Named::Guests(_), KeyFile::Locked(_)) => Err(CommandError::usage(
            "a key that guests use has no passphrase: nobody is there to give it",
        )),
    }
}

/// Make a key
///
/// It never takes the place of another.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key new
  homestar key new work --type p256 --passphrase
  homestar key new ci --passphrase-file ci.passphrase
  homestar key new crypto=weather")]
pub(super) struct New {
    /// What it is called; crypto=NAME makes one for guests that are granted it
    #[arg(default_value = keyring::DEFAULT)]
    name: Named,

    /// What it signs with
    #[arg(long = "type", value_name = "TYPE", default_value = "ed25519")]
    kind: Type,

    #[command(flatten)]
    protection: Protection,

    /// Print one JSON object: {"ok": {"did": …, "name": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Put a key under a passphrase, under another one, or under none
///
/// The file is written anew, at once and as a whole. Copies that were made before keep the passphrase that they had.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key protect
  homestar key protect work --passphrase-file new.passphrase
  homestar key protect work --off")]
pub(super) struct Protect {
    /// The key's name
    #[arg(default_value = keyring::DEFAULT)]
    name: KeyName,

    /// A file with the passphrase that it shall have, instead of asking on the terminal
    #[arg(long, value_name = "FILE", conflicts_with = "off")]
    passphrase_file: Option<PathBuf>,

    /// A file with the passphrase that it has, instead of $HOMESTAR_PASSPHRASE, or of asking on the terminal
    #[arg(long, value_name = "FILE")]
    old_passphrase_file: Option<PathBuf>,

    /// Take the passphrase away
    #[arg(long)]
    off: bool,

    /// Print one JSON object: {"ok": {"did": …, "name": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Give a key another name
///
/// No other key may have it. To sign by another key from now on, rename the one called default, and then the other to
/// default.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  homestar key rename default old
  homestar key rename work default")]
pub(super) struct Rename {
    /// What it is called
    name: KeyName,

    /// What it shall be called
    new: KeyName,

    /// Print one JSON object: {"ok": {"did": …, "name": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn new(options: &New) -> Result<(), CommandError> {
    let key = keyring::draw(options.kind.algorithm())?;
    let did = key.did();
    put(&options.name, &options.protection.of(key, &options.name)?)?;
    show::say(&options.name, &did, options.json)
}

pub(super) fn protect(options: &Protect) -> Result<(), CommandError> {
    let name = &options.name;
    let file = keyring::existing(name)?;
    let was_locked = matches!(file, KeyFile::Locked(_));
    let old = Passphrase::of(options.old_passphrase_file.as_deref());
    let key = keyring::unlock(name, file, &old)?;
    let file = if options.off {
        if !was_locked {
            print::note(&format!("the key {name} has no passphrase"));
        }
        KeyFile::Plain(key.clone())
    } else {
        // The one of the environment is the one that it has.
        let new = match (&options.passphrase_file, was_locked) {
            (Some(file), _) => Passphrase::of(Some(file)),
            (None, true) => Passphrase::Terminal,
            (None, false) => Passphrase::Environment,
        };
        keyring::lock(&key, &new.for_key(&format!("the key {name}"))?)?
    };
    keyring::replace(name, &file)?;
    show::say(&Named::Own(name.clone()), &key.did(), options.json)
}

pub(super) fn rename(options: &Rename) -> Result<(), CommandError> {
    let file = keyring::existing(&options.name)?;
    let did = show::did(&options.name, &file)?;
    keyring::rename(&options.name, &options.new)?;
    show::say(&Named::Own(options.new.clone()), &did, options.json)
}
