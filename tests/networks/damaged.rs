//! Files that were cut or changed: an error or another network, never a panic.

use std::path::Path;

use pimento::network::onnx::{self, Options};
use proptest::prelude::*;

use super::golden;

/// Small limits, so that a changed size does not take long.
const OPTIONS: Options = Options {
    fold_batch_norm: true,
    input: None,
    max_values: 1 << 16,
};

/// Reads and, where that works, writes and reads again.
fn read(bytes: &[u8]) -> bool {
    let Ok(network) = onnx::import(bytes, Path::new("damaged.onnx"), &OPTIONS) else {
        return false;
    };
    network.graph.check().unwrap();
    // Parameters may be missing nowhere in what was read.
    onnx::export(&network).unwrap();
    true
}

#[test]
fn a_model_cut_at_any_byte() {
    for name in ["small_17", "quantized", "torch_view"] {
        let bytes = std::fs::read(golden().join(format!("{name}.onnx"))).unwrap();
        assert!(read(&bytes));
        let whole = (0..bytes.len()).filter(|&n| read(&bytes[..n])).count();
        // Only what stands behind the graph can be missing, and the operator set must be there.
        assert!(whole < 20, "{name}: {whole}");
    }
}

/// What fuzzing found or starts from: none of it panics any more.
#[test]
fn what_fuzzing_found() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/onnx");
    let mut files = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        read(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 2);
}

/// Bytes of one of the small models.
fn some_model() -> impl Strategy<Value = Vec<u8>> {
    const NAMES: &[&str] = &[
        "small_17",
        "quantized",
        "torch_view",
        "shuffle",
        "move_split_sizes",
        "pad_chain",
        "max_ceil_pads",
        "matmul_places",
        "softmax_11_2",
        "types",
        "maps_excite",
        "constants/codes_clip",
        "constants/fold_conv",
        "constants/coordinates",
        "torch/new_kept",
    ];
    prop::sample::select(NAMES)
        .prop_map(|n| std::fs::read(golden().join(format!("{n}.onnx"))).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_bytes(
        mut bytes in some_model(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        read(&bytes);
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }
}
