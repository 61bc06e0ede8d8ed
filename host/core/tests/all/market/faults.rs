//! What goes wrong in a network, and who lies in it.

use homestar_core::ipld::{Cid, cid_of_raw};
use homestar_core::market::{Answer, Ask, Award, Bid, Gone, Message, Reason, Refusal};
use homestar_core::ucan::Did;

use super::numbers::Numbers;

/// How likely things are, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) twice: u64,
    /// Longest delay, in milliseconds.
    pub(super) delay: u64,
    /// How many nodes crash, and come back.
    pub(super) crashes: u64,
    /// How often a part of the network is cut off for a while.
    pub(super) partitions: u64,
    /// How fast or slow clocks run at most.
    pub(super) skew: u64,
    /// Of all nodes.
    pub(super) liars: u64,
}

/// What somebody does who lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Signs for somebody else, which it can't.
    Signer,
    /// Gives a receipt of somebody else's, which it has from elsewhere.
    Other,
    /// Gives a receipt of its own of another task.
    Task,
    /// Gives bytes that are nothing.
    Garbage,
    /// Takes tasks and only says that it lives.
    Idle,
    /// Takes tasks and is never heard of again.
    Silent,
    /// Asks and awards without end, by invocations that don't hold.
    Flood,
    /// Says again what others said.
    Replay,
}

impl Lie {
    pub(super) const ALL: [Self; 8] = [
        Self::Signer,
        Self::Other,
        Self::Task,
        Self::Garbage,
        Self::Idle,
        Self::Silent,
        Self::Flood,
        Self::Replay,
    ];
}

/// A node that doesn't keep to the rules.
#[derive(Debug)]
pub(super) struct Liar {
    pub(super) lie: Lie,
    /// What it was told by others.
    heard: Vec<Message>,
    leases: Vec<(Did, u64)>,
}

/// Messages that one is told and says again at most.
const HEARD_MAX: usize = 8;

impl Liar {
    pub(super) fn new(lie: Lie) -> Self {
        Self {
            lie,
            heard: Vec::new(),
            leases: Vec::new(),
        }
    }

    /// Returns what it answers. `sign` gives a receipt of a task that says who issued it, by who
    /// signs it.
    pub(super) fn receive(
        &mut self,
        me: Did,
        from: Did,
        message: Message,
        numbers: &mut Numbers,
        sign: impl Fn(&Cid, Did, Did) -> Vec<u8>,
    ) -> Vec<Message> {
        if self.lie == Lie::Replay && self.heard.len() < HEARD_MAX {
            self.heard.push(message.clone());
        }
        match message {
            Message::Ask(ask) => vec![Message::Bid(Bid {
                ask: ask.ask,
                bid: numbers.next(),
                start_ms: 0,
                missing: 0,
                price: 0,
            })],
            Message::Award(award) => self.awarded(me, from, award, numbers, sign),
            _ => Vec::new(),
        }
    }

    fn awarded(
        &mut self,
        me: Did,
        from: Did,
        award: Award,
        numbers: &mut Numbers,
        sign: impl Fn(&Cid, Did, Did) -> Vec<u8>,
    ) -> Vec<Message> {
        let Award {
            bid, instruction, ..
        } = award;
        let lease = Message::Lease {
            bid,
            lasts_ms: u64::MAX,
        };
        let answer = |bytes: Vec<u8>| {
            Message::Answer(Answer {
                bid,
                instruction,
                receipt: cid_of_raw(&bytes),
                bytes: Some(bytes.into()),
            })
        };
        match self.lie {
            Lie::Signer => vec![lease, answer(sign(&instruction, from, me))],
            Lie::Other => vec![lease, answer(sign(&instruction, from, from))],
            Lie::Task => vec![lease, answer(sign(&cid_of_raw(b"another"), me, me))],
            Lie::Garbage => vec![answer((0..numbers.below(90)).map(|n| n as u8).collect())],
            Lie::Silent => vec![lease],
            Lie::Idle => {
                self.leases.push((from, bid));
                vec![lease]
            }
            Lie::Flood | Lie::Replay => vec![Message::Gone(Gone {
                bid,
                begun: false,
                refusal: Refusal {
                    retry_ms: Some(0),
                    ..Refusal::new(Reason::Busy, "come again at once")
                },
            })],
        }
    }

    /// Returns what it says now and then, to one of `others`.
    pub(super) fn talk(
        &mut self,
        me: Did,
        others: &[Did],
        numbers: &mut Numbers,
    ) -> Vec<(Did, Message)> {
        let to = others[numbers.below(others.len() as u64) as usize];
        match self.lie {
            Lie::Idle => {
                let beat =
                    |(to, bid): &(Did, u64)| (*to, Message::Heartbeat { leases: vec![*bid] });
                self.leases.iter().map(beat).collect()
            }
            Lie::Replay => {
                let heard = self.heard.iter().cloned();
                heard.map(|message| (to, message)).collect()
            }
            Lie::Flood => (0..6).map(|_| (to, flood(me, numbers))).collect(),
            Lie::Signer | Lie::Other | Lie::Task | Lie::Garbage | Lie::Silent => Vec::new(),
        }
    }
}

/// One message of many: questions, and awards of bids that were never made.
fn flood(me: Did, numbers: &mut Numbers) -> Message {
    let instruction = cid_of_raw(&numbers.next().to_le_bytes());
    match numbers.below(2) {
        0 => Message::Ask(Ask {
            ask: numbers.next(),
            instruction,
            requester: me,
            pure: true,
            memory: 1,
            time: 1,
            content: Vec::new(),
        }),
        _ => Message::Award(Award {
            bid: numbers.below(1 << 20),
            instruction,
            tokens: Vec::new().into(),
        }),
    }
}
