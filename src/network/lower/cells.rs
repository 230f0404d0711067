//! Crossbar layers at cell level: which operators program them and which one reads them.

use super::*;
use crate::backend::Session;
use crate::chip::layer::{CellLayer, Route, Tuned};
use crate::error::Result;

/// Tensors of a layer at cell level that the host writes and reads.
#[derive(Debug, Clone, Copy)]
pub struct CellTensors {
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
    for (tensors, layer) in tensors.iter().zip(layers) {
        if let (Some(range), Some(pairs)) = (tensors.range, &layer.ranges) {
            session.write(range, pairs.as_flattened())?;
        }
    }
    Ok(())
}

/// What is looked at in a layer: the partial sums in front of its converters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tap {
    /// Nothing.
    No,
    /// Counts of consecutive groups of `[read plane][column]`, to calibrate ranges.
    Counts {
        /// Groups.
        groups: usize,
        /// Bins of a group.
        bins: usize,
    },
    /// The sums themselves, read noise included.
    Sums,
    /// The quantized inputs that drive the arrays.
    Inputs,
}

/// What a [`Tap`] leaves to read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tapped {
    /// See [`Histogram`].
    Counts {
        /// Position among the layers on arrays.
        layer: usize,
        /// Half the range of every group, written by the host.
        limit: TensorId,
        /// Counts of the last run.
        counts: TensorId,
    },
    /// See [`PartialSums`].
    Sums {
        /// Position among the layers on arrays.
        layer: usize,
        /// Map of the last run (`Output`).
        sums: TensorId,
    },
    /// The quantized inputs.
    Inputs {
        /// Position among the layers on arrays.
        layer: usize,
        /// Map of the last run (`Output`): multiples of `step`.
        inputs: TensorId,
        /// What one input code stands for, `Flat(1)`, shared.
        step: TensorId,
    },
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
    let raw = layer.wires.is_some();
    let raw = raw.then(|| tensor(b, place, "cells", arrays.cells(), chip(Role::Temp)));
    let step = place.states.weight_step;
    ops.extend(program_ops(layer, (q, step, array), g, raw, variance));
    if let (Some(cells), Some(wires)) = (raw, &layer.wires) {
        ops.push(Op::from(IrDrop {
            g: cells,
            out: g,
            spec: wires.clone(),
        }));
    }
    Programmed {
        array,
        g,
        variance,
        life,
    }
}

/// Adds the constants of the converters, where there are any; else the product is that of the
/// effective weights `w`.
pub(super) fn converted(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    (at, layer): (usize, &CellLayer),
    cells: Programmed,
    w: TensorId,
) -> (CellTensors, Product) {
    let route = Route::of(layer);
    let mut found = CellTensors {
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
    let product = arrays_of(b, ops, place, (at, layer), cells, &mut found);
    (found, product)
}

/// The operands of a crossbar read, with the converters' constants where there are converters.
fn arrays_of(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    (at, layer): (usize, &CellLayer),
    cells: Programmed,
    found: &mut CellTensors,
) -> Product {
    let arrays = &layer.programming.arrays;
    let mut adc = None;
    if layer.reading.adc.is_some() {
        let ranges = 2 * arrays.read_planes() * arrays.cols;
        let range = tensor(b, place, "range", ranges, (Scope::Shared, Role::State));
        let constants = 2 * arrays.converters();
        let role = cells.life.role();
        let out = tensor(b, place, "converters", constants, (Scope::PerChip, role));
        ops.push(Op::from(ConverterFold {
            range,
            scale: found.scale,
            out,
            spec: layer.errors.clone(),
        }));
        (found.range, adc) = (Some(range), Some(out));
    }
    Product::Arrays(ArrayTensors {
        g: cells.g,
        variance: cells.variance,
        w_step: place.states.weight_step,
        adc,
        range: found.range,
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
            w_step: place.states.weight_step,
            correct,
            out,
            spec: layer.reading.clone(),
        }));
        return (found, Product::Weights(out));
    }
    let product = arrays_of(b, ops, place, (at, layer), cells, &mut found);
    (found, product)
}

/// Adds the operators that look at what the converters of a layer see.
pub(super) fn tap_layer(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    (index, tap): (usize, Tap),
    (g, variance): (TensorId, Option<TensorId>),
    reading: &Reading,
    (x, x_step): (TensorId, TensorId),
    geo: ConvGeometry,
) -> Option<Tapped> {
    let shape = Shape::Image {
        c: reading.arrays.converters() * reading.dac.conversions(),
        h: geo.h_out(),
        w: geo.w_out(),
    };
    let mut sums = |y, variance| {
        ops.push(Op::from(PartialSums {
            x,
            x_step,
            g,
            variance,
            y,
            geo,
            spec: reading.without_converter(),
        }));
    };
    match tap {
        Tap::No => None,
        Tap::Counts { groups, bins } => {
            let x = b.temp("partial sums", shape, Scope::PerChip);
            sums(x, None);
            let mut state = |what: &str, len| {
                let name = format!("layer {index}.{what}");
                b.program
                    .tensor(name, Shape::Flat(len), Scope::Shared, Role::State)
            };
            let limit = state("limit", groups);
            let counts = state("counts", groups * bins);
            ops.push(Op::from(Histogram {
                x,
                limit,
                out: counts,
                bins,
            }));
            Some(Tapped::Counts {
                layer: index,
                limit,
                counts,
            })
        }
        Tap::Sums => {
            let name = format!("layer {index}.partial sums");
            let y = b.program.tensor(name, shape, Scope::PerChip, Role::Output);
            sums(y, variance);
            Some(Tapped::Sums {
                layer: index,
                sums: y,
            })
        }
        Tap::Inputs => {
            let name = format!("layer {index}.inputs");
            let program = &mut b.program;
            let (shape, scope) = (program.desc(x).shape, program.desc(x).scope);
            let y = program.tensor(name, shape, scope, Role::Output);
            let values = shape.len() as u32;
            ops.push(Op::from(Rearrange {
                x,
                y,
                first: 0,
                table: (0..values).collect(),
                fill: 0.0,
            }));
            Some(Tapped::Inputs {
                layer: index,
                inputs: y,
                step: x_step,
            })
        }
    }
}

/// Tensors of the maps a convolution reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps {
    pub x: TensorId,
    /// Step of `x`'s quantizer.
    pub x_step: Option<TensorId>,
    pub y: TensorId,
    pub clipped: Option<TensorId>,
    /// The quantizer whose results `x` holds, where products may use it.
    pub codes: Option<ActQuant>,
}

/// The quantizer whose results a map holds: that of the operator which wrote it last.
pub(super) fn codes_of(ops: &[Op], x: TensorId) -> Option<ActQuant> {
    let last = ops.iter().rfind(|op| op.writes().contains(&x))?;
    let (_, quant) = last.writes_codes().filter(|(t, _)| *t == x)?;
    Some(quant)
}

/// The operator that reads a layer.
pub(super) fn read_layer(
    product: Product,
    cells: &[CellLayer],
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
            let layer = &cells[t.at];
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
                geo,
                post,
                spec: Reading {
                    exact: t.exact,
                    integer: layer.reading.integer && t.correct.is_none(),
                    ..layer.reading.clone()
                },
            })
        }
    }
}
