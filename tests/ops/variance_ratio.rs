use crate::harness::*;
use pimento::program::*;

#[test]
fn is_the_root_of_the_ratio_of_sums_on_every_chip() {
    let mut rig = Rig::new(2, 0);
    let a = rig.flat(3, Scope::PerChip, &[1.0, 2.0, 5.0, 0.0, 3.0, 0.0]);
    let b = rig.flat(3, Scope::PerChip, &[1.0, 0.5, 0.5, 0.0, 0.0, 0.0]);
    let out = rig.result(3, Scope::PerChip);
    let found = rig.run(Op::from(VarianceRatio { a, b, out }), [out]);
    assert_eq!(found[0], [2.0, 2.0, 2.0, 1.0, 1.0, 1.0]);
}
