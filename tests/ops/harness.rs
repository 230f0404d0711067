//! One operator, its tensors and a run of it.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Session};
use pimento::program::*;
use pimento::random::{Purpose, Stream};

/// Half an ulp, the relative error of one `f32` operation.
pub const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// Tensors with their values, and the size of the run.
pub struct Rig {
    pub program: Program,
    values: Vec<(TensorId, Vec<f32>)>,
    pub args: RunArgs,
    pub threads: usize,
}

impl Rig {
    pub fn new(chips: usize, images: usize) -> Self {
        Self {
            program: Program::default(),
            values: vec![],
            args: RunArgs::wave(1, 0, chips, 0..images),
            threads: 2,
        }
    }

    fn tensor(&mut self, shape: Shape, scope: Scope, role: Role) -> TensorId {
        let name = format!("t{}", self.program.tensors.len());
        self.program.tensor(name, shape, scope, role)
    }

    /// A flat tensor with values `[chip][n]`, per chip if there are more than `n`.
    pub fn flat(&mut self, n: usize, scope: Scope, values: &[f32]) -> TensorId {
        let t = self.tensor(Shape::Flat(n), scope, Role::State);
        self.values.push((t, values.to_vec()));
        t
    }

    /// A shared flat tensor.
    pub fn shared(&mut self, values: &[f32]) -> TensorId {
        self.flat(values.len(), Scope::Shared, values)
    }

    /// A flat result.
    pub fn result(&mut self, n: usize, scope: Scope) -> TensorId {
        self.tensor(Shape::Flat(n), scope, Role::State)
    }

    /// Runs one operator and returns the tensors asked for.
    pub fn run<const N: usize>(&self, op: Op, results: [TensorId; N]) -> [Vec<f32>; N] {
        self.run_all(vec![op], results)
    }

    /// Runs operators one after the other and returns the tensors asked for.
    pub fn run_all<const N: usize>(&self, ops: Vec<Op>, results: [TensorId; N]) -> [Vec<f32>; N] {
        let mut session = self.session_of_all(ops, self.args.images.end.max(1));
        session.run(SectionId(0), &self.args).unwrap();
        results.map(|t| session.read(t).unwrap())
    }

    fn session_of_all(&self, ops: Vec<Op>, images: usize) -> Box<dyn Session> {
        let mut program = self.program.clone();
        program.section("test", ops);
        let capacity = Capacity {
            chips: self.args.chips,
            images,
            chunk: images,
        };
        let backend = CpuBackend::new().with_threads(self.threads).unwrap();
        let mut session = backend.prepare(&program, capacity).unwrap();
        for (t, values) in &self.values {
            session.write(*t, values).unwrap();
        }
        session
    }
}

/// Standard normal values; a different `stream` gives different ones.
pub fn normals(stream: u32, n: usize) -> Vec<f32> {
    let mut v = vec![0.0; n];
    Stream::new(42, Purpose::Init, 0, 0, stream).fill_normals(0, &mut v);
    v
}

/// `|got - want| <= relative |want| + absolute` for all values.
pub fn close(got: &[f32], want: &[f64], relative: f64, absolute: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(g) - w).abs();
        assert!(
            error <= relative * w.abs() + absolute,
            "value {i}: {g} instead of {w}, error {error:e}"
        );
    }
}

/// Values as `f64`.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
