//! Wire resistance of an array (docs/cells.md 5): the currents that its cells really give.
//!
//! # Mesh
//! Input lines `i` and output lines `j`; all resistances relative to the smallest of a cell
//! (`ohm * G_max`), conductances `g[j][i]` relative to `G_max`. The end of every output line after its
//! last input is at virtual ground through `col + col_terminal`, neighbouring cells on it are `col`
//! apart.
//!
//! * *Input source*: input line `i` is driven with `V_i` at `j = 0` through `row + row_terminal`, its
//!   cells are `row` apart; cell `g[j][i]` joins the lines. The mesh is linear, `I = M V`.
//! * *Separate source*: input lines are gates; every output has a supply line beside it, driven with 1 at
//!   `i = 0` through `row + row_terminal`, cells `row` apart. A cell conducts only where its input is on,
//!   so `I` is not linear in the inputs.
//!
//! # Direct solution
//! With `G_m` the conductance of an output line's part up to node `m`, an injected current `J_m`
//! passes `G_m` and the next segment: a line is a chain of dividers, without a linear system. It
//! leaves between the input lines' nodes at `j` the symmetric matrix `S_j = diag(g) - g K_j g`, `K_j` the
//! line's node voltages per injected current. From the far end on, the admittance that input lines
//! see beyond a segment of resistance `r` is
//!
//! ```text
//! Q_j = (1 + r_j Y_j)^-1 Y_j,    Y_j = S_j + Q_(j+1)                                    (C6)
//! ```
//! and voltages pass the segment by `1 - r_j Q_j`. Every step adds positive terms only, any
//! resistance may be 0, and the cost is `n` Cholesky factors of the size of the shorter side: the mesh is
//! reciprocal, so inputs and outputs may change places.
//!
//! # Iteration
//! From ideal input lines, sweeps solve all output lines for given voltages of the input lines, then
//! all input lines for given voltages of the output lines (each exactly), and finally the output
//! lines. It is block Gauss-Seidel on a symmetric positive definite mesh and converges always;
//! [`error_after`] gives the error of a number of sweeps.

use nalgebra::{Cholesky, DMatrix, DVector};

/// Size and resistances of an array.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mesh {
    /// Output lines.
    pub outputs: usize,
    /// Input lines.
    pub inputs: usize,
    /// Segment of an input or supply line.
    pub row: f64,
    /// Segment of an output line.
    pub col: f64,
    /// Added at the driver.
    pub row_terminal: f64,
    /// Added at virtual ground.
    pub col_terminal: f64,
}

impl Mesh {
    /// Resistance of the segment before output line `j` on an input line.
    fn before(&self, j: usize) -> f64 {
        self.row + if j == 0 { self.row_terminal } else { 0.0 }
    }

    /// From an output line's last cell to virtual ground.
    fn end(&self) -> f64 {
        self.col + self.col_terminal
    }

    /// The reciprocal mesh: output lines driven at their ends, input lines at ground.
    fn swapped(&self) -> Self {
        Self {
            outputs: self.inputs,
            inputs: self.outputs,
            row: self.col,
            col: self.row,
            row_terminal: self.col_terminal,
            col_terminal: self.row_terminal,
        }
    }
}

/// Voltages of a line's nodes from its cells `g` and the voltages `other` at their far sides, node 0 at
/// the open end; `voltage` is behind `end`, which follows the last node.
fn line(
    g: impl Fn(usize) -> f64,
    other: impl Fn(usize) -> f64,
    r: f64,
    end: (f64, f64),
    out: &mut [f64],
    up: &mut [f64],
) {
    let n = out.len();
    // out: current that the part up to a node would inject at voltage 0; up: its conductance.
    for m in 0..n {
        let divider = if m == 0 {
            0.0
        } else {
            1.0 / (1.0 + r * up[m - 1])
        };
        let (before, current) = if m == 0 {
            (0.0, 0.0)
        } else {
            (up[m - 1], out[m - 1])
        };
        up[m] = g(m) + before * divider;
        out[m] = g(m) * other(m) + current * divider;
    }
    let (resistance, voltage) = end;
    out[n - 1] = (out[n - 1] * resistance + voltage) / (1.0 + resistance * up[n - 1]);
    for m in (0..n - 1).rev() {
        out[m] = (out[m] * r + out[m + 1]) / (1.0 + r * up[m]);
    }
}

/// Current matrix `M[output][input]` of the input-source topology: currents are `M V`.
pub fn transfer(mesh: &Mesh, g: &[f64]) -> Vec<f64> {
    let (m, n) = (mesh.outputs, mesh.inputs);
    if n <= m {
        return by_admittance(mesh, |j, i| g[j * n + i]);
    }
    // Output lines become input lines driven from ground's side, input lines end at their drivers.
    let turned = by_admittance(&mesh.swapped(), |a, b| g[(m - 1 - b) * n + (n - 1 - a)]);
    let mut out = vec![0.0; m * n];
    for (k, current) in turned.into_iter().enumerate() {
        let (a, b) = (k / m, k % m);
        out[(m - 1 - b) * n + (n - 1 - a)] = current;
    }
    out
}

fn by_admittance(mesh: &Mesh, g: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let (m, n) = (mesh.outputs, mesh.inputs);
    let mut passed = DMatrix::<f64>::zeros(n, n);
    // Column j: currents of output j per voltage of the input lines' nodes at the lines done so far.
    let mut currents = DMatrix::<f64>::zeros(n, m);
    let mut y = DMatrix::<f64>::zeros(n, n);
    for j in (0..m).rev() {
        let cells: Vec<f64> = (0..n).map(|i| g(j, i)).collect();
        let per_input = output_line(mesh, &cells, &mut y);
        currents.set_column(j, &per_input);
        y += &passed;
        let r = mesh.before(j);
        if r == 0.0 {
            passed.copy_from(&y);
            continue;
        }
        let mut system = &y * r;
        for i in 0..n {
            system[(i, i)] += 1.0;
        }
        // Conductances below 0 may make it indefinite; it is still regular for small resistances.
        passed.copy_from(&y);
        match Cholesky::new(system.clone()) {
            Some(factor) => factor.solve_mut(&mut passed),
            None => {
                system.lu().solve_mut(&mut passed);
            }
        }
        let mut done = currents.columns_mut(j, m - j);
        let before = done.clone_owned();
        done.gemm(-r, &passed, &before, 1.0);
    }
    // Stored column by column: [output][input].
    currents.as_slice().to_vec()
}

/// Of an output line with these cells: `y = S_j`, and its current per voltage of each input line.
fn output_line(mesh: &Mesh, g: &[f64], y: &mut DMatrix<f64>) -> DVector<f64> {
    let n = g.len();
    let r = mesh.col;
    // Conductance of the part up to a node; resistance from a node to ground behind it.
    let mut up = vec![0.0; n];
    let mut down = vec![0.0; n];
    for i in 0..n {
        up[i] = g[i]
            + if i == 0 {
                0.0
            } else {
                up[i - 1] / (1.0 + r * up[i - 1])
            };
    }
    let parallel = |i: usize, down: &[f64]| down[i] / (1.0 + g[i] * down[i]);
    for i in (0..n).rev() {
        down[i] = if i + 1 == n {
            mesh.end()
        } else {
            r + parallel(i + 1, &down)
        };
    }
    // Share of a node's voltage that the next node has, and of its current that reaches ground.
    let share = |i: usize| {
        if down[i] > 0.0 {
            parallel(i + 1, &down) / down[i]
        } else {
            0.0
        }
    };
    for k in 0..n {
        let mut v = down[k] / (1.0 + up[k] * down[k]);
        y[(k, k)] = g[k] - g[k] * v * g[k];
        for i in k + 1..n {
            v *= share(i - 1);
            let s = -g[i] * v * g[k];
            y[(i, k)] = s;
            y[(k, i)] = s;
        }
    }
    let mut reach = 1.0 / (1.0 + mesh.end() * up[n - 1]);
    let mut current = DVector::zeros(n);
    for k in (0..n).rev() {
        current[k] = g[k] * reach;
        if k > 0 {
            reach /= 1.0 + r * up[k - 1];
        }
    }
    current
}

/// As [`transfer`] by so many sweeps of the iteration.
pub fn transfer_by_sweeps(mesh: &Mesh, g: &[f64], sweeps: u32) -> Vec<f64> {
    let (m, n) = (mesh.outputs, mesh.inputs);
    let mut out = vec![0.0; m * n];
    let mut drive = vec![0.0; n];
    for i in 0..n {
        drive[i] = 1.0;
        for (j, current) in currents_by_sweeps(mesh, g, &drive, sweeps)
            .into_iter()
            .enumerate()
        {
            out[j * n + i] = current;
        }
        drive[i] = 0.0;
    }
    out
}

/// Currents of the input-source topology for voltages `v` by so many sweeps.
pub fn currents_by_sweeps(mesh: &Mesh, g: &[f64], v: &[f64], sweeps: u32) -> Vec<f64> {
    let (m, n) = (mesh.outputs, mesh.inputs);
    // Voltages of input lines [i][j] and output lines [j][i].
    let mut a: Vec<f64> = v.iter().flat_map(|v| std::iter::repeat_n(*v, m)).collect();
    let mut b = vec![0.0; m * n];
    let mut up = vec![0.0; m.max(n)];
    let mut nodes = vec![0.0; m];
    for sweep in 0..=sweeps {
        for (j, b) in b.chunks_exact_mut(n).enumerate() {
            let end = (mesh.end(), 0.0);
            line(
                |i| g[j * n + i],
                |i| a[i * m + j],
                mesh.col,
                end,
                b,
                &mut up,
            );
        }
        if sweep == sweeps {
            break;
        }
        for (i, a) in a.chunks_exact_mut(m).enumerate() {
            // The driver is at output 0: node k of the chain is at output m - 1 - k.
            let place = |k: usize| (m - 1 - k) * n + i;
            line(
                |k| g[place(k)],
                |k| b[place(k)],
                mesh.row,
                (mesh.before(0), v[i]),
                &mut nodes,
                &mut up,
            );
            for (k, node) in nodes.iter().enumerate() {
                a[m - 1 - k] = *node;
            }
        }
    }
    (0..m)
        .map(|j| {
            (0..n)
                .map(|i| g[j * n + i] * (a[i * m + j] - b[j * n + i]))
                .sum()
        })
        .collect()
}

/// Largest error of [`transfer_by_sweeps`] relative to the largest entry of its row in [`transfer`]:
/// a bound on the error of a column's current relative to what its largest cell gives, per unit
/// of the sum of the inputs.
pub fn error_after(mesh: &Mesh, g: &[f64], sweeps: u32) -> f64 {
    let exact = transfer(mesh, g);
    let fast = transfer_by_sweeps(mesh, g, sweeps);
    let rows = exact.chunks(mesh.inputs).zip(fast.chunks(mesh.inputs));
    rows.map(|(exact, fast)| {
        let most = exact.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let worst = exact
            .iter()
            .zip(fast)
            .fold(0.0f64, |m, (x, y)| m.max((x - y).abs()));
        if most > 0.0 { worst / most } else { 0.0 }
    })
    .fold(0.0, f64::max)
}

/// Cell voltages of one output of the separate-source topology whose cells conduct `g` now: the
/// direct solution of `D + R diag(g) D = 1`, `R` the resistances that two cells share.
fn separate_voltages(mesh: &Mesh, g: &[f64]) -> Vec<f64> {
    let n = g.len();
    let shared = |i: usize, k: usize| {
        let supply = mesh.before(0) + mesh.row * i.min(k) as f64;
        supply + mesh.end() + mesh.col * (n - 1 - i.max(k)) as f64
    };
    let system = DMatrix::from_fn(n, n, |i, k| {
        shared(i, k) * g[k] + f64::from(u8::from(i == k))
    });
    let mut d = DVector::from_element(n, 1.0);
    // Diagonally dominant up to positive terms: regular for conductances that are not negative.
    system.lu().solve_mut(&mut d);
    d.as_slice().to_vec()
}

/// Currents of the separate-source topology, exact, for inputs that are on or off.
pub fn separate_currents(mesh: &Mesh, g: &[f64], on: &[bool]) -> Vec<f64> {
    let outputs = g.chunks_exact(mesh.inputs).map(|cells| {
        let now: Vec<f64> = cells
            .iter()
            .zip(on)
            .map(|(g, on)| if *on { *g } else { 0.0 })
            .collect();
        let d = separate_voltages(mesh, &now);
        now.iter().zip(&d).map(|(g, d)| g * d).sum()
    });
    outputs.collect()
}

/// Matrix `M[output][input]` of the separate-source topology: every cell has the voltage that it has
/// while all others conduct as in the mean of inputs that are on with this probability. The error
/// for other inputs is the price of one matrix (measured in this module's tests and docs/cells.md).
pub fn separate_transfer(mesh: &Mesh, g: &[f64], activity: f64) -> Vec<f64> {
    let outputs = g.chunks_exact(mesh.inputs).flat_map(|cells| {
        let now: Vec<f64> = cells.iter().map(|g| activity * g).collect();
        let d = separate_voltages(mesh, &now);
        cells.iter().zip(d).map(|(g, d)| g * d).collect::<Vec<_>>()
    });
    outputs.collect()
}

/// As [`separate_transfer`] by so many sweeps, from an ideal supply: output lines for given supply
/// lines, then supply lines for given output lines, finally output lines.
pub fn separate_transfer_by_sweeps(mesh: &Mesh, g: &[f64], activity: f64, sweeps: u32) -> Vec<f64> {
    let n = mesh.inputs;
    let mut up = vec![0.0; n];
    let mut out = Vec::with_capacity(g.len());
    for cells in g.chunks_exact(n) {
        let mut supply = vec![1.0; n];
        let mut b = vec![0.0; n];
        let mut nodes = vec![0.0; n];
        for sweep in 0..=sweeps {
            let end = (mesh.end(), 0.0);
            line(
                |i| activity * cells[i],
                |i| supply[i],
                mesh.col,
                end,
                &mut b,
                &mut up,
            );
            if sweep < sweeps {
                // The driver is at input 0.
                let end = (mesh.before(0), 1.0);
                line(
                    |k| activity * cells[n - 1 - k],
                    |k| b[n - 1 - k],
                    mesh.row,
                    end,
                    &mut nodes,
                    &mut up,
                );
                supply
                    .iter_mut()
                    .rev()
                    .zip(&nodes)
                    .for_each(|(s, v)| *s = *v);
            }
        }
        out.extend((0..n).map(|i| cells[i] * (supply[i] - b[i])));
    }
    out
}

/// Non-ideality factor: the mean over outputs of `|ideal - real| / ideal` (Bhattacharjee et al.,
/// arXiv 2201.05229); outputs without an ideal current are not counted.
pub fn non_ideality(ideal: &[f64], real: &[f64]) -> f64 {
    let used = ideal.iter().zip(real).filter(|(i, _)| **i != 0.0);
    let (sum, n) = used.fold((0.0, 0), |(sum, n), (i, r)| {
        (sum + ((i - r) / i).abs(), n + 1)
    });
    if n == 0 { 0.0 } else { sum / f64::from(n) }
}

/// Matrix of one array by the method and topology of `wires`, in place of its cells: `cells` are
/// `[output][input]` relative to `G_max`, as many as the array has.
pub fn array(wires: &crate::program::Wires, outputs: usize, inputs: usize, cells: &mut [f64]) {
    use crate::program::Topology;
    let mesh = Mesh {
        outputs,
        inputs,
        row: wires.row.into(),
        col: wires.col.into(),
        row_terminal: wires.row_terminal.into(),
        col_terminal: wires.col_terminal.into(),
    };
    let activity = f64::from(wires.activity);
    let out = match (wires.topology, wires.sweeps) {
        (Topology::InputSource, 0) => transfer(&mesh, cells),
        (Topology::InputSource, n) => transfer_by_sweeps(&mesh, cells, n),
        (Topology::SeparateSource, 0) => separate_transfer(&mesh, cells, activity),
        (Topology::SeparateSource, n) => separate_transfer_by_sweeps(&mesh, cells, activity, n),
    };
    cells.copy_from_slice(&out);
}

#[cfg(test)]
mod tests;
