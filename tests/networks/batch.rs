//! The first dimension is the batch, and no node may change or count it.

use super::models::*;

#[test]
fn a_slice_takes_all_images() {
    let slice = |starts: i64, ends: i64, batch| {
        let nodes = [node("Slice", "/s", &["x", "a", "b", "c"], &["y"])];
        let parts = [sizes("a", &[starts]), sizes("b", &[ends]), sizes("c", &[0])];
        at(17, batch, &nodes, &parts)
    };
    for (from, to) in [
        (0, 1),
        (0, 3),
        (0, -1),
        (1, i64::MAX),
        (0, 1 << 20),
        (-1, i64::MAX),
    ] {
        assert_says(&slice(from, to, None), "takes some images of the batch");
    }
    assert_says(&slice(0, 3, Some(4)), "takes some images of the batch");
    read(&slice(0, i64::MAX, None));
    read(&slice(0, 4, Some(4)));
}

#[test]
fn sizes_that_change_the_batch_are_refused() {
    for (op, values, batch, words) in [
        ("Reshape", &[1, 50][..], None, "export with two images"),
        ("Reshape", &[50, -1], None, "mixes images"),
        ("Reshape", &[-1], None, "mixes images"),
        ("Reshape", &[2, 25], Some(1), "mixes images"),
        ("Reshape", &[3, 50], None, "mixes images"),
        ("Squeeze", &[0], Some(1), "squeezes the batch"),
        ("Unsqueeze", &[0], None, "in front of the batch"),
        ("Tile", &[2, 1, 1, 1], None, "repeats images"),
        ("Expand", &[3, 2, 5, 5], None, "repeats images"),
        ("Pad", &[1, 0, 0, 0, 0, 0, 0, 0], None, "pads the batch"),
        ("Gather", &[0], None, "along the batch"),
    ] {
        let nodes = [node(op, "/n", &["x", "k"], &["y"])];
        assert_says(&at(17, batch, &nodes, &[sizes("k", values)]), words);
    }
}

#[test]
fn attributes_that_change_the_batch_are_refused() {
    let turned = ints("perm", &[1, 0, 2, 3]);
    let axes = ints("axes", &[0, 2]);
    for (op, batch, attributes, words) in [
        ("Squeeze", Some(1), vec![], "squeezes the batch"),
        ("Transpose", None, vec![turned], "moves the batch"),
        ("Transpose", None, vec![], "moves the batch"),
        ("Flatten", None, vec![int("axis", 0)], "flattens the batch"),
        ("Flatten", None, vec![int("axis", 2)], "flattens the batch"),
        ("ReduceMean", None, vec![], "a mean over the batch"),
        ("ReduceMean", None, vec![axes], "a mean over the batch"),
        ("Softmax", None, vec![int("axis", -4)], "along the batch"),
        ("Split", None, vec![int("axis", 0)], "along the batch"),
    ] {
        let nodes = [node_with(op, &["x"], &["y"], &attributes)];
        assert_says(&at(17, batch, &nodes, &[]), words);
    }
    let join = [node_with("Concat", &["x", "x"], &["y"], &[int("axis", 0)])];
    assert_says(&at(17, None, &join, &[]), "along the batch");
    let constant = [node_with("Concat", &["x", "k"], &["y"], &[int("axis", 1)])];
    let k = [ones("k", &[1, 1, 5, 5])];
    assert_says(&at(17, None, &constant, &k), "any number of images");
    read(&at(17, Some(1), &constant, &k));
}

/// The number of images is no number to compute with.
#[test]
fn nothing_is_computed_with_the_number_of_images() {
    let computed = |by: Vec<u8>| {
        let nodes = [
            node("Shape", "/s", &["x"], &["s"]),
            by,
            node("Reshape", "/r", &["x", "f"], &["y"]),
        ];
        at(17, None, &nodes, &[sizes("k", &[2])])
    };
    let words = "computes with the number of images";
    for (op, attributes) in [("Cast", vec![int("to", FLOAT)]), ("Neg", vec![])] {
        let by = node_with(op, &["s"], &["f"], &attributes);
        assert_says(&computed(by), words);
    }
    for op in ["Equal", "Greater", "Max", "Pow", "Add", "Mul", "Div"] {
        assert_says(&computed(node(op, "/o", &["s", "k"], &["f"])), words);
    }
}
