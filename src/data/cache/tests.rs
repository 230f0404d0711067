use super::*;
use crate::data::labelled::tests::grey;
use crate::data::{load_archive, load_folder};
use crate::progress::Observer;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

/// Collects what is said.
#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Observer for Said {
    fn message(&self, text: &str) {
        self.0.lock().unwrap().push(text.into());
    }
}

impl Said {
    /// What was said since the last call.
    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }
}

/// A directory with pictures and one for the cache.
struct Rig {
    dir: tempfile::TempDir,
    said: Said,
}

impl Rig {
    fn new() -> Self {
        let rig = Self {
            dir: tempfile::tempdir().unwrap(),
            said: Said::default(),
        };
        for (path, value) in [("train/a/1", 1), ("train/b/1", 2), ("test/a/1", 3)] {
            rig.write(path, value);
        }
        rig
    }

    fn write(&self, path: &str, value: u8) {
        let path = self.dir.path().join(format!("set/{path}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, grey(value)).unwrap();
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("deep/cache")
    }

    fn load(&self, resize: Option<[usize; 2]>) -> (Split, String) {
        let cache = self.cache();
        let decoding = Decoding {
            resize,
            cache: Some(&cache),
            observer: &self.said,
        };
        let split = load_folder(&self.dir.path().join("set"), &decoding).unwrap();
        (split, self.said.take())
    }

    fn files(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(self.cache()).unwrap();
        let mut all: Vec<_> = all.map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    }
}

#[test]
fn the_second_time_nothing_is_decoded() {
    let rig = Rig::new();
    let (first, said) = rig.load(None);
    assert!(
        said.contains("3 images decoded in") && said.contains("kept in"),
        "{said}"
    );
    let (again, said) = rig.load(None);
    assert_eq!((again, said.as_str()), (first.clone(), ""));
    // The content decides, not the time of change: the same pictures at another time.
    let picture = rig.dir.path().join("set/test/a/1.png");
    let before = fs::metadata(&picture).unwrap();
    let file = File::options().write(true).open(&picture).unwrap();
    file.set_modified(UNIX_EPOCH).unwrap();
    let (again, said) = rig.load(None);
    assert_eq!((again, said.as_str()), (first.clone(), ""));
    // Another picture of the same length at the same time.
    let length = before.len();
    rig.write("test/a/1", 4);
    assert_eq!(fs::metadata(&picture).unwrap().len(), length);
    let file = File::options().write(true).open(&picture).unwrap();
    file.set_modified(UNIX_EPOCH).unwrap();
    let (other, said) = rig.load(None);
    assert!(said.contains("3 images decoded in"), "{said}");
    assert!(other.train == first.train && other.test != first.test);
    assert_eq!(rig.files().len(), 2);
    // Two pictures that change places are another set.
    let place = |name: &str| rig.dir.path().join(format!("set/train/{name}/1.png"));
    let (a, b) = (fs::read(place("a")).unwrap(), fs::read(place("b")).unwrap());
    fs::write(place("a"), b).unwrap();
    fs::write(place("b"), a).unwrap();
    let (swapped, said) = rig.load(None);
    assert!(said.contains("3 images decoded in"), "{said}");
    assert_ne!(swapped.train, first.train);
}

/// Key and checksum are no secret: who may write to the file decides whether it is believed.
#[cfg(unix)]
#[test]
fn an_entry_that_others_can_write_to_is_decoded_again() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let rig = Rig::new();
    let (first, _) = rig.load(None);
    let path = rig.files()[0].clone();
    // A forged entry whose key, length and checksum are right.
    let mut forged = fs::read(&path).unwrap();
    let n = forged.len();
    forged[n - 33] ^= 0xff;
    let digest = Sha256::digest(&forged[..n - 32]);
    forged[n - 32..].copy_from_slice(&digest);
    let away = rig.dir.path().join("forged");
    fs::write(&away, &forged).unwrap();
    fs::write(&path, &forged).unwrap();
    for mode in [0o664, 0o646, 0o666] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let (split, said) = rig.load(None);
        assert_eq!(split, first);
        let told = said.contains("not used: others than its owner may write to it")
            && said.contains(&format!("{mode:o}"));
        assert!(told && said.contains("kept in"), "{said}");
        // What replaced it is its owner's alone, and used.
        assert_eq!(rig.load(None), (first.clone(), String::new()));
        fs::write(&path, &forged).unwrap();
    }
    // Somebody else's, where this process may give files away.
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
        let (split, said) = rig.load(None);
        assert!(
            split == first && said.contains("belongs to user 12345"),
            "{said}"
        );
        fs::write(&path, &forged).unwrap();
    }
    // A link to it, and a link whose target must not be touched.
    fs::remove_file(&path).unwrap();
    symlink(&away, &path).unwrap();
    let (split, said) = rig.load(None);
    assert!(split == first && said.contains("a link"), "{said}");
    assert!(!path.is_symlink() && fs::read(&away).unwrap() == forged);
}

/// 200 random flips, every region hit: told by name and decoded again, or the same.
#[test]
fn random_flips_are_all_noticed() {
    let rig = Rig::new();
    let (first, _) = rig.load(None);
    let path = rig.files()[0].clone();
    let good = fs::read(&path).unwrap();
    let header = 24 + u64::from_le_bytes(good[16..24].try_into().unwrap()) as usize;
    let tail = good.len() - 32;
    // Magic, length, header, labels and pixels, checksum.
    let regions = [0..16, 16..24, 24..header, header..tail, tail..good.len()];
    let words = crate::random::Stream::new(9, crate::random::Purpose::Shuffle, 0, 0, 0);
    let draw = |i: usize, n: usize| words.word(i as u32) as usize % n;
    let mut noticed = [0; 5];
    for i in 0..200 {
        let region = i % regions.len();
        let r = regions[region].clone();
        let at = r.start + draw(2 * i, r.len());
        let mut bytes = good.clone();
        bytes[at] ^= 1 << draw(2 * i + 1, 8);
        fs::write(&path, &bytes).unwrap();
        let (split, said) = rig.load(None);
        assert_eq!(split, first, "flip at {at}");
        let told = said.contains("damaged cache file") && said.contains(path.to_str().unwrap());
        noticed[region] += usize::from(told);
    }
    assert_eq!(noticed, [40; 5]);
}

#[test]
fn another_source_or_option_is_another_file() {
    let rig = Rig::new();
    let (first, _) = rig.load(None);
    let (resized, said) = rig.load(Some([4, 4]));
    assert!(said.contains("decoded") && resized != first, "{said}");
    assert_eq!(rig.files().len(), 2);
    rig.write("train/c/1", 9);
    let (more, said) = rig.load(None);
    assert!(
        said.contains("4 images decoded") && more.train.len() == 3,
        "{said}"
    );
    assert_eq!(rig.files().len(), 3);
}

#[test]
fn damage_anywhere_is_noticed_said_and_mended() {
    let rig = Rig::new();
    let (first, _) = rig.load(None);
    let path = &rig.files()[0];
    let good = fs::read(path).unwrap();
    let check = |bytes: &[u8], what: &str| {
        fs::write(path, bytes).unwrap();
        let (split, said) = rig.load(None);
        assert_eq!(split, first, "{what}");
        assert!(
            said.contains("damaged cache file")
                && said.contains("again")
                && said.contains("kept in"),
            "{what}: {said}"
        );
        assert_eq!(fs::read(path).unwrap(), good, "{what}");
        assert_eq!(rig.files().len(), 1, "{what}");
    };
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        check(&bytes, &format!("byte {at}"));
    }
    for cut in [0, 10, 23, 24, 60, good.len() - 33, good.len() - 1] {
        check(&good[..cut], &format!("cut at {cut}"));
    }
    check(&[&good[..], &[0]].concat(), "one more byte");
    // An absurd header costs nothing.
    let mut bytes = good.clone();
    bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    check(&bytes, "header length");
}

#[test]
fn what_a_killed_run_left_is_not_used_and_goes_away() {
    let rig = Rig::new();
    let (first, _) = rig.load(None);
    let path = rig.files()[0].clone();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (old, new, other) = (
        path.with_file_name(format!(".{name}.1.tmp")),
        path.with_file_name(format!(".{name}.2.tmp")),
        path.with_file_name("somebody's.tmp"),
    );
    for file in [&old, &new, &other] {
        fs::write(file, &fs::read(&path).unwrap()[..50]).unwrap();
    }
    for file in [&old, &other] {
        let file = File::options().write(true).open(file).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
    }
    fs::remove_file(&path).unwrap();
    let (again, said) = rig.load(None);
    assert!(again == first && said.contains("kept in"), "{said}");
    // One may still be being written by another run.
    assert!(path.exists() && !old.exists() && new.exists() && other.exists());
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let rig = Rig::new();
    fs::write(rig.dir.path().join("deep"), "a file in the way").unwrap();
    let (split, said) = rig.load(None);
    assert_eq!(split.train.len(), 2);
    assert!(said.contains("not kept"), "{said}");
}

#[test]
fn a_mistake_leaves_nothing() {
    let rig = Rig::new();
    let tar = rig.dir.path().join("x.tar");
    fs::write(&tar, b"short").unwrap();
    let cache = rig.cache();
    let decoding = Decoding {
        resize: None,
        cache: Some(&cache),
        observer: &(),
    };
    assert!(load_archive(&tar, &decoding).is_err());
    assert!(!cache.exists());
}

#[test]
fn counts_that_overflow_are_damage() {
    let header = Header {
        key: "k".into(),
        c: usize::MAX,
        h: 3,
        w: 3,
        classes: 1,
        train: ("a".into(), 1),
        test: ("b".into(), usize::MAX),
    };
    assert_eq!(header.payload(), None);
    let json = serde_json::to_vec(&header).unwrap();
    let bytes = [&MAGIC[..], &(json.len() as u64).to_le_bytes(), &json].concat();
    let message = parse("f", &bytes[..], bytes.len() as u64, "k").unwrap_err();
    assert!(message.to_string().contains("bytes for 1 +"), "{message}");
}
