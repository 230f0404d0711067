use super::*;
use crate::config::{Experiment, Recipe, SigmaProfile};
use crate::program::Law;

/// What is wrong with a section `[train]`, without the name of the file.
fn wrong(train: &str) -> String {
    let error = Experiment::parse(&format!("[train]\n{train}"), "x").unwrap_err();
    error.to_string().replace("x:", "")
}

fn read(train: &str) -> Experiment {
    Experiment::parse(&format!("[train]\n{train}"), "x").unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn mistakes_in_parts_are_told_with_their_line() {
    for (train, says) in [
        (
            "epochs = 2\nweights = [\n{ kind = \"clipp\", sigma = 2 }]\n",
            "4: field `train.weights[0].kind`: unknown kind \"clipp\"; allowed: \"mask\", \"clip\", \"quantize\"; did you mean \
             \"clip\"?",
        ),
        (
            "loss = [{ weight = 1 }]\n",
            "2: field `train.loss[0].kind`: a part without a kind; allowed: \"l1\", \"group-lasso\", \"slice-l1\", \"distill\", \
             \"ovf\", \"irs\", \"heads\"",
        ),
        (
            "loss = [\n{ kind = \"l1\" },\n{ kind = \"l1\" }]\n",
            "4: field `train.loss[1].kind`: kind \"l1\" is there twice; allowed: each kind once",
        ),
        (
            "loss = [{ kind = \"l1\", wieght = 1 }]\n",
            "2: unknown field `train.loss.l1.wieght`; did you mean `weight`? allowed: kind, weight",
        ),
        (
            "loss = [\n{ kind = \"l1\",\nweight = -1 }]\n",
            "4: field `train.loss.l1.weight`: value -1 is not allowed; allowed: 0 to 1000",
        ),
        (
            "loss = \"l1\"\n",
            "2: field `train.loss`: expected an array, found the string \"l1\"; allowed: a list of parts",
        ),
        (
            "noise = [3]\n",
            "2: field `train.noise[0]`: expected a table, found the integer 3; allowed: tables with a kind",
        ),
        (
            "recipe = \"qat\"\nloss = [{ kind = \"l1\" }]\n",
            "2: field `train.recipe`: \"qat\" says which parts there are, and lists of parts do, too; allowed: one of \
             both (`pimento check --expand` prints the parts of a recipe)",
        ),
        (
            "weights = [{ kind = \"quantize\" }, { kind = \"clip\", sigma = 2 }]\n",
            "2: field `train.weights`: what comes after the quantizer would not leave its codes; allowed: \
             { kind = \"quantize\" } as the last part",
        ),
        (
            "weights = [{ kind = \"clip\" }]\n",
            "2: field `train.weights.clip`: says neither of sigma and percentile; allowed: one of them",
        ),
        (
            "loss = [{ kind = \"group-lasso\", groups = \"column-segments\" }]\n",
            "2: field `train.loss.group-lasso`: 0 takes \"column-segments\" from the arrays, and there are none at \
             fidelity \"weight\"; allowed: 1 to 65536, or fidelity \"cell\"",
        ),
        (
            "noise = [{ kind = \"chip\", time_s = 5 }]\n",
            "2: field `train.noise.chip.time_s`: only cells have an age; allowed with train.level = \"cell\"",
        ),
        (
            "noise = [{ kind = \"chip\", draws = [1, -1] }]\n",
            "2: field `train.noise.chip.draws`: value -1 is not allowed; allowed: 0 to 10",
        ),
        (
            "noise = [{ kind = \"chip\", draws = [] }]\n",
            "2: field `train.noise.chip.draws`: value an array of 0 is not allowed; allowed: a list of 1 to 64 numbers",
        ),
        (
            "noise = [{ kind = \"converter-bits\" }]\n",
            "2: field `train.noise.converter-bits`: draws the bits of converters, and steps at level \"weight\" have none; \
             allowed with train.level = \"cell\"",
        ),
        (
            "level = \"cell\"\nweights = [{ kind = \"quantize\" }]\nactivations = [{ kind = \"quantize\" }]\n\
             noise = [{ kind = \"chip\" }]\nloss = [{ kind = \"ovf\" }]\n\
             [variation]\nsigma_w = 0.0\n[chip.programming]\nsigma = 0.1\n[quantize]\ninput_bits = 8\n",
            "6: field `train.loss.ovf`: chip.programming.sigma says how much cells deviate, and not sigma_W, of which passes \
             have more; allowed: chip.programming.sigma = \"none\", or train.level = \"weight\"",
        ),
    ] {
        assert_eq!(wrong(train), says, "{train}");
    }
}

/// What a gain that is learned cannot be with.
#[test]
fn mistakes_in_a_learned_gain_are_told() {
    let refused = |train: &str, rest: &str| {
        wrong(&format!(
            "weights = [{{ kind = \"quantize\" }}]\nactivations = [{{ kind = \"quantize\" }}, {{ kind = \"shared-gain\" }}]\n\
             {train}[quantize]\ninput_bits = 8\n{rest}"
        ))
    };
    for (train, rest, says) in [
        (
            "",
            "",
            "3: field `train.activations.shared-gain`: learns the gain of converters, and steps at level \"weight\" have none; \
             allowed with train.level = \"cell\"",
        ),
        (
            "level = \"cell\"\n",
            "[chip.adc]\nbits = 0\nshared = true\n",
            "learns the gain of converters, and there are none; allowed with chip.adc.bits above 0",
        ),
        (
            "level = \"cell\"\n",
            "",
            "learns a gain that all converters share, and these have their own; allowed with chip.adc.shared = true",
        ),
        (
            "level = \"cell\"\ngradient = \"clean\"\n",
            "[chip.adc]\nshared = true\n",
            "\"clean\" is a backward pass without converters, which has no gradient of their gain",
        ),
        (
            "level = \"cell\"\n",
            "activation_step = \"lsq\"\n[chip.adc]\nshared = true\n",
            "\"lsq\" learns these by a gradient that knows no converters",
        ),
    ] {
        let told = refused(train, rest);
        assert!(told.contains(says), "{told}");
    }
}

/// What the converters that are drawn cannot be.
#[test]
fn mistakes_in_drawn_converters_are_told() {
    let refused = |bits: &str, adc: &str| {
        wrong(&format!(
            "level = \"cell\"\nweights = [{{ kind = \"quantize\" }}]\nactivations = [{{ kind = \"quantize\" }}]\n\
             noise = [{{ kind = \"converter-bits\", bits = {bits} }}]\n[quantize]\ninput_bits = 8\n{adc}"
        ))
    };
    for (bits, adc, says) in [
        (
            "[6]",
            "[chip.adc]\nbits = 0\n",
            "and there are none; allowed with chip.adc.bits above 0",
        ),
        (
            "[6]",
            "[chip.cells]\nslice_bits = 4\n[chip.adc]\nbits = [5, 6]\n",
            "one number is drawn for all slices, and chip.adc.bits is a list of theirs",
        ),
        (
            "[6]",
            "[layer.fc1.chip.adc]\nbits = 5\n",
            "[layer.NAME] has bits of its own",
        ),
        (
            "[1, 6]",
            "",
            "1 bit with codes \"sign-magnitude\" has a range of zero width; allowed: 2 to 14",
        ),
        (
            "[]",
            "",
            "value an array of 0 is not allowed; allowed: a list of 1 to 16",
        ),
        ("[15]", "", "value 15 is not allowed; allowed: 1 to 14"),
        (
            "[3]",
            "[chip.adc]\nbits = 2\ninl = [0.1, 0, 0]\n",
            "chip.adc.inl has a value for every code of one number of bits",
        ),
    ] {
        let told = refused(bits, adc);
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn mistakes_in_stages_are_told_with_their_line() {
    for (train, says) in [
        (
            "[[train.stage]]\nepochs = 1\n",
            "2: field `train.stage[0].name`: a stage without a name; allowed: a name of its own for every stage",
        ),
        (
            "[[train.stage]]\nname = \"a b\"\n",
            "2: field `train.stage[0].name`: value \"a b\" is not allowed; allowed: 1 to 40 letters, digits, `-` and `_`",
        ),
        (
            "[[train.stage]]\nname = \"a\"\n[[train.stage]]\nname = \"a\"\n",
            "4: field `train.stage[1].name`: stage \"a\" is there twice; allowed: each name once",
        ),
        (
            "[[train.stage]]\nname = \"a\"\nepoch = 1\n",
            "4: unknown field `train.stage.a.epoch`; did you mean `epochs`? allowed: name, recipe, epochs, batch, \
             optimizer, learning_rate, momentum, nesterov, weight_decay, schedule, step_epochs, step_factor, \
             warmup_epochs, label_smoothing, chips_per_batch, accumulate, average, evaluate_every, evaluate_chips, \
             level, rescale, variation, sigma_w, seed, calibration_batches, gradient, weights, activations, noise, \
             loss, controllers, augment, stage",
        ),
        (
            "[[train.stage]]\nname = \"a\"\nseed = 3\n",
            "4: field `train.stage.a.seed`: is of a whole training; allowed: in [train]",
        ),
        (
            "warmup_epochs = 5\n[[train.stage]]\nname = \"a\"\nepochs = 2\n",
            "2: field `train.warmup_epochs`: 5 of 2 epochs leave none after the warm-up; allowed: 0 to 1",
        ),
        (
            "[[train.stage]]\nname = \"a\"\nrecipe = \"ptq-vat\"\n[[train.stage]]\nname = \"b\"\n",
            "4: field `train.stage.a.recipe`: stage \"a\" quantizes its network and the next stage trains the weights \
             before that; allowed in the last stage",
        ),
    ] {
        assert_eq!(wrong(train), says, "{train}");
    }
}

#[test]
fn a_stage_has_what_it_says_and_else_what_the_training_says() {
    let e = read(
        "recipe = \"qat\"\nepochs = 4\nbatch = 32\n\
         [[train.stage]]\nname = \"a\"\n\
         [[train.stage]]\nname = \"b\"\nepochs = 2\nloss = [{ kind = \"l1\", weight = 0.5 }]\n\
         [[train.stage]]\nname = \"c\"\nrecipe = \"float\"\naugment = { flip = true }\n",
    );
    let stages = e.stages().unwrap();
    let t: Vec<_> = stages.iter().map(|s| &s.experiment.train).collect();
    assert_eq!(
        stages.iter().map(|s| &*s.name).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert_eq!((t[0].recipe, t[0].epochs, t[0].batch), (Recipe::Qat, 4, 32));
    assert_eq!(
        (t[1].recipe, t[1].epochs, t[1].batch),
        (Recipe::Parts, 2, 32)
    );
    // The other parts are those of the training's recipe.
    let c = t[1].composition();
    assert!(c.quantizes_weights() && c.quantizes_activations() && !c.sees_variation());
    assert_eq!(c.loss, [LossPart::L1(L1 { weight: 0.5 })]);
    assert!(t[2].augment.flip && t[2].composition().is_float());
    // As a file, and built in code.
    let again = Experiment::parse(&e.to_toml().unwrap(), "x").unwrap();
    assert_eq!(again.train, e.train);
    e.check().unwrap();
    let expanded = e.expanded().unwrap();
    let trainings = e.trainings().unwrap();
    assert_eq!(expanded.trainings().unwrap(), trainings);
    let again = Experiment::parse(&expanded.to_toml().unwrap(), "x").unwrap();
    assert_eq!(again.trainings().unwrap(), trainings);
}

#[test]
fn chips_of_a_training_deviate_by_a_law_of_their_own() {
    let text = |part: &str, more: &str| {
        format!(
            "[train]\nsigma_w = 0.03\nweights = [{{ kind = \"quantize\" }}]\nnoise = [{{ kind = \"chip\"{part} }}]\n\
             [quantize]\nweight_bits = 8\n[variation]\nsigma_w = 1\nsigma_profile = \"pcm-two-devices\"\n{more}"
        )
    };
    let parse = |part: &str, more: &str| Experiment::parse(&text(part, more), "x");
    let own = ", law = \"layer-fixed\", sigma_profile = \"flat\"";
    let e = parse(own, "[layer.fc1.variation]\nsigma_profile = 2\n").unwrap();
    let seen = e.in_training(&e.variation);
    assert_eq!((seen.law, seen.sigma_w), (Law::LayerFixed, 0.03));
    assert_eq!(seen.sigma_profile, SigmaProfile::FLAT);
    // The same whoever says it.
    let plain = parse("", "[layer.fc1.variation]\nsigma_profile = 2\n").unwrap();
    let training = e.training();
    assert_eq!(training.variation, seen);
    assert!(training.layer.is_empty() && !plain.training().layer.is_empty());
    assert_eq!(
        plain.training().variation.sigma_profile,
        e.variation.sigma_profile
    );
    let again = Experiment::parse(&e.to_toml().unwrap(), "x").unwrap();
    assert_eq!((again.train, again.variation), (e.train, e.variation));
    for (part, more, says) in [
        (
            "",
            "[chip.programming]\nsigma = 0.1\n",
            "both it and chip.programming.sigma",
        ),
        (
            ", sigma_profile = \"neft-rram4\"",
            "",
            "`train.noise.chip.sigma_profile`: is of whole weights",
        ),
        (
            ", sigma_profile = { points = [[0, 1], [0.5, 2]] }",
            "",
            "points that do not go from 0 to 1",
        ),
        (
            ", sigma_profile = \"neft-rram5\"",
            "",
            "did you mean \"neft-rram4\"",
        ),
    ] {
        let more = format!("{more}[quantize]\nactivation_bits = 4\ninput_bits = 4\n");
        let text = text(part, &more).replacen("[quantize]\nweight_bits = 8\n", "", 1);
        let text = text.replace("[quantize]\n", "[quantize]\nweight_bits = 8\n");
        let text = text.replace(
            "[train]\n",
            "fidelity = \"cell\"\n[train]\nlevel = \"cell\"\n",
        );
        let error = Experiment::parse(&text, "x").unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn fields_of_stages_and_parts_are_axes() {
    let e = read(
        "weights = [{ kind = \"clip\", sigma = 2 }]\n\
         [[train.stage]]\nname = \"a\"\n\
         [[train.stage]]\nname = \"b\"\nepochs = 2\nloss = [{ kind = \"l1\" }]\n\
         [sweep.axes]\n\"train.stage.b.epochs\" = [3, 5]\n\"train.stage.b.loss.l1.weight\" = [0.25]\n\
         \"train.weights.clip.sigma\" = [1.5]\n",
    );
    let points = e.points().unwrap();
    assert_eq!(points.len(), 2);
    let stages = points[1].experiment.stages().unwrap();
    let t = &stages[1].experiment.train;
    assert_eq!(t.epochs, 5);
    assert_eq!(t.loss, [LossPart::L1(L1 { weight: 0.25 })]);
    let WeightPart::Clip(clip) = &t.weights[0] else {
        panic!("{:?}", t.weights);
    };
    assert_eq!(clip.sigma, Some(1.5));
    let paths = e.axis_paths();
    let settings = points[1].settings(&paths).unwrap();
    assert_eq!(settings["train.stage.b.epochs"], 5);
    for (axes, says) in [
        (
            "\"train.stage.c.epochs\" = [1]\n",
            "6: unknown field `train.stage.c.epochs`: what the file has there is no table",
        ),
        (
            "\"train.stage.a.epochs\" = [0]\n",
            "6: field `sweep.axes.train.stage.a.epochs`: value 0 is not allowed; allowed: 1 to 100000",
        ),
        (
            "\"train.stage.a.epoch\" = [1]\n",
            "6: unknown field `train.stage.a.epoch`; did you mean `epochs`?",
        ),
    ] {
        let told = wrong(&format!(
            "epochs = 2\n[[train.stage]]\nname = \"a\"\n[sweep.axes]\n{axes}"
        ));
        assert!(told.starts_with(says), "{told}");
    }
}

/// Contradictions of an experiment that was built in code.
#[test]
fn built_experiments_are_checked_too() {
    let mut e = Experiment::default();
    e.train.loss = vec![LossPart::L1(L1 { weight: 1.0 })];
    let told = e.check().unwrap_err().to_string();
    assert!(
        told.contains("\"qavat\" says which parts there are"),
        "{told}"
    );
    e.train.recipe = Recipe::Parts;
    e.check().unwrap();
    e.train.loss = vec![LossPart::L1(L1 { weight: f64::NAN })];
    let told = e.check().unwrap_err().to_string();
    assert!(told.contains("`train.loss.l1.weight`"), "{told}");
}

/// What `check --expand` prints has the same trainings at every point, whatever the sweep varies.
#[test]
fn what_is_written_out_is_the_same_at_every_point() {
    let stages = "[[train.stage]]\nname = \"a\"\n\
                  [[train.stage]]\nname = \"b\"\nloss = [{ kind = \"l1\" }]\nepochs = 3\n";
    let clip = "weights = [{ kind = \"clip\", sigma = 2 }]\n";
    for (train, stages, axes) in [
        (clip, stages, "\"train.weights.clip.sigma\" = [2, 3]\n"),
        (clip, "", "\"train.weights.clip.sigma\" = [2, 3]\n"),
        (
            "",
            stages,
            "\"train.epochs\" = [4, 5]\n\"train.stage.b.loss.l1.weight\" = [0.1, 1.0]\n",
        ),
        ("", stages, "\"train.recipe\" = [\"qat\", \"qavat\"]\n"),
        (
            "",
            stages,
            "\"train.stage.a.recipe\" = [\"qat\", \"float\"]\n",
        ),
        (
            "recipe = \"qat\"\n",
            stages,
            "\"train.rescale\" = [true, false]\n",
        ),
        ("", "", "\"train.recipe\" = [\"qat\", \"ptq\"]\n"),
    ] {
        let e = read(&format!("{train}{stages}[sweep.axes]\n{axes}"));
        let text = e.expanded().unwrap().to_toml().unwrap();
        let expanded = Experiment::parse(&text, "x").unwrap_or_else(|e| panic!("{e}\n{text}"));
        let of = |e: &Experiment| -> Vec<Vec<Experiment>> {
            let points = e.points().unwrap();
            points
                .iter()
                .map(|p| p.experiment.trainings().unwrap())
                .collect()
        };
        assert_eq!(of(&e), of(&expanded), "{text}");
    }
}

#[test]
fn a_network_that_is_taken_as_it_is_has_no_parts_of_steps() {
    for (parts, refused) in [
        ("weights = [{ kind = \"mask\" }]", true),
        ("loss = [{ kind = \"l1\" }]", true),
        (
            "controllers = [{ kind = \"quantize\", batch_norm = \"keep\" }]",
            false,
        ),
        ("loss = [{ kind = \"distill\" }]\nepochs = 1", false),
    ] {
        let text = format!("[network]\nkind = \"file\"\nfile = \"x.onnx\"\n[train]\n{parts}\n");
        let told = Experiment::parse(&text, "x").map_or_else(|e| e.to_string(), |_| String::new());
        assert_eq!(
            told.contains("0 epochs deploy the network as it is"),
            refused,
            "{parts}: {told}"
        );
        assert!(refused || told.is_empty(), "{parts}: {told}");
    }
}
