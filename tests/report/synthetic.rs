//! Sweep results made up from a small model of a chip, deterministic: accuracy falls with the
//! square of the uncorrected common deviation and with sigma_W.

use pimento::sweep::census::Basis;
use pimento::sweep::columns::{self, Values};
use pimento::sweep::compare::comparisons;
use pimento::sweep::result::{
    Axes, ChipRow, PointInputs, PointSummary, Provenance, SweepResult, TrainingHistory, TuningCost,
};
use pimento::train::{EpochRecord, Validation};

/// Standard normal numbers: SplitMix64 and Box-Muller.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A training of 12 epochs for each recipe, two of them with held-out images.
fn trainings(specs: &[Spec]) -> Vec<TrainingHistory> {
    let mut recipes: Vec<&str> = specs.iter().map(|s| s.recipe).collect();
    recipes.dedup();
    let epoch = |recipe: &str, epoch: usize| {
        let rest = (-(epoch as f64) / 4.0).exp();
        let held_out = recipe != "qat" && epoch.is_multiple_of(3);
        EpochRecord {
            epoch,
            loss: 0.35 + 1.4 * rest,
            accuracy: 0.88 - 0.3 * rest,
            validation: held_out.then_some(Validation {
                images: 500,
                ideal: 0.87 - 0.28 * rest,
                mean: 0.80 - 0.30 * rest,
                std: 0.02,
                chips: 16,
            }),
        }
    };
    let history = |recipe: &&str| TrainingHistory {
        label: format!("{recipe} at sigma_W 0.2"),
        epochs: (1..=12).map(|i| epoch(recipe, i)).collect(),
    };
    recipes.iter().map(history).collect()
}

/// What a made-up point is.
#[derive(Clone)]
pub struct Spec {
    pub recipe: &'static str,
    pub law: &'static str,
    pub tuning: &'static str,
    pub test_cells: u32,
    pub sigma_w: f64,
    pub sigma_b: f64,
    pub wafers: bool,
    /// Whether its chips have values in `top5` and `brier`; the first chip has none.
    pub metrics: bool,
}

impl Spec {
    pub fn new(recipe: &'static str, tuning: &'static str, sigma_w: f64, sigma_b: f64) -> Spec {
        Spec {
            recipe,
            law: "weight-proportional",
            tuning,
            test_cells: if tuning == "self-tuning" { 256 } else { 0 },
            sigma_w,
            sigma_b,
            wafers: false,
            metrics: false,
        }
    }
}

/// Dies of an 8 x 12 mm grid on a wafer of 150 mm, row by row.
fn dies() -> Vec<(f64, f64)> {
    let mut dies = Vec::new();
    for j in -8..=8 {
        for i in -8..=8 {
            let (x, y) = (8.0 * f64::from(i), 8.0 * f64::from(j));
            if x.hypot(y) < 66.0 {
                dies.push((x, y));
            }
        }
    }
    dies
}

impl Spec {
    fn is_proportional(&self) -> bool {
        self.law == "weight-proportional"
    }

    fn is_tuned(&self) -> bool {
        self.tuning == "self-tuning"
    }

    fn ideal(&self) -> f64 {
        match self.recipe {
            "qat" => 0.8725,
            "ptq-vat" => 0.8610,
            _ => 0.8655,
        }
    }

    /// A chip. Its deviates are the same at every point, as in a real sweep.
    fn chip(&self, point: usize, chip: u32, images: u32) -> ChipRow {
        let dies = dies();
        let ideal = self.ideal();
        let robust = if self.recipe == "qavat" { 0.35 } else { 1.0 };
        let unit = if self.is_proportional() { 1.0 } else { 6.0 };
        let mut n = Normal(u64::from(chip) * 1000 + 7);
        let eps_b = self.sigma_b * n.next();
        let (place, wafer) = (chip as usize % dies.len(), chip as usize / dies.len());
        let (x, y) = dies[place];
        let radial = if self.wafers {
            -0.25 * (x.hypot(y) / 66.0).powi(2) + 0.08 * x / 66.0
        } else {
            0.0
        };
        let common = eps_b + radial;
        let cells = f64::from(self.test_cells.max(1));
        let hat = common + self.sigma_w / cells.sqrt() * n.next();
        let rest = match self.tuning {
            "none" => common,
            "oracle" => 0.0,
            _ => common - hat,
        };
        let within = robust * 2.2 * (unit * self.sigma_w).powi(2) * (1.0 + 0.15 * n.next());
        let between = 4.0 * (unit * rest).powi(2) + 0.25 * (unit * rest).abs();
        let a = ideal - (within + between) + 0.004 * n.next();
        let a = 0.1 + 0.9 * ((a - 0.1) / 0.9).clamp(0.005, 1.0);
        let correct = (a * f64::from(images)).round() as u32;
        let some = |there: bool, value: f64| if there { value } else { f64::NAN };
        let mut values = Values::default();
        let measured = self.metrics && chip > 0;
        for (name, value) in [
            ("top5", 1.0 - (1.0 - a).powi(3)),
            ("brier", 1.3 * (1.0 - a)),
        ] {
            values.push(columns::find(name).unwrap(), some(measured, value));
        }
        ChipRow {
            point,
            chip,
            accuracy: f64::from(correct) / f64::from(images),
            loss: 2.4 * (1.0 - a),
            correct,
            images,
            eps_b,
            eps_common: common,
            eps_hat: some(self.is_tuned(), hat),
            wafer: wafer as u32,
            die_x_mm: some(self.wafers, x),
            die_y_mm: some(self.wafers, y),
            values,
        }
    }

    fn axes(&self) -> Axes {
        let mapping = match self.is_proportional() {
            true => "differential",
            false => "offset",
        };
        Axes {
            recipe: self.recipe.into(),
            law: self.law.into(),
            mapping: mapping.into(),
            sigma_w: self.sigma_w,
            sigma_b: self.sigma_b,
            tuning: self.tuning.into(),
            weight_bits: 4,
            activation_bits: 4,
            train_variation: "within".into(),
            train_seed: 1,
            distribution: "gaussian".into(),
            test_cells: self.test_cells,
            extra: serde_json::Map::new(),
        }
    }
}

/// Chips and summary of one point.
fn point(spec: &Spec, index: usize, chips: u32, images: u32) -> (PointSummary, Vec<ChipRow>) {
    let rows: Vec<ChipRow> = (0..chips)
        .map(|chip| spec.chip(index, chip, images))
        .collect();
    let inputs = PointInputs {
        ideal: spec.ideal(),
        ideal_metrics: [("brier".to_string(), 0.17)].into(),
        yield_limit: 0.8,
        tuning_cost: spec.is_tuned().then_some(TuningCost {
            cells: u64::from(spec.test_cells),
            conversions_once: u64::from(spec.test_cells),
            conversions_per_image: 0,
            operations_per_image: if spec.is_proportional() { 0 } else { 21_734 },
            images_once: 0,
            operations_once: 0,
        }),
        energy: None,
        costs: std::collections::BTreeMap::from([
            ("cells".to_string(), f64::from(61_706 + spec.test_cells)),
            ("conversions_per_image".to_string(), 6_000.0),
        ]),
        basis: Basis {
            stratified: false,
            chance: Some(0.1),
        },
        predicted_variance: spec
            .is_tuned()
            .then(|| spec.sigma_w.powi(2) / f64::from(spec.test_cells)),
        elapsed_s: 3.25,
    };
    let settings =
        serde_json::json!({"train.recipe": spec.recipe, "variation.sigma_w": spec.sigma_w});
    let summary = PointSummary {
        settings: settings.as_object().cloned().unwrap(),
        ..PointSummary::new(spec.axes(), &rows.iter().collect(), &inputs)
    };
    (summary, rows)
}

/// A whole made-up sweep.
pub fn sweep(title: &str, specs: &[Spec], chips: u32, images: u32) -> (SweepResult, Vec<ChipRow>) {
    let mut points = Vec::new();
    let mut rows = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let (summary, own) = point(spec, i, chips, images);
        points.push(summary);
        rows.extend(own);
    }
    let mut more = serde_json::Map::new();
    more.insert("data_sha256".into(), "9f86d081884c7d65".into());
    let result = SweepResult {
        pimento: "0.1.0".into(),
        experiment: "synthetic".into(),
        title: title.into(),
        seed: 7,
        backend: "cpu".into(),
        adapter: "Example processor, 2 threads".into(),
        elapsed_s: 96.4,
        config: serde_json::json!({"sweep": {"chips": chips}}),
        directory: None,
        axes: ["train.recipe", "variation.sigma_w"]
            .map(String::from)
            .into(),
        comparisons: comparisons(&points, |point| {
            Ok(rows
                .iter()
                .filter(move |r| r.point == point)
                .cloned()
                .map(Ok))
        })
        .unwrap(),
        points,
        trainings: trainings(specs),
        provenance: Provenance {
            command: "pimento sweep experiments/synthetic.toml --out runs/synthetic".into(),
            config_toml: "name = \"synthetic\"\n\n[sweep]\nchips = 200\n".into(),
            config_sha256: "0".repeat(64),
            started: "2026-01-02T03:04:05Z".into(),
            system: "linux x86_64".into(),
            threads: 2,
            api: "avx2+fma".into(),
            driver: String::new(),
            more,
        },
    };
    (result, rows)
}

/// One point.
pub fn one() -> (SweepResult, Vec<ChipRow>) {
    let spec = Spec::new("qavat", "none", 0.2, 0.1);
    sweep("One point", &[spec], 200, 2000)
}

/// Three points without any abscissa, as the demo has.
pub fn demo() -> (SweepResult, Vec<ChipRow>) {
    let specs = [
        Spec::new("qat", "none", 0.2, 0.3),
        Spec::new("qavat", "none", 0.2, 0.3),
        Spec::new("qavat", "self-tuning", 0.2, 0.3),
    ];
    sweep("Training alone is not enough, tuning is", &specs, 240, 2000)
}

/// Three recipes at four sigmas: twelve points.
pub fn twelve() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = Vec::new();
    for recipe in ["qat", "ptq-vat", "qavat"] {
        for sigma in [0.1, 0.2, 0.3, 0.4] {
            specs.push(Spec::new(recipe, "none", sigma, 0.0));
        }
    }
    sweep("Recipes under within-chip variation", &specs, 1000, 10_000)
}

/// Two laws, five variants, six sigmas: sixty points.
pub fn sixty() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = Vec::new();
    for (law, unit) in [("weight-proportional", 1.0), ("layer-fixed", 1.0 / 6.0)] {
        for (recipe, tuning, cells) in [
            ("qat", "none", 0),
            ("qavat", "none", 0),
            ("qavat", "self-tuning", 16),
            ("qavat", "self-tuning", 256),
            ("qavat", "oracle", 0),
        ] {
            for step in 0..6 {
                let sigma_b = (f64::from(step) * 0.06 * unit * 1e4).round() / 1e4;
                let mut spec = Spec::new(
                    recipe,
                    tuning,
                    (0.2 * unit * 1e3_f64).round() / 1e3,
                    sigma_b,
                );
                spec.law = law;
                spec.test_cells = cells;
                specs.push(spec);
            }
        }
    }
    sweep("Self-tuning under both laws", &specs, 200, 2000)
}

/// Two points of chips with places on wafers.
pub fn wafers() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = [
        Spec::new("qavat", "none", 0.15, 0.05),
        Spec::new("qavat", "self-tuning", 0.15, 0.05),
    ];
    for spec in &mut specs {
        spec.wafers = true;
    }
    sweep("Dies of a wafer", &specs, 420, 2000)
}

/// Points with metrics, and one without.
pub fn metrics() -> (SweepResult, Vec<ChipRow>) {
    let mut specs = [0.1, 0.2, 0.3].map(|sigma| Spec::new("qavat", "none", sigma, 0.05));
    specs[..2].iter_mut().for_each(|s| s.metrics = true);
    sweep("Metrics", &specs, 300, 2000)
}

/// Names that try to break out of the page, and numbers that do not exist.
pub fn hostile() -> (SweepResult, Vec<ChipRow>) {
    let specs = [
        Spec::new("qat", "self-tuning", 0.2, 0.1),
        Spec::new("<b>&\"'recipe", "none", 0.2, 0.2),
    ];
    let (mut result, mut rows) = sweep("<script>alert(1)</script> & \"more\"", &specs, 1, 10);
    result.experiment = "a]]>b<!-- & \u{1}".into();
    result.adapter = "</main><img src=x onerror=y>".into();
    result.provenance.command = "pimento sweep '<a>&b'".into();
    result.provenance.config_toml = "x = \"</pre><script>\"".into();
    result.points[0].ideal = f64::NAN;
    result.points[1]
        .axes
        .extra
        .insert("<axis>".into(), "<value>".into());
    rows[0].loss = f64::NAN;
    (result, rows)
}
