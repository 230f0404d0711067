//! What a sweep survives of its disk: no room left, and a directory that turns read-only.

use std::process::Command;

use pimento::sweep::journal::Journal;

use super::survive::{Undisturbed, lose_chips};
use super::text;

/// A small file system of its own, where this process may mount one.
struct Tmpfs {
    dir: tempfile::TempDir,
}

impl Tmpfs {
    fn new(test: &str, size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &options,
                "pimento-test",
                text(dir.path()),
            ])
            .output();
        match mount {
            Ok(done) if done.status.success() => Some(Self { dir }),
            Ok(done) => {
                let why = String::from_utf8_lossy(&done.stderr).trim().to_string();
                println!("SKIPPED {test}: no tmpfs can be mounted here: {why}");
                None
            }
            Err(why) => {
                println!("SKIPPED {test}: {why}");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount")
            .args(["-o", &options, text(self.dir.path())])
            .status();
        assert!(done.unwrap().success(), "{options}");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // A file system that stays behind is not worth a panic while another one unwinds.
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}

#[test]
fn a_full_disk_costs_nothing_that_was_measured() {
    let Some(disk) = Tmpfs::new("a_full_disk", "64k") else {
        return;
    };
    let place = Undisturbed::new(5_000, "");
    let out = disk.dir.path().join("out");
    place
        .sweep_into(&out, &[])
        .assert_refused(&["journal.bin", "No space left", "--resume"]);
    let journal = Journal::read(&out.join("journal.bin")).unwrap();
    let before = journal.chips(0);
    assert!(before > 0 && journal.dropped() == 0, "{before} chips");
    drop(journal);
    // Still full.
    place
        .sweep_into(&out, &["--resume"])
        .assert_refused(&["No space left"]);
    assert_eq!(
        Journal::read(&out.join("journal.bin")).unwrap().chips(0),
        before
    );
    disk.remount("size=16m");
    place.sweep_into(&out, &["--resume"]).assert_ok();
    place.assert_equal(&out);
}

#[test]
fn a_read_only_directory_is_left_as_it_is() {
    let Some(disk) = Tmpfs::new("a_read_only_directory", "16m") else {
        return;
    };
    let place = Undisturbed::new(300, "");
    let out = disk.dir.path().join("out");
    place.sweep_into(&out, &[]).assert_ok();
    lose_chips(&out);
    disk.remount("ro");
    for (dir, args) in [
        (&out, &["--resume"][..]),
        (&disk.dir.path().join("new"), &[]),
    ] {
        let run = place.sweep_into(dir, args);
        run.assert_refused(&["Read-only"]);
        assert!(run.stderr.contains(text(disk.dir.path())), "{}", run.stderr);
    }
    disk.remount("rw");
    place.sweep_into(&out, &["--resume"]).assert_ok();
    place.assert_equal(&out);
}
