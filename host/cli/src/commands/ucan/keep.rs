//! Tokens that are kept.

use clap::Args;
use homestar_core::ipld::{Cid, Ipld};
use homestar_core::ucan::{Container, Delegation, Did, Invocation, Revocation, words};
use homestar_node::{Token, Tokens};

use super::tokens::{self, KeptOptions, State, container_of, unkept};
use crate::error::{CommandError, Listed};
use crate::files::Stdin;
use crate::{keyring, print};

/// List the tokens that are kept here: who lets whom do what, until when, and what was revoked
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan list
  homestar ucan list --json")]
pub(super) struct List {
    #[command(flatten)]
    kept: KeptOptions,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Keep delegations that you were given, and revocations that you were told of
///
/// A revocation has to be signed by somebody who has a say in what it revokes, and to show that. What asks for something
/// isn't kept, since it is used once.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan add mine.ucan
  homestar ucan add - < revoked.ucan")]
pub(super) struct Add {
    /// Containers or tokens; - for standard input
    #[arg(required = true)]
    files: Vec<String>,

    #[command(flatten)]
    kept: KeptOptions,

    /// Print one JSON object: {"ok": …} with the CIDs that are kept, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Keep a delegation no longer
///
/// Whoever has it may use it all the same; `homestar ucan revoke` takes it back. A revocation isn't forgotten.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  homestar ucan forget bafyreib…")]
pub(super) struct Forget {
    /// The delegation
    #[arg(value_name = "CID")]
    token: Cid,

    #[command(flatten)]
    kept: KeptOptions,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// The user's keys, as far as their files say whose they are.
struct Own(Vec<(String, Did)>);

impl Own {
    fn new() -> Result<Self, CommandError> {
        let mut own = Vec::new();
        for name in keyring::names()? {
            // One that can't be read is told of where it is needed.
            let did = keyring::open(&name).ok().flatten();
            own.extend(
                did.and_then(|file| file.did())
                    .map(|did| (name.to_string(), did)),
            );
        }
        Ok(Self(own))
    }

    fn name(&self, did: &Did) -> Option<&str> {
        let mut own = self.0.iter();
        own.find(|(_, own)| own == did)
            .map(|(name, _)| name.as_str())
    }

    /// Returns what a delegation is to the user.
    fn side(&self, delegation: &Delegation) -> (&'static str, String) {
        let payload = delegation.payload();
        if let Some(name) = self.name(&payload.issuer) {
            return ("made", format!("given by your key {name}"));
        }
        match self.name(&payload.audience) {
            Some(name) => ("received", format!("given to your key {name}")),
            None => ("other", "between others".to_owned()),
        }
    }
}

pub(super) fn list(options: &List) -> Result<(), CommandError> {
    let Some(store) = options.kept.store_if_there()? else {
        return said(Vec::new(), options.json);
    };
    let kept = Tokens::new(&store);
    let (tokens, broken) = kept.all().map_err(unkept)?;
    for error in broken {
        print::warning_of(&error);
    }
    let (own, now) = (Own::new()?, tokens::now());
    let mut delegations = Vec::new();
    let mut revocations = Vec::new();
    for token in &tokens {
        match token {
            Token::Delegation(it) => {
                let by = kept.revoked_by(it).map_err(unkept)?;
                delegations.push(of_delegation(it, &State::of(it, by, now), &own));
            }
            Token::Revocation { token, revocation } => {
                revocations.push(of_revocation(token, revocation, &own));
            }
        }
    }
    delegations.extend(revocations);
    said(delegations, options.json)
}

/// Words and facts of a token.
type Said = (Vec<(&'static str, String)>, Ipld);

fn said(tokens: Vec<Said>, json: bool) -> Result<(), CommandError> {
    if json {
        let facts = tokens.into_iter().map(|(_, facts)| facts);
        return print::ok(Ipld::List(facts.collect()));
    }
    if tokens.is_empty() {
        print::note("no tokens are kept here");
    }
    let texts = tokens.iter().map(|(rows, _)| print::table(rows));
    let text = texts.collect::<Vec<_>>().join("\n");
    print::out(print::shown(&text).trim_start_matches('\n').as_bytes())
}

fn of_delegation(delegation: &Delegation, state: &State, own: &Own) -> Said {
    let (side, words) = own.side(delegation);
    let rows = vec![
        ("delegation", delegation.cid().to_string()),
        ("is", words),
        ("says", words::of_delegation(delegation)),
        ("state", state.words()),
    ];
    let payload = delegation.payload();
    let text = |did: &Did| Ipld::String(did.to_string());
    let time = |time: Option<i64>| time.map_or(Ipld::Null, |time| Ipld::Integer(time.into()));
    let facts = print::map([
        ("audience", text(&payload.audience)),
        ("cid", Ipld::String(delegation.cid().to_string())),
        ("command", Ipld::String(payload.command.to_string())),
        ("expires", time(payload.expiration)),
        ("issuer", text(&payload.issuer)),
        ("kind", Ipld::String("delegation".to_owned())),
        ("not_before", time(payload.not_before)),
        ("policy", payload.policy.to_ipld()),
        ("revoked_by", state.revoked_by()),
        ("side", Ipld::String(side.to_owned())),
        ("state", Ipld::String(state.word().to_owned())),
        ("subject", payload.subject.as_ref().map_or(Ipld::Null, text)),
    ]);
    (rows, facts)
}

fn of_revocation(token: &Invocation, revocation: &Revocation, own: &Own) -> Said {
    let by = revocation.by.to_string();
    let whose = match own.name(&revocation.by) {
        Some(name) => format!("by your key {name}"),
        None => "by another".to_owned(),
    };
    let rows = vec![
        ("revocation", token.cid().to_string()),
        ("is", whose),
        ("says", format!("{by} takes back {}.", revocation.target)),
    ];
    let facts = print::map([
        ("by", Ipld::String(by)),
        ("cid", Ipld::String(token.cid().to_string())),
        ("kind", Ipld::String("revocation".to_owned())),
        ("revokes", Ipld::String(revocation.target.to_string())),
    ]);
    (rows, facts)
}

pub(super) fn add(options: &Add) -> Result<(), CommandError> {
    let mut stdin = Stdin::default();
    let read = |path: &String| container_of(path, &mut stdin);
    let containers = options
        .files
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    let store = options.kept.store()?;
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    for container in &containers {
        let result = Tokens::new(&store)
            .keep(container, tokens::now())
            .map_err(unkept)?;
        for cid in &result.invocations {
            print::note(&format!("{cid} asks for something, and isn't kept"));
        }
        kept.extend(result.kept);
        refused.extend(result.refused.into_iter().map(|(cid, error)| Listed {
            text: format!("{cid}: {error}"),
            facts: print::map([
                ("cid", Ipld::String(cid.to_string())),
                ("message", Ipld::String(error.to_string())),
            ]),
        }));
    }
    if !refused.is_empty() {
        let words = match kept.len() {
            0 => "nothing is kept".to_owned(),
            count => format!("{count} are kept, and not these"),
        };
        let mut error = CommandError::input(words);
        error.listed = refused;
        return Err(error);
    }
    if options.json {
        return print::ok(print::texts(kept.iter().map(Cid::to_string)));
    }
    let lines: String = kept.iter().map(|cid| format!("{cid}\n")).collect();
    print::out(lines.as_bytes())
}

pub(super) fn forget(options: &Forget) -> Result<(), CommandError> {
    let token = &options.token;
    let is_forgotten = match options.kept.store_if_there()? {
        Some(store) => Tokens::new(&store).forget(token).map_err(unkept)?,
        None => false,
    };
    if !is_forgotten {
        let error = CommandError::input(format!("there is no token {token}"));
        return Err(error.hint("`homestar ucan list` shows what is kept"));
    }
    match options.json {
        true => print::ok(Ipld::String(token.to_string())),
        false => print::line(&format!("forgot {token}")),
    }
}

/// Keeps what was made. That it can't be kept is no reason not to give it.
pub(super) fn keep_own(kept: &KeptOptions, container: &Container) {
    let result = kept.store().and_then(|store| {
        let result = Tokens::new(&store).keep(container, tokens::now());
        result.map(drop).map_err(unkept)
    });
    if let Err(error) = result {
        print::warning(&format!("it isn't kept here: {}", error.message()));
    }
}
