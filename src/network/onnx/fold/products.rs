//! Matrix products of constants: weights of low rank, folded factors.

use super::super::constant::{Constant, Data};
use super::super::importer::{Importer, Inputs, Step, strides, unsupported, wrong};
use super::{WORK, product, reserve, spread, together};

fn floats(c: &Constant) -> Step<&[f32]> {
    match &c.data {
        Data::Floats(v) => Ok(v),
        Data::Ints(_) => unsupported("a product of integers; allowed: of floats"),
    }
}

/// `out[i][j] = sum_k a[i][k] b[k][j]`, with the distances of both matrices in rows and columns.
fn multiply(
    (a, a_row, a_column): (&[f32], usize, usize),
    (b, b_row, b_column): (&[f32], usize, usize),
    (m, k, n): (usize, usize, usize),
) -> Vec<f64> {
    let mut out = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let term = |t: usize| {
                f64::from(a[i * a_row + t * a_column]) * f64::from(b[t * b_row + j * b_column])
            };
            out.push((0..k).map(term).sum());
        }
    }
    out
}

/// Product as NumPy has it: matrices in the last two dimensions, the others spread over each other.
pub(super) fn matmul(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let (a, b) = (inputs.needed(0, "A")?, inputs.needed(1, "B")?);
    if a.dims.is_empty() || b.dims.is_empty() {
        return wrong("a product of single numbers");
    }
    // A vector is a row in front and a column behind.
    let wide = |c: &Constant, row: bool| match (c.dims.as_slice(), row) {
        (&[n], true) => vec![1, n],
        (&[n], false) => vec![n, 1],
        (dims, _) => dims.to_vec(),
    };
    let (left, right) = (wide(&a, true), wide(&b, false));
    let ((front_a, tail_a), (front_b, tail_b)) = (
        left.split_at(left.len() - 2),
        right.split_at(right.len() - 2),
    );
    let (m, k, n) = (tail_a[0], tail_a[1], tail_b[1]);
    if tail_b[0] != k {
        return wrong(format!("{:?} times {:?}", a.dims, b.dims));
    }
    let front = together(front_a, front_b)?;
    let all = [front.as_slice(), &[m, n]].concat();
    reserve(im, &all)?;
    im.spend(product(&[product(&all)?, k])? / WORK)?;
    let (a_all, b_all) = (
        [&front[..], &[m, k]].concat(),
        [&front[..], &[k, n]].concat(),
    );
    reserve(im, &a_all)?;
    reserve(im, &b_all)?;
    let (a_wide, b_wide) = (
        spread(&a.reshaped(left), &a_all),
        spread(&b.reshaped(right), &b_all),
    );
    let (x, y) = (floats(&a_wide)?, floats(&b_wide)?);
    let mut out = vec![];
    for i in 0..product(&front)? {
        let (x, y) = (
            &x[i * m * k..(i + 1) * m * k],
            &y[i * k * n..(i + 1) * k * n],
        );
        let values = multiply((x, k, 1), (y, n, 1), (m, k, n));
        out.extend(values.into_iter().map(|v| v as f32));
    }
    let mut dims = front;
    if a.dims.len() > 1 {
        dims.push(m);
    }
    if b.dims.len() > 1 {
        dims.push(n);
    }
    Ok(Constant::new(dims, a.element, Data::Floats(out)))
}

/// `alpha A B + beta C`, both factors transposed where the node says so.
pub(super) fn gemm(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let node = inputs.node;
    let (a, b) = (inputs.needed(0, "A")?, inputs.needed(1, "B")?);
    let (&[a_rows, a_columns], &[b_rows, b_columns]) = (a.dims.as_slice(), b.dims.as_slice())
    else {
        return wrong(format!("matrices of {:?} and {:?}", a.dims, b.dims));
    };
    let turned = |name: &str, rows, columns| match node.int(name, 0) {
        0 => (rows, columns, columns, 1),
        _ => (columns, rows, 1, columns),
    };
    let (m, k, a_row, a_column) = turned("transA", a_rows, a_columns);
    let (inner, n, b_row, b_column) = turned("transB", b_rows, b_columns);
    if k != inner {
        return wrong(format!("{:?} times {:?}", a.dims, b.dims));
    }
    let all = reserve(im, &[m, n])?;
    im.spend(product(&[all, k])? / WORK)?;
    let (x, y) = (floats(&a)?, floats(&b)?);
    let mut out = multiply((x, a_row, a_column), (y, b_row, b_column), (m, k, n));
    let (alpha, beta) = (
        f64::from(node.float("alpha", 1.0)),
        f64::from(node.float("beta", 1.0)),
    );
    out.iter_mut().for_each(|v| *v *= alpha);
    if let Some(c) = inputs.constant(2, "C")? {
        if together(&[m, n], &c.dims)? != [m, n] {
            return wrong(format!("C of {:?} for {m} x {n}", c.dims));
        }
        reserve(im, &[m, n])?;
        let c = spread(&c, &[m, n]);
        for (o, c) in out.iter_mut().zip(floats(&c)?) {
            *o += beta * f64::from(*c);
        }
    }
    debug_assert_eq!(strides(&[m, n]), [n, 1]);
    let data = out.into_iter().map(|v| v as f32).collect();
    Ok(Constant::new(vec![m, n], a.element, Data::Floats(data)))
}
