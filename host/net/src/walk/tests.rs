use homestar_core::ipld::{DAG_CBOR, DAG_PB, Ipld};
use proptest::prelude::*;

use super::*;

fn list(links: &[&Block]) -> Block {
    let links = links.iter().map(|block| Ipld::Link(*block.cid())).collect();
    Block::of_dag_cbor(&Ipld::List(links)).unwrap()
}

/// All that a walk wants, in order.
fn all(mut walk: Walk, blocks: &[Block]) -> Vec<Block> {
    let mut found = Vec::new();
    while let Some(cid) = walk.next_cid() {
        let block = blocks.iter().find(|block| *block.cid() == cid).unwrap();
        assert_eq!(walk.give(block), Ok(Given::Next));
        found.push(block.clone());
    }
    found
}

#[test]
fn blocks_come_depth_first_and_once() {
    let leaves = [1, 2].map(|byte| Block::raw(vec![byte]));
    let middle = list(&[&leaves[0], &leaves[1]]);
    let root = list(&[&middle, &leaves[1], &middle]);
    let blocks = [
        root.clone(),
        middle.clone(),
        leaves[0].clone(),
        leaves[1].clone(),
    ];
    assert_eq!(all(Walk::new(*root.cid(), Scope::All), &blocks), blocks);
    assert_eq!(
        all(Walk::new(*root.cid(), Scope::Entity), &blocks),
        blocks[..1]
    );
    let repeated = all(Walk::repeating(*root.cid(), Scope::All), &blocks);
    assert_eq!(repeated.len(), 8);
}

#[test]
fn what_comes_is_judged() {
    let leaves = [1, 2].map(|byte| Block::raw(vec![byte]));
    let root = list(&[&leaves[0], &leaves[1]]);
    let mut walk = Walk::new(*root.cid(), Scope::All);
    assert_eq!(walk.give(&leaves[0]), Ok(Given::Unexpected));
    assert_eq!(walk.give(&root), Ok(Given::Next));
    assert_eq!(walk.upcoming(5), leaves.each_ref().map(|leaf| *leaf.cid()));
    assert_eq!(walk.give(&leaves[1]), Ok(Given::Unexpected));
    assert_eq!(walk.give(&root), Ok(Given::Again));
    assert_eq!(walk.give(&leaves[0]), Ok(Given::Next));
    assert_eq!(walk.give(&leaves[1]), Ok(Given::Next));
    assert_eq!(walk.next_cid(), None);
}

#[test]
fn what_cant_be_read_is_an_error() {
    for (codec, bytes) in [
        (DAG_CBOR, vec![0xff]),
        (DAG_PB, vec![0x0a, 5]),
        (0x0129, vec![]),
    ] {
        let block = Block::new(codec, bytes);
        let mut walk = Walk::new(*block.cid(), Scope::All);
        let error = walk.give(&block).unwrap_err();
        assert!(matches!(error, WalkError::Unreadable(_)), "{error}");
    }
}

/// A DAG from numbers: each block links to some that were made before it.
fn grow(shape: &[(u8, Vec<usize>)]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (at, (byte, links)) in shape.iter().enumerate() {
        let block = match blocks.is_empty() || links.is_empty() {
            true => Block::raw(vec![*byte; at + 1]),
            false => {
                let links: Vec<_> = links
                    .iter()
                    .map(|link| &blocks[link % blocks.len()])
                    .collect();
                list(&links)
            }
        };
        blocks.push(block);
    }
    blocks
}

proptest! {
    /// Whatever comes in whatever order, what is taken is what the walk would have asked for.
    #[test]
    fn a_walk_takes_the_blocks_of_its_dag_in_order(
        shape in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<usize>(), 0..4)), 1..25),
        sent in proptest::collection::vec(any::<usize>(), 0..80),
    ) {
        let blocks = grow(&shape);
        let root = *blocks.last().unwrap().cid();
        let expected = all(Walk::new(root, Scope::All), &blocks);
        let mut walk = Walk::new(root, Scope::All);
        let mut taken = Vec::new();
        for at in sent {
            let block = &blocks[at % blocks.len()];
            if walk.give(block) == Ok(Given::Next) {
                taken.push(block.clone());
            }
        }
        prop_assert_eq!(&taken[..], &expected[..taken.len()]);
    }
}
