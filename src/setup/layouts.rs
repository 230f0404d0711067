//! Where the cells of a trained network lie in their arrays.

use crate::chip::cell_form;
use crate::chip::layer::CellLayer;
use crate::config::LayerSettings;
use crate::error::Result;
use crate::mapping::layout::Layout;
use crate::network::state::Part;
use crate::network::{Graph, Parameters};
use crate::program::Arrays;
use crate::quantize::weight;

/// Puts the cells of layers where the weights say, where the settings of the crossbar layers ask for a layout.
///
/// # Errors
/// A weight or a step is missing.
pub fn lay_out(
    layers: &mut [CellLayer],
    settings: &[LayerSettings],
    (graph, parameters): (&Graph, &Parameters),
) -> Result<()> {
    let crossbars = graph.crossbars();
    for layer in layers {
        let size = &settings[layer.index()].chip.array;
        if size.lays_out() {
            let (node, geo, _) = crossbars[layer.index()];
            let arrays = &layer.programming.arrays;
            let codes = codes(parameters, &graph.nodes[node].name, arrays)?;
            let layout = Layout::new(arrays, size, geo.groups, &codes);
            layer.lay(Some(layout));
        }
    }
    Ok(())
}

/// Codes that the arrays of a layer hold, `[column][row]`.
///
/// # Errors
/// The weight or its step is missing.
pub fn codes(parameters: &Parameters, layer: &str, arrays: &Arrays) -> Result<Vec<i32>> {
    let (quantized, steps) = quantized(parameters, layer, arrays)?;
    let codes = cell_form::codes(&quantized, steps, arrays.rows).into_iter();
    let equal = arrays.equal_slices as i32;
    Ok(codes.map(|q| equal * q).collect())
}

/// The quantized weight of a layer, and its steps.
///
/// # Errors
/// One of them is missing.
pub fn quantized<'p>(
    parameters: &'p Parameters,
    layer: &str,
    arrays: &Arrays,
) -> Result<(Vec<f32>, &'p [f32])> {
    let w = parameters.need(layer, Part::Weight)?;
    let steps = parameters.need(layer, Part::WeightStep)?;
    let run = (w.len() / steps.len().max(1)).max(1);
    let columns = w.chunks(run).zip(steps);
    let bits = arrays.weight_bits;
    let quantized =
        columns.flat_map(|(w, &d)| w.iter().map(move |&w| weight::quantize(w, d, bits)));
    Ok((quantized.collect(), steps))
}
