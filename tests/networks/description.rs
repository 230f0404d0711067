//! Networks described in JSON beside a safetensors file, and safetensors files that describe
//! themselves.

use std::collections::BTreeMap;

use pimento::backend::cpu::CpuBackend;
use pimento::network::file;
use pimento::network::parameters::{Parameters, Tensor};

use super::{TOLERANCE, distance, golden, models, outputs, vectors};

/// A description with PyTorch's names, as files from outside have.
const RESIDUAL: &str = r#"{
 "name": "tiny",
 "classes": ["a", "b"],
 "input": {"name": "input", "shape": ["N", 2, 3, 3], "layout": "NCHW"},
 "layers": [
  {"op": "conv2d", "weight": "body.0.weight", "bias": null, "cin": 2, "cout": 2, "kernel": 1,
   "input": "input", "out": "c"},
  {"op": "batchnorm", "prefix": "body.1", "eps": 0.5, "input": "c", "out": "b"},
  {"op": "add", "inputs": ["b", "input"], "out": "s"},
  {"op": "relu", "input": "s", "out": "r"},
  {"op": "global_avg_pool", "input": "r", "out": "g"},
  {"op": "flatten", "input": "g", "out": "f"},
  {"op": "linear", "weight": "fc.weight", "bias": "fc.bias", "cin": 2, "cout": 2, "input": "f",
   "out": "logits"}
 ]
}"#;

fn tensors() -> Parameters {
    let t = |name: &str, shape: &[usize], data: &[f32]| {
        let (shape, data) = (shape.to_vec(), data.to_vec());
        (name.to_string(), Tensor { shape, data })
    };
    Parameters {
        tensors: BTreeMap::from([
            t("body.0.weight", &[2, 2, 1, 1], &[1.0, 0.0, 0.0, -2.0]),
            t("body.1.weight", &[2], &[2.0, 1.0]),
            t("body.1.bias", &[2], &[0.5, 0.0]),
            t("body.1.running_mean", &[2], &[1.0, 0.0]),
            t("body.1.running_var", &[2], &[0.5, 3.5]),
            t("fc.weight", &[2, 2], &[1.0, 1.0, 1.0, -1.0]),
            t("fc.bias", &[2], &[0.0, 10.0]),
        ]),
    }
}

/// Writes a description and its tensors; returns the message of reading them, or the outputs for an
/// image whose first channel is 3 and whose second is 2.
fn read(text: &str, tensors: &Parameters) -> Result<Vec<f32>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.json");
    std::fs::write(&path, text).unwrap();
    let bytes = tensors.to_bytes(&BTreeMap::new()).unwrap();
    std::fs::write(dir.path().join("net.safetensors"), bytes).unwrap();
    let image = [[3.0; 9], [2.0; 9]].concat();
    let network = file::load(&path, false, None).map_err(|e| e.to_string())?;
    // The safetensors file finds its description beside it.
    let other = file::load(&path.with_extension("safetensors"), false, None).unwrap();
    assert_eq!(network, other);
    Ok(outputs(&CpuBackend::new(), &network, &image))
}

#[test]
fn a_description_computes_what_it_says() {
    // Channel 0: (3 - 1) / sqrt(1) * 2 + 0.5 + 3 = 7.5; channel 1: -4 / sqrt(4) + 2 = 0.
    let got = read(RESIDUAL, &tensors()).unwrap();
    assert!(distance(&got, &[7.5, 17.5]) < 1e-6, "{got:?}");
}

#[test]
fn mistakes_in_a_description_name_the_operation() {
    for (from, to, words) in [
        ("\"op\": \"relu\"", "\"op\": \"gelu\"", "gelu"),
        (
            "\"input\": \"s\"",
            "\"input\": \"t\"",
            "operation `r` (relu): reads `t`",
        ),
        (
            "\"cin\": 2, \"cout\": 2, \"kernel\"",
            "\"cin\": 3, \"cout\": 2, \"kernel\"",
            "operation `c` (conv2d)",
        ),
        ("fc.bias", "fc.offset", "tensor `fc.offset` is missing"),
        (
            "\"cout\": 2, \"input\": \"f\"",
            "\"cout\": 5, \"input\": \"f\"",
            "tensor `fc.weight` has shape",
        ),
        (
            "\"kernel\": 1",
            "\"kernel\": 1, \"strides\": 2",
            "`strides`",
        ),
        (
            "\"kernel\": 1",
            "\"kernel\": 4",
            "a kernel of 4 x 4 on a map of 3 x 3",
        ),
        ("\"kernel\": 1", "\"kernel\": 1, \"stride\": 0", "stride 0"),
        // Keys of other operations.
        (
            "\"op\": \"relu\"",
            "\"op\": \"relu\", \"slope\": 0.1",
            "(relu) has a key `slope`; allowed: op, name, input, inputs, out",
        ),
        (
            "\"op\": \"linear\"",
            "\"op\": \"linear\", \"groups\": 2",
            "(linear) has a key `groups`",
        ),
        (
            "\"op\": \"flatten\"",
            "\"op\": \"flatten\", \"shape\": [2, 1, 1]",
            "(flatten) has a key `shape`",
        ),
        ("[\"b\", \"input\"]", "[\"b\"]", "has 1 inputs"),
        ("2, 3, 3]", "2, 0, 3]", "input of 2 x 0 x 3"),
        ("\"name\": \"tiny\",", "", "name"),
    ] {
        let text = RESIDUAL.replace(from, to);
        assert_ne!(text, RESIDUAL, "{from}");
        let message = read(&text, &tensors()).unwrap_err();
        assert!(
            message.contains("net.json") && message.contains(words),
            "{words}: {message}"
        );
    }
}

#[test]
fn every_key_belongs_to_an_operation_and_dead_crossbars_are_refused() {
    let op = |text: &str| RESIDUAL.replace("\"op\": \"relu\"", &format!("\"op\": {text}"));
    for (op_and_keys, key) in [
        ("\"max_pool\", \"kernel\": 1, \"dilation\": 2", "dilation"),
        ("\"clip\", \"lo\": 0, \"slope\": 2", "slope"),
        ("\"leaky_relu\", \"slope\": 0.1, \"lo\": 0", "lo"),
        ("\"softmax\", \"pad\": 1", "pad"),
    ] {
        let message = read(&op(op_and_keys), &tensors()).unwrap_err();
        let words = format!("has a key `{key}`; allowed: op,");
        assert!(message.contains(&words), "{message}");
    }
    // Its result is read, by an operation whose result is not.
    let dead = r#"{"op": "linear", "name": "dead", "weight": "fc.weight", "bias": null, "cin": 2,
        "cout": 2, "input": "f", "out": "d"}, {"op": "tanh", "input": "d", "out": "e"}, "#;
    let text = RESIDUAL.replace(
        "{\"op\": \"linear\"",
        &format!("{dead}{{\"op\": \"linear\""),
    );
    let message = read(&text, &tensors()).unwrap_err();
    assert!(
        message.contains("operation `dead`: a crossbar layer"),
        "{message}"
    );
}

#[test]
fn every_network_describes_itself() {
    let vectors = vectors();
    let cpu = CpuBackend::new();
    let dir = tempfile::tempdir().unwrap();
    for name in models() {
        let network = file::load(&golden().join(format!("{name}.onnx")), false, None).unwrap();
        let path = dir.path().join(format!("{name}.safetensors"));
        let bytes = file::to_safetensors(&network, &BTreeMap::new()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let again = file::load(&path, false, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(again.graph, network.graph, "{name}");
        let images = &vectors.tensors[&format!("{name}.input")].data;
        let want = outputs(&cpu, &network, images);
        assert!(
            distance(&outputs(&cpu, &again, images), &want) <= TOLERANCE,
            "{name}"
        );
    }
}

#[test]
fn tensors_alone_are_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    std::fs::write(&path, tensors().to_bytes(&BTreeMap::new()).unwrap()).unwrap();
    let message = file::load(&path, false, None).unwrap_err().to_string();
    assert!(message.contains("weights.json"), "{message}");
    let whole = tensors().to_bytes(&BTreeMap::new()).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let message = file::load(&path, false, None).unwrap_err().to_string();
    assert!(
        message.contains("a damaged safetensors file") && message.contains("weights.safetensors"),
        "{message}"
    );
    let other = dir.path().join("weights.pth");
    std::fs::write(&other, "x").unwrap();
    let message = file::load(&other, false, None).unwrap_err().to_string();
    assert!(message.contains("allowed: .onnx"), "{message}");
}
