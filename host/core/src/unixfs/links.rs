//! What a block leads to.

use super::{Fault, UnixfsError, dag_pb};
use crate::ipld::{Block, Cid, DAG_CBOR, DAG_PB, RAW, links_of_dag_cbor};

/// The blocks that a block links, in the order in which they stand in it, each as often.
///
/// Reads raw, dag-pb and DAG-CBOR. What a link holds in itself is part of the block: it is not among the links, and what
/// *it* links is. Links by hashes that we don't compute are among them.
pub fn links(block: &Block) -> Result<Vec<Cid>, UnixfsError> {
    let mut found = Vec::new();
    collect(block, &mut found)?;
    Ok(found)
}

/// What lies inside is shorter than what it lies in, so this ends soon.
fn collect(block: &Block, found: &mut Vec<Cid>) -> Result<(), UnixfsError> {
    let fail = |fault: Fault| fault.of(block.cid());
    let links = match block.cid().codec() {
        RAW => Vec::new(),
        DAG_PB => {
            let node = dag_pb::read(block.bytes()).map_err(fail)?;
            node.links.into_iter().map(|link| link.cid).collect()
        }
        DAG_CBOR => links_of_dag_cbor(block.bytes()).map_err(|_| fail(Fault::DagCbor))?,
        code => return Err(fail(Fault::Codec { code })),
    };
    for cid in links {
        match Block::inline(&cid) {
            Some(inner) => collect(&inner, found)?,
            None => found.push(cid),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Blocks, entry, file_of};
    use super::super::{DirectoryWriter, Layout, Leaves};
    use super::*;
    use crate::ipld::{IDENTITY, Ipld};
    use crate::testing::any_ipld;
    use multihash::Multihash;
    use proptest::prelude::*;

    fn links_in(value: &Ipld, found: &mut Vec<Cid>) {
        match value {
            Ipld::Link(cid) => found.push(*cid),
            Ipld::List(items) => items.iter().for_each(|item| links_in(item, found)),
            Ipld::Map(fields) => fields.values().for_each(|item| links_in(item, found)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn those_of_a_value_are_all_found(value in any_ipld()) {
            let block = Block::of_dag_cbor(&value).unwrap();
            let mut expected = Vec::new();
            links_in(&value, &mut expected);
            let mut found = links(&block).unwrap();
            // Maps are sorted in another way here than where they are encoded.
            expected.sort();
            found.sort();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for codec in [RAW, DAG_PB, DAG_CBOR] {
                let _ = links(&Block::new(codec, bytes.clone()));
            }
        }
    }

    #[test]
    fn each_codec_has_its_links() {
        let raw = Block::raw(b"anything".to_vec());
        assert_eq!(links(&raw), Ok(vec![]));
        let (file, blocks) = file_of(Layout::new(1, 9, Leaves::Raw).unwrap(), b"aba");
        let leaf = |byte| *Block::raw(vec![byte]).cid();
        let expected = [leaf(b'a'), leaf(b'b'), leaf(b'a')];
        assert_eq!(links(blocks.get(&file.cid)).unwrap(), expected);

        let not_strict = Block::new(DAG_CBOR, vec![0x18, 0]);
        assert_eq!(links(&not_strict), Err(Fault::DagCbor.of(not_strict.cid())));
        let other = Block::new(0x0129, b"{}".to_vec());
        let code = 0x0129;
        assert_eq!(links(&other), Err(Fault::Codec { code }.of(other.cid())));
    }

    #[test]
    fn what_a_link_holds_is_looked_into() {
        let within = Ipld::Link(entry(1).cid);
        let within = crate::ipld::encode(&within).unwrap();
        let held = Cid::new_v1(DAG_CBOR, Multihash::wrap(IDENTITY, &within).unwrap());
        let mut directory = DirectoryWriter::new();
        let mut blocks = Blocks::default();
        let held = super::super::Entry {
            cid: held,
            ..entry(2)
        };
        directory.add("held", held).unwrap();
        directory.add("other", entry(3)).unwrap();
        let Ok(root) = directory.finish(&mut |block| blocks.try_put(block));
        let found = links(blocks.get(&root.cid)).unwrap();
        assert_eq!(found, [entry(1).cid, entry(3).cid]);
    }
}
