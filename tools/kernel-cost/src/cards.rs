//! Cards that kernels are judged for, and how fast a kernel can be on them at best.
//!
//! Every one of them adds 128 products a clock in a unit (a compute unit of AMD with two instructions
//! at once, a multiprocessor of NVIDIA), so one unit's clock is the measure of everything else.

use crate::isa::Mix;

/// Multiply-adds of a unit in a clock.
const FMA_PER_CLOCK: f64 = 128.0;

/// A card by its data sheet.
#[derive(Debug)]
pub struct Card {
    /// Its name.
    pub name: &'static str,
    /// Compute units or multiprocessors.
    units: u64,
    /// Peak of single precision, 10^12 operations per second.
    pub tflops: f64,
    /// Bandwidth of its memory, 10^9 bytes per second.
    pub gbytes: f64,
    /// 32-bit registers of a unit.
    registers: u64,
    /// Workgroup memory of a unit, bytes.
    shared: u64,
    /// Threads that a unit holds.
    threads: u64,
    /// Bytes that a unit's vector cache gives in a clock.
    cache_per_clock: f64,
    /// Bytes that a unit's workgroup memory gives in a clock.
    shared_per_clock: f64,
}

/// The cards of the tables.
pub const CARDS: [Card; 3] = [
    // AMD, product page of the Radeon RX 7900 XTX: 96 compute units, 61.4 TFLOPS, 960 GB/s. AMD, "RDNA 3"
    // instruction set reference (2023): 1,536 vector registers of 32 lanes in each of 2 SIMDs, 16 waves of
    // 32 a SIMD, 64 KiB of LDS for a workgroup, LDS of 128 bytes a clock. Vector cache of 64 bytes a clock:
    // chipsandcheese.com, "Microbenchmarking AMD's RDNA 3 Graphics Architecture" (2023).
    Card {
        name: "RX 7900 XTX",
        units: 96,
        tflops: 61.4,
        gbytes: 960.0,
        registers: 2 * 1536 * 32,
        shared: 64 << 10,
        threads: 2 * 16 * 32,
        cache_per_clock: 64.0,
        shared_per_clock: 128.0,
    },
    // NVIDIA, "Ada GPU architecture" (2022): 128 multiprocessors, 82.6 TFLOPS, 1,008 GB/s. NVIDIA, "CUDA C++
    // programming guide", compute capability 8.9: 65,536 registers, 100 KiB, 1,536 threads.
    Card {
        name: "RTX 4090",
        units: 128,
        tflops: 82.6,
        gbytes: 1008.0,
        registers: 65536,
        shared: 100 << 10,
        threads: 1536,
        cache_per_clock: 128.0,
        shared_per_clock: 128.0,
    },
    // NVIDIA, data sheet of the H200 (SXM): 67 TFLOPS, 4.8 TB/s; "H100 Tensor Core GPU architecture" (2022): 132
    // multiprocessors. Compute capability 9.0: 65,536 registers, 228 KiB, 2,048 threads.
    Card {
        name: "H200",
        units: 132,
        tflops: 67.0,
        gbytes: 4800.0,
        registers: 65536,
        shared: 228 << 10,
        threads: 2048,
        cache_per_clock: 128.0,
        shared_per_clock: 128.0,
    },
];

impl Card {
    /// Workgroups that the card holds at a time. Registers are those that RADV gave a lane; other compilers
    /// give others.
    pub fn slots(&self, registers: u64, shared: u64, threads: u64) -> u64 {
        let by = |has: u64, needs: u64| has.checked_div(needs).unwrap_or(u64::MAX);
        let unit = by(self.registers, registers * threads)
            .min(by(self.shared, shared))
            .min(by(self.threads, threads));
        unit.max(1) * self.units
    }

    /// The share of the peak, 0 to 1, that instructions, vector cache and workgroup memory leave a
    /// kernel with this mix, where they run beside each other; `None` for one without multiply-adds.
    pub fn bound(&self, mix: &Mix) -> Option<f64> {
        if mix.fma == 0.0 {
            return None;
        }
        let clocks = |bytes: f64, per_clock: f64| bytes * FMA_PER_CLOCK / per_clock;
        let slowest = mix
            .vector
            .max(clocks(mix.global, self.cache_per_clock))
            .max(clocks(mix.shared, self.shared_per_clock));
        Some(mix.fma / slowest)
    }

    /// The share of the peak, 0 to 1, that the memory leaves work of so many operations and bytes.
    pub fn roofline(&self, flops: f64, bytes: f64) -> f64 {
        let arithmetic = flops / (self.tflops * 1e12);
        let memory = bytes / (self.gbytes * 1e9);
        arithmetic / arithmetic.max(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_three_bounds_a_kernel() {
        let mix = Mix {
            fma: 64.0,
            vector: 74.0,
            global: 64.0,
            ..Mix::default()
        };
        let bounds = CARDS.map(|card| card.bound(&mix).expect("multiply-adds"));
        assert_eq!(bounds[0], 0.5);
        assert_eq!(bounds[1], 64.0 / 74.0);
        assert_eq!(CARDS[0].bound(&Mix::default()), None);
    }

    #[test]
    fn registers_memory_and_threads_limit_the_slots() {
        let slots = |registers, shared, threads| CARDS[1].slots(registers, shared, threads) / 128;
        assert_eq!(slots(128, 0, 256), 2);
        assert_eq!(slots(32, 48 << 10, 256), 2);
        assert_eq!(slots(16, 0, 256), 6);
        // What does not fit by these figures runs alone: its compiler spills.
        assert_eq!(slots(512, 0, 256), 1);
    }

    #[test]
    fn memory_bounds_what_moves_much() {
        let card = &CARDS[0];
        assert_eq!(card.roofline(61.4e12, 0.0), 1.0);
        assert_eq!(card.roofline(61.4e12, 1920e9), 0.5);
    }
}
