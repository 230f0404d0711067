//! Any bytes as an ONNX model: an error, or a network that can be written and read again.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pimento::network::onnx::{self, Options};

fuzz_target!(|data: &[u8]| {
    let options = Options {
        fold_batch_norm: data.len() % 2 == 1,
        input: None,
        max_values: 1 << 16,
    };
    if let Ok(network) = onnx::import(data, Path::new("x.onnx"), &options) {
        network.graph.check().expect("what is read fits together");
        onnx::export(&network).expect("what is read can be written");
    }
});
