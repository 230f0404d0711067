//! Crossbars of layers on arrays of cells.

use pimento::program::*;

use super::harness::*;
pub use crate::cases::layers::*;

/// Converters that lose nothing of sums of small integers.
pub fn lossless() -> Adc {
    Adc::with_codes(-2000, 2000)
}

/// The same converters with codes of their own in every other slice.
pub fn differing(adc: Adc, arrays: &Arrays) -> Adc {
    let CodeRange { lo, hi } = adc.codes[0];
    let codes = (0..arrays.slices()).map(|s| CodeRange {
        lo,
        hi: hi - (s as i32 % 2) * (hi / 2),
    });
    Adc {
        codes: codes.collect(),
        ..adc
    }
}

/// What a crossbar may have.
#[derive(Default)]
pub struct Extra {
    pub variance: Option<TensorId>,
    pub adc: Option<TensorId>,
    pub range: Option<TensorId>,
    pub correct: Option<TensorId>,
    pub clipped: Option<TensorId>,
    pub post: Option<Post>,
}

impl Layer {
    /// One range for all converters.
    pub fn range(&self, case: &mut Case, lsb: f32, lo: f32) -> TensorId {
        let n = self.spec.arrays.read_planes() * self.spec.arrays.cols;
        case.made(2 * n, Scope::Shared, |_, _| [lsb, lo].repeat(n))
    }

    /// The crossbar without epilogue; `more` may add to it.
    pub fn crossbar(&self, case: &mut Case, more: impl FnOnce(&mut Case, &mut Extra)) -> Op {
        let mut extra = Extra::default();
        more(case, &mut extra);
        let map = [self.geo.c_out, self.geo.h_out(), self.geo.w_out()];
        Op::from(Crossbar {
            x: self.x,
            x_step: self.x_step,
            g: self.g,
            variance: extra.variance,
            w_step: self.w_step,
            adc: extra.adc,
            range: extra.range,
            correct: extra.correct,
            y: case.output(map, Scope::PerChip),
            clipped: extra.clipped,
            slope: None,
            geo: self.geo,
            post: extra.post.unwrap_or(Post::NONE),
            spec: self.spec.clone(),
        })
    }
}
