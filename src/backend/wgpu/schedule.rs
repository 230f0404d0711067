//! A run as submissions, none of which holds the device for long.
//!
//! Kernel calls go into one submission until it is expected to take [`AIM`]; a call that alone takes longer is
//! split between workgroups (`cut.rs`). What is expected was measured before (`rate.rs`, `clock.rs`): every
//! submission is. A call of which nothing is known feels its way, and the run waits for it. Some submissions
//! are let in flight at a time, so that the device has work while the host writes more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::buffers::Call;
use super::clock::{self, Clock, Running};
use super::compile::Kernel;
use super::context::Context;
use super::cut::{Grid, Part, RandomCuts};
use super::devices;
use super::dispatch::RunUniform;
use super::rate::{self, AIM, Easing, LONG, Next, Rate};
use super::uniform::Bytes;
use crate::error::Result;

/// Submissions that may be queued before the oldest one is waited for.
const IN_FLIGHT: usize = 8;

/// Submissions that are expected to take less are measured by the device now and then only, seconds: reading its
/// clock takes some ten microseconds.
const BRIEF: f64 = 1e-3;

/// One of so many is measured of those.
const OF_BRIEF: u32 = 8;

/// What is run.
pub(super) struct Run<'r> {
    pub context: &'r Context,
    /// Name of the section.
    pub section: &'r str,
    /// The kernels' uniform.
    pub buffer: &'r ::wgpu::Buffer,
    /// What it holds for this run.
    pub uniform: RunUniform,
}

/// What a session has on the device.
pub(super) struct Schedule {
    clock: Clock,
    in_flight: VecDeque<Flying>,
    submitted: u32,
    cuts: Option<RandomCuts>,
}

/// Dispatches of the next submission.
#[derive(Default)]
struct Batch<'c> {
    dispatches: Vec<Dispatched<'c>>,
    /// What they are expected to take.
    seconds: f64,
    /// Whether they are measured before others follow.
    probe: bool,
}

/// One dispatch; one that skips anything is alone in its submission.
struct Dispatched<'c> {
    call: &'c Call,
    offsets: Vec<u32>,
    part: Part,
}

/// A submission on its way.
struct Flying {
    index: ::wgpu::SubmissionIndex,
    done: Arc<AtomicBool>,
    section: String,
    /// Its kernels with their workgroups; whether one runs for the first time.
    work: Vec<(Arc<Kernel>, Arc<Rate>, u64)>,
    first: Option<&'static str>,
    /// Whether it is waited for at once.
    probe: bool,
    running: Running,
}

impl Schedule {
    /// Nothing on the device yet.
    pub fn new(context: &Context) -> Result<Self> {
        Ok(Self {
            clock: Clock::new(context)?,
            in_flight: VecDeque::new(),
            submitted: 0,
            cuts: context.limits.random_cuts.map(RandomCuts::new),
        })
    }

    /// Queues the calls of a section.
    pub fn run(&mut self, run: &Run<'_>, calls: &[Call]) -> Result<()> {
        let RunUniform { blocks, chips, .. } = run.uniform;
        let mut batch = Batch::default();
        for call in calls {
            let Some(grid) = call.work.grid(blocks, chips) else {
                continue;
            };
            for offsets in call.offsets(chips, run.context.limits.uniform_align) {
                self.call(run, &mut batch, call, offsets, grid)?;
            }
        }
        self.submit(run, &mut batch)
    }

    /// Adds a call to the batch, or submits it in parts.
    fn call<'c>(
        &mut self,
        run: &Run<'_>,
        batch: &mut Batch<'c>,
        call: &'c Call,
        offsets: Vec<u32>,
        grid: Grid,
    ) -> Result<()> {
        let per_axis = run.context.limits.groups;
        let mut at = 0;
        while at < grid.len() {
            let left = grid.len() - at;
            let next = self.next(run, batch, call, left, at > 0)?;
            let groups = match next {
                Next::Whole(_) => left,
                Next::Part(groups) | Next::Probe(groups) => groups,
            };
            let part = grid.part(at, groups, per_axis);
            let dispatched = Dispatched {
                call,
                offsets: offsets.clone(),
                part,
            };
            at += part.count;
            if let Next::Whole(seconds) = next {
                if batch.seconds + seconds > AIM {
                    self.submit(run, batch)?;
                }
                batch.dispatches.push(dispatched);
                batch.seconds += seconds;
                continue;
            }
            self.submit(run, batch)?;
            let probe = matches!(next, Next::Probe(_));
            if probe && !self.clock.is_exact() {
                self.drain(run.context)?;
            }
            batch.dispatches.push(dispatched);
            batch.probe = probe;
            self.submit(run, batch)?;
            if probe {
                self.drain(run.context)?;
            }
        }
        Ok(())
    }

    /// How many of the workgroups that are left of a call are done next.
    fn next(
        &mut self,
        run: &Run<'_>,
        batch: &mut Batch<'_>,
        call: &Call,
        left: u64,
        begun: bool,
    ) -> Result<Next> {
        let Some(cuts) = &mut self.cuts else {
            return Ok(match call.kernel.is_new() {
                // Compiles, which says nothing about how long the rest takes.
                true => Next::Probe(1),
                false => call.rate.next(left, begun),
            });
        };
        let (ends, share) = (cuts.ends(), cuts.share(left));
        if ends {
            self.submit(run, batch)?;
        }
        Ok(match share == left && !begun {
            true => Next::Whole(0.0),
            false => Next::Part(share),
        })
    }

    /// Submits the batch, which is empty then; waits where too much is on the device.
    fn submit(&mut self, run: &Run<'_>, batch: &mut Batch<'_>) -> Result<()> {
        let Batch {
            dispatches,
            seconds,
            probe,
        } = std::mem::take(batch);
        let Some(begin) = dispatches.first() else {
            return Ok(());
        };
        let uniform = RunUniform {
            skipped_groups: begin.part.skipped_groups,
            skipped_chips: begin.part.skipped_chips,
            ..run.uniform
        };
        let context = run.context;
        // Parts expect nothing.
        self.submitted = self.submitted.wrapping_add(1);
        let is_brief = seconds > 0.0 && seconds < BRIEF;
        let slot = match is_brief && !self.submitted.is_multiple_of(OF_BRIEF) {
            true => None,
            false => self.clock.slot(),
        };
        let ((index, done), begun) = context.guarded("run", || {
            let bytes = &Bytes::of(&uniform).bytes;
            context.queue.write_buffer(run.buffer, 0, bytes);
            let mut encoder = context.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&::wgpu::ComputePassDescriptor {
                    label: Some(run.section),
                    timestamp_writes: self.clock.writes(&slot),
                });
                for Dispatched {
                    call,
                    offsets,
                    part,
                } in &dispatches
                {
                    let [x, y, z] = part.size;
                    pass.set_pipeline(&call.kernel.pipeline);
                    pass.set_bind_group(0, &call.bindings, offsets);
                    pass.dispatch_workgroups(x, y, z);
                }
            }
            self.clock.resolve(&slot, &mut encoder);
            let commands = encoder.finish();
            let begun = clock::now();
            (context.submit(commands), begun)
        })?;
        let mut first = None;
        let share = |d: &Dispatched<'_>| {
            if d.call.kernel.runs() {
                first.get_or_insert(d.call.kernel.shader);
            }
            (d.call.kernel.clone(), d.call.rate.clone(), d.part.count)
        };
        let work = dispatches.iter().map(share).collect();
        let running = self.clock.begin(slot, begun, self.in_flight.is_empty());
        self.in_flight.push_back(Flying {
            index,
            done,
            section: run.section.to_owned(),
            work,
            first,
            probe,
            running,
        });
        while self.in_flight.len() > IN_FLIGHT {
            self.retire(context)?;
        }
        Ok(())
    }

    /// Waits for everything.
    fn drain(&mut self, context: &Context) -> Result<()> {
        while !self.in_flight.is_empty() {
            self.retire(context)?;
        }
        Ok(())
    }

    /// Waits for the oldest submission and learns from it.
    fn retire(&mut self, context: &Context) -> Result<()> {
        let Some(flying) = self.in_flight.pop_front() else {
            return Ok(());
        };
        // A probe is a moment old: if it is done, it took no longer than that.
        let seen = flying.probe || !context.is_done(&flying.done)?;
        if seen {
            context.wait(Some(flying.index.clone()))?;
        }
        let measured = self.clock.end(flying.running, seen);
        // Where nobody has a clock nothing is cut.
        let Some(seconds) = measured.or(flying.probe.then_some(0.0)) else {
            return Ok(());
        };
        if seconds > LONG {
            context.remark(long(&flying.section, &flying.work, flying.first, seconds));
        }
        if flying.first.is_none() {
            let easing = match devices::is_hardware(&context.info) {
                true => rate::CARD,
                false => rate::SOFTWARE,
            };
            learn(&flying.work, seconds, easing);
        }
        Ok(())
    }
}

/// Tells every call its part of the seconds of a submission.
fn learn(work: &[(Arc<Kernel>, Arc<Rate>, u64)], seconds: f64, easing: Easing) {
    let expected = |(_, rate, groups): &(_, Arc<Rate>, u64)| rate.expect(*groups);
    let all: f64 = work.iter().map(expected).sum();
    for one in work {
        let (_, rate, groups) = one;
        match work.len() {
            1 => rate.learn(*groups, seconds, easing),
            _ if all > 0.0 => rate.learn(*groups, seconds * expected(one) / all, easing),
            _ => {}
        }
    }
}

/// What the log says about a submission that took long.
fn long(
    section: &str,
    work: &[(Arc<Kernel>, Arc<Rate>, u64)],
    first: Option<&'static str>,
    seconds: f64,
) -> String {
    let ms = 1000.0 * seconds;
    if let Some(kernel) = first {
        return format!(
            "section {section}: the first run of {kernel} took {ms:.0} ms, most of it to compile it"
        );
    }
    let most = 1000.0 * LONG;
    let name = work.first().map_or("", |(kernel, ..)| kernel.shader);
    let what = match work.len() {
        1 => format!("{} workgroups of {name}", work[0].2),
        n => format!("{n} kernel calls from {name} on"),
    };
    format!("section {section}: a submission of {what} took {ms:.0} ms, more than {most:.0}")
}
