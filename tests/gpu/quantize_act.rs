use pimento::program::*;

use super::harness::*;

/// Steps are powers of two, so that quotients, codes and masks are exact on both sides.
const STEPS: [f32; 3] = [0.125, 0.0, -1.0];

fn quant(scale: TensorId, lo: i32, hi: i32, rounding: Rounding) -> ActQuant {
    ActQuant {
        scale,
        lo,
        hi,
        rounding,
    }
}

#[test]
fn quantized_maps_match_cpu() {
    for step in STEPS {
        for rounding in [Rounding::Nearest, Rounding::Floor] {
            for (lo, hi) in [(0, 6), (-5, 5)] {
                let mut case = Case::new();
                let x = case.input([3, 2, 5], Scope::Shared);
                let scale = case.state_of(1, Scope::Shared, |_, _| vec![step]);
                let y = case.output([3, 2, 5], Scope::PerChip);
                let quant = quant(scale, lo, hi, rounding);
                case.section(vec![Op::from(QuantizeAct { x, y, quant })]);
                case.compare("quantize_act", 0.0);
            }
        }
    }
}

#[test]
fn gradients_match_cpu() {
    for step in STEPS {
        for (scope, rounding) in [
            (Scope::Shared, Rounding::Nearest),
            (Scope::PerChip, Rounding::Floor),
        ] {
            for ste in [StraightThrough::Identity, StraightThrough::Clip] {
                for learned in [false, true] {
                    let mut case = Case::new();
                    // Two parts a block.
                    let chw = [5, 16, 16];
                    let x = case.input(chw, scope);
                    let dy = case.input(chw, scope);
                    let scale = case.state_of(1, Scope::Shared, |_, _| vec![step]);
                    let dx = case.output(chw, scope);
                    let dscale = learned.then(|| case.result(1, Scope::Shared));
                    case.section(vec![Op::from(QuantizeActGrad {
                        x,
                        dy,
                        dx,
                        dscale,
                        quant: quant(scale, -5, 6, rounding),
                        ste,
                    })]);
                    // Masks are exact. The sum of products has magnitudes of up to 7e4 together and
                    // is multiplied by 1/sqrt(1280 * 6).
                    case.compare("quantize_act_grad", 7e4 * EPS / (1280f32 * 6.0).sqrt());
                }
            }
        }
    }
}

#[test]
fn largest_magnitude_counts_real_images_of_all_chips() {
    for scope in [Scope::Shared, Scope::PerChip] {
        let mut case = Case::new();
        let x = case.input([5, 16, 16], scope);
        let out = case.result(1, Scope::Shared);
        case.section(vec![Op::from(MaxAbs {
            x,
            out,
            divisor: 7.0,
        })]);
        // One division.
        case.compare("max_abs", 4.0 * EPS);
    }
}

#[test]
fn lanes_without_an_image_do_not_count() {
    let mut case = Case::new();
    // The largest values are in the images after the run's last one, in the same block.
    let x = case.input_of([2, 1, 1], Scope::Shared, |n, _| {
        (0..n).map(|i| i as f32).collect()
    });
    let out = case.result(1, Scope::Shared);
    let mean = case.result(2, Scope::Shared);
    let var = case.result(2, Scope::Shared);
    case.section(vec![
        Op::from(MaxAbs {
            x,
            out,
            divisor: 1.0,
        }),
        Op::from(BatchNormStats { x, mean, var }),
    ]);
    case.runs[0].1.images = 16..21;
    // Integers and their mean; the variance is 8.
    case.compare("real images", 16.0 * EPS);
}
