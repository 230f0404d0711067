#!/usr/bin/env python3
"""What SciPy makes of small samples: the vectors that the statistics over chips are held against.

    python3 -m venv venv && venv/bin/pip install scipy
    venv/bin/python scripts/statistics_vectors.py    # writes assets/golden/statistics/scipy.json

Everything is a function of the seed below. `cargo test --lib statistics` reads the file.
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

HOME = Path(__file__).resolve().parent.parent / "assets" / "golden" / "statistics"
RNG = np.random.default_rng(20240607)


def fractions():
    """Intervals of k of n, and the two-sided sign test of k against n - k."""
    cases = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (15, 148), (81, 263), (998, 1000)]
    cases += [(500_000, 1_000_000), (999_990, 1_000_000), (7, 1_000_000)]
    out = []
    for k, n in cases:
        test = stats.binomtest(k, n, 0.5)
        exact, wilson = test.proportion_ci(0.95, "exact"), test.proportion_ci(0.95, "wilson")
        out.append(
            {"k": k, "n": n, "exact": [exact.low, exact.high], "wilson": [wilson.low, wilson.high], "sign_p": test.pvalue}
        )
    return out


def pairs():
    """Correct images of the same chips at two points."""
    out = []
    for chips, images, shift, noise in [(20, 100, 0.5, 3), (200, 450, 1.0, 8), (1000, 2000, -0.5, 20), (50, 10, 0.0, 1)]:
        common = RNG.beta(12, 2, chips) * images
        a = np.clip(np.round(common + RNG.normal(0, noise, chips)), 0, images).astype(int)
        b = np.clip(np.round(common + shift + RNG.normal(0, noise, chips)), 0, images).astype(int)
        t = stats.ttest_rel(b / images, a / images)
        ci = t.confidence_interval(0.95)
        d = b - a
        better, worse = int((d > 0).sum()), int((d < 0).sum())
        limit = 0.85
        gained = int(((b / images >= limit) & ~(a / images >= limit)).sum())
        lost = int((~(b / images >= limit) & (a / images >= limit)).sum())
        w = stats.wilcoxon(d, zero_method="wilcox", correction=False, method="asymptotic")
        out.append(
            {
                "images": images,
                "limit": limit,
                "a": a.tolist(),
                "b": b.tolist(),
                "mean": float((d / images).mean()),
                "std": float((d / images).std(ddof=1)),
                "ci": [ci.low, ci.high],
                "better": better,
                "worse": worse,
                "sign_p": stats.binomtest(better, better + worse, 0.5).pvalue,
                "wilcoxon_p": w.pvalue,
                "gained": gained,
                "lost": lost,
                "mcnemar_p": stats.binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1.0,
            }
        )
    return out


def replicates():
    """Mean over 16 replicates of equal size: the t interval of the replicates' means."""
    chips, images = 16 * 12, 1000
    correct = np.clip(np.round(RNG.normal(870, 15, chips)), 0, images).astype(int)
    means = np.array([correct[r::16].mean() / images for r in range(16)])
    ci = stats.t.interval(0.95, 15, means.mean(), stats.sem(means))
    return {"images": images, "correct": correct.tolist(), "se": float(stats.sem(means)), "ci": list(map(float, ci))}


if __name__ == "__main__":
    HOME.mkdir(parents=True, exist_ok=True)
    data = {"scipy": scipy.__version__, "fractions": fractions(), "pairs": pairs(), "replicates": replicates()}
    (HOME / "scipy.json").write_text(json.dumps(data, indent=1) + "\n")
