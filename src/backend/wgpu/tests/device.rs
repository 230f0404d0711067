//! A kernel of a test's own on a device.

use crate::backend::wgpu::budget::budget;
use crate::backend::wgpu::context::{Context, Offer};
use crate::backend::wgpu::devices::{self, Selector};

/// The best adapter, or `None` with a message.
pub(super) fn open(test: &str) -> Option<Context> {
    let reason = match devices::select(Selector::Any) {
        Ok(Some(adapter)) => {
            let open = Context::open(&adapter, budget(&adapter), Offer::All);
            return Some(pollster::block_on(open).expect("device"));
        }
        Ok(None) => "no adapter".to_owned(),
        Err(e) => e.to_string(),
    };
    assert!(
        std::env::var("PIMENTO_REQUIRE_GPU").as_deref() != Ok("1"),
        "{test}: PIMENTO_REQUIRE_GPU=1, but {reason}"
    );
    println!("SKIPPED {test}: {reason}");
    None
}

/// Runs a kernel that reads `inputs` at binding 0 and writes as many words at each of the `N` bindings
/// behind it.
pub(super) fn launch<const N: usize>(
    context: &Context,
    text: &str,
    inputs: &[u32],
    workgroups: usize,
) -> [Vec<u32>; N] {
    let device = &context.device;
    let bytes = size_of_val(inputs) as u64;
    use ::wgpu::BufferUsages as Usage;
    let buffer = |usage| context.buffer("test", bytes, usage).expect("buffer");
    let input = buffer(Usage::STORAGE | Usage::COPY_DST);
    let outputs = [(); N].map(|()| buffer(Usage::STORAGE | Usage::COPY_SRC));
    let staging = [(); N].map(|()| buffer(Usage::MAP_READ | Usage::COPY_DST));
    context
        .queue
        .write_buffer(&input, 0, bytemuck::cast_slice(inputs));
    let kernel = context
        .guarded("test kernel", || {
            let module = device.create_shader_module(::wgpu::ShaderModuleDescriptor {
                label: None,
                source: ::wgpu::ShaderSource::Wgsl(text.into()),
            });
            device.create_compute_pipeline(&::wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            })
        })
        .expect("kernel");
    let entries: Vec<_> = std::iter::once(&input)
        .chain(&outputs)
        .enumerate()
        .map(|(i, b)| ::wgpu::BindGroupEntry {
            binding: i as u32,
            resource: b.as_entire_binding(),
        })
        .collect();
    let bindings = device.create_bind_group(&::wgpu::BindGroupDescriptor {
        label: None,
        layout: &kernel.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&kernel);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(workgroups as u32, 1, 1);
    }
    for (from, to) in outputs.iter().zip(&staging) {
        encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
    }
    context.queue.submit([encoder.finish()]);
    for buffer in &staging {
        buffer.map_async(::wgpu::MapMode::Read, .., |result| result.expect("mapped"));
    }
    context.wait(None).expect("finished");
    staging.map(|buffer| {
        let view = buffer.get_mapped_range(..).expect("range");
        bytemuck::pod_collect_to_vec(&view[..])
    })
}
