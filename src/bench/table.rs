//! Aligned columns, and numbers with a few digits.

/// The widest cell of every column.
pub(super) fn widths<const N: usize>(head: &[String; N], rows: &[[String; N]]) -> [usize; N] {
    let mut width = head.each_ref().map(|s| s.chars().count());
    for cells in rows {
        for (w, cell) in width.iter_mut().zip(cells) {
            *w = (*w).max(cell.chars().count());
        }
    }
    width
}

/// One line: the first `words` columns to the left, numbers to the right.
pub(super) fn line<const N: usize>(
    cells: &[String; N],
    width: &[usize; N],
    words: usize,
) -> String {
    let mut text = String::new();
    for (i, (cell, w)) in cells.iter().zip(width).enumerate() {
        if i < words {
            text += &format!("{cell:<w$}  ");
        } else {
            text += &format!("{cell:>w$}  ");
        }
    }
    format!("{}\n", text.trim_end())
}

/// A duration with four digits at most.
pub(super) fn seconds(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// A rate with an SI prefix.
pub(super) fn rate(per_second: f64, unit: &str) -> String {
    let (value, prefix) = prefixed(per_second);
    format!("{value:.2} {prefix}{unit}/s")
}

/// A number with an SI prefix.
pub(super) fn amount(n: f64) -> String {
    let (value, prefix) = prefixed(n);
    format!("{value:.2} {prefix}").trim_end().into()
}

fn prefixed(n: f64) -> (f64, &'static str) {
    let (factor, prefix) = match n {
        r if r >= 1e12 => (1e-12, "T"),
        r if r >= 1e9 => (1e-9, "G"),
        r if r >= 1e6 => (1e-6, "M"),
        r if r >= 1e3 => (1e-3, "k"),
        _ => (1.0, ""),
    };
    (n * factor, prefix)
}
