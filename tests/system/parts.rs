//! Parts of trainings in all pairs: each pair trains and resumes to the same bits, or is refused for a reason
//! that stands here. Stages, recipes written out, and what contradicts them.

use pimento::Error;
use pimento::config::Experiment;

use crate::all_parts::{PARTS, Part, text};
use crate::refused_parts::{REDEEMED, REFUSED};
use pimento::data::Split;

use crate::{experiment, train_until};

/// The embedded digits with so many training images.
pub(crate) fn digits(n: usize) -> Split {
    let all = crate::digits();
    Split {
        train: all.train.limit(n),
        ..all
    }
}

/// Steps of a training of a pair.
const STEPS: usize = 3;

/// Why a pair is refused, if it is.
fn refusal(a: &str, b: &str, level: &str) -> Option<&'static str> {
    let is = |x: &str, y: &str| (x, y) == (a, b) || (x, y) == (b, a);
    if REDEEMED.iter().any(|(x, y, l)| is(x, y) && *l == level) {
        return None;
    }
    let of = |(x, y, l, _): &&(&str, &str, &str, &str)| {
        let alone = y.is_empty() && (*x == a || *x == b);
        (alone || is(x, y)) && (l.is_empty() || *l == level)
    };
    // What no file can say comes first.
    let mut found: Vec<_> = REFUSED.iter().filter(of).collect();
    found.sort_by_key(|(_, y, ..)| y.is_empty());
    found.first().map(|(.., reason)| *reason)
}

/// All pairs, a part with itself for the part alone.
fn pairs() -> impl Iterator<Item = (&'static Part, &'static Part)> {
    let of = |i: usize| PARTS[i..].iter().map(move |b| (&PARTS[i], b));
    (0..PARTS.len()).flat_map(of)
}

#[test]
fn every_pair_of_parts_trains_and_resumes_or_is_refused() {
    let (data, dir) = (digits(32), tempfile::tempdir().unwrap());
    let mut trained = 0;
    for level in ["weight", "cell"] {
        for (i, (a, b)) in pairs().enumerate() {
            let name = format!("{} and {} at level {level}", a.name, b.name);
            let read = Experiment::parse(&text(&[a, b], level), "x");
            let e = match (read, refusal(a.name, b.name, level)) {
                (Ok(e), None) => e,
                (Err(e), Some(reason)) => {
                    let told = e.to_string();
                    assert!(told.contains(reason), "{name}: {told}");
                    continue;
                }
                (Ok(_), Some(reason)) => panic!("{name}: not refused, {reason}"),
                (Err(e), None) => panic!("{name}: {e}"),
            };
            let whole = train_until(&e, &data, None, usize::MAX).unwrap();
            // One more where a teacher is trained before.
            let taught = [a, b].iter().any(|part| part.name == "distill");
            assert_eq!(whole.record.steps, STEPS + usize::from(taught), "{name}");
            let file = dir.path().join(format!("{level}{i}.partial"));
            // Another step of every pair.
            let stop = 1 + i % (STEPS - 1);
            let stopped = train_until(&e, &data, Some(file.clone()), stop);
            assert!(matches!(stopped, Err(Error::Interrupted(_))), "{name}");
            let resumed = train_until(&e, &data, Some(file), usize::MAX);
            let resumed = resumed.unwrap_or_else(|e| panic!("{name}, stopped at {stop}: {e}"));
            assert_eq!(resumed.parameters, whole.parameters, "{name}");
            assert_eq!(resumed.record.history, whole.record.history, "{name}");
            trained += 1;
        }
    }
    // Of 406 pairs at each level.
    assert!(trained > 330, "{trained}");
}

/// Each part does something: the network is another than without it.
#[test]
fn every_part_changes_the_network() {
    let data = digits(32);
    let mut known = vec![];
    for part in PARTS {
        let alone = refusal(part.name, part.name, "weight").is_some();
        let level = if alone { "cell" } else { "weight" };
        if refusal(part.name, part.name, level).is_some() {
            continue;
        }
        let plain = match level {
            // As the base, but on chips.
            "cell" if part.name == "clean" => continue,
            _ => train_until(&experiment(&text(&[], level)), &data, None, usize::MAX).unwrap(),
        };
        let e = experiment(&text(&[part], level));
        let model = train_until(&e, &data, None, usize::MAX).unwrap();
        if !(level == "cell" && ["weights", "activations"].contains(&part.name)) {
            assert_ne!(model.parameters, plain.parameters, "{}", part.name);
        }
        known.push((part.name, model.parameters));
    }
    for (i, (name, parameters)) in known.iter().enumerate() {
        for (other, theirs) in &known[..i] {
            assert_ne!(parameters, theirs, "{name} and {other}");
        }
    }
}

pub(crate) const STAGED: &str = "[data]\nset = \"digits-8x8\"\ntrain_limit = 240\n[network]\nkind = \"mlp\"\nhidden = [12]\n\
    [quantize]\nweight_bits = 3\nactivation_bits = 4\n[variation]\nsigma_w = 0.2\nsigma_b = 0.1\n\
    [train]\nrecipe = \"float\"\nepochs = 2\nbatch = 80\nlearning_rate = 5e-3\n";

#[test]
fn a_list_of_stages_resumes_at_any_step_to_the_same_bits() {
    let text = format!(
        "{STAGED}[[train.stage]]\nname = \"float\"\n\
         [[train.stage]]\nname = \"clip\"\nweights = [{{ kind = \"clip\", sigma = 1.5 }}]\nepochs = 1\naverage = 0.9\n\
         [[train.stage]]\nname = \"chips\"\nrecipe = \"qavat\"\nvariation = \"both\"\nchips_per_batch = 2\nepochs = 1\n"
    );
    let (e, data) = (experiment(&text), digits(240));
    let whole = train_until(&e, &data, None, usize::MAX).unwrap();
    // Three steps an epoch.
    assert_eq!(whole.record.steps, 12);
    let epochs: Vec<usize> = whole.record.history.iter().map(|h| h.epoch).collect();
    assert_eq!(epochs, [1, 2, 3, 4]);
    let dir = tempfile::tempdir().unwrap();
    for stop in 1..=12 {
        let file = dir.path().join(format!("{stop}.partial"));
        assert!(train_until(&e, &data, Some(file.clone()), stop).is_err());
        let resumed = train_until(&e, &data, Some(file), usize::MAX).unwrap();
        assert_eq!(resumed.parameters, whole.parameters, "{stop}");
        assert_eq!(resumed.record.history, whole.record.history, "{stop}");
    }
    // The clipped weights are in what the last stage began with, and its chips are not those of the first.
    let last = format!("{STAGED}[[train.stage]]\nname = \"float\"\n");
    let first = train_until(&experiment(&last), &data, None, usize::MAX).unwrap();
    assert_ne!(first.parameters, whole.parameters);
}

/// A stage that begins with a network whose channels have steps of their own learns from it.
#[test]
fn a_network_with_steps_of_its_channels_teaches() {
    let data = digits(240);
    let stages = "[[train.stage]]\nname = \"a\"\nrecipe = \"qat\"\n\
                  [[train.stage]]\nname = \"b\"\nweights = [{ kind = \"quantize\" }]\nactivations = [{ kind = \"quantize\" }]\n";
    let text = format!("{STAGED}{stages}")
        .replace("weight_bits = 3", "weight_bits = 3\nper_channel = true");
    let train = |loss: &str| {
        train_until(
            &experiment(&format!("{text}{loss}")),
            &data,
            None,
            usize::MAX,
        )
        .unwrap()
    };
    let (taught, alone) = (
        train("loss = [{ kind = \"distill\", weight = 0.5 }]\n"),
        train(""),
    );
    assert!(taught.parameters != alone.parameters);
    let nothing = train("loss = [{ kind = \"distill\", weight = 0.0 }]\n");
    assert!(nothing.parameters == alone.parameters);
}

/// One stage that says what the training says is the training.
#[test]
fn one_stage_is_the_training_without_stages() {
    let data = digits(240);
    for recipe in ["float", "qat", "ptq", "ptq-vat", "qavat"] {
        let plain = experiment(&STAGED.replace("float", recipe));
        let text = format!("{STAGED}[[train.stage]]\nname = \"a\"\nrecipe = \"{recipe}\"\n");
        let staged = experiment(&text);
        let a = train_until(&plain, &data, None, usize::MAX).unwrap();
        let b = train_until(&staged, &data, None, usize::MAX).unwrap();
        assert_eq!(a.parameters, b.parameters, "{recipe}");
        assert_eq!(a.numerics, b.numerics, "{recipe}");
        assert_eq!(a.record.history, b.record.history, "{recipe}");
    }
}

/// What `check --expand` prints is the same training, by another name, and known by the same key.
#[test]
fn recipes_are_names_of_compositions() {
    use pimento::{setup, train};

    let data = digits(240);
    for recipe in ["float", "qat", "ptq", "ptq-vat", "qavat"] {
        let plain = experiment(&STAGED.replace("float", recipe));
        let text = plain.expanded().unwrap().to_toml().unwrap();
        assert!(text.contains("recipe = \"parts\""), "{text}");
        let parts = experiment(&text);
        let key = |e: &Experiment| {
            train::training_key(&setup::point(e, &data, 0).unwrap(), Default::default())
        };
        assert_eq!(key(&plain).unwrap(), key(&parts).unwrap(), "{recipe}");
        let a = train_until(&plain, &data, None, usize::MAX).unwrap();
        let b = train_until(&parts, &data, None, usize::MAX).unwrap();
        assert_eq!(a.parameters, b.parameters, "{recipe}");
        assert_eq!(a.numerics, b.numerics, "{recipe}");
    }
}

/// Weights keep to the clip where they are deployed, and the old range keeps the steps.
#[test]
fn clipped_weights_are_deployed_clipped() {
    let data = digits(240);
    let train = |weights: &str| {
        let text = STAGED.replace("recipe = \"float\"\n", "");
        let quantize = "{ kind = \"quantize\" }";
        let text = format!("{text}weights = [{weights}{quantize}]\nactivations = [{quantize}]\n");
        let text = text.replace("[quantize]\n", "[quantize]\nweight_step = \"max-abs\"\n");
        train_until(&experiment(&text), &data, None, usize::MAX).unwrap()
    };
    let of = |model: &pimento::train::Model| {
        let tensors = &model.parameters.tensors;
        let weights = tensors.iter().filter(|(name, _)| name.ends_with(".weight"));
        let largest = |w: &[f32]| w.iter().fold(0f32, |a, w| a.max(w.abs()));
        let found = weights.map(|(name, w)| {
            let step = &tensors[&name.replace(".weight", ".weight_step")];
            (largest(&w.data), 3.0 * step.data[0])
        });
        found.collect::<Vec<_>>()
    };
    let clipped = of(&train("{ kind = \"clip\", sigma = 1.5 }, "));
    let old = of(&train(
        "{ kind = \"clip\", percentile = 90, mapping_range = \"old\" }, ",
    ));
    let plain = of(&train(""));
    // The largest weight sets the step of three bits, whose highest code is 3; a division and a product round.
    for (largest, range) in clipped.iter().chain(&plain) {
        assert!((largest / range - 1.0).abs() < 1e-6, "{largest} {range}");
    }
    for (largest, range) in &old {
        assert!(largest < &(0.97 * range), "{largest} {range}");
    }
    for ((clipped, _), (plain, _)) in clipped.iter().zip(&plain) {
        assert!(clipped < plain);
    }
}

/// The example of docs/training.md trains, with fewer images and epochs.
#[test]
fn the_documented_stages_train() {
    let page = include_str!("../../docs/training.md");
    let (_, after) = page.split_once("## Stages and parts").unwrap();
    let (_, block) = after.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let data = "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [12]\n";
    let text = format!("{data}{}", block.replace("epochs = 10", "epochs = 1"));
    let e = experiment(&text);
    assert_eq!(e.points().unwrap().len(), 4);
    let model = train_until(&e, &digits(240), None, usize::MAX).unwrap();
    // Five epochs of the first point's first stage, three steps each, and one of the other.
    assert_eq!((model.record.steps, model.record.history.len()), (18, 6));
}

/// Masked weights are 0 in the network that is deployed, as many as the share says, also after another stage that
/// lists the mask.
#[test]
fn masked_weights_are_deployed_as_zeros() {
    let mask = "{ kind = \"mask\", sparsity = 0.75 }";
    let text = format!(
        "{STAGED}[[train.stage]]\nname = \"dense\"\n\
         [[train.stage]]\nname = \"sparse\"\nrecipe = \"parts\"\nweights = [{mask}]\n\
         [[train.stage]]\nname = \"chips\"\nweights = [{mask}, {{ kind = \"quantize\" }}]\n\
         noise = [{{ kind = \"chip\" }}]\nepochs = 1\n"
    );
    let model = train_until(&experiment(&text), &digits(240), None, usize::MAX).unwrap();
    let tensors = model.parameters.tensors.iter();
    for (name, tensor) in tensors.filter(|(name, _)| name.ends_with(".weight")) {
        let zeros = tensor.data.iter().filter(|w| **w == 0.0).count();
        assert_eq!(zeros, tensor.data.len() * 3 / 4, "{name}");
    }
}

/// A teacher that counts for nothing changes nothing, one that counts for all keeps the network where it is.
#[test]
fn a_teacher_counts_as_much_as_it_should() {
    let data = digits(240);
    let train = |loss: &str| {
        let text = format!(
            "{STAGED}[[train.stage]]\nname = \"teacher\"\nepochs = 1\n\
             [[train.stage]]\nname = \"student\"\nepochs = 1\noptimizer = \"sgd\"\nlearning_rate = 0.1\nloss = [{loss}]\n"
        );
        train_until(&experiment(&text), &data, None, usize::MAX).unwrap()
    };
    let distill = |weight: &str| train(&format!("{{ kind = \"distill\", weight = {weight} }}"));
    let plain = train("");
    assert_eq!(distill("0").parameters, plain.parameters);
    let teacher = {
        let text = format!("{STAGED}[[train.stage]]\nname = \"teacher\"\nepochs = 1\n");
        train_until(&experiment(&text), &data, None, usize::MAX).unwrap()
    };
    let way = |model: &pimento::train::Model| {
        let tensors = model
            .parameters
            .tensors
            .iter()
            .filter(|(name, _)| name.ends_with(".weight"));
        let each =
            tensors.flat_map(|(name, t)| t.data.iter().zip(&teacher.parameters.tensors[name].data));
        each.map(|(a, b)| f64::from((a - b).abs()))
            .fold(0.0, f64::max)
    };
    // Student and teacher agree but for rounding, so there is nothing to learn.
    let (kept, moved) = (way(&distill("1")), way(&plain));
    assert!(kept < 1e-6 && moved > 1e-2, "{kept} {moved}");
    let text =
        format!("{STAGED}loss = [{{ kind = \"distill\" }}]\n").replace("recipe = \"float\"\n", "");
    let told = Experiment::parse(&text, "x").unwrap_err().to_string();
    assert!(
        told.contains("an untrained network teaches nothing"),
        "{told}"
    );
}
