//! The side of who runs tasks for others.
//!
//! ```text
//! Ask ──→ would it? ──→ bid, good once ──→ Award ──→ does the invocation hold? ──→ waiting, by turns ──→ running ──→ Answer
//!           └─ Refuse                        └─ Gone     └─ Gone                                            └─ Gone   until Ack
//! ```
//!
//! Pure tasks that are the same are run once, for all who want them. What reaches the outside is begun at most once: whoever
//! does what this says notes that, durably, before it begins, and tells the next life of this machine.

mod order;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_bytes::ByteBuf;

pub use self::order::{Admission, ExecutorInput, ExecutorSettings, ExecutorStep, House, Unwilling};

use super::announcement::Room;
use super::bids::Bids;
use super::fair::FairQueue;
use super::message::{Answer, Ask, Award, Bid, Gone, Message, Reason, Refusal};
use super::numbers::Numbers;
use crate::ipld::Cid;
use crate::schedule::Timestamp;
use crate::ucan::Did;

/// Bytes of a receipt that travels in a message.
const INLINE_BYTES_MAX: usize = 32 << 10;
/// How often an answer is sent that nobody says has come.
const ANSWERS_MAX: u32 = 12;
/// Others that are named as better.
const BETTER_MAX: usize = 3;
/// When somebody may ask again who took a bid that isn't good any more.
const UNKNOWN_RETRY_MS: u64 = 100;

#[derive(Debug)]
struct Lease {
    peer: Did,
    ask: Ask,
    heard: Timestamp,
    /// Whether something that was said since then didn't arrive.
    is_unreached: bool,
    state: State,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are no more of them than leases"
)]
enum State {
    Admitting,
    Waiting,
    Answered {
        answer: Answer,
        tries: u32,
        next: Timestamp,
    },
}

#[derive(Debug)]
struct Job {
    leases: Vec<u64>,
    /// Whose turn it takes.
    requester: Did,
    cost: u64,
    /// Of what it takes the largest share of, in thousandths.
    share: u64,
    is_running: bool,
    is_pure: bool,
    /// Who wants it again while it is being stopped, since nobody did.
    again: Option<Did>,
}

/// See the module.
#[derive(Debug)]
pub struct Executor<H> {
    settings: ExecutorSettings,
    house: H,
    numbers: Numbers,
    bids: Bids,
    leases: BTreeMap<u64, Lease>,
    jobs: BTreeMap<Cid, Job>,
    queue: FairQueue<Cid>,
    running: usize,
    /// What reaches the outside and was begun, in this life or an earlier one.
    begun: BTreeSet<Cid>,
    /// How long tasks take, roughly.
    took_ms: u64,
    next_beat: Timestamp,
    steps: VecDeque<ExecutorStep>,
}

impl<H: House> Executor<H> {
    /// An executor at which nothing waits. `begun` are the tasks that reach the outside and began in earlier lives.
    pub fn new(settings: ExecutorSettings, house: H, begun: BTreeSet<Cid>) -> Self {
        Self {
            numbers: Numbers::new(settings.seed),
            bids: Bids::new(settings.bids, settings.bids_each),
            queue: FairQueue::new(settings.waiting, settings.waiting_each),
            leases: BTreeMap::new(),
            jobs: BTreeMap::new(),
            running: 0,
            begun,
            took_ms: 1_000,
            next_beat: Timestamp(0),
            steps: VecDeque::new(),
            settings,
            house,
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<ExecutorStep> {
        self.steps.pop_front()
    }

    /// When time has to be told, at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        let answers = self.leases.values().filter_map(|lease| match lease.state {
            State::Answered { next, .. } => Some(next),
            State::Admitting | State::Waiting => None,
        });
        let beat = (!self.leases.is_empty()).then_some(self.next_beat);
        answers.chain(beat).chain(self.bids.deadline()).min()
    }

    /// What there is room for.
    pub fn room(&self) -> Room {
        Room {
            jobs: self.settings.jobs as u64,
            running: self.running as u64,
            waiting: self.queue.len() as u64,
            memory: self.settings.memory,
            fuel_rate: 0,
        }
    }

    /// Tells whether a task waits or runs here.
    pub fn has(&self, instruction: &Cid) -> bool {
        self.jobs.contains_key(instruction)
    }

    /// What the operator decides.
    pub fn house(&self) -> &H {
        &self.house
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: ExecutorInput, now: Timestamp) {
        match input {
            ExecutorInput::Received(from, message) => self.received(from, message, now),
            ExecutorInput::Admitted { bid, admission } => self.admitted(bid, admission, now),
            ExecutorInput::Ended {
                instruction,
                receipt,
                bytes,
                took,
            } => self.ended(instruction, receipt, bytes, took, now),
            ExecutorInput::Broke {
                instruction,
                begun,
                words,
            } => self.broke(instruction, begun, &words),
            ExecutorInput::Stopped {
                instruction,
                begun,
                took,
            } => self.stopped(instruction, begun, took),
            ExecutorInput::Unreached(who) => self.unreached(&who),
            ExecutorInput::Close => return self.close(),
            ExecutorInput::Tick => {}
        }
        self.tick(now);
    }

    fn received(&mut self, from: Did, message: Message, now: Timestamp) {
        match message {
            Message::Ask(ask) => self.asked(from, ask, now),
            Message::Award(award) => self.awarded(from, award, now),
            Message::Renew { leases } => {
                for bid in leases {
                    self.hear(bid, &from, now);
                }
            }
            Message::Cancel { leases } => {
                for bid in leases {
                    if self.hear(bid, &from, now) {
                        self.release(bid);
                    }
                }
            }
            Message::Ack { bid } => {
                if self.hear(bid, &from, now) {
                    self.release(bid);
                }
            }
            Message::Query { bid, instruction } => self.queried(from, bid, instruction, now),
            // What requesters are told.
            Message::Bid(_)
            | Message::Refuse { .. }
            | Message::Lease { .. }
            | Message::Gone(_)
            | Message::Heartbeat { .. }
            | Message::Answer(_) => {}
        }
    }

    /// Notes that whoever has a lease lives. False if it is somebody else's, or nobody's.
    fn hear(&mut self, bid: u64, from: &Did, now: Timestamp) -> bool {
        let lease = self.leases.get_mut(&bid);
        let theirs = lease.filter(|lease| lease.peer == *from);
        theirs
            .map(|lease| (lease.heard, lease.is_unreached) = (now, false))
            .is_some()
    }

    fn tell(&mut self, to: Did, message: Message) {
        self.steps.push_back(ExecutorStep::Tell(to, message));
    }

    fn asked(&mut self, from: Did, ask: Ask, now: Timestamp) {
        let number = ask.ask;
        let answer = match self.consider(&from, &ask, now) {
            Ok(bid) => Message::Bid(bid),
            Err(refusal) => Message::Refuse {
                ask: number,
                refusal,
            },
        };
        self.tell(from, answer);
    }

    fn consider(&mut self, from: &Did, ask: &Ask, now: Timestamp) -> Result<Bid, Refusal> {
        let unwilling = |no: Unwilling| Refusal::new(no.reason, no.words);
        let missing = self.house.would(ask).map_err(unwilling)?;
        if ask.memory > self.settings.memory {
            let words = format!(
                "no task has more than {} bytes of memory",
                self.settings.memory
            );
            return Err(Refusal::new(Reason::Limits, words));
        }
        let full = self
            .queue
            .room(&ask.requester)
            .map_err(|full| full.to_string());
        full.map_err(|words| self.busy(ask, &words))?;
        let bid = match self.bids.of(from, ask.ask) {
            Some(bid) => bid,
            None => {
                let bid = self.numbers.next();
                let until = now.after(self.settings.bid);
                if !self.bids.open(bid, *from, ask.clone(), until) {
                    return Err(self.busy(ask, "too many bids are open here"));
                }
                bid
            }
        };
        Ok(Bid {
            ask: ask.ask,
            bid,
            start_ms: self.start_ms(),
            missing,
            price: self.settings.price.saturating_mul(ask.time / 1_000),
        })
    }

    /// In how many milliseconds a task would begin, roughly.
    fn start_ms(&self) -> u64 {
        let jobs = self.settings.jobs.max(1) as u64;
        let ahead = (self.queue.len() + self.running) as u64;
        (ahead / jobs).saturating_mul(self.took_ms)
    }

    fn busy(&self, ask: &Ask, words: &str) -> Refusal {
        let mut better = self.house.better(ask);
        better.truncate(BETTER_MAX);
        Refusal {
            retry_ms: Some(self.start_ms().clamp(100, 30_000)),
            better,
            ..Refusal::new(Reason::Busy, words)
        }
    }

    fn awarded(&mut self, from: Did, award: Award, now: Timestamp) {
        let (bid, instruction) = (award.bid, award.instruction);
        if self.leases.contains_key(&bid) {
            return self.queried(from, bid, instruction, now);
        }
        let Some(open) = self.bids.take(bid, &from, now) else {
            return self.unknown(from, bid, &instruction);
        };
        if open.ask.instruction != instruction {
            let words = "the bid was for another task";
            return self.gone(from, bid, false, Refusal::new(Reason::Denied, words));
        }
        let own = self.leases.values().filter(|lease| lease.peer == from);
        let is_full = own.count() >= 2 * self.settings.waiting_each + self.settings.jobs;
        if is_full || self.leases.len() >= 2 * self.settings.waiting + self.settings.jobs {
            let refusal = self.busy(&open.ask, "too many tasks wait here");
            return self.gone(from, bid, false, refusal);
        }
        self.beat_soon(now);
        let lease = Lease {
            peer: from,
            ask: open.ask.clone(),
            heard: now,
            is_unreached: false,
            state: State::Admitting,
        };
        self.leases.insert(bid, lease);
        self.steps.push_back(ExecutorStep::Admit {
            from,
            ask: open.ask,
            award,
        });
    }

    fn beat_soon(&mut self, now: Timestamp) {
        if self.leases.is_empty() {
            self.next_beat = now.after(self.settings.lease / 3);
        }
    }

    fn unknown(&mut self, to: Did, bid: u64, instruction: &Cid) {
        let begun = self.begun.contains(instruction);
        let refusal = match begun {
            true => Refusal::new(Reason::Lost, "it was begun, and nobody knows how it ended"),
            false => Refusal {
                retry_ms: Some(UNKNOWN_RETRY_MS),
                ..Refusal::new(Reason::Unknown, "there is no such bid, or not any more")
            },
        };
        self.gone(to, bid, begun, refusal);
    }

    fn gone(&mut self, to: Did, bid: u64, begun: bool, refusal: Refusal) {
        let gone = Gone {
            bid,
            begun,
            refusal,
        };
        self.tell(to, Message::Gone(gone));
    }

    /// Says how it stands with a lease.
    fn queried(&mut self, from: Did, bid: u64, instruction: Cid, now: Timestamp) {
        if !self.hear(bid, &from, now) {
            // Whoever asks what became of it has sent the award. If that comes still, it comes too late.
            self.bids.take(bid, &from, now);
            return self.unknown(from, bid, &instruction);
        }
        let message = match self.leases.get(&bid).map(|lease| &lease.state) {
            Some(State::Waiting) => self.lease(bid),
            Some(State::Answered { answer, .. }) => Message::Answer(answer.clone()),
            Some(State::Admitting) | None => return,
        };
        self.tell(from, message);
    }

    fn lease(&self, bid: u64) -> Message {
        let lasts_ms = u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX);
        Message::Lease { bid, lasts_ms }
    }

    fn admitted(&mut self, bid: u64, admission: Result<Admission, Refusal>, now: Timestamp) {
        let lease = self.leases.get(&bid);
        let Some(lease) = lease.filter(|lease| matches!(lease.state, State::Admitting)) else {
            return;
        };
        let (peer, instruction, is_pure) = (lease.peer, lease.ask.instruction, lease.ask.pure);
        let taken = admission.and_then(|admission| self.take_on(bid, admission.requester));
        match taken {
            Ok(()) => {
                if let Some(lease) = self.leases.get_mut(&bid) {
                    lease.state = State::Waiting;
                    lease.heard = now;
                }
                let message = self.lease(bid);
                self.tell(peer, message);
                self.start();
            }
            Err(refusal) => {
                self.leases.remove(&bid);
                let begun = !is_pure && self.begun.contains(&instruction);
                self.gone(peer, bid, begun, refusal);
            }
        }
    }

    /// Lets a task wait for its turn, or whoever has the lease for one that is here already.
    fn take_on(&mut self, bid: u64, requester: Did) -> Result<(), Refusal> {
        let Some(lease) = self.leases.get(&bid) else {
            return Ok(());
        };
        let ask = &lease.ask;
        let instruction = ask.instruction;
        if let Some(job) = self.jobs.get_mut(&instruction) {
            if job.is_pure && ask.pure {
                if job.leases.is_empty() {
                    job.again = Some(requester);
                }
                job.leases.push(bid);
                return Ok(());
            }
            let words = "it is waiting or at work here already, and may not run twice";
            return Err(Refusal::new(Reason::Denied, words));
        }
        if !ask.pure && self.begun.contains(&instruction) {
            let words = "it was begun here before, and may not run twice";
            return Err(Refusal::new(Reason::Lost, words));
        }
        let share = self.share(ask);
        // As long as tasks take here, unless it may take less.
        let cost = ask.time.min(self.took_ms).max(1).saturating_mul(share);
        let is_pure = ask.pure;
        let pushed = self.queue.push(requester, instruction, cost);
        pushed.map_err(|full| self.busy(&self.leases[&bid].ask, &full.to_string()))?;
        let job = Job {
            leases: vec![bid],
            requester,
            cost,
            share,
            is_running: false,
            is_pure,
            again: None,
        };
        self.jobs.insert(instruction, job);
        Ok(())
    }

    /// A task's share of what it takes the largest share of, in thousandths.
    fn share(&self, ask: &Ask) -> u64 {
        let of_jobs = 1_000 / self.settings.jobs.max(1) as u64;
        let of_memory = u128::from(ask.memory) * 1_000 / u128::from(self.settings.memory.max(1));
        u64::try_from(of_memory)
            .unwrap_or(1_000)
            .max(of_jobs)
            .max(1)
    }

    /// Begins what has its turn.
    fn start(&mut self) {
        while self.running < self.settings.jobs {
            let Some((_, instruction, _)) = self.queue.pop() else {
                return;
            };
            let Some(job) = self.jobs.get_mut(&instruction) else {
                continue;
            };
            let Some(bid) = job.leases.first().copied() else {
                continue;
            };
            job.is_running = true;
            self.running += 1;
            let pure = job.is_pure;
            if !pure {
                self.begun.insert(instruction);
            }
            self.steps.push_back(ExecutorStep::Start {
                instruction,
                bid,
                peer: self.leases[&bid].peer,
                pure,
            });
        }
    }

    fn ended(
        &mut self,
        instruction: Cid,
        receipt: Cid,
        bytes: Vec<u8>,
        took: Duration,
        now: Timestamp,
    ) {
        let Some(job) = self.finish(&instruction) else {
            return;
        };
        self.learn(took);
        self.charge(&job, took);
        let inline = (bytes.len() <= INLINE_BYTES_MAX).then(|| ByteBuf::from(bytes));
        for bid in job.leases {
            let answer = Answer {
                bid,
                instruction,
                receipt,
                bytes: inline.clone(),
            };
            if let Some(lease) = self.leases.get_mut(&bid) {
                lease.state = State::Answered {
                    answer,
                    tries: 0,
                    next: now,
                };
            }
        }
        self.start();
    }

    fn broke(&mut self, instruction: Cid, begun: bool, words: &str) {
        let Some(job) = self.finish(&instruction) else {
            return;
        };
        if !begun {
            self.begun.remove(&instruction);
        }
        for bid in job.leases {
            if let Some(lease) = self.leases.remove(&bid) {
                let refusal = Refusal::new(Reason::Failed, words);
                self.gone(lease.peer, bid, begun && !job.is_pure, refusal);
            }
        }
        self.start();
    }

    /// A task doesn't run any more that nobody waited for. Who wanted it costs others what it took, as if it had ended then.
    fn stopped(&mut self, instruction: Cid, begun: bool, took: Duration) {
        let Some(job) = self.finish(&instruction) else {
            return;
        };
        self.charge(&job, took);
        if !begun {
            self.begun.remove(&instruction);
        }
        // Somebody came before it was stopped: it waits for its turn anew.
        for bid in job.leases {
            let Some(peer) = self.leases.get(&bid).map(|lease| lease.peer) else {
                continue;
            };
            let who = job.again.unwrap_or(job.requester);
            if let Err(refusal) = self.take_on(bid, who) {
                self.leases.remove(&bid);
                self.gone(peer, bid, false, refusal);
            }
        }
        self.start();
    }

    /// Who isn't reached is waited for as long as a lease lasts, and not for as long as one may be silent.
    fn unreached(&mut self, who: &Did) {
        let theirs = self.leases.values_mut().filter(|lease| lease.peer == *who);
        theirs.for_each(|lease| lease.is_unreached = true);
    }

    /// Says to all who wait that they needn't, so that they ask somebody else.
    fn close(&mut self) {
        let leases = std::mem::take(&mut self.leases);
        for (bid, lease) in leases {
            if matches!(lease.state, State::Answered { .. }) {
                continue;
            }
            let job = self.jobs.get(&lease.ask.instruction);
            let begun = job.is_some_and(|job| job.is_running && !job.is_pure);
            let refusal = Refusal::new(Reason::Cancelled, "the node ends");
            self.gone(lease.peer, bid, begun, refusal);
        }
        let running = self.jobs.iter().filter(|(_, job)| job.is_running);
        let running = running.map(|(instruction, _)| ExecutorStep::Stop(*instruction));
        self.steps.extend(running);
    }

    /// Takes out a task that ran.
    fn finish(&mut self, instruction: &Cid) -> Option<Job> {
        self.jobs.get(instruction).filter(|job| job.is_running)?;
        self.running -= 1;
        self.jobs.remove(instruction)
    }

    /// Takes note of how long a task took.
    fn learn(&mut self, took: Duration) {
        let took = millis(took);
        self.took_ms = (self.took_ms.saturating_mul(7).saturating_add(took) / 8).max(1);
    }

    /// Lets a task cost what it took, and not what was expected.
    fn charge(&mut self, job: &Job, took: Duration) {
        let cost = millis(took).saturating_mul(job.share);
        self.queue.correct(&job.requester, job.cost, cost);
    }

    /// Nobody waits for a lease any more.
    fn release(&mut self, bid: u64) {
        let Some(lease) = self.leases.remove(&bid) else {
            return;
        };
        let instruction = lease.ask.instruction;
        let Some(job) = self.jobs.get_mut(&instruction) else {
            return;
        };
        let before = job.leases.len();
        job.leases.retain(|other| *other != bid);
        if before == job.leases.len() || !job.leases.is_empty() {
            return;
        }
        if job.is_running {
            self.steps.push_back(ExecutorStep::Stop(instruction));
        } else {
            let requester = job.requester;
            self.queue.remove(&requester, &instruction);
            self.jobs.remove(&instruction);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.bids.forget(now);
        self.answer_again(now);
        if !self.leases.is_empty() && self.next_beat <= now {
            self.next_beat = now.after(self.settings.lease / 3);
            self.give_up(now);
            self.beat();
        }
    }

    /// Says what came of tasks, until somebody says that it is there.
    fn answer_again(&mut self, now: Timestamp) {
        let mut dropped = Vec::new();
        for (bid, lease) in &mut self.leases {
            let State::Answered {
                answer,
                tries,
                next,
            } = &mut lease.state
            else {
                continue;
            };
            if *next > now {
                continue;
            }
            if *tries == ANSWERS_MAX {
                dropped.push(*bid);
                continue;
            }
            *next = now.after(Duration::from_secs(1 << (*tries).min(6)));
            *tries += 1;
            let message = Message::Answer(answer.clone());
            self.steps
                .push_back(ExecutorStep::Tell(lease.peer, message));
        }
        for bid in dropped {
            self.leases.remove(&bid);
        }
    }

    /// Drops those of whom nothing is heard. What has begun and reaches the outside goes on.
    fn give_up(&mut self, now: Timestamp) {
        let jobs = &self.jobs;
        let is_late = |lease: &Lease| {
            let has_begun = jobs
                .get(&lease.ask.instruction)
                .is_some_and(|job| job.is_running && !job.is_pure);
            let is_waiting = matches!(lease.state, State::Waiting);
            let patience = match lease.is_unreached {
                true => self.settings.lease,
                false => self.settings.silence,
            };
            is_waiting && !has_begun && lease.heard.after(patience) <= now
        };
        let late = self.leases.iter().filter(|(_, lease)| is_late(lease));
        let late: Vec<(u64, Did)> = late.map(|(bid, lease)| (*bid, lease.peer)).collect();
        for (bid, peer) in late {
            self.release(bid);
            let words = "nothing was heard of who wanted it";
            self.gone(peer, bid, false, Refusal::new(Reason::Cancelled, words));
        }
    }

    /// Says what waits and runs here, in one message to each peer.
    fn beat(&mut self) {
        let mut beats: BTreeMap<Did, Vec<u64>> = BTreeMap::new();
        let waiting = self.leases.iter();
        for (bid, lease) in waiting.filter(|(_, lease)| matches!(lease.state, State::Waiting)) {
            beats.entry(lease.peer).or_default().push(*bid);
        }
        for (peer, leases) in beats {
            self.tell(peer, Message::Heartbeat { leases });
        }
    }
}

/// Milliseconds, and at least one.
fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
