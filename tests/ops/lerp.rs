use crate::harness::*;
use pimento::program::*;

fn after(rate: Rate, times: f32, step: u32) -> Vec<f32> {
    let mut rig = Rig::new(2, 0);
    let state = rig.flat(2, Scope::PerChip, &[1.0, 2.0, 3.0, 4.0]);
    let value = rig.flat(2, Scope::PerChip, &[10.0, 20.0, 30.0, 40.0]);
    rig.args.step = step;
    let op = Op::from(Lerp {
        state,
        value,
        rate,
        times,
    });
    rig.run(op, [state])[0].clone()
}

#[test]
fn moves_at_every_kind_of_rate() {
    assert_eq!(after(Rate::Fixed(0.5), 1.0, 0), [5.5, 11.0, 16.5, 22.0]);
    assert_eq!(after(Rate::Fixed(0.5), 2.0, 7), [10.5, 21.0, 31.5, 42.0]);
    assert_eq!(
        after(Rate::FixedFromFirst(0.5), 2.0, 0),
        [20.0, 40.0, 60.0, 80.0]
    );
    assert_eq!(
        after(Rate::FixedFromFirst(0.5), 1.0, 1),
        [5.5, 11.0, 16.5, 22.0]
    );
    assert_eq!(after(Rate::Sum, 0.5, 7), [6.0, 12.0, 18.0, 24.0]);
    assert_eq!(after(Rate::Cumulative, 1.0, 0), [10.0, 20.0, 30.0, 40.0]);
    assert_eq!(after(Rate::Cumulative, 1.0, 3), [3.25, 6.5, 9.75, 13.0]);
}

#[test]
fn cumulative_is_the_running_mean() {
    let mut rig = Rig::new(1, 0);
    let state = rig.shared(&[f32::MAX]);
    let value = rig.result(1, Scope::Shared);
    let mut session = rig.session(Op::from(Lerp {
        state,
        value,
        rate: Rate::Cumulative,
        times: 1.0,
    }));
    let values = [3.0f32, -1.0, 4.0, 10.0];
    for (step, v) in values.into_iter().enumerate() {
        session.write(value, &[v]).unwrap();
        rig.args.step = step as u32;
        session.run(SectionId(0), &rig.args).unwrap();
    }
    close(&session.read(state).unwrap(), &[4.0], 8.0 * ROUNDING, 0.0);
}

#[test]
fn zero_clears_every_chip() {
    let mut rig = Rig::new(3, 0);
    let t = rig.flat(2, Scope::PerChip, &[1.0; 6]);
    assert_eq!(rig.run(Op::from(Zero { t }), [t])[0], [0.0; 6]);
}
