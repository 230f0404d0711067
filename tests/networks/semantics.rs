//! What the standard says is done, or refused by name: element types, attributes of every operator set,
//! training mode in every spelling, numbers that are none.

use pimento::network::file::{self, Loaded};
use pimento::network::graph::Layer;
use pimento::network::onnx::{self, Options};

use super::models::*;

#[test]
fn element_types_must_be_those_of_the_standard() {
    let codes = tensor("w", INT8, &[2, 2, 1, 1], &[1, 2, 3, 4]);
    let conv = [node("Conv", "/c", &["x", "w"], &["y"])];
    assert_says(
        &with(&conv, &[codes]),
        "input 1 holds int8, another input float",
    );
    for (element, raw, name) in [
        (INT32, 2i32.to_le_bytes().to_vec(), "int32"),
        (INT64, 2i64.to_le_bytes().to_vec(), "int64"),
        (DOUBLE, 2f64.to_le_bytes().to_vec(), "double"),
    ] {
        for op in ["Add", "Sub", "Mul", "Div", "Max", "PRelu"] {
            let nodes = [node(op, "/a", &["x", "k"], &["y"])];
            let text = message(&with(&nodes, &[tensor("k", element, &[], &raw)]));
            assert!(
                text.contains(&format!("input 1 holds {name}")),
                "{op}: {text}"
            );
        }
    }
    // A type that an operator does not take at all.
    let not = [
        node("Not", "/n", &["k"], &["n"]),
        node("Add", "/a", &["x", "n"], &["y"]),
    ];
    assert_says(
        &with(&not, &[ones("k", &[1])]),
        "input 0 holds float; allowed: bool",
    );
    let axes = [node("Squeeze", "/s", &["x", "k"], &["y"])];
    assert_says(
        &with(&axes, &[ones("k", &[1])]),
        "input 1 holds float; allowed: int64",
    );
    // Integers that do not fit their type.
    let sum = [
        node("Add", "/sum", &["k", "k"], &["s"]),
        node_with("Cast", &["s"], &["f"], &[int("to", FLOAT)]),
        node("Add", "/a", &["x", "f"], &["y"]),
    ];
    assert_says(
        &with(&sum, &[tensor("k", INT8, &[], &[100])]),
        "200 does not fit int8",
    );
}

#[test]
fn training_mode_is_refused_in_every_spelling() {
    let c = [ones("s", &[2])];
    let norm = |outputs: &[&str], attributes: &[Vec<u8>]| {
        [node_with(
            "BatchNormalization",
            &["x", "s", "s", "s", "s"],
            outputs,
            attributes,
        )]
    };
    let five = ["y", "a", "b", "c", "d"];
    for opset in 7..=23 {
        read(&at(opset, None, &norm(&["y"], &[]), &c));
        let most = if opset < 14 { 5 } else { 3 };
        for n in 2..=most {
            assert_says(
                &at(opset, None, &norm(&five[..n], &[]), &c),
                "in training mode",
            );
        }
        let says = |attribute: Vec<u8>, words: &str| {
            assert_says(&at(opset, None, &norm(&["y"], &[attribute]), &c), words);
        };
        match opset {
            14.. => says(int("training_mode", 1), "in training mode"),
            _ => says(int("training_mode", 1), "attribute `training_mode`"),
        }
        says(int("is_test", 1), "attribute `is_test`");
        says(ints("consumed_inputs", &[0]), "attribute `consumed_inputs`");
        match opset {
            7..=8 => says(int("spatial", 0), "spatial = 0"),
            _ => says(int("spatial", 0), "attribute `spatial`"),
        }
        says(float("epsilon", -1.0), "epsilon -1");
        says(float("momentum", 1.5), "momentum 1.5");
    }
    // Dropout says it with an input.
    let truth = tensor("t", 9, &[], &[1]);
    let drop = [node("Dropout", "/d", &["x", "", "t"], &["y"])];
    assert_says(
        &at(13, None, &drop, std::slice::from_ref(&truth)),
        "in training mode",
    );
    let folded = [
        node("Dropout", "/d", &["k", "", "t"], &["v"]),
        node("Add", "/a", &["x", "v"], &["y"]),
    ];
    assert_says(
        &at(13, None, &folded, &[truth, ones("k", &[5])]),
        "in training mode",
    );
}

#[test]
fn attributes_and_inputs_that_an_operator_does_not_have_are_refused() {
    let relu = |a: &[Vec<u8>]| at(17, None, &[node_with("Relu", &["x"], &["y"], a)], &[]);
    assert_says(
        &relu(&[float("alpha", 0.1)]),
        "attribute `alpha`, which operator set 17 does not have",
    );
    let twice = [float("alpha", 0.1), float("alpha", 0.2)];
    let leaky = |a: &[Vec<u8>]| at(17, None, &[node_with("LeakyRelu", &["x"], &["y"], a)], &[]);
    assert_says(&leaky(&twice), "attribute `alpha` twice");
    assert_says(
        &leaky(&[int("alpha", 1)]),
        "attribute `alpha` is an integer, not a number",
    );
    // An operator before it was there, and inputs where attributes were.
    assert_says(
        &at(13, None, &[node("HardSwish", "/h", &["x"], &["y"])], &[]),
        "operator set 13 has no such operator",
    );
    let clip = [node("Clip", "/c", &["x", "k"], &["y"])];
    assert_says(
        &at(9, None, &clip, &[ones("k", &[])]),
        "2 inputs; allowed: at most 1",
    );
    assert_says(
        &at(17, None, &[node("Conv", "/c", &["x"], &["y"])], &[]),
        "input 1 is missing",
    );
    assert_says(
        &at(17, None, &[node("Relu", "/r", &["x"], &["y", "z"])], &[]),
        "2 outputs",
    );
    // Both paddings at once.
    let mode = [field(1, b"auto_pad"), field(4, b"VALID"), kind(3)].concat();
    let pads = node_with(
        "Conv",
        &["x", "w"],
        &["y"],
        &[mode, ints("pads", &[1, 1, 1, 1])],
    );
    assert_says(
        &at(17, None, &[pads], &[ones("w", &[2, 2, 3, 3])]),
        "auto_pad VALID beside pads",
    );
    // What later operator sets allow.
    let flatten = node_with("Flatten", &["x"], &["y"], &[int("axis", -3)]);
    read(&at(11, None, std::slice::from_ref(&flatten), &[]));
    assert_says(&at(10, None, &[flatten], &[]), "an axis below 0");
    for op in ["Max", "Min", "Sum", "Mean"] {
        let nodes = [node(op, "/m", &["x", "k"], &["y"])];
        read(&at(8, None, &nodes, &[ones("k", &[])]));
        assert_says(
            &at(7, None, &nodes, &[ones("k", &[])]),
            "of different shapes",
        );
    }
    let mode = [field(1, b"mode"), field(4, b"edge"), kind(3)].concat();
    let cut = ints("pads", &[0, 0, -1, 0, 0, 0, 2, 0]);
    let pad = node_with("Pad", &["x"], &["y"], &[mode, cut]);
    assert_says(&at(10, None, &[pad], &[]), "cuts -1 and repeats 2");
    // A value that is there without bytes is 0.
    let empty = [field(1, b"axis"), kind(2)].concat();
    let softmax = node_with("Softmax", &["x"], &["y"], &[empty]);
    assert_says(&at(17, None, &[softmax], &[]), "along the batch");
}

#[test]
fn numbers_that_are_none_are_named() {
    let bad = |v: f32, at: usize| {
        let mut values = vec![0.5; 8];
        values[at] = v;
        with(
            &[node("Conv", "/conv", &["x", "w"], &["y"])],
            &[floats("w", &[4, 2, 1, 1], &values)],
        )
    };
    assert_says(
        &bad(f32::NAN, 3),
        "constant `w`: value 3 of [4, 2, 1, 1] is not a number",
    );
    assert_says(
        &bad(f32::INFINITY, 5),
        "tensor `conv.weight`: value inf at [2, 1, 0, 0] of [4, 2, 1, 1]",
    );
    let norm = |var: [f32; 2], eps: f32| {
        let n = node_with(
            "BatchNormalization",
            &["x", "s", "s", "s", "v"],
            &["y"],
            &[float("epsilon", eps)],
        );
        at(17, None, &[n], &[ones("s", &[2]), floats("v", &[2], &var)])
    };
    assert_says(
        &norm([0.5, -0.1], 0.2),
        "tensor `n.var`: value -0.1 at [1] of [2]; allowed: 0 and more",
    );
    assert_says(&norm([0.5, 0.0], 0.0), "tensor `n.var`: value 0 at [1]");
    read(&norm([0.5, 0.0], 1e-5));
    // Batch norm is checked before it is folded away.
    let options = Options {
        fold_batch_norm: true,
        ..Options::default()
    };
    let nodes = [
        node("Conv", "/conv", &["x", "w"], &["c"]),
        node(
            "BatchNormalization",
            "/bn",
            &["c", "s", "s", "s", "v"],
            &["y"],
        ),
    ];
    let parts = [
        ones("w", &[2, 2, 1, 1]),
        ones("s", &[2]),
        floats("v", &[2], &[1.0, -1e-6]),
    ];
    let error = onnx::import(&with(&nodes, &parts), "net.onnx".as_ref(), &options).unwrap_err();
    assert!(error.to_string().contains("tensor `bn.var`"), "{error}");
}

#[test]
fn computed_constants_are_limited() {
    let mut nodes = vec![];
    let mut from = "k".to_string();
    for i in 0..31 {
        let to = format!("k{i}");
        nodes.push(node_with(
            "Concat",
            &[&from, &from],
            &[&to],
            &[int("axis", 0)],
        ));
        from = to;
    }
    nodes.push(node_with(
        "ReduceSum",
        &[&from],
        &["s"],
        &[int("keepdims", 0)],
    ));
    nodes.push(node("Add", "/a", &["x", "s"], &["y"]));
    let limited = |bytes: &[u8]| {
        let options = Options {
            max_values: 1 << 16,
            ..Options::default()
        };
        let error = onnx::import(bytes, "net.onnx".as_ref(), &options).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
    };
    limited(&at(17, None, &nodes, &[ones("k", &[4])]));
    // Products that take long are large, too.
    let products = [
        node("Expand", "/e", &["k", "wide"], &["a"]),
        node_with("MatMul", &["a", "a"], &["m"], &[]),
        node_with("MatMul", &["m", "a"], &["n"], &[]),
        node_with("MatMul", &["n", "a"], &["o"], &[]),
        node_with("ReduceSum", &["o"], &["s"], &[int("keepdims", 0)]),
        node("Add", "/b", &["x", "s"], &["y"]),
    ];
    limited(&at(
        17,
        None,
        &products,
        &[ones("k", &[1, 1]), sizes("wide", &[128, 128])],
    ));
}

/// The network from the file that it was written to.
fn written(network: &Loaded) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    let bytes = file::to_safetensors(network, &Default::default()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    Loaded::clone(&file::load(&path, false, None).unwrap())
}

#[test]
fn tied_tensors_are_known() {
    let image = [
        node("Conv", "/a", &["x", "w"], &["c"]),
        node("Conv", "/b", &["c", "w"], &["y"]),
    ];
    let varied = floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0]);
    let network = read(&with(&image, &[varied]));
    assert_eq!(network.tied, [["a.weight", "b.weight"]]);
    // Through what is computed from it; parts of one tensor are tensors of their own.
    let turned = [
        node("Conv", "/a", &["x", "w"], &["c"]),
        node_with("Transpose", &["w"], &["t"], &[ints("perm", &[1, 0, 2, 3])]),
        node("Conv", "/b", &["c", "t"], &["y"]),
    ];
    let varied = floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(read(&with(&turned, &[varied])).tied.len(), 1);
    let split = [
        node_with("Split", &["w"], &["v", "u"], &[int("axis", 0)]),
        node("Conv", "/a", &["x", "v"], &["c"]),
        node("Conv", "/b", &["c", "u"], &["y"]),
    ];
    let values: Vec<f32> = (0..8).map(|i| i as f32).collect();
    let network = read(&with(&split, &[floats("w", &[4, 2, 1, 1], &values)]));
    assert!(network.tied.is_empty(), "{:?}", network.tied);
    // What is written keeps the knowledge.
    let varied = floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0]);
    let network = read(&with(&image, &[varied]));
    let again = written(&network);
    assert_eq!(again.tied, network.tied);
    assert_eq!(again, network);
}

#[test]
fn momentum_goes_in_and_out() {
    let n = node_with(
        "BatchNormalization",
        &["x", "s", "s", "s", "s"],
        &["y"],
        &[float("momentum", 0.99)],
    );
    let network = read(&at(17, None, &[n], &[ones("s", &[2])]));
    let rate = |network: &Loaded| match network.graph.nodes[1].layer {
        Layer::BatchNorm { rate, .. } => rate,
        _ => panic!("{:?}", network.graph.nodes[1]),
    };
    assert_eq!(rate(&network), 0.01);
    let bytes = onnx::export(&network).unwrap();
    assert_eq!(rate(&read(&bytes)), 0.01);
    assert_eq!(rate(&written(&network)), 0.01);
}

#[test]
fn free_sizes_are_given() {
    let free = [
        value(11, "x", &[None, Some(2), None, None]),
        value(12, "y", &[None]),
    ];
    let nodes = [
        node("Conv", "/c", &["x", "w"], &["c"]),
        node("GlobalAveragePool", "/g", &["c"], &["y"]),
    ];
    let bytes = model(
        17,
        &[&nodes[..], &[ones("w", &[3, 2, 3, 3])], &free].concat(),
    );
    let given = |sizes: &[usize]| {
        let options = Options {
            input: Some(sizes.to_vec()),
            ..Options::default()
        };
        onnx::import(&bytes, "net.onnx".as_ref(), &options)
    };
    assert_says(&bytes, "--input-shape or network.input");
    assert_eq!(given(&[2, 7, 9]).unwrap().graph.nodes[0].shape, (2, 7, 9));
    let text = given(&[3, 7, 9]).unwrap_err().to_string();
    assert!(text.contains("has 2 x ? x ? behind the batch"), "{text}");
    assert!(given(&[2, 7]).is_err());
}

#[test]
fn names_cannot_speak_to_the_terminal() {
    let evil = "R\x1b[2J\n\u{9b}31m";
    let text = message(&with(&[node(evil, evil, &["x"], &["y"])], &[]));
    assert!(text.contains("R\\u{1b}[2J\\n\\u{9b}31m"), "{text:?}");
    assert!(
        !text.contains('\x1b') && !text.contains('\u{9b}'),
        "{text:?}"
    );
}

#[test]
fn other_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.onnx");
    let zip = [b"PK\x03\x04".as_slice(), &[0; 26], b"archive/data.pkl"].concat();
    for (bytes, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"[..],
            "Git LFS pointer",
        ),
        (&zip, "PyTorch file"),
        (b"PK\x03\x04 something else", "ZIP archive"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b"\x80\x02}q\x00.", "Python pickle"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x18\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"{\"a\": 1}", "JSON"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let text = file::load(&path, false, None).unwrap_err().to_string();
        assert!(text.contains(words), "{words}: {text}");
    }
    std::fs::write(dir.path().join("net.safetensors"), b"<html>").unwrap();
    let text = file::load(&dir.path().join("net.safetensors"), false, None)
        .unwrap_err()
        .to_string();
    assert!(text.contains("HTML page"), "{text}");
    let text = file::load(dir.path(), false, None).unwrap_err().to_string();
    assert!(text.contains("unknown kind"), "{text}");
    std::fs::create_dir(dir.path().join("d.onnx")).unwrap();
    let text = file::load(&dir.path().join("d.onnx"), false, None)
        .unwrap_err()
        .to_string();
    assert!(text.contains("not a regular file"), "{text}");
}
