//! Moving training images at random.

use std::f64::consts::PI;

use crate::random::{Purpose, Stream};

/// What is done to training images at random: a crop of the padded image, then a flip, then a
/// rotation, as `RandomCrop(padding)`, `RandomHorizontalFlip` and `RandomRotation` of torchvision
/// do in this order.
///
/// What comes from outside the image is the pixel 0 *before* normalisation (black), which is where
/// torchvision's transforms put it when `ToTensor` and `Normalize` come after them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Augment {
    /// Rows and columns of padding on each side before an image of the old size is cut out: shifts
    /// of `-pad ..= pad` in both directions, all equally probable.
    pub pad: usize,
    /// Whether half of the images are mirrored left to right.
    pub flip: bool,
    /// Rotation about the centre by an angle uniform in `-rotate_degrees ..= rotate_degrees`.
    pub rotate_degrees: f64,
}

/// How one image is moved; drawn by [`Augment::draw`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Motion {
    /// Row of the image that becomes row 0; negative: padding comes first.
    pub row: isize,
    /// Column that becomes column 0.
    pub column: isize,
    /// Whether it is then mirrored left to right.
    pub flip: bool,
    /// Rotation after that, degrees, counter-clockwise as seen.
    pub degrees: f64,
}

impl Augment {
    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The motion of an image in an epoch: words `4*image ..` of the augmentation stream of (seed,
    /// epoch), so neither the order of the images nor the batch nor a resumed run matters.
    pub fn draw(&self, seed: u64, epoch: u32, image: usize) -> Motion {
        let words = Stream::new(seed, Purpose::Augment, 0, 0, epoch);
        let first = (image as u32).wrapping_mul(4);
        let shift = |k: u32| {
            let choices = 2 * self.pad as u64 + 1;
            // Multiply-shift, as the shuffle's; the bias is below choices / 2^32.
            let below = (u64::from(words.word(first + k)) * choices) >> 32;
            below as isize - self.pad as isize
        };
        let unit = (f64::from(words.word(first + 3)) + 0.5) / 2f64.powi(32);
        Motion {
            row: shift(0),
            column: shift(1),
            flip: self.flip && words.word(first + 2) >> 31 == 1,
            degrees: self.rotate_degrees * (2.0 * unit - 1.0),
        }
    }
}

impl Motion {
    /// Moves `image` (`[c][h][w]`) into `out` of the same shape; `outside` is the value of each
    /// channel beyond the edges. Shifts and flips copy values; a rotation interpolates bilinearly
    /// between the four neighbours.
    pub fn apply(
        &self,
        image: &[f32],
        (c, h, w): (usize, usize, usize),
        outside: &[f32],
        out: &mut [f32],
    ) {
        debug_assert_eq!((image.len(), out.len()), (c * h * w, c * h * w));
        if self.degrees == 0.0 {
            return self.shift(image, (h, w), outside, out);
        }
        let mut shifted = vec![0.0; image.len()];
        self.shift(image, (h, w), outside, &mut shifted);
        self.rotate(&shifted, (h, w), outside, out);
    }

    fn shift(&self, image: &[f32], (h, w): (usize, usize), outside: &[f32], out: &mut [f32]) {
        // Columns of the output, before the flip, that come from inside the image.
        let inside = |from: isize, n: usize| {
            let first = from.min(0).unsigned_abs().min(n);
            let end = n - from.max(0).unsigned_abs().min(n);
            first..end.max(first)
        };
        let (rows, columns) = (inside(self.row, h), inside(self.column, w));
        let planes = image.chunks_exact(h * w).zip(out.chunks_exact_mut(h * w));
        for ((image, out), &outside) in planes.zip(outside) {
            for (y, line) in out.chunks_exact_mut(w).enumerate() {
                line.fill(outside);
                if !rows.contains(&y) || columns.is_empty() {
                    continue;
                }
                let at = |x: usize| (x as isize + self.column) as usize;
                let source = &image[(y as isize + self.row) as usize * w..][..w];
                let source = &source[at(columns.start)..at(columns.end - 1) + 1];
                line[columns.clone()].copy_from_slice(source);
                if self.flip {
                    line.reverse();
                }
            }
        }
    }

    fn rotate(&self, image: &[f32], (h, w): (usize, usize), outside: &[f32], out: &mut [f32]) {
        let (sin, cos) = (self.degrees * PI / 180.0).sin_cos();
        let (cy, cx) = ((h as f64 - 1.0) / 2.0, (w as f64 - 1.0) / 2.0);
        for y in 0..h {
            for x in 0..w {
                // Where this pixel was before; rows grow downwards.
                let (dy, dx) = (y as f64 - cy, x as f64 - cx);
                let (sy, sx) = (sin * dx + cos * dy + cy, cos * dx - sin * dy + cx);
                let (top, left) = (sy.floor(), sx.floor());
                let (fy, fx) = ((sy - top) as f32, (sx - left) as f32);
                let corners = [
                    (top, left, (1.0 - fy) * (1.0 - fx)),
                    (top, left + 1.0, (1.0 - fy) * fx),
                    (top + 1.0, left, fy * (1.0 - fx)),
                    (top + 1.0, left + 1.0, fy * fx),
                ];
                let inside = |v: f64, n: usize| v >= 0.0 && v < n as f64;
                let corners = corners.map(|(y, x, weight)| {
                    let known = inside(y, h) && inside(x, w);
                    (known.then(|| y as usize * w + x as usize), weight)
                });
                for (channel, &outside) in outside.iter().enumerate() {
                    let plane = channel * h * w;
                    let value = |at: Option<usize>| at.map_or(outside, |at| image[plane + at]);
                    out[plane + y * w + x] = corners
                        .iter()
                        .map(|&(at, weight)| weight * value(at))
                        .sum::<f32>();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 3 x 4: `100*c + 10*y + x`.
    fn image() -> Vec<f32> {
        let at = |i: usize| (100 * (i / 12) + 10 * (i / 4 % 3) + i % 4) as f32;
        (0..24).map(at).collect()
    }

    const OUTSIDE: [f32; 2] = [-1.0, -2.0];

    fn moved(motion: Motion, image: &[f32], shape: (usize, usize, usize)) -> Vec<f32> {
        let mut out = vec![f32::NAN; image.len()];
        motion.apply(image, shape, &OUTSIDE[..shape.0], &mut out);
        out
    }

    #[test]
    fn shifts_and_flips_move_every_pixel_to_its_place() {
        let source = image();
        for row in -5isize..=5 {
            for column in -6isize..=6 {
                for flip in [false, true] {
                    let motion = Motion {
                        row,
                        column,
                        flip,
                        degrees: 0.0,
                    };
                    let out = moved(motion, &source, (2, 3, 4));
                    for (i, &found) in out.iter().enumerate() {
                        let (c, y, x) = (i / 12, (i / 4 % 3) as isize, (i % 4) as isize);
                        let (sy, sx) = (y + row, if flip { 3 - x } else { x } + column);
                        let expected = match (0..3).contains(&sy) && (0..4).contains(&sx) {
                            true => source[c * 12 + (sy * 4 + sx) as usize],
                            false => OUTSIDE[c],
                        };
                        assert_eq!(found, expected, "{motion:?} at {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn quarter_turns_are_permutations() {
        // Sine and cosine of a quarter turn are off by 1e-16, pixels are of order 100.
        const TOLERANCE: f32 = 1e-4;
        let n = 5;
        let source: Vec<f32> = (0..n * n).map(|i| (i * i % 97) as f32).collect();
        for (turns, degrees) in [(1, 90.0), (2, 180.0), (3, 270.0), (3, -90.0), (0, 360.0)] {
            let motion = Motion {
                degrees,
                ..Motion::default()
            };
            let out = moved(motion, &source, (1, n, n));
            for y in 0..n {
                for x in 0..n {
                    // Counter-clockwise: what stood right goes up.
                    let (sy, sx) = match turns {
                        0 => (y, x),
                        1 => (x, n - 1 - y),
                        2 => (n - 1 - y, n - 1 - x),
                        _ => (n - 1 - x, y),
                    };
                    let (found, expected) = (out[y * n + x], source[sy * n + sx]);
                    assert!((found - expected).abs() < TOLERANCE, "{degrees} at {y} {x}");
                }
            }
        }
    }

    #[test]
    fn rotation_keeps_a_plane_a_plane() {
        // Bilinear interpolation is exact for v = a + b*y + c*x; corners leave the image.
        const TOLERANCE: f32 = 1e-4;
        let n = 21;
        let value = |y: f64, x: f64| 3.0 + 0.5 * y - 0.25 * x;
        let source: Vec<f32> = (0..n * n)
            .map(|i| value((i / n) as f64, (i % n) as f64) as f32)
            .collect();
        let degrees = 17.0;
        let motion = Motion {
            degrees,
            ..Motion::default()
        };
        let out = moved(motion, &source, (1, n, n));
        let (sin, cos) = (degrees * PI / 180.0).sin_cos();
        for y in 6..15 {
            for x in 6..15 {
                let (dy, dx) = (y as f64 - 10.0, x as f64 - 10.0);
                let expected = value(sin * dx + cos * dy + 10.0, cos * dx - sin * dy + 10.0);
                let found = out[y * n + x];
                assert!((found - expected as f32).abs() < TOLERANCE, "{y} {x}");
            }
        }
        // The corner comes from outside, and far enough to have no neighbour inside.
        assert_eq!(out[0], OUTSIDE[0]);
    }

    #[test]
    fn draws_are_uniform_and_depend_on_seed_epoch_and_image_only() {
        let augment = Augment {
            pad: 2,
            flip: true,
            rotate_degrees: 30.0,
        };
        const N: usize = 50_000;
        let draws: Vec<Motion> = (0..N).map(|i| augment.draw(9, 4, i)).collect();
        assert_eq!(draws[17], augment.draw(9, 4, 17));
        for other in [
            augment.draw(10, 4, 17),
            augment.draw(9, 5, 17),
            augment.draw(9, 4, 18),
        ] {
            assert_ne!(draws[17], other);
        }
        let n = N as f64;
        // z = 6 standard errors.
        let count = |p: f64, hit: &dyn Fn(&Motion) -> bool| {
            let found = draws.iter().filter(|m| hit(m)).count() as f64;
            let bar = 6.0 * (n * p * (1.0 - p)).sqrt();
            assert!((found - n * p).abs() < bar, "{found} of {n} at {p}");
        };
        for shift in -2..=2 {
            count(0.2, &|m| m.row == shift);
            count(0.2, &|m| m.column == shift);
            count(0.04, &|m| m.row == shift && m.column == -shift);
            count(0.1, &|m| m.row == shift && m.flip);
        }
        count(0.5, &|m| m.flip);
        count(0.25, &|m| m.degrees < -15.0);
        count(0.25, &|m| m.degrees > 15.0);
        count(0.25, &|m| m.degrees > 0.0 && m.flip);
        assert!(draws.iter().all(|m| m.degrees.abs() <= 30.0));
        // What is off does not move, and does not change the other draws.
        let only_flip = Augment {
            flip: true,
            ..Augment::default()
        };
        assert!(!only_flip.is_none() && Augment::default().is_none());
        for (i, m) in draws.iter().enumerate().take(100) {
            let alone = only_flip.draw(9, 4, i);
            assert_eq!((alone.row, alone.column, alone.degrees), (0, 0, 0.0));
            assert_eq!(alone.flip, m.flip);
        }
    }
}
