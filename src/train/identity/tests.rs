//! Every field of an experiment: either it is part of the training key, or it changes nothing.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::*;
use crate::backend::Products;
use crate::backend::cpu::CpuBackend;
use crate::config::Experiment;
use crate::data::{Embedded, Split};
use crate::network::Parameters;
use crate::setup;
use crate::train::{EpochRecord, Job, train};

fn images() -> Split {
    let all = Embedded::Digits8x8.load().unwrap();
    Split {
        train: all.train.limit(66),
        test: all.test.limit(10),
    }
}

/// What a training leaves, but for the time it took.
fn outcome(e: &Experiment, data: &Split) -> Result<(Parameters, Vec<EpochRecord>)> {
    let model = train(&Job {
        backend: &CpuBackend::new(),
        point: &setup::point(e, data, 0)?,
        label: String::new(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })?;
    Ok((model.parameters, model.record.history))
}

/// Paths of all values that are not tables.
fn leaves(table: &Table, prefix: &str, paths: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            Value::Table(inner) => leaves(inner, &format!("{prefix}{name}."), paths),
            _ => paths.push(format!("{prefix}{name}")),
        }
    }
}

fn place<'t>(table: &'t mut Table, path: &str) -> &'t mut Value {
    match path.split_once('.') {
        None => table.get_mut(path).unwrap(),
        Some((name, rest)) => place(table[name].as_table_mut().unwrap(), rest),
    }
}

/// Other values that a field might take.
fn candidates(value: &Value, refusal: &str) -> Vec<Value> {
    match value {
        Value::Boolean(b) => vec![Value::Boolean(!b)],
        Value::Integer(i) => [i + 1, 2 * i, i - 1, 0, 1, 2, 4, 8]
            .map(Value::Integer)
            .to_vec(),
        Value::Float(x) => [x * 0.5, x + 0.25, 0.5, 2.0, 60.0]
            .map(Value::Float)
            .to_vec(),
        // A refusal lists the names that are allowed, between quotes.
        Value::String(_) => {
            let listed = refusal.split('"').skip(1).step_by(2);
            let names = ["other", "ideal", "pcm"].into_iter().chain(listed);
            let numbers = [0.25, 4.0].map(Value::Float);
            names
                .map(|n| Value::String(n.into()))
                .chain(numbers)
                .collect()
        }
        Value::Array(list) if list.is_empty() => vec![
            Value::Array(vec![Value::Integer(2)]),
            Value::Array(vec![Value::Float(0.5)]),
            Value::Array(vec![Value::Float(0.0), Value::Float(1.0)]),
        ],
        Value::Array(list) => {
            let first = list.first().map_or(vec![], |v| candidates(v, refusal));
            let with = |v: Value| {
                let mut list = list.clone();
                list[0] = v;
                Value::Array(list)
            };
            first.into_iter().map(with).collect()
        }
        Value::Table(_) | Value::Datetime(_) => vec![],
    }
}

/// Other values of a field that are tried.
const TRIED: usize = 3;

/// The experiment with other values of a field.
fn others(whole: &Table, path: &str) -> Vec<Experiment> {
    let parse = |value: Value| {
        let mut table = whole.clone();
        *place(&mut table, path) = value;
        Experiment::parse(&toml::to_string(&table).unwrap(), "x.toml")
    };
    let value = place(&mut whole.clone(), path).clone();
    let refusal = match parse(Value::String("?".into())) {
        Err(e) => e.to_string(),
        Ok(_) => String::new(),
    };
    let all = candidates(&value, &refusal).into_iter();
    all.filter(|v| *v != value)
        .filter_map(|v| parse(v).ok())
        .take(TRIED)
        .collect()
}

/// Experiments that have most of what can be written down.
const WHOLE: [&str; 5] = [
    // Variation at weight level, all of it, and what moves images.
    "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [5]\n[quantize]\nweight_bits = 3\n\
     activation_bits = 4\n[train]\nrecipe = \"qavat\"\nepochs = 2\nbatch = 16\nchips_per_batch = 2\n\
     accumulate = 2\naverage = 0.5\nseed = 3\nsigma_w = 0.1\nvariation = \"both\"\n[train.augment]\npad = 1\n\
     [variation]\nmapping = \"differential\"\non_off_ratio = 10.0\nsigma_w = 0.2\nsigma_b = 0.1\n\
     sampling = \"stratified\"\n[tuning]\nmethod = \"self-tuning\"\ntest_cells = 4\n",
    // None, with batch norm and steps that are calibrated.
    "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"cnn\"\nchannels = [2]\n[quantize]\nweight_bits = 4\n\
     activation_bits = 4\nactivation_step = \"percentile\"\n[train]\nrecipe = \"qat\"\nepochs = 1\n\
     batch = 16\n[variation]\nsigma_w = 0.2\nsigma_b = 0.1\nsigma_layer = 0.1\n[variation.wafer]\n\
     sigma_wafer = 0.1\n",
    // Held-out images, which are classified on chips.
    "[data]\nset = \"digits-8x8\"\nvalidation = 16\n[network]\nkind = \"mlp\"\nhidden = [5]\n[train]\n\
     recipe = \"ptq\"\nepochs = 1\nbatch = 16\nevaluate_every = 1\nevaluate_chips = 2\n[variation]\n\
     sigma_w = 0.2\nsigma_b = 0.1\n[chip]\npreset = \"rram-milo\"\n[chip.array]\nrows = 32\n",
    // Cells and converters.
    "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [5]\n[quantize]\nweight_bits = 3\n\
     activation_bits = 4\ninput_bits = 4\n[train]\nrecipe = \"qavat\"\nepochs = 1\nbatch = 32\n\
     level = \"cell\"\n[variation]\nsigma_w = 0.2\n[chip.array]\nrows = 32\n",
    // Neither.
    "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [5]\n[train]\nrecipe = \"float\"\n\
     epochs = 1\nbatch = 16\n[variation]\nsigma_w = 0.2\n[worst_case]\nbound = 0.1\n",
];

/// Fields that have no other value that can stand alone: what is written of one kind of network has
/// no meaning for another.
const SINGLE: [&str; 1] = ["network.kind"];

#[test]
fn a_field_is_in_the_key_or_changes_nothing() {
    let data = images();
    let key = |e: &Experiment| {
        training_key(&setup::point(e, &data, 0).unwrap(), Products::Winograd).unwrap()
    };
    let (mut tried, mut all) = (BTreeSet::new(), BTreeSet::new());
    let (mut keyed, mut idle) = (0, 0);
    for text in WHOLE {
        let e = Experiment::parse(text, "x.toml").unwrap_or_else(|m| panic!("{text}: {m}"));
        let whole: Table = toml::from_str(&e.to_toml().unwrap()).unwrap();
        let mut paths = vec![];
        leaves(&whole, "", &mut paths);
        let (own, trained) = (key(&e), outcome(&e, &data).unwrap());
        for path in paths {
            all.insert(path.clone());
            for other in others(&whole, &path) {
                tried.insert(path.clone());
                // What no training can see.
                let apart = ["name", "title", "about", "sweep.", "tuning.", "worst_case."];
                let mut apart = apart
                    .iter()
                    .chain(&["data.cache", "data.test_limit", "data.set"]);
                if apart.any(|p| path.starts_with(p)) {
                    assert_eq!(key(&other), own, "{path} in {text}");
                }
                if key(&other) != own {
                    keyed += 1;
                    continue;
                }
                idle += 1;
                let now = outcome(&other, &data).unwrap();
                assert!(
                    now == trained,
                    "{path} is not in the key, and changes the network: {text}"
                );
            }
        }
    }
    let untried: Vec<_> = all.difference(&tried).collect();
    assert_eq!(
        untried,
        SINGLE.iter().collect::<Vec<_>>(),
        "no other value was found"
    );
    assert!(keyed > 200 && idle > 100, "{keyed} {idle}");
}

#[test]
fn what_differs_is_named() {
    let data = images();
    let e = Experiment::parse(WHOLE[1], "x.toml").unwrap();
    let key = |e: &Experiment, data: &Split| {
        training_key(&setup::point(e, data, 0).unwrap(), Products::Winograd).unwrap()
    };
    let turned = Split {
        train: data.test.clone(),
        test: data.train.clone(),
    };
    let mut other = e.clone();
    other.train.learning_rate = 0.5;
    let (a, b) = (key(&e, &data), key(&other, &turned));
    let text = differences(&a, &b);
    for line in [
        "images.images: 66 there, 10 now",
        "settings.train.learning_rate: 0.001 there, 0.5 now",
        "images.sha256: \"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(differences(&a, &a), "");
    assert!(differences("not json", &a).contains("not json"));
    assert!(differences("{}", &a).contains("nothing there"));
    // A long list is cut.
    assert!(
        differences("{}", r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}"#).contains("and 2 more")
    );
}
