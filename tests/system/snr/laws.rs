//! Ratios of one layer of random weights and inputs against closed forms in `f64`, on any backend.

use pimento::backend::Backend;
use pimento::config::Experiment;
use pimento::data::{Dataset, Split};
use pimento::network::Parameters;
use pimento::network::lower::CellNoise;
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::state::Part as State;
use pimento::setup;
use pimento::sweep::snr::{self, Goal, Has, Is, LayerRow, Options, Part, PartRow, Report};
use pimento::sweep::statistics::student_t975;
use pimento::train::{Model, TrainRecord};

/// Standard errors of a statistical bar.
const Z: f64 = 6.0;
/// Powers are sums of single-precision numbers.
const ROUNDED: f64 = 1e-5;

const ROWS: usize = 64;
const COLS: usize = 12;
const IMAGES: usize = 40;
/// Step of the weights.
const STEP: f32 = 0.125;
/// Step of the inputs.
const INPUT: f32 = 1.0 / 255.0;

/// Settings of a chip whose cells hold four bits each, read in one step.
pub const PAIRS: &str = "[chip.cells]\nslice_bits = 4\non_off_ratio = inf\n[chip.dac]\nbits = 8\n";

/// Numbers that look random, below `n`.
fn scrambled(count: usize, n: u32, seed: u32) -> Vec<u32> {
    let one = |i: u32| {
        let x = (i + 1)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(seed.wrapping_mul(40_503));
        ((x ^ (x >> 15)).wrapping_mul(2_246_822_519) >> 16) % n
    };
    (0..count as u32).map(one).collect()
}

/// Weight codes `[column][row]`, and input codes `[vector][row]`.
pub fn codes() -> (Vec<f64>, Vec<f64>) {
    let w = scrambled(ROWS * COLS, 31, 1).into_iter();
    let x = scrambled(ROWS * IMAGES, 256, 2).into_iter();
    (
        w.map(|q| f64::from(q) - 15.0).collect(),
        x.map(f64::from).collect(),
    )
}

/// What a text says about one layer whose weights and inputs are [`codes`].
pub fn measured(backend: &dyn Backend, text: &str, options: &Options) -> pimento::Result<Report> {
    let experiment = Experiment::parse(
        &format!(
            "seed = 11\n[data]\nset = \"digits-8x8\"\nmean = 0.0\nstd = 1.0\n[network]\nkind = \"mlp\"\nhidden = []\n\
             [train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\nweight_bits = 5\nactivation_bits = 8\ninput_bits = 8\n{text}"
        )
        .replace("seed = 11\n", &format!("{}seed = 11\n", level(text))),
        "test",
    )?;
    let (w, x) = codes();
    let pixels: Vec<u8> = x.iter().map(|&c| c as u8).collect();
    let labels = (0..IMAGES).map(|i| (i % COLS) as u16).collect();
    let set = Dataset::new("bytes", pixels, labels, (1, 1, ROWS), COLS, 255)?;
    let data = Split::new(set.clone(), set)?;
    let point = setup::point(&experiment, &data, 0)?;
    let graph = point.start.graph.clone();
    let nominal = CellNoise::NONE.everywhere(&graph);
    let chips = Chips::Weight(&nominal);
    let lowered = inference::lower(&graph, &point.numerics, chips, NormMode::Frozen, false);
    let mut parameters = Parameters::initial(&graph, &lowered.states, 1);
    let (node, ..) = graph.crossbars()[0];
    let mut set = |part: State, values: Vec<f32>| {
        let name = part.of(&graph.nodes[node].name);
        parameters.tensors.get_mut(&name).expect(&name).data = values;
    };
    set(State::WeightStep, vec![STEP]);
    set(State::InputStep, vec![INPUT]);
    set(State::Weight, w.iter().map(|&q| q as f32 * STEP).collect());
    let model = Model {
        graph,
        numerics: point.numerics.clone(),
        parameters,
        record: TrainRecord::default(),
    };
    snr::analyse(backend, &point, &model, options, &())
}

/// A text that begins with another fidelity than weight level says so in a comment.
fn level(text: &str) -> &'static str {
    match text.starts_with("# cell") {
        true => "fidelity = \"cell\"\n",
        false => "",
    }
}

/// At cell level.
pub fn cell(rest: &str) -> String {
    format!("# cell\n{PAIRS}{rest}")
}

/// All vectors on a number of chips, no other converters.
pub fn on(chips: usize) -> Options {
    Options {
        images: 0,
        vectors: 1 << 20,
        chips,
        goal: None,
    }
}

/// The layer of a report.
pub fn layer(backend: &dyn Backend, text: &str, options: &Options) -> LayerRow {
    let report = measured(backend, text, options).unwrap_or_else(|e| panic!("{e}"));
    report.layers.into_iter().next().expect("one layer")
}

/// A ratio, such that one without an end is like another.
pub fn told(ratio: &snr::Ratio) -> String {
    format!("{ratio:?}")
}

/// A part of a layer.
pub fn part(layer: &LayerRow, part: Part) -> PartRow {
    *layer.parts.iter().find(|row| row.part == part).unwrap()
}

/// Products of the codes, `[vector][column]`.
pub fn products() -> Vec<f64> {
    let (w, x) = codes();
    let of = |x: &[f64]| -> Vec<f64> {
        let columns = w.chunks_exact(ROWS);
        columns
            .map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum())
            .collect()
    };
    x.chunks_exact(ROWS).flat_map(of).collect()
}

/// Variance of the products over the vectors, mean over the columns.
fn signal() -> f64 {
    let y = products();
    let of = |o: usize| {
        let values = || y.iter().skip(o).step_by(COLS);
        let mean = values().sum::<f64>() / IMAGES as f64;
        values().map(|y| (y - mean).powi(2)).sum::<f64>() / IMAGES as f64
    };
    (0..COLS).map(of).sum::<f64>() / COLS as f64
}

/// Mean of `f` of `sum w^2 x^2`, `sum x^2` and the product of every vector and column.
fn mean_of(f: impl Fn(f64, f64, f64) -> f64) -> f64 {
    let ((w, x), y) = (codes(), products());
    let mut sum = 0.0;
    for (v, x) in x.chunks_exact(ROWS).enumerate() {
        for (o, w) in w.chunks_exact(ROWS).enumerate() {
            let both = w.iter().zip(x).map(|(w, x)| (w * x).powi(2)).sum();
            let inputs = x.iter().map(|x| x * x).sum();
            sum += f(both, inputs, y[v * COLS + o]);
        }
    }
    sum / y.len() as f64
}

/// Standard error of the mean own power of a part, by the signal's: half of its interval over Student's quantile.
fn standard_error(row: &PartRow, chips: usize) -> f64 {
    let upper = 10f64.powf(-row.snr.lo95 / 10.0);
    (upper - row.own) / student_t975(chips as u64 - 1)
}

/// A part's own power is the closed form.
fn is_closed_form(row: &PartRow, chips: usize, want: f64) {
    let (se, want) = (standard_error(row, chips), want / signal());
    let bar = Z * se + ROUNDED * want;
    assert!(
        (row.own - want).abs() < bar,
        "{:?}: {} for {want}, standard error {se}",
        row.part,
        row.own
    );
    // A bar that would let anything pass proves nothing.
    assert!(bar < 0.5 * want, "{:?}: {bar} for {want}", row.part);
}

/// Independent errors of cells in proportion and fixed ones, with what a chip has in common, at both levels.
pub fn cells_deviate(backend: &dyn Backend) {
    const CHIPS: usize = 300;
    let own = "[variation]\nsigma_w = 0.08\n";
    let common = "[variation]\nsigma_w = 0.05\nsigma_b = 0.1\n";
    for rest in [own.to_string(), common.to_string()] {
        let (s, b) = match rest.as_str() == own {
            true => (0.08f64, 0.0f64),
            false => (0.05, 0.1),
        };
        let want = mean_of(|both, _, y| s * s * both + b * b * y * y);
        for text in [
            format!("{rest}law = \"weight-proportional\"\n"),
            cell(&rest),
        ] {
            let found = layer(backend, &text, &on(CHIPS));
            let row = part(&found, Part::Programming);
            is_closed_form(&row, CHIPS, want);
            assert_eq!(found.signal > 0.0, row.has == Has::Measured);
        }
    }
    // Both cells of every pair have an error of the same size, whatever they hold.
    let fixed = cell(
        "[variation]\nsigma_w = 0.02\nlaw = \"layer-fixed\"\n[chip.programming]\nnon_negative = false\n",
    );
    let want = mean_of(|_, inputs, _| 2.0 * (0.02f64 * 15.0).powi(2) * inputs);
    let found = layer(backend, &fixed, &on(CHIPS));
    is_closed_form(&part(&found, Part::Programming), CHIPS, want);
}

/// At weight level a fixed error is in units of the largest weight.
pub fn weights_deviate(backend: &dyn Backend) {
    const CHIPS: usize = 300;
    let text = "[variation]\nsigma_w = 0.02\nsigma_b = 0.01\nlaw = \"layer-fixed\"\n";
    let x = codes().1;
    let sums: Vec<f64> = x.chunks_exact(ROWS).map(|x| x.iter().sum()).collect();
    let common = sums.iter().map(|s| (0.01 * 15.0 * s).powi(2)).sum::<f64>() / IMAGES as f64;
    let want = common + mean_of(|_, inputs, _| (0.02f64 * 15.0).powi(2) * inputs);
    let found = layer(backend, text, &on(CHIPS));
    is_closed_form(&part(&found, Part::Programming), CHIPS, want);
}

/// Input bits, step by step: every step has noise of its own, and so has every slice.
pub fn steps_are_noisy(backend: &dyn Backend) {
    const CHIPS: usize = 60;
    let text =
        cell("[chip.read]\nproportional = 0.05\n[chip.adc]\nbits = 0\n[chip.array]\nrows = 24\n");
    let text = text
        .replace("slice_bits = 4", "slice_bits = 2")
        .replace("[chip.dac]\nbits = 8", "[chip.dac]\nbits = 1");
    let (w, x) = codes();
    // Squares of digits times their places, and of bits times theirs.
    let weight = |q: &f64| {
        let q = q.abs() as u32;
        f64::from((q & 3).pow(2) + 16 * (q >> 2).pow(2))
    };
    let input = |c: &f64| -> f64 {
        let bit = |t: u32| f64::from((*c as u32 >> t) & 1) * 4f64.powi(t as i32);
        (0..8).map(bit).sum()
    };
    let mut sum = 0.0;
    for x in x.chunks_exact(ROWS) {
        for w in w.chunks_exact(ROWS) {
            sum += w
                .iter()
                .zip(x)
                .map(|(w, x)| weight(w) * input(x))
                .sum::<f64>();
        }
    }
    let want = 0.05f64.powi(2) * sum / (IMAGES * COLS) as f64;
    let found = layer(backend, &text, &on(CHIPS));
    is_closed_form(&part(&found, Part::ReadNoise), CHIPS, want);
}

/// Noise of the cells at a read, drawn for every vector.
pub fn cells_are_noisy(backend: &dyn Backend) {
    const CHIPS: usize = 60;
    let text = cell("[chip.read]\nproportional = 0.05\n[chip.adc]\nbits = 0\n");
    let found = layer(backend, &text, &on(CHIPS));
    let want = mean_of(|both, _, _| 0.05f64.powi(2) * both);
    is_closed_form(&part(&found, Part::ReadNoise), CHIPS, want);
    let off = [Part::Levels, Part::Programming, Part::Wires, Part::Tuning];
    for row in off.map(|p| part(&found, p)) {
        assert_eq!((row.has, row.own, row.cross), (Has::Off, 0.0, 0.0));
    }
    for row in [Part::Steps, Part::Clipping, Part::Converters].map(|p| part(&found, p)) {
        assert_eq!((row.has, row.own), (Has::Absent, 0.0));
    }
}

/// Steps of converters have a twelfth of their square where sums lie anywhere between codes, and the closed form beside the
/// measured power says so.
pub fn steps_are_a_twelfth(backend: &dyn Backend) {
    const CHIPS: usize = 60;
    let text = cell("[variation]\nsigma_w = 0.2\n[chip.adc]\nbits = 8\n");
    let found = layer(backend, &text, &on(CHIPS));
    let row = part(&found, Part::Steps);
    // The largest sum of 64 rows in 127 codes.
    let lsb = (64.0 * 15.0 * 255.0) / 127.0;
    is_closed_form(&row, CHIPS, lsb * lsb / 12.0);
    let by_row = 10f64.powf(-row.closed_form_db / 10.0);
    let want = lsb * lsb / 12.0 / signal();
    assert!(
        (by_row - want).abs() < ROUNDED * want,
        "{by_row} for {want}"
    );
}

/// The same with slices, row tiles and input bits, each with its place value.
pub fn steps_of_every_place_add_up(backend: &dyn Backend) {
    const CHIPS: usize = 40;
    let text = cell("[variation]\nsigma_w = 0.3\n[chip.adc]\nbits = 7\n[chip.array]\nrows = 32\n")
        .replace("slice_bits = 4", "slice_bits = 2")
        .replace("[chip.dac]\nbits = 8", "[chip.dac]\nbits = 2");
    let found = layer(backend, &text, &on(CHIPS));
    let row = part(&found, Part::Steps);
    // 32 rows of digits and drives up to 3 in 63 codes; two tiles, slices of place 1 and 4, steps of place 1 to 64.
    let lsb = 32.0 * 9.0 / 63.0;
    let places = 2.0 * (1.0 + 16.0) * (1.0 + 16.0 + 256.0 + 4096.0);
    is_closed_form(&row, CHIPS, places * lsb * lsb / 12.0);
}

/// Normal sums around their products that a fixed range clips.
pub fn clips_are_tails(backend: &dyn Backend) {
    const CHIPS: usize = 200;
    const SIGMA: f64 = 0.3;
    // Sums have a standard deviation of about 13,500 levels around their products, of about 10,000.
    let cells = 64.0;
    let limit = cells * 15.0 * 18.0;
    let text = cell(&format!(
        "[variation]\nsigma_w = {SIGMA}\n[chip.adc]\nbits = 12\nrange = \"fixed\"\nlimit = {:.1}\n",
        limit / 15.0
    ));
    let found = layer(backend, &text, &on(CHIPS));
    let row = part(&found, Part::Clipping);
    let want = mean_of(|both, _, y| snr::clipping(y, SIGMA * both.sqrt(), limit));
    is_closed_form(&row, CHIPS, want);
    assert!(
        found.clipped > 0.0 && found.clipped < 0.5,
        "{}",
        found.clipped
    );
}

/// Own and shared powers of all parts are the whole, with every effect at once.
pub fn parts_add_up(backend: &dyn Backend) {
    let text = cell(
        "[chip.array]\nrows = 24\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n[chip.programming]\nstuck_off = 0.01\n\
         [chip.drift]\nnu = 0.05\nsigma_nu = 0.01\ntime_s = 3600.0\n[chip.read]\nproportional = 0.02\n\
         [chip.wires]\nrow_ohm = 2.0\ncol_ohm = 2.0\n[chip.adc]\nbits = 6\ngain_error = 0.02\noffset_error = 0.3\n\
         noise = 0.4\nrange = \"fixed\"\nlimit = 500.0\n[tuning]\nmethod = \"oracle\"\n",
    );
    let found = layer(
        backend,
        &text.replace("slice_bits = 4", "slice_bits = 2"),
        &on(4),
    );
    let sum: f64 = found.parts.iter().map(|p| p.own + p.cross).sum();
    let whole = 10f64.powf(-found.snr.db / 10.0);
    assert!((sum - whole).abs() < 1e-9 * whole, "{sum} for {whole}");
    let shared = found.parts.iter().filter(|p| p.cross != 0.0).count();
    for row in &found.parts {
        let has = match row.part {
            Part::Levels => Has::Off,
            _ => Has::Measured,
        };
        assert_eq!(row.has, has, "{:?}", row.part);
        assert!(row.own >= 0.0 && (row.own > 0.0) == (row.has == Has::Measured));
    }
    assert!(shared > 5, "{:?}", found.parts);
    assert!(
        part(&found, Part::Tuning).cross < 0.0,
        "tuning takes errors away"
    );
    assert!(found.worst_db <= found.snr.db && found.snr.lo95 < found.snr.db);
}

/// A chip without errors has no noise, and words say so.
pub fn exact_chips_have_no_noise(backend: &dyn Backend) {
    for text in [
        cell("[chip.adc]\nbits = 0\n"),
        cell("[chip.adc]\nbits = 14\nrange = \"granular\"\n[chip.array]\nrows = 32\n")
            .replace("[chip.dac]\nbits = 8", "[chip.dac]\nbits = 1"),
        String::new(),
    ] {
        let found = layer(backend, &text, &on(3));
        assert_eq!(found.snr.is, Is::Infinite, "{text}");
        assert_eq!(found.clipped.is_nan(), !text.contains("bits = 14"));
        // Weights and inputs are codes.
        assert_eq!(found.sqnr.is, Is::Infinite);
        let json = serde_json::to_value(&found).unwrap();
        assert!(json["snr"]["db"].is_null() && json["snr"]["is"] == "infinite");
    }
}

/// Bits that were found are enough and fewer are not; more bits are better; a range that was found is better, and an experiment
/// with either has the ratio that was told.
pub fn converters_are_verified(backend: &dyn Backend) {
    let with = |adc: &str| {
        let rest = "[variation]\nsigma_w = 0.05\nsigma_b = 0.05\n[tuning]\nmethod = \"self-tuning\"\nscope = \"array\"\n";
        cell(&format!("{rest}[chip.adc]\n{adc}"))
    };
    let options = Options {
        goal: Some(Goal::Lose(0.5)),
        ..on(5)
    };
    let found = layer(backend, &with("bits = 5\n"), &options);
    let converters = found.converters.as_ref().expect("looked at");
    let without = converters.without.expect("a ratio without converters");
    assert!((converters.goal_db - (without.db - 0.5)).abs() < 1e-12);
    let (last, fewer) = converters.tried.split_last().expect("some were tried");
    assert_eq!(Some(last.bits), converters.bits);
    assert!(last.snr.db >= converters.goal_db);
    assert!(fewer.iter().all(|row| row.snr.db < converters.goal_db));
    // So few codes that all sums are 0 leave nothing.
    let tried = converters.tried.iter().map(|row| row.snr.db);
    let tried: Vec<f64> = tried.skip_while(|db| *db < 0.0).collect();
    assert!(tried.len() > 3, "{:?}", converters.tried);
    assert!(tried.windows(2).all(|w| w[0] < w[1]), "{tried:?}");
    let again = layer(backend, &with(&format!("bits = {}\n", last.bits)), &on(5));
    assert_eq!(told(&again.snr), told(&last.snr));
    let five = converters.tried.iter().find(|row| row.bits == 5).unwrap();
    assert_eq!(told(&five.snr), told(&found.snr));

    let range = converters.range.as_ref().expect("converters");
    // A full range is several times what random sums need.
    assert!(range.gain_db > 3.0, "{range:?}");
    let fixed = format!(
        "bits = 5\nrange = \"fixed\"\nlimit = {:?}\n",
        range.limit[0]
    );
    let again = layer(backend, &with(&fixed), &on(5));
    assert_eq!(told(&again.snr), told(&range.snr));
    for factor in [0.6, 1.6] {
        let fixed = format!(
            "bits = 5\nrange = \"fixed\"\nlimit = {:?}\n",
            factor * range.limit[0]
        );
        assert!(layer(backend, &with(&fixed), &on(5)).snr.db < range.snr.db);
    }

    let reach = Options {
        goal: Some(Goal::Reach(9.0)),
        ..on(5)
    };
    let found = layer(backend, &with("bits = 5\n"), &reach)
        .converters
        .unwrap();
    assert!(found.goal_db == 9.0 && found.bits.is_some_and(|bits| bits <= last.bits));
    // Without converters there is no range to be better than, and bits are those of the rule.
    let none = layer(backend, &with("bits = 0\n"), &options)
        .converters
        .unwrap();
    assert!(none.range.is_none() && none.bits == Some(last.bits));

    let never = Options {
        goal: Some(Goal::Reach(90.0)),
        ..on(2)
    };
    let found = layer(backend, &with("bits = 5\n"), &never)
        .converters
        .unwrap();
    assert_eq!(
        (found.bits, found.tried.last().map(|row| row.bits)),
        (None, Some(14))
    );
}
