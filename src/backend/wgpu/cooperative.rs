//! Cooperative matrices (tensor cores) of adapters: which there are, and the test that they pass before
//! anything is computed with them.
//!
//! What hardware does inside of a matrix product is not told: some add with fewer bits, some cut where
//! others round. So the kernels themselves multiply known numbers once on every device, when a program that
//! may use them is first planned:
//!
//! * whole numbers whose sums all fit 24 bits must come out exactly, with both halves of the weights at work;
//! * of long sums, of one sign and of both, the error against `f64` may be at most [`WORST`] times that of
//!   adding the same terms in `f32`, one after the other. Cutting instead of rounding at every step is far
//!   beyond it.

mod known;

use std::sync::{Arc, OnceLock};

use self::known::Known;
use super::context::{Context, Limits, Offer};
use super::devices;
use crate::backend::Kernels;

/// Root mean square errors that are allowed, in those of sums in `f32`.
const WORST: f64 = 2.0;

/// Why an adapter has no matrices.
const NONE: &str = "the adapter has no cooperative matrices of halves with sums in f32, 8 x 8 or 16 x 16, that \
                    wgpu offers";

/// Cooperative matrices of an adapter: halves times halves, sums in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Matrices {
    /// Rows and columns of all three: 8 or 16.
    pub side: u32,
    /// Threads of a workgroup: those of the largest subgroup.
    pub threads: u32,
}

impl Matrices {
    /// The best ones of an adapter.
    pub fn of(adapter: &::wgpu::Adapter) -> Option<Self> {
        use ::wgpu::CooperativeScalarType::{F16, F32};
        let needed = features();
        if !adapter.features().contains(needed) {
            return None;
        }
        let threads = adapter.get_info().subgroup_max_size;
        let all = adapter.cooperative_matrix_properties();
        let fit = all.iter().filter(|p| (p.ab_type, p.cr_type) == (F16, F32));
        let square = fit.filter(|p| p.m_size == p.n_size && p.m_size == p.k_size);
        let side = square.map(|p| p.m_size).max()?;
        let is = matches!(side, 8 | 16) && (1..=256).contains(&threads);
        is.then_some(Self { side, threads })
    }
}

fn features() -> ::wgpu::Features {
    ::wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | ::wgpu::Features::SHADER_F16
}

/// A device and its queue.
type Opened = std::result::Result<(::wgpu::Device, ::wgpu::Queue), ::wgpu::RequestDeviceError>;

/// Opens a device, where all that helps is asked for with the adapter's matrices, and says which it has.
pub(super) async fn open(
    adapter: &::wgpu::Adapter,
    plain: &::wgpu::DeviceDescriptor<'_>,
    offer: Offer,
) -> (Opened, Option<Matrices>) {
    let found = match offer {
        Offer::All => Matrices::of(adapter),
        Offer::Least => None,
    };
    if let Some(matrices) = found {
        let opened = adapter.request_device(&with_matrices(plain)).await;
        if opened.is_ok() {
            return (opened, Some(matrices));
        }
    }
    (adapter.request_device(plain).await, None)
}

/// The same device with what cooperative matrices need.
fn with_matrices<'a>(plain: &::wgpu::DeviceDescriptor<'a>) -> ::wgpu::DeviceDescriptor<'a> {
    ::wgpu::DeviceDescriptor {
        required_features: plain.required_features | features(),
        // SAFETY: the token says that whoever enables such a feature accepts that wgpu may not yet refuse every
        // misuse of it. Kernels of this program alone use it: they load and store whole matrices inside of
        // their buffers, in uniform control flow, and are computed and compared by the tests of this room.
        experimental_features: unsafe { ::wgpu::ExperimentalFeatures::enabled() },
        ..plain.clone()
    }
}

/// Matrices of a device and whether they passed the test.
pub(super) struct Proof {
    matrices: Matrices,
    /// Why they did not; empty until they are used first.
    verdict: OnceLock<std::result::Result<(), String>>,
}

impl Proof {
    pub fn new(matrices: Matrices) -> Self {
        Self {
            matrices,
            verdict: OnceLock::new(),
        }
    }

    /// Rows and columns of the matrices.
    pub fn side(&self) -> u32 {
        self.matrices.side
    }
}

/// What programs are planned under: with the device's matrices where they may be used. Why not, where
/// they were asked for.
pub(super) fn settle(context: &Context, limits: Limits) -> std::result::Result<Limits, String> {
    let asked = limits.kernels == Kernels::Cooperative;
    let by_default = limits.by_default && devices::is_hardware(&context.info);
    if !(asked || by_default) {
        return Ok(limits);
    }
    let verdict = match &context.proof {
        Some(proof) => {
            let verdict = proof.verdict.get_or_init(|| prove(context, proof.matrices));
            verdict.clone().map(|()| proof.matrices)
        }
        None => Err(NONE.into()),
    };
    match (verdict, asked) {
        (Ok(matrices), _) => Ok(Limits {
            matrices: Some(matrices),
            ..limits
        }),
        (Err(_), false) => Ok(limits),
        (Err(why), true) => Err(format!(
            "{}: --kernels cooperative: {why}; allowed here: portable, tiled",
            context.info.name
        )),
    }
}

/// Multiplies known numbers on a device.
fn prove(context: &Context, matrices: Matrices) -> std::result::Result<(), String> {
    let limits = Limits {
        kernels: Kernels::Cooperative,
        matrices: Some(matrices),
        ..context.limits
    };
    let context = Arc::new(context.with_limits(limits));
    judge(|test| {
        let sums = test.on(&context);
        sums.map_err(|e| format!("the test of its cooperative matrices failed: {e}"))
    })
}

/// Whether sums are as exact as they must be.
fn judge(
    sums: impl Fn(&Known) -> std::result::Result<Vec<f32>, String>,
) -> std::result::Result<(), String> {
    let whole = Known::whole();
    let (found, wanted) = (sums(&whole)?, whole.exactly());
    if let Some((found, wanted)) = (found.iter().zip(&wanted)).find(|(f, w)| f64::from(**f) != **w)
    {
        return Err(format!(
            "its cooperative matrices do not add whole numbers exactly ({found} instead of {wanted})"
        ));
    }
    for test in [Known::long(true), Known::long(false)] {
        let wanted = test.exactly();
        let [own, plain] = [sums(&test)?, test.plainly()].map(|sums| error(&sums, &wanted));
        if own.is_nan() || own > WORST * plain {
            return Err(format!(
                "long sums of its cooperative matrices are {:.1} times as inexact as sums in f32; allowed: \
                 at most {WORST} times",
                own / plain
            ));
        }
    }
    Ok(())
}

/// Root mean square error.
fn error(sums: &[f32], wanted: &[f64]) -> f64 {
    let squares = sums.iter().zip(wanted);
    let squares = squares.map(|(s, w)| (f64::from(*s) - w).powi(2));
    (squares.sum::<f64>() / wanted.len() as f64).sqrt()
}

#[cfg(test)]
mod tests;
