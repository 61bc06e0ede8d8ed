//! Tasks that somebody asks for by tokens: to sign such a request, and to carry one out if it holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use homestar_core::task::{Instruction, Limits, MAX_CHAINS, RequestLimits, RunRequest};
use homestar_core::ucan::chain::{self, Wanted};
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::verify::{LEEWAY, hold};
use homestar_core::ucan::{
    Command, Container, Delegation, Did, Invocation, Known, Leave, Policy, Request, Revoked,
    delegation, invocation, verify,
};
use homestar_engine::Component;
use homestar_node::Store;
use homestar_node::seen::{AcceptError, accept};

use super::super::data::Data;
use super::super::ucan::{self, Sources};
use super::ask::Asked;
use super::away;
use super::sign::AskedBy;
use crate::error::{Caused, CommandError};
use crate::{files, keyring, print};

/// Tasks under tokens.
#[derive(Args, Clone, Debug)]
pub(super) struct TokenOptions {
    /// Run what an invocation in this container asks for, if it holds; - for standard input
    ///
    /// The invocation is one of /wasm/run, of what is this machine's, by whom it let. COMPONENT has to be the one that it
    /// names. CALL may be left out; if there is one, it has to ask the same. The task has the limits that it asks for, as
    /// far as the operator allows, and reaches what it shows delegations for and --allow or the settings open too.
    /// `homestar help ucan` tells more.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Authority",
        conflicts_with = "watch"
    )]
    pub(super) ucan: Option<String>,

    /// Run nothing, but write to a file the invocation that asks another machine for it; - for standard output
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Authority",
        group = "asking",
        conflicts_with_all = ["ucan", "watch"]
    )]
    pub(super) invoke: Option<String>,

    /// Let another node run it, print what came of that, and say who did: a peer's address or id, or any
    ///
    /// An address is a multiaddress with an id, such as /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…. An id is that of a peer of
    /// --peer, of homestar.toml, or of your node; any is whichever of them would run it first. They run it if their owners let
    /// you: `[work]` in their settings, or a delegation that --proof shows. They get the component and what the arguments link
    /// to, and nothing else; their receipt is checked and kept, and a value that it links to is fetched. Of a workflow
    /// those tasks go to others that are pure and not secret. local is this machine.
    #[arg(
        long,
        value_name = "PEER|any|local",
        help_heading = "Network",
        group = "asking",
        conflicts_with_all = ["ucan", "watch", "allow", "pin", "offline"]
    )]
    pub(super) on: Option<away::On>,

    /// Run it in the node at this URL, such as http://127.0.0.1:4807, by tokens that your key signs
    ///
    /// What it names is brought there. The node has to be yours, or its owner has let you (--proof): /homestar/node/run,
    /// /homestar/node/write to bring content, and /homestar/node/read to get content or a receipt back. Tasks of whoever isn't its
    /// owner reach nothing outside; those of its owner what --allow says of a call, or the file of a workflow. Limits are written
    /// into the workflow. What a task logs stays there. Ctrl-C ends a call there too; of a workflow it ends this command and not the
    /// run. `homestar node token --help` and docs/node.md tell more.
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Network",
        group = "asking",
        conflicts_with_all = [
            "ucan", "watch", "pin", "effects", "no_cache", "compile_time", "compile_memory",
        ]
    )]
    pub(super) node: Option<String>,

    /// With --invoke, --on or --node: a container with the delegations to you, by that machine or whom it let
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Authority",
        requires = "asking"
    )]
    pub(super) proof: Option<String>,

    /// With --invoke or --on: for how long it may be carried out, such as 90s, 12h or 7d [default: 10m]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Authority",
        requires = "asking",
        conflicts_with = "node",
        value_parser = ucan::time
    )]
    pub(super) expires: Option<Duration>,
}

/// For how long an invocation may be carried out if nothing else is said.
const EXPIRES: Duration = Duration::from_secs(600);

/// A request that holds.
pub(super) struct Admitted {
    file: String,
    /// Whose machine it asks for.
    pub(super) subject: Did,
    /// Who asks.
    pub(super) requester: Did,
    request: RunRequest,
    invocation: Arc<Invocation>,
    /// What it lets the task do of the outside.
    pub(super) leave: Arc<Leave>,
    /// The invocation, and the delegations that it rests on.
    tokens: Vec<Block>,
}

/// Reads a container and checks the request in it. Nothing is carried out before.
pub(super) fn admit(file: &str, data: &Data) -> Result<Admitted, CommandError> {
    let container = ucan::container(file)?;
    let own = keyring::key()?.did();
    let store = data.content()?.source().store();
    let admitted = admit_for(file, &container, &own, store)?;
    match admitted.subject == own {
        true => Ok(admitted),
        false => Err(CommandError::denied(format!(
            "{file} is not allowed: it asks for what is {}'s, and this machine is {own}",
            admitted.subject
        ))),
    }
}

/// Checks the request in a container that somebody sent for `own` to carry out. Whether they may have what they ask for is left
/// to the caller where its subject is somebody else. Revocations are in `store`.
pub(super) fn admit_for(
    file: &str,
    container: &Container,
    own: &Did,
    store: &Arc<dyn Store>,
) -> Result<Admitted, CommandError> {
    let invocations = container.contents().invocations;
    let now = ucan::now();
    let revocations = Sources::with(Some(Arc::clone(store)), container, &invocations, now);
    let invocation = only(file, invocations)?;
    let bytes = invocation.block().bytes();
    let request = Request {
        executor: Some(own),
        now,
        leeway: LEEWAY,
        proofs: container,
        revocations: &revocations,
    };
    let mut known = Known::default();
    let denied =
        |words: String, error| CommandError::denied(Caused::new(words, error)).hint(INSPECT);
    let authority = verify(bytes, &request, &mut known).map_err(|error| {
        let words = format!("{file} is not allowed: {}", error.name());
        denied(words, error)
    })?;
    let arguments = invocation.payload().arguments.clone();
    let asked = RunRequest::from_arguments(arguments).map_err(|error| {
        let words = format!("{file} asks for no task");
        CommandError::denied(Caused::new(words, error))
            .hint("`homestar run … --invoke FILE` writes one that does")
    })?;
    let chains = asked.proofs.iter().enumerate().map(|(at, chain)| {
        let held = hold(chain, own, authority.holder(), &request, &mut known);
        held.map_err(|error| {
            let words = format!(
                "{file} is not allowed: {} in number {} of `proofs`",
                error.name(),
                at + 1
            );
            denied(words, error)
        })
    });
    let chains = chains.collect::<Result<Vec<_>, _>>()?;
    let mut links: Vec<Cid> = invocation.payload().proofs.clone();
    links.extend(asked.proofs.iter().flatten());
    let mut tokens = vec![invocation.block().clone()];
    let is_linked = |block: &&Block| links.contains(block.cid());
    tokens.extend(container.tokens().iter().filter(is_linked).cloned());
    Ok(Admitted {
        file: file.to_owned(),
        subject: *authority.subject(),
        requester: *authority.holder(),
        request: asked,
        invocation: Arc::new(invocation),
        leave: Arc::new(Leave::new(chains, LEEWAY)),
        tokens,
    })
}

const INSPECT: &str = "`homestar ucan inspect` shows what it says";

/// Returns the only invocation that asks for a task.
fn only(file: &str, invocations: Vec<Invocation>) -> Result<Invocation, CommandError> {
    let command = RunRequest::command();
    let asks = |invocation: &Invocation| invocation.payload().command == command;
    let mut found = invocations.into_iter().filter(asks);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            let words = format!("{file} is not allowed: it holds no invocation of {command}");
            Err(CommandError::denied(words).hint(INSPECT))
        }
        (Some(_), Some(_)) => {
            let words =
                format!("{file} holds several invocations of {command}, and one is run at a time");
            Err(CommandError::denied(words).hint(INSPECT))
        }
    }
}

impl Admitted {
    /// Returns what is asked of the component.
    pub(super) fn asked(&self, component: &Component) -> Result<Asked, CommandError> {
        self.is_for(component)?;
        let input = &self.request.input;
        let export = component.find(&input.func).map_err(|error| {
            let words = format!("{} asks for a function that isn't there", self.file);
            CommandError::denied(Caused::new(words, error))
        })?;
        Ok(Asked {
            input: input.clone(),
            is_command: export.is_command(),
        })
    }

    fn is_for(&self, component: &Component) -> Result<(), CommandError> {
        let (asked, given) = (&self.request.component, component.cid());
        match asked == given {
            true => Ok(()),
            false => Err(CommandError::denied(format!(
                "{} asks for the component {asked}, and this is {given}",
                self.file
            ))),
        }
    }

    /// Checks that the instruction is the one that is asked for.
    ///
    /// Conditions were checked of what the invocation says. So a function has to be called there by its one full name, and
    /// nothing may be there in two ways.
    pub(super) fn check(
        &self,
        component: &Component,
        instruction: &Instruction,
    ) -> Result<(), CommandError> {
        self.is_for(component)?;
        let Self { file, request, .. } = self;
        let func = &request.input.func;
        if let Ok(export) = component.find(func)
            && export.function().full_name() != *func
        {
            let words = format!(
                "{file} asks for `{func}`, and in tokens a function has its full name: `{}`",
                export.function().full_name()
            );
            return Err(CommandError::denied(words));
        }
        let asked = request.instruction().map_err(CommandError::denied)?;
        match asked.link() == instruction.link() {
            true => Ok(()),
            false => Err(CommandError::denied(format!(
                "{file} asks for something else than what was typed: its instruction is {}, and that is {}",
                asked.link(),
                instruction.link()
            ))
            .hint("without CALL, what it asks for is run")),
        }
    }

    /// Returns the limits that are asked for, none above `usual` where a person typed it, nor above the operator's.
    pub(super) fn limits(&self, usual: Limits, most: Limits) -> Limits {
        self.request.limits.over(usual).clamp(most)
    }

    /// Returns the instruction's nonce.
    pub(super) fn nonce(&self) -> homestar_core::task::Nonce {
        self.request.nonce.clone()
    }

    /// Lets the task do something more, as the owner of `key` delegates it to whoever asks, for as long as the task lasts.
    pub(super) fn delegate(&mut self, key: &SigningKey, command: &str) -> Result<(), CommandError> {
        let chain = lend(key, &self.requester, command)?;
        let chains = self.leave.chains().iter().cloned().chain([chain]);
        self.leave = Arc::new(Leave::new(chains.collect(), LEEWAY));
        Ok(())
    }

    /// Returns the component that is asked for.
    pub(super) fn component(&self) -> Cid {
        self.request.component
    }

    /// Returns the instruction that is asked for.
    pub(super) fn instruction(&self) -> Result<Instruction, CommandError> {
        self.request.instruction().map_err(CommandError::denied)
    }

    /// Notes that it is carried out, or refuses it because it was.
    pub(super) fn accept(&self, data: &Data, is_pure: bool) -> Result<(), CommandError> {
        let file = &self.file;
        if self.invocation.payload().nonce.is_empty() && !is_pure {
            let words = format!(
                "{file} is not allowed: it has no nonce, so it could be carried out again and again, and its task reaches outside"
            );
            return Err(CommandError::denied(words).hint("sign it with a nonce"));
        }
        let store = data.content()?.source().store();
        accept(&**store, &self.invocation, ucan::now(), LEEWAY).map_err(|error| match error {
            AcceptError::Replay(replay) => {
                CommandError::denied(format!("{file} is not allowed: Replay: {replay}"))
            }
            AcceptError::Store(_) => CommandError::host(error),
        })
    }

    /// Returns what its receipt says of who asked.
    pub(super) fn asked_by(&self) -> AskedBy<'_> {
        AskedBy {
            invocation: self.invocation.cid(),
            tokens: &self.tokens,
        }
    }
}

/// Signs the invocation that asks for an instruction, and writes it with what it rests on.
pub(super) fn invoke(
    options: &TokenOptions,
    to: &str,
    instruction: &Instruction,
    limits: &Limits,
) -> Result<(), CommandError> {
    let key = keyring::key()?;
    let delegations = delegations(options)?;
    let container = ask(options, &key, &delegations, None, instruction, limits)?;
    let mut text = container.encode(Encoding::Base64UrlGzip);
    text.push(b'\n');
    match to {
        "-" => print::out(&text),
        to => files::write(Path::new(to), &text),
    }
}

/// Returns the delegations that are shown.
pub(super) fn delegations(options: &TokenOptions) -> Result<Vec<Delegation>, CommandError> {
    match &options.proof {
        Some(path) => Ok(ucan::container(path)?.contents().delegations),
        None => Ok(Vec::new()),
    }
}

/// Signs the invocation that asks for an instruction: of whoever delegated it, or of `executor` without that, which is asked as a
/// favour then. Returns it with what it rests on.
pub(super) fn ask(
    options: &TokenOptions,
    key: &SigningKey,
    delegations: &[Delegation],
    executor: Option<&Did>,
    instruction: &Instruction,
    limits: &Limits,
) -> Result<Container, CommandError> {
    let issuer = key.did();
    let mut mine = Mine::of(delegations, &issuer, options.proof.as_deref())?;
    // What somebody else delegated is of no use there, and neither is what one has oneself.
    if executor.is_some_and(|executor| *executor != mine.subject) {
        mine = Mine {
            subject: issuer,
            run: Vec::new(),
            outside: Vec::new(),
        };
    }
    let component = *instruction.resource().cid();
    let request = RunRequest {
        component,
        input: instruction.input().clone(),
        nonce: instruction.nonce().clone(),
        limits: RequestLimits::from(limits),
        proofs: mine.outside.iter().map(|chain| cids(chain)).collect(),
    };
    let end = options.expires.unwrap_or(EXPIRES).as_secs();
    let end = ucan::now().saturating_add(i64::try_from(end).unwrap_or(i64::MAX));
    let command = RunRequest::command();
    let mut payload = invocation::Payload::statement(issuer, command, request.to_arguments());
    payload.subject = mine.subject;
    payload.audience = executor.filter(|it| **it != mine.subject).copied();
    payload.nonce = ucan::nonce()?;
    payload.expiration = Some(end);
    payload.issued_at = Some(ucan::now());
    let signed = mine.sign(payload, key, delegations)?;
    let mut tokens = vec![signed.into_block()];
    for hop in mine.outside.iter().chain(&mine.run).flatten() {
        if !tokens.contains(hop.block()) {
            tokens.push(hop.block().clone());
        }
    }
    Container::new(tokens).map_err(CommandError::input)
}

fn cids(chain: &[&Delegation]) -> Vec<Cid> {
    chain.iter().map(|hop| *hop.cid()).collect()
}

/// What one may ask a machine for.
struct Mine<'a> {
    /// Whose machine it is.
    subject: Did,
    /// Chains of which one has to allow that the task is run. None if the machine is one's own.
    run: Vec<Vec<&'a Delegation>>,
    /// Chains by which the task reaches the outside.
    outside: Vec<Vec<&'a Delegation>>,
}

impl<'a> Mine<'a> {
    fn of(
        delegations: &'a [Delegation],
        issuer: &Did,
        proof: Option<&str>,
    ) -> Result<Self, CommandError> {
        let Some(path) = proof else {
            return Ok(Self {
                subject: *issuer,
                run: Vec::new(),
                outside: vec![Vec::new()],
            });
        };
        let command = RunRequest::command();
        let covers = |chain: &[&Delegation], command: &Command| {
            chain
                .iter()
                .all(|hop| hop.payload().command.covers(command))
        };
        // For each delegation the chain that leads to it.
        let to_issuer = delegations
            .iter()
            .filter(|last| last.payload().audience == *issuer);
        let chains = to_issuer.filter_map(|last| {
            let wanted = Wanted {
                holder: issuer,
                command: &last.payload().command,
                last: Some(last.cid()),
                now: ucan::now(),
            };
            chain::find(delegations, &wanted)
        });
        let chains: Vec<_> = chains.take(MAX_CHAINS).collect();
        let owner = |chain: &[&Delegation]| chain.first().map(|root| root.payload().issuer);
        let mut run = chains.iter().filter(|chain| covers(chain, &command));
        let Some(subject) = run.next().and_then(|chain| owner(chain)) else {
            let words = format!("{path} holds no delegation of {command} to you, {issuer}");
            return Err(CommandError::input(words).hint(INSPECT));
        };
        let is_run = |chain: &&Vec<_>| covers(chain, &command) && owner(chain) == Some(subject);
        let run = chains.iter().filter(is_run).cloned().collect();
        let is_outside = |chain: &Vec<&Delegation>| {
            let last = chain.last().map(|last| &last.payload().command);
            let is_for_tasks = last.is_some_and(|last| {
                last.as_str() != "/" && (last.covers(&command) || command.covers(last))
            });
            owner(chain) == Some(subject) && !is_for_tasks
        };
        Ok(Self {
            subject,
            outside: chains.into_iter().filter(is_outside).collect(),
            run,
        })
    }

    /// Signs with the first chain that allows it; if none does, says why not the last.
    fn sign(
        &self,
        payload: invocation::Payload,
        key: &SigningKey,
        delegations: &[Delegation],
    ) -> Result<Invocation, CommandError> {
        if self.run.is_empty() {
            return Invocation::sign(payload, key).map_err(CommandError::input);
        }
        let blocks = delegations.iter().map(|hop| hop.block().clone());
        let container = Container::new(blocks).map_err(CommandError::input)?;
        let request = Request {
            executor: None,
            now: ucan::now(),
            leeway: LEEWAY,
            proofs: &container,
            revocations: &Revoked::new(),
        };
        let mut why = None;
        for chain in &self.run {
            let mut payload = payload.clone();
            payload.proofs = cids(chain);
            let signed = Invocation::sign(payload, key).map_err(CommandError::input)?;
            match verify(signed.block().bytes(), &request, &mut Known::default()) {
                Ok(_) => return Ok(signed),
                Err(error) => why = Some(error),
            }
        }
        let words = "the delegations to you don't allow this";
        Err(match why {
            Some(error) => {
                CommandError::denied(Caused::new(format!("{words}: {}", error.name()), error))
            }
            None => CommandError::denied(words),
        }
        .hint(INSPECT))
    }
}

/// Returns the leave to do something that the owner of `key` gives to somebody, for as long as it is kept: it is written nowhere.
pub(in crate::commands) fn lend(
    key: &SigningKey,
    to: &Did,
    command: &str,
) -> Result<verify::Authority, CommandError> {
    let own = key.did();
    let payload = delegation::Payload {
        issuer: own,
        audience: *to,
        subject: Some(own),
        command: command.parse().map_err(CommandError::host)?,
        policy: Policy::default(),
        nonce: Vec::new(),
        meta: None,
        not_before: None,
        expiration: None,
    };
    let delegation = Delegation::sign(payload, key).map_err(CommandError::host)?;
    let cid = *delegation.cid();
    let proofs: BTreeMap<Cid, Block> = [(cid, delegation.into_block())].into();
    let request = Request {
        executor: None,
        now: ucan::now(),
        leeway: LEEWAY,
        proofs: &proofs,
        revocations: &Revoked::new(),
    };
    let chain = hold(&[cid], &own, to, &request, &mut Known::default());
    chain.map_err(CommandError::host)
}
