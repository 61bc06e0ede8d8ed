//! Whole DAGs: as a CAR file while it lasts, and block by block where that is missing something.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, RAW};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Member, Shared, hand_over};
use crate::client::{Answer, Refused};
use crate::fetch::check;
use crate::sections::Sections;
use crate::sift::{Filter, Unfit};
use crate::{FetchError, Scope, Walk, What};

const CAR_TYPE: &str = "application/vnd.ipld.car";
const CAR_ACCEPT: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=y";

/// How reading a CAR file ended before its end.
enum Broken {
    /// The gateway's fault.
    Gateway(Refused),
    /// The whole fetch ends.
    Fetch(Box<FetchError>),
}

impl From<What> for Broken {
    fn from(what: What) -> Self {
        Self::Gateway(what.into())
    }
}

impl From<FetchError> for Broken {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error.into())
    }
}

impl From<Unfit> for Broken {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Sender(what) => what.into(),
            Unfit::Walk(error) => error.into(),
        }
    }
}

impl Shared {
    /// Fetches what is ahead on a walk. The gateways are asked for a CAR file of what hangs on the next block, until one begins with
    /// it; what that leaves out is fetched block by block, from all of them.
    pub(super) async fn walk(
        self: Arc<Self>,
        walk: &mut Walk,
        out: mpsc::Sender<Block>,
    ) -> Result<(), FetchError> {
        while let Some((root, scope)) = walk.next_scope() {
            check(&root)?;
            let is_one_block = scope == Scope::Block || root.codec() == RAW;
            if is_one_block || !self.cars(root, scope, walk, &out).await? {
                break;
            }
        }
        self.rest(walk, &out).await
    }

    /// Returns whether a gateway gave a CAR file with all of it.
    async fn cars(
        &self,
        root: Cid,
        scope: Scope,
        walk: &mut Walk,
        out: &mpsc::Sender<Block>,
    ) -> Result<bool, FetchError> {
        for at in self.order().0 {
            let member = &self.members[at];
            if member.record.has_no_car() {
                continue;
            }
            match self.car(member, root, scope, walk, out).await {
                Ok(()) => {
                    member.record.note_good();
                    return Ok(true);
                }
                Err(Broken::Fetch(error)) => return Err(*error),
                Err(Broken::Gateway(refused)) => {
                    let _ = self.note::<()>(member, Err(refused));
                }
            }
            if walk.next_cid() != Some(root) {
                break;
            }
        }
        Ok(false)
    }

    async fn car(
        &self,
        member: &Member,
        root: Cid,
        scope: Scope,
        walk: &mut Walk,
        out: &mpsc::Sender<Block>,
    ) -> Result<(), Broken> {
        self.wait_for(member).await;
        let _permit = member.requests.acquire().await;
        let url = member.gateway.request(&root, &query(scope));
        let answer = match member.get(&self.http, url, CAR_ACCEPT).await {
            Ok(answer) => answer,
            Err(refused) => {
                if let What::Answered {
                    status: 400 | 406 | 415 | 501,
                } = refused.what
                {
                    member.record.note_no_car();
                }
                return Err(Broken::Gateway(refused));
            }
        };
        if answer.content_type.as_deref() != Some(CAR_TYPE) {
            member.record.note_no_car();
            let content_type = answer.content_type.unwrap_or_default();
            return Err(What::Malformed(format!("it is of type {content_type:?}")).into());
        }
        read(answer, walk, out).await
    }

    /// Fetches what is ahead on a walk block by block, several at a time.
    async fn rest(
        self: &Arc<Self>,
        walk: &mut Walk,
        out: &mpsc::Sender<Block>,
    ) -> Result<(), FetchError> {
        let window = self.window();
        let mut asked = HashSet::new();
        let mut waiting = HashMap::new();
        let mut running = JoinSet::new();
        while let Some(next) = walk.next_cid() {
            if let Some(block) = waiting.remove(&next) {
                asked.remove(&next);
                walk.give(&block)?;
                hand_over(out, block).await?;
                continue;
            }
            // What is under way or waits counts too: this much is held at most.
            for cid in walk.upcoming(window) {
                if asked.len() < window && asked.insert(cid) {
                    let shared = self.clone();
                    running.spawn(async move { (cid, shared.block(cid).await) });
                }
            }
            match running.join_next().await {
                Some(Ok((cid, Ok(block)))) => {
                    waiting.insert(cid, block);
                }
                Some(Ok((_, Err(error)))) => return Err(error),
                Some(Err(_)) | None => return Err(FetchError::Closed),
            }
        }
        Ok(())
    }
}

fn query(scope: Scope) -> String {
    match scope {
        Scope::Block => "format=car&dag-scope=block".to_owned(),
        Scope::Entity => "format=car&dag-scope=entity".to_owned(),
        Scope::Bytes(bytes) => format!("format=car&dag-scope=entity&entity-bytes={bytes}"),
        Scope::All => "format=car&dag-scope=all".to_owned(),
    }
}

/// Takes from a CAR file what a walk expects.
async fn read(
    mut answer: Answer,
    walk: &mut Walk,
    out: &mpsc::Sender<Block>,
) -> Result<(), Broken> {
    let mut sections = Sections::default();
    let mut filter = Filter::default();
    let before = walk.count();
    let is_through = |walk: &mut Walk| walk.next_cid().is_none() || walk.count() < before;
    while let Some(chunk) = answer.chunk().await? {
        let mut piece = chunk.as_ref();
        while let Some((cid, bytes)) = sections.next(&mut piece).map_err(What::Malformed)? {
            if let Some(block) = filter.sift(walk, cid, bytes)? {
                hand_over(out, block).await?;
                // Nothing that could follow is of interest.
                if is_through(walk) {
                    return Ok(());
                }
            }
        }
    }
    match walk.next_cid() {
        Some(cid) if walk.count() >= before => Err(What::Incomplete { cid }.into()),
        _ => Ok(()),
    }
}
