//! Pairs of parts of a training that cannot be together, with the reason.

/// Pairs that are refused: the parts, the level ("" for both), and a piece of the reason.
pub const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "clip",
        "clip by percentile",
        "",
        "kind \"clip\" is there twice",
    ),
    (
        "clip",
        "clip, old range",
        "",
        "kind \"clip\" is there twice",
    ),
    (
        "clip by percentile",
        "clip, old range",
        "",
        "kind \"clip\" is there twice",
    ),
    (
        "mask",
        "mask of filters",
        "",
        "kind \"mask\" is there twice",
    ),
    (
        "mask",
        "mask of segments",
        "",
        "kind \"mask\" is there twice",
    ),
    (
        "mask of filters",
        "mask of segments",
        "",
        "kind \"mask\" is there twice",
    ),
    ("chips", "several chips", "", "kind \"chip\" is there twice"),
    (
        "chips",
        "chips by a profile",
        "",
        "kind \"chip\" is there twice",
    ),
    (
        "several chips",
        "chips by a profile",
        "",
        "kind \"chip\" is there twice",
    ),
    (
        "filters",
        "segments",
        "",
        "kind \"group-lasso\" is there twice",
    ),
    (
        "activations",
        "ranges",
        "weight",
        "quantizes the same inputs by steps of another rule",
    ),
    ("rescale", "clean", "", "duplicate key"),
    (
        "quantize after",
        "weights",
        "",
        "quantizes what its steps have quantized",
    ),
    (
        "quantize after",
        "activations",
        "",
        "quantizes what its steps have quantized",
    ),
    (
        "quantize after",
        "ranges",
        "",
        "quantizes what its steps have quantized",
    ),
    (
        "quantize after",
        "",
        "cell",
        "quantizes what its steps have quantized",
    ),
    (
        "clip, old range",
        "",
        "weight",
        "no quantizer after it keeps the range",
    ),
    ("slices", "", "weight", "have no slices"),
    ("ovf", "", "", "steps without noise"),
    ("growth", "", "", "no mask that could grow"),
    ("rescale", "", "weight", "without converters"),
    (
        "clean",
        "",
        "weight",
        "without noise is \"straight-through\"",
    ),
];

/// Pairs of a refused single part that are not refused.
pub const REDEEMED: &[(&str, &str, &str)] = &[
    ("clip, old range", "weights", "weight"),
    ("clean", "chips", "weight"),
    ("clean", "several chips", "weight"),
    ("clean", "chips by a profile", "weight"),
    ("slices", "weights", "weight"),
    ("ovf", "chips", "weight"),
    ("ovf", "several chips", "weight"),
    ("ovf", "chips by a profile", "weight"),
    ("ovf", "chips by a profile", "cell"),
    ("ovf", "chips", "cell"),
    ("growth", "mask", "weight"),
    ("growth", "mask", "cell"),
    ("growth", "mask of filters", "weight"),
    ("growth", "mask of filters", "cell"),
    ("growth", "mask of segments", "weight"),
    ("growth", "mask of segments", "cell"),
    ("ovf", "several chips", "cell"),
];
