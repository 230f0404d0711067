//! The noise of a training: that of the epoch, of a table, of cells of its own age.

use pimento::config::Experiment;

use crate::parts::{STAGED, digits};
use crate::{experiment, train_until};

/// Where a table says how much cells deviate, noise rises as well.
#[test]
fn noise_by_a_table_rises_too() {
    let data = digits(240);
    let train = |noise: &str| {
        let text = STAGED
            .replace("recipe = \"float\"", &format!("level = \"cell\"\n{noise}"))
            .replace("sigma_w = 0.2\nsigma_b = 0.1", "sigma_w = 0.0");
        let cells = "[chip.cells]\nslice_bits = 2\nencoding = \"differential\"\n[chip.dac]\nbits = 4\n\
                     [chip.programming]\nsigma = { polynomial = [0.05, 0.2] }\n";
        let text = format!("fidelity = \"cell\"\n{text}{cells}")
            .replace("activation_bits = 4", "activation_bits = 4\ninput_bits = 4");
        train_until(&experiment(&text), &data, None, usize::MAX).unwrap()
    };
    let none = train("recipe = \"qat\"");
    let quantized = "weights = [{ kind = \"quantize\" }]\nactivations = [{ kind = \"quantize\" }]\ngradient = \"rescale\"";
    let chip = |fields: &str| {
        train(&format!(
            "{quantized}\nnoise = [{{ kind = \"chip\"{fields} }}]"
        ))
    };
    let (steady, rising) = (chip(""), chip(", start = 0.0, ramp = 2"));
    assert_eq!(rising.record.history[0].loss, none.record.history[0].loss);
    assert_ne!(rising.record.history[0].loss, steady.record.history[0].loss);
    assert_ne!(rising.record.history[1].loss, none.record.history[1].loss);
}

/// Training may see cells of another age than those of the sweep: it is the training for chips of that age.
#[test]
fn training_sees_cells_of_its_own_age() {
    let data = digits(240);
    let of = |noise: &str, time_s: f64| {
        let parts = "weights = [{ kind = \"quantize\" }]\nactivations = [{ kind = \"quantize\" }]\nlevel = \"cell\"";
        let text = STAGED
            .replace(
                "recipe = \"float\"",
                &format!("{parts}\nnoise = [{{ kind = \"chip\"{noise} }}]"),
            )
            .replace("activation_bits = 4", "activation_bits = 4\ninput_bits = 4");
        let cells = "[chip.cells]\nslice_bits = 2\nencoding = \"differential\"\n[chip.dac]\nbits = 4\n[chip.drift]\nnu = 0.1\n";
        experiment(&format!(
            "fidelity = \"cell\"\n{text}{cells}time_s = {time_s:.1}\n"
        ))
    };
    let train = |e: &Experiment| train_until(e, &data, None, usize::MAX).unwrap();
    let (fresh, aged) = (train(&of("", 0.0)), train(&of("", 86400.0)));
    assert!(fresh.parameters != aged.parameters);
    let own = of(", time_s = 0", 86400.0);
    assert!(train(&own).parameters == fresh.parameters);
    let key = |e: &Experiment| format!("{:#?}", e.trainings().unwrap());
    assert_eq!(key(&own), key(&of("", 0.0)));
    assert_ne!(key(&of("", 86400.0)), key(&own));
}

/// Chips deviate less in the first epochs, at the same addresses; a ramp that begins at 1 is none.
#[test]
fn chips_deviate_as_the_epoch_says() {
    let data = digits(240);
    let train = |noise: &str| {
        let text = STAGED
            .replace("recipe = \"float\"", noise)
            .replace("epochs = 2", "epochs = 3");
        train_until(&experiment(&text), &data, None, usize::MAX).unwrap()
    };
    let chip = |fields: &str| {
        train(&format!(
            "variation = \"both\"\nnoise = [{{ kind = \"chip\"{fields} }}]"
        ))
    };
    let (plain, none) = (chip(""), train("recipe = \"float\""));
    assert_eq!(chip(", start = 1.0, ramp = 2").parameters, plain.parameters);
    // Never more than nothing: the ramp is as long as the training, and begins again at 0 in none of its epochs.
    let rising = chip(", start = 0.0, ramp = 3");
    assert_eq!(rising.record.history[0].loss, none.record.history[0].loss);
    assert_ne!(rising.record.history[1].loss, none.record.history[1].loss);
    // The mean gradient of draws on nominal chips is that of one.
    let nominal = |draws: usize| {
        let mut e = experiment(&STAGED.replace(
            "recipe = \"float\"",
            &format!("noise = [{{ kind = \"chip\", draws = {draws} }}]"),
        ));
        (e.variation.sigma_w, e.variation.sigma_b) = (0.0, 0.0);
        train_until(&e, &data, None, usize::MAX).unwrap()
    };
    // Four equal gradients are added and divided without rounding.
    assert_eq!(nominal(4).parameters, nominal(1).parameters);
    assert_ne!(chip(", draws = 4").parameters, plain.parameters);
}
