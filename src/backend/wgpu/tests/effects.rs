//! The numbers of the effects in the shaders: names and places as the host writes them.

use std::mem::{offset_of, size_of};

use super::cells::{ANY_CONSTS, ENCODINGS, programming};
use crate::backend::wgpu::program_cells::{self, CellParams, Params, ReferenceParams};
use crate::backend::wgpu::shader;

/// Names and offsets of the numbers of a struct and of the structs in it.
fn flat(module: &naga::Module, name: &str, from: u32, out: &mut Vec<(String, u32)>) -> u32 {
    let found = module.types.iter().find_map(|(_, ty)| match &ty.inner {
        naga::TypeInner::Struct { members, span } if ty.name.as_deref() == Some(name) => {
            Some((members, *span))
        }
        _ => None,
    });
    let (members, span) = found.unwrap_or_else(|| panic!("no struct {name}"));
    for member in members {
        let at = from + member.offset;
        let own = member.name.clone().unwrap_or_default();
        let ty = &module.types[member.ty];
        match (&ty.inner, ty.name.as_deref()) {
            (naga::TypeInner::Struct { .. }, Some(inner)) if inner != "View" => {
                flat(module, inner, at, out);
            }
            _ => out.push((own, at)),
        }
    }
    span
}

/// The same of what the host writes before the last fields.
fn first() -> (Vec<(String, u32)>, u32) {
    let cells = program_cells::cells(&programming(ENCODINGS[0]));
    macro_rules! fields {
        ($($field:ident),*) => {
            vec![$((stringify!($field).to_owned(), offset_of!(CellParams, $field) as u32)),*]
        };
    }
    let mut all = fields!(
        rows,
        cols,
        col_tiles,
        slices,
        offset_code,
        layer,
        col_tile_at,
        slice_at,
        levels_at,
        g_min,
        code_low,
        code_high
    );
    let mut at = size_of::<CellParams>() as u32;
    for block in &cells.numbers.blocks {
        for (i, (name, _)) in block.fields.iter().enumerate() {
            all.push(((*name).to_owned(), at + 4 * i as u32));
        }
        at = (at + 4 * block.fields.len() as u32).next_multiple_of(16);
    }
    assert_eq!(at as usize, cells.bytes().len());
    (all, at)
}

#[test]
fn numbers_have_the_layout_of_the_shaders() {
    macro_rules! last {
        ($rust:ty, $($field:ident),*) => {
            (vec![$((stringify!($field), offset_of!($rust, $field) as u32)),*], size_of::<$rust>())
        };
    }
    for (file, (last, size)) in [
        (
            "program_cells",
            last!(Params, out, variance, array, per_column, pad0, pad1, pad2),
        ),
        (
            "program_cells_reference",
            last!(ReferenceParams, array, count, row_quads, pad0, pad1),
        ),
    ] {
        let source = shader::compose(file, ANY_CONSTS).expect("source");
        let module = naga::front::wgsl::parse_str(&source.text)
            .unwrap_or_else(|e| panic!("{file}: {}", e.emit_to_string(&source.text)));
        let mut wgsl = Vec::new();
        let span = flat(&module, "Params", 0, &mut wgsl);
        let (mut host, at) = first();
        host.extend(last.into_iter().map(|(name, i)| (name.to_owned(), at + i)));
        assert_eq!(wgsl, host, "{file}");
        assert_eq!(span as usize, at as usize + size, "{file}");
    }
}
