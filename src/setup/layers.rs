//! What every crossbar layer of a network is made with.

use crate::chip::terms;
use crate::config::{Experiment, LayerSettings, Variation};
use crate::error::{Code, Error, Mistake, Result};
use crate::network::Graph;
use crate::network::lower::CellNoise;

/// The settings of all crossbar layers, in order.
///
/// # Errors
/// A section `[layer.NAME]` that is of no layer, that contradicts another or makes no sense with the
/// experiment, or that sets bits of inputs which its layers do not have; a network without any layer on
/// crossbars.
pub fn layers(experiment: &Experiment, graph: &Graph) -> Result<Vec<LayerSettings>> {
    let crossbars = graph.crossbars();
    let names: Vec<&str> = crossbars
        .iter()
        .map(|(id, ..)| graph.nodes[*id].name.as_str())
        .collect();
    experiment.layer.check_names(&names)?;
    check_inputs(experiment, graph)?;
    let layers = names.iter().map(|name| experiment.of_layer(name));
    let layers: Vec<LayerSettings> = layers.collect::<Result<_>>()?;
    let of_heads = crossbars.iter().map(|(id, ..)| graph.is_of_head(*id));
    let mut own = layers.iter().zip(of_heads).filter(|(_, of_head)| !of_head);
    if !layers.is_empty() && own.all(|(layer, _)| layer.digital) {
        return Err(Error::input(
            "every layer is digital, so that no chip differs from another; allowed: at least one layer on \
             crossbars",
        ));
    }
    Ok(layers)
}

/// Bits of images are set for layers that read images, bits of activations for others.
fn check_inputs(experiment: &Experiment, graph: &Graph) -> Result<()> {
    let own = &experiment.layer;
    for pattern in own.patterns() {
        let crossbars = graph.crossbars().into_iter();
        let nodes = crossbars.map(|(id, ..)| &graph.nodes[id]);
        let of: Vec<_> = nodes
            .filter(|node| own.is_of(pattern, &node.name))
            .collect();
        let reads = |images| of.iter().any(|n| graph.is_image(n.inputs[0]) == images);
        for (field, images, instead) in [
            ("input_bits", true, "activation_bits"),
            ("activation_bits", false, "input_bits"),
        ] {
            if own.sets_at(pattern, field) && !reads(images) {
                let what = if images { "the images" } else { "activations" };
                let mistake = Mistake::new(
                    Code::NotAllowed,
                    format!("no effect, no layer of that name reads {what}"),
                );
                let mistake = mistake.allowed(format!("`{instead}`"));
                return Err(own.mistake(pattern, field, mistake));
            }
        }
    }
    Ok(())
}

/// Within-chip noise of every layer, `None` where it is digital; `sigma_w` says which standard deviation.
pub fn noises(
    layers: &[LayerSettings],
    sigma_w: impl Fn(&Variation) -> f64,
    reference_columns: u32,
) -> Vec<Option<CellNoise>> {
    let noise = |layer: &LayerSettings| {
        let v = &layer.variation;
        (!layer.digital).then(|| CellNoise {
            law: v.law,
            mapping: terms::mapping(v),
            deviate: terms::own_deviate(v),
            sigma_w: sigma_w(v) as f32,
            profile: v.sigma_profile.profile(),
            reference_columns: if layer.tuned { reference_columns } else { 0 },
        })
    };
    layers.iter().map(noise).collect()
}
