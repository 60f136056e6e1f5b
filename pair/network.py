"""Knows the UNet: its shape, how it is called, guidance, and what makes it fast on a CPU; not how it is trained."""
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel

SHAPE = {
    "sample_size": 16, "in_channels": 4, "out_channels": 4, "block_out_channels": [48, 64, 96], "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 1, 1], "attention_head_dim": [2, 2, 3], "cross_attention_dim": 160, "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 32, "projection_class_embeddings_input_dim": 64 + 6 * 32, "norm_num_groups": 16,
}
LATENT = (4, 16, 16)
TIME_IDS = torch.tensor([[64., 64., 0., 0., 64., 64.]])
GUIDANCE_EMBEDDING = 64


class Attention:
    """diffusers' attention with the softmax in float32: PyTorch's bfloat16 kernel has a backward seven times slower (measured)."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **_):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        heads = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2).float()
        q, k, v = heads(attn.to_q(hidden_states)), heads(attn.to_k(source)), heads(attn.to_v(source))
        with torch.autocast("cpu", enabled=False):
            mixed = F.scaled_dot_product_attention(q, k, v)
        return attn.to_out[0](mixed.transpose(1, 2).flatten(2))


def new(**changes) -> UNet2DConditionModel:
    return prepared(UNet2DConditionModel(**(SHAPE | changes)))


def load(folder: Path, trainable: bool = False) -> UNet2DConditionModel:
    return prepared(UNet2DConditionModel.from_pretrained(Path(folder) / "unet", torch_dtype=torch.float32)).requires_grad_(trainable)


def save(unet: UNet2DConditionModel, folder: Path) -> None:
    unet.save_pretrained(Path(folder) / "unet")


def prepared(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    unet.set_attn_processor(Attention())
    return unet


def predict(unet, x, t, text, guidance_embedding=None) -> torch.Tensor:
    """ε, float32. x [B, 4, 16, 16], t [B], text = (hidden [B, 32, 160], pooled [B, 64]) → [B, 4, 16, 16]."""
    hidden, pooled = text
    conditions = {"text_embeds": pooled, "time_ids": TIME_IDS.expand(len(x), -1)}
    return unet(x, t, encoder_hidden_states=hidden, added_cond_kwargs=conditions, timestep_cond=guidance_embedding, return_dict=False)[0].float()


@torch.no_grad()
def guided(unet, x, t, text, guidance: float) -> torch.Tensor:
    """ε with classifier-free guidance, whose empty side is all zeros, as SDXL has it. Guidance ≤ 1: one conditional call."""
    if guidance <= 1:
        return predict(unet, x, t, text)
    doubled = tuple(torch.cat([part, torch.zeros_like(part)]) for part in text)
    conditional, empty = predict(unet, torch.cat([x, x]), torch.cat([t, t]), doubled).chunk(2)
    return empty + guidance * (conditional - empty)
