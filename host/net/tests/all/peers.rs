//! Nodes of ours with each other, over memory, TCP and QUIC, with Helia and with kubo.

use std::collections::HashSet;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, RAW, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_net::{
    EntityBytes, Fetch, FetchError, PeerAddress, Peers, PeersSettings, Scope, Served, What, wait,
};

use crate::helia::Helia;
use crate::kept::{Kept, dag, directory, file, now};
use crate::kubo::Kubo;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

/// What everybody gets.
fn to_all(kept: Arc<Kept>) -> Served {
    Served {
        strangers: kept.clone(),
        trusted: kept,
        listener: None,
    }
}

fn node(number: u8, listen: &str, served: Served) -> (Peers, PeerAddress) {
    let settings = PeersSettings {
        listen: vec![listen.parse().unwrap()],
        ..PeersSettings::default()
    };
    let peers = Peers::spawn(settings, &key(number), served).unwrap();
    let address = now(peers.status()).unwrap().addresses[0].clone();
    (peers, address)
}

/// A node that is connected to these, and has nothing.
fn client(number: u8, known: &[&PeerAddress]) -> Peers {
    let nothing = to_all(Kept::new([]));
    let peers = Peers::spawn(PeersSettings::default(), &key(number), nothing).unwrap();
    for address in known {
        now(peers.connect((*address).clone())).unwrap();
    }
    peers
}

const MEMORY: &str = "/memory/0";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

#[test]
fn a_file_comes_from_a_peer() {
    for listen in [MEMORY, TCP, QUIC] {
        let blocks = file(300, 20_000);
        let (server, address) = node(1, listen, to_all(Kept::new(blocks.clone())));
        let peers = client(2, &[&address]);
        let came = dag(&peers, blocks[0].cid(), Scope::All).unwrap();
        assert_eq!(came, blocks, "{listen}");
        let status = now(server.status()).unwrap();
        // The root was found by Bitswap, and the rest came at once.
        assert_eq!(status.counts.dags, 1, "{listen}");
        let bytes: usize = blocks.iter().map(|block| block.bytes().len()).sum();
        assert_eq!(status.peers[0].went_bytes, bytes as u64);
        assert!(status.peers[0].is_incoming);
        assert_eq!(status.peers[0].id, peers.id());
        now(server.shutdown());
        assert!(now(client(30, &[]).connect(address)).is_err());
    }
}

#[test]
fn several_peers_give_parts_of_one_file() {
    let blocks = file(300, 20_000);
    let (even, odd): (Vec<_>, Vec<_>) = blocks
        .iter()
        .cloned()
        .enumerate()
        .partition(|(at, _)| at % 2 == 0);
    let part =
        |blocks: Vec<(usize, Block)>| to_all(Kept::new(blocks.into_iter().map(|(_, block)| block)));
    let (_first, first) = node(3, MEMORY, part(even));
    let (_second, second) = node(4, MEMORY, part(odd));
    let peers = client(5, &[&first, &second]);
    let came = dag(&peers, blocks[0].cid(), Scope::All).unwrap();
    // What one doesn't have comes later.
    let all = |blocks: &[Block]| blocks.iter().map(|it| *it.cid()).collect::<HashSet<_>>();
    assert_eq!((came.len(), all(&came)), (blocks.len(), all(&blocks)));
}

#[test]
fn a_part_of_a_file_and_a_folder_come_as_they_are_asked_for() {
    let blocks = file(250, 1000);
    let small = Block::raw(b"small".to_vec());
    let below = directory(&[(small.cid(), "small")]);
    let folder = directory(&[(below.cid(), "below"), (blocks[0].cid(), "file")]);
    let all = [&[folder.clone(), below, small], &blocks[..]].concat();
    let (_server, address) = node(31, TCP, to_all(Kept::new(all.clone())));
    let peers = client(32, &[&address]);
    let came = |root: &Block, scope| dag(&peers, root.cid(), scope).unwrap();
    assert_eq!(came(&folder, Scope::All), all);
    assert_eq!(came(&folder, Scope::Entity), all[..1]);
    assert_eq!(came(&blocks[0], Scope::Entity), blocks);
    assert_eq!(came(&blocks[0], Scope::Block), blocks[..1]);
    // The last piece of the first node and the first of the second.
    let bytes = EntityBytes::try_from(99_999..100_001).unwrap();
    let expected = [0, 1, 101, 102, 103].map(|at: usize| blocks[at].clone());
    assert_eq!(came(&blocks[0], Scope::Bytes(bytes)), expected);
}

/// Some have hundreds of MiB, which no answer may have.
#[test]
fn what_is_more_than_one_answer_comes_in_several() {
    let blocks = file(300, 1 << 20);
    let (server, address) = node(33, MEMORY, to_all(Kept::new(blocks.clone())));
    let peers = client(34, &[&address]);
    let mut came = 0;
    let mut take = |block: Block| {
        assert_eq!(block, blocks[came]);
        came += 1;
        std::ops::ControlFlow::Continue(())
    };
    wait(peers.dag(blocks[0].cid(), Scope::All, &mut take)).unwrap();
    assert_eq!(came, blocks.len());
    assert_eq!(now(server.status()).unwrap().counts.dags, 2);
}

#[test]
fn a_block_that_nobody_has_is_said_to_be_nowhere() {
    let (server, address) = node(6, MEMORY, to_all(Kept::new([])));
    let cid = cid_of_raw(b"nowhere");
    let lonely = client(7, &[]);
    assert_eq!(
        wait(lonely.block(&cid)),
        Err(FetchError::NoProvider { cid })
    );
    let peers = client(8, &[&address]);
    let Err(FetchError::Nowhere { faults, .. }) = wait(peers.block(&cid)) else {
        panic!("found");
    };
    assert_eq!(&*faults[0].provider, server.id().to_string());
    assert_eq!(faults[0].what, What::Lacks);
}

/// A peer that isn't known is found by others that are.
#[test]
fn who_provides_a_block_is_found() {
    let block = Block::raw(b"somewhere".to_vec());
    let (_middle, middle) = node(9, TCP, to_all(Kept::new([])));
    let settings = PeersSettings {
        listen: vec![TCP.parse().unwrap()],
        ..PeersSettings::default()
    };
    let far = Peers::spawn(settings, &key(10), to_all(Kept::new([block.clone()]))).unwrap();
    now(far.connect(middle.clone())).unwrap();
    now(far.provide(*block.cid())).unwrap();
    let peers = client(11, &[&middle]);
    // Until the one in the middle has heard of it, it is nowhere.
    let found = std::iter::repeat_with(|| wait(peers.block(block.cid()))).find_map(Result::ok);
    assert_eq!(found, Some(block));
    let connected = now(peers.status()).unwrap().peers;
    assert!(connected.iter().any(|peer| peer.id == far.id()));
}

#[test]
fn strangers_get_less_than_friends() {
    let (shared, private) = (
        Block::raw(b"shared".to_vec()),
        Block::raw(b"private".to_vec()),
    );
    let friend = client(12, &[]);
    let settings = PeersSettings {
        listen: vec![MEMORY.parse().unwrap()],
        trusted: HashSet::from([friend.id()]),
        ..PeersSettings::default()
    };
    let served = Served {
        strangers: Kept::new([shared.clone()]),
        trusted: Kept::new([shared.clone(), private.clone()]),
        listener: None,
    };
    let server = Peers::spawn(settings, &key(13), served).unwrap();
    let address = now(server.status()).unwrap().addresses[0].clone();
    let stranger = client(14, &[&address]);
    now(friend.connect(address)).unwrap();
    assert_eq!(wait(friend.block(private.cid())), Ok(private.clone()));
    assert_eq!(wait(stranger.block(shared.cid())), Ok(shared));
    let refused = wait(stranger.block(private.cid()));
    let Err(FetchError::Nowhere { faults, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(faults[0].what, What::Lacks);
}

/// Of a DAG, too, they get no more than what is theirs, whoever has its root.
#[test]
fn strangers_get_of_a_dag_what_is_shared() {
    let blocks = file(250, 1000);
    let friend = client(35, &[]);
    let settings = PeersSettings {
        listen: vec![MEMORY.parse().unwrap()],
        trusted: HashSet::from([friend.id()]),
        ..PeersSettings::default()
    };
    let served = Served {
        strangers: Kept::new(blocks[..120].to_vec()),
        trusted: Kept::new(blocks.clone()),
        listener: None,
    };
    let server = Peers::spawn(settings, &key(36), served).unwrap();
    let address = now(server.status()).unwrap().addresses[0].clone();
    let stranger = client(37, &[&address]);
    now(friend.connect(address)).unwrap();
    assert_eq!(
        dag(&friend, blocks[0].cid(), Scope::All),
        Ok(blocks.clone())
    );
    let mut came = Vec::new();
    let mut take = |block| {
        came.push(block);
        std::ops::ControlFlow::Continue(())
    };
    let refused = wait(stranger.dag(blocks[0].cid(), Scope::All, &mut take));
    let Err(FetchError::Nowhere { faults, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(faults[0].what, What::Lacks);
    assert_eq!(came, blocks[..120]);
}

#[test]
fn who_isnt_there_is_named_with_why() {
    let (server, address) = node(15, TCP, to_all(Kept::new([])));
    let peers = client(16, &[]);
    // Somebody else's id.
    let place = address.to_string();
    let place = place.split("/p2p/").next().unwrap().parse().unwrap();
    let wrong = PeerAddress::new(place, client(17, &[]).id());
    let error = now(peers.connect(wrong)).unwrap_err().to_string();
    assert!(
        error.contains(&format!("{} is there instead", server.id())),
        "{error}"
    );
    now(server.shutdown());
    let error = now(peers.connect(address)).unwrap_err().to_string();
    assert!(error.contains("/ip4/127.0.0.1/tcp/"), "{error}");
}

#[test]
fn a_place_that_is_taken_is_named() {
    let (_server, address) = node(18, TCP, to_all(Kept::new([])));
    let taken: String = address
        .to_string()
        .split("/p2p/")
        .next()
        .unwrap()
        .to_owned();
    let settings = PeersSettings {
        listen: vec![taken.parse().unwrap()],
        ..PeersSettings::default()
    };
    let error = Peers::spawn(settings, &key(19), to_all(Kept::new([]))).unwrap_err();
    assert_eq!(error.to_string(), format!("can't listen on {taken}"));
}

/// The peer is who signs, for keys of each kind.
#[test]
fn keys_of_each_kind_are_known_to_others() {
    use homestar_core::ucan::varsig::Algorithm;
    for algorithm in Algorithm::ALL {
        let key = SigningKey::from_secret(algorithm, &[7; 32]).unwrap();
        for listen in [TCP, QUIC] {
            let settings = PeersSettings {
                listen: vec![listen.parse().unwrap()],
                ..PeersSettings::default()
            };
            let server = Peers::spawn(settings, &key, to_all(Kept::new([]))).unwrap();
            let address = now(server.status()).unwrap().addresses[0].clone();
            now(client(20, &[]).connect(address)).unwrap();
        }
    }
}

#[test]
fn helia_gets_files_from_us() {
    let Some(mut helia) = Helia::start() else {
        return;
    };
    let blocks = file(40, 250_000);
    let private = Block::raw(b"private".to_vec());
    let served = Served {
        strangers: Kept::new(blocks.clone()),
        trusted: Kept::new([private.clone()]),
        listener: None,
    };
    let (_server, address) = node(21, TCP, served);
    let said = helia.ask(&format!("get {address} {}", blocks[0].cid()));
    let content = leaves(&blocks);
    assert_eq!(said, format!("{} {}", content.len(), sha256(&content)));
    let said = helia.ask(&format!("lacks {address} {}", private.cid()));
    assert_eq!(said, "lacks it");
}

/// With leaves of 1 MiB, js-libp2p sends frames as large as it may. It may not send any that we refuse.
#[test]
fn we_get_files_from_helia() {
    let Some(mut helia) = Helia::start() else {
        return;
    };
    let address: PeerAddress = helia.address.parse().unwrap();
    for (bytes, leaf) in [
        (200_000, 262_144),
        (6_000_000, 1_048_576),
        (8_000_000, 262_144),
    ] {
        let said = helia.ask(&format!("add {bytes} {leaf}"));
        let (cid, hash) = said.split_once(' ').unwrap();
        let cid: Cid = cid.parse().unwrap();
        // A new connection begins with small windows, so each begins anew.
        let peers = client(22, &[&address]);
        let blocks = dag(&peers, &cid, Scope::All).unwrap();
        let content = leaves(&blocks);
        assert_eq!((content.len(), sha256(&content)), (bytes, hash.to_owned()));
        let status = now(peers.status()).unwrap();
        assert_eq!(status.peers.len(), 1, "the connection was lost");
    }
}

/// Over TCP and QUIC. Its key is RSA, its files are of the first version of CIDs.
#[test]
fn files_come_from_kubo_and_go_to_it() {
    let Some(mut kubo) = Kubo::start() else {
        return;
    };
    let content: Vec<u8> = (0..10_000_000u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let theirs = kubo.folder.path().join("theirs");
    std::fs::write(&theirs, &content).unwrap();
    let cid = kubo.ask(&format!("add {}", theirs.display()), "cid");
    let cid: Cid = cid.parse().unwrap();
    assert_eq!(u64::from(cid.version()), 0);
    let blocks = file(60, 250_000);
    let ours = leaves(&blocks);
    let kept = to_all(Kept::new(blocks.clone()));
    assert_eq!(kubo.addresses.len(), 2);
    for (at, address) in kubo.addresses.clone().iter().enumerate() {
        let peers = client(23 + at as u8, &[&address.parse().unwrap()]);
        let came = dag(&peers, &cid, Scope::All).unwrap();
        let bytes: usize = came.iter().map(|block| block.bytes().len()).sum();
        assert!(bytes > content.len(), "{address}: {bytes}");

        let listen = if address.contains("quic") { QUIC } else { TCP };
        let (_server, server) = node(25 + at as u8, listen, kept.clone());
        let got = kubo.folder.path().join(format!("got-{at}"));
        let command = format!("get {server} {} {}", blocks[0].cid(), got.display());
        kubo.ask(&command, "got");
        assert_eq!(
            sha256(&std::fs::read(got).unwrap()),
            sha256(&ours),
            "{listen}"
        );
    }
}

/// The content of a file whose leaves are raw.
fn leaves(blocks: &[Block]) -> Vec<u8> {
    let leaves = blocks.iter().filter(|block| block.cid().codec() == RAW);
    leaves.flat_map(|leaf| leaf.bytes().to_vec()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let cid = cid_of_raw(bytes);
    cid.hash()
        .digest()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
