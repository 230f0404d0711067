//! Every example runs to its end.

#[path = "../../examples/observer.rs"]
mod observer;
#[path = "../../examples/one_matrix.rs"]
mod one_matrix;
#[path = "../../examples/own_data.rs"]
mod own_data;
#[path = "../../examples/own_network.rs"]
mod own_network;
#[path = "../../examples/self_tuning.rs"]
mod self_tuning;
#[path = "../../examples/train_and_sweep.rs"]
mod train_and_sweep;

#[test]
fn train_and_sweep_runs() {
    train_and_sweep::main().unwrap();
}

#[test]
fn own_network_runs() {
    own_network::main().unwrap();
}

#[test]
fn own_data_runs() {
    own_data::main().unwrap();
}

#[test]
fn one_matrix_runs() {
    one_matrix::main().unwrap();
}

#[test]
fn self_tuning_runs() {
    self_tuning::main().unwrap();
}

#[test]
fn observer_runs() {
    observer::main().unwrap();
}

/// An example that this test does not name would run nowhere.
#[test]
fn no_example_is_forgotten() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(
                include_str!("main.rs").contains(&format!("{name}::main()")),
                "{name}"
            );
        }
    }
}
