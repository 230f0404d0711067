//! Any bytes as a safetensors file, and its description as a network.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pimento::network::file::{self, NETWORK};
use pimento::network::{Parameters, description};

fuzz_target!(|data: &[u8]| {
    let path = Path::new("x.safetensors");
    let Ok((tensors, meta)) = Parameters::from_bytes(data, path) else {
        return;
    };
    if let Some(text) = meta.get(NETWORK)
        && let Ok(network) = description::read(text, &tensors, path)
    {
        file::to_safetensors(&network, &BTreeMap::new()).expect("what is read can be written");
    }
});
