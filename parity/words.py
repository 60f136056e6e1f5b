"""Records updates of a textual inversion in torch, on diffusers' pipelines: gradients through the UNet and the text encoders to a token's embeddings,
and with them to the keys and values of cross-attention, as Custom Diffusion trains both."""

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler

from .runs import hush, open_pipeline
from .weights import noise

CASES = {
    "sd1": {"checkpoint": "sd1", "vectors": 1, "prompts": ["a red <pip> wearing a hat", "a red <pip> wearing a hat"]},
    "sdxl": {"checkpoint": "sdxl", "vectors": 2, "prompts": ["a <pip> on a teal background, <pip>", "a red <pip>"]},
    "sd1-keys-values": {"checkpoint": "sd1", "vectors": 1, "prompts": ["a red <pip> wearing a hat", "a <pip>"], "rate": 1e-3, "together": True},
    "sdxl-keys-values": {"checkpoint": "sdxl", "vectors": 1, "prompts": ["a <pip> on a teal background", "a red <pip>"], "rate": 1e-3, "together": True},
}
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
TOKEN, LIKE, LATENTS, UPDATES, RATE = "<pip>", "red", [2, 4, 6, 10], 10, 5e-3


def times(update):
    return [(37 + 211 * update) % 1000, (901 - 173 * update) % 1000]


class Word:
    """The token in a tokenizer and its text encoder: its ids take their embeddings from a parameter."""

    def __init__(self, tokenizer, encoder, vectors):
        table = encoder.get_input_embeddings()
        like = table.weight[tokenizer(LIKE, add_special_tokens=False).input_ids[0]].detach()
        self.value = torch.nn.Parameter(like.expand(vectors, -1).clone())
        tokenizer.add_tokens([TOKEN] + [f"{TOKEN}_{i}" for i in range(1, vectors)])
        first = tokenizer.convert_tokens_to_ids(TOKEN)
        encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        table = encoder.get_input_embeddings()
        table.register_forward_hook(lambda _, given, out: torch.where((given[0] >= first)[..., None], self.value[(given[0] - first).clamp(min=0)], out))


def trained(checkpoint, vectors, prompts, rate=RATE, together=False):
    pipe = open_pipeline(checkpoint)
    for module in (pipe.unet, pipe.text_encoder, getattr(pipe, "text_encoder_2", None)):
        if module is not None:
            module.requires_grad_(False)
    pairs = [(pipe.tokenizer, pipe.text_encoder)] + ([(pipe.tokenizer_2, pipe.text_encoder_2)] if hasattr(pipe, "text_encoder_2") else [])
    words = [Word(*pair, vectors) for pair in pairs]
    own = {k: v for k, v in pipe.unet.named_parameters() if together and k.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))}
    for value in own.values():
        value.requires_grad_(True)
    unchanged = {k: v.detach().clone() for k, v in own.items()}
    parameters = [*(word.value for word in words), *own.values()]
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    scheduler = DDPMScheduler(**SCHEDULE)
    begun = [word.value.detach().clone() for word in words]
    losses, norms = [], []
    for update in range(UPDATES):
        t = torch.tensor(times(update))
        x0, eps = noise(LATENTS, 1000 + update), noise(LATENTS, 2000 + update)
        if len(words) == 1:
            hidden = pipe.encode_prompt(prompts, "cpu", 1, False)[0]
            added = None
        else:
            hidden, _, pooled, _ = pipe.encode_prompt(prompts, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
            height, width = 8 * LATENTS[2], 8 * LATENTS[3]
            added = {"text_embeds": pooled, "time_ids": torch.tensor([[height, width, 0, 0, height, width]] * 2, dtype=torch.float32)}
        out = pipe.unet(scheduler.add_noise(x0, eps, t), t, hidden, added_cond_kwargs=added).sample
        loss = F.mse_loss(out, eps)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        optimizer.step()
        losses.append(loss.item())
    moved = {k: (v.detach() - unchanged[k]).norm().item() for k, v in own.items()}
    return begun, [word.value.detach() for word in words], losses, norms, moved


def record(store):
    hush()
    for name, case in CASES.items():
        with torch.enable_grad():
            begun, values, losses, norms, moved = trained(**case)
        known = {k: v for k, v in case.items() if k != "together"} | ({"moved": moved} if moved else {})
        facts = {
            "rate": RATE, **known, "token": TOKEN, "like": LIKE, "schedule": SCHEDULE, "latents": LATENTS,
            "times": [times(update) for update in range(UPDATES)], "losses": losses, "norms": norms,
        }  # fmt: skip
        tensors = {f"{which}/{i}": value for which, all in (("first", begun), ("last", values)) for i, value in enumerate(all)}
        store.put(f"trained-words/{name}", facts, tensors)
