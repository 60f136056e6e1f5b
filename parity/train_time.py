"""Times updates of a LoRA in PyTorch with PEFT's layers: python train_time.py FOLDER KIND BATCH HEIGHT WIDTH TOKENS RUNS THREADS, for bench/train.ts."""

import sys
import time

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from peft import LoraConfig

folder, kind = sys.argv[1:3]
batch, height, width, tokens, runs, threads = map(int, sys.argv[3:])
torch.set_num_threads(threads)
unet = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32)
unet.requires_grad_(False)
ATTENTION = r".*\.attn[12]\.to_(q|k|v|out\.0)"
SLIDER = r".*\.attn1\.to_(q|k|v|out\.0)|.*\.(resnets|downsamplers|upsamplers)\..*(conv|conv1|conv2|conv_shortcut|time_emb_proj)"
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=ATTENTION if kind == "lora" else SLIDER))
parameters = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4)
config = unet.config


def inputs(n):
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    added = {"text_embeds": torch.randn(n, pooled), "time_ids": torch.tensor([[64.0, 64.0, 0.0, 0.0, 64.0, 64.0]] * n)}
    return torch.full([n], 499.0), torch.randn(n, tokens, config.cross_attention_dim), added


def predict(x, given):
    times, states, added = given
    return unet(x, times, states, added_cond_kwargs=added).sample


given, three = inputs(batch), inputs(3)
x, target = torch.randn(batch, 4, height, width), torch.randn(batch, 4, height, width)
spent = []
for run in range(runs + 3):
    start = time.perf_counter()
    if kind == "slider":
        unet.disable_adapters()
        with torch.no_grad():
            for i in range(batch):
                predict(x[i : i + 1].expand(3, -1, -1, -1), three)
        unet.enable_adapters()
    loss = F.mse_loss(predict(x, given), target)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    if run >= 3:
        spent.append(1000 * (time.perf_counter() - start))
print(len(parameters) // 2, file=sys.stderr)
print(sorted(spent)[len(spent) // 2])
