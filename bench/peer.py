"""Another engine in a process of its own, for `bench --peers`: FOLDER ENGINE TYPE SIZE THREADS. Prints what it measured as JSON.

ENGINE is torch (diffusers) or openvino (diffusers' modules converted by openvino.convert_model, once, into FOLDER). TYPE is float32 or
bfloat16. The first call, which engines compile in, counts as loading.
"""
import json
import os
import resource
import sys
import time

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

STEPS = 4
folder, engine, kind = sys.argv[1:4]
size, threads = map(int, sys.argv[4:6])
torch.set_num_threads(threads)
side = size // 8
generator = torch.Generator().manual_seed(7)
sample = torch.randn(1, 4, side, side, generator=generator)
text = torch.randn(1, 77, 2048, generator=generator)
pooled = torch.randn(1, 1280, generator=generator)
ids = torch.tensor([[float(size), size, 0, 0, size, size]])
timestep = torch.tensor([999.0])


class Denoiser(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, text, pooled, ids):
        added = {"text_embeds": pooled, "time_ids": ids}
        return self.unet(sample, timestep, text, added_cond_kwargs=added, return_dict=False)[0]


class Decoder(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, sample):
        return self.vae.decode(sample, return_dict=False)[0]


def denoiser(dtype):
    return Denoiser(UNet2DConditionModel.from_pretrained(f"{folder}/unet", torch_dtype=dtype).eval())


def decoder(dtype):
    return Decoder(AutoencoderKL.from_pretrained(f"{folder}/vae", torch_dtype=dtype).eval())


def on_torch():
    dtype = torch.float32 if kind == "float32" else torch.bfloat16

    def ready(module, *inputs):
        given = [x if x is timestep else x.to(dtype) for x in inputs]

        def call():
            with torch.inference_mode():
                return module(*given)

        return call

    return ready(denoiser(dtype), sample, timestep, text, pooled, ids), ready(decoder(dtype), sample)


def on_openvino():
    import openvino

    core = openvino.Core()
    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[kind],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }

    def ready(name, make, *inputs):
        path = f"{folder}/{name}-{size}.xml"
        if not os.path.exists(path):
            with torch.no_grad():
                model = openvino.convert_model(make(torch.float32), example_input=inputs)
            model.reshape({port: list(x.shape) for port, x in zip(model.inputs, inputs)})
            openvino.save_model(model, path)
        compiled = core.compile_model(path, "CPU", hints)
        request = compiled.create_infer_request()
        feeds = {i: x.numpy() for i, x in enumerate(inputs)}
        return lambda: request.infer(feeds)

    return ready("unet", denoiser, sample, timestep, text, pooled, ids), ready("decoder", decoder, sample)


def timed(call):
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


begun = time.perf_counter()
step, decode = {"torch": on_torch, "openvino": on_openvino}[engine]()
step()
decode()
load = 1000 * (time.perf_counter() - begun)
steps = [timed(step) for _ in range(STEPS)]
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"load": load, "steps": steps, "decode": timed(decode), "peak": peak}))
