//! Runs phases: whole operators one after the other, block phases as tasks over chips and ranges
//! of blocks.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::block::{BlockRun, Scratch};
use super::buffer::Buffer;
use super::memory::Memory;
use super::plan::{BlockPhase, Phase, Plan};
use super::step::{BlockStep, Packing, Target};
use super::sums::Parts;
use crate::backend::{Pending, Session};
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
    scratch: ScratchPool,
}

/// Scratch arenas, one per running task.
type ScratchPool = Mutex<Vec<Scratch>>;

impl CpuSession {
    /// Plans and allocates.
    pub fn new(
        program: &Program,
        capacity: Capacity,
        target: Target,
        pool: Option<Arc<rayon::ThreadPool>>,
    ) -> Result<Self> {
        if capacity.chips == 0 || capacity.chunk == 0 || capacity.chunk > capacity.images {
            return Err(Error::Internal(format!("impossible capacity {capacity:?}")));
        }
        let plan = Plan::new(program, target)?;
        Ok(Self {
            memory: Memory::new(program, &plan, capacity, target.isa)?,
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

    fn run(&mut self, section: SectionId, args: &RunArgs) -> Result<()> {
        self.check(section, args)?;
        self.memory.begin(args);
        let phases = &self.plan.sections[section.0];
        let (memory, scratch) = (&mut self.memory, &self.scratch);
        let mut work = || {
            for phase in phases {
                match phase {
                    Phase::Whole(op) => op.run(memory, args),
                    Phase::Blocks(phase) => run_blocks(phase, memory, scratch),
                }
            }
        };
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
        Ok(())
    }

    /// Runs are over when they return, so the values are there.
    fn submit(&mut self, tensors: &[TensorId]) -> Result<Pending> {
        let values = tensors.iter().map(|&tensor| {
            self.tensor(tensor)?;
            self.memory.load(tensor)
        });
        Ok(Pending::ready(values.collect::<Result<_>>()?))
    }
}

/// Values of one thread's arena, at most, and what layers need beside it.
pub(super) fn scratch_values(plan: &Plan) -> usize {
    let registers = plan.sections.iter().flatten().map(|phase| match phase {
        Phase::Blocks(p) => p.registers.iter().sum::<usize>() * group(p),
        Phase::Whole(_) => 0,
    });
    let of_section = |section: &Vec<Phase>| {
        let values = section
            .iter()
            .flat_map(packings)
            .map(Packing::thread_values);
        let (packed, space) = values.fold((0usize, 0usize), |(all, most), (packed, space)| {
            (all.saturating_add(packed), most.max(space))
        });
        packed.saturating_add(space)
    };
    let layers = plan.sections.iter().map(of_section);
    let most = registers.max().unwrap_or(0);
    most.saturating_add(layers.max().unwrap_or(0))
}

/// How the weights of a phase's layers are packed.
fn packings(phase: &Phase) -> Vec<&dyn Packing> {
    match phase {
        Phase::Blocks(phase) => phase.ops.iter().filter_map(packing).collect(),
        Phase::Whole(_) => vec![],
    }
}

fn packing(step: &BlockStep) -> Option<&dyn Packing> {
    match step {
        BlockStep::Layer(op) => Some(op.packing()),
        BlockStep::Plain(_) => None,
    }
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

fn run_blocks(phase: &BlockPhase, memory: &mut Memory, scratch: &ScratchPool) {
    let blocks = memory.blocks();
    let chips = if phase.per_chip { memory.chips() } else { 1 };
    if blocks == 0 {
        return finish(phase, memory, &vec![vec![]; phase.sums.len()]);
    }
    // Enough tasks to balance the load, each as long as possible: it packs its chip's weights.
    let wanted = rayon::current_num_threads() * TASKS_PER_THREAD;
    let parts = wanted.div_ceil(chips).min(blocks);
    let layers = Layers::new(phase, memory, chips, parts > 1);
    let mut taken = memory.take(&phase.outs);
    let mut tasks = Vec::with_capacity(chips * parts);
    let strides: Vec<usize> = phase.outs.iter().map(|&t| memory.stride(t)).collect();
    let lens: Vec<usize> = phase
        .outs
        .iter()
        .map(|&t| memory.shape(t).len() * LANES)
        .collect();
    let mut rest: Vec<&mut [f32]> = taken.iter_mut().map(|b| &mut b[..]).collect();
    let widths: Vec<usize> = phase.sums.iter().map(|op| op.width(memory)).collect();
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
    tasks.into_par_iter().for_each(|task| {
        let mut own = lock(scratch).pop().unwrap_or_default();
        run_task(phase, &layers, memory_ref, task, &mut own);
        lock(scratch).push(own);
    });
    memory.put(&phase.outs, taken);
    layers.give_back(memory);
    finish(phase, memory, &summed);
}

/// Results of the sums from the parts of all blocks.
fn finish(phase: &BlockPhase, memory: &mut Memory, summed: &[Vec<f64>]) {
    for (op, values) in phase.sums.iter().zip(summed) {
        let width = op.width(memory);
        op.finish(memory, Parts { values, width });
    }
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
    layers: &Layers,
    memory: &Memory,
    mut task: Task,
    scratch: &mut Scratch,
) {
    let group = group(phase);
    scratch.reserve(&phase.registers, group);
    let mut own = std::mem::take(&mut scratch.packed);
    layers.pack_own(phase, memory, task.chip, &mut own);
    let packed = layers.of_chip(task.chip, &own);
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
        for (op, packed) in phase.ops.iter().zip(&packed) {
            match op {
                BlockStep::Plain(op) => op.run(&mut run),
                BlockStep::Layer(op) => op.run(packed, &mut run, space),
            }
        }
        for (op, rest) in phase.sums.iter().zip(&mut task.sums) {
            op.parts(&run, take_front(rest, op.width(memory) * n));
        }
        first += n;
    }
    scratch.packed = own;
}

/// Packed weights of a phase. Shared weights are packed before the
/// tasks start, and so are a chip's where several tasks need them; else each task packs its own,
/// so that packed weights never exist for a whole wave.
struct Layers {
    /// By operator of the phase: one buffer per chip (one for shared weights), none where tasks pack
    /// their own or there are no weights.
    packed: Vec<Vec<Buffer>>,
}

impl Layers {
    fn new(phase: &BlockPhase, memory: &Memory, chips: usize, several: bool) -> Self {
        let packed = phase.ops.par_iter().map(|step| {
            let Some(op) = packing(step) else {
                return Vec::new();
            };
            let is_shared = |t: TensorId| memory.desc(t).scope == Scope::Shared;
            let chips = match (op.weights().into_iter().all(is_shared), several) {
                (true, _) => 0..1,
                (false, true) => 0..chips,
                (false, false) => 0..0,
            };
            let packed = chips.into_par_iter().map(|chip| {
                let mut packed = memory.pool().take(op.packed_len());
                op.pack(memory, chip, &mut packed);
                packed
            });
            packed.collect()
        });
        Self {
            packed: packed.collect(),
        }
    }

    /// Returns the packed weights' buffers.
    fn give_back(self, memory: &Memory) {
        let packed = self.packed.into_iter().flatten();
        packed.for_each(|buffer| memory.pool().give(buffer));
    }

    /// Packs what was not packed before.
    fn pack_own(&self, phase: &BlockPhase, memory: &Memory, chip: usize, own: &mut Vec<Buffer>) {
        own.resize_with(self.packed.len().max(own.len()), Buffer::default);
        for ((step, packed), own) in phase.ops.iter().zip(&self.packed).zip(own) {
            if let Some(op) = packing(step).filter(|_| packed.is_empty()) {
                own.reserve(op.packed_len());
                op.pack(memory, chip, own);
            }
        }
    }

    /// Packed weights of every operator.
    fn of_chip<'b>(&'b self, chip: usize, own: &'b [Buffer]) -> Vec<&'b [f32]> {
        let layers = self.packed.iter().zip(own);
        let packed = |(packed, own): (&'b Vec<Buffer>, &'b Buffer)| -> &'b [f32] {
            match packed.len() {
                0 => own,
                1 => &packed[0],
                _ => &packed[chip],
            }
        };
        layers.map(packed).collect()
    }
}
