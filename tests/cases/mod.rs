//! Cases of every operator: a program, its data, and what it should compute. Both suites walk the same
//! lists, `tests/ops` on the CPU and `tests/gpu` on an adapter.
//!
//! A list is a function that returns cases; `lists!` names all of them, by file, and each suite makes a
//! test of each. `tests/house` writes this file.

pub mod arrays;
pub mod case;
pub mod layers;
pub mod reference;

pub mod activation_grad;
pub mod adam;
pub mod add;
pub mod batch_norm;
pub mod binarize_act;
pub mod blend;
pub mod channel_sum;
pub mod class_metric;
pub mod clip_weight;
pub mod collapse_planes;
pub mod conv2d;
pub mod conv2d_codes;
pub mod conv2d_pool;
pub mod converter_fold;
pub mod crossbar;
pub mod distill_grad;
pub mod fabricate;
pub mod fabricate_parts;
pub mod group_lasso_grad;
pub mod histogram;
pub mod input_energy;
pub mod input_load;
pub mod ir_drop;
pub mod lerp;
pub mod mask_weight;
pub mod max_abs;
pub mod multiply;
pub mod partial_sums;
pub mod place_cells;
pub mod pointwise;
pub mod pool;
pub mod program_cells;
pub mod quantize_act;
pub mod quantize_weight;
pub mod range_grad;
pub mod rearrange;
pub mod reference_grad;
pub mod scale_flat;
pub mod sgd;
pub mod slice_l1_grad;
pub mod softmax;
pub mod softmax_xent;
pub mod tally;
pub mod variance_ratio;
pub mod winograd;
pub mod zero;

/// Calls a macro with all lists of cases, `file: list, list;` a line.
macro_rules! lists {
    ($each:ident) => {
        $each! {
            activation_grad: gradients, gradients_of_any_value;
            adam: updates, first_steps, positive_updates, later_updates;
            add: sums, chunks;
            batch_norm: statistics, folding_exact, folding, gradients;
            binarize_act: signs, gradients;
            blend: sums;
            channel_sum: sums;
            class_metric: scores, ties, no_class;
            clip_weight: spreads, clips, gradients, no_spread;
            collapse_planes: planes, encodings;
            conv2d: maps, geometries_and_scopes, long_sums, epilogues, codes_of_exact_sums,
                codes_without_a_step, input_gradients, weight_gradients, real_images;
            conv2d_codes: maps, every_geometry, long_sums;
            conv2d_pool: maps, codes, codes_without_a_step, large;
            converter_fold: equations, encodings, no_range;
            crossbar: any_layers, tables, noise, inside, slopes, inputs_out_of_range, signs_alone,
                ideal_cells;
            distill_grad: gradients;
            fabricate: closed_forms, nominal, gradients;
            fabricate_parts: parts, reference_columns, no_weights, gradients;
            group_lasso_grad: gradients, empty_groups;
            histogram: counts, fine_counts;
            input_energy: codes, no_step;
            input_load: layers;
            ir_drop: cut, sweeps, large_arrays, large_ends;
            lerp: rates, averages, running_means;
            mask_weight: products, gradients;
            max_abs: magnitudes, large_maps, real_images;
            multiply: products;
            partial_sums: sums, noisy_sums;
            place_cells: planes, codes, layouts;
            pointwise: maps, epilogues, quantizing_epilogues, special_values, large_values;
            pool: largest, largest_of_ties, means, first_of_ties;
            program_cells: encodings, digits, long_layers, combinations;
            quantize_act: codes, gradients, largest_values, real_images;
            quantize_weight: gradients, largest_weights;
            range_grad: gradients, large_maps;
            rearrange: tables, pieces, phases, chunks;
            reference_grad: gradients;
            scale_flat: products;
            sgd: updates, few_updates, positive_updates, clamped_updates;
            slice_l1_grad: gradients;
            softmax: probabilities;
            softmax_xent: losses, two_runs, ties;
            tally: tallies;
            variance_ratio: ratios, ratios_of_noise;
            winograd: maps, input_gradients, integers;
            zero: cleared;
        }
    };
}
