//! What an effect tells its shader: constants that choose a kernel's variant, and numbers in a struct.

use super::Curve;

/// Value of a constant of a shader.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constant {
    /// Unsigned.
    U32(u32),
    /// True or false.
    Bool(bool),
}

/// Tables of numbers that several effects share a buffer for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(pub Vec<u32>);

impl Table {
    /// Appends a curve; where it starts and how many values it has.
    pub fn append(&mut self, curve: Option<&Curve>) -> [u32; 2] {
        let at = self.0.len() as u32;
        let values = curve.map_or(&[][..], |v| v);
        self.0.extend(values.iter().map(|v| v.to_bits()));
        [at, values.len() as u32]
    }
}

/// Fields of a uniform struct of 32-bit numbers, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Name, type and bits of every field.
    pub fields: Vec<(&'static str, &'static str, u32)>,
}

/// Everything that effects tell a kernel.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// Constants.
    pub constants: Vec<(&'static str, Constant)>,
    /// Shared tables.
    pub table: Table,
    /// Struct of every effect so far.
    pub blocks: Vec<Block>,
}

impl Numbers {
    /// Begins the struct of the next effect.
    pub fn begin(&mut self) {
        self.blocks.push(Block::default());
    }

    fn field(&mut self, name: &'static str, kind: &'static str, bits: u32) {
        if let Some(block) = self.blocks.last_mut() {
            block.fields.push((name, kind, bits));
        }
    }

    /// A constant.
    pub fn constant(&mut self, name: &'static str, value: Constant) {
        self.constants.push((name, value));
    }

    /// A flag.
    pub fn flag(&mut self, name: &'static str, value: bool) {
        self.constant(name, Constant::Bool(value));
    }

    /// A field of the effect's struct.
    pub fn f32(&mut self, name: &'static str, value: f32) {
        self.field(name, "f32", value.to_bits());
    }

    /// Two fields: where a curve starts in the table, and how many values it has.
    pub fn curve(&mut self, names: [&'static str; 2], curve: Option<&Curve>) {
        let [at, len] = self.table.append(curve);
        self.field(names[0], "u32", at);
        self.field(names[1], "u32", len);
    }
}
