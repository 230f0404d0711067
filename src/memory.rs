//! How much memory this process may still take.
//!
//! A machine may have far more than its part of it that a container, a job of a queue or `ulimit`
//! grants; who plans with the machine's is killed without a word. The least of all these counts:
//!
//! * `MemAvailable` of `/proc/meminfo`;
//! * of the process's control group and every one above it the limit less what is in use, page cache
//!   that can be dropped not counted: `memory.max`, `memory.current` and `inactive_file` of
//!   `memory.stat` (version 2, `memory.high` too), `memory.limit_in_bytes`, `memory.usage_in_bytes` and
//!   `total_inactive_file` (version 1);
//! * the limit of the address space (`ulimit -v`) less what is mapped.
//!
//! # Examples
//! ```
//! // Some systems do not say.
//! if let Some(memory) = pimento::memory::available() {
//!     println!("{} bytes: {}", memory.bytes, memory.source);
//! }
//! ```

use std::path::{Path, PathBuf};

/// Memory that can be taken, and what says so.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Available {
    /// Bytes.
    pub bytes: u64,
    /// In words: "the free memory", "the limit of control group /a/b".
    pub source: String,
}

/// What this process may still take; `None` where the system does not say.
pub fn available() -> Option<Available> {
    available_under(Path::new("/"))
}

/// The same with another root of the file system.
fn available_under(root: &Path) -> Option<Available> {
    let machine = field(&root.join("proc/meminfo"), "MemAvailable:").map(|kib| Available {
        bytes: kib.saturating_mul(1024),
        source: "the free memory".into(),
    });
    let all = machine
        .into_iter()
        .chain(groups(root))
        .chain(address_space(root));
    all.min_by_key(|a| a.bytes)
}

/// The number after a name at the beginning of a line.
fn field(file: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn number(file: PathBuf) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Files of a control group.
struct Version {
    /// Where groups are, below the root.
    mount: &'static str,
    limits: &'static [&'static str],
    used: &'static str,
    /// Page cache in `memory.stat` that is given back under pressure.
    cache: &'static str,
}

const SECOND: Version = Version {
    mount: "sys/fs/cgroup",
    limits: &["memory.max", "memory.high"],
    used: "memory.current",
    cache: "inactive_file ",
};

/// Version 2 beside version 1.
const UNIFIED: Version = Version {
    mount: "sys/fs/cgroup/unified",
    ..SECOND
};

const FIRST: Version = Version {
    mount: "sys/fs/cgroup/memory",
    limits: &["memory.limit_in_bytes"],
    used: "memory.usage_in_bytes",
    cache: "total_inactive_file ",
};

/// What the groups of the process leave.
fn groups(root: &Path) -> Vec<Available> {
    let text = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut found = vec![];
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let versions: &[&Version] = match controllers {
            "" => &[&SECOND, &UNIFIED],
            list if list.split(',').any(|c| c == "memory") => &[&FIRST],
            _ => continue,
        };
        for version in versions {
            // A container may see its own group as the root of the mount, whatever the path says.
            for at in Path::new(group.trim_start_matches('/')).ancestors() {
                found.extend(left(version, root, at));
            }
        }
    }
    found
}

/// What one group leaves.
fn left(version: &Version, root: &Path, group: &Path) -> Option<Available> {
    let directory = root.join(version.mount).join(group);
    let limits = version.limits.iter();
    // Without a limit the file says "max", or version 1 a number larger than any memory.
    let limit = limits.filter_map(|l| number(directory.join(l))).min()?;
    let used = number(directory.join(version.used)).unwrap_or(0);
    let cache = field(&directory.join("memory.stat"), version.cache).unwrap_or(0);
    Some(Available {
        bytes: limit.saturating_sub(used.saturating_sub(cache)),
        source: format!("the limit of control group /{}", group.display()),
    })
}

/// What `ulimit -v` leaves.
fn address_space(root: &Path) -> Option<Available> {
    let limit = field(&root.join("proc/self/limits"), "Max address space")?;
    let mapped = field(&root.join("proc/self/status"), "VmSize:").unwrap_or(0);
    Some(Available {
        bytes: limit.saturating_sub(mapped.saturating_mul(1024)),
        source: "the limit of the address space".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn found(files: &[(&str, &str)]) -> Option<(u64, String)> {
        let root = system(files);
        available_under(root.path()).map(|a| (a.bytes, a.source))
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       64000 kB\nMemAvailable:   32000 kB\n",
    );

    #[test]
    fn without_limits_it_is_the_machines() {
        assert_eq!(found(&[]), None);
        let free = Some((32_768_000, "the free memory".to_string()));
        assert_eq!(found(&[MEMINFO]), free);
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "0::/user/job\n"),
            ("sys/fs/cgroup/user/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user/job/memory.current", "5\n"),
            (
                "proc/self/limits",
                "Limit  Soft  Hard\nMax address space         unlimited            unlimited            bytes\n",
            ),
        ];
        assert_eq!(found(&unlimited), free);
        // What version 1 says where there is no limit.
        let first = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/\n0::/\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ];
        assert_eq!(found(&first), free);
    }

    #[test]
    fn a_limit_of_any_group_above_counts_less_what_is_in_use() {
        let second = [
            MEMINFO,
            ("proc/self/cgroup", "0::/user/job\n"),
            ("sys/fs/cgroup/user/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user/memory.max", "10000000\n"),
            ("sys/fs/cgroup/user/memory.current", "6000000\n"),
            (
                "sys/fs/cgroup/user/memory.stat",
                "anon 3\nfile 2500000\ninactive_file 2000000\nactive_file 500000\n",
            ),
        ];
        let group = "the limit of control group /user".to_string();
        assert_eq!(found(&second), Some((6_000_000, group)));
        let first = [
            MEMINFO,
            (
                "proc/self/cgroup",
                "9:cpu,memory:/job/7\n1:name=systemd:/\n",
            ),
            (
                "sys/fs/cgroup/memory/job/7/memory.limit_in_bytes",
                "8000000\n",
            ),
            (
                "sys/fs/cgroup/memory/job/7/memory.usage_in_bytes",
                "9000000\n",
            ),
        ];
        let group = "the limit of control group /job/7".to_string();
        assert_eq!(found(&first), Some((0, group)));
    }

    /// A container sees the host's path, and its own group as the root of the mount.
    #[test]
    fn a_container_is_its_own_root() {
        let inside = [
            MEMINFO,
            ("proc/self/cgroup", "0::/docker/0123\n"),
            ("sys/fs/cgroup/memory.max", "4000000\n"),
            ("sys/fs/cgroup/memory.high", "3000000\n"),
            ("sys/fs/cgroup/memory.current", "1000000\n"),
        ];
        let group = "the limit of control group /".to_string();
        assert_eq!(found(&inside), Some((2_000_000, group)));
    }

    #[test]
    fn the_address_space_counts() {
        let limited = [
            MEMINFO,
            (
                "proc/self/limits",
                "Limit  Soft  Hard\nMax address space         20000000             20000000             bytes\n",
            ),
            ("proc/self/status", "Name:\tx\nVmSize:\t    1000 kB\n"),
        ];
        let source = "the limit of the address space".to_string();
        assert_eq!(found(&limited), Some((20_000_000 - 1_024_000, source)));
    }
}
