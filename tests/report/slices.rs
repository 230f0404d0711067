//! The page and the table of the analysis of a network's digits.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::report;
use pimento::sweep::slices::{self, LayerRow, Options, Report};

use super::xml;

pub fn analysed() -> Report {
    let experiment = Experiment::parse(
        "fidelity = \"cell\"\nname = \"a-b\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 100\n[network]\nkind = \"mlp\"\n\
         hidden = [8]\n[train]\nepochs = 1\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 4\n[chip.array]\nrows = 32\ncols = 8\n[chip.cells]\n\
         slice_bits = 2\n[variation]\nsigma_w = 0.05\n",
        "test",
    )
    .expect("the experiment is valid");
    let data = Embedded::Digits8x8.load().expect("embedded");
    let options = Options {
        images: 16,
        accuracy: Some(32),
        ..Options::default()
    };
    slices::run(
        &CpuBackend::new(),
        &experiment,
        &data,
        0,
        None,
        &options,
        &(),
    )
    .expect("analysed")
}

/// What came out, in every form that pages meet.
fn forms(report: &Report) -> Vec<(&'static str, Report)> {
    let mut hostile = report.clone();
    hostile.experiment = "<b>&\"'\u{1}".into();
    hostile.source = "</code><script>".into();
    hostile.layers[0].name =
        "a very long name, of a layer </td> that no column holds in full".into();
    hostile.digital_layers = vec!["<i>".into()];
    let mut none = report.clone();
    (none.chips, none.accuracy) = (0, None);
    for layer in &mut none.layers {
        layer.nf = f64::NAN;
        layer.arrays.iter_mut().for_each(|a| a.nf = f64::NAN);
        layer.reads.iter_mut().for_each(|r| r.beyond = vec![0]);
    }
    none.slices.iter_mut().for_each(|s| s.beyond = vec![0]);
    let mut many = report.clone();
    let first = many.layers[0].clone();
    let named = |i: usize| LayerRow {
        name: format!("layer {i}"),
        ..first.clone()
    };
    many.layers = (0..100).map(named).collect();
    vec![
        ("plain", report.clone()),
        ("hostile", hostile),
        ("without chips", none),
        ("many layers", many),
    ]
}

#[test]
fn pages_are_well_formed_and_ask_no_network() {
    let report = analysed();
    for (name, report) in forms(&report) {
        let page = report::html::slices::page(&report);
        assert!(pimento::sweep::outdir::is_page(page.as_bytes()), "{name}");
        let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        xml::check(body).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!page.contains("NaN"), "{name} shows NaN");
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for link in [
            "http:", "https:", "url(", "@import", "<script ", "<link", "<img",
        ] {
            assert!(!page.contains(link), "{name}: {link}");
        }
    }
}

#[test]
fn the_table_has_every_layer_slice_and_kind_of_converters() {
    let report = analysed();
    let text = report::slices::table(&report);
    assert!(text.ends_with('\n') && !text.contains("NaN"), "{text}");
    let lines = |start: &str| text.lines().filter(|l| l.starts_with(start)).count();
    for layer in &report.layers {
        // Cells by slice and polarity, converters by slice, tiles once.
        assert_eq!(lines(&format!("{} ", layer.name)), 4 + 2 + 1, "{text}");
    }
    for kind in [
        "full ",
        "no sum counted clips ",
        "99.99 % of",
        "99.9 % of",
        "99 % of",
    ] {
        assert_eq!(lines(kind), 1, "{kind}: {text}");
    }
}
