"""Knows one training run: its clock, its learning rate, its checkpoints; not what is trained.

The clock counts working time only: a process stopped with SIGSTOP resumes where its schedule was. SIGTERM and SIGINT
end the run early and in order: the loop stops, and the stage writes its result as if its time were over.
"""
import contextlib
import json
import math
import os
import signal
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

CHECKPOINT_SECONDS = 150
PAUSE_SECONDS = 30  # a step that seems to take longer was a pause


class Run:
    def __init__(self, stage: str, out: str, minutes: float, resume: bool, threads: int = 2, learning_rate: float | None = None, options: dict | None = None, steps: int | None = None):
        self.stage, self.out, self.seconds, self.resume = stage, Path(out), math.inf if steps else minutes * 60, resume
        self.learning_rate, self.options = learning_rate, options or {}
        self.out.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.step, self.count, self.elapsed, self.cpu, self.stopped = 0, steps, 0.0, 0.0, False
        self.begun = 0  # the step from which the rate warms up
        self._cpu = time.process_time()
        self._tick = self._saved = self._said = time.monotonic()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_):
        self.stopped = True

    @property
    def done(self) -> float:
        """The share of the run that is over, 0…1: of its steps where their number is given, else of its time."""
        return min(1.0, self.step / self.count if self.count else self.elapsed / self.seconds)

    def steps(self, *optimizers: torch.optim.Optimizer, warmup: int = 100, floor: float = .02):
        """Yields step numbers until the run is over; sets each optimizer's rate (warm-up, then a cosine down to `floor`)."""
        groups = [group for o in optimizers for group in o.param_groups]
        for group in groups:
            group.setdefault("peak", group["lr"])  # kept in the optimizer's own state, and so in checkpoints
        self._tick, self._cpu = time.monotonic(), time.process_time()
        while self.done < 1 and not self.stopped:
            gain = min(1, (self.step - self.begun + 1) / warmup) * (floor + (1 - floor) * .5 * (1 + math.cos(math.pi * self.done)))
            for group in groups:
                group["lr"] = group["peak"] * gain
            yield self.step
            self.step += 1
            self._count_time()

    def updates(self, count: int, *optimizers: torch.optim.Optimizer, warmup: int):
        """Yields update numbers until `count` are made, or until the run's time is over; each optimizer's rate is constant
        after its warm-up."""
        groups = [group for o in optimizers for group in o.param_groups]
        for group in groups:
            group.setdefault("peak", group["lr"])
        self._tick, self._cpu, self.count = time.monotonic(), time.process_time(), count
        while self.done < 1 and self.elapsed < self.seconds and not self.stopped:
            for group in groups:
                group["lr"] = group["peak"] * min(1, (self.step - self.begun + 1) / warmup)
            yield self.step
            self.step += 1
            self._count_time()

    def _count_time(self) -> None:
        now = time.monotonic()
        self.elapsed += min(now - self._tick, PAUSE_SECONDS)
        self._tick = now
        used = time.process_time()
        self.cpu += used - self._cpu
        self._cpu = used

    def rate(self, default: float) -> float:
        return self.learning_rate or default

    def say(self, text: str, seconds: float = 20) -> None:
        """A line of progress, at most one each `seconds`."""
        if time.monotonic() - self._said > seconds:
            self._said = time.monotonic()
            left = f", {self.elapsed * (1 - self.done) / self.done / 60:.0f} min left" if self.done else ""
            print(f"{self.stage} step {self.step}{f'/{self.count}' if self.count else ''} {self.elapsed:.0f} s{left}  {text}", flush=True)

    def report(self, **found) -> None:
        """Adds what the finished stage measured to OUT/measured.json, with its length."""
        length = {"steps": self.step, "cpu_hours": round(self.cpu / 3600, 3)}
        self._reports.write_text(json.dumps(self._reported() | {self.name: length | found}, indent=1) + "\n")

    @property
    def finished(self) -> bool:
        """Whether an earlier run took the stage through all of its steps, where their number is given."""
        return self.count is not None and self._reported().get(self.name, {}).get("steps", 0) >= self.count

    @property
    def _reports(self) -> Path:
        return self.out / "measured.json"

    @property
    def _progress(self) -> Path:
        return self.out / "progress.json"

    def _kept(self) -> dict:
        return json.loads(self._progress.read_text()) if self._progress.exists() else {}

    def _reported(self) -> dict:
        return json.loads(self._reports.read_text()) if self._reports.exists() else {}

    @property
    def name(self) -> str:
        """Training a part alone (`--option part=…`) keeps other things than training the whole, and so its own checkpoint."""
        part = self.options.get("part")
        return f"{self.stage}-{part}" if part else self.stage

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoints" / f"{self.name}.pt"

    @property
    def carried(self) -> Path:
        """Weights alone, in half precision: small enough to be kept with the recipe, so that a stage can go on elsewhere."""
        return self.out / "carried" / f"{self.name}.safetensors"

    def carry(self, **modules: torch.nn.Module) -> None:
        self.carried.parent.mkdir(parents=True, exist_ok=True)
        save_file({f"{name}.{k}": v.half() for name, module in modules.items() for k, v in module.state_dict().items()}, self.carried)

    def take_up(self, **modules: torch.nn.Module) -> None:
        """Loads what `carry` wrote, where there is no checkpoint, and goes on from there with new optimizers."""
        if not (self.resume and self.carried.exists()) or self.checkpoint.exists():
            return
        kept = load_file(self.carried)
        for name, module in modules.items():
            module.load_state_dict({k: kept[f"{name}.{k}"].float() for k in module.state_dict()})
        self.go_on()

    def restore(self, **parts) -> bool:
        """Loads the checkpoint into modules, optimizers and averages when this run resumes one; says whether it did."""
        if not (self.resume and self.checkpoint.exists()):
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        self.step, self.elapsed, self.cpu = state["step"], state["elapsed"], state.get("cpu", 0.0)
        torch.manual_seed(self.step)  # other draws than those before
        print(f"{self.stage} goes on from step {self.step}, {self.elapsed:.0f} s", flush=True)
        return True

    def go_on(self) -> None:
        """Takes the place of an earlier run whose weights are in OUT without its optimizer, from OUT/progress.json: its step and
        times. The rate warms up again, and averages start from those weights."""
        kept = self._kept().get(self.name)
        if not (self.resume and kept):
            return
        self.step, self.elapsed, self.cpu = kept["step"], kept["elapsed"], kept["cpu"]
        self.begun = self.step
        torch.manual_seed(self.step)
        print(f"{self.stage} goes on from step {self.step} with new moments, {self.elapsed:.0f} s", flush=True)

    def keep(self, force: bool = False, **parts) -> bool:
        """Writes a checkpoint now and then (under a temporary name first); says whether it did."""
        if not force and time.monotonic() - self._saved < CHECKPOINT_SECONDS:
            return False
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": self.step, "elapsed": self.elapsed, "cpu": self.cpu}, partial)
        os.replace(partial, self.checkpoint)
        kept = {self.name: {"step": self.step, "elapsed": self.elapsed, "cpu": self.cpu}}
        self._progress.write_text(json.dumps(self._kept() | kept, indent=1) + "\n")
        self._saved = time.monotonic()
        return True


def descend(run: Run, module: torch.nn.Module, parts: dict, loss_of, write, warmup: int = 100) -> None:
    """Trains `module` on the loss that loss_of() gives anew for each step, until the run is over. parts: what checkpoints keep, with
    `optimizer` and `average` among it. write(): writes the weights, of which the averaged ones are in place then."""
    optimizer, average = parts["optimizer"], parts["average"]
    smooth = None

    def written() -> None:
        with average.applied(module):
            write()

    for step in run.steps(optimizer, warmup=warmup):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.)
        optimizer.step()
        average.update(module, step)
        smooth = loss.item() if smooth is None else .98 * smooth + .02 * loss.item()
        run.say(f"loss {smooth:.4f}")
        if run.keep(**parts):
            written()
    run.keep(force=True, **parts)
    written()
    run.report(loss=smooth)


_capabilities = torch.cpu.get_capabilities()
HAS_BFLOAT16 = any(_capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
"""Whether the processor multiplies bfloat16 itself. Where it does not, PyTorch emulates it, about three times slower than float32 (measured)."""


def bfloat16(on: bool = True):
    """Matrix products and convolutions in bfloat16 where the processor has it, everything else in float32."""
    return torch.autocast("cpu", torch.bfloat16) if on and HAS_BFLOAT16 else contextlib.nullcontext()


class Average:
    """Exponential moving average of a module's state; early on it forgets faster."""

    def __init__(self, module: torch.nn.Module, decay: float, every: int = 4):
        self.decay, self.every, self.updates = decay, every, 0
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: torch.nn.Module, step: int) -> None:
        if step % self.every:
            return
        self.updates += 1
        keep = min(self.decay ** self.every, self.updates / (self.updates + 9))
        for name, value in module.state_dict().items():
            self.values[name].lerp_(value, 1 - keep) if value.is_floating_point() else self.values[name].copy_(value)

    def state_dict(self) -> dict:
        return {"updates": torch.tensor(self.updates), **{f"value.{k}": v for k, v in self.values.items()}}

    def load_state_dict(self, state: dict) -> None:
        self.updates = int(state["updates"])
        self.values = {k: state[f"value.{k}"].clone() for k in self.values}

    @contextlib.contextmanager
    def applied(self, module: torch.nn.Module):
        """The module with the averaged weights, for as long as the block lasts."""
        live = {k: v.detach().clone() for k, v in module.state_dict().items()}
        module.load_state_dict(self.values)
        try:
            yield module
        finally:
            module.load_state_dict(live)
