//! Delegations and invocations of one's own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::json;
use homestar_core::key::SigningKey;
use homestar_core::quantity;
use homestar_core::ucan::chain::{self, Wanted};
use homestar_core::ucan::delegation;
use homestar_core::ucan::{
    Command, Container, Delegation, Did, Invocation, Policy, invocation, words,
};

use super::keep::keep_own;
use super::tokens::{self, KeptOptions, container, now, put};
use crate::error::{Caused, CommandError};
use crate::keyring::SignerOptions;
use crate::{keyring, print};

/// Let somebody do something, by a token that your key signs
///
/// Prints a container: one line of text with the delegation and all that it rests on. They are kept here too, so that you
/// can list and revoke what you gave.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan delegate did:key:z6Mk… /https/get --where '.host == \"api.example.com\"' --expires 7d
  homestar ucan delegate did:key:z6Mk… /wasm/run --proof mine.ucan -o theirs.ucan --expires 1h
  homestar ucan delegate did:key:z6Mk… /wasm/run --key work")]
pub(super) struct Delegate {
    /// Who is let: their did:key
    to: Did,

    /// What they may do, with all below it, such as /https/get
    command: Command,

    /// With which arguments: .host == "api.example.com", or a policy in DAG-JSON; may be given more than once
    #[arg(long = "where", value_name = "CONDITION", value_parser = Policy::parse)]
    conditions: Vec<Policy>,

    /// For how long, such as 90s, 12h or 7d; or never for leave that has no end
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = expires)]
    expires: Expires,

    /// Pass on whatever others let you do, now and later, within the command and the conditions
    #[arg(long, conflicts_with = "proof")]
    powerline: bool,

    /// What you rest on if you pass on what isn't yours: a container with the delegations to you, or the CID of one that is kept here
    #[arg(long, value_name = "FILE|CID")]
    proof: Option<String>,

    #[command(flatten)]
    signer: SignerOptions,

    #[command(flatten)]
    kept: KeptOptions,

    /// Write the container to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print one JSON object: {"ok": {"cid": …, "container": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Ask for something that you may do, by a token that your key signs
///
/// Prints a container: one line of text with the invocation and all that it rests on.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan invoke /https/get '{\"host\": \"api.example.com\"}' --proof mine.ucan --to did:key:z6Mk…")]
pub(super) struct Invoke {
    /// What is asked for, such as /https/get
    command: Command,

    /// Its arguments, a map in DAG-JSON
    #[arg(default_value = "{}")]
    arguments: String,

    /// Who is to do it: their did:key; the subject if nobody is named
    #[arg(long, value_name = "DID")]
    to: Option<Did>,

    /// For how long it may be done
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = expires)]
    expires: Expires,

    /// What you rest on: a container with the delegations to you, or the CID of one that is kept here
    #[arg(long, value_name = "FILE|CID")]
    proof: Option<String>,

    #[command(flatten)]
    signer: SignerOptions,

    #[command(flatten)]
    kept: KeptOptions,

    /// Write the container to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print one JSON object: {"ok": {"cid": …, "container": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// For how long something holds; none for ever.
#[derive(Clone, Copy, Debug)]
struct Expires(Option<Duration>);

/// Reads for how long something holds, or that it does for ever.
fn expires(text: &str) -> Result<Expires, String> {
    match text {
        "never" => Ok(Expires(None)),
        text => time(text).map(|time| Expires(Some(time))),
    }
}

/// Days are what people say of tokens, and of nothing else here.
pub(in crate::commands) fn time(text: &str) -> Result<Duration, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    match days {
        Some(days) => Ok(Duration::from_secs(u64::from(days) * 86_400)),
        None => quantity::time(text).map_err(|error| format!("{error}, or days such as 7d")),
    }
}

impl Expires {
    /// Returns the end, in seconds since 1970.
    fn end(self) -> Option<i64> {
        let seconds = i64::try_from(self.0?.as_secs()).unwrap_or(i64::MAX);
        Some(now().saturating_add(seconds))
    }
}

/// What somebody rests on, the subject's own delegation first.
struct Chain {
    links: Vec<Delegation>,
}

impl Chain {
    /// Finds the delegations that lead to `holder`, who wants to do `command`.
    fn to(
        holder: &Did,
        command: &Command,
        proof: Option<&str>,
        kept: &KeptOptions,
    ) -> Result<Self, CommandError> {
        let Some(proof) = proof else {
            return Ok(Self { links: Vec::new() });
        };
        let last = tokens::cid(proof);
        let delegations = match &last {
            None => container(proof)?.contents().delegations,
            Some(_) => match kept.store_if_there()? {
                Some(store) => tokens::kept_delegations(&store)?,
                None => Vec::new(),
            },
        };
        let wanted = Wanted {
            holder,
            command,
            last: last.as_ref(),
            now: now(),
        };
        match chain::find(&delegations, &wanted) {
            Some(links) => Ok(Self {
                links: links.into_iter().cloned().collect(),
            }),
            None => Err(no_chain(proof, &wanted, &delegations)),
        }
    }

    /// Returns whose resources the chain is about.
    fn subject(&self, holder: &Did) -> Did {
        let first = self.links.first().map(Delegation::payload);
        first.map_or(*holder, |first| first.subject.unwrap_or(first.issuer))
    }

    fn cids(&self) -> Vec<Cid> {
        self.links.iter().map(|link| *link.cid()).collect()
    }

    fn with(self, token: Block) -> impl Iterator<Item = Block> {
        let links = self.links.into_iter().map(Delegation::into_block);
        links.chain([token])
    }
}

/// Returns why nobody lets `wanted` be done.
fn no_chain(proof: &str, wanted: &Wanted<'_>, delegations: &[Delegation]) -> CommandError {
    let (holder, command) = (wanted.holder, wanted.command);
    let mut to_holder = delegations.iter().filter(|it| {
        let is_named = wanted
            .last
            .is_none_or(|cid| it.cids().any(|own| own == cid));
        it.payload().audience == *holder && is_named
    });
    match (to_holder.next(), wanted.last) {
        (None, None) => {
            let words = format!("{proof} holds no delegation to you, {holder}");
            CommandError::input(words).hint("`homestar ucan inspect` shows what it holds")
        }
        (None, Some(_)) => {
            let words = format!("there is no delegation {proof} to you, {holder}, here");
            CommandError::input(words).hint("`homestar ucan list` shows what is kept")
        }
        (Some(_), _) => {
            let words = format!(
                "no chain of delegations that hold now leads from an owner to you, {holder}, for {command}"
            );
            CommandError::input(words).hint(
                "all that it rests on has to be there; `homestar ucan inspect` and `homestar ucan list` show what is",
            )
        }
    }
}

pub(super) fn delegate(options: &Delegate) -> Result<(), CommandError> {
    let key = options.signer.key()?;
    let issuer = key.did();
    let proof = options.proof.as_deref();
    let chain = Chain::to(&issuer, &options.command, proof, &options.kept)?;
    // A policy is a list of statements, all of which have to hold.
    let statements = options.conditions.iter().map(Policy::to_ipld);
    let statements = statements.flat_map(|policy| match policy {
        Ipld::List(statements) => statements,
        other => vec![other],
    });
    let policy = Policy::from_ipld(&Ipld::List(statements.collect()));
    let policy = policy.map_err(CommandError::usage)?;
    let payload = delegation::Payload {
        issuer,
        audience: options.to,
        subject: (!options.powerline).then(|| chain.subject(&issuer)),
        command: options.command.clone(),
        policy,
        nonce: nonce()?,
        meta: None,
        not_before: None,
        expiration: options.expires.end(),
    };
    let delegation = Delegation::sign(payload, &key).map_err(CommandError::input)?;
    print::note(&words::of_delegation(&delegation));
    for warning in words::warnings(&delegation) {
        print::warning(&warning);
    }
    let cid = *delegation.cid();
    let all: Vec<_> = chain.with(delegation.into_block()).collect();
    let container = Container::new(all.iter().cloned()).map_err(CommandError::input)?;
    keep_own(&options.kept, &container);
    put(all, &cid, options.output.as_ref(), options.json)
}

pub(super) fn invoke(options: &Invoke) -> Result<(), CommandError> {
    let arguments = match json::parse(&options.arguments) {
        Ok(Ipld::Map(arguments)) => arguments,
        Ok(_) => return Err(CommandError::usage("the arguments are no map in DAG-JSON")),
        Err(error) => {
            return Err(CommandError::usage(Caused::new(
                "can't read the arguments",
                error,
            )));
        }
    };
    let arguments: BTreeMap<String, Ipld> = arguments;
    let asking = Asking {
        command: options.command.clone(),
        arguments,
        to: options.to,
        end: options.expires.end(),
    };
    let proof = options.proof.as_deref();
    let (cid, all) = asking.sign(&options.signer.key()?, proof, &options.kept)?;
    put(all, &cid, options.output.as_ref(), options.json)
}

/// What is asked for.
struct Asking {
    command: Command,
    arguments: BTreeMap<String, Ipld>,
    to: Option<Did>,
    end: Option<i64>,
}

impl Asking {
    /// Signs it, and returns it with what it rests on.
    fn sign(
        self,
        key: &SigningKey,
        proof: Option<&str>,
        kept: &KeptOptions,
    ) -> Result<(Cid, Vec<Block>), CommandError> {
        let issuer = key.did();
        let chain = Chain::to(&issuer, &self.command, proof, kept)?;
        let mut payload = invocation::Payload::statement(issuer, self.command, self.arguments);
        payload.subject = chain.subject(&issuer);
        payload.audience = self.to;
        payload.proofs = chain.cids();
        payload.nonce = nonce()?;
        payload.expiration = self.end;
        payload.issued_at = Some(now());
        let invocation = Invocation::sign(payload, key).map_err(CommandError::input)?;
        let cid = *invocation.cid();
        Ok((cid, chain.with(invocation.into_block()).collect()))
    }
}

/// Signs by the user's key a request to do something with what is somebody's who let them, or with what is their own.
pub(in crate::commands) fn invoked(
    command: Command,
    arguments: BTreeMap<String, Ipld>,
    proof: Option<&str>,
    expires: Duration,
) -> Result<Container, CommandError> {
    let asking = Asking {
        command,
        arguments,
        to: None,
        end: Expires(Some(expires)).end(),
    };
    let (_, all) = asking.sign(&keyring::key()?, proof, &KeptOptions::default())?;
    Container::new(all).map_err(CommandError::input)
}

pub(in crate::commands) fn nonce() -> Result<Vec<u8>, CommandError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|error| CommandError::host(error.to_string()))?;
    Ok(nonce.to_vec())
}
