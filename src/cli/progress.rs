//! Progress on standard error, and Ctrl-C.

use std::io::IsTerminal;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pimento::Result;
use pimento::error::printable;
use pimento::progress::{EpochProgress, LoadProgress, Observer, SweepProgress, TrainProgress};

use super::log::Log;
use super::metrics::Metrics;

/// Set by the first Ctrl-C; the work saves what it can and stops. The second one stops at once.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Exit code of a program that a signal ended.
const SIGNAL: i32 = 130;

/// How often the text beside a bar changes.
const REFRESH: Duration = Duration::from_millis(100);

/// Progress bars; nothing where standard error is not a terminal or `--quiet` was given.
pub struct Terminal {
    visible: bool,
    quiet: bool,
    bar: Mutex<Option<Bar>>,
    log: Option<Log>,
    metrics: Option<Metrics>,
}

/// What is on the screen: a line of words, a bar, and below it one for all points of a sweep. None is
/// longer than the terminal is wide, so that none leaves a rest behind.
struct Bar {
    screen: MultiProgress,
    title: ProgressBar,
    bar: ProgressBar,
    all: Option<ProgressBar>,
    /// What it shows: another training, or another point of a sweep, has another bar.
    label: String,
    started: Instant,
    first: usize,
    refreshed: Option<Instant>,
}

/// A line of the screen. The last part is cut where the terminal ends.
fn line(template: &str) -> ProgressStyle {
    // Fixed templates; a mistake in one would show in the first run of any test.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

const WORDS: &str = "{wide_msg}";
const BAR: &str = "{bar:20} {percent:>3}%  {wide_msg}";

impl Bar {
    fn new(label: &str, length: usize, first: usize) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(10), label, length, first)
    }

    fn on(target: ProgressDrawTarget, label: &str, length: usize, first: usize) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let title = screen.add(ProgressBar::new(0).with_style(line(WORDS)));
        let bar = screen.add(ProgressBar::new(length as u64).with_style(line(BAR)));
        title.set_message(label.to_string());
        Self {
            screen,
            title,
            bar,
            all: None,
            label: label.to_string(),
            started: Instant::now(),
            first,
            refreshed: None,
        }
    }

    /// Shows how far the whole is beside this part of it.
    fn show_all(&mut self, done: u64, of: u64, text: String) {
        let screen = &self.screen;
        let new = || screen.add(ProgressBar::new(of).with_style(line(BAR)));
        let all = self.all.get_or_insert_with(new);
        all.set_length(of);
        all.set_position(done);
        all.set_message(text);
    }

    fn clear(&self) {
        for line in [&self.title, &self.bar].into_iter().chain(&self.all) {
            line.finish_and_clear();
        }
        let _ = self.screen.clear();
    }

    /// Moves the bar; the text is made at most every [`REFRESH`]. Returns the rate where it did.
    fn show(&mut self, done: usize, text: impl FnOnce(f64, String) -> String) -> Option<f64> {
        let last = self.bar.length() == Some(done as u64);
        if !last && self.refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return None;
        }
        self.refreshed = Some(Instant::now());
        let elapsed = self.started.elapsed().as_secs_f64();
        let rate = (done - self.first.min(done)) as f64 / elapsed.max(1e-9);
        let to_do = self.bar.length().unwrap_or(0).saturating_sub(done as u64);
        let left = match rate > 0.0 {
            true => format!("{} left", clock(to_do as f64 / rate)),
            false => String::new(),
        };
        self.bar.set_position(done as u64);
        self.bar.set_message(text(rate, left));
        Some(rate)
    }
}

/// `1:02:03` or `2:03`.
pub(super) fn clock(seconds: f64) -> String {
    let s = seconds.min(1e9) as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
}

impl Terminal {
    /// Watches, and takes care of Ctrl-C from now on.
    pub fn new(quiet: bool) -> Self {
        super::signals::on_request_to_end(|| {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                std::process::exit(SIGNAL);
            }
        });
        Self {
            visible: !quiet && std::io::stderr().is_terminal(),
            quiet,
            bar: Mutex::new(None),
            log: None,
            metrics: None,
        }
    }

    /// Writes a log too, if a file is named.
    pub fn with_log(mut self, path: Option<&Path>) -> Result<Self> {
        self.log = path.map(Log::append).transpose()?;
        Ok(self)
    }

    /// Writes measurements too, if a file is named.
    pub fn with_metrics(mut self, path: Option<&Path>) -> Result<Self> {
        self.metrics = path.map(Metrics::append).transpose()?;
        Ok(self)
    }

    /// Writes a line into the log, if there is one.
    pub fn log(&self, text: &str) {
        if let Some(log) = &self.log {
            log.line(text);
        }
    }

    fn with_bar(&self, label: &str, length: usize, done: usize, show: impl FnOnce(&mut Bar)) {
        if !self.visible {
            return;
        }
        // A thread that panicked while it drew leaves a bar that is still good enough.
        let mut slot = self.bar.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(old) = slot.take_if(|b| b.label != label) {
            old.clear();
        }
        show(slot.get_or_insert_with(|| Bar::new(label, length, done)));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let slot = self.bar.get_mut().unwrap_or_else(|e| e.into_inner());
        if let Some(bar) = slot.take() {
            bar.clear();
        }
    }
}

impl Observer for Terminal {
    fn loading(&self, p: &LoadProgress) {
        let label = format!("reading {}", p.label);
        // The length of a stream is not known: the bar is then always full.
        self.with_bar(&label, p.of.unwrap_or(p.done), 0, |bar| {
            bar.bar.set_length(p.of.unwrap_or(p.done) as u64);
            bar.show(p.done, |rate, left| {
                format!("{left}  {} images  {rate:.0} images/s", p.done)
            });
        });
    }

    fn training(&self, p: &TrainProgress) {
        let label = format!("training {}", p.label);
        if let Some(log) = self.log.as_ref().filter(|_| p.step == p.steps) {
            log.line(&format!("trained {}: {} steps", p.label, p.steps));
        }
        self.with_bar(&label, p.steps, p.step, |bar| {
            bar.show(p.step, |steps_per_s, left| {
                let rate = steps_per_s * p.batch as f64;
                let epoch = (p.epoch + 1).min(p.epochs);
                let measured = match p.loss.is_nan() {
                    true => String::new(),
                    false => format!("loss {:.4}  accuracy {:.2} %  ", p.loss, 100.0 * p.accuracy),
                };
                format!(
                    "{left}  epoch {epoch}/{}  {measured}{rate:.0} images/s",
                    p.epochs
                )
            });
        });
    }

    fn epoch(&self, p: &EpochProgress) {
        if let Some(metrics) = &self.metrics {
            metrics.epoch(p);
        }
    }

    fn wave(&self, point: usize, chips: &Range<u32>, adapter: &str) {
        let (first, last) = (chips.start, chips.end - 1);
        self.log(&format!(
            "point {point}: chips {first} to {last} on {adapter}"
        ));
    }

    fn sweep(&self, p: &SweepProgress) {
        let accuracy = || match p.mean.is_nan() {
            true => String::new(),
            false => {
                let [lo, hi] = p.interval.map(|x| 100.0 * x);
                let interval = match lo.is_nan() {
                    true => String::new(),
                    false => format!(" [{lo:.2}, {hi:.2}]"),
                };
                format!("mean {:.2}{interval} %", 100.0 * p.mean)
            }
        };
        if let Some(log) = &self.log {
            log.sweep(p, &accuracy());
        }
        if let Some(metrics) = &self.metrics {
            metrics.wave(p);
        }
        let label = match p.label.as_str() {
            "" => "chips".to_string(),
            label => format!("point {}/{}: {label}", p.point + 1, p.points),
        };
        self.with_bar(&label, p.chips, p.chips_done, |bar| {
            let rate = bar.show(p.chips_done, |rate, left| {
                let accuracy = accuracy();
                format!(
                    "{left}  {}/{} chips  {accuracy}  {rate:.1} chips/s",
                    p.chips_done, p.chips
                )
            });
            if let Some(rate) = rate.filter(|_| p.points > 1) {
                let to_do = p.all.saturating_sub(p.all_done) as f64;
                let left = match rate > 0.0 {
                    true => format!("{} left", clock(to_do / rate)),
                    false => String::new(),
                };
                let text = format!("{left}  {}/{} chips of all points", p.all_done, p.all);
                bar.show_all(p.all_done, p.all, text);
            }
        });
    }

    fn detail(&self, text: &str) {
        self.log(&printable(text));
    }

    fn message(&self, text: &str) {
        let text = &printable(text);
        self.log(text);
        if self.visible {
            let slot = self.bar.lock().unwrap_or_else(|e| e.into_inner());
            match slot.as_ref() {
                Some(bar) => _ = bar.screen.println(text),
                None => eprintln!("{text}"),
            }
        }
    }

    fn warning(&self, text: &str) {
        let text = &printable(text);
        self.log(&format!("warning: {text}"));
        if !self.quiet {
            let slot = self.bar.lock().unwrap_or_else(|e| e.into_inner());
            match slot.as_ref() {
                Some(bar) => bar.screen.suspend(|| eprintln!("warning: {text}")),
                None => eprintln!("warning: {text}"),
            }
        }
    }

    fn interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// A terminal of some width that remembers what is written to it.
    #[derive(Debug, Clone)]
    struct Paper {
        width: u16,
        written: Arc<Mutex<Vec<String>>>,
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            self.width
        }

        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.written.lock().unwrap().push(text.to_string());
            Ok(())
        }

        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn progress_fits_the_terminal() {
        for width in [40, 80, 110, 200] {
            let paper = Paper {
                width,
                written: Arc::default(),
            };
            let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
            let label = "point 2/12: variation.sigma_w = 0.123456, tuning.method = self-tuning, \
                         train.sigma_w = 0.2, quantize.weight_bits = 4";
            let mut bar = Bar::on(target, label, 1000, 0);
            for done in [10, 500, 1000] {
                let text = "12:34:56 left  1000/1000 chips  mean 91.23 [90.12, 92.34] %  12345.6 chips/s \
                            and more words than fit";
                bar.show(done, |_, _| text.into());
                bar.show_all(done as u64 + 1000, 12_000, text.into());
                bar.bar.force_draw();
            }
            bar.clear();
            let written = paper.written.lock().unwrap();
            let all: String = written.concat();
            for word in ["point 2/12", "12:34:56", "8%"] {
                assert!(all.contains(word), "{width} columns: {word}: {all:?}");
            }
            for text in written.iter() {
                let longest = text.lines().map(|l| l.trim_end().chars().count()).max();
                assert!(longest <= Some(width.into()), "{width} columns: {text:?}");
            }
        }
    }
}
