//! Tokens of others: what they say, and whether that holds.

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_core::ucan::verify::LEEWAY;
use homestar_core::ucan::{
    Authority, Delegation, Did, Invocation, Known, Request, verify as check, words,
};

use super::tokens::{KeptOptions, Sources, State, container, now};
use crate::error::{CommandError, Listed};
use crate::print;

/// Show what tokens say, in words and as a tree
///
/// Signatures are checked, and what was revoked or has expired is said; whether all of it together allows what is asked
/// for is for `homestar ucan verify`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan inspect theirs.ucan
  homestar ucan inspect - --json < theirs.ucan")]
pub(super) struct Inspect {
    /// A container or a token; - for standard input
    file: String,

    #[command(flatten)]
    kept: KeptOptions,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Check whether invocations may be carried out
///
/// Ends with exit code 4, and names the token and the rule that it breaks, if one may not. Revoked is what the store knows
/// to be, and what revocations in the same container say.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan verify request.ucan
  homestar ucan verify request.ucan --at 1800000000 --json")]
pub(super) struct Verify {
    /// A container; - for standard input
    file: String,
    /// At which time, in seconds since 1970, instead of now
    #[arg(long, value_name = "UNIX-TIME")]
    at: Option<i64>,
    /// Who is asked: their did:key; without it, whoever the invocation names
    #[arg(long, value_name = "DID")]
    executor: Option<Did>,

    #[command(flatten)]
    kept: KeptOptions,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// Returns the delegations that an invocation rests on, as far as they are there.
fn chain<'a>(invocation: &Invocation, delegations: &'a [Delegation]) -> Vec<&'a Delegation> {
    let proofs = invocation.payload().proofs.iter();
    let find = |cid| {
        delegations
            .iter()
            .find(|it| it.cids().any(|own| own == cid))
    };
    proofs.filter_map(find).collect()
}

pub(super) fn inspect(options: &Inspect) -> Result<(), CommandError> {
    let container = container(&options.file)?;
    let contents = container.contents();
    let (sources, now) = (
        Sources::new(&options.kept, &container, &contents.invocations, now())?,
        now(),
    );
    let mut states = Vec::new();
    for delegation in &contents.delegations {
        let by = sources.revoked_by(delegation)?;
        states.push(State::of(delegation, by, now));
    }
    if options.json {
        let broken = contents.broken.iter().map(|(cid, error)| {
            print::map([
                ("cid", Ipld::String(cid.to_string())),
                ("why", Ipld::String(error.to_string())),
            ])
        });
        let delegations = contents.delegations.iter().zip(&states).map(|(it, state)| {
            print::map([
                ("cid", Ipld::String(it.cid().to_string())),
                ("revoked_by", state.revoked_by()),
                ("state", Ipld::String(state.word().to_owned())),
                ("warnings", print::texts(words::warnings(it))),
                ("words", Ipld::String(words::of_delegation(it))),
            ])
        });
        let invocations = contents.invocations.iter().map(|it| {
            let payload = it.payload();
            print::map([
                ("args", Ipld::Map(payload.arguments.clone())),
                ("cid", Ipld::String(it.cid().to_string())),
                ("command", Ipld::String(payload.command.to_string())),
                ("issuer", Ipld::String(payload.issuer.to_string())),
                ("subject", Ipld::String(payload.subject.to_string())),
            ])
        });
        return print::ok(print::map([
            ("broken", Ipld::List(broken.collect())),
            ("delegations", Ipld::List(delegations.collect())),
            ("invocations", Ipld::List(invocations.collect())),
        ]));
    }
    let mut text = String::new();
    let mut told: Vec<&Delegation> = Vec::new();
    for invocation in &contents.invocations {
        let chain = chain(invocation, &contents.delegations);
        text += &words::tree(chain.iter().copied(), Some(invocation));
        text.push('\n');
        told.extend(chain);
    }
    for delegation in &contents.delegations {
        if !told.iter().any(|it| it.cid() == delegation.cid()) {
            text += &format!("{}\n", words::of_delegation(delegation));
        }
    }
    for (cid, error) in &contents.broken {
        text += &format!("{cid}: {error}\n");
    }
    print::out(print::shown(&text).as_bytes())?;
    for (delegation, state) in contents.delegations.iter().zip(&states) {
        if *state != State::Holds {
            let audience = delegation.payload().audience;
            let words = format!("{}, to {audience}: {}", delegation.cid(), state.words());
            print::warning(&words);
        }
        for warning in words::warnings(delegation) {
            print::warning(&warning);
        }
    }
    Ok(())
}

pub(super) fn verify(options: &Verify) -> Result<(), CommandError> {
    let container = container(&options.file)?;
    let contents = container.contents();
    let now = options.at.unwrap_or_else(now);
    let revocations = Sources::new(&options.kept, &container, &contents.invocations, now)?;
    let request = Request {
        executor: options.executor.as_ref(),
        now,
        leeway: LEEWAY,
        proofs: &container,
        revocations: &revocations,
    };
    let mut known = Known::default();
    let mut allowed = Vec::new();
    let mut refused = Vec::new();
    for invocation in &contents.invocations {
        match check(invocation.block().bytes(), &request, &mut known) {
            Ok(authority) => allowed.push((invocation, authority)),
            Err(error) => refused.push(Listed {
                text: format!("{}: {}: {error}", invocation.cid(), error.name()),
                facts: print::map([
                    ("cid", Ipld::String(invocation.cid().to_string())),
                    ("message", Ipld::String(error.to_string())),
                    ("name", Ipld::String(error.name().to_owned())),
                ]),
            }),
        }
    }
    for (cid, error) in &contents.broken {
        refused.push(Listed {
            text: format!("{cid}: {error}"),
            facts: print::map([
                ("cid", Ipld::String(cid.to_string())),
                ("message", Ipld::String(error.to_string())),
                ("name", Ipld::Null),
            ]),
        });
    }
    if refused.is_empty() && allowed.is_empty() {
        let words = format!(
            "{} asks for nothing: there is no invocation in it",
            options.file
        );
        let error = CommandError::input(words);
        return Err(error.hint("`homestar ucan inspect` shows what it holds"));
    }
    if !refused.is_empty() {
        let mut error = CommandError::input(format!("{} is not allowed", options.file));
        error.listed = refused;
        return Err(error);
    }
    if options.json {
        let allowed = allowed.iter().map(|(invocation, it)| facts(invocation, it));
        return print::ok(Ipld::List(allowed.collect()));
    }
    allowed.iter().try_for_each(|(_, authority)| {
        print::line(&print::one_line(&words::of_authority(authority)))
    })
}

/// Returns what was proven, for programs.
fn facts(invocation: &Invocation, authority: &Authority) -> Ipld {
    let time = |time: Option<i64>| time.map_or(Ipld::Null, |time| Ipld::Integer(time.into()));
    print::map([
        ("cid", Ipld::String(invocation.cid().to_string())),
        ("command", Ipld::String(authority.command().to_string())),
        ("expires", time(authority.expiration())),
        ("holder", Ipld::String(authority.holder().to_string())),
        ("not_before", time(authority.not_before())),
        ("subject", Ipld::String(authority.subject().to_string())),
        ("words", Ipld::String(words::of_authority(authority))),
    ])
}
