//! Leave that is taken back.

use std::path::PathBuf;

use clap::Args;
use homestar_core::ipld::{Cid, Ipld};
use homestar_core::ucan::{Container, Delegation, Did, Invocation, Revocation, words};
use homestar_node::Tokens;

use super::tokens::{self, KeptOptions, put, unkept};
use crate::error::{CommandError, Listed};
use crate::keyring::SignerOptions;
use crate::print;

/// Take back a delegation: one that you gave, one that rests on it, or one that you were given
///
/// The revocation is kept here, so that nothing on this machine goes by the delegation any more. Others have to be told:
/// what is printed is a container with the revocation, and with what shows that you have a say. Nothing takes it back.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan revoke bafyreib…
  homestar ucan revoke theirs.ucan -o revoked.ucan
  homestar ucan revoke bafyreib… --proof theirs.ucan")]
pub(super) struct Revoke {
    /// The delegation: its CID, or a file that holds one that you have a say in
    token: String,

    /// Where it is if it isn't kept here, with all that it rests on: a container
    #[arg(long, value_name = "FILE")]
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

pub(super) fn main(options: &Revoke) -> Result<(), CommandError> {
    let mut delegations = match options.kept.store_if_there()? {
        Some(store) => tokens::kept_delegations(&store)?,
        None => Vec::new(),
    };
    let named = tokens::cid(&options.token);
    let mut found = Vec::new();
    let file = named.is_none().then_some(&options.token);
    for path in options.proof.iter().chain(file) {
        found = tokens::container(path)?.contents().delegations;
        delegations.extend(found.iter().cloned());
    }
    // Before anybody is asked for a passphrase.
    if let Some(cid) = &named
        && find(cid, &delegations).is_none()
    {
        let error = CommandError::input(format!("there is no delegation {cid} here"));
        return Err(
            error.hint("`--proof FILE` says where it is; `homestar ucan list` shows what is kept")
        );
    }
    let key = options.signer.key()?;
    let own = key.did();
    let target = match named {
        Some(cid) => cid,
        None => choose(&options.token, &found, &delegations, &own)?,
    };
    let Some(delegation) = find(&target, &delegations) else {
        return Err(CommandError::input(format!(
            "there is no delegation {target} here"
        )));
    };
    let Some(revocation) = Revocation::new(&target, own, &delegations) else {
        let words = format!("{own} has no say in {target}");
        let mut error = CommandError::input(words);
        error.listed = vec![listed(delegation)];
        return Err(error
            .hint(
                "who issued it may revoke it, who issued what it rests on, and who it was given to",
            )
            .hint("`--key NAME` signs by another key, `--proof FILE` names what it rests on"));
    };
    let token = Invocation::sign(revocation.to_payload(), &key).map_err(CommandError::input)?;
    let path = revocation
        .path
        .iter()
        .filter_map(|cid| find(cid, &delegations));
    let mut all: Vec<_> = path.map(|it| it.block().clone()).collect();
    all.push(token.block().clone());
    let container = Container::new(all.iter().cloned()).map_err(CommandError::input)?;
    let store = options.kept.store()?;
    let result = Tokens::new(&store).keep(&container, tokens::now());
    if let Some((_, error)) = result.map_err(unkept)?.refused.into_iter().next() {
        return Err(CommandError::host(error));
    }
    print::note(&format!("revoked: {}", words::of_delegation(delegation)));
    put(all, token.cid(), options.output.as_ref(), options.json)
}

fn find<'a>(cid: &Cid, delegations: &'a [Delegation]) -> Option<&'a Delegation> {
    let mut all = delegations.iter();
    all.find(|it| it.cids().any(|own| own == cid))
}

/// Returns which delegation of a file is meant: the one that one gave, or else the one that one was given, or else the
/// only one that one has a say in.
fn choose(
    path: &str,
    found: &[Delegation],
    delegations: &[Delegation],
    own: &Did,
) -> Result<Cid, CommandError> {
    let only = |is_meant: &dyn Fn(&Delegation) -> bool| {
        let mut meant = found.iter().filter(|it| is_meant(it));
        match (meant.next(), meant.next()) {
            (Some(one), None) => Some(*one.cid()),
            _ => None,
        }
    };
    let has_say = |it: &Delegation| Revocation::new(it.cid(), *own, delegations).is_some();
    let one = only(&|it| it.payload().issuer == *own)
        .or_else(|| only(&|it| it.payload().audience == *own))
        .or_else(|| only(&has_say));
    one.ok_or_else(|| {
        if found.is_empty() {
            return CommandError::input(format!("{path} holds no delegation"));
        }
        let words = format!("{path} holds no delegation of which it is clear that it is meant");
        let mut error = CommandError::input(words);
        error.listed = found.iter().map(listed).collect();
        error.hint(format!(
            "`homestar ucan revoke CID --proof {path}` names one of them"
        ))
    })
}

fn listed(delegation: &Delegation) -> Listed {
    let (cid, words) = (delegation.cid(), words::of_delegation(delegation));
    Listed {
        text: format!("{cid}: {words}"),
        facts: print::map([
            ("cid", Ipld::String(cid.to_string())),
            ("words", Ipld::String(words)),
        ]),
    }
}
