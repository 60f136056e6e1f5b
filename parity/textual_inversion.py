"""Records runs with textual inversions that diffusers loads, in SDXL's file format and in Stable Diffusion's."""

from .adapters import REQUEST, noise_of, paint
from .runs import hush, open_pipeline

# One embedding of two vectors: checkpoint → token.
SINGLE = {"sdxl": "<pip>", "sd1": "<pip>"}
# Several: tokens with their vectors, and the prompt.
SEVERAL = {
    "overlapping": ("sd1", {"cat": 1, "catz": 2, "<pip>": 3}, "a cat, two catz and a wildcat with <pip>, CATALOG"),
    # eos_token_id 2, as in SDXL's own config: the largest id is pooled, which is then an added token's.
    "old-eos": ("sdxl-old-eos", {"<pip>": 2, "<pop>": 1}, "a red <pop> wearing a <pip> on a teal background"),
    "truncated": ("sdxl", {"<pip>": 4}, " ".join(["cartoon"] * 28) + " <pip>"),
}  # fmt: skip


def load(pipe, token, vectors, draw):
    """Loads an embedding; gives the tensors of its file."""
    width = lambda encoder: encoder.config.hidden_size  # noqa: E731
    if not hasattr(pipe, "text_encoder_2"):
        tensors = {token: draw(vectors, width(pipe.text_encoder))}
        pipe.load_textual_inversion(tensors, token=token)
        return tensors
    tensors = {"clip_l": draw(vectors, width(pipe.text_encoder)), "clip_g": draw(vectors, width(pipe.text_encoder_2))}
    pipe.load_textual_inversion(tensors["clip_l"], token=token, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
    pipe.load_textual_inversion(tensors["clip_g"], token=token, text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
    return tensors


def record(store):
    hush()
    for number, (checkpoint, token) in enumerate(SINGLE.items()):
        pipe = open_pipeline(checkpoint)
        tensors = load(pipe, token, 2, noise_of(2000 + number))
        request = {**REQUEST, "prompts": [f"a red {token} wearing a hat, {token}!"]}
        description = {"pair": {"base": checkpoint}, "request": request, "token": token}
        store.put(f"words/{checkpoint}", description, {"latents": paint(pipe, request)} | {f"file/{k}": v for k, v in tensors.items()})
    for number, (name, (checkpoint, tokens, prompt)) in enumerate(SEVERAL.items()):
        pipe, draw = open_pipeline(checkpoint), noise_of(2100 + number)
        files = {token: load(pipe, token, vectors, draw) for token, vectors in tokens.items()}
        request = {**REQUEST, "prompts": [prompt]}
        description = {"pair": {"base": checkpoint}, "request": request, "tokens": list(tokens)}
        tensors = {f"{i}/{k}": v for i, file in enumerate(files.values()) for k, v in file.items()}
        store.put(f"textual-inversion/{name}", description, {"latents": paint(pipe, request)} | tensors)
