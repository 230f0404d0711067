//! Turns a section into phases and decides where every tensor lives.
//!
//! Block-local operators ([`Step::Block`]) whose outputs have the same scope form one *block
//! phase*: it runs depth first, all its operators on a few blocks of images before the next
//! blocks, so that activations stay in the second-level cache. Operators that sum over images
//! ([`Step::Sum`]) ride along and are finished behind it. A temporary that
//! no other phase of its section uses exists only in a per-thread arena, as large as those few
//! blocks. Every other operator is a phase of its own.

use std::ops::Range;

use super::step::{BlockStep, BlockSum, OnCpu, Step, Target, WholeOp};
use crate::error::Result;
use crate::program::*;

/// One step of a section.
pub(super) enum Phase {
    /// Operators run block by block.
    Blocks(BlockPhase),
    /// One operator over whole tensors.
    Whole(Box<dyn WholeOp>),
}

/// Operators run block by block.
pub(super) struct BlockPhase {
    /// The operators.
    pub ops: Vec<BlockStep>,
    /// Operators that sum over images: each makes a part of its sum of every block behind `ops`, and
    /// its results when all blocks are done.
    pub sums: Vec<Box<dyn BlockSum>>,
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
    ///
    /// # Errors
    /// [`crate::Error::Internal`] where an operator is too large for its tables.
    pub fn new(program: &Program, target: Target) -> Result<Plan> {
        let n = program.tensors.len();
        let mut whole = vec![false; n];
        for (i, tensor) in program.tensors.iter().enumerate() {
            whole[i] = tensor.role != Role::Temp;
        }
        let cuts = program.sections.iter().map(|s| cut(program, s, target));
        let cuts: Vec<_> = cuts.collect::<Result<_>>()?;
        // Lifetime of every temporary in phases, per section.
        let mut lives: Vec<Vec<(usize, Range<usize>)>> = vec![Vec::new(); n];
        for (s, (section, phases)) in program.sections.iter().zip(&cuts).enumerate() {
            for (p, phase) in phases.iter().enumerate() {
                for t in phase
                    .all()
                    .into_iter()
                    .flat_map(|i| section.ops[i].operands())
                {
                    let i = t.tensor.index();
                    match lives[i].last_mut() {
                        Some((last, live)) if *last == s => live.end = p + 1,
                        _ => lives[i].push((s, p..p + 1)),
                    }
                    let crosses = lives[i].last().is_some_and(|(_, live)| live.len() > 1);
                    let by_block = phase.runs_by_block() && program.tensors[i].shape.is_image();
                    whole[i] |= crosses || !by_block;
                }
            }
        }
        let (buffer, buffers) = assign_buffers(program, &whole, &lives);
        let phases = |(section, cuts): (&Section, Vec<Cut>)| {
            let phase = |cut| match cut {
                Cut::Whole(_, op) => Phase::Whole(op),
                Cut::Blocks(cut) => Phase::Blocks(block_phase(program, section, cut, &whole)),
            };
            cuts.into_iter().map(phase).collect()
        };
        Ok(Plan {
            sections: program.sections.iter().zip(cuts).map(phases).collect(),
            buffer,
            buffers,
        })
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

/// A phase without the places of its tensors. Operators come with their index in the section.
enum Cut {
    Blocks(CutBlocks),
    Whole(usize, Box<dyn WholeOp>),
}

struct CutBlocks {
    ops: Vec<(usize, BlockStep)>,
    sums: Vec<(usize, Box<dyn BlockSum>)>,
    /// Scope of the maps.
    scope: Scope,
}

impl CutBlocks {
    /// Indices of its operators, in the order in which they run on a block.
    fn all(&self) -> impl Iterator<Item = usize> {
        let sums = self.sums.iter().map(|(i, _)| *i);
        self.ops.iter().map(|(i, _)| *i).chain(sums)
    }
}

impl Cut {
    /// Indices of its operators.
    fn all(&self) -> Vec<usize> {
        match self {
            Cut::Blocks(blocks) => blocks.all().collect(),
            Cut::Whole(i, _) => vec![*i],
        }
    }

    fn runs_by_block(&self) -> bool {
        match self {
            Cut::Blocks(_) => true,
            Cut::Whole(..) => false,
        }
    }

    /// Whether later operators stay behind it, see [`WholeOp::holds_up`].
    fn holds_up(&self) -> bool {
        match self {
            Cut::Blocks(_) => false,
            Cut::Whole(_, op) => op.holds_up(),
        }
    }
}

/// Cuts a section into phases. An operator that can run by blocks joins the last block phase of its
/// scope, also across operators in between whose tensors it does not touch: a gradient goes on to
/// the layer before while it is in the cache, and the weights' gradients follow. Not across an
/// operator that [holds up](WholeOp::holds_up) others.
fn cut(program: &Program, section: &Section, target: Target) -> Result<Vec<Cut>> {
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
        match with_operator!(op.clone(), o => o.step(target))? {
            Step::Whole(op) => phases.push(Cut::Whole(i, op)),
            Step::Block(op) => {
                let scope = program.desc(writes[0]).scope;
                joined(&mut phases, scope, i, meets).ops.push((i, op));
            }
            Step::Sum(op) => {
                let maps = reads.iter().map(|&t| program.desc(t));
                let mut maps = maps.filter(|d| d.shape.is_image());
                let scope = match maps.any(|d| d.scope == Scope::PerChip) {
                    true => Scope::PerChip,
                    false => Scope::Shared,
                };
                joined(&mut phases, scope, i, meets).sums.push((i, op));
            }
        }
    }
    Ok(phases)
}

/// The block phase that operator `i` joins, a new one where it can join none.
fn joined(
    phases: &mut Vec<Cut>,
    scope: Scope,
    i: usize,
    meets: impl Fn(usize, usize) -> bool,
) -> &mut CutBlocks {
    let mut at = None;
    for (p, phase) in phases.iter().enumerate().rev() {
        if let Cut::Blocks(blocks) = phase
            && blocks.scope == scope
            && !blocks.sums.iter().any(|&(s, _)| meets(s, i))
        {
            at = Some(p);
            break;
        }
        if phase.holds_up() || phase.all().into_iter().any(|other| meets(other, i)) {
            break;
        }
    }
    let at = at.unwrap_or_else(|| {
        phases.push(Cut::Blocks(CutBlocks {
            ops: vec![],
            sums: vec![],
            scope,
        }));
        phases.len() - 1
    });
    match &mut phases[at] {
        Cut::Blocks(blocks) => blocks,
        Cut::Whole(..) => unreachable!("only block phases are joined"),
    }
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
fn block_phase(program: &Program, section: &Section, cut: CutBlocks, whole: &[bool]) -> BlockPhase {
    let mut outs: Vec<TensorId> = Vec::new();
    let mut lives: Vec<Option<Range<usize>>> = vec![None; whole.len()];
    for (at, i) in cut.all().enumerate() {
        for operand in section.ops[i].operands() {
            let t = operand.tensor;
            let by_block = operand.is_written() && at < cut.ops.len();
            if by_block && whole[t.index()] && !outs.contains(&t) {
                outs.push(t);
            }
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
        per_chip: cut.scope == Scope::PerChip,
        ops: cut.ops.into_iter().map(|(_, op)| op).collect(),
        sums: cut.sums.into_iter().map(|(_, op)| op).collect(),
        outs,
        registers,
        local,
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Isa;
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
            ops.push(Op::from(Add {
                a: x,
                b: x,
                y: many,
            }));
            ops.push(Op::from(Histogram {
                x: many,
                limit,
                out,
                bins: 5,
            }));
            ops.push(Op::from(Add {
                a: x,
                b: x,
                y: next,
            }));
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
            let target = Target {
                isa: Isa::available()[0],
                products: Products::default(),
            };
            let plan = Plan::new(&p, target).expect("small tables");
            plan.values(&p, capacity) - 5 * layers
        };
        assert_eq!(values(6), values(3));
    }
}
