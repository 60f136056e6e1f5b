"""Records scipy's intervals of the same values: Student's t, the jackknife by its definition, and how often BCa bootstraps cover."""

import numpy as np
import scipy
from scipy import stats

TRIALS, RESAMPLES = 1000, 499
SIZES = (5, 8, 16)


def jackknife(statistic, rows, to, back):
    n = len(rows)
    without = np.array([to(statistic(np.delete(rows, i, axis=0))) for i in range(n)])
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(((without - without.mean()) ** 2).sum())
    point = to(statistic(rows))
    return [float(back(point - half)), float(back(point + half))]


def case(rng, n):
    b = rng.gamma(2, 0.5, n)
    a = b * rng.gamma(8, 0.1, n)
    rows = np.stack([a, b], axis=1)
    plain = stats.ttest_1samp(a, 0).confidence_interval(0.95)
    # The variance has n − 1 in the place of n.
    wider = np.sqrt(n / (n - 1))
    linear = [float(a.mean() + wider * (x - a.mean())) for x in plain]
    ratio = lambda r: r[:, 0].mean() / r[:, 1].mean()  # noqa: E731
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "linear": linear,
        "log": jackknife(lambda r: r[:, 0].mean(), rows, np.log, np.exp),
        "ratio": jackknife(ratio, rows, np.log, np.exp),
    }


def covered(rng, draw, truth, statistic):
    """Share of BCa intervals that contain the truth. draw(n) returns a tuple of samples."""
    shares = {}
    for n in SIZES:
        samples = draw((TRIALS, n))
        found = stats.bootstrap(
            samples, statistic, n_resamples=RESAMPLES, method="BCa", paired=len(samples) > 1, axis=1, vectorized=True, rng=rng,
        ).confidence_interval  # fmt: skip
        shares[str(n)] = float(np.mean((found.low <= truth) & (truth <= found.high)))
    return shares


def record(store):
    rng = np.random.default_rng(20)

    def mean(x, axis=-1):
        return x.mean(axis=axis)

    def ratio(x, y, axis=-1):
        return x.mean(axis=axis) / y.mean(axis=axis)

    def normal_pair(shape):
        b = rng.normal(1, 0.25, shape)
        return b * rng.normal(0.8, 0.15, shape), b

    def gamma_pair(shape):
        b = rng.gamma(2, 0.5, shape)
        return b * rng.gamma(8, 0.1, shape), b

    store.put("intervals", {
        "versions": {"scipy": scipy.__version__},
        "quantiles": {str(v): float(stats.t.ppf(0.975, v)) for v in (4, 5, 7, 15, 31, 2047)},
        "cases": {str(n): case(rng, n) for n in SIZES},
        "bca": {
            "mean normal": covered(rng, lambda s: (rng.normal(1, 0.3, s),), 1, mean),
            "mean gamma": covered(rng, lambda s: (rng.gamma(2, 0.5, s),), 1, mean),
            "ratio normal": covered(rng, normal_pair, 0.8, ratio),
            "ratio gamma": covered(rng, gamma_pair, 0.8, ratio),
        },
    })  # fmt: skip
