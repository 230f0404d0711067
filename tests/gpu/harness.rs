//! Runs cases on an adapter and on the CPU.

use std::sync::OnceLock;

use pimento::backend::cpu::CpuBackend;
use pimento::backend::wgpu::WgpuBackend;
use pimento::backend::{Backend, Kernels, Products};
use pimento::program::{Conv2d, Conv2dGradInput, Op, TensorId, Winograd};

pub use crate::cases::case::*;

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

impl Case {
    /// Compares these tensors between backends, and nothing else.
    pub fn reads(&mut self, tensors: &[TensorId]) {
        self.wants.clear();
        tensors.iter().for_each(|&t| self.compare(t));
    }

    /// Runs on both backends and compares every result: `|gpu - cpu| <= tolerance`.
    pub fn matches_cpu(&mut self, test: &str, tolerance: f64) {
        if let Some(gpu) = gpu_or_skip(test) {
            let adapters = self.with_matrices(test, gpu);
            self.matches_on(&adapters, test, tolerance);
        }
    }

    /// [`Case::matches_cpu`] with a limit on the rounds of a thread's loops.
    pub fn matches_cpu_with_rounds(&mut self, test: &str, tolerance: f64, rounds: u64) {
        if let Some(gpu) = gpu_or_skip(test) {
            self.matches_on(&[&gpu.with_rounds(rounds)], test, tolerance);
        }
    }

    /// [`Case::matches_cpu`] with and without windows.
    pub fn matches_cpu_both(&mut self, test: &str, tolerance: f64) {
        self.matches_on(&both_kinds(test), test, tolerance);
    }

    fn matches_on(&mut self, adapters: &[&WgpuBackend], test: &str, tolerance: f64) {
        if adapters.is_empty() {
            return;
        }
        self.apart = [tolerance, 0.0];
        let expected = self.results(&CpuBackend::new());
        for (i, gpu) in adapters.iter().enumerate() {
            let test = format!("{test}, adapter {i}");
            self.agree(&test, &self.results(*gpu), &expected);
        }
    }

    /// Compares the results of a backend with another backend's.
    fn agree(&self, what: &str, results: &[Vec<f32>], others: &[Vec<f32>]) {
        for (k, (got, other)) in results.iter().zip(others).enumerate() {
            let what = format!("{what}, {}, result {k}", self.name);
            let other = wide(other);
            let limit = |i: usize| self.apart[0] + self.apart[1] * other[i].abs();
            close(&what, got, &other, limit);
        }
    }
}

/// The adapter with tiles for every product: by itself it takes none for products as small as those of
/// tests.
pub fn tiled(gpu: &WgpuBackend) -> &'static WgpuBackend {
    static OTHER: OnceLock<WgpuBackend> = OnceLock::new();
    OTHER.get_or_init(|| fewer(gpu).with_products(Products::Direct))
}

/// The adapter with tiles for every product, and fewer products where there is a choice.
pub fn fewer(gpu: &WgpuBackend) -> &'static WgpuBackend {
    static OTHER: OnceLock<WgpuBackend> = OnceLock::new();
    OTHER.get_or_init(|| {
        gpu.with_kernels(Kernels::Tiled)
            .with_products(Products::Winograd)
    })
}

/// The adapter with work cut into submissions at random places, in the middle of kernel calls too.
pub fn cut(gpu: &WgpuBackend) -> &'static WgpuBackend {
    static OTHER: OnceLock<WgpuBackend> = OnceLock::new();
    OTHER.get_or_init(|| gpu.with_random_cuts(17))
}

/// The adapter with cooperative matrices, or why it has none.
pub fn cooperative(gpu: &WgpuBackend) -> Result<&'static WgpuBackend, String> {
    static OTHER: OnceLock<Option<WgpuBackend>> = OnceLock::new();
    let open = || {
        gpu.matrix_side()
            .map(|_| gpu.with_kernels(Kernels::Cooperative))
    };
    let other = OTHER.get_or_init(open).as_ref();
    other.ok_or_else(|| format!("{} has no cooperative matrices", gpu.info().name))
}

impl Case {
    /// Whether some operator may be computed with cooperative matrices.
    fn may_use_matrices(&self) -> bool {
        let mut ops = self.program.sections.iter().flat_map(|s| &s.ops);
        ops.any(|op| op.reads_codes().is_some() || matches!(op, Op::Crossbar(_)))
    }

    /// The adapter, and the same with cooperative matrices where the case may use them.
    pub fn with_matrices(
        &self,
        test: &str,
        gpu: &'static WgpuBackend,
    ) -> Vec<&'static WgpuBackend> {
        let mut all = vec![gpu];
        if self.may_use_matrices() {
            match cooperative(gpu) {
                Ok(other) => all.push(other),
                Err(reason) => println!("SKIPPED cooperative matrices in {test}: {reason}"),
            }
        }
        all
    }

    /// Whether some operator is a convolution that has fewer products.
    fn has_fewer(&self) -> bool {
        let ops = self.program.sections.iter().flat_map(|s| &s.ops);
        ops.into_iter().any(|op| match op {
            Op::Conv2d(op) => Winograd::forward(&op.geo).is_some(),
            Op::Conv2dGradInput(op) => Winograd::grad_input(&op.geo).is_some(),
            _ => false,
        })
    }

    /// Whether some operator is a depthwise convolution.
    fn is_depthwise(&self) -> bool {
        let ops = self.program.sections.iter().flat_map(|s| &s.ops);
        ops.into_iter().any(|op| match op {
            Op::Conv2d(Conv2d { geo, .. }) | Op::Conv2dGradInput(Conv2dGradInput { geo, .. }) => {
                geo.groups > 1 && geo.groups == geo.c_in && geo.groups == geo.c_out
            }
            _ => false,
        })
    }

    /// Whether some operator is a product that has kernels of several kinds.
    fn has_products(&self) -> bool {
        let ops = self.program.sections.iter().flat_map(|s| &s.ops);
        ops.into_iter().any(|op| {
            matches!(
                op,
                Op::Conv2d(_) | Op::Conv2dGradInput(_) | Op::Conv2dGradWeight(_) | Op::Crossbar(_)
            )
        })
    }
}

/// Asserts that all kinds of kernels and all cuts give the same bits: their sums have one order.
pub fn same_bits(what: &str, results: &[Vec<f32>], others: &[Vec<f32>]) {
    compare(what, results, others, |a, b| a.to_bits() == b.to_bits());
}

/// The same where a depthwise kernel is one of them, which leaves the sign of zeros open.
fn same_values(what: &str, results: &[Vec<f32>], others: &[Vec<f32>]) {
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a == 0.0 && b == 0.0;
    compare(what, results, others, same);
}

fn compare(what: &str, results: &[Vec<f32>], others: &[Vec<f32>], same: impl Fn(f32, f32) -> bool) {
    for (k, (a, b)) in results.iter().zip(others).enumerate() {
        for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
            let same = same(a, b) || a.is_nan() && b.is_nan();
            assert!(same, "{what}, result {k}, value {i}: {a} and {b}");
        }
    }
}

/// Most cases of a list whose kernels are all different, evenly taken, as those take long to compile. All
/// of them with `PIMENTO_TEST_ALL=1`.
const MOST: usize = 24;

/// The cases on the adapter, against what is wanted and against the CPU; products with all kernels, all with
/// random cuts.
pub fn walk(test: &str, cases: Vec<Case>) {
    assert!(!cases.is_empty());
    let Some(gpu) = gpu_or_skip(test) else {
        return;
    };
    let every = match std::env::var("PIMENTO_TEST_ALL").as_deref() {
        Ok("1") => 1,
        _ if cases[0].own_kernels => cases.len().div_ceil(MOST),
        _ => 1,
    };
    if cases.iter().any(Case::may_use_matrices)
        && let Err(reason) = cooperative(gpu)
    {
        println!("SKIPPED cooperative matrices in {test}: {reason}");
    }
    for case in cases.into_iter().step_by(every) {
        let results = case.results(gpu);
        if case.has_products() {
            let of_tiles = case.results(tiled(gpu));
            let direct = gpu.with_products(Products::Direct);
            let compare = match case.is_depthwise() {
                false => same_bits,
                true => same_values,
            };
            match case.has_fewer() {
                false => compare(&case.name, &results, &of_tiles),
                true => compare(&case.name, &case.results(&direct), &of_tiles),
            }
        }
        let what = format!("{}, cut", case.name);
        same_bits(&what, &results, &case.results(cut(gpu)));
        if case.may_use_matrices()
            && let Ok(cooperative) = cooperative(gpu)
        {
            case.check("cooperative", &case.results(cooperative), case.apart);
        }
        let of_cpu = (!case.sides).then(|| case.results(&CpuBackend::new()));
        let check = |kind: &str, results: &[Vec<f32>]| {
            case.check(kind, results, case.apart);
            if let Some(of_cpu) = &of_cpu {
                case.agree(kind, results, of_cpu);
            }
        };
        check("gpu", &results);
        if case.has_fewer() {
            check("gpu with fewer products", &case.results(fewer(gpu)));
        }
    }
}
