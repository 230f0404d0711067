//! The batches of a training, made ahead of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{Builder, Scope};

use crate::data::{self, Augment, Dataset, Normalise};
use crate::error::{Error, Result};

/// Images `[image][c][h][w]` and labels of one step.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) images: Vec<f32>,
    pub(super) labels: Vec<f32>,
}

/// What a batch is made of; a batch is a pure function of this and its step.
pub(super) struct Batches<'a> {
    pub(super) train: &'a Dataset,
    pub(super) normalise: &'a Normalise,
    pub(super) augment: Option<Augment>,
    pub(super) seed: u64,
    /// Images per step.
    pub(super) batch: usize,
    pub(super) steps_per_epoch: usize,
    /// Epochs of earlier stages: every epoch of a training has an order of its own.
    pub(super) epochs_before: usize,
}

impl Batches<'_> {
    /// Order of the training images in an epoch.
    pub(super) fn shuffled(&self, epoch: usize) -> Vec<usize> {
        data::permutation(self.train.len(), self.seed, epoch as u32)
    }

    /// Fills a batch; images are moved at random only where an epoch is named.
    pub(super) fn fill(&self, indices: &[usize], epoch: Option<usize>, batch: &mut Batch) {
        let augment = self.augment.as_ref().zip(epoch);
        let augment = augment.map(|(augment, epoch)| (augment, self.seed, epoch as u32));
        let images = &mut batch.images;
        self.train
            .gather_moved(indices, self.normalise, augment, images);
        batch.labels.clear();
        self.train
            .gather_labels(indices.iter().copied(), &mut batch.labels);
    }
}

/// Makes the batches of consecutive steps.
pub(super) struct Maker<'a> {
    batches: Arc<Batches<'a>>,
    steps: Range<usize>,
    /// The training images of an epoch in their order, and which epoch.
    order: Vec<usize>,
    of: Option<usize>,
}

impl<'a> Maker<'a> {
    fn new(batches: Arc<Batches<'a>>, steps: Range<usize>) -> Self {
        Self {
            batches,
            steps,
            order: Vec::new(),
            of: None,
        }
    }

    /// The batch of the next step, if there is one, in the memory of another.
    fn make(&mut self, mut batch: Batch) -> Option<Batch> {
        let (step, batches) = (self.steps.next()?, &self.batches);
        let epoch = batches.epochs_before + step / batches.steps_per_epoch;
        if self.of != Some(epoch) {
            (self.order, self.of) = (batches.shuffled(epoch), Some(epoch));
        }
        let first = step % batches.steps_per_epoch * batches.batch;
        batches.fill(
            &self.order[first..][..batches.batch],
            Some(epoch),
            &mut batch,
        );
        Some(batch)
    }
}

/// Batches of consecutive steps.
pub(super) enum Ahead<'a> {
    /// From a thread that is one or two ahead.
    Thread {
        full: Receiver<Batch>,
        empty: Sender<Batch>,
    },
    /// Made when they are asked for, where no thread can be had.
    Here(Maker<'a>, Batch),
}

impl<'a> Ahead<'a> {
    /// Starts the thread. It ends with the steps, or when this end is dropped.
    pub(super) fn start(
        scope: &'a Scope<'a, '_>,
        batches: Arc<Batches<'a>>,
        steps: Range<usize>,
    ) -> Self {
        // One is waiting while the next is being made.
        let (made, full) = sync_channel(1);
        let (empty, returned) = channel::<Batch>();
        let mut maker = Maker::new(batches.clone(), steps.clone());
        let thread = move || {
            while let Some(batch) = maker.make(returned.try_recv().unwrap_or_default()) {
                if made.send(batch).is_err() {
                    return;
                }
            }
        };
        match Builder::new().spawn_scoped(scope, thread) {
            Ok(_) => Ahead::Thread { full, empty },
            Err(_) => Self::here(batches, steps),
        }
    }

    fn here(batches: Arc<Batches<'a>>, steps: Range<usize>) -> Self {
        Ahead::Here(Maker::new(batches, steps), Batch::default())
    }

    /// The batch of the next step.
    pub(super) fn next(&mut self) -> Result<Batch> {
        let next = match self {
            Ahead::Thread { full, .. } => full.recv().ok(),
            Ahead::Here(maker, empty) => maker.make(std::mem::take(empty)),
        };
        next.ok_or_else(|| Error::Internal("there is no batch for a step".into()))
    }

    /// Gives a batch's memory back.
    pub(super) fn recycle(&mut self, batch: Batch) {
        match self {
            // Whether anybody still needs it does not matter.
            Ahead::Thread { empty, .. } => _ = empty.send(batch),
            Ahead::Here(_, empty) => *empty = batch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Embedded;

    #[test]
    fn from_any_step_on_the_batches_are_the_same() {
        let train = Embedded::Digits8x8.load().unwrap().train.limit(100);
        let normalise = Normalise::unit(&train);
        let make = |augment| {
            Arc::new(Batches {
                train: &train,
                normalise: &normalise,
                augment,
                seed: 4,
                batch: 30,
                steps_per_epoch: 3,
                epochs_before: 0,
            })
        };
        type All = Vec<(Vec<f32>, Vec<f32>)>;
        fn take(mut ahead: Ahead, steps: Range<usize>) -> All {
            let one = |_| {
                let batch = ahead.next().unwrap();
                let copy = (batch.images.clone(), batch.labels.clone());
                ahead.recycle(batch);
                copy
            };
            let found = steps.map(one).collect();
            assert!(ahead.next().is_err());
            found
        }
        let all = |batches: &Arc<Batches>, steps: Range<usize>| -> All {
            let here = take(Ahead::here(batches.clone(), steps.clone()), steps.clone());
            let ahead = std::thread::scope(|scope| {
                let ahead = Ahead::start(scope, batches.clone(), steps.clone());
                assert!(matches!(ahead, Ahead::Thread { .. }));
                take(ahead, steps)
            });
            assert!(here == ahead);
            ahead
        };
        let augment = Augment {
            pad: 1,
            flip: true,
            rotate_degrees: 10.0,
        };
        for augment in [None, Some(augment)] {
            let batches = make(augment);
            let whole = all(&batches, 0..8);
            for from in 1..8 {
                assert!(
                    all(&batches, from..8) == whole[from..],
                    "{augment:?} {from}"
                );
            }
            // The first batch of epoch 1, by hand.
            let (mut by_hand, order) = (Batch::default(), batches.shuffled(1));
            batches.fill(&order[..30], Some(1), &mut by_hand);
            assert_eq!((by_hand.images, by_hand.labels), whole[3]);
            let mut still = Batch::default();
            batches.fill(&order[..30], None, &mut still);
            assert_eq!(still.images == whole[3].0, augment.is_none());
        }
        // Stopping early ends the thread, else this would hang.
        std::thread::scope(|scope| {
            Ahead::start(scope, make(None), 0..1_000_000)
                .next()
                .unwrap();
        });
    }
}
