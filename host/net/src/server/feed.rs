//! What happens in something that goes on, for all who follow it.
//!
//! The latest events are kept once, and each follower has a place in them. So a follower who is slow costs nothing, holds
//! nobody up, and is told how many were missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Events that are kept. Who begins to follow hears of these first.
const EVENTS_MAX: usize = 8_192;
/// Bytes of them.
const BYTES_MAX: usize = 8 << 20;

/// Events, the latest of them kept.
#[derive(Debug)]
pub struct Feed {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// How many there were before those that are kept.
    before: u64,
    events: VecDeque<Arc<str>>,
    bytes: usize,
    is_over: bool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::channel(()).0,
        }
    }
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all who follow.
    pub fn tell(&self, event: impl Into<Arc<str>>) {
        let event = event.into();
        {
            let mut state = self.state();
            state.bytes += event.len();
            state.events.push_back(event);
            while state.events.len() > EVENTS_MAX || state.bytes > BYTES_MAX {
                let Some(oldest) = state.events.pop_front() else {
                    break;
                };
                state.bytes -= oldest.len();
                state.before += 1;
            }
        }
        self.changed.send_replace(());
    }

    /// Nothing more will happen.
    pub fn end(&self) {
        self.state().is_over = true;
        self.changed.send_replace(());
    }

    /// Follows what happens, but for the first `after` events.
    pub(super) fn follow(self: &Arc<Self>, after: u64) -> Follower {
        Follower {
            feed: Arc::clone(self),
            changed: self.changed.subscribe(),
            at: after,
        }
    }
}

/// Somebody who follows a [`Feed`].
#[derive(Debug)]
pub(super) struct Follower {
    feed: Arc<Feed>,
    changed: watch::Receiver<()>,
    at: u64,
}

/// What a follower is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Event(Arc<str>),
    /// So many events are not kept any more.
    Missed(u64),
    /// There are no more.
    Over,
}

impl Follower {
    /// Waits for what is next. May be dropped before it is there.
    pub(super) async fn next(&mut self) -> Told {
        loop {
            self.changed.borrow_and_update();
            if let Some(told) = self.at_hand() {
                return told;
            }
            if self.changed.changed().await.is_err() {
                return Told::Over;
            }
        }
    }

    fn at_hand(&mut self) -> Option<Told> {
        let state = self.feed.state();
        if self.at < state.before {
            let missed = state.before - self.at;
            self.at = state.before;
            return Some(Told::Missed(missed));
        }
        let index = usize::try_from(self.at - state.before).ok()?;
        match state.events.get(index) {
            Some(event) => {
                self.at += 1;
                Some(Told::Event(Arc::clone(event)))
            }
            None => state.is_over.then_some(Told::Over),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(follower: &mut Follower) -> Vec<Told> {
        std::iter::from_fn(|| follower.at_hand().filter(|told| *told != Told::Over)).collect()
    }

    #[test]
    fn whoever_comes_late_hears_what_was() {
        let feed = Arc::new(Feed::default());
        feed.tell("a");
        let mut early = feed.follow(0);
        assert_eq!(all(&mut early), [Told::Event("a".into())]);
        feed.tell("b");
        assert_eq!(all(&mut early), [Told::Event("b".into())]);
        assert_eq!(all(&mut feed.follow(1)), [Told::Event("b".into())]);
        assert_eq!(all(&mut feed.follow(7)), []);
        assert_eq!(early.at_hand(), None);
        feed.end();
        assert_eq!(early.at_hand(), Some(Told::Over));
        assert_eq!(feed.follow(7).at_hand(), Some(Told::Over));
    }

    #[test]
    fn who_is_slow_is_told_what_they_missed() {
        let feed = Arc::new(Feed::default());
        let mut slow = feed.follow(0);
        for event in 0..EVENTS_MAX + 3 {
            feed.tell(event.to_string());
        }
        assert_eq!(slow.at_hand(), Some(Told::Missed(3)));
        assert_eq!(slow.at_hand(), Some(Told::Event("3".into())));
        let large = "x".repeat(BYTES_MAX / 2);
        feed.tell(large.clone());
        feed.tell(large);
        assert_eq!(feed.state().events.len(), 2);
        assert!(matches!(slow.at_hand(), Some(Told::Missed(_))));
        // One that is larger than all that is kept is missed by everybody.
        feed.tell("x".repeat(BYTES_MAX + 1));
        assert_eq!(feed.state().bytes, 0);
    }

    #[tokio::test]
    async fn a_follower_is_woken() {
        let feed = Arc::new(Feed::default());
        let mut follower = feed.follow(0);
        let waiting = tokio::spawn(async move { follower.next().await });
        feed.tell("a");
        assert_eq!(waiting.await.unwrap(), Told::Event("a".into()));
    }
}
