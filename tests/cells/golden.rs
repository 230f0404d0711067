//! Matrix-vector products and wire solves of CrossSim as our arrays, converters and meshes.

use pimento::mapping;
use pimento::program::*;
use serde_json::Value;

/// The file, whole.
fn all() -> Value {
    serde_json::from_str(include_str!("../../assets/golden/crosssim.json")).unwrap()
}

/// All numbers in a value, in order.
pub fn numbers(v: &Value) -> Vec<f64> {
    match v.as_array() {
        Some(list) => list.iter().flat_map(numbers).collect(),
        None => vec![v.as_f64().unwrap()],
    }
}

/// One product on one array (or several row tiles).
pub struct Product {
    pub name: String,
    pub programming: Programming,
    pub reading: Reading,
    pub errors: ConverterErrors,
    /// Pairs `(lsb, lo)`, `[read plane][column]`.
    pub ranges: Vec<[f32; 2]>,
    /// Weight codes `[column][row]`.
    pub weights: Vec<i32>,
    pub w_step: f64,
    pub inputs: Vec<i32>,
    pub x_step: f64,
    /// CrossSim's answer.
    pub y: Vec<f64>,
    /// What its cells hold, read back.
    pub read_back: Vec<f64>,
}

/// Every product of the file.
pub fn products() -> Vec<Product> {
    all()["mvm"]
        .as_array()
        .unwrap()
        .iter()
        .map(product)
        .collect()
}

fn product(case: &Value) -> Product {
    let p = &case["params"];
    let integer = |key: &str| p[key].as_u64().unwrap() as u32;
    let real = |key: &str| p[key].as_f64().unwrap();
    let is = |key: &str| p[key].as_bool().unwrap();
    let offset = p["style"] == "OFFSET";
    let (slices, weight_bits) = (integer("slices"), integer("weight_bits"));
    let slice_bits: Vec<u8> = match (slices, offset) {
        // One slice holds the magnitude alone; several hold weight_bits / slices bits each.
        (1, false) => vec![weight_bits as u8 - 1],
        _ => vec![(weight_bits / slices) as u8; slices as usize],
    };
    let rows = case["W"][0].as_array().unwrap().len();
    let cols = case["W"].as_array().unwrap().len();
    let cut = mapping::cuts(
        rows,
        integer("rows_max") as usize,
        pimento::config::chip::Split::Even,
    );
    // [outputs, inputs] of every array.
    let sizes: Vec<f64> = cut
        .windows(2)
        .flat_map(|w| [cols, w[1] - w[0]].map(|n| n as f64))
        .collect();
    assert_eq!(numbers(&case["partitions"]), sizes);
    let arrays = Arrays {
        cols,
        rows,
        tile_rows: cut.iter().map(|r| *r as u32).collect(),
        tile_cols: [0, cols as u32].into(),
        slice_bits: slice_bits.into(),
        weight_bits,
        encoding: match offset {
            true => Encoding::Offset { reference: 0 },
            false => Encoding::Differential {
                two_sided: false,
                digital: false,
            },
        },
        g_min: (real("Rmin") / real("Rmax")) as f32,
        levels: None,
    };
    let signed = is("input_signed");
    let input_bits = integer("input_bits") - u32::from(signed);
    let serial = is("input_bitslicing");
    let dac = Dac {
        input_bits,
        dac_bits: if serial { 1 } else { input_bits },
        signs: match signed {
            true => Some(InputSigns::SignMagnitude),
            false => None,
        },
        table: None,
        analog_sum: serial && !is("adc_per_ibit"),
    };
    // Converters of sign and magnitude, ranges in fully conducting cells at full drive.
    let top = (1 << (integer("adc_bits").max(1) - 1)) - 1;
    let adc = (integer("adc_bits") > 0).then_some(Adc {
        lo: -top,
        hi: top,
        noise: 0.0,
        inl: None,
    });
    let full_drive = match serial && !dac.analog_sum {
        true => 1.0,
        false => f64::from((1u32 << input_bits) - 1),
    };
    let limit = |slice: usize| match p["adc_range_option"].as_str().unwrap() {
        // +-n of an array of n rows.
        "MAX" => rows as f64,
        _ => {
            let all = numbers(&p["adc_range"]);
            assert_eq!(
                all[2 * slice % all.len()],
                -all[(2 * slice + 1) % all.len()]
            );
            all[(2 * slice + 1) % all.len()]
        }
    };
    let unit = |slice| f64::from(arrays.level_units(slice)) * full_drive / f64::from(top.max(1));
    let ranges = (0..arrays.read_planes())
        .flat_map(|s| vec![[(limit(s) * unit(s)) as f32, 0.0]; cols])
        .collect();
    let (wmax, xmax) = (real("wmax"), real("xmax"));
    let codes = |values: &Value, most: f64, levels: f64| -> Vec<i32> {
        let codes = numbers(values).into_iter().map(|v| v / most * levels);
        codes.map(|v| v.round_ties_even() as i32).collect()
    };
    let w_levels = f64::from((1 << (weight_bits - 1)) - 1);
    let x_levels = f64::from((1 << input_bits) - 1);
    // Offset cells of CrossSim are written with the slope (m - 1)/m of m = 2^bits - 1 levels and read
    // back with slope 1.
    let m = f64::from((1 << weight_bits) - 1);
    let slope = if offset { (m - 1.0) / m } else { 1.0 };
    Product {
        name: case["name"].as_str().unwrap().to_owned(),
        programming: Programming::ideal(arrays.clone(), 1),
        errors: ConverterErrors {
            arrays: arrays.clone(),
            sharing: 1,
            gain: 0.0,
            offset: 0.0,
            layer: 1,
        },
        reading: Reading {
            arrays,
            dac,
            adc,
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 1,
        },
        ranges,
        weights: codes(&case["W"], wmax, w_levels),
        w_step: wmax / w_levels * slope,
        inputs: codes(&case["x"], xmax, x_levels),
        x_step: xmax / x_levels,
        y: numbers(&case["y"]),
        read_back: numbers(&case["W_read_back"]),
    }
}

/// One solve of a mesh.
pub struct Solve {
    pub name: String,
    pub wires: Wires,
    /// Conductances `[output][input]` relative to `G_max`.
    pub g: Vec<f64>,
    pub v: Vec<f64>,
    /// Currents by an exact sparse solution.
    pub currents: Vec<f64>,
    pub ideal: Vec<f64>,
}

/// Every solve of the file; for gates with the matrix of as many inputs as are on.
pub fn solves() -> Vec<Solve> {
    let one = |case: &Value| {
        let size = case["size"].as_u64().unwrap() as usize;
        let r_min = case["Rmin"].as_f64().unwrap();
        let ohm = |key: &str| (case[key].as_f64().unwrap() / r_min) as f32;
        let v = numbers(&case["v_in"]);
        let name = case["topology"].as_str().unwrap();
        let on = v.iter().filter(|v| **v == 1.0).count();
        let topology = match name.starts_with("input-source") {
            true => Topology::InputSource,
            false => Topology::SeparateSource,
        };
        Solve {
            name: format!("{name}, {size}"),
            wires: Wires {
                arrays: Arrays {
                    cols: size,
                    rows: size,
                    tile_rows: [0, size as u32].into(),
                    tile_cols: [0, size as u32].into(),
                    slice_bits: [8].into(),
                    weight_bits: 8,
                    encoding: Encoding::Offset { reference: 0 },
                    g_min: 0.0,
                    levels: None,
                },
                topology,
                row: ohm("Rp_row_ohm"),
                col: ohm("Rp_col_ohm"),
                row_terminal: ohm("Rp_terminal_ohm"),
                col_terminal: ohm("Rp_terminal_ohm"),
                sweeps: 0,
                activity: on as f32 / size as f32,
            },
            g: numbers(&case["conductance_norm"]),
            v,
            currents: numbers(&case["exact_currents"]),
            ideal: numbers(&case["ideal_currents_norm"]),
        }
    };
    all()["ir_drop"]
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect()
}
