//! Which keys there are, and who one is by them.

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_core::key::KeyFile;
use homestar_core::ucan::Did;

use super::{guests, word};
use crate::error::CommandError;
use crate::keyring::{self, KeyName, Named, Passphrase};
use crate::print;

/// List all keys: their names, what they sign with, and who signs by them
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key list
  homestar key list --json")]
pub(super) struct List {
    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Show who you are by a key: its did:key and other public forms, and its file
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key show
  homestar key show work --json
  homestar key show crypto=weather")]
pub(super) struct Show {
    /// The key's name; crypto=NAME for one that guests keep [default: the key that signs]
    name: Option<Named>,

    /// Print one JSON object: {"did": …, "multibase": …, "name": …, "path": …, "pem": …, "protected": …, "type": …}
    #[arg(long)]
    pub(super) json: bool,
}

/// Print the path of a key's file, whether or not it is there yet
///
/// The file is PKCS#8 in PEM, as `openssl genpkey` and `openssl pkcs8 -topk8` write it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  cp \"$(homestar key path)\" /mnt/backup/
  rm \"$(homestar key path old)\"")]
pub(super) struct Path {
    /// The key's name [default: the key that signs]
    name: Option<KeyName>,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// What can be said of a key.
struct Facts {
    name: String,
    /// What it is for.
    purpose: String,
    did: Option<Did>,
    is_protected: bool,
    /// None if its file is the engine's.
    path: Option<String>,
}

impl Facts {
    fn of(name: &KeyName, file: &KeyFile, did: Option<Did>) -> Result<Self, CommandError> {
        Ok(Self {
            name: name.to_string(),
            purpose: did.map_or("?", |did| word(did.algorithm())).to_owned(),
            did,
            is_protected: matches!(file, KeyFile::Locked(_)),
            path: Some(keyring::path(name)?.display().to_string()),
        })
    }

    fn of_guests(name: &str) -> Result<Self, CommandError> {
        let key = guests::open(name)?;
        Ok(Self {
            name: format!("crypto={name}"),
            purpose: key.algorithm().to_string(),
            did: guests::did(&key),
            is_protected: false,
            path: None,
        })
    }

    fn multibase(&self) -> Option<String> {
        self.did.map(|did| multibase(&did))
    }

    fn to_ipld(&self) -> Ipld {
        let text = |text: Option<String>| text.map_or(Ipld::Null, Ipld::String);
        print::map([
            ("did", text(self.did.map(|did| did.to_string()))),
            ("multibase", text(self.multibase())),
            ("name", Ipld::String(self.name.clone())),
            ("path", text(self.path.clone())),
            ("pem", text(self.did.map(|did| did.to_pem()))),
            ("protected", Ipld::Bool(self.is_protected)),
            ("type", Ipld::String(self.purpose.clone())),
        ])
    }

    fn state(&self) -> &'static str {
        match self.is_protected {
            true => "passphrase",
            false => "",
        }
    }
}

/// Returns the public key as text that says which kind it is: the did:key without what all of them begin with.
pub(super) fn multibase(did: &Did) -> String {
    let text = did.to_string();
    text.strip_prefix("did:key:").unwrap_or(&text).to_owned()
}

pub(super) fn list(options: &List) -> Result<(), CommandError> {
    let mut all = Vec::new();
    // A bad file doesn't hide the others.
    let mut take = |facts: Result<Facts, CommandError>| match facts {
        Ok(facts) => all.push(facts),
        Err(error) => print::warning(&error.message()),
    };
    for name in keyring::names()? {
        take(keyring::existing(&name).and_then(|file| Facts::of(&name, &file, file.did())));
    }
    for name in guests::kept()?.list().map_err(CommandError::input)? {
        take(Facts::of_guests(&name));
    }
    if options.json {
        return print::ok(Ipld::List(all.iter().map(Facts::to_ipld).collect()));
    }
    if all.is_empty() {
        print::note("there is no key yet; one is made when it is needed, or by `homestar key new`");
    }
    let cells = |facts: &Facts| {
        let did = facts.did.map(|did| did.to_string()).unwrap_or_default();
        let state = facts.state().to_owned();
        [facts.name.clone(), facts.purpose.clone(), did, state]
    };
    print::out(print::columns(&all.iter().map(cells).collect::<Vec<_>>()).as_bytes())
}

pub(super) fn show(options: &Show) -> Result<(), CommandError> {
    let facts = match &options.name {
        Some(Named::Guests(name)) => Facts::of_guests(name)?,
        Some(Named::Own(name)) => own(name, keyring::open_or_make(name)?)?,
        None => {
            let name = keyring::chosen()?;
            let file = keyring::open_or_make(&name)?;
            own(&name, file)?
        }
    };
    if options.json {
        return print::out(print::json_line(&facts.to_ipld())?.as_bytes());
    }
    let mut rows = vec![
        ("name", facts.name.clone()),
        ("type", facts.purpose.clone()),
    ];
    rows.extend(facts.did.map(|did| ("did", did.to_string())));
    rows.extend(facts.multibase().map(|text| ("multibase", text)));
    rows.extend(facts.path.clone().map(|path| ("path", path)));
    if facts.is_protected {
        rows.push(("protected", "by a passphrase".to_owned()));
    }
    let pem = facts.did.map(|did| did.to_pem()).unwrap_or_default();
    print::out((print::table(&rows) + &pem).as_bytes())
}

/// Returns what can be said of a key of the user's. If its file doesn't say who it is, it has to be opened.
fn own(name: &KeyName, file: KeyFile) -> Result<Facts, CommandError> {
    Facts::of(name, &file, Some(did(name, &file)?))
}

/// Returns who signs with a key of the user's.
pub(super) fn did(name: &KeyName, file: &KeyFile) -> Result<Did, CommandError> {
    match file.did() {
        Some(did) => Ok(did),
        None => Ok(keyring::unlock(name, file.clone(), &Passphrase::Environment)?.did()),
    }
}

pub(super) fn path(options: &Path) -> Result<(), CommandError> {
    let name = options.name.clone().map_or_else(keyring::chosen, Ok)?;
    let path = keyring::path(&name)?.display().to_string();
    match options.json {
        true => print::ok(Ipld::String(path)),
        false => print::line(&path),
    }
}

/// Says which key there is now.
pub(super) fn say(name: &Named, did: &Did, json: bool) -> Result<(), CommandError> {
    if !json {
        return print::line(&format!("{name} is {did}"));
    }
    print::ok(print::map([
        ("did", Ipld::String(did.to_string())),
        ("name", Ipld::String(name.to_string())),
    ]))
}
