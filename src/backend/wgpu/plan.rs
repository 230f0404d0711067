//! Memory before there is any: which buffers a program needs at a capacity, how temporaries share
//! them, and the largest capacity that fits.
//!
//! Inputs, states and outputs own a buffer each. Temporaries and scratch live from their first to
//! their last use inside a section and take turns in a pool of buffers; whole buffers, because a
//! kernel must not read and write one buffer through two bindings.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::context::Limits;
use super::dispatch::{Access, Dispatch, LowerContext, OnGpu, Operand};
use super::read_back::KEPT;
use crate::error::{Error, Result};
use crate::program::{Capacity, LANES, Program, Role, Shape, TensorId, with_operator};

/// Chunks are not made smaller than this many images while there are chips to give up, since a
/// kernel reads its weights once a chunk.
const CHUNK_FLOOR: usize = 4 * LANES;

/// Where the memory behind a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The tensor's own buffer.
    Own(TensorId),
    /// A buffer of the pool.
    Pool(usize),
    /// One of [`Plan::tables`].
    Table(usize),
    /// The dummy.
    Unused,
}

/// A kernel call with the places of its buffers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// The call.
    pub dispatch: Dispatch,
    /// One for every entry of [`Dispatch::buffers`].
    pub places: Vec<Place>,
}

/// Everything a session allocates and runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Kernel calls of every section.
    pub sections: Vec<Vec<Step>>,
    /// Bytes of the buffers of inputs, states and outputs.
    pub own: Vec<(TensorId, u64)>,
    /// Bytes of the pool's buffers.
    pub pool: Vec<u64>,
    /// Constant data of kernels, each once.
    pub tables: Vec<Arc<[u32]>>,
    /// Bytes of the staging buffers of reads in flight, and of writes.
    staging: u64,
    /// The largest buffer and what it is, for messages.
    largest: (u64, String),
    /// Most rounds of a thread's loops, and of which kernel.
    rounds: (u64, &'static str),
}

impl Plan {
    /// Lowers a program and lays out its memory. Fails for what no capacity can change.
    pub fn new(program: &Program, capacity: Capacity, limits: &Limits) -> Result<Self> {
        let cx = limits.context(program, capacity);
        let mut plan = Plan {
            sections: Vec::new(),
            own: Vec::new(),
            pool: Vec::new(),
            tables: Vec::new(),
            staging: 0,
            largest: (0, String::new()),
            rounds: (0, ""),
        };
        for (i, desc) in program.tensors.iter().enumerate() {
            let id = TensorId(i as u32);
            if desc.role != Role::Temp {
                plan.own.push((id, cx.bytes(id)));
            }
            plan.note(cx.bytes(id), &desc.name);
        }
        let in_flight = program.in_flight.iter().map(|&id| cx.bytes(id));
        plan.staging = KEPT as u64 * in_flight.map(u64::next_power_of_two).sum::<u64>();
        plan.staging += plan.written(program, limits);
        for section in &program.sections {
            let mut dispatches = Vec::new();
            for (index, op) in section.ops.iter().enumerate() {
                let lowered = with_operator!(op, o => o.lower(&cx))?;
                dispatches.extend(lowered.into_iter().map(|d| (index, d)));
            }
            let steps = plan.place(&cx, &section.name, dispatches)?;
            plan.sections.push(steps);
        }
        Ok(plan)
    }

    /// Bytes of copies of what the host wrote and the device does not have yet, at most.
    fn written(&self, program: &Program, limits: &Limits) -> u64 {
        let is_written = |id: TensorId| program.desc(id).role != Role::Output;
        let written = self.own.iter().filter(|(id, _)| is_written(*id));
        let all: u64 = written.map(|(_, bytes)| bytes).sum();
        all.min(limits.staged())
    }

    fn note(&mut self, bytes: u64, name: &str) {
        if bytes > self.largest.0 {
            self.largest = (bytes, name.to_owned());
        }
    }

    /// Place of a kernel's table among all different ones.
    fn table(&mut self, dispatch: &Dispatch, index: usize) -> usize {
        let table = &dispatch.tables[index];
        let same = |t: &Arc<[u32]>| Arc::ptr_eq(t, table) || t == table;
        if let Some(known) = self.tables.iter().position(same) {
            return known;
        }
        self.note(table_bytes(table), &format!("table of {}", dispatch.shader));
        self.tables.push(table.clone());
        self.tables.len() - 1
    }

    /// Gives every temporary of a section a buffer of the pool, reusing those that are free.
    fn place(
        &mut self,
        cx: &LowerContext<'_>,
        section: &str,
        dispatches: Vec<(usize, Dispatch)>,
    ) -> Result<Vec<Step>> {
        let mut last_use: HashMap<Key, usize> = HashMap::new();
        for (at, (op, dispatch)) in dispatches.iter().enumerate() {
            for (operand, _) in &dispatch.buffers {
                if let Some((key, _)) = temporary(cx, *op, *operand) {
                    last_use.insert(key, at);
                }
            }
        }
        let mut free: Vec<usize> = (0..self.pool.len()).collect();
        let mut held: HashMap<Key, usize> = HashMap::new();
        let mut steps = Vec::with_capacity(dispatches.len());
        for (at, (op, dispatch)) in dispatches.into_iter().enumerate() {
            let mut places = Vec::with_capacity(dispatch.buffers.len());
            for (operand, _) in &dispatch.buffers {
                let place = match (*operand, temporary(cx, op, *operand)) {
                    (_, Some((key, bytes))) => {
                        let slot = *held
                            .entry(key)
                            .or_insert_with(|| take(&mut self.pool, &mut free, bytes));
                        // A later use may need more of the same scratch buffer.
                        self.pool[slot] = self.pool[slot].max(bytes);
                        if let Operand::Scratch { .. } = operand {
                            self.note(bytes, &format!("scratch of {}", dispatch.shader));
                        }
                        Place::Pool(slot)
                    }
                    (Operand::Tensor(id), None) => Place::Own(id),
                    (Operand::Table(i), None) => Place::Table(self.table(&dispatch, i)),
                    (_, None) => Place::Unused,
                };
                places.push(place);
            }
            check_aliases(section, &dispatch, &places)?;
            if dispatch.rounds > self.rounds.0 {
                self.rounds = (dispatch.rounds, dispatch.shader);
            }
            held.retain(|key, slot| {
                let alive = last_use[key] > at;
                if !alive {
                    free.push(*slot);
                }
                alive
            });
            steps.push(Step { dispatch, places });
        }
        Ok(steps)
    }

    /// Buffers of the pool that some kernel sees through a window.
    pub fn windows(&self) -> HashSet<usize> {
        let steps = self.sections.iter().flatten();
        steps
            .flat_map(|step| step.places.iter().zip(step.dispatch.access()))
            .filter_map(|(place, access)| match (place, access) {
                (Place::Pool(slot), Access::Window) => Some(*slot),
                _ => None,
            })
            .collect()
    }

    /// Bytes of all buffers together.
    pub fn total(&self) -> u64 {
        self.own.iter().map(|(_, bytes)| bytes).sum::<u64>()
            + self.pool.iter().sum::<u64>()
            + self.tables.iter().map(table_bytes).sum::<u64>()
            + self.staging
    }

    /// Why the plan does not fit, if it does not.
    pub fn misfit(&self, limits: &Limits) -> Option<String> {
        let (bytes, name) = &self.largest;
        if *bytes > limits.binding {
            return Some(format!(
                "\"{name}\" needs {bytes} bytes, the adapter binds {} at once",
                limits.binding
            ));
        }
        let (rounds, kernel) = self.rounds;
        if rounds > limits.rounds {
            return Some(format!(
                "a thread of {kernel} goes up to {rounds} rounds of its loops, and this software adapter leaves \
                 loops after {} without a word; the CPU backend has no such limit",
                limits.rounds
            ));
        }
        let total = self.total();
        (total > limits.memory).then(|| {
            format!(
                "all buffers need {total} bytes, the memory budget is {}",
                limits.memory
            )
        })
    }
}

fn table_bytes(table: &Arc<[u32]>) -> u64 {
    size_of_val::<[u32]>(table) as u64
}

/// A temporary: a tensor, or scratch of one operator of the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Tensor(TensorId),
    Scratch(usize, u32),
}

fn temporary(cx: &LowerContext<'_>, op: usize, operand: Operand) -> Option<(Key, u64)> {
    match operand {
        Operand::Tensor(id) if cx.program.desc(id).role == Role::Temp => {
            Some((Key::Tensor(id), cx.bytes(id)))
        }
        Operand::Scratch { index, floats } => Some((Key::Scratch(op, index), floats * 4)),
        _ => None,
    }
}

/// Takes the smallest free buffer that is large enough, else enlarges the largest free one.
fn take(pool: &mut Vec<u64>, free: &mut Vec<usize>, bytes: u64) -> usize {
    let fits = (0..free.len())
        .filter(|&i| pool[free[i]] >= bytes)
        .min_by_key(|&i| pool[free[i]]);
    let best = fits.or_else(|| (0..free.len()).max_by_key(|&i| pool[free[i]]));
    match best {
        Some(i) => {
            let slot = free.swap_remove(i);
            pool[slot] = pool[slot].max(bytes);
            slot
        }
        None => {
            pool.push(bytes);
            pool.len() - 1
        }
    }
}

/// No buffer may be bound twice where one of the bindings writes.
fn check_aliases(section: &str, dispatch: &Dispatch, places: &[Place]) -> Result<()> {
    for (i, place) in places.iter().enumerate() {
        if dispatch.buffers[i].1 != Access::Write || *place == Place::Unused {
            continue;
        }
        if places.iter().enumerate().any(|(j, p)| j != i && p == place) {
            return Err(Error::Internal(format!(
                "section \"{section}\": {} writes a tensor that it also takes as another operand",
                dispatch.shader
            )));
        }
    }
    Ok(())
}

/// The largest capacity that fits, see [`crate::backend::Backend::fit`].
pub(super) fn fit(program: &Program, want: Capacity, limits: &Limits) -> Result<Capacity> {
    let want = Capacity {
        chips: want.chips.clamp(1, limits.groups as usize),
        images: want.images.max(1),
        chunk: want.chunk.clamp(1, want.images.max(1)),
    };
    let misfit = |c: Capacity| Plan::new(program, c, limits).map(|plan| plan.misfit(limits));
    let mut fitted = Capacity {
        images: fit_images(program, want, limits),
        ..want
    };
    fitted.chunk = fitted.chunk.min(fitted.images);

    while misfit(fitted)?.is_some() && fitted.chunk > CHUNK_FLOOR {
        fitted.chunk = (fitted.chunk / 2).next_multiple_of(LANES).max(CHUNK_FLOOR);
    }
    if misfit(fitted)?.is_some() {
        // The most chips that fit, by bisection.
        let (mut fits, mut fails) = (0, fitted.chips);
        while fails - fits > 1 {
            let chips = fits + (fails - fits) / 2;
            match misfit(Capacity { chips, ..fitted })? {
                None => fits = chips,
                Some(_) => fails = chips,
            }
        }
        fitted.chips = fits.max(1);
    }
    while misfit(fitted)?.is_some() && fitted.chunk > LANES {
        fitted.chunk = (fitted.chunk / 2).next_multiple_of(LANES);
    }
    match misfit(fitted)? {
        None => Ok(fitted),
        Some(reason) => Err(Error::capacity(format!(
            "the program does not fit the adapter even with {} chip, {} resident images and \
             chunks of {}: {reason}",
            fitted.chips, fitted.images, fitted.chunk
        ))),
    }
}

/// Resident images for which the inputs of one chip leave a quarter of the memory free.
fn fit_images(program: &Program, want: Capacity, limits: &Limits) -> usize {
    let inputs = || {
        program.tensors.iter().filter_map(|t| match t.shape {
            Shape::Image { .. } if t.role == Role::Input => {
                Some(t.shape.len() as u64 * LANES as u64 * 4)
            }
            _ => None,
        })
    };
    let block_bytes: u64 = inputs().sum();
    let largest = inputs().max().unwrap_or(0);
    if largest == 0 {
        return want.images;
    }
    let blocks = (limits.binding / largest).min(limits.memory / 4 * 3 / block_bytes);
    want.images.min((blocks.max(1) as usize) * LANES)
}

#[cfg(test)]
mod tests;
