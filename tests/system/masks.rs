//! Masks of single layers: what a network that is trained with them has, and what is refused when the network is known.

use pimento::config::Experiment;
use pimento::program::Products;
use pimento::setup;
use pimento::train::training_key;

use crate::{digits, experiment, trained};

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
