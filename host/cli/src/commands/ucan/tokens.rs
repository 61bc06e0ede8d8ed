//! Where tokens come from, where they go, and what is known of them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use homestar_core::ipld::{Block, Cid, DAG_CBOR, Ipld};
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::revocation::{COMMAND, LookupFailed};
use homestar_core::ucan::verify::LEEWAY;
use homestar_core::ucan::{
    Container, Delegation, Did, Invocation, Known, Request, Revocation, Revocations, Revoked,
    verify,
};
use homestar_node::{Disk, Store, Token, Tokens, TokensError, now_ms};

use super::super::limits::ConfigOptions;
use super::super::storage::StorageOptions;
use crate::error::{Caused, CommandError};
use crate::files::{self, Stdin};
use crate::print;

/// Where tokens are kept.
#[derive(Args, Debug, Default)]
pub(super) struct KeptOptions {
    #[command(flatten)]
    config: ConfigOptions,

    /// The folder of the store, instead of the user's
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
}

impl KeptOptions {
    /// Returns the store, which is made if it isn't there.
    pub(super) fn store(&self) -> Result<Disk, CommandError> {
        let storage = StorageOptions::of_store(self.store.clone());
        storage.disk(&self.config.settings()?)
    }

    /// Returns the store if it is there: who only looks makes none.
    pub(super) fn store_if_there(&self) -> Result<Option<Disk>, CommandError> {
        let storage = StorageOptions::of_store(self.store.clone());
        let settings = self.config.settings()?;
        let place = storage.place(&settings).map_err(CommandError::input)?;
        match place.exists() {
            true => storage.disk(&settings).map(Some),
            false => Ok(None),
        }
    }
}

/// Returns why tokens can't be had from the store.
pub(super) fn unkept(error: TokensError) -> CommandError {
    match error {
        TokensError::Revocation { .. } => CommandError::input(error),
        error => CommandError::host(Caused::new("can't use the kept tokens", error)),
    }
}

/// Returns the time, in seconds since 1970.
pub(in crate::commands) fn now() -> i64 {
    i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX)
}

/// Returns the delegations that are kept.
pub(super) fn kept_delegations(store: &Disk) -> Result<Vec<Delegation>, CommandError> {
    let (tokens, broken) = Tokens::new(store).all().map_err(unkept)?;
    for error in broken {
        print::warning_of(&error);
    }
    let delegations = tokens.into_iter().filter_map(|token| match token {
        Token::Delegation(delegation) => Some(delegation),
        Token::Revocation { .. } => None,
    });
    Ok(delegations.collect())
}

/// Returns the CID that a text is, unless a file is called so.
pub(super) fn cid(text: &str) -> Option<Cid> {
    let cid = text.parse().ok()?;
    (!Path::new(text).exists()).then_some(cid)
}

/// Reads a container from a file or from standard input. A single token is one too.
pub(in crate::commands) fn container(path: &str) -> Result<Container, CommandError> {
    container_of(path, &mut Stdin::default())
}

/// Reads a container from a file or from standard input, which only one of several can be.
pub(super) fn container_of(path: &str, stdin: &mut Stdin) -> Result<Container, CommandError> {
    let bytes = stdin.read_path(path, "the tokens")?;
    let text = bytes.trim_ascii();
    let is_token = text.first().is_some_and(|first| *first == 0x82);
    let container = match is_token {
        true => Container::new([Block::new(DAG_CBOR, bytes.clone())]),
        false => Container::decode(match text.first() {
            // What is no text has no blanks around it.
            Some(b'@' | b'M') => &bytes,
            _ => text,
        }),
    };
    container.map_err(|error| {
        let words = format!("{path} holds no tokens");
        CommandError::input(Caused::new(words, error))
    })
}

/// Puts tokens into a container, and prints it or writes it to a file.
pub(super) fn put(
    tokens: impl IntoIterator<Item = Block>,
    token: &Cid,
    output: Option<&PathBuf>,
    json: bool,
) -> Result<(), CommandError> {
    let container = Container::new(tokens).map_err(CommandError::input)?;
    let mut text = container.encode(Encoding::Base64UrlGzip);
    if json {
        let facts = print::map([
            ("cid", Ipld::String(token.to_string())),
            (
                "container",
                Ipld::String(String::from_utf8_lossy(&text).into_owned()),
            ),
        ]);
        if let Some(path) = output {
            files::write(path, &text)?;
        }
        return print::ok(facts);
    }
    text.push(b'\n');
    match output {
        Some(path) => files::write(path, &text),
        None => print::out(&text),
    }
}

/// What was revoked: as the store knows, and as tokens say that came together with others.
#[derive(Debug, Default)]
pub(in crate::commands) struct Sources {
    store: Option<Arc<dyn Store>>,
    came: Revoked,
}

impl Sources {
    /// Of the store, and of the revocations in a container that hold.
    pub(super) fn new(
        kept: &KeptOptions,
        container: &Container,
        invocations: &[Invocation],
        now: i64,
    ) -> Result<Self, CommandError> {
        let store = kept.store_if_there()?;
        let store = store.map(|store| Arc::new(store) as Arc<dyn Store>);
        Ok(Self::with(store, container, invocations, now))
    }

    /// Of this store.
    pub(in crate::commands) fn with(
        store: Option<Arc<dyn Store>>,
        container: &Container,
        invocations: &[Invocation],
        now: i64,
    ) -> Self {
        let mut came = Revoked::new();
        let mut known = Known::default();
        for invocation in invocations {
            if invocation.payload().command.as_str() != COMMAND {
                continue;
            }
            let request = Request {
                executor: None,
                now,
                leeway: LEEWAY,
                proofs: container,
                revocations: &Revoked::new(),
            };
            // One that doesn't hold revokes nothing, and is told of with the other invocations.
            let Ok(authority) = verify(invocation.block().bytes(), &request, &mut known) else {
                continue;
            };
            if let Ok(revocation) = Revocation::of(&authority) {
                came.insert(&revocation);
            }
        }
        Self { store, came }
    }

    /// Returns who of those whom a delegation names has revoked it.
    pub(super) fn revoked_by(&self, delegation: &Delegation) -> Result<Vec<Did>, CommandError> {
        let payload = delegation.payload();
        let mut by = Vec::new();
        for cid in delegation.cids() {
            let all = self.revokers(cid).map_err(CommandError::host)?;
            for did in all.iter() {
                let is_named = [payload.issuer, payload.audience].contains(did)
                    || payload.subject == Some(*did);
                if is_named && !by.contains(did) {
                    by.push(*did);
                }
            }
        }
        Ok(by)
    }
}

impl Revocations for Sources {
    fn revokers(&self, delegation: &Cid) -> Result<Cow<'_, [Did]>, LookupFailed> {
        let mut all = self.came.revokers(delegation)?.into_owned();
        if let Some(store) = &self.store {
            all.extend_from_slice(&Revocations::revokers(&Tokens::new(&**store), delegation)?);
        }
        Ok(Cow::Owned(all))
    }
}

/// How a delegation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Holds,
    /// It will.
    Early,
    Expired,
    Revoked(Vec<Did>),
}

impl State {
    pub(super) fn of(delegation: &Delegation, revoked_by: Vec<Did>, now: i64) -> Self {
        let payload = delegation.payload();
        if !revoked_by.is_empty() {
            return Self::Revoked(revoked_by);
        }
        if payload.expiration.is_some_and(|until| until < now) {
            return Self::Expired;
        }
        match payload.not_before.is_some_and(|from| now < from) {
            true => Self::Early,
            false => Self::Holds,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Early => "early",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
        }
    }

    /// Returns it for people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Holds => "it holds".to_owned(),
            Self::Early => "it doesn't hold yet".to_owned(),
            Self::Expired => "it has expired".to_owned(),
            Self::Revoked(by) => {
                let by: Vec<_> = by.iter().map(Did::to_string).collect();
                let by: Vec<_> = by.iter().map(String::as_str).collect();
                format!("it was revoked by {}", print::listed(&by))
            }
        }
    }

    pub(super) fn revoked_by(&self) -> Ipld {
        match self {
            Self::Revoked(by) => print::texts(by.iter().map(Did::to_string)),
            _ => Ipld::List(Vec::new()),
        }
    }
}
