use serde_bytes::ByteBuf;

use super::super::message::Answer;
use super::*;
use crate::ipld::cid_of_raw;
use crate::key::SigningKey;

/// Believes whatever names an instruction and a signer, in so many bytes.
#[derive(Debug)]
struct Plain;

/// What stands for a receipt: the instruction, then the number of the signer's key.
fn receipt(ran: &Cid, signer: u8) -> Vec<u8> {
    [&ran.to_bytes()[..], &[signer]].concat()
}

impl Judge for Plain {
    fn receipt(&self, bytes: &[u8]) -> Option<Said> {
        let (signer, ran) = bytes.split_last()?;
        Some(Said {
            receipt: cid_of_raw(bytes),
            ran: Cid::try_from(ran).ok()?,
            issuer: did(*signer),
        })
    }
}

fn did(number: u8) -> Did {
    SigningKey::from_seed(&[number; 32]).did()
}

fn task() -> Cid {
    cid_of_raw(b"instruction")
}

fn offer(on: &[u8]) -> Box<Offer> {
    let mut offer = Offer::new(task(), did(100));
    offer.on = on.iter().copied().map(did).collect();
    Box::new(offer)
}

struct Bench {
    requester: Requester<Plain>,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        Self {
            requester: Requester::new(RequesterSettings::default(), Plain),
            now: Timestamp(0),
        }
    }

    fn tell(&mut self, input: RequesterInput) -> Vec<RequesterStep> {
        self.requester.handle(input, self.now);
        std::iter::from_fn(|| self.requester.poll()).collect()
    }

    fn receive(&mut self, from: u8, message: Message) -> Vec<RequesterStep> {
        self.tell(RequesterInput::Received(did(from), message))
    }

    /// Lets time pass until something is to be done.
    fn pass(&mut self) -> Vec<RequesterStep> {
        loop {
            self.now = self.requester.deadline().expect("something is waited for");
            let steps = self.tell(RequesterInput::Tick);
            if !steps.is_empty() {
                return steps;
            }
        }
    }

    fn bid(&mut self, from: u8, ask: u64, bid: u64, start_ms: u64) -> Vec<RequesterStep> {
        let bid = Bid {
            ask,
            bid,
            start_ms,
            missing: 0,
            price: 0,
        };
        self.receive(from, Message::Bid(bid))
    }

    /// Gives a task to the first one.
    fn given(offer: Box<Offer>) -> Self {
        let mut bench = Self::new();
        bench.tell(RequesterInput::Know(did(1)));
        let asked = asks(&bench.tell(RequesterInput::Want(1, offer)));
        let awarded = bench.bid(1, asked[0].1, 7, 0);
        assert_eq!(
            awarded,
            [RequesterStep::Award {
                to: did(1),
                bid: 7,
                instruction: task()
            }]
        );
        bench
    }
}

fn asks(steps: &[RequesterStep]) -> Vec<(Did, u64)> {
    let ask = |step: &RequesterStep| match step {
        RequesterStep::Tell(who, Message::Ask(ask)) => Some((*who, ask.ask)),
        _ => None,
    };
    steps.iter().filter_map(ask).collect()
}

fn answer(bid: u64, bytes: Vec<u8>) -> Message {
    Message::Answer(Answer {
        bid,
        instruction: task(),
        receipt: cid_of_raw(&bytes),
        bytes: Some(ByteBuf::from(bytes)),
    })
}

fn why(steps: &[RequesterStep]) -> Option<Unrun> {
    steps.iter().find_map(|step| match step {
        RequesterStep::Unrun { why, .. } => Some(*why),
        _ => None,
    })
}

fn is_answered(steps: &[RequesterStep]) -> bool {
    let answered = |step: &RequesterStep| matches!(step, RequesterStep::Answered { .. });
    steps.iter().any(answered)
}

#[test]
fn a_task_is_given_to_who_begins_first_and_its_receipt_is_the_answer() {
    let mut bench = Bench::new();
    let asked = asks(&bench.tell(RequesterInput::Want(1, offer(&[1, 2]))));
    assert_eq!(asked.len(), 2);
    let [later, sooner] = [0, 1].map(|at| asked[at]);
    let number = |who: Did| if who == did(1) { 1 } else { 2 };
    let (later, sooner) = ((number(later.0), later.1), (number(sooner.0), sooner.1));
    assert_eq!(bench.bid(later.0, later.1, 7, 5_000), []);
    let awarded = bench.bid(sooner.0, sooner.1, 8, 10);
    let to = did(sooner.0);
    assert!(matches!(&awarded[..], [RequesterStep::Award { to: who, bid: 8, .. }] if *who == to));
    bench.receive(
        sooner.0,
        Message::Lease {
            bid: 8,
            lasts_ms: 15_000,
        },
    );
    let bytes = receipt(&task(), sooner.0);
    let steps = bench.receive(sooner.0, answer(8, bytes.clone()));
    assert_eq!(
        steps,
        [
            RequesterStep::Tell(to, Message::Ack { bid: 8 }),
            RequesterStep::Answered {
                tickets: vec![1],
                from: to,
                said: Plain.receipt(&bytes).expect("it is one"),
                receipt: bytes,
            }
        ]
    );
    assert!(bench.requester.is_empty() && bench.requester.deadline().is_none());
}

#[test]
fn only_a_receipt_of_who_was_chosen_about_that_task_is_used() {
    for (bytes, what) in [
        (receipt(&task(), 2), "signed by somebody else"),
        (receipt(&cid_of_raw(b"other"), 1), "of another task"),
        (b"garbage".to_vec(), "none"),
    ] {
        let mut bench = Bench::given(offer(&[1]));
        let steps = bench.receive(1, answer(7, bytes.clone()));
        assert!(steps.contains(&RequesterStep::Lied(did(1))), "{what}");
        assert!(!is_answered(&steps), "{what}");
        assert_eq!(why(&steps), Some(Unrun::Refused), "{what}");
        // Who wasn't chosen isn't heard, whatever it says.
        let mut bench = Bench::given(offer(&[1]));
        assert_eq!(bench.receive(2, answer(7, receipt(&task(), 2))), []);
    }
    let mut bench = Bench::given(offer(&[1]));
    let misnamed = Message::Answer(Answer {
        bid: 7,
        instruction: task(),
        receipt: task(),
        bytes: Some(ByteBuf::from(receipt(&task(), 1))),
    });
    assert!(!is_answered(&bench.receive(1, misnamed)));
}

#[test]
fn who_is_trusted_may_answer_for_others() {
    let mut bench = Bench::given(offer(&[1]));
    bench.requester.settings.trusted.insert(did(2));
    assert!(is_answered(
        &bench.receive(2, answer(0, receipt(&task(), 2)))
    ));
    let mut bench = Bench::given(offer(&[1]));
    bench.requester.settings.trusted.insert(did(2));
    assert!(is_answered(
        &bench.receive(1, answer(7, receipt(&task(), 2)))
    ));
}

#[test]
fn a_receipt_that_is_only_named_is_fetched() {
    let mut bench = Bench::given(offer(&[1]));
    let bytes = receipt(&task(), 1);
    let named = Message::Answer(Answer {
        bid: 7,
        instruction: task(),
        receipt: cid_of_raw(&bytes),
        bytes: None,
    });
    let steps = bench.receive(1, named.clone());
    assert!(matches!(steps[..], [RequesterStep::Fetch { .. }]));
    assert_eq!(bench.receive(1, named.clone()), []);
    let fetched = |bytes| RequesterInput::Fetched {
        from: did(1),
        instruction: task(),
        receipt: cid_of_raw(&receipt(&task(), 1)),
        bytes,
    };
    assert_eq!(bench.tell(fetched(None)), []);
    assert_eq!(bench.receive(1, named).len(), 1);
    assert!(is_answered(&bench.tell(fetched(Some(bytes)))));
}

#[test]
fn a_pure_task_goes_to_somebody_else_when_its_lease_runs_out_and_late_receipts_count() {
    let mut bench = Bench::given(offer(&[]));
    assert_eq!(bench.tell(RequesterInput::Know(did(2))), []);
    bench.receive(
        1,
        Message::Lease {
            bid: 7,
            lasts_ms: 15_000,
        },
    );
    let asked = asks(&bench.pass());
    assert_eq!(bench.now, Timestamp(15_000));
    assert_eq!(asked[0].0, did(2));
    bench.bid(2, asked[0].1, 8, 0);
    let steps = bench.receive(1, answer(7, receipt(&task(), 1)));
    assert!(is_answered(&steps));
    let cancel = Message::Cancel { leases: vec![8] };
    assert!(steps.contains(&RequesterStep::Tell(did(2), cancel)));
    let late = bench.receive(2, answer(8, receipt(&task(), 2)));
    assert!(
        late.iter()
            .any(|step| matches!(step, RequesterStep::Late { .. }))
    );
}

#[test]
fn who_is_not_reached_any_more_is_waited_for_a_moment_only() {
    let mut bench = Bench::given(offer(&[]));
    bench.receive(
        1,
        Message::Lease {
            bid: 7,
            lasts_ms: 15_000,
        },
    );
    bench.tell(RequesterInput::Know(did(2)));
    assert_eq!(bench.requester.holders(), [did(1)].into());
    assert_eq!(bench.tell(RequesterInput::Unreached(did(1))), []);
    // It is there again.
    bench.receive(1, Message::Heartbeat { leases: vec![7] });
    assert_eq!(bench.requester.deadline(), Some(Timestamp(15_000)));
    bench.tell(RequesterInput::Unreached(did(1)));
    let asked = asks(&bench.pass());
    assert_eq!((bench.now, asked[0].0), (Timestamp(2_000), did(2)));
}

impl Bench {
    fn reaching_outside() -> Self {
        let mut offer = offer(&[1, 2]);
        offer.pure = false;
        let mut bench = Self::new();
        let asked = asks(&bench.tell(RequesterInput::Want(1, offer)));
        for (who, ask) in asked {
            let number = if who == did(1) { 1 } else { 2 };
            bench.bid(number, ask, number.into(), u64::from(number) * 1_000);
        }
        bench
    }
}

#[test]
fn a_task_that_reaches_outside_is_given_on_only_by_who_has_not_begun_it() {
    // Silence: it may have begun.
    let mut bench = Bench::reaching_outside();
    bench.receive(
        1,
        Message::Lease {
            bid: 1,
            lasts_ms: 15_000,
        },
    );
    let why = loop {
        let steps = bench.pass();
        assert_eq!(asks(&steps), []);
        if let Some(why) = why(&steps) {
            break why;
        }
    };
    assert_eq!(why, Unrun::Lost);
    assert!(bench.now >= Timestamp(60_000));
    // It has begun, and nobody knows how it ended.
    let gone = |begun| {
        let refusal = Refusal {
            retry_ms: Some(0),
            ..Refusal::new(Reason::Unknown, "no such bid")
        };
        Message::Gone(Gone {
            bid: 1,
            begun,
            refusal,
        })
    };
    let mut bench = Bench::reaching_outside();
    let steps = bench.receive(1, gone(true));
    assert_eq!(super::tests::why(&steps), Some(Unrun::Lost));
    // It hasn't, and won't.
    let mut bench = Bench::reaching_outside();
    let steps = bench.receive(1, gone(false));
    assert_eq!(
        asks(&steps).iter().map(|(who, _)| *who).collect::<Vec<_>>(),
        [did(2)]
    );
    // A lie: it may have begun.
    let mut bench = Bench::reaching_outside();
    let steps = bench.receive(1, answer(1, b"garbage".to_vec()));
    assert_eq!(super::tests::why(&steps), Some(Unrun::Lost));
}

#[test]
fn after_a_crash_one_asks_what_became_of_it_before_anything_else() {
    let mut bench = Bench::new();
    let mut offer = offer(&[1]);
    (offer.pure, offer.given) = (false, Some((did(1), 7)));
    let steps = bench.tell(RequesterInput::Want(1, offer));
    let query = Message::Query {
        bid: 7,
        instruction: task(),
    };
    assert_eq!(steps, [RequesterStep::Tell(did(1), query)]);
    assert!(is_answered(
        &bench.receive(1, answer(7, receipt(&task(), 1)))
    ));
}

#[test]
fn who_refuses_for_good_is_not_asked_again_and_who_is_busy_is_later() {
    let mut bench = Bench::new();
    let asked = asks(&bench.tell(RequesterInput::Want(1, offer(&[1]))));
    let busy = Refusal {
        retry_ms: Some(700),
        ..Refusal::new(Reason::Busy, "too much to do")
    };
    let refuse = |ask, refusal| Message::Refuse { ask, refusal };
    assert_eq!(bench.receive(1, refuse(asked[0].1, busy)), []);
    let asked = asks(&bench.pass());
    assert_eq!((bench.now, asked.len()), (Timestamp(700), 1));
    let never = Refusal::new(Reason::Stranger, "this node doesn't work for you");
    let steps = bench.receive(1, refuse(asked[0].1, never));
    assert!(matches!(
        &steps[..],
        [RequesterStep::Unrun { why: Unrun::Refused, refusals, .. }] if refusals.len() == 2
    ));
}

#[test]
fn the_same_task_is_run_once_for_all_who_want_it() {
    let mut bench = Bench::given(offer(&[1]));
    assert_eq!(bench.tell(RequesterInput::Want(2, offer(&[1]))), []);
    assert_eq!(bench.tell(RequesterInput::Unwant(1)), []);
    let steps = bench.receive(1, answer(7, receipt(&task(), 1)));
    let tickets = steps.iter().find_map(|step| match step {
        RequesterStep::Answered { tickets, .. } => Some(tickets.clone()),
        _ => None,
    });
    assert_eq!(tickets, Some(vec![2]));
    let mut bench = Bench::given(offer(&[1]));
    let cancel = Message::Cancel { leases: vec![7] };
    assert_eq!(
        bench.tell(RequesterInput::Unwant(1)),
        [RequesterStep::Tell(did(1), cancel)]
    );
    assert!(bench.requester.is_empty());
}

#[test]
fn somebody_who_only_says_that_it_lives_does_not_keep_a_task_for_ever() {
    let mut offer = offer(&[1]);
    offer.patience = Duration::from_secs(100_000);
    let mut bench = Bench::given(offer);
    bench.receive(
        1,
        Message::Lease {
            bid: 7,
            lasts_ms: 15_000,
        },
    );
    let cancelled = loop {
        bench.now = bench.now.after(Duration::from_secs(5));
        let steps = bench.receive(1, Message::Heartbeat { leases: vec![7] });
        assert!(bench.now < Timestamp(3_600_000), "it ends");
        if bench
            .requester
            .deadline()
            .is_some_and(|due| due <= bench.now)
        {
            break bench.tell(RequesterInput::Tick);
        }
        assert_eq!(steps.len(), 1);
    };
    let cancel = Message::Cancel { leases: vec![7] };
    assert!(cancelled.contains(&RequesterStep::Tell(did(1), cancel)));
}

#[test]
fn nobody_is_waited_for_no_longer_than_one_has_patience() {
    let mut bench = Bench::new();
    assert_eq!(bench.tell(RequesterInput::Want(1, offer(&[]))), []);
    let steps = bench.pass();
    assert_eq!(
        (why(&steps), bench.now),
        (Some(Unrun::Nobody), Timestamp(60_000))
    );
}
