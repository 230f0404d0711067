//! Which adapters exist, and which one Pimento takes.
//!
//! The environment variables of every wgpu program are honoured: `WGPU_BACKEND` (a list of
//! `vulkan`, `gl`, `metal`, `dx12`) narrows the search, `WGPU_ADAPTER_NAME` stands in for
//! `--adapter`.

use std::sync::OnceLock;

use super::cooperative::Matrices;
use crate::error::{Error, Result};

/// One adapter, for `pimento devices`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AdapterReport {
    /// Name given by the driver.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: String,
    /// Graphics API: `Vulkan`, `Gl`, `Metal` or `Dx12`.
    pub api: String,
    /// Driver name and version.
    pub driver: String,
    /// PCI vendor number (0 where the API does not tell it).
    pub vendor: u32,
    /// Largest buffer a kernel can see, bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, bytes.
    pub max_buffer_bytes: u64,
    /// Storage buffers a kernel can see.
    pub max_storage_buffers: u32,
    /// Threads of a workgroup.
    pub max_invocations: u32,
    /// Shared memory of a workgroup, bytes.
    pub max_workgroup_bytes: u32,
    /// Workgroups per axis of a dispatch.
    pub max_groups_per_axis: u32,
    /// Whether large products are made from tiles in workgroup memory unless said otherwise.
    pub tiled: bool,
    /// Rows and columns of its cooperative matrices of halves with sums in `f32`, where it has any that
    /// Pimento can use.
    pub matrix_side: Option<u32>,
    /// Whether this is a GPU and not a program that imitates one.
    pub hardware: bool,
    /// Whether `--backend auto` would take it.
    pub chosen: bool,
}

/// The adapters of all graphics APIs, best first. Empty where there is none; never fails.
pub fn list_adapters() -> Vec<AdapterReport> {
    let adapters = all();
    let wanted = environment_name();
    let chosen = match &wanted {
        Some(name) => adapters.iter().position(|a| matches(&a.get_info(), name)),
        None => adapters.iter().position(|a| is_hardware(&a.get_info())),
    };
    adapters
        .iter()
        .enumerate()
        .map(|(i, adapter)| report(adapter, chosen == Some(i)))
        .collect()
}

/// What is asked of [`select`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector<'a> {
    /// The best hardware GPU or nothing.
    Hardware,
    /// The best adapter of any kind.
    Any,
    /// The best adapter whose name contains the text, in any case.
    Named(&'a str),
}

/// Picks an adapter; `None` only for [`Selector::Hardware`].
pub(super) fn select(selector: Selector<'_>) -> Result<Option<::wgpu::Adapter>> {
    let mut adapters = all();
    let environment = environment_name();
    let selector = match (selector, &environment) {
        (Selector::Named(_), _) | (_, None) => selector,
        (_, Some(name)) => Selector::Named(name),
    };
    let position = match selector {
        Selector::Hardware => adapters.iter().position(|a| is_hardware(&a.get_info())),
        Selector::Any => (!adapters.is_empty()).then_some(0),
        Selector::Named(name) => adapters.iter().position(|a| matches(&a.get_info(), name)),
    };
    match (position, selector) {
        (Some(i), _) => Ok(Some(adapters.swap_remove(i))),
        (None, Selector::Hardware) => Ok(None),
        (None, Selector::Any) => Err(Error::device(
            "no graphics adapter: no driver for Vulkan, GL, Metal or DX12 was found \
             (--backend cpu needs none; Debian's mesa-vulkan-drivers is a software one)",
        )),
        (None, Selector::Named(name)) => Err(Error::input(unknown_adapter(name, &adapters))),
    }
}

fn unknown_adapter(name: &str, adapters: &[::wgpu::Adapter]) -> String {
    if adapters.is_empty() {
        return format!("adapter \"{name}\": there is no graphics adapter at all");
    }
    let names: Vec<String> = adapters
        .iter()
        .map(|a| {
            let info = a.get_info();
            format!("  {} ({}, {})", info.name, api(&info), kind(&info))
        })
        .collect();
    format!(
        "adapter \"{name}\": no adapter's name contains this; there are:\n{}",
        names.join("\n")
    )
}

/// The adapter that the browser gives, the faster one where it has two.
#[cfg(target_family = "wasm")]
pub(super) async fn browsers() -> Result<::wgpu::Adapter> {
    let mut descriptor = ::wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = ::wgpu::Backends::BROWSER_WEBGPU;
    let options = ::wgpu::RequestAdapterOptions {
        power_preference: ::wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    let asked = ::wgpu::Instance::new(descriptor).request_adapter(&options);
    let none = |e| Error::device(format!("no adapter of WebGPU: {e}"));
    asked.await.map_err(none)
}

/// All adapters, hardware first, then by kind. GL is only looked at where no other API has an
/// adapter or `WGPU_BACKEND` names it: it shows the same adapters again, its drivers speak on
/// stderr, and its contexts are bound to threads.
pub(super) fn all() -> Vec<::wgpu::Adapter> {
    // Instances live as long as the process: creating one loads drivers.
    static NAMED_OR_NATIVE: OnceLock<::wgpu::Instance> = OnceLock::new();
    static GL: OnceLock<::wgpu::Instance> = OnceLock::new();
    let new = |backends| {
        let mut descriptor = ::wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        descriptor.backends = backends;
        ::wgpu::Instance::new(descriptor)
    };
    let named = std::env::var_os("WGPU_BACKEND").is_some_and(|v| !v.is_empty());
    let wanted = ::wgpu::InstanceDescriptor::new_without_display_handle_from_env().backends;
    let gl = ::wgpu::Backends::GL;
    let first = if named { wanted } else { wanted - gl };
    let found = |instance: &::wgpu::Instance, backends| {
        pollster::block_on(instance.enumerate_adapters(backends))
    };
    let mut adapters = found(NAMED_OR_NATIVE.get_or_init(|| new(first)), first);
    if adapters.is_empty() && !named {
        adapters = found(GL.get_or_init(|| new(gl)), gl);
    }
    adapters.sort_by_key(|a| rank(&a.get_info()));
    adapters
}

fn rank(info: &::wgpu::AdapterInfo) -> (u8, u8) {
    use ::wgpu::DeviceType;
    if is_browsers(info) && info.device_type != DeviceType::Cpu {
        // Browsers say whether an adapter is a software one, and no more.
        return (1, 0);
    }
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    };
    let api = u8::from(info.backend == ::wgpu::Backend::Gl);
    (kind, api)
}

/// Whether it is an adapter of a browser's WebGPU.
fn is_browsers(info: &::wgpu::AdapterInfo) -> bool {
    info.backend == ::wgpu::Backend::BrowserWebGpu
}

pub(super) fn is_hardware(info: &::wgpu::AdapterInfo) -> bool {
    rank(info).0 < 3
}

/// PCI numbers of vendors whose GPUs give a lane 255 or 256 registers: AMD (all since GCN), NVIDIA (all
/// since Kepler). A lane of Intel's has about 128 and one of Apple's 128: a tile's sums would be spilled.
const MANY_REGISTERS: [u32; 2] = [0x1002, 0x10de];

/// Whether a lane can keep the sums of a tile in registers.
pub(super) fn many_registers(info: &::wgpu::AdapterInfo) -> bool {
    is_hardware(info) && MANY_REGISTERS.contains(&info.vendor)
}

fn matches(info: &::wgpu::AdapterInfo, name: &str) -> bool {
    info.name.to_lowercase().contains(&name.to_lowercase())
}

fn environment_name() -> Option<String> {
    std::env::var("WGPU_ADAPTER_NAME")
        .ok()
        .filter(|name| !name.is_empty())
}

pub(super) fn kind(info: &::wgpu::AdapterInfo) -> &'static str {
    use ::wgpu::DeviceType;
    match info.device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Cpu => "software",
        DeviceType::Other => "other",
    }
}

pub(super) fn api(info: &::wgpu::AdapterInfo) -> String {
    format!("{:?}", info.backend)
}

pub(super) fn driver(info: &::wgpu::AdapterInfo) -> String {
    format!("{} {}", info.driver, info.driver_info)
        .trim()
        .to_owned()
}

fn report(adapter: &::wgpu::Adapter, chosen: bool) -> AdapterReport {
    let info = adapter.get_info();
    let limits = adapter.limits();
    AdapterReport {
        kind: kind(&info).to_owned(),
        api: api(&info),
        driver: driver(&info),
        vendor: info.vendor,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_groups_per_axis: limits.max_compute_workgroups_per_dimension,
        tiled: many_registers(&info),
        matrix_side: Matrices::of(adapter).map(|m| m.side),
        hardware: is_hardware(&info),
        chosen,
        name: info.name,
    }
}
