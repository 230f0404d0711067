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
        Err(error @ Error::Input(_)) => {
            let message = error.to_string();
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
    session.run(section, &args).expect("second run");
    let mut pending = session.submit(&[y]).expect("submitted");
    gpu.destroy();
    let run = session.run(section, &args);
    let read = session.read(y);
    let (polled, waited) = (pending.is_ready(), pending.wait());
    for result in [run.err(), read.err(), polled.err(), waited.err()] {
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

/// What was asked for is what it was then, whatever ran since, in whichever order it is waited for.
#[test]
fn later_runs_do_not_change_what_was_submitted() {
    let Some(gpu) = gpu_or_skip("reads in flight") else {
        return;
    };
    let n = 1000;
    let mut program = Program::default();
    let state = |p: &mut Program, name| p.tensor(name, Shape::Flat(n), Scope::Shared, Role::State);
    let (a, b) = (state(&mut program, "a"), state(&mut program, "b"));
    let clear = program.section("clear", vec![Op::from(Zero { t: a })]);
    let capacity = Capacity {
        chips: 1,
        images: 16,
        chunk: 16,
    };
    let mut session = gpu.prepare(&program, capacity).expect("prepare");
    let values = |k: usize| -> Vec<f32> { (0..n).map(|i| (i + k) as f32).collect() };
    let args = RunArgs::wave(1, 0, 1, 0..0);
    let mut pending = Vec::new();
    for k in 0..6 {
        session.write(a, &values(k)).expect("write");
        session.write(b, &values(2 * k)).expect("write");
        pending.push((k, session.submit(&[b, a]).expect("submit")));
        session.run(clear, &args).expect("run");
    }
    pending.swap(1, 4);
    assert!(
        session
            .submit(&[])
            .expect("nothing")
            .wait()
            .expect("nothing")
            .is_empty()
    );
    for (k, mut pending) in pending {
        // A program that must not block asks until it is there.
        while k % 2 == 0 && !pending.is_ready().expect("polled") {
            std::thread::yield_now();
        }
        assert_eq!(
            pending.wait().expect("there"),
            [values(2 * k), values(k)],
            "{k}"
        );
    }
    assert_eq!(session.read(a).expect("read"), vec![0.0; n]);
}
