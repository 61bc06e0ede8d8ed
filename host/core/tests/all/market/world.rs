//! Time, the wires, and what is checked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::time::Duration;

use homestar_core::ipld::{Cid, cid_of_raw};
use homestar_core::market::{
    Admission, Announcement, Award, ExecutorInput, ExecutorStep, Message, Offer, Reason, Refusal,
    Requester, RequesterInput, RequesterSettings, RequesterStep, Said,
};
use homestar_core::ucan::Did;

use super::event::{Event, HowEnded};
use super::faults::{Liar, Lie};
use super::node::{End, Node, Shared, Wish, sign};
use super::numbers::{DIDS, Numbers, number_of};
use super::plan::Plan;

/// A task that runs somewhere.
#[derive(Clone, Copy, Debug)]
struct Running {
    /// The how many-th of all that ran.
    run: u64,
    since: u64,
    pure: bool,
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
    /// That were called back before they had ended.
    pub(super) recalled: u64,
    /// That run at the end.
    pub(super) running: u64,
    /// That ran and were ended early.
    pub(super) stopped: u64,
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
    /// What runs where.
    running: BTreeMap<(usize, Cid), Running>,
    runs: u64,
    stopped: u64,
    /// What runs that nobody waits for, and since when.
    unwanted: BTreeMap<(usize, Cid), u64>,
    looked_at: u64,
}

/// How long a task takes that never ends.
const ENDLESS: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a task may run that nobody waits for: until nothing was heard of who wanted it for long enough, by a slow clock, and
/// that was looked at.
const STOPPED_WITHIN: u64 = 100_000;

/// Within this time things go wrong, in milliseconds; after it they get well.
const TROUBLE: u64 = 300_000;
/// By then everything has ended.
const END: u64 = 6 * 3_600_000;

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let mut numbers = Numbers::new(plan.seed);
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
            running: BTreeMap::new(),
            runs: 0,
            stopped: 0,
            unwanted: BTreeMap::new(),
            looked_at: 0,
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
        let mut takes = Duration::from_millis(self.numbers.below(self.plan.takes_ms));
        // Some are called back, and of those some would never end.
        let may_recall = !is_common && (is_crowd || self.plan.recalled < 1_000);
        let is_recalled = may_recall && self.numbers.chance(self.plan.recalled);
        if is_recalled && self.numbers.chance(500) {
            takes = ENDLESS;
        }
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
        if is_recalled {
            let longest = match takes == ENDLESS && self.plan.recalled < 1_000 {
                true => 240_000,
                false => 3 * self.plan.takes_ms,
            };
            let wait = at - self.now + self.numbers.below(longest);
            self.later(wait, wait, |_| Event::Unwant(who, ticket));
        }
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
            if at > END || at > TROUBLE && self.counts_open() == 0 && self.running.is_empty() {
                break;
            }
            self.nothing_runs_for_nobody();
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
                self.execute(who, ExecutorInput::Unreached(to));
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
            Event::Unwant(who, ticket) => {
                let wish = self.nodes[who].wishes.get_mut(&ticket).expect("wanted");
                if wish.end.is_none() {
                    (wish.end, wish.ended_at) = (Some(End::Recalled), self.now);
                    self.request(who, RequesterInput::Unwant(ticket));
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
                run,
                how,
            } => self.ends(who, life, instruction, run, how),
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
                    self.running.retain(|(at, _), _| *at != who);
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
            ExecutorStep::Stop(instruction) => {
                if let Some(running) = self.running.get(&(who, instruction)) {
                    let run = running.run;
                    self.later(1, 200, |_| Event::Ends {
                        who,
                        life,
                        instruction,
                        run,
                        how: HowEnded::Stopped,
                    });
                }
            }
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
        let run = self.runs;
        self.runs += 1;
        let running = Running {
            run,
            since: self.now,
            pure: is_pure,
        };
        let before = self.running.insert((who, instruction), running);
        assert!(before.is_none(), "a task runs twice at a time on a node");
        let how = if breaks {
            HowEnded::Breaks
        } else {
            HowEnded::Well
        };
        self.later(ms, ms, |_| Event::Ends {
            who,
            life,
            instruction,
            run,
            how,
        });
    }

    fn ends(&mut self, who: usize, life: u64, instruction: Cid, run: u64, how: HowEnded) {
        if self.nodes[who].life != life || !self.nodes[who].is_up {
            return;
        }
        let running = self.running.get(&(who, instruction));
        let Some(running) = running.filter(|running| running.run == run).copied() else {
            // It ended in another way.
            return;
        };
        self.running.remove(&(who, instruction));
        let took = Duration::from_millis(self.now - running.since);
        let me = self.nodes[who].did;
        let mut bytes = sign(&instruction, me, me);
        let receipt = cid_of_raw(&bytes);
        let input = match how {
            HowEnded::Stopped => {
                self.stopped += 1;
                ExecutorInput::Stopped {
                    instruction,
                    begun: true,
                    took,
                }
            }
            HowEnded::Breaks => ExecutorInput::Broke {
                instruction,
                begun: true,
                words: "the host failed".into(),
            },
            HowEnded::Well => {
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

    /// No pure task runs on that nobody waits for.
    fn nothing_runs_for_nobody(&mut self) {
        if self.now < self.looked_at + 5_000 {
            return;
        }
        self.looked_at = self.now;
        let nodes = self.nodes.iter().filter(|node| node.is_up);
        let wishes = nodes.flat_map(|node| node.wishes.values());
        let open = wishes.filter(|wish| wish.end.is_none());
        let wanted: HashSet<Cid> = open.map(|wish| wish.offer.instruction).collect();
        let mut unwanted = BTreeMap::new();
        for (place, running) in &self.running {
            // What has begun and reaches the outside may be asked for by who comes back.
            if !running.pure || wanted.contains(&place.1) {
                continue;
            }
            let since = self.unwanted.get(place).copied().unwrap_or(self.now);
            assert!(
                self.now <= since + STOPPED_WITHIN,
                "{} runs what nobody waits for since {since}, at {}",
                place.0,
                self.now
            );
            unwanted.insert(*place, since);
        }
        self.unwanted = unwanted;
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
            running: self.running.len() as u64,
            stopped: self.stopped,
            ..Counts::default()
        };
        let honest = self.nodes.iter().filter(|node| node.liar.is_none());
        for wish in honest.flat_map(|node| node.wishes.values()) {
            if wish.end == Some(End::Recalled) {
                counts.recalled += 1;
                continue;
            }
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
