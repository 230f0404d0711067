//! Crossbar layers at cell level: which operators program them and which one reads them.

mod placed;

pub use super::taps::{Tap, Tapped};
use super::*;
use crate::backend::Session;
use crate::chip::layer::{CellLayer, Route, Tuned};
use crate::error::Result;
use placed::present_converters;
pub use placed::program_placed;

/// Tensors of a layer at cell level that the host writes and reads.
#[derive(Debug, Clone, Copy)]
pub struct CellTensors {
    /// Position of the layer among the layers on arrays.
    pub at: usize,
    /// Common deviation of every cell array, per chip.
    pub array: TensorId,
    /// Ranges `(lsb, lo)` of `[read plane][column]`, where there are converters.
    pub range: Option<TensorId>,
    /// Corrections, with [`Tuned::Digital`].
    pub correct: Option<TensorId>,
    /// Factor on the reference, with [`Tuned::Reference`].
    pub scale: Option<TensorId>,
    /// Route of the layer.
    pub route: Route,
    /// Read planes; readable by the host where evaluation reads them or they are tapped.
    pub planes: TensorId,
    /// Variances of read noise, where there is any.
    pub(super) variance: Option<TensorId>,
}

/// Writes what all chips share: the ranges of the converters, where they are known.
///
/// # Errors
/// The device.
pub fn write_ranges(
    session: &mut dyn Session,
    tensors: &[CellTensors],
    layers: &[CellLayer],
) -> Result<()> {
    for tensors in tensors {
        if let (Some(range), Some(pairs)) = (tensors.range, &layers[tensors.at].ranges) {
            session.write(range, pairs.as_flattened())?;
        }
    }
    Ok(())
}

/// What a crossbar layer is multiplied by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Product {
    /// Effective weights.
    Weights(TensorId),
    /// Arrays.
    Arrays(ArrayTensors),
}

/// Operands of [`Crossbar`] that do not depend on the map.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArrayTensors {
    pub g: TensorId,
    pub variance: Option<TensorId>,
    pub w_step: TensorId,
    pub adc: Option<TensorId>,
    pub range: Option<TensorId>,
    pub correct: Option<TensorId>,
    /// Position among the layers on arrays.
    pub at: usize,
    pub exact: bool,
}

/// A node's layer as it is programmed.
pub(super) struct Place<'a> {
    pub name: &'a str,
    /// Position among the crossbar layers.
    pub index: usize,
    pub geo: &'a ConvGeometry,
    pub states: ConvStates,
}

/// How long what is programmed must last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// From one section to others: a chip that is programmed once and read often.
    Chip,
    /// Inside one run of a section: a training step.
    Step,
}

impl Life {
    fn role(self) -> Role {
        match self {
            Life::Chip => Role::State,
            Life::Step => Role::Temp,
        }
    }
}

/// Programmed cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Programmed {
    pub array: TensorId,
    /// What a code of the arrays stands for: the weights' step over the slices of every place value.
    pub step: TensorId,
    /// Read planes.
    pub g: TensorId,
    pub variance: Option<TensorId>,
    life: Life,
}

/// A tensor of a layer.
fn tensor(
    b: &mut Builder,
    place: &Place,
    what: &str,
    len: usize,
    (scope, role): (Scope, Role),
) -> TensorId {
    let name = format!("{}.{what}", place.name);
    b.program.tensor(name, Shape::Flat(len), scope, role)
}

/// The operators that program a layer's cells from weights, their steps and the arrays' deviations:
/// into read planes `g`, or with wires into the cells `raw` that [`IrDrop`] makes read planes of.
///
/// The noise of a read is that of the cells themselves, so with wires the cells are programmed twice,
/// the same both times: for the variances, and for the wires. The read planes of the first time are
/// overwritten.
pub fn program_ops(
    layer: &CellLayer,
    (w, step, array): (TensorId, TensorId, TensorId),
    g: TensorId,
    raw: Option<TensorId>,
    variance: Option<TensorId>,
) -> Vec<Op> {
    let program = |out, variance, raw| {
        Op::from(ProgramCells {
            w,
            step,
            array,
            out,
            variance,
            spec: Programming {
                raw,
                ..layer.programming.clone()
            },
        })
    };
    match raw {
        None => vec![program(g, variance, false)],
        Some(cells) => {
            let noise = variance.map(|v| program(g, Some(v), false));
            noise
                .into_iter()
                .chain([program(cells, None, true)])
                .collect()
        }
    }
}

/// The step of the arrays' codes: that of the weights, shared out where slices have equal place values.
fn step_of_arrays(b: &mut Builder, ops: &mut Vec<Op>, place: &Place, arrays: &Arrays) -> TensorId {
    let value = place.states.weight_step;
    if arrays.equal_slices == 1 {
        return value;
    }
    let steps = b.program.desc(value).shape.len();
    let state = tensor(b, place, "slice_step", steps, (Scope::Shared, Role::State));
    ops.push(Op::from(Lerp {
        state,
        value,
        rate: Rate::Fixed(1.0),
        times: 1.0 / arrays.equal_slices as f32,
    }));
    state
}

/// Adds the operators that program the cells of a quantized weight.
pub(super) fn program_quantized(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    q: TensorId,
    layer: &CellLayer,
    life: Life,
) -> Programmed {
    let arrays = &layer.programming.arrays;
    let chip = |role| (Scope::PerChip, role);
    let planes = arrays.read_planes() * arrays.plane_len();
    let array = tensor(b, place, "arrays", arrays.cell_arrays(), chip(Role::State));
    let g = tensor(b, place, "planes", planes, chip(life.role()));
    b.program.keep(g, layer.kept());
    let noisy = layer.reads_noise();
    let variance = noisy.then(|| tensor(b, place, "read_variance", planes, chip(life.role())));
    let programmed = |step| Programmed {
        array,
        step,
        g,
        variance,
        life,
    };
    if let Some(layout) = &layer.layout {
        let step = step_of_arrays(b, ops, place, arrays);
        let (laid, of) = ((layer, &**layout), (q, step, array));
        let placed = program_placed(&mut b.program, place.name, laid, of, g, variance);
        ops.extend(placed);
        return programmed(step);
    }
    let raw = layer.wires.is_some();
    let raw = raw.then(|| tensor(b, place, "cells", arrays.cells(), chip(Role::Temp)));
    let step = step_of_arrays(b, ops, place, arrays);
    ops.extend(program_ops(layer, (q, step, array), g, raw, variance));
    if let (Some(cells), Some(wires)) = (raw, &layer.wires) {
        ops.push(Op::from(IrDrop {
            g: cells,
            out: g,
            spec: wires.clone(),
        }));
    }
    programmed(step)
}

/// Adds the constants of the converters, where there are any; else the product is that of the
/// effective weights `w`. With a reference ranges are multiples of it.
pub(super) fn converted(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    (at, layer): (usize, &CellLayer),
    cells: Programmed,
    (w, reference): (TensorId, Option<TensorId>),
) -> (CellTensors, Product) {
    let route = Route::of(layer);
    let mut found = CellTensors {
        at,
        array: cells.array,
        range: None,
        correct: None,
        scale: None,
        route,
        planes: cells.g,
        variance: cells.variance,
    };
    if route == Route::Product {
        return (found, Product::Weights(w));
    }
    let of = (cells, reference);
    let product = arrays_of(b, ops, place, (at, layer), of, &mut found);
    (found, product)
}

/// The operands of a crossbar read, with the converters' constants where there are converters.
fn arrays_of(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    (at, layer): (usize, &CellLayer),
    (cells, reference): (Programmed, Option<TensorId>),
    found: &mut CellTensors,
) -> Product {
    let arrays = &layer.programming.arrays;
    let (mut adc, mut used) = (None, None);
    if layer.reading.adc.is_some() {
        let ranges = 2 * arrays.read_planes() * arrays.cols;
        let written = tensor(b, place, "range", ranges, (Scope::Shared, Role::State));
        let range = match reference {
            Some(by) => {
                let y = tensor(b, place, "ranges", ranges, (Scope::Shared, Role::Temp));
                ops.push(Op::from(ScaleFlat { x: written, by, y }));
                y
            }
            None => written,
        };
        let constants = 2 * arrays.converters();
        let role = cells.life.role();
        let out = tensor(b, place, "converters", constants, (Scope::PerChip, role));
        ops.push(Op::from(ConverterFold {
            range,
            scale: found.scale,
            out,
            spec: layer.errors.clone(),
        }));
        (found.range, used, adc) = (Some(written), Some(range), Some(out));
    }
    Product::Arrays(ArrayTensors {
        g: cells.g,
        variance: cells.variance,
        w_step: cells.step,
        adc,
        range: used,
        correct: found.correct,
        at,
        exact: found.route == Route::Counting,
    })
}

/// Adds the operators that program a layer for many reads to `ops`; `at` is its position among the layers on
/// arrays.
pub(super) fn program_layer(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    (at, layer): (usize, &CellLayer),
    tapped: bool,
) -> (CellTensors, Product) {
    let arrays = &layer.programming.arrays;
    let route = Route::of(layer);
    let (q, _) = b.quantized_weight(ops, place.geo, &place.states, None);
    // Planes that evaluation does not read need not outlive fabrication.
    let life = match route {
        Route::Product if !tapped => Life::Step,
        _ => Life::Chip,
    };
    let cells = program_quantized(b, ops, place, q, layer, life);
    let chip = (Scope::PerChip, Role::State);
    let read_arrays = arrays.row_tiles() * arrays.col_tiles() * arrays.read_planes();
    let correct = (layer.tuned == Tuned::Digital)
        .then(|| tensor(b, place, "correction", 2 * arrays.converters(), chip));
    let scale =
        (layer.tuned == Tuned::Reference).then(|| tensor(b, place, "reference", read_arrays, chip));
    let mut found = CellTensors {
        at,
        array: cells.array,
        range: None,
        correct,
        scale,
        route,
        planes: cells.g,
        variance: cells.variance,
    };
    if route == Route::Product {
        let out = tensor(b, place, "effective", place.geo.weights(), chip);
        ops.push(Op::from(CollapsePlanes {
            g: cells.g,
            w_step: cells.step,
            correct,
            out,
            spec: layer.reading.clone(),
        }));
        return (found, Product::Weights(out));
    }
    let mut product = arrays_of(b, ops, place, (at, layer), (cells, None), &mut found);
    if let (Product::Arrays(arrays), Some(layout)) = (&mut product, &layer.layout)
        && layout.compacts
        && layer.reading.adc.is_some()
    {
        // No host writes it: a layout that drops cells has no tuning.
        let present = present_converters(b, ops, place.name, (layer, layout), q);
        arrays.correct = Some(present);
    }
    (found, product)
}

/// Tensors of the maps a convolution reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps {
    pub x: TensorId,
    /// Step of `x`'s quantizer.
    pub x_step: Option<TensorId>,
    pub y: TensorId,
    pub clipped: Option<TensorId>,
    /// Slopes of `y` by the logarithm of the converters' ranges ([`Crossbar::slope`]).
    pub slope: Option<TensorId>,
    /// The quantizer whose results `x` holds, where products may use it.
    pub codes: Option<ActQuant>,
}

/// The quantizer whose results a map holds: that of the operator which wrote it last.
pub(super) fn codes_of(ops: &[Op], x: TensorId) -> Option<ActQuant> {
    let last = ops.iter().rfind(|op| op.writes().contains(&x))?;
    let (_, quant) = last.writes_codes().filter(|(t, _)| *t == x)?;
    Some(quant)
}

/// The operator that reads a layer; `reading` says how the one at a position among the layers on arrays is read.
pub(super) fn read_layer<'a>(
    product: Product,
    reading: impl FnOnce(usize) -> &'a Reading,
    maps: Maps,
    geo: ConvGeometry,
    post: Post,
) -> Op {
    let Maps { x, y, .. } = maps;
    match product {
        Product::Weights(w) => Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: maps.codes,
        }),
        Product::Arrays(t) => {
            let reading = reading(t.at);
            Op::from(Crossbar {
                x,
                x_step: maps.x_step.expect(
                    "layers at cell level have quantized inputs: the configuration's check",
                ),
                g: t.g,
                variance: t.variance,
                w_step: t.w_step,
                adc: t.adc,
                range: t.range,
                correct: t.correct,
                y,
                clipped: maps.clipped,
                slope: maps.slope,
                geo,
                post,
                spec: Reading {
                    exact: t.exact,
                    integer: reading.integer && t.correct.is_none(),
                    ..reading.clone()
                },
            })
        }
    }
}
