"""Knows the two CLIP models: images and captions in one space.

Their text halves are the base's two encoders, so what they cannot tell apart, no UNet can draw when asked. Once a UNet
listens to them, only the image half of the larger one is trained further: it is an instrument, nothing hangs on it.
"""
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from . import data, setting, world
from .conditioning import TOKENS
from .run import bfloat16

BATCH = 96
PROJECTION = 64
PATCH = 8
ATTENTION = "eager"  # PyTorch's fused kernel is three times slower to train in bfloat16 (measured)

TEMPLATES = {
    "color": "a {} cartoon character", "shape": "a {} cartoon character", "background": "a cartoon character on a {} background",
    "hat": "a cartoon character wearing {}", "extra": "a cartoon character with {}", "eyes": "a cartoon character with {}",
}


def new(width: int, layers: int, heads: int, activation: str, tokenizer: CLIPTokenizer, patch: int) -> CLIPModel:
    common = {"hidden_act": activation, "projection_dim": PROJECTION}
    text = {
        "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": heads,
        "max_position_embeddings": TOKENS, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id,
    }
    vision = {"hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": world.SIZE, "patch_size": patch}
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


def _looked(model: CLIPModel, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same, and the tokens [B, 1 + patches, D] that its last layer is given."""
    looked = model.vision_model(pixel_values=images, output_hidden_states=True)
    return _unit(model.visual_projection(looked.pooler_output)), looked.hidden_states[-2]


def text_features(model: CLIPModel, ids: torch.Tensor) -> torch.Tensor:
    """ids [B, 32] → unit vectors [B, 64]."""
    return _unit(model.get_text_features(input_ids=ids))


def _unit(features) -> torch.Tensor:
    return F.normalize(getattr(features, "pooler_output", features).float(), dim=-1)


def contrastive(seen: torch.Tensor, said: torch.Tensor, scale: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Cross-entropy both ways; of an image all captions that are true of it share the credit, and of a caption all images (Yang et al. 2022,
    UniCL, eq. 2 to 4). seen, said [B, 64], true [B images, B captions]"""
    logits, true = scale * seen @ said.t(), true.float()
    one_way = lambda logits, true: (true / true.sum(1, keepdim=True) * F.log_softmax(logits, 1)).sum(1).mean()
    return -.5 * (one_way(logits, true) + one_way(logits.t(), true.t()))


def value_prompt(factor: str, value) -> str:
    """A caption that names one value and nothing else."""
    article = "a " if factor == "hat" and value != "none" else ""
    return TEMPLATES[factor].format(article + world.word(factor, value))


def value_prompts(tokenizer) -> dict[str, torch.Tensor]:
    """For each factor the ids [values, 32] of such captions."""
    return {k: token_ids(tokenizer, [value_prompt(k, v) for v in values]) for k, values in world.FACTORS.items()}


class Values(torch.nn.Module):
    """Reads each factor's value off a feature vector, of an image or of a text alike. Colour and background alone tell most
    pictures of a batch apart; without a look at each factor, the words for shape, extra and eyes fall together in the text
    half, and then nothing teaches the image half to see them (measured: chance after 25 minutes). Not part of the model."""

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.ModuleDict({k: torch.nn.Linear(PROJECTION, len(v), bias=False) for k, v in world.FACTORS.items()})

    def loss(self, seen: torch.Tensor, said: dict[str, torch.Tensor], scale: torch.Tensor, shown: dict[str, torch.Tensor]) -> torch.Tensor:
        """Cross-entropy of the values shown in images, of those said in prompts, and of the right prompt for each image.
        seen [B, 64]; said[factor] [values, 64]; shown[factor] [B]."""
        loss = 0
        for factor, head in self.heads.items():
            words, value = said[factor], shown[factor]
            loss = loss + F.cross_entropy(10 * head(seen), value) + F.cross_entropy(10 * head(words), torch.arange(len(words)))
            loss = loss + F.cross_entropy(scale * seen @ words.t(), value)
        return loss / len(self.heads)


class Places(torch.nn.Module):
    """Says of each patch what small thing lies in it, off the patch's own token before the last layer: whoever knows where eyes
    and horns are soon counts and names them. Not part of the model."""

    KINDS = ["eye", *(v for v in world.EXTRAS if v != "none")]

    def __init__(self, width: int):
        super().__init__()
        self.head = torch.nn.Linear(width, len(self.KINDS))

    @classmethod
    def of(cls, characters: data.Pictures, patch: int) -> torch.Tensor:
        """bool [N, patches, kinds]"""
        side = world.SIZE // patch
        found = torch.zeros(len(characters), side * side, len(cls.KINDS), dtype=torch.bool)
        for i, f in enumerate(characters.factors):
            for kind, x, y in world.small_things(f):
                if 0 <= x < world.SIZE and 0 <= y < world.SIZE:
                    found[i, int(y // patch) * side + int(x // patch), cls.KINDS.index(kind)] = True
        return found

    def loss(self, tokens: torch.Tensor, lies: torch.Tensor) -> torch.Tensor:
        """tokens [B, 1 + patches, D], lies [B, patches, kinds]"""
        logits = self.head(tokens[:, 1:]).float()
        return F.binary_cross_entropy_with_logits(logits, lies.float(), pos_weight=torch.tensor(8.0)) * len(self.KINDS)


def _prompt_features(model: CLIPModel, prompts: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = text_features(model, torch.cat(list(prompts.values()))).split([len(p) for p in prompts.values()])
    return dict(zip(prompts, parts))


@torch.no_grad()
def zero_shot(model: CLIPModel, tokenizer, pictures: data.Pictures, prompts: dict[str, dict[str, str]] | None = None) -> dict[str, float]:
    """For each factor: how often the right value's prompt lies nearest among those of its values (default: all, absence too),
    over the images whose value has a prompt."""
    prompts = prompts or {k: {str(v): value_prompt(k, v) for v in values} for k, values in world.FACTORS.items()}
    features = torch.cat([image_features(model, pictures.batch(range(i, min(i + 64, len(pictures))))) for i in range(0, len(pictures), 64)])
    right = {}
    for factor, said in prompts.items():
        nearest = (features @ text_features(model, token_ids(tokenizer, list(said.values()))).t()).argmax(1)
        true = [list(said).index(str(f[factor])) if str(f[factor]) in said else -1 for f in pictures.factors]
        right[factor] = float((nearest == torch.tensor(true)).float().sum()) / sum(v >= 0 for v in true)
    return right


class Labels(torch.nn.Module):
    """What characters teach beside their captions, since their factors are known: values (`Values`, for each half) and places."""

    def __init__(self, training: data.Pictures, tokenizer, width: int, patch: int, halves: int):
        super().__init__()
        self.values = torch.nn.ModuleList([Values() for _ in range(halves)])
        self.places = Places(width)
        self.lies, self.prompts = Places.of(training, patch), value_prompts(tokenizer)
        self.shown = {k: training.values(k) for k in world.FACTORS}

    def loss(self, halves, which: torch.Tensor, seen: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """which [B], seen [B, 64], tokens [B, 1 + patches, D]"""
        loss, here = self.places.loss(tokens, self.lies[which]), {k: v[which] for k, v in self.shown.items()}
        for half, heads in zip(halves, self.values):
            loss = loss + heads.loss(seen, _prompt_features(half, self.prompts), half.logit_scale.exp(), here) / len(halves)
        return loss


def run(run) -> None:
    """Stage `clip`: two text halves that learn on one image half; characters teach more than their captions (`Labels`), other pictures
    nothing else, and so with `--option heads=no`: an instrument that never saw the labels. With --resume from the checkpoint, or from
    clip/ and the base's first encoder; with `--option part=image` the image half alone, on more pictures where there are some, and the
    encoders stay; `--option patch=4` starts that half anew with patches of that size."""
    image_only, chosen = run.options.get("part") == "image", setting.of(run.out)
    labelled = chosen.drawn and run.options.get("heads") != "no"
    training = data.load(run.out, data.MORE if image_only and chosen.drawn else data.TRAINING)
    tokenizer = CLIPTokenizer.from_pretrained(run.out / "base" / "tokenizer")
    all_captions, said = training.said()
    ids = token_ids(tokenizer, all_captions)
    patch = int(run.options.get("patch", PATCH))
    halves = _halves(run, tokenizer, patch, image_only)
    large = halves[0]
    labels = Labels(training, tokenizer, large.config.vision_config.hidden_size, patch, len(halves)) if labelled else torch.nn.Module()
    learning = [large.vision_model, large.visual_projection] if image_only else [large, *(p for h in halves[1:] for p in (h.text_model, h.text_projection))]
    parameters = [p.requires_grad_() for part in [*learning, labels] for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=run.rate(1e-3), weight_decay=.05)
    kept = {"models": halves, "labels": labels, "optimizer": optimizer}
    run.restore(**kept)
    halves.train()
    for _ in run.steps(optimizer):
        which = torch.randint(0, len(training), (BATCH,))
        images = data.shifted(training.batch(which), chosen.shift)
        caption = said[which].gather(1, torch.randint(0, said.shape[1], (BATCH, 1)))
        true = (said[which][:, None] == caption[None]).any(-1)
        with bfloat16():
            seen, tokens = _looked(large, images)
            loss = sum(contrastive(seen, text_features(half, ids[caption[:, 0]]), half.logit_scale.exp(), true) for half in halves) / len(halves)
            if labelled:
                loss = loss + labels.loss(halves, which, seen, tokens)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.)
        optimizer.step()
        run.say(f"loss {loss.item():.3f}")
        if run.keep(**kept):
            _write(run, halves, tokenizer, image_only)
    run.keep(force=True, **kept)
    _write(run, halves.eval(), tokenizer, image_only)
    right = {name: zero_shot(large, tokenizer, pictures, chosen.prompts) for name, pictures in data.unseen(run.out).items()}
    for name, values in right.items():
        print(f"CLIP, zero-shot on {name} images:", {k: round(v, 4) for k, v in values.items()}, flush=True)
    run.report(zero_shot=right)


def _halves(run, tokenizer, patch: int, image_only: bool) -> torch.nn.ModuleList:
    """The model with the image half, and, unless that alone is trained, the smaller one whose image half is not used."""
    goes_on = run.resume and (run.out / "clip" / "config.json").exists()
    large = load(run.out) if goes_on else new(96, 4, 3, "gelu", tokenizer, patch)
    if goes_on and large.config.vision_config.patch_size != patch:
        large = _with_new_image_half(large, tokenizer, patch)
    if image_only:
        return torch.nn.ModuleList([large])
    small = new(64, 3, 2, "quick_gelu", tokenizer, patch)
    if goes_on:
        _inner(small).load_state_dict(_inner(CLIPTextModel.from_pretrained(run.out / "base" / "text_encoder", torch_dtype=torch.float32)).state_dict())
    return torch.nn.ModuleList([large, small])


def _with_new_image_half(model: CLIPModel, tokenizer, patch: int) -> CLIPModel:
    fresh = new(96, 4, 3, "gelu", tokenizer, patch)
    text = {k: v for k, v in model.state_dict().items() if not k.startswith("vis")}
    fresh.load_state_dict(text, strict=False)
    return fresh.requires_grad_(False)


def _write(run, halves, tokenizer, image_only: bool) -> None:
    large = halves[0]
    large.save_pretrained(run.out / "clip")
    tokenizer.save_pretrained(run.out / "clip")
    if image_only:
        return
    first = CLIPTextModel(halves[1].config.text_config)
    _inner(first).load_state_dict(halves[1].text_model.state_dict())
    first.save_pretrained(run.out / "base" / "text_encoder")
    second = CLIPTextModelWithProjection(large.config.text_config)
    _inner(second).load_state_dict(large.text_model.state_dict())
    second.text_projection.load_state_dict(large.text_projection.state_dict())
    second.save_pretrained(run.out / "base" / "text_encoder_2")


def _inner(encoder: torch.nn.Module) -> torch.nn.Module:
    return getattr(encoder, "text_model", encoder)
