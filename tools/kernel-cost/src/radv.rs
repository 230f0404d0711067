//! Mesa's RADV as a compiler: a Vulkan device without hardware, made for one GPU family.

use std::ffi::{CStr, CString};

use ash::{khr, vk};

use crate::Result;
use crate::spirv::Kernel;

/// The driver, set to one family.
pub struct Compiler {
    /// Version of Mesa, `22.3.6`.
    pub mesa: String,
    /// Name of the device.
    pub device_name: String,
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    instance: ash::Instance,
    // Unloads the loader: last.
    _entry: ash::Entry,
}

/// What the driver tells of a compiled kernel.
pub struct Compiled {
    /// Its statistics by name.
    statistics: Vec<(String, u64)>,
    /// Its disassembly.
    pub assembly: String,
    /// Lanes of a wave.
    pub wave: u32,
}

impl Compiled {
    /// One of the statistics; 0 where this version of the driver has none of that name.
    pub fn statistic(&self, name: &str) -> u64 {
        let found = self.statistics.iter().find(|(n, _)| n == name);
        found.map_or(0, |(_, value)| *value)
    }
}

fn failed(what: &'static str) -> impl Fn(vk::Result) -> String {
    move |e| format!("{what}: {e}")
}

impl Compiler {
    /// Opens RADV for a family; says why where it is not there.
    pub fn open(family: &str) -> Result<Self> {
        // SAFETY: the program has one thread so far.
        unsafe {
            std::env::set_var("RADV_FORCE_FAMILY", family);
            // The cache keeps no disassembly.
            std::env::set_var("MESA_SHADER_CACHE_DISABLE", "1");
        }
        // SAFETY: what libvulkan.so.1 does when it is loaded is sound.
        let entry = unsafe { ash::Entry::load() }.map_err(|e| format!("no Vulkan loader: {e}"))?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the structures live as long as the call.
        let instance = unsafe { entry.create_instance(&create, None) }
            .map_err(failed("no Vulkan instance"))?;
        // SAFETY: the instance lives.
        let all = unsafe { instance.enumerate_physical_devices() };
        let radv = all
            .map_err(failed("no Vulkan devices"))?
            .into_iter()
            .find_map(|physical| Some((physical, mesa(&instance, physical)?)));
        let Some((physical, (mesa, device_name))) = radv else {
            return Err(format!(
                "Mesa's RADV for the family {family} was not found (Debian's mesa-vulkan-drivers)"
            ));
        };
        let device = device(&instance, physical)?;
        Ok(Self {
            mesa,
            device_name,
            executables: khr::pipeline_executable_properties::Device::new(&instance, &device),
            device,
            instance,
            _entry: entry,
        })
    }

    /// Compiles one kernel.
    pub fn compile(&self, kernel: &Kernel, entry: &str) -> Result<Compiled> {
        let bindings: Vec<_> = kernel
            .bindings
            .iter()
            .map(|&(binding, uniform)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(binding)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
                    .descriptor_type(match uniform {
                        true => vk::DescriptorType::UNIFORM_BUFFER,
                        false => vk::DescriptorType::STORAGE_BUFFER,
                    })
            })
            .collect();
        let name = CString::new(entry).map_err(|e| e.to_string())?;
        let d = &self.device;
        // SAFETY: every object is used between its creation and its destruction, and the device outlives
        // all; naga's SPIR-V is valid.
        unsafe {
            let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let sets = [d
                .create_descriptor_set_layout(&set, None)
                .map_err(failed("bindings"))?];
            let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = d
                .create_pipeline_layout(&layout, None)
                .map_err(failed("layout"))?;
            let module = vk::ShaderModuleCreateInfo::default().code(&kernel.words);
            let module = d
                .create_shader_module(&module, None)
                .map_err(failed("module"))?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&name);
            let create = vk::ComputePipelineCreateInfo::default()
                .layout(layout)
                .stage(stage)
                .flags(
                    vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                        | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
                );
            let pipelines = d
                .create_compute_pipelines(vk::PipelineCache::null(), &[create], None)
                .map_err(|(_, e)| failed("pipeline")(e))?;
            let compiled = self.told(pipelines[0]);
            d.destroy_pipeline(pipelines[0], None);
            d.destroy_shader_module(module, None);
            d.destroy_pipeline_layout(layout, None);
            d.destroy_descriptor_set_layout(sets[0], None);
            compiled
        }
    }

    /// # Safety
    /// The pipeline lives, has one stage and was made with both flags that capture.
    unsafe fn told(&self, pipeline: vk::Pipeline) -> Result<Compiled> {
        let info = vk::PipelineInfoKHR::default().pipeline(pipeline);
        let executable = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        let (e, device) = (&self.executables, self.device.handle());
        // SAFETY: the caller's; every array has the length that the driver said before.
        unsafe {
            let stages = e
                .get_pipeline_executable_properties(&info)
                .map_err(failed("stages"))?;
            let statistics = e
                .get_pipeline_executable_statistics(&executable)
                .map_err(failed("statistics"))?;
            let read = e.fp().get_pipeline_executable_internal_representations_khr;
            let mut count = 0;
            read(device, &executable, &mut count, std::ptr::null_mut())
                .result()
                .map_err(failed("representations"))?;
            let mut parts =
                vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            read(device, &executable, &mut count, parts.as_mut_ptr())
                .result()
                .map_err(failed("representations"))?;
            let mut texts: Vec<Vec<u8>> = parts.iter().map(|p| vec![0; p.data_size]).collect();
            for (part, text) in parts.iter_mut().zip(&mut texts) {
                part.p_data = text.as_mut_ptr().cast();
            }
            read(device, &executable, &mut count, parts.as_mut_ptr())
                .result()
                .map_err(failed("representations"))?;
            let assembly = parts.iter().zip(&texts).find_map(|(part, text)| {
                let name = part.name_as_c_str().ok()?.to_str().ok()?;
                let text = CStr::from_bytes_until_nul(text).ok()?;
                (name == "Assembly").then(|| text.to_string_lossy().into_owned())
            });
            Ok(Compiled {
                statistics: statistics.iter().filter_map(number).collect(),
                assembly: assembly.ok_or("the driver gives no disassembly")?,
                wave: stages.first().map_or(0, |s| s.subgroup_size),
            })
        }
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // SAFETY: nothing made of them is left.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

/// Name and value of a statistic that is a whole number.
fn number(statistic: &vk::PipelineExecutableStatisticKHR<'_>) -> Option<(String, u64)> {
    let name = statistic.name_as_c_str().ok()?.to_string_lossy();
    // SAFETY: the format says which of the numbers is there.
    let value = unsafe {
        match statistic.format {
            vk::PipelineExecutableStatisticFormatKHR::UINT64 => statistic.value.u64,
            vk::PipelineExecutableStatisticFormatKHR::INT64 => {
                u64::try_from(statistic.value.i64).ok()?
            }
            _ => return None,
        }
    };
    Some((name.into_owned(), value))
}

/// Mesa's version and the device's name, where the device is RADV's.
fn mesa(instance: &ash::Instance, physical: vk::PhysicalDevice) -> Option<(String, String)> {
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
    // SAFETY: the device is the instance's.
    unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
    let name = properties.properties.device_name_as_c_str().ok()?;
    let name = name.to_string_lossy().into_owned();
    if driver.driver_id != vk::DriverId::MESA_RADV {
        return None;
    }
    let text = driver.driver_info_as_c_str().ok()?.to_string_lossy();
    let version = text.split_whitespace().nth(1)?;
    Some((version.to_owned(), name))
}

fn device(instance: &ash::Instance, physical: vk::PhysicalDevice) -> Result<ash::Device> {
    let queues = [vk::DeviceQueueCreateInfo::default()
        .queue_family_index(0)
        .queue_priorities(&[1.0])];
    let extensions = [
        khr::pipeline_executable_properties::NAME.as_ptr(),
        ash::ext::robustness2::NAME.as_ptr(),
    ];
    let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let mut tells = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
        .pipeline_executable_info(true);
    let mut robust =
        vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
    let mut of12 = vk::PhysicalDeviceVulkan12Features::default().shader_int8(true);
    let mut of13 = vk::PhysicalDeviceVulkan13Features::default().shader_integer_dot_product(true);
    let create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .enabled_features(&features)
        .push_next(&mut tells)
        .push_next(&mut robust)
        .push_next(&mut of12)
        .push_next(&mut of13);
    // SAFETY: all structures live as long as the call.
    unsafe { instance.create_device(physical, &create, None) }.map_err(failed("no device"))
}
