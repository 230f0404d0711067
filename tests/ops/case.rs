//! Runs of cases on the native backend, with every instruction set.

use pimento::backend::cpu::{CpuBackend, Isa};
use pimento::backend::{Backend, Session};
use pimento::program::*;

pub use crate::cases::case::*;

impl Case {
    /// Prepares a program of the operators as one section, with the operands written.
    pub fn prepare(&self, backend: &dyn Backend, ops: Vec<Op>) -> (Box<dyn Session>, SectionId) {
        let mut program = self.program.clone();
        let section = program.section("test", ops);
        let mut session = backend.prepare(&program, self.capacity()).unwrap();
        for (&t, values) in &self.values {
            session.write(t, values).unwrap();
        }
        (session, section)
    }

    /// Why the operators are refused.
    pub fn refusal(&self, ops: Vec<Op>) -> String {
        let mut program = self.program.clone();
        program.section("test", ops);
        match CpuBackend::new().prepare(&program, self.capacity()) {
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
        self.run_as(backend, &self.args(), ops, results)
    }

    /// Runs the operators once with arguments of one's own and reads the results.
    pub fn run_as<const N: usize>(
        &self,
        backend: &dyn Backend,
        args: &RunArgs,
        ops: Vec<Op>,
        results: [TensorId; N],
    ) -> [Vec<f32>; N] {
        let (mut session, section) = self.prepare(backend, ops);
        session.run(section, args).unwrap();
        results.map(|t| session.read(t).unwrap())
    }

    /// Runs one operator once on two threads and reads the results.
    pub fn run_one<const N: usize>(&self, op: Op, results: [TensorId; N]) -> [Vec<f32>; N] {
        let backend = CpuBackend::new().with_threads(2).unwrap();
        self.run(&backend, vec![op], results)
    }
}

/// A backend of every instruction set.
pub fn backends() -> Vec<(&'static str, CpuBackend)> {
    let all = Isa::available().into_iter();
    all.map(|isa| (isa.name(), CpuBackend::new().with_isa(isa)))
        .collect()
}

/// Every case on every instruction set, against what is wanted; the others are for adapters.
pub fn walk(cases: Vec<Case>) {
    assert!(!cases.is_empty());
    for case in cases {
        if case.wants.iter().all(|want| want.values.is_none()) {
            continue;
        }
        for (isa, backend) in backends() {
            case.check(isa, &case.results(&backend), [0.0; 2]);
        }
    }
}
