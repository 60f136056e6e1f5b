"""Scheduler cases: every class with every spacing, every prediction type, and every option that changes a step."""

import math

import numpy as np

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
SPACINGS = ["leading", "trailing", "linspace"]
PREDICTIONS = ["epsilon", "v_prediction", "sample"]

# What a class needs so that none of the cases below is about its odd defaults.
PLAIN = {
    "DDPMScheduler": {"clip_sample": False},
    "DDIMScheduler": {"clip_sample": False, "set_alpha_to_one": False},
    "PNDMScheduler": {"skip_prk_steps": True, "set_alpha_to_one": False},
    "EulerDiscreteScheduler": {},
    "EulerAncestralDiscreteScheduler": {},
    "DPMSolverMultistepScheduler": {},
    "LCMScheduler": {"clip_sample": False},
    "TCDScheduler": {},
    "HeunDiscreteScheduler": {},
    "KDPM2DiscreteScheduler": {},
    "KDPM2AncestralDiscreteScheduler": {},
    "DPMSolverSDEScheduler": {},
    "LMSDiscreteScheduler": {},
    "DPMSolverSinglestepScheduler": {},
    "DEISMultistepScheduler": {},
    "UniPCMultistepScheduler": {},
}
CLASSES = list(PLAIN)
ANCESTRAL = {"EulerAncestralDiscreteScheduler", "KDPM2AncestralDiscreteScheduler"}
NO_SAMPLE = {"PNDMScheduler", "KDPM2DiscreteScheduler", "DPMSolverSDEScheduler"} | ANCESTRAL
SPACED = set(CLASSES) - {"LCMScheduler", "TCDScheduler", "DPMSolverSinglestepScheduler"}
DISTILLED = {"LCMScheduler", "TCDScheduler"}
TIMESTEPS = {"DDPMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "LCMScheduler", "TCDScheduler",
             "HeunDiscreteScheduler", "DPMSolverSinglestepScheduler"}  # fmt: skip
SNR = {"DDPMScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
       "DPMSolverMultistepScheduler", "LCMScheduler", "TCDScheduler", "UniPCMultistepScheduler"}  # fmt: skip

# scheduler_config.json as checkpoints on the Hub have them (public facts; only the fields that say something).
FILES = {
    "sd15": {"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", **SD, "clip_sample": False,
             "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None},
    "sd21": {"_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", **SD, "clip_sample": False,
             "prediction_type": "v_prediction", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
             "trained_betas": None},
    "sdxl": {"_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.0.dev0", **SD, "clip_sample": False,
             "interpolation_type": "linear", "prediction_type": "epsilon", "sample_max_value": 1.0,
             "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "leading",
             "trained_betas": None, "use_karras_sigmas": False},
    "turbo": {"_class_name": "EulerAncestralDiscreteScheduler", "_diffusers_version": "0.24.0.dev0", **SD,
              "clip_sample": False, "interpolation_type": "linear", "prediction_type": "epsilon",
              "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
              "timestep_spacing": "trailing", "trained_betas": None, "use_karras_sigmas": False},
    "lcm": {"_class_name": "LCMScheduler", "_diffusers_version": "0.22.0.dev0", **SD, "clip_sample": False,
            "clip_sample_range": 1.0, "dynamic_thresholding_ratio": 0.995, "original_inference_steps": 50,
            "prediction_type": "epsilon", "rescale_betas_zero_snr": False, "sample_max_value": 1.0,
            "set_alpha_to_one": True, "steps_offset": 0, "thresholding": False, "timestep_scaling": 10.0,
            "timestep_spacing": "leading", "trained_betas": None},
}  # fmt: skip


def case(class_name, steps, *, eta=None, fields=None, **config):
    """A case: the file as it would stand in the folder, and the arguments of set_timesteps. `steps` is a count or a list."""
    walk = {"timesteps": steps} if isinstance(steps, list) else {"steps": steps}
    found = {"file": {"_class_name": class_name, **SD, **PLAIN[class_name], **config}, "walk": walk}
    if fields:
        found["fields"] = fields
    if eta is not None:
        found["eta"] = eta
    return found


def common(name):
    """What every class is asked."""
    predictions = PREDICTIONS[:2] if name in NO_SAMPLE else PREDICTIONS
    cases = {}
    for spacing in SPACINGS if name in SPACED else [None]:
        for prediction in predictions:
            fields = {"prediction_type": prediction} | ({"timestep_spacing": spacing} if spacing else {})
            cases["-".join(filter(None, [spacing, prediction]))] = case(name, 5, **fields)
    for steps in (1, 2, 3, 8):
        cases[f"{steps} steps"] = case(name, steps, **({"timestep_spacing": "trailing"} if name in SPACED else {}))
    if name in SPACED:
        cases["offset 1"] = case(name, 6, timestep_spacing="leading", steps_offset=1)
        cases["17 steps leading"] = case(name, 17, timestep_spacing="leading", steps_offset=1)
    # Ancestral steps take the root of a negative rounding error where the cosine schedule begins: diffusers' result is not a number.
    for schedule in ("linear",) if name in ANCESTRAL else ("linear", "squaredcos_cap_v2"):
        cases[f"betas {schedule}"] = case(name, 4, beta_schedule=schedule, beta_start=0.0001, beta_end=0.02)
    cases["trained betas"] = case(name, 3, trained_betas=[round(0.001 + 0.0009 * i, 6) for i in range(20)],
                                  num_train_timesteps=20, **({"original_inference_steps": 10} if name in DISTILLED else {}))  # fmt: skip
    cases["500 training steps"] = case(name, 4, num_train_timesteps=500)
    if name in SNR:
        spaced = {"timestep_spacing": "trailing"} if name in SPACED else {}
        cases["zero terminal SNR"] = case(name, 4, rescale_betas_zero_snr=True, prediction_type="v_prediction", **spaced)
    if name in TIMESTEPS:
        cases["timesteps of DMD2"] = case(name, [999, 749, 499, 249])
        cases["timesteps at will"] = case(name, [981, 500, 333, 20, 3], prediction_type="v_prediction")
        cases["one timestep"] = case(name, [399])
    for file, given in FILES.items():
        # A file without skip_prk_steps asks PNDM for Runge-Kutta steps.
        if name != "PNDMScheduler" or given.get("skip_prk_steps"):
            cases[f"from {file}"] = {"file": given, "walk": {"steps": 4}}
    cases["from sdxl, changed"] = {"file": FILES["sdxl"], "fields": {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}, "walk": {"steps": 4}}  # fmt: skip
    return cases


def clipping(name):
    return {
        "clip": case(name, 4, clip_sample=True),
        "clip at 2.5": case(name, 4, clip_sample=True, clip_sample_range=2.5, prediction_type="v_prediction"),
    }


def karras(name):
    return {
        f"karras {spacing}": case(name, 6, use_karras_sigmas=True, timestep_spacing=spacing, steps_offset=1)
        for spacing in SPACINGS
    } | {
        "karras 1 step": case(name, 1, use_karras_sigmas=True),
        "karras v": case(name, 7, use_karras_sigmas=True, prediction_type="v_prediction"),
        "sigma min last": case(name, 5, final_sigmas_type="sigma_min"),
        "karras, sigma min last": case(name, 5, use_karras_sigmas=True, final_sigmas_type="sigma_min"),
    }


def respaced(name, **more):
    """Exponential and beta sigmas, and Karras sigmas between given bounds."""
    cases = {}
    for kind in ("exponential", "beta"):
        cases[kind] = case(name, 6, **{f"use_{kind}_sigmas": True}, **more)
        cases[f"{kind} v, 3 steps"] = case(name, 3, **{f"use_{kind}_sigmas": True}, prediction_type="v_prediction", **more)
    cases["exponential bounds"] = case(name, 5, use_exponential_sigmas=True, sigma_min=0.05, sigma_max=10.0, **more)
    return cases


def karras_only(name):
    """Karras sigmas of classes without final_sigmas_type."""
    return {key: found for key, found in karras(name).items() if "min last" not in key}


def orders(name, **more):
    """Every order, in a short run, a run of fifteen steps (no lower order at the end) and one that lowers no order."""
    cases = {}
    for order in (1, 2, 3):
        cases[f"order {order}"] = case(name, 7, solver_order=order, **more)
        cases[f"order {order}, 16 steps"] = case(name, 16, solver_order=order, **more)
        cases[f"order {order}, to the end"] = case(name, 6, solver_order=order, lower_order_final=False,
                                                 final_sigmas_type="sigma_min", **more)  # fmt: skip
    return cases


def algorithms(name, *kinds):
    """Data and noise prediction, ODE and SDE, by solver type and order."""
    cases = {}
    for kind, order in kinds:
        for solver in ("midpoint", "heun"):
            final = {} if kind.endswith("++") else {"final_sigmas_type": "sigma_min"}
            cases[f"{kind} {solver} {order}"] = case(name, 8, algorithm_type=kind, solver_type=solver, solver_order=order, **final)
    return cases


K = ("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "DPMSolverSDEScheduler",
     "LMSDiscreteScheduler")  # fmt: skip
SDE = "sde-dpmsolver++"
EXP_BETAS = case("HeunDiscreteScheduler", 4, beta_schedule="exp")
HEUN_CLIP = case("HeunDiscreteScheduler", 5, clip_sample=True, clip_sample_range=1.5)
OWN = {name: karras_only(name) | respaced(name) for name in K} | {
    "DPMSolverSinglestepScheduler": {
        "karras": case("DPMSolverSinglestepScheduler", 6, use_karras_sigmas=True),
        "sigma min last": case("DPMSolverSinglestepScheduler", 5, final_sigmas_type="sigma_min"),
        "clipped lambda": case("DPMSolverSinglestepScheduler", 5, beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1),
    }
    | respaced("DPMSolverSinglestepScheduler")
    | orders("DPMSolverSinglestepScheduler")
    | algorithms("DPMSolverSinglestepScheduler", ("dpmsolver++", 2), ("dpmsolver++", 3), ("dpmsolver", 2), ("dpmsolver", 3),
                 (SDE, 1), (SDE, 2), (SDE, 3)),
    "DEISMultistepScheduler": karras_only("DEISMultistepScheduler") | respaced("DEISMultistepScheduler")
    | orders("DEISMultistepScheduler"),
    "UniPCMultistepScheduler": karras("UniPCMultistepScheduler")
    | respaced("UniPCMultistepScheduler") | orders("UniPCMultistepScheduler")
    | {
        # diffusers multiplies an infinite B(h) by zero where bh1 ends clean.
        "bh1": case("UniPCMultistepScheduler", 7, solver_type="bh1", solver_order=3, final_sigmas_type="sigma_min"),
        "bh1 order 2": case("UniPCMultistepScheduler", 5, solver_type="bh1", final_sigmas_type="sigma_min"),
        "no corrector at 0, 2": case("UniPCMultistepScheduler", 6, disable_corrector=[0, 2], solver_order=3),
        "predicts noise": case("UniPCMultistepScheduler", 6, predict_x0=False, final_sigmas_type="sigma_min", solver_order=3),
        "predicts noise, v, bh1": case("UniPCMultistepScheduler", 6, predict_x0=False, final_sigmas_type="sigma_min",
                                       solver_type="bh1", prediction_type="v_prediction"),
    },
    "DDPMScheduler": clipping("DDPMScheduler")
    | {f"variance {v}": case("DDPMScheduler", 5, variance_type=v) for v in ("fixed_small", "fixed_large")},
    "DDIMScheduler": clipping("DDIMScheduler")
    | {f"eta {eta}": case("DDIMScheduler", 5, eta=eta, timestep_spacing="trailing") for eta in (0.3, 1.0)}
    | {
        "ends clean": case("DDIMScheduler", 5, set_alpha_to_one=True),
        "ends clean, trailing": case("DDIMScheduler", 3, set_alpha_to_one=True, timestep_spacing="trailing"),
        "clip with eta": case("DDIMScheduler", 4, eta=0.5, clip_sample=True),
        "zero terminal SNR, sample, eta": case("DDIMScheduler", 4, eta=0.2, rescale_betas_zero_snr=True,
                                              prediction_type="sample", timestep_spacing="trailing"),
    },
    "PNDMScheduler": {
        "ends clean": case("PNDMScheduler", 6, set_alpha_to_one=True),
        "12 steps": case("PNDMScheduler", 12, steps_offset=1),
    },
    "EulerDiscreteScheduler": karras("EulerDiscreteScheduler") | respaced("EulerDiscreteScheduler")
    | {
        "log-linear, karras": case("EulerDiscreteScheduler", 5, interpolation_type="log_linear", use_karras_sigmas=True,
                                   timestep_spacing="leading"),
        "log-linear": case("EulerDiscreteScheduler", 5, interpolation_type="log_linear"),
        "karras bounds": case("EulerDiscreteScheduler", 5, use_karras_sigmas=True, sigma_min=0.05, sigma_max=10.0),
        "7 steps linspace": case("EulerDiscreteScheduler", 7, timestep_spacing="linspace"),
    },
    "EulerAncestralDiscreteScheduler": {
        "7 steps linspace": case("EulerAncestralDiscreteScheduler", 7, timestep_spacing="linspace"),
    },
    "DPMSolverMultistepScheduler": karras("DPMSolverMultistepScheduler") | respaced("DPMSolverMultistepScheduler")
    | orders("DPMSolverMultistepScheduler")
    | algorithms("DPMSolverMultistepScheduler", ("dpmsolver", 2), ("dpmsolver", 3), (SDE, 1), (SDE, 2), (SDE, 3),
                 ("sde-dpmsolver", 1), ("sde-dpmsolver", 2))
    | {
        "lu": case("DPMSolverMultistepScheduler", 6, use_lu_lambdas=True),
        "lu, cosine": case("DPMSolverMultistepScheduler", 4, use_lu_lambdas=True, beta_schedule="squaredcos_cap_v2"),
        "sde karras": case("DPMSolverMultistepScheduler", 7, use_karras_sigmas=True, algorithm_type=SDE),
        "first order": case("DPMSolverMultistepScheduler", 5, solver_order=1),
        "heun": case("DPMSolverMultistepScheduler", 6, solver_type="heun"),
        "heun v, karras": case("DPMSolverMultistepScheduler", 6, solver_type="heun", prediction_type="v_prediction",
                               use_karras_sigmas=True),
        "euler at the end": case("DPMSolverMultistepScheduler", 16, euler_at_final=True, final_sigmas_type="sigma_min"),
        "second order to the end": case("DPMSolverMultistepScheduler", 6, lower_order_final=False,
                                        final_sigmas_type="sigma_min"),
        "16 steps": case("DPMSolverMultistepScheduler", 16),
        "16 steps, sigma min last": case("DPMSolverMultistepScheduler", 16, final_sigmas_type="sigma_min"),
        "clipped lambda": case("DPMSolverMultistepScheduler", 5, beta_schedule="squaredcos_cap_v2",
                               lambda_min_clipped=-5.1),
    },
    "LCMScheduler": clipping("LCMScheduler")
    | {
        "original 100": case("LCMScheduler", 6, original_inference_steps=100),
        "scaling 1": case("LCMScheduler", 4, timestep_scaling=1.0),
        "timestep of Hyper-SD": case("LCMScheduler", [800]),
    },
    "TCDScheduler": {f"eta {eta}": case("TCDScheduler", 4, eta=eta) for eta in (0.3, 0.7, 1.0)}
    | {
        "eta 1, one step": case("TCDScheduler", 1, eta=1.0),
        "original 100": case("TCDScheduler", 6, eta=0.3, original_inference_steps=100),
        "eta 0.3, zero terminal SNR": case("TCDScheduler", 4, eta=0.3, rescale_betas_zero_snr=True,
                                           prediction_type="v_prediction"),
    },
}  # fmt: skip

FLOW = "FlowMatchEulerDiscreteScheduler"

# scheduler_config.json of flow families as checkpoints on the Hub have them.
FLOW_FILES = {
    "sd3": {"shift": 3.0},
    "flux-dev": {"shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15,
                 "base_image_seq_len": 256, "max_image_seq_len": 4096},
    "qwen": {"shift": 1.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9, "base_image_seq_len": 256,
             "max_image_seq_len": 8192, "shift_terminal": 0.02, "time_shift_type": "exponential",
             "invert_sigmas": False, "stochastic_sampling": False, "use_beta_sigmas": False,
             "use_exponential_sigmas": False, "use_karras_sigmas": False},
    "qwen-lightning": {"use_dynamic_shifting": True, "base_shift": math.log(3), "max_shift": math.log(3),
                       "base_image_seq_len": 256, "max_image_seq_len": 8192, "shift_terminal": None},
    "z-image": {"shift": 6.0, "use_dynamic_shifting": False},
}  # fmt: skip


def flow_case(walk, **config):
    return {"file": {"_class_name": FLOW, **config}, "walk": walk}


def sigmas(n, **size):
    """The sigmas that pipelines of FLUX, Qwen-Image and Z-Image give."""
    return {"sigmas": np.linspace(1, 1 / n, n).tolist(), **size}


def flow():
    dynamic = FLOW_FILES["flux-dev"]
    cases = {}
    for shift in (1.0, 1.15, 3.0, 6.0):
        cases[f"shift {shift}, 4 steps"] = flow_case({"steps": 4}, shift=shift)
        cases[f"shift {shift}, 5 sigmas"] = flow_case(sigmas(5), shift=shift)
    for n in (1, 2, 3, 8, 28):
        cases[f"{n} steps"] = flow_case({"steps": n}, shift=3.0)
        cases[f"{n} sigmas"] = flow_case(sigmas(n), shift=3.0)
    for tokens in (256, 960, 4096, 9216):
        cases[f"{tokens} tokens, 4 steps"] = flow_case({"steps": 4, "tokens": tokens}, **dynamic)
        cases[f"{tokens} tokens, 7 sigmas"] = flow_case(sigmas(7, tokens=tokens), **dynamic)
    for kind in ("exponential", "linear"):
        for name, walk in {"steps": {"steps": 6, "mu": 0.7}, "sigmas": sigmas(6, mu=0.7)}.items():
            cases[f"{kind} time shift, {name}"] = flow_case(walk, **dynamic, time_shift_type=kind)
    cases["mu of klein at 1024 px"] = flow_case(sigmas(4, mu=2.291184684), **dynamic)
    for spacing in ("karras", "exponential", "beta"):
        flag = {f"use_{spacing}_sigmas": True}
        for n in (1, 6):
            cases[f"{spacing}, {n} steps"] = flow_case({"steps": n}, shift=3.0, **flag)
        cases[f"{spacing}, 5 sigmas"] = flow_case(sigmas(5), **flag)
        # An even number: the median of beta sigmas may lie exactly between two float32 values.
        cases[f"{spacing}, terminal"] = flow_case(sigmas(6, tokens=960), **dynamic, shift_terminal=0.05, **flag)
    cases["beta, 40 steps"] = flow_case({"steps": 40}, use_beta_sigmas=True)
    cases["terminal, steps"] = flow_case({"steps": 5}, shift_terminal=0.1)
    cases["terminal 0"] = flow_case(sigmas(5), shift_terminal=0.0)
    for name, walk in {"steps": {"steps": 4}, "sigmas": sigmas(4)}.items():
        cases[f"stochastic, {name}"] = flow_case(walk, shift=3.0, stochastic_sampling=True)
    cases["sigmas at will"] = flow_case({"sigmas": [1.0, 0.83, 0.5, 0.333, 0.01]}, shift=1.3)
    cases["one sigma"] = flow_case({"sigmas": [0.6]}, shift=3.0)
    cases["500 training steps"] = flow_case({"steps": 5}, shift=3.0, num_train_timesteps=500)
    for name, file in FLOW_FILES.items():
        size = {"tokens": 4096} if file.get("use_dynamic_shifting") else {}
        # SD3's pipeline gives the number of steps only.
        cases[f"from {name}"] = flow_case({"steps": 8} if name == "sd3" else sigmas(8, **size), **file)
    return cases


OWN["HeunDiscreteScheduler"] |= {"betas exp": EXP_BETAS, "clip": HEUN_CLIP}

# scheduler_config.json of models in the EDM formulation.
PLAYGROUND = {"_class_name": "EDMDPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++",
              "dynamic_thresholding_ratio": 0.995, "euler_at_final": False, "final_sigmas_type": "zero",
              "lower_order_final": True, "num_train_timesteps": 1000, "prediction_type": "epsilon", "rho": 7.0,
              "sample_max_value": 1.0, "sigma_data": 0.5, "sigma_max": 80.0, "sigma_min": 0.002, "solver_order": 2,
              "solver_type": "midpoint", "thresholding": False}  # fmt: skip
COSXL = {"_class_name": "EDMEulerScheduler", "num_train_timesteps": 1000, "prediction_type": "v_prediction",
         "sigma_data": 1.0, "sigma_max": 120.0, "sigma_min": 0.002, "sigma_schedule": "exponential"}  # fmt: skip


def edm(name):
    def edm_case(steps, **config):
        return {"file": {"_class_name": name, **config}, "walk": {"steps": steps}}

    cases = {f"{n} steps": edm_case(n) for n in (1, 2, 3, 8, 20)}
    for kind in ("epsilon", "v_prediction"):
        for schedule in ("karras", "exponential"):
            cases[f"{schedule} {kind}"] = edm_case(6, sigma_schedule=schedule, prediction_type=kind)
    cases["bounds"] = edm_case(5, sigma_min=0.01, sigma_max=20.0, rho=5.0, sigma_data=0.8)
    cases["sigma min last"] = edm_case(5, final_sigmas_type="sigma_min")
    for file, given in {"playground": PLAYGROUND, "cosxl": COSXL}.items():
        cases[f"from {file}"] = {"file": given, "fields": {"rho": 6.5}, "walk": {"steps": 7}}
    if name == "EDMDPMSolverMultistepScheduler":
        for order in (1, 2, 3):
            cases[f"order {order}"] = edm_case(7, solver_order=order)
            cases[f"order {order}, 16 steps"] = edm_case(16, solver_order=order, euler_at_final=True)
        for solver in ("midpoint", "heun"):
            for order in (1, 2):
                cases[f"sde {solver} {order}"] = edm_case(6, algorithm_type=SDE, solver_type=solver, solver_order=order)
        cases["heun"] = edm_case(6, solver_type="heun")
    return cases


EDM = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
CASES = {name: common(name) | OWN[name] for name in CLASSES} | {FLOW: flow()} | {name: edm(name) for name in EDM}

# Timesteps alone, for counts that are too long to record. Counts where trailing spacing runs one element too far are left out.
COUNTS = [
    (name, {"_class_name": name, **SD, **PLAIN[name], "timestep_spacing": spacing, "steps_offset": offset}, steps)
    for name in list(PLAIN)[:8]
    for spacing in (SPACINGS if name in SPACED else ["leading"])
    for offset in ((0, 1) if spacing == "leading" and name in SPACED else (0,))
    for steps in ((1, 2, 3, 5, 6, 7, 9, 20, 25, 30, 50) if name in SPACED else (1, 2, 3, 5, 6, 7, 12, 16, 25, 49, 50))
]
