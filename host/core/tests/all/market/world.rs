//! Time, the wires, and what is checked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use homestar_core::ipld::{Cid, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::market::{
    Admission, Announcement, Award, ExecutorInput, ExecutorStep, Message, Offer, Reason, Refusal,
    Requester, RequesterInput, RequesterSettings, RequesterStep, Said,
};
use homestar_core::ucan::Did;

use super::faults::{Faults, Liar, Lie};
use super::node::{End, Node, Shared, Wish, sign};

/// Numbers that follow from a seed.
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True for so many of a thousand.
    fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1_000) < thousandths
    }
}

/// Nodes of the largest network.
const NODES_MAX: usize = 400;

static DIDS: LazyLock<Vec<Did>> = LazyLock::new(|| {
    let did = |number: usize| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        SigningKey::from_seed(&seed).did()
    };
    (0..NODES_MAX).map(did).collect()
});

static NUMBERS: LazyLock<HashMap<Vec<u8>, usize>> = LazyLock::new(|| {
    let numbered = DIDS.iter().enumerate();
    numbered
        .map(|(number, did)| (did.as_bytes().to_vec(), number))
        .collect()
});

pub(super) fn did_of(bytes: &[u8]) -> Option<Did> {
    NUMBERS.get(bytes).map(|number| DIDS[*number])
}

fn number_of(did: &Did) -> usize {
    NUMBERS[did.as_bytes()]
}

/// A network, and what happens to it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    seed: u64,
    nodes: usize,
    /// Every so many-th node wants tasks.
    requesters: usize,
    tasks: u64,
    /// One that wants so many more.
    crowd: u64,
    faults: Faults,
    /// Of a thousand tasks.
    reach_outside: u64,
    takes_ms: u64,
}

impl Plan {
    /// All that can go wrong, at once.
    pub(super) fn of_everything(seed: u64) -> Self {
        let mut numbers = Numbers(seed ^ 0x5eed);
        let faults = Faults {
            lost: numbers.below(150),
            twice: numbers.below(100),
            delay: 10 + numbers.below(400),
            crashes: numbers.below(40),
            partitions: numbers.below(4),
            skew: numbers.below(20_000),
            liars: numbers.below(250),
        };
        Self {
            seed,
            nodes: 40 + numbers.below(260) as usize,
            requesters: 2 + numbers.below(6) as usize,
            tasks: 1 + numbers.below(4),
            crowd: numbers.below(2) * 60,
            faults,
            reach_outside: numbers.below(500),
            takes_ms: 200 + numbers.below(20_000),
        }
    }

    /// Nothing goes wrong.
    pub(super) fn of_calm(seed: u64) -> Self {
        Self {
            faults: Faults {
                delay: 50,
                ..Faults::default()
            },
            nodes: 100,
            crowd: 0,
            takes_ms: 2_000,
            ..Self::of_everything(seed)
        }
    }

    /// Few executors, one requester with very many tasks, and some with one.
    pub(super) fn of_crowd(seed: u64) -> Self {
        Self {
            nodes: 12,
            requesters: 2,
            tasks: 1,
            crowd: 200,
            takes_ms: 2_000,
            reach_outside: 0,
            ..Self::of_calm(seed)
        }
    }
}

/// What happens at a time.
#[derive(Debug)]
enum Event {
    Deliver {
        to: usize,
        from: usize,
        message: Message,
    },
    Unreached {
        who: usize,
        to: usize,
    },
    Wake(usize),
    Want(usize, u64),
    Admitted {
        who: usize,
        life: u64,
        bid: u64,
        admission: Result<Admission, Refusal>,
    },
    /// A task ends that runs; or the host fails in it.
    Ends {
        who: usize,
        life: u64,
        instruction: Cid,
        took: Duration,
        breaks: bool,
    },
    Fetched {
        who: usize,
        from: usize,
        instruction: Cid,
        receipt: Cid,
    },
    Announce(usize),
    Talk(usize),
    Crash(usize),
    Restart(usize),
    CutOff,
    Heal,
}

/// How tasks stand.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) all: u64,
    pub(super) pure: u64,
    pub(super) answered: u64,
    /// Of those that are pure.
    pub(super) pure_answered: u64,
    pub(super) open: u64,
    pub(super) messages: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    plan: Plan,
    numbers: Numbers,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<u64, Event>,
    next_event: u64,
    nodes: Vec<Node>,
    jobs: Vec<usize>,
    takes: HashMap<Cid, Duration>,
    messages: u64,
    announced: u64,
    // What is checked.
    /// What each node was given: instruction, by whom, to whom.
    awarded: HashSet<(usize, usize, Cid)>,
    /// Who began what reaches the outside.
    begun: HashMap<Cid, usize>,
}

/// Within this time things go wrong, in milliseconds; after it they get well.
const TROUBLE: u64 = 300_000;
/// By then everything has ended.
const END: u64 = 6 * 3_600_000;

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let mut numbers = Numbers(plan.seed);
        let mut nodes = Vec::new();
        let mut jobs = Vec::new();
        for did in &DIDS[..plan.nodes] {
            let skew = plan.faults.skew as i64;
            let is_liar = numbers.chance(plan.faults.liars);
            let lie = Lie::ALL[numbers.below(8) as usize];
            jobs.push(numbers.below(4) as usize);
            nodes.push(Node {
                did: *did,
                requester: Requester::new(RequesterSettings::default(), Shared),
                executor: None,
                liar: is_liar.then(|| Liar::new(lie)),
                is_up: false,
                life: 0,
                skew: numbers.below(2 * skew as u64 + 1) as i64 - skew,
                offset: numbers.below(1 << 40),
                wakes_at: None,
                is_cut_off: false,
                wishes: BTreeMap::new(),
                given: BTreeMap::new(),
                begun: BTreeSet::new(),
            });
        }
        // Somebody works, and doesn't lie.
        for at in 0..nodes.len().min(6) {
            nodes[at].liar = None;
            jobs[at] = jobs[at].max(1);
        }
        let mut world = Self {
            plan,
            numbers,
            now: 0,
            events: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            next_event: 0,
            nodes,
            jobs,
            takes: HashMap::new(),
            messages: 0,
            announced: 0,
            awarded: HashSet::new(),
            begun: HashMap::new(),
        };
        world.prepare();
        world
    }

    /// Decides who wants what and what goes wrong when.
    fn prepare(&mut self) {
        let (count, faults) = (self.nodes.len(), self.plan.faults);
        for who in 0..count {
            self.start(who);
            self.later(0, 20_000, |_| Event::Announce(who));
            if self.nodes[who].liar.is_some() {
                self.later(0, 5_000, |_| Event::Talk(who));
                continue;
            }
            let is_crowd = who == 0;
            if who % self.plan.requesters == 0 {
                let tasks = self.plan.tasks + if is_crowd { self.plan.crowd } else { 0 };
                for ticket in 0..tasks {
                    self.wish(who, ticket, is_crowd);
                }
            }
        }
        for _ in 0..count as u64 * faults.crashes / 100 {
            let who = self.numbers.below(count as u64) as usize;
            self.later(0, TROUBLE, |_| Event::Crash(who));
        }
        for _ in 0..faults.partitions {
            self.later(0, TROUBLE, |_| Event::CutOff);
        }
    }

    fn wish(&mut self, who: usize, ticket: u64, is_crowd: bool) {
        let reaches_outside = self.numbers.chance(self.plan.reach_outside);
        // Pure tasks of several may be the same.
        let is_common = !reaches_outside && !is_crowd && self.numbers.chance(100);
        let name = match is_common {
            true => format!("common {}", self.numbers.below(5)),
            false => format!("{who} {ticket}"),
        };
        let instruction = cid_of_raw(name.as_bytes());
        let mut offer = Offer::new(instruction, self.nodes[who].did);
        offer.pure = !reaches_outside;
        offer.patience = Duration::from_secs(3_600);
        let takes = Duration::from_millis(self.numbers.below(self.plan.takes_ms));
        let takes = *self.takes.entry(instruction).or_insert(takes);
        if self.plan.faults.lost > 0 && self.numbers.chance(100) {
            offer.on = (0..2).map(|_| self.anybody()).collect();
            offer.patience = Duration::from_secs(600);
        }
        let within = if self.plan.crowd > 100 {
            10_000
        } else {
            200_000
        };
        let at = self.later(0, within, |_| Event::Want(who, ticket));
        let wish = Wish {
            offer,
            takes,
            at,
            end: None,
            ended_at: 0,
        };
        self.nodes[who].wishes.insert(ticket, wish);
    }

    fn anybody(&mut self) -> Did {
        let at = self.numbers.below(self.nodes.len() as u64);
        self.nodes[at as usize].did
    }

    /// Lets something happen between two times from now on. Returns when.
    fn later(&mut self, from: u64, to: u64, event: impl FnOnce(u64) -> Event) -> u64 {
        let at = self.now + from + self.numbers.below(to.saturating_sub(from).max(1));
        let event = event(at);
        self.events.push(Reverse((at, self.next_event)));
        self.waiting.insert(self.next_event, event);
        self.next_event += 1;
        at
    }

    /// Simulates until nothing is wanted any more, or for too long.
    pub(super) fn run(&mut self) {
        while let Some(Reverse((at, number))) = self.events.pop() {
            self.now = at;
            if at > END || at > TROUBLE && self.counts_open() == 0 {
                break;
            }
            if let Some(event) = self.waiting.remove(&number) {
                self.happen(event);
            }
        }
    }

    fn counts_open(&self) -> usize {
        let honest = self.nodes.iter().filter(|node| node.liar.is_none());
        let wishes = honest.flat_map(|node| node.wishes.values());
        wishes.filter(|wish| wish.end.is_none()).count()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { to, from, message } => self.deliver(to, from, message),
            Event::Unreached { who, to } => {
                let to = self.nodes[to].did;
                self.request(who, RequesterInput::Unreached(to));
            }
            Event::Wake(who) => {
                if self.nodes[who].wakes_at == Some(self.now) {
                    self.nodes[who].wakes_at = None;
                    self.request(who, RequesterInput::Tick);
                    self.execute(who, ExecutorInput::Tick);
                }
            }
            Event::Want(who, ticket) => {
                let node = &self.nodes[who];
                let wish = &node.wishes[&ticket];
                if node.is_up && wish.end.is_none() {
                    let offer = Box::new(wish.offer.clone());
                    self.request(who, RequesterInput::Want(ticket, offer));
                }
            }
            Event::Admitted {
                who,
                life,
                bid,
                admission,
            } => {
                if self.nodes[who].life == life {
                    self.execute(who, ExecutorInput::Admitted { bid, admission });
                }
            }
            Event::Ends {
                who,
                life,
                instruction,
                took,
                breaks,
            } => self.ends(who, life, instruction, took, breaks),
            Event::Fetched {
                who,
                from,
                instruction,
                receipt,
            } => {
                let from = self.nodes[from].did;
                let bytes = sign(&instruction, from, from);
                let bytes = (cid_of_raw(&bytes) == receipt).then_some(bytes);
                let bytes = bytes.filter(|_| !self.numbers.chance(self.plan.faults.lost));
                self.request(
                    who,
                    RequesterInput::Fetched {
                        from,
                        instruction,
                        receipt,
                        bytes,
                    },
                );
            }
            Event::Announce(who) => self.announce(who),
            Event::Talk(who) => self.talk(who),
            Event::Crash(who) => {
                if self.nodes[who].is_up {
                    self.nodes[who].is_up = false;
                    self.later(100, 60_000, |_| Event::Restart(who));
                }
            }
            Event::Restart(who) => self.start(who),
            Event::CutOff => {
                for at in 0..self.nodes.len() {
                    self.nodes[at].is_cut_off = self.numbers.chance(300);
                }
                self.later(1_000, 90_000, |_| Event::Heal);
            }
            Event::Heal => {
                for node in &mut self.nodes {
                    node.is_cut_off = false;
                }
            }
        }
    }

    fn start(&mut self, who: usize) {
        let known = (0..20).map(|_| self.anybody()).collect();
        let all = &DIDS[..self.nodes.len()];
        self.nodes[who].begin(&mut self.numbers, self.jobs[who], all);
        for input in self.nodes[who].inputs(known, self.now) {
            self.request(who, input);
        }
    }

    fn deliver(&mut self, to: usize, from: usize, message: Message) {
        let node = &mut self.nodes[to];
        if !node.is_up {
            return;
        }
        let (me, from_did) = (node.did, DIDS[from]);
        if let Some(liar) = &mut node.liar {
            let answers = liar.receive(me, from_did, message, &mut self.numbers, sign);
            for answer in answers {
                self.send(to, from_did, answer);
            }
            return;
        }
        let input = RequesterInput::Received(from_did, message.clone());
        self.request(to, input);
        self.execute(to, ExecutorInput::Received(from_did, message));
    }

    /// Puts a message on the wire.
    fn send(&mut self, from: usize, to: Did, message: Message) {
        self.messages += 1;
        let faults = self.plan.faults;
        // Now and then as bytes, as all of them are elsewhere.
        let message = match self.messages % 16 {
            0 => Message::decode(&message.encode().expect("encodes")).expect("decodes"),
            _ => message,
        };
        let to = number_of(&to);
        let is_cut = self.nodes[from].is_cut_off != self.nodes[to].is_cut_off;
        let is_troubled = self.now < TROUBLE;
        if is_cut || !self.nodes[to].is_up || is_troubled && self.numbers.chance(faults.lost) {
            if self.numbers.chance(500) {
                self.later(10, 5_000, |_| Event::Unreached { who: from, to });
            }
            return;
        }
        let times = 1 + u64::from(self.numbers.chance(faults.twice));
        for _ in 0..times {
            let message = message.clone();
            // Some come very late.
            let longest = match faults.twice > 0 && self.numbers.chance(40) {
                true => 15_000,
                false => faults.delay,
            };
            self.later(1, longest, |_| Event::Deliver { to, from, message });
        }
    }

    fn request(&mut self, who: usize, input: RequesterInput) {
        if !self.nodes[who].is_up || self.nodes[who].liar.is_some() {
            return;
        }
        let now = self.nodes[who].local(self.now);
        self.nodes[who].requester.handle(input, now);
        while let Some(step) = self.nodes[who].requester.poll() {
            self.do_for_requester(who, step);
        }
        self.set_clock(who);
    }

    fn execute(&mut self, who: usize, input: ExecutorInput) {
        let now = self.nodes[who].local(self.now);
        let node = &mut self.nodes[who];
        let Some(executor) = node.executor.as_mut().filter(|_| node.is_up) else {
            return;
        };
        if node.liar.is_some() {
            return;
        }
        executor.handle(input, now);
        let mut steps = Vec::new();
        while let Some(step) = executor.poll() {
            steps.push(step);
        }
        let room = executor.room();
        assert!(room.running <= self.jobs[who] as u64 && room.waiting <= 40);
        for step in steps {
            self.do_for_executor(who, step);
        }
        self.set_clock(who);
    }

    fn set_clock(&mut self, who: usize) {
        let node = &self.nodes[who];
        let executor = node.executor.as_ref().and_then(|it| it.deadline());
        let due = node.requester.deadline().into_iter().chain(executor).min();
        let Some(due) = due else { return };
        let at = node.global(due).max(self.now + 1);
        if node.wakes_at.is_none_or(|before| before > at) {
            self.nodes[who].wakes_at = Some(at);
            let now = self.now;
            self.later(at - now, at - now, |_| Event::Wake(who));
        }
    }

    fn do_for_requester(&mut self, who: usize, step: RequesterStep) {
        match step {
            RequesterStep::Tell(to, message) => self.send(who, to, message),
            RequesterStep::Award {
                to,
                bid,
                instruction,
            } => self.award(who, to, bid, instruction),
            RequesterStep::Fetch {
                from,
                instruction,
                receipt,
            } => {
                let from = number_of(&from);
                self.later(10, 5_000, |_| Event::Fetched {
                    who,
                    from,
                    instruction,
                    receipt,
                });
            }
            RequesterStep::Answered {
                tickets,
                from,
                said,
                receipt,
            } => {
                self.check(who, from, said, &receipt);
                self.end(who, &tickets, End::Answered);
            }
            RequesterStep::Late {
                from,
                said,
                receipt,
            } => self.check(who, from, said, &receipt),
            RequesterStep::Unrun { tickets, why, .. } => self.end(who, &tickets, End::Unrun(why)),
            RequesterStep::Lied(liar) => {
                let liar = &self.nodes[number_of(&liar)];
                assert!(liar.liar.is_some(), "an honest node is taken for a liar");
            }
        }
    }

    /// An award is noted where it outlives a crash, before it is sent.
    fn award(&mut self, who: usize, to: Did, bid: u64, instruction: Cid) {
        let node = &mut self.nodes[who];
        let is_it = |wish: &&Wish| wish.offer.instruction == instruction;
        let is_pure = node
            .wishes
            .values()
            .find(is_it)
            .is_some_and(|wish| wish.offer.pure);
        if !is_pure {
            node.given.insert(instruction, (to, bid));
        }
        self.awarded.insert((who, number_of(&to), instruction));
        // Who signs, and for whom.
        let mut tokens = DIDS[who].as_bytes().to_vec();
        tokens.extend(to.as_bytes());
        let award = Award {
            bid,
            instruction,
            tokens: tokens.into(),
        };
        self.send(who, to, Message::Award(award));
    }

    /// Nothing is used but what was signed by who was chosen, of that task.
    fn check(&self, who: usize, from: Did, said: Said, receipt: &[u8]) {
        let awarded = (who, number_of(&from), said.ran);
        assert!(self.awarded.contains(&awarded), "who wasn't chosen is used");
        assert_eq!(
            receipt,
            sign(&said.ran, from, from),
            "a false receipt is used"
        );
    }

    fn end(&mut self, who: usize, tickets: &[u64], end: End) {
        for ticket in tickets {
            let wish = self.nodes[who].wishes.get_mut(ticket).expect("wanted");
            assert_eq!(wish.end, None, "a task ends twice");
            (wish.end, wish.ended_at) = (Some(end), self.now);
        }
    }

    fn do_for_executor(&mut self, who: usize, step: ExecutorStep) {
        let life = self.nodes[who].life;
        match step {
            ExecutorStep::Tell(to, message) => self.send(who, to, message),
            ExecutorStep::Admit { from, ask, award } => {
                let expected = [from.as_bytes(), self.nodes[who].did.as_bytes()].concat();
                let admission = match *award.tokens == expected && ask.requester == from {
                    true => Ok(Admission { requester: from }),
                    false => Err(Refusal::new(Reason::Denied, "it isn't signed")),
                };
                let bid = award.bid;
                self.later(1, 20, |_| Event::Admitted {
                    who,
                    life,
                    bid,
                    admission,
                });
            }
            ExecutorStep::Start {
                instruction, pure, ..
            } => self.begin(who, instruction, pure),
            // It ends when it ends.
            ExecutorStep::Stop(_) => {}
        }
    }

    fn begin(&mut self, who: usize, instruction: Cid, is_pure: bool) {
        let life = self.nodes[who].life;
        let takes = self.takes.get(&instruction).copied();
        let took = takes.unwrap_or_default();
        let is_troubled = self.plan.faults.lost > 0 && self.now < TROUBLE;
        // The component can't be had, or the host fails.
        let (cannot_begin, breaks) = match is_troubled {
            true => (self.numbers.chance(20), self.numbers.chance(20)),
            false => (false, false),
        };
        if cannot_begin {
            let input = ExecutorInput::Broke {
                instruction,
                begun: false,
                words: "it can't be had".into(),
            };
            self.execute(who, input);
            return;
        }
        if !is_pure {
            self.nodes[who].begun.insert(instruction);
            let before = self.begun.insert(instruction, who);
            assert_eq!(before, None, "what reaches the outside is begun twice");
        }
        let ms = took.as_millis() as u64;
        self.later(ms, ms, |_| Event::Ends {
            who,
            life,
            instruction,
            took,
            breaks,
        });
    }

    fn ends(&mut self, who: usize, life: u64, instruction: Cid, took: Duration, breaks: bool) {
        if self.nodes[who].life != life || !self.nodes[who].is_up {
            return;
        }
        let me = self.nodes[who].did;
        let mut bytes = sign(&instruction, me, me);
        let receipt = cid_of_raw(&bytes);
        let input = match breaks {
            true => ExecutorInput::Broke {
                instruction,
                begun: true,
                words: "the host failed".into(),
            },
            false => {
                // Some are too large for a message.
                if instruction.hash().digest()[0] % 16 == 0 {
                    bytes.resize(64 << 10, 0);
                }
                ExecutorInput::Ended {
                    instruction,
                    receipt,
                    bytes,
                    took,
                }
            }
        };
        self.execute(who, input);
    }

    fn announce(&mut self, who: usize) {
        self.later(20_000, 30_000, |_| Event::Announce(who));
        let node = &self.nodes[who];
        let Some(executor) = node.executor.as_ref().filter(|_| node.is_up) else {
            return;
        };
        self.announced += 1;
        let announcement = Announcement {
            who: node.did,
            epoch: node.life,
            seq: self.announced,
            until: i64::MAX,
            room: executor.room(),
            effects: BTreeMap::new(),
            price: 0,
            addresses: Vec::new(),
        };
        for _ in 0..10 {
            let to = self.numbers.below(self.nodes.len() as u64) as usize;
            if self.nodes[to].is_cut_off == self.nodes[who].is_cut_off {
                let lasts = Duration::from_secs(60);
                self.request(to, RequesterInput::Heard(announcement.clone(), lasts));
            }
        }
    }

    fn talk(&mut self, who: usize) {
        self.later(5_000, 15_000, |_| Event::Talk(who));
        let others = &DIDS[..self.nodes.len()];
        let node = &mut self.nodes[who];
        if let Some(liar) = &mut node.liar {
            for (to, message) in liar.talk(node.did, others, &mut self.numbers) {
                self.send(who, to, message);
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts {
            messages: self.messages,
            ..Counts::default()
        };
        let honest = self.nodes.iter().filter(|node| node.liar.is_none());
        for wish in honest.flat_map(|node| node.wishes.values()) {
            counts.all += 1;
            counts.pure += u64::from(wish.offer.pure);
            counts.open += u64::from(wish.end.is_none());
            if wish.end == Some(End::Answered) {
                counts.answered += 1;
                counts.pure_answered += u64::from(wish.offer.pure);
            }
        }
        counts
    }

    /// How long tasks waited, in milliseconds: of those with few, and of the one with many; the longest of each.
    pub(super) fn waits(&self) -> (u64, u64) {
        let longest = |node: &Node| {
            let waits = node.wishes.values().map(|wish| {
                let takes = wish.takes.as_millis() as u64;
                wish.ended_at.saturating_sub(wish.at + takes)
            });
            waits.max().unwrap_or(0)
        };
        let few = self.nodes[1..].iter().map(longest).max();
        (few.unwrap_or(0), longest(&self.nodes[0]))
    }
}
