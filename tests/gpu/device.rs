//! Selection of adapters, and errors of the device reaching the caller.

use pimento::backend::wgpu::{WgpuBackend, list_adapters};
use pimento::backend::{Backend, Capacity};
use pimento::error::Error;
use pimento::program::*;

use super::harness::*;

#[test]
fn unknown_adapter_is_an_input_error_that_lists_what_exists() {
    let Some(gpu) = gpu_or_skip("unknown adapter") else {
        return;
    };
    match WgpuBackend::open(Some("no such adapter")) {
        Err(Error::Input(message)) => {
            assert!(message.contains("no such adapter"), "{message}");
            assert!(message.contains(&gpu.info().name), "{message}");
        }
        Err(other) => panic!("wrong kind of error: {other:?}"),
        Ok(_) => panic!("an adapter of that name exists"),
    }
}

#[test]
fn adapters_are_found_by_part_of_their_name_in_any_case() {
    let Some(gpu) = gpu_or_skip("adapter by name") else {
        return;
    };
    let name = gpu.info().name;
    let part: String = name.chars().take(4).collect::<String>().to_uppercase();
    let opened = WgpuBackend::open(Some(&part)).expect("opens");
    assert!(opened.info().name.to_uppercase().contains(&part));
    let listed = list_adapters();
    assert!(listed.iter().any(|a| a.name == name));
    assert!(listed.iter().filter(|a| a.chosen).count() <= 1);
    let json = serde_json::to_string(&listed).expect("serializes");
    assert!(json.contains("max_binding_bytes"));
}

#[test]
fn too_large_programs_are_refused_with_numbers() {
    let Some(gpu) = gpu_or_skip("too large") else {
        return;
    };
    let mut program = Program::default();
    let shape = Shape::Flat(3 << 30);
    program.tensor("huge", shape, Scope::Shared, Role::State);
    let capacity = Capacity {
        chips: 1,
        images: 16,
        chunk: 16,
    };
    for e in [
        gpu.fit(&program, capacity).err(),
        gpu.prepare(&program, capacity).err(),
    ] {
        match e {
            Some(Error::Capacity(message)) => {
                assert!(message.contains("\"huge\""), "{message}");
                assert!(message.contains(&(12_u64 << 30).to_string()), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_lost_device_is_an_error_and_not_zeros() {
    if gpu_or_skip("lost device").is_none() {
        return;
    }
    // A device of its own: this one dies.
    let gpu = WgpuBackend::open(None).expect("opens");
    let mut case = wave(1);
    let x = case.exact([1, 1, 1], Scope::Shared);
    let y = case.output([1, 1, 1], Scope::Shared);
    let section = case.section(vec![Op::from(Add { a: x, b: x, y })]);
    let mut session = gpu
        .prepare(&case.program, case.capacity())
        .expect("prepare");
    session.write(x, &case.values[&x]).expect("write");
    let args = case.runs[0].1.clone();
    session.run(section, &args).expect("first run");
    session.read(y).expect("first read");
    gpu.destroy();
    let run = session.run(section, &args);
    let read = session.read(y);
    for result in [run.err(), read.err()] {
        match result {
            Some(Error::Device(message)) => assert!(!message.is_empty()),
            other => panic!("expected a device error, got {other:?}"),
        }
    }
    assert!(matches!(
        gpu.prepare(&case.program, case.capacity()).err(),
        Some(Error::Device(_))
    ));
}
