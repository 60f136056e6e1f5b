"""Knows the judge: a small classifier that reads the true factors of a picture off it.

A plain stack, described layer by layer in its config.json: convolutions (3×3, padding 1, bias), then linear layers. The
activations before the last linear layer are the features that distances are taken in.
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from . import data, setting, world

WIDTHS = [(3, 24, 1), (24, 32, 2), (32, 48, 1), (48, 64, 2), (64, 96, 1), (96, 96, 2), (96, 64, 1)]  # in, out, stride
FEATURES = 128
BATCH = 64


class Judge(torch.nn.Module):
    def __init__(self, factors: dict[str, list], measures: list[str], words: dict[str, dict] | None = None):
        super().__init__()
        self.factors, self.measures, self.words = factors, measures, words or {}
        self.conv = torch.nn.ModuleList([torch.nn.Conv2d(i, o, 3, stride, 1) for i, o, stride in WIDTHS])
        outputs = sum(map(len, factors.values())) + len(measures)
        self.linear = torch.nn.ModuleList([torch.nn.Linear(8 * 8 * WIDTHS[-1][1], FEATURES), torch.nn.Linear(FEATURES, outputs)])
        for layer in [*self.conv, self.linear[0]]:
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            torch.nn.init.zeros_(layer.bias)

    def word(self, factor: str, value) -> str:
        """What names a value in a prompt; "" when nothing does."""
        return self.words.get(factor, {}).get(str(value), f"no {factor}" if value == "none" else str(value))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, 3, 64, 64] in −1…1 → [B, 128]."""
        for conv in self.conv:
            x = F.relu(conv(x))
        return F.relu(self.linear[0](x.flatten(1)))

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """x [B, 3, 64, 64] → what every second convolution sees, [B, C, H, W] with unit vectors at each place."""
        seen = []
        for i, conv in enumerate(self.conv):
            x = F.relu(conv(x))
            if i % 2:
                seen.append(F.normalize(x, dim=1, eps=1e-3))
        return seen

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """x [B, 3, 64, 64] in −1…1 → logits [B, values] for each factor, the number [B] for each measure."""
        return self.read(self.features(x))

    def read(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """features [B, 128] → as `forward`."""
        y = self.linear[1](features).float()
        sizes = [len(v) for v in self.factors.values()] + [1] * len(self.measures)
        parts = dict(zip([*self.factors, *self.measures], y.split(sizes, 1)))
        return {k: v if k in self.factors else v[:, 0] for k, v in parts.items()}


def layers() -> list[dict]:
    """The stack as config.json states it, for any reader."""
    conv = [{"kind": "conv", "weight": f"conv.{i}", "stride": s, "padding": 1, "activation": "relu"} for i, (_, _, s) in enumerate(WIDTHS)]
    return [*conv, {"kind": "flatten"}, {"kind": "linear", "weight": "linear.0", "activation": "relu"}, {"kind": "linear", "weight": "linear.1", "activation": None}]


def load(out: Path) -> Judge:
    folder = Path(out) / "judge"
    config = json.loads((folder / "config.json").read_text())
    judge = Judge(config["factors"], config["regress"], config["words"])
    judge.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
    return judge.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(judge: Judge, pictures: data.Pictures) -> dict[str, float]:
    """The share of images whose factor is read right; for the measures, the mean absolute error."""
    read = [judge(pictures.batch(range(i, min(i + BATCH, len(pictures))))) for i in range(0, len(pictures), BATCH)]
    whole = {k: torch.cat([r[k] for r in read]) for k in read[0]}
    right = {k: float((whole[k].argmax(1) == pictures.values(k)).float().mean()) for k in judge.factors}
    return right | {k: float((whole[k] - pictures.values(k)).abs().mean()) for k in judge.measures}


def disturbed(x: torch.Tensor) -> torch.Tensor:
    """Noise for every image, blur for half of the batches: generated pictures are not as clean as rendered ones. x [B, 3, 64, 64]."""
    if torch.rand(()) < .5:
        blur = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = x.lerp(blur, float(torch.rand(())))
    return x + .08 * torch.rand(len(x), 1, 1, 1) * torch.randn_like(x)


def run(run) -> None:
    """Stage `judge`. With --resume: from the checkpoint, or from the weights in OUT,
    at the step in progress.json."""
    training = data.load(run.out, data.TRAINING)
    chosen = setting.of(run.out)
    truth = {k: training.values(k) for k in [*chosen.factors, *chosen.measures]}
    judge = Judge(chosen.factors, chosen.measures, chosen.words)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=run.rate(2e-3), weight_decay=1e-2)
    if not run.restore(judge=judge, optimizer=optimizer) and run.resume and (run.out / "judge" / "model.safetensors").exists():
        judge.load_state_dict(load(run.out).state_dict())
        run.go_on()
    for _ in run.steps(optimizer):
        indices = torch.randint(0, len(training), (BATCH,))
        read = judge(disturbed(data.shifted(training.batch(indices), chosen.shift)))
        loss = sum(F.cross_entropy(read[k], truth[k][indices]) for k in chosen.factors)
        loss = loss + 4 * sum(F.mse_loss(read[k], truth[k][indices]) for k in chosen.measures)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 5.)
        optimizer.step()
        run.say(f"loss {loss.item():.3f}")
        run.keep(judge=judge, optimizer=optimizer)
    run.keep(force=True, judge=judge, optimizer=optimizer)
    right = {name: accuracy(judge.eval(), pictures) for name, pictures in data.unseen(run.out).items()}
    save(judge, run.out, right)
    run.report(accuracy=right)


def save(judge: Judge, out: Path, right: dict[str, dict[str, float]]) -> None:
    """right: for each set that no training sees, how well the judge reads it."""
    folder = Path(out) / "judge"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in judge.state_dict().items()}, folder / "model.safetensors")
    config = {
        "factors": judge.factors, "regress": judge.measures, "words": judge.words, "image_size": world.SIZE, "layers": layers(),
        **{name.replace("-", "_"): values for name, values in right.items()},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    for name, values in right.items():
        print(f"judge, on {name} images:", {k: round(v, 4) for k, v in values.items()}, flush=True)
