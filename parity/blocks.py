"""GGUF files of every type that is read, as the gguf package writes and unpacks them (ggml-quants.c in numpy)."""

import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf import quants

BLOCKS = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.IQ4_XS]
# Where the float16 numbers of a block lie: any bits but those of infinities and no numbers may stand there.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2],
          T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}


def random_blocks(kind, rows, blocks, rng):
    """Every bit by chance: what a quantiser writes and what it never would."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    for at in HALVES[kind]:
        raw[..., at + 1] &= 0xBF  # below 2: the highest bit of the exponent is not set
    return raw.reshape(rows, blocks * size)


def record(store):
    rng = np.random.default_rng(7)
    tensors, types = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "every.gguf"
        writer = gguf.GGUFWriter(path, "sd1")
        writer.add_array("comfy.gguf.orig_shape.kernel", [8, 32, 3, 3])
        writer.add_array("tokenizer.words", ["passed", "over"])
        writer.add_float64("passed.too", 1.5)

        def add(name, data, kind, shape=None):
            writer.add_tensor(name, data, raw_dtype=kind)
            value = quants.dequantize(data, kind) if kind != T.BF16 else (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            tensors[name] = torch.from_numpy(np.ascontiguousarray(value)).reshape(shape or value.shape)
            types[name] = kind.name.lower()

        for kind in BLOCKS:
            values, _ = gguf.GGML_QUANT_SIZES[kind]
            add(f"random.{kind.name}", random_blocks(kind, 3, 512 // values, rng), kind)
        normal = rng.standard_normal((2, 512)).astype(np.float32) * .05
        for kind in [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.F16, T.F32, T.BF16]:
            add(f"normal.{kind.name}", quants.quantize(normal, kind), kind)
        # A kernel as ComfyUI-GGUF stores it: rows of 256 values.
        kernel = rng.standard_normal((9, 256)).astype(np.float32)
        add("kernel", quants.quantize(kernel, T.Q8_0), T.Q8_0, [8, 32, 3, 3])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        file = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    store.put("gguf", {"gguf": gguf.__version__ if hasattr(gguf, "__version__") else "0.19.0", "types": types},
              {"file": torch.from_numpy(file), **tensors})
