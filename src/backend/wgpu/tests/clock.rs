//! The device's clock, also where it is not taken.

use crate::backend::wgpu::clock::Clock;

/// Timestamps arrive, whatever they say, more often than there are slots; and what no device can have taken is
/// not believed.
#[test]
fn submissions_are_measured() {
    let Some(context) = super::device::open("submissions are measured") else {
        return;
    };
    let mut clock = Clock::of_device(&context).expect("a clock");
    for i in 0..40 {
        let slot = clock.slot();
        assert_eq!(slot.is_some(), clock.is_exact(), "{i}");
        let mut encoder = context.device.create_command_encoder(&Default::default());
        let descriptor = ::wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: clock.writes(&slot),
        };
        drop(encoder.begin_compute_pass(&descriptor));
        clock.resolve(&slot, &mut encoder);
        let index = context.queue.submit([encoder.finish()]);
        let running = clock.begin(slot, true);
        context.wait(Some(index)).expect("ended");
        let seconds = clock.end(running, true).expect("somebody saw it");
        assert!(seconds.is_finite() && seconds >= 0.0, "{i}: {seconds} s");
    }
    context.check().expect("no complaint");
}
