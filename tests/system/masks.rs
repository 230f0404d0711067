//! Masks of single layers: what a network that is trained with them has, and what is refused when the network is known.

use pimento::Error;
use pimento::config::Experiment;
use pimento::program::Products;
use pimento::setup;
use pimento::train::{Model, training_key};

use crate::{digits, experiment, train_until, trained};

/// A network of three layers of 64 to 12, 12 to 12 and 12 to 10 with a mask.
fn text(mask: &str, more: &str) -> String {
    format!(
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 32\n[network]\nkind = \"mlp\"\nhidden = [12, 12]\n\
         [train]\nepochs = 1\nbatch = 16\nweights = [{{ kind = \"mask\", {mask} }}]\n{more}"
    )
}

/// Shares of zeros of the three layers of a trained network.
fn zeros(mask: &str, more: &str) -> [f64; 3] {
    let model = trained(&experiment(&text(mask, more)), &digits());
    [1, 2, 3].map(|i| {
        let w = &model.parameters.tensors[&format!("fc{i}.weight")].data;
        w.iter().filter(|w| **w == 0.0).count() as f64 / w.len() as f64
    })
}

#[test]
fn layers_lose_the_shares_that_are_theirs() {
    assert_eq!(zeros("sparsity = 0.5", ""), [0.5; 3]);
    let own = "sparsity = 0, sparsities = { fc1 = 0.25, \"*2\" = 0.75 }";
    assert_eq!(zeros(own, ""), [0.25, 0.75, 0.0]);
    let digital = "[layer.fc2]\ndigital = true\n";
    assert_eq!(zeros("sparsity = 0.5", digital), [0.5, 0.0, 0.5]);
}

/// A mask that grows ends with the shares that it says, by another way, and resumes to the same bits wherever it
/// was stopped.
#[test]
fn a_mask_grows_to_its_shares() {
    let growing = |controllers: &str| {
        let text = text("sparsity = 0.8, sparsities = { fc2 = 0.5 }", controllers);
        experiment(&text.replace("epochs = 1\n", "epochs = 4\n"))
    };
    let growth = growing("controllers = [{ kind = \"mask-growth\", epochs = 3, start = 0.2 }]\n");
    let data = digits();
    let whole = trained(&growth, &data);
    let zeros = |model: &Model| {
        [1, 2, 3].map(|i| {
            let w = &model.parameters.tensors[&format!("fc{i}.weight")].data;
            w.iter().filter(|w| **w == 0.0).count()
        })
    };
    // 768, 144 and 120 weights.
    assert_eq!(zeros(&whole), [614, 72, 96]);
    let at_once = trained(&growing(""), &data);
    assert_eq!(zeros(&at_once), zeros(&whole));
    assert_ne!(at_once.parameters, whole.parameters);
    let dir = tempfile::tempdir().unwrap();
    for stop in 1..8 {
        let file = dir.path().join(format!("{stop}.partial"));
        let stopped = train_until(&growth, &data, Some(file.clone()), stop);
        assert!(matches!(stopped, Err(Error::Interrupted(_))));
        let resumed = train_until(&growth, &data, Some(file), usize::MAX).unwrap();
        assert_eq!(resumed.parameters, whole.parameters, "stopped at {stop}");
    }
}

#[test]
fn growth_that_cannot_be_is_refused() {
    let says = |mask: &str, growth: &str| {
        let text = text(
            mask,
            &format!("controllers = [{{ kind = \"mask-growth\", {growth} }}]\n"),
        );
        let text = text.replace("weights = [{ kind = \"mask\", none }]\n", "");
        let text = text.replace("epochs = 1\nbatch", "epochs = 4\nbatch");
        Experiment::parse(&text, "x").map_or_else(|e| e.to_string(), |_| String::new())
    };
    assert_eq!(says("sparsity = 0.5", "epochs = 3"), "");
    assert_eq!(
        says("sparsity = 0.5", "epochs = 4"),
        "x:11: field `train.controllers.mask-growth.epochs`: the mask grows for 4 epochs, and with 4 in all none is trained with \
         the whole of it; allowed: fewer than train.epochs"
    );
    assert_eq!(
        says("none", "epochs = 3"),
        "x:10: field `train.controllers.mask-growth`: no mask that could grow; allowed: with { kind = \"mask\" } in \
         train.weights"
    );
}

/// Layers that are digital or not train to networks of their own where there is a mask.
#[test]
fn digital_layers_are_part_of_what_a_masked_training_is_known_by() {
    let data = digits();
    let key = |text: &str| {
        let point = setup::point(&experiment(text), &data, 0).unwrap();
        training_key(&point, Products::default()).unwrap()
    };
    let digital = "[layer.fc2]\ndigital = true\n";
    let mask = |more: &str| key(&text("sparsity = 0.5", more));
    assert_ne!(mask(digital), mask(""));
    let plain = |more: &str| key(&text("", more).replace("weights = [{ kind = \"mask\",  }]", ""));
    assert_eq!(
        plain("variation = \"within\"\nrecipe = \"float\"\n[layer.fc2]\ndigital = true\n"),
        plain("variation = \"within\"\nrecipe = \"float\"\n")
    );
}

#[test]
fn masks_that_fit_no_layer_or_remove_classes_are_refused() {
    let data = digits();
    let says = |text: &str| {
        let e = Experiment::parse(text, "test").unwrap_or_else(|e| panic!("{e}"));
        setup::setup(&e, &data).map_or_else(|e| e.to_string(), |_| String::new())
    };
    let digital = "[layer.fc2]\ndigital = true\n";
    for (mask, more, want) in [
        (
            "sparsities = { fk2 = 0 }",
            "",
            "field `train.weights.mask.sparsities.fk2`: the network has no such layer on crossbars; allowed: \
             fc1, fc2, fc3; did you mean \"fc2\"?",
        ),
        (
            "sparsities = { fc2 = 0.3 }",
            digital,
            "field `train.weights.mask.sparsities.fc2`: 0.3 has no effect, masks spare digital layers; allowed: \
             0, or a layer on arrays",
        ),
        ("sparsities = { fc2 = 0, \"*\" = 0.3 }", digital, ""),
        (
            "groups = \"filters\", sparsities = { \"*3\" = 0.3 }",
            "",
            "field `train.weights.mask.sparsities.\"*3\"`: 0.3 of the last layer, which keeps its filters: they are \
             the classes; allowed: 0",
        ),
        (
            "sparsities = { \"*1\" = 0, \"f*1\" = 0.1, \"*c1\" = 0.2 }",
            "",
            "field `train.weights.mask.sparsities`: `*c1` and `f*1` say different shares for layer `fc1`, and have as \
             many literal characters; allowed: one share, or the name of the layer",
        ),
        (
            "groups = \"column-segments\", segment = 12",
            "",
            "field `train.weights.mask`: segments of 12 rows are whole columns of the last layer, `fc3`, which has 12: \
             5 of its 10 outputs would lose all weights; allowed: sparsities = { fc3 = 0 }, or segments below 12",
        ),
        (
            "groups = \"column-segments\", segment = 12, sparsities = { fc3 = 0 }",
            "",
            "",
        ),
        ("groups = \"column-segments\", segment = 11", "", ""),
        (
            "groups = \"column-segments\", segment = 12, sparsity = 0.09",
            "",
            "",
        ),
        (
            "groups = \"column-segments\", segment = 12, sparsity = 0.09",
            "[[train.stage]]\nname = \"more\"\nweights = [{ kind = \"mask\", groups = \"column-segments\", segment = 64 }]\n",
            "field `train.stage.more.weights.mask`: segments of 64 rows are whole columns of the last layer, `fc3`, \
             which has 12: 5 of its 10 outputs would lose all weights; allowed: sparsities = { fc3 = 0 }, or segments \
             below 12",
        ),
    ] {
        assert_eq!(says(&text(mask, more)), want, "{mask} {more}");
    }
}
