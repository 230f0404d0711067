//! What a search of designs leaves for people.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::design::{self, Found};
use pimento::report;
use pimento::sweep::SweepOptions;

use super::xml;

pub fn found(goal: &str, title: &str) -> Found {
    let space = format!(
        "title = \"{title}\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [4]\n[train]\nepochs = 1\n\
         [sweep]\nchips = 20\nimages = 64\n[sweep.axes]\nmapping = [\"ideal\", \"differential\"]\nsigma_w = [0.1, 0.5]\n\
         [design]\ngoal = \"{goal}\"\n"
    );
    let space = Experiment::parse(&space, "space").unwrap();
    let data = Embedded::Digits8x8.load().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = SweepOptions::of_journal(folder.path().join("out"), "test");
    let backend = CpuBackend::new();
    design::run(
        &[&backend],
        &space,
        &data,
        &options,
        design::keep_nothing,
        &(),
    )
    .unwrap()
}

#[test]
fn pages_and_tables_of_searches_are_well_formed() {
    for (name, found, front) in [
        ("front", found("cells min, accuracy max", "a title"), true),
        ("plan only", found("cells min", "<b>&amp;"), true),
        ("nothing", found("loss min, accuracy >= 0.99", ""), false),
    ] {
        assert_eq!(!found.front.is_empty(), front, "{name}");
        let page = report::html::designs::page(&found);
        assert!(pimento::sweep::outdir::is_page(page.as_bytes()), "{name}");
        let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
        xml::check(body).unwrap_or_else(|e| panic!("{name}: {e}"));
        let table = report::designs::table(&found);
        let json = report::designs::json(&found).unwrap();
        for text in [&page, &table, &json] {
            assert!(
                !text.contains("NaN") && !text.contains("inf,"),
                "{name}: {text}"
            );
        }
        for &at in &found.front {
            assert!(table.contains(&found.designs[at].label), "{name}: {table}");
            assert!(
                page.contains(&format!("<td class=\"n\">{at}</td>")),
                "{name}"
            );
        }
        assert_eq!(
            table.contains("no design keeps all constraints"),
            !front,
            "{name}"
        );
        for link in ["https:", "url(", "<script ", "<link", "<img"] {
            assert!(!page.contains(link), "{name}: {link}");
        }
    }
}
