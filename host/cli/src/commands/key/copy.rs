//! Keys that come from elsewhere and go there.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use homestar_core::ipld::Ipld;
use homestar_core::key::KeyFile;
use homestar_core::ucan::Did;
use zeroize::Zeroizing;

use super::change::{Protection, put};
use super::{guests, show};
use crate::error::{Caused, CommandError};
use crate::files::{self, Stdin};
use crate::keyring::{self, Named, Passphrase};
use crate::print;

/// Take over a private key, in PEM
///
/// PKCS#8 is read, as `openssl genpkey` writes it, under a passphrase (`openssl pkcs8 -topk8`) or not, and the older form
/// of `openssl ecparam -genkey`. A key that comes under a passphrase is kept under the same, which the options give as
/// well. It never takes the place of another key.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key import work work.pem
  homestar key import work work.pem --passphrase-file work.passphrase
  openssl genpkey -algorithm ed25519 | homestar key import ci -
  homestar key import crypto=signer signer.pem")]
pub(super) struct Import {
    /// What it shall be called; crypto=NAME gives it to guests that are granted it
    name: Named,

    /// The file of the key; - for standard input
    file: String,

    #[command(flatten)]
    protection: Protection,

    /// Print one JSON object: {"ok": {"did": …, "name": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Print a public key, or a private one if asked to
///
/// A private key is printed as it is kept: under its passphrase, if it has one. It is written to a new file only, which
/// nobody else may read.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key export > me.pub
  homestar key export work --form did
  homestar key export work --private -o work.pem")]
pub(super) struct Export {
    /// The key's name; crypto=NAME for one that guests keep [default: the key that signs]
    name: Option<Named>,

    /// How a public key is written
    #[arg(long, value_name = "FORM", default_value = "pem")]
    form: Form,

    /// Print the private key. Who has it can sign as you
    #[arg(long, conflicts_with = "form")]
    private: bool,

    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print one JSON object: {"ok": …} with the text, or {"error": {"kind": …, "message": …}}
    #[arg(long, conflicts_with = "output")]
    pub(super) json: bool,
}

/// How a public key is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it
    Pem,
    /// did:key:z…
    Did,
    /// The same without `did:key:`
    Multibase,
}

impl Form {
    fn of(self, did: &Did) -> String {
        match self {
            Self::Pem => did.to_pem(),
            Self::Did => format!("{did}\n"),
            Self::Multibase => format!("{}\n", show::multibase(did)),
        }
    }
}

pub(super) fn import(options: &Import) -> Result<(), CommandError> {
    let (did, file) = read(options)?;
    put(&options.name, &file)?;
    show::say(&options.name, &did, options.json)
}

/// Reads a key, and returns as what it is kept.
fn read(options: &Import) -> Result<(Did, KeyFile), CommandError> {
    let path = &options.file;
    let bytes = match path.as_str() {
        "-" => Stdin::default().read("the key", keyring::FILE_BYTES_MAX)?,
        path => files::read(path.as_ref(), keyring::FILE_BYTES_MAX)?,
    };
    let bytes = Zeroizing::new(bytes);
    let none = |cause: Box<dyn std::error::Error + Send + Sync>| {
        let words = format!("{path} holds no private key");
        CommandError::input(Caused::new(words, cause))
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| none(error.into()))?;
    let file = KeyFile::parse(text).map_err(|error| {
        let error = none(error.into());
        match Did::from_pem(text) {
            Ok(_) => error.hint("it is a public key"),
            Err(_) => error.hint("`openssl pkcs8 -topk8 -in FILE` writes many other forms anew"),
        }
    })?;
    match file {
        KeyFile::Plain(key) => {
            let did = key.did();
            Ok((did, options.protection.of(key, &options.name)?))
        }
        KeyFile::Locked(locked) => {
            let passphrase = Passphrase::of(options.protection.passphrase_file.as_deref());
            let (key, given) =
                keyring::open_by(&locked, &format!("the key in {path}"), &passphrase)?;
            // Under what a key costs here, whatever it cost there.
            Ok((key.did(), keyring::lock(&key, &given)?))
        }
    }
}

pub(super) fn export(options: &Export) -> Result<(), CommandError> {
    let name = match &options.name {
        Some(name) => name.clone(),
        None => Named::Own(keyring::chosen()?),
    };
    if options.private {
        return export_private(options, &name);
    }
    let did = match &name {
        Named::Own(name) => show::did(name, &keyring::existing(name)?)?,
        Named::Guests(name) => guests::did(&guests::open(name)?)
            .ok_or_else(|| CommandError::input(format!("the key crypto={name} signs nothing")))?,
    };
    let text = options.form.of(&did);
    match &options.output {
        Some(path) => files::write(path, text.as_bytes()),
        None if options.json => print::ok(Ipld::String(text)),
        None => print::out(text.as_bytes()),
    }
}

fn export_private(options: &Export, name: &Named) -> Result<(), CommandError> {
    let Named::Own(name) = name else {
        let words = format!("the private key of {name} stays where guests can use it");
        return Err(CommandError::input(words));
    };
    let pem = match keyring::existing(name)? {
        KeyFile::Plain(key) => key.to_pem(),
        KeyFile::Locked(key) => Zeroizing::new(key.to_private_pem()),
    };
    match &options.output {
        Some(path) => keyring::write_private(path, &pem),
        None if options.json => print::ok(Ipld::String(pem.to_string())),
        None => print::out(pem.as_bytes()),
    }
}
