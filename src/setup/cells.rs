//! The crossbar layers of an experiment at cell level, as chips leave fabrication.

use crate::chip::cells::{self, InputCodes};
use crate::chip::layer::CellLayer;
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::network::Graph;
use crate::network::lower::{Numerics, layer_address};

/// The constants of every crossbar layer at cell level.
///
/// # Errors
/// A layer without codes (weights or inputs that are not quantized, one-bit inputs whose magnitude
/// is the image's own); an impossible chip. The message names the node.
pub fn cell_layers(
    experiment: &Experiment,
    graph: &Graph,
    numerics: &Numerics,
) -> Result<Vec<CellLayer>> {
    let layers = graph.crossbars().into_iter().enumerate();
    let layers = layers.map(|(index, (id, geo, _))| {
        let node = &graph.nodes[id];
        let source = node.inputs[0];
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
        let (chip, variation) = (&experiment.chip, &experiment.variation);
        let address = layer_address(index);
        cells::layer(chip, variation, &geo, numerics.weight_bits, input, address).map_err(at)
    });
    layers.collect()
}
