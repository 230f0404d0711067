//! How an operator uses its tensors. The check of programs and both backends schedule by this.

use std::ops::Range;

use super::{Post, TensorId};

/// One use of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Its content is used.
    Read,
    /// It is overwritten, whatever was in it.
    Write,
    /// These places of every image are overwritten, the others keep what they have.
    WritePlaces(Range<usize>),
    /// It is overwritten with a sum (or a maximum) over images, over chips too where it is shared:
    /// so it may be shared though what it depends on is per chip.
    Sum,
    /// It is read and written in place.
    Update,
}

/// A tensor of an operator, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// The tensor.
    pub tensor: TensorId,
    /// Its use.
    pub access: Access,
    /// Whether its values may be kept in halves ([`super::Storage::F16`]).
    pub halves: bool,
}

impl Operand {
    fn new(tensor: TensorId, access: Access) -> Self {
        Self {
            tensor,
            access,
            halves: false,
        }
    }

    /// [`Access::Read`].
    pub fn read(tensor: TensorId) -> Self {
        Self::new(tensor, Access::Read)
    }

    /// [`Access::Write`].
    pub fn write(tensor: TensorId) -> Self {
        Self::new(tensor, Access::Write)
    }

    /// [`Access::WritePlaces`].
    pub fn write_places(tensor: TensorId, places: Range<usize>) -> Self {
        Self::new(tensor, Access::WritePlaces(places))
    }

    /// [`Access::Sum`].
    pub fn sum(tensor: TensorId) -> Self {
        Self::new(tensor, Access::Sum)
    }

    /// [`Access::Update`].
    pub fn update(tensor: TensorId) -> Self {
        Self::new(tensor, Access::Update)
    }

    /// Says whether its values may be halves.
    pub fn halves(self, halves: bool) -> Self {
        Self { halves, ..self }
    }

    /// Whether the operator uses what was in it.
    pub fn is_read(&self) -> bool {
        match self.access {
            Access::Read | Access::Update => true,
            Access::Write | Access::WritePlaces(_) | Access::Sum => false,
        }
    }

    /// Whether the operator writes it.
    pub fn is_written(&self) -> bool {
        match self.access {
            Access::Read => false,
            Access::Write | Access::WritePlaces(_) | Access::Sum | Access::Update => true,
        }
    }
}

impl Post {
    /// The tensors that the epilogue reads.
    pub fn operands(&self) -> impl Iterator<Item = Operand> {
        let step = self.quant.map(|q| q.scale);
        let tensors = [self.scale, self.shift, self.residual, step];
        tensors.into_iter().flatten().map(Operand::read)
    }
}
