//! Gradients of learned ranges by the rule they state.

use pimento::program::*;

use super::case::*;

const CHW: [usize; 3] = [2, 3, 4];
/// The step: the range is `HI` times it.
const STEP: f32 = 0.125;
const HI: i32 = 7;

/// Signed and unsigned codes, with and without decay, over images and chips; images after the run share its last block.
pub fn gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for lo in [-HI, 0] {
        // About two thirds of the signed values are inside.
        for (decay, inside) in [(0.0, 0.0), (0.25, 0.3), (0.25, 0.97)] {
            for images in [16, 21] {
                let mut case = Case::new(1, 3, 21);
                let n = case.count(CHW, Scope::PerChip);
                let mut values = normals(1, n);
                if lo == 0 {
                    values.iter_mut().for_each(|x| *x = x.max(0.0));
                }
                // At the ends themselves.
                (values[0], values[LANES]) = (HI as f32 * STEP, lo as f32 * STEP);
                let x = case.given(CHW, Scope::PerChip, values);
                let dy = case.given(CHW, Scope::PerChip, normals(2, n));
                add(&mut case, x, dy, lo, (decay, inside), images);
                cases.push(case);
            }
        }
    }
    cases
}

/// Several parts a block.
pub fn large_maps() -> Vec<Case> {
    let cases = [-HI, 0].map(|lo| {
        let mut case = Case::new(1, 2, 40);
        let chw = [5, 16, 16];
        let n = case.count(chw, Scope::PerChip);
        let x = case.given(chw, Scope::PerChip, normals(3, n));
        let dy = case.given(chw, Scope::PerChip, normals(4, n));
        add(&mut case, x, dy, lo, (0.5, 0.1), 40);
        case
    });
    cases.into()
}

/// The operator and what it should give.
fn add(
    case: &mut Case,
    x: TensorId,
    dy: TensorId,
    lo: i32,
    (decay, inside): (f32, f32),
    images: usize,
) {
    let scale = case.shared(&[STEP]);
    let dscale = case.result(1, Scope::Shared);
    case.section(vec![Op::from(RangeGrad {
        x,
        dy,
        quant: ActQuant {
            scale,
            lo,
            hi: HI,
            rounding: Rounding::Nearest,
        },
        decay,
        inside,
        dscale,
    })]);
    case.runs[0].1.images = 0..images;
    let range = f64::from(HI as f32 * STEP);
    let (mut sum, mut magnitude, mut within, mut all) = (0.0, 0.0, 0.0, 0.0);
    for chip in 0..case.chips {
        for image in 0..images {
            let values = case.at(x, chip, image).into_iter();
            for (x, dy) in values.zip(case.at(dy, chip, image)) {
                let above = if x >= range { dy.min(0.0) } else { 0.0 };
                let below = if lo < 0 && x <= -range {
                    dy.max(0.0)
                } else {
                    0.0
                };
                sum += above - below;
                magnitude += (above - below).abs();
                within += f64::from(u8::from(x.abs() < range));
                all += 1.0;
            }
        }
    }
    assert!(magnitude > 0.0);
    let shrinks = within / all > f64::from(inside);
    let decay = if shrinks {
        f64::from(decay) * range
    } else {
        0.0
    };
    let hi = f64::from(HI);
    let want = hi * (sum + decay);
    // Roundings of the result; on an adapter those of sums of up to a few thousand terms.
    case.want(dscale, vec![want], 4.0 * EPS * hi * (magnitude + decay));
    case.apart[0] = 256.0 * ULP * hi * (magnitude + decay);
}
