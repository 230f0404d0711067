#!/usr/bin/env python3
"""Makes assets/golden/quantizers/steps.json: training steps of a quantized perceptron by JAX in f64.

    python3 -m venv venv && venv/bin/pip install jax
    venv/bin/python scripts/quantizer_vectors.py

The quantizers are written with JAX's own derivatives of clip, round (straight through) and products;
tests/system/quantizers.rs runs the same steps. Data are chosen so that no value is near a threshold
between two codes, and so that the largest weight over its step, in f32, rounds above the highest code (which 3 bits never do).
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

INPUTS, HIDDEN, CLASSES, IMAGES, STEPS = 8, 6, 4, 16, 4
MOMENTUM, BETA1, BETA2, MOVING = 0.9, float(np.float32(0.9)), float(np.float32(0.999)), 0.01
HALF = jax.lax.stop_gradient

def top(bits):
    return 2 ** (bits - 1) - 1


def quantized(x, d, lo, hi):
    """d clip(round(x/d)) with JAX's derivatives by x and d, and how near a value is to a threshold."""
    v = x / d
    # What sets the step is at an end exactly, and JAX would halve its derivative: the ends are moved.
    inside = jnp.clip(v, lo - 1e-9, hi + 1e-9)
    code = inside + HALF(jnp.round(inside) - inside)
    ends = jnp.abs(jnp.abs(v) - hi)
    ends = jnp.where(ends < 1e-9, 1.0, ends)
    margin = jnp.minimum(jnp.min(jnp.abs(v - jnp.floor(v) - 0.5)), jnp.min(ends))
    return d * code, HALF(margin)


def largest(w, per_channel):
    m = jnp.max(jnp.abs(w), axis=1, keepdims=True) if per_channel else jnp.max(jnp.abs(w))
    return HALF(m)


def least(margins):
    return jnp.min(jnp.stack(margins))


def forward(p, x, case, moving):
    """Logits, the moving maximum behind this step, and the smallest margin."""
    margins = []
    q = top(case["weight_bits"])
    learned = case["learned"]

    def weight(name):
        w = p[name + ".weight"]
        if learned:
            g = 1 / np.sqrt(w.size * q)
            d = p[name + ".weight_step"]
            d = d * g + HALF(d * (1 - g))
        else:
            d = largest(w, case["per_channel"]) / q
        w, margin = quantized(w, d, -q, q)
        margins.append(margin)
        return w

    z = x @ weight("hidden").T + p["hidden.bias"]
    a = jnp.maximum(z, 0)
    hi = 2 ** case["act_bits"] - 1
    if learned:
        g = 1 / np.sqrt(HIDDEN * hi)
        d = p["out.input_step"]
        d = d * g + HALF(d * (1 - g))
    else:
        now = HALF(jnp.max(jnp.abs(a))) / hi
        d = jnp.where(moving == 0, now, moving + MOVING * (now - moving))
        moving = d
    a, margin = quantized(a, d, 0, hi)
    margins.append(margin)
    return a @ weight("out").T + p["out.bias"], (moving, least(margins))


def loss(p, x, labels, case, moving):
    logits, rest = forward(p, x, case, moving)
    return jnp.mean(-jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels]), rest


def run(case, gradient, p, x, labels):
    lr = float(np.float32(case["lr"]))
    m = {k: np.zeros_like(v) for k, v in p.items()}
    s = {k: np.zeros_like(v) for k, v in p.items()}
    moving, losses, nearest = jnp.zeros(()), [], 1.0
    for t in range(1, STEPS + 1):
        (value, (moving, margin)), g = gradient(p, x, labels, moving)
        losses.append(float(value))
        nearest = min(nearest, float(margin))
        new = {}
        for k in p:
            step = k.endswith("_step")
            d = np.asarray(g[k])
            if case["optimizer"] == "sgd":
                m[k] = MOMENTUM * m[k] + d
                new[k] = p[k] - lr * m[k]
            else:
                # The logarithm of a step is what moves.
                d = d * p[k] if step else d
                m[k] = BETA1 * m[k] + (1 - BETA1) * d
                s[k] = BETA2 * s[k] + (1 - BETA2) * d * d
                root = np.sqrt(s[k] / (1 - BETA2**t)) + (1e-15 if step else 1e-8)
                change = lr * m[k] / (1 - BETA1**t) / root
                new[k] = p[k] * (1 - change) if step else p[k] - change
        p = new
    if not case["learned"]:
        p = {**p, "out.input_step": np.array([float(moving)])}
    return p, losses, nearest


def f32(v):
    return np.asarray(v, dtype=np.float32).astype(np.float64)


def rounds_up(w, q):
    """Whether the largest magnitude over its step, in f32, is above the highest code."""
    m = np.float32(np.max(np.abs(w)))
    return m / np.float32(m / np.float32(q)) > np.float32(q)


def start(case, rng):
    """Initial parameters whose largest weights round above the highest code."""
    q = top(case["weight_bits"])

    def weights(rows, cols):
        while True:
            w = f32(rng.normal(size=(rows, cols)) / np.sqrt(cols))
            groups = list(w) if case["per_channel"] else [w]
            if case["learned"] or any(rounds_up(g, q) for g in groups):
                return w

    p = {
        "hidden.weight": weights(HIDDEN, INPUTS),
        "hidden.bias": f32(0.1 * rng.normal(size=HIDDEN)),
        "out.weight": weights(CLASSES, HIDDEN),
        "out.bias": f32(0.1 * rng.normal(size=CLASSES)),
    }
    if case["learned"]:
        for name in ("hidden", "out"):
            mean = np.mean(np.abs(p[name + ".weight"]))
            p[name + ".weight_step"] = f32([2 * mean / np.sqrt(q)])
        p["out.input_step"] = f32([0.11])
    return p


CASES = [
    dict(name="max-abs", weight_bits=4, act_bits=4, per_channel=False, learned=False, optimizer="sgd", lr=0.1),
    dict(name="per channel", weight_bits=5, act_bits=3, per_channel=True, learned=False, optimizer="sgd", lr=0.1),
    dict(name="adam", weight_bits=4, act_bits=4, per_channel=False, learned=False, optimizer="adam", lr=0.01),
    dict(name="lsq", weight_bits=3, act_bits=3, per_channel=False, learned=True, optimizer="sgd", lr=0.1),
    dict(name="lsq adam", weight_bits=4, act_bits=4, per_channel=False, learned=True, optimizer="adam", lr=0.02),
]


def main():
    out = []
    for number, case in enumerate(CASES):
        of = lambda p, x, labels, moving, case=case: loss(p, x, labels, case, moving)
        gradient = jax.jit(jax.value_and_grad(of, has_aux=True))
        for attempt in range(1000):
            rng = np.random.default_rng(1000 * number + attempt)
            x = f32(rng.normal(size=(IMAGES, INPUTS)))
            labels = rng.integers(0, CLASSES, size=IMAGES)
            p = start(case, rng)
            end, losses, near = run(case, gradient, p, x, labels)
            if near > 2e-4:
                break
        else:
            raise SystemExit(f"{case['name']}: no data without a value near a threshold")
        flat = lambda v: [float(t) for t in np.asarray(v).ravel()]
        out.append(
            {
                **case,
                "images": flat(x),
                "labels": [int(t) for t in labels],
                "start": {k: flat(v) for k, v in p.items()},
                "losses": losses,
                "end": {k: flat(v) for k, v in end.items()},
            }
        )
        print(case["name"], "attempt", attempt, "margin", near, "losses", losses)
    path = pathlib.Path(__file__).parent.parent / "assets/golden/quantizers/steps.json"
    path.write_text(json.dumps(out, indent=0).replace(",\n", ", ") + "\n")


if __name__ == "__main__":
    main()
