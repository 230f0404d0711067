"""What crosses the border to Python costs: memory of images, and time of a call. Prints one line for each.

usage: python python/bench/border.py     (with the package installed from a release wheel; Linux)
"""

import time

import numpy as np
import pimento


def resident():
    """Resident memory of this process, bytes."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return 1024 * int(line.split()[1])


def median_ms(call, times=200):
    """Median time of a call, milliseconds."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1e3 * float(np.median(taken))


def main():
    """Measures."""
    kept = []
    for dtype in (np.uint8, np.float32):
        images = np.random.default_rng(0).integers(0, 256, (10_000, 784)).astype(dtype)
        labels = np.arange(len(images)) % 10
        kept.append((images, pimento.Data((images[:16], labels[:16]), (images[:16], labels[:16]))))
        before = resident()
        data = pimento.Data((images, labels), (images[:16], labels[:16]))
        grown = (resident() - before) / 2**20
        print(f"10,000 x 784 {np.dtype(dtype).name}, {images.nbytes / 2**20:.1f} MiB: grew by {grown:.2f} MiB")
        kept.append(data)
    weights, x = np.eye(8), np.ones((1, 8), np.float32)
    crossbar = pimento.Crossbar({"fidelity": "cell", "quantize": {"input_bits": 4}}, weights)
    print(f"an 8 x 8 matrix, programmed and read: {median_ms(lambda: crossbar.mvm(x)):.3f} ms")
    print(f"a refused call: {median_ms(refused):.3f} ms")


def refused():
    """A call that ends at the border."""
    try:
        pimento.check({"train": {"epochs": -1}})
    except pimento.InputError:
        return
    raise AssertionError


if __name__ == "__main__":
    main()
