//! Which kernels of an adapter compute each layer, for plans.

use pimento::Result;
use pimento::backend::{Backend, Capacity};
use pimento::config::Experiment;
use pimento::network::Graph;
use pimento::network::file::Loaded;
use pimento::network::lower::Numerics;
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::program::ConvGeometry;
use pimento::setup;
use serde_json::{Value, json};

use super::arrays::in_bits;

/// Chips and images of the wave that is planned, or as many as fit.
const WAVE: usize = 64;

/// The kernels of every crossbar layer in order; none where the backend has one way for all.
///
/// # Errors
/// A network of which not even one chip fits the adapter.
pub fn of_layers(
    backend: &dyn Backend,
    graph: &Graph,
    numerics: &Numerics,
    chips: Chips<'_>,
) -> Result<Vec<String>> {
    let lowered = inference::lower(graph, numerics, chips, NormMode::Frozen, false);
    let want = Capacity {
        chips: WAVE,
        images: WAVE,
        chunk: WAVE,
    };
    let capacity = backend.fit(&lowered.program, want)?;
    backend.routes(&lowered.program, capacity, lowered.evaluate)
}

/// A layer at weight level.
struct Row {
    name: String,
    /// Bits of a weight and of an input.
    bits: [u32; 2],
    geo: ConvGeometry,
    digital: bool,
}

/// The plan of a network whose chips are effective weights.
pub struct Plan {
    rows: Vec<Row>,
    /// Of every layer, where the backend has several kinds.
    kernels: Vec<String>,
}

impl Plan {
    /// Lowers every crossbar layer.
    ///
    /// # Errors
    /// Settings of layers that the network does not have; a network that does not fit the backend.
    pub fn new(network: &Loaded, experiment: &Experiment, backend: &dyn Backend) -> Result<Self> {
        let graph = network.graph.simplified().without_final_softmax();
        // Where only the images could tell, a mean is most often subtracted from them.
        let signed = experiment.data.signed_images().unwrap_or(true);
        let settings = setup::layers(experiment, &graph)?;
        let numerics = setup::numerics(experiment, &settings, signed);
        let crossbars = graph.crossbars().into_iter().zip(&settings);
        let rows = crossbars.map(|((id, geo, _), own)| {
            let node = &graph.nodes[id];
            let n = numerics.of(&node.name);
            let input = n.input_bits_of(&graph, node.inputs[0], &geo);
            Row {
                name: node.name.clone(),
                bits: [n.weight_bits, input],
                geo,
                digital: own.digital,
            }
        });
        let rows = rows.collect();
        let noises = setup::noises(&settings, |v| v.sigma_w, 0);
        let kernels = of_layers(backend, &graph, &numerics, Chips::Weight(&noises))?;
        Ok(Self { rows, kernels })
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        let layer = |(i, r): (usize, &Row)| {
            json!({
                "name": r.name,
                "weight_bits": r.bits[0],
                "input_bits": r.bits[1],
                "rows": r.geo.rows(),
                "columns": r.geo.c_out,
                "macs": r.geo.macs(),
                "digital": r.digital,
                "kernels": self.kernels.get(i),
            })
        };
        let layers: Vec<Value> = self.rows.iter().enumerate().map(layer).collect();
        json!({ "layers": layers })
    }

    /// For people.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let mut title = vec![
            "layer",
            "weight",
            "input",
            "rows",
            "columns",
            "simulated as",
        ];
        if !self.kernels.is_empty() {
            title.push("kernels");
        }
        let columns = title.len();
        let mut lines = vec![title.into_iter().map(String::from).collect()];
        for (i, r) in self.rows.iter().enumerate() {
            let kind = match r.digital {
                true => "digital",
                false => "effective weights",
            };
            let mut line = vec![
                r.name.clone(),
                in_bits(r.bits[0]),
                in_bits(r.bits[1]),
                r.geo.rows().to_string(),
                r.geo.c_out.to_string(),
                kind.into(),
            ];
            line.extend(self.kernels.get(i).cloned());
            line.resize(columns, String::new());
            lines.push(line);
        }
        let mut total = vec![String::new(); columns];
        total[0] = "total".into();
        total[1] = format!("{} layers", self.rows.len());
        lines.push(total);
        lines
    }
}
