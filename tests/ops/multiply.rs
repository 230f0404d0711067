//! Factors that are refused; products are in `tests/cases`.

use pimento::program::*;

use crate::case::Case;

#[test]
fn a_factor_of_another_shape_is_refused() {
    let shape = Shape::Image { c: 2, h: 3, w: 1 };
    for factor in [(1, 1, 1), (2, 1, 3), (3, 1, 1)] {
        let (c, h, w) = factor;
        let mut case = Case::new(0, 1, 1);
        let a = case.random(shape, Scope::Shared);
        let b = case.random(Shape::Image { c, h, w }, Scope::Shared);
        let y = case.result(shape, Scope::Shared);
        let text = case.refusal(vec![Op::from(Multiply { a, b, y })]);
        assert!(text.contains("multiply"), "{text}");
        assert!(text.contains("2 x 1 x 1"), "{text}");
    }
}
