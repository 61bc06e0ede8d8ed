//! How a run goes, on standard error: on a terminal a line that is written over, elsewhere plain lines.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use homestar_core::schedule::{Counts, TaskId};
use homestar_engine::Listener;
use homestar_node::Work;

use crate::last_words::LastWords;
use crate::print;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(100);

/// How often a run that is no terminal's tells how far it has come.
const EVERY_PLAIN: Duration = Duration::from_secs(10);

/// Tasks of which each is told when it ends, where there is no terminal.
pub(super) const TOLD_MAX: usize = 100;

/// Labels of running tasks in the line.
const RUNNING_SHOWN: usize = 3;

/// How a run goes. Several threads tell it.
#[derive(Debug)]
pub(super) struct Board {
    style: Style,
    state: Arc<Mutex<State>>,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A line that is written over.
    Live,
    /// A line for each thing that is worth one.
    Plain,
    /// Not at all: events go to programs.
    Silent,
}

#[derive(Debug)]
struct State {
    begin: Instant,
    drawn: Option<Instant>,
    /// Whether the line stands on the terminal.
    is_drawn: bool,
    counts: Counts,
    /// Labels of tasks that are being called.
    running: BTreeMap<TaskId, String>,
    /// What a task logged after its last line break.
    open: BTreeMap<TaskId, Vec<u8>>,
    /// What may be a runtime's last words.
    words: BTreeMap<TaskId, LastWords>,
}

impl Style {
    /// Returns how people are told who have standard error before them.
    pub(super) fn of_stderr() -> Self {
        match std::io::stderr().is_terminal() {
            true => Self::Live,
            false => Self::Plain,
        }
    }
}

impl Board {
    pub(super) fn new(style: Style) -> Self {
        Self {
            style,
            state: Arc::new(Mutex::new(State {
                begin: Instant::now(),
                drawn: None,
                is_drawn: false,
                counts: Counts::default(),
                running: BTreeMap::new(),
                open: BTreeMap::new(),
                words: BTreeMap::new(),
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The work begins.
    pub(super) fn begin(&self, counts: Counts) {
        let mut state = self.state();
        state.counts = counts;
        state.begin = Instant::now();
    }

    /// Whether nothing is shown.
    pub(super) fn is_silent(&self) -> bool {
        self.style == Style::Silent
    }

    /// A task is called.
    pub(super) fn started(&self, work: &Work) {
        let mut state = self.state();
        state.running.insert(work.task, work.label.clone());
        if work.attempt > 1 && self.style != Style::Silent {
            state.say(&format!("{}: again, for time {}", work.label, work.attempt));
        }
    }

    /// A task ended. `words` say how, if that is worth a line.
    pub(super) fn ended(&self, task: TaskId, label: &str, words: &str, is_bad: bool) {
        let mut state = self.state();
        state.running.remove(&task);
        let is_told = match self.style {
            Style::Live => is_bad,
            Style::Plain => is_bad || state.counts.all <= TOLD_MAX,
            Style::Silent => false,
        };
        if is_told {
            state.say(&format!("{label}: {words}"));
        }
    }

    /// Something happened: the line is drawn anew if it is time.
    pub(super) fn draw(&self, counts: Counts) {
        let mut state = self.state();
        state.counts = counts;
        let every = match self.style {
            Style::Live => EVERY,
            Style::Plain => EVERY_PLAIN,
            Style::Silent => return,
        };
        let since = state.drawn.unwrap_or(state.begin);
        if since.elapsed() < every {
            return;
        }
        state.drawn = Some(Instant::now());
        match self.style {
            Style::Live => state.draw(),
            _ => {
                let line = state.line();
                state.say(&line);
            }
        }
    }

    /// Draws the line anew though nothing happened, so that its time goes on.
    pub(super) fn tick(&self) {
        let mut state = self.state();
        if self.style == Style::Live && state.is_drawn {
            state.draw();
        }
    }

    /// Says something between.
    pub(super) fn say(&self, text: &str) {
        if self.style != Style::Silent {
            self.state().say(text);
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.state().clear();
    }

    /// Returns what passes on what a task logs, each line with its label. What a secret task logs is not passed on.
    pub(super) fn logger(&self, work: &Work) -> Option<Listener> {
        if work.is_secret {
            return None;
        }
        let (state, task, label) = (Arc::clone(&self.state), work.task, work.label.clone());
        Some(Arc::new(move |bytes: &[u8]| {
            let mut state = lock(&state);
            let words = state.words.entry(task).or_insert_with(LastWords::new);
            let passed = words.pass(bytes);
            let mut open = state.open.remove(&task).unwrap_or_default();
            open.extend_from_slice(&passed);
            let end = open.iter().rposition(|byte| *byte == b'\n');
            let rest = open.split_off(end.map_or(0, |end| end + 1));
            for line in open.split_inclusive(|byte| *byte == b'\n') {
                state.log(&label, line);
            }
            if !rest.is_empty() {
                state.open.insert(task, rest);
            }
        }))
    }

    /// A task logs nothing more.
    pub(super) fn end_of_log(&self, task: TaskId) {
        let mut state = self.state();
        let mut rest = state.open.remove(&task).unwrap_or_default();
        if let Some(mut words) = state.words.remove(&task) {
            rest.extend(words.end());
        }
        let label = state.running.get(&task).cloned().unwrap_or_default();
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            state.log(&label, line);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Whatever is half done is a line on a terminal.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            print::err("\r\x1b[K");
        }
    }

    fn say(&mut self, text: &str) {
        let was_drawn = self.is_drawn;
        self.clear();
        print::err(&print::shown(text));
        if was_drawn {
            self.draw();
        }
    }

    fn log(&mut self, label: &str, line: &[u8]) {
        let was_drawn = self.is_drawn;
        self.clear();
        print::err(&format!("{label} | "));
        print::log(line);
        if !line.ends_with(b"\n") {
            print::log(b"\n");
        }
        if was_drawn {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let line = print::one_line(&self.line());
        let width = print::width().saturating_sub(1);
        let shown: String = line.chars().take(width).collect();
        print::err(&format!("\r\x1b[K{shown}"));
        self.is_drawn = true;
    }

    /// Returns how far it has come: `12 of 100, 3 memoised, 2 running (crop, gray), 54 a second, 2 s to go`.
    fn line(&self) -> String {
        let counts = &self.counts;
        let (ended, all) = (counts.ended(), counts.all);
        let mut line = format!(
            "{} of {}",
            print::number(ended as u64),
            print::number(all as u64)
        );
        let failed = counts.failed + counts.handled + counts.caught;
        for (count, word) in [(counts.memoised, "memoised"), (failed, "failed")] {
            if count > 0 {
                line += &format!(", {} {word}", print::number(count as u64));
            }
        }
        if !self.running.is_empty() {
            let labels = self.running.values().take(RUNNING_SHOWN);
            let labels: Vec<_> = labels.map(String::as_str).collect();
            let more = if self.running.len() > RUNNING_SHOWN {
                ", …"
            } else {
                ""
            };
            line += &format!(
                ", {} running ({}{more})",
                self.running.len(),
                labels.join(", ")
            );
        }
        let seconds = self.begin.elapsed().as_secs_f64();
        let worked = ended.saturating_sub(counts.memoised);
        if worked > 0 && seconds >= 1.0 {
            let rate = worked as f64 / seconds;
            let left = (all - ended) as f64 / rate;
            line += &format!(", {}, {} to go", per_second(rate), time(left));
        }
        line
    }
}

fn per_second(rate: f64) -> String {
    match rate >= 1.0 {
        true => format!("{} a second", print::number(rate as u64)),
        false => format!("{} a minute", print::number((rate * 60.0).ceil() as u64)),
    }
}

/// Returns a number of seconds as people say it.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1000.0),
        seconds if seconds < 59.5 => format!("{seconds:.1} s"),
        seconds if seconds < 3570.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0.0034, 0.9, 1.25, 90.0, 7200.0].map(time);
        assert_eq!(said, ["3 ms", "900 ms", "1.2 s", "2 min", "2.0 h"]);
        assert_eq!([54.3, 0.5].map(per_second), ["54 a second", "30 a minute"]);
    }

    #[test]
    fn a_line_tells_how_far_it_has_come() {
        let board = Board::new(Style::Silent);
        let mut state = board.state();
        state.counts.all = 1200;
        state.counts.memoised = 3;
        state.counts.ran = 9;
        assert_eq!(state.line(), "12 of 1,200, 3 memoised");
    }
}
