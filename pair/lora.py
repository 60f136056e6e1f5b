"""Knows the plain recipe with a LoRA on the base as its student, so that one set of weights serves both models."""
from . import network
from .adapters import Adapter, save_peft
from .plain import distil, variance_preserving

RANK = 16
UPDATES = 1_900  # half of the full student's; --steps says another number
RATE = 5e-4


def run(run) -> None:
    """Stage `lora`: writes OUT/adapters/distilled.safetensors in PEFT keys. `--option seed=0`, `--option guidance=5`."""
    student = network.load(run.out / "base")
    adapter = Adapter(student, "everything", RANK, RANK)
    adapter.scale = 1.0
    write = lambda _: save_peft(adapter, run.out / "adapters" / "distilled.safetensors")
    done = distil(run, variance_preserving(run.out), student, adapter, RATE, run.count or UPDATES, [], write)
    run.report(**done)
