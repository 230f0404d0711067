//! Reading, shuffling and gathering images.

mod common;

use pimento::data::{Embedded, Normalise, permutation};

fn main() {
    let bench = common::Bench::new("data");
    let set = Embedded::Digits8x8;
    let train = set.load().expect("the embedded set").train;
    let normalise = Normalise::unit(&train);
    let values = train.images.len() as f64;

    bench.row("load digits-8x8", values, "B", || set.load());
    if !bench.is_tiny() {
        let set = Embedded::Fashion10k;
        bench.row("load fashion-10k", 12_000.0 * 784.0, "B", || set.load());
    }
    bench.row("permutation of 60,000", 60_000.0, "images", || {
        permutation(60_000, 1, 0)
    });
    let mut batch = Vec::new();
    bench.row("gather digits-8x8", values, "values", || {
        batch.clear();
        train.gather(0..train.len(), &normalise, &mut batch);
        batch.len()
    });
}
