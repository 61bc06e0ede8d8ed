//! Files of blocks, as JavaScript writes them.

use homestar_core::car::{self, Reader};
use homestar_core::ipld::Block;

use crate::{bytes, javascript, list, text};

#[test]
fn javascript_writes_the_same_files() {
    for vector in list(&javascript(), "cars") {
        let name = text(vector, "name");
        let file = bytes(vector, "car");
        let reader = Reader::new(&file).expect(name);
        let roots = reader.roots().to_vec();
        let blocks: Vec<Block> = reader.collect::<Result<_, _>>().expect(name);
        let expected = list(vector, "blocks");
        assert_eq!(roots, [*blocks[0].cid()], "{name}");
        assert_eq!(blocks.len(), expected.len(), "{name}");
        for (block, expected) in blocks.iter().zip(expected) {
            assert_eq!(block.cid().to_string(), text(expected, "cid"), "{name}");
            assert_eq!(block.bytes(), bytes(expected, "bytes"), "{name}");
        }
        assert_eq!(car::write(&roots, &blocks), file, "{name}");
    }
}
