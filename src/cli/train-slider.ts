/** `variegate train slider`: a Concept Slider from three prompts. */
import { openSlider, SLIDER_DEFAULTS, type SliderRequest } from "../train/index.js";
import type { Training } from "./train.js";

export const sliderTraining = (request: SliderRequest): Training => ({
  name: "slider",
  request,
  iterations: request.iterations ?? SLIDER_DEFAULTS.iterations,
  learningRate: request.learningRate ?? SLIDER_DEFAULTS.learningRate,
  prepare: async (pair) => ({
    views: [-1, 1].map((scale) => ({ prompt: request.concept, scale })),
    objective: () => openSlider(pair, request),
    shown: (file) => `variegate slide ${JSON.stringify(request.concept)} --slider ${file}`,
  }),
});
