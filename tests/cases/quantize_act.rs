//! Quantized maps and their gradients.

use pimento::program::*;

use super::case::*;

const CHW: [usize; 3] = [3, 2, 4];

/// Codes of a quantizer.
#[derive(Clone, Copy)]
struct Codes {
    lo: i32,
    hi: i32,
    rounding: Rounding,
}

const CODES: [Codes; 4] = [
    codes_of(0, 15, Rounding::Nearest),
    codes_of(-7, 7, Rounding::Nearest),
    codes_of(-7, 7, Rounding::Floor),
    codes_of(0, 3, Rounding::Floor),
];

const fn codes_of(lo: i32, hi: i32, rounding: Rounding) -> Codes {
    Codes { lo, hi, rounding }
}

/// A step that is a power of two, so that quotients, codes and masks are exact on every backend; without
/// a step.
const STEPS: [f32; 3] = [0.125, 0.0, -1.0];

impl Codes {
    fn quant(self, scale: TensorId) -> ActQuant {
        ActQuant {
            scale,
            lo: self.lo,
            hi: self.hi,
            rounding: self.rounding,
        }
    }

    fn code(self, v: f64) -> f64 {
        let r = match self.rounding {
            Rounding::Nearest => v.round_ties_even(),
            Rounding::Floor => v.floor(),
        };
        r.clamp(self.lo.into(), self.hi.into())
    }

    /// A value in steps of `d`, divided as the operators do.
    fn quantized(self, x: f64, d: f32) -> f64 {
        match d > 0.0 {
            true => f64::from(d) * self.code(x / f64::from(d)),
            false => 0.0,
        }
    }
}

fn quantized(mut case: Case, x: TensorId, codes: Codes, d: f32) -> Case {
    let shape = case.program.desc(x).shape;
    let scale = case.shared(&[d]);
    let y = case.result(shape, Scope::PerChip);
    case.section(vec![Op::from(QuantizeAct {
        x,
        y,
        quant: codes.quant(scale),
    })]);
    let want = case.each(Scope::PerChip, |chip, image| {
        let x = case.at(x, chip, image).into_iter();
        x.map(|x| codes.quantized(x, d)).collect()
    });
    case.want(y, want, 0.0);
    case
}

pub fn codes() -> Vec<Case> {
    let mut cases = Vec::new();
    for codes in CODES {
        for d in STEPS {
            let mut case = Case::new(1, 2, 21);
            let values = normals(1, case.count(CHW, Scope::PerChip));
            let x = case.given(CHW, Scope::PerChip, values);
            cases.push(quantized(case, x, codes, d));
        }
        let mut case = Case::new(1, 2, 21);
        let ties = [0.5f32, 1.5, 2.5, -0.5].repeat(2 * 21 * 6);
        let x = case.given(CHW, Scope::PerChip, ties);
        cases.push(quantized(case, x, codes, 1.0));
    }
    for d in STEPS {
        for rounding in [Rounding::Nearest, Rounding::Floor] {
            for (lo, hi) in [(0, 6), (-5, 5)] {
                let mut case = wave(1);
                let x = case.drawn([3, 2, 5], Scope::Shared, Rng::coarse);
                cases.push(quantized(case, x, codes_of(lo, hi, rounding), d));
            }
        }
    }
    cases
}

/// The gradient's operands, and the slope of the stated surrogate.
struct Gradient {
    x: TensorId,
    dy: TensorId,
    codes: Codes,
    d: f32,
    ste: StraightThrough,
}

impl Gradient {
    fn inside(&self, x: f64) -> bool {
        // Without a step only zeros are inside.
        match self.d > 0.0 {
            true => {
                let v = x / f64::from(self.d);
                v >= self.codes.lo.into() && v <= self.codes.hi.into()
            }
            false => x == 0.0,
        }
    }

    /// Wants the input's gradient and, where it is learned, the step's.
    fn want(&self, mut case: Case, learned: bool) -> Case {
        let desc = case.program.desc(self.x);
        let (shape, scope) = (desc.shape, desc.scope);
        let scale = case.shared(&[self.d]);
        let dx = case.result(shape, scope);
        let dscale = learned.then(|| case.result(1, Scope::Shared));
        let &Self { x, dy, ste, .. } = self;
        case.section(vec![Op::from(QuantizeActGrad {
            x,
            dy,
            dx,
            dscale,
            quant: self.codes.quant(scale),
            ste,
        })]);
        let mut sum = 0.0;
        let want = case.each(scope, |chip, image| {
            let (x, dy) = (case.at(x, chip, image), case.at(dy, chip, image));
            let values = x.iter().zip(&dy).map(|(&x, &dy)| {
                let inside = self.inside(x);
                if self.d > 0.0 {
                    let v = x / f64::from(self.d);
                    sum += dy * (self.codes.code(v) - if inside { v } else { 0.0 });
                }
                match inside || (ste == StraightThrough::Identity) {
                    true => dy,
                    false => 0.0,
                }
            });
            values.collect()
        });
        let n = shape.len() as f64;
        case.want(dx, want, 0.0);
        if let Some(dscale) = dscale {
            let step = sum / (n * f64::from(self.codes.hi)).sqrt();
            // v is exact (d is a power of two), the slope rounds once: 1000 terms of codes.
            let limit = 4.0 * EPS * step.abs() + n / 24.0 * 1000.0 * EPS;
            case.want(dscale, vec![step], if self.d > 0.0 { limit } else { 0.0 });
        }
        case
    }
}

/// Straight-through gradients are the stated surrogates; the step's gradient does not change the
/// input's.
pub fn gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for ste in [StraightThrough::Identity, StraightThrough::Clip] {
        for (d, learned) in STEPS.into_iter().flat_map(|d| [(d, false), (d, true)]) {
            for codes in CODES {
                let mut case = Case::new(1, 2, 21);
                let n = case.count(CHW, Scope::PerChip);
                let mut values = normals(1, n);
                values.iter_mut().step_by(3).for_each(|x| {
                    *x = if d > 0.0 { *x } else { 0.0 };
                });
                let x = case.given(CHW, Scope::PerChip, values);
                let dy = case.given(CHW, Scope::PerChip, normals(2, n));
                let g = Gradient {
                    x,
                    dy,
                    codes,
                    d,
                    ste,
                };
                let mut case = g.want(case, learned);
                // The sum of products has magnitudes of up to 1e4 together.
                case.apart[0] = 1e4 * ULP / (24.0 * f64::from(codes.hi)).sqrt();
                cases.push(case);
            }
            // Two parts a block.
            for (scope, rounding) in [
                (Scope::Shared, Rounding::Nearest),
                (Scope::PerChip, Rounding::Floor),
            ] {
                let mut case = wave(1);
                let chw = [5, 16, 16];
                let x = case.drawn(chw, scope, Rng::coarse);
                let dy = case.drawn(chw, scope, Rng::coarse);
                let codes = codes_of(-5, 6, rounding);
                let g = Gradient {
                    x,
                    dy,
                    codes,
                    d,
                    ste,
                };
                let mut case = g.want(case, learned);
                // Masks are exact. The sum of products has magnitudes of up to 7e4 together and is
                // multiplied by 1/sqrt(1280 * 6).
                case.apart[0] = 7e4 * ULP / (1280f64 * 6.0).sqrt();
                cases.push(case);
            }
        }
    }
    cases
}

/// The largest value sets a step chosen from it: it is inside, however the step was rounded.
pub fn largest_values() -> Vec<Case> {
    let mut above = 0;
    let mut cases = Vec::new();
    for codes in CODES {
        for seed in 0..40 {
            let most = normals(100 + seed, 1)[0].abs() + 1e-3;
            let d = most / codes.hi as f32;
            above += usize::from(most / d > codes.hi as f32);
            let mut case = Case::new(1, 2, 1);
            let n = case.count(CHW, Scope::PerChip);
            let mut values = vec![0.5 * most; n];
            (values[0], values[1], values[2]) = (most, 1.001 * most, -most);
            let dy0 = normals(2, n);
            let x = case.given(CHW, Scope::PerChip, values);
            let dy = case.given(CHW, Scope::PerChip, dy0.clone());
            let scale = case.shared(&[d]);
            let dx = case.result(CHW, Scope::PerChip);
            case.section(vec![Op::from(QuantizeActGrad {
                x,
                dy,
                dx,
                dscale: None,
                quant: codes.quant(scale),
                ste: StraightThrough::Clip,
            })]);
            let mut want = wide(&dy0);
            want[1] = 0.0;
            if codes.lo == 0 {
                want[2] = 0.0;
            }
            case.want(dx, want, 0.0);
            cases.push(case);
        }
    }
    assert!(above > 0, "no quotient rounds above the highest code");
    cases
}

/// Images after the run share its last block and must not count.
pub fn real_images() -> Vec<Case> {
    let cases = [5, 21].map(|capacity| {
        let mut case = Case::new(1, 1, capacity);
        let n = case.count(CHW, Scope::Shared);
        let x = case.given(CHW, Scope::Shared, normals(1, n));
        let dy = case.given(CHW, Scope::Shared, normals(2, n));
        let scale = case.shared(&[0.125]);
        let dx = case.result(CHW, Scope::Shared);
        let dscale = case.result(1, Scope::Shared);
        let codes = CODES[0];
        case.section(vec![Op::from(QuantizeActGrad {
            x,
            dy,
            dx,
            dscale: Some(dscale),
            quant: codes.quant(scale),
            ste: StraightThrough::Clip,
        })]);
        case.runs[0].1.images = 0..5;
        let mut sum = 0.0;
        for image in 0..5 {
            for (x, dy) in case.at(x, 0, image).iter().zip(case.at(dy, 0, image)) {
                let v = 8.0 * x;
                let inside = (0.0..=15.0).contains(&v);
                sum += dy * (codes.code(v) - if inside { v } else { 0.0 });
            }
        }
        let want = sum / (24.0f64 * 15.0).sqrt();
        // 120 terms of codes.
        case.want(dscale, vec![want], 4.0 * EPS * want.abs() + 120.0 * EPS);
        case.apart[0] = 120.0 * ULP;
        case
    });
    cases.into()
}
