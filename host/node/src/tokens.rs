//! Tokens that are kept: delegations that were given and received, and what was revoked.
//!
//! A token is a block, and a name of the store leads to it, so that it isn't collected with all that it links to. Who
//! has revoked a delegation stands in a list of its own, under a name with the delegation's CID, so that asking costs
//! the same however many tokens there are.
//!
//! A revocation is kept if it holds when it comes and shows that who made it has a say; nothing takes it back. What is
//! kept here is what this machine knows; what others know, they have to tell.

use std::borrow::Cow;
use std::collections::BTreeMap;

use homestar_core::ipld::{self, Block, Cid, DecodeError, EncodeError};
use homestar_core::ucan::container::Contents;
use homestar_core::ucan::revocation::{COMMAND, LookupFailed, RevocationError};
use homestar_core::ucan::token::TokenError;
use homestar_core::ucan::verify::LEEWAY;
use homestar_core::ucan::{
    Container, Delegation, Did, Invocation, Known, Request, Revocation, Revocations, verify,
};
use homestar_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::read::links_of;

/// What names of tokens begin with.
const TOKEN: &str = "token/";
/// What names of lists of revocations begin with.
const REVOKED: &str = "revoked/";

/// Who has revoked a delegation, as far as a store knows: one entry for each of them.
type Revokers = Vec<Revoker>;

/// How many may have revoked one delegation beside those whom it names. Whether they have a say is up to the chain that
/// is used, and anybody can show a chain of some kind.
const OTHERS_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoker {
    by: String,
    revocation: Cid,
}

/// The tokens of a store.
///
/// It says what was revoked, so a check can ask it: `Request { revocations: &tokens, … }`.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    store: &'a dyn Store,
}

/// A token that is kept.
#[derive(Clone, Debug)]
pub enum Token {
    /// Leave that was given or received.
    Delegation(Delegation),
    /// Leave that was taken back.
    Revocation {
        /// The invocation that says so.
        token: Invocation,
        /// What it says.
        revocation: Revocation,
    },
}

impl Token {
    /// Its name.
    pub fn cid(&self) -> &Cid {
        match self {
            Self::Delegation(token) => token.cid(),
            Self::Revocation { token, .. } => token.cid(),
        }
    }
}

/// What came of tokens that were to be kept.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct KeptTokens {
    /// Those that are kept now, also if they were before.
    pub kept: Vec<Cid>,
    /// Invocations that ask for something: they are used once, so there is no reason to keep them.
    pub invocations: Vec<Cid>,
    /// Those that aren't kept, and why.
    pub refused: Vec<(Cid, KeepError)>,
}

impl<'a> Tokens<'a> {
    /// The tokens of `store`.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// Keeps the delegations and revocations of a container. `now` is in seconds since 1970.
    ///
    /// A revocation has to hold now, and to show by delegations of the container or of those kept already that who
    /// makes it has a say.
    pub fn keep(&self, container: &Container, now: i64) -> Result<KeptTokens, TokensError> {
        // What is named after it was put stays in between.
        let _session = self.store.session()?;
        let contents = container.contents();
        let mut result = KeptTokens::default();
        let refused = contents.broken.into_iter();
        result.refused = refused
            .map(|(cid, error)| (cid, KeepError::Token(error)))
            .collect();
        let blocks: Vec<_> = contents.delegations.iter().map(Delegation::block).collect();
        self.keep_blocks(&blocks)?;
        result.kept.extend(blocks.iter().map(|block| *block.cid()));
        for invocation in &contents.invocations {
            if invocation.payload().command.as_str() != COMMAND {
                result.invocations.push(*invocation.cid());
                continue;
            }
            let noted = match self.check(invocation, container, now)? {
                Ok((revocation, target)) => self.note(&revocation, &target, invocation)?,
                Err(error) => Err(error),
            };
            match noted {
                Ok(()) => result.kept.push(*invocation.cid()),
                Err(error) => result.refused.push((*invocation.cid(), error)),
            }
        }
        Ok(result)
    }

    /// Checks that an invocation revokes something, and may.
    fn check(
        &self,
        invocation: &Invocation,
        container: &Container,
        now: i64,
    ) -> Result<Result<(Revocation, Delegation), KeepError>, TokensError> {
        // What it rests on may have come before.
        let mut proofs = self.proofs(&links_of(invocation.block()))?;
        let own = container.tokens().iter();
        proofs.extend(own.map(|block| (*block.cid(), block.clone())));
        let request = Request {
            executor: None,
            now,
            leeway: LEEWAY,
            proofs: &proofs,
            revocations: self,
        };
        let mut known = Known::default();
        let bytes = invocation.block().bytes();
        let authority = match verify(bytes, &request, &mut known) {
            Ok(authority) => authority,
            Err(error) => return Ok(Err(KeepError::Denied(Box::new(error)))),
        };
        let revocation = Revocation::of(&authority)
            .and_then(|it| it.check_path(&proofs, &mut known).map(|()| it));
        let revocation = match revocation {
            Ok(revocation) => revocation,
            Err(error) => return Ok(Err(KeepError::Revocation(error))),
        };
        // The path has it, under one of its names.
        let path = revocation.path.iter().filter_map(|cid| proofs.get(cid));
        let target = path
            .filter_map(|block| Delegation::decode(block.bytes()).ok())
            .find(|it| it.cids().any(|cid| *cid == revocation.target));
        let none = KeepError::Revocation(RevocationError::Path);
        Ok(target.map(|target| (revocation, target)).ok_or(none))
    }

    fn keep_blocks(&self, blocks: &[&Block]) -> Result<(), StoreError> {
        let blocks: Vec<Block> = blocks.iter().copied().cloned().collect();
        self.store.put(&blocks)?;
        for block in &blocks {
            let cid = block.cid();
            self.store.set_name(&format!("{TOKEN}{cid}"), Some(cid))?;
        }
        Ok(())
    }

    /// Keeps a revocation, and notes who has revoked what. Others may do the same at the same time.
    fn note(
        &self,
        revocation: &Revocation,
        target: &Delegation,
        token: &Invocation,
    ) -> Result<Result<(), KeepError>, TokensError> {
        let name = format!("{REVOKED}{}", revocation.target);
        let by = revocation.by.to_string();
        loop {
            let before = self.store.name(&name)?;
            let mut revokers = self.list(before.as_ref())?;
            if revokers.iter().any(|it| it.by == by) {
                break;
            }
            if !names(target, &revocation.by) && revokers.len() >= OTHERS_MAX {
                return Ok(Err(KeepError::Full));
            }
            revokers.push(Revoker {
                by: by.clone(),
                revocation: *token.cid(),
            });
            let block = Block::of_dag_cbor(&revokers)?;
            let after = Some(block.cid());
            self.store.put(std::slice::from_ref(&block))?;
            if self.store.swap_name(&name, before.as_ref(), after)? {
                break;
            }
        }
        self.keep_blocks(&[token.block()])?;
        Ok(Ok(()))
    }

    fn list(&self, cid: Option<&Cid>) -> Result<Revokers, TokensError> {
        let Some(cid) = cid else {
            return Ok(Revokers::new());
        };
        let block = self.store.get(cid)?;
        let block = block.ok_or(TokensError::Missing { cid: *cid })?;
        let decode = |source| TokensError::Decode { cid: *cid, source };
        ipld::decode(block.bytes()).map_err(decode)
    }

    /// Returns who says to have revoked the delegation of that CID, as far as this machine knows.
    ///
    /// Whether one of them has a say depends on the chain that the delegation is used in, so this is for
    /// [`verify`], which asks it for each link of a chain; it is what this type is as [`Revocations`]. A delegation under
    /// P-256 has two CIDs ([`Delegation::cids`]), and a revocation of either counts for both.
    pub fn revokers(&self, delegation: &Cid) -> Result<Vec<Did>, TokensError> {
        let name = self.store.name(&format!("{REVOKED}{delegation}"))?;
        let list = self.list(name.as_ref())?.into_iter();
        let did = |it: Revoker| it.by.parse().map_err(|_| TokensError::Revoker(it.by));
        list.map(did).collect()
    }

    /// Returns who of those whom a delegation names has revoked it: its issuer, its audience, its subject. It holds in no
    /// chain then. Others, who gave what it rests on, may have revoked it for the chains that they are in.
    pub fn revoked_by(&self, delegation: &Delegation) -> Result<Vec<Did>, TokensError> {
        let mut by = Vec::new();
        for cid in delegation.cids() {
            for did in Self::revokers(self, cid)? {
                if names(delegation, &did) && !by.contains(&did) {
                    by.push(did);
                }
            }
        }
        Ok(by)
    }

    /// Returns the tokens of these CIDs that are kept, for a check to find its proofs in.
    pub fn proofs(&self, cids: &[Cid]) -> Result<BTreeMap<Cid, Block>, TokensError> {
        let mut proofs = BTreeMap::new();
        for cid in cids {
            if let Some(cid) = self.store.name(&format!("{TOKEN}{cid}"))? {
                proofs.insert(cid, self.block(&cid)?);
            }
        }
        Ok(proofs)
    }

    /// Returns the token of that CID, if it is kept.
    pub fn get(&self, cid: &Cid) -> Result<Option<Token>, TokensError> {
        match self.store.name(&format!("{TOKEN}{cid}"))? {
            Some(cid) => self.read(&cid).map(Some),
            None => Ok(None),
        }
    }

    /// Returns all tokens, in the order of their CIDs, and those that can't be read any more.
    pub fn all(&self) -> Result<(Vec<Token>, Vec<TokensError>), TokensError> {
        let (mut tokens, mut broken) = (Vec::new(), Vec::new());
        for (_, cid) in self.store.names_under(TOKEN)? {
            match self.read(&cid) {
                Ok(token) => tokens.push(token),
                Err(error) => broken.push(error),
            }
        }
        Ok((tokens, broken))
    }

    /// Forgets a delegation. Returns whether it was kept. A revocation isn't forgotten: what it takes back would hold
    /// again.
    pub fn forget(&self, delegation: &Cid) -> Result<bool, TokensError> {
        match self.get(delegation)? {
            None => Ok(false),
            Some(Token::Revocation { .. }) => Err(TokensError::Revocation { cid: *delegation }),
            Some(Token::Delegation(_)) => {
                let name = format!("{TOKEN}{delegation}");
                Ok(self.store.set_name(&name, None)?.is_some())
            }
        }
    }

    fn block(&self, cid: &Cid) -> Result<Block, TokensError> {
        let block = self.store.get(cid)?;
        block.ok_or(TokensError::Missing { cid: *cid })
    }

    fn read(&self, cid: &Cid) -> Result<Token, TokensError> {
        let Contents {
            mut delegations,
            mut invocations,
            ..
        } = Container::new([self.block(cid)?])
            .map(|it| it.contents())
            .unwrap_or_default();
        if let Some(delegation) = delegations.pop() {
            return Ok(Token::Delegation(delegation));
        }
        let foreign = TokensError::Foreign { cid: *cid };
        let token = invocations.pop().ok_or(foreign)?;
        let foreign = TokensError::Foreign { cid: *cid };
        let revocation = Revocation::read(&token).map_err(|_| foreign)?;
        Ok(Token::Revocation { token, revocation })
    }
}

/// Whether a delegation names somebody as one who has a say about it.
fn names(delegation: &Delegation, did: &Did) -> bool {
    let payload = delegation.payload();
    [payload.issuer, payload.audience].contains(did) || payload.subject == Some(*did)
}

impl Revocations for Tokens<'_> {
    fn revokers(&self, delegation: &Cid) -> Result<Cow<'_, [Did]>, LookupFailed> {
        let revokers = Tokens::revokers(self, delegation);
        let revokers = revokers.map_err(|error| LookupFailed(error.to_string()))?;
        Ok(Cow::Owned(revokers))
    }
}

/// Why a token isn't kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeepError {
    /// It is none, or isn't signed by its issuer.
    #[error(transparent)]
    Token(TokenError),
    /// A revocation that its issuer may not make.
    #[error("{name}: {0}", name = .0.name())]
    Denied(Box<homestar_core::ucan::verify::Error>),
    /// A revocation of what has nothing to do with who makes it.
    #[error(transparent)]
    Revocation(RevocationError),
    /// A revocation by somebody whom the delegation doesn't name, of one that many such revoked.
    #[error("{OTHERS_MAX} others have revoked the same")]
    Full,
}

/// Why tokens can't be kept or found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The store can't read or write them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A list has no encoded form.
    #[error("what was revoked can't be written")]
    Encode(#[from] EncodeError),
    /// A block isn't there.
    #[error("block {cid} of the kept tokens is not in the store")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// A list is something else.
    #[error("block {cid} is no list of who revoked something")]
    Decode {
        /// The block.
        cid: Cid,
        /// Why not.
        source: DecodeError,
    },
    /// A list names somebody who is no principal.
    #[error("`{0}` in a list of who revoked something is no did:key")]
    Revoker(String),
    /// A token is something else.
    #[error("block {cid} is no token to be kept")]
    Foreign {
        /// The block.
        cid: Cid,
    },
    /// A revocation was to be forgotten.
    #[error("{cid} is a revocation, and nothing takes that back")]
    Revocation {
        /// The revocation.
        cid: Cid,
    },
}
