use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::random::{Purpose, Stream, uniform};

/// Uniform conductances in `[low, 1)`.
fn conductances(n: usize, low: f64, seed: u64) -> Vec<f64> {
    let stream = Stream::new(seed, Purpose::Init, 0, 0, 0);
    let one = |i| low + (1.0 - low) * f64::from(uniform(stream.word(i as u32)));
    (0..n).map(one).collect()
}

fn worst(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

fn product(m: &[f64], v: &[f64]) -> Vec<f64> {
    let rows = m.chunks_exact(v.len());
    rows.map(|row| row.iter().zip(v).map(|(m, v)| m * v).sum())
        .collect()
}

/// All node equations of the input-source mesh, resistances above 0, solved at once.
fn nodal(mesh: &Mesh, g: &[f64], v: &[f64]) -> Vec<f64> {
    let (m, n) = (mesh.outputs, mesh.inputs);
    let (a, b) = (
        |j: usize, i: usize| j * n + i,
        |j: usize, i: usize| m * n + j * n + i,
    );
    let mut laplacian = DMatrix::<f64>::zeros(2 * m * n, 2 * m * n);
    let mut current = DVector::<f64>::zeros(2 * m * n);
    let mut join = |p: usize, q: Option<usize>, conductance: f64| {
        laplacian[(p, p)] += conductance;
        if let Some(q) = q {
            laplacian[(q, q)] += conductance;
            laplacian[(p, q)] -= conductance;
            laplacian[(q, p)] -= conductance;
        }
    };
    for j in 0..m {
        for i in 0..n {
            join(a(j, i), Some(b(j, i)), g[j * n + i]);
            let left = (j > 0).then(|| a(j - 1, i));
            join(a(j, i), left, 1.0 / mesh.before(j));
            let next = (i + 1 < n).then(|| b(j, i + 1));
            join(
                b(j, i),
                next,
                1.0 / if i + 1 < n { mesh.col } else { mesh.end() },
            );
        }
    }
    for (i, v) in v.iter().enumerate() {
        current[a(0, i)] += v / mesh.before(0);
    }
    let voltage = laplacian.lu().solve(&current).unwrap();
    (0..m).map(|j| voltage[b(j, n - 1)] / mesh.end()).collect()
}

fn meshes() -> impl Strategy<Value = Mesh> {
    let r = || prop_oneof![1e-6f64..1e-3, 1e-3f64..0.3];
    (1usize..9, 1usize..9, r(), r(), 0.0f64..0.5, 0.0f64..0.5).prop_map(
        |(outputs, inputs, row, col, row_terminal, col_terminal)| Mesh {
            outputs,
            inputs,
            row,
            col,
            row_terminal,
            col_terminal,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_matrix_is_the_solution_of_all_node_equations(mesh in meshes(), seed in any::<u64>()) {
        let g = conductances(mesh.outputs * mesh.inputs, 0.01, seed);
        let v = conductances(mesh.inputs, -1.0, seed ^ 1);
        let found = product(&transfer(&mesh, &g), &v);
        // Conditioning of the node equations with resistances of 1e-6 beside 1: 1e-16 * 1e6 * nodes.
        prop_assert!(worst(&found, &nodal(&mesh, &g, &v)) < 1e-8);
        // The iteration converges to it.
        let many = currents_by_sweeps(&mesh, &g, &v, 400);
        prop_assert!(worst(&found, &many) < 1e-8, "{} after 400", worst(&found, &many));
    }

    #[test]
    fn reciprocal_meshes_agree(mesh in meshes(), seed in any::<u64>()) {
        // Whichever side the admittances are on.
        let (m, n) = (mesh.outputs, mesh.inputs);
        let g = conductances(m * n, 0.0, seed);
        let direct = by_admittance(&mesh, |j, i| g[j * n + i]);
        let turned = by_admittance(&mesh.swapped(), |a, b| g[(m - 1 - b) * n + (n - 1 - a)]);
        for j in 0..m {
            for i in 0..n {
                let other = turned[(n - 1 - i) * m + (m - 1 - j)];
                prop_assert!((direct[j * n + i] - other).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn one_cell_is_a_series_of_resistors_and_ideal_wires_change_nothing() {
    let mesh = Mesh {
        outputs: 1,
        inputs: 1,
        row: 0.1,
        col: 0.2,
        row_terminal: 0.3,
        col_terminal: 0.4,
    };
    let series = 1.0 / (0.1 + 0.2 + 0.3 + 0.4 + 1.0 / 0.5);
    assert!((transfer(&mesh, &[0.5])[0] - series).abs() < 1e-15);
    assert!((separate_currents(&mesh, &[0.5], &[true])[0] - series).abs() < 1e-15);
    assert_eq!(separate_currents(&mesh, &[0.5], &[false]), [0.0]);
    let ideal = Mesh {
        outputs: 5,
        inputs: 7,
        row: 0.0,
        col: 0.0,
        row_terminal: 0.0,
        col_terminal: 0.0,
    };
    let g = conductances(35, 0.0, 1);
    for m in [
        transfer(&ideal, &g),
        transfer_by_sweeps(&ideal, &g, 0),
        separate_transfer(&ideal, &g, 0.5),
        separate_transfer_by_sweeps(&ideal, &g, 0.5, 2),
    ] {
        assert!(worst(&m, &g) < 1e-15);
    }
    // Each resistance alone, against a very small one in the place of the others.
    for k in 0..4 {
        let with = |zero: f64| {
            let r = |i| if i == k { 0.05 } else { zero };
            Mesh {
                row: r(0),
                col: r(1),
                row_terminal: r(2),
                col_terminal: r(3),
                ..ideal
            }
        };
        let (none, small) = (transfer(&with(0.0), &g), transfer(&with(1e-12), &g));
        assert!(
            worst(&none, &small) < 1e-9 && worst(&none, &g) > 1e-3,
            "{k}"
        );
    }
}

/// Solves of CrossSim with an exact sparse solve beside each: assets/golden/crosssim.json.
fn golden() -> Vec<Value> {
    let text = include_str!("../../../assets/golden/crosssim.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all["ir_drop"].as_array().unwrap().clone()
}

fn numbers(v: &Value) -> Vec<f64> {
    match v.as_array() {
        Some(list) => list.iter().flat_map(numbers).collect(),
        None => vec![v.as_f64().unwrap()],
    }
}

/// Distance from the exact currents that is demanded.
const GOLDEN: f64 = 1e-9;

#[test]
fn every_golden_solve_is_reproduced() {
    let mut seen = (0, 0);
    for case in golden() {
        let size = case["size"].as_u64().unwrap() as usize;
        let r_min = case["Rmin"].as_f64().unwrap();
        let ohm = |key: &str| case[key].as_f64().unwrap() / r_min;
        let mesh = Mesh {
            outputs: size,
            inputs: size,
            row: ohm("Rp_row_ohm"),
            col: ohm("Rp_col_ohm"),
            row_terminal: ohm("Rp_terminal_ohm"),
            col_terminal: ohm("Rp_terminal_ohm"),
        };
        let (g, v) = (numbers(&case["conductance_norm"]), numbers(&case["v_in"]));
        let exact = numbers(&case["exact_currents"]);
        let ideal = numbers(&case["ideal_currents_norm"]);
        let name = case["topology"].as_str().unwrap();
        if name.starts_with("input-source") {
            seen.0 += 1;
            let found = product(&transfer(&mesh, &g), &v);
            assert!(
                worst(&found, &exact) < GOLDEN,
                "{name} {size}: {}",
                worst(&found, &exact)
            );
            // Every sweep brings the fast method closer by two digits at least.
            let mut before = worst(&ideal, &exact);
            for sweeps in 0..6 {
                let error = worst(&currents_by_sweeps(&mesh, &g, &v, sweeps), &exact);
                assert!(
                    error < 0.01 * before || error < 1e-12 || sweeps == 0,
                    "{sweeps}: {error} after {before}"
                );
                let by_matrix = product(&transfer_by_sweeps(&mesh, &g, sweeps), &v);
                assert!(worst(&by_matrix, &currents_by_sweeps(&mesh, &g, &v, sweeps)) < 1e-11);
                println!(
                    "{name} {size} sweeps {sweeps}: {error:.2e}, NF {:.4}",
                    non_ideality(&ideal, &exact)
                );
                before = error;
            }
        } else {
            seen.1 += 1;
            let on: Vec<bool> = v.iter().map(|v| *v == 1.0).collect();
            let found = separate_currents(&mesh, &g, &on);
            assert!(
                worst(&found, &exact) < GOLDEN,
                "{name} {size}: {}",
                worst(&found, &exact)
            );
            let active = on.iter().filter(|on| **on).count() as f64 / size as f64;
            let matrix = separate_transfer(&mesh, &g, active);
            let linear = product(&matrix, &v);
            println!(
                "{name} {size}: matrix {:.2e} of a loss of {:.2e}",
                worst(&linear, &exact),
                worst(&ideal, &exact)
            );
            // One pattern of eight gates is far from the mean that the matrix is for.
            assert!(worst(&linear, &exact) < 0.5 * worst(&ideal, &exact));
            let many = separate_transfer_by_sweeps(&mesh, &g, active, 30);
            assert!(worst(&many, &matrix) < 1e-10);
        }
    }
    assert_eq!(seen, (3, 2));
}

#[test]
fn the_fast_method_has_a_measured_error() {
    // 32 columns of 128 rows with random cells at 1 ohm and 10 kohm: the table of docs/cells.md 5.
    let mesh = Mesh {
        outputs: 32,
        inputs: 128,
        row: 1e-4,
        col: 1e-4,
        row_terminal: 0.0,
        col_terminal: 0.0,
    };
    let g = conductances(32 * 128, 0.01, 7);
    let errors: Vec<f64> = (0..5)
        .map(|sweeps| error_after(&mesh, &g, sweeps))
        .collect();
    println!("{errors:?}");
    for (error, bound) in errors.iter().zip([0.05, 2e-4, 1e-6, 1e-8, 1e-10]) {
        assert!(*error < bound, "{errors:?}");
    }
    assert!(errors.windows(2).all(|e| e[1] < 0.01 * e[0]), "{errors:?}");
}

#[test]
fn noise_of_cells_on_ideal_lines_is_more_than_that_behind_wires() {
    // Cells that fluctuate in proportion, all inputs on, 1 ohm against 10 kohm: docs/cells.md 5.
    let mesh = Mesh {
        outputs: 16,
        inputs: 64,
        row: 1e-4,
        col: 1e-4,
        row_terminal: 0.0,
        col_terminal: 0.0,
    };
    let g = conductances(16 * 64, 0.01, 11);
    let on = [1.0; 64];
    let currents = |g: &[f64]| product(&transfer(&mesh, g), &on);
    let before = currents(&g);
    // Large against the rounding of a current, small against a conductance.
    const STEP: f64 = 1e-4;
    let (mut real, mut ideal) = (vec![0.0; 16], vec![0.0; 16]);
    for k in 0..g.len() {
        let mut moved = g.clone();
        moved[k] *= 1.0 + STEP;
        for (v, (a, b)) in real.iter_mut().zip(currents(&moved).iter().zip(&before)) {
            *v += ((a - b) / STEP).powi(2);
        }
        ideal[k / 64] += g[k].powi(2);
    }
    let ratios: Vec<f64> = real
        .iter()
        .zip(&ideal)
        .map(|(r, i)| (r / i).sqrt())
        .collect();
    println!("standard deviation behind wires over that on ideal lines: {ratios:.4?}");
    assert!(
        ratios.iter().all(|r| (1.0 / 1.2..1.0 / 1.1).contains(r)),
        "{ratios:?}"
    );
}

/// What docs/cells.md 5 says of one matrix for gates: as good as the inputs are like those it is for.
#[test]
fn one_matrix_for_gates_errs_less_than_no_wires() {
    let mesh = Mesh {
        outputs: 4,
        inputs: 64,
        row: 2e-4,
        col: 2e-4,
        row_terminal: 0.0,
        col_terminal: 0.0,
    };
    let g = conductances(4 * 64, 0.01, 3);
    let matrix = separate_transfer(&mesh, &g, 0.5);
    let stream = Stream::new(5, Purpose::Init, 0, 0, 0);
    // Share of inputs that are on; mean errors of ideal wires and of the matrix in percent of the current.
    for (activity, ideal, one) in [
        (0.25, 7.1, 5.9),
        (0.5, 13.7, 1.3),
        (0.75, 20.7, 6.1),
        (1.0, 27.5, 12.1),
    ] {
        let mut sums = [0.0; 2];
        for pattern in 0..200u32 {
            let on: Vec<bool> = (0..64)
                .map(|i| uniform(stream.word(pattern * 64 + i)) < activity)
                .collect();
            let v: Vec<f64> = on.iter().map(|on| f64::from(u8::from(*on))).collect();
            let exact = separate_currents(&mesh, &g, &on);
            sums[0] += non_ideality(&exact, &product(&g, &v));
            sums[1] += non_ideality(&exact, &product(&matrix, &v));
        }
        let [ideal_found, one_found] = sums.map(|s| 100.0 * s / 200.0);
        println!("{activity}: ideal wires {ideal_found:.3} %, one matrix {one_found:.3} %");
        // The documented digits.
        assert!(
            (ideal_found - ideal).abs() < 0.051,
            "{activity}: {ideal_found}"
        );
        assert!((one_found - one).abs() < 0.051, "{activity}: {one_found}");
    }
}
