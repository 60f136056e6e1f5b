"""Knows the two CLIP models: the world's images and captions in one space.

Their text halves are the base's two encoders, so what they cannot tell apart, no UNet can draw when asked. Once a UNet
listens to them, only the image half of the larger one is trained further: it is an instrument, nothing hangs on it.
"""
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from . import data, world
from .conditioning import TOKENS
from .run import bfloat16

BATCH = 96
PROJECTION = 64
ATTENTION = "eager"  # PyTorch's fused kernel is three times slower to train in bfloat16 (measured)

TEMPLATES = {
    "color": "a {} cartoon character", "shape": "a {} cartoon character", "background": "a cartoon character on a {} background",
    "hat": "a cartoon character wearing a {}", "extra": "a cartoon character with {}", "eyes": "a cartoon character with {}",
}
NAMED = {k: [v for v in world.FACTORS[k] if v != "none"] for k in TEMPLATES} | {"eyes": [1, 3]}
"""The values that captions name: no caption says that something is absent, nor that there are two eyes."""
EYE_WORDS = {1: "one eye", 3: "three eyes"}


def new(width: int, layers: int, heads: int, activation: str, tokenizer: CLIPTokenizer) -> CLIPModel:
    common = {"hidden_act": activation, "projection_dim": PROJECTION}
    text = {
        "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": heads,
        "max_position_embeddings": TOKENS, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id,
    }
    vision = {"hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": world.SIZE, "patch_size": 8}
    return place_patches(CLIPModel(CLIPConfig(text_config=text | common, vision_config=vision | common, projection_dim=PROJECTION, attn_implementation=ATTENTION)))


@torch.no_grad()
def place_patches(model: CLIPModel, amplitude: float = .7) -> CLIPModel:
    """Adds where a patch lies, as sinusoids over rows and columns as loud as the patches themselves. Positions that start
    at the usual 0.02 drown in flat colours, and the model stays blind to shapes for thousands of steps (measured)."""
    table = model.vision_model.embeddings.position_embedding.weight  # [1 + 8 · 8, D]; row 0 is the class token's
    side, quarter = round((len(table) - 1) ** .5), table.shape[1] // 4
    place = torch.arange(side) / side * torch.pi
    angle = place[:, None] * torch.arange(1, quarter + 1)[None] / quarter * side / 2
    waves = torch.cat([angle.sin(), angle.cos()], 1)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    table[1:] += amplitude * torch.cat([rows, columns], -1).flatten(0, 1)
    return model


def load(out: Path) -> CLIPModel:
    return CLIPModel.from_pretrained(Path(out) / "clip", torch_dtype=torch.float32, attn_implementation=ATTENTION).eval().requires_grad_(False)


def token_ids(tokenizer, prompts: list[str]) -> torch.Tensor:
    """[B, 32]"""
    return tokenizer(prompts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt").input_ids


def image_features(model: CLIPModel, images: torch.Tensor) -> torch.Tensor:
    """images [B, 3, 64, 64] in −1…1 → unit vectors [B, 64]."""
    return _unit(model.get_image_features(pixel_values=images))


def text_features(model: CLIPModel, ids: torch.Tensor) -> torch.Tensor:
    """ids [B, 32] → unit vectors [B, 64]."""
    return _unit(model.get_text_features(input_ids=ids))


def _unit(features) -> torch.Tensor:
    return F.normalize(getattr(features, "pooler_output", features).float(), dim=-1)


def contrastive(model: CLIPModel, images, ids) -> torch.Tensor:
    """Cross-entropy both ways; captions that are equal word for word share the credit."""
    logits = model.logit_scale.exp() * image_features(model, images) @ text_features(model, ids).t()
    same = (ids[:, None] == ids[None]).all(-1).float()
    target = same / same.sum(1, keepdim=True)
    return -.5 * ((target * F.log_softmax(logits, 1)).sum(1).mean() + (target * F.log_softmax(logits.t(), 1)).sum(1).mean())


def value_prompts(tokenizer) -> dict[str, torch.Tensor]:
    """For each factor the ids [values, 32] of captions that name one value and nothing else."""
    say = lambda factor, v: TEMPLATES[factor].format(EYE_WORDS.get(v, v))
    return {k: token_ids(tokenizer, [say(k, v) for v in values]) for k, values in NAMED.items()}


class Values(torch.nn.Module):
    """Reads each factor's value off a feature vector, of an image or of a text alike. Colour and background alone tell most
    pictures of a batch apart; without a look at each factor, the words for shape, extra and eyes fall together in the text
    half, and then nothing teaches the image half to see them (measured: chance after 25 minutes). Not part of the model."""

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.ModuleDict({k: torch.nn.Linear(PROJECTION, len(v), bias=False) for k, v in NAMED.items()})

    def loss(self, model: CLIPModel, images, prompts: dict[str, torch.Tensor], shown: dict[str, torch.Tensor]) -> torch.Tensor:
        """Cross-entropy of the values shown in images, of those said in prompts, and of the right prompt for each image.
        shown[factor] [B]: the place of the value among the named ones, −1 where captions have no word for it."""
        seen, scale = image_features(model, images), model.logit_scale.exp()
        said = text_features(model, torch.cat(list(prompts.values()))).split([len(p) for p in prompts.values()])
        loss = 0
        for (factor, head), words in zip(self.heads.items(), said):
            loss = loss + F.cross_entropy(10 * head(seen), shown[factor], ignore_index=-1)
            loss = loss + F.cross_entropy(10 * head(words), torch.arange(len(words)))
            loss = loss + F.cross_entropy(scale * seen @ words.t(), shown[factor], ignore_index=-1)
        return loss / len(self.heads)


def shown_values(characters: data.Characters) -> dict[str, torch.Tensor]:
    place = lambda k, v: NAMED[k].index(v) if v in NAMED[k] else -1
    return {k: torch.tensor([place(k, f[k]) for f in characters.factors]) for k in NAMED}


@torch.no_grad()
def zero_shot(model: CLIPModel, tokenizer, characters: data.Characters) -> dict[str, float]:
    """For each factor: how often the right value's prompt lies nearest, over the images that show a value which captions name."""
    features = torch.cat([image_features(model, characters.batch(range(i, min(i + 64, len(characters))))) for i in range(0, len(characters), 64)])
    shown, right = shown_values(characters), {}
    for factor, ids in value_prompts(tokenizer).items():
        has = shown[factor] >= 0
        nearest = (features[has] @ text_features(model, ids).t()).argmax(1)
        right[factor] = float((nearest == shown[factor][has]).float().mean())
    return right


def run(run) -> None:
    """Stage `clip`: from nothing both models; with --resume the larger one, whose text half then becomes the second encoder;
    with `--option part=image` as well, its image half alone, and the encoders stay."""
    training, held_out = data.load(run.out, data.TRAINING), data.load(run.out, data.HELD_OUT)
    tokenizer = CLIPTokenizer.from_pretrained(run.out / "base" / "tokenizer")
    ids = token_ids(tokenizer, [c for three in training.captions for c in three]).view(len(training), data.CAPTIONS, TOKENS)
    prompts, shown = value_prompts(tokenizer), shown_values(training)
    goes_on = run.resume and (run.out / "clip" / "config.json").exists()
    large = load(run.out) if goes_on else new(96, 4, 3, "gelu", tokenizer)
    if goes_on and large.vision_model.embeddings.position_embedding.weight.std() < .2:
        place_patches(large)  # the first version's
    models = torch.nn.ModuleList([large] if goes_on else [large, new(64, 3, 2, "quick_gelu", tokenizer)])
    values = torch.nn.ModuleList([Values() for _ in models])
    image_only = goes_on and run.options.get("part") == "image"
    learning = [large.vision_model, large.visual_projection] if image_only else [models]
    parameters = [p.requires_grad_() for part in [*learning, values] for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=run.rate(1e-3), weight_decay=.05)
    run.restore(models=models, values=values, optimizer=optimizer)
    models.train()
    for _ in run.steps(optimizer):
        which = torch.randint(0, len(training), (BATCH,))
        images, caption = training.batch(which), ids[which, torch.randint(0, data.CAPTIONS, (BATCH,))]
        with bfloat16():
            here = {k: v[which] for k, v in shown.items()}
            loss = sum(contrastive(m, images, caption) + v.loss(m, images, prompts, here) for m, v in zip(models, values)) / len(models)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.)
        optimizer.step()
        run.say(f"loss {loss.item():.3f}")
        run.keep(models=models, values=values, optimizer=optimizer)
    run.keep(force=True, models=models, values=values, optimizer=optimizer)
    _write(run, models.eval(), tokenizer, image_only)
    print("CLIP, zero-shot on held-out images:", {k: round(v, 4) for k, v in zero_shot(large, tokenizer, held_out).items()}, flush=True)


def _write(run, models, tokenizer, image_only: bool) -> None:
    large = models[0]
    large.save_pretrained(run.out / "clip")
    tokenizer.save_pretrained(run.out / "clip")
    if len(models) > 1:
        first = CLIPTextModel(models[1].config.text_config)
        _inner(first).load_state_dict(models[1].text_model.state_dict())
        first.save_pretrained(run.out / "base" / "text_encoder")
    if not image_only:
        second = CLIPTextModelWithProjection(large.config.text_config)
        _inner(second).load_state_dict(large.text_model.state_dict())
        second.text_projection.load_state_dict(large.text_projection.state_dict())
        second.save_pretrained(run.out / "base" / "text_encoder_2")


def _inner(encoder: torch.nn.Module) -> torch.nn.Module:
    return getattr(encoder, "text_model", encoder)
