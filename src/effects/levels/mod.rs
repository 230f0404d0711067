//! Levels: the target conductance of a digit, where every effect on a cell begins. Equal steps between
//! `g_min` and `G_max`,
//!
//! ```text
//! g(v) = g_min + (1 - g_min) v / top                                                    (C1)
//! ```
//!
//! or the values of a table, digit 0 first. Half digits lie half-way.

/// Target of a digit in `f64`; `top` is the highest digit.
pub fn exact(table: Option<&[f32]>, g_min: f32, top: u32, digit: f64) -> f64 {
    match table {
        Some(table) => {
            let (below, above) = (digit.floor() as usize, digit.ceil() as usize);
            0.5 * (f64::from(table[below]) + f64::from(table[above]))
        }
        None => {
            let g_min = f64::from(g_min);
            g_min + (1.0 - g_min) * digit / f64::from(top)
        }
    }
}

/// Target of a digit by (C1) in `f32`.
pub fn even(g_min: f32, top: u32) -> impl Fn(f32) -> f32 {
    let span = (1.0 - g_min) / top as f32;
    move |digit| g_min + span * digit
}

/// Target of a digit by a table in `f32`.
pub fn by_table(table: &[f32], digit: f32) -> f32 {
    let below = digit as usize;
    0.5 * (table[below] + table[below + usize::from(digit.fract() > 0.0)])
}
