//! What trained networks and checkpoints are known by, and what is believed of a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::{Dataset, Pixels, Split};
use pimento::network::Parameters;
use pimento::random::{Purpose, Stream};
use pimento::setup;
use pimento::sweep::outdir::Existing;
use pimento::sweep::result::{ChipRow, SweepResult};
use pimento::sweep::rows::Rows;
use pimento::sweep::{Outcome, SweepOptions, run};
use pimento::train;
use pimento::{Error, Result};

use crate::{Stop, digits, experiment, stop_at, train_until};

/// A network that trains in milliseconds.
fn small(more: &str) -> Experiment {
    experiment(&format!(
        "[data]\nset = \"digits-8x8\"\nmean = \"auto\"\nstd = \"auto\"\n[network]\nkind = \"mlp\"\n\
         hidden = [6]\n[quantize]\nweight_bits = 4\n[train]\nepochs = 3\nbatch = 30\n\
         learning_rate = 1e-2\n{more}"
    ))
}

/// Few images.
fn data() -> Split {
    let all = digits();
    Split {
        train: all.train.limit(120),
        test: all.test.limit(60),
    }
}

fn nothing(_: &Path, _: &SweepResult, _: &dyn Rows) -> Result<()> {
    Ok(())
}

fn sweep(e: &Experiment, data: &Split, dir: &Path, out: &str, watch: &Stop) -> Result<Outcome> {
    let options = SweepOptions {
        existing: Existing::Continue,
        models: Some(dir.join("models")),
        ..SweepOptions::new(dir.join(out), "test", nothing)
    };
    run(&[&CpuBackend::new()], e, data, &options, watch)
}

/// Chips of a point, as text, since `NaN` is not equal to itself.
fn rows(dir: &Path, out: &str) -> Vec<String> {
    let path = dir.join(out).join("journal.bin");
    let journal = pimento::sweep::journal::Journal::read(&path).unwrap();
    let rows: Result<Vec<ChipRow>> = journal.of_point(0).unwrap().collect();
    rows.unwrap().iter().map(|r| format!("{r:?}")).collect()
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<_> = all
        .filter(|p| p.to_string_lossy().ends_with(ending))
        .collect();
    all.sort();
    all
}

/// The same set with other pixels, labels, or one image less.
fn changed(set: &Dataset, how: &str) -> Dataset {
    let mut set = set.clone();
    match (how, &mut set.images) {
        ("labels", _) => set.labels.iter_mut().for_each(|l| *l = (*l + 1) % 10),
        ("one pixel", Pixels::Bytes(values)) => values.to_mut()[700] ^= 1,
        ("one image", _) => set = set.select(&(0..set.len() - 1).collect::<Vec<_>>()),
        other => panic!("{other:?}"),
    }
    set
}

#[test]
fn other_images_are_another_training() {
    let dir = tempfile::tempdir().unwrap();
    let e = small("recipe = \"qat\"\n[variation]\nsigma_w = 0.2\n[sweep]\nchips = 5\n");
    let first = data();
    sweep(&e, &first, dir.path(), "first", &stop_at(usize::MAX)).unwrap();
    for (i, how) in ["labels", "one pixel", "one image"].into_iter().enumerate() {
        let now = Split {
            train: changed(&first.train, how),
            test: first.test.clone(),
        };
        // What a run elsewhere, which has no networks yet, says.
        let fresh = tempfile::tempdir().unwrap();
        sweep(&e, &now, fresh.path(), "x", &stop_at(usize::MAX)).unwrap();
        sweep(&e, &now, dir.path(), how, &stop_at(usize::MAX)).unwrap();
        assert_eq!(rows(dir.path(), how), rows(fresh.path(), "x"), "{how}");
        let models = files(&dir.path().join("models"), ".safetensors").len();
        assert_eq!(models, 2 + i, "{how}");
    }
    // The first images again: their network is still there.
    sweep(&e, &first, dir.path(), "again", &stop_at(usize::MAX)).unwrap();
    assert_eq!(rows(dir.path(), "again"), rows(dir.path(), "first"));
    assert_eq!(files(&dir.path().join("models"), ".safetensors").len(), 4);
    // A checkpoint says what is different.
    let file = dir.path().join("x.partial");
    assert!(train_until(&e, &first, Some(file.clone()), 5).is_err());
    let now = Split {
        train: changed(&first.train, "one pixel"),
        ..first
    };
    let error = train_until(&e, &now, Some(file), usize::MAX).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 2);
    assert!(
        text.contains("x.partial: made by another training") && text.contains("images.sha256: "),
        "{text}"
    );
    assert!(text.contains("images.normalisation: "), "{text}");
}

/// A network from a file is what is in it, in all its files.
#[test]
fn another_network_file_is_another_training() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("net.safetensors");
    let zoo = small("recipe = \"float\"\n");
    let model = train_until(&zoo, &data(), None, usize::MAX).unwrap();
    train::save_model(&file, &model, "").unwrap();
    // Described in one file, its tensors in another, which no digest of the first knows of.
    let (mut parameters, meta) =
        Parameters::from_bytes(&std::fs::read(&file).unwrap(), &file).unwrap();
    std::fs::write(dir.path().join("net.json"), &meta["pimento.network"]).unwrap();
    let text = "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"file\"\nfile = \"net.json\"\n[train]\n\
         recipe = \"ptq\"\n[variation]\nsigma_w = 0.2\n[sweep]\nchips = 5\n";
    let toml = dir.path().join("x.toml");
    std::fs::write(&toml, text).unwrap();
    let e = Experiment::load(&toml).unwrap();
    sweep(&e, &data(), dir.path(), "first", &stop_at(usize::MAX)).unwrap();
    for t in parameters.tensors.values_mut() {
        t.data.iter_mut().for_each(|x| *x *= 0.5);
    }
    let halved = parameters.to_bytes(&BTreeMap::new()).unwrap();
    std::fs::write(&file, halved).unwrap();
    let again = Experiment::load(&toml).unwrap();
    assert_eq!(e.network.file_sha256, again.network.file_sha256);
    // The run that has begun is of the other network, a new one trains for itself.
    let error = sweep(&again, &data(), dir.path(), "first", &stop_at(usize::MAX)).unwrap_err();
    assert!(error.to_string().contains("network_sha256: "), "{error}");
    sweep(&again, &data(), dir.path(), "second", &stop_at(usize::MAX)).unwrap();
    assert_eq!(files(&dir.path().join("models"), ".safetensors").len(), 2);
    assert_ne!(rows(dir.path(), "second"), rows(dir.path(), "first"));
}

/// Where the header of a safetensors file ends, and where its metadata begins and ends.
fn regions(bytes: &[u8]) -> [std::ops::Range<usize>; 5] {
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8_lossy(&bytes[8..end]);
    let meta = 8 + header.find("__metadata__").unwrap();
    let meta_end = 8 + header.rfind("\"},").map_or(end - 8, |at| at + 2);
    assert!(meta < meta_end && meta_end < end);
    let tail = bytes.len() - 16;
    // Length, metadata, descriptions of tensors, tensors, the last bytes.
    [
        0..8,
        meta..meta_end,
        meta_end..end,
        end..tail,
        tail..bytes.len(),
    ]
}

/// Two hundred random flips of a file, every region hit. `read` gives what the program makes of it;
/// either it refuses by name or it has what it has from the untouched file.
fn flips<T: PartialEq>(file: &Path, read: impl Fn() -> Result<T>) {
    let good = std::fs::read(file).unwrap();
    let untouched = read().unwrap();
    let words = Stream::new(15, Purpose::Shuffle, 0, 0, 0);
    let draw = |i: usize, n: usize| words.word(i as u32) as usize % n;
    let (mut refused, mut harmless) = ([0; 5], [0; 5]);
    let regions = regions(&good);
    for i in 0..200 {
        let which = i % regions.len();
        let region = regions[which].clone();
        let at = region.start + draw(2 * i, region.len());
        let mut bytes = good.clone();
        bytes[at] ^= 1 << draw(2 * i + 1, 8);
        std::fs::write(file, &bytes).unwrap();
        match read() {
            Ok(same) => {
                assert!(same == untouched, "byte {at}: another network");
                harmless[which] += 1;
            }
            Err(e) => {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                assert!(e.exit_code() == 2 && e.to_string().contains(&name), "{e}");
                refused[which] += 1;
            }
        }
    }
    std::fs::write(file, &good).unwrap();
    // Both kinds of file are refused without their checksum.
    assert_eq!((refused, harmless), ([40; 5], [0; 5]));
    assert!(read().unwrap() == untouched);
}

#[test]
fn a_flipped_bit_in_a_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.safetensors");
    let (e, data) = (small("recipe = \"qat\"\n"), data());
    let model = train_until(&e, &data, None, usize::MAX).unwrap();
    let point = setup::point(&e, &data, 0).unwrap();
    let key = train::training_key(&point, Default::default()).unwrap();
    train::save_model(&file, &model, &key).unwrap();
    let steps = train::settings::Course::new(&e, point.inputs.n_trained_on()).unwrap();
    flips(&file, || train::load_model(&file, &key, &steps));
}

#[test]
fn a_flipped_bit_in_a_checkpoint_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.partial");
    // The last step: what is left to do is nothing, so that a wrong bit would be seen.
    let (e, data) = (small("recipe = \"qat\"\n"), data());
    assert!(train_until(&e, &data, Some(file.clone()), 11).is_err());
    flips(&file, || {
        let model = train_until(&e, &data, Some(file.clone()), usize::MAX)?;
        Ok((model.parameters, model.record.history))
    });
}

/// Writes a file again with another text in the metadata, and a right checksum.
fn forge(file: &Path, from: &str, to: &str) -> Vec<u8> {
    let good = std::fs::read(file).unwrap();
    let (parameters, mut meta) = Parameters::from_bytes(&good, file).unwrap();
    let state = meta.get_mut("pimento.state").unwrap();
    assert!(state.contains(from), "{state}");
    *state = state.replacen(from, to, 1);
    std::fs::write(file, parameters.to_file(&meta).unwrap()).unwrap();
    good
}

/// Refuses what a forged file says; the good file is there again afterwards.
fn assert_refused<T>(file: &Path, from: &str, to: &str, says: &str, read: impl Fn() -> Result<T>) {
    let good = forge(file, from, to);
    let error = read().err().expect("a refusal");
    let text = error.to_string();
    assert_eq!(error.exit_code(), 2);
    assert!(
        text.contains("x.partial") && text.contains(says),
        "{says}: {text}"
    );
    std::fs::write(file, good).unwrap();
}

#[test]
fn a_course_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.partial");
    let (e, data) = (small("recipe = \"qat\"\n"), data());
    let resumed = || train_until(&e, &data, Some(file.clone()), usize::MAX);
    // Four steps an epoch, twelve in all: in the middle of the second epoch.
    let stopped = train_until(&e, &data, Some(file.clone()), 6);
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    for (from, to, says) in [
        (
            r#""step":6"#,
            r#""step":13"#,
            "step 13 of a training of 12 steps",
        ),
        (r#""step":6"#, r#""step":12"#, "1 epochs in 12 steps of 4"),
        (
            r#""step":6"#,
            r#""step":5"#,
            "where the epoch has 1 steps of 30 images",
        ),
        (r#""step":6"#, r#""step":-1"#, "expected usize"),
        (
            r#""epoch":1"#,
            r#""epoch":2"#,
            "epoch 2 in the place of epoch 1",
        ),
        (r#""images":"#, r#""images":1"#, "sums over 1"),
        (
            r#""accuracy":0."#,
            r#""accuracy":7."#,
            "in the place of epoch 1",
        ),
        (r#""history""#, r#""herstory""#, "unknown field `herstory`"),
    ] {
        assert_refused(&file, from, to, says, resumed);
    }
    // A file without its checksum.
    let good = std::fs::read(&file).unwrap();
    let (parameters, mut meta) = Parameters::from_bytes(&good, &file).unwrap();
    meta.remove("pimento.sha256");
    std::fs::write(&file, parameters.to_bytes(&meta).unwrap()).unwrap();
    let error = resumed().unwrap_err();
    assert!(error.to_string().contains("has no checksum"), "{error}");
}

#[test]
fn a_model_whose_record_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.partial");
    let (e, data) = (small("recipe = \"qat\"\n"), data());
    let model = train_until(&e, &data, None, usize::MAX).unwrap();
    let point = setup::point(&e, &data, 0).unwrap();
    let key = train::training_key(&point, Default::default()).unwrap();
    let steps = train::settings::Course::new(&e, point.inputs.n_trained_on()).unwrap();
    train::save_model(&file, &model, &key).unwrap();
    for (from, to, says) in [
        (
            r#""steps":12"#,
            r#""steps":11"#,
            "11 steps of a training of 12 steps",
        ),
        (
            r#""epoch":3"#,
            r#""epoch":4"#,
            "epoch 4 in the place of epoch 3",
        ),
        (r#""loss":"#, r#""loss":1"#, "not those of the last epoch"),
        (
            r#""history":"#,
            r#""stages":["a","b"],"history":"#,
            "2 names of 1 stages",
        ),
    ] {
        assert_refused(&file, from, to, says, || {
            train::load_model(&file, &key, &steps)
        });
    }
    // In the place of a checkpoint.
    let error = train_until(&e, &data, Some(file), usize::MAX).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`checkpoint` is needed"), "{text}");
}

/// Interrupted at every step: parameters and record are those of a training that was not.
#[test]
fn a_resumed_training_has_the_record_of_an_unbroken_one() {
    let data = data();
    let more = "recipe = \"qavat\"\nchips_per_batch = 2\n[variation]\nsigma_w = 0.2\n";
    let mut e = small(more);
    // Sixty steps an epoch, reported every third, so that some sums are still in the adapter.
    e.train.batch = 2;
    e.train.epochs = 2;
    let whole = train_until(&e, &data, None, usize::MAX).unwrap();
    assert_eq!(whole.record.steps, 120);
    let dir = tempfile::tempdir().unwrap();
    for stop in [1, 7, 30, 59, 60, 61, 62, 118, 119, 120] {
        let file = dir.path().join(format!("{stop}.partial"));
        assert!(train_until(&e, &data, Some(file.clone()), stop).is_err());
        let resumed = train_until(&e, &data, Some(file), usize::MAX).unwrap();
        assert_eq!(resumed.parameters, whole.parameters, "step {stop}");
        let record = train::TrainRecord {
            elapsed_s: whole.record.elapsed_s,
            ..resumed.record
        };
        assert_eq!(record, whole.record, "step {stop}");
    }
}

/// Points that share a training are measured on the same network, even if somebody puts another one
/// in its place between two runs.
#[test]
fn points_that_share_a_training_share_its_network() {
    let dir = tempfile::tempdir().unwrap();
    let e = small(
        "recipe = \"qat\"\n[sweep]\nchips = 5\n[sweep.axes]\n\"variation.sigma_w\" = [0.1, 0.2]\n",
    );
    let watch = Stop {
        waves: AtomicUsize::new(1),
        ..stop_at(usize::MAX)
    };
    let stopped = sweep(&e, &data(), dir.path(), "out", &watch);
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    let models = files(&dir.path().join("models"), ".safetensors");
    let good = std::fs::read(&models[0]).unwrap();
    // Right in every way but that it is another network.
    let (mut parameters, meta) = Parameters::from_bytes(&good, &models[0]).unwrap();
    for tensor in parameters.tensors.values_mut() {
        tensor.data.iter_mut().for_each(|x| *x *= 1.5);
    }
    std::fs::write(&models[0], parameters.to_file(&meta).unwrap()).unwrap();
    let error = sweep(&e, &data(), dir.path(), "out", &stop_at(usize::MAX)).unwrap_err();
    assert!(
        error.exit_code() == 2
            && error
                .to_string()
                .contains("the trained network is another one"),
        "{error}"
    );
    std::fs::write(&models[0], good).unwrap();
    sweep(&e, &data(), dir.path(), "out", &stop_at(usize::MAX)).unwrap();
}

/// What a process that was killed left beside a network goes away when the network is read.
#[test]
fn leftovers_beside_a_network_go_away_and_links_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let e = small("recipe = \"qat\"\n[sweep]\nchips = 5\n");
    sweep(&e, &data(), dir.path(), "first", &stop_at(usize::MAX)).unwrap();
    let models = dir.path().join("models");
    let model = files(&models, ".safetensors").remove(0);
    let (partial, lock) = (
        model.with_extension("partial"),
        model.with_extension("lock"),
    );
    std::fs::write(&partial, "half").unwrap();
    std::fs::write(&lock, "").unwrap();
    sweep(&e, &data(), dir.path(), "second", &stop_at(usize::MAX)).unwrap();
    assert!(!partial.exists() && !lock.exists());
    #[cfg(unix)]
    {
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "kept").unwrap();
        std::fs::remove_file(&model).unwrap();
        std::os::unix::fs::symlink(&precious, &lock).unwrap();
        let error = sweep(&e, &data(), dir.path(), "third", &stop_at(usize::MAX)).unwrap_err();
        assert!(error.to_string().contains("a link"), "{error}");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "kept");
        let journal = dir.path().join("fourth/journal.bin");
        std::fs::create_dir(dir.path().join("fourth")).unwrap();
        std::os::unix::fs::symlink(&precious, &journal).unwrap();
        std::fs::remove_file(&lock).unwrap();
        assert!(sweep(&e, &data(), dir.path(), "fourth", &stop_at(usize::MAX)).is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "kept");
    }
}
