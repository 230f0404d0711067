//! Chips that are the same, however convolutions are summed.

use pimento::backend::cpu::CpuBackend;
use pimento::data::Split;
use pimento::program::Products;
use pimento::setup::{self, Images};
use pimento::sweep::wave::Simulator;

use crate::{digits, experiment, trained};

/// Chips and images.
const CHIPS: u32 = 24;
const IMAGES: usize = 250;

/// Of the same chips of one network none moves by more than an image of 250, and their mean by no more than six
/// standard errors of its difference.
#[test]
fn fewer_products_move_no_chip() {
    let e = experiment(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"cnn\"\nchannels = [16, 24]\nfeatures = 0\n\
         [train]\nrecipe = \"qavat\"\nepochs = 1\nbatch = 64\n[quantize]\nweight_bits = 4\n\
         [variation]\nsigma_w = 0.3\nsigma_b = 0.2\n[sweep]\nchips = 24\n",
    );
    let all = digits();
    let data = Split {
        train: all.train.limit(600),
        test: all.test.limit(IMAGES),
    };
    let model = trained(&e, &data);
    let point = setup::point(&e, &data, 0).unwrap();
    let images = Images::new(&data.test, &point.inputs.normalise).unwrap();
    let layers = model.graph.crossbars().into_iter();
    assert!(
        layers
            .filter(|(_, geo, _)| pimento::program::Winograd::forward(geo).is_some())
            .count()
            > 0
    );
    let [few, direct] = [Products::Winograd, Products::Direct].map(|products| {
        let backend = CpuBackend::new().with_products(products);
        let mut s = Simulator::new(&backend, &point, &model, &images).unwrap();
        s.run(0, 0..CHIPS, &()).unwrap()
    });
    let losses = few.iter().zip(&direct).filter(|(a, b)| a.loss != b.loss);
    assert!(losses.count() > 0, "the routes differ");
    let moves: Vec<f64> = few
        .iter()
        .zip(&direct)
        .map(|(a, b)| f64::from(a.correct) - f64::from(b.correct))
        .collect();
    let n = moves.len() as f64;
    let mean = moves.iter().sum::<f64>() / n;
    let variance = moves.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
    assert!(moves.iter().all(|m| m.abs() <= 1.0), "{moves:?}");
    assert!(mean.abs() <= 6.0 * (variance / n).sqrt(), "{moves:?}");
}
