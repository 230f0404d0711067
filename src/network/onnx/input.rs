//! The input of a model: what the images hold, and their sizes.

use super::constant::Element;
use super::proto::ValueInfoProto;
use crate::error::escaped;

/// Element type of the images.
pub(super) fn element_of(input: &ValueInfoProto) -> Result<Element, String> {
    let tensor = input.kind.as_ref().and_then(|k| k.tensor_type.as_ref());
    let name = escaped(&input.name);
    match tensor.map(|t| Element::of(t.elem_type)) {
        Some(Ok(element)) if element.is_float() => Ok(element),
        Some(Ok(element)) => Err(format!(
            "input `{name}` holds {}; allowed: float types: export a model that takes the images as floats",
            element.name()
        )),
        Some(Err(what)) => Err(format!("input `{name}`: {what}")),
        None => Err(format!("input `{name}` is no tensor")),
    }
}

/// Size of the batch, where it is fixed, and the other dimensions: those of the model, or `given` where
/// the model leaves them free.
pub(super) fn dimensions(
    input: &ValueInfoProto,
    given: Option<&[usize]>,
) -> Result<(Option<usize>, Vec<usize>), String> {
    let name = escaped(&input.name);
    let tensor = input.kind.as_ref().and_then(|k| k.tensor_type.as_ref());
    let Some(shape) = tensor.and_then(|t| t.shape.as_ref()) else {
        return match given {
            Some(given) => Ok((None, given.to_vec())),
            None => Err(format!("input `{name}` has no shape; {GIVE}")),
        };
    };
    let sizes: Vec<Option<usize>> = shape
        .dim
        .iter()
        .map(|d| d.dim_value.and_then(|v| usize::try_from(v).ok()))
        .map(|d| d.filter(|d| *d > 0))
        .collect();
    let Some((&batch, rest)) = sizes.split_first() else {
        return Err(format!(
            "input `{name}` is one number; allowed: images with the batch as first dimension"
        ));
    };
    if rest.is_empty() {
        return Err(format!(
            "input `{name}` has one dimension; allowed: the batch and at least one more"
        ));
    }
    if let Some(given) = given {
        let agrees = |(g, d): (&usize, &Option<usize>)| d.is_none_or(|d| d == *g);
        if given.len() != rest.len() || !given.iter().zip(rest).all(agrees) {
            let wanted: Vec<String> = rest
                .iter()
                .map(|d| d.map_or("?".into(), |d| d.to_string()))
                .collect();
            return Err(format!(
                "input `{name}` has {} behind the batch, not {given:?}",
                wanted.join(" x ")
            ));
        }
        return Ok((batch, given.to_vec()));
    }
    let fixed = |(i, d): (usize, &Option<usize>)| {
        d.ok_or_else(|| {
            let called = shape.dim[i + 1].dim_param.clone().unwrap_or_default();
            format!(
                "input `{name}`: dimension {} (`{}`) is not fixed; allowed: only the first, the batch: {GIVE}, or \
                 leave the others out of dynamic_axes or dynamic_shapes when exporting",
                i + 1,
                escaped(&called)
            )
        })
    };
    let dims = rest
        .iter()
        .enumerate()
        .map(fixed)
        .collect::<Result<_, _>>()?;
    Ok((batch, dims))
}

/// What to do about sizes that are not fixed.
const GIVE: &str =
    "give the sizes behind the batch with --input-shape or network.input (such as 3,224,224)";
