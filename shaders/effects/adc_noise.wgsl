// Thermal noise of a converter: src/effects/adc_noise. Constant: HAS_ADC_NOISE. With NOISE_JOINED the deviate
// is that of the sum's read noise and serves both: src/effects/sum_noise.

const PURPOSE_ADC_NOISE: u32 = 25u;

struct AdcNoise {
    // Standard deviation, codes.
    sigma: f32,
}

fn before_adc_noise(c: Codes, e: Event, scaled: mat4x4<f32>) -> mat4x4<f32> {
    if HAS_ADC_NOISE && NOISE_JOINED {
        let z = event_deviates(e, PURPOSE_READ_NOISE);
        let sigma = p.conversion.adc_noise.sigma;
        let own = vec4<f32>(sigma * sigma);
        let a = e.factors * e.factors;
        return mat4x4<f32>(
            fma(sqrt(fma(vec4<f32>(a.x), e.variance[0], own)), z[0], scaled[0]),
            fma(sqrt(fma(vec4<f32>(a.y), e.variance[1], own)), z[1], scaled[1]),
            fma(sqrt(fma(vec4<f32>(a.z), e.variance[2], own)), z[2], scaled[2]),
            fma(sqrt(fma(vec4<f32>(a.w), e.variance[3], own)), z[3], scaled[3]),
        );
    }
    if HAS_ADC_NOISE {
        return scaled + p.conversion.adc_noise.sigma * event_deviates(e, PURPOSE_ADC_NOISE);
    }
    return scaled;
}

fn value_adc_noise(c: Codes, code: vec4<f32>) -> vec4<f32> {
    return code;
}
