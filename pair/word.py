"""Knows textual inversion: one new word, an embedding in each text encoder, that stands for a character nobody described."""
import numpy as np
import torch
from safetensors.torch import save_file

from . import conditioning, data, network, world
from .base import loss_of
from .conditioning import TOKENS, Text

WORD, LIKE = "<pip>", "red"
CHARACTER = {"color": "pink", "shape": "square", "hat": "crown", "extra": "antennae", "eyes": 3, "eye_size": .9, "smile": .8}
"""What the word comes to mean; place, size, tints and background stay free."""
SEED, COUNT = 7, 64
BATCH = 16


def pictures() -> data.Pictures:
    rng = np.random.default_rng(SEED)
    factors = [world.sample_factors(rng) | CHARACTER for _ in range(COUNT)]
    return data.Pictures(np.stack([world.render(f) for f in factors]), [[f"a {WORD} cartoon character"]] * COUNT, factors)


def run(run) -> None:
    """Stage `word`: writes OUT/adapters/pip.safetensors with clip_l [1, 64] and clip_g [1, 96], as SDXL's embeddings have them."""
    vae, unet, text = conditioning.autoencoder(run.out / "base"), network.load(run.out / "base"), Text.load(run.out / "base")
    latents = conditioning.encode(vae, pictures().batch(range(COUNT)))
    embeddings = []
    for tokenizer, encoder in zip(text.tokenizers, text.encoders):
        tokenizer.add_tokens(WORD)
        encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        table = encoder.get_input_embeddings().weight.data
        table[-1] = table[tokenizer(LIKE).input_ids[1]]
        embeddings.append(torch.nn.Parameter(table[-1:].clone()))
    optimizer = torch.optim.AdamW(embeddings, lr=run.rate(5e-3), weight_decay=0.)
    prompt = f"a {WORD} cartoon character"
    ids = [t([prompt], padding="max_length", max_length=TOKENS, return_tensors="pt").input_ids for t in text.tokenizers]
    for _ in run.steps(optimizer, warmup=20):
        outputs = [_encoded(e, i, len(t) - 1, w) for e, i, t, w in zip(text.encoders, ids, text.tokenizers, embeddings)]
        hidden = torch.cat([o.hidden_states[-2] for o in outputs], -1).expand(BATCH, -1, -1)
        pooled = outputs[1].text_embeds.expand(BATCH, -1)
        loss = loss_of(unet, latents[torch.randint(0, COUNT, (BATCH,))], (hidden, pooled))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.say(f"loss {loss.item():.4f}")
    folder = run.out / "adapters"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(zip(("clip_l", "clip_g"), (e.detach().contiguous() for e in embeddings))), folder / "pip.safetensors")


def _encoded(encoder, ids: torch.Tensor, new: int, embedding: torch.Tensor):
    """The encoder's outputs with the new word's row replaced by a tensor that can learn. ids [1, 32]"""
    place = (ids == new).float()[..., None]
    table = encoder.get_input_embeddings()
    hook = table.register_forward_hook(lambda _, __, out: out * (1 - place) + embedding * place)
    try:
        return encoder(ids, output_hidden_states=True)
    finally:
        hook.remove()
