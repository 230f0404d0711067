//! Tables that are refused; copies are in `tests/cases`.

use pimento::program::*;

use crate::case::Case;

#[test]
fn what_does_not_fit_is_refused() {
    let attempt = |first: usize, table: Vec<u32>, reads: bool| {
        let mut case = Case::new(0, 1, 1);
        let x = case.random([2, 2, 1], Scope::Shared);
        let t = case.temp([3, 2, 1], Scope::Shared);
        let y = case.result([3, 2, 1], Scope::Shared);
        let mut ops = vec![Op::from(Rearrange {
            x,
            y: t,
            first,
            table: table.into(),
            fill: 0.0,
        })];
        if reads {
            ops.push(Op::from(Softmax { x: t, y }));
        }
        case.refusal(ops)
    };
    let text = attempt(0, vec![4], false);
    assert!(text.contains("takes value 4 of"), "{text}");
    for (first, len) in [(3, 4), (7, 1), (usize::MAX, 2), (0, 0)] {
        let text = attempt(first, vec![0; len], false);
        assert!(text.contains("do not fit"), "{text}");
    }
    // A place is missing before the end, at the end, at the start.
    for (first, len) in [(0, 5), (1, 5)] {
        let text = attempt(first, vec![0; len], true);
        assert!(text.contains("before it is written"), "{text}");
    }
}
