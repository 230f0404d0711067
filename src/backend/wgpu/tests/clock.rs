//! The clocks of submissions.

use crate::backend::wgpu::clock::{Clock, now};
use crate::backend::wgpu::context::Context;

/// By the device's timestamps, of which more arrive than there are slots, and by the host.
#[test]
fn submissions_are_measured() {
    let Some(context) = super::device::open("submissions are measured") else {
        return;
    };
    let clock = Clock::new(&context).expect("a clock");
    for mut clock in [clock, Clock::of_host()] {
        for i in 0..40 {
            measure(&context, &mut clock, i);
        }
    }
    context.check().expect("no complaint");
}

fn measure(context: &Context, clock: &mut Clock, i: u32) {
    let slot = clock.slot();
    assert_eq!(slot.is_some(), clock.is_exact(), "{i}");
    let mut encoder = context.device.create_command_encoder(&Default::default());
    let descriptor = ::wgpu::ComputePassDescriptor {
        label: None,
        timestamp_writes: clock.writes(&slot),
    };
    drop(encoder.begin_compute_pass(&descriptor));
    clock.resolve(&slot, &mut encoder);
    let begun = now();
    let index = context.queue.submit([encoder.finish()]);
    let running = clock.begin(slot, begun, true);
    context.wait(Some(index)).expect("ended");
    let seconds = clock.end(running, true).expect("somebody saw it");
    assert!(seconds.is_finite() && seconds >= 0.0, "{i}: {seconds} s");
}
