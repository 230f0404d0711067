//! A chip is a pure function of (seed, index): alone, in any wave, in any order.

use pimento::Result;
use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Capacity, Program, Session};
use pimento::setup::{self, Images};
use pimento::sweep::wave::Simulator;

use crate::{digits, experiment, trained};

/// The native backend with waves of a given size.
struct Waves(CpuBackend, usize);

impl Backend for Waves {
    fn info(&self) -> pimento::backend::DeviceInfo {
        self.0.info()
    }

    fn products(&self) -> pimento::program::Products {
        self.0.products()
    }

    fn cooperative(&self) -> Result<bool> {
        self.0.cooperative()
    }

    fn fit(&self, program: &Program, want: Capacity) -> Result<Capacity> {
        let fits = self.0.fit(program, want)?;
        Ok(Capacity {
            chips: fits.chips.min(self.1),
            chunk: fits.chunk.min(self.1 * 64),
            ..fits
        })
    }

    fn bytes(&self, program: &Program, capacity: Capacity) -> Result<u64> {
        self.0.bytes(program, capacity)
    }

    fn prepare(&self, program: &Program, capacity: Capacity) -> Result<Box<dyn Session>> {
        self.0.prepare(program, capacity)
    }
}

#[test]
fn waves_of_any_size_and_order_give_the_same_rows() {
    for tuning in [
        "method = \"self-tuning\"\ntest_cells = 16",
        "method = \"bn-training\"\ntraining_steps = 5\nrecalibration_batch = 48",
    ] {
        waves_give_the_same_rows(tuning);
    }
}

fn waves_give_the_same_rows(tuning: &str) {
    let e = experiment(&format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [32]\nbatch_norm = true\n\
         [train]\nrecipe = \"qavat\"\nepochs = 2\nbatch = 64\n\
         [variation]\nsigma_w = 0.2\nsigma_b = 0.2\n\
         [tuning]\n{tuning}\n[sweep]\nchips = 12\n",
    ));
    let data = digits();
    let m = trained(&e, &data);
    let point = setup::point(&e, &data, 0).unwrap();
    let images = Images::new(&data.test, &point.inputs.normalise).unwrap();
    let run = |wave: usize, range: std::ops::Range<u32>| {
        let backend = Waves(CpuBackend::new(), wave);
        let mut s = Simulator::new(&backend, &point, &m, &images).unwrap();
        // As text, since a chip without a wafer has no position and NaN is not equal to itself.
        let rows = s.run(0, range, &()).unwrap();
        rows.iter().map(|r| format!("{r:?}")).collect::<Vec<_>>()
    };
    let all = run(12, 0..12);
    for wave in [1, 5, 64] {
        assert_eq!(run(wave, 0..12), all, "waves of {wave}");
    }
    for chip in [11, 0, 7] {
        assert_eq!(
            run(3, chip..chip + 1)[0],
            all[chip as usize],
            "chip {chip} alone"
        );
    }
}
