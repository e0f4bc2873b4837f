//! A byte trie whose nodes carry ranks: what begins with this literal.

/// Literals and the ranks stored under them.
#[derive(Debug)]
pub struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by byte.
    edges: Vec<(u8, u32)>,
    /// Ascending, as they were inserted in rank order.
    ranks: Vec<u32>,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Trie {
    /// Stores `rank` under `literal`; ranks come in ascending order.
    pub fn insert(&mut self, literal: impl Iterator<Item = u8>, rank: u32) {
        let mut node = 0;
        for byte in literal {
            node = self.step_or_grow(node, byte);
        }
        let ranks = &mut self.nodes[node].ranks;
        if ranks.last() != Some(&rank) {
            ranks.push(rank);
        }
    }

    /// Shows the ranks under every literal that `text` begins with.
    pub fn walk<'a>(&'a self, text: impl Iterator<Item = u8>, found: &mut impl FnMut(&'a [u32])) {
        let mut node = 0;
        for byte in text {
            let Ok(edge) = self.nodes[node].edges.binary_search_by_key(&byte, |edge| edge.0) else { return };
            node = self.nodes[node].edges[edge].1 as usize;
            found(&self.nodes[node].ranks);
        }
    }

    fn step_or_grow(&mut self, node: usize, byte: u8) -> usize {
        match self.nodes[node].edges.binary_search_by_key(&byte, |edge| edge.0) {
            Ok(edge) => self.nodes[node].edges[edge].1 as usize,
            Err(at) => {
                let next = self.nodes.len();
                self.nodes.push(Node::default());
                let index = u32::try_from(next).expect("fewer than 2^32 nodes");
                self.nodes[node].edges.insert(at, (byte, index));
                next
            }
        }
    }
}
