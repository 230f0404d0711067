//! Auxiliary outputs of a network, for its training.

use super::{Graph, NodeId};

/// Auxiliary outputs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heads {
    /// The network's own output: what stands behind it belongs to heads.
    own: NodeId,
    /// Their last nodes, in order.
    outputs: Vec<NodeId>,
}

impl Heads {
    /// The same with other places of nodes.
    pub(super) fn moved(&self, to: &[NodeId]) -> Self {
        Self {
            own: to[self.own],
            outputs: self.outputs.iter().map(|&id| to[id]).collect(),
        }
    }
}

impl Graph {
    /// Adds a head: a few layers behind `at`, made by `layers`, which gives the last of them. They are no part of the
    /// network that is deployed, and nodes of the network itself cannot be added any more.
    pub fn add_head(&mut self, at: NodeId, layers: impl FnOnce(&mut Graph, NodeId) -> NodeId) {
        let own = self.output();
        let output = layers(self, at);
        let heads = self.heads.get_or_insert(Heads {
            own,
            outputs: vec![],
        });
        heads.outputs.push(output);
    }

    /// The network's own output: its logits.
    pub fn output(&self) -> NodeId {
        self.heads.as_ref().map_or(self.last(), |heads| heads.own)
    }

    /// Outputs of heads, in order.
    pub fn heads(&self) -> &[NodeId] {
        self.heads.as_ref().map_or(&[], |heads| &heads.outputs)
    }

    /// Whether a node belongs to a head.
    pub fn is_of_head(&self, node: NodeId) -> bool {
        node > self.output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_stand_behind_the_network() {
        let mut g = Graph::new("test", 1, 4, 4);
        let a = g.linear("a", 0, 5, false);
        let own = g.linear("b", a, 3, false);
        assert_eq!((g.output(), g.heads()), (own, &[][..]));
        g.add_head(a, |g, at| g.linear("early.fc1", at, 3, false));
        let two = |g: &mut Graph, at| {
            let x = g.linear("late.fc1", at, 7, false);
            g.linear("late.fc2", x, 3, false)
        };
        g.add_head(a, two);
        assert_eq!((g.output(), g.heads(), g.classes()), (own, &[3, 5][..], 3));
        assert!(!g.is_of_head(own) && g.is_of_head(3) && g.is_of_head(4));
        g.check().unwrap();
        assert_eq!(g.simplified(), g);
    }
}
