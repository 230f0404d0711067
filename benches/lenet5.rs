//! The CPU backend's three yardsticks: a matrix product in alternation with the `gemm` crate,
//! LeNet-5 Monte Carlo and a LeNet-5 training step, each with its share of the processor's own
//! multiply-add peak, measured in the same rounds.
//!
//! BENCHMARKS.md says how a PyTorch twin of the last two is run beside this.

mod common;

use std::time::Duration;

use common::{Bench, Candidate};
use pimento::backend::cpu::CpuBackend;
use pimento::bench::{Cost, Target, Work, prepare};

fn main() {
    let bench = Bench::new("lenet5");
    let target = Target {
        backend: Box::new(CpuBackend::new()),
    };
    let side = if bench.is_tiny() { 256 } else { 1024 };
    let name = format!("gemm/{side}");
    let mut ours = work(&bench, &target, &name);
    let (a, b) = (vec![0.5; side * side], vec![0.25; side * side]);
    let mut c = vec![0.0; side * side];
    let flops = ours.amount();
    let crates = Candidate::new("gemm/crate", flops, "FLOP", || {
        product(side, &a, &b, &mut c);
    });
    measure(&bench, &target, &name, &mut ours, vec![crates]);
    for name in ["lenet5/monte-carlo", "lenet5/training-step"] {
        let mut ours = work(&bench, &target, name);
        measure(&bench, &target, name, &mut ours, vec![]);
    }
}

fn work(bench: &Bench, target: &Target, name: &str) -> Work {
    prepare(target, name, bench.is_tiny()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Times a row against others and against the peak.
fn measure(bench: &Bench, target: &Target, name: &str, ours: &mut Work, others: Vec<Candidate>) {
    let (amount, unit, cost) = (ours.amount(), ours.unit(), ours.cost());
    let mut rows = vec![Candidate::new(name, amount, unit, || {
        ours.repeat(1).unwrap_or_else(|e| panic!("{name}: {e}"));
    })];
    rows.extend(others);
    let mut peak = 0.0f64;
    let rates = bench.alternate(&mut rows, || {
        let now = target.backend.peak(Duration::ZERO);
        peak = peak.max(now.unwrap_or_else(|e| panic!("peak: {e}")).fma_gflops * 1e9);
    });
    if let (Some(rates), Cost::Flops(flops)) = (rates, cost) {
        println!(
            "  {:.1} % of {:.1} GFLOP/s, the multiply-add peak of these rounds",
            100.0 * rates[0] / amount * flops / peak,
            peak * 1e-9
        );
    }
}

/// `c = a b` of square matrices, row-major, on all threads.
fn product(n: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    assert!([a.len(), b.len(), c.len()].iter().all(|&len| len == n * n));
    let stride = n as isize;
    // SAFETY: all three matrices have `n * n` values with these strides, and `c` is not shared.
    unsafe {
        gemm::gemm(
            n,
            n,
            n,
            c.as_mut_ptr(),
            1,
            stride,
            false,
            a.as_ptr(),
            1,
            stride,
            b.as_ptr(),
            1,
            stride,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
