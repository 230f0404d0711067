//! Pages speak in words: no name of a column or a field stands where a reader looks, but in code font.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::config::reference;
use pimento::data::Embedded;
use pimento::sweep::worst;
use pimento::{report, sweep};

use crate::{all, designs, measured, slices};

/// What a reader sees of a page: its text, the labels of cells on a phone and tooltips, without code, scripts and styles.
pub fn visible(page: &str) -> String {
    let mut rest = page.to_string();
    for name in ["style", "script", "code", "pre"] {
        let (open, close) = (format!("<{name}"), format!("</{name}>"));
        let mut kept = String::new();
        while let Some((before, behind)) = rest.split_once(&open) {
            kept += before;
            rest = behind
                .split_once(&close)
                .map_or(String::new(), |(_, after)| after.to_string());
        }
        rest = kept + &rest;
    }
    let mut text = String::new();
    for part in rest.split('<') {
        let (tag, words) = part.split_once('>').unwrap_or(("", part));
        if let Some((_, head)) = tag.split_once("data-head=\"") {
            text += head.split('"').next().unwrap_or_default();
            text.push(' ');
        }
        text += words;
        text.push(' ');
    }
    text
}

/// Words of a text that are names: of files' columns, or of fields.
fn names(text: &str) -> Vec<String> {
    let fields: Vec<String> = reference::tables()
        .into_iter()
        .flat_map(|table| table.fields)
        .map(|field| field.path)
        .filter(|path| path.contains('.'))
        .collect();
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
    let words = text.split(ends).map(|word| word.trim_matches('.'));
    // Signs such as sigma_W are set with a subscript; tooltips have them plain.
    let is_sign = |word: &str| word.starts_with(['\u{3c3}', '\u{3b5}']);
    // A kind of processor has an underscore, too.
    let is_sign = |word: &str| is_sign(word) || word == "x86_64";
    let is_name = |word: &&str| {
        (word.contains('_') && !is_sign(word)) || fields.iter().any(|field| field == word)
    };
    words.filter(is_name).map(str::to_string).collect()
}

/// Fails where a reader of a page sees a name.
pub fn check(name: &str, page: &str) {
    let found = names(&visible(page));
    assert!(found.is_empty(), "{name}: {found:?}");
}

#[test]
fn names_are_found() {
    let page = "<p>energy_high_pj <code>mean_lo95</code> \u{3c3}_W at chip.adc.bits, chips.csv</p><td data-head=\"x_y\">1</td>";
    assert_eq!(
        names(&visible(page)),
        ["energy_high_pj", "chip.adc.bits", "x_y"]
    );
}

#[test]
fn pages_show_no_raw_names() {
    let mut pages: Vec<(String, String)> = all()
        .into_iter()
        .map(|(name, result, rows)| (name.into(), report::html::page(&result, &rows)))
        .collect();
    let (result, rows) = measured::energy();
    pages.push(("energy".into(), report::html::page(&result, &rows)));
    let found = designs::found(
        "conversions_per_image min, accuracy max, loss <= 2.2",
        "a title",
    );
    pages.push(("designs".into(), report::html::designs::page(&found)));
    pages.push((
        "slices".into(),
        report::html::slices::page(&slices::analysed()),
    ));
    pages.push((
        "worst case".into(),
        report::html::worst::page(&worst_case()),
    ));
    for (name, page) in &pages {
        check(name, page);
    }
    for said in [
        "energy of the arrays for an image (pJ)",
        "ADC bits",
        "Brier score",
    ] {
        assert!(pages.iter().any(|(_, page)| page.contains(said)), "{said}");
    }
}

/// Figures of a run, alone and for papers: their headings and captions.
#[test]
fn figures_show_no_raw_names() {
    let mut runs = all();
    let (result, rows) = measured::energy();
    runs.push(("energy", result, rows));
    for (name, result, rows) in runs {
        let mut figures = report::figures::of_page(&result, &rows);
        let axes = report::figures::axes(&result);
        let numeric = axes.iter().find(|(.., numeric)| *numeric);
        if let Some((x, ..)) = numeric {
            for y in report::figures::results(&result) {
                let request = report::figures::Request {
                    x: Some(x.clone()),
                    y: Some(y.to_string()),
                    ..Default::default()
                };
                figures.extend(report::figures::figure(&result, &rows, &request).ok());
            }
        }
        for figure in figures {
            let text = format!(
                "{} {} {}",
                figure.title(),
                figure.caption(),
                visible(&figure.svg(180.0))
            );
            let found = names(&text);
            assert!(found.is_empty(), "{name}: {}: {found:?}", figure.name());
        }
    }
}

fn worst_case() -> worst::Report {
    let experiment = Experiment::parse(
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 100\ntest_limit = 50\n[network]\nkind = \"mlp\"\nhidden = [4]\n[train]\n\
         epochs = 1\n[worst_case]\nsteps = 2\nrestarts = 1\n",
        "test",
    )
    .expect("the experiment is valid");
    let data = Embedded::Digits8x8.load().expect("embedded");
    sweep::worst::run(&CpuBackend::new(), &experiment, &data, 0, None, &()).expect("searched")
}
