//! Files of blocks, as JavaScript writes them.

use homestar_core::car::{self, Parser, Piece, Reader};
use homestar_core::ipld::{Block, parse_cid};

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

#[test]
fn javascript_reads_the_same_of_version_2() {
    for vector in list(&javascript(), "second_cars") {
        let name = text(vector, "name");
        let file = bytes(vector, "car");
        assert!(car::is_car(&file), "{name}");
        let mut parser = Parser::new();
        let mut pieces = Vec::new();
        for mut bytes in file.chunks(7) {
            while let Some(piece) = parser.next(&mut bytes).expect(name) {
                pieces.push(piece);
            }
        }
        parser.end().expect(name);
        let mut expected = Vec::new();
        for block in list(vector, "blocks") {
            let cid = parse_cid(text(block, "cid")).expect(name);
            let block = Block::verify(cid, bytes(block, "bytes")).expect(name);
            expected.push(Piece::Block(block));
        }
        let roots = match &expected[0] {
            Piece::Block(block) => vec![*block.cid()],
            Piece::Header { .. } => vec![],
        };
        expected.insert(0, Piece::Header { roots });
        assert_eq!(pieces, expected, "{name}");
    }
}
