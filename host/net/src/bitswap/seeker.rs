//! What is wanted of peers, and whom to ask for it.
//!
//! ```text
//! want ─→ who gave something lately, or who is quickest, is asked for the block; some others, whether they have it
//!            │ "I don't have it", late, gone, a lie
//!            ↓
//!         the next who has it, or who wasn't asked ─→ nobody left: who provides it? ─→ nobody: not found
//! ```
//!
//! Nothing that comes is believed: blocks are hashed, elsewhere, before they are here. Only what was asked for is hashed
//! at all, so that nobody can make us work. A block is the answer of whoever sends it to something that was asked of them,
//! or something that was asked of them before, or a lie.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid, MAX_BLOCK_BYTES};
use libp2p::PeerId;

use super::handler::Lost;
use super::message::{Entry, Payload, Presence, Want};
use crate::{Fault, FetchError, What};

/// How long one waits for peers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeekerSettings {
    /// After this, and the time that two messages take, somebody else is asked too.
    pub(crate) late: Duration,
    /// After this without any block, nothing is expected of a peer any more.
    pub(crate) stall: Duration,
    /// How long a peer that stalled is asked after the others.
    pub(crate) rest: Duration,
}

/// How many peers are asked for one block at the same time: one for its bytes, the others whether they have it.
const WIDTH: usize = 8;
/// Who gave a block within this time is asked alone.
const LATELY: Duration = Duration::from_secs(30);
/// Blocks that a peer may send that nobody asked it for.
const UNASKED_MAX: usize = 16;
/// Blocks that a peer may still send, since it was asked for them before.
const OWED_MAX: usize = 1024;
/// Faults that are told of one want.
const FAULTS_MAX: usize = 16;
/// Peers that are remembered for not having been there.
const UNREACHED_MAX: usize = 64;
/// Peers that are remembered for what they did.
const DROPPED_MAX: usize = 4096;

/// Whoever waits for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum SeekerStep {
    /// Tell a peer what is wanted.
    Send(PeerId, Vec<Entry>),
    /// Hash what came, and say what it is by [`Seeker::verified`].
    Verify(PeerId, Vec<Payload>),
    /// Find out who provides a block, connect to them ([`Seeker::dialing`]), and say by [`Seeker::searched`] that it is
    /// done.
    Search(Cid),
    /// Here it is, and who gave it.
    Found(Ticket, PeerId, Block),
    /// It isn't to be had.
    NotFound(Ticket, FetchError),
    /// Have nothing to do with a peer any more.
    Drop(PeerId, What),
}

/// What a payload was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Block(Block),
    /// It has more bytes than a block may have.
    TooLarge(Cid),
    /// Of a hash that nobody computes here.
    Unknown,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Seeker {
    settings: SeekerSettings,
    wants: HashMap<Cid, Sought>,
    tickets: HashMap<Ticket, Cid>,
    peers: HashMap<PeerId, Peer>,
    /// Who isn't asked any more, and why.
    dropped: HashMap<PeerId, What>,
    /// Who couldn't be reached the last time, and why.
    unreached: HashMap<PeerId, What>,
    steps: VecDeque<SeekerStep>,
    /// To whom something is to be said.
    unsaid: VecDeque<PeerId>,
}

/// Something that is wanted.
#[derive(Debug, Default)]
struct Sought {
    tickets: Vec<Ticket>,
    asked: HashMap<PeerId, Ask>,
    search: Search,
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Search {
    #[default]
    NotYet,
    Running,
    Done,
}

/// How it stands with one peer about one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Asked whether it has it.
    Whether(Instant),
    /// It says that it does.
    Has,
    /// Asked for it.
    Block { at: Instant, is_late: bool },
    /// Nothing comes of it.
    Over,
}

impl Ask {
    fn is_pending(self) -> bool {
        self.pending_since().is_some()
    }

    fn pending_since(self) -> Option<Instant> {
        match self {
            Self::Whether(at) | Self::Block { at, .. } => Some(at),
            Self::Has | Self::Over => None,
        }
    }
}

#[derive(Debug)]
struct Peer {
    state: State,
    /// How long a message takes to it and back.
    rtt: Duration,
    /// What it was asked and hasn't answered.
    pending: usize,
    /// What of it is being hashed.
    unverified: usize,
    /// When it gave something last.
    gave_at: Option<Instant>,
    /// When it was asked for the latest of what it gave.
    answered_at: Option<Instant>,
    rests_until: Option<Instant>,
    /// What it was asked for and needn't answer any more, but may.
    owed: VecDeque<Cid>,
    unasked: usize,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dialing,
    Connected,
    /// It is connected, and speaks no Bitswap.
    Mute,
}

impl Peer {
    fn new(state: State) -> Self {
        Self {
            state,
            rtt: Duration::from_millis(500),
            pending: 0,
            unverified: 0,
            gave_at: None,
            answered_at: None,
            rests_until: None,
            owed: VecDeque::new(),
            unasked: 0,
            entries: Vec::new(),
        }
    }

    /// Those that are asked first come first.
    fn order(&self, now: Instant) -> (bool, bool, usize, Duration) {
        let rests = self.rests_until.is_some_and(|until| until > now);
        (rests, !self.gave_lately(now), self.pending, self.rtt)
    }

    fn gave_lately(&self, now: Instant) -> bool {
        self.gave_at
            .is_some_and(|at| now.saturating_duration_since(at) < LATELY)
    }

    fn owe(&mut self, cid: Cid) {
        if self.owed.len() == OWED_MAX {
            self.owed.pop_front();
        }
        self.owed.push_back(cid);
    }

    /// How many blocks it may send.
    fn allowed(&self) -> usize {
        (self.pending + self.owed.len()).saturating_sub(self.unverified)
    }

    /// How long nothing was heard of what was asked for at that time. Who gives one after the other is at work, unless it
    /// leaves something out.
    fn silent(&self, asked_at: Instant, now: Instant) -> Duration {
        let left_out = self
            .answered_at
            .is_some_and(|answered_at| answered_at > asked_at);
        let since = match self.gave_at {
            Some(gave_at) if !left_out => gave_at.max(asked_at),
            _ => asked_at,
        };
        now.saturating_duration_since(since)
    }
}

impl Seeker {
    pub(crate) fn new(settings: SeekerSettings) -> Self {
        Self {
            settings,
            wants: HashMap::new(),
            tickets: HashMap::new(),
            peers: HashMap::new(),
            dropped: HashMap::new(),
            unreached: HashMap::new(),
            steps: VecDeque::new(),
            unsaid: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<SeekerStep> {
        if let Some(step) = self.steps.pop_front() {
            return Some(step);
        }
        while let Some(id) = self.unsaid.pop_front() {
            if let Some(peer) = self.peers.get_mut(&id)
                && !peer.entries.is_empty()
            {
                return Some(SeekerStep::Send(id, std::mem::take(&mut peer.entries)));
            }
        }
        None
    }

    /// True if nothing is wanted.
    pub(crate) fn is_idle(&self) -> bool {
        self.wants.is_empty()
    }

    /// Why a peer isn't asked any more, if it isn't.
    pub(crate) fn dropped(&self, peer: &PeerId) -> Option<&What> {
        self.dropped.get(peer)
    }

    /// Somebody wants a block.
    pub(crate) fn want(&mut self, ticket: Ticket, cid: Cid, now: Instant) {
        self.tickets.insert(ticket, cid);
        let sought = self.wants.entry(cid).or_default();
        sought.tickets.push(ticket);
        if sought.tickets.len() == 1 {
            self.advance(cid, now);
        }
    }

    /// Somebody doesn't want it any more.
    pub(crate) fn unwant(&mut self, ticket: Ticket) {
        let Some(cid) = self.tickets.remove(&ticket) else {
            return;
        };
        let Some(sought) = self.wants.get_mut(&cid) else {
            return;
        };
        sought.tickets.retain(|other| *other != ticket);
        if sought.tickets.is_empty() {
            self.finish(&cid);
        }
    }

    /// A connection to a peer is being made. Wants wait for it before they fail.
    pub(crate) fn dialing(&mut self, id: PeerId) {
        self.peers
            .entry(id)
            .or_insert_with(|| Peer::new(State::Dialing));
    }

    /// There is a connection to a peer.
    pub(crate) fn connected(&mut self, id: PeerId, now: Instant) {
        if self.dropped.contains_key(&id) {
            return;
        }
        let peer = self
            .peers
            .entry(id)
            .or_insert_with(|| Peer::new(State::Connected));
        peer.state = State::Connected;
        self.unreached.remove(&id);
        self.advance_all(now);
    }

    /// There is no connection to a peer, or not any more.
    pub(crate) fn disconnected(&mut self, id: PeerId, what: &What, now: Instant) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        if peer.state == State::Dialing && self.unreached.len() < UNREACHED_MAX {
            self.unreached.insert(id, what.clone());
        }
        self.give_up(id, what, now);
    }

    /// What was said to a peer didn't reach it.
    pub(crate) fn lost(&mut self, id: PeerId, lost: &Lost, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let what = match lost {
            Lost::Unsupported => {
                peer.state = State::Mute;
                What::Mute
            }
            Lost::Broke(cause) => {
                peer.rests_until = Some(now + self.settings.rest);
                let cause = cause.clone();
                What::BrokeOff { bytes: 0, cause }
            }
        };
        peer.pending = 0;
        peer.entries.clear();
        for sought in self.wants.values_mut() {
            if let Some(ask) = sought.asked.get_mut(&id)
                && std::mem::replace(ask, Ask::Over).is_pending()
            {
                sought.blame(id, what.clone());
            }
        }
        self.advance_all(now);
    }

    /// How long a message takes to a peer and back.
    pub(crate) fn took(&mut self, id: &PeerId, rtt: Duration) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.rtt = rtt;
        }
    }

    /// What a peer did is no way to behave.
    pub(crate) fn drop_peer(&mut self, id: PeerId, what: What, now: Instant) {
        if self.dropped.len() == DROPPED_MAX {
            // Whoever it is gets another chance.
            let one = self.dropped.keys().next().copied();
            one.and_then(|one| self.dropped.remove(&one));
        }
        self.dropped.insert(id, what.clone());
        self.steps.push_back(SeekerStep::Drop(id, what.clone()));
        self.peers.remove(&id);
        self.give_up(id, &what, now);
    }

    /// A message came.
    pub(crate) fn received(
        &mut self,
        id: PeerId,
        presences: Vec<Presence>,
        mut payloads: Vec<Payload>,
        now: Instant,
    ) {
        for presence in presences {
            self.heard(id, presence, now);
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let count = payloads.len();
        payloads.truncate(peer.allowed());
        peer.unasked += count - payloads.len();
        peer.unverified += payloads.len();
        if peer.unasked > UNASKED_MAX {
            let blocks = peer.unasked;
            self.drop_peer(id, What::Flooded { blocks }, now);
        } else if !payloads.is_empty() {
            self.steps.push_back(SeekerStep::Verify(id, payloads));
        }
    }

    fn heard(&mut self, id: PeerId, presence: Presence, now: Instant) {
        let Some(sought) = self.wants.get_mut(&presence.cid) else {
            return;
        };
        let Some(ask) = sought.asked.get_mut(&id) else {
            return;
        };
        match (*ask, presence.has) {
            (Ask::Whether(_), true) => *ask = Ask::Has,
            (Ask::Whether(_) | Ask::Block { .. }, false) => {
                *ask = Ask::Over;
                sought.blame(id, What::Lacks);
            }
            _ => return,
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.pending -= 1;
        }
        self.advance(presence.cid, now);
    }

    /// What a peer sent was hashed.
    pub(crate) fn verified(&mut self, id: PeerId, all: Vec<Checked>, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.unverified -= all.len().min(peer.unverified);
        }
        for checked in all {
            let cid = match &checked {
                Checked::Block(block) => Some(*block.cid()),
                Checked::TooLarge(cid) => Some(*cid),
                Checked::Unknown => None,
            };
            match cid.filter(|cid| self.wants.contains_key(cid)) {
                Some(cid) => self.came(id, &cid, checked, now),
                None => self.came_unwanted(id, cid, now),
            }
        }
    }

    /// Something came that is wanted.
    fn came(&mut self, id: PeerId, cid: &Cid, checked: Checked, now: Instant) {
        let Checked::Block(block) = checked else {
            self.over(
                id,
                cid,
                What::TooMuch {
                    bytes_max: MAX_BLOCK_BYTES as u64,
                },
                now,
            );
            return;
        };
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.gave_at = Some(now);
            peer.rests_until = None;
        }
        if let Some(sought) = self.wants.get_mut(cid)
            && let Some(ask) = sought.asked.get_mut(&id)
        {
            if let (Some(at), Some(peer)) = (ask.pending_since(), self.peers.get_mut(&id)) {
                peer.pending -= 1;
                peer.answered_at = peer.answered_at.max(Some(at));
            }
            *ask = Ask::Over;
        }
        for ticket in self.finish(cid) {
            self.steps
                .push_back(SeekerStep::Found(ticket, id, block.clone()));
        }
    }

    /// Something came that isn't wanted: late, or a lie.
    fn came_unwanted(&mut self, id: PeerId, cid: Option<Cid>, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let place = peer.owed.iter().position(|owed| Some(*owed) == cid);
        if let Some(place) = place {
            peer.owed.remove(place);
            return;
        }
        match self.wants.iter().find(|(_, sought)| sought.is_asked(&id)) {
            Some((cid, _)) => self.drop_peer(id, What::Lied { cid: *cid }, now),
            None => peer.unasked += 1,
        }
    }

    /// It is known now who provides a block.
    pub(crate) fn searched(&mut self, cid: Cid, now: Instant) {
        if let Some(sought) = self.wants.get_mut(&cid) {
            sought.search = Search::Done;
            self.advance(cid, now);
        }
    }

    /// Time passes.
    pub(crate) fn tick(&mut self, now: Instant) {
        let mut late = Vec::new();
        let mut stalled = Vec::new();
        for (cid, sought) in &mut self.wants {
            for (id, ask) in &mut sought.asked {
                let Some(peer) = self.peers.get(id) else {
                    continue;
                };
                let Some(at) = ask.pending_since() else {
                    continue;
                };
                let silent = peer.silent(at, now);
                if silent >= self.settings.stall {
                    stalled.push((*id, *cid));
                } else if let Ask::Block { is_late, .. } = ask
                    && !*is_late
                    && silent >= self.settings.late + 2 * peer.rtt
                {
                    *is_late = true;
                    late.push(*cid);
                }
            }
        }
        for (id, cid) in stalled {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.rests_until = Some(now + self.settings.rest);
            }
            self.over(id, &cid, What::TimedOut(self.settings.stall), now);
        }
        for cid in late {
            self.advance(cid, now);
        }
    }

    /// Expects a block of a peer no longer.
    fn over(&mut self, id: PeerId, cid: &Cid, what: What, now: Instant) {
        let Some(sought) = self.wants.get_mut(cid) else {
            return;
        };
        let was = sought.asked.insert(id, Ask::Over);
        sought.blame(id, what);
        if was.is_some_and(Ask::is_pending) {
            self.cancel(id, *cid);
        }
        self.advance(*cid, now);
    }

    /// Expects nothing of a peer any more.
    fn give_up(&mut self, id: PeerId, what: &What, now: Instant) {
        for sought in self.wants.values_mut() {
            if sought.asked.remove(&id).is_some_and(Ask::is_pending) {
                sought.blame(id, what.clone());
            }
        }
        self.advance_all(now);
    }

    fn cancel(&mut self, id: PeerId, cid: Cid) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.pending -= 1;
            peer.owe(cid);
            self.say(id, cid, Want::Cancel);
        }
    }

    fn say(&mut self, id: PeerId, cid: Cid, want: Want) {
        if let Some(peer) = self.peers.get_mut(&id) {
            if peer.entries.is_empty() {
                self.unsaid.push_back(id);
            }
            peer.entries.push(Entry { cid, want });
        }
    }

    /// Wants it no longer, tells those who were asked, and returns who wanted it.
    fn finish(&mut self, cid: &Cid) -> Vec<Ticket> {
        let Some(sought) = self.wants.remove(cid) else {
            return Vec::new();
        };
        for (id, ask) in &sought.asked {
            if ask.is_pending() {
                self.cancel(*id, *cid);
            }
        }
        for ticket in &sought.tickets {
            self.tickets.remove(ticket);
        }
        sought.tickets
    }

    fn advance_all(&mut self, now: Instant) {
        let all: Vec<Cid> = self.wants.keys().copied().collect();
        for cid in all {
            self.advance(cid, now);
        }
    }

    /// Does what is next for one want.
    fn advance(&mut self, cid: Cid, now: Instant) {
        let Some(sought) = self.wants.get(&cid) else {
            return;
        };
        if sought.is_coming() {
            return;
        }
        let first = |ids: Vec<PeerId>| ids.into_iter().min_by_key(|id| self.peers[id].order(now));
        if let Some(id) = first(self.who_has(sought)) {
            return self.ask(id, cid, Want::Block { tell: true }, now);
        }
        let mut fresh = self.who_may(sought);
        if !fresh.is_empty() {
            fresh.sort_by_key(|id| self.peers[id].order(now));
            fresh.truncate(match self.peers[&fresh[0]].gave_lately(now) {
                true => 1,
                false => WIDTH,
            });
            for (at, id) in fresh.into_iter().enumerate() {
                let want = match at {
                    0 => Want::Block { tell: true },
                    _ => Want::Have { tell: true },
                };
                self.ask(id, cid, want, now);
            }
            return;
        }
        if sought.is_waiting() || self.peers.values().any(|peer| peer.state == State::Dialing) {
            return;
        }
        self.nobody_left(cid);
    }

    fn nobody_left(&mut self, cid: Cid) {
        let Some(sought) = self.wants.get_mut(&cid) else {
            return;
        };
        match sought.search {
            Search::NotYet => {
                sought.search = Search::Running;
                self.steps.push_back(SeekerStep::Search(cid));
            }
            Search::Running => {}
            Search::Done => {
                for (id, what) in &self.unreached {
                    sought.blame(*id, what.clone());
                }
                let faults = std::mem::take(&mut sought.faults);
                let error = match faults.is_empty() {
                    true => FetchError::NoProvider { cid },
                    false => FetchError::Nowhere { cid, faults },
                };
                for ticket in self.finish(&cid) {
                    let step = SeekerStep::NotFound(ticket, error.clone());
                    self.steps.push_back(step);
                }
            }
        }
    }

    fn who_has(&self, sought: &Sought) -> Vec<PeerId> {
        let have = sought.asked.iter().filter(|(_, ask)| **ask == Ask::Has);
        let have = have.map(|(id, _)| *id);
        have.filter(|id| self.peers.contains_key(id)).collect()
    }

    /// Who wasn't asked yet.
    fn who_may(&self, sought: &Sought) -> Vec<PeerId> {
        let connected = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.state == State::Connected);
        let unasked = connected.filter(|(id, _)| !sought.asked.contains_key(id));
        unasked.map(|(id, _)| *id).collect()
    }

    fn ask(&mut self, id: PeerId, cid: Cid, want: Want, now: Instant) {
        let (Some(sought), Some(peer)) = (self.wants.get_mut(&cid), self.peers.get_mut(&id)) else {
            return;
        };
        let ask = match want {
            Want::Have { .. } => Ask::Whether(now),
            _ => Ask::Block {
                at: now,
                is_late: false,
            },
        };
        sought.asked.insert(id, ask);
        peer.pending += 1;
        self.say(id, cid, want);
    }
}

impl Sought {
    /// Somebody was asked for it, and there is no reason yet to ask somebody else.
    fn is_coming(&self) -> bool {
        let mut asks = self.asked.values();
        asks.any(|ask| matches!(ask, Ask::Block { is_late: false, .. }))
    }

    /// Somebody may still answer.
    fn is_waiting(&self) -> bool {
        self.asked.values().any(|ask| ask.is_pending())
    }

    fn is_asked(&self, id: &PeerId) -> bool {
        self.asked.get(id).is_some_and(|ask| ask.is_pending())
    }

    fn blame(&mut self, id: PeerId, what: What) {
        if self.faults.len() < FAULTS_MAX {
            let provider = id.to_string().into();
            self.faults.push(Fault { provider, what });
        }
    }
}

#[cfg(test)]
mod tests;
