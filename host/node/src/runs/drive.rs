//! One run at work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::schedule::Counts;
use homestar_net::Feed;

use super::{ENDED_MAX, RunTasks, Runs, TIDIED_AFTER, asked};
use crate::run::{Events, OpenRun};
use crate::{Ended, News, Run, Sharing, now_ms};

/// A run, and what it tells.
pub(super) struct Driven {
    pub(super) runs: Arc<Runs>,
    pub(super) feed: Arc<Feed>,
    pub(super) is_cancelled: Arc<AtomicBool>,
    pub(super) counts: Arc<Mutex<Counts>>,
    pub(super) id: String,
}

impl Driven {
    /// Drives it to its end, or to where it can be gone on with.
    pub(super) fn drive(self, mut run: Run, open: OpenRun, mut tasks: Box<dyn RunTasks>) {
        let store = Arc::clone(self.runs.store());
        let mut sharing = self
            .runs
            .shares_receipts
            .then(|| Sharing::new(Arc::clone(&store)));
        let mut events = Events::default();
        let driven = run.drive(&*tasks, &mut |schedule, news: News<'_>| {
            if let News::Found(task, receipt) = &news {
                tasks.found(&schedule.label(*task), schedule.is_secret(*task), receipt);
            }
            if let Some(sharing) = &mut sharing {
                sharing.hear(schedule, &news);
            }
            events.hear(schedule, &news, &mut |event| tell(&self.feed, &event));
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = schedule.counts();
        });
        if let Some(sharing) = sharing {
            self.say_shared(sharing);
        }
        let summary = match driven {
            Ok(summary) => summary,
            Err(error) => return self.warn(&format!("its receipts can't be kept: {error}")),
        };
        let is_cancelled = self.is_cancelled.load(Ordering::Relaxed);
        let is_closing = self.runs.state().is_closing;
        let how = Ended::of(&summary, is_cancelled || is_closing);
        tasks.ended(how, &summary);
        if how == Ended::Cancelled && !is_cancelled {
            tell(&self.feed, &Events::interrupted(&self.id));
            return;
        }
        let schedule = run.schedule();
        let ended = open.record.end(&*store, &self.id, schedule, how, now_ms());
        if let Err(error) = ended {
            self.warn(&format!("its end can't be kept: {error}"));
        }
        let finished = Events::finished(&self.id, how, schedule, &summary);
        self.count(how, &summary.counts);
        tell(&self.feed, &finished);
    }

    fn count(&self, how: Ended, counted: &Counts) {
        let mut state = self.runs.state();
        *state.ran.runs.entry(how.as_str()).or_default() += 1;
        for (word, count) in [
            ("ran", counted.ran),
            ("memoised", counted.memoised),
            ("failed", counted.failed + counted.handled + counted.caught),
            ("skipped", counted.skipped),
        ] {
            *state.ran.tasks.entry(word).or_default() += count as u64;
        }
        let ended: u64 = state.ran.runs.values().sum();
        drop(state);
        if ended.is_multiple_of(TIDIED_AFTER) {
            // What isn't forgotten now will be.
            let _ = asked::tidy(&**self.runs.store());
        }
    }

    /// Tells peers of what is shared since then.
    fn say_shared(&self, sharing: Sharing) {
        let (count, fault) = sharing.end();
        if count > 0
            && let Some(on_shared) = self.runs.on_shared.get()
        {
            on_shared();
        }
        if let Some(fault) = fault {
            self.warn(&format!("not all of its receipts are shared: {fault}"));
        }
    }

    fn warn(&self, words: &str) {
        if let Some(hands) = self.runs.hands.get() {
            hands.manager.warn(&format!("run {}: {words}", self.id));
        }
    }
}

/// However it ended, it is not at work any more.
impl Drop for Driven {
    fn drop(&mut self) {
        self.feed.end();
        let mut state = self.runs.state();
        let by = state.working.remove(&self.id).and_then(|it| it.by);
        let ended = (self.id.clone(), by, Arc::clone(&self.feed));
        state.ended.push_back(ended);
        if state.ended.len() > ENDED_MAX {
            state.ended.pop_front();
        }
        drop(state);
        self.runs.ended.notify_all();
    }
}

/// Tells those who follow of an event.
pub(super) fn tell(feed: &Feed, event: &Ipld) {
    if let Ok(text) = json::to_string(event) {
        feed.tell(text);
    }
}
