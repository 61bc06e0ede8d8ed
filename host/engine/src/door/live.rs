//! The outside itself: calls are answered by drivers, and what they answer is recorded.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use homestar_core::ipld::{Block, Cid};
use homestar_core::trace::{Events, WrittenCall};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{Answer, Asked, Heard, Waited, write};
use crate::drivers::{Drivers, Lane};
use crate::stop::Deadline;

/// The drivers' side of a door.
pub(crate) struct Live {
    drivers: Arc<Drivers>,
    /// Where calls go on. There is none before the first that may have to wait.
    lane: Option<Lane>,
    sender: UnboundedSender<Done>,
    receiver: UnboundedReceiver<Done>,
    running: BTreeMap<u64, AbortHandle>,
    record: Record,
    /// Where arguments and answers are written before they become an event. They keep their memory.
    args: Vec<u8>,
    answer: Vec<u8>,
}

/// A call that was answered.
struct Done {
    number: u64,
    value: Box<dyn Any + Send>,
    written: wasmtime::Result<(Vec<u8>, Vec<Block>)>,
}

/// What was heard so far.
#[derive(Default)]
struct Record {
    events: Events,
    blocks: Vec<Block>,
    kept: HashSet<Cid>,
    bytes: u64,
}

/// What one event weighs beside its bytes.
const EVENT_BYTES: u64 = 128;

impl Live {
    /// Returns a side whose calls these answer.
    pub(crate) fn new(drivers: Arc<Drivers>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            drivers,
            lane: None,
            sender,
            receiver,
            running: BTreeMap::new(),
            record: Record::default(),
            args: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// Returns how many bytes were moved by calls.
    pub(super) fn bytes(&self) -> u64 {
        self.record.bytes
    }

    pub(super) fn count(&mut self, bytes: u64) {
        self.record.bytes = self.record.bytes.saturating_add(bytes);
    }

    /// Asks what is answered at once, and writes it down.
    pub(super) fn ask_now<R: Serialize>(
        &mut self,
        number: u64,
        by: u32,
        name: &str,
        args: &impl Serialize,
        work: impl FnOnce() -> R,
    ) -> wasmtime::Result<R> {
        let record = &mut self.record;
        write(args, &mut self.args, &mut |block| record.keep(block))?;
        record.bytes += self.args.len() as u64;
        let value = work();
        write(&value, &mut self.answer, &mut |block| record.keep(block))?;
        record.call(WrittenCall {
            number,
            by,
            name,
            args: &self.args,
            answer: Some(&self.answer),
        });
        Ok(value)
    }

    /// Writes arguments down of what is answered later.
    pub(super) fn written(&mut self, args: &impl Serialize) -> wasmtime::Result<Vec<u8>> {
        let mut written = Vec::new();
        write(args, &mut written, &mut |block| self.record.keep(block))?;
        self.record.bytes += written.len() as u64;
        Ok(written)
    }

    /// Runs `work`, and writes its answer down.
    ///
    /// It begins at once, and what has to wait goes on while the guest waits. The answer waits for its turn like any other.
    pub(super) fn start<R, F>(
        &mut self,
        number: u64,
        work: impl FnOnce(&Lane) -> F,
    ) -> wasmtime::Result<()>
    where
        R: Serialize + Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let lane = match self.lane.take() {
            Some(lane) => lane,
            None => self.drivers.lane()?,
        };
        let lane = self.lane.insert(lane);
        let work = work(lane);
        let mut answering = Box::pin(async move {
            let value = work.await;
            let (mut written, mut blocks) = (Vec::new(), Vec::new());
            let done = write(&value, &mut written, &mut |block| blocks.push(block));
            Done {
                number,
                value: Box::new(value),
                written: done.map(|()| (written, blocks)),
            }
        });
        let begun = {
            let _inside = lane.enter();
            let mut cx = Context::from_waker(Waker::noop());
            answering.as_mut().poll(&mut cx)
        };
        let sender = self.sender.clone();
        match begun {
            // Nobody listens any more once the task has ended.
            Poll::Ready(done) => drop(sender.send(done)),
            Poll::Pending => {
                let task = lane.spawn(async move {
                    drop(sender.send(answering.await));
                });
                self.running.insert(number, task);
            }
        }
        Ok(())
    }

    /// Waits for an answer until something that sleeps is due, or no time is left.
    pub(super) fn wait(
        &mut self,
        asked: &mut BTreeMap<u64, Asked>,
        due: Option<(u64, Duration)>,
        deadline: &Deadline,
    ) -> (Waited, u64) {
        let left = deadline.left();
        let until = due.map_or(left, |(_, after)| after.min(left));
        let receiver = &mut self.receiver;
        let done = match (receiver.try_recv(), &self.lane) {
            (Ok(done), _) => Some(done),
            // The timer is made where it runs.
            (Err(_), Some(lane)) => {
                // The call may be stopped meanwhile.
                let stopped = Arc::<Notify>::default();
                let waking = deadline.on_stop({
                    let stopped = Arc::clone(&stopped);
                    move || stopped.notify_one()
                });
                let mut stopped = pin!(stopped.notified());
                let answered = poll_fn(|cx| match receiver.poll_recv(cx) {
                    Poll::Pending => stopped.as_mut().poll(cx).map(|()| None),
                    answered => answered,
                });
                let done = lane.wait(async { timeout(until, answered).await.ok().flatten() });
                drop(waking);
                done
            }
            // Whoever asked has a lane.
            (Err(_), None) => None,
        };
        match done {
            Some(done) => self.hand_over(done, asked),
            None => match due {
                Some((at, after)) if after <= left && !deadline.is_stopped() => {
                    self.record.events.time(at);
                    (Waited::Slept(at), 0)
                }
                _ => (Waited::TimedOut, 0),
            },
        }
    }

    fn hand_over(&mut self, done: Done, asked: &mut BTreeMap<u64, Asked>) -> (Waited, u64) {
        let number = done.number;
        self.running.remove(&number);
        let Some(call) = asked.get_mut(&number) else {
            return (Waited::Answered, number);
        };
        match done.written {
            Ok((answer, blocks)) => {
                blocks.into_iter().for_each(|block| self.record.keep(block));
                let args = std::mem::take(&mut call.args);
                self.record.call(WrittenCall {
                    number,
                    by: call.by,
                    name: call.name,
                    args: &args,
                    answer: Some(&answer),
                });
                call.answer = Some(Answer::Value(done.value));
            }
            Err(error) => call.answer = Some(Answer::Failed(error)),
        }
        (Waited::Answered, number)
    }

    /// Ends the record. Calls that were not answered come last.
    pub(super) fn finish(&mut self, left: impl Iterator<Item = (u64, Asked)>) -> Heard {
        let Record { events, blocks, .. } = &mut self.record;
        for (number, asked) in left {
            events.call(WrittenCall {
                number,
                by: asked.by,
                name: asked.name,
                args: &asked.args,
                answer: None,
            });
        }
        Heard {
            events: std::mem::take(events),
            blocks: std::mem::take(blocks),
        }
    }
}

/// What still runs for a task that has ended is stopped.
impl Drop for Live {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
        if let Some(lane) = self.lane.take() {
            self.drivers.keep(lane);
        }
    }
}

impl Record {
    /// Adds a call that was answered. Its arguments were counted when they came.
    fn call(&mut self, call: WrittenCall<'_>) {
        self.bytes += EVENT_BYTES + call.answer.map_or(0, <[u8]>::len) as u64;
        self.events.call(call);
    }

    fn keep(&mut self, block: Block) {
        if self.kept.insert(*block.cid()) {
            self.bytes += block.bytes().len() as u64;
            self.blocks.push(block);
        }
    }
}
