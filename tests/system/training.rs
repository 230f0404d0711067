//! Training: learns, repeats to the bit, resumes to the bit.

use std::path::PathBuf;

use pimento::config::Experiment;
use pimento::train::Model;
use pimento::{Error, Result};

use crate::{digits, experiment, train_until};

fn network(recipe: &str, quantize: &str, train: &str) -> Experiment {
    experiment(&format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"cnn\"\nchannels = [6, 8]\nbatch_norm = true\n\
         [quantize]\n{quantize}\n[train]\nrecipe = \"{recipe}\"\nepochs = 3\nbatch = 64\n\
         learning_rate = 5e-3\n{train}\n[variation]\nsigma_w = 0.2\nsigma_b = 0.1\n"
    ))
}

fn run(e: &Experiment, checkpoint: Option<PathBuf>, stop: usize) -> Result<Model> {
    train_until(e, &digits(), checkpoint, stop)
}

#[test]
fn every_recipe_and_quantizer_learns() {
    let cases = [
        ("float", "", ""),
        ("qat", "weight_bits = 4\nactivation_bits = 8", ""),
        (
            "qavat",
            "profile = \"reference\"\nweight_bits = 2\nactivation_bits = 8",
            "",
        ),
        (
            "qavat",
            "weight_bits = 3\nactivation_bits = 4\nweight_step = \"lsq\"\nactivation_step = \"lsq\"",
            "",
        ),
        (
            "qavat",
            "weight_bits = 4\nactivation_bits = 6\nactivation_step = \"mse\"\nper_channel = true",
            "variation = \"both\"\nchips_per_batch = 2",
        ),
        (
            "ptq-vat",
            "weight_bits = 4\nactivation_bits = 8\nactivation_step = \"percentile\"",
            "",
        ),
        (
            "ptq-vat",
            "weight_bits = 4\nactivation_bits = 8",
            "optimizer = \"sgd\"",
        ),
        (
            "ptq",
            "weight_bits = 4\nactivation_bits = 8",
            "average = 0.9",
        ),
        (
            "qavat",
            "weight_bits = 1\nactivation_bits = 8\nbinary_weight_group = \"input-channel\"",
            "sigma_w = 0.2",
        ),
        (
            "qat",
            "weight_bits = 1\nactivation_bits = 1",
            "optimizer = \"adamw\"\nweight_decay = 1e-4",
        ),
    ];
    for (recipe, quantize, extra) in cases {
        let mut e = network(recipe, quantize, extra);
        e.train.epochs = 6;
        if extra.contains("sgd") {
            e.train.learning_rate = 0.1;
        }
        let m = run(&e, None, usize::MAX).unwrap();
        // Ten classes: chance is 0.1, by luck 0.15 (six standard errors of 1,347 images). One-bit networks
        // learn slowest, above all where the last layer sees signs alone.
        let bar = match quantize {
            q if q.contains("activation_bits = 1") => 0.2,
            q if q.contains("bits = 1") => 0.4,
            _ => 0.6,
        };
        assert!(
            m.record.accuracy > bar,
            "{recipe}, {quantize:?}, {extra:?}: training accuracy {}",
            m.record.accuracy
        );
        for (name, t) in &m.parameters.tensors {
            assert!(t.data.iter().all(|v| v.is_finite()), "{name}");
        }
    }
}

#[test]
fn an_interrupted_training_resumes_to_the_same_bits() {
    let quantize = "weight_bits = 4\nactivation_bits = 8";
    let e = network("qavat", quantize, "variation = \"both\"");
    let whole = run(&e, None, usize::MAX).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("training.partial");
    // 21 steps an epoch: stop inside the first, then inside the second.
    for stop in [10, 30] {
        match run(&e, Some(file.clone()), stop) {
            Err(Error::Interrupted(text)) => assert!(text.contains("saved"), "{text}"),
            other => panic!("expected an interruption, got {other:?}"),
        }
    }
    let resumed = run(&e, Some(file), usize::MAX).unwrap();
    assert_eq!(resumed.parameters, whole.parameters);
}

#[test]
fn moved_images_resume_to_the_same_bits_too() {
    let quantize = "weight_bits = 4\nactivation_bits = 8";
    let moved = "[train.augment]\npad = 1\nflip = true\nrotate = 10\n";
    let e = network("qavat", quantize, moved);
    let whole = run(&e, None, usize::MAX).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("training.partial");
    assert!(run(&e, Some(file.clone()), 25).is_err());
    let resumed = run(&e, Some(file), usize::MAX).unwrap();
    assert_eq!(resumed.parameters, whole.parameters);
    let still = run(&network("qavat", quantize, ""), None, usize::MAX).unwrap();
    assert_ne!(still.parameters, whole.parameters);
}

/// Parts, averages and held-out images together; the history is part of what resumes.
#[test]
fn batches_in_parts_averages_and_evaluation_resume_too() {
    let quantize = "weight_bits = 4\nactivation_bits = 8";
    let options = "variation = \"both\"\naccumulate = 2\naverage = 0.95\nevaluate_chips = 5";
    let mut e = network("qavat", quantize, options);
    e.data.validation = 100;
    e.train.evaluate_every = 2;
    let whole = run(&e, None, usize::MAX).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("training.partial");
    // 19 steps an epoch of the 1,247 images that are left.
    assert!(run(&e, Some(file.clone()), 45).is_err());
    let resumed = run(&e, Some(file), usize::MAX).unwrap();
    assert_eq!(resumed.parameters, whole.parameters);
    assert_eq!(resumed.record.history[..2], whole.record.history[..2]);
    let history = &whole.record.history;
    assert_eq!(history.len(), 3);
    // Every second epoch, and the last.
    let asked: Vec<bool> = history.iter().map(|h| h.validation.is_some()).collect();
    assert_eq!(asked, [false, true, true]);
    let v = history[2].validation.unwrap();
    assert_eq!((v.images, v.chips), (100, 5));
    assert!(v.ideal > 0.3 && v.mean <= 1.0 && v.std > 0.0, "{v:?}");
    let mut without = e.clone();
    without.train.average = 0.0;
    assert_ne!(
        run(&without, None, usize::MAX).unwrap().parameters,
        whole.parameters
    );
}

/// Ranges of converters that follow the weights are chosen at the beginning of an epoch: a checkpoint
/// within one keeps them.
#[test]
fn calibrated_converters_resume_to_the_same_bits() {
    let quantize = "weight_bits = 4\nactivation_bits = 8\ninput_bits = 8";
    let chip = "level = \"cell\"\n[chip.cells]\nslice_bits = 3\n[chip.adc]\nbits = 5\n\
                range = \"calibrated\"\nmethod = \"mse\"\ncalibration_images = 40\n";
    for step in ["max-abs", "percentile"] {
        let quantize = format!("{quantize}\nactivation_step = \"{step}\"");
        let mut e = network("qavat", &quantize, chip);
        e.data.validation = 100;
        e.train.evaluate_every = 1;
        let whole = run(&e, None, usize::MAX).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("training.partial");
        assert!(run(&e, Some(file.clone()), 30).is_err());
        let resumed = run(&e, Some(file), usize::MAX).unwrap();
        assert_eq!(resumed.parameters, whole.parameters);
        let seen =
            |m: &Model| -> Vec<_> { m.record.history.iter().map(|h| h.validation).collect() };
        assert_eq!(seen(&resumed), seen(&whole));
        let ranges = |name: &String| name.contains("range");
        assert!(
            !whole.parameters.tensors.keys().any(ranges),
            "no part of the network"
        );
        let learned = whole.record.accuracy;
        assert!(learned > 0.6, "{step}: through its converters {learned}");
    }
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused() {
    let quantize = "weight_bits = 4\nactivation_bits = 8";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("training.partial");
    let e = network("qavat", quantize, "");
    assert!(run(&e, Some(file.clone()), 5).is_err());
    let other = network("qat", quantize, "");
    let error = run(&other, Some(file.clone()), usize::MAX).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("another training"), "{error}");
    std::fs::write(&file, b"not a checkpoint").unwrap();
    let error = run(&e, Some(file), usize::MAX).unwrap_err();
    assert!(error.to_string().contains("safetensors"), "{error}");
}
