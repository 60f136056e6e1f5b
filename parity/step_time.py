"""Times one UNet step of diffusers in float32: FOLDER BATCH HEIGHT WIDTH TOKENS RUNS THREADS. Prints the median milliseconds."""
import sys
import time

import torch
from diffusers import UNet2DConditionModel

folder = sys.argv[1]
batch, height, width, tokens, runs, threads = map(int, sys.argv[2:8])
torch.set_num_threads(threads)
unet = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
config = unet.config
generator = torch.Generator().manual_seed(7)
inputs = {
    "sample": torch.randn(batch, config.in_channels, height, width, generator=generator),
    "timestep": torch.full((batch,), 999.0),
    "encoder_hidden_states": torch.randn(batch, tokens, config.cross_attention_dim, generator=generator),
}
if config.addition_embed_type == "text_time":
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    inputs["added_cond_kwargs"] = {
        "text_embeds": torch.randn(batch, pooled, generator=generator),
        "time_ids": torch.tensor([64.0, 64, 0, 0, 64, 64]).expand(batch, 6),
    }
times = []
with torch.inference_mode():
    for _ in range(runs + 1):
        start = time.perf_counter()
        unet(**inputs)
        times.append(1000 * (time.perf_counter() - start))
print(sorted(times[1:])[runs // 2])
