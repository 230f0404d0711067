//! Joins the pieces of a kernel: generated constants, the shared files it names, and its own
//! text; and finds the way back from a line of the whole to a line of a file.
//!
//! A file in `shaders/` begins with lines `//!include shared/<piece>.wgsl`. Shared pieces may
//! include others; each is taken once.

use std::fmt::Write;

use super::dispatch::Const;
use crate::error::{Error, Result};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../shaders/", $path)))),*]
    };
}

/// Every WGSL file of the program.
pub(super) const FILES: &[(&str, &str)] = files![
    "activation_grad.wgsl",
    "adam.wgsl",
    "add.wgsl",
    "avg_pool.wgsl",
    "avg_pool_grad.wgsl",
    "batch_norm_fold.wgsl",
    "batch_norm_grad.wgsl",
    "batch_norm_grad_sums.wgsl",
    "batch_norm_stats.wgsl",
    "binarize_act.wgsl",
    "binarize_act_grad.wgsl",
    "channel_sum.wgsl",
    "collapse_planes.wgsl",
    "combine.wgsl",
    "conv2d.wgsl",
    "conv2d_grad_input.wgsl",
    "conv2d_grad_weight.wgsl",
    "conv2d_pack.wgsl",
    "converter_fold.wgsl",
    "crossbar.wgsl",
    "crossbar_bits.wgsl",
    "crossbar_codes.wgsl",
    "crossbar_count.wgsl",
    "crossbar_fields.wgsl",
    "crossbar_fields_pack.wgsl",
    "crossbar_pack.wgsl",
    "crossbar_planes.wgsl",
    "crossbar_post.wgsl",
    "fabricate.wgsl",
    "fabricate_grad.wgsl",
    "fabricate_reference.wgsl",
    "histogram.wgsl",
    "histogram_count.wgsl",
    "ir_drop.wgsl",
    "ir_drop_halves.wgsl",
    "ir_drop_separate.wgsl",
    "lerp.wgsl",
    "max_abs.wgsl",
    "max_pool.wgsl",
    "max_pool_grad.wgsl",
    "multiply.wgsl",
    "partial_sums.wgsl",
    "peak_copy.wgsl",
    "peak_fma.wgsl",
    "pointwise.wgsl",
    "program_cells.wgsl",
    "program_cells_reference.wgsl",
    "quantize_act.wgsl",
    "quantize_act_grad.wgsl",
    "quantize_weight.wgsl",
    "quantize_weight_grad.wgsl",
    "rearrange.wgsl",
    "sgd.wgsl",
    "shared/activation.wgsl",
    "shared/adc.wgsl",
    "shared/bits.wgsl",
    "shared/cell.wgsl",
    "shared/conv.wgsl",
    "shared/conversion.wgsl",
    "shared/crossbar.wgsl",
    "shared/digits.wgsl",
    "shared/draws.wgsl",
    "shared/fields.wgsl",
    "shared/half.wgsl",
    "shared/line.wgsl",
    "shared/normal.wgsl",
    "shared/ones.wgsl",
    "shared/pool.wgsl",
    "shared/positive.wgsl",
    "shared/post.wgsl",
    "shared/programming.wgsl",
    "shared/quantize.wgsl",
    "shared/random.wgsl",
    "shared/reading.wgsl",
    "shared/reduce.wgsl",
    "shared/run.wgsl",
    "shared/tile.wgsl",
    "shared/weight_scale.wgsl",
    "shared/words.wgsl",
    "softmax.wgsl",
    "softmax_xent.wgsl",
    "sum_partials.wgsl",
    "tally.wgsl",
    "variance_ratio.wgsl",
    "weight_scale_choose.wgsl",
    "weight_scale_errors.wgsl",
    "weight_scale_histogram.wgsl",
    "weight_scale_next.wgsl",
    "weight_scale_pick.wgsl",
    "weight_scale_stats.wgsl",
    "zero.wgsl",
];

/// The first lines of a file that pull in another one.
const INCLUDE: &str = "//!include ";

/// The whole text of a kernel and where its lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// WGSL.
    pub text: String,
    /// Name under which messages speak of `text`.
    label: String,
    /// File and line (from 1) of every line of `text`.
    lines: Vec<(&'static str, usize)>,
}

/// The constants as WGSL.
pub(super) fn prelude(consts: &[(&'static str, Const)]) -> String {
    let mut text = String::new();
    for (name, value) in consts {
        // Writing to a String cannot fail.
        let _ = match value {
            Const::U32(v) => writeln!(text, "const {name}: u32 = {v}u;"),
            Const::I32(v) => writeln!(text, "const {name}: i32 = {v};"),
            Const::F32(v) => writeln!(text, "const {name}: f32 = {v:?}f;"),
            Const::Bool(v) => writeln!(text, "const {name}: bool = {v};"),
        };
    }
    text
}

/// Joins `shaders/<shader>.wgsl`, what it includes, and the prelude.
pub(super) fn compose(shader: &str, prelude: &str) -> Result<Source> {
    let mut source = Source {
        text: String::new(),
        label: shader.to_owned(),
        lines: Vec::new(),
    };
    source.append("(constants)", prelude);
    let mut taken = Vec::new();
    include(&mut source, &mut taken, &format!("{shader}.wgsl"))?;
    Ok(source)
}

fn include(source: &mut Source, taken: &mut Vec<&'static str>, path: &str) -> Result<()> {
    let Some((path, text)) = FILES.iter().find(|(name, _)| *name == path) else {
        return Err(Error::Internal(format!("no shader file {path}")));
    };
    if taken.contains(path) {
        return Ok(());
    }
    taken.push(path);
    for line in text.lines().take_while(|line| line.starts_with(INCLUDE)) {
        include(source, taken, line[INCLUDE.len()..].trim())?;
    }
    source.append(path, text);
    Ok(())
}

impl Source {
    fn append(&mut self, file: &'static str, text: &str) {
        for (i, line) in text.lines().enumerate() {
            self.text.push_str(line);
            self.text.push('\n');
            self.lines.push((file, i + 1));
        }
    }

    /// `shaders/<file>:<line>` of a line of the whole text, counted from 1.
    pub fn origin(&self, line: usize) -> String {
        match line.checked_sub(1).and_then(|i| self.lines.get(i)) {
            Some((file, line)) => format!("shaders/{file}:{line}"),
            None => format!("{}:{line}", self.label),
        }
    }

    /// Replaces every `<label>:<line>:` of a compiler's message by the file and line.
    pub fn locate(&self, message: &str) -> String {
        let mark = format!("{}:", self.label);
        let mut out = String::new();
        let mut rest = message;
        while let Some(at) = rest.find(&mark) {
            let (before, after) = (&rest[..at], &rest[at + mark.len()..]);
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            out.push_str(before);
            match after[..digits].parse() {
                Ok(line) if after[digits..].starts_with(':') => out.push_str(&self.origin(line)),
                _ => {
                    out.push_str(&mark);
                    out.push_str(&after[..digits]);
                }
            }
            rest = &after[digits..];
        }
        out.push_str(rest);
        out
    }
}
