//! Energy and area of digital and mixed-signal parts at other nodes.
//!
//! A. Stillmaker and B. Baas, "Scaling equations for the accurate prediction of CMOS device performance from 180 nm to
//! 7 nm", Integration 58, 74 (2017), with the coefficients of hwcomponents' `techscaling.py`: the energy of a node
//! is `a V^2 + b V + c` at `V` = 0.8 V, the area that of one cell relative to 130 nm. Between listed nodes both are
//! interpolated over the node, beyond them they are in proportion to it. The curve at one voltage keeps the direction of
//! every step, not the supply that a part at an old node really has.

/// Supply voltage at which nodes are compared.
const VOLT: f64 = 0.8;

/// Node in nm, the coefficients of its energy, its area relative to 130 nm.
const NODES: [(f64, [f64; 3], f64); 10] = [
    (130.0, [7.171, -6.709, 2.904], 1.0),
    (90.0, [4.762, -4.781, 2.092], 0.44),
    (65.0, [3.755, -4.398, 1.975], 0.23),
    (45.0, [1.103, -0.362, 0.2767], 0.16),
    (32.0, [0.9559, -0.7823, 0.471], 0.072),
    (20.0, [0.373, -0.1582, 0.04104], 0.033),
    (16.0, [0.2958, -0.1241, 0.03024], 0.030),
    (14.0, [0.2363, -0.09675, 0.02239], 0.027),
    (10.0, [0.2068, -0.09311, 0.02375], 0.016),
    (7.0, [0.1776, -0.09097, 0.02447], 0.0092),
];

fn energy_of((_, [a, b, c], _): (f64, [f64; 3], f64)) -> f64 {
    (a * VOLT + b) * VOLT + c
}

fn area_of((_, _, area): (f64, [f64; 3], f64)) -> f64 {
    area
}

/// A quantity of the listed nodes at any node.
fn at(node_nm: f64, of: impl Fn((f64, [f64; 3], f64)) -> f64) -> f64 {
    let (first, last) = (NODES[0], NODES[NODES.len() - 1]);
    if node_nm >= first.0 {
        return of(first) * node_nm / first.0;
    }
    if node_nm <= last.0 {
        return of(last) * node_nm / last.0;
    }
    let above = NODES.iter().rposition(|node| node.0 >= node_nm);
    let above = above.unwrap_or_default();
    let (old, new) = (NODES[above], NODES[above + 1]);
    let share = (old.0 - node_nm) / (old.0 - new.0);
    of(old) + share * (of(new) - of(old))
}

/// What an energy at one node is multiplied by at another.
pub fn energy(from_nm: f64, to_nm: f64) -> f64 {
    at(to_nm, energy_of) / at(from_nm, energy_of)
}

/// What an area at one node is multiplied by at another.
pub fn area(from_nm: f64, to_nm: f64) -> f64 {
    at(to_nm, area_of) / at(from_nm, area_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_of_listed_nodes_and_a_node_between() {
        assert!((at(45.0, energy_of) - 0.6930).abs() < 1e-4);
        assert!((at(32.0, energy_of) - 0.4570).abs() < 1e-4);
        assert!((at(65.0, energy_of) - 0.8598).abs() < 1e-4);
        let between = at(32.0, energy_of) + (at(20.0, energy_of) - at(32.0, energy_of)) / 3.0;
        assert!((at(28.0, energy_of) - between).abs() < 1e-12);
        assert!((energy(260.0, 130.0) - 0.5).abs() < 1e-12);
        assert!((area(130.0, 45.0) - 0.16).abs() < 1e-12);
        assert!((area(7.0, 3.5) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_newer_node_takes_less_of_both() {
        let nodes: Vec<f64> = (2..400).map(|n| f64::from(n) / 2.0).collect();
        for pair in nodes.windows(2) {
            assert!(energy(pair[1], pair[0]) < 1.0, "{pair:?}");
            assert!(area(pair[1], pair[0]) < 1.0, "{pair:?}");
        }
        for node in nodes {
            assert!((energy(node, node) - 1.0).abs() < 1e-12);
        }
    }
}
