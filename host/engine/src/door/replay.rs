//! A trace in the place of the outside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter::Peekable;

use homestar_core::ipld::{Block, Cid, Ipld, decode};
use homestar_core::trace::{self, Call, Event, Events};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, Asked, Waited, write};

/// A trace that is played back.
pub(crate) struct Replay {
    events: Peekable<<Events as IntoIterator>::IntoIter>,
    blocks: BTreeMap<Cid, Block>,
    divergence: Option<Divergence>,
}

/// Where the run left the trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Divergence(String);

impl Replay {
    pub(crate) fn new(events: Events, blocks: BTreeMap<Cid, Block>) -> Self {
        Self {
            events: events.into_iter().peekable(),
            blocks,
            divergence: None,
        }
    }

    /// Returns the recorded answer to a call that is answered at once.
    pub(super) fn answer_now(
        &mut self,
        number: u64,
        by: u32,
        name: &str,
        args: &Ipld,
    ) -> Result<Ipld, Divergence> {
        let made = || made(number, by, name, args);
        match self.events.next() {
            Some(Event::Call(call)) => {
                self.check(&call, number, by, name, args)?;
                call.answer.ok_or_else(|| {
                    self.left(format!(
                        "call {number} was answered, and in the trace it was not"
                    ))
                })
            }
            Some(Event::Time(_)) => Err(self.left(format!(
                "in the trace time passes where the run makes {}",
                made()
            ))),
            None => Err(self.left(format!(
                "the trace has ended where the run makes {}",
                made()
            ))),
        }
    }

    /// Hands over what came next.
    pub(super) fn wait(
        &mut self,
        asked: &mut BTreeMap<u64, Asked>,
    ) -> Result<(Waited, u64), Divergence> {
        // Calls without an answer come last: the recorded run ended while it waited, by its limit of time.
        let is_answered = |event: &Event| !matches!(event, Event::Call(Call { answer: None, .. }));
        let call = match self.events.next_if(is_answered) {
            None => return Ok((Waited::TimedOut, 0)),
            Some(Event::Time(until)) => return Ok((Waited::Slept(until), 0)),
            Some(Event::Call(call)) => call,
        };
        let number = call.number;
        let Some(waiting) = asked
            .get_mut(&number)
            .filter(|asked| asked.answer.is_none())
        else {
            let text = format!(
                "the trace answers {}, which the run has not made",
                made(number, call.by, &call.name, &call.args)
            );
            return Err(self.left(text));
        };
        self.check(
            &call,
            number,
            waiting.by,
            waiting.name,
            &read(&waiting.args),
        )?;
        waiting.answer = call.answer.map(Answer::Written);
        Ok((Waited::Answered, number))
    }

    /// Checks that nothing is left of the trace but the calls that nobody waited for.
    pub(super) fn finish(
        &mut self,
        left: impl Iterator<Item = (u64, Asked)>,
    ) -> Result<(), Divergence> {
        if let Some(divergence) = &self.divergence {
            return Err(divergence.clone());
        }
        let rest: Vec<_> = self.events.by_ref().collect();
        let left = left.map(|(number, asked)| Call {
            number,
            by: asked.by,
            name: asked.name.to_owned(),
            args: read(&asked.args),
            answer: None,
        });
        let left: Vec<_> = left.map(Event::Call).collect();
        if rest == left {
            return Ok(());
        }
        let text = match rest.iter().find(|event| !left.contains(event)) {
            Some(Event::Call(call)) => format!(
                "the run has ended where the trace goes on with {}",
                made(call.number, call.by, &call.name, &call.args)
            ),
            Some(Event::Time(until)) => {
                format!("the run has ended where the trace goes on until {until} ns")
            }
            None => "the run made calls at its end that the trace doesn't have".to_owned(),
        };
        Err(self.left(text))
    }

    /// Reads an answer out of the trace.
    pub(super) fn read<R: DeserializeOwned>(&mut self, answer: Ipld) -> Result<R, Divergence> {
        let blocks = &self.blocks;
        let answer = trace::unspill(answer, &mut |cid| blocks.get(cid).cloned())
            .map_err(|error| error.to_string());
        let value = answer.and_then(|answer| {
            ipld_core::serde::from_ipld(answer)
                .map_err(|error| format!("an answer in the trace is none: {error}"))
        });
        value.map_err(|text| self.left(text))
    }

    fn check(
        &mut self,
        recorded: &Call,
        number: u64,
        by: u32,
        name: &str,
        args: &Ipld,
    ) -> Result<(), Divergence> {
        let is_same = recorded.number == number
            && recorded.by == by
            && recorded.name == name
            && recorded.args == *args;
        if is_same {
            return Ok(());
        }
        Err(self.left(format!(
            "the trace has {}, and the run makes {}",
            made(recorded.number, recorded.by, &recorded.name, &recorded.args),
            made(number, by, name, args)
        )))
    }

    /// Remembers where the run left the trace first.
    fn left(&mut self, text: String) -> Divergence {
        let divergence = Divergence(text);
        self.divergence.get_or_insert(divergence).clone()
    }
}

/// Writes arguments as they stand in a trace.
pub(super) fn written(value: &impl Serialize) -> wasmtime::Result<Vec<u8>> {
    let mut written = Vec::new();
    write(value, &mut written, &mut |_| ())?;
    Ok(written)
}

/// Reads arguments that were written here.
pub(super) fn read(written: &[u8]) -> Ipld {
    decode(written).expect("what was written can be read")
}

/// Most characters of arguments that a message shows.
const ARGS_CHARS_MAX: usize = 200;

fn made(number: u64, by: u32, name: &str, args: &Ipld) -> String {
    let mut text = format!("call {number}, {name} by part {by}, with ");
    let args = homestar_core::json::to_string(args).unwrap_or_else(|error| error.to_string());
    let _ = match args.char_indices().nth(ARGS_CHARS_MAX) {
        Some((end, _)) => write!(text, "{} …", &args[..end]),
        None => write!(text, "{args}"),
    };
    text
}
