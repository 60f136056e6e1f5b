"""Records what the packages that papers use make of the same features: torch-fidelity, prdc, vendi-score."""

import contextlib
import io

import numpy as np
import torch

from .weights import noise

# Pictures of a reference and of a model; more pictures than features, and fewer.
SETS = {"tall": (60, 40, 24), "wide": (14, 11, 32)}
K = 5


def grown(seed, count, width, scale=1.0, shift=0.0):
    return {"seed": seed, "shape": [count, width], "scale": scale, "shift": shift}


def features(entry):
    return noise(entry["shape"], entry["seed"]) * entry["scale"] + entry["shift"]


def vendi(x):
    # The package's own score_X drops its order, so the matrix is handed over; scipy took away the name it asks for.
    import scipy.sparse

    if not hasattr(scipy.sparse, "csr"):
        scipy.sparse.csr = scipy.sparse
    from vendi_score import vendi as package

    unit = torch.nn.functional.normalize(x.double(), dim=1).numpy()
    k = unit @ unit.T
    return {order: float(package.score_K(k, q=q)) for order, q in {"1": 1, "2": 2, "inf": "inf"}.items()} | {
        "dual": float(package.score_dual(x.double().numpy()))
    }


def record(store):
    from prdc import compute_prdc
    from torch_fidelity import metric_fid, metric_isc, metric_kid

    cases = {}
    for i, (name, (n, m, d)) in enumerate(SETS.items()):
        a, b = grown(700 + 10 * i, n, d, 1.3, 0.2), grown(701 + 10 * i, m, d, 0.9)
        real, fake = features(a), features(b)
        size = min(n, m)
        with contextlib.redirect_stdout(io.StringIO()):
            near = compute_prdc(real.numpy(), fake.numpy(), K)
        statistics = [metric_fid.fid_features_to_statistics(x.double()) for x in (fake, real)]
        logits = features(grown(702 + 10 * i, m, d, 3.0))
        kid = metric_kid.kernel_mmd(
            fake[:size].double().numpy(), real[:size].double().numpy(),
            kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1,
        )  # fmt: skip
        cases[name] = {
            "reference": a,
            "pictures": b,
            "logits": grown(702 + 10 * i, m, d, 3.0),
            "frechet": float(metric_fid.fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]),
            "kernel": {"pictures": size, "value": float(kid)},
            "score": float(metric_isc.isc_features_to_metric(logits, splits=1, shuffle=False)["inception_score_mean"]),
            "neighbours": {key: float(value) for key, value in near.items()},
            "vendi": vendi(fake),
        }
    versions = {"torch-fidelity": "0.4.0", "prdc": "0.2", "vendi-score": "0.0.3"}
    store.put("metrics", {"k": K, "versions": versions, "cases": cases})
