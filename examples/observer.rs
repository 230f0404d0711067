//! Watches a training with closures, and ends it early.
//!
//! `cargo run --release --example observer`

use pimento::Error;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::progress::{Callbacks, Cancel};
use pimento::sweep;

pub fn main() -> pimento::Result<()> {
    let experiment = Experiment::parse(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [16]\n\
         [train]\nepochs = 50\n[variation]\nsigma_w = 0.1\n[sweep]\nchips = 4\n",
        "observer",
    )?;
    let data = Embedded::Digits8x8.load()?;
    let cancel = Cancel::default();
    let observer = Callbacks::default()
        .on_training(|p| {
            println!("epoch {} of {}: loss {:.3}", p.epoch, p.epochs, p.loss);
            if p.epoch >= 2 {
                // May be called from any thread.
                cancel.cancel();
            }
        })
        .on_message(|text| println!("{text}"))
        .until(&cancel);
    match sweep::in_memory(&CpuBackend::new(), &experiment, &data, &observer) {
        Err(Error::Interrupted(why)) => println!("stopped as asked: {why}"),
        Err(other) => return Err(other),
        Ok(points) => println!("done: {:.1} %", 100.0 * points[0].summary.mean),
    }
    Ok(())
}
