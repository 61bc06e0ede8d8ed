//! Blocks from trustless HTTP gateways: several, asked in order, none trusted.
//!
//! ```text
//! block ─→ gateway 1 ─(nothing for 2 s)─→ gateway 2 beside it ─→ … the first that gives it
//! dag   ─→ CAR of gateway 1 ─→ Walk: is it the next? ─→ taken      (cut, flooded, no CAR: what is missing, block by block)
//! ```
//!
//! Requests are made on threads of their own, so a fetch can be waited for on any thread.

mod address;
mod dag;
mod settings;
mod standing;

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use homestar_core::ipld::{Block, BlockError, Cid, MAX_BLOCK_BYTES};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

pub use self::address::{Gateway, GatewayError};
pub use self::settings::GatewaysSettings;

use self::standing::Record;
use crate::authorities::{self, AuthoritiesError};
use crate::client::{Answer, Http, Refused};
use crate::fetch::check;
use crate::threads::Threads;
use crate::{Fault, Fetch, FetchError, Fetching, Walk, What};

const RAW_QUERY: &str = "format=raw";
const RAW_TYPE: &str = "application/vnd.ipld.raw";
/// Blocks that came and weren't taken yet: little, since the next one is on its way meanwhile.
const UNTAKEN_MAX: usize = 8;

/// Trustless gateways, as one place from where blocks come. It starts its threads when it is first asked.
///
/// Gateways are asked in their order, the next one when one fails or takes long. Who sends other bytes than asked for is
/// not asked again as long as this value lives; who fails otherwise is asked after the others for some seconds.
pub struct Gateways {
    shared: Arc<Shared>,
    threads: Threads,
}

struct Shared {
    settings: GatewaysSettings,
    http: Http,
    members: Vec<Member>,
}

/// A gateway and what is known of it.
struct Member {
    gateway: Gateway,
    /// For a node of this machine, what asks on its socket.
    local: Option<Http>,
    record: Record,
    requests: Semaphore,
}

/// How a gateway stands, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its URL.
    pub url: Url,
    /// Why it isn't asked any more, if it isn't.
    pub dropped: Option<Fault>,
}

impl Gateways {
    /// Makes it. Of files, it reads those that the settings name.
    pub fn new(settings: GatewaysSettings) -> Result<Self, AuthoritiesError> {
        let roots = authorities::roots(&settings.authorities)?;
        let local = |socket: &Path| {
            let patience = settings.patience_for_local();
            Http::new(patience, settings.requests_max, roots.clone()).over(socket)
        };
        let member = |gateway: &Gateway| Member {
            gateway: gateway.clone(),
            local: gateway.socket().map(local),
            record: Record::default(),
            requests: Semaphore::new(settings.requests_max.max(1)),
        };
        let members = settings.gateways.iter().map(member).collect();
        Ok(Self {
            shared: Arc::new(Shared {
                http: Http::new(settings.patience(), settings.requests_max, roots),
                settings,
                members,
            }),
            threads: Threads::default(),
        })
    }

    /// How each gateway stands, in their order.
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |member: &Member| Standing {
            url: member.gateway.url().clone(),
            dropped: member.record.lie().map(|what| member.fault(what)),
        };
        self.shared.members.iter().map(standing).collect()
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl Future<Output = Result<T, FetchError>> + Send + 'static,
    ) -> Result<T, FetchError> {
        let ended = self.threads.spawn(job).await;
        ended.unwrap_or(Err(FetchError::Closed))
    }

    /// Starts a job that hands blocks over one by one, and returns what it does.
    async fn stream<J, T: Send + 'static>(
        &self,
        job: impl FnOnce(Arc<Shared>, mpsc::Sender<Block>) -> J + Send,
        take: &mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Result<T, FetchError>
    where
        J: Future<Output = T> + Send + 'static,
    {
        let (sender, mut blocks) = mpsc::channel(UNTAKEN_MAX);
        let job = self.threads.spawn(job(self.shared.clone(), sender));
        while let Some(block) = blocks.recv().await {
            if take(block).is_break() {
                return Err(FetchError::Stopped);
            }
        }
        job.await.ok_or(FetchError::Closed)
    }
}

impl Fetch for Gateways {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        let (shared, cid) = (self.shared.clone(), *cid);
        Box::pin(async move { self.run(async move { shared.block(cid).await }).await })
    }

    fn blocks<'a>(
        &'a self,
        cids: &'a [Cid],
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        let cids = cids.to_vec();
        Box::pin(async move {
            let blocks = move |shared: Arc<Shared>, out| shared.blocks(cids, out);
            self.stream(blocks, take).await?
        })
    }

    fn walk<'a>(
        &'a self,
        walk: &'a mut Walk,
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        Box::pin(async move {
            let mut mine = std::mem::take(walk);
            let job = move |shared: Arc<Shared>, out| async move {
                let fetched = shared.walk(&mut mine, out).await;
                (mine, fetched)
            };
            let (mine, fetched) = self.stream(job, take).await?;
            *walk = mine;
            fetched
        })
    }
}

impl fmt::Debug for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gateways = self.shared.members.iter().map(|member| &member.gateway);
        f.debug_list().entries(gateways).finish()
    }
}

impl Member {
    async fn get(&self, http: &Http, url: Url, accept: &str) -> Result<Answer, Refused> {
        let http = self.local.as_ref().unwrap_or(http);
        http.get(url, accept, |to| self.gateway.judge(to)).await
    }

    fn fault(&self, what: What) -> Fault {
        Fault {
            provider: self.gateway.to_string().into(),
            what,
        }
    }
}

impl Shared {
    /// The gateways that are asked, in order, and the faults of those that aren't.
    fn order(&self) -> (VecDeque<usize>, Vec<Fault>) {
        let mut first = VecDeque::new();
        let mut last = VecDeque::new();
        let mut faults = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            if let Some(lie) = member.record.lie() {
                faults.push(member.fault(What::Dropped(Box::new(lie))));
            } else if member.record.is_resting() || member.record.away().is_some() {
                last.push_back(at);
            } else {
                first.push_back(at);
            }
        }
        first.append(&mut last);
        (first, faults)
    }

    async fn block(self: &Arc<Self>, cid: Cid) -> Result<Block, FetchError> {
        check(&cid)?;
        let (mut order, mut faults) = self.order();
        if self.members.is_empty() {
            return Err(FetchError::NoProvider { cid });
        }
        let hedge_after = self.settings.hedge_after;
        let mut running = JoinSet::new();
        loop {
            if running.is_empty() && order.is_empty() {
                return Err(FetchError::Nowhere { cid, faults });
            }
            if running.is_empty() {
                self.ask_next(&mut order, &mut running, cid);
            }
            let answer = match order.is_empty() {
                true => running.join_next().await,
                false => match timeout(hedge_after, running.join_next()).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        self.ask_next(&mut order, &mut running, cid);
                        continue;
                    }
                },
            };
            match answer {
                Some(Ok((_, Ok(block)))) => return Ok(block),
                Some(Ok((at, Err(what)))) => faults.push(self.members[at].fault(what)),
                Some(Err(_)) | None => return Err(FetchError::Closed),
            }
        }
    }

    fn ask_next(
        self: &Arc<Self>,
        order: &mut VecDeque<usize>,
        running: &mut JoinSet<(usize, Result<Block, What>)>,
        cid: Cid,
    ) {
        if let Some(at) = order.pop_front() {
            let shared = self.clone();
            running.spawn(async move { (at, shared.ask(at, cid).await) });
        }
    }

    /// Asks one gateway for one block, and notes how it behaved.
    async fn ask(&self, at: usize, cid: Cid) -> Result<Block, What> {
        let member = &self.members[at];
        self.wait_for(member).await;
        let asked = self.ask_raw(member, cid).await;
        self.note(member, asked)
    }

    fn note<T>(&self, member: &Member, asked: Result<T, Refused>) -> Result<T, What> {
        match asked {
            Ok(answer) => {
                member.record.note_good();
                Ok(answer)
            }
            Err(Refused { what, retry_after }) => {
                member.record.note(&what);
                if let Some(time) = retry_after {
                    member.record.note_away(time);
                }
                Err(what)
            }
        }
    }

    /// Leaves a gateway alone that asked for it, for as long as there is patience.
    async fn wait_for(&self, member: &Member) {
        if let Some(until) = member.record.away() {
            let patience = Instant::now() + self.settings.patience;
            sleep_until(until.min(patience)).await;
        }
    }

    async fn ask_raw(&self, member: &Member, cid: Cid) -> Result<Block, Refused> {
        let _permit = member.requests.acquire().await;
        let url = member.gateway.request(&cid, RAW_QUERY);
        let answer = member.get(&self.http, url, RAW_TYPE).await?;
        if let Some(content_type) = answer.content_type.as_deref().filter(|text| is_page(text)) {
            let content_type = content_type.to_owned();
            return Err(What::ContentType { content_type }.into());
        }
        let bytes = answer.whole(MAX_BLOCK_BYTES).await?;
        Ok(Block::verify(cid, bytes).map_err(|_: BlockError| What::Lied { cid })?)
    }

    /// Fetches blocks side by side.
    async fn blocks(
        self: Arc<Self>,
        cids: Vec<Cid>,
        out: mpsc::Sender<Block>,
    ) -> Result<(), FetchError> {
        let mut first = None;
        let mut cids = cids.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.window() {
                let Some(cid) = cids.next() else { break };
                let shared = self.clone();
                running.spawn(async move { shared.block(cid).await });
            }
            match running.join_next().await {
                None => return first.map_or(Ok(()), Err),
                Some(Ok(Ok(block))) => hand_over(&out, block).await?,
                Some(Ok(Err(error))) => first = first.or(Some(error)),
                Some(Err(_)) => return Err(FetchError::Closed),
            }
        }
    }

    /// How many blocks are asked for at one time: enough for one gateway to be busy.
    fn window(&self) -> usize {
        self.settings.requests_max.max(1)
    }
}

/// True for what is made for people: a gateway's answer to a request that it didn't understand.
fn is_page(content_type: &str) -> bool {
    matches!(content_type, "text/html" | "application/xhtml+xml")
}

async fn hand_over(out: &mpsc::Sender<Block>, block: Block) -> Result<(), FetchError> {
    out.send(block).await.map_err(|_| FetchError::Stopped)
}
