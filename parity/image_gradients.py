"""Records gradients of forces on CLIP features of decoded pictures towards latents: torch's autograd through the embedded decoder and CLIP."""

import numpy
import torch
from diffusers import AutoencoderKL
from PIL import Image
from transformers import CLIPModel

from .weights import noise

SIZE = 64
MEAN, STD = 0.5, 0.5


def clip_input(decoded):
    """The tower's input: 8-bit pictures, Pillow's resize and the centre crop in the forward pass; the same filter without rounding or clipping in the gradient."""
    bytes_ = ((decoded.detach() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    height, width = decoded.shape[-2:]
    scale = SIZE / min(height, width)
    high, wide = (SIZE if side * scale < SIZE + 1e-9 else int(side * scale) for side in (height, width))
    top, left = (high - SIZE) // 2, (wide - SIZE) // 2
    crop = (..., slice(top, top + SIZE), slice(left, left + SIZE))
    pictures = [Image.fromarray(b.permute(1, 2, 0).numpy()).resize((wide, high), Image.Resampling.BICUBIC) for b in bytes_]
    exact = torch.stack([torch.from_numpy(numpy.asarray(p).copy()).permute(2, 0, 1) for p in pictures])[crop].float() / 255
    smooth = torch.nn.functional.interpolate(decoded / 2 + 0.5, (high, wide), mode="bicubic", antialias=True)[crop]
    return (smooth + (exact - smooth).detach() - MEAN) / STD


def record(store):
    vae = AutoencoderKL.from_pretrained("embedded/base/vae", torch_dtype=torch.float32)
    clip = CLIPModel.from_pretrained("embedded/clip", torch_dtype=torch.float32)
    x0 = noise([3, 4, 20, 24], 3)
    with torch.enable_grad():
        x0.requires_grad_()
        decoded = vae.decode(x0 / vae.config.scaling_factor).sample
        embedded = clip.visual_projection(clip.vision_model(clip_input(decoded)).pooler_output)
        features = embedded / embedded.norm(dim=-1, keepdim=True)
        forces = noise(list(features.shape), 4)
        (forces * features).sum().backward()
    tensors = {"x0": x0.detach(), "forces": forces, "features": features.detach(), "gradients": x0.grad}
    store.put("image-gradients", {"size": {"width": 96, "height": 80}}, tensors)
