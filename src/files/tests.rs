//! Files are replaced whole, links and pipes are treated as what they are.

use super::*;

#[test]
fn replaces_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write_atomically(&path, b"one").unwrap();
    write_atomically(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_failure_names_the_file_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such/dir/a.json");
    let message = write_atomically(&missing, b"x").unwrap_err().to_string();
    assert!(message.contains("a.json"), "{message}");
    assert!(!message.contains(MARK), "{message}");
    // A directory in the way: the temporary file was written, the rename fails.
    let taken = dir.path().join("taken");
    fs::create_dir(&taken).unwrap();
    assert!(write_atomically(&taken, b"x").is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_what_it_points_to_is_replaced() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (kept, link, dangling) = (
        dir.path().join("elsewhere/kept"),
        dir.path().join("link"),
        dir.path().join("dangling"),
    );
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    fs::write(&kept, "old").unwrap();
    symlink("elsewhere/kept", &link).unwrap();
    symlink("elsewhere/new", &dangling).unwrap();
    for path in [&link, &dangling] {
        check_destination(path).unwrap();
        write_atomically(path, b"new").unwrap();
        assert!(path.is_symlink() && fs::read(path).unwrap() == b"new");
    }
    assert_eq!(fs::read(&kept).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    assert_eq!(
        fs::read_dir(dir.path().join("elsewhere")).unwrap().count(),
        2
    );
    // A link to itself ends nowhere.
    symlink("loop", dir.path().join("loop")).unwrap();
    let message = write_atomically(&dir.path().join("loop"), b"x").unwrap_err();
    assert!(message.to_string().contains("too many"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_and_stays_one() {
    use std::os::unix::fs::FileTypeExt;
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    // Reading and writing, so that opening it does not wait for the other side.
    let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
    write_atomically(&pipe, b"content").unwrap();
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let mut read = [0; 7];
    std::io::Read::read_exact(&mut reader, &mut read).unwrap();
    assert_eq!(&read, b"content");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Files in a directory, by name.
#[cfg(unix)]
fn names(dir: &Path) -> Vec<String> {
    let all = fs::read_dir(dir).unwrap();
    let mut all: Vec<String> = all
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    all.sort();
    all
}

#[cfg(unix)]
#[test]
fn a_planted_link_leads_nowhere() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("precious"), "kept").unwrap();
    for name in [
        "model",
        "lock",
        &format!(".model.{}.tmp", std::process::id()),
    ] {
        symlink("precious", at(name)).unwrap();
    }
    let message = open_lock(&at("lock")).unwrap_err().to_string();
    assert!(message.contains("a link"), "{message}");
    replace_atomically(&at("model"), b"new").unwrap();
    assert!(!at("model").is_symlink());
    assert_eq!(fs::read(at("model")).unwrap(), b"new");
    assert_eq!(fs::read(at("precious")).unwrap(), b"kept");
    // A link to what is not there makes no file.
    symlink("not-there", at("dangling")).unwrap();
    assert!(open_lock(&at("dangling")).is_err() && !at("not-there").exists());
    replace_atomically_with(&at("dangling"), |file| file.write_all(b"own")).unwrap();
    assert!(!at("dangling").is_symlink() && !at("not-there").exists());
    // What is in a file that is locked stays.
    assert!(open_lock(&at("precious")).unwrap().try_lock().is_ok());
    assert_eq!(fs::read(at("precious")).unwrap(), b"kept");
    let pipe = std::process::Command::new("mkfifo")
        .arg(at("pipe"))
        .status();
    assert!(pipe.unwrap().success() && open_lock(&at("pipe")).is_err());
}

#[cfg(unix)]
#[test]
fn permissions_are_the_usual_ones_and_a_cache_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        let about = fs::metadata(dir.path().join(name)).unwrap();
        (about.permissions().mode() & 0o777, foreign(&about))
    };
    File::create(dir.path().join("plain")).unwrap();
    write_atomically(&dir.path().join("usual"), b"x").unwrap();
    assert_eq!(mode("plain"), mode("usual"));
    let own = dir.path().join("own");
    replace_atomically_with(&own, |file| file.write_all(b"x")).unwrap();
    assert_eq!(mode("own").1, None);
    fs::set_permissions(&own, PermissionsExt::from_mode(0o664)).unwrap();
    let why = mode("own").1.unwrap();
    assert!(why.contains("may write") && why.contains("664"), "{why}");
}

#[cfg(unix)]
#[test]
fn what_a_killed_process_left_goes_away_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let all = [
        (".a.json.pimento-abcdefgh1234.tmp", true),
        (".a.json.4711.tmp", true),
        // Somebody else's.
        (".a.json.tmp", false),
        (".a.json.backup.tmp", false),
        (".b.json.pimento-abcdefgh1234.tmp", false),
        // Perhaps being written just now.
        (".a.json.pimento-youngyoung12.tmp", false),
    ];
    for (name, _) in all {
        let file = File::create(dir.path().join(name)).unwrap();
        if !name.contains("young") {
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    }
    write_atomically(&dir.path().join("a.json"), b"x").unwrap();
    let left = names(dir.path());
    assert!(left.contains(&"a.json".into()));
    for (name, goes) in all {
        assert_eq!(!left.contains(&name.to_string()), goes, "{name}");
    }
    // A write that fails leaves nothing, whatever its name.
    let before = names(dir.path());
    let fail = |_: &mut File| Err(std::io::Error::other("full"));
    assert!(replace_atomically_with(&dir.path().join("c"), fail).is_err());
    assert_eq!(names(dir.path()), before);
}

#[test]
fn a_lock_that_nobody_holds_goes_away_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let held = open_lock(&at("held.lock")).unwrap();
    held.try_lock().unwrap();
    for name in ["old.lock", "young.lock", "old.partial"] {
        fs::write(at(name), "").unwrap();
    }
    for name in ["held.lock", "old.lock", "old.partial"] {
        let file = File::options().write(true).open(at(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    remove_abandoned_locks(dir.path());
    for (name, stays) in [
        ("held.lock", true),
        ("old.lock", false),
        ("young.lock", true),
        ("old.partial", true),
    ] {
        assert_eq!(at(name).exists(), stays, "{name}");
    }
}

#[test]
fn a_file_system_without_locks_is_known_by_its_errors() {
    assert!(has_no_locks(&std::io::ErrorKind::Unsupported.into()));
    assert!(!has_no_locks(&std::io::ErrorKind::PermissionDenied.into()));
    #[cfg(target_os = "linux")]
    {
        // ENOLCK and ENOSYS of errno(3) on Linux.
        for (code, none) in [(37, true), (38, true), (13, false)] {
            let error = std::io::Error::from_raw_os_error(code);
            assert_eq!(has_no_locks(&error), none, "{error}");
        }
    }
}

#[test]
fn a_destination_that_cannot_be_is_known_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    for (name, possible) in [
        ("file", true),
        ("new", true),
        ("", false),
        ("no/a", false),
        ("file/a", false),
    ] {
        let path = dir.path().join(name);
        assert_eq!(check_destination(&path).is_ok(), possible, "{name}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_writer_that_fails_half_way_leaves_the_old_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    write_atomically(&path, b"old").unwrap();
    let failed = write_atomically_with(&path, |file| {
        file.write_all(b"half of the n")?;
        Err(std::io::Error::other("full"))
    });
    assert!(failed.unwrap_err().to_string().contains("full"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
