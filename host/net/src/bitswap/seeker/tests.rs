use std::collections::HashSet;

use super::super::message::Prefix;
use super::*;

/// A seeker, some peers, and make-believe time.
struct Stage {
    seeker: Seeker,
    now: Instant,
    tickets: u64,
    /// What was said to whom, the last at the end.
    said: Vec<(PeerId, Entry)>,
    ended: Vec<(Ticket, Result<Block, FetchError>)>,
    dropped: Vec<(PeerId, What)>,
    searches: Vec<Cid>,
}

const SETTINGS: SeekerSettings = SeekerSettings {
    late: Duration::from_secs(1),
    stall: Duration::from_secs(20),
    rest: Duration::from_secs(20),
};

fn block(number: u8) -> Block {
    Block::raw(vec![number; 100])
}

fn cid(number: u8) -> Cid {
    *block(number).cid()
}

fn payload(block: &Block) -> Payload {
    Payload {
        prefix: Prefix::of(block.cid()),
        data: block.bytes().to_vec().into(),
    }
}

impl Stage {
    fn new() -> Self {
        Self {
            seeker: Seeker::new(SETTINGS),
            now: Instant::now(),
            tickets: 0,
            said: Vec::new(),
            ended: Vec::new(),
            dropped: Vec::new(),
            searches: Vec::new(),
        }
    }

    /// With so many peers that are connected.
    fn with<const N: usize>() -> (Self, [PeerId; N]) {
        let mut stage = Self::new();
        let peers = std::array::from_fn(|_| PeerId::random());
        for (at, peer) in peers.iter().enumerate() {
            stage.seeker.connected(*peer, stage.now);
            // The first is the quickest.
            stage
                .seeker
                .took(peer, Duration::from_millis(10 + at as u64));
        }
        (stage, peers)
    }

    fn want(&mut self, number: u8) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.seeker.want(ticket, cid(number), self.now);
        self.steps();
        ticket
    }

    fn steps(&mut self) {
        while let Some(step) = self.seeker.poll() {
            match step {
                SeekerStep::Send(id, entries) => {
                    self.said
                        .extend(entries.into_iter().map(|entry| (id, entry)));
                }
                SeekerStep::Verify(id, payloads) => {
                    let checked = payloads.into_iter().map(|payload| match payload.prefix {
                        Prefix::V1 { codec } => Checked::Block(Block::new(codec, payload.data)),
                        _ => Checked::Unknown,
                    });
                    let checked = checked.collect();
                    self.seeker.verified(id, checked, self.now);
                }
                SeekerStep::Search(cid) => self.searches.push(cid),
                SeekerStep::Found(ticket, _, block) => self.ended.push((ticket, Ok(block))),
                SeekerStep::NotFound(ticket, error) => self.ended.push((ticket, Err(error))),
                SeekerStep::Drop(id, what) => self.dropped.push((id, what)),
            }
        }
    }

    fn comes(&mut self, id: PeerId, blocks: &[Block]) {
        let payloads = blocks.iter().map(payload).collect();
        self.seeker.received(id, Vec::new(), payloads, self.now);
        self.steps();
    }

    fn says(&mut self, id: PeerId, number: u8, has: bool) {
        let presence = Presence {
            cid: cid(number),
            has,
        };
        self.seeker
            .received(id, vec![presence], Vec::new(), self.now);
        self.steps();
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.seeker.tick(self.now);
        self.steps();
    }

    /// What was said since this was asked the last time, as letters: block, have, cancel.
    fn heard(&mut self, id: PeerId) -> String {
        let letter = |entry: &Entry| match entry.want {
            Want::Block { .. } => 'b',
            Want::Have { .. } => 'h',
            Want::Cancel => 'c',
        };
        let (his, others) = std::mem::take(&mut self.said)
            .into_iter()
            .partition(|(to, _)| *to == id);
        self.said = others;
        let his: Vec<(PeerId, Entry)> = his;
        his.iter().map(|(_, entry)| letter(entry)).collect()
    }

    fn what(&self, ticket: Ticket) -> Vec<What> {
        let end = self.ended.iter().find(|(other, _)| *other == ticket);
        match end {
            Some((_, Err(FetchError::Nowhere { faults, .. }))) => {
                faults.iter().map(|fault| fault.what.clone()).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_quickest_is_asked_for_it_and_the_others_whether_they_have_it() {
    let (mut stage, [first, second]) = Stage::with();
    let ticket = stage.want(1);
    assert_eq!(
        (stage.heard(first), stage.heard(second)),
        ("b".into(), "h".into())
    );
    stage.comes(first, &[block(1)]);
    assert_eq!(stage.ended, [(ticket, Ok(block(1)))]);
    assert_eq!(stage.heard(second), "c");
    // It gave something, so the next time it is asked alone.
    stage.want(2);
    assert_eq!(
        (stage.heard(first), stage.heard(second)),
        ("b".into(), "".into())
    );
}

#[test]
fn who_doesnt_have_it_is_followed_by_who_has() {
    let (mut stage, [first, second, third]) = Stage::with();
    let ticket = stage.want(1);
    stage.says(second, 1, false);
    stage.says(third, 1, true);
    assert_eq!(stage.heard(third), "h");
    stage.says(first, 1, false);
    assert_eq!(stage.heard(third), "b");
    stage.comes(third, &[block(1)]);
    assert_eq!(stage.ended, [(ticket, Ok(block(1)))]);
}

#[test]
fn what_nobody_has_is_searched_for_and_then_given_up() {
    let (mut stage, [only]) = Stage::with();
    let ticket = stage.want(1);
    stage.says(only, 1, false);
    assert_eq!(stage.searches, [cid(1)]);
    assert!(stage.ended.is_empty());
    // Somebody is found, and it isn't there either.
    let found = PeerId::random();
    stage.seeker.dialing(found);
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    assert!(stage.ended.is_empty());
    let cause = What::Unreachable("refused".into());
    stage.seeker.disconnected(found, &cause, stage.now);
    stage.steps();
    let unreachable = What::Unreachable("refused".into());
    assert_eq!(stage.what(ticket), [What::Lacks, unreachable]);
}

#[test]
fn who_is_being_dialed_is_waited_for() {
    let mut stage = Stage::new();
    let peer = PeerId::random();
    stage.seeker.dialing(peer);
    stage.want(1);
    assert!(stage.searches.is_empty());
    stage.seeker.connected(peer, stage.now);
    stage.steps();
    assert_eq!(stage.heard(peer), "b");
}

/// Also if that was over before something was wanted.
#[test]
fn who_couldnt_be_reached_is_named() {
    let mut stage = Stage::new();
    let peer = PeerId::random();
    let unreachable = What::Unreachable("refused".into());
    stage.seeker.dialing(peer);
    stage.seeker.disconnected(peer, &unreachable, stage.now);
    let ticket = stage.want(1);
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    assert_eq!(stage.what(ticket), [unreachable]);
}

#[test]
fn with_nobody_there_it_is_said() {
    let mut stage = Stage::new();
    let ticket = stage.want(1);
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    let error = FetchError::NoProvider { cid: cid(1) };
    assert_eq!(stage.ended, [(ticket, Err(error))]);
}

#[test]
fn a_liar_is_dropped_and_another_asked() {
    let (mut stage, [liar, honest]) = Stage::with();
    let ticket = stage.want(1);
    stage.comes(liar, &[block(9)]);
    assert_eq!(stage.dropped, [(liar, What::Lied { cid: cid(1) })]);
    stage.says(honest, 1, true);
    stage.comes(honest, &[block(1)]);
    assert_eq!(stage.ended, [(ticket, Ok(block(1)))]);
    // It may come back, and isn't asked.
    stage.seeker.connected(liar, stage.now);
    stage.want(2);
    assert_eq!(stage.heard(liar), "b");
}

#[test]
fn who_is_late_isnt_waited_for_alone() {
    let (mut stage, [late, other]) = Stage::with();
    stage.want(1);
    stage.says(other, 1, true);
    assert_eq!(stage.heard(other), "h");
    stage.wait(2);
    assert_eq!(stage.heard(other), "b");
    stage.comes(other, &[block(1)]);
    assert_eq!(stage.heard(late), "bc");
    // What comes late isn't held against it, nor hashed for nothing more than once.
    stage.comes(late, &[block(1)]);
    assert!(stage.dropped.is_empty());
}

#[test]
fn who_stalls_is_given_up() {
    let (mut stage, [silent]) = Stage::with();
    let ticket = stage.want(1);
    stage.wait(20);
    assert_eq!(stage.searches, [cid(1)]);
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    assert_eq!(stage.what(ticket), [What::TimedOut(SETTINGS.stall)]);
    assert_eq!(stage.heard(silent), "bc");
}

#[test]
fn who_gives_one_after_the_other_isnt_late() {
    let (mut stage, [slow, other]) = Stage::with();
    for number in 0..40 {
        stage.want(number);
    }
    stage.heard(other);
    for number in 0..40 {
        stage.wait(1);
        stage.comes(slow, &[block(number)]);
    }
    assert_eq!(stage.ended.len(), 40);
    assert!(!stage.heard(other).contains('b'));
}

#[test]
fn who_leaves_something_out_is_late_with_it() {
    let (mut stage, [peer, other]) = Stage::with();
    stage.want(0);
    stage.wait(0);
    for number in 1..30 {
        stage.now += Duration::from_millis(100);
        stage.want(number);
        stage.comes(peer, &[block(number)]);
    }
    assert!(!stage.heard(other).contains('b'));
    stage.says(other, 0, true);
    stage.wait(0);
    assert_eq!(stage.heard(other), "b");
}

#[test]
fn a_peer_that_takes_nothing_isnt_asked_for_ever() {
    let (mut stage, [broken]) = Stage::with();
    let ticket = stage.want(1);
    let cause = "reset".to_owned();
    stage
        .seeker
        .lost(broken, &Lost::Broke(cause.clone()), stage.now);
    stage.steps();
    assert_eq!(stage.heard(broken), "b");
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    assert_eq!(stage.what(ticket), [What::BrokeOff { bytes: 0, cause }]);
}

#[test]
fn who_floods_is_dropped_without_a_look() {
    let (mut stage, [flood]) = Stage::with();
    let many: Vec<Block> = (0..UNASKED_MAX as u8).map(block).collect();
    stage.comes(flood, &many);
    assert!(stage.dropped.is_empty());
    stage.comes(flood, &[block(0)]);
    let what = What::Flooded {
        blocks: UNASKED_MAX + 1,
    };
    assert_eq!(stage.dropped, [(flood, what)]);
}

#[test]
fn of_a_flood_no_more_is_hashed_than_was_asked_for() {
    let (mut stage, [peer]) = Stage::with();
    stage.want(1);
    stage.steps();
    let many: Vec<Payload> = (1..10).map(|number| payload(&block(number))).collect();
    stage.seeker.received(peer, Vec::new(), many, stage.now);
    match stage.seeker.poll() {
        Some(SeekerStep::Verify(_, payloads)) => assert_eq!(payloads.len(), 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_block_instead_of_have_is_right() {
    let (mut stage, [first, second]) = Stage::with();
    let ticket = stage.want(1);
    stage.comes(second, &[block(1)]);
    assert_eq!(stage.ended, [(ticket, Ok(block(1)))]);
    assert_eq!(stage.heard(first), "bc");
    assert!(stage.dropped.is_empty());
}

#[test]
fn who_is_gone_is_followed_by_others() {
    let (mut stage, [first, second]) = Stage::with();
    let ticket = stage.want(1);
    let cause = What::BrokeOff {
        bytes: 0,
        cause: "reset".into(),
    };
    stage.seeker.disconnected(first, &cause, stage.now);
    stage.says(second, 1, true);
    assert_eq!(stage.heard(second), "hb");
    // It comes back, and the other is gone.
    stage.seeker.connected(first, stage.now);
    stage.seeker.disconnected(second, &cause, stage.now);
    stage.steps();
    assert_eq!(stage.heard(first), "bb");
    stage.comes(first, &[block(1)]);
    assert_eq!(stage.ended, [(ticket, Ok(block(1)))]);
}

#[test]
fn who_is_mute_is_not_asked() {
    let (mut stage, [mute]) = Stage::with();
    let ticket = stage.want(1);
    stage.seeker.lost(mute, &Lost::Unsupported, stage.now);
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    assert_eq!(stage.what(ticket), [What::Mute]);
    stage.heard(mute);
    stage.want(2);
    assert_eq!(stage.heard(mute), "");
}

#[test]
fn several_are_asked_side_by_side() {
    let (mut stage, [first, second]) = Stage::with();
    stage.want(0);
    stage.want(1);
    stage.comes(first, &[block(0)]);
    stage.comes(second, &[block(1)]);
    stage.heard(first);
    stage.heard(second);
    for number in 2..12 {
        stage.want(number);
    }
    assert_eq!(
        (stage.heard(first).len(), stage.heard(second).len()),
        (5, 5)
    );
}

#[test]
fn several_who_want_the_same_ask_once() {
    let (mut stage, [peer]) = Stage::with();
    let one = stage.want(1);
    let other = stage.want(1);
    assert_eq!(stage.heard(peer), "b");
    stage.seeker.unwant(one);
    stage.steps();
    assert_eq!(stage.heard(peer), "");
    stage.comes(peer, &[block(1)]);
    assert_eq!(stage.ended, [(other, Ok(block(1)))]);
}

#[test]
fn what_nobody_wants_any_more_is_cancelled() {
    let (mut stage, [peer]) = Stage::with();
    let ticket = stage.want(1);
    stage.seeker.unwant(ticket);
    stage.steps();
    assert_eq!(stage.heard(peer), "bc");
    assert!(stage.seeker.is_idle());
    stage.comes(peer, &[block(1)]);
    assert!(stage.dropped.is_empty() && stage.ended.is_empty());
}

#[test]
fn what_is_no_block_is_a_fault_and_no_lie() {
    let (mut stage, [peer]) = Stage::with();
    let ticket = stage.want(1);
    stage
        .seeker
        .verified(peer, vec![Checked::TooLarge(cid(1))], stage.now);
    stage.seeker.searched(cid(1), stage.now);
    stage.steps();
    let bytes_max = MAX_BLOCK_BYTES as u64;
    assert_eq!(stage.what(ticket), [What::TooMuch { bytes_max }]);
    assert!(stage.dropped.is_empty());
}

/// Whatever peers do and in whatever order, every want ends, and nothing that wasn't asked for comes out.
mod anything {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Act {
        Want(u8),
        Unwant(u8),
        Come(usize, u8),
        Say(usize, u8, bool),
        Go(usize),
        Return(usize),
        Lose(usize),
        Wait(u64),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let (peer, number) = (0..4usize, 0..6u8);
        let act = prop_oneof![
            number.clone().prop_map(Act::Want),
            number.clone().prop_map(Act::Unwant),
            (peer.clone(), number.clone()).prop_map(|(peer, number)| Act::Come(peer, number)),
            (peer.clone(), number, any::<bool>()).prop_map(|(p, n, has)| Act::Say(p, n, has)),
            peer.clone().prop_map(Act::Go),
            peer.clone().prop_map(Act::Return),
            peer.prop_map(Act::Lose),
            (0..30u64).prop_map(Act::Wait),
        ];
        proptest::collection::vec(act, 0..80)
    }

    proptest! {
        #[test]
        fn ends(acts in acts()) {
            let (mut stage, peers) = Stage::with::<4>();
            let mut tickets = Vec::new();
            let mut unwanted = HashSet::new();
            let gone = What::BrokeOff { bytes: 0, cause: "gone".into() };
            for act in acts {
                match act {
                    Act::Want(number) => tickets.push((stage.want(number), number)),
                    Act::Unwant(place) => if let Some((ticket, _)) = tickets.get(usize::from(place)) {
                        stage.seeker.unwant(*ticket);
                        unwanted.insert(*ticket);
                    },
                    Act::Come(peer, number) => stage.comes(peers[peer], &[block(number)]),
                    Act::Say(peer, number, has) => stage.says(peers[peer], number, has),
                    Act::Go(peer) => stage.seeker.disconnected(peers[peer], &gone, stage.now),
                    Act::Return(peer) => stage.seeker.connected(peers[peer], stage.now),
                    Act::Lose(peer) => {
                        let lost = Lost::Broke("broke".into());
                        stage.seeker.lost(peers[peer], &lost, stage.now);
                    }
                    Act::Wait(seconds) => stage.wait(seconds),
                }
                stage.steps();
            }
            // In the end everybody is gone, and nothing is found.
            for peer in peers {
                stage.seeker.disconnected(peer, &gone, stage.now);
            }
            stage.steps();
            for cid in std::mem::take(&mut stage.searches) {
                stage.seeker.searched(cid, stage.now);
            }
            stage.steps();
            prop_assert!(stage.seeker.is_idle());
            for (ticket, number) in tickets {
                let ends: Vec<_> = stage.ended.iter().filter(|(one, _)| *one == ticket).collect();
                match ends[..] {
                    [(_, Ok(came))] => prop_assert_eq!(came, &block(number)),
                    [(_, Err(_))] => {}
                    [] => prop_assert!(unwanted.contains(&ticket)),
                    _ => prop_assert!(false, "it ended twice"),
                }
            }
        }
    }
}
