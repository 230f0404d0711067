//! Uniform blocks have the names, types and places that naga finds in the shader.

use crate::backend::wgpu::dispatch::{Dispatch, RunUniform};
use crate::backend::wgpu::uniform::{Bytes, Leaf};

/// A number of a block: name, first byte, type.
type Number = (String, u32, String);

/// Whether a field only fills a block up.
fn fills(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name == "pad" || name == "unused"
}

/// Numbers of a type, from a byte on.
fn numbers(module: &naga::Module, ty: naga::Handle<naga::Type>, from: u32, out: &mut Vec<Number>) {
    let naga::TypeInner::Struct { members, .. } = &module.types[ty].inner else {
        return;
    };
    for member in members {
        let (name, at) = (
            member.name.clone().unwrap_or_default(),
            from + member.offset,
        );
        let scalar = |s: &naga::Scalar| match s.kind {
            naga::ScalarKind::Uint => "u32",
            naga::ScalarKind::Sint => "i32",
            _ => "f32",
        };
        match &module.types[member.ty].inner {
            naga::TypeInner::Struct { .. } => numbers(module, member.ty, at, out),
            naga::TypeInner::Scalar(s) if !fills(&name) => out.push((name, at, scalar(s).into())),
            naga::TypeInner::Scalar(_) => {}
            naga::TypeInner::Vector { size, scalar: s } => {
                out.push((name, at, format!("vec{}<{}>", *size as u32, scalar(s))));
            }
            other => panic!("{name}: {other:?} in a uniform block"),
        }
    }
}

fn written(leaves: &[Leaf]) -> Vec<Number> {
    let number = |l: &Leaf| (l.name.to_owned(), l.at, l.kind.to_owned());
    leaves.iter().map(number).collect()
}

/// The parameters of a kernel call, and those that all kernels share, are what its shader reads.
pub(super) fn check(dispatch: &Dispatch, module: &naga::Module) {
    for (_, global) in module.global_variables.iter() {
        if global.space != naga::AddressSpace::Uniform {
            continue;
        }
        let bytes = match global.binding.as_ref().map(|b| b.binding) {
            Some(0) => Bytes::of(&RunUniform::default()),
            Some(1) => dispatch.params.clone(),
            // A window on a storage buffer.
            _ => continue,
        };
        let mut wanted = Vec::new();
        numbers(module, global.ty, 0, &mut wanted);
        assert_eq!(written(&bytes.leaves), wanted, "{}", dispatch.shader);
        let naga::TypeInner::Struct { span, .. } = module.types[global.ty].inner else {
            panic!("{}: a uniform that is no struct", dispatch.shader);
        };
        let size = bytes.bytes.len();
        assert_eq!(
            span.next_multiple_of(16) as usize,
            size,
            "{}",
            dispatch.shader
        );
    }
}
