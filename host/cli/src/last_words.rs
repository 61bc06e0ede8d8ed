//! What a language's runtime says when a program of it can't go on.
//!
//! The program's own words, a traceback or a stack, were said before; that the runtime panicked, and where in itself, helps nobody
//! who wrote the program. It stays in the log that receipts hold, and isn't shown.

/// How a panic of a runtime in Rust begins, and the end of the line before.
const BEGIN: &[u8] = b"\n\nthread '<unnamed>' (";

/// What stands in the panics of runtimes that have told the program's error: file and message.
const RUNTIMES: [(&str, &str); 4] = [
    (
        " panicked at crates/runtime/src/interpreter.rs:",
        "\nFailed to call '",
    ),
    (
        " panicked at crates/runtime/src/bindings.rs:",
        "\nCall failed 'async export': Value(Symbol(",
    ),
    (
        " panicked at crates/runtime/src/call.rs:",
        "\nexpected enum string: FromJs { from: \"symbol\", ",
    ),
    (
        " panicked at runtime/src/lib.rs:",
        "\nPython function threw an unexpected exception\n",
    ),
];

/// Most bytes that are held back. The words of a runtime are fewer.
const HELD_BYTES_MAX: usize = 4 << 10;

/// Passes a log on, but for a runtime's last words.
#[derive(Debug)]
pub(crate) struct LastWords {
    /// The last byte that was passed on. A log begins on a line of its own.
    last: u8,
    held: Vec<u8>,
}

impl LastWords {
    pub(crate) fn new() -> Self {
        Self {
            last: b'\n',
            held: Vec::new(),
        }
    }

    /// Takes what was logged, and returns what can be passed on: nothing that may be a runtime's.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let begin = self.begin();
        let is_too_long = self.held.len() - begin > HELD_BYTES_MAX;
        let held = match is_too_long {
            true => Vec::new(),
            false => self.held.split_off(begin),
        };
        let passed = std::mem::replace(&mut self.held, held);
        self.last = passed.last().copied().unwrap_or(self.last);
        passed
    }

    /// Returns what is left when the log ends.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let text = String::from_utf8_lossy(&held);
        let is_runtime = RUNTIMES
            .iter()
            .any(|(place, message)| text.contains(place) && text.contains(message));
        match is_runtime {
            true => Vec::new(),
            false => held,
        }
    }

    /// Returns where in what is held a panic begins, or may begin: the blank line before it.
    fn begin(&self) -> usize {
        let whole = [&[self.last], &*self.held].concat();
        let found = whole
            .windows(BEGIN.len())
            .position(|window| window == BEGIN);
        let may = |length: &usize| whole.ends_with(&BEGIN[..*length]);
        found.unwrap_or_else(|| match (2..BEGIN.len()).rev().find(may) {
            Some(length) => whole.len() - length,
            None => self.held.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a log that comes in these pieces.
    fn shown<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut words = LastWords::new();
        let mut shown: Vec<u8> = pieces
            .into_iter()
            .flat_map(|piece| words.pass(piece))
            .collect();
        shown.extend(words.end());
        String::from_utf8(shown).unwrap()
    }

    const STACK: &str = "error: Error: zero\n  at f (src/index.ts:2)\n";
    const PANIC: &str = "\nthread '<unnamed>' (1) panicked at crates/runtime/src/interpreter.rs:51:31:\nFailed to call \
                         'f': Value(Symbol(0x1540e8))\nnote: run with `RUST_BACKTRACE=1`\n";

    #[test]
    fn a_runtime_has_no_last_words_however_they_come() {
        let log = format!("{STACK}{PANIC}");
        for size in 1..log.len() {
            assert_eq!(
                shown(log.as_bytes().chunks(size)),
                STACK,
                "in pieces of {size}"
            );
        }
        assert_eq!(shown([PANIC.as_bytes()]), "");
    }

    #[test]
    fn everything_else_is_shown() {
        let own = PANIC.replace("crates/runtime/src/interpreter.rs", "src/lib.rs");
        let long = format!("{PANIC}{}", "x".repeat(HELD_BYTES_MAX));
        for log in [
            "",
            "a",
            "\n",
            "\n\n",
            "a\n\nthread",
            "a\n\n\nb",
            &own,
            &long,
        ] {
            for size in 1..=log.len().max(1) {
                assert_eq!(
                    shown(log.as_bytes().chunks(size)),
                    log,
                    "in pieces of {size}"
                );
            }
        }
    }

    #[test]
    fn lines_are_passed_on_at_once() {
        let mut words = LastWords::new();
        assert_eq!(words.pass(b"info: a\n"), b"info: a\n");
        assert_eq!(words.pass(b"info: b"), b"info: b");
    }
}
