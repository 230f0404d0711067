use super::*;
use crate::backend::{Kernels, Products};
use crate::program::{Add, BatchNormStats, Op, Rearrange, Scope, Storage};

const LIMITS: Limits = Limits {
    binding: 1 << 20,
    groups: 65535,
    uniform_align: 256,
    memory: 1 << 22,
    windows: false,
    rounds: u64::MAX,
    kernels: Kernels::Portable,
    random_cuts: None,
    by_default: true,
    matrices: None,
    products: Products::Winograd,
};

/// `x -> a -> b -> c -> y` by additions of a map to itself.
fn chain(c: usize, scope: Scope) -> Program {
    let mut p = Program::default();
    let shape = Shape::Image { c, h: 1, w: 1 };
    let x = p.tensor("x", shape, Scope::Shared, Role::Input);
    let mut ops = Vec::new();
    let mut from = x;
    for name in ["a", "b", "c"] {
        let to = p.tensor(name, shape, scope, Role::Temp);
        ops.push(Op::from(Add {
            a: from,
            b: from,
            y: to,
        }));
        from = to;
    }
    let y = p.tensor("y", shape, scope, Role::Output);
    ops.push(Op::from(Add {
        a: from,
        b: from,
        y,
    }));
    p.section("run", ops);
    p
}

#[test]
fn temporaries_take_turns() {
    let capacity = Capacity {
        chips: 3,
        images: 32,
        chunk: 32,
    };
    let plan = Plan::new(&chain(8, Scope::PerChip), capacity, &LIMITS).expect("plan");
    assert_eq!(plan.pool, [3 * 2 * 8 * 16 * 4; 2]);
    assert_eq!(plan.sections[0].len(), 4);
}

#[test]
fn fit_gives_up_chunk_then_chips() {
    let want = Capacity {
        chips: 64,
        images: 1024,
        chunk: 1024,
    };
    let program = chain(8, Scope::PerChip);
    let fitted = fit(&program, want, &LIMITS).expect("fits");
    assert_eq!(
        fitted,
        Capacity {
            chips: 64,
            images: 1024,
            chunk: 512
        }
    );
    let fitted = fit(&chain(512, Scope::PerChip), want, &LIMITS).expect("fits");
    assert_eq!((fitted.chips, fitted.chunk), (7, 64));
    assert_eq!(fitted.images, 512);
}

/// Where a thread would go more rounds than the adapter does, fewer images a run.
#[test]
fn fit_gives_up_chunk_for_rounds() {
    let mut p = Program::default();
    let shape = Shape::Image { c: 1, h: 64, w: 64 };
    let x = p.tensor("x", shape, Scope::Shared, Role::Input);
    let mean = p.tensor("mean", Shape::Flat(1), Scope::Shared, Role::Output);
    let var = p.tensor("var", Shape::Flat(1), Scope::Shared, Role::Output);
    p.section("run", vec![Op::from(BatchNormStats { x, mean, var })]);
    let want = Capacity {
        chips: 1,
        images: 128,
        chunk: 128,
    };
    // Twice 1 + 64 rounds a block of 16 images.
    let limits = |rounds| Limits {
        binding: 1 << 30,
        memory: 1 << 30,
        rounds,
        ..LIMITS
    };
    let chunk = |rounds| fit(&p, want, &limits(rounds)).map(|c| c.chunk);
    assert_eq!(chunk(u64::MAX).expect("fits"), 128);
    assert_eq!(chunk(600).expect("fits"), 64);
    assert_eq!(chunk(130).expect("fits"), 16);
    let error = chunk(129).expect_err("too few").to_string();
    assert!(
        error.contains("a thread of batch_norm_stats goes up to 130 rounds"),
        "{error}"
    );
}

/// A chip's planes in halves: twice as many chips, whatever limits them.
#[test]
fn twice_as_many_chips_fit_in_halves() {
    let mut p = Program::default();
    let planes = p.tensor("g", Shape::Flat(40_000), Scope::PerChip, Role::State);
    p.section("run", Vec::new());
    let want = Capacity {
        chips: 1_000,
        images: 16,
        chunk: 16,
    };
    let chips = |p: &Program| {
        let by_binding = fit(p, want, &LIMITS).expect("fits").chips;
        let plenty = Limits {
            binding: 1 << 30,
            ..LIMITS
        };
        (by_binding, fit(p, want, &plenty).expect("fits").chips)
    };
    let floats = chips(&p);
    p.keep(planes, Storage::F16);
    // 160,000 and 80,000 bytes of 1 MiB and of 4 MiB, of which copies of writes take 256 KiB.
    assert_eq!((floats, chips(&p)), ((6, 24), (13, 49)));
}

#[test]
fn fit_shows_the_arithmetic() {
    let want = Capacity {
        chips: 2,
        images: 16,
        chunk: 16,
    };
    let e = fit(&chain(40_000, Scope::PerChip), want, &LIMITS).expect_err("too large");
    let text = e.to_string();
    assert!(text.contains("2560000 bytes"), "{text}");
    assert!(text.contains("1048576"), "{text}");
}

#[test]
fn aliased_writes_are_refused() {
    let mut p = Program::default();
    let shape = Shape::Image { c: 1, h: 1, w: 1 };
    let y = p.tensor("y", shape, Scope::Shared, Role::Output);
    p.section("run", vec![Op::from(Add { a: y, b: y, y })]);
    let capacity = Capacity {
        chips: 1,
        images: 16,
        chunk: 16,
    };
    let e = Plan::new(&p, capacity, &LIMITS).expect_err("aliased");
    assert!(e.to_string().contains("also takes"), "{e}");
}

/// Equal tables are one buffer, and a map written in pieces keeps its place between them.
#[test]
fn tables_are_kept_once_and_pieces_together() {
    let mut p = Program::default();
    let map = |c| Shape::Image { c, h: 1, w: 1 };
    let x = p.tensor("x", map(2), Scope::Shared, Role::Input);
    let whole = p.tensor("whole", map(4), Scope::Shared, Role::Temp);
    let between = p.tensor("between", map(2), Scope::Shared, Role::Temp);
    let y = p.tensor("y", map(4), Scope::Shared, Role::Output);
    let piece = |x, first| {
        Op::from(Rearrange {
            x,
            y: whole,
            first,
            table: [1, 0].into(),
            fill: 0.0,
        })
    };
    let sum = |a, y| Op::from(Add { a, b: a, y });
    let ops = vec![
        piece(x, 2),
        sum(x, between),
        piece(between, 0),
        sum(whole, y),
    ];
    p.section("run", ops);
    let capacity = Capacity {
        chips: 1,
        images: 16,
        chunk: 16,
    };
    let plan = Plan::new(&p, capacity, &LIMITS).expect("plan");
    assert_eq!(plan.tables.len(), 1);
    assert_eq!(plan.pool, [4 * 16 * 4, 2 * 16 * 4]);
    let own: u64 = (2 + 4) * 16 * 4;
    // And a copy of what is written.
    assert_eq!(plan.total(), own + (4 + 2) * 16 * 4 + 8 + 2 * 16 * 4);
    let steps = &plan.sections[0];
    assert_eq!(steps[0].places[2], steps[2].places[2]);
    assert_ne!(steps[1].places[2], steps[0].places[2]);
}

/// What is read in flight has two copies beside it, what is written one.
#[test]
fn reads_in_flight_count() {
    let mut p = Program::default();
    let t = p.tensor("t", Shape::Flat(3), Scope::PerChip, Role::State);
    p.section("run", Vec::new());
    let capacity = Capacity {
        chips: 5,
        images: 16,
        chunk: 16,
    };
    let total = |p: &Program| Plan::new(p, capacity, &LIMITS).expect("plan").total();
    let own: u64 = 4 * 4 * 5;
    assert_eq!(total(&p), 2 * own);
    p.read_in_flight(t);
    assert_eq!(total(&p), 2 * own + 2 * own.next_power_of_two());
}
