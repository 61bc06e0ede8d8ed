use homestar_core::car;
use homestar_core::ipld::Ipld;
use proptest::prelude::*;

use super::*;
use crate::Scope;
use crate::sections::Sections;

/// A DAG from numbers: each block links to some that were made before it.
fn grow(shape: &[(u8, Vec<usize>)]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (at, (byte, links)) in shape.iter().enumerate() {
        let links = links.iter().filter_map(|link| blocks.get(link % (at + 1)));
        let links: Vec<_> = links.map(|block| Ipld::Link(*block.cid())).collect();
        blocks.push(match links.is_empty() {
            true => Block::raw(vec![*byte; at + 1]),
            false => Block::of_dag_cbor(&Ipld::List(links)).unwrap(),
        });
    }
    blocks
}

/// What is taken of a CAR file that comes in pieces, until it ends or something is wrong.
fn taken(root: Cid, file: &[u8], piece_bytes: usize) -> Vec<Block> {
    let mut walk = Walk::new(root, Scope::All);
    let (mut sections, mut filter) = (Sections::default(), Filter::default());
    let mut taken = Vec::new();
    for mut piece in file.chunks(piece_bytes) {
        loop {
            let (cid, bytes) = match sections.next(&mut piece) {
                Ok(Some(section)) => section,
                Ok(None) => break,
                Err(_) => return taken,
            };
            match filter.sift(&mut walk, cid, bytes) {
                Ok(block) => taken.extend(block),
                Err(_) => return taken,
            }
        }
    }
    taken
}

/// The blocks of a DAG in order, as they are with nobody between.
fn honest(root: Cid, blocks: &[Block]) -> Vec<Block> {
    let mut walk = Walk::new(root, Scope::All);
    let mut all = Vec::new();
    while let Some(cid) = walk.next_cid() {
        let block = blocks.iter().find(|block| *block.cid() == cid).unwrap();
        walk.give(block).unwrap();
        all.push(block.clone());
    }
    all
}

proptest! {
    /// Bytes flipped, cut, moved and added: what is taken is the beginning of the DAG, never anything else.
    #[test]
    fn no_change_to_a_car_file_gives_another_block(
        shape in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<usize>(), 0..4)), 1..20),
        foreign in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..5),
        swaps in proptest::collection::vec((any::<usize>(), any::<usize>()), 0..3),
        flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        end in any::<usize>(),
        piece_bytes in 1..200usize,
    ) {
        let blocks = grow(&shape);
        let root = *blocks.last().unwrap().cid();
        let expected = honest(root, &blocks);
        let mut sent = expected.clone();
        for (at, byte) in foreign {
            sent.insert(at % sent.len(), Block::raw(vec![byte; 77]));
        }
        for (from, to) in swaps {
            let count = sent.len();
            sent.swap(from % count, to % count);
        }
        let mut file = car::write(&[root], &sent);
        for (at, bits) in flips {
            let length = file.len();
            file[at % length] ^= bits;
        }
        file.truncate(end % (2 * file.len()));
        let taken = taken(root, &file, piece_bytes);
        prop_assert_eq!(&taken[..], &expected[..taken.len()]);
    }

    #[test]
    fn an_honest_car_file_gives_everything(
        shape in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<usize>(), 0..4)), 1..20),
        piece_bytes in 1..200usize,
    ) {
        let blocks = grow(&shape);
        let root = *blocks.last().unwrap().cid();
        let expected = honest(root, &blocks);
        let file = car::write(&[root], &expected);
        prop_assert_eq!(taken(root, &file, piece_bytes), expected);
    }
}

#[test]
fn a_file_of_equal_blocks_ends_the_car_file() {
    let leaf = Block::raw(vec![0; 1 << 20]);
    let mut walk = Walk::new(*leaf.cid(), Scope::All);
    let mut filter = Filter::default();
    let mut sift = || filter.sift(&mut walk, *leaf.cid(), leaf.bytes().to_vec());
    assert!(matches!(sift(), Ok(Some(_))));
    for _ in 0..5 {
        assert!(matches!(sift(), Ok(None)));
    }
    assert!(matches!(sift(), Err(Unfit::Sender(What::Repeated))));
}
