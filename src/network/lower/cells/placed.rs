//! Layers whose cells lie in their arrays otherwise than in their matrix: codes are taken to their places, the places
//! are programmed, and what the arrays give is taken back. Operators behind that know no layout.

use std::sync::Arc;

use super::super::*;
use super::program_ops;
use crate::chip::layer::CellLayer;
use crate::mapping::layout::Layout;

/// Adds values of the planes of a layer by a table.
fn place(layer: &CellLayer, x: TensorId, y: TensorId, table: &Arc<[u32]>) -> Op {
    let a = &layer.programming.arrays;
    Op::from(PlaceCells {
        x,
        step: None,
        y,
        len: a.plane_len(),
        rows: a.rows,
        table: table.clone(),
        fill: 0.0,
    })
}

/// The operators that program a layer with a layout into read planes `g`, wires included, from weights, their steps and the
/// arrays' deviations; temporary tensors are added to the program with names that begin with `name`.
pub fn program_placed(
    program: &mut Program,
    name: &str,
    (layer, layout): (&CellLayer, &Layout),
    (w, step, array): (TensorId, TensorId, TensorId),
    g: TensorId,
    variance: Option<TensorId>,
) -> Vec<Op> {
    let a = &layer.programming.arrays;
    let mut temp = |what: &str, len, scope| {
        let name = format!("{name}.{what}");
        program.tensor(name, Shape::Flat(len), scope, Role::Temp)
    };
    let planes = a.read_planes() * a.plane_len();
    let codes = temp("placed_codes", a.plane_len(), Scope::Shared);
    let one = temp("code_step", 1, Scope::Shared);
    let placed = temp("placed_planes", planes, Scope::PerChip);
    let noise = variance.map(|_| temp("placed_variance", planes, Scope::PerChip));
    let wires = layer.wires.as_ref().map(|wires| {
        let raw = temp("cells", a.cells(), Scope::PerChip);
        let present = layout
            .compacts
            .then(|| temp("present_cells", a.cells(), Scope::PerChip));
        (wires, raw, present)
    });
    let mut ops = vec![
        Op::from(PlaceCells {
            x: w,
            step: Some(step),
            y: codes,
            len: a.plane_len(),
            rows: a.rows,
            table: layout.cells.clone(),
            fill: 0.0,
        }),
        constant_one(one, (w, layer)),
    ];
    let raw = wires.map(|(_, raw, _)| raw);
    ops.extend(program_ops(layer, (codes, one, array), placed, raw, noise));
    if let Some((wires, raw, present)) = wires {
        // What is dropped conducts nothing.
        let there = present.map(|y| place(layer, raw, y, &layout.present()));
        ops.extend(there);
        ops.push(Op::from(IrDrop {
            g: present.unwrap_or(raw),
            out: placed,
            spec: wires.clone(),
        }));
    }
    ops.push(place(layer, placed, g, &layout.places));
    let back = noise.zip(variance);
    ops.extend(back.map(|(x, y)| place(layer, x, y, &layout.places)));
    ops
}

/// Sets a tensor of one value to 1, beside a weight that it does not read.
fn constant_one(one: TensorId, (w, layer): (TensorId, &CellLayer)) -> Op {
    let a = &layer.programming.arrays;
    Op::from(PlaceCells {
        x: w,
        step: None,
        y: one,
        len: a.plane_len(),
        rows: a.rows,
        table: [NO_SOURCE].into(),
        fill: 1.0,
    })
}

/// The corrections that leave out the converters of dropped cells, `(1, 0)` for others and `(0, 0)` for these: what no
/// array gives is 0, whatever a converter would make of it.
pub(super) fn present_converters(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    name: &str,
    (layer, layout): (&CellLayer, &Layout),
    w: TensorId,
) -> TensorId {
    let a = &layer.programming.arrays;
    let one = b.temp("gain", Shape::Flat(1), Scope::Shared);
    let n = 2 * a.converters();
    let correct = b.program.tensor(
        format!("{name}.present"),
        Shape::Flat(n),
        Scope::PerChip,
        Role::State,
    );
    ops.push(constant_one(one, (w, layer)));
    let pair = |converter: usize| {
        let (tile, column) = (converter / a.cols / a.read_planes(), converter % a.cols);
        match layout.columns[tile * a.cols + column] {
            NO_SOURCE => [NO_SOURCE; 2],
            _ => [0, NO_SOURCE],
        }
    };
    ops.push(Op::from(PlaceCells {
        x: one,
        step: None,
        y: correct,
        len: 1,
        rows: 1,
        table: (0..a.converters()).flat_map(pair).collect(),
        fill: 0.0,
    }));
    correct
}
