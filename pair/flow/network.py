"""Knows the transformer: its shape in Z-Image's design (arXiv 2511.22699), how it is called, guidance; not how it is trained."""
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import ZImageTransformer2DModel

SHAPE = {
    "in_channels": 4, "dim": 144, "n_layers": 6, "n_refiner_layers": 1, "n_heads": 3, "n_kv_heads": 3, "cap_feat_dim": 96,
    "axes_dims": [16, 16, 16], "axes_lens": [128, 32, 32],
}
LATENT = (4, 16, 16)


class Attention:
    """diffusers' attention with rotary positions and softmax in float32: PyTorch's bfloat16 kernel has a backward seven times slower (measured)."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, freqs_cis=None):
        heads = lambda x: x.unflatten(-1, (attn.heads, -1))
        q, k, v = heads(attn.to_q(hidden_states)), heads(attn.to_k(hidden_states)), heads(attn.to_v(hidden_states))
        with torch.autocast("cpu", enabled=False):
            turn = freqs_cis.unsqueeze(2)
            turned = lambda x: torch.view_as_real(torch.view_as_complex(x.float().unflatten(-1, (-1, 2))) * turn).flatten(3).transpose(1, 2)
            mask = None if attention_mask is None or attention_mask.all() else attention_mask[:, None, None, :]
            mixed = F.scaled_dot_product_attention(turned(attn.norm_q(q)), turned(attn.norm_k(k)), v.float().transpose(1, 2), attn_mask=mask)
        return attn.to_out[0](mixed.transpose(1, 2).flatten(2))


def new() -> ZImageTransformer2DModel:
    model = ZImageTransformer2DModel(**SHAPE)
    for layer in model.all_final_layer.values():  # the first prediction is the mean of velocities, 0
        torch.nn.init.zeros_(layer.linear.weight)
        torch.nn.init.zeros_(layer.linear.bias)
    for token in (model.x_pad_token, model.cap_pad_token):
        torch.nn.init.normal_(token, std=.02)
    return prepared(model)


def load(folder: Path, trainable: bool = False) -> ZImageTransformer2DModel:
    return prepared(ZImageTransformer2DModel.from_pretrained(Path(folder) / "transformer", torch_dtype=torch.float32)).requires_grad_(trainable)


def save(model: ZImageTransformer2DModel, folder: Path) -> None:
    model.save_pretrained(Path(folder) / "transformer")


def prepared(model: ZImageTransformer2DModel) -> ZImageTransformer2DModel:
    for block in [*model.noise_refiner, *model.context_refiner, *model.layers]:
        block.attention.processor = Attention()
    return model


def predict(model, x: torch.Tensor, sigma: torch.Tensor, text: list[torch.Tensor]) -> torch.Tensor:
    """Velocity, float32. x [B, 4, 16, 16], σ [B], text: B features [tokens, 96] → [B, 4, 16, 16]. Z-Image's network is given 1 − σ
    and returns the negative velocity."""
    out = model(list(x.unsqueeze(2).unbind()), 1 - sigma, text, return_dict=False)[0]
    return -torch.stack([o.float() for o in out]).squeeze(2)


@torch.no_grad()
def guided(model, x, sigma, text: list[torch.Tensor], empty: torch.Tensor, guidance: float) -> torch.Tensor:
    """Velocity with guidance as ZImagePipeline counts it: 0 is none, and the factor of the difference is one more. empty: features of ""."""
    if guidance <= 0:
        return predict(model, x, sigma, text)
    both = predict(model, torch.cat([x, x]), torch.cat([sigma, sigma]), [*text, *[empty] * len(x)])
    conditional, unconditional = both.chunk(2)
    return conditional + guidance * (conditional - unconditional)
