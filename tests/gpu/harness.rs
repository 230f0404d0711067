//! Builds small programs with data and runs them on both backends.

use std::sync::OnceLock;

use pimento::backend::cpu::CpuBackend;
use pimento::backend::wgpu::WgpuBackend;
use pimento::backend::{Backend, Capacity, RunArgs};
use pimento::program::*;

/// Relative rounding of one `f32` operation.
pub const EPS: f32 = f32::EPSILON;

/// The adapter of this test binary, or why there is none.
pub fn gpu() -> Result<&'static WgpuBackend, String> {
    static BACKEND: OnceLock<Result<WgpuBackend, String>> = OnceLock::new();
    BACKEND
        .get_or_init(|| WgpuBackend::open(None).map_err(|e| e.to_string()))
        .as_ref()
        .map_err(Clone::clone)
}

/// The adapter, or says that the test is skipped.
pub fn gpu_or_skip(test: &str) -> Option<&'static WgpuBackend> {
    match gpu() {
        Ok(backend) => Some(backend),
        Err(reason) => {
            assert!(
                std::env::var("PIMENTO_REQUIRE_GPU").as_deref() != Ok("1"),
                "{test}: PIMENTO_REQUIRE_GPU=1, but {reason}"
            );
            println!("SKIPPED {test}: {reason}");
            None
        }
    }
}

/// The adapter with and without windows (`WgpuBackend::with_windows`), of which one is its own
/// choice; nothing where [`gpu_or_skip`] skips.
pub fn both_kinds(test: &str) -> Vec<&'static WgpuBackend> {
    static OTHER: OnceLock<WgpuBackend> = OnceLock::new();
    let Some(gpu) = gpu_or_skip(test) else {
        return Vec::new();
    };
    // Hardware has none by itself.
    let other = OTHER.get_or_init(|| gpu.with_windows(gpu.is_hardware()));
    vec![gpu, other]
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

/// A program with what is written before and read after its runs.
pub struct Case {
    /// The program; its sections are run in order.
    pub program: Program,
    /// Sizes.
    pub capacity: Capacity,
    /// One run after the other.
    pub runs: Vec<(SectionId, RunArgs)>,
    /// Data by tensor.
    pub writes: Vec<(TensorId, Vec<f32>)>,
    /// Compared tensors.
    pub reads: Vec<TensorId>,
    seed: u64,
}

/// Three chips, 37 images in three blocks, the last of them partial.
pub const CHIPS: usize = 3;
pub const IMAGES: usize = 37;

impl Case {
    /// An empty program for [`CHIPS`] chips and [`IMAGES`] images in one chunk.
    pub fn new() -> Self {
        Self::sized(CHIPS, IMAGES)
    }

    /// An empty program for one chunk.
    pub fn sized(chips: usize, images: usize) -> Self {
        Self {
            program: Program::default(),
            capacity: Capacity {
                chips,
                images,
                chunk: images,
            },
            runs: Vec::new(),
            writes: Vec::new(),
            reads: Vec::new(),
            seed: 1,
        }
    }

    fn slabs(&self, scope: Scope) -> usize {
        match scope {
            Scope::Shared => 1,
            Scope::PerChip => self.capacity.chips,
        }
    }

    /// A new number for a tensor's name and data.
    fn next(&mut self) -> u64 {
        self.seed += 1;
        self.seed
    }

    /// An input map with given data.
    pub fn input_of(
        &mut self,
        chw: [usize; 3],
        scope: Scope,
        make: impl FnOnce(usize, u64) -> Vec<f32>,
    ) -> TensorId {
        let seed = self.next();
        let [c, h, w] = chw;
        let shape = Shape::Image { c, h, w };
        let t = self
            .program
            .tensor(format!("x{seed}"), shape, scope, Role::Input);
        let n = shape.len() * self.capacity.images * self.slabs(scope);
        self.writes.push((t, make(n, seed)));
        t
    }

    /// An input map with values in `[-1, 1)`.
    pub fn input(&mut self, chw: [usize; 3], scope: Scope) -> TensorId {
        self.input_of(chw, scope, values)
    }

    /// A state with given data.
    pub fn state_of(
        &mut self,
        n: usize,
        scope: Scope,
        make: impl FnOnce(usize, u64) -> Vec<f32>,
    ) -> TensorId {
        let seed = self.next();
        let t = self
            .program
            .tensor(format!("s{seed}"), Shape::Flat(n), scope, Role::State);
        let n = n * self.slabs(scope);
        self.writes.push((t, make(n, seed)));
        t
    }

    /// A state with values in `[-1, 1)`.
    pub fn state(&mut self, n: usize, scope: Scope) -> TensorId {
        self.state_of(n, scope, values)
    }

    /// A map that is compared.
    pub fn output(&mut self, chw: [usize; 3], scope: Scope) -> TensorId {
        let seed = self.next();
        let [c, h, w] = chw;
        let shape = Shape::Image { c, h, w };
        let t = self
            .program
            .tensor(format!("y{seed}"), shape, scope, Role::Output);
        self.reads.push(t);
        t
    }

    /// A flat tensor that is compared.
    pub fn result(&mut self, n: usize, scope: Scope) -> TensorId {
        let seed = self.next();
        let t = self
            .program
            .tensor(format!("r{seed}"), Shape::Flat(n), scope, Role::State);
        self.reads.push(t);
        t
    }

    /// A map that lives inside a section.
    pub fn temp(&mut self, chw: [usize; 3], scope: Scope) -> TensorId {
        let seed = self.next();
        let [c, h, w] = chw;
        self.program.tensor(
            format!("t{seed}"),
            Shape::Image { c, h, w },
            scope,
            Role::Temp,
        )
    }

    /// A section that is run once over everything.
    pub fn section(&mut self, ops: Vec<Op>) -> SectionId {
        let id = self.program.section("section", ops);
        let args = RunArgs::wave(7, 0, self.capacity.chips, 0..self.capacity.images);
        self.runs.push((id, args));
        id
    }

    /// Runs on one backend; the compared tensors in order.
    pub fn run_on(&self, backend: &dyn Backend) -> Vec<Vec<f32>> {
        let capacity = backend.fit(&self.program, self.capacity).expect("fit");
        assert_eq!(capacity, self.capacity, "a small program fits");
        let mut session = backend.prepare(&self.program, capacity).expect("prepare");
        for (t, data) in &self.writes {
            session.write(*t, data).expect("write");
        }
        for (section, args) in &self.runs {
            session.run(*section, args).expect("run");
        }
        self.reads
            .iter()
            .map(|t| session.read(*t).expect("read"))
            .collect()
    }

    /// Runs on both backends and compares every value: `|gpu - cpu| <= tolerance`.
    pub fn compare(&self, test: &str, tolerance: f32) {
        if let Some(gpu) = gpu_or_skip(test) {
            let expected = self.run_on(&CpuBackend::new());
            self.close(test, tolerance, &expected, &self.run_on(gpu));
        }
    }

    /// [`Case::compare`] as if a thread's loops went so many rounds only.
    pub fn compare_with_rounds(&self, test: &str, tolerance: f32, rounds: u64) {
        if let Some(gpu) = gpu_or_skip(test) {
            let expected = self.run_on(&CpuBackend::new());
            self.close(
                test,
                tolerance,
                &expected,
                &self.run_on(&gpu.with_rounds(rounds)),
            );
        }
    }

    /// [`Case::compare`] with and without windows.
    pub fn compare_both(&self, test: &str, tolerance: f32) {
        let kinds = both_kinds(test);
        if kinds.is_empty() {
            return;
        }
        let expected = self.run_on(&CpuBackend::new());
        for (i, gpu) in kinds.into_iter().enumerate() {
            let test = format!("{test}, kind {i}");
            self.close(&test, tolerance, &expected, &self.run_on(gpu));
        }
    }

    fn close(&self, test: &str, tolerance: f32, expected: &[Vec<f32>], actual: &[Vec<f32>]) {
        for ((t, expected), actual) in self.reads.iter().zip(expected).zip(actual) {
            let name = &self.program.desc(*t).name;
            assert_eq!(expected.len(), actual.len(), "{test}: length of {name}");
            for (i, (e, a)) in expected.iter().zip(actual).enumerate() {
                // Written so that a NaN fails.
                let close = (e - a).abs() <= tolerance;
                assert!(
                    close,
                    "{test}: {name}[{i}]: cpu {e}, gpu {a}, tolerance {tolerance}"
                );
            }
        }
    }
}

/// Every non-linearity.
pub const ACTIVATIONS: [Activation; 12] = [
    Activation::Identity,
    Activation::Relu,
    Activation::Tanh,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Clip { lo: -0.5, hi: 0.6 },
    Activation::Clip {
        lo: 0.0,
        hi: f32::INFINITY,
    },
    Activation::Sigmoid,
    Activation::HardSigmoid {
        slope: 0.7,
        offset: 0.4,
    },
    Activation::HardSwish,
    Activation::Abs,
    Activation::Sign,
    Activation::Floor,
];

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
