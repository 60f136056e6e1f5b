"""Knows how the autoencoder is trained: 64×64 pictures to 16×16 latents of four channels and back, small things included."""
import numpy as np
import torch
from diffusers import AutoencoderKL

from . import data, judge, setting, world
from .conditioning import autoencoder
from .run import bfloat16

BATCH = 16
KL = 5e-4  # at 2e-3 one of the four channels falls silent, and horns with it (measured)
PERCEIVED = .15
LOST = .3
SHAPE = {
    "in_channels": 3, "out_channels": 3, "down_block_types": ["DownEncoderBlock2D"] * 3, "up_block_types": ["UpDecoderBlock2D"] * 3,
    "block_out_channels": [16, 32, 64], "layers_per_block": 1, "latent_channels": 4, "norm_num_groups": 8, "sample_size": 64, "mid_block_add_attention": True,
}


def reconstruction(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Absolute and squared error, and the absolute error of both gradients, which keeps outlines where they are. [B, 3, H, W]"""
    d = y - x
    edges = d.diff(dim=-1).abs().mean() + d.diff(dim=-2).abs().mean()
    return d.abs().mean() + 4 * d.pow(2).mean() + .5 * edges


def perceived(eye: judge.Judge, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """How different two pictures look to the judge's early layers, as LPIPS: thin things weigh little in pixels and much here."""
    with torch.no_grad():
        wanted = eye.maps(x)
    return sum((a - b).float().pow(2).sum(1).mean() for a, b in zip(eye.maps(y), wanted))


def bare(characters: data.Pictures) -> np.ndarray:
    """The same pictures without horns, ears or antennae: uint8 [N, 64, 64, 3]."""
    return np.stack([x if f["extra"] == "none" else world.render(f | {"extra": "none"}) for x, f in zip(characters.images, characters.factors)])


def lost(y: torch.Tensor, x: torch.Tensor, without: torch.Tensor) -> torch.Tensor:
    """How much of each picture's extra is lost: the squared error where it lies, in units of what it changes there. Dark antennae on
    a dark background weigh as much as horns on white. Pictures that have none count 0. [B, 3, H, W]"""
    change = x - without
    where = (change.abs().amax(1, keepdim=True) > .03).float()
    energy = (where * change.pow(2)).sum((1, 2, 3))
    return ((where * (y - x).pow(2)).sum((1, 2, 3)) / (energy + .1)).mean()


@torch.no_grad()
def read_right(vae: AutoencoderKL, eye: judge.Judge, pictures: data.Pictures, count: int = 512) -> dict[str, float]:
    """The share of reconstructions on which the judge still reads a factor right."""
    read, count = [], min(count, len(pictures))
    for i in range(0, count, 64):
        x = pictures.batch(range(i, min(i + 64, count)))
        read.append(eye(vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)))
    return {k: float((torch.cat([r[k] for r in read]).argmax(1) == pictures.values(k)[:count]).float().mean()) for k in eye.factors}


@torch.no_grad()
def psnr(vae: AutoencoderKL, pictures: data.Pictures, count: int = 512) -> float:
    """Mean over images of the signal-to-noise ratio in dB of decode(encode), peak to peak 2."""
    parts, count = [], min(count, len(pictures))
    for i in range(0, count, 64):
        x = pictures.batch(range(i, min(i + 64, count)))
        y = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
        parts.append(10 * torch.log10(4 / (y - x).pow(2).mean((1, 2, 3))))
    return float(torch.cat(parts).mean())


def run(run) -> None:
    """Stage `autoencoder`. With --resume: from the checkpoint, or from base/vae when there is none; `--option part=decoder`
    then leaves the encoder alone, so that the latents, and what was trained on them, stay valid. Where OUT has a judge, it looks
    at the reconstructions too. What is lost of small extras counts where they can be left out of a picture (`lost`)."""
    training, held_out = data.load(run.out, data.TRAINING), data.load(run.out, data.HELD_OUT)
    drawn = setting.of(run.out).drawn
    decoder_only = run.options.get("part") == "decoder"
    exists = (run.out / "base" / "vae" / "config.json").exists()
    if decoder_only and not (run.resume and exists):
        raise SystemExit(f"part=decoder trains the decoder of {run.out / 'base' / 'vae'} for the encoder that is there: {'add --resume' if exists else 'run the stage without part first'}")
    goes_on = run.resume and exists
    vae = autoencoder(run.out / "base") if goes_on else AutoencoderKL(**SHAPE)
    if goes_on and not decoder_only:
        revive(vae, training)
    learning = [vae.decoder, vae.post_quant_conv] if decoder_only else [vae]
    parameters = [p.requires_grad_() for part in learning for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=run.rate(2e-3), weight_decay=1e-4, fused=True)
    eye = judge.load(run.out) if (run.out / "judge" / "model.safetensors").exists() else None
    run.restore(vae=vae, optimizer=optimizer)
    without = bare(training) if drawn else None
    for _ in run.steps(optimizer):
        which = torch.randint(0, len(training), (BATCH,))
        x = training.batch(which)
        with bfloat16():
            posterior = vae.encode(x).latent_dist
            y = vae.decode(posterior.sample()).sample
            loss = reconstruction(y.float(), x)
            if drawn:
                loss = loss + LOST * lost(y.float(), x, data.pixels(without[which.numpy()]))
            if eye is not None:
                loss = loss + PERCEIVED * perceived(eye, y, x)
        if not decoder_only:
            loss = loss + KL * posterior.kl().float().mean() / posterior.mean[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.)
        optimizer.step()
        run.say(f"loss {loss.item():.4f} squared error {(y - x).pow(2).mean().item():.5f}")
        if run.keep(vae=vae, optimizer=optimizer):
            vae.save_pretrained(run.out / "base" / "vae")
    run.keep(force=True, vae=vae, optimizer=optimizer)
    if not decoder_only:
        vae.register_to_config(scaling_factor=_scaling(vae, training))
    vae.save_pretrained(run.out / "base" / "vae")
    quality = {"dB": psnr(vae.eval(), held_out), "scaling": vae.config.scaling_factor}
    print("autoencoder, on held-out images:", quality, flush=True)
    if eye is not None:
        quality["judge"] = read_right(vae, eye, held_out)
        print("the judge on their reconstructions:", {k: round(v, 4) for k, v in quality["judge"].items()}, flush=True)
    run.report(**quality)


@torch.no_grad()
def revive(vae: AutoencoderKL, training: data.Pictures) -> None:
    """Gives channels that carry nothing (their means hardly vary) a random mixture of the encoder's outputs and little noise
    to start again from; the other channels stay what they are."""
    means = vae.encode(training.batch(range(256))).latent_dist.mean
    channels = means.shape[1]
    for c in (means.std((0, 2, 3)) < .2).nonzero().flatten().tolist():
        torch.nn.init.normal_(vae.quant_conv.weight[c], std=1)
        mean = vae.encode(training.batch(range(256))).latent_dist.mean[:, c]
        vae.quant_conv.weight[c] /= mean.std()
        vae.quant_conv.bias[c] = (vae.quant_conv.bias[c] - mean.mean()) / mean.std()
        vae.quant_conv.weight[channels + c] = 0
        vae.quant_conv.bias[channels + c] = -4
        torch.nn.init.normal_(vae.post_quant_conv.weight[:, c], std=.3)
        print(f"channel {c} carried nothing and starts again", flush=True)


@torch.no_grad()
def _scaling(vae: AutoencoderKL, training: data.Pictures) -> float:
    """What makes the latents' standard deviation one, over the first 1,024 images."""
    z = torch.cat([vae.encode(training.batch(range(i, i + 64))).latent_dist.sample() for i in range(0, 1024, 64)])
    return float(1 / z.std())
