//! Whether images fit the input of a network. [`entry`] decides that for sweeps, trainings, `check`
//! and `infer` alike.

/// Channels, rows, columns.
pub type Shape = (usize, usize, usize);

/// How images enter a network. Their values keep their order in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The sizes are equal, up to ones: `(N, 64)` are `(N, 64, 1, 1)`, `(N, 8, 8)` are `(N, 1, 8, 8)`.
    Equal,
    /// Every value is an input of its own: channel by channel, row by row.
    Flattened,
}

/// How images of these sizes (without their number) enter a network with the input `input`; `None`
/// where they do not fit.
///
/// Sizes are equal up to ones: in which place a one stands, or whether it does, changes nothing. An
/// input with at most one size above 1 is flat and takes any image of as many values, in the order
/// channel, row, column.
pub fn entry(sizes: &[usize], input: Shape) -> Option<Entry> {
    let input = [input.0, input.1, input.2];
    if wide(sizes).eq(wide(&input)) {
        return Some(Entry::Equal);
    }
    let values = |sizes: &[usize]| sizes.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let flat = wide(&input).count() <= 1;
    let as_many = values(sizes).is_some() && values(sizes) == values(&input);
    (flat && as_many).then_some(Entry::Flattened)
}

/// The sizes that are not 1.
fn wide(sizes: &[usize]) -> impl Iterator<Item = usize> + '_ {
    sizes.iter().copied().filter(|d| *d != 1)
}

/// The number of values of a shape with at most one size above 1; `None` for another one.
pub fn flat((c, h, w): Shape) -> Option<usize> {
    let sizes = [c, h, w];
    (wide(&sizes).count() <= 1).then(|| sizes.iter().product())
}

/// The image that an array has behind its first index, and whether its channels are last:
/// `(H, W, C)` where the last size is 1 or 3 and the first is not, else `(C, H, W)`; `(H, W)` has one
/// channel, `(F)` is one row of it. Of more sizes those that are 1 are left out. `None` where they
/// make no image.
pub fn of_array(sizes: &[usize]) -> Option<(Shape, bool)> {
    let all: Vec<usize>;
    let sizes = match sizes.len() {
        0..=3 => sizes,
        _ => {
            all = wide(sizes).collect();
            &all
        }
    };
    match *sizes {
        [f] => Some(((1, 1, f), false)),
        [h, w] => Some(((1, h, w), false)),
        [h, w, c] if [1, 3].contains(&c) && ![1, 3].contains(&h) => Some(((c, h, w), true)),
        [c, h, w] => Some(((c, h, w), false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_agree_up_to_ones_or_are_flattened() {
        use Entry::{Equal, Flattened};
        let cases: [(&[usize], Shape, Option<Entry>); 16] = [
            (&[1, 8, 8], (1, 8, 8), Some(Equal)),
            (&[8, 8], (1, 8, 8), Some(Equal)),
            (&[1, 8, 8], (8, 1, 8), Some(Equal)),
            (&[1, 8, 8], (8, 8, 1), Some(Equal)),
            (&[64], (64, 1, 1), Some(Equal)),
            (&[1, 1, 64], (64, 1, 1), Some(Equal)),
            (&[3, 1, 20], (3, 1, 20), Some(Equal)),
            (&[1, 3, 20], (3, 1, 20), Some(Equal)),
            (&[1, 1, 1], (1, 1, 1), Some(Equal)),
            (&[3, 8, 8], (192, 1, 1), Some(Flattened)),
            (&[1, 8, 8], (1, 1, 64), Some(Flattened)),
            (&[8, 8], (64, 1, 1), Some(Flattened)),
            // As many values are not enough: whose rows?
            (&[64], (1, 8, 8), None),
            (&[1, 16, 4], (1, 8, 8), None),
            (&[3, 8, 8], (8, 8, 3), None),
            (&[1, 8, 8], (63, 1, 1), None),
        ];
        for (sizes, input, expected) in cases {
            assert_eq!(entry(sizes, input), expected, "{sizes:?} {input:?}");
        }
        assert_eq!(entry(&[usize::MAX, 4], (4, 1, 1)), None);
        assert_eq!(flat((1, 1, 5)), Some(5));
        assert_eq!((flat((1, 1, 1)), flat((2, 1, 5))), (Some(1), None));
    }

    #[test]
    fn arrays_are_images() {
        assert_eq!(of_array(&[7]), Some(((1, 1, 7), false)));
        assert_eq!(of_array(&[3, 7]), Some(((1, 3, 7), false)));
        assert_eq!(of_array(&[8, 9, 3]), Some(((3, 8, 9), true)));
        assert_eq!(of_array(&[8, 9, 1]), Some(((1, 8, 9), true)));
        assert_eq!(of_array(&[3, 9, 3]), Some(((3, 9, 3), false)));
        assert_eq!(of_array(&[1, 1, 8, 9]), Some(((1, 8, 9), false)));
        assert_eq!(of_array(&[2, 3, 8, 9]), None);
        assert_eq!(of_array(&[]), None);
    }
}
