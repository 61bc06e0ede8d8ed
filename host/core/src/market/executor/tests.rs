use super::super::message::Content;
use super::*;
use crate::ipld::cid_of_raw;
use crate::key::SigningKey;

/// Works for everybody but the one with the number 66.
#[derive(Debug)]
struct Open;

impl House for Open {
    fn would(&self, ask: &Ask) -> Result<u64, Unwilling> {
        match ask.requester == did(66) {
            true => Err(Unwilling {
                reason: Reason::Stranger,
                words: "not for you".into(),
            }),
            false => Ok(ask.content.iter().map(|one| one.bytes).sum()),
        }
    }

    fn better(&self, _: &Ask) -> Vec<Did> {
        vec![did(50)]
    }
}

fn did(number: u8) -> Did {
    SigningKey::from_seed(&[number; 32]).did()
}

fn task(number: u8) -> Cid {
    cid_of_raw(&[number])
}

struct Bench {
    executor: Executor<Open>,
    now: Timestamp,
}

impl Bench {
    fn new(settings: ExecutorSettings) -> Self {
        Self {
            executor: Executor::new(settings, Open, BTreeSet::new()),
            now: Timestamp(0),
        }
    }

    fn tell(&mut self, input: ExecutorInput) -> Vec<ExecutorStep> {
        self.executor.handle(input, self.now);
        std::iter::from_fn(|| self.executor.poll()).collect()
    }

    fn receive(&mut self, from: u8, message: Message) -> Vec<ExecutorStep> {
        self.tell(ExecutorInput::Received(did(from), message))
    }

    fn ask(&mut self, from: u8, instruction: u8, pure: bool) -> Message {
        let ask = Ask {
            ask: u64::from(instruction),
            instruction: task(instruction),
            requester: did(from),
            pure,
            memory: 1 << 20,
            time: 60_000,
            content: vec![Content {
                cid: task(0),
                bytes: 5,
            }],
        };
        match self.receive(from, Message::Ask(ask)).pop() {
            Some(ExecutorStep::Tell(to, message)) if to == did(from) => message,
            other => panic!("{other:?}"),
        }
    }

    fn bid(&mut self, from: u8, instruction: u8, pure: bool) -> u64 {
        match self.ask(from, instruction, pure) {
            Message::Bid(bid) => bid.bid,
            other => panic!("{other:?}"),
        }
    }

    fn award(&mut self, from: u8, bid: u64, instruction: u8) -> Vec<ExecutorStep> {
        let award = Award {
            bid,
            instruction: task(instruction),
            tokens: ByteBuf::new(),
        };
        self.receive(from, Message::Award(award))
    }

    /// From the question to the lease, and what follows from that.
    fn take(&mut self, from: u8, instruction: u8, pure: bool) -> (u64, Vec<ExecutorStep>) {
        let bid = self.bid(from, instruction, pure);
        let steps = self.award(from, bid, instruction);
        assert!(
            matches!(steps[..], [ExecutorStep::Admit { .. }]),
            "{steps:?}"
        );
        (bid, self.admit(from, bid))
    }

    fn admit(&mut self, requester: u8, bid: u64) -> Vec<ExecutorStep> {
        let admission = Ok(Admission {
            requester: did(requester),
        });
        self.tell(ExecutorInput::Admitted { bid, admission })
    }

    fn end(&mut self, instruction: u8) -> Vec<ExecutorStep> {
        self.tell(ExecutorInput::Ended {
            instruction: task(instruction),
            receipt: task(200),
            bytes: b"receipt".to_vec(),
            took: Duration::from_millis(10),
        })
    }

    fn pass(&mut self, time: Duration) -> Vec<ExecutorStep> {
        self.now = self.now.after(time);
        self.tell(ExecutorInput::Tick)
    }
}

fn told(steps: &[ExecutorStep]) -> Vec<(Did, Message)> {
    let told = |step: &ExecutorStep| match step {
        ExecutorStep::Tell(to, message) => Some((*to, message.clone())),
        _ => None,
    };
    steps.iter().filter_map(told).collect()
}

fn gone(steps: &[ExecutorStep]) -> Gone {
    match &told(steps)[..] {
        [(_, Message::Gone(gone))] => gone.clone(),
        other => panic!("{other:?}"),
    }
}

fn started(steps: &[ExecutorStep]) -> Vec<Cid> {
    let started = |step: &ExecutorStep| match step {
        ExecutorStep::Start { instruction, .. } => Some(*instruction),
        _ => None,
    };
    steps.iter().filter_map(started).collect()
}

#[test]
fn from_the_question_to_the_answer() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let (bid, steps) = bench.take(1, 7, true);
    assert_eq!(
        told(&steps),
        [(
            did(1),
            Message::Lease {
                bid,
                lasts_ms: 15_000
            }
        )]
    );
    assert_eq!(started(&steps), [task(7)]);
    let beat = bench.pass(Duration::from_secs(5));
    assert_eq!(
        told(&beat),
        [(did(1), Message::Heartbeat { leases: vec![bid] })]
    );
    let answered = bench.end(7);
    assert!(matches!(
        &told(&answered)[..],
        [(_, Message::Answer(answer))] if answer.bytes.is_some() && answer.bid == bid
    ));
    // Again, until it is there.
    assert_eq!(bench.pass(Duration::from_secs(1)), answered);
    assert_eq!(bench.receive(1, Message::Ack { bid }), []);
    assert_eq!(bench.executor.deadline(), None);
}

#[test]
fn a_bid_is_good_once_for_that_peer_and_that_task() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let bid = bench.bid(1, 7, true);
    assert_eq!(
        bench.bid(1, 7, true),
        bid,
        "the same question has the same answer"
    );
    assert_eq!(
        gone(&bench.award(2, bid, 7)).refusal.reason,
        Reason::Unknown
    );
    assert_eq!(gone(&bench.award(1, bid, 8)).refusal.reason, Reason::Denied);
    assert_eq!(
        gone(&bench.award(1, bid, 7)).refusal.reason,
        Reason::Unknown
    );
    let bid = bench.bid(1, 7, true);
    bench.pass(Duration::from_secs(10));
    assert_eq!(
        gone(&bench.award(1, bid, 7)).refusal.reason,
        Reason::Unknown
    );
    // Who asks what became of it gets no second chance.
    let bid = bench.bid(1, 7, true);
    let query = Message::Query {
        bid,
        instruction: task(7),
    };
    assert_eq!(
        gone(&bench.receive(1, query)).refusal.reason,
        Reason::Unknown
    );
    assert_eq!(
        gone(&bench.award(1, bid, 7)).refusal.reason,
        Reason::Unknown
    );
}

#[test]
fn an_award_that_comes_twice_is_one() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let (bid, _) = bench.take(1, 7, false);
    let again = bench.award(1, bid, 7);
    assert!(started(&again).is_empty());
    assert!(matches!(told(&again)[..], [(_, Message::Lease { .. })]));
    bench.end(7);
    let again = bench.award(1, bid, 7);
    assert!(matches!(told(&again)[..], [(_, Message::Answer(_))]));
}

#[test]
fn who_is_not_let_is_told_so() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let Message::Refuse { refusal, .. } = bench.ask(66, 7, true) else {
        panic!("it is refused")
    };
    assert_eq!((refusal.reason, refusal.retry_ms), (Reason::Stranger, None));
    let bid = bench.bid(1, 7, true);
    bench.award(1, bid, 7);
    let refused = bench.tell(ExecutorInput::Admitted {
        bid,
        admission: Err(Refusal::new(Reason::Denied, "it has expired")),
    });
    assert_eq!(gone(&refused).refusal.words, "it has expired");
    assert!(started(&bench.admit(1, bid)).is_empty(), "once is enough");
}

#[test]
fn pure_tasks_that_are_the_same_run_once_for_all() {
    let mut bench = Bench::new(ExecutorSettings::default());
    bench.take(1, 7, true);
    let (_, steps) = bench.take(2, 7, true);
    assert_eq!(started(&steps), []);
    assert_eq!(told(&bench.end(7)).len(), 2);
}

#[test]
fn what_reaches_outside_is_begun_once_in_all_lives() {
    let mut bench = Bench::new(ExecutorSettings::default());
    bench.take(1, 7, false);
    let (_, steps) = bench.take(2, 7, false);
    assert_eq!((started(&steps), gone(&steps).begun), (vec![], true));
    bench.executor = Executor::new(ExecutorSettings::default(), Open, [task(7)].into());
    let query = Message::Query {
        bid: 0,
        instruction: task(7),
    };
    let steps = bench.receive(1, query);
    assert_eq!(
        (gone(&steps).refusal.reason, gone(&steps).begun),
        (Reason::Lost, true)
    );
    let (_, steps) = bench.take(1, 7, false);
    assert!(started(&steps).is_empty() && gone(&steps).begun);
}

#[test]
fn what_could_not_be_begun_may_begin_elsewhere() {
    let mut bench = Bench::new(ExecutorSettings::default());
    for begun in [false, true] {
        let (_, steps) = bench.take(1, 7, false);
        assert_eq!(started(&steps), [task(7)]);
        let broke = bench.tell(ExecutorInput::Broke {
            instruction: task(7),
            begun,
            words: "the component isn't to be had".into(),
        });
        assert_eq!(gone(&broke).begun, begun);
    }
}

#[test]
fn nobody_has_more_than_its_share_and_who_asks_for_more_is_told_when_to_come_again() {
    let settings = ExecutorSettings {
        waiting: 4,
        waiting_each: 2,
        ..ExecutorSettings::default()
    };
    let mut bench = Bench::new(settings);
    for number in 1..=3 {
        bench.take(1, number, true);
    }
    let Message::Refuse { refusal, .. } = bench.ask(1, 4, true) else {
        panic!("it is refused")
    };
    assert_eq!(refusal.reason, Reason::Busy);
    assert!(refusal.retry_ms.is_some() && refusal.better == [did(50)]);
    // Somebody else comes next, though others waited before.
    bench.take(2, 5, true);
    let mut turns = Vec::new();
    for number in [1, 2, 5, 3] {
        turns.extend(started(&bench.end(number)));
    }
    assert!(turns[..2].contains(&task(5)), "{turns:?}");
}

#[test]
fn what_nobody_waits_for_is_not_run() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let (first, _) = bench.take(1, 1, true);
    let (second, _) = bench.take(1, 2, true);
    let cancel = Message::Cancel {
        leases: vec![first, second],
    };
    assert_eq!(bench.receive(2, cancel.clone()), [], "they are another's");
    assert_eq!(bench.receive(1, cancel), [ExecutorStep::Stop(task(1))]);
    assert_eq!(bench.end(1), []);
    // Silence is as good, once nothing was heard for long enough.
    let (_, steps) = bench.take(1, 3, true);
    assert_eq!(started(&steps), [task(3)]);
    let mut stopped = Vec::new();
    for _ in 0..13 {
        stopped.extend(bench.pass(Duration::from_secs(5)));
    }
    assert!(stopped.contains(&ExecutorStep::Stop(task(3))));
}

impl Bench {
    fn cancel(&mut self, from: u8, bid: u64) -> Vec<ExecutorStep> {
        self.receive(from, Message::Cancel { leases: vec![bid] })
    }

    fn stopped(&mut self, instruction: u8, begun: bool, took: Duration) -> Vec<ExecutorStep> {
        self.tell(ExecutorInput::Stopped {
            instruction: task(instruction),
            begun,
            took,
        })
    }
}

#[test]
fn what_is_stopped_makes_room_and_costs_what_it_took() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let (first, _) = bench.take(1, 1, true);
    bench.take(1, 2, true);
    bench.take(1, 3, true);
    bench.take(2, 4, true);
    bench.take(2, 5, true);
    assert_eq!(bench.cancel(1, first), [ExecutorStep::Stop(task(1))]);
    // Until it has ended it takes its room.
    assert_eq!(bench.executor.room().running, 1);
    // It took as long as hundreds of others, so whoever wanted it is last.
    let steps = bench.stopped(1, false, Duration::from_secs(500));
    let mut turns = started(&steps);
    for number in [4, 5, 2] {
        turns.extend(started(&bench.end(number)));
    }
    assert_eq!(turns, [4, 5, 2, 3].map(task));
    // That it was stopped twice, or without being asked, is nothing.
    assert_eq!(bench.stopped(1, false, Duration::ZERO), []);
}

#[test]
fn who_comes_while_it_is_stopped_has_it_run_again_or_gets_its_answer() {
    let mut bench = Bench::new(ExecutorSettings::default());
    for is_too_late in [false, true] {
        let (first, _) = bench.take(1, 1, true);
        assert_eq!(bench.cancel(1, first), [ExecutorStep::Stop(task(1))]);
        let (second, steps) = bench.take(2, 1, true);
        assert_eq!(started(&steps), []);
        match is_too_late {
            false => {
                let steps = bench.stopped(1, false, Duration::from_millis(5));
                assert_eq!(started(&steps), [task(1)]);
                let steps = bench.end(1);
                assert!(
                    matches!(&told(&steps)[..], [(to, Message::Answer(it))] if *to == did(2) && it.bid == second)
                );
            }
            true => assert!(matches!(
                &told(&bench.end(1))[..],
                [(_, Message::Answer(_))]
            )),
        }
        bench.receive(2, Message::Ack { bid: second });
    }
}

#[test]
fn what_reaches_outside_and_was_stopped_has_begun_unless_it_had_not() {
    let mut bench = Bench::new(ExecutorSettings::default());
    for (number, begun) in [(1, true), (2, false)] {
        let (bid, _) = bench.take(1, number, false);
        assert_eq!(bench.cancel(1, bid), [ExecutorStep::Stop(task(number))]);
        bench.stopped(number, begun, Duration::from_millis(5));
        let (bid, steps) = bench.take(1, number, false);
        match begun {
            true => assert_eq!(gone(&steps).refusal.reason, Reason::Lost),
            false => {
                assert_eq!(started(&steps), [task(number)]);
                bench.cancel(1, bid);
                bench.stopped(number, false, Duration::ZERO);
            }
        }
    }
}

#[test]
fn who_is_not_reached_is_waited_for_as_long_as_a_lease_lasts() {
    let mut bench = Bench::new(ExecutorSettings::default());
    let (pure, _) = bench.take(1, 1, true);
    let mut lost = |reached: bool| {
        let mut steps = Vec::new();
        for _ in 0..4 {
            steps.extend(bench.pass(Duration::from_secs(5)));
            bench.tell(ExecutorInput::Unreached(did(1)));
            if reached {
                bench.receive(1, Message::Renew { leases: vec![pure] });
            }
        }
        steps
    };
    assert!(!lost(true).contains(&ExecutorStep::Stop(task(1))));
    assert!(lost(false).contains(&ExecutorStep::Stop(task(1))));
    bench.stopped(1, false, Duration::ZERO);
    // What has begun and reaches the outside goes on: who wanted it may ask what became of it.
    bench.take(1, 2, false);
    for _ in 0..20 {
        let steps = bench.pass(Duration::from_secs(5));
        assert!(!steps.contains(&ExecutorStep::Stop(task(2))));
        bench.tell(ExecutorInput::Unreached(did(1)));
    }
}

#[test]
fn who_ends_says_so_to_all_who_wait() {
    let mut bench = Bench::new(ExecutorSettings::default());
    bench.take(1, 1, false);
    bench.take(2, 2, true);
    let steps = bench.tell(ExecutorInput::Close);
    let said = told(&steps).into_iter().map(|(to, message)| match message {
        Message::Gone(gone) => (to, gone.begun),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        said.collect::<BTreeMap<_, _>>(),
        [(did(1), true), (did(2), false)].into()
    );
    assert!(steps.contains(&ExecutorStep::Stop(task(1))));
}

#[test]
fn a_flood_of_questions_and_awards_is_bounded() {
    let settings = ExecutorSettings {
        bids_each: 8,
        waiting_each: 4,
        ..ExecutorSettings::default()
    };
    let mut bench = Bench::new(settings);
    let mut bids = Vec::new();
    for number in 0..50 {
        if let Message::Bid(bid) = bench.ask(1, number, true) {
            bids.push((number, bid.bid));
        }
    }
    assert_eq!(bids.len(), 8);
    let mut admitting = 0;
    for (number, bid) in bids {
        admitting += usize::from(matches!(
            bench.award(1, bid, number)[..],
            [ExecutorStep::Admit { .. }]
        ));
    }
    assert!(admitting <= 9);
    assert!(matches!(bench.ask(2, 1, true), Message::Bid(_)));
}
