//! How a cell's standard deviation depends on its conductance, with the slope that a gradient needs.

use std::sync::Arc;

/// Factor on a standard deviation by the relative conductance `g` in `0..=1`: straight pieces over equally wide
/// intervals, which need not meet; constant beyond the ends.
///
/// Piece `i` of `n` covers `i/n <= g < (i + 1)/n` with the value `start + (n g - i) rise`.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Start and rise of every piece, at least one.
    pieces: Arc<[[f32; 2]]>,
}

impl Profile {
    /// Pieces `[start, rise]`; none are a factor of 0.
    pub fn new(pieces: Vec<[f32; 2]>) -> Self {
        let none = pieces.is_empty();
        let pieces = if none { vec![[0.0; 2]] } else { pieces };
        Self {
            pieces: pieces.into(),
        }
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether the factor is 0 everywhere.
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| *piece == [0.0; 2])
    }

    /// Value at a conductance, and slope: that of its piece, 0 beyond the ends.
    pub fn at(&self, g: f32) -> [f32; 2] {
        let n = self.pieces.len();
        let place = g.clamp(0.0, 1.0) * n as f32;
        let i = (place as usize).min(n - 1);
        let [start, rise] = self.pieces[i];
        [start + (place - i as f32) * rise, n as f32 * rise]
    }

    /// Value at a conductance in `f64`.
    pub fn exact(&self, g: f64) -> f64 {
        let n = self.pieces.len();
        let place = g.clamp(0.0, 1.0) * n as f64;
        let i = (place as usize).min(n - 1);
        let [start, rise] = self.pieces[i].map(f64::from);
        start + (place - i as f64) * rise
    }

    /// The pieces, one after the other.
    pub fn values(&self) -> &[f32] {
        self.pieces.as_flattened()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_need_not_meet() {
        let profile = Profile::new(vec![[1.0, 0.5], [3.0, -1.0]]);
        assert_eq!(profile.at(0.25), [1.25, 1.0]);
        assert_eq!(profile.at(0.5), [3.0, -2.0]);
        assert_eq!(profile.at(1.0), [2.0, -2.0]);
        assert_eq!(profile.at(7.0), profile.at(1.0));
        assert_eq!(profile.exact(0.25), 1.25);
        assert!(Profile::new(vec![]).is_empty());
    }
}
