//! What peers want of us.
//!
//! Each peer has a list, and is given of it in turn: as much as a message holds is looked up, sent, and the next is looked
//! up when that is on its way. So whoever wants much waits for themselves and not for others, and whoever takes nothing
//! holds up nobody.
//!
//! What isn't there stays on the list if the peer doesn't want to be told, since it may come.

use std::collections::{BTreeMap, HashMap, VecDeque};

use homestar_core::ipld::{Block, Cid};
use libp2p::PeerId;

use super::message::{Entry, Message, Payload, Prefix, Presence, Want};

/// Things that one peer may want at one time. Others have the same limit.
const WANTS_MAX: usize = 1024;
/// Things that one peer may wait for.
const AWAITED_MAX: usize = 256;
/// Wants that are looked up at one time, for one message.
const LOOK_MAX: usize = 64;
/// Messages to one peer that are on their way.
const UNSENT_MAX: usize = 2;
/// Peers for whom something is looked up at one time.
const LOOKS_MAX: usize = 4;
/// Bytes of blocks in one message, but for the last.
pub(crate) const MESSAGE_BYTES: usize = 256 << 10;
/// A block of so few bytes is sent at once to who asks whether it is there.
const SMALL_BYTES: u64 = 1024;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum GiverStep {
    /// Look these up for a peer, by [`Asked::look`], and say by [`Giver::looked`] what is there.
    Look(PeerId, Vec<Asked>),
    /// Send it.
    Send(PeerId, Message),
}

/// Something that a peer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) cid: Cid,
    /// It wants the bytes, and not only to know.
    wants_block: bool,
    /// It wants to know if it isn't there.
    tell: bool,
    /// Where it is on the list.
    place: u64,
}

/// What is there of something that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Lacks,
    Has,
    Block(Block),
    /// It wasn't looked up, since the message is full.
    Later,
}

impl Asked {
    /// Looks them up, until a message is full.
    pub(crate) fn look(
        all: &[Self],
        size: impl Fn(&Cid) -> Option<u64>,
        get: impl Fn(&Cid) -> Option<Block>,
    ) -> Vec<Answer> {
        let mut bytes = 0;
        let look = |asked: &Self| {
            if bytes >= MESSAGE_BYTES {
                return Answer::Later;
            }
            let is_wanted = asked.wants_block
                || match size(&asked.cid) {
                    None => return Answer::Lacks,
                    Some(size) => size <= SMALL_BYTES,
                };
            match is_wanted {
                false => Answer::Has,
                true => get(&asked.cid).map_or(Answer::Lacks, |block| {
                    bytes += block.bytes().len();
                    Answer::Block(block)
                }),
            }
        };
        all.iter().map(look).collect()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Giver {
    peers: HashMap<PeerId, Client>,
    /// Whose turn it is.
    turns: VecDeque<PeerId>,
    looks: usize,
    steps: VecDeque<GiverStep>,
}

#[derive(Debug, Default)]
struct Client {
    list: BTreeMap<u64, Asked>,
    places: HashMap<Cid, u64>,
    next_place: u64,
    /// What it waits for.
    awaited: HashMap<Cid, Asked>,
    /// What it isn't given although it is there, for all that is known.
    refused: Vec<Cid>,
    is_looking: bool,
    unsent: usize,
    has_turn: bool,
}

impl Client {
    fn take(&mut self, entry: &Entry) {
        let (wants_block, tell) = match entry.want {
            Want::Cancel => return self.forget(&entry.cid),
            Want::Block { tell } => (true, tell),
            Want::Have { tell } => (false, tell),
        };
        self.awaited.remove(&entry.cid);
        if let Some(asked) = self
            .places
            .get(&entry.cid)
            .and_then(|at| self.list.get_mut(at))
        {
            asked.wants_block |= wants_block;
            asked.tell = tell;
            return;
        }
        if self.list.len() == WANTS_MAX {
            if tell && self.refused.len() < WANTS_MAX {
                self.refused.push(entry.cid);
            }
            return;
        }
        self.next_place += 1;
        self.put(Asked {
            cid: entry.cid,
            wants_block,
            tell,
            place: self.next_place,
        });
    }

    fn put(&mut self, asked: Asked) {
        self.places.insert(asked.cid, asked.place);
        self.list.insert(asked.place, asked);
    }

    fn forget(&mut self, cid: &Cid) {
        self.awaited.remove(cid);
        if let Some(place) = self.places.remove(cid) {
            self.list.remove(&place);
        }
    }

    fn next(&mut self) -> Vec<Asked> {
        let mut all = Vec::new();
        while all.len() < LOOK_MAX
            && let Some((_, asked)) = self.list.pop_first()
        {
            self.places.remove(&asked.cid);
            all.push(asked);
        }
        all
    }

    fn is_ready(&self) -> bool {
        let has_work = !self.list.is_empty() || !self.refused.is_empty();
        has_work && !self.is_looking && self.unsent < UNSENT_MAX
    }
}

impl Giver {
    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<GiverStep> {
        if self.steps.is_empty() {
            self.pump();
        }
        self.steps.pop_front()
    }

    /// A peer says what it wants.
    pub(crate) fn received(&mut self, id: PeerId, entries: &[Entry], is_full: bool) {
        if entries.is_empty() && !is_full {
            return;
        }
        let client = self.peers.entry(id).or_default();
        if is_full {
            client.list.clear();
            client.places.clear();
            client.awaited.clear();
        }
        entries.iter().for_each(|entry| client.take(entry));
        self.line_up(id);
    }

    /// Something was looked up: the answers, in the order in which it was asked for.
    pub(crate) fn looked(&mut self, id: PeerId, all: Vec<Asked>, answers: Vec<Answer>) {
        self.looks = self.looks.saturating_sub(1);
        let Some(client) = self.peers.get_mut(&id) else {
            return;
        };
        client.is_looking = false;
        let mut message = Message::default();
        let presence = |cid, has| Presence { cid, has };
        for cid in client.refused.drain(..) {
            message.presences.push(presence(cid, false));
        }
        for (asked, answer) in all.into_iter().zip(answers) {
            match answer {
                // It was asked for again meanwhile.
                Answer::Later if client.places.contains_key(&asked.cid) => {}
                Answer::Later => client.put(asked),
                Answer::Has => message.presences.push(presence(asked.cid, true)),
                Answer::Lacks if asked.tell => message.presences.push(presence(asked.cid, false)),
                Answer::Lacks if client.awaited.len() < AWAITED_MAX => {
                    client.awaited.insert(asked.cid, asked);
                }
                Answer::Lacks => {}
                Answer::Block(block) => {
                    let prefix = Prefix::of(block.cid());
                    let data = block.into_parts().1;
                    message.payloads.push(Payload { prefix, data });
                }
            }
        }
        if !message.is_empty() {
            client.unsent += 1;
            self.steps.push_back(GiverStep::Send(id, message));
        }
        self.line_up(id);
    }

    /// A message to a peer is on its way.
    pub(crate) fn sent(&mut self, id: PeerId) {
        if let Some(client) = self.peers.get_mut(&id) {
            client.unsent = client.unsent.saturating_sub(1);
            self.line_up(id);
        }
    }

    /// What was to be sent to a peer is lost. It asks again for what it still wants.
    pub(crate) fn lost(&mut self, id: PeerId) {
        if let Some(client) = self.peers.get_mut(&id) {
            client.unsent = 0;
            self.line_up(id);
        }
    }

    /// A peer is gone, and its list with it.
    pub(crate) fn gone(&mut self, id: &PeerId) {
        self.peers.remove(id);
    }

    /// Looks once more for what peers wait for.
    pub(crate) fn look_again(&mut self) {
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            let Some(client) = self.peers.get_mut(&id) else {
                continue;
            };
            let awaited = std::mem::take(&mut client.awaited);
            for asked in awaited.into_values() {
                match client.list.len() < WANTS_MAX && !client.places.contains_key(&asked.cid) {
                    true => client.put(asked),
                    false => continue,
                }
            }
            self.line_up(id);
        }
    }

    fn line_up(&mut self, id: PeerId) {
        if let Some(client) = self.peers.get_mut(&id)
            && client.is_ready()
            && !client.has_turn
        {
            client.has_turn = true;
            self.turns.push_back(id);
        }
    }

    fn pump(&mut self) {
        while self.looks < LOOKS_MAX
            && let Some(id) = self.turns.pop_front()
        {
            let Some(client) = self.peers.get_mut(&id) else {
                continue;
            };
            client.has_turn = false;
            if client.is_ready() {
                client.is_looking = true;
                self.looks += 1;
                self.steps.push_back(GiverStep::Look(id, client.next()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u32) -> Block {
        Block::raw(number.to_be_bytes().repeat(1000))
    }

    fn entries(numbers: std::ops::Range<u32>, want: Want) -> Vec<Entry> {
        let entry = |number| Entry {
            cid: *block(number).cid(),
            want,
        };
        numbers.map(entry).collect()
    }

    const BLOCK: Want = Want::Block { tell: true };

    /// Does what is to be done with blocks of these numbers, and returns what was sent, until nothing more is to be done.
    fn run(giver: &mut Giver, kept: std::ops::Range<u32>) -> Vec<(PeerId, Message)> {
        let kept: HashMap<Cid, Block> = kept.map(|at| (*block(at).cid(), block(at))).collect();
        let mut sent = Vec::new();
        while let Some(step) = giver.poll() {
            match step {
                GiverStep::Look(id, all) => {
                    let size = |cid: &Cid| kept.get(cid).map(|block| block.bytes().len() as u64);
                    let answers = Asked::look(&all, size, |cid| kept.get(cid).cloned());
                    giver.looked(id, all, answers);
                }
                GiverStep::Send(id, message) => {
                    sent.push((id, message));
                    giver.sent(id);
                }
            }
        }
        sent
    }

    #[test]
    fn who_wants_blocks_gets_them_in_order() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        giver.received(peer, &entries(0..100, BLOCK), false);
        let sent = run(&mut giver, 0..100);
        // Each holds no more than a message should.
        assert!(sent.len() > 1);
        let payloads = sent.into_iter().flat_map(|(_, message)| message.payloads);
        let came: Vec<Block> = payloads
            .map(|payload| Block::raw(payload.data.to_vec()))
            .collect();
        assert_eq!(came, (0..100).map(block).collect::<Vec<_>>());
    }

    #[test]
    fn who_asks_is_told() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        giver.received(peer, &entries(0..2, Want::Have { tell: true }), false);
        giver.received(peer, &entries(2..3, BLOCK), false);
        let sent = run(&mut giver, 0..1);
        let presences = sent.into_iter().flat_map(|(_, message)| message.presences);
        let has: Vec<bool> = presences.map(|presence| presence.has).collect();
        assert_eq!(has, [true, false, false]);
    }

    #[test]
    fn a_small_block_comes_at_once() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        let small = Block::raw(b"small".to_vec());
        let want = Want::Have { tell: true };
        let entry = Entry {
            cid: *small.cid(),
            want,
        };
        giver.received(peer, &[entry], false);
        let Some(GiverStep::Look(_, all)) = giver.poll() else {
            panic!("nothing is looked up");
        };
        let answers = Asked::look(&all, |_| Some(5), |_| Some(small.clone()));
        assert_eq!(answers, [Answer::Block(small)]);
    }

    #[test]
    fn who_waits_gets_it_when_it_is_there() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        giver.received(peer, &entries(0..1, Want::Block { tell: false }), false);
        assert_eq!(run(&mut giver, 0..0), []);
        giver.look_again();
        assert_eq!(run(&mut giver, 0..0), []);
        giver.look_again();
        assert_eq!(run(&mut giver, 0..1).len(), 1);
        giver.look_again();
        assert_eq!(run(&mut giver, 0..1), []);
    }

    #[test]
    fn what_is_cancelled_is_not_sent() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        giver.received(peer, &entries(0..3, BLOCK), false);
        giver.received(peer, &entries(0..2, Want::Cancel), false);
        let sent = run(&mut giver, 0..3);
        assert_eq!(sent[0].1.payloads.len(), 1);
        // A full list takes the place of the one before.
        giver.received(peer, &entries(0..3, BLOCK), false);
        giver.received(peer, &[], true);
        assert_eq!(run(&mut giver, 0..3), []);
    }

    #[test]
    fn a_list_has_an_end() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        let many = WANTS_MAX as u32 + 10;
        giver.received(peer, &entries(0..many, BLOCK), false);
        let sent = run(&mut giver, 0..many);
        let blocks: usize = sent.iter().map(|(_, message)| message.payloads.len()).sum();
        let refused: usize = sent
            .iter()
            .map(|(_, message)| message.presences.len())
            .sum();
        assert_eq!((blocks, refused), (WANTS_MAX, 10));
    }

    #[test]
    fn who_wants_much_holds_up_nobody() {
        let mut giver = Giver::default();
        let (greedy, modest) = (PeerId::random(), PeerId::random());
        giver.received(greedy, &entries(0..1000, BLOCK), false);
        giver.received(modest, &entries(0..1, BLOCK), false);
        let sent = run(&mut giver, 0..1000);
        let place = sent.iter().position(|(id, _)| *id == modest);
        assert!(place.is_some_and(|place| place < 3), "{place:?}");
    }

    #[test]
    fn who_takes_nothing_is_looked_up_nothing() {
        let (mut giver, peer) = (Giver::default(), PeerId::random());
        giver.received(peer, &entries(0..1000, BLOCK), false);
        let mut messages = 0;
        while let Some(step) = giver.poll() {
            match step {
                GiverStep::Look(id, all) => {
                    let answers = Asked::look(
                        &all,
                        |_| None,
                        |cid| {
                            let find = |at| (block(at).cid() == cid).then(|| block(at));
                            (0..1000).find_map(find)
                        },
                    );
                    giver.looked(id, all, answers);
                }
                // It never arrives.
                GiverStep::Send(..) => messages += 1,
            }
        }
        assert_eq!(messages, UNSENT_MAX);
        giver.gone(&peer);
        assert_eq!(giver.poll(), None);
    }
}
