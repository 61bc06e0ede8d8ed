//! Who is next, of those who wait for one executor: start-time fair queueing.
//!
//! Each requester has a clock of its own, which moves by what its tasks cost. Whoever's clock stands lowest is next. A
//! requester that comes anew begins at the time of the task that was begun last, so nobody saves up turns by not asking, and
//! nobody waits longer than for one task of each other.

use std::collections::{BTreeMap, VecDeque};

use thiserror::Error;

use crate::ucan::Did;

/// Tasks that wait, by requester. What costs are counted in is for its user to say, as long as it is the same for all.
#[derive(Debug)]
pub struct FairQueue<T> {
    waiting: BTreeMap<Did, Waiting<T>>,
    /// Where clocks stand of those who have nothing waiting but used something lately.
    clocks: BTreeMap<Did, u64>,
    /// The clock of the task that was begun last.
    now: u64,
    len: usize,
    most: usize,
    each: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    clock: u64,
    tasks: VecDeque<(T, u64)>,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Full {
    /// Too many tasks wait.
    #[error("too many tasks wait here")]
    All,
    /// Too many tasks of this requester wait.
    #[error("too many tasks of the same requester wait here")]
    Requester,
}

impl<T: PartialEq> FairQueue<T> {
    /// Holds at most `most` tasks, and `each` of one requester.
    pub fn new(most: usize, each: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            clocks: BTreeMap::new(),
            now: 0,
            len: 0,
            most,
            each,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Says whether one more of a requester has room.
    pub fn room(&self, who: &Did) -> Result<(), Full> {
        let own = self.waiting.get(who).map_or(0, |one| one.tasks.len());
        match () {
            () if self.len >= self.most => Err(Full::All),
            () if own >= self.each => Err(Full::Requester),
            () => Ok(()),
        }
    }

    /// Lets a task wait that is expected to cost so much.
    pub fn push(&mut self, who: Did, task: T, cost: u64) -> Result<(), Full> {
        self.room(&who)?;
        let now = self.now;
        let clock = self.clocks.remove(&who).unwrap_or(now).max(now);
        let waiting = self.waiting.entry(who).or_insert_with(|| Waiting {
            clock,
            tasks: VecDeque::new(),
        });
        waiting.tasks.push_back((task, cost));
        self.len += 1;
        Ok(())
    }

    /// Takes the next one, with its requester and what it was expected to cost. Of equal clocks the lower principal is
    /// first.
    pub fn pop(&mut self) -> Option<(Did, T, u64)> {
        let who = *self.waiting.iter().min_by_key(|(_, one)| one.clock)?.0;
        let waiting = self.waiting.get_mut(&who)?;
        let (task, cost) = waiting.tasks.pop_front()?;
        self.len -= 1;
        self.now = self.now.max(waiting.clock);
        waiting.clock = waiting.clock.saturating_add(cost);
        let clock = waiting.clock;
        if waiting.tasks.is_empty() {
            self.waiting.remove(&who);
            self.clocks.insert(who, clock);
            self.forget();
        }
        Some((who, task, cost))
    }

    /// What was expected to cost something cost something else.
    pub fn correct(&mut self, who: &Did, expected: u64, cost: u64) {
        let waiting = self.waiting.get_mut(who).map(|one| &mut one.clock);
        if let Some(clock) = waiting.or_else(|| self.clocks.get_mut(who)) {
            *clock = clock.saturating_sub(expected).saturating_add(cost);
        }
    }

    /// Takes out a task that nobody waits for any more.
    pub fn remove(&mut self, who: &Did, task: &T) -> bool {
        let Some(waiting) = self.waiting.get_mut(who) else {
            return false;
        };
        let Some(at) = waiting.tasks.iter().position(|(other, _)| other == task) else {
            return false;
        };
        waiting.tasks.remove(at);
        self.len -= 1;
        if waiting.tasks.is_empty() {
            let clock = waiting.clock;
            self.waiting.remove(who);
            self.clocks.insert(*who, clock);
            self.forget();
        }
        true
    }

    /// Forgets clocks that others have passed; if there are too many still, those that stand lowest.
    fn forget(&mut self) {
        let now = self.now;
        self.clocks.retain(|_, clock| *clock > now);
        while self.clocks.len() > self.most {
            let lowest = self.clocks.iter().min_by_key(|(_, clock)| **clock);
            let Some((who, _)) = lowest.map(|(who, clock)| (*who, *clock)) else {
                return;
            };
            self.clocks.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use proptest::prelude::*;

    fn did(number: u8) -> Did {
        SigningKey::from_seed(&[number; 32]).did()
    }

    fn next(queue: &mut FairQueue<u64>) -> Option<Did> {
        queue.pop().map(|(who, ..)| who)
    }

    #[test]
    fn one_with_a_thousand_tasks_does_not_keep_out_one_with_one() {
        let (many, one) = (did(1), did(2));
        let mut queue = FairQueue::new(2_000, 1_500);
        for task in 0..1_000 {
            queue.push(many, task, 10).expect("room");
        }
        for _ in 0..100 {
            assert_eq!(next(&mut queue), Some(many));
        }
        queue.push(one, 0, 10).expect("room");
        let turns: Vec<_> = (0..2).filter_map(|_| next(&mut queue)).collect();
        assert!(turns.contains(&one));
    }

    #[test]
    fn nobody_saves_up_turns() {
        let (early, late) = (did(1), did(2));
        let mut queue = FairQueue::new(100, 100);
        for task in 0..20 {
            queue.push(early, task, 1).expect("room");
        }
        for _ in 0..10 {
            next(&mut queue);
        }
        for task in 0..10 {
            queue.push(late, task, 1).expect("room");
        }
        let turns: Vec<_> = (0..10).filter_map(|_| next(&mut queue)).collect();
        let of_late = turns.iter().filter(|who| **who == late).count();
        assert!((5..=6).contains(&of_late), "{of_late}");
    }

    #[test]
    fn what_costs_more_comes_less_often_also_if_that_is_known_later() {
        let (dear, cheap) = (did(1), did(2));
        let mut queue = FairQueue::new(1_000, 500);
        for task in 0..300 {
            queue.push(dear, task, 1).expect("room");
            queue.push(cheap, task, 1).expect("room");
        }
        let mut turns = 0;
        for _ in 0..100 {
            let (who, _, expected) = queue.pop().expect("one waits");
            queue.correct(&who, expected, if who == dear { 4 } else { 1 });
            turns += u32::from(who == dear);
        }
        assert!((18..=22).contains(&turns), "{turns}");
    }

    #[test]
    fn it_is_bounded_for_all_and_for_each() {
        let mut queue = FairQueue::new(3, 2);
        queue.push(did(1), 1, 1).expect("room");
        queue.push(did(1), 2, 1).expect("room");
        assert_eq!(queue.push(did(1), 3, 1), Err(Full::Requester));
        queue.push(did(2), 1, 1).expect("room");
        assert_eq!(queue.push(did(3), 1, 1), Err(Full::All));
        assert!(queue.remove(&did(1), &2) && !queue.remove(&did(1), &2));
        assert_eq!((queue.len(), queue.room(&did(3))), (2, Ok(())));
    }

    proptest! {
        /// Whoever always has something waiting gets a share that is off by no more than one largest task of each.
        #[test]
        fn shares_are_equal(costs in prop::collection::vec(prop::collection::vec(1u64..20, 1..20), 2..5)) {
            let mut queue = FairQueue::new(1_000, 500);
            let dids: Vec<Did> = (0..costs.len()).map(|at| did(at as u8 + 1)).collect();
            let mut used = vec![0; dids.len()];
            let mut turn = vec![0; dids.len()];
            for step in 0..400 {
                for (at, who) in dids.iter().enumerate() {
                    if queue.waiting.get(who).is_none_or(|one| one.tasks.len() < 2) {
                        let cost = costs[at][turn[at] % costs[at].len()];
                        turn[at] += 1;
                        queue.push(*who, turn[at] as u64, cost).expect("room");
                    }
                }
                let (who, _, cost) = queue.pop().expect("there is always one");
                let at = dids.iter().position(|did| *did == who).expect("known");
                used[at] += cost;
                let (least, most) = (used.iter().min().copied(), used.iter().max().copied());
                prop_assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 40, "step {step}: {used:?}");
            }
        }
    }
}
