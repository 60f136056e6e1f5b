"""Which runs of flow matching pipelines there are, in the words that the library takes (GenerateRequest)."""

from .run_cases import HAT, LONG, MIXED

FAST = {"checkpoint": "zimage-turbo"}


def case(mode, steps, guidance, distilled=None, decoder=None, checkpoint="zimage", **request):
    pair = {"base": checkpoint} | ({"distilled": distilled} if distilled else {}) | ({"decoder": decoder} if decoder else {})
    filled = {"mode": mode, "prompts": [HAT], "seeds": [0, 7], "size": {"width": 40, "height": 24}, "steps": steps, "guidance": guidance}
    return {"pair": pair, "request": {**filled, **request}}


KLEIN = {"checkpoint": "klein-fast"}


def klein(*args, **request):
    return case(*args, checkpoint="klein", **request)


SCHNELL = {"checkpoint": "flux1-fast"}


def flux1(*args, **request):
    return case(*args, checkpoint="flux1", **request)


FLASH = {"checkpoint": "chroma-fast"}


def chroma(*args, **request):
    return case(*args, checkpoint="chroma", **request)


SD3_FAST = {"checkpoint": "sd3-fast"}


def sd3(*args, checkpoint="sd3", **request):
    return case(*args, checkpoint=checkpoint, **request)


QWEN_FAST = {"checkpoint": "qwenimage-fast"}


def qwen(*args, **request):
    return case(*args, checkpoint="qwenimage", **request)


SPRINT = {"checkpoint": "sana-sprint"}


def sana(*args, checkpoint="sana", **request):
    """The pipelines take multiples of 32 pixels, also where the autoencoder has fewer levels."""
    return case(*args, checkpoint=checkpoint, **{"size": {"width": 64, "height": 32}, "seeds": [3], **request})


FLOW_CASES = {
    "sana": sana("base", 6, 4.5, seeds=[0, 7]),
    "sana-plain": sana("base", 16, 0, size={"width": 32, "height": 96}),
    "sana-prompts": sana("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], negative="Sad, blurry! " * 8),
    "sana-euler": sana("base", 5, 3, scheduler="FlowMatchEulerDiscreteScheduler"),
    "sana-sprint": sana("distilled", 2, 4.5, SPRINT, seeds=[0, 7]),
    "sana-sprint-alone": sana("base", 1, 1.5, checkpoint="sana-sprint", size={"width": 32, "height": 96}),
    "sana-sprint-folder": sana("distilled", 4, 4.5, {"component": "sana-sprint", "as": "transformer"}, scheduler="SCMScheduler"),
    "sana-hybrid-1": sana("hybrid", 2, 4.5, SPRINT, switch=1, baseGuidance=0, seeds=[0, 7]),
    "sana-hybrid-2-guided": sana("hybrid", 4, 4.5, SPRINT, switch=2, baseGuidance=4.5, negative="sad", size={"width": 32, "height": 64}),
    "sana-hybrid-own-grid": sana("hybrid", 2, 4.5, SPRINT, switch=1, baseGuidance=3, baseSteps=16),
    "sana-hybrid-few-own": sana("hybrid", 4, 2, SPRINT, switch=2, baseGuidance=0, baseSteps=6),
    "zimage": case("base", 5, 4),
    "zimage-plain": case("base", 3, 0, size={"width": 24, "height": 56}, seeds=[3]),
    "zimage-negative": case("base", 3, 3, negative="sad, blurry! " * 8),
    "zimage-prompts": case("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], seeds=[1]),
    "zimage-normalised": case("base", 4, 4, guidanceNormalization=1, seeds=[5]),
    "zimage-truncated": case("base", 6, 4, guidanceTruncation=0.1, guidanceNormalization=0.8, seeds=[5]),
    "zimage-one-step": case("base", 1, 4, seeds=[2]),
    "zimage-tiny-decoder": case("base", 2, 1, decoder="taef1", seeds=[2]),
    "zimage-turbo": case("distilled", 8, 0, FAST),
    "zimage-turbo-guided": case("distilled", 4, 0.5, FAST, prompts=[HAT, LONG], seeds=[1]),
    "zimage-distilled-folder": case("distilled", 4, 0, {"component": "z-image-fast", "as": "transformer"}),
    "zimage-distilled-file": case("distilled", 4, 0, {"component": "z-image-fast", "as": "file"}, seeds=[4]),
    "zimage-hybrid-1": case("hybrid", 8, 0, FAST, switch=1, baseGuidance=0),
    "zimage-hybrid-3-guided": case("hybrid", 8, 0, FAST, switch=3, baseGuidance=4, negative="sad", size={"width": 24, "height": 40}),
    "zimage-hybrid-own-grid": case("hybrid", 8, 0, FAST, switch=3, baseGuidance=0, baseSteps=20),
    "klein": klein("base", 5, 4),
    "klein-plain": klein("base", 3, 0, size={"width": 24, "height": 56}, seeds=[3]),
    "klein-prompts": klein("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], seeds=[1]),
    "klein-distilled": klein("distilled", 4, 0, KLEIN),
    "klein-distilled-folder": klein("distilled", 4, 0, {"component": "flux2-fast", "as": "transformer"}, seeds=[4]),
    "klein-hybrid-2": klein("hybrid", 4, 0, KLEIN, switch=2, baseGuidance=0),
    "klein-hybrid-1-guided": klein("hybrid", 4, 0, KLEIN, switch=1, baseGuidance=4, size={"width": 24, "height": 40}),
    "klein-hybrid-own-grid": klein("hybrid", 4, 0, KLEIN, switch=2, baseGuidance=3, baseSteps=12, seeds=[9]),
    "flux1": flux1("base", 5, 3.5),
    "flux1-weak-guidance": flux1("base", 3, 1, size={"width": 24, "height": 56}, seeds=[3]),
    "flux1-prompts": flux1("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], seeds=[1]),
    "flux1-true-guidance": flux1("base", 3, 3.5, trueGuidance=2.5, negative="sad, blurry! " * 8, seeds=[1]),
    "flux1-hybrid-true-guidance": flux1("hybrid", 8, 3.5, {"component": "flux1", "as": "transformer"}, switch=3, baseGuidance=1.5, baseSteps=6, trueGuidance=2, negative="sad", seeds=[4]),
    "flux1-text-tokens": flux1("base", 2, 3.5, textTokens=40, prompts=[HAT, LONG], seeds=[1]),
    "chroma-text-tokens": chroma("base", 2, 3, textTokens=24, prompts=[HAT, LONG], seeds=[1]),
    "flux1-tiny-decoder": flux1("base", 2, 3.5, decoder="taef1", seeds=[2]),
    "flux1-schnell": flux1("distilled", 4, 0, SCHNELL),
    "flux1-schnell-true-guidance": flux1("distilled", 2, 2, SCHNELL, negative="sad, blurry! " * 8, seeds=[1]),
    "flux1-distilled-folder": flux1("distilled", 8, 3.5, {"component": "flux1", "as": "transformer"}, seeds=[4]),
    "flux1-hybrid-1": flux1("hybrid", 4, 0, SCHNELL, switch=1, baseGuidance=3.5, size={"width": 24, "height": 40}),
    "flux1-hybrid-3": flux1("hybrid", 8, 3.5, {"component": "flux1", "as": "transformer"}, switch=3, baseGuidance=1.5, seeds=[4]),
    "flux1-hybrid-own-grid": flux1("hybrid", 4, 0, SCHNELL, switch=1, baseGuidance=3.5, baseSteps=12, seeds=[9]),
    "chroma": chroma("base", 5, 5),
    "chroma-plain": chroma("base", 3, 0, size={"width": 24, "height": 56}, seeds=[3]),
    "chroma-negative": chroma("base", 2, 3, negative="sad, blurry! " * 8, seeds=[5]),
    "chroma-prompts": chroma("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], seeds=[1]),
    "chroma-fast": chroma("distilled", 8, 0, FLASH),
    "chroma-distilled-file": chroma("distilled", 4, 0, {"component": "chroma-fast", "as": "file"}, seeds=[4]),
    "chroma-hybrid-1": chroma("hybrid", 4, 0, FLASH, switch=1, baseGuidance=0, size={"width": 24, "height": 40}),
    "chroma-hybrid-3-guided": chroma("hybrid", 8, 0, {"component": "chroma-fast", "as": "transformer"}, switch=3, baseGuidance=4, negative="sad", seeds=[4]),
    "chroma-hybrid-own-grid": chroma("hybrid", 8, 0, {"component": "chroma-fast", "as": "transformer"}, switch=3, baseGuidance=3, baseSteps=12, seeds=[9]),
    "sd3": sd3("base", 5, 4.5),
    "sd3-plain": sd3("base", 3, 0, size={"width": 24, "height": 56}, seeds=[3]),
    "sd3-negative": sd3("base", 3, 3, negative="sad, blurry! " * 8),
    "sd3-prompts": sd3("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], seeds=[1]),
    "sd3-clip-skip": sd3("base", 2, 3, clipSkip=1, seeds=[1]),
    "sd3-without-t5": sd3("base", 2, 4, checkpoint="sd3-without-t5", seeds=[6]),
    "sd3-tiny-decoder": sd3("base", 2, 1, decoder="taef1", seeds=[2]),
    "sd3-turbo": sd3("distilled", 4, 0, SD3_FAST),
    "sd3-distilled-folder": sd3("distilled", 4, 0, {"component": "sd3-fast", "as": "transformer"}, seeds=[4]),
    "sd3-distilled-file": sd3("distilled", 4, 1, {"component": "sd3-fast", "as": "file"}, seeds=[5]),
    "sd3-hybrid-1": sd3("hybrid", 4, 0, SD3_FAST, switch=1, baseGuidance=0),
    "sd3-hybrid-2-guided": sd3("hybrid", 4, 0, SD3_FAST, switch=2, baseGuidance=4, negative="sad", size={"width": 24, "height": 40}),
    "sd3-hybrid-own-grid": sd3("hybrid", 4, 0, SD3_FAST, switch=1, baseGuidance=3, baseSteps=12, seeds=[9]),
    "qwenimage": qwen("base", 5, 4),
    "qwenimage-plain": qwen("base", 3, 0, size={"width": 24, "height": 56}, seeds=[3]),
    "qwenimage-negative": qwen("base", 3, 3, negative="sad, blurry! " * 8),
    "qwenimage-prompts": qwen("base", 2, 2.5, prompts=[HAT, MIXED, "", LONG], seeds=[1]),
    "qwenimage-lightning": qwen("distilled", 8, 0, QWEN_FAST),
    "qwenimage-distilled-folder": qwen("distilled", 4, 0, {"component": "qwen-image-fast", "as": "transformer"}, seeds=[4]),
    "qwenimage-distilled-file": qwen("distilled", 4, 3, {"component": "qwen-image-fast", "as": "file"}, seeds=[5]),
    "qwenimage-hybrid-1": qwen("hybrid", 4, 0, QWEN_FAST, switch=1, baseGuidance=0, size={"width": 24, "height": 40}),
    "qwenimage-hybrid-3-guided": qwen("hybrid", 8, 0, QWEN_FAST, switch=3, baseGuidance=4, negative="sad", seeds=[4]),
    "qwenimage-hybrid-own-grid": qwen("hybrid", 4, 0, QWEN_FAST, switch=1, baseGuidance=3, baseSteps=12, seeds=[9]),
    "zimage-hybrid-own-grid-guided": case("hybrid", 4, 0, FAST, switch=1, baseGuidance=3, baseSteps=6, seeds=[9]),
}
