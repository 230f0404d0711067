//! Heads of networks: trained with them, and gone where they are deployed. Teachers from files.

use std::path::Path;

use pimento::Error;
use pimento::config::Experiment;
use pimento::data::Split;
use pimento::network::file::{self, Loaded};
use pimento::setup;
use pimento::train::{self, Model};

use crate::{experiment, rows, train_until, trained};

fn digits() -> Split {
    let all = crate::digits();
    Split {
        train: all.train.limit(120),
        ..all
    }
}

/// A small network, three steps an epoch.
const BASE: &str = "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"cnn\"\nchannels = [4]\nfeatures = 8\n\
    [quantize]\nweight_bits = 4\nweight_step = \"max-abs\"\nactivation_bits = 4\n\
    [variation]\nsigma_w = 0.2\nsigma_b = 0.1\n[sweep]\nchips = 3\n\
    [train]\nepochs = 2\nbatch = 40\nlearning_rate = 5e-3\n";

const HEADS: &str = "[[network.head]]\nname = \"early\"\nat = \"pool1\"\npool = 2\nhidden = [6]\n\
    [[network.head]]\nname = \"late\"\nat = \"act2\"\npool = 0\n";

/// The base with heads and with fields of `[train]`.
fn headed(train: &str) -> String {
    let base = BASE.replace("[quantize]", &format!("{HEADS}[quantize]"));
    format!("{base}{train}")
}

fn refused(text: &str) -> String {
    let e = match Experiment::parse(text, "x.toml") {
        Err(e) => return e.to_string(),
        Ok(e) => e,
    };
    let data = digits();
    match setup::point(&e, &data, 0) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("not refused: {text}"),
    }
}

const IRS: &str = "loss = [{ kind = \"irs\", weight = 0.5 }]\n";

#[test]
fn heads_are_trained_and_not_deployed() {
    let data = digits();
    let noisy = "noise = [{ kind = \"chip\" }]\nvariation = \"both\"\n";
    let plain = trained(&experiment(&format!("{BASE}{noisy}")), &data);
    let e = experiment(&headed(&format!("{noisy}{IRS}")));
    let model = trained(&e, &data);
    // As many tensors, of the same names and sizes, with other values.
    let shapes = |m: &Model| -> Vec<(String, Vec<usize>)> {
        let all = m.parameters.tensors.iter();
        all.map(|(name, t)| (name.clone(), t.shape.clone()))
            .collect()
    };
    assert_eq!(shapes(&model), shapes(&plain));
    assert_eq!(model.graph, plain.graph);
    assert_eq!(model.numerics, plain.numerics);
    assert_ne!(model.parameters, plain.parameters);
    assert_eq!(rows(&e, &model, &data, 0..3).len(), 3);
    // The program of the steps has them.
    let steps = setup::point(&e, &data, 0).unwrap();
    let whole = steps.start.whole();
    let names: Vec<&str> = whole.nodes.iter().map(|n| n.name.as_str()).collect();
    let of_heads = [
        "early.pool",
        "early.fc1",
        "early.act1",
        "early.fc2",
        "late.fc1",
    ];
    assert_eq!(names[steps.start.graph.nodes.len()..], of_heads);
    assert_eq!(whole.nodes[whole.heads()[0]].shape, (10, 1, 1));
}

/// Heads that count for nothing leave the network as it would be: its weights begin and move as without them.
#[test]
fn heads_that_count_for_nothing_change_nothing() {
    let data = digits();
    for level in ["weight", "cell"] {
        let lists = "noise = [{ kind = \"chip\" }]\nweights = [{ kind = \"quantize\" }]\n\
                     activations = [{ kind = \"quantize\" }]\n";
        let adc = "[chip.adc]\nbits = 5\n[train]";
        let base = |text: &str| {
            let text = format!("{text}{lists}level = \"{level}\"\n");
            text.replace("activation_bits = 4", "activation_bits = 4\ninput_bits = 4")
                .replace("[train]", adc)
        };
        let plain = trained(&experiment(&base(BASE)), &data);
        let heads = base(&headed("loss = [{ kind = \"heads\", weight = 0.0 }]\n"));
        let model = trained(&experiment(&heads), &data);
        assert_eq!(model.parameters, plain.parameters, "{level}");
        assert_eq!(model.record.history, plain.record.history, "{level}");
        let heads = heads.replace("weight = 0.0", "weight = 1.0");
        let model = trained(&experiment(&heads), &data);
        assert_ne!(model.parameters, plain.parameters, "{level}");
    }
}

/// Heads go on from a stage to the next, and begin anew behind a stage without them; all of it resumes.
#[test]
fn stages_with_heads_resume_at_any_step_to_the_same_bits() {
    let stage =
        |name: &str, rest: &str| format!("[[train.stage]]\nname = \"{name}\"\nepochs = 1\n{rest}");
    let stages = [
        stage("a", IRS),
        stage("b", "loss = [{ kind = \"heads\" }]\naverage = 0.9\n"),
        stage("c", "loss = []\n"),
        stage(
            "d",
            "noise = [{ kind = \"chip\" }]\nloss = [{ kind = \"ovf\", weight = 0.5 }, { kind = \"irs\" }]\n",
        ),
    ];
    let text = headed(&format!("recipe = \"float\"\n{}", stages.concat()));
    let (e, data) = (experiment(&text), digits());
    let whole = trained(&e, &data);
    assert_eq!(whole.record.steps, 12);
    let dir = tempfile::tempdir().unwrap();
    for stop in 1..=12 {
        let file = dir.path().join(format!("{stop}.partial"));
        let stopped = train_until(&e, &data, Some(file.clone()), stop);
        assert!(matches!(stopped, Err(Error::Interrupted(_))), "{stop}");
        let resumed = train_until(&e, &data, Some(file), usize::MAX).unwrap();
        assert_eq!(resumed.parameters, whole.parameters, "{stop}");
        assert_eq!(resumed.record.history, whole.record.history, "{stop}");
    }
    // With heads of its own the second stage would go another way.
    let two = |first: &str| {
        let text = format!("recipe = \"float\"\n{}{}", stage("a", first), stages[1]);
        trained(&experiment(&headed(&text)), &data).parameters
    };
    assert_ne!(two(IRS), two("loss = []\n"));
}

#[test]
fn heads_that_cannot_be_are_refused() {
    let with = |from: &str, to: &str| refused(&headed(IRS).replace(from, to));
    let told = with("\"pool1\"", "\"poll1\"");
    assert!(
        told.starts_with("x.toml:")
            && told.contains("`network.head.early.at`")
            && told.contains("no such node")
            && told.contains("did you mean \"pool1\"?"),
        "{told}"
    );
    let told = with("pool = 2", "pool = 5");
    assert!(
        told.contains("`network.head.early.pool`") && told.contains("0 to 4"),
        "{told}"
    );
    let told = with("name = \"late\"", "name = \"early\"");
    assert!(told.contains("head \"early\" is there twice"), "{told}");
    let told = with("at = \"act2\"\n", "");
    assert!(told.contains("a head without `at`"), "{told}");
    let told = with("pool = 2", "pol = 2");
    assert!(
        told.contains("unknown field `network.head.early.pol`"),
        "{told}"
    );
    let told = refused(&headed(""));
    assert!(
        told.contains("no term of the loss reads the heads"),
        "{told}"
    );
    for kind in ["irs", "heads"] {
        let told = refused(&format!("{BASE}loss = [{{ kind = \"{kind}\" }}]\n"));
        assert!(told.contains("a network that has none"), "{told}");
        assert!(told.contains(&format!("`train.loss.{kind}`")), "{told}");
    }
}

/// A file with a network, for experiments that begin with it or learn from it.
fn saved(model: &Model, path: &Path) {
    let network = Loaded {
        graph: model.graph.clone(),
        parameters: model.parameters.clone(),
        numerics: model.numerics.clone(),
        tied: vec![],
    };
    let bytes = file::to_safetensors(&network, &Default::default()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn written(text: &str, path: &Path) -> pimento::Result<Experiment> {
    std::fs::write(path, text).unwrap();
    Experiment::load(path)
}

#[test]
fn a_network_from_a_file_has_heads_and_teachers_from_files() {
    let (data, dir) = (digits(), tempfile::tempdir().unwrap());
    let at = |name: &str| dir.path().join(name);
    let float = format!("{BASE}recipe = \"float\"\n");
    saved(&trained(&experiment(&float), &data), &at("net.safetensors"));
    let file = BASE.replace(
        "kind = \"cnn\"\nchannels = [4]\nfeatures = 8\n",
        &format!("kind = \"file\"\nfile = \"net.safetensors\"\n{HEADS}"),
    );
    let lists = "weights = [{ kind = \"quantize\" }]\nactivations = [{ kind = \"quantize\" }]\n";
    let with = |loss: &str| {
        let text = format!("{file}{lists}loss = [{loss}{{ kind = \"irs\" }}]\n");
        written(&text, &at("e.toml")).unwrap()
    };
    // The network that the stage begins with is the file's.
    let own = trained(&with("{ kind = \"distill\" }, "), &data);
    let taught = with("{ kind = \"distill\", file = \"net.safetensors\" }, ");
    let model = trained(&taught, &data);
    assert_eq!(model.parameters, own.parameters);
    assert_ne!(model.parameters, trained(&with(""), &data).parameters);
    // It resumes, and the teacher is no part of what is saved.
    let partial = at("a.partial");
    assert!(train_until(&taught, &data, Some(partial.clone()), 4).is_err());
    let resumed = train_until(&taught, &data, Some(partial), usize::MAX).unwrap();
    assert_eq!(resumed.parameters, model.parameters);
}

/// A training is known by what is in its teacher's file, wherever that lies.
#[test]
fn teachers_are_known_by_their_content() {
    let (data, dir) = (digits(), tempfile::tempdir().unwrap());
    let at = |name: &str| dir.path().join(name);
    let teacher = |features: usize, seed: u64, path: &Path| {
        let text = format!("seed = {seed}\n{BASE}recipe = \"float\"\n");
        let text = text.replace("features = 8", &format!("features = {features}"));
        saved(&trained(&experiment(&text), &data), path);
    };
    // A larger network teaches a smaller one, in a stage.
    teacher(20, 1, &at("a.safetensors"));
    teacher(20, 2, &at("b.safetensors"));
    std::fs::create_dir(at("c")).unwrap();
    std::fs::copy(at("a.safetensors"), at("c/other.safetensors")).unwrap();
    let of = |file: &str, sha: &str| {
        let text = format!(
            "{BASE}[[train.stage]]\nname = \"only\"\nrecipe = \"parts\"\n\
             loss = [{{ kind = \"distill\", weight = 0.7, file = \"{file}\"{sha} }}]\n"
        );
        written(&text, &at("e.toml"))
    };
    let key = |e: &Experiment| {
        train::training_key(&setup::point(e, &data, 0).unwrap(), Default::default()).unwrap()
    };
    let [a, b, c] =
        ["a.safetensors", "b.safetensors", "c/other.safetensors"].map(|f| of(f, "").unwrap());
    assert_eq!(key(&a), key(&c));
    assert_ne!(key(&a), key(&b));
    let [from_a, from_b, from_c] = [&a, &b, &c].map(|e| trained(e, &data).parameters);
    assert_eq!(from_a, from_c);
    assert_ne!(from_a, from_b);
    // What is written down is read back, with the file's hash.
    let text = a.to_toml().unwrap();
    assert!(text.contains("file_sha256"), "{text}");
    let again = written(&text, &at("c/again.toml")).unwrap();
    assert_eq!(key(&again), key(&a));
    let pinned = format!(", file_sha256 = \"{}\"", "0".repeat(64));
    let told = of("a.safetensors", &pinned).unwrap_err().to_string();
    assert!(
        told.contains("train.loss.distill.file_sha256 wants 0000"),
        "{told}"
    );
    let told = of("d.safetensors", "").unwrap_err().to_string();
    assert!(told.contains("d.safetensors"), "{told}");
}

#[test]
fn teachers_of_other_networks_are_refused() {
    let (data, dir) = (digits(), tempfile::tempdir().unwrap());
    let at = |name: &str| dir.path().join(name);
    let mut model = trained(&experiment(&format!("{BASE}recipe = \"float\"\n")), &data);
    let last = model.graph.last();
    let told = |model: &Model| {
        saved(model, &at("t.safetensors"));
        let text = format!("{BASE}loss = [{{ kind = \"distill\", file = \"t.safetensors\" }}]\n");
        let e = written(&text, &at("e.toml")).unwrap();
        setup::point(&e, &data, 0).unwrap_err().to_string()
    };
    let shape = model.graph.nodes[last].shape;
    model.graph.push(
        "twice",
        pimento::network::graph::Layer::Concat,
        vec![last, last],
        (2 * shape.0, 1, 1),
    );
    let twice = told(&model);
    assert!(
        twice.contains("the teacher has 20 logits; allowed: 10"),
        "{twice}"
    );
    // Of other images.
    let text = BASE
        .replace("digits-8x8", "fashion-10k")
        .replace("[train]", "[train]\nrecipe = \"float\"");
    let all = pimento::data::embedded::Embedded::Fashion10k
        .load()
        .unwrap();
    let fashion = Split {
        train: all.train.limit(40),
        ..all
    };
    let other = told(&trained(&experiment(&text), &fashion));
    assert!(
        other.contains("the network wants images of 1 x 28 x 28"),
        "{other}"
    );
}
