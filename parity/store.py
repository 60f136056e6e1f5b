"""How goldens are written, and how a remake is held against what is there: JSON byte for byte, tensors within 1e-6."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WIDTH = 120
TOLERANCE = 1e-6


def dumps(value, indent=""):
    """JSON with one line for whatever fits on it, so that goldens can be read and compared by eye."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(indent) + len(flat) <= WIDTH:
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        rows = [f"{json.dumps(key, ensure_ascii=False)}: {dumps(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(deeper + row for row in rows) + f"\n{indent}}}"
    if all(isinstance(item, (int, float)) for item in value):
        return "[\n" + wrapped([json.dumps(item) for item in value], deeper) + f"\n{indent}]"
    return "[\n" + ",\n".join(deeper + dumps(item, deeper) for item in value) + f"\n{indent}]"


def wrapped(words, indent):
    """Numbers, as many to a line as fit."""
    lines, line = [], indent
    for i, word in enumerate(words):
        piece = word + ("," if i < len(words) - 1 else "")
        if len(line) > len(indent) and len(line) + len(piece) + 1 > WIDTH:
            lines.append(line)
            line = indent
        line += (" " if len(line) > len(indent) else "") + piece
    return "\n".join([*lines, line])


class Store:
    """A folder of goldens: `put` writes, or with `check` compares and remembers what differs."""

    def __init__(self, folder, check=False):
        self.folder = Path(folder)
        self.check = check
        self.differences = []

    def put(self, name, value, tensors=None):
        path = self.folder / f"{name}.json"
        text = dumps(value) + "\n"
        if self.check:
            self._compare(path, text, tensors or {})
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if tensors:
            save_file({k: t.contiguous().clone() for k, t in tensors.items()}, path.with_suffix(".safetensors"))
            path.with_suffix(".safetensors").chmod(0o644)

    def _compare(self, path, text, tensors):
        if not path.exists():
            self.differences.append(f"{path}: is not there")
            return
        if path.read_text(encoding="utf-8") != text:
            self.differences.append(f"{path}: the JSON differs")
        there = load_file(path.with_suffix(".safetensors")) if tensors else {}
        if there.keys() != tensors.keys():
            self.differences.append(f"{path}: other tensors")
        for key in there.keys() & tensors.keys():
            a, b = there[key], tensors[key]
            off = relative(a, b) if a.shape == b.shape and a.dtype == b.dtype else float("inf")
            if off > TOLERANCE:
                self.differences.append(f"{path}: {key} differs by {off:.2e}")


def relative(a, b):
    """Largest difference over the root mean square of what was expected."""
    a, b = a.double(), b.double()
    scale = float(torch.sqrt((a * a).mean())) or 1.0
    return float((a - b).abs().max()) / scale
