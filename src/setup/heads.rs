//! The network as its training sees it: with heads.

use crate::config;
use crate::error::{Code, Mistake, Result};
use crate::network::graph::{Graph, NodeId};
use crate::program::{Activation, PoolGeometry};

/// The network with the heads of an experiment behind it; `None` where there are none.
///
/// # Errors
/// A head on a node that does not exist, or with more rows than the map it reads.
pub(super) fn with_heads(
    graph: &Graph,
    network: &config::Network,
    act: Activation,
) -> Result<Option<Graph>> {
    if network.head.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut whole = graph.clone();
    let classes = graph.classes();
    for head in network.head.iter() {
        let at = network.head.check_node(head, &names)?;
        let (_, h, w) = graph.nodes[at].shape;
        if head.pool > h.min(w) {
            let text = format!("`{}` has {h} x {w} values a channel", head.at);
            let mistake = Mistake::new(Code::NotAllowed, text)
                .value(head.pool.to_string())
                .allowed(format!("0 to {}", h.min(w)));
            return Err(network.head.mistake(head, "pool", mistake));
        }
        whole.add_head(at, |g, at| {
            layers(g, at, head, (classes, network.bias, act))
        });
    }
    whole.check()?;
    Ok(Some(whole))
}

/// The layers of a head that reads node `at`.
fn layers(
    g: &mut Graph,
    at: NodeId,
    head: &config::Head,
    (classes, bias, act): (usize, bool, Activation),
) -> NodeId {
    let name = &head.name;
    let (_, h, w) = g.nodes[at].shape;
    let mut x = at;
    if head.pool > 0 && (head.pool, head.pool) != (h, w) {
        let pool = averages(h, w, head.pool);
        x = g.pool(format!("{name}.pool"), x, pool, false);
    }
    for (i, &units) in head.hidden.iter().enumerate() {
        let tag = i + 1;
        x = g.linear(format!("{name}.fc{tag}"), x, units, bias);
        x = g.activation(format!("{name}.act{tag}"), x, act);
    }
    let tag = head.hidden.len() + 1;
    g.linear(format!("{name}.fc{tag}"), x, classes, bias)
}

/// Windows that make `n` x `n` of a map: `n` of them cover a row, with as little overlap as equal steps allow.
fn averages(h: usize, w: usize, n: usize) -> PoolGeometry {
    let (down, right) = (h / n, w / n);
    PoolGeometry {
        kh: h - (n - 1) * down,
        kw: w - (n - 1) * right,
        stride: [down, right],
        pad: [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_map_as_often_as_asked() {
        for h in 1..20 {
            for w in [1, 7, 32] {
                for n in 1..=h.min(w) {
                    let pool = averages(h, w, n);
                    assert_eq!(pool.out(h, w), (n, n), "{h} {w} {n}");
                    assert_eq!((n - 1) * pool.stride[0] + pool.kh, h);
                    assert_eq!((n - 1) * pool.stride[1] + pool.kw, w);
                }
            }
        }
    }
}
