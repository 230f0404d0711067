//! The result of a search.

use serde::Serialize;

use crate::config::{SearchImages, WorstCase};
use crate::sweep::statistics::Interval;

/// Accuracies of chips whose deviations are uniform within the bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RandomChips {
    /// How many.
    pub chips: u64,
    /// Mean accuracy on the test images.
    pub mean: f64,
    /// Its Student-t 95 % interval, inside 0 to 1.
    pub mean_ci95: Interval,
    /// Sample standard deviation.
    pub std: f64,
    /// Worst of them.
    pub min: f64,
    /// Which one that is, the first of several.
    pub worst: u32,
}

/// The worst chip that is known: that of a search, or with all weights a sparse or random one that
/// is worse on the test images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Worst {
    /// Weights that may deviate; `null` for all.
    pub sparse: Option<usize>,
    /// Weights that do.
    pub deviating: usize,
    /// Which of the random chips it is, where one of them is worse on the test images than the one
    /// searched.
    pub random_chip: Option<u32>,
    /// Largest deviation, relative to the largest weight that the layer's code (with one step a channel,
    /// the channel's) represents.
    pub largest: f64,
    /// Root mean square of the deviations over all weights, likewise.
    pub rms: f64,
    /// Accuracy on the images searched on.
    pub searched: f64,
    /// Accuracy on the test images.
    pub test: f64,
}

/// The worst common deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WorstCommon {
    /// Largest allowed `|eps_B|`.
    pub bound: f64,
    /// The worst on the images searched on, of 101 from `-bound` to `bound`.
    pub eps_b: f64,
    /// Accuracy on the images searched on.
    pub searched: f64,
    /// Accuracy on the test images.
    pub test: f64,
}

impl Worst {
    /// A chip with these deviations, with its accuracies on the images searched on and on the test
    /// images.
    pub(super) fn new(deviations: &[Vec<f32>], searched: f64, test: f64) -> Self {
        let all = || deviations.iter().flatten().map(|&d| f64::from(d));
        let n = all().count() as f64;
        Self {
            sparse: None,
            deviating: all().filter(|d| *d != 0.0).count(),
            random_chip: None,
            largest: all().map(f64::abs).fold(0.0, f64::max),
            rms: (all().map(|d| d * d).sum::<f64>() / n).sqrt(),
            searched,
            test,
        }
    }

    /// For the terminal.
    fn line(&self) -> String {
        let who = match (self.sparse, self.deviating) {
            (Some(1), 0) => "worst, 1 weight".into(),
            (Some(most), 0) => format!("worst, up to {most} weights"),
            (Some(_), 1) => "worst, 1 weight".into(),
            (Some(_), n) => format!("worst, {n} weights"),
            (None, _) => "worst found".into(),
        };
        let which = match self.random_chip {
            Some(chip) => format!("random chip {chip}, which no search undercut; "),
            None if self.deviating == 0 => "none found that does damage; ".into(),
            None => String::new(),
        };
        let (test, searched) = (percent(self.test), percent(self.searched));
        format!("{who:<25}{test} ({which}searched on: {searched})\n")
    }
}

/// Result of a search: `worst_case.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of Pimento.
    pub pimento: String,
    /// Name of the experiment.
    pub experiment: String,
    /// The point, in words.
    pub point: String,
    /// Seed of random starts and random chips.
    pub seed: u64,
    /// What was searched.
    pub goal: WorstCase,
    /// Weights on crossbars.
    pub weights: usize,
    /// Images that the search looked at.
    pub search_images: usize,
    /// Test images.
    pub test_images: usize,
    /// Accuracy without deviation, on the test images.
    pub ideal: f64,
    /// Chips at random.
    pub random: RandomChips,
    /// The search in all weights, then the sparse ones.
    pub worst: Vec<Worst>,
    /// The search in eps_B alone.
    pub worst_eps_b: Option<WorstCommon>,
    /// Name of the adapter or processor.
    pub adapter: String,
    /// The command line.
    pub command: String,
    /// The configuration as TOML.
    pub config_toml: String,
}

impl Report {
    /// For the terminal.
    pub fn table(&self) -> String {
        let goal = &self.goal;
        let mut out = format!(
            "{} weights, each within {} % of the largest that its code represents; {} test images\n\
             without deviation        {}\n\
             {} random chips       {} \u{b1} {:.2} on average, sd {:.2}, worst {}\n",
            self.weights,
            100.0 * goal.bound,
            self.test_images,
            percent(self.ideal),
            self.random.chips,
            percent(self.random.mean),
            100.0 * self.random.mean_ci95.half(),
            100.0 * self.random.std,
            percent(self.random.min),
        );
        for worst in &self.worst {
            out += &worst.line();
        }
        if let Some(w) = &self.worst_eps_b {
            out += &format!(
                "worst eps_B within {:<6}{} at {:+} (searched on: {})\n",
                w.bound,
                percent(w.test),
                w.eps_b,
                percent(w.searched)
            );
        }
        out += &format!(
            "searched on {} {} images, {} steps, best of {}; seed {}\n",
            self.search_images,
            match goal.search_on {
                SearchImages::Train => "training",
                SearchImages::Test => "test",
            },
            goal.steps,
            goal.restarts,
            self.seed
        );
        out
    }
}

pub(super) fn percent(x: f64) -> String {
    format!("{:.2} %", 100.0 * x)
}
