//! WGSL to SPIR-V with the options that wgpu passes to naga on RADV.

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::Result;

/// A kernel in the driver's language.
pub struct Kernel {
    /// SPIR-V.
    pub words: Vec<u32>,
    /// Threads of a workgroup.
    pub threads: u32,
    /// Bindings of group 0, and whether each is a uniform buffer.
    pub bindings: Vec<(u32, bool)>,
}

/// Translates one entry point.
pub fn translate(text: &str, entry: &str) -> Result<Kernel> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    let pipeline = spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: entry.to_owned(),
    };
    let words = spv::write_vec(&module, &info, &options(), Some(&pipeline));
    let point = module.entry_points.iter().find(|e| e.name == entry);
    let point = point.ok_or_else(|| format!("no entry point {entry}"))?;
    let globals = module.global_variables.iter();
    let bindings = globals.filter_map(|(_, global)| {
        let binding = global.binding.as_ref()?.binding;
        Some((binding, global.space == naga::AddressSpace::Uniform))
    });
    Ok(Kernel {
        words: words.map_err(|e| e.to_string())?,
        threads: point.workgroup_size.iter().product(),
        bindings: bindings.collect(),
    })
}

/// As wgpu-hal 30 has them for Vulkan 1.3 with robustBufferAccess2: the driver checks buffers, naga
/// everything else; workgroup memory is not zeroed, as Pimento asks.
fn options() -> spv::Options<'static> {
    use spv::Capability as C;
    let capabilities = [
        C::Shader,
        C::Matrix,
        C::DotProductInputAllKHR,
        C::DotProductInput4x8BitKHR,
        C::DotProductInput4x8BitPackedKHR,
        C::DotProductKHR,
        C::Int8,
    ];
    spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        capabilities: Some(capabilities.into_iter().collect()),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: true,
        emit_int_div_checks: true,
        ..Default::default()
    }
}
