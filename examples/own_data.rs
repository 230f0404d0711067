//! Trains and measures on images that are made in memory: bright squares in one of four corners.
//!
//! `cargo run --release --example own_data`

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::{Dataset, Split};
use pimento::sweep;

/// Images of 8 x 8 floats in 0..=1; the class is the corner.
fn corners(name: &str, n: usize) -> pimento::Result<Dataset> {
    let mut pixels = Vec::with_capacity(n * 64);
    let labels: Vec<u16> = (0..n).map(|i| (i % 4) as u16).collect();
    for (i, &label) in labels.iter().enumerate() {
        let (bottom, right) = (label / 2 == 1, label % 2 == 1);
        for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
            let inside = (y >= 4) == bottom && (x >= 4) == right;
            // A pattern that differs from image to image.
            let texture = ((i * 7 + y * 5 + x * 3) % 11) as f32 / 11.0;
            pixels.push(if inside { 0.6 } else { 0.2 } + 0.4 * texture);
        }
    }
    let (channels, rows, columns) = (1, 8, 8);
    Dataset::new(name, pixels, labels, (channels, rows, columns), 4, 1)
}

pub fn main() -> pimento::Result<()> {
    let data = Split::new(corners("train", 256)?, corners("test", 64)?)?;
    // Section [data] says how images are used; where they come from does not matter here.
    let experiment = Experiment::parse(
        "[data]\nmean = \"auto\"\nstd = \"auto\"\n[network]\nkind = \"mlp\"\nhidden = [16]\n\
         [train]\nrecipe = \"qat\"\nepochs = 4\nbatch = 16\nlearning_rate = 1e-2\n\
         [variation]\nsigma_w = 0.2\n[sweep]\nchips = 8\n",
        "own_data",
    )?;
    let points = sweep::in_memory(&CpuBackend::new(), &experiment, &data, &())?;
    for chip in &points[0].chips {
        println!(
            "chip {}: {} of {} images",
            chip.chip, chip.correct, chip.images
        );
    }
    Ok(())
}
