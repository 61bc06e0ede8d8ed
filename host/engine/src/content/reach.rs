//! Which content a task reaches: what its instruction links to, what that links to as far as it was read, and what the
//! task has written itself.
//!
//! A CID of a guest's own making is never asked for anywhere, or it could carry to strangers what the guest knows. So
//! CIDs are compared as a whole, and what is asked for is the one that was linked to.

use std::collections::HashSet;

use homestar_core::ipld::{Cid, SHA2_256, parse_cid};

use super::Error;

/// Links that a task may have read and written: some 50 MB of this process.
const LINKS_MAX: usize = 1 << 20;

/// The content that a task reaches.
#[derive(Debug, Default)]
pub(super) struct Reach {
    known: HashSet<Name>,
}

/// What makes a CID: the codec and the digest.
type Name = (u64, [u8; 32]);

/// Returns what makes `cid`, if it is of a kind that we read.
fn name(cid: &Cid) -> Option<Name> {
    let digest = cid.hash().digest().try_into().ok()?;
    (cid.hash().code() == SHA2_256).then_some((cid.codec(), digest))
}

/// Returns the CID by which content is asked for: version 1.
fn canonical(cid: Cid) -> Cid {
    Cid::new_v1(cid.codec(), *cid.hash())
}

impl Reach {
    /// Returns what a task reaches at first.
    pub(super) fn new(links: Vec<Cid>) -> Self {
        Self {
            known: links.iter().filter_map(name).collect(),
        }
    }

    /// Returns the CID that `text` spells, if it is within reach.
    pub(super) fn find(&self, text: &str) -> Result<Cid, Error> {
        let cid = parse_cid(text).map_err(|error| Error::InvalidCid(error.to_string()))?;
        let Some(name) = name(&cid) else {
            let code = cid.hash().code();
            return Err(Error::InvalidCid(format!(
                "it is named by hash 0x{code:x}, not by sha2-256"
            )));
        };
        match self.known.contains(&name) {
            true => Ok(canonical(cid)),
            false => Err(Error::Denied),
        }
    }

    /// Tells whether `cid` is within reach.
    pub(super) fn has(&self, cid: &Cid) -> bool {
        name(cid).is_some_and(|name| self.known.contains(&name))
    }

    /// Adds links that were read, or what was written.
    pub(super) fn add<'a>(
        &mut self,
        links: impl IntoIterator<Item = &'a Cid>,
    ) -> Result<(), Error> {
        for link in links {
            let Some(name) = name(link) else { continue };
            if self.known.len() >= LINKS_MAX && !self.known.contains(&name) {
                return Err(Error::TooMany(LINKS_MAX as u64));
            }
            self.known.insert(name);
        }
        Ok(())
    }
}
