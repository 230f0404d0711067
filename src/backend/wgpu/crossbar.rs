//! Layers on crossbar arrays with converters: `shaders/crossbar_codes.wgsl`; then
//! `shaders/crossbar_pack.wgsl` and `shaders/crossbar.wgsl`, or where conductances are integers
//! `shaders/crossbar_count.wgsl` after [`super::counting`], on software adapters
//! `shaders/crossbar_fields.wgsl` after [`super::fields`]; then `shaders/crossbar_post.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::counting::{self, WordsParams};
use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::fields::{self, PiecesParams};
use super::post::{self, PostParams};
use super::reading::{self, Inputs, ReadingParams};
use crate::error::Result;
use crate::program::{Crossbar, Dac, Reading, TensorId};

/// Twin of `Conversion` in `shaders/shared/conversion.wgsl`, with its `Adc`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct ConversionParams {
    pub lo: f32,
    pub hi: f32,
    pub noise: f32,
    pub inl_at: u32,
    pub y: View,
    pub clipped: View,
    pub adc_chip: u32,
    pub correct_chip: u32,
    pub base: f32,
    pub places: f32,
}

/// Twin of `Params` in `shaders/crossbar.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub reading: ReadingParams,
    pub conversion: ConversionParams,
}

/// Twin of `Params` in `shaders/crossbar_count.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct CountParams {
    pub reading: ReadingParams,
    pub conversion: ConversionParams,
    pub words: WordsParams,
}

/// Twin of `Params` in `shaders/crossbar_fields.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct FieldsParams {
    pub reading: ReadingParams,
    pub conversion: ConversionParams,
    pub words: WordsParams,
    pub pieces: PiecesParams,
}

/// Twin of `Params` in `shaders/crossbar_post.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct FinishParams {
    pub y: View,
    pub post: PostParams,
    pub channel_quads: u32,
    pub per_column: u32,
    pub pad0: u32,
    pub pad1: u32,
}

/// Sum of the place values of an input's conversions.
fn places(dac: &Dac) -> f32 {
    match dac.analog_sum {
        true => 1.0,
        false => (0..dac.steps()).map(|t| dac.place(t) as f32).sum(),
    }
}

/// Chip stride of pairs.
fn pair_stride(t: Option<TensorId>, cx: &LowerContext<'_>) -> u32 {
    cx.view_opt(t).chip_stride / 2
}

/// Whether the sums are made by counting bits.
fn counts_bits(spec: &Reading, variance: Option<TensorId>, correct: Option<TensorId>) -> bool {
    spec.exact && spec.dac.table.is_none() && variance.is_none() && correct.is_none()
}

impl OnGpu for Crossbar {
    /// Codes and packed conductances or bits, the crossbar, the epilogue.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            x_step,
            g,
            variance,
            w_step,
            adc,
            range,
            correct,
            y,
            clipped,
            geo,
            post,
            spec,
        } = self;
        let input = Inputs {
            x: *x,
            x_step: *x_step,
            g: *g,
            variance: *variance,
            geo,
            spec,
        };
        let mut prepared = reading::prepare(&input, cx);
        let base = spec.arrays.digital_base();
        let converter = spec.adc.as_ref();
        let conversion = ConversionParams {
            lo: converter.map_or(0.0, |c| c.lo as f32),
            hi: converter.map_or(0.0, |c| c.hi as f32),
            noise: converter.map_or(0.0, |c| c.noise),
            inl_at: prepared.inl_at,
            y: cx.view(*y),
            clipped: cx.view_opt(*clipped),
            adc_chip: pair_stride(*adc, cx),
            correct_chip: pair_stride(*correct, cx),
            base,
            places: places(&spec.dac),
        };
        let sum_codes = correct.is_some() || base != 0.0;
        let disturbed = variance.is_some() || converter.is_some_and(|c| c.noise > 0.0);
        // A kernel may not read and write what stands for nothing.
        let counts = match clipped {
            Some(t) => Operand::Tensor(*t),
            None => Operand::Scratch {
                index: 2,
                floats: 4,
            },
        };
        let work = reading::work(geo).per_chip(cx.per_chip(*y));
        let integers = counts_bits(spec, *variance, *correct);
        let windows = integers
            .then(|| fields::prepare(&input, &prepared, cx, sum_codes))
            .flatten();
        let call = if let Some(found) = windows {
            let params = FieldsParams {
                reading: prepared.params,
                conversion,
                words: found.words,
                pieces: found.pieces,
            };
            prepared.calls.extend(found.calls);
            // Chips with pieces of their own take turns.
            let work = found.work.per_chip(cx.per_chip(*y) && !found.own);
            reading::digits(Dispatch::new("crossbar_fields", work), &input)
                .rounds(found.rounds)
                .constant("INPUT_BITS", spec.dac.input_bits)
                .constant("BIAS", found.bias)
                .constant("PARTS", found.parts)
                .constant("OWN", found.own)
                .params(&params)
                .read(prepared.codes)
                .table(&found.table)
                .window(found.bits.0, found.bits.1)
                .window(found.fields.0, found.fields.1)
                .read(*adc)
                .read(*range)
        } else if integers {
            let counted = counting::prepare(&input, &prepared, cx, sum_codes);
            let params = CountParams {
                reading: prepared.params,
                conversion,
                words: counted.words,
            };
            prepared.calls.extend(counted.calls);
            reading::digits(Dispatch::new("crossbar_count", work), &input)
                .rounds(counted.rounds)
                .constant("INPUT_BITS", spec.dac.input_bits)
                .constant("BIAS", counted.bias)
                .constant("PAIRED", counted.paired)
                .params(&params)
                .read(prepared.codes)
                .table(&counted.table)
                .read(counted.bits)
                .read(counted.planes)
                .read(*adc)
                .read(*range)
        } else {
            let packed = reading::pack(&input, &mut prepared, cx);
            let params = Params {
                reading: prepared.params,
                conversion,
            };
            reading::attach(Dispatch::new("crossbar", work), &input, cx)
                .rounds(reading::rounds(&input, sum_codes))
                .params(&params)
                .read(prepared.codes)
                .table(&prepared.table)
                .read(packed)
                .read(*adc)
                .read(*range)
                .read(*correct)
        };
        let call = convert(call, spec)
            .constant("DISTURBED", disturbed)
            .constant("CORRECTED", correct.is_some())
            .constant("SUM_CODES", sum_codes)
            .constant("COUNT_CLIPPED", clipped.is_some())
            .write(*y)
            .write(counts);
        let mut calls = prepared.calls;
        calls.push(call);
        let channel_quads = (geo.h_out() * geo.w_out() * QUADS) as u32;
        let finish = FinishParams {
            y: cx.view(*y),
            post: post::params(post, cx),
            channel_quads,
            per_column: u32::from(cx.shape(*w_step).len() > 1),
            pad0: 0,
            pad1: 0,
        };
        let work = Work::flat(cx.shape(*y).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(*y));
        let call = Dispatch::new("crossbar_post", work)
            .params(&finish)
            .write(*y)
            .read(*w_step)
            .read(*x_step);
        calls.push(post::attach(call, post));
        Ok(calls)
    }
}

/// Adds the constants of `shaders/shared/conversion.wgsl` that the reading decides.
fn convert(call: Dispatch, spec: &Reading) -> Dispatch {
    let converter = spec.adc.as_ref();
    call.constant("HAS_ADC", converter.is_some())
        .constant("HAS_INL", converter.is_some_and(|c| c.inl.is_some()))
        .constant("THERMAL", converter.is_some_and(|c| c.noise > 0.0))
        .constant("INTEGER", spec.integer)
}
