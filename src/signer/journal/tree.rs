//! The Merkle tree of RFC 6962 §2.1, grown one leaf at a time.

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// The tree's right edge: the heads of its full subtrees, largest first.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    edge: Vec<Digest>,
}

impl Tree {
    /// Adds the leaf for one line.
    pub fn push(&mut self, line: &[u8]) {
        let mut head = leaf(line);
        let mut full = self.size;
        while full & 1 == 1 {
            if let Some(left) = self.edge.pop() {
                head = node(&left, &head);
            }
            full >>= 1;
        }
        self.edge.push(head);
        self.size += 1;
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its head; of an empty tree SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let mut edge = self.edge.iter().rev();
        match edge.next() {
            None => Sha256::digest([]).into(),
            Some(last) => edge.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// A leaf's hash: of zero and the line.
pub(super) fn leaf(line: &[u8]) -> Digest {
    Sha256::new().chain_update([0]).chain_update(line).finalize().into()
}

/// An inner node's hash: of one and its children.
pub(super) fn node(left: &Digest, right: &Digest) -> Digest {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::hex;

    /// RFC 6962's definition, restated without the shortcut.
    fn by_definition(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => leaf(one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                node(&by_definition(&many[..split]), &by_definition(&many[split..]))
            }
        }
    }

    #[test]
    fn grows_as_the_definition_says() {
        let leaves: Vec<Vec<u8>> = (0..70u8).map(|n| vec![n; usize::from(n)]).collect();
        let mut tree = Tree::default();
        for size in 0..=leaves.len() {
            assert_eq!(tree.root(), by_definition(&leaves[..size]), "size {size}");
            assert_eq!(tree.size(), size as u64);
            if let Some(next) = leaves.get(size) {
                tree.push(next);
            }
        }
    }

    #[test]
    fn an_empty_tree_has_the_known_head() {
        assert_eq!(hex(&Tree::default().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
