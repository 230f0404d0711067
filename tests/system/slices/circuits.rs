//! Currents of arrays against circuits solved by hand.

use pimento::sweep::slices::{ArrayRow, Options};

use super::{Net, SUMS};

/// Two inputs and two outputs on one tile with wires. Codes of the weights `[output][input]`, inputs of two images.
const TWO: ([i32; 4], [u8; 4]) = ([3, -1, 0, 2], [255, 51, 0, 102]);
/// Relative resistances: row, column, and the terminals of both.
const OHM: [f64; 4] = [0.05, 0.03, 0.1, 0.02];

fn two_by_two(lines: usize) -> Net {
    Net {
        layers: vec![(TWO.0.to_vec(), 2, 2)],
        images: TWO.1.to_vec(),
        labels: vec![0, 1],
        input_steps: vec![1.0 / 255.0],
        text: format!(
            "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\nmean = 0.0\nstd = 1.0\n[network]\nkind = \"mlp\"\nhidden = []\n\
             [train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\nweight_bits = 3\nactivation_bits = 8\ninput_bits = 8\n\
             [chip.array]\nrows = {lines}\ncols = {lines}\n[chip.cells]\nslice_bits = 2\non_off_ratio = 10.0\ng_max_us = 100.0\n\
             [chip.dac]\nbits = 8\n[chip.wires]\nrow_ohm = {}\ncol_ohm = {}\nrow_terminal_ohm = {}\ncol_terminal_ohm = {}\n",
            OHM[0] * 1e4,
            OHM[1] * 1e4,
            OHM[2] * 1e4,
            OHM[3] * 1e4
        ),
    }
}

/// Conductance of a digit of two bits.
fn conductance(digit: i32) -> f64 {
    0.1 + 0.9 * f64::from(digit) / 3.0
}

/// Currents of the two columns of a tile: all node equations, solved by elimination. `g[output][input]`.
fn currents(g: [[f64; 2]; 2], v: [f64; 2]) -> [f64; 2] {
    // Nodes: input line 2 j + i, output line 4 + 2 j + i.
    let mut m = [[0.0f64; 9]; 8];
    let mut tie = |a: usize, b: Option<usize>, conductance: f64, source: f64| {
        m[a][a] += conductance;
        m[a][8] += conductance * source;
        if let Some(b) = b {
            m[b][b] += conductance;
            m[a][b] -= conductance;
            m[b][a] -= conductance;
        }
    };
    for (i, source) in v.into_iter().enumerate() {
        tie(i, None, 1.0 / (OHM[0] + OHM[2]), source);
        tie(i, Some(2 + i), 1.0 / OHM[0], 0.0);
    }
    for (j, cells) in g.into_iter().enumerate() {
        for (i, cell) in cells.into_iter().enumerate() {
            tie(2 * j + i, Some(4 + 2 * j + i), cell, 0.0);
        }
        tie(4 + 2 * j, Some(5 + 2 * j), 1.0 / OHM[1], 0.0);
        tie(5 + 2 * j, None, 1.0 / (OHM[1] + OHM[3]), 0.0);
    }
    for k in 0..8 {
        let pivot = m[k];
        for row in m.iter_mut().skip(k + 1) {
            let f = row[k] / pivot[k];
            (0..9).for_each(|c| row[c] -= f * pivot[c]);
        }
    }
    let mut x = [0.0; 8];
    for k in (0..8).rev() {
        let rest: f64 = (k + 1..8).map(|c| m[k][c] * x[c]).sum();
        x[k] = (m[k][8] - rest) / m[k][k];
    }
    [0, 1].map(|j| x[5 + 2 * j] / (OHM[1] + OHM[3]))
}

#[test]
fn non_ideality_of_a_tile_is_that_of_its_circuit() {
    let report = two_by_two(2).report(&Options {
        chips: 2,
        current_images: 2,
        ..SUMS
    });
    let layer = &report.layers[0];
    assert_eq!(layer.arrays.len(), 2);
    for (row, sign) in layer.arrays.iter().zip([1, -1]) {
        let g = |o: usize, i: usize| conductance((sign * TWO.0[2 * o + i]).max(0));
        let g = [[g(0, 0), g(0, 1)], [g(1, 0), g(1, 1)]];
        let (mut ratios, mut error, mut all) = (0.0, 0.0, 0.0);
        for image in TWO.1.chunks_exact(2) {
            let v = [image[0], image[1]].map(f64::from);
            let real = currents(g, v);
            for j in 0..2 {
                let ideal = g[j][0] * v[0] + g[j][1] * v[1];
                ratios += (ideal - real[j]).abs() / ideal / 4.0;
                error += (ideal - real[j]).abs();
                all += ideal;
            }
        }
        assert_eq!((row.currents, row.zero_currents), (4, 0));
        // Currents are sums of two products in single precision.
        assert!((row.nf - ratios).abs() < 1e-6, "{} {ratios}", row.nf);
        assert!((row.nf_weighted - error / all).abs() < 1e-6);
        assert!(ratios > 0.05, "wires that matter");
        // Chips without variation are alike.
        assert_eq!((row.nf_std, row.nf_min), (0.0, row.nf_max));
    }
}

#[test]
fn a_tile_of_one_cell_is_a_chain_of_resistances() {
    let report = two_by_two(1).report(&Options {
        chips: 1,
        current_images: 2,
        ..SUMS
    });
    let chain: f64 = OHM.iter().sum();
    let layer = &report.layers[0];
    assert_eq!(layer.arrays.len(), 8);
    for row in &layer.arrays {
        let code = TWO.0[2 * row.column_tile + row.row_tile];
        let sign = if row.plane == "positive" { 1 } else { -1 };
        let g = conductance((sign * code).max(0));
        let want = g * chain / (1.0 + g * chain);
        assert!((row.nf - want).abs() < 1e-6, "{row:?}: {want}");
        // The second image leaves input 0 dark.
        let dark = u64::from(row.row_tile == 0);
        assert_eq!((row.currents, row.zero_currents), (2 - dark, dark));
        assert!(row.nf_std.is_nan(), "one chip has no spread");
    }
}

#[test]
fn non_ideality_of_single_cells_is_the_mean_deviation() {
    const SIGMA: f64 = 0.05;
    const CHIPS: usize = 20;
    let text = format!(
        "[chip.array]\nrows = 1\ncols = 1\n[chip.cells]\nslice_bits = 2\n[variation]\nsigma_w = {SIGMA}\n"
    );
    let report = Net::two_layers(5, false, &text).report(&Options {
        chips: CHIPS,
        current_images: 6,
        ..SUMS
    });
    let layer = &report.layers[0];
    // Digit 0 conducts nothing, so that only filled cells are counted.
    let found: Vec<f64> = layer
        .arrays
        .iter()
        .map(|a| a.nf)
        .filter(|f| f.is_finite())
        .collect();
    let filled: u64 = layer.cells.iter().map(|c| c.non_zero).sum();
    assert_eq!(found.len() as u64, filled);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    // |sigma z| has the mean sigma sqrt(2/pi) and the variance sigma^2 (1 - 2/pi).
    let part = 2.0 / std::f64::consts::PI;
    let se = SIGMA * ((1.0 - part) / (filled as f64 * CHIPS as f64)).sqrt();
    assert!((mean - SIGMA * part.sqrt()).abs() < 6.0 * se, "{mean}");
}

/// Three columns in arrays of two, one of them empty: sorted and without it they are one array, that of
/// [`non_ideality_of_a_tile_is_that_of_its_circuit`].
#[test]
fn a_layout_is_the_circuit_that_it_makes() {
    let options = Options {
        chips: 2,
        current_images: 2,
        ..SUMS
    };
    let alone = two_by_two(2).report(&options);
    let mut net = two_by_two(2);
    let [a, b, c, d] = TWO.0;
    net.layers = vec![(vec![c, d, 0, 0, a, b], 3, 2)];
    let natural = net.report(&options);
    let layout =
        "[chip.array]\nsplit = \"filled\"\nrearrange = \"heavy-first\"\ncompact = \"columns\"\n";
    net.text = net.text.replace("[chip.array]\n", layout);
    let laid = net.report(&options);
    let [natural, laid, alone] = [&natural, &laid, &alone].map(|report| &report.layers[0]);
    assert_eq!((natural.tiles, natural.tiles_laid), (2, 2));
    assert_eq!((laid.tiles, laid.tiles_laid), (2, 1));
    assert_eq!((natural.arrays.len(), laid.arrays.len()), (4, 2));
    // The same currents, added up in another order.
    for (a, b) in laid.arrays.iter().zip(&alone.arrays) {
        assert!((a.nf - b.nf).abs() < 1e-12 && (a.nf_weighted - b.nf_weighted).abs() < 1e-12);
        let counts = |r: &ArrayRow| (r.rows, r.columns, r.non_zero, r.currents, r.zero_currents);
        assert_eq!((counts(a), &a.plane), (counts(b), &b.plane));
    }
    assert!((laid.nf - alone.nf).abs() < 1e-12);
    assert_ne!(natural.nf, laid.nf);
    // Rows that are moved to other arrays have no sums of their own.
    net.layers = vec![(vec![0, 0, 1, 0, 2, 3], 2, 3)];
    net.images = vec![1, 2, 3, 4, 5, 6];
    net.text = net
        .text
        .replace("compact = \"columns\"", "compact = \"rows\"");
    net.text.push_str("[chip.adc]\nbits = 0\n");
    let told = net
        .try_report(&options)
        .map_or_else(|e| e.to_string(), |_| String::new());
    assert!(
        told.contains("layer `fc1`: chip.array.compact moves its rows"),
        "{told}"
    );
    let counted = net.report(&SUMS);
    let layer = &counted.layers[0];
    assert_eq!(
        (layer.tiles, layer.tiles_by_rows, layer.tiles_laid),
        (2, 1, 1)
    );
}
