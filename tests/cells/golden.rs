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

/// Parameters of a product.
struct Params<'a>(&'a Value);

impl Params<'_> {
    fn integer(&self, key: &str) -> u32 {
        self.0[key].as_u64().unwrap() as u32
    }

    fn real(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap()
    }

    fn is(&self, key: &str) -> bool {
        self.0[key].as_bool().unwrap()
    }

    fn has_offset(&self) -> bool {
        self.0["style"] == "OFFSET"
    }

    fn arrays(&self, cols: usize, rows: usize, cut: &[usize]) -> Arrays {
        let (slices, weight_bits) = (self.integer("slices"), self.integer("weight_bits"));
        let slice_bits: Vec<u8> = match (slices, self.has_offset()) {
            // One slice holds the magnitude alone; several hold weight_bits / slices bits each.
            (1, false) => vec![weight_bits as u8 - 1],
            _ => vec![(weight_bits / slices) as u8; slices as usize],
        };
        Arrays {
            cols,
            rows,
            tile_rows: cut.iter().map(|r| *r as u32).collect(),
            tile_cols: [0, cols as u32].into(),
            slice_bits: slice_bits.into(),
            equal_slices: 1,
            weight_bits,
            encoding: match self.has_offset() {
                true => Encoding::Offset { reference: 0 },
                false => Encoding::Differential {
                    two_sided: false,
                    digital: false,
                },
            },
            g_min: (self.real("Rmin") / self.real("Rmax")) as f32,
            levels: None,
        }
    }

    fn input_bits(&self) -> u32 {
        self.integer("input_bits") - u32::from(self.is("input_signed"))
    }

    fn dac(&self) -> Dac {
        let serial = self.is("input_bitslicing");
        Dac {
            input_bits: self.input_bits(),
            dac_bits: if serial { 1 } else { self.input_bits() },
            signs: match self.is("input_signed") {
                true => Some(InputSigns::SignMagnitude),
                false => None,
            },
            table: None,
            analog_sum: serial && !self.is("adc_per_ibit"),
        }
    }

    /// Highest code of a converter of sign and magnitude.
    fn top(&self) -> i32 {
        (1 << (self.integer("adc_bits").max(1) - 1)) - 1
    }

    fn adc(&self) -> Option<Adc> {
        (self.integer("adc_bits") > 0).then(|| Adc::with_codes(-self.top(), self.top()))
    }

    /// End of a slice's range, in fully conducting cells at full drive.
    fn limit(&self, slice: usize, rows: usize) -> f64 {
        if self.0["adc_range_option"] == "MAX" {
            // +-n of an array of n rows.
            return rows as f64;
        }
        let all = numbers(&self.0["adc_range"]);
        let [lo, hi] = [2 * slice, 2 * slice + 1].map(|i| all[i % all.len()]);
        assert_eq!(lo, -hi);
        hi
    }

    fn ranges(&self, arrays: &Arrays, dac: &Dac) -> Vec<[f32; 2]> {
        let full_drive = match self.is("input_bitslicing") && !dac.analog_sum {
            true => 1.0,
            false => f64::from((1u32 << dac.input_bits) - 1),
        };
        let top = f64::from(self.top().max(1));
        let unit = |slice| f64::from(arrays.level_units(slice)) * full_drive / top;
        let lsb = |slice| (self.limit(slice, arrays.rows) * unit(slice)) as f32;
        (0..arrays.read_planes())
            .flat_map(|slice| vec![[lsb(slice), 0.0]; arrays.cols])
            .collect()
    }
}

fn product(case: &Value) -> Product {
    let p = Params(&case["params"]);
    let rows = case["W"][0].as_array().unwrap().len();
    let cols = case["W"].as_array().unwrap().len();
    let most = p.integer("rows_max") as usize;
    let cut = mapping::cuts(rows, most, pimento::config::chip::Split::Even);
    // [outputs, inputs] of every array.
    let sizes: Vec<f64> = cut
        .windows(2)
        .flat_map(|w| [cols, w[1] - w[0]].map(|n| n as f64))
        .collect();
    assert_eq!(numbers(&case["partitions"]), sizes);
    let arrays = p.arrays(cols, rows, &cut);
    let dac = p.dac();
    let (wmax, xmax) = (p.real("wmax"), p.real("xmax"));
    let codes = |values: &Value, most: f64, levels: f64| -> Vec<i32> {
        let codes = numbers(values).into_iter().map(|v| v / most * levels);
        codes.map(|v| v.round_ties_even() as i32).collect()
    };
    let w_levels = f64::from((1 << (arrays.weight_bits - 1)) - 1);
    let x_levels = f64::from((1 << dac.input_bits) - 1);
    // Offset cells of CrossSim are written with the slope (m - 1)/m of m = 2^bits - 1 levels and read
    // back with slope 1.
    let m = f64::from((1 << arrays.weight_bits) - 1);
    let slope = if p.has_offset() { (m - 1.0) / m } else { 1.0 };
    Product {
        name: case["name"].as_str().unwrap().to_owned(),
        programming: Programming::ideal(arrays.clone(), 1),
        errors: ConverterErrors {
            arrays: arrays.clone(),
            sharing: 1,
            columns: None,
            gain: 0.0,
            offset: 0.0,
            layer: 1,
        },
        ranges: p.ranges(&arrays, &dac),
        reading: Reading {
            arrays,
            dac,
            adc: p.adc(),
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 1,
        },
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
                    equal_slices: 1,
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
