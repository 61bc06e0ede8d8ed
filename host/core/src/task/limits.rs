//! How much a task may use.

use std::time::Duration;

/// Bounds on one task. Each ends it in its own way, with an outcome that says which.
///
/// Limits are no part of the instruction: they say how long we are ready to wait for the answer, not
/// what the answer is. An outcome that a limit decided is therefore never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Units of fuel, roughly one for each WebAssembly instruction.
    pub fuel: u64,
    /// Bytes of all linear memories together.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Time on the wall, waiting included.
    pub time: Duration,
    /// Bytes of the encoded outcome. What it only links to counts as storage.
    pub output_bytes: u64,
    /// Bytes that are written to storage: blobs, nodes, and the streams that are returned.
    pub storage_bytes: u64,
    /// Bytes of log lines, standard output and standard error of a command apart.
    pub log_bytes: u64,
    /// Driver calls. One more is answered by an error of the interface that says so.
    pub calls: u64,
    /// Bytes that driver calls move: arguments and answers. Counted like [`Self::calls`].
    pub call_bytes: u64,
}

impl Limits {
    /// The maximum of an operator who sets none: as much as a task can make use of.
    ///
    /// That is 4 GiB of memory, the most that a 32-bit component can address, and 30 days of time.
    pub const MAX: Self = Self {
        fuel: u64::MAX,
        memory_bytes: 4 << 30,
        table_elements: u32::MAX as u64,
        time: Duration::from_secs(30 * 24 * 60 * 60),
        output_bytes: u64::MAX,
        storage_bytes: u64::MAX,
        log_bytes: u64::MAX,
        calls: u64::MAX,
        call_bytes: u64::MAX,
    };

    /// These limits, none above what an operator allows.
    #[must_use]
    pub fn clamp(self, max: Self) -> Self {
        Self {
            fuel: self.fuel.min(max.fuel),
            memory_bytes: self.memory_bytes.min(max.memory_bytes),
            table_elements: self.table_elements.min(max.table_elements),
            time: self.time.min(max.time),
            output_bytes: self.output_bytes.min(max.output_bytes),
            storage_bytes: self.storage_bytes.min(max.storage_bytes),
            log_bytes: self.log_bytes.min(max.log_bytes),
            calls: self.calls.min(max.calls),
            call_bytes: self.call_bytes.min(max.call_bytes),
        }
    }
}

impl Default for Limits {
    /// Lets ordinary work pass:
    ///
    /// - a minute of time, after which a person at a terminal thinks that something hangs;
    /// - 10¹² fuel: a machine burns some 10⁹ a second, so time nearly always ends first, and what ends by
    ///   fuel would have run for minutes;
    /// - 1 GiB of memory, enough for a picture or a language runtime and far from filling a laptop;
    /// - a million table elements, more functions than a language runtime has;
    /// - 64 MiB of output as a value; more should be a stream;
    /// - 4 GiB of storage, an evening of film, and more than is copied in most minutes: it ends what writes forever
    ///   before a disk is full;
    /// - 1 MiB of log, a long read;
    /// - 10,000 driver calls that move 256 MiB: all of it is kept in the task's trace.
    fn default() -> Self {
        Self {
            fuel: 1_000_000_000_000,
            memory_bytes: 1 << 30,
            table_elements: 1_000_000,
            time: Duration::from_secs(60),
            output_bytes: 64 << 20,
            storage_bytes: 4 << 30,
            log_bytes: 1 << 20,
            calls: 10_000,
            call_bytes: 256 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamp_lowers_each_and_raises_none() {
        let wanted = Limits {
            fuel: 5,
            ..Limits::MAX
        };
        let max = Limits {
            fuel: 10,
            ..Limits::default()
        };
        let expected = Limits {
            fuel: 5,
            ..Limits::default()
        };
        assert_eq!(wanted.clamp(max), expected);
    }

    #[test]
    fn the_defaults_are_within_the_maximum() {
        assert_eq!(Limits::default().clamp(Limits::MAX), Limits::default());
    }
}
