//! Uniform blocks: a struct of numbers, and one list of its fields that makes the bytes.
//!
//! `uniform!` declares a block like a struct. Its fields are written in order, four bytes each, pairs at a
//! multiple of 8; a block in a block begins at a multiple of 16 bytes, and every block ends at one, as
//! WGSL's uniform address space wants. The names go along, so that the tests can hold them against the
//! layout that naga computes for the shader that reads them.

use crate::effects::Numbers;

/// What is at a place of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Name of the field in the shader.
    pub name: &'static str,
    /// Its first byte.
    pub at: u32,
    /// Its type in the shader.
    pub kind: &'static str,
}

/// The bytes of a block, and what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Every number in them.
    pub leaves: Vec<Leaf>,
}

impl Bytes {
    /// The bytes of a block.
    pub fn of(block: &impl Uniform) -> Self {
        let mut bytes = Self::default();
        block.write("", &mut bytes);
        bytes
    }

    /// Fills up to the next multiple of `to` bytes.
    pub fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    /// A field of four bytes, or of several of one name.
    pub fn field(&mut self, name: &'static str, kind: &'static str, bits: &[u32]) {
        let at = self.bytes.len() as u32;
        self.leaves.push(Leaf { name, at, kind });
        let words = bits.iter().flat_map(|b| b.to_ne_bytes());
        self.bytes.extend(words);
    }
}

/// What can be a field of a block, or a whole block.
pub(super) trait Uniform {
    /// Appends itself; blocks have fields with names of their own.
    fn write(&self, name: &'static str, bytes: &mut Bytes);
}

impl Uniform for u32 {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        bytes.field(name, "u32", &[*self]);
    }
}

impl Uniform for i32 {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        bytes.field(name, "i32", &[self.cast_unsigned()]);
    }
}

impl Uniform for f32 {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        bytes.field(name, "f32", &[self.to_bits()]);
    }
}

impl Uniform for [f32; 2] {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        bytes.align(8);
        bytes.field(name, "vec2<f32>", &self.map(f32::to_bits));
    }
}

/// The structs of effects, one after the other.
impl Uniform for Numbers {
    fn write(&self, _: &'static str, bytes: &mut Bytes) {
        for block in &self.blocks {
            bytes.align(16);
            for (name, kind, bits) in &block.fields {
                bytes.field(name, kind, &[*bits]);
            }
        }
        bytes.align(16);
    }
}

/// A block that begins with the fields of another one.
impl<A: Uniform, B: Uniform> Uniform for (&A, B) {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        self.0.write(name, bytes);
        self.1.write(name, bytes);
    }
}

/// Declares blocks with their fields, in the shader's order and without its padding.
macro_rules! uniform {
    ($(
        $(#[$meta:meta])*
        struct $name:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Default)]
        pub(super) struct $name {
            $($(#[$fmeta])* pub $field: $type,)*
        }

        impl $crate::backend::wgpu::uniform::Uniform for $name {
            fn write(&self, _: &'static str, bytes: &mut $crate::backend::wgpu::uniform::Bytes) {
                bytes.align(16);
                $(self.$field.write(stringify!($field), bytes);)*
                bytes.align(16);
            }
        }
    )*};
}

pub(super) use uniform;
