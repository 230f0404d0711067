// Thermal noise of a converter: src/effects/adc_noise. Constant: HAS_ADC_NOISE.

const PURPOSE_ADC_NOISE: u32 = 25u;

struct AdcNoise {
    // Standard deviation, codes.
    sigma: f32,
}

fn before_adc_noise(c: Codes, e: Event, scaled: mat4x4<f32>) -> mat4x4<f32> {
    if HAS_ADC_NOISE {
        return scaled + p.conversion.adc_noise.sigma * event_deviates(e, PURPOSE_ADC_NOISE);
    }
    return scaled;
}

fn value_adc_noise(c: Codes, code: vec4<f32>) -> vec4<f32> {
    return code;
}
