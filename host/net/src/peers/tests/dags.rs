//! Whole DAGs from peers that don't behave, and from those that don't know such a thing.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver};

use homestar_core::car;
use homestar_core::ipld::{Ipld, MAX_BLOCK_BYTES};
use libp2p::Stream;
use libp2p::futures::AsyncReadExt;

use super::*;
use crate::peers::dags;
use crate::{Scope, Walk};

/// A root with so many leaves.
fn fan(count: u32) -> Vec<Block> {
    let leaf = |at: u32| Block::raw(at.to_be_bytes().repeat(2_000));
    let leaves: Vec<Block> = (0..count).map(leaf).collect();
    let links = leaves.iter().map(|leaf| Ipld::Link(*leaf.cid())).collect();
    let root = Block::of_dag_cbor(&Ipld::List(links)).unwrap();
    std::iter::once(root).chain(leaves).collect()
}

fn kept(blocks: &[Block]) -> Arc<dyn BlockSource> {
    #[derive(Debug)]
    struct Kept(HashMap<Cid, Block>);
    impl BlockSource for Kept {
        fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
            Ok(self.0.get(cid).cloned())
        }
    }
    let blocks = blocks.iter().map(|block| (*block.cid(), block.clone()));
    Arc::new(Kept(blocks.collect()))
}

fn giver(blocks: &[Block]) -> Peers {
    Peers::spawn(listening(), &key(), served(kept(blocks))).unwrap()
}

/// All that comes of a DAG, in the order in which it does, and how that ended.
fn fetch(peers: &Peers, root: &Block) -> (Vec<Block>, Result<(), FetchError>) {
    let mut came = Vec::new();
    let mut take = |block| {
        came.push(block);
        ControlFlow::Continue(())
    };
    let fetched = wait(peers.dag(root.cid(), Scope::All, &mut take));
    (came, fetched)
}

fn status(peers: &Peers) -> PeersStatus {
    crate::fetch::wait_for(peers.status()).unwrap()
}

fn section(block: &Block) -> Vec<u8> {
    [&car::section_head(block), block.bytes()].concat()
}

/// A peer that gives blocks as Bitswap has it, and says `answer` to whoever asks for a DAG. What it is asked is told.
fn answering(blocks: &[Block], answer: Vec<u8>, is_closed: bool) -> (Evil, Receiver<Vec<u8>>) {
    let source = kept(blocks);
    let (asked, is_asked) = mpsc::channel();
    let bitswap = move |message: Message| {
        let wanted = message.entries.iter();
        let blocks = wanted.filter_map(|entry| source.get(&entry.cid).unwrap());
        let payloads = blocks.map(|block| Payload {
            prefix: Prefix::of(block.cid()),
            data: block.into_parts().1,
        });
        let payloads: Vec<_> = payloads.collect();
        match payloads.is_empty() {
            true => vec![],
            false => vec![Message {
                payloads,
                ..Message::default()
            }],
        }
    };
    let answer = Arc::new(answer);
    let on_dag = move |mut stream: Stream| {
        let (answer, asked) = (Arc::clone(&answer), asked.clone());
        tokio::spawn(async move {
            let mut length = [0; 4];
            stream.read_exact(&mut length).await.unwrap();
            let mut question = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut question).await.unwrap();
            asked.send(question).unwrap();
            // Who has enough reads no further.
            let _ = stream.write_all(&answer).await;
            let _ = stream.flush().await;
            match is_closed {
                true => drop(stream.close().await),
                false => std::future::pending::<()>().await,
            }
        });
    };
    (Evil::with_dags(bitswap, on_dag), is_asked)
}

/// What one who misbehaves sends, what is said of it, and that another is asked for the rest.
fn parted_with(answer: Vec<u8>, is_said: impl Fn(&What) -> bool) {
    let blocks = fan(40);
    let (evil, _asked) = answering(&blocks, answer.clone(), false);
    let alone = seeker(&[&evil.address]);
    let (came, fetched) = fetch(&alone, &blocks[0]);
    assert_eq!(came[..], blocks[..came.len()]);
    let Err(FetchError::Nowhere { faults, .. }) = fetched else {
        panic!("{fetched:?}");
    };
    assert!(is_said(&faults[0].what), "{faults:?}");
    let again = crate::fetch::wait_for(alone.connect(evil.address.clone()));
    assert!(
        again
            .unwrap_err()
            .to_string()
            .contains("it isn't spoken to any more")
    );
    evil.end();

    let (evil, _asked) = answering(&blocks, answer, false);
    let honest = giver(&blocks);
    let both = seeker(&[&evil.address, &address(&honest)]);
    let (came, fetched) = fetch(&both, &blocks[0]);
    assert_eq!((came, fetched), (blocks, Ok(())));
    evil.end();
}

#[test]
fn who_lies_about_a_block_of_a_dag_is_not_spoken_to_any_more() {
    let blocks = fan(40);
    let mut lie = section(&blocks[2]);
    *lie.last_mut().unwrap() ^= 1;
    let lied = *blocks[2].cid();
    let answer = [section(&blocks[1]), lie].concat();
    parted_with(answer, |what| *what == What::Lied { cid: lied });
}

#[test]
fn neither_is_who_sends_what_nobody_asked_for_or_more_than_a_block() {
    let foreign = (0..100u8).flat_map(|byte| section(&Block::raw(vec![byte])));
    parted_with(foreign.collect(), |what| {
        matches!(what, What::Flooded { .. })
    });
    let large = section(&Block::raw(vec![7; MAX_BLOCK_BYTES + 1]));
    parted_with(large, |what| matches!(what, What::Garbled(_)));
    parted_with(vec![0xff; 100], |what| matches!(what, What::Garbled(_)));
    parted_with(vec![0, 9], |what| matches!(what, What::Garbled(_)));
}

#[test]
fn who_stalls_in_the_middle_of_a_dag_is_not_waited_for() {
    let blocks = fan(40);
    let half: Vec<u8> = blocks[1..20].iter().flat_map(section).collect();
    let (evil, asked) = answering(&blocks, half, false);
    // By Bitswap it answers, so it is asked again, and then for each block.
    let alone = seeker(&[&evil.address]);
    assert_eq!(fetch(&alone, &blocks[0]), (blocks.clone(), Ok(())));
    assert!(asked.iter().next().is_some());
    evil.end();
}

#[test]
fn what_came_before_a_stream_broke_off_is_not_asked_for_again() {
    let blocks = fan(40);
    let half: Vec<u8> = blocks[1..20].iter().flat_map(section).collect();
    let (evil, asked) = answering(&blocks, half, true);
    let honest = giver(&blocks);
    let peers = seeker(&[&evil.address]);
    // It is asked first: it is the only one who is there.
    assert_eq!(wait(peers.block(blocks[1].cid())), Ok(blocks[1].clone()));
    crate::fetch::wait_for(peers.connect(address(&honest))).unwrap();
    let (came, fetched) = fetch(&peers, &blocks[0]);
    assert_eq!((came, fetched), (blocks.clone(), Ok(())));
    evil.end();
    // The question names all that is to come, each root by its bytes.
    let names = |question: &[u8], block: &Block| {
        let digest = block.cid().hash().digest();
        question.windows(digest.len()).any(|bytes| bytes == digest)
    };
    let questions: Vec<Vec<u8>> = asked.try_iter().collect();
    assert!(names(&questions[0], &blocks[1]) && names(&questions[0], &blocks[40]));
    for question in &questions[1..] {
        assert!(blocks[..20].iter().all(|block| !names(question, block)));
    }
    // Nor is it asked of another.
    let after: usize = blocks[20..].iter().map(|block| block.bytes().len()).sum();
    let gave = status(&honest).peers[0].went_bytes;
    assert!(gave <= after as u64, "{gave} of {after}");
}

/// Two that have a half each give all of it, whatever is whose.
#[test]
fn what_one_leaves_out_comes_from_another() {
    let blocks = fan(300);
    let (even, odd): (Vec<_>, Vec<_>) = blocks
        .iter()
        .cloned()
        .enumerate()
        .partition(|(at, _)| *at == 0 || at % 2 == 0);
    let some = |part: Vec<(usize, Block)>| part.into_iter().map(|(_, it)| it).collect::<Vec<_>>();
    let (even, odd) = (giver(&some(even)), giver(&some(odd)));
    let peers = seeker(&[&address(&even), &address(&odd)]);
    let (came, fetched) = fetch(&peers, &blocks[0]);
    assert_eq!(fetched, Ok(()));
    let of = |blocks: &[Block]| blocks.iter().map(|it| *it.cid()).collect::<HashSet<_>>();
    assert_eq!((came.len(), of(&came)), (blocks.len(), of(&blocks)));
    assert_eq!(came[0], blocks[0]);
    // Nobody was asked block by block.
    assert!(status(&even).counts.dags > 0 && status(&odd).counts.dags > 0);
    let all: u64 = [&even, &odd]
        .map(|one| status(one).peers[0].went_bytes)
        .iter()
        .sum();
    let bytes: usize = blocks.iter().map(|block| block.bytes().len()).sum();
    assert_eq!(all, bytes as u64);
}

/// As Homestar was before, and as others are.
#[test]
fn who_gives_no_dags_gives_blocks() {
    let blocks = fan(100);
    let network = Network::new(&key()).unwrap();
    let id = network.id();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let behaviour = bitswap::Behaviour::new(HashSet::new());
    let mut swarm = runtime
        .block_on(async { network.swarm_of(behaviour, &listening(), |config| config) })
        .unwrap();
    swarm.listen_on("/memory/0".parse().unwrap()).unwrap();
    let address = runtime.block_on(async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return PeerAddress::new(address, id);
            }
        }
    });
    let source = kept(&blocks);
    runtime.spawn(async move {
        loop {
            let event = swarm.select_next_some().await;
            let SwarmEvent::Behaviour(bitswap::Event::Received(to, message)) = event else {
                continue;
            };
            for entry in message.entries {
                if let Some(block) = source.get(&entry.cid).unwrap() {
                    let payload = Payload {
                        prefix: Prefix::of(block.cid()),
                        data: block.into_parts().1,
                    };
                    let message = Message {
                        payloads: vec![payload],
                        ..Message::default()
                    };
                    swarm
                        .behaviour_mut()
                        .send(to, &message, bitswap::Sender::Giver);
                }
            }
        }
    });
    let peers = seeker(&[&address]);
    assert_eq!(fetch(&peers, &blocks[0]), (blocks, Ok(())));
    runtime.shutdown_background();
}

/// Asks on streams of its own making, and returns what comes until the end.
fn ask(node: &Peers, questions: Vec<Vec<u8>>) -> (PeerId, Receiver<Vec<u8>>, Runtime) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let network = Network::new(&key()).unwrap();
    let (id, to) = (network.id(), address(node));
    let (answer, answered) = mpsc::channel();
    runtime.spawn(async move {
        let mut swarm = network
            .swarm_of(dags::Behaviour::default(), &listening(), |config| config)
            .unwrap();
        swarm.dial(to.address().clone()).unwrap();
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::ConnectionEstablished { .. } = event {
                for question in questions.clone() {
                    let (waiting, opened) = oneshot::channel();
                    swarm.behaviour_mut().open(to.id(), waiting);
                    let answer = answer.clone();
                    tokio::spawn(async move {
                        let mut bytes = Vec::new();
                        if let Ok(Ok(mut stream)) = opened.await {
                            let _ = stream.write_all(&question).await;
                            let _ = stream.flush().await;
                            let _ = stream.read_to_end(&mut bytes).await;
                        }
                        let _ = answer.send(bytes);
                    });
                }
            }
        }
    });
    (id, answered, runtime)
}

fn question(root: &Block) -> Vec<u8> {
    let roots = Ipld::List(vec![Ipld::Link(*root.cid())]);
    let scope = Ipld::String("all".to_owned());
    let parts = [("roots".to_owned(), roots), ("scope".to_owned(), scope)];
    let bytes = homestar_core::ipld::encode(&Ipld::Map(parts.into())).unwrap();
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
}

#[test]
fn an_answer_is_sections_in_order_and_an_end() {
    let blocks = fan(10);
    let without: Vec<Block> = [&blocks[..3], &blocks[4..]].concat();
    let node = giver(&without);
    let (_, answered, runtime) = ask(&node, vec![question(&blocks[0])]);
    let sections: Vec<u8> = without.iter().flat_map(section).collect();
    assert_eq!(answered.recv().unwrap(), [&sections[..], &[0, 0]].concat());
    // What isn't there is nothing.
    let (_, answered, second) = ask(&node, vec![question(&blocks[3])]);
    assert_eq!(answered.recv().unwrap(), [0, 0]);
    runtime.shutdown_background();
    second.shutdown_background();
}

#[test]
fn who_asks_nonsense_or_without_end_is_cut_off() {
    let blocks = fan(3);
    for question in [vec![0, 0, 0, 2, 7, 7], vec![0xff; 4], question(&blocks[0])] {
        let node = giver(&blocks);
        let (id, _answered, runtime) = ask(&node, vec![question; 2_000]);
        while !is_connected(&node, &id) {
            std::thread::yield_now();
        }
        while is_connected(&node, &id) {
            std::thread::yield_now();
        }
        runtime.shutdown_background();
    }
}

/// What a walk has left when it comes to nothing is what didn't come.
#[test]
fn a_walk_that_ends_early_goes_on_elsewhere() {
    let blocks = fan(50);
    let (first, second) = (giver(&blocks[..30]), giver(&blocks));
    let mut walk = Walk::new(*blocks[0].cid(), Scope::All);
    let mut came = Vec::new();
    let mut take = |block: Block| {
        came.push(block);
        ControlFlow::Continue(())
    };
    let one = seeker(&[&address(&first)]);
    assert!(wait(one.walk(&mut walk, &mut take)).is_err());
    let another = seeker(&[&address(&second)]);
    wait(another.walk(&mut walk, &mut take)).unwrap();
    assert_eq!(came, blocks);
}
