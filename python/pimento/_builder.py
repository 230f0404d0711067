"""Experiments put together section by section, with every field by its name.

This file is generated from the declarations of the experiment file: PIMENTO_BLESS=1 cargo test --test house builder
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._toml import merged, written

__all__ = ["Experiment"]

_UNSET: Any = object()


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not _UNSET and name != "self"}


class Experiment(Mapping[str, Any]):
    """An experiment as a mapping of its sections, which ``pimento.sweep`` and the other functions take like a dictionary.

    Every section is a method; it returns a new experiment with these fields changed, the old one stays as it is. Fields that
    are not named keep their defaults. What is wrong in a value is told by ``pimento.check`` and ``pimento.sweep``.

    Examples
    --------
    >>> import pimento
    >>> base = pimento.Experiment(seed=3).data(set="digits-8x8").network(kind="mlp", hidden=[32]).train(epochs=4)
    >>> two = base.variation(sigma_w=0.1).axes({"variation.sigma_b": [0.0, 0.1]}).sweep(chips=50)
    >>> two["variation"], base.get("variation")
    ({'sigma_w': 0.1}, None)
    >>> print(pimento.check(two).plan.splitlines()[0])
    experiment: valid
    """

    def __init__(
        self,
        *,
        name: str = _UNSET,
        title: str = _UNSET,
        about: str = _UNSET,
        seed: int = _UNSET,
        fidelity: str = _UNSET,
    ):
        """Fields outside of sections.

        Parameters
        ----------
        name : text, default "experiment"
            Short name, used for files and directories. By default the file's. Allowed: 1 to 100 letters, digits, '-',
            '_' or '.', no '.' at either end, no name that a system reserves.
        title : text, default ""
            Title of the report.
        about : text, default ""
            What the experiment should show.
        seed : integer, default 1
            Key of all random numbers: chip `k` of a seed is the same chip everywhere. Allowed: 0 to
            9223372036854775807.
        fidelity : text, default "weight"
            Level of the simulation. Allowed: "weight", "cell".
        """
        self._document: dict[str, Any] = _given(locals())

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Experiment:
        """An experiment of a dictionary, e.g. of ``tomllib.load``."""
        out = cls()
        out._document = merged({}, document)
        return out

    def __getitem__(self, key: str) -> Any:
        return self._document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    def __repr__(self) -> str:
        return f"<pimento.Experiment\n{self.to_toml()}>"

    def to_toml(self) -> str:
        """The experiment as a file has it."""
        return written(self._document)

    def _with(self, path: Sequence[str], fields: Any) -> Experiment:
        for key in reversed(path):
            fields = {key: fields}
        return self.of(merged(self._document, fields))

    def _append(self, section: str, name: str, fields: Mapping[str, Any]) -> Experiment:
        there = self._document.get(section, {}).get(name, [])
        return self._with((section,), {name: [*there, dict(fields)]})

    def axes(self, axes: Mapping[str, Sequence[Any]]) -> Experiment:
        """Axes of the sweep, by the paths of their fields: every combination of values is a point."""
        return self._with(("sweep",), {"axes": dict(axes)})

    def grid(self, axes: Mapping[str, Any]) -> Experiment:
        """One more design, ``[[sweep.grid]]``: the points are the union of all."""
        return self._append("sweep", "grid", axes)

    def stage(self, name: str, **fields: Any) -> Experiment:
        """One more stage of the training, ``[[train.stage]]``, with fields of ``train`` that differ in it."""
        return self._append("train", "stage", {"name": name, **fields})

    def head(self, **fields: Any) -> Experiment:
        """One more head of the network, ``[[network.head]]``."""
        return self._append("network", "head", fields)

    def layer(self, name: str, **fields: Any) -> Experiment:
        """Fields of a layer, or of all that a pattern matches; ``chip`` and ``variation`` are dictionaries."""
        return self._with(("layer", name), fields)

    def data(
        self,
        *,
        kind: str = _UNSET,
        set: str = _UNSET,
        dir: str = _UNSET,
        file: str = _UNSET,
        train_images: str = _UNSET,
        train_labels: str = _UNSET,
        test_images: str = _UNSET,
        test_labels: str = _UNSET,
        resize: Sequence[Any] = _UNSET,
        cache: bool = _UNSET,
        train_limit: int = _UNSET,
        test_limit: int = _UNSET,
        validation: int = _UNSET,
        mean: Any = _UNSET,
        std: Any = _UNSET,
    ) -> Experiment:
        """Section ``[data]``.

        The images, and how their pixels become numbers.

        Parameters
        ----------
        kind : text, default "embedded"
            Where the images come from. Allowed: "embedded", "idx", "cifar10", "cifar100", "folder", "archive", "npy".
        set : text, default "fashion-10k"
            The embedded set; ignored for other kinds. Allowed: "fashion-10k", "digits-8x8".
        dir : path
            Directory of the files. Absent: `--data` or `PIMENTO_DATA` must name it (for kind "npy": the experiment
            file's folder). Allowed: a path relative to the experiment file.
        file : path
            The archive. Absent: `--data` or `PIMENTO_DATA` must name it. Allowed: a path relative to the experiment
            file.
        train_images : text, default "train_images.npy"
            Training images of kind "npy": an NPY file relative to `dir`, or an NPZ file followed by `:` and the array's
            name, `set.npz:x_train`; `(N, C, H, W)`, `(N, H, W, C)` with 1 or 3 channels, or `(N, H, W)`, of unsigned
            bytes or floats.
        train_labels : text, default "train_labels.npy"
            Training labels of kind "npy": `(N,)` or `(N, 1)` of any integer type.
        test_images : text, default "test_images.npy"
            Test images of kind "npy".
        test_labels : text, default "test_labels.npy"
            Test labels of kind "npy".
        resize : list of integers, pixels
            Rows and columns that decoded images are resized to (bilinear with an antialiasing filter where it shrinks,
            aspect ratio not kept). Absent: all images must have one size. Allowed: 2 values, each 1 to 4096.
        cache : boolean, default true
            Whether decoded images (kinds "folder" and "archive") are kept in the cache directory (`--cache`,
            `PIMENTO_CACHE`, or the user's) for the next run. Allowed: true, false.
        train_limit : integer, images, default 0
            Training images used; 0 for all. Balanced for every kind: the first image of every class, the second of
            every class, and so on in the order of the set, until there are as many. A smaller limit is a prefix of a
            larger one. Allowed: 0 to 100000000.
        test_limit : integer, images, default 0
            Test images loaded, likewise; 0 for all. Allowed: 0 to 100000000.
        validation : integer, images, default 0
            Training images held out, of every class in proportion: training never sees them, and nothing is measured or
            calibrated on them; `train.evaluate_every` classifies them. 0 for none. Allowed: 0 to 100000000.
        mean : number, list of numbers or "auto", default 0.2863
            Subtracted from `p/top`. By default the mean of the embedded set, 0 for IDX files, "auto" for the other
            kinds. Allowed: -1000000 to 1000000, or 1 to 1024 values, each -1000000 to 1000000, or "auto".
        std : number, list of numbers or "auto", default 0.354
            Divisor after that. By default the standard deviation of the embedded set, 1 for IDX files, "auto" for the
            other kinds. Allowed: 0.000001 to 1000000, or 1 to 1024 values, each 0.000001 to 1000000, or "auto".
        """
        return self._with(("data",), _given(locals()))

    def network(
        self,
        *,
        kind: str = _UNSET,
        file: str = _UNSET,
        file_sha256: str = _UNSET,
        fold_batch_norm: bool = _UNSET,
        input: Sequence[Any] = _UNSET,
        width: float = _UNSET,
        hidden: Sequence[Any] = _UNSET,
        channels: Sequence[Any] = _UNSET,
        features: int = _UNSET,
        activation: str = _UNSET,
        pool: str = _UNSET,
        batch_norm: bool = _UNSET,
        bias: bool = _UNSET,
    ) -> Experiment:
        """Section ``[network]``.

        The graph.

        Parameters
        ----------
        kind : text, default "cnn"
            Family. Allowed: "lenet5", "mlp", "cnn", "vgg11", "resnet18", "resnet20", "resnet32", "resnet56",
            "mobilenetv2", "file".
        file : path
            The network of kind "file": ONNX, a safetensors file of a training here, or the JSON description that goes
            with a safetensors file (docs/networks.md). Allowed: a path relative to the experiment file.
        file_sha256 : text
            SHA-256 of the file; a file with another one is refused. Absent: that of the file as it is now, which is
            then part of the run's configuration. Allowed: 64 hexadecimal digits.
        fold_batch_norm : boolean, default false
            With kind "file": multiply batch norm into the weights before it, so that it lives on the crossbars.
            Allowed: true, false.
        input : list of integers, default []
            With kind "file": sizes of one input, for an ONNX model that leaves them free: `[3, 224, 224]`. Where the
            file has sizes they must be the same. Empty: the sizes of the file. Allowed: 0 to 4 values, each 1 to
            16777216.
        width : number, default 1.0
            Factor on every number of channels and hidden units but the classes. Allowed: 0.0625 to 4.
        hidden : list of integers, default []
            Units of the hidden layers of kind "mlp"; empty for none. By default `[256, 128]` there. Allowed: 0 to 16
            values, each 1 to 65536.
        channels : list of integers, default [16, 32]
            Output channels of the blocks of kind "cnn". Allowed: 0 to 8 values, each 1 to 4096.
        features : integer, default 0
            Hidden units before the classifier of kind "cnn"; 0 for none. Allowed: 0 to 65536.
        activation : text, default "relu"
            Non-linearity. By default tanh for LeNet-5, ReLU6 for MobileNetV2, else ReLU. Allowed: "relu", "relu6",
            "tanh".
        pool : text, default "max"
            Pooling. By default average for LeNet-5, else maximum. Allowed: "avg", "max".
        batch_norm : boolean, default true
            Batch norm after every layer but the last. By default for all but "lenet5", "mlp" and "file". Allowed: true,
            false.
        bias : boolean, default false
            Digital biases; the reference code has none. Allowed: true, false.
        """
        return self._with(("network",), _given(locals()))

    def quantize(
        self,
        *,
        profile: str = _UNSET,
        weight_bits: int = _UNSET,
        weight_step: str = _UNSET,
        weight_percentile: float = _UNSET,
        per_channel: bool = _UNSET,
        activation_bits: int = _UNSET,
        activation_step: str = _UNSET,
        activation_percentile: float = _UNSET,
        activation_rounding: str = _UNSET,
        activation_range: str = _UNSET,
        straight_through: str = _UNSET,
        linear_inputs: str = _UNSET,
        input_bits: int = _UNSET,
        binary_group: str = _UNSET,
        binary_weight_group: str = _UNSET,
    ) -> Experiment:
        """Section ``[quantize]``.

        Uniform quantizers of weights and activations.

        Parameters
        ----------
        profile : text, default "pimento"
            Where the defaults come from. Allowed: "pimento", "reference".
        weight_bits : integer, bits, default 4
            Bits of a weight; 0: not quantized. Allowed: 0 to 8.
        weight_step : text, default "mse"
            Choice of the weight step. Allowed: "max-abs", "percentile", "line-search", "mse", "lsq".
        weight_percentile : number, %, default 99.9
            Percentile of weight_step "percentile". Allowed: 50 to 100.
        per_channel : boolean, default false
            One step per output channel instead of one per layer. Allowed: true, false.
        activation_bits : integer, bits, default 8
            Bits of an activation; 0: not quantized. Allowed: 0 to 8.
        activation_step : text, default "max-abs"
            Choice of the activation step. Allowed: "max-abs", "percentile", "mse", "lsq".
        activation_percentile : number, %, default 99.9
            Percentile of activation_step "percentile". Allowed: 50 to 100.
        activation_rounding : text, default "nearest"
            Rounding of activations. Allowed: "nearest", "floor".
        activation_range : text, default "unsigned"
            Codes of activations. Signed by default after tanh. Allowed: "unsigned", "signed".
        straight_through : text, default "clip"
            Gradient of both quantizers from two bits on. One bit always passes it where the magnitude is at most 1,
            nothing beyond, as in the reference code. Allowed: "clip", "identity".
        linear_inputs : text, default "quantized"
            Whether linear layers see quantized inputs. Allowed: "quantized", "float".
        input_bits : integer, bits, default 0
            Bits of the network's input (the images); 0: not quantized. Codes are those of non-negative values where
            `data.mean` is 0 (floats: and no training image is negative), else signed ones, whatever `activation_range`
            says. Allowed: 0 to 8.
        binary_group : text, default "channel"
            Values that share the magnitude of a one-bit activation in front of a convolution. In front of a fully
            connected layer, and where channels are single values, it is the image. Allowed: "channel", "image".
        binary_weight_group : text, default "layer"
            Values that share the magnitude of a one-bit weight. Allowed: "layer", "input-channel".
        """
        return self._with(("quantize",), _given(locals()))

    def train(
        self,
        *,
        recipe: str = _UNSET,
        epochs: int = _UNSET,
        batch: int = _UNSET,
        optimizer: str = _UNSET,
        learning_rate: float = _UNSET,
        momentum: float = _UNSET,
        nesterov: bool = _UNSET,
        weight_decay: float = _UNSET,
        schedule: str = _UNSET,
        step_epochs: int = _UNSET,
        step_factor: float = _UNSET,
        warmup_epochs: int = _UNSET,
        label_smoothing: float = _UNSET,
        chips_per_batch: int = _UNSET,
        accumulate: int = _UNSET,
        average: float = _UNSET,
        evaluate_every: int = _UNSET,
        evaluate_chips: int = _UNSET,
        level: str = _UNSET,
        rescale: bool = _UNSET,
        variation: str = _UNSET,
        sigma_w: float = _UNSET,
        seed: int = _UNSET,
        calibration_batches: int = _UNSET,
        gradient: str = _UNSET,
        weights: Sequence[Any] = _UNSET,
        activations: Sequence[Any] = _UNSET,
        noise: Sequence[Any] = _UNSET,
        loss: Sequence[Any] = _UNSET,
        controllers: Sequence[Any] = _UNSET,
    ) -> Experiment:
        """Section ``[train]``.

        Recipe, optimizer and schedule.

        Parameters
        ----------
        recipe : text, default "qavat"
            What training knows of the chip. By default "ptq" for a network from a file. Allowed: "float", "qat", "ptq",
            "ptq-vat", "qavat", "parts".
        epochs : integer, default 10
            Passes over the training images. A network from a file may have 0, its default: it is deployed as it is
            (recipes "float" and "ptq"; "qat" and "qavat" where the file holds the quantizer steps, as one of a training
            here does). Allowed: 1 to 100000, and 0 for a network from a file.
        batch : integer, images, default 128
            Images per step. Allowed: 1 to 65536.
        optimizer : text, default "adam"
            Optimizer. Allowed: "sgd", "adam", "adamw".
        learning_rate : number, default 0.001
            Learning rate at its highest. Allowed: 0.000000001 to 10.
        momentum : number, default 0.9
            Momentum of optimizer "sgd". Allowed: 0 to 0.9999.
        nesterov : boolean, default false
            Nesterov momentum of optimizer "sgd". Allowed: true, false.
        weight_decay : number, default 0.0
            Weight decay: L2 ("sgd", "adam") or decoupled ("adamw"). Allowed: 0 to 1.
        schedule : text, default "cosine"
            Learning rate over the epochs. Allowed: "constant", "step", "cosine".
        step_epochs : integer, epochs, default 30
            With schedule "step": epochs between two steps. Allowed: 1 to 100000.
        step_factor : number, default 0.1
            With schedule "step": factor of a step. Allowed: 0.000001 to 1.
        warmup_epochs : integer, epochs, default 0
            Linear warm-up from zero. Allowed: 0 to 100000.
        label_smoothing : number, default 0.0
            Label smoothing: target `(1-s) onehot + s/classes`. Allowed: 0 to 0.9.
        chips_per_batch : integer, chips, default 1
            Fresh chips per step; divides the batch, which is cut to a multiple of it. Without variation in the recipe
            they are all nominal, and yet batch norm sees the images of each by themselves. Allowed: 1 to 1024.
        accumulate : integer, default 1
            Parts of a batch that are computed one after the other, for batches that do not fit the adapter. The
            gradient is that of the whole batch; batch norm sees one part at a time, and every part has fresh chips.
            Allowed: 1 to 1024.
        average : number, default 0.0
            Decay of the running average of the parameters (and batch norm statistics) that is deployed instead of their
            last values; 0 for none. Allowed: 0 to 0.999999.
        evaluate_every : integer, epochs, default 0
            Epochs from one classification of the held-out images (`data.validation`) to the next; 0 for never. Allowed:
            0 to 100000.
        evaluate_chips : integer, chips, default 16
            Chips that classify them, in addition to the network without variation. Allowed: 1 to 10000.
        level : text, default "weight"
            What a training step goes through: one deviation per weight, or cells and converters (section `[chip]`;
            recipes "qat", with nominal cells, and "qavat"). The gradient goes straight through the converters. Held-out
            images are classified at this level too. Allowed: "weight", "cell".
        rescale : boolean, default true
            With level "cell": a layer's gradient is multiplied by the ratio of the spreads of its outputs with and
            without converters (PIM-QAT, arXiv 2209.08617). Allowed: true, false.
        variation : text, default "within"
            Which variation is in the training noise. Allowed: "within", "both".
        sigma_w : number
            sigma_W of the training noise; absent: that of the sweep point. Allowed: 0 to 10.
        seed : integer
            Seed of initialisation, shuffling and training chips; absent: the experiment's. Allowed: 0 to
            9223372036854775807.
        calibration_batches : integer, batches, default 8
            Batches for activation steps that are calibrated. Allowed: 1 to 10000.
        gradient : text, default "straight-through"
            With recipe "parts": how gradients go through quantizers, noise and converters. Allowed: "straight-through",
            "rescale", "clean".
        weights : list of parts, default []
            With recipe "parts": transforms from the trained weights to those of a step, in order. Allowed: tables with
            `kind` "mask", "clip", "quantize".
        activations : list of parts, default []
            With recipe "parts": transforms of what enters a layer, in order. Allowed: tables with `kind` "quantize",
            "learned-range", "shared-gain".
        noise : list of parts, default []
            With recipe "parts": what deviates in a step. Allowed: tables with `kind` "chip", "converter-bits".
        loss : list of parts, default []
            With recipe "parts": terms of the loss besides the cross-entropy. The losses that are told are the
            cross-entropy alone. Allowed: tables with `kind` "l1", "group-lasso", "slice-l1", "distill", "ovf", "irs",
            "heads".
        controllers : list of parts, default []
            With recipe "parts": what happens to the network beside its steps. Allowed: tables with `kind` "quantize",
            "plateau", "mask-growth".
        """
        return self._with(("train",), _given(locals()))

    def train_augment(
        self,
        *,
        pad: int = _UNSET,
        flip: bool = _UNSET,
        rotate: float = _UNSET,
    ) -> Experiment:
        """Section ``[train.augment]``.

        What is done at random to every training image before every step. All off by default; test images and
        calibration passes are left alone.

        Parameters
        ----------
        pad : integer, pixels, default 0
            Padding on each side before the crop. Allowed: 0 to 1024.
        flip : boolean, default false
            Mirror left to right with probability 1/2. Allowed: true, false.
        rotate : number, degrees, default 0.0
            Largest angle of rotation either way. Allowed: 0 to 180.
        """
        return self._with(("train", "augment",), _given(locals()))

    def chip(
        self,
        *,
        preset: str = _UNSET,
    ) -> Experiment:
        """Section ``[chip]``.

        The hardware of `fidelity = "cell"`; at `fidelity = "weight"` it has no effect. docs/cells.md has the equations.

        Parameters
        ----------
        preset : text
            Chip from the literature (`pimento presets`), whose values of `[chip]` and `[variation]` are the defaults.
            Allowed: ideal, crosssim-2slice, crosssim-4slice, pcm, rram-milo, rram-wan, sonos.
        """
        return self._with(("chip",), _given(locals()))

    def chip_array(
        self,
        *,
        rows: int = _UNSET,
        cols: int = _UNSET,
        split: str = _UNSET,
        rearrange: str = _UNSET,
        compact: str = _UNSET,
    ) -> Experiment:
        """Section ``[chip.array]``.

        How large the arrays are. The defaults are rows and columns of ISAAC (Shafiee et al., ISCA 2016), a common size
        since.

        Parameters
        ----------
        rows : integer, default 128
            Most rows (inputs) of an array. Allowed: 1 to 65536.
        cols : integer, default 128
            Most columns of an array. Allowed: 1 to 65536.
        split : text, default "even"
            How a larger matrix is cut. Allowed: "even", "filled".
        rearrange : text, default "none"
            Order of the columns of a trained layer in its arrays (docs/cells.md 1). Training sees them in the layer's
            own order. Allowed: "none", "heavy-first", "light-first".
        compact : text, default "none"
            What a trained layer leaves out of its arrays (docs/cells.md 1). Training sees all. Allowed: "none",
            "columns", "rows", "smaller".
        """
        return self._with(("chip", "array",), _given(locals()))

    def chip_cells(
        self,
        *,
        slice_bits: Any = _UNSET,
        equal_slices: int = _UNSET,
        encoding: str = _UNSET,
        two_sided: bool = _UNSET,
        fill: str = _UNSET,
        subtraction: str = _UNSET,
        reference: int = _UNSET,
        on_off_ratio: float = _UNSET,
        g_max_us: float = _UNSET,
        levels: Sequence[Any] = _UNSET,
        sampled: str = _UNSET,
        sampled_sha256: str = _UNSET,
        storage: str = _UNSET,
    ) -> Experiment:
        """Section ``[chip.cells]``.

        From codes to conductances.

        Parameters
        ----------
        slice_bits : integer or list of integers, bits, default 8
            Bits of a cell: a number, or a list with one for every slice, least significant first. Allowed: 1 to 8, or 1
            to 16 values, each 1 to 8.
        equal_slices : integer, default 1
            Slices of every place value: slices of equal significance, which share what one slice would hold. The weight
            is their mean. With `slice_bits` of all bits that a code needs all slices of a weight are equal. By digits
            they are copies, by `fill` "max-fill" one is full before the next holds anything (docs/cells.md 1). Allowed:
            1 to 16.
        encoding : text, default "differential"
            How signed codes become cells. Allowed: "differential", "offset".
        two_sided : boolean, default false
            With differential cells: both move around mid-range instead of one from the lowest conductance. Allowed:
            true, false.
        fill : text, default "digits"
            Which part of a weight every slice holds. Other rules than "digits" are for differential cells that do not
            both move, with equal steps, without self-tuning (docs/cells.md 1). Allowed: "digits", "equal-fill",
            "max-fill", "max-fill-ec".
        subtraction : text, default "analog"
            With differential cells: where the difference is made. Allowed: "analog", "digital".
        reference : integer, cells, default 0
            With an offset: cells per row averaged in a real reference column of every array that is subtracted before
            the converter; 0: the offset is subtracted digitally. Allowed: 0 to 1024.
        on_off_ratio : number, default inf
            `G_max/G_min`, above 1 by so much that neighbouring levels are different numbers. Allowed: above 1, or inf.
        g_max_us : number, uS, default 100.0
            Largest conductance, with which wires are compared. Allowed: 0.000001 to 1000000.
        levels : list of numbers, G_max, default []
            Conductance of every digit, digit 0 first, instead of equal steps: a non-uniform level table, or the
            conductances that a selector leaves of equal steps at the read voltage. All slices must have as many bits.
            Empty: equal steps. Allowed: 0 to 256 values, each 0 to 1.
        sampled : path
            A table of measured cells, as `pimento fit` reads it, from which cells are drawn instead of deviating by a
            law: at a measured target a cell is one of those that were measured, between two at the same quantile of
            both. A cell's value is the mean of its reads at its first time. Together with `variation.sigma_w` 0 and
            without `chip.programming.sigma`; what cells share is added as ever. Allowed: a path relative to the
            experiment file.
        sampled_sha256 : text
            The file's SHA-256: noted when the experiment is read, or what it must be. Allowed: 64 hexadecimal digits.
        storage : text, default "f32"
            How the simulation keeps what is read: conductances in level units (of a pair that is subtracted before its
            converter, the difference), after programming, drift and wires. Halves (IEEE 754 binary16, to the nearest,
            ties to even; beyond 65504, 65504) are off by at most 2^-11 of a value, far below the deviations of
            programming, and take half the memory and traffic: about twice as many chips fit a wave. Variances of read
            noise stay floats; digits that are counted are exact either way. Allowed: "f32", "f16".
        """
        return self._with(("chip", "cells",), _given(locals()))

    def chip_programming(
        self,
        *,
        sigma: Any = _UNSET,
        stuck_off: float = _UNSET,
        stuck_on: float = _UNSET,
        open_rows: float = _UNSET,
        open_cols: float = _UNSET,
        clip: float = _UNSET,
        non_negative: bool = _UNSET,
    ) -> Experiment:
        """Section ``[chip.programming]``.

        Effects on the cells in the order they are applied.

        Parameters
        ----------
        sigma : curve, G_max
            Standard deviation of a cell by its target conductance, gaussian, instead of `variation.sigma_w`. Allowed: a
            number, a list of 2 to 4096 numbers, or one of { polynomial = [c0, ..] }, { log = [a, b, min, max] }, {
            power = [a, p, max] }, { saturating = [a, b] }, { points = [[0, y0], .., [1, yn]] }, or "none".
        stuck_off : number, default 0.0
            Probability that a cell is stuck at `G_min`. Allowed: 0 to 1.
        stuck_on : number, default 0.0
            Probability that a cell is stuck at `G_max`. Allowed: 0 to 1.
        open_rows : number, default 0.0
            Probability that a row of an array is open: its cells conduct nothing. Allowed: 0 to 1.
        open_cols : number, default 0.0
            Probability that a column of an array is open. Allowed: 0 to 1.
        clip : number, G_max, default inf
            Largest conductance that a cell reaches. Allowed: above 0, or inf.
        non_negative : boolean, default true
            A conductance is not below 0. With it, deviations of cells near 0 have a mean, and deviations that cancel in
            a difference cancel only where no cell is limited. Allowed: true, false.
        """
        return self._with(("chip", "programming",), _given(locals()))

    def chip_drift(
        self,
        *,
        time_s: float = _UNSET,
        t0_s: float = _UNSET,
        nu: Any = _UNSET,
        sigma_nu: Any = _UNSET,
    ) -> Experiment:
        """Section ``[chip.drift]``.

        `G(t) = G (t/t0)^-nu`, `nu = max(nu(g) + sigma_nu(g) z, 0)` drawn for every cell from its conductance `g` at
        `t0`. Test cells drift like all others, so self-tuning (`[tuning]`) is also the global drift compensation. Under
        the proportional law it divides by the drift that they show, under the fixed one, where a reading does not tell
        a factor from an offset, by the mean drift of cells at `G_max`.

        Parameters
        ----------
        time_s : number, s, default 0.0
            Time since programming; up to `t0_s` nothing has drifted. Also the age of 1/f noise. Allowed: 0 to
            10000000000.
        t0_s : number, s, default 20.0
            When the conductances are as programmed. Allowed: 0.000000001 to 10000000000.
        nu : curve, default 0.0
            Mean exponent by conductance. Allowed: a number, a list of 2 to 4096 numbers, or one of { polynomial = [c0,
            ..] }, { log = [a, b, min, max] }, { power = [a, p, max] }, { saturating = [a, b] }, { points = [[0, y0],
            .., [1, yn]] }.
        sigma_nu : curve, default 0.0
            Standard deviation of the exponent by conductance. Allowed: a number, a list of 2 to 4096 numbers, or one of
            { polynomial = [c0, ..] }, { log = [a, b, min, max] }, { power = [a, p, max] }, { saturating = [a, b] }, {
            points = [[0, y0], .., [1, yn]] }.
        """
        return self._with(("chip", "drift",), _given(locals()))

    def chip_wires(
        self,
        *,
        row_ohm: float = _UNSET,
        col_ohm: float = _UNSET,
        row_terminal_ohm: float = _UNSET,
        col_terminal_ohm: float = _UNSET,
        topology: str = _UNSET,
        method: str = _UNSET,
        sweeps: int = _UNSET,
        activity: float = _UNSET,
    ) -> Experiment:
        """Section ``[chip.wires]``.

        Resistance between neighbouring cells.

        Parameters
        ----------
        row_ohm : number, ohm, default 0.0
            A segment of an input or supply line. Allowed: 0 to 1000000000.
        col_ohm : number, ohm, default 0.0
            A segment of an output line. Allowed: 0 to 1000000000.
        row_terminal_ohm : number, ohm, default 0.0
            Added at the driver of every row. Allowed: 0 to 1000000000.
        col_terminal_ohm : number, ohm, default 0.0
            Added at the sense end of every column. Allowed: 0 to 1000000000.
        topology : text, default "input-source"
            Which line carries the cells' current. Allowed: "input-source", "separate-source".
        method : text, default "exact"
            How the currents are found. Allowed: "exact", "fast".
        sweeps : integer, default 2
            Sweeps of the fast method: each solves all output lines, then all input lines; each gains two digits and
            more where wires cost some percent (docs/cells.md). Allowed: 1 to 1000.
        activity : number, default 0.5
            Separate source: how many inputs are on, as a share, when the currents are found. The mesh is not linear in
            gates: other inputs see this approximation. Allowed: 0 to 1.
        """
        return self._with(("chip", "wires",), _given(locals()))

    def chip_read(
        self,
        *,
        proportional: float = _UNSET,
        fixed: float = _UNSET,
        sigma: Any = _UNSET,
        one_over_f: Any = _UNSET,
        t_read_s: float = _UNSET,
        per_cell: bool = _UNSET,
    ) -> Experiment:
        """Section ``[chip.read]``.

        Noise of a cell at every read; the parts are independent. With wires that resist it is the noise on ideal lines
        (docs/cells.md 5).

        Parameters
        ----------
        proportional : number, default 0.0
            Standard deviation relative to the cell's own conductance. Allowed: 0 to 10.
        fixed : number, G_max - G_min, default 0.0
            Standard deviation relative to the range of conductances. Allowed: 0 to 10.
        sigma : curve, G_max
            Standard deviation by conductance at the read. Allowed: a number, a list of 2 to 4096 numbers, or one of {
            polynomial = [c0, ..] }, { log = [a, b, min, max] }, { power = [a, p, max] }, { saturating = [a, b] }, {
            points = [[0, y0], .., [1, yn]] }, or "none".
        one_over_f : curve
            1/f noise: `Q(g)` by the conductance as programmed, before drift; the standard deviation relative to the
            cell's conductance at the read is `Q sqrt(ln((t + t_read)/(2 t_read)))`, `t = chip.drift.time_s`. Allowed: a
            number, a list of 2 to 4096 numbers, or one of { polynomial = [c0, ..] }, { log = [a, b, min, max] }, {
            power = [a, p, max] }, { saturating = [a, b] }, { points = [[0, y0], .., [1, yn]] }, or "none".
        t_read_s : number, s, default 0.00000025
            Duration of a read, of the 1/f noise; by default that of Nandakumar et al., ICECS 2019. Allowed:
            0.000000000001 to 1000.
        per_cell : boolean, default false
            One number for every cell and conversion instead of one for every conversion: the same in law, slower by the
            number of rows; for checks. Allowed: true, false.
        """
        return self._with(("chip", "read",), _given(locals()))

    def chip_dac(
        self,
        *,
        bits: int = _UNSET,
        signs: str = _UNSET,
        table: Sequence[Any] = _UNSET,
        accumulate: str = _UNSET,
    ) -> Experiment:
        """Section ``[chip.dac]``.

        How inputs are driven.

        Parameters
        ----------
        bits : integer, bits, default 1
            Input bits per step, at most those the input has: 1 is bit-serial, 8 one step. Allowed: 1 to 8.
        signs : text, default "sign-magnitude"
            Codes of signed inputs. Allowed: "sign-magnitude", "twos-complement".
        table : list of numbers, levels, default []
            Drive of every digit, digit 0 first: the converter's non-linearity. `2^bits` values; empty: linear. Allowed:
            0 to 256 values, each 0 to 10000.
        accumulate : text, default "digital"
            Where the steps are added up. Allowed: "digital", "analog".
        """
        return self._with(("chip", "dac",), _given(locals()))

    def chip_adc(
        self,
        *,
        bits: Any = _UNSET,
        codes: str = _UNSET,
        range: str = _UNSET,
        limit: Any = _UNSET,
        method: str = _UNSET,
        percentile: float = _UNSET,
        per: str = _UNSET,
        shared: bool = _UNSET,
        calibration_images: int = _UNSET,
        gain_error: float = _UNSET,
        offset_error: float = _UNSET,
        noise: float = _UNSET,
        inl: Sequence[Any] = _UNSET,
        sharing: int = _UNSET,
        count_clips: bool = _UNSET,
    ) -> Experiment:
        """Section ``[chip.adc]``.

        How the sum of a column is converted.

        Parameters
        ----------
        bits : integer or list of integers, bits, default 8
            Resolution; 0: no converter, sums are exact. A list gives the converters of every slice their own, lowest
            slice first: `[3, 3, 3, 1]`. Allowed: 0 to 14, or 1 to 16 values, each 1 to 14.
        codes : text, default "sign-magnitude"
            Codes of the converter. Allowed: "sign-magnitude", "uniform".
        range : text, default "full"
            Where the range comes from. Allowed: "full", "granular", "fixed", "calibrated".
        limit : number or list of numbers, cells, default []
            With range "fixed": the largest sum that does not clip, in fully conducting cells (`G_max` at one level of
            drive); a number, or a list with one for every slice. Allowed: 0.000001 to 1000000000, or 0 to 16 values,
            each 0.000001 to 1000000000.
        method : text, default "percentile"
            With range "calibrated": how it is chosen. Allowed: "percentile", "power-of-two", "mse".
        percentile : number, %, default 99.99
            Percentile of the magnitudes; by default CrossSim's. Allowed: 50 to 100.
        per : text, default "slice"
            Converters that share a calibrated range. Allowed: "layer", "slice", "column".
        shared : boolean, default false
            All layers have the largest of their ranges, in current: one reference for the whole chip. Allowed: true,
            false.
        calibration_images : integer, images, default 100
            Training images that a calibration looks at. Allowed: 1 to 1000000.
        gain_error : number, default 0.0
            Standard deviation of a converter's relative gain error, which leaves code 0 where it is. Allowed: 0 to 1.
        offset_error : number, codes, default 0.0
            Standard deviation of a converter's offset. Allowed: 0 to 16384.
        noise : number, codes, default 0.0
            Standard deviation of the thermal noise of a conversion. Allowed: 0 to 16384.
        inl : list of numbers, codes, default []
            Integral non-linearity, one value per code from the lowest on; empty: none. Allowed: 0 to 16384 values, each
            -16384 to 16384.
        sharing : integer, columns, default 1
            Neighbouring columns of an array that share a converter, and so its errors; an array's last converter has
            the columns that are left over. Allowed: 1 to 65536.
        count_clips : boolean, default false
            Count the conversions beyond the range. Allowed: true, false.
        """
        return self._with(("chip", "adc",), _given(locals()))

    def variation(
        self,
        *,
        law: str = _UNSET,
        mapping: str = _UNSET,
        on_off_ratio: float = _UNSET,
        offset_reference: str = _UNSET,
        reference_copies: int = _UNSET,
        sigma_w: float = _UNSET,
        sigma_profile: Any = _UNSET,
        sigma_b: float = _UNSET,
        sigma_layer: float = _UNSET,
        sigma_array: float = _UNSET,
        distribution: str = _UNSET,
        truncate_at: float = _UNSET,
        sampling: str = _UNSET,
    ) -> Experiment:
        """Section ``[variation]``.

        The relative deviation of every cell is a sum of independent parts,

        Parameters
        ----------
        law : text, default "weight-proportional"
            Variance model. Allowed: "weight-proportional", "layer-fixed".
        mapping : text, default "ideal"
            Cells per weight. Allowed: "ideal", "differential", "offset".
        on_off_ratio : number, default inf
            `G_max/G_min`, above 1 by more than `f32` rounds; `inf` for `G_min = 0`. Differential and offset mappings.
            Allowed: above 1, or inf.
        offset_reference : text, default "digital"
            How the offset is subtracted (offset mapping). Allowed: "digital", "column".
        reference_copies : integer, cells, default 1
            Cells averaged per row of the offset's reference column. Allowed: 1 to 1024.
        sigma_w : number, default 0.0
            Within-chip standard deviation, relative. Allowed: 0 to 10.
        sigma_profile : profile, default "flat"
            Factor on sigma_w by what a cell holds, from nothing to the full scale: its own deviation is then gaussian
            with `sigma_w profile(g)` of the full scale, whatever the law, which is left to the common parts. At weight
            level g is the magnitude of the weight relative to the largest that its code can represent, or with another
            mapping than "ideal" the target of each cell; at cell level the target of each cell. Allowed: "flat",
            "pcm-two-devices", "neft-rram1", "neft-fefet2", "neft-rram4", "neft-fefet6", or a number, a list of 2 to
            4096 numbers, or one of { polynomial = [c0, ..] }, { log = [a, b, min, max] }, { power = [a, p, max] }, {
            saturating = [a, b] }, { points = [[0, y0], .., [1, yn]] }.
        sigma_b : number, default 0.0
            Between-chip standard deviation, relative. Allowed: 0 to 10.
        sigma_layer : number, default 0.0
            Standard deviation of a part that one layer of one chip shares, relative. Allowed: 0 to 10.
        sigma_array : number, default 0.0
            Standard deviation of a part that one array of cells (one slice and polarity of one row and column tile)
            shares, relative; cell level only. Allowed: 0 to 10.
        distribution : text, default "gaussian"
            Distribution of the cells' deviates, and of the chip's, the layers' and the arrays' own parts. Allowed:
            "gaussian", "truncated", "lognormal".
        truncate_at : number, standard deviations, default 3.0
            Limit of distribution "truncated". Allowed: 0.01 to 6.
        sampling : text, default "independent"
            Sampling of eps_B over the chips of a sweep; training chips are always independent. Allowed: "independent",
            "stratified".
        """
        return self._with(("variation",), _given(locals()))

    def variation_wafer(
        self,
        *,
        diameter_mm: float = _UNSET,
        die_mm: Sequence[Any] = _UNSET,
        edge_mm: float = _UNSET,
        sigma_wafer: float = _UNSET,
        sigma_radial: float = _UNSET,
        sigma_field: float = _UNSET,
        correlation_mm: float = _UNSET,
        kernel: str = _UNSET,
    ) -> Experiment:
        """Section ``[variation.wafer]``.

        Chips are the dies of round wafers, filled one after another.

        Parameters
        ----------
        diameter_mm : number, mm, default 300.0
            Diameter. Allowed: 1 to 1000.
        die_mm : list of numbers, mm, default [10.0, 10.0]
            Width and height of a die, scribe line included. Allowed: 2 values, each 0.1 to 1000.
        edge_mm : number, mm, default 3.0
            Ring along the edge without chips. Allowed: 0 to 500.
        sigma_wafer : number, default 0.0
            Standard deviation of the part that a wafer shares, relative. Allowed: 0 to 10.
        sigma_radial : number, default 0.0
            Standard deviation, over a wafer's dies, of the radial part, relative; it is highest at the edge. Allowed: 0
            to 10.
        sigma_field : number, default 0.0
            Standard deviation of the field, relative. Allowed: 0 to 10.
        correlation_mm : number, mm, default 50.0
            Correlation length of the field. Allowed: 0.01 to 10000.
        kernel : text, default "matern32"
            Covariance of the field. Allowed: "squared-exponential", "matern32", "exponential".
        """
        return self._with(("variation", "wafer",), _given(locals()))

    def tuning(
        self,
        *,
        method: str = _UNSET,
        place: str = _UNSET,
        scope: str = _UNSET,
        test_cells: int = _UNSET,
        estimator: str = _UNSET,
        level: float = _UNSET,
        read_noise: float = _UNSET,
        read_lsb: float = _UNSET,
        gain_floor: float = _UNSET,
        reference_columns: int = _UNSET,
        recalibration_batches: int = _UNSET,
        recalibration_batch: int = _UNSET,
        training_steps: int = _UNSET,
        training_rate: float = _UNSET,
        training_momentum: float = _UNSET,
        training_backward: str = _UNSET,
    ) -> Experiment:
        """Section ``[tuning]``.

        The correction and its price.

        Parameters
        ----------
        method : text, default "none"
            Correction. Allowed: "none", "self-tuning", "reference-columns", "level-columns", "oracle",
            "bn-recalibration", "bn-training".
        place : text, default "digital"
            Where the correction acts. Allowed: "digital", "adc-reference".
        scope : text, default "chip"
            Whether a chip or every array has an estimate of its own. Allowed: "chip", "array".
        test_cells : integer, cells, default 256
            Test cells per chip (or array, see `scope`). Allowed: 1 to 1000000.
        estimator : text, default "mean"
            Estimator of eps_B. Allowed: "mean", "mmse", "median".
        level : number, G_max, default 1.0
            Conductance that test cells and columns at a known level are programmed to, not below the lowest; cell level
            only. Cells that are limited at `G_max` need a lower one to show that they conduct too much. Allowed: 0.001
            to 1.
        read_noise : number, default 0.0
            Standard deviation of the noise of one read, in the unit of deviations: the conductance aimed at
            (weight-proportional law), the range of conductances (layer-fixed). A read is of one test cell, or of one
            column relative to its rows. Allowed: 0 to 10.
        read_lsb : number, default 0.0
            Resolution of a read, in the unit of `read_noise`; 0: exact. Adds `lsb^2/12` where reads spread over some
            steps, else an error that no number of reads averages away. Allowed: 0 to 1.
        gain_floor : number, default 0.1
            Smallest `1 + eps_hat` that is divided by. Allowed: 0.001 to 1.
        reference_columns : integer, columns, default 4
            Columns per array of methods "reference-columns" and "level-columns". Allowed: 1 to 1024.
        recalibration_batches : integer, batches, default 4
            Batches per chip of batch norm recalibration and training. Allowed: 1 to 10000.
        recalibration_batch : integer, images, default 128
            Images per batch of recalibration and training. Allowed: 2 to 65536.
        training_steps : integer, steps, default 64
            Steps per chip of batch norm training, a batch each. Allowed: 1 to 100000.
        training_rate : number, default 0.01
            Learning rate of batch norm training. Allowed: 0 to 10.
        training_momentum : number, default 0.9
            Momentum of batch norm training. Allowed: 0 to 0.999.
        training_backward : text, default "chip"
            Weights that its gradient goes back through. Allowed: "chip", "nominal".
        """
        return self._with(("tuning",), _given(locals()))

    def energy(
        self,
        *,
        technology: str = _UNSET,
        file: str = _UNSET,
        file_sha256: str = _UNSET,
        node_nm: float = _UNSET,
        read_v: float = _UNSET,
        pulse_ns: float = _UNSET,
        settle_ns: float = _UNSET,
        conversion_mhz: float = _UNSET,
        overlap: bool = _UNSET,
        activity: float = _UNSET,
        mean_cell_us: float = _UNSET,
    ) -> Experiment:
        """Section ``[energy]``.

        Energy, latency and area of the chip, at `fidelity = "cell"`; without the section nothing is estimated.
        docs/energy.md has the equations. Columns that share a converter are `chip.adc.sharing`, conductances come from
        `chip.cells`.

        Parameters
        ----------
        technology : text, default "reference-32nm"
            Constants of the parts: a technology that comes with the program. Allowed: reference-32nm, isaac-32nm,
            neurram-130nm.
        file : path
            A technology file instead. Allowed: a path relative to the experiment file.
        file_sha256 : text
            The file's SHA-256: noted when the experiment is read, or what it must be. Allowed: 64 hexadecimal digits.
        node_nm : number, nm
            Node that the constants are scaled to; by default the technology's. Allowed: 1 to 1000.
        read_v : number, V, default 0.2
            Voltage of the highest drive of a row; the others are in proportion. By default ISAAC's. Allowed: 0.001 to
            10.
        pulse_ns : number, ns, default 10.0
            How long the rows are driven in a step. Allowed: 0.001 to 1000000000.
        settle_ns : number, ns, default 0.0
            Time before and after that in which nothing is driven or converted. Allowed: 0 to 1000000000.
        conversion_mhz : number, MHz, default 100.0
            Conversions of one converter in a second, in millions: the rate of the survey's model. Allowed: 0.001 to
            100000.
        overlap : boolean, default false
            Columns are sampled, and converted while the rows are driven with the next step. Allowed: true, false.
        activity : number
            Share of its largest value that the squared drive of a row has in the mean, for estimates of arrays without
            images; by default an interval from 0 to 1. Allowed: 0 to 1.
        mean_cell_us : number, uS
            Mean conductance of a cell, for estimates without chips; by default an interval between the means that codes
            can have. Allowed: 0 to 1000000.
        """
        return self._with(("energy",), _given(locals()))

    def sweep(
        self,
        *,
        chips: int = _UNSET,
        images: int = _UNSET,
        yield_limit: float = _UNSET,
        unseen: bool = _UNSET,
        metrics: Sequence[Any] = _UNSET,
        until: str = _UNSET,
        max_chips: int = _UNSET,
    ) -> Experiment:
        """Section ``[sweep]``.

        Every point of the designs is one experiment on the same chips.

        Parameters
        ----------
        chips : integer, chips, default 100
            Chips per point; with `until`, the fewest. Allowed: 1 to 10000000.
        images : integer, images, default 0
            Test images per chip, from the first; 0 for all. Allowed: 0 to 100000000.
        yield_limit : number, default 0.8
            A chip yields when its accuracy (a fraction) is at least this. Allowed: 0 to 1.
        unseen : boolean, default true
            Whether the interval of a mean has a part for chips not yet seen: 3 of as many chips as there are, at chance
            level. Allowed: true, false.
        metrics : list of texts, default []
            Metrics that are measured besides accuracy and loss: columns of their own in all results (docs/columns.md).
            Each may be there once. Allowed: 0 to 2 values, each "top5", "brier".
        until : text
            When a point has chips enough, from `chips` on and at most `max_chips`; absent: it has `chips`. Allowed:
            "ci(mean) < Xpt" or "ci(yield) < Xpt", X from 0.001 to 50 percentage points.
        max_chips : integer, chips, default 100000
            Most chips of a point with `until`. Allowed: 1 to 10000000.
        """
        return self._with(("sweep",), _given(locals()))

    def worst_case(
        self,
        *,
        bound: float = _UNSET,
        steps: int = _UNSET,
        restarts: int = _UNSET,
        search_images: int = _UNSET,
        search_on: str = _UNSET,
        sparse: Sequence[Any] = _UNSET,
        eps_b: float = _UNSET,
        random_chips: int = _UNSET,
    ) -> Experiment:
        """Section ``[worst_case]``.

        The worst device variation within a bound (Yan, Hu and Shi, arXiv 2207.07626).

        Parameters
        ----------
        bound : number, w_max, default 0.03
            Largest deviation of a weight. Allowed: 0.000001 to 10.
        steps : integer, default 100
            Steps of a search. Allowed: 1 to 100000.
        restarts : integer, default 2
            Searches: the first begins at no deviation, the others anywhere in the box. Allowed: 1 to 1000.
        search_images : integer, images, default 1000
            Images that the search looks at. Allowed: 1 to 1000000.
        search_on : text, default "train"
            Set that these images are from. Allowed: "train", "test".
        sparse : list of integers, weights, default []
            Further searches in which only as many weights deviate, one for each number. Allowed: 0 to 20 values, each 1
            to 1000000000.
        eps_b : number, default 0.0
            Largest common deviation `|eps_B|` of the one-dimensional search; 0 for none. Allowed: 0 to 10.
        random_chips : integer, chips, default 1000
            Chips with deviations uniform within the bound, to compare with. Allowed: 2 to 1000000.
        """
        return self._with(("worst_case",), _given(locals()))

    def design(
        self,
        *,
        goal: str = _UNSET,
        risk: float = _UNSET,
        first_chips: int = _UNSET,
        first_images: int = _UNSET,
    ) -> Experiment:
        """Section ``[design]``.

        What `pimento design` looks for among the points of the sweep (docs/design.md). A sweep of the same file
        simulates all of them.

        Parameters
        ----------
        goal : text
            Objectives and constraints, with commas between them: `energy_pj min, yield(0.9) >= 0.99, area_mm2 <= 2`.
            Several objectives make a front. `energy_pj`, `periphery_pj`, `latency_us` and `area_mm2` are upper ends.
            Allowed: terms with commas between them, each `MEASURE min`, `MEASURE max`, `MEASURE >= NUMBER` or `MEASURE
            <= NUMBER`; measures: yield(LIMIT), energy_pj, periphery_pj, latency_us, area_mm2, accuracy, loss, top5,
            brier, energy_array_pj, energy_low_pj, energy_high_pj, cells, arrays, conversions_per_image,
            operations_per_image, periphery_low_pj, periphery_high_pj, latency_low_us, latency_high_us, area_low_mm2,
            area_high_mm2.
        risk : number, default 0.05
            Largest probability that a design leaves which the whole sweep would have had on the front. Allowed:
            0.000000001 to 0.5.
        first_chips : integer, chips, default 8
            Chips that every design begins with; then twice as many in each round. Allowed: 2 to 10000000.
        first_images : integer, images, default 0
            Test images that every design begins with, drawn at random; then four times as many in each round. 0 for a
            sixteenth of the images, at least 64. Allowed: 0 to 100000000.
        """
        return self._with(("design",), _given(locals()))
