//! The page of how trainings went, of real ones.

use std::path::Path;

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::report::html;
use pimento::report::trainings::{Trained, Trainings};
use pimento::train::TrainRecord;
use pimento::{setup, train};

use crate::{words, xml};

const STAGES: &str = "[[train.stage]]\nname = \"dense\"\nepochs = 2\n[[train.stage]]\nname = \"noisy\"\nepochs = 4\n";

/// Trains with a seed into a file of that number.
fn trained(dir: &Path, seed: u64, stages: &str) -> (String, TrainRecord) {
    let text = format!(
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 200\nvalidation = 50\n[network]\nkind = \"mlp\"\nhidden = [8]\n[train]\n\
         seed = {seed}\nepochs = 3\nevaluate_every = 3\n{}[quantize]\nweight_bits = 4\n[variation]\nsigma_w = 0.1\n",
        stages
    );
    let experiment = Experiment::parse(&text, "test").expect("the experiment is valid");
    let data = Embedded::Digits8x8.load().expect("embedded");
    let (backend, point) = (
        CpuBackend::new(),
        setup::point(&experiment, &data, 0).unwrap(),
    );
    let model = train::train(&train::Job {
        backend: &backend,
        point: &point,
        label: "test".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })
    .expect("it trains");
    let file = dir.join(format!("net{seed}.safetensors"));
    let key = train::training_key(&point, backend.products()).unwrap();
    train::save_model(&file, &model, &key).unwrap();
    let (key, record) = train::record_of(&file).expect("a file of a trained network");
    assert_eq!(record, model.record);
    (key, record)
}

/// What a page says of the training of a seed.
fn read(seed: u64, (key, record): &(String, TrainRecord)) -> Trained {
    let read = Trained::new(format!("net{seed}"), key, record.clone()).unwrap();
    assert_eq!(read.record, *record);
    assert_eq!(read.seed, Some(seed));
    read
}

fn page(all: Vec<Trained>) -> String {
    let page = html::trainings::page(&Trainings {
        experiment: "a<b".into(),
        adapter: "</p>".into(),
        all,
        command: "pimento train '<x>'".into(),
        config_toml: "a = \"</pre>\"".into(),
    });
    let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    xml::check(body).unwrap_or_else(|e| panic!("{e}"));
    assert!(!page.contains("NaN") && !page.contains("inf\""));
    assert!(pimento::sweep::outdir::is_page(page.as_bytes()));
    words::check("trainings", &page);
    page
}

/// The numbers behind the figure.
fn numbers(page: &str) -> Vec<String> {
    let (_, rest) = page
        .split_once("download=\"training.csv\" href=\"data:text/csv")
        .unwrap();
    let (_, text) = rest.split('"').next().unwrap().split_once(',').unwrap();
    let text = text
        .replace("%0A", "\n")
        .replace("%2C", ",")
        .replace("%20", " ");
    text.lines().map(str::to_string).collect()
}

#[test]
fn a_training_of_one_stage() {
    let dir = tempfile::tempdir().unwrap();
    let one = read(1, &trained(dir.path(), 1, ""));
    assert!(one.record.stages.is_empty());
    let last = *one.record.history.last().unwrap();
    let page = page(vec![one]);
    for said in [
        format!("<b>{:.2}</b>", 100.0 * last.accuracy),
        format!("{:.4}</td>", last.loss),
        "held-out images without variation".into(),
        "<dt>Held-out images</dt><dd>50</dd>".into(),
        "The configuration as TOML".into(),
    ] {
        assert!(page.contains(&said), "{said}");
    }
    assert!(!page.contains("Stage by stage") && !page.contains("What tells them apart"));
    let numbers = numbers(&page);
    assert_eq!(numbers.len(), 1 + 3, "{numbers:?}");
    assert!(numbers[3].starts_with(&format!("net1,3,{},{},50,", last.loss, last.accuracy)));
}

/// Seeds stand one below the other with the same axes; their stages are marked, by name where it is known.
#[test]
fn several_seeds_with_stages() {
    let dir = tempfile::tempdir().unwrap();
    let files = [1, 2, 3].map(|seed| trained(dir.path(), seed, STAGES));
    // As the files say; hostile names; a file of a program that did not write names; one name too few.
    for (names, name) in [
        (&["dense", "noisy"][..], "noisy"),
        (&["dense", "noisy <i>"], "noisy &lt;i&gt;"),
        (&[], "stage 2"),
        (&["dense"], "stage 2"),
    ] {
        let all: Vec<Trained> = (1..)
            .zip(&files)
            .map(|(seed, (key, record))| {
                assert_eq!(record.stages, ["dense", "noisy"]);
                let stages = names.iter().map(ToString::to_string).collect();
                let record = TrainRecord {
                    stages,
                    ..record.clone()
                };
                read(seed, &(key.clone(), record))
            })
            .collect();
        let epochs: Vec<usize> = all[0].stages.iter().map(|s| s.epochs).collect();
        assert_eq!(epochs, [2, 4]);
        let page = page(all.clone());
        assert!(page.contains("Stage by stage") && page.contains("What tells them apart"));
        assert!(
            page.contains(&format!("<td class=\"t\">{name}</td>")),
            "{name}"
        );
        assert!(page.contains("All trainings have the same axes"));
        assert!(page.contains(&format!("<dt>{name}: ")), "{name}");
        // One line between two stages, in two plots of three trainings, on wide screens and on phones; names in every plot.
        assert_eq!(page.matches("class=\"thin neutral\"").count(), 2 * 2 * 3);
        assert_eq!(page.matches(&format!(">{name}</text>")).count(), 2 * 2 * 3);
        let numbers = numbers(&page);
        assert_eq!(numbers.len(), 1 + 3 * 6);
        let of = |line: usize| numbers[line].split(',').nth(1).unwrap().to_string();
        assert_eq!(of(2), all[0].stages[0].name);
        assert_ne!(of(2), of(3));
        for (i, t) in all.iter().enumerate() {
            let e = t.record.history[5];
            let (loss, accuracy) = (e.loss.to_string(), e.accuracy.to_string());
            let line = &numbers[6 * (i + 1)];
            assert!(line.contains(&loss) && line.contains(&accuracy), "{line}");
        }
    }
}

/// What is no file of a trained network is refused with its name.
#[test]
fn other_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    std::fs::write(&path, b"not a network").unwrap();
    let message = train::record_of(&path).unwrap_err().to_string();
    assert!(message.contains("x.safetensors"), "{message}");
    let missing = train::record_of(&dir.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("none"), "{missing}");
}
