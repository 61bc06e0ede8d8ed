//! Runs tasks for others: a thread that owns an [`Executor`], and a thread for each task that runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use homestar_core::ipld::Cid;
use homestar_core::key::SigningKey;
use homestar_core::market::{
    Admission, Ask, Award, Executor, ExecutorInput, ExecutorSettings, ExecutorStep, House, Message,
    Refusal, Room, Unwilling,
};
use homestar_core::receipt::Receipt;
use homestar_core::schedule::Timestamp;
use homestar_core::ucan::Did;
use homestar_engine::Stop;
use homestar_net::{Peers, did_of, peer_of};

use super::announcer::Announcer;
use super::clock::{Clock, seed};
use super::lent::Lent;
use super::letters::{LAST_WORDS, Letters, MAIL_MAX, Told, pass_on};

/// How long who asked for a task may fetch what its receipt links to.
const LENT: Duration = Duration::from_secs(600);

/// Whoever has an engine and knows what the operator decided.
pub trait Workshop: Send + Sync + fmt::Debug {
    /// Would a task be run for that requester? If so, says how many bytes of its content aren't here. Doesn't wait.
    fn would(&self, ask: &Ask) -> Result<u64, Unwilling>;

    /// Checks the invocation that comes with an award, of which the question was this.
    fn admit(&self, ask: &Ask, award: &Award) -> Result<Admitted, Refusal>;

    /// Returns the instructions that were begun in earlier lives.
    fn begun(&self) -> BTreeSet<Cid>;

    /// Returns the effects that tasks may use here: interface and component.
    fn effects(&self) -> BTreeMap<String, Cid>;
}

/// A task that somebody may ask for.
#[derive(Debug)]
pub struct Admitted {
    /// Who asks.
    pub requester: Did,
    /// How it is run.
    pub order: Box<dyn Order>,
}

/// A task that is to be run.
pub trait Order: Send + fmt::Debug {
    /// Runs it, on a thread of its own, and returns the receipt once that is kept.
    ///
    /// That it begins is noted durably before it reaches the outside. When it is stopped it ends, as soon as it can.
    fn run(self: Box<Self>, stop: &Stop) -> Result<Receipt, Broken>;
}

/// Why there is no receipt of a task.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Why, for whoever asked for it.
    pub words: String,
    /// Whether it may have reached the outside.
    pub begun: bool,
}

/// What the thread is told.
#[derive(Debug)]
enum Input {
    Told(Told),
    Ended(Cid, Duration, Result<Receipt, Broken>),
    Unreached(Did),
    Room(SyncSender<Room>),
    End,
}

/// A worker: the handle of its thread, which ends with this.
#[derive(Debug)]
pub struct Worker {
    inputs: SyncSender<Input>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Worker {
    /// Starts to work. Messages come by the mailbox that is returned; what is lent to others is in the store that `lent` knows.
    pub(crate) fn spawn(
        settings: ExecutorSettings,
        workshop: Arc<dyn Workshop>,
        key: SigningKey,
        peers: Peers,
        lent: Arc<Lent>,
    ) -> (Self, SyncSender<Told>) {
        let (inputs, received) = mpsc::sync_channel(MAIL_MAX);
        let (mail, told) = mpsc::sync_channel(MAIL_MAX);
        let begun = workshop.begun();
        let settings = ExecutorSettings {
            seed: seed(),
            ..settings
        };
        let house = Desk(Arc::clone(&workshop));
        let price = settings.price;
        let actor = Actor {
            announcer: Announcer::new(key, price, peers.clone()),
            executor: Executor::new(settings, house, begun),
            workshop,
            letters: Letters::new(peers),
            lent,
            orders: HashMap::new(),
            stops: HashMap::new(),
            clock: Clock::start(),
            inputs: inputs.clone(),
        };
        let thread = thread::spawn(move || actor.run(&received));
        let passed = inputs.clone();
        pass_on(told, move |message| {
            passed.send(Input::Told(message)).is_ok()
        });
        let worker = Self {
            inputs,
            thread: Mutex::new(Some(thread)),
        };
        (worker, mail)
    }

    /// What there is room for; none if it has ended.
    pub fn room(&self) -> Option<Room> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.inputs.send(Input::Room(answer)).ok()?;
        answered.recv().ok()
    }

    /// Takes no more, and stops what runs. Whoever asked for it hears so, and gives it to somebody else.
    pub fn end(&self) {
        let _ = self.inputs.send(Input::End);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a workshop says to the machine.
#[derive(Debug)]
struct Desk(Arc<dyn Workshop>);

impl House for Desk {
    fn would(&self, ask: &Ask) -> Result<u64, Unwilling> {
        self.0.would(ask)
    }

    fn better(&self, _: &Ask) -> Vec<Did> {
        Vec::new()
    }
}

#[derive(Debug)]
struct Actor {
    executor: Executor<Desk>,
    workshop: Arc<dyn Workshop>,
    announcer: Announcer,
    letters: Letters,
    lent: Arc<Lent>,
    /// How tasks are run that wait.
    orders: HashMap<Cid, Box<dyn Order>>,
    /// What ends those that run.
    stops: HashMap<Cid, Stop>,
    clock: Clock,
    inputs: SyncSender<Input>,
}

impl Actor {
    fn run(mut self, inputs: &Receiver<Input>) {
        loop {
            let now = self.clock.now();
            if self.announcer.due() <= now {
                let (room, effects) = (self.executor.room(), self.workshop.effects());
                self.announcer.announce(room, effects, now);
            }
            let due = self.executor.deadline().into_iter();
            let due = due.fold(self.announcer.due(), Timestamp::min);
            let input = inputs.recv_timeout(self.clock.until(due));
            match input {
                Ok(Input::Told(told)) => self.told(&told),
                Ok(Input::Ended(instruction, took, ended)) => self.ended(instruction, took, ended),
                Ok(Input::Room(answer)) => {
                    let _ = answer.send(self.executor.room());
                }
                Ok(Input::Unreached(who)) => self.tell(ExecutorInput::Unreached(who)),
                Err(RecvTimeoutError::Timeout) => self.tell(ExecutorInput::Tick),
                Ok(Input::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.tell(ExecutorInput::Close);
        self.letters.settle(LAST_WORDS);
    }

    /// Tells the machine, and does what it says.
    fn tell(&mut self, input: ExecutorInput) {
        self.executor.handle(input, self.clock.now());
        while let Some(step) = self.executor.poll() {
            match step {
                ExecutorStep::Tell(to, message) => self.say(to, &message),
                ExecutorStep::Admit { ask, award, .. } => self.admit(&ask, &award),
                ExecutorStep::Start { instruction, .. } => self.start(instruction),
                ExecutorStep::Stop(instruction) => {
                    if let Some(stop) = self.stops.get(&instruction) {
                        stop.stop();
                    }
                }
            }
        }
    }

    fn told(&mut self, told: &Told) {
        // What is no message is nobody's but its sender's loss, and so is one of a peer whose id doesn't say who it is.
        if let (Some(from), Ok(message)) = (did_of(&told.from), Message::decode(&told.message)) {
            self.tell(ExecutorInput::Received(from, message));
        }
    }

    fn say(&mut self, to: Did, message: &Message) {
        if let (Message::Answer(answer), Some(peer)) = (message, peer_of(&to)) {
            let roots = vec![answer.receipt];
            self.lent.lend(peer, answer.bid, roots, LENT);
        }
        let inputs = self.inputs.clone();
        self.letters.send(&to, message, move |_| {
            // Whoever isn't told so is told that nothing was heard for long.
            let _ = inputs.try_send(Input::Unreached(to));
        });
    }

    fn admit(&mut self, ask: &Ask, award: &Award) {
        let admitted = self.workshop.admit(ask, award);
        let admission = admitted.map(|admitted| {
            self.orders.entry(ask.instruction).or_insert(admitted.order);
            Admission {
                requester: admitted.requester,
            }
        });
        let bid = award.bid;
        self.tell(ExecutorInput::Admitted { bid, admission });
        let executor = &self.executor;
        self.orders
            .retain(|instruction, _| executor.has(instruction));
    }

    fn start(&mut self, instruction: Cid) {
        let order = self.orders.remove(&instruction);
        let inputs = self.inputs.clone();
        let stop = Stop::new();
        self.stops.insert(instruction, stop.clone());
        let run = move || {
            let begin = Instant::now();
            let ended = match order {
                Some(order) => order.run(&stop),
                None => Err(Broken {
                    words: "nobody knows how it is run".to_owned(),
                    begun: false,
                }),
            };
            // After the worker nobody waits for it.
            let _ = inputs.send(Input::Ended(instruction, begin.elapsed(), ended));
        };
        let builder = thread::Builder::new().name("homestar-task".to_owned());
        if let Err(error) = builder.spawn(run) {
            let words = format!("no thread can be started: {error}");
            self.stops.remove(&instruction);
            self.tell(ExecutorInput::Broke {
                instruction,
                begun: false,
                words,
            });
        }
    }

    fn ended(&mut self, instruction: Cid, took: Duration, ended: Result<Receipt, Broken>) {
        let was_stopped = self
            .stops
            .remove(&instruction)
            .is_some_and(|stop| stop.is_stopped());
        let input = match ended {
            Ok(receipt) => ExecutorInput::Ended {
                instruction,
                receipt: *receipt.link().cid(),
                bytes: receipt.block().bytes().to_vec(),
                took,
            },
            Err(Broken { begun, .. }) if was_stopped => ExecutorInput::Stopped {
                instruction,
                begun,
                took,
            },
            Err(Broken { words, begun }) => ExecutorInput::Broke {
                instruction,
                begun,
                words,
            },
        };
        self.tell(input);
    }
}
