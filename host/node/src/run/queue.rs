//! What waits for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What waits, first come, first served.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    came: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// Nothing waits, and more may come.
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                is_closed: false,
            }),
            came: Condvar::new(),
        }
    }

    pub(super) fn push(&self, item: T) {
        self.state().waiting.push_back(item);
        self.came.notify_one();
    }

    /// Lets nobody wait for more. What is there is still given out.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.came.notify_all();
    }

    /// Waits for the next. There is none when it is closed.
    pub(super) fn next(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            match state.waiting.pop_front() {
                Some(item) => return Some(item),
                None if state.is_closed => return None,
                None => {
                    state = self
                        .came
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    /// Returns the next if there is one now.
    pub(super) fn next_now(&self) -> Option<T> {
        self.state().waiting.pop_front()
    }

    /// Nothing is left half done where a thread panics.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_that_came_is_given_out_once_and_then_nothing() {
        let queue = Queue::new();
        let given: Vec<Vec<u32>> = thread::scope(|scope| {
            let take = || std::iter::from_fn(|| queue.next()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            (0..10_000).for_each(|item| queue.push(item));
            queue.close();
            let ended = threads.into_iter().map(|thread| thread.join().unwrap());
            ended.collect()
        });
        assert!(given.iter().all(|items| items.is_sorted()));
        let mut all: Vec<_> = given.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..10_000).collect::<Vec<_>>());
        assert_eq!((queue.next(), queue.next_now()), (None, None));
    }
}
