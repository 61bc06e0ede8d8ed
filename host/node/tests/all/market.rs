//! Tasks that others run, and say that they did.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use homestar_core::ipld::{Block, Cid, Ipld, Link, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::market::{Answer, Bid, Message, Offer, Unrun};
use homestar_core::outcome::Outcome;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::Instruction;
use homestar_engine::Stop;
use homestar_net::{
    BlockSource, Listener, PeerId, Peers, PeersSettings, Served, SourceError, Topic, Verdict,
    wait_for,
};
use homestar_node::{Errand, Errands};

/// What a peer gives for a task.
type Give = fn(&SigningKey, Cid) -> Vec<u8>;

/// A peer that takes every task and runs none.
#[derive(Debug)]
struct Fake {
    key: SigningKey,
    peers: OnceLock<Peers>,
    give: Give,
}

#[derive(Debug)]
struct Nothing;

impl BlockSource for Nothing {
    fn get(&self, _: &Cid) -> Result<Option<Block>, SourceError> {
        Ok(None)
    }
}

impl Fake {
    /// Starts one, and returns where it is.
    fn start(number: u8, give: Give) -> Arc<Self> {
        let fake = Arc::new(Self {
            key: SigningKey::from_seed(&[number; 32]),
            peers: OnceLock::new(),
            give,
        });
        let served = Served {
            strangers: Arc::new(Nothing),
            trusted: Arc::new(Nothing),
            listener: Some(fake.clone()),
        };
        let settings = PeersSettings {
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
            ..PeersSettings::default()
        };
        let peers = Peers::spawn(settings, &fake.key, served).unwrap();
        fake.peers.set(peers).unwrap();
        fake
    }

    fn say(&self, to: PeerId, message: &Message) {
        let peers = self.peers.get().unwrap();
        peers.send(to, message.encode().unwrap(), |_| {});
    }
}

impl Listener for Fake {
    fn told(&self, from: PeerId, message: Vec<u8>) {
        match Message::decode(&message).unwrap() {
            Message::Ask(ask) => self.say(
                from,
                &Message::Bid(Bid {
                    ask: ask.ask,
                    bid: 7,
                    start_ms: 0,
                    missing: 0,
                    price: 0,
                }),
            ),
            Message::Award(award) => {
                let bytes = (self.give)(&self.key, award.instruction);
                let answer = Answer {
                    bid: award.bid,
                    instruction: award.instruction,
                    receipt: *Block::new(homestar_core::ipld::DAG_CBOR, bytes.clone()).cid(),
                    bytes: Some(bytes.into()),
                };
                self.say(from, &Message::Answer(answer));
            }
            _ => {}
        }
    }

    fn heard(&self, _: Topic, _: PeerId, _: &[u8]) -> Verdict {
        Verdict::Ignore
    }
}

fn receipt(key: &SigningKey, ran: Cid) -> Vec<u8> {
    let body = Body {
        ran: Link::<Instruction>::new(ran),
        outcome: Outcome::Ok(Ipld::Integer(3)),
        run: Vec::new(),
        meta: Meta {
            component: cid_of_raw(b"component"),
            func: "add".into(),
            effects: Vec::new(),
            trace: None,
            invocation: None,
            fuel: 1,
            memory_peak: 0,
            engine: "none".into(),
        },
    };
    let receipt = Receipt::sign(body, key).unwrap();
    receipt.block().bytes().to_vec()
}

/// Has a task run by those.
fn run(fakes: &[Arc<Fake>]) -> Result<homestar_node::Ran, homestar_node::NotRun> {
    let key = SigningKey::from_seed(&[100; 32]);
    let (errands, peers, _) = Errands::among(PeersSettings::default(), &key).unwrap();
    for fake in fakes {
        let status = wait_for(fake.peers.get().unwrap().status()).unwrap();
        wait_for(peers.connect(status.addresses[0].clone())).unwrap();
    }
    let offer = Offer {
        on: fakes.iter().map(|fake| fake.key.did()).collect(),
        patience: Duration::from_secs(600),
        ..Offer::new(cid_of_raw(b"instruction"), key.did())
    };
    let errand = Errand {
        offer,
        roots: Vec::new(),
        invoke: Box::new(|_| Ok(Vec::new())),
    };
    errands.run(errand, &Stop::new())
}

fn honest(key: &SigningKey, ran: Cid) -> Vec<u8> {
    receipt(key, ran)
}

fn of_somebody_else(_: &SigningKey, ran: Cid) -> Vec<u8> {
    receipt(&SigningKey::from_seed(&[50; 32]), ran)
}

fn of_another_task(key: &SigningKey, _: Cid) -> Vec<u8> {
    receipt(key, cid_of_raw(b"another"))
}

fn forged(key: &SigningKey, ran: Cid) -> Vec<u8> {
    let mut receipt = receipt(key, ran);
    let last = receipt.len() - 1;
    receipt[last] ^= 1;
    receipt
}

fn garbage(_: &SigningKey, _: Cid) -> Vec<u8> {
    b"garbage".to_vec()
}

#[test]
fn who_lies_is_not_believed_and_somebody_else_is_asked() {
    let lies: [Give; 4] = [of_somebody_else, of_another_task, forged, garbage];
    for (number, lie) in (1..).zip(lies) {
        let liar = Fake::start(number, lie);
        let not_run = run(&[Arc::clone(&liar)]).unwrap_err();
        assert_eq!(not_run.why, Unrun::Refused);
        let (who, refusal) = &not_run.refusals[0];
        assert_eq!(*who, liar.key.did());
        assert_eq!(refusal.words, "it gave no valid receipt");
        let other = Fake::start(number + 10, honest);
        let ran = run(&[liar, Arc::clone(&other)]).unwrap();
        assert_eq!(ran.by, other.key.did());
        assert_eq!(ran.receipt.issuer(), &other.key.did());
    }
}
