//! Kernels whose loops grow say how far they go.

use crate::backend::wgpu::dispatch::Dispatch;

/// Kernels whose loops do not grow with their operands: over four values, the rows of a word, the values
/// or bins of a part.
const SHORT: &[&str] = &[
    "conv2d_pack",
    "crossbar_bits",
    "crossbar_fields_pack",
    "crossbar_pack",
    "crossbar_planes",
    "histogram_count",
    "max_abs",
    "quantize_act_grad",
    "quantize_weight_grad",
    "range_grad",
    "weight_scale_errors",
    "weight_scale_histogram",
    "weight_scale_next",
    "weight_scale_pick",
    "weight_scale_stats",
];

/// A kernel that may go many rounds says how many ([`Dispatch::rounds`]).
pub(super) fn check(dispatch: &Dispatch, module: &naga::Module) {
    fn loops(block: &naga::Block, module: &naga::Module) -> bool {
        use naga::Statement as S;
        block.iter().any(|statement| match statement {
            S::Loop { .. } => true,
            S::Block(b) => loops(b, module),
            S::If { accept, reject, .. } => loops(accept, module) || loops(reject, module),
            S::Switch { cases, .. } => cases.iter().any(|c| loops(&c.body, module)),
            S::Call { function, .. } => loops(&module.functions[*function].body, module),
            _ => false,
        })
    }
    let mut entries = module.entry_points.iter();
    let entry = entries.find(|e| e.name == dispatch.entry);
    let repeats = entry.is_some_and(|e| loops(&e.function.body, module));
    let said = dispatch.rounds > 0 || SHORT.contains(&dispatch.shader);
    assert!(
        !repeats || said,
        "{}: loops, but does not say how many rounds they go",
        dispatch.shader
    );
}
