//! Programs of one or a few operators with their data, and the values that are wanted of them.

use std::collections::HashMap;

use pimento::backend::Backend;
use pimento::program::*;
use pimento::random::{Purpose, Stream};

/// Unit roundoff of `f32`.
pub const EPS: f64 = 1.0 / (1u32 << 24) as f64;

/// Distance of `f32` values about 1, twice [`EPS`]: tolerances between two backends are in these.
pub const ULP: f64 = f32::EPSILON as f64;

/// Random numbers of the tests (splitmix64): the operands, not the chips.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[-1, 1)`.
    pub fn signed(&mut self) -> f32 {
        ((self.bits() >> 40) as f32) * (2.0 / (1u64 << 24) as f32) - 1.0
    }

    /// Uniform in `[-1, 1)` with 16 bits: sums, halves and doubles of a few are exact.
    pub fn coarse(&mut self) -> f32 {
        (self.bits() >> 48) as f32 / 32768.0 - 1.0
    }

    /// One of `lo..=hi`.
    pub fn pick(&mut self, lo: usize, hi: usize) -> usize {
        lo + (self.bits() % (hi - lo + 1) as u64) as usize
    }

    /// True or false.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// Shared or per chip.
    pub fn scope(&mut self) -> Scope {
        match self.coin() {
            true => Scope::Shared,
            false => Scope::PerChip,
        }
    }
}

/// A shape, or what is short for one: `[c, h, w]` for a map, a length for a flat tensor.
pub trait Form {
    fn shape(self) -> Shape;
}

impl Form for Shape {
    fn shape(self) -> Shape {
        self
    }
}

impl Form for [usize; 3] {
    fn shape(self) -> Shape {
        let [c, h, w] = self;
        Shape::Image { c, h, w }
    }
}

impl Form for usize {
    fn shape(self) -> Shape {
        Shape::Flat(self)
    }
}

/// A result and what it should be.
pub struct Want {
    pub tensor: TensorId,
    /// Values and how far each may be off, absolute; `None` where the backends are compared only.
    pub values: Option<Vec<(f64, f64)>>,
}

/// A program with the values of its operands in host order, its runs and its results.
pub struct Case {
    pub name: String,
    pub program: Program,
    pub chips: usize,
    pub images: usize,
    /// Images a chunk.
    pub chunk: usize,
    pub rng: Rng,
    pub values: HashMap<TensorId, Vec<f32>>,
    /// Sections in the order they are run.
    pub runs: Vec<(SectionId, RunArgs)>,
    pub wants: Vec<Want>,
    /// How far two backends may be apart: absolute, and relative to the value.
    pub apart: [f64; 2],
    /// Whether a result may lie on either side of a threshold: backends are then held against what is
    /// wanted, not against each other.
    pub sides: bool,
    /// Whether every case of the list needs kernels of its own on an adapter.
    pub own_kernels: bool,
}

impl Case {
    pub fn new(seed: u64, chips: usize, images: usize) -> Self {
        Case {
            name: format!("seed {seed}"),
            program: Program::default(),
            chips,
            images,
            chunk: images,
            rng: Rng(seed),
            values: HashMap::new(),
            runs: Vec::new(),
            wants: Vec::new(),
            apart: [0.0; 2],
            sides: false,
            own_kernels: false,
        }
    }

    fn add(&mut self, shape: Shape, scope: Scope, role: Role) -> TensorId {
        let name = format!("t{}", self.program.tensors.len());
        self.program.tensor(name, shape, scope, role)
    }

    /// Number of values of a tensor over all images and chips.
    pub fn count(&self, form: impl Form, scope: Scope) -> usize {
        let shape = form.shape();
        let images = if shape.is_image() { self.images } else { 1 };
        let chips = if scope == Scope::PerChip {
            self.chips
        } else {
            1
        };
        shape.len() * images * chips
    }

    /// An input map or a state with given values.
    pub fn given(&mut self, form: impl Form, scope: Scope, values: Vec<f32>) -> TensorId {
        let shape = form.shape();
        assert_eq!(values.len(), self.count(shape, scope));
        let role = if shape.is_image() {
            Role::Input
        } else {
            Role::State
        };
        let t = self.add(shape, scope, role);
        self.values.insert(t, values);
        t
    }

    /// An input map or a state, value by value.
    pub fn drawn(
        &mut self,
        form: impl Form,
        scope: Scope,
        mut value: impl FnMut(&mut Rng) -> f32,
    ) -> TensorId {
        let shape = form.shape();
        let n = self.count(shape, scope);
        let values = (0..n).map(|_| value(&mut self.rng)).collect();
        self.given(shape, scope, values)
    }

    /// Random values in `[-1, 1)`.
    pub fn random(&mut self, form: impl Form, scope: Scope) -> TensorId {
        self.drawn(form, scope, Rng::signed)
    }

    /// An input map or a state whose values are made from their number and a seed.
    pub fn made(
        &mut self,
        form: impl Form,
        scope: Scope,
        make: impl FnOnce(usize, u64) -> Vec<f32>,
    ) -> TensorId {
        let shape = form.shape();
        let seed = self.program.tensors.len() as u64 + 2;
        let values = make(self.count(shape, scope), seed);
        self.given(shape, scope, values)
    }

    /// Random values in `[-1, 1)` with 16 bits, so that many results are exact.
    pub fn exact(&mut self, form: impl Form, scope: Scope) -> TensorId {
        self.made(form, scope, values)
    }

    /// A shared state with given values.
    pub fn shared(&mut self, values: &[f32]) -> TensorId {
        self.given(values.len(), Scope::Shared, values.to_vec())
    }

    /// A result: an output map or a state.
    pub fn result(&mut self, form: impl Form, scope: Scope) -> TensorId {
        let shape = form.shape();
        let role = if shape.is_image() {
            Role::Output
        } else {
            Role::State
        };
        self.add(shape, scope, role)
    }

    /// A temporary.
    pub fn temp(&mut self, form: impl Form, scope: Scope) -> TensorId {
        self.add(form.shape(), scope, Role::Temp)
    }

    /// Values of an operand for a chip and an image, in `f64`.
    pub fn at(&self, t: TensorId, chip: usize, image: usize) -> Vec<f64> {
        let desc = self.program.desc(t);
        let n = desc.shape.len();
        let (images, image) = match desc.shape.is_image() {
            true => (self.images, image),
            false => (1, 0),
        };
        let chip = if desc.scope == Scope::PerChip {
            chip
        } else {
            0
        };
        let start = (chip * images + image) * n;
        wide(&self.values[&t][start..start + n])
    }

    /// The values `f(chip, image)` of all images, one after the other; of the first chip if shared.
    pub fn each(&self, scope: Scope, mut f: impl FnMut(usize, usize) -> Vec<f64>) -> Vec<f64> {
        let chips = if scope == Scope::PerChip {
            self.chips
        } else {
            1
        };
        let mut all = Vec::new();
        for chip in 0..chips {
            for image in 0..self.images {
                all.extend(f(chip, image));
            }
        }
        all
    }

    /// The whole wave.
    pub fn args(&self) -> RunArgs {
        RunArgs::wave(1, 0, self.chips, 0..self.images)
    }

    /// Operators that are run once over the whole wave, after those that were added before.
    pub fn section(&mut self, ops: Vec<Op>) -> SectionId {
        let section = self.program.section("section", ops);
        self.runs.push((section, self.args()));
        section
    }

    /// Repeats the last run at each of the steps, with a rate of learning.
    pub fn steps(&mut self, steps: std::ops::Range<u32>, lr: f32) {
        let (section, args) = self.runs.pop().expect("a section");
        self.runs.extend(steps.map(|step| {
            let args = args.clone();
            (section, RunArgs { step, lr, ..args })
        }));
    }

    /// A result with its values, each of which may be off by `tolerance`.
    pub fn want(&mut self, tensor: TensorId, values: Vec<f64>, tolerance: f64) {
        self.want_within(tensor, values, |_| tolerance);
    }

    /// A result with its values; value `i` may be off by `tolerance(i)`.
    pub fn want_within(
        &mut self,
        tensor: TensorId,
        values: Vec<f64>,
        tolerance: impl Fn(usize) -> f64,
    ) {
        let values = values.into_iter().enumerate();
        let values = values.map(|(i, v)| (v, tolerance(i))).collect();
        self.wants.push(Want {
            tensor,
            values: Some(values),
        });
    }

    /// A result whose values are compared between backends only.
    pub fn compare(&mut self, tensor: TensorId) {
        self.wants.push(Want {
            tensor,
            values: None,
        });
    }

    /// A result that is compared between backends only.
    pub fn output(&mut self, form: impl Form, scope: Scope) -> TensorId {
        let t = self.result(form, scope);
        self.compare(t);
        t
    }

    /// The program's sizes.
    pub fn capacity(&self) -> Capacity {
        Capacity {
            chips: self.chips,
            images: self.images.max(1),
            chunk: self.chunk.max(1),
        }
    }

    /// Runs all sections; the results in the order of `wants`.
    pub fn results(&self, backend: &dyn Backend) -> Vec<Vec<f32>> {
        let capacity = self.capacity();
        let fit = backend.fit(&self.program, capacity).expect("fit");
        let fits = fit.chips == capacity.chips && fit.images >= capacity.images;
        assert!(fits, "{}: a small program fits, not {fit:?}", self.name);
        let mut session = backend.prepare(&self.program, capacity).expect("prepare");
        for (&t, values) in &self.values {
            session.write(t, values).expect("write");
        }
        for (section, args) in &self.runs {
            session.run(*section, args).expect("run");
        }
        let results = self.wants.iter().map(|want| session.read(want.tensor));
        results.map(|values| values.expect("read")).collect()
    }

    /// Compares results with what is wanted; `slack` is added to every tolerance.
    pub fn check(&self, what: &str, results: &[Vec<f32>], slack: [f64; 2]) {
        for (k, (got, want)) in results.iter().zip(&self.wants).enumerate() {
            let Some(values) = &want.values else { continue };
            let what = format!("{what}, {}, result {k}", self.name);
            let (values, limits): (Vec<f64>, Vec<f64>) = values.iter().copied().unzip();
            let limit = |i: usize| limits[i] + slack[0] + slack[1] * values[i].abs();
            close(&what, got, &values, limit);
        }
    }
}

/// Deterministic values in `[-1, 1)` with 16 bits, so that they are exact everywhere.
pub fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 48) as f32 / 32768.0 - 1.0
        })
        .collect()
}

/// Standard normal values; a different `stream` gives different ones.
pub fn normals(stream: u32, n: usize) -> Vec<f32> {
    let mut v = vec![0.0; n];
    Stream::new(42, Purpose::Init, 0, 0, stream).fill_normals(0, &mut v);
    v
}

/// Values as `f64`.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Compares with a reference; `tolerance(i)` is absolute. Infinities are equal, and NaN only to NaN.
#[track_caller]
pub fn close(what: &str, got: &[f32], want: &[f64], tolerance: impl Fn(usize) -> f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let (error, limit) = ((f64::from(g) - w).abs(), tolerance(i));
        let same = f64::from(g) == w || (g.is_nan() && w.is_nan());
        assert!(
            same || error <= limit,
            "{what}: value {i} is {g}, expected {w}: off by {error:e}, allowed {limit:e}"
        );
    }
}

/// Central differences of `f` at `x`, each scaled by its step: exact to about `1e-9`.
pub fn differences(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let at = x[i];
            x[i] = at + STEP;
            let high = f(&x);
            x[i] = at - STEP;
            let low = f(&x);
            x[i] = at;
            (high - low) / (2.0 * STEP)
        })
        .collect()
}

/// `sum a b`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The combinations of shared and per-chip for two operands.
pub const SCOPES: [(Scope, Scope); 4] = [
    (Scope::Shared, Scope::Shared),
    (Scope::Shared, Scope::PerChip),
    (Scope::PerChip, Scope::Shared),
    (Scope::PerChip, Scope::PerChip),
];

/// Per chip if any operand is.
pub fn joined(scopes: &[Scope]) -> Scope {
    if scopes.contains(&Scope::PerChip) {
        Scope::PerChip
    } else {
        Scope::Shared
    }
}

/// A small map.
pub fn map(rng: &mut Rng) -> [usize; 3] {
    [rng.pick(1, 7), rng.pick(1, 12), rng.pick(1, 12)]
}

/// Three chips, 37 images in three blocks, the last of them partial.
pub fn wave(seed: u64) -> Case {
    Case::new(seed, 3, 37)
}
