//! What the node does in numbers, for Prometheus.
//!
//! Names and units are those that it [recommends](https://prometheus.io/docs/practices/naming/); what every process has is
//! named as its client libraries do.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use homestar_net::PeersStatus;
use homestar_store::Stats;

use crate::runs::Ran;

/// Counts what was answered.
#[derive(Debug)]
pub(crate) struct Metrics {
    begun: SystemTime,
    answers: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
}

/// How it is.
pub(super) struct Now<'a> {
    pub(super) version: &'a str,
    pub(super) status: &'a PeersStatus,
    pub(super) stats: &'a Stats,
    /// Runs at work.
    pub(super) runs: usize,
    /// What came of runs and their tasks.
    pub(super) ran: Ran,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            begun: SystemTime::now(),
            answers: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts an answer.
    pub(super) fn answered(&self, method: &'static str, path: &'static str, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((method, path, status)).or_default() += 1;
    }

    /// Writes all of it.
    pub(super) fn text(&self, now: &Now<'_>) -> String {
        let mut page = Page::default();
        page.of("homestar_build_info", "gauge", "The version that runs.");
        page.row(&[("version", &now.version)], 1);
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        page.of(
            "homestar_api_requests_total",
            "counter",
            "Requests that were answered, by what they ask for.",
        );
        for ((method, route, status), count) in &*answers {
            page.row(
                &[("method", method), ("route", route), ("status", status)],
                *count,
            );
        }
        drop(answers);
        page.one("homestar_runs_running", "gauge", "Runs at work.", now.runs);
        page.of(
            "homestar_runs_total",
            "counter",
            "Runs that ended, by how they did.",
        );
        for (how, count) in &now.ran.runs {
            page.row(&[("how", how)], *count);
        }
        page.of(
            "homestar_tasks_total",
            "counter",
            "Tasks of runs that ended, by how they did.",
        );
        for (how, count) in &now.ran.tasks {
            page.row(&[("how", how)], *count);
        }
        let stats = now.stats;
        for (name, help, value) in [
            (
                "homestar_store_blocks",
                "Blocks in the store.",
                stats.blocks,
            ),
            (
                "homestar_store_block_bytes",
                "Bytes of the blocks in the store.",
                stats.bytes,
            ),
            (
                "homestar_store_disk_bytes",
                "Bytes of disk that the store takes.",
                stats.disk_bytes,
            ),
            (
                "homestar_store_receipts",
                "Receipts in the store.",
                stats.receipts,
            ),
        ] {
            page.one(name, "gauge", help, value);
        }
        let peers = &now.status.peers;
        page.one(
            "homestar_peers",
            "gauge",
            "Peers that are connected.",
            peers.len(),
        );
        page.one(
            "homestar_blocks_wanted",
            "gauge",
            "Blocks that peers were asked for and that haven't come.",
            now.status.wanted,
        );
        let counts = &now.status.counts;
        for (name, help, value) in [
            (
                "homestar_gossip_accepted_total",
                "Messages of gossip that were passed on.",
                counts.accepted,
            ),
            (
                "homestar_gossip_rejected_total",
                "Messages of gossip that were nonsense.",
                counts.rejected,
            ),
            (
                "homestar_lookups_total",
                "Look-ups of receipts that were answered to peers.",
                counts.lookups,
            ),
            (
                "homestar_dags_total",
                "DAGs, or parts of some, that were given to peers.",
                counts.dags,
            ),
        ] {
            page.one(name, "counter", help, value);
        }
        self.process(&mut page);
        page.text
    }

    /// What every process has, as far as the system tells.
    fn process(&self, page: &mut Page) {
        let begun = self.begun.duration_since(UNIX_EPOCH);
        page.one(
            "process_start_time_seconds",
            "gauge",
            "When the process began, in seconds since 1970.",
            begun.map_or(0.0, |begun| begun.as_secs_f64()),
        );
        if let Some(process) = Process::read() {
            page.one(
                "process_resident_memory_bytes",
                "gauge",
                "Memory that the process has.",
                process.resident_bytes,
            );
            page.one(
                "process_cpu_seconds_total",
                "counter",
                "Time that processors spent on the process.",
                process.cpu_seconds,
            );
            page.one(
                "process_open_fds",
                "gauge",
                "File descriptors that are open.",
                process.open_fds,
            );
            page.one("process_threads", "gauge", "Threads.", process.threads);
        }
    }
}

/// Text as Prometheus reads it.
#[derive(Default)]
struct Page {
    text: String,
    /// The metric whose rows follow.
    name: &'static str,
}

impl Page {
    /// Begins a metric. Its name is that of the rows that follow.
    fn of(&mut self, name: &'static str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.name = name;
    }

    fn row(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        let labels = labels.iter().map(|(name, value)| {
            let value = value.to_string().replace('\\', r"\\");
            let value = value.replace('"', r#"\""#).replace('\n', r"\n");
            format!("{name}=\"{value}\"")
        });
        let labels = labels.collect::<Vec<_>>().join(",");
        let labels = match labels.is_empty() {
            true => labels,
            false => format!("{{{labels}}}"),
        };
        let _ = writeln!(self.text, "{}{labels} {value}", self.name);
    }

    fn one(&mut self, name: &'static str, kind: &str, help: &str, value: impl Display) {
        self.of(name, kind, help);
        self.row(&[], value);
    }
}

/// What the system knows of this process.
struct Process {
    resident_bytes: u64,
    cpu_seconds: f64,
    open_fds: usize,
    threads: u64,
}

impl Process {
    /// Reads it where Linux has it.
    fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program may hold anything, and ends at the last parenthesis.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
        let ticks = number(11)?.checked_add(number(12)?)?;
        let page = rustix::param::page_size() as u64;
        Some(Self {
            resident_bytes: number(21)?.saturating_mul(page),
            cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            open_fds: std::fs::read_dir("/proc/self/fd").ok()?.count(),
            threads: number(17)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_prometheus_reads_it() {
        let mut page = Page::default();
        page.of("a_total", "counter", "Some.");
        page.row(&[("b", &"x\"\\\n"), ("c", &7)], 3);
        page.one("d", "gauge", "One.", 0.5);
        let text = "# HELP a_total Some.\n# TYPE a_total counter\na_total{b=\"x\\\"\\\\\\n\",c=\"7\"} 3\n\
                    # HELP d One.\n# TYPE d gauge\nd 0.5\n";
        assert_eq!(page.text, text);
    }

    #[test]
    fn the_system_knows_this_process() {
        let process = Process::read().expect("Linux");
        assert!(process.resident_bytes > 1 << 20);
        assert!(process.open_fds >= 1 && process.threads >= 1);
    }
}
