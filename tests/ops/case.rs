//! Builds one-operator programs with random operands, and runs them.

use std::collections::HashMap;

use pimento::backend::cpu::{CpuBackend, Isa};
use pimento::backend::{Backend, Session};
use pimento::program::*;

/// Unit roundoff of `f32`.
pub const EPS: f64 = 1.0 / (1u32 << 24) as f64;

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

/// A program under construction, with the values of its operands in host order.
pub struct Case {
    pub program: Program,
    pub chips: usize,
    pub images: usize,
    pub rng: Rng,
    values: HashMap<TensorId, Vec<f32>>,
}

impl Case {
    pub fn new(seed: u64, chips: usize, images: usize) -> Self {
        Case {
            program: Program::default(),
            chips,
            images,
            rng: Rng(seed),
            values: HashMap::new(),
        }
    }

    fn name(&self) -> String {
        format!("t{}", self.program.tensors.len())
    }

    fn count(&self, shape: Shape, scope: Scope) -> usize {
        let images = if shape.is_image() { self.images } else { 1 };
        let chips = if scope == Scope::PerChip {
            self.chips
        } else {
            1
        };
        shape.len() * images * chips
    }

    /// An input map or a state with given values.
    pub fn given(&mut self, shape: Shape, scope: Scope, values: Vec<f32>) -> TensorId {
        assert_eq!(values.len(), self.count(shape, scope));
        let role = if shape.is_image() {
            Role::Input
        } else {
            Role::State
        };
        let t = self.program.tensor(self.name(), shape, scope, role);
        self.values.insert(t, values);
        t
    }

    /// Random values in `[-1, 1)`.
    pub fn random(&mut self, shape: Shape, scope: Scope) -> TensorId {
        let values = (0..self.count(shape, scope))
            .map(|_| self.rng.signed())
            .collect();
        self.given(shape, scope, values)
    }

    /// A result: an output map or a state.
    pub fn result(&mut self, shape: Shape, scope: Scope) -> TensorId {
        let role = if shape.is_image() {
            Role::Output
        } else {
            Role::State
        };
        self.program.tensor(self.name(), shape, scope, role)
    }

    /// A temporary.
    pub fn temp(&mut self, shape: Shape, scope: Scope) -> TensorId {
        self.program.tensor(self.name(), shape, scope, Role::Temp)
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
        self.values[&t][start..start + n]
            .iter()
            .map(|&v| v.into())
            .collect()
    }

    /// The whole wave.
    pub fn args(&self) -> RunArgs {
        RunArgs::wave(1, 0, self.chips, 0..self.images)
    }

    /// Prepares a program of the operators as one section, with the operands written.
    pub fn prepare(&self, backend: &dyn Backend, ops: Vec<Op>) -> (Box<dyn Session>, SectionId) {
        let mut program = self.program.clone();
        let section = program.section("test", ops);
        let capacity = Capacity {
            chips: self.chips,
            images: self.images,
            chunk: self.images,
        };
        let mut session = backend.prepare(&program, capacity).unwrap();
        for (&t, values) in &self.values {
            session.write(t, values).unwrap();
        }
        (session, section)
    }

    /// Why the operators are refused.
    pub fn refusal(&self, ops: Vec<Op>) -> String {
        let mut program = self.program.clone();
        program.section("test", ops);
        let capacity = Capacity {
            chips: self.chips,
            images: self.images,
            chunk: self.images,
        };
        match CpuBackend::new().prepare(&program, capacity) {
            Err(e) => e.to_string(),
            Ok(_) => panic!("the program is not refused"),
        }
    }

    /// Runs the operators once and reads the results.
    pub fn run<const N: usize>(
        &self,
        backend: &dyn Backend,
        ops: Vec<Op>,
        results: [TensorId; N],
    ) -> [Vec<f32>; N] {
        let (mut session, section) = self.prepare(backend, ops);
        session.run(section, &self.args()).unwrap();
        results.map(|t| session.read(t).unwrap())
    }
}

/// A backend of every instruction set.
pub fn backends() -> Vec<(&'static str, CpuBackend)> {
    let all = Isa::available().into_iter();
    all.map(|isa| (isa.name(), CpuBackend::new().with_isa(isa)))
        .collect()
}

/// Compares with a reference; `tolerance(i)` is absolute.
#[track_caller]
pub fn close(what: &str, got: &[f32], want: &[f64], tolerance: impl Fn(usize) -> f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let (error, limit) = ((f64::from(g) - w).abs(), tolerance(i));
        assert!(
            error <= limit,
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
