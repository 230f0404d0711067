//! What variation does to one matrix-vector product, and what tuning leaves of it: the second
//! moments of docs/MODEL.md 4 and 6 for the ideal mapping.
//!
//! With `y_j = sum_i w_ij x_i`, `S = sum_i x_i`, `eps_B ~ N(0, s_B^2)`, `eps_W ~ N(0, s_W^2)`:
//!
//! ```text
//! proportional  y'_j = (1 + eps_B) y_j + n_j            Var n_j = s_W^2 sum_i w_ij^2 x_i^2
//! fixed         y'_j = y_j + eps_B w_max S + n_j        Var n_j = s_W^2 w_max^2 ||x||^2
//! ```
//! Tuned with the mean of `N` test cells, `eps_hat = eps_B + N(0, s_W^2/N)`:
//!
//! ```text
//! proportional  E err^2 = s_W^2 (sum w^2 x^2 + y^2/N) (1 + 3 s_B^2 + ..)    from 1/(1 + eps_hat)
//! fixed         E err^2 = w_max^2 s_W^2 (||x||^2 + S^2/N)
//! ref. columns  E err^2 = w_max^2 s_W^2 ||x||^2 (1 + 1/K)                   (fixed law, K columns)
//! ```
//! A column of weights `w_ref` shows `c/(w_ref S) = 1 + eps_B + n`, the mean of `K` columns with
//! `Var n = s_W^2 ||x||^2/(S^2 K)`: least with `R` equal inputs, `s_W^2/(R K)`, which is `R K` test cells.

use crate::program::Law;

/// One output of a matrix-vector product: a column of weights and the inputs it sees.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// Weights of the column.
    pub w: &'a [f64],
    /// Inputs.
    pub x: &'a [f64],
    /// Largest weight the layer can represent.
    pub w_max: f64,
    /// Variance law.
    pub law: Law,
}

impl Product<'_> {
    /// The nominal output `y`.
    pub fn output(&self) -> f64 {
        self.w.iter().zip(self.x).map(|(w, x)| w * x).sum()
    }

    /// What the common deviation multiplies: `y`, or `w_max S`.
    pub fn common(&self) -> f64 {
        match self.law {
            Law::WeightProportional => self.output(),
            Law::LayerFixed => self.w_max * self.x.iter().sum::<f64>(),
        }
    }

    /// `Var n_j` for `s_W = 1`: `sum w^2 x^2`, or `w_max^2 ||x||^2`.
    pub fn within(&self) -> f64 {
        let square = |(w, x): (&f64, &f64)| match self.law {
            Law::WeightProportional => w * w * x * x,
            Law::LayerFixed => self.w_max * self.w_max * x * x,
        };
        self.w.iter().zip(self.x).map(square).sum()
    }

    /// `E (y' - y)^2` without tuning.
    pub fn error_power(&self, sigma_w: f64, sigma_b: f64) -> f64 {
        sigma_b * sigma_b * self.common().powi(2) + sigma_w * sigma_w * self.within()
    }

    /// `Cov(n_j(x), n_j(other))` for `s_W = 1`: the error is static, so outputs of one column err
    /// together as far as their inputs overlap.
    pub fn covariance(&self, other: &[f64]) -> f64 {
        let term = |((w, x), o): ((&f64, &f64), &f64)| match self.law {
            Law::WeightProportional => w * w * x * o,
            Law::LayerFixed => self.w_max * self.w_max * x * o,
        };
        self.w.iter().zip(self.x).zip(other).map(term).sum()
    }

    /// `E (y_hat - y)^2` after tuning with the mean of `cells` test cells; to second order in
    /// `s_B` for the proportional law (1 to 6 % off at 0.1, 20 % at 0.2, heavy-tailed beyond).
    pub fn residual_power(&self, sigma_w: f64, sigma_b: f64, cells: usize) -> f64 {
        let power = self.within() + self.common().powi(2) / cells as f64;
        let growth = match self.law {
            Law::WeightProportional => 1.0 + 3.0 * sigma_b * sigma_b,
            Law::LayerFixed => 1.0,
        };
        sigma_w * sigma_w * power * growth
    }

    /// `E (y_hat - y)^2` after subtracting the mean of `columns` nominal-zero columns; under the
    /// proportional law such columns read nothing and correct nothing.
    pub fn reference_residual(&self, sigma_w: f64, sigma_b: f64, columns: u32) -> f64 {
        match self.law {
            Law::WeightProportional => self.error_power(sigma_w, sigma_b),
            Law::LayerFixed => sigma_w * sigma_w * self.within() * (1.0 + 1.0 / f64::from(columns)),
        }
    }
}

/// Variance of what the mean of `columns` columns at a known level, driven by `x`, shows of a proportional
/// deviation, around `eps_B`.
pub fn level_columns_variance(x: &[f64], sigma_w: f64, columns: u32) -> f64 {
    let sum: f64 = x.iter().sum();
    let square: f64 = x.iter().map(|x| x * x).sum();
    sigma_w * sigma_w * square / (sum * sum * f64::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::closed_form;
    use crate::program::{Deviate, Fabrication, Mapping};
    use crate::random::{Purpose, Stream};

    const ROWS: usize = 48;
    const CHIPS: u32 = 6000;
    const SEED: u64 = 77;
    /// Standard errors a statistic may be off.
    const Z: f64 = 6.0;

    fn normal(purpose: Purpose, chip: u32, address: u32) -> f64 {
        f64::from(Stream::new(SEED, purpose, 0, 0, chip).normal(address))
    }

    /// Weights of one column, and two inputs after a rectifier that overlap.
    fn data() -> (Vec<f32>, [Vec<f64>; 2]) {
        let w = (0..ROWS as u32).map(|i| (0.3 * normal(Purpose::Init, 0, i)) as f32);
        let w = w.map(|w| w.clamp(-1.0, 1.0)).collect();
        let x = |k| {
            (0..ROWS as u32)
                .map(|i| normal(Purpose::Init, k, i).max(0.0))
                .collect()
        };
        (w, [x(1), x(2)])
    }

    /// Outputs for both inputs of every chip, `tuned` giving gain and offset from eps_B.
    fn simulate(
        law: Law,
        sigma_w: f64,
        sigma_b: f64,
        reference_columns: u32,
        tuned: impl Fn(u32, f64) -> [f64; 2],
    ) -> Vec<[f64; 2]> {
        let (w, x) = data();
        let spec = Fabrication {
            law,
            mapping: Mapping::Ideal,
            deviate: Deviate::Gaussian,
            sigma_w: sigma_w as f32,
            profile: None,
            reference_columns,
            layer: 0,
            cols: 1,
            rows: ROWS,
        };
        (0..CHIPS)
            .map(|index| {
                let e = sigma_b * normal(Purpose::ChipCommon, index, 0);
                let [gain, offset] = tuned(index, e);
                let chip = closed_form::Chip {
                    seed: SEED,
                    flags: 0,
                    index,
                    e,
                    gain,
                    offset,
                };
                let effective = closed_form::fabricate(&w, &[1.0], &spec, chip);
                [0, 1].map(|k| effective.iter().zip(&x[k]).map(|(w, x)| w * x).sum())
            })
            .collect()
    }

    /// Mean of `values` and its standard error.
    fn mean(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let n = f64::from(CHIPS);
        let mean = values.clone().sum::<f64>() / n;
        let var = values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (var / n).sqrt())
    }

    fn check(name: &str, (found, se): (f64, f64), want: f64, model: f64) {
        let bar = Z * se + model * want.abs();
        assert!(
            (found - want).abs() < bar,
            "{name}: {found} for {want}, s.e. {se}"
        );
    }

    fn products<R>(law: Law, f: impl Fn([Product; 2]) -> R) -> R {
        let (w, x) = data();
        let w: Vec<f64> = w.iter().map(|&w| f64::from(w)).collect();
        f([0, 1].map(|k| Product {
            w: &w,
            x: &x[k],
            w_max: 1.0,
            law,
        }))
    }

    #[test]
    fn error_power_and_covariance_without_tuning() {
        for law in [Law::WeightProportional, Law::LayerFixed] {
            for (sigma_w, sigma_b) in [(0.2, 0.0), (0.2, 0.1), (0.0, 0.1)] {
                let outputs = simulate(law, sigma_w, sigma_b, 0, |_, _| [1.0, 0.0]);
                products(law, |[a, b]| {
                    let (ya, yb) = (a.output(), b.output());
                    let power = mean(outputs.iter().map(|y| (y[0] - ya).powi(2)));
                    check("power", power, a.error_power(sigma_w, sigma_b), 1e-9);
                    let joint = mean(outputs.iter().map(|y| (y[0] - ya) * (y[1] - yb)));
                    let want = sigma_b * sigma_b * a.common() * b.common()
                        + sigma_w * sigma_w * a.covariance(b.x);
                    check("covariance", joint, want, 1e-9);
                });
            }
        }
    }

    #[test]
    fn residual_after_tuning_with_test_cells() {
        let (sigma_w, sigma_b) = (0.2, 0.1);
        for (law, model) in [
            // The expansion in sigma_B stops after its first term.
            (Law::WeightProportional, 0.06),
            (Law::LayerFixed, 0.0),
        ] {
            for cells in [4usize, 64] {
                let outputs = simulate(law, sigma_w, sigma_b, 0, |chip, e| {
                    let mean: f64 = (0..cells as u32)
                        .map(|i| sigma_w * normal(Purpose::TestCell, chip, i))
                        .sum::<f64>()
                        / cells as f64;
                    match law {
                        Law::WeightProportional => [1.0 / (1.0 + e + mean).max(0.1), 0.0],
                        Law::LayerFixed => [1.0, e + mean],
                    }
                });
                products(law, |[a, _]| {
                    let y = a.output();
                    let power = mean(outputs.iter().map(|o| (o[0] - y).powi(2)));
                    check(
                        "residual",
                        power,
                        a.residual_power(sigma_w, sigma_b, cells),
                        model,
                    );
                });
            }
        }
    }

    #[test]
    fn residual_after_reference_columns() {
        let (sigma_w, sigma_b) = (0.1, 0.3);
        for law in [Law::WeightProportional, Law::LayerFixed] {
            for columns in [1, 4] {
                let outputs = simulate(law, sigma_w, sigma_b, columns, |_, _| [1.0, 0.0]);
                products(law, |[a, _]| {
                    let y = a.output();
                    let power = mean(outputs.iter().map(|o| (o[0] - y).powi(2)));
                    let want = a.reference_residual(sigma_w, sigma_b, columns);
                    check("residual", power, want, 1e-9);
                });
            }
        }
    }

    #[test]
    fn columns_at_a_known_level_show_the_gain() {
        let (sigma_w, columns) = (0.2, 3u32);
        let (_, [mut x, _]) = data();
        for equal in [false, true] {
            if equal {
                x.fill(2.0);
            }
            let sum: f64 = x.iter().sum();
            let shown = (0..CHIPS).map(|chip| {
                let column = |j: u32| -> f64 {
                    let cell =
                        |k| sigma_w * normal(Purpose::ReferenceColumn, chip, j * ROWS as u32 + k);
                    (0..ROWS as u32).map(|k| cell(k) * x[k as usize]).sum()
                };
                (0..columns).map(column).sum::<f64>() / (f64::from(columns) * sum)
            });
            let shown: Vec<f64> = shown.collect();
            let want = level_columns_variance(&x, sigma_w, columns);
            check(
                "level columns",
                mean(shown.iter().map(|n| n * n)),
                want,
                1e-9,
            );
            if equal {
                let cells = f64::from(columns) * ROWS as f64;
                assert!((want - sigma_w * sigma_w / cells).abs() < 1e-15);
            }
        }
    }
}
