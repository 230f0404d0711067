//! The figures that the repository keeps: one file for a version of Mesa and a family, as compilers
//! differ from version to version.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::cost::{Figures, Kernel};

/// Fall of a loop's share of multiply-adds that is a breach: a twentieth.
const FALL: f64 = 0.05;

/// Where the figures of a version and a family are.
pub fn path(mesa: &str, family: &str) -> PathBuf {
    let name = format!("mesa-{mesa}-{family}.csv");
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("figures")
        .join(name)
}

/// Keeps the figures of these kernels.
pub fn write(path: &Path, kernels: &[Kernel]) -> Result<()> {
    let failed = |e: csv::Error| format!("{}: {e}", path.display());
    let mut file = csv::Writer::from_path(path).map_err(failed)?;
    for kernel in kernels {
        file.serialize(&kernel.figures).map_err(failed)?;
    }
    file.flush()
        .map_err(|e| format!("{}: {e}", path.display()))?;
    println!("{}: {} kernels", path.display(), kernels.len());
    Ok(())
}

/// Holds kernels against the figures that are kept, and lists all breaches.
pub fn check(path: &Path, kernels: &[Kernel]) -> Result<()> {
    let failed = |e: csv::Error| format!("{}: {e}", path.display());
    let mut file = csv::Reader::from_path(path).map_err(failed)?;
    let kept: std::result::Result<Vec<Figures>, _> = file.deserialize().collect();
    let now: Vec<&Figures> = kernels.iter().map(|k| &k.figures).collect();
    let breaches = breaches(&kept.map_err(failed)?, &now);
    if breaches.is_empty() {
        println!("{} kernels cost what is kept or less", now.len());
        return Ok(());
    }
    Err(format!(
        "{}\n{} breaches of {}; where they are wanted: cargo run -p kernel-cost -- --bless",
        breaches.join("\n"),
        breaches.len(),
        path.display()
    ))
}

fn breaches(kept: &[Figures], now: &[&Figures]) -> Vec<String> {
    let mut found = Vec::new();
    for new in now {
        match kept.iter().find(|old| old.kernel == new.kernel) {
            Some(old) => found.extend(dearer(old, new)),
            None => found.push(format!("{}: no figures are kept", new.kernel)),
        }
    }
    let gone = kept
        .iter()
        .filter(|old| !now.iter().any(|new| new.kernel == old.kernel))
        .map(|old| format!("{}: kept, but no row of the bench runs it", old.kernel));
    found.extend(gone);
    found
}

/// In what a kernel became dearer.
fn dearer(old: &Figures, new: &Figures) -> Vec<String> {
    let mut found = Vec::new();
    let mut breach = |what: String| found.push(format!("{}: {what}", new.kernel));
    if new.waves < old.waves {
        breach(format!(
            "{} waves a SIMD instead of {} (registers {} instead of {}, workgroup memory {} bytes instead of {})",
            new.waves, old.waves, new.vgprs, old.vgprs, new.shared, old.shared
        ));
    }
    if new.spills > old.spills {
        breach(format!(
            "{} registers spilled instead of {}",
            new.spills, old.spills
        ));
    }
    let shares = [
        ("the inner loop", old.inner_fma, new.inner_fma),
        ("all loops", old.nest_fma, new.nest_fma),
    ];
    for (which, old, new) in shares {
        if new < old * (1.0 - FALL) {
            breach(format!(
                "{:.1} % multiply-adds in {which} instead of {:.1} %",
                100.0 * new,
                100.0 * old
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(kernel: &str) -> Figures {
        Figures {
            kernel: kernel.into(),
            vgprs: 100,
            sgprs: 30,
            spills: 0,
            shared: 0,
            waves: 8,
            inner_fma: 0.9,
            nest_fma: 0.8,
            global_per_fma: 1.0,
            shared_per_fma: 0.0,
        }
    }

    #[test]
    fn equal_and_cheaper_kernels_pass() {
        let better = Figures {
            vgprs: 90,
            waves: 10,
            inner_fma: 0.95,
            ..figures("a")
        };
        assert!(breaches(&[figures("a")], &[&better]).is_empty());
        // Registers within a step of occupancy, a share within the margin.
        let near = Figures {
            vgprs: 104,
            inner_fma: 0.86,
            ..figures("a")
        };
        assert!(breaches(&[figures("a")], &[&near]).is_empty());
    }

    #[test]
    fn every_way_to_become_dearer_is_a_breach() {
        let cases = [
            (
                Figures {
                    waves: 7,
                    ..figures("a")
                },
                "7 waves a SIMD instead of 8",
            ),
            (
                Figures {
                    spills: 1,
                    ..figures("a")
                },
                "1 registers spilled instead of 0",
            ),
            (
                Figures {
                    inner_fma: 0.85,
                    ..figures("a")
                },
                "85.0 % multiply-adds in the inner loop",
            ),
            (
                Figures {
                    nest_fma: 0.7,
                    ..figures("a")
                },
                "70.0 % multiply-adds in all loops",
            ),
        ];
        for (new, message) in cases {
            let found = breaches(&[figures("a")], &[&new]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(message), "{found:?}");
        }
    }

    #[test]
    fn new_and_lost_kernels_are_named() {
        let found = breaches(&[figures("a")], &[&figures("b")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("b: no figures"), "{found:?}");
        assert!(found[1].starts_with("a: kept"), "{found:?}");
    }
}
