//! Has tasks run by others: a thread that owns a [`Requester`], and what is asked of it from any thread.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use homestar_core::market::{
    Award, Message, Offer, Reason, Refusal, Requester, RequesterInput, RequesterSettings,
    RequesterStep, Signatures, Unrun,
};
use homestar_core::receipt::Receipt;
use homestar_core::ucan::Did;
use homestar_engine::Stop;
use homestar_net::{
    BlockSource, Fetch, PeerId, Peers, PeersError, PeersSettings, Served, SourceError, did_of,
    peer_of, wait_for,
};

use super::clock::{Clock, seed};
use super::ears::Ears;
use super::lent::Lent;
use super::letters::{LAST_WORDS, Letters, Lost, MAIL_MAX, Mailbox, Told, pass_on};

/// How long a task may fetch what it links to, if nothing else ends it before.
const LENT: Duration = Duration::from_secs(24 * 3600);

/// How often is looked whether those are there who have tasks.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Has no blocks for others.
#[derive(Debug)]
struct Nothing;

impl BlockSource for Nothing {
    fn get(&self, _: &Cid) -> Result<Option<Block>, SourceError> {
        Ok(None)
    }
}

/// Signs the invocation that asks somebody for a task, and returns it with what it rests on.
pub type Invoke = Box<dyn Fn(&Did) -> Result<Vec<u8>, String> + Send>;

/// A task that somebody else is to run.
pub struct Errand {
    /// What is offered.
    pub offer: Offer,
    /// What whoever runs it gets of the store, with all below.
    pub roots: Vec<Cid>,
    /// Who asks, proven.
    pub invoke: Invoke,
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Errand").field(&self.offer).finish()
    }
}

/// What somebody else ran.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Who.
    pub by: Did,
    /// What came of it, signed by them.
    pub receipt: Receipt,
}

/// Why nobody ran it.
#[derive(Clone, Debug)]
pub struct NotRun {
    /// In a word.
    pub why: Unrun,
    /// What those said that were asked.
    pub refusals: Vec<(Did, Refusal)>,
}

enum Input {
    Want(u64, Box<Errand>, SyncSender<Result<Ran, NotRun>>),
    /// Nobody waits for it any more.
    Recall(u64),
    Know(Did),
    Told(Told),
    Unreached(Did),
    /// It takes no messages; which question it was asked.
    Deaf(Did, u64),
    Fetched {
        from: Did,
        instruction: Cid,
        receipt: Cid,
        bytes: Option<Vec<u8>>,
    },
    End,
}

/// See the module. The thread ends with this.
#[derive(Debug)]
pub struct Errands {
    inputs: mpsc::Sender<Input>,
    next: AtomicU64,
    thread: Option<thread::JoinHandle<()>>,
}

impl Errands {
    /// Begins to be among peers under a key, for errands alone: whoever is given a task gets what is lent to it, and nobody
    /// anything else.
    pub fn among(
        settings: PeersSettings,
        key: &SigningKey,
    ) -> Result<(Self, Peers, Arc<Lent>), PeersError> {
        let lent = Arc::new(Lent::nothing(Arc::new(Nothing)));
        let mailbox = Arc::<Mailbox>::default();
        let ears = Ears {
            receipts: None,
            announced: Arc::default(),
            mailbox: Some(Arc::clone(&mailbox)),
        };
        let served = Served {
            strangers: lent.clone(),
            trusted: Arc::new(Nothing),
            listener: Some(Arc::new(ears)),
        };
        let peers = Peers::spawn(settings, key, served)?;
        let errands = Self::spawn(peers.clone(), &mailbox, Arc::clone(&lent));
        Ok((errands, peers, lent))
    }

    /// Starts among these peers. Messages come by `mailbox`, and `lent` is what peers get.
    fn spawn(peers: Peers, mailbox: &Mailbox, lent: Arc<Lent>) -> Self {
        let (inputs, received) = mpsc::channel();
        let (mail, told) = mpsc::sync_channel(MAIL_MAX);
        mailbox.open(mail);
        let settings = RequesterSettings {
            seed: seed(),
            ..RequesterSettings::default()
        };
        let actor = Actor {
            requester: Requester::new(settings, Signatures),
            letters: Letters::new(peers.clone()),
            peers,
            lent,
            errands: HashMap::new(),
            waiting: HashMap::new(),
            loans: HashMap::new(),
            looked_at: Instant::now(),
            clock: Clock::start(),
            inputs: inputs.clone(),
        };
        let thread = thread::spawn(move || actor.run(&received));
        let passed = inputs.clone();
        pass_on(told, move |message| {
            passed.send(Input::Told(message)).is_ok()
        });
        Self {
            inputs,
            next: AtomicU64::new(0),
            thread: Some(thread),
        }
    }

    /// Somebody may be asked.
    pub fn know(&self, who: Did) {
        // The thread ends after this does.
        let _ = self.inputs.send(Input::Know(who));
    }

    /// Has a task run by somebody, and waits for its receipt: one that was signed by who ran it. If it is stopped, whoever it was
    /// given to is told to end it.
    pub fn run(&self, errand: Errand, stop: &Stop) -> Result<Ran, NotRun> {
        let (answer, answered) = mpsc::sync_channel(1);
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        let _ = self
            .inputs
            .send(Input::Want(ticket, Box::new(errand), answer));
        let inputs = self.inputs.clone();
        let _waking = stop.on_stop(move || {
            // The thread ends after this does.
            let _ = inputs.send(Input::Recall(ticket));
        });
        answered.recv().unwrap_or(Err(NotRun {
            why: Unrun::Nobody,
            refusals: Vec::new(),
        }))
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        let _ = self.inputs.send(Input::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Actor {
    requester: Requester<Signatures>,
    letters: Letters,
    peers: Peers,
    lent: Arc<Lent>,
    /// By their instructions.
    errands: HashMap<Cid, Errand>,
    /// Who waits, by tickets, and for what.
    waiting: HashMap<u64, (Cid, SyncSender<Result<Ran, NotRun>>)>,
    /// What was lent for tasks, to whom.
    loans: HashMap<Cid, Vec<(PeerId, u64)>>,
    looked_at: Instant,
    clock: Clock,
    inputs: mpsc::Sender<Input>,
}

impl Actor {
    fn run(mut self, inputs: &Receiver<Input>) {
        loop {
            let input = match self.requester.deadline() {
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => {
                    self.look_around();
                    inputs.recv_timeout(self.clock.until(due).min(LOOK_AROUND))
                }
            };
            match input {
                Ok(Input::Want(ticket, errand, answer)) => self.want(ticket, *errand, answer),
                Ok(Input::Recall(ticket)) => self.recall(ticket),
                Ok(Input::Know(who)) => self.tell(RequesterInput::Know(who)),
                Ok(Input::Told(told)) => self.told(&told),
                Ok(Input::Unreached(who)) => self.tell(RequesterInput::Unreached(who)),
                Ok(Input::Deaf(who, ask)) => {
                    let refusal = Refusal::new(Reason::Stranger, "it runs no tasks for others");
                    let refuse = Message::Refuse { ask, refusal };
                    self.tell(RequesterInput::Received(who, refuse));
                }
                Ok(Input::Fetched {
                    from,
                    instruction,
                    receipt,
                    bytes,
                }) => self.tell(RequesterInput::Fetched {
                    from,
                    instruction,
                    receipt,
                    bytes,
                }),
                Err(RecvTimeoutError::Timeout) => self.tell(RequesterInput::Tick),
                Ok(Input::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let left: Vec<u64> = self.waiting.keys().copied().collect();
        left.into_iter().for_each(|ticket| self.recall(ticket));
        // The last word is that an answer has come, or that nobody waits for one.
        self.letters.settle(LAST_WORDS);
    }

    /// Finds out whether those are still connected who have tasks.
    fn look_around(&mut self) {
        if self.looked_at.elapsed() < LOOK_AROUND {
            return;
        }
        self.looked_at = Instant::now();
        let Ok(status) = wait_for(self.peers.status()) else {
            return;
        };
        let there: HashSet<PeerId> = status.peers.iter().map(|peer| peer.id).collect();
        let is_gone = |who: &Did| peer_of(who).is_none_or(|peer| !there.contains(&peer));
        for who in self.requester.holders().into_iter().filter(is_gone) {
            self.tell(RequesterInput::Unreached(who));
        }
    }

    fn want(&mut self, ticket: u64, errand: Errand, answer: SyncSender<Result<Ran, NotRun>>) {
        let offer = errand.offer.clone();
        self.waiting.insert(ticket, (offer.instruction, answer));
        self.errands.entry(offer.instruction).or_insert(errand);
        self.tell(RequesterInput::Want(ticket, Box::new(offer)));
    }

    /// Lets whoever it was given to end it, unless somebody else waits for the same.
    fn recall(&mut self, ticket: u64) {
        let Some((instruction, answer)) = self.waiting.remove(&ticket) else {
            return;
        };
        self.tell(RequesterInput::Unwant(ticket));
        let not_run = NotRun {
            why: Unrun::Recalled,
            refusals: Vec::new(),
        };
        if !self.requester.has(&instruction) {
            self.forget(&instruction);
        }
        let _ = answer.send(Err(not_run));
    }

    fn told(&mut self, told: &Told) {
        if let (Some(from), Ok(message)) = (did_of(&told.from), Message::decode(&told.message)) {
            self.tell(RequesterInput::Received(from, message));
        }
    }

    /// Tells the machine, and does what it says.
    fn tell(&mut self, input: RequesterInput) {
        self.requester.handle(input, self.clock.now());
        while let Some(step) = self.requester.poll() {
            match step {
                RequesterStep::Tell(to, message) => self.say(to, &message),
                RequesterStep::Award {
                    to,
                    bid,
                    instruction,
                } => self.award(to, bid, instruction),
                RequesterStep::Fetch {
                    from,
                    instruction,
                    receipt,
                } => self.fetch(from, instruction, receipt),
                RequesterStep::Answered {
                    tickets,
                    from,
                    said,
                    receipt,
                } => self.answered(&tickets, from, said.ran, &receipt),
                RequesterStep::Unrun {
                    tickets,
                    instruction,
                    why,
                    refusals,
                } => {
                    let not_run = NotRun { why, refusals };
                    self.end(&tickets, &instruction, &Err(not_run));
                }
                RequesterStep::Lied(who) => {
                    if let Some(peer) = peer_of(&who) {
                        let _ = wait_for(self.peers.blame(peer));
                    }
                }
                // Whoever waited has another one that is as good.
                RequesterStep::Late { .. } => {}
            }
        }
    }

    fn say(&self, to: Did, message: &Message) {
        let inputs = self.inputs.clone();
        let ask = match message {
            Message::Ask(ask) => Some(ask.ask),
            _ => None,
        };
        let lost = move |lost| {
            let input = match (lost, ask) {
                (Lost::Deaf, Some(ask)) => Input::Deaf(to, ask),
                _ => Input::Unreached(to),
            };
            let _ = inputs.send(input);
        };
        self.letters.send(&to, message, lost);
    }

    fn award(&mut self, to: Did, bid: u64, instruction: Cid) {
        let errand = self.errands.get(&instruction);
        let tokens = errand.map(|errand| (errand.invoke)(&to));
        let (Some(errand), Some(Ok(tokens)), Some(peer)) = (errand, tokens, peer_of(&to)) else {
            // Whoever isn't told has no lease, so somebody else is asked.
            return;
        };
        self.lent.lend(peer, bid, errand.roots.clone(), LENT);
        let loans = self.loans.entry(instruction).or_default();
        if !loans.contains(&(peer, bid)) {
            loans.push((peer, bid));
        }
        let award = Award {
            bid,
            instruction,
            tokens: tokens.into(),
        };
        self.say(to, &Message::Award(award));
    }

    /// Fetches a receipt that was too large for a message.
    fn fetch(&self, from: Did, instruction: Cid, receipt: Cid) {
        let (peers, inputs) = (self.peers.clone(), self.inputs.clone());
        thread::spawn(move || {
            let block = wait_for(peers.block(&receipt)).ok();
            let bytes = block.map(|block| block.bytes().to_vec());
            let _ = inputs.send(Input::Fetched {
                from,
                instruction,
                receipt,
                bytes,
            });
        });
    }

    fn answered(&mut self, tickets: &[u64], by: Did, instruction: Cid, receipt: &[u8]) {
        // It was read before it was believed.
        if let Ok(receipt) = Receipt::decode(receipt) {
            self.end(tickets, &instruction, &Ok(Ran { by, receipt }));
        }
    }

    fn end(&mut self, tickets: &[u64], instruction: &Cid, how: &Result<Ran, NotRun>) {
        self.forget(instruction);
        for ticket in tickets {
            if let Some((_, answer)) = self.waiting.remove(ticket) {
                let _ = answer.send(how.clone());
            }
        }
    }

    fn forget(&mut self, instruction: &Cid) {
        self.errands.remove(instruction);
        for (peer, bid) in self.loans.remove(instruction).unwrap_or_default() {
            self.lent.take_back(&peer, bid);
        }
    }
}
