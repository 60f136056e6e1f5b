"""Records mutual information between images and an attribute by SciPy's entropies, with the jackknife written out: each image left out once."""

import numpy as np
import scipy
from scipy.special import softmax
from scipy.stats import entropy

from .metrics import features, grown

# Images, values, scale of the logits: few and sure, many and unsure, one value that nearly all images have.
CASES = {"sure": (8, 3, 6.0), "unsure": (40, 7, 0.5), "two": (2, 2, 2.0), "many": (25, 16, 2.0)}


def jackknife(p):
    """n H(mean p) − (n − 1) mean over i of H(mean p without i) − mean H(p). p: float64 [images, values]."""
    n = len(p)
    left_out = [entropy(np.delete(p, i, axis=0).mean(0)) for i in range(n)]
    return n * entropy(p.mean(0)) - (n - 1) * np.mean(left_out) - entropy(p, axis=1).mean()


def record(store):
    cases = {}
    for i, (name, (images, values, scale)) in enumerate(CASES.items()):
        logits = grown(740 + i, images, values, scale)
        p = softmax(features(logits).double().numpy(), axis=1)
        cases[name] = {"logits": logits, "plain": entropy(p.mean(0)) - entropy(p, axis=1).mean(), "jackknife": jackknife(p)}
    store.put("information", {"versions": {"scipy": scipy.__version__}, "cases": cases})
