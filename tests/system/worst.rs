//! The worst chip within a bound, on a small network whose bound really hurts.

use pimento::backend::cpu::CpuBackend;
use pimento::setup;
use pimento::sweep::worst;
use pimento::train::Model;

use crate::{digits, experiment};

const TEXT: &str = "
[data]
set = \"digits-8x8\"
[network]
kind = \"mlp\"
hidden = [32]
[train]
recipe = \"qat\"
epochs = 6
batch = 64
learning_rate = 3e-3
[worst_case]
bound = 0.1
steps = 30
restarts = 2
search_images = 1000
sparse = [1, 100]
eps_b = 0.5
random_chips = 100
";

fn model(e: &pimento::config::Experiment) -> Model {
    crate::trained(e, &digits())
}

fn search(
    backend: &CpuBackend,
    e: &pimento::config::Experiment,
    m: &Model,
) -> pimento::Result<worst::Report> {
    let data = digits();
    worst::search(backend, &setup::point(e, &data, 0)?, m, &())
}

#[test]
fn the_worst_is_far_below_any_random_chip_and_inside_the_box() {
    let e = experiment(TEXT);
    let m = model(&e);
    let backend = CpuBackend::new();
    let report = search(&backend, &e, &m).unwrap();
    let all = &report.worst[0];
    assert!(report.ideal > 0.85, "{report:?}");
    // Random chips keep nearly all of their accuracy, the one that was searched loses most of it.
    assert!(report.random.mean > report.ideal - 0.05, "{report:?}");
    assert!(all.test < report.random.min - 0.3, "{report:?}");
    // 1,000 training images stand for the 450 test images.
    assert!((all.test - all.searched).abs() < 0.15, "{report:?}");
    // One rounding of the bound to f32.
    assert!(
        all.largest <= 0.1 + 1e-7 && all.rms <= all.largest,
        "{report:?}"
    );
    assert_eq!(report.weights, 64 * 32 + 32 * 10);
    for (sparse, k) in report.worst[1..].iter().zip([1, 100]) {
        assert!(
            sparse.deviating <= k && sparse.largest <= 0.1 + 1e-7,
            "{report:?}"
        );
        // A chip of the box cannot be worse than the worst; the search is not exact.
        assert!(sparse.searched >= all.searched - 0.02, "{report:?}");
        assert!(sparse.test <= report.ideal + 0.02, "{report:?}");
    }
    assert!(report.worst[2].test < report.worst[1].test, "{report:?}");
    // A network of this kind without bias or batch norm only scales with eps_B: nothing is lost
    // under the proportional law but what the activation codes clip.
    let common = report.worst_eps_b.unwrap();
    assert!(common.eps_b.abs() <= 0.5 && common.test <= report.ideal + 0.01);
    // The same again.
    let again = search(&backend, &e, &m).unwrap();
    assert_eq!(report, again);
}

#[test]
fn a_search_on_the_test_images_says_so() {
    let text = TEXT.replace("steps = 30", "steps = 3\nsearch_on = \"test\"");
    let e = experiment(&text.replace("restarts = 2", "restarts = 1"));
    let report = search(&CpuBackend::new(), &e, &model(&e)).unwrap();
    assert!(
        report
            .table()
            .contains("searched on 450 test images, 3 steps, best of 1")
    );
}

#[test]
fn no_random_chip_is_worse_than_the_worst() {
    // One short step against one image does less than the worst of many random chips.
    let text = TEXT
        .replace("bound = 0.1", "bound = 0.6")
        .replace("steps = 30", "steps = 1")
        .replace("restarts = 2", "restarts = 1")
        .replace("search_images = 1000", "search_images = 1")
        .replace("sparse = [1, 100]", "sparse = [1]");
    let e = experiment(&text);
    let report = search(&CpuBackend::new(), &e, &model(&e)).unwrap();
    let all = &report.worst[0];
    assert_eq!(all.test, report.random.min, "{report:?}");
    assert_eq!(all.random_chip, Some(report.random.worst), "{report:?}");
    assert!(all.sparse.is_none() && all.deviating > 2000 && all.largest <= 0.6 + 1e-6);
    assert!(report.worst[1].test >= all.test && report.worst[1].random_chip.is_none());
    let which = format!(
        "random chip {}, which no search undercut",
        report.random.worst
    );
    assert!(report.table().contains(&which), "{}", report.table());
}

#[test]
fn cells_are_not_searched() {
    let e = experiment(TEXT);
    let m = model(&e);
    let mut cells = e;
    cells.fidelity = pimento::config::Fidelity::Cell;
    cells.quantize.input_bits = 4;
    let refused = search(&CpuBackend::new(), &cells, &m).unwrap_err();
    assert!(
        refused.to_string().contains("fidelity = \"cell\""),
        "{refused}"
    );
}
