//! Turns a section into phases and decides where every tensor lives.
//!
//! Block-local operators ([`Op::is_block_local`]) whose outputs have the same scope form one *block
//! phase*: it runs depth first, all its operators on a few blocks of images before the next
//! blocks, so that activations stay in the second-level cache. Operators that sum over images
//! ([`Op::is_block_sum`]) ride along and are finished behind it. A temporary that
//! no other phase of its section uses exists only in a per-thread arena, as large as those few
//! blocks. Every other operator is a phase of its own.

use std::ops::Range;

use crate::program::*;

/// One step of a section.
#[derive(Debug)]
pub(super) enum Phase {
    /// Operators run block by block.
    Blocks(BlockPhase),
    /// One operator over whole tensors, by its index in the section.
    Whole(usize),
}

/// Operators run block by block.
#[derive(Debug)]
pub(super) struct BlockPhase {
    /// Indices in the section.
    pub ops: Vec<usize>,
    /// Operators that sum over images ([`Op::is_block_sum`]), by their index: each makes a part of
    /// its sum of every block behind `ops`, and its results when all blocks are done.
    pub sums: Vec<usize>,
    /// Whether the outputs have a chip axis.
    pub per_chip: bool,
    /// Written tensors that exist as a whole.
    pub outs: Vec<TensorId>,
    /// Values per block of the arena's registers.
    pub registers: Vec<usize>,
    /// For every tensor its index in `outs`, or `outs.len()` plus its register.
    pub local: Vec<Option<usize>>,
}

/// Phases and storage of a program.
#[derive(Debug)]
pub(super) struct Plan {
    /// Phases of every section.
    pub sections: Vec<Vec<Phase>>,
    /// Buffer of every tensor that exists as a whole.
    pub buffer: Vec<Option<usize>>,
    /// Tensors that share a buffer (their lifetimes do not overlap).
    pub buffers: Vec<Vec<TensorId>>,
}

impl Plan {
    /// Plans a checked program.
    pub fn new(program: &Program) -> Plan {
        let n = program.tensors.len();
        let mut whole = vec![false; n];
        for (i, tensor) in program.tensors.iter().enumerate() {
            whole[i] = tensor.role != Role::Temp;
        }
        let cuts: Vec<_> = program.sections.iter().map(|s| cut(program, s)).collect();
        // Lifetime of every temporary in phases, per section.
        let mut lives: Vec<Vec<(usize, Range<usize>)>> = vec![Vec::new(); n];
        for (s, (section, phases)) in program.sections.iter().zip(&cuts).enumerate() {
            for (p, phase) in phases.iter().enumerate() {
                for op in phase.all().map(|i| &section.ops[i]) {
                    for t in op.reads().into_iter().chain(op.writes()) {
                        let i = t.index();
                        match lives[i].last_mut() {
                            Some((last, live)) if *last == s => live.end = p + 1,
                            _ => lives[i].push((s, p..p + 1)),
                        }
                        let crosses = lives[i].last().is_some_and(|(_, live)| live.len() > 1);
                        let by_block = phase.scope.is_some() && program.desc(t).shape.is_image();
                        whole[i] |= crosses || !by_block;
                    }
                }
            }
        }
        let (buffer, buffers) = assign_buffers(program, &whole, &lives);
        let sections = program
            .sections
            .iter()
            .zip(cuts)
            .map(|(section, phases)| {
                phases
                    .into_iter()
                    .map(|cut| match cut.scope {
                        None => Phase::Whole(cut.ops[0]),
                        Some(_) => Phase::Blocks(block_phase(program, section, cut, &whole)),
                    })
                    .collect()
            })
            .collect();
        Plan {
            sections,
            buffer,
            buffers,
        }
    }

    /// 32-bit words of all buffers.
    pub fn values(&self, program: &Program, capacity: Capacity) -> usize {
        self.buffers
            .iter()
            .map(|b| buffer_values(program, b, capacity))
            .fold(0, usize::saturating_add)
    }
}

/// 32-bit words of a tensor that exists as a whole.
pub(super) fn tensor_values(desc: &TensorDesc, capacity: Capacity) -> usize {
    let images = match (desc.shape.is_image(), desc.role) {
        (false, _) => 1,
        (true, Role::Input) => capacity.images.next_multiple_of(LANES),
        (true, _) => capacity.chunk.next_multiple_of(LANES),
    };
    let chips = match desc.scope {
        Scope::Shared => 1,
        Scope::PerChip => capacity.chips,
    };
    desc.words().saturating_mul(images).saturating_mul(chips)
}

/// Words of a buffer: the largest of its tensors.
pub(super) fn buffer_values(program: &Program, shared: &[TensorId], capacity: Capacity) -> usize {
    shared
        .iter()
        .map(|&t| tensor_values(program.desc(t), capacity))
        .max()
        .unwrap_or(0)
}

/// A phase without the places of its tensors.
struct Cut {
    ops: Vec<usize>,
    sums: Vec<usize>,
    /// Scope of the maps of a block phase; `None`: one operator over whole tensors.
    scope: Option<Scope>,
}

impl Cut {
    /// Indices of its operators, in the order in which they run on a block.
    fn all(&self) -> impl Iterator<Item = usize> {
        self.ops.iter().chain(&self.sums).copied()
    }
}

/// Cuts a section into phases. An operator that can run by blocks joins the last block phase of its
/// scope, also across operators in between whose tensors it does not touch: a gradient goes on to
/// the layer before while it is in the cache, and the weights' gradients follow. Not across a
/// histogram: what it counts is much larger than what goes on (the sums in front of a layer's
/// converters), and has to be gone before the next layer's is made.
fn cut(program: &Program, section: &Section) -> Vec<Cut> {
    let touched: Vec<_> = section
        .ops
        .iter()
        .map(|op| (op.reads(), op.writes()))
        .collect();
    // Whether the order of two operators matters.
    let meets = |a: usize, b: usize| {
        let ((reads, writes), (reads_b, writes_b)) = (&touched[a], &touched[b]);
        writes
            .iter()
            .any(|t| reads_b.contains(t) || writes_b.contains(t))
            || writes_b.iter().any(|t| reads.contains(t))
    };
    let mut phases: Vec<Cut> = Vec::new();
    for (i, op) in section.ops.iter().enumerate() {
        let (reads, writes) = &touched[i];
        let scope = match (op.is_block_local(), op.is_block_sum()) {
            (true, _) => Some(program.desc(writes[0]).scope),
            (_, true) => {
                let maps = reads.iter().map(|&t| program.desc(t));
                let mut maps = maps.filter(|d| d.shape.is_image());
                Some(match maps.any(|d| d.scope == Scope::PerChip) {
                    true => Scope::PerChip,
                    false => Scope::Shared,
                })
            }
            _ => None,
        };
        let joins = |phase: &Cut| {
            scope.is_some() && phase.scope == scope && !phase.sums.iter().any(|&s| meets(s, i))
        };
        let counts = |i: usize| matches!(section.ops[i], Op::Histogram { .. });
        let behind = phases.iter().rev().take_while(|phase| {
            !joins(phase) && !phase.all().any(|other| meets(other, i) || counts(other))
        });
        let at = phases.len().checked_sub(behind.count() + 1);
        let phase = match at.filter(|&p| joins(&phases[p])) {
            Some(p) => &mut phases[p],
            None => {
                phases.push(Cut {
                    ops: vec![],
                    sums: vec![],
                    scope,
                });
                phases.last_mut().expect("just pushed")
            }
        };
        match op.is_block_sum() {
            true => phase.sums.push(i),
            false => phase.ops.push(i),
        }
    }
    phases
}

/// Gives every whole tensor a buffer; temporaries of one kind whose lifetimes do not overlap in
/// any section share one.
fn assign_buffers(
    program: &Program,
    whole: &[bool],
    lives: &[Vec<(usize, Range<usize>)>],
) -> (Vec<Option<usize>>, Vec<Vec<TensorId>>) {
    let mut buffer = vec![None; whole.len()];
    let mut buffers: Vec<Vec<TensorId>> = Vec::new();
    let meets = |a: usize, b: usize| {
        lives[a].iter().any(|(s, x)| {
            lives[b]
                .iter()
                .any(|(r, y)| s == r && x.start < y.end && y.start < x.end)
        })
    };
    for (i, desc) in program.tensors.iter().enumerate() {
        if !whole[i] {
            continue;
        }
        let t = TensorId(i as u32);
        let shared = (desc.role == Role::Temp).then(|| {
            buffers.iter().position(|b| {
                b.iter().all(|&other| {
                    let o = program.desc(other);
                    o.role == Role::Temp
                        && o.scope == desc.scope
                        && o.shape.is_image() == desc.shape.is_image()
                        && !meets(i, other.index())
                })
            })
        });
        let k = shared.flatten().unwrap_or_else(|| {
            buffers.push(Vec::new());
            buffers.len() - 1
        });
        buffers[k].push(t);
        buffer[i] = Some(k);
    }
    (buffer, buffers)
}

/// Assigns the arena's registers of a block phase by lifetime.
fn block_phase(program: &Program, section: &Section, cut: Cut, whole: &[bool]) -> BlockPhase {
    let mut outs: Vec<TensorId> = Vec::new();
    let mut lives: Vec<Option<Range<usize>>> = vec![None; whole.len()];
    for (at, i) in cut.all().enumerate() {
        let op = &section.ops[i];
        for t in op.writes() {
            let by_block = at < cut.ops.len();
            if by_block && whole[t.index()] && !outs.contains(&t) {
                outs.push(t);
            }
        }
        for t in op.reads().into_iter().chain(op.writes()) {
            if !whole[t.index()] {
                lives[t.index()].get_or_insert(at..at + 1).end = at + 1;
            }
        }
    }
    let mut local: Vec<Option<usize>> = vec![None; whole.len()];
    for (i, t) in outs.iter().enumerate() {
        local[t.index()] = Some(i);
    }
    let mut registers: Vec<usize> = Vec::new();
    let mut free_from: Vec<usize> = Vec::new();
    let mut order: Vec<usize> = (0..whole.len()).filter(|&i| lives[i].is_some()).collect();
    order.sort_by_key(|&i| lives[i].as_ref().map(|l| l.start));
    for i in order {
        let Some(live) = lives[i].clone() else {
            continue;
        };
        let need = program.tensors[i].shape.len() * LANES;
        // The free register that has to grow least.
        let best = (0..registers.len())
            .filter(|&r| free_from[r] <= live.start)
            .min_by_key(|&r| (need.saturating_sub(registers[r]), registers[r]));
        let r = best.unwrap_or_else(|| {
            registers.push(0);
            free_from.push(0);
            registers.len() - 1
        });
        registers[r] = registers[r].max(need);
        free_from[r] = live.end;
        local[i] = Some(outs.len() + r);
    }
    BlockPhase {
        per_chip: cut.scope == Some(Scope::PerChip),
        ops: cut.ops,
        sums: cut.sums,
        outs,
        registers,
        local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x -> m1 -> m2 -> ...` by additions; from every map another one is made and counted.
    fn counted(layers: usize) -> Program {
        let mut p = Program::default();
        let map = Shape::Image { c: 3, h: 2, w: 2 };
        let mut x = p.tensor("x", map, Scope::PerChip, Role::Input);
        let limit = p.tensor("limit", Shape::Flat(1), Scope::Shared, Role::State);
        let mut ops = Vec::new();
        for layer in 0..layers {
            let many = p.tensor("many", map, Scope::PerChip, Role::Temp);
            let name = format!("counts {layer}");
            let out = p.tensor(name, Shape::Flat(5), Scope::Shared, Role::State);
            let next = p.tensor("next", map, Scope::PerChip, Role::Temp);
            ops.push(Op::Add {
                a: x,
                b: x,
                y: many,
            });
            ops.push(Op::Histogram {
                x: many,
                limit,
                out,
                bins: 5,
            });
            ops.push(Op::Add {
                a: x,
                b: x,
                y: next,
            });
            x = next;
        }
        p.section("run", ops);
        p
    }

    #[test]
    fn what_is_counted_takes_turns() {
        let capacity = Capacity {
            chips: 1,
            images: LANES,
            chunk: LANES,
        };
        let values = |layers| {
            let p = counted(layers);
            Plan::new(&p).values(&p, capacity) - 5 * layers
        };
        assert_eq!(values(6), values(3));
    }
}
