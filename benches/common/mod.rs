//! The timer of all benches: process CPU time beside wall time, repeated, smallest and median.
//!
//! `cargo bench` measures. Without cargo's `--bench` flag (so under `cargo test`), or with
//! `--tiny`, every row runs once and nothing is timed: the benches cannot rot. A word on the
//! command line runs the rows whose name contains it.
//!
//! On a machine that does other work too, trust the smallest CPU time, and of that the ratios of
//! rows measured in one run.

// Not every bench uses everything.
#![allow(dead_code)]

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

/// Something that is timed in alternation with others, see [`Bench::alternate`].
pub struct Candidate<'a> {
    name: String,
    work: f64,
    unit: &'a str,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Candidate<'a> {
    /// `run` does `work` units a call.
    pub fn new(name: impl Into<String>, work: f64, unit: &'a str, run: impl FnMut() + 'a) -> Self {
        Self {
            name: name.into(),
            work,
            unit,
            run: Box::new(run),
        }
    }
}

/// Time of one call, in seconds.
#[derive(Default)]
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
        let calls = calibrate(&mut run);
        let mut times = Times::default();
        for _ in 0..REPEATS {
            times.add(calls, &mut run);
        }
        times.print(name, work, unit);
    }

    /// Several rows, one repeat of each after the other, round after round, so that what disturbs
    /// the machine disturbs all of them; `between` runs after every round. Prints how many times
    /// faster the first is than each other (by CPU time, where the system tells it). Returns the
    /// best rate of each by wall time, units per second.
    pub fn alternate(&self, rows: &mut [Candidate], mut between: impl FnMut()) -> Option<Vec<f64>> {
        if let Some(text) = &self.filter
            && !rows.iter().any(|r| r.name.contains(text.as_str()))
        {
            return None;
        }
        if self.tiny {
            for row in rows {
                (row.run)();
                println!("{}: ran once", row.name);
            }
            return None;
        }
        let calls: Vec<u32> = rows.iter_mut().map(|r| calibrate(&mut r.run)).collect();
        let mut times: Vec<Times> = rows.iter().map(|_| Times::default()).collect();
        for _ in 0..REPEATS {
            for ((row, times), &calls) in rows.iter_mut().zip(&mut times).zip(&calls) {
                times.add(calls, &mut row.run);
            }
            between();
        }
        for (row, times) in rows.iter().zip(&times) {
            times.print(&row.name, row.work, row.unit);
        }
        for (row, other) in rows.iter().zip(&times).skip(1) {
            let faster = |of: fn(&Times) -> &[f64]| {
                let (a, b) = (smallest(of(&times[0])), smallest(of(other)));
                (b / row.work) / (a / rows[0].work)
            };
            println!(
                "  {} / {}: {:.2} by wall time, {:.2} by CPU time",
                rows[0].name,
                row.name,
                faster(|t| &t.wall),
                faster(|t| &t.cpu)
            );
        }
        let best = rows.iter().zip(&times);
        Some(best.map(|(r, t)| r.work / smallest(&t.wall)).collect())
    }
}

/// Calls that fill a repeat.
fn calibrate<R>(run: &mut impl FnMut() -> R) -> u32 {
    // The first call warms caches, thread pools and clocks.
    black_box(run());
    let start = Instant::now();
    black_box(run());
    let once = start.elapsed().max(Duration::from_nanos(1));
    (REPEAT.as_secs_f64() / once.as_secs_f64()).ceil().max(1.0) as u32
}

impl Times {
    /// One repeat.
    fn add<R>(&mut self, calls: u32, run: &mut impl FnMut() -> R) {
        let (wall, cpu) = (Instant::now(), cpu_time());
        for _ in 0..calls {
            black_box(run());
        }
        self.wall
            .push(wall.elapsed().as_secs_f64() / f64::from(calls));
        if let (Some(from), Some(to)) = (cpu, cpu_time()) {
            self.cpu.push((to - from) / f64::from(calls));
        }
    }

    fn print(&self, name: &str, work: f64, unit: &str) {
        let wall = smallest(&self.wall);
        println!(
            "{name:<44} {:>12} {:>12} {:>12} {:>18}",
            seconds(wall),
            seconds(median(&self.wall)),
            if self.cpu.is_empty() {
                "-".into()
            } else {
                seconds(smallest(&self.cpu))
            },
            rate(work / wall, unit),
        );
    }
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
