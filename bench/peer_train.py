"""Updates of a LoRA in PyTorch with PEFT's layers, for bench/train.ts: takes a TrainCase as JSON, prints TrainTimes as JSON."""

import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from peft import LoraConfig

WARM = 1
case = json.loads(sys.argv[1])
batch, side, tokens = case["batch"], case["side"], case["tokens"]
torch.set_num_threads(case["threads"])
unet = UNet2DConditionModel.from_pretrained(case["folder"], torch_dtype=torch.float32)
unet.requires_grad_(False)
ATTENTION = r".*\.attn[12]\.to_(q|k|v|out\.0)"
SLIDER = r".*\.attn1\.to_(q|k|v|out\.0)|.*\.(resnets|downsamplers|upsamplers)\..*(conv|conv1|conv2|conv_shortcut|time_emb_proj)"
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=ATTENTION if case["kind"] == "lora" else SLIDER))
if case["recompute"]:
    # diffusers checkpoints blocks of a network in training mode only; this one has no dropout.
    unet.train()
    unet.enable_gradient_checkpointing()
parameters = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4)
config = unet.config


def inputs(n):
    states = torch.randn(n, tokens, config.cross_attention_dim)
    if config.addition_embed_type != "text_time":
        return torch.full([n], 499.0), states, None
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    size = 8.0 * side
    added = {"text_embeds": torch.randn(n, pooled), "time_ids": torch.tensor([[size, size, 0.0, 0.0, size, size]] * n)}
    return torch.full([n], 499.0), states, added


def predict(x, given):
    times, states, added = given
    return unet(x, times, states, added_cond_kwargs=added).sample


given, three = inputs(batch), inputs(3)
x, target = torch.randn(batch, 4, side, side), torch.randn(batch, 4, side, side)
spent = []
for run in range(case["runs"] + WARM):
    start = time.perf_counter()
    if case["kind"] == "slider":
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
    if run >= WARM:
        spent.append(1000 * (time.perf_counter() - start))
print(json.dumps({"milliseconds": spent, "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
