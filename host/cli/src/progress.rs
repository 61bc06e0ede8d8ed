//! How far something has come that takes its time, told on a terminal.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use homestar_node::Watch;

use crate::print;

/// How often it tells.
const EVERY: Duration = Duration::from_millis(200);

/// Tells on standard error how far it has come, if that is a terminal. The line goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    /// What is done: `adding`.
    doing: String,
    is_shown: bool,
    bytes: u64,
    /// How many there will be, as far as that is known.
    bytes_expected: u64,
    begin: Instant,
    told: Instant,
    is_on_screen: bool,
}

impl Progress {
    pub(crate) fn new(doing: impl Into<String>) -> Self {
        Self {
            doing: doing.into(),
            is_shown: io::stderr().is_terminal(),
            bytes: 0,
            bytes_expected: 0,
            begin: Instant::now(),
            told: Instant::now(),
            is_on_screen: false,
        }
    }

    /// So many bytes more are done.
    pub(crate) fn more(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.is_shown && self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.is_on_screen = true;
            print::err(&format!("\r\x1b[K{}", self.line(self.begin.elapsed())));
        }
    }

    fn line(&self, time: Duration) -> String {
        let rate = self.bytes as f64 / time.as_secs_f64().max(0.001);
        let rate = print::size(rate as u64);
        let bytes = print::size(self.bytes);
        let of = match self.bytes_expected >= self.bytes {
            true => format!(" of {}", print::size(self.bytes_expected)),
            false => String::new(),
        };
        format!("{} … {bytes}{of}, {rate} a second", self.doing)
    }

    /// Takes the line away, so that something else can be printed.
    pub(crate) fn clear(&mut self) {
        if self.is_on_screen {
            self.is_on_screen = false;
            print::err("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watch for Progress {
    fn expected(&mut self, bytes: u64) {
        self.bytes_expected += bytes;
    }

    fn read(&mut self, bytes: u64) {
        self.more(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_has_come() {
        let mut progress = Progress::new("adding");
        progress.more(3 << 20);
        let line = progress.line(Duration::from_secs(2));
        assert_eq!(line, "adding … 3.0 MiB, 1.5 MiB a second");
        progress.expected(6 << 20);
        let line = progress.line(Duration::from_secs(2));
        assert_eq!(line, "adding … 3.0 MiB of 6.0 MiB, 1.5 MiB a second");
    }
}
