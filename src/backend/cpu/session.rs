//! Runs phases: whole operators one after the other, block phases as tasks over chips and ranges
//! of blocks.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::block::{BlockRun, PackedLayer, Scratch, run_block_op};
use super::buffer::Buffer;
use super::crossbar;
use super::layer::{LayerPlan, Weights};
use super::memory::Memory;
use super::plan::{BlockPhase, Phase, Plan};
use super::simd::Isa;
use super::sums;
use super::whole::run_whole_op;
use crate::backend::Session;
use crate::error::{Error, Result};
use crate::program::*;

/// Arena bytes of one thread that a few blocks may fill: half of a common second-level cache.
const ARENA_BYTES: usize = 256 << 10;
/// Most blocks an operator gets at once.
const MAX_GROUP: usize = 8;
/// Tasks per thread that are enough to balance the load.
const TASKS_PER_THREAD: usize = 4;

/// A program with its memory, on the processor.
pub(super) struct CpuSession {
    program: Program,
    plan: Plan,
    memory: Memory,
    capacity: Capacity,
    pool: Option<Arc<rayon::ThreadPool>>,
    /// Tables of a section's operators.
    layers: Vec<Vec<Option<LayerPlan>>>,
    scratch: ScratchPool,
}

/// Scratch arenas, one per running task.
type ScratchPool = Mutex<Vec<Scratch>>;

impl CpuSession {
    /// Plans and allocates.
    pub fn new(
        program: &Program,
        capacity: Capacity,
        isa: Isa,
        pool: Option<Arc<rayon::ThreadPool>>,
    ) -> Result<Self> {
        if capacity.chips == 0 || capacity.chunk == 0 || capacity.chunk > capacity.images {
            return Err(Error::Internal(format!("impossible capacity {capacity:?}")));
        }
        let plan = Plan::new(program);
        let layers = program.sections.iter().map(|section| {
            let plans = section.ops.iter().map(|op| LayerPlan::new(op, isa));
            plans.collect::<Result<Vec<_>>>()
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            memory: Memory::new(program, &plan, capacity, isa)?,
            program: program.clone(),
            plan,
            capacity,
            pool,
            scratch: Mutex::new(Vec::new()),
        })
    }

    fn tensor(&self, t: TensorId) -> Result<()> {
        if t.index() < self.program.tensors.len() {
            return Ok(());
        }
        Err(Error::Internal(format!("tensor {} does not exist", t.0)))
    }

    fn check(&self, section: SectionId, args: &RunArgs) -> Result<()> {
        let c = self.capacity;
        let fail = |what: String| Err(Error::Internal(what));
        if section.0 >= self.program.sections.len() {
            return fail(format!("section {} does not exist", section.0));
        }
        if args.chips == 0 || args.chips > c.chips {
            return fail(format!(
                "{} chips, prepared for 1 to {}",
                args.chips, c.chips
            ));
        }
        let r = &args.images;
        if r.start > r.end || r.end > c.images || !r.start.is_multiple_of(LANES) {
            return fail(format!(
                "images {r:?}: must start at a multiple of {LANES} and end within {}",
                c.images
            ));
        }
        if r.len() > c.chunk {
            return fail(format!("{} images, prepared for {}", r.len(), c.chunk));
        }
        self.program.check_run(section, args)
    }
}

impl Session for CpuSession {
    fn write(&mut self, tensor: TensorId, data: &[f32]) -> Result<()> {
        self.tensor(tensor)?;
        self.memory.store(tensor, data)
    }

    fn read(&mut self, tensor: TensorId) -> Result<Vec<f32>> {
        self.tensor(tensor)?;
        self.memory.load(tensor)
    }

    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()> {
        self.check(section, args)?;
        self.memory.begin(args);
        let ops = &self.program.sections[section.0].ops;
        let phases = &self.plan.sections[section.0];
        let layers = &self.layers[section.0];
        let (memory, scratch) = (&mut self.memory, &self.scratch);
        let mut work = || {
            phases.iter().try_for_each(|phase| match phase {
                Phase::Whole(op) => {
                    let conv = layers[*op].as_ref().and_then(LayerPlan::conv);
                    run_whole_op(&ops[*op], conv, memory, args)
                }
                Phase::Blocks(phase) => run_blocks(phase, ops, layers, memory, scratch),
            })
        };
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

/// Values of one thread's arena, at most, and what crossbars need beside it.
pub(super) fn scratch_values(program: &Program, plan: &Plan) -> usize {
    let phases = plan.sections.iter().flatten();
    let registers = phases
        .filter_map(|phase| match phase {
            Phase::Blocks(p) => Some(p.registers.iter().sum::<usize>() * group(p)),
            Phase::Whole(_) => None,
        })
        .max()
        .unwrap_or(0);
    let of_section = |section: &Section| {
        let crossbars = section.ops.iter().filter_map(crossbar::values);
        crossbars.fold((0usize, 0usize), |(all, most), (packed, space)| {
            (all.saturating_add(packed), most.max(space))
        })
    };
    let sections = program.sections.iter().map(of_section);
    let crossbars = sections.map(|(packed, space)| packed.saturating_add(space));
    registers.saturating_add(crossbars.max().unwrap_or(0))
}

/// Blocks an operator of this phase gets at once.
fn group(phase: &BlockPhase) -> usize {
    let bytes = phase.registers.iter().sum::<usize>() * size_of::<f32>();
    (ARENA_BYTES / bytes.max(1)).clamp(1, MAX_GROUP)
}

/// A chip and a range of blocks, with that part of every tensor the phase writes, and of the parts
/// of its sums.
struct Task<'a> {
    chip: usize,
    blocks: Range<usize>,
    outs: Vec<&'a mut [f32]>,
    sums: Vec<&'a mut [f64]>,
}

fn run_blocks(
    phase: &BlockPhase,
    ops: &[Op],
    layers: &[Option<LayerPlan>],
    memory: &mut Memory,
    scratch: &ScratchPool,
) -> Result<()> {
    let blocks = memory.blocks();
    let chips = if phase.per_chip { memory.chips() } else { 1 };
    if blocks == 0 {
        let mut sums = phase.sums.iter();
        return sums.try_for_each(|&i| sums::finish(&ops[i], memory, &[]));
    }
    // Enough tasks to balance the load, each as long as possible: it packs its chip's weights.
    let wanted = rayon::current_num_threads() * TASKS_PER_THREAD;
    let parts = wanted.div_ceil(chips).min(blocks);
    let layers = Layers::new(phase, ops, layers, memory, chips, parts > 1);
    let mut taken = memory.take(&phase.outs);
    let mut tasks = Vec::with_capacity(chips * parts);
    let strides: Vec<usize> = phase.outs.iter().map(|&t| memory.stride(t)).collect();
    let lens: Vec<usize> = phase
        .outs
        .iter()
        .map(|&t| memory.shape(t).len() * LANES)
        .collect();
    let mut rest: Vec<&mut [f32]> = taken.iter_mut().map(|b| &mut b[..]).collect();
    let widths: Vec<usize> = phase
        .sums
        .iter()
        .map(|&i| sums::width(&ops[i], memory))
        .collect();
    let parts_of = |&width: &usize| vec![0.0; chips * blocks * width];
    let mut summed: Vec<Vec<f64>> = widths.iter().map(parts_of).collect();
    let mut sums_left: Vec<&mut [f64]> = summed.iter_mut().map(Vec::as_mut_slice).collect();
    for chip in 0..chips {
        let mut slabs: Vec<&mut [f32]> = rest
            .iter_mut()
            .zip(&strides)
            .map(|(r, &stride)| take_front(r, stride))
            .collect();
        for part in 0..parts {
            let blocks = blocks * part / parts..blocks * (part + 1) / parts;
            let outs = slabs
                .iter_mut()
                .zip(&lens)
                .map(|(s, &len)| take_front(s, len * blocks.len()))
                .collect();
            let sums = sums_left
                .iter_mut()
                .zip(&widths)
                .map(|(s, &width)| take_front(s, width * blocks.len()))
                .collect();
            tasks.push(Task {
                chip,
                blocks,
                outs,
                sums,
            });
        }
    }
    let memory_ref = &*memory;
    let result = tasks.into_par_iter().try_for_each(|task| {
        let mut own = lock(scratch).pop().unwrap_or_default();
        let result = run_task(phase, ops, &layers, memory_ref, task, &mut own);
        lock(scratch).push(own);
        result
    });
    memory.put(&phase.outs, taken);
    layers.give_back(memory);
    result?;
    let sums = phase.sums.iter().zip(&summed);
    sums.into_iter()
        .try_for_each(|(&i, parts)| sums::finish(&ops[i], memory, parts))
}

/// The pool holds plain buffers: a panic elsewhere cannot have left them half-changed.
fn lock(pool: &ScratchPool) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Splits the first `n` values off a slice.
fn take_front<'a, T>(slice: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let (head, tail) = std::mem::take(slice).split_at_mut(n);
    *slice = tail;
    head
}

/// Runs all operators of a phase on the task's blocks, a group of blocks at a time.
fn run_task(
    phase: &BlockPhase,
    ops: &[Op],
    layers: &Layers,
    memory: &Memory,
    mut task: Task,
    scratch: &mut Scratch,
) -> Result<()> {
    let group = group(phase);
    scratch.reserve(&phase.registers, group);
    let mut packed = std::mem::take(&mut scratch.packed);
    layers.pack_own(memory, task.chip, &mut packed);
    let packed_layers = layers.of_chip(task.chip, &packed);
    let mut first = task.blocks.start;
    while first < task.blocks.end {
        let n = group.min(task.blocks.end - first);
        let outs = task.outs.iter_mut().zip(&phase.outs);
        let outs: Vec<&mut [f32]> = outs
            .map(|(slab, &t)| take_front(slab, memory.shape(t).len() * LANES * n))
            .collect();
        let (registers, space) = scratch.split();
        let locals = outs
            .into_iter()
            .chain(registers.iter_mut().map(|r| &mut r[..]))
            .collect();
        let mut run = BlockRun::new(memory, phase, task.chip, first, n, locals);
        for (&i, &layer) in phase.ops.iter().zip(&packed_layers) {
            run_block_op(&ops[i], layer, &mut run, space)?;
        }
        for (&i, rest) in phase.sums.iter().zip(&mut task.sums) {
            let width = sums::width(&ops[i], memory);
            sums::blocks(&ops[i], &run, take_front(rest, width * n))?;
        }
        first += n;
    }
    scratch.packed = packed;
    Ok(())
}

/// The layers of a phase and their packed weights. Shared weights are packed before the
/// tasks start, and so are a chip's where several tasks need them; else each task packs its own,
/// so that packed weights never exist for a whole wave.
struct Layers<'a> {
    layers: Vec<Option<Layer<'a>>>,
}

struct Layer<'a> {
    plan: &'a LayerPlan,
    weights: Weights,
    /// Packed per chip (one for shared weights), empty when tasks pack their own.
    packed: Vec<Buffer>,
}

impl<'a> Layers<'a> {
    fn new(
        phase: &BlockPhase,
        ops: &[Op],
        plans: &'a [Option<LayerPlan>],
        memory: &Memory,
        chips: usize,
        several: bool,
    ) -> Self {
        let layers = phase.ops.par_iter().map(|&i| {
            let plan = plans[i].as_ref()?;
            let weights = Weights::of(&ops[i])?;
            let chips = match (weights.are_shared(memory), several) {
                (true, _) => 0..1,
                (false, true) => 0..chips,
                (false, false) => 0..0,
            };
            let packed = chips.into_par_iter().map(|chip| {
                let mut packed = memory.pool().take(plan.packed_len());
                plan.pack(weights, memory, chip, &mut packed);
                packed
            });
            let packed = packed.collect();
            Some(Layer {
                plan,
                weights,
                packed,
            })
        });
        Self {
            layers: layers.collect(),
        }
    }

    /// Returns the packed weights' buffers.
    fn give_back(self, memory: &Memory) {
        let layers = self.layers.into_iter().flatten();
        layers
            .flat_map(|l| l.packed)
            .for_each(|buffer| memory.pool().give(buffer));
    }

    /// Packs what was not packed before.
    fn pack_own(&self, memory: &Memory, chip: usize, packed: &mut Vec<Buffer>) {
        packed.resize_with(self.layers.len().max(packed.len()), Buffer::default);
        for (layer, packed) in self.layers.iter().zip(packed) {
            if let Some(layer) = layer.as_ref().filter(|l| l.packed.is_empty()) {
                packed.reserve(layer.plan.packed_len());
                layer.plan.pack(layer.weights, memory, chip, packed);
            }
        }
    }

    /// The phase's operators' tables and weights.
    fn of_chip<'b>(&'b self, chip: usize, own: &'b [Buffer]) -> Vec<Option<PackedLayer<'b>>> {
        let layers = self.layers.iter().zip(own);
        let packed = |(layer, own): (&'b Option<Layer>, &'b Buffer)| {
            let layer = layer.as_ref()?;
            let weights = match layer.packed.len() {
                0 => own,
                1 => &layer.packed[0],
                _ => &layer.packed[chip],
            };
            Some(PackedLayer {
                plan: layer.plan,
                weights,
            })
        };
        layers.map(packed).collect()
    }
}
