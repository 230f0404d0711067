use super::*;
use crate::data::labelled::tests::{PLAIN, grey};

fn write(root: &Path, files: &[(&str, Vec<u8>)]) {
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_folder_reads_as_the_archive_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("train/b/1.png", grey(21)),
        ("train/a/2.png", grey(12)),
        ("train/a/1.png", grey(11)),
        ("test/b/1.png", grey(29)),
        ("train/a/notes.txt", b"x".to_vec()),
        ("train/list.csv", b"x".to_vec()),
        ("train/a/.hidden.png", b"x".to_vec()),
    ];
    write(dir.path(), &files);
    let split = load_folder(dir.path(), &PLAIN).unwrap();
    let mut builder = tar::Builder::new(vec![]);
    builder.append_dir_all(".", dir.path()).unwrap();
    let packed = builder.into_inner().unwrap();
    let name = dir.path().display().to_string();
    let streamed = crate::data::read_archive(&name, &packed[..], &PLAIN).unwrap();
    assert_eq!(streamed, split);
    assert_eq!(split.train.labels, [0, 1, 0]);
}

#[test]
fn what_is_missing_or_in_the_wrong_place_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let message = |dir: &Path| load_folder(dir, &PLAIN).unwrap_err().to_string();
    assert!(message(&dir.path().join("no")).contains("not a directory"));
    write(dir.path(), &[("train/a/1.png", grey(1))]);
    assert!(
        message(dir.path()).contains("test"),
        "{}",
        message(dir.path())
    );
    write(dir.path(), &[("test/a/1.png", b"nothing".to_vec())]);
    let text = message(dir.path());
    assert!(
        text.contains("1.png: starts with the bytes [6e 6f 74 68]"),
        "{text}"
    );
    fs::create_dir(dir.path().join("test/a/2.png")).unwrap();
    let text = message(dir.path());
    assert!(text.contains("2.png: no file of at most"), "{text}");
}
