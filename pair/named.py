"""Knows whether the base hears the words for an attribute: how often its images of a value that a prompt names are read as that value."""
import torch

from . import conditioning, judge, network, sampling, setting

COUNT, STEPS, GUIDANCE = 32, 25, 5.0


@torch.no_grad()
def run(run) -> None:
    """Stage `named`: `--option factor=house`. 32 images of each value's prompt, by 25 guided DDIM steps from seed 0; → OUT/measured.json."""
    factor = run.options["factor"]
    said = setting.of(run.out).prompts[factor]
    base, text = network.load(run.out / "base"), conditioning.Text.load(run.out / "base")
    vae, eye = conditioning.autoencoder(run.out / "base"), judge.load(run.out)
    right = {}
    for value, prompt in said.items():
        encoded = text.encode([prompt] * COUNT)
        latents, _ = sampling.ddim(base, torch.randn(COUNT, *network.LATENT), encoded, GUIDANCE, STEPS)
        read = eye(conditioning.decode(vae, latents))[factor].argmax(1)
        right[value] = float((read == [str(v) for v in eye.factors[factor]].index(value)).float().mean())
        print(f"{prompt}: {right[value]:.2f}", flush=True)
    run.report(**{factor: right, "mean": sum(right.values()) / len(right)})
