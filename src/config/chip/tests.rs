use crate::config::tests::errors;
use crate::config::{Experiment, Fidelity, chip};

/// An experiment at cell level that needs nothing else.
const CELL: &str = "fidelity = \"cell\"\n[quantize]\nweight_bits = 8\ninput_bits = 8\n";

#[test]
fn the_cell_level_is_read_with_its_preset_under_it() {
    let e = Experiment::parse(
        &format!(
            "{CELL}[chip]\npreset = \"crosssim-2slice\"\n[chip.array]\nrows = 256\n\
             [chip.programming]\nsigma = \"none\"\n"
        ),
        "x.toml",
    )
    .unwrap();
    assert_eq!(e.fidelity, Fidelity::Cell);
    assert_eq!((e.chip.array.rows, e.chip.array.cols), (256, 128));
    assert_eq!(e.chip.cells.slices(8), [4, 4]);
    assert_eq!(e.chip.cells.on_off_ratio, 100.0);
    assert_eq!(e.variation.sigma_w, 0.05);
    let again = Experiment::parse(&e.to_toml().unwrap(), "y.toml").unwrap();
    assert_eq!(e, again);
    let curves = "[chip.drift]\nnu = { log = [-0.01, 0.02, 0.04, 0.1] }\nsigma_nu = 0.01\n\
                  [chip.read]\none_over_f = { power = [0.01, -0.5, 0.2] }\nsigma = [0.0, 0.1, 0.3]\n\
                  [chip.cells]\nslice_bits = 4\nencoding = \"offset\"\n[chip.adc]\nlimit = 3\nrange = \"fixed\"\n";
    let e = Experiment::parse(&format!("{CELL}{curves}"), "x.toml").unwrap();
    assert_eq!(e.chip.cells.slices(8), [4, 4]);
    assert_eq!(e.chip.adc.limit, [3.0]);
    let again = Experiment::parse(&e.to_toml().unwrap(), "y.toml").unwrap();
    assert_eq!(e, again);
    for chip::Preset { name, .. } in chip::PRESETS {
        let text = format!("{CELL}[chip]\npreset = \"{name}\"\n");
        Experiment::parse(&text, "x.toml").unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    // A network is trained without its chip: the same one whatever the chip.
    let weight = Experiment::parse(&CELL.replace("cell", "weight"), "x.toml").unwrap();
    assert_eq!(e.training(), weight.training());
}

/// What the file takes away from its preset stays away, in the file of a run and at every point.
#[test]
fn curves_of_a_preset_that_are_none_stay_none() {
    for (preset, lines) in [
        ("pcm", "[chip.programming]\nsigma = \"none\"\n"),
        ("pcm", "[chip.read]\none_over_f = \"none\"\n"),
        ("rram-wan", "[chip.programming]\nsigma = \"none\"\n"),
    ] {
        let text = format!(
            "{CELL}[chip]\npreset = \"{preset}\"\n{lines}[sweep.axes]\n\"chip.adc.bits\" = [4, 5]\n"
        );
        let e = Experiment::parse(&text, "x.toml").unwrap();
        let with = Experiment::parse(&text.replace(lines, ""), "x.toml").unwrap();
        assert_ne!(e.chip, with.chip, "{preset}");
        let again = Experiment::parse(&e.to_toml().unwrap(), "y.toml").unwrap();
        assert_eq!(e, again);
        for point in e.points().unwrap() {
            assert_eq!(point.experiment.chip.programming, e.chip.programming);
            assert_eq!(point.experiment.chip.read, e.chip.read);
        }
        e.check().unwrap();
    }
}

/// Results and their identities from before there was a choice stay what they were.
#[test]
fn how_conductances_are_kept_is_written_only_where_it_is_not_f32() {
    let of = |line: &str| {
        let text = format!("{CELL}[chip.cells]\nslice_bits = 4\n{line}");
        Experiment::parse(&text, "x.toml").unwrap()
    };
    let (usual, named, halves) = (of(""), of("storage = \"f32\""), of("storage = \"f16\""));
    assert_eq!(usual, named);
    assert_eq!(usual.chip.cells.storage, crate::program::Storage::F32);
    assert!(!usual.to_toml().unwrap().contains("storage"));
    assert!(halves.to_toml().unwrap().contains("storage = \"f16\""));
    let again = Experiment::parse(&halves.to_toml().unwrap(), "y.toml").unwrap();
    assert_eq!(again, halves);
    // A network is trained without its chip.
    assert_eq!(usual.training(), halves.training());
}

#[test]
fn the_top_slice_has_what_is_left() {
    use chip::SliceBits;
    assert_eq!(SliceBits::Each(2).of(7), [2, 2, 2, 1]);
    assert_eq!(SliceBits::Each(8).of(7), [7]);
    assert_eq!(SliceBits::Each(1).of(1), [1]);
    assert_eq!(SliceBits::List(vec![3, 5]).of(7), [3, 5]);
}

/// Sections that are refused, and what is said of each.
const IMPOSSIBLE: &[(&str, &str)] = &[
    (
        "[chip.array]\nrows = 0",
        "`chip.array.rows`: value 0 is not allowed; allowed: 1 to 65536",
    ),
    (
        "[chip.cells]\nslice_bits = [4, 2]",
        "`chip.cells.slice_bits`: slices of 4 + 2 = 6 bits do not cover a code of 8 bits, which needs 8 - 1 = 7",
    ),
    (
        "[chip.cells]\nencoding = \"offset\"\nslice_bits = [4, 3]",
        "slices of 4 + 3 = 7 bits do not cover a code of 8 bits, which needs 8",
    ),
    (
        "[chip.cells]\nslice_bits = 9",
        "value 9 is not allowed; allowed: 1 to 8",
    ),
    (
        "[chip.cells]\nslice_bits = 1\nfill = \"max-fill\"\nlevels = [0.0, 1.0]",
        "fill \"max-fill\" aims at conductances between levels; allowed: equal steps (no levels), or fill \"digits\"",
    ),
    (
        "[chip.cells]\nslice_bits = 2\nequal_slices = 5",
        "`chip.cells.equal_slices`: 5 of 4 place values are 20 slices of a weight; allowed: at most 16 together",
    ),
    (
        "[chip.cells]\nslice_bits = 4\nequal_slices = 2\n[chip.adc]\nbits = [4, 4]",
        "2 numbers of bits for 4 slices; allowed: one number, or a list with 4, one for every slice",
    ),
    (
        "[chip.cells]\nslice_bits = [4, 4]\nlevels = [0.0, 1.0]",
        "`chip.cells.levels`: 2 levels for slices of 4 + 4 bits, whose cells have 16, 16 digits",
    ),
    (
        "[chip.cells]\nfill = \"max-fill\"\nencoding = \"offset\"",
        "`chip.cells.fill`: fill \"max-fill\" shares a weight among pairs of cells; allowed: encoding \"differential\", or fill \"digits\"",
    ),
    (
        "[chip.cells]\nfill = \"equal-fill\"\ntwo_sided = true",
        "fill \"equal-fill\" leaves one cell of a pair at its lowest level; allowed: two_sided = false, or fill \"digits\"",
    ),
    (
        "[chip.cells]\nfill = \"max-fill-ec\"\n[tuning]\nmethod = \"oracle\"",
        "fill \"max-fill-ec\" leaves cells that tuning.method \"oracle\" cannot correct: it knows digits; allowed: method \"none\", \"bn-recalibration\" or \"bn-training\", or fill \"digits\"",
    ),
    (
        "[chip.adc]\nbits = 1",
        "`chip.adc.bits`: 1 bit with sign and magnitude has codes from 0 to 0: a range of zero width",
    ),
    (
        "[chip.adc]\nrange = \"fixed\"\nlimit = 0",
        "`chip.adc.limit`: value 0 is not allowed",
    ),
    (
        "[chip.adc]\nrange = \"fixed\"",
        "`chip.adc.range`: 0 limits for 1 slices; allowed with range \"fixed\": one number",
    ),
    (
        "[chip.adc]\nlimit = 4.0",
        "`chip.adc.limit`: range \"full\" has its own limit",
    ),
    (
        "[chip.adc]\nbits = 0\nshared = true",
        "`chip.adc.shared`: a gain that all converters share, and there are none",
    ),
    (
        "[chip.adc]\nbits = 4\ninl = [0.0, 0.1]",
        "`chip.adc.inl`: 2 values for codes from -7 to 7; allowed: 15, or none",
    ),
    (
        "[chip.dac]\nbits = 2\ntable = [0.0, 1.0]",
        "`chip.dac.table`: 2 values for steps of 2 bits; allowed: 2^2 = 4",
    ),
    (
        "[chip.dac]\nbits = 3\nsigns = \"twos-complement\"",
        "`chip.dac.signs`: the images have 8 bits in steps of 3, so 2 in the top step",
    ),
    (
        "[chip.programming]\nstuck_on = 0.7\nstuck_off = 0.7",
        "probabilities 0.7 + 0.7 = 1.4 of being stuck",
    ),
    (
        "[chip.programming]\nsigma = 0.1\n[variation]\nsigma_w = 0.2",
        "`variation.sigma_w`: both sigma_w = 0.2 and chip.programming.sigma",
    ),
    (
        "[chip.programming]\nsigma = { polynom = [1] }",
        "formula \"polynom\" is not allowed; allowed: a number, a list",
    ),
    (
        "[chip.programming]\nsigma = [0.1, -0.1]",
        "the value -0.1 is not allowed",
    ),
    (
        "[chip.drift]\nnu = { log = [1, 2, 3] }",
        "an array of 3 is not allowed; allowed: a list of 4",
    ),
    (
        "[chip]\npreset = \"pmc\"",
        "`chip.preset`: no preset \"pmc\"; allowed: ideal",
    ),
    (
        "[chip.cells]\nstorage = \"f64\"",
        "`chip.cells.storage`: value \"f64\" is not allowed; allowed: \"f32\", \"f16\"",
    ),
    ("[chip.cells]\nstorage = 16", "`chip.cells.storage`"),
    (
        "[chip.cells]\nreference = 2",
        "2 reference cells have nothing to be subtracted from",
    ),
    (
        "[chip.wires]\nrow_ohm = 1\n[tuning]\nmethod = \"reference-columns\"",
        "wires that resist with reference columns",
    ),
    (
        "[chip.cells]\non_off_ratio = 1.00000001",
        "`chip.cells.on_off_ratio`: 1.00000001 leaves (1 - 1/1.00000001)/(2^7 - 1) = 7.9e-11 of G_max",
    ),
    (
        "[variation]\nlaw = \"layer-fixed\"\n[tuning]\nmethod = \"oracle\"\nplace = \"adc-reference\"",
        "`tuning.place`: \"adc-reference\" scales what a converter says",
    ),
    (
        "[chip.adc]\nbits = 0\n[tuning]\nmethod = \"self-tuning\"\nplace = \"adc-reference\"",
        "`tuning.place`: \"adc-reference\" needs converters",
    ),
];

#[test]
fn impossible_chips_are_refused_with_the_arithmetic() {
    for (text, says) in IMPOSSIBLE {
        let messages = errors(&format!("{CELL}{text}\n"));
        assert!(
            messages.len() == 1 && messages[0].contains(says),
            "{messages:#?}, not {says}"
        );
    }
    // A name once, although presets are read first.
    let unknown = errors(&format!("{CELL}[chip]\nfoo = 1\n"));
    assert!(
        unknown[0].contains("allowed: preset, array, cells,"),
        "{unknown:?}"
    );
    // Everything at once, from fields that have nothing to do with each other.
    let many = "fidelity = \"cell\"\n[quantize]\nweight_bits = 0\nactivation_bits = 1\n\
                [chip.adc]\nbits = 1\n[chip.cells]\nreference = 1\n";
    assert_eq!(errors(many).len(), 5, "{:#?}", errors(many));
    let array = errors("[variation]\nsigma_array = 0.1\n");
    assert!(
        array[0].contains("no arrays at fidelity \"weight\""),
        "{array:?}"
    );
}
