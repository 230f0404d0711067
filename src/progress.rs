//! What long work tells whoever watches, and how it is asked to stop.
//!
//! # Examples
//! `examples/observer.rs` watches a sweep and stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A moment to measure from. Where there is no clock, as in a WebAssembly module without a host's, no time passes.
#[derive(Debug, Clone, Copy)]
pub struct Moment(Option<Instant>);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        const HAS_CLOCK: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));
        Self(HAS_CLOCK.then(Instant::now))
    }

    /// The time since then.
    pub fn elapsed(self) -> Duration {
        self.0.map_or(Duration::ZERO, |at| at.elapsed())
    }
}

/// State of a training run after a step.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainProgress {
    /// Which network, in words (`QAVAT, sigma_W 0.2`).
    pub label: String,
    /// Completed epochs plus the fraction of this one.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Completed steps.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Mean loss since the last report, `NaN` before the first.
    pub loss: f64,
    /// Accuracy on training images (under variation where the recipe has it) since the last report.
    pub accuracy: f64,
    /// Images per step.
    pub batch: usize,
}

/// How an epoch of a training went.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochProgress {
    /// Which network, in words (`QAVAT, sigma_W 0.2`).
    pub label: String,
    /// Name of the stage; empty where the training has no stages.
    pub stage: String,
    /// Number of the epoch, from 1; the epochs of earlier stages count.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Completed steps.
    pub step: usize,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Mean loss over the epoch's training images, in nats, as trained: under quantization and variation.
    pub loss: f64,
    /// Training accuracy, 0 to 1, likewise.
    pub accuracy: f64,
    /// Accuracy on the images that were held out, in the epochs that measure it.
    pub held_out: Option<HeldOutProgress>,
}

/// Accuracy on held-out training images after an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOutProgress {
    /// Images.
    pub images: usize,
    /// Accuracy without variation, 0 to 1.
    pub ideal: f64,
    /// Mean accuracy over chips that are used for nothing else.
    pub mean: f64,
    /// Standard deviation over these chips.
    pub std: f64,
    /// Number of these chips.
    pub chips: usize,
}

/// State of a sweep after a wave.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepProgress {
    /// Point in work, from 0.
    pub point: usize,
    /// Points in all.
    pub points: usize,
    /// The point in words.
    pub label: String,
    /// Chips of this point that are done.
    pub chips_done: usize,
    /// Chips of every point.
    pub chips: usize,
    /// Mean accuracy of this point's chips so far, `NaN` before the first.
    pub mean: f64,
    /// Its 95 % interval, `NaN` from fewer than two chips.
    pub interval: [f64; 2],
    /// Chips of all points that are done, earlier runs included.
    pub all_done: u64,
    /// Chips of all points.
    pub all: u64,
}

/// State of the loading of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadProgress {
    /// Which files, in words.
    pub label: String,
    /// Images decoded.
    pub done: usize,
    /// Images in all, where that is known (of a stream it is not).
    pub of: Option<usize>,
}

/// Watches long work. All methods have defaults, so `&()` watches nothing.
pub trait Observer: Sync {
    /// Some more images are decoded.
    fn loading(&self, _progress: &LoadProgress) {}

    /// A training step is done. May be called often; the observer limits the rate.
    fn training(&self, _progress: &TrainProgress) {}

    /// An epoch of a training is done.
    fn epoch(&self, _progress: &EpochProgress) {}

    /// A wave of a sweep begins: these chips of a point, on the adapter of that name.
    fn wave(&self, _point: usize, _chips: &std::ops::Range<u32>, _adapter: &str) {}

    /// A wave of a sweep is done.
    fn sweep(&self, _progress: &SweepProgress) {}

    /// A sentence for the log only.
    fn detail(&self, _text: &str) {}

    /// A sentence for the log and whoever watches.
    fn message(&self, _text: &str) {}

    /// Something went wrong, and the work goes on.
    fn warning(&self, _text: &str) {}

    /// Whether the user asked to stop; the work then saves what it can and returns
    /// [`crate::Error::Interrupted`].
    fn interrupted(&self) -> bool {
        false
    }
}

impl Observer for () {}

/// A switch that asks long work to stop; clones are the same switch. It is an observer too, for work
/// that nobody watches otherwise.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Observer for Cancel {
    fn interrupted(&self) -> bool {
        self.is_cancelled()
    }
}

/// A closure that is told something.
type Told<'a, T> = Option<Box<dyn Fn(&T) + Sync + 'a>>;

/// An observer made of closures. It watches nothing that no closure was given for.
///
/// ```
/// use pimento::progress::{Callbacks, Cancel};
///
/// let cancel = Cancel::default();
/// let watch = Callbacks::default()
///     .on_training(|p| println!("step {} of {}, loss {:.3}", p.step, p.steps, p.loss))
///     .until(&cancel);
/// # let _: &dyn pimento::progress::Observer = &watch;
/// ```
#[derive(Default)]
pub struct Callbacks<'a> {
    training: Told<'a, TrainProgress>,
    epoch: Told<'a, EpochProgress>,
    sweep: Told<'a, SweepProgress>,
    message: Told<'a, str>,
    cancel: Cancel,
}

impl<'a> Callbacks<'a> {
    /// Calls `f` after steps of trainings.
    pub fn on_training(mut self, f: impl Fn(&TrainProgress) + Sync + 'a) -> Self {
        self.training = Some(Box::new(f));
        self
    }

    /// Calls `f` after epochs of trainings.
    pub fn on_epoch(mut self, f: impl Fn(&EpochProgress) + Sync + 'a) -> Self {
        self.epoch = Some(Box::new(f));
        self
    }

    /// Calls `f` after waves of a sweep that has an output directory.
    pub fn on_sweep(mut self, f: impl Fn(&SweepProgress) + Sync + 'a) -> Self {
        self.sweep = Some(Box::new(f));
        self
    }

    /// Calls `f` with messages and warnings.
    pub fn on_message(mut self, f: impl Fn(&str) + Sync + 'a) -> Self {
        self.message = Some(Box::new(f));
        self
    }

    /// Asks to stop when `cancel` does.
    pub fn until(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }
}

fn tell<T: ?Sized>(told: &Told<'_, T>, what: &T) {
    if let Some(f) = told {
        f(what);
    }
}

impl Observer for Callbacks<'_> {
    fn training(&self, progress: &TrainProgress) {
        tell(&self.training, progress);
    }

    fn epoch(&self, progress: &EpochProgress) {
        tell(&self.epoch, progress);
    }

    fn sweep(&self, progress: &SweepProgress) {
        tell(&self.sweep, progress);
    }

    fn message(&self, text: &str) {
        tell(&self.message, text);
    }

    fn warning(&self, text: &str) {
        tell(&self.message, text);
    }

    fn interrupted(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
