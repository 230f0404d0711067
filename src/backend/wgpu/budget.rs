//! How much memory the sessions of an adapter may take.

use super::{DEFAULT_MEMORY_BUDGET, driver};
use crate::backend::MemoryBudget;
use crate::memory;

/// Part of a memory that is taken: the other half is the desktop's, the driver's, and of what others do there.
const SHARE: u64 = 2;

/// What is known of the memory of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// What kind of adapter it is.
    kind: ::wgpu::DeviceType,
    /// Bytes that it has.
    own: Option<u64>,
    /// Bytes that this process may still take of the machine's.
    machine: Option<u64>,
}

/// The budget of an adapter where nobody says one.
pub(super) fn budget(adapter: &::wgpu::Adapter) -> MemoryBudget {
    rule(Known {
        kind: adapter.get_info().device_type,
        own: driver::memory(adapter),
        machine: memory::available().map(|a| a.bytes),
    })
}

/// Half of an adapter's memory where it is known, else [`DEFAULT_MEMORY_BUDGET`]; of the machine's memory never
/// more than half of what is free. Software adapters have no memory, and are too slow for more than the
/// default.
fn rule(known: Known) -> MemoryBudget {
    use ::wgpu::DeviceType as Kind;
    let half = |bytes: u64| bytes / SHARE;
    let (wanted, source) = match (known.kind, known.own) {
        (Kind::DiscreteGpu | Kind::VirtualGpu | Kind::IntegratedGpu, Some(own)) => {
            (half(own), "half of the adapter's memory")
        }
        _ => (DEFAULT_MEMORY_BUDGET, "the default for a graphics adapter"),
    };
    let of_machine = matches!(known.kind, Kind::IntegratedGpu | Kind::Cpu);
    let most = known.machine.filter(|_| of_machine).map(half);
    let (bytes, source) = match most {
        Some(most) if most < wanted => (most, "half of the free memory"),
        _ => (wanted, source),
    };
    MemoryBudget {
        bytes,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::wgpu::DeviceType as Kind;

    #[test]
    fn a_budget_is_half_of_what_there_is() {
        const GIB: u64 = 1 << 30;
        let bytes = |kind, own, machine| {
            let known = Known { kind, own, machine };
            rule(known).bytes
        };
        let cases = [
            (Kind::DiscreteGpu, Some(24 * GIB), Some(2 * GIB), 12 * GIB),
            (Kind::DiscreteGpu, Some(GIB), None, GIB / 2),
            (Kind::DiscreteGpu, None, Some(8 * GIB), GIB),
            (Kind::VirtualGpu, Some(16 * GIB), Some(GIB), 8 * GIB),
            // What an integrated one has is the machine's.
            (Kind::IntegratedGpu, Some(16 * GIB), Some(6 * GIB), 3 * GIB),
            (Kind::IntegratedGpu, Some(2 * GIB), Some(6 * GIB), GIB),
            (Kind::IntegratedGpu, None, None, GIB),
            (Kind::Cpu, Some(64 * GIB), Some(64 * GIB), GIB),
            (Kind::Cpu, Some(64 * GIB), Some(GIB), GIB / 2),
            (Kind::Other, Some(64 * GIB), Some(GIB), GIB),
        ];
        for (kind, own, machine, wanted) in cases {
            assert_eq!(
                bytes(kind, own, machine),
                wanted,
                "{kind:?}, {own:?} of {machine:?}"
            );
        }
    }
}
