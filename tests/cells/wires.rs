//! Every wire solve of the golden file by the operators of both backends.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Capacity};
use pimento::chip::ir_drop;
use pimento::program::*;

use crate::golden::{self, Solve};

/// The adapter, or says that the test is skipped.
#[cfg(feature = "gpu")]
pub fn adapter(test: &str) -> Option<pimento::backend::wgpu::WgpuBackend> {
    match pimento::backend::wgpu::WgpuBackend::open(None) {
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

/// Currents by the operator's matrix.
fn currents(backend: &dyn Backend, solve: &Solve, sweeps: u32) -> Vec<f64> {
    let spec = Wires {
        sweeps,
        ..solve.wires.clone()
    };
    let n = solve.g.len();
    let units = f64::from(spec.arrays.level_units(0));
    let mut program = Program::default();
    let g = program.tensor("g", Shape::Flat(n), Scope::PerChip, Role::State);
    let out = program.tensor("out", Shape::Flat(n), Scope::PerChip, Role::State);
    let section = program.section("wires", vec![Op::from(IrDrop { g, out, spec })]);
    let capacity = Capacity {
        chips: 1,
        images: 1,
        chunk: 1,
    };
    let mut session = backend.prepare(&program, capacity).unwrap();
    let cells: Vec<f32> = solve.g.iter().map(|g| *g as f32).collect();
    session.write(g, &cells).unwrap();
    session.run(section, &RunArgs::wave(1, 0, 1, 0..0)).unwrap();
    let matrix = session.read(out).unwrap();
    let rows = matrix.chunks_exact(solve.v.len());
    rows.map(|row| {
        row.iter()
            .zip(&solve.v)
            .map(|(m, v)| f64::from(*m) / units * v)
            .sum()
    })
    .collect()
}

fn worst(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

/// Conductances and matrices in `f32`: half an ulp of each of 64 terms of at most 1, twice.
const STORED: f64 = 2.0 * 64.0 / (1 << 24) as f64;

fn operators(backend: &dyn Backend, who: &str, arithmetic: f64) {
    for solve in golden::solves() {
        let wires = &solve.wires;
        let mut cells = solve.g.clone();
        // The file's currents where the mesh is linear, else the matrix that stands for it.
        ir_drop::array(wires, wires.arrays.cols, wires.arrays.rows, &mut cells);
        let rows = cells.chunks_exact(solve.v.len());
        let by_matrix: Vec<f64> = rows
            .map(|row| row.iter().zip(&solve.v).map(|(m, v)| m * v).sum())
            .collect();
        let want = match wires.topology {
            Topology::InputSource => &solve.currents,
            Topology::SeparateSource => &by_matrix,
        };
        let found = currents(backend, &solve, 0);
        assert!(
            worst(&found, want) < arithmetic,
            "{}, {who}: {}",
            solve.name,
            worst(&found, want)
        );
        // Wires matter, and two sweeps are as good here as `f32`.
        assert!(worst(&solve.ideal, want) > 1e-3);
        let fast = currents(backend, &solve, 2);
        assert!(
            worst(&fast, want) < arithmetic + FAST,
            "{}, {who}: {}",
            solve.name,
            worst(&fast, want)
        );
    }
}

/// Error of two sweeps for the meshes of the file (64 x 64, 2 ohm against 10 kohm).
const FAST: f64 = 1e-4;

#[test]
fn the_cpu_operator_reproduces_every_solve() {
    operators(&CpuBackend::new(), "cpu", STORED);
}

#[cfg(feature = "gpu")]
#[test]
fn the_shader_reproduces_every_solve() {
    if let Some(gpu) = adapter("the_shader_reproduces_every_solve") {
        // Sweeps in f32: a rounding at each of 128 nodes of a line, twice.
        operators(
            &gpu,
            "shader",
            STORED + 4.0 * 128.0 * f64::from(f32::EPSILON),
        );
    }
}
