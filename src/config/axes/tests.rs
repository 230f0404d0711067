use crate::config::chip::AdcBits;
use crate::config::tests::errors;
use crate::config::*;

fn labels(text: &str) -> Vec<String> {
    let e = Experiment::parse(text, "x.toml").unwrap();
    let again = Experiment::parse(&e.to_toml().unwrap(), "y.toml").unwrap();
    let points = e.points().unwrap();
    // A range is written after the lists, so axes may change places.
    let experiments = |points: Vec<Point>| -> Vec<Experiment> {
        points.into_iter().map(|p| p.experiment).collect()
    };
    assert_eq!(
        experiments(again.points().unwrap()),
        experiments(points.clone())
    );
    points.iter().map(Point::label).collect()
}

#[test]
fn axes_are_paths_to_any_field() {
    let text = "
[quantize]
weight_step = \"mse\"
[sweep.axes]
\"variation.wafer.sigma_field\" = [0.1, 0.2]
\"network.channels\" = [[4], [8, 16]]
variation.sigma_w = 0.5
network.batch_norm = [true, false]
\"variation.on_off_ratio\" = inf
";
    let e = Experiment::parse(text, "x.toml").unwrap();
    let points = e.points().unwrap();
    assert_eq!(points.len(), 8);
    assert_eq!(
        points[5].label(),
        "variation.wafer.sigma_field = 0.2, network.channels = [4], variation.sigma_w = 0.5, \
         network.batch_norm = false, variation.on_off_ratio = inf"
    );
    let p = &points[5].experiment;
    assert_eq!(p.variation.wafer.as_ref().unwrap().sigma_field, 0.2);
    assert_eq!(p.network.channels, [4]);
    assert!(!p.network.batch_norm && p.variation.sigma_w == 0.5);
    assert_eq!(p.sweep.axes, None);
    labels(text);
}

#[test]
fn a_value_may_come_again_where_axes_go_side_by_side() {
    let text = "
[sweep.axes]
mode = \"zip\"
sigma_w = [0.1, 0.1, 0.2]
sigma_b = [0.0, 0.3, 0.0]
";
    let points = Experiment::parse(text, "x.toml").unwrap().points().unwrap();
    let labels: Vec<String> = points.iter().map(|p| p.label()).collect();
    assert_eq!(
        labels,
        [
            "variation.sigma_w = 0.1, variation.sigma_b = 0",
            "variation.sigma_w = 0.1, variation.sigma_b = 0.3",
            "variation.sigma_w = 0.2, variation.sigma_b = 0"
        ]
    );
}

#[test]
fn a_default_follows_the_field_that_decides_it() {
    let text = "
[sweep.axes]
mode = \"zip\"
\"network.kind\" = [\"lenet5\", \"mlp\"]
\"quantize.profile\" = [\"pimento\", \"reference\"]
";
    let points = Experiment::parse(text, "x.toml").unwrap().points().unwrap();
    let e: Vec<&Experiment> = points.iter().map(|p| &p.experiment).collect();
    assert_eq!(e[0].network, Network::of(NetworkKind::Lenet5));
    assert_eq!(
        e[0].quantize,
        Quantize::of(Profile::Pimento, Activation::Tanh)
    );
    assert_eq!(e[1].network, Network::of(NetworkKind::Mlp));
    assert_eq!(
        e[1].quantize,
        Quantize::of(Profile::Reference, Activation::Relu)
    );
}

#[test]
fn a_latin_hypercube_has_one_point_in_every_stratum() {
    let text = "
seed = 3
[sweep.axes]
mode = \"latin-hypercube\"
samples = 20
sigma_w = { from = 0.0, to = 2.0 }
train_sigma_w = { from = 0.001, to = 10, log = true }
weight_bits = { from = 1, to = 4, integer = true }
law = [\"layer-fixed\", \"weight-proportional\"]
";
    let e = Experiment::parse(text, "x.toml").unwrap();
    let points: Vec<Experiment> = e
        .points()
        .unwrap()
        .into_iter()
        .map(|p| p.experiment)
        .collect();
    let strata = |of: &dyn Fn(&Experiment) -> f64| {
        let mut strata: Vec<usize> = points.iter().map(|e| (of(e) * 20.0) as usize).collect();
        strata.sort_unstable();
        strata
    };
    let each: Vec<usize> = (0..20).collect();
    assert_eq!(strata(&|e| e.variation.sigma_w / 2.0), each);
    assert_eq!(
        strata(&|e| (e.train.sigma_w.unwrap() * 1e3).log10() / 4.0),
        each
    );
    for bits in 1..=4 {
        assert_eq!(
            points
                .iter()
                .filter(|e| e.quantize.weight_bits == bits)
                .count(),
            5
        );
    }
    assert_eq!(
        points
            .iter()
            .filter(|e| e.variation.law == crate::program::Law::LayerFixed)
            .count(),
        10
    );
    // The axes are shuffled independently, and another seed is another design.
    let order = |text: &str| labels(text);
    assert_eq!(order(text), order(text));
    assert_ne!(order(text), order(&text.replace("seed = 3", "seed = 4")));
    let rising = points
        .windows(2)
        .filter(|w| w[1].variation.sigma_w > w[0].variation.sigma_w);
    assert!((3..17).contains(&rising.count()));
}

#[test]
fn mistakes_of_axes_are_those_of_their_fields() {
    let cases = [
        (
            "[sweep.axes]\n\"quantize.weight_bitz\" = [4]\n",
            "x.toml:2: unknown field `quantize.weight_bitz`; did you mean `weight_bits`?",
        ),
        (
            "[sweep.axes]\n\"quantise.weight_bits\" = [4]\n",
            "x.toml:2: unknown field `quantise`; did you mean `quantize`?",
        ),
        (
            "[sweep.axes]\n\"tuning.test_cells\" = [16,\n0]\n",
            "x.toml:3: field `sweep.axes.tuning.test_cells`: value 0 is not allowed; allowed: 1 to 1000000",
        ),
        (
            "[network]\nkind = \"mlp\"\nhidden = [3]\n[sweep.axes]\n\"network.kind\" = [\"lenet5\"]\n",
            "x.toml:5: field `network.hidden`: has no meaning for kind \"lenet5\"; allowed: kind = \"mlp\" (with `sweep.axes.network.kind` = \"lenet5\")",
        ),
        (
            "[sweep.axes]\nseed = [1, 2]\n",
            "x.toml:2: field `sweep.axes.seed`: cannot vary: all points have the same chips",
        ),
        (
            "[sweep.axes]\n\"sweep.images\" = [1, 2]\n",
            "x.toml:2: field `sweep.axes.sweep.images`: cannot vary: a sweep has one plan",
        ),
        (
            "[sweep.axes]\nsigma_w = { from = 0, to = 1 }\n",
            "x.toml:2: field `sweep.axes.sigma_w`: a range has no list",
        ),
        (
            "[sweep.axes]\nmode = \"zip\"\nsigma_w = [1, 2]\nsigma_b = [1, 2, 3]\n",
            "x.toml:4: field `sweep.axes.sigma_b`: has 3 values and `sweep.axes.sigma_w` 2; allowed: as many",
        ),
        (
            "[sweep.axes]\nmode = \"zip\"\nsigma_w = [1, 2, 1.0]\nsigma_b = [1, 1, 1]\n",
            "x.toml:3: field `sweep.axes.sigma_w`: values 1 and 3 of all axes are the same point",
        ),
        (
            "[sweep.axes]\nsigma_w = [1, 2, 1.0]\n",
            "x.toml:2: field `sweep.axes.sigma_w`: value 1 is there twice",
        ),
        (
            "[sweep.axes]\nmode = \"latin-hypercube\"\nsigma_w = [1, 2]\n",
            "x.toml:1: field `sweep.axes.samples`: is the number",
        ),
        (
            "[sweep.axes]\nmode = \"latin-hypercube\"\nsamples = 3\nsigma_w = { from = 0, to = 11 }\n",
            "x.toml:4: field `sweep.axes.sigma_w`: value 11 is not allowed; allowed: 0 to 10",
        ),
        (
            "[sweep.axes]\nmode = \"latin-hypercube\"\nsamples = 2\nweight_bits = { from = 1, to = 4 }\n",
            "x.toml:1: field `quantize.weight_bits`: expected an integer, found the float",
        ),
        (
            "[sweep.axes]\nsigma_w = 1\n\"variation.sigma_w\" = 2\n",
            "x.toml:3: field `sweep.axes.variation.sigma_w`: `variation.sigma_w` is there twice",
        ),
        (
            "[sweep.axes]\nsigma_w = [{ a = 1 }]\n",
            "x.toml:2: field `sweep.axes.sigma_w`: no field takes this",
        ),
        (
            "[sweep]\naxes = 3\n",
            "x.toml:2: field `sweep.axes`: expected a table",
        ),
        (
            "[sweep.axes]\nsigma_w = 1\n[[sweep.grid]]\nsigma_b = 1\n",
            "x.toml:1: field `sweep.axes`: there is [[sweep.grid]] too",
        ),
    ];
    for (text, start) in cases {
        let messages = errors(text);
        assert!(messages[0].starts_with(start), "{messages:#?}, not {start}");
    }
}

#[test]
fn a_point_is_there_once() {
    for (text, says) in [
        (
            "[sweep.axes]\nmode = \"latin-hypercube\"\nsamples = 50\n\"quantize.weight_step\" = [\"lsq\"]\n",
            "x.toml:1: 49 points are there twice, of which point 1 is point 0 (quantize.weight_step = lsq)",
        ),
        (
            "[[sweep.grid]]\nsigma_w = [0.1, 0.2]\n[[sweep.grid]]\n\"variation.sigma_w\" = [0.3, 0.20]\n",
            "x.toml:3: a point is there twice: point 3 is point 1 (variation.sigma_w = 0.2)",
        ),
        (
            "[[sweep.grid]]\nsigma_w = 1\nrecipe = \"qat\"\n[[sweep.grid]]\nrecipe = \"qat\"\nsigma_w = 1.0\n",
            "x.toml:4: a point is there twice: point 1 is point 0",
        ),
        (
            "[[sweep.grid]]\n[[sweep.grid]]\n",
            "x.toml:2: a point is there twice: point 1 is point 0 (no axis varies)",
        ),
    ] {
        let messages = errors(text);
        assert!(messages[0].starts_with(says), "{messages:#?}, not {says}");
    }
    // As whole numbers they are two; as real ones they would be one.
    let seeds = "[sweep.axes]\n\"train.seed\" = [9007199254740992, 9007199254740993]\n";
    assert_eq!(labels(seeds).len(), 2);
}

#[test]
fn names_of_any_length_are_no_axes() {
    let dots = format!("[sweep.axes]\n\"{}a\" = 1\n", "a.".repeat(20_000));
    let messages = errors(&dots);
    assert!(
        messages[0].contains("an axis of 40001 characters and 20001 parts is no field"),
        "{messages:?}"
    );
    assert!(messages[0].len() < 500, "{messages:?}");
    let long = errors(&format!("[sweep.axes]\n{} = 1\n", "a".repeat(20_000)));
    assert!(long[0].len() < 500, "{long:?}");
    let below =
        errors("[variation]\nsigma_w = 1\n[sweep.axes]\n\"variation.sigma_w.x\" = [1, 2]\n");
    assert!(
        below[0].starts_with("x.toml:4: unknown field `variation.sigma_w.x`"),
        "{below:?}"
    );
    let inside = errors("[sweep.axes]\n\"a.b.c.d.e.f.g.h.i\" = 1\n");
    assert!(inside[0].contains("9 parts is no field"), "{inside:?}");
}

#[test]
fn chips_of_cells_have_axes_too() {
    let text = "
[sweep.axes]
\"chip.adc.bits\" = [4, 5, 6, 8]
\"chip.preset\" = [\"ideal\", \"sonos\"]
";
    let points = Experiment::parse(text, "x.toml").unwrap().points().unwrap();
    assert_eq!(points.len(), 8);
    assert_eq!(points[5].label(), "chip.adc.bits = 6, chip.preset = sonos");
    let chip = |i: usize| &points[i].experiment.chip;
    assert_eq!(chip(0).adc.bits, AdcBits::Same(4));
    assert_eq!(chip(7).adc.bits, AdcBits::Same(8));
    // The preset's values are there where no axis and no line of the file says otherwise.
    assert_ne!(chip(4).cells, chip(5).cells);
    let wrong = text.replace("8]", "15]");
    assert_eq!(
        errors(&wrong),
        ["x.toml:3: field `sweep.axes.chip.adc.bits`: value 15 is not allowed; allowed: 0 to 14"]
    );
}
