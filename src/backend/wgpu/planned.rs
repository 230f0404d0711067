//! A GPU that is not there: what one would be asked to run, for tools that judge kernels without any.

use super::context::{Limits, MAX_BINDING};
use super::dispatch::{LowerContext, Operand};
use super::plan::{self, Plan};
use super::shader;
use crate::backend::{Kernels, Products};
use crate::error::Result;
use crate::program::{Capacity, LANES, Program, RunArgs, SectionId};

/// Plans as a hardware GPU does that offers what WebGPU guarantees, and computes nothing.
#[derive(Debug, Clone, Copy)]
pub struct PlannedGpu {
    limits: Limits,
}

/// One kernel call of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelCall {
    /// File `shaders/<shader>.wgsl`.
    pub shader: &'static str,
    /// Entry point in it.
    pub entry: &'static str,
    /// The variant's constants, `NAME=value` each, with a blank between them.
    pub constants: String,
    /// The kernel's whole text, WGSL.
    pub text: String,
    /// Workgroups along x, y and z; all 0 where the run has nothing to do.
    pub groups: [u32; 3],
    /// Bytes of the buffers that the kernel sees, each counted once: what it moves to and from
    /// memory at least where it needs all of them.
    pub bytes: u64,
}

impl PlannedGpu {
    /// A GPU whose sessions may take `memory` bytes.
    pub fn new(memory: u64) -> Self {
        Self {
            limits: Limits {
                binding: MAX_BINDING,
                groups: 65535,
                uniform_align: 256,
                memory,
                windows: false,
                rounds: u64::MAX,
                kernels: Kernels::Fitting,
                random_cuts: None,
                by_default: true,
                matrices: None,
                products: Products::default(),
            },
        }
    }

    /// The same GPU with other kernels.
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        self.limits.kernels = kernels;
        self
    }

    /// The same GPU, which sums convolutions in this way.
    pub fn with_products(mut self, products: Products) -> Self {
        self.limits.products = products;
        self
    }

    /// As [`crate::backend::Backend::fit`].
    ///
    /// # Errors
    /// A program that is none, or that does not fit ([`crate::Error::Capacity`]).
    pub fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity> {
        program.check()?;
        plan::fit(program, want, &self.limits)
    }

    /// The kernel calls of one run of a section, in order.
    ///
    /// # Errors
    /// A program that is none, or that cannot be lowered at this capacity.
    pub fn calls(
        &self,
        program: &Program,
        capacity: Capacity,
        section: SectionId,
        args: &RunArgs,
    ) -> Result<Vec<KernelCall>> {
        program.check()?;
        let plan = Plan::new(program, capacity, &self.limits)?;
        let cx = self.limits.context(program, capacity);
        let blocks = args.images.len().div_ceil(LANES) as u32;
        let calls = plan.sections[section.0].iter().map(|step| {
            let call = &step.dispatch;
            let constants = call.consts.iter().map(|(name, v)| format!("{name}={v}"));
            let grid = call.work.grid(blocks, args.chips as u32);
            let groups = grid.map(|grid| grid.whole(self.limits.groups).size);
            Ok(KernelCall {
                shader: call.shader,
                entry: call.entry,
                constants: constants.collect::<Vec<_>>().join(" "),
                text: shader::compose(call.shader, &shader::prelude(&call.consts))?.text,
                groups: groups.unwrap_or_default(),
                bytes: call.buffers.iter().map(|(o, _)| bytes(&cx, *o)).sum(),
            })
        });
        calls.collect()
    }
}

fn bytes(cx: &LowerContext<'_>, operand: Operand) -> u64 {
    match operand {
        Operand::Tensor(t) => cx.bytes(t),
        Operand::Scratch { floats, .. } => floats * 4,
        Operand::Table(_) | Operand::Unused => 0,
    }
}
