//! What the driver is asked beside WebGPU: the only unsafe calls of this directory.

use super::kept::Checked;

/// Bytes of the largest memory of an adapter's own, where its API tells: Vulkan. Of a graphics adapter with
/// memory of its own that is its memory; of one without, the part of the machine's memory that it may take.
#[cfg(not(any(target_family = "wasm", target_vendor = "apple")))]
pub(super) fn memory(adapter: &::wgpu::Adapter) -> Option<u64> {
    // SAFETY: the handles are read here only, and belong to the adapter, which outlives them.
    let vulkan = unsafe { adapter.as_hal::<::wgpu::hal::vulkan::Api>() }?;
    let instance = vulkan.shared_instance().raw_instance();
    let device = vulkan.raw_physical_device();
    // SAFETY: the device belongs to the instance, and the call reads what never changes.
    let about = unsafe { instance.get_physical_device_memory_properties(device) };
    let heaps = about.memory_heaps_as_slice().iter();
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`.
    const DEVICE_LOCAL: u32 = 1;
    let own = heaps.filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0);
    own.map(|heap| heap.size).max()
}

/// Nothing tells it here.
#[cfg(any(target_family = "wasm", target_vendor = "apple"))]
pub(super) fn memory(_: &::wgpu::Adapter) -> Option<u64> {
    None
}

/// A cache of compiled kernels with what an earlier one had.
pub(super) fn pipeline_cache(
    device: &::wgpu::Device,
    kept: Option<Checked<'_>>,
) -> ::wgpu::PipelineCache {
    let descriptor = ::wgpu::PipelineCacheDescriptor {
        label: Some("pimento"),
        data: kept.map(Checked::bytes),
        // What the driver does not take is compiled again.
        fallback: true,
    };
    // SAFETY: these bytes came from a cache's `get_data` and have not changed since, as their checksum says.
    unsafe { device.create_pipeline_cache(&descriptor) }
}
