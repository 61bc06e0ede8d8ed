//! Measuring sides in turns, and saying what came of it.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::Error;

/// How long a benchmark may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Enough rounds that figures repeat.
    #[default]
    Full,
    /// Enough to see that it works.
    Quick,
}

impl Effort {
    /// Returns `full`, or a fifth of it.
    pub(crate) fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full.div_ceil(5),
        }
    }

    /// Returns how long one side of a round should take, in CPU time.
    fn turn(self) -> Duration {
        match self {
            Self::Full => Duration::from_millis(20),
            Self::Quick => Duration::from_millis(5),
        }
    }
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// User and system time of all threads, and of a process's own children. Hardly disturbed by others.
    Cpu,
    /// Time on the wall: what a person waits.
    Wall,
}

impl Clock {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "CPU time",
            Self::Wall => "wall time",
        }
    }
}

/// Figures of several sides. The first side is ours, and ratios say how it compares with each other one.
#[derive(Debug)]
pub(crate) struct Measurement {
    name: String,
    goal: Option<&'static str>,
    clock: Clock,
    sides: Vec<Figures>,
    notes: Vec<String>,
}

/// Seconds per operation of one side, a figure per round.
#[derive(Debug)]
struct Figures {
    name: String,
    seconds: Vec<f64>,
}

impl Figures {
    fn min(&self) -> f64 {
        self.seconds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn median(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Measurement {
    /// Returns what was found for `sides`: name and seconds of each.
    pub(crate) fn new(
        name: impl Into<String>,
        clock: Clock,
        sides: impl IntoIterator<Item = (String, Vec<f64>)>,
    ) -> Self {
        let sides = sides.into_iter();
        Self {
            name: name.into(),
            goal: None,
            clock,
            sides: sides
                .map(|(name, seconds)| Figures { name, seconds })
                .collect(),
            notes: Vec::new(),
        }
    }

    /// Sets what we would like to see.
    pub(crate) fn goal(mut self, goal: &'static str) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Adds a line that stands below the figures, such as why a side is missing.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Returns all of it, for programs.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let ours = &self.sides[0];
        let side = |side: &Figures| {
            json!({
                "name": side.name,
                "seconds": { "min": side.min(), "median": side.median() },
                "ratio": { "min": ours.min() / side.min(), "median": ours.median() / side.median() },
            })
        };
        json!({
            "name": self.name,
            "clock": self.clock.as_str(),
            "goal": self.goal,
            "rounds": ours.seconds.len(),
            "sides": self.sides.iter().map(side).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = &self.sides[0];
        let (clock, rounds) = (self.clock.as_str(), ours.seconds.len());
        write!(f, "{} ({clock}, {rounds} rounds", self.name)?;
        match self.goal {
            Some(goal) => writeln!(f, "; goal: {goal})")?,
            None => writeln!(f, ")")?,
        }
        writeln!(
            f,
            "  {:<52}{:>10}{:>10}{:>14}",
            "", "min", "median", "ours ÷ this"
        )?;
        for side in &self.sides {
            let (min, median) = (side.min(), side.median());
            write!(
                f,
                "  {:<52}{:>10}{:>10}",
                side.name,
                time(min),
                time(median)
            )?;
            match std::ptr::eq(side, ours) {
                true => writeln!(f)?,
                false => writeln!(
                    f,
                    "{:>7.2}{:>7.2}",
                    ours.min() / min,
                    ours.median() / median
                )?,
            }
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(f, "  {note}"))
    }
}

/// Returns a time in the unit that suits it, with three digits.
fn time(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s if s >= 1e-6 => (s * 1e6, "µs"),
        s => (s * 1e9, "ns"),
    };
    let decimals = match number {
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.decimals$} {unit}")
}

/// Something that is done again and again in this process.
pub(crate) struct Repeated<'a> {
    name: &'a str,
    /// What is counted, in one run.
    operations: f64,
    run: Box<dyn FnMut() -> Result<(), Error> + 'a>,
}

impl<'a> Repeated<'a> {
    /// Returns a side called `name` whose one operation is `run`.
    pub(crate) fn new(name: &'a str, run: impl FnMut() -> Result<(), Error> + 'a) -> Self {
        Self {
            name,
            operations: 1.0,
            run: Box::new(run),
        }
    }

    /// Says that each run does something so many times, which is what counts.
    pub(crate) fn of(mut self, operations: u64) -> Self {
        self.operations = operations as f64;
        self
    }

    /// Returns the CPU time of `count` operations, in seconds.
    fn time(&mut self, count: u32) -> Result<f64, Error> {
        let begin = cpu_time();
        for _ in 0..count {
            (self.run)()?;
        }
        Ok((cpu_time() - begin).as_secs_f64())
    }

    /// Returns how many operations take about `turn`.
    fn count(&mut self, turn: Duration) -> Result<u32, Error> {
        let mut count = 1;
        while self.time(count)? < turn.as_secs_f64() / 2.0 {
            count *= 2;
        }
        Ok(count)
    }
}

/// Measures `sides` in turns, in CPU time.
pub(crate) fn repeated(
    name: &str,
    effort: Effort,
    mut sides: Vec<Repeated<'_>>,
) -> Result<Measurement, Error> {
    let counts = sides.iter_mut().map(|side| side.count(effort.turn()));
    let counts = counts.collect::<Result<Vec<_>, _>>()?;
    let mut seconds = vec![Vec::new(); sides.len()];
    for _ in 0..effort.rounds(31) {
        for ((side, count), seconds) in sides.iter_mut().zip(&counts).zip(&mut seconds) {
            seconds.push(side.time(*count)? / f64::from(*count) / side.operations);
        }
    }
    let names = sides.iter().map(|side| side.name.to_owned());
    Ok(Measurement::new(name, Clock::Cpu, names.zip(seconds)))
}

/// Something that is done as often as it is told, in this process or in another.
pub(crate) struct Batch<'a> {
    name: &'a str,
    run: Box<dyn FnMut(u32) -> Result<(), Error> + 'a>,
}

impl<'a> Batch<'a> {
    /// Returns a side called `name`. `run` does it as often as it is told.
    pub(crate) fn new(name: &'a str, run: impl FnMut(u32) -> Result<(), Error> + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }

    /// Returns the CPU and wall time of `count` operations, in seconds.
    fn time(&mut self, count: u32) -> Result<[f64; 2], Error> {
        let cpu = || Ok::<_, Error>(cpu_time() + cpu_time_of_children()?);
        let begin = (cpu()?, Instant::now());
        (self.run)(count)?;
        let wall = begin.1.elapsed();
        Ok([(cpu()? - begin.0).as_secs_f64(), wall.as_secs_f64()])
    }
}

/// Measures `sides` in turns, each with `count` operations a turn, in CPU time and in wall time. What a side takes to
/// do nothing, such as starting a process, is taken off.
pub(crate) fn batches(
    name: &str,
    rounds: usize,
    count: u32,
    mut sides: Vec<Batch<'_>>,
) -> Result<[Measurement; 2], Error> {
    let mut seconds = [vec![Vec::new(); sides.len()], vec![Vec::new(); sides.len()]];
    for round in 0..=rounds {
        for (position, side) in sides.iter_mut().enumerate() {
            let (nothing, all) = (side.time(0)?, side.time(count)?);
            // The first round brings files into memory and opens connections.
            if round > 0 {
                for (clock, seconds) in seconds.iter_mut().enumerate() {
                    seconds[position].push((all[clock] - nothing[clock]) / f64::from(count));
                }
            }
        }
    }
    let names = || sides.iter().map(|side| side.name.to_owned());
    let [cpu, wall] = seconds;
    Ok([
        Measurement::new(name, Clock::Cpu, names().zip(cpu)),
        Measurement::new(name, Clock::Wall, names().zip(wall)),
    ])
}

/// A program that is started again and again.
pub(crate) struct Program<'a> {
    name: &'a str,
    command: Box<dyn FnMut() -> Result<Command, Error> + 'a>,
}

impl<'a> Program<'a> {
    /// Returns a side called `name`. `command` is asked before each start and may prepare it; that is not measured.
    pub(crate) fn new(name: &'a str, command: impl FnMut() -> Result<Command, Error> + 'a) -> Self {
        Self {
            name,
            command: Box::new(command),
        }
    }

    /// Returns the CPU and wall time of one start.
    fn time(&mut self) -> Result<(f64, f64), Error> {
        let mut command = (self.command)()?;
        command.stdin(Stdio::null());
        let (cpu, wall) = (cpu_time_of_children()?, Instant::now());
        let output = command.output()?;
        let wall = wall.elapsed();
        let cpu = cpu_time_of_children()? - cpu;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{command:?} ended with {}: {words}", output.status).into());
        }
        Ok((cpu.as_secs_f64(), wall.as_secs_f64()))
    }
}

/// Measures whole processes in turns, in CPU time and in wall time. One round before the first is not counted: it
/// brings files into memory.
pub(crate) fn programs(
    name: &str,
    rounds: usize,
    mut sides: Vec<Program<'_>>,
) -> Result<[Measurement; 2], Error> {
    let mut cpu = vec![Vec::new(); sides.len()];
    let mut wall = cpu.clone();
    for round in 0..=rounds {
        for (position, side) in sides.iter_mut().enumerate() {
            let (cpu_time, wall_time) = side.time()?;
            if round > 0 {
                cpu[position].push(cpu_time);
                wall[position].push(wall_time);
            }
        }
    }
    let names = || sides.iter().map(|side| side.name.to_owned());
    Ok([
        Measurement::new(name, Clock::Cpu, names().zip(cpu)),
        Measurement::new(name, Clock::Wall, names().zip(wall)),
    ])
}

/// Returns the CPU time that all threads of this process have used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Returns the CPU time that processes which this one has waited for have used.
fn cpu_time_of_children() -> Result<Duration, Error> {
    let usage = usage_of_children()?;
    let duration =
        |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Ok(duration(usage.ru_utime) + duration(usage.ru_stime))
}

/// Returns the most memory that any process had which this one has waited for, in MiB.
pub(crate) fn memory_of_children() -> Result<u64, Error> {
    // Linux counts in KiB.
    Ok(usage_of_children()?.ru_maxrss as u64 >> 10)
}

#[expect(unsafe_code, reason = "no safe crate at hand asks for this")]
fn usage_of_children() -> Result<libc::rusage, Error> {
    // SAFETY: `rusage` is numbers, for which zeros are valid, and the pointer is to one.
    let (status, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (
            libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage),
            usage,
        )
    };
    match status {
        0 => Ok(usage),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}
