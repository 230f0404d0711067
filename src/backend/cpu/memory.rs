//! The tensors of a session and the ways an operator may touch them.
//!
//! For operators over whole tensors ([`WholeOp`](super::step::WholeOp)):
//! * [`Memory::flat`], [`Memory::block`] and [`Memory::image`] read; a shared tensor is the same
//!   for every chip.
//! * [`Memory::each_chip`] and [`Memory::each_block`] write: they take some tensors out of the
//!   memory and call a function in parallel, once per chip or per chip and block, with that
//!   part of each of them, while everything else stays readable.

use rayon::prelude::*;

use super::buffer::{Buffer, Pool};
use super::plan::{Plan, buffer_values};
use super::planes::{self, Planes};
use super::simd::Isa;
use crate::backend::storage;
use crate::error::{Error, Result};
use crate::program::*;

/// Where a tensor is.
#[derive(Debug, Clone)]
struct Slot {
    desc: TensorDesc,
    /// Index of the buffer, if the tensor exists as a whole.
    buffer: Option<usize>,
    /// Words per chip.
    stride: usize,
    /// Chips and images that were last written by a run.
    last: Option<(usize, usize)>,
}

/// All tensors of a session, and the size of the current run.
#[derive(Debug)]
pub struct Memory {
    slots: Vec<Slot>,
    buffers: Vec<Buffer>,
    capacity: Capacity,
    isa: Isa,
    args: RunArgs,
    /// Working space of operators.
    pool: Pool,
}

impl Memory {
    /// Allocates what `plan` asks for.
    pub(super) fn new(
        program: &Program,
        plan: &Plan,
        capacity: Capacity,
        isa: Isa,
    ) -> Result<Memory> {
        let mut buffers = Vec::with_capacity(plan.buffers.len());
        for shared in &plan.buffers {
            let n = buffer_values(program, shared, capacity);
            let buffer = Buffer::zeros(n).map_err(|_| {
                let name = &program.desc(shared[0]).name;
                Error::device(format!(
                    "out of memory: `{name}` needs {} MiB for {} chips and {} images; use fewer",
                    n.saturating_mul(4) >> 20,
                    capacity.chips,
                    capacity.images
                ))
            })?;
            buffers.push(buffer);
        }
        let slots = program
            .tensors
            .iter()
            .zip(&plan.buffer)
            .map(|(desc, &buffer)| {
                let images = match (desc.shape.is_image(), desc.role) {
                    (false, _) => 1,
                    (true, Role::Input) => capacity.images.next_multiple_of(LANES),
                    (true, _) => capacity.chunk.next_multiple_of(LANES),
                };
                Slot {
                    desc: desc.clone(),
                    buffer,
                    stride: desc.words() * images,
                    last: None,
                }
            })
            .collect();
        Ok(Memory {
            slots,
            buffers,
            capacity,
            isa,
            args: RunArgs::wave(0, 0, 0, 0..0),
            pool: Pool::default(),
        })
    }

    /// Sets the arguments of the run that follows.
    pub(super) fn begin(&mut self, args: &RunArgs) {
        self.args = args.clone();
    }

    /// Working space of operators.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Arguments of this run.
    pub(super) fn args(&self) -> &RunArgs {
        &self.args
    }

    /// Instruction set of kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Chips of this run.
    pub fn chips(&self) -> usize {
        self.args.chips
    }

    /// Chips of this run that a tensor has: 1 for a shared one.
    pub fn chips_of(&self, t: TensorId) -> usize {
        match self.slots[t.index()].desc.scope {
            Scope::Shared => 1,
            Scope::PerChip => self.args.chips,
        }
    }

    /// Images of this run.
    pub fn images(&self) -> usize {
        self.args.images.len()
    }

    /// Blocks of this run.
    pub fn blocks(&self) -> usize {
        self.args.images.len().div_ceil(LANES)
    }

    /// Lanes of a block (counted from the run's first) that hold an image: [`LANES`], fewer in
    /// the last block. Reductions over images count only these.
    pub fn lanes(&self, block: usize) -> usize {
        self.args
            .images
            .len()
            .saturating_sub(block * LANES)
            .min(LANES)
    }

    /// Description of a tensor.
    pub fn desc(&self, t: TensorId) -> &TensorDesc {
        &self.slots[t.index()].desc
    }

    /// Logical shape of a tensor.
    pub fn shape(&self, t: TensorId) -> Shape {
        self.desc(t).shape
    }

    fn slab(&self, t: TensorId, chip: usize) -> &[f32] {
        let slot = &self.slots[t.index()];
        let chip = if slot.desc.scope == Scope::Shared {
            0
        } else {
            chip
        };
        match slot.buffer {
            Some(b) => &self.buffers[b][chip * slot.stride..][..slot.stride],
            None => &[],
        }
    }

    /// Values of a flat tensor for a chip.
    pub fn flat(&self, t: TensorId, chip: usize) -> &[f32] {
        self.slab(t, chip)
    }

    /// Conductances of a chip, as they are kept.
    pub(super) fn planes(&self, t: TensorId, chip: usize) -> Planes<'_> {
        let slab = self.slab(t, chip);
        match self.desc(t).storage {
            Storage::F32 => Planes::F32(slab),
            Storage::F16 => Planes::F16(planes::halves(slab, self.shape(t).len())),
        }
    }

    /// `n` consecutive blocks of a map, each `[c][h][w][lane]`; `first` counts from the run's
    /// first block.
    pub fn image(&self, t: TensorId, chip: usize, first: usize, n: usize) -> &[f32] {
        let desc = self.desc(t);
        let block = desc.shape.len() * LANES;
        let start = match desc.role {
            Role::Input => self.args.images.start / LANES + first,
            _ => first,
        };
        &self.slab(t, chip)[start * block..][..n * block]
    }

    /// One block of a map, `[c][h][w][lane]`; `block` counts from the run's first.
    pub fn block(&self, t: TensorId, chip: usize, block: usize) -> &[f32] {
        self.image(t, chip, block, 1)
    }

    /// Takes tensors out of the memory, so that they can be written while the others are read.
    pub(super) fn take(&mut self, outs: &[TensorId]) -> Vec<Buffer> {
        outs.iter()
            .map(|t| match self.slots[t.index()].buffer {
                Some(b) => std::mem::take(&mut self.buffers[b]),
                None => Buffer::default(),
            })
            .collect()
    }

    /// Puts back what [`Memory::take`] gave, written by this run.
    pub(super) fn put(&mut self, outs: &[TensorId], taken: Vec<Buffer>) {
        for (t, buffer) in outs.iter().zip(taken) {
            let slot = &mut self.slots[t.index()];
            slot.last = Some((self.args.chips, self.args.images.len()));
            if let Some(b) = slot.buffer {
                self.buffers[b] = buffer;
            }
        }
    }

    /// Words per chip of a tensor that exists as a whole.
    pub(super) fn stride(&self, t: TensorId) -> usize {
        self.slots[t.index()].stride
    }

    /// Writes `outs`, all of one scope: calls `f(memory, chip, slabs)` in parallel over chips
    /// (once, with chip 0, for shared tensors). A flat tensor's slab is its values, a map's slab
    /// its blocks of this run `[block][c][h][w][lane]`. The old content is there to be updated.
    pub fn each_chip<const N: usize>(
        &mut self,
        outs: [TensorId; N],
        f: impl Fn(&Memory, usize, [&mut [f32]; N]) + Sync,
    ) {
        let chips = outs.iter().map(|&t| self.chips_of(t)).max().unwrap_or(0);
        let lens = outs.map(|t| self.run_values(t));
        let mut taken = self.take(&outs);
        let tasks = split(&mut taken, outs.map(|t| self.stride(t)), lens, chips);
        let memory = &*self;
        tasks
            .into_par_iter()
            .enumerate()
            .for_each(|(chip, slabs)| f(memory, chip, slabs));
        self.put(&outs, taken);
    }

    /// Writes the maps `outs`, all of one scope: calls `f(memory, chip, block, maps)` in parallel
    /// over chips and blocks, each map `[c][h][w][lane]`.
    pub fn each_block<const N: usize>(
        &mut self,
        outs: [TensorId; N],
        f: impl Fn(&Memory, usize, usize, [&mut [f32]; N]) + Sync,
    ) {
        let chips = outs.iter().map(|&t| self.chips_of(t)).max().unwrap_or(0);
        let blocks = self.blocks();
        let lens = outs.map(|t| self.run_values(t));
        let block_lens = outs.map(|t| self.shape(t).len() * LANES);
        let mut taken = self.take(&outs);
        let tasks: Vec<[&mut [f32]; N]> =
            split(&mut taken, outs.map(|t| self.stride(t)), lens, chips)
                .into_iter()
                .flat_map(|slabs| {
                    let mut rest = slabs;
                    (0..blocks).map(move |_| {
                        let mut i = 0;
                        rest.each_mut().map(|slab| {
                            i += 1;
                            let (head, tail) = std::mem::take(slab).split_at_mut(block_lens[i - 1]);
                            *slab = tail;
                            head
                        })
                    })
                })
                .collect();
        let memory = &*self;
        tasks
            .into_par_iter()
            .enumerate()
            .for_each(|(i, maps)| f(memory, i / blocks, i % blocks, maps));
        self.put(&outs, taken);
    }

    /// Words per chip that this run uses.
    pub(super) fn run_values(&self, t: TensorId) -> usize {
        let desc = self.desc(t);
        match desc.shape.is_image() {
            true => desc.words() * LANES * self.blocks(),
            false => desc.words(),
        }
    }

    /// Host to internal order.
    pub(super) fn store(&mut self, t: TensorId, data: &[f32]) -> Result<()> {
        let capacity = self.capacity;
        let slot = &self.slots[t.index()];
        let (name, n) = (&slot.desc.name, slot.desc.shape.len());
        let per_chip = slot.desc.scope == Scope::PerChip;
        let chips = if per_chip { capacity.chips } else { 1 };
        let Some(b) = slot
            .buffer
            .filter(|_| matches!(slot.desc.role, Role::Input | Role::State | Role::Carried))
        else {
            return Err(Error::Internal(format!(
                "`{name}` is {:?}, the host cannot write it",
                slot.desc.role
            )));
        };
        let wrong = |unit: &str, per: usize, most: usize| {
            Error::Internal(format!(
                "`{name}`: {} values given, expected up to {most} {unit} of {per} values each",
                data.len()
            ))
        };
        if !slot.desc.shape.is_image() {
            let ok = match per_chip {
                true => data.len().is_multiple_of(n) && data.len() <= n * chips,
                false => data.len() == n,
            };
            if !ok {
                return Err(wrong("chips", n, chips));
            }
            if slot.desc.storage == Storage::F16 {
                let slabs = self.buffers[b].chunks_mut(slot.stride);
                for (slab, values) in slabs.zip(data.chunks(n)) {
                    storage::round(values, planes::halves_mut(slab, n));
                }
                return Ok(());
            }
            self.buffers[b][..data.len()].copy_from_slice(data);
            return Ok(());
        }
        // A per-chip map comes with all images of some chips, a shared one with some images.
        let images = if per_chip {
            let slab = n * capacity.images;
            if !data.len().is_multiple_of(slab) || data.len() > slab * chips {
                return Err(wrong("chips", slab, chips));
            }
            capacity.images
        } else {
            if !data.len().is_multiple_of(n) || data.len() > n * capacity.images {
                return Err(wrong("images", n, capacity.images));
            }
            data.len() / n
        };
        let stride = slot.stride;
        for (slab, values) in self.buffers[b]
            .chunks_mut(stride)
            .zip(data.chunks(n * images.max(1)))
        {
            slab.par_chunks_mut(n * LANES)
                .zip(values.par_chunks(n * LANES))
                .for_each(|(block, values)| {
                    for (lane, image) in values.chunks_exact(n).enumerate() {
                        for (to, &from) in block[lane..].iter_mut().step_by(LANES).zip(image) {
                            *to = from;
                        }
                    }
                });
        }
        if slot.desc.role == Role::Carried {
            let chips = data.len() / (n * images.max(1)).max(1);
            self.slots[t.index()].last = Some((chips, images));
        }
        Ok(())
    }

    /// Internal to host order.
    pub(super) fn load(&self, t: TensorId) -> Result<Vec<f32>> {
        let slot = &self.slots[t.index()];
        let name = &slot.desc.name;
        let n = slot.desc.shape.len();
        let per_chip = slot.desc.scope == Scope::PerChip;
        match (slot.desc.role, slot.buffer) {
            (Role::State, Some(b)) if slot.desc.storage == Storage::F16 => {
                let mut host = vec![0.0; self.buffers[b].len() / slot.stride.max(1) * n];
                let slabs = self.buffers[b].chunks(slot.stride.max(1));
                for (slab, values) in slabs.zip(host.chunks_mut(n.max(1))) {
                    storage::expand(planes::halves(slab, n), values);
                }
                Ok(host)
            }
            (Role::State, Some(b)) => Ok(self.buffers[b].to_vec()),
            (Role::Output | Role::Carried, Some(b)) => {
                let Some((chips, images)) = slot.last else {
                    return Err(Error::Internal(format!("`{name}` was not written yet")));
                };
                let chips = if per_chip { chips } else { 1 };
                let mut host = vec![0.0; chips * images * n];
                for (c, values) in host.chunks_mut((images * n).max(1)).enumerate() {
                    let slab = &self.buffers[b][c * slot.stride..][..slot.stride];
                    values
                        .par_chunks_mut(n * LANES)
                        .zip(slab.par_chunks(n * LANES))
                        .for_each(|(values, block)| {
                            for (lane, image) in values.chunks_exact_mut(n).enumerate() {
                                let from = block[lane..].iter().step_by(LANES);
                                for (to, &from) in image.iter_mut().zip(from) {
                                    *to = from;
                                }
                            }
                        });
                }
                Ok(host)
            }
            (role, _) => Err(Error::Internal(format!(
                "`{name}` is {role:?}, the host cannot read it"
            ))),
        }
    }
}

/// Cuts every buffer into slabs of `stride` and groups the first `lens` values of each by chip.
fn split<const N: usize>(
    taken: &mut [Buffer],
    strides: [usize; N],
    lens: [usize; N],
    chips: usize,
) -> Vec<[&mut [f32]; N]> {
    let mut rest: Vec<&mut [f32]> = taken.iter_mut().map(|b| &mut b[..]).collect();
    (0..chips)
        .map(|_| {
            std::array::from_fn(|i| {
                let (slab, tail) = std::mem::take(&mut rest[i]).split_at_mut(strides[i]);
                rest[i] = tail;
                &mut slab[..lens[i]]
            })
        })
        .collect()
}
