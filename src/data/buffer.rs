//! Values of a set in memory: its own, or those of another owner.
//!
//! A program that has images in memory already, as a Python program has them in arrays, lends them; nothing is
//! copied. Whoever lends values leaves them as they are while a set has them.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//! use pimento::data::{Buffer, Dataset, Pixels};
//!
//! let array: Arc<Vec<u8>> = Arc::new(vec![0; 64]);
//! let pixels = Pixels::Bytes(Buffer::lent(array.clone()));
//! let set = Dataset::new("lent", pixels, vec![0], (1, 8, 8), 1, 255)?;
//! assert_eq!(set.bytes().unwrap().as_ptr(), array.as_ptr());
//! # Ok::<(), pimento::Error>(())
//! ```

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// An owner of values.
type Owner<T> = Arc<dyn AsRef<[T]> + Send + Sync>;

/// Values, read as a slice.
#[derive(Clone)]
pub struct Buffer<T>(Kept<T>);

#[derive(Clone)]
enum Kept<T> {
    Own(Vec<T>),
    Lent(Owner<T>),
}

impl<T> Buffer<T> {
    /// Values of another owner, who must give the same slice whenever it is asked.
    pub fn lent(owner: Arc<dyn AsRef<[T]> + Send + Sync>) -> Self {
        Self(Kept::Lent(owner))
    }

    /// The values, to be changed: a copy where they are lent.
    pub fn to_mut(&mut self) -> &mut Vec<T>
    where
        T: Clone,
    {
        if let Kept::Lent(owner) = &self.0 {
            self.0 = Kept::Own(owner.as_ref().as_ref().to_vec());
        }
        match &mut self.0 {
            Kept::Own(values) => values,
            Kept::Lent(_) => unreachable!("made its own above"),
        }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Kept::Own(values) => values,
            Kept::Lent(owner) => owner.as_ref().as_ref(),
        }
    }
}

impl<T> From<Vec<T>> for Buffer<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Kept::Own(values))
    }
}

impl<T: PartialEq> PartialEq for Buffer<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_values_are_the_owners_until_they_are_changed() {
        let owner = Arc::new(vec![1, 2, 3]);
        let mut lent = Buffer::lent(owner.clone());
        assert_eq!((lent.as_ptr(), &*lent), (owner.as_ptr(), &[1, 2, 3][..]));
        assert_eq!(lent, Buffer::from(vec![1, 2, 3]));
        assert_eq!(lent.clone().as_ptr(), owner.as_ptr());
        lent.to_mut()[1] = 7;
        assert_eq!((&*lent, &**owner), (&[1, 7, 3][..], &[1, 2, 3][..]));
    }
}
