//! Several adapters at the chips of one point.
//!
//! Each adapter has a thread that takes the next chips, simulates them and writes them into the
//! journal before it takes more: what may be lost is one wave an adapter. An adapter that fails
//! gives its chips back; they go to the others.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::journal::Journal;
use super::result::ChipRow;
use super::wave::Simulator;
use crate::error::{Error, Result};
use crate::progress::Observer;

/// Waves that an adapter finds at least, near the end, where several share the work: so many times
/// more often they meet than at the end only.
const LAST_WAVES: usize = 2;

/// An adapter at work.
pub(super) struct Worker<'a> {
    /// Its number in the journal.
    pub adapter: u32,
    /// Its name, for messages.
    pub name: String,
    /// The point on it.
    pub simulator: Simulator<'a>,
    /// Why it can do nothing more.
    pub lost: Option<Error>,
}

/// What the threads share.
struct Shared<'a> {
    queue: VecDeque<Range<u32>>,
    /// Waves that are being simulated.
    flying: usize,
    journal: &'a mut Journal,
    /// Adapters that still work.
    alive: usize,
    failed: Option<Error>,
    /// When the last wave was written.
    at: Instant,
}

/// What happens after every wave: the rows that were written.
pub(super) type Written<'a> = dyn FnMut(&Journal, &[ChipRow], &str) + Send + 'a;

/// Simulates the chips of `ranges` of a point and writes them into the journal. Workers that fail
/// are left with their error; as long as one is left the work goes on.
///
/// # Errors
/// The journal's; an interruption; the device's, if no adapter is left.
pub(super) fn simulate(
    workers: &mut [Worker],
    point: usize,
    ranges: Vec<Range<u32>>,
    journal: &mut Journal,
    observer: &dyn Observer,
    written: &mut Written,
) -> Result<()> {
    let shared = Mutex::new((
        Shared {
            queue: ranges.into(),
            flying: 0,
            journal,
            alive: workers.iter().filter(|w| w.lost.is_none()).count(),
            failed: None,
            at: Instant::now(),
        },
        written,
    ));
    let changed = Condvar::new();
    let crew: Vec<&mut Worker> = workers.iter_mut().filter(|w| w.lost.is_none()).collect();
    let work = |worker: &mut Worker| work(worker, point, &shared, &changed, observer);
    match <[&mut Worker; 1]>::try_from(crew) {
        // One adapter needs no thread.
        Ok([only]) => work(only),
        Err(crew) => std::thread::scope(|scope| {
            for worker in crew {
                scope.spawn(|| work(worker));
            }
        }),
    }
    let (shared, _) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = shared.failed {
        return Err(error);
    }
    match shared.queue.is_empty() {
        true => Ok(()),
        false => Err(workers
            .iter_mut()
            .rev()
            .find_map(|w| w.lost.take())
            .unwrap_or_else(|| Error::Internal("chips are left without an error".into()))),
    }
}

type Desk<'s, 'a, 'b> = Mutex<(Shared<'a>, &'s mut Written<'b>)>;

/// The threads leave the state whole whenever they give the lock back.
fn lock<'m, 's, 'a, 'b>(
    desk: &'m Desk<'s, 'a, 'b>,
) -> MutexGuard<'m, (Shared<'a>, &'s mut Written<'b>)> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes chips until none are left.
fn work(
    worker: &mut Worker,
    point: usize,
    desk: &Desk,
    changed: &Condvar,
    observer: &dyn Observer,
) {
    loop {
        let Some(range) = next(worker, point, desk, changed, observer) else {
            changed.notify_all();
            return;
        };
        observer.wave(point, &range, &worker.name);
        // A thread that dies silently would leave the others waiting for its chips.
        let rows = catch_unwind(AssertUnwindSafe(|| {
            worker.simulator.wave(point, &range, observer)
        }));
        let rows = rows.unwrap_or_else(|_| Err(Error::Internal("a wave panicked".into())));
        let mut guard = lock(desk);
        let (shared, written) = &mut *guard;
        shared.flying -= 1;
        match rows {
            Ok(rows) => {
                let seconds = shared.at.elapsed().as_secs_f64();
                shared.at = Instant::now();
                match shared.journal.add(&rows, worker.adapter, seconds) {
                    Ok(()) => written(shared.journal, &rows, &worker.name),
                    Err(e) => shared.failed = Some(e),
                }
            }
            Err(e) if e.is_of_adapter() => {
                let left = match shared.alive {
                    1 => "none is left".to_string(),
                    n => format!("{} left, they take its chips", n - 1),
                };
                observer.warning(&format!("adapter {} is lost ({left}): {e}", worker.name));
                shared.alive -= 1;
                shared.queue.push_front(range);
                worker.lost = Some(e);
            }
            Err(e) => {
                shared.failed.get_or_insert(e);
            }
        }
        drop(guard);
        changed.notify_all();
        if worker.lost.is_some() {
            return;
        }
    }
}

/// The next chips for an adapter; nothing when all are done or something failed. While others
/// still simulate, their chips may come back.
fn next(
    worker: &Worker,
    point: usize,
    desk: &Desk,
    changed: &Condvar,
    observer: &dyn Observer,
) -> Option<Range<u32>> {
    let mut guard = lock(desk);
    loop {
        let shared = &mut guard.0;
        if shared.failed.is_some() {
            return None;
        }
        if observer.interrupted() && !shared.queue.is_empty() {
            shared.failed = Some(Error::Interrupted(format!(
                "sweep interrupted in point {point}"
            )));
            return None;
        }
        let left: usize = shared.queue.iter().map(|r| r.len()).sum();
        if let Some(front) = shared.queue.front_mut() {
            let fair = match shared.alive {
                1 => left,
                n => left.div_ceil(n * LAST_WAVES),
            };
            let chips = front.len().min(worker.simulator.wave_size()).min(fair);
            let range = front.start..front.start + chips as u32;
            front.start = range.end;
            if front.start == front.end {
                shared.queue.pop_front();
            }
            shared.flying += 1;
            return Some(range);
        }
        if shared.flying == 0 {
            return None;
        }
        guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
}
