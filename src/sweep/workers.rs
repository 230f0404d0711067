//! Several adapters at the chips of one point.
//!
//! Each adapter has a thread that takes the next chips, queues them, and writes the wave before into the
//! journal while they are simulated: an adapter is never idle, and what may be lost is two waves of it.
//! A backend that is ready at once, as the CPU, writes every wave before it takes more. An adapter that
//! fails gives its chips back; they go to the others.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::journal::Journal;
use super::result::ChipRow;
use super::wave::{Flight, Simulator};
use crate::error::{Error, Result};
use crate::progress::Observer;

/// Waves that an adapter finds at least, near the end, where several share the work: so many times
/// more often they meet than at the end only.
const LAST_WAVES: usize = 2;

/// An adapter at work.
pub(super) struct Worker {
    /// Its number in the journal.
    pub adapter: u32,
    /// Its name, for messages.
    pub name: String,
    /// The point on it.
    pub simulator: Simulator,
    /// Why it can do nothing more.
    pub lost: Option<Error>,
}

/// What the threads share.
struct Shared<'a> {
    queue: VecDeque<Range<u32>>,
    /// Waves that are queued or being simulated.
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

/// A wave of an adapter, or why it could not be queued.
type Leg = (Range<u32>, Result<Flight>);

/// Takes chips until none are left.
fn work(
    worker: &mut Worker,
    point: usize,
    desk: &Desk,
    changed: &Condvar,
    observer: &dyn Observer,
) {
    let mut legs: VecDeque<Leg> = VecDeque::new();
    while worker.lost.is_none() {
        let taken = next(worker, point, desk, changed, observer, legs.is_empty());
        let is_last = taken.is_none();
        if is_last && legs.is_empty() {
            break;
        }
        if let Some(range) = taken {
            observer.wave(point, &range, &worker.name);
            let submit = || worker.simulator.submit(point, range.clone(), observer);
            let flight = whole(submit);
            legs.push_back((range, flight));
        }
        // In order; the latest one may be in flight while the next is queued.
        while let Some((_, flight)) = legs.front_mut() {
            let is_ready = flight.as_mut().map_or(Ok(true), Flight::is_ready);
            if is_ready.is_ok_and(|ready| !ready) && !is_last && legs.len() == 1 {
                break;
            }
            if let Some((range, flight)) = legs.pop_front() {
                let rows = flight.and_then(|flight| whole(|| worker.simulator.finish(flight)));
                settle(worker, (range, rows), &mut legs, desk, observer);
                changed.notify_all();
            }
        }
    }
    changed.notify_all();
}

/// What is done, with a panic as its error: a thread that dies silently would leave the others waiting for
/// its chips.
fn whole<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Error::Internal("a wave panicked".into())))
}

/// Writes the rows of a wave down. Where the adapter is lost, its chips and those of its other `legs` go to
/// others.
fn settle(
    worker: &mut Worker,
    (range, rows): (Range<u32>, Result<Vec<ChipRow>>),
    legs: &mut VecDeque<Leg>,
    desk: &Desk,
    observer: &dyn Observer,
) {
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
            shared.flying -= legs.len();
            for (later, _) in legs.drain(..).rev() {
                shared.queue.push_front(later);
            }
            shared.queue.push_front(range);
            worker.lost = Some(e);
        }
        Err(e) => {
            shared.failed.get_or_insert(e);
        }
    }
}

/// The next chips for an adapter; nothing when all are done or something failed. While others
/// still simulate, their chips may come back: `waits` for that.
fn next(
    worker: &Worker,
    point: usize,
    desk: &Desk,
    changed: &Condvar,
    observer: &dyn Observer,
    waits: bool,
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
        if shared.flying == 0 || !waits {
            return None;
        }
        guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
}
