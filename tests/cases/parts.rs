//! Parts of trainings, of which both suites train pairs.

/// A part: where it stands, and its table.
pub struct Part {
    pub name: &'static str,
    /// The list, or "gradient".
    pub list: &'static str,
    pub table: &'static str,
}

const fn part(name: &'static str, list: &'static str, table: &'static str) -> Part {
    Part { name, list, table }
}

/// Every kind, in the variants that make other programs.
pub const PARTS: &[Part] = &[
    part("clip", "weights", "{ kind = \"clip\", sigma = 1.5 }"),
    part(
        "clip by percentile",
        "weights",
        "{ kind = \"clip\", percentile = 90, per = \"channel\" }",
    ),
    part(
        "clip, old range",
        "weights",
        "{ kind = \"clip\", percentile = 95, mapping_range = \"old\" }",
    ),
    part("mask", "weights", "{ kind = \"mask\" }"),
    part(
        "mask of filters",
        "weights",
        "{ kind = \"mask\", groups = \"filters\", sparsity = 0.4 }",
    ),
    part(
        "mask of segments",
        "weights",
        "{ kind = \"mask\", groups = \"row-segments\", segment = 2, sparsity = 0.7 }",
    ),
    part("weights", "weights", "{ kind = \"quantize\" }"),
    part("activations", "activations", "{ kind = \"quantize\" }"),
    part(
        "ranges",
        "activations",
        "{ kind = \"learned-range\", sigmas = 2 }",
    ),
    part("gain", "activations", "{ kind = \"shared-gain\" }"),
    part("chips", "noise", "{ kind = \"chip\" }"),
    part(
        "several chips",
        "noise",
        "{ kind = \"chip\", draws = 3, start = 0.5, ramp = 2 }",
    ),
    part(
        "draws by factors",
        "noise",
        "{ kind = \"chip\", draws = [1.0, 0.5, 0.0] }",
    ),
    part(
        "converter bits",
        "noise",
        "{ kind = \"converter-bits\", bits = [3, 5, 7] }",
    ),
    part(
        "chips by a profile",
        "noise",
        "{ kind = \"chip\", law = \"layer-fixed\", sigma_profile = { polynomial = [0.2, 1.0, -0.5] } }",
    ),
    part("l1", "loss", "{ kind = \"l1\", weight = 1e-3 }"),
    part(
        "filters",
        "loss",
        "{ kind = \"group-lasso\", weight = 1e-2 }",
    ),
    part(
        "segments",
        "loss",
        "{ kind = \"group-lasso\", groups = \"column-segments\", segment = 5, weight = 1e-2 }",
    ),
    part(
        "slices",
        "loss",
        "{ kind = \"slice-l1\", weight = 5, slice_bits = 1 }",
    ),
    part("distill", "loss", "{ kind = \"distill\" }"),
    part(
        "ovf",
        "loss",
        "{ kind = \"ovf\", weight = 0.5, more = [0.3, 0.1] }",
    ),
    part("irs", "loss", "{ kind = \"irs\", weight = 0.5 }"),
    part("heads", "loss", "{ kind = \"heads\" }"),
    part("rescale", "gradient", "\"rescale\""),
    part("clean", "gradient", "\"clean\""),
    part(
        "plateau",
        "controllers",
        "{ kind = \"plateau\", patience = 1, factor = 0.1, improvement = 0.9 }",
    ),
    part(
        "growth",
        "controllers",
        "{ kind = \"mask-growth\", epochs = 2, start = 0.3 }",
    ),
    part("quantize after", "controllers", "{ kind = \"quantize\" }"),
];

/// An experiment of three epochs of one step with these parts. At cell level weights and activations are quantized
/// anyway. Weight steps are those of the largest weights: of candidates with equal errors rounding would choose one.
pub fn text(parts: &[&Part], level: &str) -> String {
    let mut text = format!(
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 32\n[network]\nkind = \"cnn\"\nchannels = [3]\nbatch_norm = true\n\
         [quantize]\nweight_bits = 3\nweight_step = \"max-abs\"\nactivation_bits = 4\ninput_bits = 4\n\
         [chip.array]\nrows = 32\n[chip.adc]\nbits = 5\n\
         [variation]\nsigma_w = 0.2\nsigma_b = 0.1\n\
         [train]\nepochs = 3\nbatch = 32\noptimizer = \"sgd\"\nlearning_rate = 5e-2\nlevel = \"{level}\"\nvariation = \"both\"\n"
    );
    if parts
        .iter()
        .any(|part| ["irs", "heads"].contains(&part.name))
    {
        let head = "[[network.head]]\nname = \"side\"\nat = \"pool1\"\npool = 2\nhidden = [5]\n";
        text = text.replace("[quantize]\n", &format!("{head}[quantize]\n"));
    }
    if parts.iter().any(|part| part.name == "gain") {
        text = text.replace("bits = 5\n", "bits = 5\nshared = true\n");
    }
    // A teacher has to be trained before.
    if parts.iter().any(|part| part.name == "distill") {
        text += "recipe = \"float\"\n[[train.stage]]\nname = \"before\"\nlevel = \"weight\"\nepochs = 1\n\
                 [[train.stage]]\nname = \"after\"\nrecipe = \"parts\"\n";
    }
    for list in [
        "weights",
        "activations",
        "noise",
        "loss",
        "controllers",
        "gradient",
    ] {
        let own = parts.iter().filter(|part| part.list == list);
        let mut tables: Vec<&str> = own.map(|part| part.table).collect();
        tables.dedup();
        let quantize = "{ kind = \"quantize\" }";
        if level == "cell" && ["weights", "activations"].contains(&list) {
            tables.retain(|table| *table != quantize);
            if !tables.iter().any(|table| table.contains("learned-range")) {
                tables.push(quantize);
            }
        }
        // A quantizer is the last transform.
        tables.sort_by_key(|table| *table == quantize);
        match list {
            "gradient" => tables
                .iter()
                .for_each(|table| text += &format!("gradient = {table}\n")),
            _ if tables.is_empty() => {}
            _ => text += &format!("{list} = [{}]\n", tables.join(", ")),
        }
    }
    if parts.is_empty() && level == "weight" {
        text += "recipe = \"float\"\n";
    }
    text
}
