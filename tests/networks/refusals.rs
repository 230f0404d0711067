//! What is not supported, and what does not fit, is said with the names of its nodes.

use super::models::*;

#[test]
fn the_models_written_here_are_read() {
    let nodes = [node("Conv", "/c", &["x", "w"], &["y"])];
    import(&with(&nodes, &[ones("w", &[3, 2, 3, 3])])).unwrap();
}

#[test]
fn all_unsupported_nodes_are_listed_at_once() {
    let nodes = [
        node("LSTM", "/body/lstm", &["x"], &["a"]),
        node("Relu", "/body/relu", &["a"], &["b"]),
        node("MatMul", "/attention", &["x", "x"], &["c"]),
        node("Einsum", "", &["b", "c"], &["d"]),
        node("ArgMax", "/unused", &["x"], &["e"]),
        node("Add", "/sum", &["d", "c"], &["y"]),
    ];
    let text = message(&with(&nodes, &[]));
    for words in [
        "3 nodes are not supported",
        "node `/body/lstm` (LSTM): no such operator",
        "node `/attention` (MatMul): a product of two maps",
        "node `einsum_3` (Einsum)",
        "operators that are: ",
        "BatchNormalization, ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // What only reads them, and what nobody needs, is not their fault.
    for word in ["/body/relu", "/sum", "/unused"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn shapes_that_do_not_fit_name_the_node() {
    let conv = |w: &[i64], b: &[i64]| {
        let nodes = [node("Conv", "/layer/conv", &["x", "w", "b"], &["y"])];
        message(&with(&nodes, &[ones("w", w), ones("b", b)]))
    };
    for text in [
        conv(&[3, 4, 3, 3], &[3]),
        conv(&[3, 2, 3, 3], &[4]),
        conv(&[3, 2, 9, 3], &[3]),
        conv(&[3, 2, 3], &[3]),
        conv(&[0, 2, 3, 3], &[0]),
    ] {
        assert!(text.contains("node `/layer/conv` (Conv): "), "{text}");
    }
    let two = |kind: &str, dims: &[i64]| {
        let nodes = [node(kind, "/n", &["x", "k"], &["y"])];
        message(&with(&nodes, &[ones("k", dims)]))
    };
    assert!(two("MatMul", &[4, 3]).contains("takes 4 values; the last dimension is 5"));
    assert!(two("Gemm", &[4, 3]).contains("node `/n` (Gemm)"));
    assert!(two("Add", &[3, 1, 1]).contains("do not fit together"));
    assert!(two("Add", &[7, 1, 5, 5]).contains("different images"));
    assert!(two("PRelu", &[3, 1, 1]).contains("do not fit together"));
    let sum = [
        node("Conv", "/c", &["x", "w"], &["a"]),
        node("Add", "/sum", &["a", "x"], &["y"]),
    ];
    let text = message(&with(&sum, &[ones("w", &[2, 2, 2, 3])]));
    assert!(text.contains("node `/sum` (Add)"), "{text}");
}

#[test]
fn only_the_batch_may_be_free() {
    let relu = node("Relu", "/r", &["x"], &["y"]);
    let with_input = |dims: &[Option<i64>]| {
        model(
            17,
            &[relu.clone(), value(11, "x", dims), value(12, "y", &[None])],
        )
    };
    import(&with_input(&IMAGE)).unwrap();
    let text = message(&with_input(&[None, Some(3), None, Some(5)]));
    assert!(
        text.contains("dimension 2 (`N`)") && text.contains("dynamic_axes"),
        "{text}"
    );
    assert!(message(&with_input(&[None])).contains("one dimension"));
    assert!(message(&with_input(&[])).contains("one number"));
    let huge = with_input(&[None, Some(1 << 40), Some(1 << 40)]);
    assert!(message(&huge).contains("too large"));
    let many = with_input(&[None, Some(1 << 40), Some(1 << 40), Some(1 << 40), Some(1)]);
    assert!(message(&many).contains("too large"));
}

#[test]
fn models_of_another_kind_are_refused() {
    let relu = node("Relu", "/r", &["x"], &["y"]);
    let (x, y) = (value(11, "x", &IMAGE), value(12, "y", &[None]));
    let parts = [relu.clone(), x.clone(), y.clone()];
    for (bytes, words) in [
        (model(6, &parts), "operator set 6"),
        (model(99, &parts), "operator set 99"),
        (field(7, &parts.concat()), "no operator set"),
        (number(1, 8), "no operator set"),
        (b"{\"name\": 1}".to_vec(), "not an ONNX model"),
        (model(17, &[relu.clone(), x.clone()]), "0 outputs"),
        (model(17, &[relu.clone(), y.clone()]), "0 inputs"),
        (
            model(
                17,
                &[relu.clone(), x.clone(), value(11, "z", &IMAGE), y.clone()],
            ),
            "2 inputs (x, z)",
        ),
        (
            model(17, &[relu.clone(), relu.clone(), x.clone(), y.clone()]),
            "two nodes write `y`",
        ),
        (
            model(
                17,
                &[node("Relu", "/r", &["q"], &["y"]), x.clone(), y.clone()],
            ),
            "node `/r` (Relu): reads `q`",
        ),
        (
            model(
                17,
                &[ones("k", &[1]), node("Identity", "", &["k"], &["y"]), x, y],
            ),
            "does not depend on the input",
        ),
    ] {
        let text = message(&bytes);
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    // Repeated along three dimensions, to more places than can be counted.
    let shape = {
        let sizes = [1, 1 << 40, 1 << 40, 1 << 40];
        let data: Vec<u8> = sizes.iter().flat_map(|v: &i64| v.to_le_bytes()).collect();
        let head = [number(1, 4), number(2, 7), field(8, b"shape")].concat();
        field(5, &[head, field(9, &data)].concat())
    };
    let one = [None, Some(1), Some(1), Some(1)];
    let expand = [
        node("Expand", "/e", &["x", "shape"], &["y"]),
        shape,
        value(11, "x", &one),
        value(12, "y", &[None]),
    ];
    assert!(message(&model(17, &expand)).contains("too large"));
    // A constant as large as a scalar says, spread again and again over a large map.
    let big = [None, Some(64), Some(1024), Some(1024)];
    let mut nodes = vec![];
    let mut from = "x".to_string();
    for i in 0..40 {
        let to = if i == 39 { "y".into() } else { format!("v{i}") };
        nodes.push(node("Add", "", &[&from, "row"], &[&to]));
        from = to;
    }
    let ends = [value(11, "x", &big), value(12, "y", &[None])];
    let row: Vec<u8> = {
        let dims = [number(1, 1), number(1, 1024)].concat();
        let data = (0..1024)
            .flat_map(|i| (i as f32).to_le_bytes())
            .collect::<Vec<u8>>();
        field(
            5,
            &[dims, number(2, 1), field(8, b"row"), field(9, &data)].concat(),
        )
    };
    let text = message(&model(17, &[&nodes[..], &[row], &ends].concat()));
    assert!(text.contains("too large"), "{text}");
}
