//! The side of who wants tasks to be run elsewhere.
//!
//! ```text
//!            ┌──────────────── nobody would: wait ───────────────┐
//!            ↓                                                   │
//! Want ──→ Waiting ──→ Asking: some at once ──→ Given to the best bid ──→ Answered
//!            ↑                                       │        └──→ Unrun: why not
//!            └── gone; or the lease ran out, if it is pure
//! ```

mod answers;
mod offer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub use self::offer::{
    Judge, Offer, RequesterInput, RequesterSettings, RequesterStep, Said, Signatures, Unrun,
};

use super::choice;
use super::message::{Ask, Bid, Gone, Message, Reason, Refusal};
use super::numbers::Numbers;
use super::workers::Workers;
use crate::ipld::Cid;
use crate::schedule::Timestamp;
use crate::ucan::Did;

/// Tasks that ended, of which it is remembered to whom they were given.
const ENDED_MAX: usize = 1024;
/// Refusals that are told of one task.
const REFUSALS_MAX: usize = 16;
/// The longest that somebody may say it isn't to be asked.
const REST_MAX: Duration = Duration::from_secs(60);
/// The shortest: who says "at once" again and again is not asked as often.
const REST_MIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Task {
    tickets: Vec<u64>,
    offer: Offer,
    state: State,
    due: Timestamp,
    /// Until when somebody is looked for.
    until: Timestamp,
    /// To whom it was given so far, by which bids.
    given: Vec<(Did, u64)>,
    /// Who is out of question.
    out: BTreeSet<Did>,
    /// Who is said to be better.
    better: Vec<Did>,
    refusals: Vec<(Did, Refusal)>,
    fetching: Option<Cid>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most tasks are given to somebody most of the time"
)]
enum State {
    Waiting,
    Asking(Vec<Asked>),
    Given {
        to: Did,
        bid: u64,
        /// How often the award was sent, or what became of it asked.
        tries: u32,
        has_lease: bool,
        heard: Timestamp,
        /// When it has to have ended.
        end: Timestamp,
    },
}

#[derive(Debug)]
struct Asked {
    who: Did,
    ask: u64,
    answer: Option<Option<Bid>>,
}

/// See the module.
#[derive(Debug)]
pub struct Requester<J> {
    settings: RequesterSettings,
    judge: J,
    numbers: Numbers,
    workers: Workers,
    tasks: BTreeMap<Cid, Task>,
    timers: BTreeSet<(Timestamp, Cid)>,
    asks: BTreeMap<u64, Cid>,
    leases: BTreeMap<(Did, u64), Cid>,
    ended: VecDeque<(Cid, Vec<(Did, u64)>)>,
    steps: VecDeque<RequesterStep>,
}

impl<J: Judge> Requester<J> {
    /// A requester that knows nobody and wants nothing.
    pub fn new(settings: RequesterSettings, judge: J) -> Self {
        Self {
            numbers: Numbers::new(settings.seed),
            settings,
            judge,
            workers: Workers::new(),
            tasks: BTreeMap::new(),
            timers: BTreeSet::new(),
            asks: BTreeMap::new(),
            leases: BTreeMap::new(),
            ended: VecDeque::new(),
            steps: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<RequesterStep> {
        self.steps.pop_front()
    }

    /// When time has to be told, at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Who may run tasks, as far as is known.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// To whom tasks are given of which no receipt has come.
    pub fn holders(&self) -> BTreeSet<Did> {
        let holder = |task: &Task| match task.state {
            State::Given { to, .. } => Some(to),
            State::Waiting | State::Asking(_) => None,
        };
        self.tasks.values().filter_map(holder).collect()
    }

    /// Tells whether a task is wanted that has not ended.
    pub fn has(&self, instruction: &Cid) -> bool {
        self.tasks.contains_key(instruction)
    }

    /// How many tasks have not ended.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// True if all tasks have ended.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: RequesterInput, now: Timestamp) {
        match input {
            RequesterInput::Want(ticket, offer) => self.want(ticket, *offer, now),
            RequesterInput::Unwant(ticket) => self.unwant(ticket),
            RequesterInput::Heard(announcement, lasts) => {
                if self.workers.heard(announcement, lasts, now) {
                    self.look_again(now);
                }
            }
            RequesterInput::Know(who) => {
                self.workers.know(who, now);
                self.look_again(now);
            }
            RequesterInput::Received(from, message) => self.received(from, message, now),
            RequesterInput::Unreached(who) => self.unreached(who, now),
            RequesterInput::Fetched {
                from,
                instruction,
                receipt,
                bytes,
            } => self.fetched(from, instruction, receipt, bytes, now),
            RequesterInput::Tick => self.tick(now),
        }
    }

    fn want(&mut self, ticket: u64, offer: Offer, now: Timestamp) {
        let cid = offer.instruction;
        if let Some(task) = self.tasks.get_mut(&cid) {
            task.tickets.push(ticket);
            return;
        }
        for who in &offer.on {
            self.workers.know(*who, now);
        }
        let given = offer.given;
        let task = Task {
            tickets: vec![ticket],
            until: now.after(offer.patience),
            offer,
            state: State::Waiting,
            due: now,
            given: Vec::new(),
            out: BTreeSet::new(),
            better: Vec::new(),
            refusals: Vec::new(),
            fetching: None,
        };
        self.timers.insert((now, cid));
        self.tasks.insert(cid, task);
        match given {
            Some((to, bid)) => {
                self.give(cid, to, bid, 0, now);
                self.ask_what_became(cid, now);
            }
            None => self.look(cid, now),
        }
    }

    fn unwant(&mut self, ticket: u64) {
        let found = self.tasks.iter_mut().find_map(|(cid, task)| {
            let at = task.tickets.iter().position(|other| *other == ticket)?;
            task.tickets.remove(at);
            task.tickets.is_empty().then_some(*cid)
        });
        if let Some(cid) = found {
            self.end(&cid, None);
        }
    }

    /// Somebody new may run what nobody would.
    fn look_again(&mut self, now: Timestamp) {
        let waiting = |task: &Task| matches!(task.state, State::Waiting);
        let waiting = self.tasks.iter().filter(|(_, task)| waiting(task));
        let waiting: Vec<Cid> = waiting.map(|(cid, _)| *cid).collect();
        for cid in waiting {
            self.look(cid, now);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        while let Some((due, cid)) = self.timers.first().copied()
            && due <= now
        {
            match self.tasks.get(&cid).map(|task| &task.state) {
                Some(State::Waiting) => self.look(cid, now),
                Some(State::Asking(_)) => self.settle(cid, true, now),
                Some(State::Given { .. }) => self.overdue(cid, now),
                None => {
                    self.timers.remove(&(due, cid));
                }
            }
        }
    }

    /// Says when a task is to be looked at again: later than now, so that time passes.
    fn wake(&mut self, cid: Cid, at: Timestamp, now: Timestamp) {
        if let Some(task) = self.tasks.get_mut(&cid) {
            self.timers.remove(&(task.due, cid));
            task.due = at.max(now.after(Duration::from_millis(1)));
            self.timers.insert((task.due, cid));
        }
    }

    /// Asks those that are most likely to run a task.
    fn look(&mut self, cid: Cid, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        if task.given.len() >= self.settings.given_max {
            return self.fail(cid, Unrun::TooOften);
        }
        if now >= task.until {
            let refused = !task.refusals.is_empty();
            let why = if refused {
                Unrun::Refused
            } else {
                Unrun::Nobody
            };
            return self.fail(cid, why);
        }
        let (offer, out, workers) = (&task.offer, &task.out, &self.workers);
        let mut who = std::mem::take(&mut task.better);
        who.retain(|who| {
            let known = workers.get(who);
            let is_fit = known.is_some_and(|known| {
                choice::is_fit(offer, who, known, now) && known.rests_until() <= now
            });
            is_fit && !out.contains(who)
        });
        let not = |one: &Did| out.contains(one) || who.contains(one);
        let more = choice::likely(offer, workers, not, self.settings.asked_at_once, now);
        who.extend(more);
        who.truncate(self.settings.asked_at_once);
        if who.is_empty() {
            return self.wait(cid, now);
        }
        let task = self.tasks.get_mut(&cid).expect("it was there");
        let mut asked = Vec::new();
        for who in who {
            let ask = self.numbers.next();
            self.asks.insert(ask, cid);
            let question = Ask {
                ask,
                instruction: cid,
                requester: task.offer.requester,
                pure: task.offer.pure,
                memory: task.offer.memory,
                time: u64::try_from(task.offer.time.as_millis()).unwrap_or(u64::MAX),
                content: task.offer.content.clone(),
            };
            let question = Message::Ask(question);
            self.steps.push_back(RequesterStep::Tell(who, question));
            asked.push(Asked {
                who,
                ask,
                answer: None,
            });
        }
        task.state = State::Asking(asked);
        self.wake(cid, now.after(self.settings.answer_within), now);
    }

    /// Waits until somebody may be asked again, or somebody comes.
    fn wait(&mut self, cid: Cid, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        task.state = State::Waiting;
        let left = self.workers.iter().filter(|(who, worker)| {
            !task.out.contains(who) && choice::is_fit(&task.offer, who, worker, now)
        });
        let again = left.map(|(_, worker)| worker.rests_until()).min();
        let until = task.until;
        match again {
            Some(at) => self.wake(cid, at.min(until), now),
            // Those that are named are all there are.
            None if !task.offer.on.is_empty() => self.fail(cid, Unrun::Refused),
            None => self.wake(cid, until, now),
        }
    }

    fn received(&mut self, from: Did, message: Message, now: Timestamp) {
        match message {
            Message::Bid(bid) => self.answered(from, bid.ask, Ok(bid), now),
            Message::Refuse { ask, refusal } => self.answered(from, ask, Err(refusal), now),
            Message::Lease { bid, lasts_ms } => {
                let lasts = Duration::from_millis(lasts_ms).min(self.settings.lease * 2);
                if !self.go_on(from, bid, lasts, now) {
                    // It was called back before it came there.
                    let cancel = Message::Cancel { leases: vec![bid] };
                    self.steps.push_back(RequesterStep::Tell(from, cancel));
                }
            }
            Message::Gone(gone) => self.gone(from, gone, now),
            Message::Heartbeat { leases } => self.heartbeat(from, leases, now),
            Message::Answer(answer) => self.came(from, answer, now),
            // What executors are told.
            Message::Ask(_)
            | Message::Award(_)
            | Message::Renew { .. }
            | Message::Cancel { .. }
            | Message::Ack { .. }
            | Message::Query { .. } => {}
        }
    }

    /// Somebody bids, or refuses.
    fn answered(&mut self, from: Did, ask: u64, answer: Result<Bid, Refusal>, now: Timestamp) {
        let Some(cid) = self.asks.get(&ask).copied() else {
            return;
        };
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        let State::Asking(asked) = &mut task.state else {
            return;
        };
        let is_it = |asked: &&mut Asked| asked.ask == ask && asked.who == from;
        let Some(asked) = asked.iter_mut().find(is_it) else {
            return;
        };
        if asked.answer.is_some() {
            return;
        }
        match answer {
            Ok(bid) => {
                asked.answer = Some(Some(bid));
                let soon = now.after(self.settings.bids_within);
                let due = task.due.min(soon);
                self.wake(cid, due, now);
            }
            Err(refusal) => {
                asked.answer = Some(None);
                self.refused(cid, from, refusal, now);
            }
        }
        self.settle(cid, false, now);
    }

    fn refused(&mut self, cid: Cid, who: Did, refusal: Refusal, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        match refusal.retry_ms {
            None => drop(task.out.insert(who)),
            Some(after) => {
                let rest = Duration::from_millis(after).clamp(REST_MIN, REST_MAX);
                self.workers.rest(who, now.after(rest), now);
            }
        }
        task.better.extend(refusal.better.iter().copied());
        if task.refusals.len() < REFUSALS_MAX {
            task.refusals.push((who, refusal));
        }
    }

    /// Takes the best bid, if all have answered or time is up.
    fn settle(&mut self, cid: Cid, is_late: bool, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        let State::Asking(asked) = &mut task.state else {
            return;
        };
        if !is_late && asked.iter().any(|asked| asked.answer.is_none()) {
            return;
        }
        let asked = std::mem::take(asked);
        task.state = State::Waiting;
        let workers = &self.workers;
        let bids = asked.iter().filter_map(|asked| {
            let bid = asked.answer.as_ref()?.as_ref()?;
            let cost = choice::cost(bid, workers.get(&asked.who), now);
            let rank = u64::MAX - choice::rank(&cid, &asked.who);
            Some((cost, rank, asked.who, bid.clone()))
        });
        let best = bids.min_by_key(|(cost, rank, who, _)| (*cost, *rank, *who));
        let has_bids = best.is_some();
        for asked in asked {
            self.asks.remove(&asked.ask);
            // Who is only slower than others did nothing wrong.
            if asked.answer.is_none() && !has_bids {
                self.suspect(asked.who, now);
            }
        }
        match best {
            Some((_, _, to, bid)) => {
                self.give(cid, to, bid.bid, bid.start_ms, now);
                self.award(cid, now);
            }
            None => self.look(cid, now),
        }
    }

    /// Lets somebody alone for a while, longer each time.
    fn suspect(&mut self, who: Did, now: Timestamp) {
        self.workers.failed(who, now);
        let failures = self.workers.get(&who).map_or(0, |it| it.failures(now));
        let longest = Duration::from_millis(500 << failures.min(7));
        let rest = longest.as_millis() as u64 / 2;
        let rest = Duration::from_millis(rest + self.numbers.below(rest));
        self.workers.rest(who, now.after(rest), now);
    }

    fn give(&mut self, cid: Cid, to: Did, bid: u64, start_ms: u64, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        let wait = Duration::from_millis(start_ms).max(self.settings.lost_after);
        let wait = wait.saturating_mul(2).min(self.settings.queue);
        task.state = State::Given {
            to,
            bid,
            tries: 0,
            has_lease: false,
            heard: now,
            end: now.after(task.offer.time.saturating_add(wait)),
        };
        task.given.push((to, bid));
        self.leases.insert((to, bid), cid);
    }

    fn award(&mut self, cid: Cid, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        let State::Given { to, bid, tries, .. } = &mut task.state else {
            return;
        };
        *tries += 1;
        self.steps.push_back(RequesterStep::Award {
            to: *to,
            bid: *bid,
            instruction: cid,
        });
        self.wake(cid, now.after(self.settings.answer_within), now);
    }

    /// Asks whoever a task was given to what became of it.
    fn ask_what_became(&mut self, cid: Cid, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        let State::Given { to, bid, tries, .. } = &mut task.state else {
            return;
        };
        *tries += 1;
        let query = Message::Query {
            bid: *bid,
            instruction: cid,
        };
        self.steps.push_back(RequesterStep::Tell(*to, query));
        let wait = self.settings.answer_within * (*tries).min(5);
        self.wake(cid, now.after(wait), now);
    }

    /// Nothing was heard of what was given to somebody.
    fn overdue(&mut self, cid: Cid, now: Timestamp) {
        let Some(task) = self.tasks.get(&cid) else {
            return;
        };
        let State::Given {
            to,
            bid,
            tries,
            has_lease,
            heard,
            end,
        } = task.state
        else {
            return;
        };
        let is_over = now >= end;
        let leases = vec![bid];
        if is_over {
            let cancel = Message::Cancel { leases };
            self.steps.push_back(RequesterStep::Tell(to, cancel));
        }
        match task.offer.pure {
            true if !is_over && !has_lease && tries < self.settings.awards_max => {
                self.award(cid, now);
            }
            true => {
                self.suspect(to, now);
                self.look(cid, now);
            }
            false if is_over || now >= heard.after(self.settings.lost_after) => {
                self.suspect(to, now);
                self.fail(cid, Unrun::Lost);
            }
            false if !has_lease && tries < self.settings.awards_max => self.award(cid, now),
            false => self.ask_what_became(cid, now),
        }
    }

    /// A lease is alive. Returns whether anybody waits for it.
    fn go_on(&mut self, from: Did, lease: u64, lasts: Duration, now: Timestamp) -> bool {
        let Some(cid) = self.leases.get(&(from, lease)).copied() else {
            return false;
        };
        let Some(task) = self.tasks.get_mut(&cid) else {
            return false;
        };
        if let State::Given {
            to,
            bid,
            tries,
            has_lease,
            heard,
            end,
        } = &mut task.state
            && (*to, *bid) == (from, lease)
            && now < *end
        {
            (*has_lease, *heard, *tries) = (true, now, 0);
            let until = now.after(lasts).min(*end);
            self.wake(cid, until, now);
        }
        true
    }

    fn heartbeat(&mut self, from: Did, leases: Vec<u64>, now: Timestamp) {
        let lasts = self.settings.lease;
        let (mut renewed, mut cancelled) = (Vec::new(), Vec::new());
        for lease in leases {
            match self.go_on(from, lease, lasts, now) {
                true => renewed.push(lease),
                false => cancelled.push(lease),
            }
        }
        for (leases, message) in [
            (renewed, (|leases| Message::Renew { leases }) as fn(_) -> _),
            (cancelled, |leases| Message::Cancel { leases }),
        ] {
            if !leases.is_empty() {
                let message = message(leases);
                self.steps.push_back(RequesterStep::Tell(from, message));
            }
        }
    }

    /// Somebody says that no receipt comes.
    fn gone(&mut self, from: Did, gone: Gone, now: Timestamp) {
        let Some(cid) = self.leases.get(&(from, gone.bid)).copied() else {
            return;
        };
        let Some(task) = self.tasks.get(&cid) else {
            return;
        };
        let State::Given { to, bid, .. } = task.state else {
            return;
        };
        if (to, bid) != (from, gone.bid) {
            return;
        }
        let is_pure = task.offer.pure;
        if matches!(gone.refusal.reason, Reason::Failed | Reason::Lost) {
            self.workers.failed(from, now);
        }
        self.refused(cid, from, gone.refusal, now);
        match is_pure || !gone.begun {
            true => self.look(cid, now),
            false => self.fail(cid, Unrun::Lost),
        }
    }

    fn unreached(&mut self, who: Did, now: Timestamp) {
        let (mut concerned, mut leased) = (Vec::new(), Vec::new());
        for (cid, task) in &mut self.tasks {
            match &mut task.state {
                State::Asking(asked) => {
                    let theirs = asked.iter_mut().filter(|asked| asked.who == who);
                    for asked in theirs.filter(|asked| asked.answer.is_none()) {
                        asked.answer = Some(None);
                        concerned.push(*cid);
                    }
                }
                State::Given { to, has_lease, .. } if *to == who && task.offer.pure => {
                    match *has_lease {
                        true => leased.push(*cid),
                        false => concerned.push(*cid),
                    }
                }
                State::Given { .. } | State::Waiting => {}
            }
        }
        // Whoever has a lease may come back, but isn't waited for as long as it lasts.
        for cid in leased {
            let soon = now.after(self.settings.answer_within);
            let due = self.tasks.get(&cid).map_or(soon, |task| task.due.min(soon));
            self.wake(cid, due, now);
        }
        if !concerned.is_empty() {
            self.suspect(who, now);
        }
        for cid in concerned {
            match self.tasks.get(&cid).map(|task| &task.state) {
                Some(State::Asking(_)) => self.settle(cid, false, now),
                Some(State::Given { .. }) => self.look(cid, now),
                _ => {}
            }
        }
    }

    fn fail(&mut self, cid: Cid, why: Unrun) {
        let task = self.tasks.get_mut(&cid);
        let refusals = task.map(|task| std::mem::take(&mut task.refusals));
        let tickets = self.end(&cid, None);
        self.steps.push_back(RequesterStep::Unrun {
            tickets,
            instruction: cid,
            why,
            refusals: refusals.unwrap_or_default(),
        });
    }

    /// Forgets a task, and tells those who have it that nobody waits; who answered, that it did. Returns who waited.
    fn end(&mut self, cid: &Cid, answered: Option<Did>) -> Vec<u64> {
        let Some(task) = self.tasks.remove(cid) else {
            return Vec::new();
        };
        self.timers.remove(&(task.due, *cid));
        if let State::Asking(asked) = &task.state {
            for asked in asked {
                self.asks.remove(&asked.ask);
            }
        }
        for (who, bid) in &task.given {
            self.leases.remove(&(*who, *bid));
            let message = match answered == Some(*who) {
                true => Message::Ack { bid: *bid },
                false => Message::Cancel { leases: vec![*bid] },
            };
            self.steps.push_back(RequesterStep::Tell(*who, message));
        }
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((*cid, task.given));
        task.tickets
    }
}

#[cfg(test)]
mod tests;
