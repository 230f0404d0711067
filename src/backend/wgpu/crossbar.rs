//! Layers on crossbar arrays with converters: `shaders/crossbar_codes.wgsl`; then
//! `shaders/crossbar_pack.wgsl` and `shaders/crossbar.wgsl` or `shaders/crossbar_wide.wgsl`
//! ([`super::crossbar_tile`]), or where conductances are integers
//! `shaders/crossbar_count.wgsl` after [`super::counting`], on software adapters
//! `shaders/crossbar_fields.wgsl` after [`super::fields`], or cooperative matrices of [`super::crossbar_coop`];
//! then `shaders/crossbar_post.wgsl`.

use super::counting;
use super::crossbar_coop::Tiles;
use super::crossbar_tile::Tile;
use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::fields::{self, Fields};
use super::post::{self, PostParams};
use super::reading::{self, Inputs, Prepared};
use super::uniform::{Bytes, Uniform, uniform};
use crate::effects::Numbers;
use crate::error::Result;
use crate::program::{Adc, Crossbar, Dac, TensorId};

uniform! {
    /// First fields of `Conversion` in `shaders/shared/conversion.wgsl`; the structs of the effects inside
    /// converters follow ([`Conversion`]).
    struct ConversionParams {
        y: View,
        clipped: View,
        adc_chip: u32,
        correct_chip: u32,
        base: f32,
        places: f32,
        lo: f32,
        hi: f32,
    }
}

/// `Conversion` of the shaders.
struct Conversion {
    first: ConversionParams,
    effects: Numbers,
}

impl Uniform for Conversion {
    fn write(&self, name: &'static str, bytes: &mut Bytes) {
        self.first.write(name, bytes);
        self.effects.write(name, bytes);
    }
}

uniform! {
    /// Twin of `Params` in `shaders/crossbar_post.wgsl`.
    struct FinishParams {
        y: View,
        post: PostParams,
        channel_quads: u32,
        per_column: u32,
    }
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

impl OnGpu for Crossbar {
    /// Codes and packed conductances or bits, the crossbar, the epilogue.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let input = Inputs {
            x: self.x,
            x_step: self.x_step,
            g: self.g,
            variance: self.variance,
            geo: &self.geo,
            spec: &self.spec,
        };
        let integers = self.counts_bits();
        let matrices = Tiles::new(self, self.sums_codes(), cx).filter(|_| !integers);
        // Others do not look at the rows.
        let tile = match integers || matrices.is_some() {
            true => Tile::portable(&input),
            false => Tile::new(&input, self.plain(), cx),
        };
        let mut prepared = reading::prepare(&input, tile, cx);
        if let Some(tiles) = matrices {
            return Ok(self.by_matrices(&tiles, &input, prepared, cx));
        }
        let windows = integers
            .then(|| fields::prepare(&input, &prepared, cx, self.sums_codes()))
            .flatten();
        let call = if let Some(found) = windows {
            self.fields(found, &input, &mut prepared, cx)
        } else if integers {
            self.count(&input, &mut prepared, cx)
        } else {
            self.multiply(&input, tile, &mut prepared, cx)
        };
        // Placeholder buffers must not be bound twice.
        let counts = match self.clipped.or(self.slope) {
            Some(t) => Operand::Tensor(t),
            None => Operand::Scratch {
                index: 2,
                floats: 4,
            },
        };
        let mut call = self.converted(call, &prepared).write(self.y);
        if tile.fours == 1 {
            call = call.write(counts);
        }
        let mut calls = prepared.calls;
        calls.push(call);
        calls.push(self.finish(cx));
        Ok(calls)
    }
}

impl Crossbar {
    /// Adds the constants of `shaders/shared/conversion.wgsl`.
    fn converted(&self, call: Dispatch, prepared: &Prepared) -> Dispatch {
        let converter = self.spec.adc.as_ref();
        call.effects(&prepared.effects)
            .constant("HAS_ADC", converter.is_some())
            .constant("OWN_CODES", converter.is_some_and(Adc::differ))
            .constant("INTEGER", self.spec.integer)
            .constant("DISTURBED", self.disturbed())
            .constant("NOISE_JOINED", self.joined())
            .constant("CORRECTED", self.correct.is_some())
            .constant("SUM_CODES", self.sums_codes())
            .constant("COUNT_CLIPPED", self.clipped.is_some())
            .constant("SLOPES", self.slope.is_some())
    }

    /// Whether deviates are drawn for conversions.
    fn disturbed(&self) -> bool {
        let deviates = |adc: &Adc| adc.effects.deviates() > 0;
        self.variance.is_some() || self.spec.adc.as_ref().is_some_and(deviates)
    }

    /// Whether noise of converters is part of the sums' deviates.
    fn joined(&self) -> bool {
        let reads = self.variance.is_some();
        self.spec.noise_with_reads(reads).is_some()
    }

    /// Whether a column's sums and codes are all that is kept of it, see [`Tile::new`].
    fn plain(&self) -> bool {
        let told = self.clipped.or(self.slope);
        !self.disturbed() && !self.spec.integer && told.is_none()
    }

    /// Drives are multiplied with conductances by cooperative matrices.
    fn by_matrices(
        &self,
        tiles: &Tiles<'_>,
        input: &Inputs<'_>,
        mut prepared: Prepared,
        cx: &LowerContext<'_>,
    ) -> Vec<Dispatch> {
        let (matrices, [drives, packed, factors]) = tiles.prepare(&mut prepared, cx);
        let conversion = self.conversion(&prepared, cx);
        let params = (&(&prepared.params, conversion), matrices);
        let call = self.converted(tiles.sums(input, cx), &prepared);
        let call = call
            .params(&params)
            .read(drives)
            .read(packed)
            .read(factors)
            .table(&prepared.table)
            .read(self.adc)
            .read(self.range)
            .read(self.correct)
            .write(self.y);
        let mut calls = prepared.calls;
        calls.extend([call, self.finish(cx)]);
        calls
    }

    /// Whether the sums are made by counting bits.
    fn counts_bits(&self) -> bool {
        let plain = self.variance.is_none() && self.correct.is_none();
        self.spec.exact && self.spec.dac.table.is_none() && plain
    }

    /// Whether the sums of the input codes are needed.
    fn sums_codes(&self) -> bool {
        self.correct.is_some() || self.spec.arrays.digital_base() != 0.0
    }

    fn conversion(&self, prepared: &Prepared, cx: &LowerContext<'_>) -> Conversion {
        let codes = self.spec.adc.as_ref().map(|c| c.codes[0]);
        let first = ConversionParams {
            y: cx.view(self.y),
            clipped: cx.view_opt(self.clipped.or(self.slope)),
            adc_chip: pair_stride(self.adc, cx),
            correct_chip: pair_stride(self.correct, cx),
            base: self.spec.arrays.digital_base(),
            places: places(&self.spec.dac),
            lo: codes.map_or(0.0, |c| c.lo as f32),
            hi: codes.map_or(0.0, |c| c.hi as f32),
        };
        Conversion {
            first,
            effects: prepared.effects.clone(),
        }
    }

    /// Threads of the kernels that convert.
    fn work(&self, cx: &LowerContext<'_>) -> Work {
        reading::work(&self.geo).per_chip(cx.per_chip(self.y))
    }

    /// Digits are added in fields of words.
    fn fields(
        &self,
        found: Fields,
        input: &Inputs<'_>,
        prepared: &mut Prepared,
        cx: &LowerContext<'_>,
    ) -> Dispatch {
        let conversion = self.conversion(prepared, cx);
        let params = (
            &(&(&prepared.params, conversion), found.words),
            found.pieces,
        );
        prepared.calls.extend(found.calls);
        // Chips with pieces of their own take turns.
        let work = found.work.per_chip(cx.per_chip(self.y) && !found.own);
        reading::digits(Dispatch::new("crossbar_fields", work), input)
            .rounds(found.rounds)
            .constant("INPUT_BITS", self.spec.dac.input_bits)
            .constant("BIAS", found.bias)
            .constant("PARTS", found.parts)
            .constant("OWN", found.own)
            .params(&params)
            .read(prepared.codes)
            .table(&found.table)
            .window(found.bits.0, found.bits.1)
            .window(found.fields.0, found.fields.1)
            .read(self.adc)
            .read(self.range)
    }

    /// Ones are counted.
    fn count(
        &self,
        input: &Inputs<'_>,
        prepared: &mut Prepared,
        cx: &LowerContext<'_>,
    ) -> Dispatch {
        let counted = counting::prepare(input, prepared, cx, self.sums_codes());
        let conversion = self.conversion(prepared, cx);
        let reading = prepared.params;
        let params = (&(&reading, conversion), counted.words);
        prepared.calls.extend(counted.calls);
        reading::digits(Dispatch::new("crossbar_count", self.work(cx)), input)
            .rounds(counted.rounds)
            .constant("INPUT_BITS", self.spec.dac.input_bits)
            .constant("BIAS", counted.bias)
            .constant("PASS_BITS", counted.pass)
            .constant("PAIRED", counted.paired)
            .params(&params)
            .read(prepared.codes)
            .table(&counted.table)
            .read(counted.bits)
            .read(counted.planes)
            .read(self.adc)
            .read(self.range)
    }

    /// Drives are multiplied with conductances.
    fn multiply(
        &self,
        input: &Inputs<'_>,
        tile: Tile,
        prepared: &mut Prepared,
        cx: &LowerContext<'_>,
    ) -> Dispatch {
        let packed = reading::pack(input, tile, prepared, cx);
        let params = (&prepared.params, self.conversion(prepared, cx));
        let work = tile.work(&self.geo).per_chip(cx.per_chip(self.y));
        let call = match tile.fours {
            1 => Dispatch::new("crossbar", work).constant("SHARED", tile.shared),
            _ => Dispatch::new("crossbar_wide", work),
        };
        reading::attach(call, input, tile)
            .rounds(reading::rounds(input, tile, self.sums_codes()))
            .params(&params)
            .read(prepared.codes)
            .table(&prepared.table)
            .read(packed)
            .read(self.adc)
            .read(self.range)
            .read(self.correct)
    }

    /// Steps and the epilogue.
    fn finish(&self, cx: &LowerContext<'_>) -> Dispatch {
        let finish = FinishParams {
            y: cx.view(self.y),
            post: post::params(&self.post, cx),
            channel_quads: (self.geo.h_out() * self.geo.w_out() * QUADS) as u32,
            per_column: u32::from(cx.shape(self.w_step).len() > 1),
        };
        let work = Work::flat(cx.shape(self.y).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(self.y));
        let call = Dispatch::new("crossbar_post", work)
            .params(&finish)
            .write(self.y)
            .read(self.w_step)
            .read(self.x_step);
        post::attach(call, &self.post)
    }
}
