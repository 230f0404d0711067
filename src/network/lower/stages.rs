//! The forward pass of a training program in parts, one for every activation quantizer: each step is
//! chosen from what the quantizers before it leave, and the network still runs once.

use std::collections::HashSet;

use super::training::Quantized;
use super::*;

/// The part of a forward pass in front of a quantizer.
pub(super) struct Stage {
    pub source: TensorId,
    pub quant: ActQuant,
    /// Operators behind the quantizer before this one; those of the weights that they need first.
    pub ops: Vec<Op>,
    /// Maps that they take from earlier parts.
    pub reads: Vec<TensorId>,
    /// Carried maps that they make, or a part of.
    pub makes: Vec<TensorId>,
    /// Maps that later parts need, as they are after this one.
    pub keeps: Vec<TensorId>,
}

/// Cuts a forward pass, `weights` and then `maps`, in front of its quantizers. What one part leaves to
/// another becomes [`Role::Carried`]. Moving statistics do not move; weight steps are kept.
pub(super) fn cut(
    program: &mut Program,
    weights: &[Op],
    maps: &[Op],
    quantizers: &[Quantized],
) -> Vec<Stage> {
    let crossing = |q: &Quantized| crossing(program, maps, q.before, quantizers);
    let keeps: Vec<Vec<TensorId>> = quantizers.iter().map(crossing).collect();
    let carried: HashSet<TensorId> = keeps.iter().flatten().copied().collect();
    for t in carried.iter().chain(quantizers.iter().map(|q| &q.source)) {
        let role = &mut program.tensors[t.index()].role;
        if *role == Role::Temp {
            *role = Role::Carried;
        }
    }
    let mut begin = 0;
    let mut stages = Vec::with_capacity(quantizers.len());
    for (q, keeps) in quantizers.iter().zip(keeps) {
        let mut ops = part(program, weights, &maps[begin..q.before]);
        if !is_closed(program, &ops) {
            // Something else than maps is left from earlier: from the beginning then.
            ops = part(program, weights, &maps[..q.before]);
        }
        let mut makes: Vec<TensorId> = ops.iter().flat_map(Op::writes).collect();
        makes.retain(|t| carried.contains(t));
        let mut reads: Vec<TensorId> = ops.iter().flat_map(Op::reads).collect();
        // Of a map that several operators make (a concatenation) a part may be there already.
        reads.extend(&makes);
        reads.retain(|t| carried.contains(t));
        reads.sort_unstable_by_key(|t| t.index());
        reads.dedup();
        stages.push(Stage {
            source: q.source,
            quant: q.quant,
            ops,
            reads,
            makes,
            keeps,
        });
        begin = q.before;
    }
    // Only what is there before a part can be put back for it.
    let mut there: &[TensorId] = &[];
    for stage in &mut stages {
        stage.reads.retain(|t| there.contains(t));
        there = &stage.keeps;
    }
    stages
}

/// Maps that are at least begun before operator `at` and needed from it on, up to the last quantizer.
fn crossing(program: &Program, maps: &[Op], at: usize, quantizers: &[Quantized]) -> Vec<TensorId> {
    let end = quantizers.last().map_or(0, |q| q.before);
    let mut later: HashSet<TensorId> = HashSet::new();
    for op in &maps[at..end.max(at)] {
        later.extend(op.reads());
        later.extend(op.writes());
    }
    let sources = quantizers.iter().filter(|q| q.before >= at);
    later.extend(sources.map(|q| q.source));
    let mut found: Vec<TensorId> = maps[..at]
        .iter()
        .flat_map(Op::writes)
        .filter(|t| later.contains(t) && program.desc(*t).shape.is_image())
        .collect();
    found.sort_unstable_by_key(|t| t.index());
    found.dedup();
    found
}

/// Operators on maps with those of the weights that they need in front.
fn part(program: &Program, weights: &[Op], maps: &[Op]) -> Vec<Op> {
    // Running averages: of statistics, which calibration leaves alone.
    let maps = maps.iter().filter(|op| !matches!(op, Op::Lerp(_)));
    let maps: Vec<Op> = maps.cloned().collect();
    let mut needed: HashSet<TensorId> = maps.iter().flat_map(Op::reads).collect();
    let mut ahead = vec![];
    for op in weights.iter().rev() {
        if op.writes().iter().any(|t| needed.contains(t)) {
            needed.extend(op.reads());
            let mut op = op.clone();
            if let Op::WeightScale(WeightScale {
                scale, bits, step, ..
            }) = &mut op
                && *bits > 0
                // Not a percentile that weights are clipped to.
                && program.desc(*scale).role == Role::State
            {
                *step = None;
            }
            ahead.push(op);
        }
    }
    ahead.reverse();
    ahead.extend(maps);
    ahead
}

/// Whether every temporary is written before it is read.
fn is_closed(program: &Program, ops: &[Op]) -> bool {
    let mut written: HashSet<TensorId> = HashSet::new();
    ops.iter().all(|op| {
        let temporary = |t: &TensorId| program.desc(*t).role == Role::Temp;
        let known = op
            .reads()
            .iter()
            .all(|t| !temporary(t) || written.contains(t));
        written.extend(op.writes());
        known
    })
}
