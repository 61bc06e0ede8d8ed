//! JSON: the parser of [`crate::json`], which is told to keep places.

use super::{Kind, Node, Places};
use crate::ipld::Ipld;
use crate::json::{self, Builder, Entries};
use crate::workflow::problem::{Fault, Problem};
use crate::workflow::text::Place;

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    json::build(text, Nodes(Places::of(text))).map_err(|error| {
        let place = Place::new(error.line, error.column);
        Problem::at(place, Fault::Syntax(error.problem.to_string()))
    })
}

struct Nodes<'a>(Places<'a>);

impl Builder for Nodes<'_> {
    type Tree = Node;

    fn leaf(&self, at: usize, leaf: Ipld) -> Node {
        Node::leaf(self.0.at(at), leaf)
    }

    fn list(&self, at: usize, items: Vec<Node>) -> Node {
        Node::list(self.0.at(at), items)
    }

    fn map(&self, at: usize, entries: Entries<Node>) -> Result<(Node, bool), json::Problem> {
        let entry = |(key, (at, node))| (key, (self.0.at(at), node));
        let node = Node::map(self.0.at(at), entries.into_iter().map(entry).collect())?;
        let is_leaf = matches!(node.kind, Kind::Leaf(_));
        Ok((node, is_leaf))
    }

    fn is_bytes_body(&self, tree: &Node) -> bool {
        matches!(&tree.kind, Kind::Map(inner) if inner.len() == 1 && inner.contains_key("bytes"))
    }
}
