//! Outputs that are not finite are an error that names the first layer, for a network and for a chip.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::network::Parameters;
use pimento::network::file::{self, Loaded};
use pimento::network::graph::Graph;
use pimento::network::lower::Numerics;
use pimento::network::parameters::Tensor;
use pimento::network::run::{Runner, check_outputs};
use pimento::program::Activation;
use pimento::sweep;

/// A network of 8 x 8 images whose layers `a` (behind a first ReLU) and `b` multiply by these factors.
fn network(a: f32, b: f32) -> Loaded {
    let mut graph = Graph::new("large", 1, 8, 8);
    let first = graph.activation("first", 0, Activation::Relu);
    let conv_a = graph.conv("a", first, 1, 1, 1, 0, 1, false);
    let act = graph.activation("act", conv_a, Activation::Relu);
    let conv_b = graph.conv("b", act, 1, 1, 1, 0, 1, false);
    let sum = graph.add("sum", conv_b, first);
    graph.linear("out", sum, 10, false);
    let tensor = |shape: &[usize], data: Vec<f32>| Tensor {
        shape: shape.to_vec(),
        data,
    };
    let out = (0..640).map(|i| ((i % 7) as f32 - 3.0) / 64.0).collect();
    let tensors = [
        ("a.weight", tensor(&[1, 1, 1, 1], vec![a])),
        ("b.weight", tensor(&[1, 1, 1, 1], vec![b])),
        ("out.weight", tensor(&[10, 64, 1, 1], out)),
    ];
    Loaded {
        graph,
        parameters: Parameters {
            tensors: tensors.map(|(n, t)| (n.to_string(), t)).into(),
        },
        numerics: Numerics::FLOAT,
        tied: vec![],
    }
}

#[test]
fn a_network_names_the_first_layer() {
    let cpu = CpuBackend::new();
    let images = [vec![0.0; 64], vec![1.0; 64]].concat();
    let finite = network(1e30, 1e-30);
    let outputs = Runner::new(&cpu, &finite)
        .unwrap()
        .run_all(&images)
        .unwrap();
    check_outputs(&finite, &images, &outputs, 0).unwrap();
    let large = network(1e30, 1e30);
    let outputs = Runner::new(&cpu, &large).unwrap().run_all(&images).unwrap();
    let text = check_outputs(&large, &images, &outputs, 5)
        .unwrap_err()
        .to_string();
    // Of image 0 everything is 0.
    for words in ["image 6", "first layer", "`b` (conv)"] {
        assert!(text.contains(words), "{text}");
    }
}

/// The error of a sweep's chips, the first that has one.
fn sweep_error(network: &Loaded, chips: u32) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.safetensors");
    std::fs::write(
        &path,
        file::to_safetensors(network, &Default::default()).unwrap(),
    )
    .unwrap();
    let text = format!(
        "[data]\nset = \"digits-8x8\"\nmean = 0.0\nstd = 1.0\n[network]\nkind = \"file\"\nfile = {:?}\n\
         [train]\nrecipe = \"float\"\nepochs = 0\n[variation]\nsigma_w = 0.5\n[sweep]\nchips = 40\n",
        path.display().to_string()
    );
    let experiment = Experiment::parse(&text, "test").unwrap_or_else(|e| panic!("{e}"));
    let data = Embedded::Digits8x8.load().unwrap();
    let cpu = CpuBackend::new();
    let one = |chip| sweep::one_chip(&cpu, &experiment, &data, (0, chip), None, &());
    let error = (0..chips).find_map(|chip| one(chip).err());
    let error = error.unwrap_or_else(|| panic!("all chips are finite"));
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn a_sweep_names_the_first_layer() {
    let text = sweep_error(&network(1e30, 1e30), 1);
    assert!(
        text.contains("not finite numbers") && text.contains("`b` (conv)"),
        "{text}"
    );
    // Only a chip whose weight is 1.14 times as large goes beyond f32: 0.39 of all at sigma 0.5.
    let text = sweep_error(&network(3e38, 2e-38), 40);
    assert!(
        text.contains("chip ") && text.contains("`a` (conv)"),
        "{text}"
    );
}

#[test]
fn a_network_that_changes_nothing_gives_its_images_back() {
    let mut graph = Graph::new("same", 3, 1, 1);
    graph.activation("identity", 0, Activation::Identity);
    let network = Loaded {
        graph,
        parameters: Parameters::default(),
        numerics: Numerics::FLOAT,
        tied: vec![],
    };
    let images = [0.5, -1.0, 2.0, 3.0, 0.0, -0.25];
    let mut runner = Runner::new(&CpuBackend::new(), &network).unwrap();
    assert_eq!(runner.run_all(&images).unwrap(), images);
}
