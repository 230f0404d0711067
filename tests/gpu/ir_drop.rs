//! Wires on adapters that count a thread's rounds.

use pimento::program::*;

use super::arrays::ENCODINGS;
use crate::cases::ir_drop::{one_array, sweeps_of};

/// The work goes in several calls: several inputs of an array a call, one input, or some sweeps of one.
#[test]
fn wires_in_several_calls_match_cpu() {
    for topology in [Topology::InputSource, Topology::SeparateSource] {
        let a = one_array(40, 70, ENCODINGS[0]);
        let mut case = sweeps_of(&a, &[0, 3], topology, 1e-3);
        for rounds in [60_000, 2_000, 300] {
            let test = format!("{topology:?} in calls of {rounds} rounds");
            case.matches_cpu_with_rounds(&test, case.apart[0], rounds);
        }
    }
}
