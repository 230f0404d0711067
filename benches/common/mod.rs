//! The timer of all benches: process CPU time beside wall time, repeated, smallest and median.
//!
//! `cargo bench` measures. Without cargo's `--bench` flag (so under `cargo test`), or with
//! `--tiny`, every row runs once and nothing is timed: the benches cannot rot. A word on the
//! command line runs the rows whose name contains it.
//!
//! On a machine that does other work too, trust the smallest CPU time, and of that the ratios of
//! rows measured in one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Shortest repeat worth timing.
const REPEAT: Duration = Duration::from_millis(100);
/// Repeats of a row.
const REPEATS: usize = 9;

/// A group of rows.
pub struct Bench {
    tiny: bool,
    filter: Option<String>,
}

/// Time of one call, in seconds.
struct Times {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Bench {
    /// Reads the command line and prints the head of the table.
    pub fn new(title: &str) -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|a| a == flag);
        let bench = Self {
            tiny: has("--tiny") || !has("--bench"),
            filter: args.iter().find(|a| !a.starts_with('-')).cloned(),
        };
        if !bench.tiny {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            println!("{title} ({threads} hardware threads)");
            println!(
                "{:<44} {:>12} {:>12} {:>12} {:>18}",
                "row", "wall min", "wall median", "cpu min", "rate (wall min)"
            );
        }
        bench
    }

    /// Whether every row runs only once, to choose small inputs.
    pub fn is_tiny(&self) -> bool {
        self.tiny
    }

    /// One row: `run` does `work` units (images, bytes, multiply-accumulates, ...) a call. What it
    /// returns is kept from the optimiser.
    pub fn row<R>(&self, name: &str, work: f64, unit: &str, mut run: impl FnMut() -> R) {
        if self
            .filter
            .as_ref()
            .is_some_and(|f| !name.contains(f.as_str()))
        {
            return;
        }
        if self.tiny {
            black_box(run());
            println!("{name}: ran once");
            return;
        }
        let times = measure(&mut run);
        let wall = smallest(&times.wall);
        println!(
            "{name:<44} {:>12} {:>12} {:>12} {:>18}",
            seconds(wall),
            seconds(median(&times.wall)),
            if times.cpu.is_empty() {
                "-".into()
            } else {
                seconds(smallest(&times.cpu))
            },
            rate(work / wall, unit),
        );
    }
}

fn measure<R>(run: &mut impl FnMut() -> R) -> Times {
    // The first call warms caches, thread pools and clocks.
    black_box(run());
    let start = Instant::now();
    black_box(run());
    let once = start.elapsed().max(Duration::from_nanos(1));
    let calls = (REPEAT.as_secs_f64() / once.as_secs_f64()).ceil().max(1.0) as u32;
    let mut times = Times {
        wall: Vec::new(),
        cpu: Vec::new(),
    };
    for _ in 0..REPEATS {
        let (wall, cpu) = (Instant::now(), cpu_time());
        for _ in 0..calls {
            black_box(run());
        }
        times
            .wall
            .push(wall.elapsed().as_secs_f64() / f64::from(calls));
        if let (Some(from), Some(to)) = (cpu, cpu_time()) {
            times.cpu.push((to - from) / f64::from(calls));
        }
    }
    times
}

/// CPU seconds of this process, all threads; none where the system has no such clock.
fn cpu_time() -> Option<f64> {
    #[cfg(unix)]
    {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9)
    }
    #[cfg(not(unix))]
    None
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn seconds(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn rate(per_second: f64, unit: &str) -> String {
    match per_second {
        r if r >= 1e9 => format!("{:.2} G{unit}/s", r * 1e-9),
        r if r >= 1e6 => format!("{:.2} M{unit}/s", r * 1e-6),
        r if r >= 1e3 => format!("{:.2} k{unit}/s", r * 1e-3),
        r => format!("{r:.2} {unit}/s"),
    }
}
