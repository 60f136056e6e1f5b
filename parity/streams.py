"""Records torch.randn's streams on the CPU: every seed with draws of several lengths in a row."""

import torch

SEEDS = [0, 1, 42, 1234, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**53 - 1, -1]

# Below 16 values torch draws one by one in double precision and keeps every second; from 16 on it fills blocks.
SHAPES = [
    [[1, 4, 3, 5]],
    [[1], [1], [1]],
    [[3], [16], [2], [2]],
    [[15], [15]],
    [[16], [17]],
    [[31], [1], [32], [33]],
    [[1, 4, 8, 6], [1, 4, 8, 6]],
]

# 624 words make one turn of the twister; these runs cross it several times.
LONG = {"seed": 7, "shapes": [[623], [2, 1000], [7], [1, 4, 16, 16]], "stride": 13}


def draws(seed, shapes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def record(store):
    cases = [
        {"seed": str(seed), "shapes": shapes, "values": [d.flatten().tolist() for d in draws(seed, shapes)]}
        for i, seed in enumerate(SEEDS)
        for shapes in (SHAPES if i < 2 else SHAPES[i % 7 : i % 7 + 1] + SHAPES[2:3])
    ]
    long = {**LONG, "values": [d.flatten()[:: LONG["stride"]].tolist() for d in draws(LONG["seed"], LONG["shapes"])]}
    store.put("random", {"cases": cases, "long": long})
