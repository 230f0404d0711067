//! Plain data between the operators and the device: what one kernel call is.
//!
//! Every `src/backend/wgpu/<op>.rs` turns an operator into a list of [`Dispatch`]es without
//! touching a device, so lowering is tested, planned and measured for memory without one.
//!
//! # Conventions of every kernel
//! * `@group(0) @binding(0)` is [`RunUniform`] (`shaders/shared/run.wgsl`), `@binding(1)` the
//!   operator's own parameters, buffers follow from `@binding(2)` in the order of
//!   [`Dispatch::buffers`]. A binding that a variant does not use is still declared and gets a
//!   small dummy buffer. Where some are [`Access::Window`], there is a `vec4<u32>` for each of them behind,
//!   with the number of the bound piece in x, and one with that of the chip.
//! * The chip is along z of the grid. The other two axes are one flat number of workgroups, split
//!   because an axis holds 65535 of them: `flat_group` of `shared/run.wgsl` joins them. A call may be cut
//!   (`cut`), so kernels take both from `flat_group` and `chip_of` only, and workgroups of a call do not
//!   depend on each other.
//! * A tensor is addressed through its [`View`]: images in `vec4<f32>` units, flat tensors in
//!   `f32` units, or words of two halves. Slabs of flat tensors start at multiples of four of them.

use std::sync::Arc;

use super::constant::Const;
use super::cooperative::Matrices;
use super::cut::Grid;
use super::uniform::{Bytes, Uniform, uniform};
use crate::backend::{Kernels, Products, RunArgs};
use crate::effects::{Constant, Numbers};
use crate::error::Result;
use crate::program::{Capacity, LANES, Program, Role, Scope, Shape, Storage, TensorId};

/// `vec4<f32>` of a block of images.
pub(super) const QUADS: usize = LANES / 4;

/// Threads of a workgroup in kernels that have no reason for another number.
pub(super) const GROUP: u32 = 64;

/// Bytes of a buffer that a kernel sees through a uniform binding: what WebGPU guarantees.
pub(super) const WINDOW: u64 = 65536;

/// Bytes that a window may begin at a multiple of on every adapter of WebGPU.
pub(super) const WINDOW_ALIGN: u64 = 256;

/// How a kernel sees a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    Write,
    /// `var<uniform>` of [`WINDOW`] bytes, in [`Pieces`].
    Window,
}

/// How a buffer is cut for a kernel that sees [`WINDOW`] bytes of it: the kernel is called once for every
/// piece, of several such buffers once for every combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    /// Bytes from piece to piece, a multiple of [`WINDOW_ALIGN`] where there are several.
    pub stride: u64,
    /// Items of a piece.
    pub items: u32,
    /// Pieces of the buffer, or of a chip's part of it.
    pub count: u32,
    /// Bytes from chip to chip, a multiple of [`WINDOW_ALIGN`]; 0 where chips share the buffer.
    pub chip: u64,
}

impl Pieces {
    /// Cuts `all` items of so many bytes; `None` where not even one fits a window.
    pub fn cut(bytes: u64, all: usize, chip: u64) -> Option<Self> {
        let all = all as u64;
        let mut items = WINDOW / bytes;
        if items < all {
            // As many as keep the pieces aligned.
            items -= items % (WINDOW_ALIGN / gcd(bytes, WINDOW_ALIGN));
        }
        let items = items.min(all);
        (items > 0).then(|| Self {
            stride: items * bytes,
            items: items as u32,
            // Fits: a buffer holds less than 2^30 bytes.
            count: all.div_ceil(items) as u32,
            chip,
        })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A tensor of the program.
    Tensor(TensorId),
    /// Memory that lives within one operator: its number there and its size.
    Scratch {
        /// Distinguishes the scratch buffers of one operator.
        index: u32,
        /// Number of `f32`.
        floats: u64,
    },
    /// One of [`Dispatch::tables`].
    Table(usize),
    /// Nothing: the variant does not read it.
    Unused,
}

/// How many threads a kernel needs; the run decides how many blocks and chips there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    /// Threads per chip, and per block of images where `by_block`.
    pub items: u64,
    /// Whether `items` is multiplied by the run's blocks.
    pub by_block: bool,
    /// Whether the z axis is the run's chips, else 1.
    pub by_chip: bool,
    /// Threads of a workgroup (1 where `items` counts workgroups).
    pub group: u32,
    /// Workgroups for every one of these: tiles that read the same places, side by side.
    pub repeated: u32,
}

impl Work {
    /// `items` threads in groups of [`GROUP`].
    pub fn flat(items: usize) -> Self {
        Self {
            items: items as u64,
            by_block: false,
            by_chip: false,
            group: GROUP,
            repeated: 1,
        }
    }

    /// `items` workgroups.
    pub fn groups(items: usize) -> Self {
        Self {
            group: 1,
            ..Self::flat(items)
        }
    }

    /// Every workgroup so many times.
    pub fn repeated(self, times: usize) -> Self {
        Self {
            repeated: times as u32,
            ..self
        }
    }

    /// So many for every block of images of the run.
    pub fn per_block(self) -> Self {
        Self {
            by_block: true,
            ..self
        }
    }

    /// So many for every chip where `yes`.
    pub fn per_chip(self, yes: bool) -> Self {
        Self {
            by_chip: yes,
            ..self
        }
    }

    /// Workgroups of a run with that many blocks and chips; `None` if there is nothing to do.
    pub fn grid(&self, blocks: u32, chips: u32) -> Option<Grid> {
        let items = self.items * if self.by_block { u64::from(blocks) } else { 1 };
        let groups = items.div_ceil(u64::from(self.group)) * u64::from(self.repeated);
        let chips = if self.by_chip { chips } else { 1 };
        (groups > 0 && chips > 0).then_some(Grid { groups, chips })
    }
}

/// One kernel call of a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dispatch {
    /// File `shaders/<shader>.wgsl`.
    pub shader: &'static str,
    /// Entry point in it.
    pub entry: &'static str,
    /// Bindings from 2 on.
    pub buffers: Vec<(Operand, Access)>,
    /// Pieces of those that are seen through windows, in order.
    pub windows: Vec<Pieces>,
    /// Constant data of `u32`, too long for parameters.
    pub tables: Vec<Arc<[u32]>>,
    /// Binding 1.
    pub params: Bytes,
    /// Constants in front of the shader's text.
    pub consts: Vec<(&'static str, Const)>,
    /// Threads.
    pub work: Work,
    /// Rounds of all loops of a thread together, at most; see [`super::context::Limits::rounds`].
    pub rounds: u64,
}

impl Dispatch {
    /// A call of entry point `main` without parameters and buffers.
    pub fn new(shader: &'static str, work: Work) -> Self {
        Self {
            shader,
            entry: "main",
            buffers: Vec::new(),
            windows: Vec::new(),
            tables: Vec::new(),
            params: Bytes::default(),
            consts: Vec::new(),
            work,
            rounds: 0,
        }
    }

    /// Says how many rounds the loops of a thread go together, at most.
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets the parameters.
    pub fn params(mut self, params: &impl Uniform) -> Self {
        self.params = Bytes::of(params);
        self
    }

    /// Binds a buffer that is read.
    pub fn read(mut self, operand: impl Into<Operand>) -> Self {
        self.buffers.push((operand.into(), Access::Read));
        self
    }

    /// Binds constant data.
    pub fn table(mut self, table: &Arc<[u32]>) -> Self {
        self.tables.push(table.clone());
        let index = self.tables.len() - 1;
        self.read(Operand::Table(index))
    }

    /// Binds a buffer that is written (and may be read).
    pub fn write(mut self, operand: impl Into<Operand>) -> Self {
        self.buffers.push((operand.into(), Access::Write));
        self
    }

    /// Binds a piece after the other of a buffer that is read.
    pub fn window(mut self, operand: impl Into<Operand>, pieces: Pieces) -> Self {
        self.buffers.push((operand.into(), Access::Window));
        self.windows.push(pieces);
        self
    }

    /// Adds a constant.
    pub fn constant(mut self, name: &'static str, value: impl Into<Const>) -> Self {
        self.consts.push((name, value.into()));
        self
    }

    /// Adds the constants of effects.
    pub fn effects(mut self, numbers: &Numbers) -> Self {
        let value = |value: &Constant| match value {
            Constant::U32(v) => Const::from(*v),
            Constant::Bool(v) => Const::from(*v),
        };
        let constants = numbers.constants.iter();
        self.consts
            .extend(constants.map(|(name, v)| (*name, value(v))));
        self
    }

    /// Access of the buffers, in order.
    pub fn access(&self) -> Vec<Access> {
        self.buffers.iter().map(|(_, access)| *access).collect()
    }
}

impl From<TensorId> for Operand {
    fn from(t: TensorId) -> Self {
        Operand::Tensor(t)
    }
}

impl From<Option<TensorId>> for Operand {
    fn from(t: Option<TensorId>) -> Self {
        t.map_or(Operand::Unused, Operand::Tensor)
    }
}

uniform! {
    /// How a kernel finds a tensor's values; twin of `View` in `shaders/shared/run.wgsl`. Units are
    /// `vec4<f32>` for image tensors and `f32` for flat ones.
    struct View {
        /// From chip to chip; 0 for shared tensors.
        chip_stride: u32,
        /// From block to block of images.
        block_stride: u32,
        /// 1 where the tensor holds all resident images, so that the run's first block counts.
        resident: u32,
        /// Values per chip and image.
        len: u32,
    }
}

uniform! {
    /// What differs between runs; twin of `Run` in `shaders/shared/run.wgsl`.
    struct RunUniform {
        seed_lo: u32,
        seed_hi: u32,
        first_chip: u32,
        chips: u32,
        first_block: u32,
        blocks: u32,
        images: u32,
        purpose: u32,
        step: u32,
        lr: f32,
        first_image: u32,
        skipped_groups: u32,
        skipped_chips: u32,
    }
}

impl RunUniform {
    /// Bytes of the block.
    pub fn bytes() -> u64 {
        Bytes::of(&Self::default()).bytes.len() as u64
    }

    /// From the arguments of a run.
    pub fn new(args: &RunArgs) -> Self {
        let images = args.images.len();
        Self {
            seed_lo: args.seed as u32,
            seed_hi: (args.seed >> 32) as u32,
            first_chip: args.first_chip,
            chips: args.chips as u32,
            first_block: (args.images.start / LANES) as u32,
            blocks: images.div_ceil(LANES) as u32,
            images: images as u32,
            purpose: args.purpose,
            step: args.step,
            lr: args.lr,
            first_image: args.first_image,
            ..Self::default()
        }
    }
}

/// An operator of a checked program on a device; every operator implements it in its file.
pub(super) trait OnGpu {
    /// Its kernel calls, in order.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>>;
}

/// What an operator's lowering knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct LowerContext<'a> {
    /// The program.
    pub program: &'a Program,
    /// What it is prepared for.
    pub capacity: Capacity,
    /// Whether windows are read faster than storage, see [`Access::Window`].
    pub windows: bool,
    /// Most rounds of a thread's loops, see [`super::context::Limits::rounds`].
    pub rounds: u64,
    /// Which kernels are taken where there are several.
    pub kernels: Kernels,
    /// Cooperative matrices that may be used.
    pub matrices: Option<Matrices>,
    /// How convolutions may be summed.
    pub products: Products,
}

impl LowerContext<'_> {
    /// Shape of a tensor.
    pub fn shape(&self, t: TensorId) -> Shape {
        self.program.desc(t).shape
    }

    /// Whether a tensor has a chip axis.
    pub fn per_chip(&self, t: TensorId) -> bool {
        self.program.desc(t).scope == Scope::PerChip
    }

    /// Whether a tensor's values are halves.
    pub fn halves(&self, t: TensorId) -> bool {
        self.program.desc(t).storage == Storage::F16
    }

    /// Slabs of a tensor.
    pub fn slabs(&self, t: TensorId) -> usize {
        if self.per_chip(t) {
            self.capacity.chips
        } else {
            1
        }
    }

    /// Blocks of images that a tensor holds (1 for flat ones).
    pub fn blocks(&self, t: TensorId) -> usize {
        let desc = self.program.desc(t);
        match (desc.shape, desc.role) {
            (Shape::Flat(_), _) => 1,
            (Shape::Image { .. }, Role::Input) => self.capacity.images.div_ceil(LANES),
            (Shape::Image { .. }, _) => self.run_blocks(),
        }
    }

    /// Largest number of blocks of a run.
    pub fn run_blocks(&self) -> usize {
        self.capacity.chunk.div_ceil(LANES)
    }

    /// Number of `f32` (of words, where values are halves) of one slab, with the padding of flat tensors.
    pub fn slab_floats(&self, t: TensorId) -> u64 {
        match self.shape(t) {
            Shape::Flat(_) => self.program.desc(t).words().next_multiple_of(4) as u64,
            shape => shape.len() as u64 * LANES as u64 * self.blocks(t) as u64,
        }
    }

    /// Bytes of a tensor.
    pub fn bytes(&self, t: TensorId) -> u64 {
        self.slab_floats(t) * self.slabs(t) as u64 * 4
    }

    /// How a kernel finds the tensor.
    pub fn view(&self, t: TensorId) -> View {
        let desc = self.program.desc(t);
        let len = desc.shape.len() as u32;
        let image = desc.shape.is_image();
        let unit = if image { 4 } else { 1 };
        View {
            chip_stride: if self.per_chip(t) {
                (self.slab_floats(t) / unit) as u32
            } else {
                0
            },
            block_stride: if image { len * QUADS as u32 } else { 0 },
            resident: u32::from(image && desc.role == Role::Input),
            len,
        }
    }

    /// [`LowerContext::view`], or an empty one.
    pub fn view_opt(&self, t: Option<TensorId>) -> View {
        t.map_or_else(View::default, |t| self.view(t))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_begin_where_windows_may() {
        // 65536 / 4608 = 14 items; 4608 is 18 x 256.
        let p = Pieces::cut(4608, 100, 0).expect("fits");
        assert_eq!((p.items, p.stride, p.count), (14, 14 * 4608, 8));
        // 23 items of 171 x 16 bytes fit, 16 are a multiple of 256.
        let p = Pieces::cut(2736, 33, 0).expect("fits");
        assert_eq!((p.items, p.count), (16, 3));
        // All of a small buffer, at any size.
        let p = Pieces::cut(2736, 15, 0).expect("fits");
        assert_eq!((p.items, p.count), (15, 1));
        assert_eq!(Pieces::cut(65552, 1, 0), None);
        assert_eq!(Pieces::cut(65520, 2, 0), None);
    }

    #[test]
    fn workgroups_follow_blocks_and_chips() {
        let grid = |groups, chips| Some(Grid { groups, chips });
        let work = Work::groups(70_000).per_chip(true);
        assert_eq!(work.grid(1, 3), grid(70_000, 3));
        // 3 groups of 64 threads for 150, each for five tiles.
        let work = Work::flat(50).per_block().repeated(5);
        assert_eq!(work.grid(3, 3), grid(15, 1));
        let work = Work::flat(100).per_block();
        assert_eq!(work.grid(2, 3), grid(4, 1));
        assert_eq!(work.grid(0, 3), None);
    }
}
