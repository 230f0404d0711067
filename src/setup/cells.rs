//! The layers of an experiment on arrays of cells, as chips leave fabrication.

use crate::chip::cells::{self, InputCodes};
use crate::chip::layer::CellLayer;
use crate::config::LayerSettings;
use crate::error::{Error, Result};
use crate::mapping::layout::Layout;
use crate::network::Graph;
use crate::network::lower::{Numerics, layer_address};

/// The constants of every layer on arrays: of all crossbar layers, whose settings are `layers`, but the digital
/// ones. A layout that follows from trained weights is that of the matrix until they are known.
///
/// # Errors
/// A layer without codes (weights or inputs that are not quantized, one-bit inputs whose magnitude
/// is the image's own); an impossible chip. The message names the node.
pub fn cell_layers(
    layers: &[LayerSettings],
    graph: &Graph,
    numerics: &Numerics,
) -> Result<Vec<CellLayer>> {
    let crossbars = graph.crossbars().into_iter().zip(layers).enumerate();
    let on_arrays = crossbars.filter(|(_, (_, own))| !own.digital);
    let layers = on_arrays.map(|(index, ((id, geo, _), own))| {
        let node = &graph.nodes[id];
        let source = node.inputs[0];
        let numerics = numerics.of(&node.name);
        let bits = numerics.input_bits_of(graph, source, &geo);
        let at = |e: Error| e.context(format!("node `{}`", node.name));
        if !(2..=8).contains(&bits) {
            let field = match graph.is_image(source) {
                true => "quantize.input_bits",
                false => "quantize.activation_bits",
            };
            return Err(at(Error::input(format!(
                "inputs of {bits} bits (0: not quantized) have no codes that arrays could be driven with; \
                 allowed with fidelity = \"cell\": {field} from 2 to 8, and \
                 quantize.linear_inputs = \"quantized\""
            ))));
        }
        if numerics.weight_bits == 0 {
            return Err(at(Error::input(
                "weights that are not quantized have no codes that cells could hold; allowed with fidelity = \
                 \"cell\": quantize.weight_bits from 1 to 8 and a recipe that quantizes",
            )));
        }
        if numerics.weight_bits == 1 && numerics.binary_per_input && !geo.is_linear() {
            return Err(at(Error::input(
                "quantize.binary_weight_group = \"input-channel\" gives the rows of one array different steps; \
                 allowed with fidelity = \"cell\": \"layer\"",
            )));
        }
        let (lo, _) = numerics.code_range(graph, source, bits);
        let input = InputCodes {
            bits,
            signed: lo < 0,
        };
        let address = layer_address(index);
        let layer = cells::layer(&own.chip, &own.variation, &geo, numerics.weight_bits, input, address);
        let is_tuned = own.tuned;
        let mut layer = layer.map_err(at)?;
        layer.is_tuned = is_tuned;
        let size = &own.chip.array;
        if size.lays_out() {
            let natural = Layout::natural(&layer.programming.arrays, size);
            layer.lay(Some(natural));
        }
        Ok(layer)
    });
    layers.collect()
}
