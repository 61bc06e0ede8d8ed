//! Delegations and invocations of one's own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::json;
use homestar_core::quantity;
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::delegation;
use homestar_core::ucan::{
    Command, Container, Delegation, Did, Invocation, Policy, invocation, words,
};
use homestar_node::now_ms;

use super::container;
use crate::error::{Caused, CommandError};
use crate::{files, keyring, print};

/// Let somebody do something, by a token that your key signs
///
/// Prints a container: one line of text with the delegation and all that it rests on.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan delegate did:key:z6Mk… /https/get --where '.host == \"api.example.com\"' --expires 7d
  homestar ucan delegate did:key:z6Mk… /wasm/run --proof mine.ucan -o theirs.ucan --expires 1h")]
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

    /// What you rest on if you pass on what isn't yours: a container with the delegations to you
    #[arg(long, value_name = "FILE")]
    proof: Option<String>,

    /// Write the container to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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

    /// What you rest on: a container with the delegations to you
    #[arg(long, value_name = "FILE")]
    proof: Option<String>,

    /// Write the container to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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

/// Returns the time, in seconds since 1970.
pub(in crate::commands) fn now() -> i64 {
    i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX)
}

/// What somebody rests on, the subject's own delegation first.
struct Chain {
    links: Vec<Delegation>,
}

impl Chain {
    /// Reads the delegations that lead to `holder`, each given by whom the one before was given to.
    fn to(holder: &Did, proof: Option<&str>) -> Result<Self, CommandError> {
        let Some(path) = proof else {
            return Ok(Self { links: Vec::new() });
        };
        let mut left = container(path)?.contents().delegations;
        let mut links = Vec::new();
        let mut wanted = *holder;
        while let Some(at) = left.iter().position(|it| it.payload().audience == wanted) {
            let link = left.swap_remove(at);
            wanted = link.payload().issuer;
            links.push(link);
        }
        if links.is_empty() {
            let words = format!("{path} holds no delegation to you, {holder}");
            return Err(
                CommandError::input(words).hint("`homestar ucan inspect` shows what it holds")
            );
        }
        links.reverse();
        Ok(Self { links })
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

pub(super) fn delegate(options: &Delegate) -> Result<(), CommandError> {
    let key = keyring::key()?;
    let issuer = key.did();
    let chain = Chain::to(&issuer, options.proof.as_deref())?;
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
        subject: Some(chain.subject(&issuer)),
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
    put(chain.with(delegation.into_block()), options.output.as_ref())
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
    let key = keyring::key()?;
    let issuer = key.did();
    let chain = Chain::to(&issuer, options.proof.as_deref())?;
    let mut payload = invocation::Payload::statement(issuer, options.command.clone(), arguments);
    payload.subject = chain.subject(&issuer);
    payload.audience = options.to;
    payload.proofs = chain.cids();
    payload.nonce = nonce()?;
    payload.expiration = options.expires.end();
    payload.issued_at = Some(now());
    let invocation = Invocation::sign(payload, &key).map_err(CommandError::input)?;
    put(chain.with(invocation.into_block()), options.output.as_ref())
}

pub(in crate::commands) fn nonce() -> Result<Vec<u8>, CommandError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|error| CommandError::host(error.to_string()))?;
    Ok(nonce.to_vec())
}

fn put(tokens: impl Iterator<Item = Block>, output: Option<&PathBuf>) -> Result<(), CommandError> {
    let container = Container::new(tokens).map_err(CommandError::input)?;
    let mut text = container.encode(Encoding::Base64UrlGzip);
    text.push(b'\n');
    match output {
        Some(path) => files::write(path, &text),
        None => print::out(&text),
    }
}
