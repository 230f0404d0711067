//! Whether the masks of a training fit its network.

#[cfg(doc)]
use crate::config::parts::MaskWeights;
use crate::config::parts::MaskedLayer;
use crate::config::{Experiment, LayerSettings};
use crate::error::{Error, Mistake, Result};
use crate::network::Graph;

/// Sees that the masks of all stages fit the layers of a network; `layers` are the settings of its crossbar
/// layers, in order.
///
/// # Errors
/// What [`MaskWeights::check`] refuses.
pub(super) fn check(
    experiment: &Experiment,
    layers: &[LayerSettings],
    graph: &Graph,
) -> Result<()> {
    let crossbars = graph.crossbars().into_iter().zip(layers);
    let of = crossbars.map(|((_, geo, _), own)| MaskedLayer {
        name: &own.name,
        digital: own.digital,
        shape: (geo.rows(), geo.c_out),
    });
    let of: Vec<_> = of.collect();
    let whole = experiment.train.composition();
    for stage in experiment.stages()? {
        let train = &stage.experiment.train;
        let parts = train.composition();
        let Some(mask) = parts.mask().filter(|_| train.epochs > 0) else {
            continue;
        };
        let list = match stage.name.as_str() {
            name if !name.is_empty() && whole.mask() != Some(mask) => {
                format!("train.stage.{name}.weights")
            }
            _ => "train.weights".to_string(),
        };
        let segment = mask.segment_in(&stage.experiment);
        mask.check(&of, segment).map_err(|m| placed(*m, &list))?;
    }
    Ok(())
}

/// A mistake of a mask in a list of parts.
fn placed(mistake: Mistake, list: &str) -> Error {
    let field = match &mistake.field {
        Some(field) => format!("{list}.mask.{field}"),
        None => format!("{list}.mask"),
    };
    Error::Input(vec![Mistake {
        field: Some(field),
        ..mistake
    }])
}
