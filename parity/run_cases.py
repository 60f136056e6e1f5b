"""Which whole runs there are: a pair of models and a request, in the words that the library takes (GenerateRequest)."""

HAT = "a smiling red cartoon character wearing a top hat"
MIXED = "wow! a café, 日本語 и 🙂 hat"
LONG = "a cartoon character with big eyes, " * 12
DMD2 = [999, 749, 499, 249]

LCM, TCD = {"scheduler": "LCMScheduler"}, {"scheduler": "TCDScheduler"}
FAST = {"component": "unet-sdxl-fast", "as": "file"}
FAST_FOLDER = {"component": "unet-sdxl-fast", "as": "folder"}
TURBO, LIGHTNING = {"checkpoint": "sdxl-turbo"}, {"checkpoint": "sdxl-lightning"}


def case(base, steps, guidance, distilled=None, decoder=None, **request):
    """`steps` is a count or a list of timesteps. Pictures are wider than high unless a size is given."""
    pair = {"base": base} | ({"distilled": distilled} if distilled else {}) | ({"decoder": decoder} if decoder else {})
    walk = {"timesteps": steps} if isinstance(steps, list) else {"steps": steps}
    filled = {"mode": "distilled" if distilled else "base", "prompts": [HAT], "seeds": [0, 7], "size": {"width": 40, "height": 24}}
    return {"pair": pair, "request": {**filled, **walk, "guidance": guidance, **request}}


def hybrid(steps, switch, base_guidance, distilled=FAST, **request):
    return case("sdxl", steps, 0, distilled, mode="hybrid", switch=switch, baseGuidance=base_guidance, **request)


CASES = {
    # Stable Diffusion 1.x: PNDM in the file, other schedulers made from it.
    "sd1": case("sd1", 5, 7.5),
    "sd1-outdated-scheduler": case("sd1-outdated", 4, 7.5, seeds=[3]),
    "sd1-negative": case("sd1", 4, 4, negative="sad, blurry!", size={"width": 24, "height": 40}),
    "sd1-clip-skip": case("sd1", 3, 3, clipSkip=1, negative="sad"),
    "sd1-clip-skip-2": case("sd1", 2, 1, clipSkip=2, seeds=[5]),
    "sd1-no-guidance": case("sd1", 3, 1),
    "sd1-rescale": case("sd1", 3, 9, guidanceRescale=0.7),
    "sd1-ddim": case("sd1", 4, 5, scheduler="DDIMScheduler"),
    "sd1-ddim-eta": case("sd1", 4, 5, scheduler="DDIMScheduler", eta=0.6),
    "sd1-ddpm": case("sd1", 5, 5, scheduler="DDPMScheduler"),
    "sd1-euler": case("sd1", 4, 5, scheduler="EulerDiscreteScheduler"),
    "sd1-euler-a": case("sd1", 5, 5, scheduler="EulerAncestralDiscreteScheduler"),
    "sd1-dpm": case("sd1", 6, 5, scheduler="DPMSolverMultistepScheduler"),
    "sd1-trailing": case("sd1", 4, 5, scheduler="DDIMScheduler", spacing="trailing"),
    "sd1-prompts": case("sd1", 2, 4, prompts=[MIXED, LONG, "", "!"], seeds=[1]),
    "sd1-lcm": case("sd1-lcm", 4, 8.5),
    "sd1-tiny-decoder": case("sd1", 2, 3, decoder="taesd", seeds=[2]),
    # Stable Diffusion 2.x: predicts v.
    "sd2": case("sd2", 5, 6),
    "sd2-zero-snr": case("sd2-zero-snr", 4, 6, guidanceRescale=0.7, size={"width": 32, "height": 48}),
    "sd2-euler": case("sd2", 4, 5, scheduler="EulerDiscreteScheduler", spacing="trailing"),
    "sd2-euler-a": case("sd2", 4, 5, scheduler="EulerAncestralDiscreteScheduler"),
    "sd2-dpm": case("sd2", 5, 5, scheduler="DPMSolverMultistepScheduler"),
    "sd2-pndm": case("sd2", 5, 5, scheduler="PNDMScheduler"),
    # SDXL.
    "sdxl": case("sdxl", 6, 5),
    "sdxl-default-size": case("sdxl", 2, 5, size=None, seeds=[4]),
    "sdxl-negative": case("sdxl", 3, 5, negative="sad, blue! ugly"),
    "sdxl-empty-negative": case("sdxl", 3, 5, negative=""),
    "sdxl-encoded-empty": case("sdxl-encoded-empty", 3, 5),
    "sdxl-clip-skip": case("sdxl", 3, 5, clipSkip=1, negative="sad"),
    "sdxl-rescale": case("sdxl", 3, 7, guidanceRescale=0.5),
    "sdxl-no-guidance": case("sdxl", 3, 1, negative="not encoded"),
    "sdxl-prompts": case("sdxl", 2, 5, prompts=[MIXED, LONG, "", "a <|endoftext|> hat"], seeds=[1]),
    "sdxl-seeds": case("sdxl", 2, 0, seeds=[0, 1, 2**31, 2**32 - 1]),
    "sdxl-statistics": case("sdxl-statistics", 2, 3),
    "sdxl-old-eos": case("sdxl-old-eos", 2, 3, prompts=[HAT, ""], seeds=[6]),
    "sdxl-dpm": case("sdxl", 6, 4, scheduler="DPMSolverMultistepScheduler"),
    "sdxl-ddpm": case("sdxl", 4, 4, scheduler="DDPMScheduler", spacing="trailing"),
    "sdxl-tiny-decoder": case("sdxl", 2, 0, decoder="taesd"),
    "segmind": case("segmind", 3, 5),
    # Distilled models, each as its authors sample it.
    "turbo": case("sdxl-turbo", 4, 0, seeds=[0, 7, 8]),
    "turbo-1": case("sdxl-turbo", 1, 0, size={"width": 24, "height": 40}),
    "lightning": case("sdxl-lightning", 4, 0),
    "lightning-2": case("sdxl-lightning", 2, 0, seeds=[9]),
    "lightning-1-sample": case("sdxl-lightning-1", 1, 0),
    "dmd2": case("sdxl", DMD2, 0, FAST, **LCM),
    "dmd2-1": case("sdxl", [399], 0, FAST_FOLDER, **LCM),
    "hyper-ddim": case("sdxl-hyper", 4, 0),
    "hyper-tcd": case("sdxl", 4, 0, FAST, **TCD, eta=0.3),
    "hyper-tcd-1": case("sdxl", 1, 0, FAST, **TCD, eta=1.0),
    "hyper-tcd-8": case("sdxl", 8, 0, FAST_FOLDER, **TCD, eta=0.5, seeds=[5]),
    "hyper-lcm-1": case("sdxl", [800], 0, FAST, **LCM),
    "hyper-guided": case("sdxl", 4, 5, FAST, **TCD, negative="sad"),
    "lcm-sdxl": case("sdxl-lcm", 4, 8),
    "lcm-sdxl-guidance-0": case("sdxl-lcm", 3, 0),
    "distilled-folder": case("sdxl", 4, 0, TURBO),
    # The base runs the first rows of the distilled schedule, the paper's recipe.
    "hybrid-1": hybrid(DMD2, 1, 0, **LCM),
    "hybrid-2": hybrid(DMD2, 2, 0, **LCM),
    "hybrid-1-guided": hybrid(DMD2, 1, 5, **LCM, negative="sad"),
    "hybrid-2-guided": hybrid(DMD2, 2, 4, FAST_FOLDER, **LCM, size={"width": 24, "height": 40}),
    "hybrid-0": hybrid(DMD2, 0, 0, **LCM, seeds=[3]),
    "hybrid-all": hybrid(DMD2, 4, 0, **LCM, seeds=[3]),
    "hybrid-lcm-grid": hybrid(4, 1, 0, **LCM),
    "hybrid-turbo": hybrid(4, 1, 0, TURBO),
    "hybrid-turbo-guided": hybrid(4, 2, 3, TURBO),
    "hybrid-lightning": hybrid(4, 1, 0, LIGHTNING),
    "hybrid-tcd": hybrid(4, 1, 0, **TCD, eta=0.3),
    "hybrid-ddim": hybrid(4, 2, 0, scheduler="DDIMScheduler", spacing="trailing"),
    "hybrid-prompts": hybrid(DMD2, 1, 0, **LCM, prompts=[MIXED, ""], seeds=[1]),
    # The base on its own schedule, then fresh noise up to the level of the distilled row.
    "hybrid-own-grid": hybrid(DMD2, 1, 0, **LCM, baseSteps=10),
    "hybrid-own-grid-guided": hybrid(DMD2, 2, 4, **LCM, baseScheduler="DDIMScheduler", baseSteps=8),
    "hybrid-ratio": hybrid(DMD2, None, 0, **LCM, ratio={"base": 2, "distilled": 1}, baseSpacing="trailing"),
    "hybrid-ratio-ddim": hybrid(DMD2, 2, 3, **LCM, ratio={"base": 5, "distilled": 2}, baseScheduler="DDIMScheduler", seeds=[4]),
    # Single rows, and rows left out at the beginning.
    "hybrid-rows": hybrid(DMD2, [0, 2], 0, **LCM, size={"width": 24, "height": 40}),
    "hybrid-rows-last": hybrid(4, [3], 0, TURBO, seeds=[3]),
    "hybrid-skip": hybrid(DMD2, 1, 0, **LCM, skip=1),
    "skip-lcm": case("sdxl", DMD2, 0, FAST, **LCM, skip=1),
    "skip-lightning": case("sdxl-lightning", 4, 0, skip=2),
    "skip-guided": case("sdxl", 5, 4, skip=1, scheduler="EulerDiscreteScheduler", spacing="trailing", seeds=[6]),
}  # fmt: skip

EMBEDDED_HAT = "a cartoon character wearing a top hat"
EMBEDDED = {
    "base": {"mode": "base", "steps": 25, "guidance": 5},
    "distilled": {"mode": "distilled", "timesteps": DMD2, "guidance": 0, **LCM},
    "hybrid": {"mode": "hybrid", "switch": 1, "handoff": "schedule", "timesteps": DMD2, "guidance": 0, "baseGuidance": 0, **LCM},
}
EMBEDDED_COMMON = {"prompts": [EMBEDDED_HAT], "seeds": [0, 5], "size": {"width": 64, "height": 64}}
EMOJI_COMMON = {**EMBEDDED_COMMON, "prompts": ["a vehicle in Noto's style"]}
"""The pair on emoji runs the same cases, with a LoRA for its distilled model."""
