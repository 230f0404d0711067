//! How long submissions take: by timestamps of the device where it has any, else by the host's clock.
//!
//! A timestamp query at either end of a compute pass goes to a small buffer of the submission's own, which is
//! mapped when the device is through. The host's clock is exact only where it saw both ends: a submission that
//! was waited for, behind one that was waited for or behind nothing.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::context::Context;
use crate::error::Result;

/// Submissions whose timestamps may be on their way.
const SLOTS: u32 = 16;

/// Bytes of the two timestamps of a submission.
const PAIR: u64 = 16;

/// How long the device may take to call back once its commands are done.
const CALLED_BACK: Duration = Duration::from_millis(100);

/// Beyond what the host saw a submission cannot have taken; a device that says so has no clock.
const BEYOND: f64 = 1.5;

/// Timestamps of a device.
struct Stamps {
    queries: ::wgpu::QuerySet,
    resolved: ::wgpu::Buffer,
    /// Buffers that are not on their way, by slot.
    free: Vec<(u32, ::wgpu::Buffer)>,
    /// Seconds of a tick.
    tick: f64,
}

/// Measures the submissions of a session.
pub(super) struct Clock {
    stamps: Option<Stamps>,
    /// When the submission before ended, where the host saw it.
    ended: Option<Instant>,
}

/// A submission's place in the device's clock, while its commands are written.
pub(super) struct Slot {
    number: u32,
    buffer: ::wgpu::Buffer,
}

/// A measurement on its way.
pub(super) struct Running {
    begun: Option<Instant>,
    /// Whether nothing else was on the device.
    alone: bool,
    stamp: Option<Stamp>,
}

struct Stamp {
    slot: Slot,
    called_back: mpsc::Receiver<std::result::Result<(), ::wgpu::BufferAsyncError>>,
}

/// This moment, where there is a clock.
pub(super) fn now() -> Option<Instant> {
    (!cfg!(target_family = "wasm")).then(Instant::now)
}

impl Clock {
    /// The device's clock where it has one, else the host's.
    pub fn new(context: &Context) -> Result<Self> {
        let features = context.device.features();
        let stamps = features.contains(::wgpu::Features::TIMESTAMP_QUERY);
        Ok(Self {
            stamps: stamps.then(|| Stamps::new(context)).transpose()?,
            ended: None,
        })
    }

    /// The host's clock, as on a device without one.
    #[cfg(test)]
    pub fn of_host() -> Self {
        Self {
            stamps: None,
            ended: None,
        }
    }

    /// Whether the device tells the time; the host's clock is exact only for what is alone on it.
    pub fn is_exact(&self) -> bool {
        self.stamps.is_some()
    }

    /// A slot for a submission; none where the device has no clock, or all are on their way.
    pub fn slot(&mut self) -> Option<Slot> {
        let (number, buffer) = self.stamps.as_mut()?.free.pop()?;
        Some(Slot { number, buffer })
    }

    /// Where a pass writes its timestamps.
    pub fn writes<'c>(
        &'c self,
        slot: &Option<Slot>,
    ) -> Option<::wgpu::ComputePassTimestampWrites<'c>> {
        let (stamps, slot) = (self.stamps.as_ref()?, slot.as_ref()?);
        Some(::wgpu::ComputePassTimestampWrites {
            query_set: &stamps.queries,
            beginning_of_pass_write_index: Some(2 * slot.number),
            end_of_pass_write_index: Some(2 * slot.number + 1),
        })
    }

    /// Behind the pass: brings the timestamps to where the host reads them.
    pub fn resolve(&self, slot: &Option<Slot>, encoder: &mut ::wgpu::CommandEncoder) {
        if let (Some(stamps), Some(slot)) = (&self.stamps, slot) {
            let at = u64::from(slot.number) * ::wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
            let pair = 2 * slot.number..2 * slot.number + 2;
            encoder.resolve_query_set(&stamps.queries, pair, &stamps.resolved, at);
            encoder.copy_buffer_to_buffer(&stamps.resolved, at, &slot.buffer, 0, PAIR);
        }
    }

    /// Once the commands are submitted, which began at `begun`; `alone`: nothing else is on the device.
    pub fn begin(&self, slot: Option<Slot>, begun: Option<Instant>, alone: bool) -> Running {
        let stamp = slot.map(|slot| {
            let (sender, called_back) = mpsc::channel();
            slot.buffer
                .map_async(::wgpu::MapMode::Read, 0..PAIR, move |result| {
                    // Whoever asked may have lost interest.
                    let _ = sender.send(result);
                });
            Stamp { slot, called_back }
        });
        Running {
            begun,
            alone,
            stamp,
        }
    }

    /// Seconds of a submission that has ended, where they are known; `seen`: the host saw when, as it waited for
    /// that.
    pub fn end(&mut self, running: Running, seen: bool) -> Option<f64> {
        let now = now();
        let before = std::mem::replace(&mut self.ended, now.filter(|_| seen));
        let Running {
            begun,
            alone,
            stamp,
        } = running;
        let since = |then: Option<Instant>| Some((now? - then?).as_secs_f64());
        let most = since(begun);
        if let Some(seconds) = stamp.and_then(|stamp| self.read(stamp)) {
            if seconds > 0.0 && most.is_none_or(|most| seconds < BEYOND * most) {
                return Some(seconds);
            }
            // Shorter than a tick, or no clock, whatever it says.
            if seconds != 0.0 {
                self.stamps = None;
            }
        }
        let begun = if alone { begun } else { before };
        since(begun).filter(|_| seen)
    }

    fn read(&mut self, stamp: Stamp) -> Option<f64> {
        // Another thread that waits for the same device may be the one that calls back.
        let mapped = stamp.called_back.recv_timeout(CALLED_BACK);
        let Ok(Ok(())) = mapped else {
            return None;
        };
        let Slot { number, buffer } = stamp.slot;
        let ticks = {
            let view = buffer.get_mapped_range(0..PAIR).ok()?;
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view[..]);
            ticks[1].checked_sub(ticks[0])
        };
        buffer.unmap();
        let stamps = self.stamps.as_mut()?;
        stamps.free.push((number, buffer));
        Some(ticks.map_or(f64::NAN, |ticks| ticks as f64 * stamps.tick))
    }
}

impl Stamps {
    fn new(context: &Context) -> Result<Self> {
        use ::wgpu::BufferUsages as Usage;
        let queries = context.guarded("timestamps", || {
            context
                .device
                .create_query_set(&::wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: ::wgpu::QueryType::Timestamp,
                    count: 2 * SLOTS,
                })
        })?;
        let resolved = context.buffer(
            "timestamps",
            u64::from(SLOTS) * ::wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT,
            Usage::QUERY_RESOLVE | Usage::COPY_SRC,
        )?;
        let free = (0..SLOTS).map(|number| {
            let usage = Usage::MAP_READ | Usage::COPY_DST;
            Ok((number, context.buffer("timestamps", PAIR, usage)?))
        });
        Ok(Self {
            queries,
            resolved,
            free: free.collect::<Result<_>>()?,
            tick: f64::from(context.queue.get_timestamp_period()) * 1e-9,
        })
    }
}
