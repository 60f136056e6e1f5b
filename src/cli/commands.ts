/** The commands of the program, in the order of help. The module of a command is loaded when the command runs or shows its help. */
import type { Command } from "commander";

interface CommandEntry {
  /** One line of help. */
  readonly about: string;
  /** Loads what adds arguments, options and the action. */
  readonly load: () => Promise<(command: Command) => void>;
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  compare: {
    about: "generates with base, distilled and hybrid: contact sheet, diversity, prompt adherence, time",
    load: async () => (await import("./commands/generate.js")).addCompare,
  },
  generate: {
    about: "generates an image for each prompt and seed",
    load: async () => (await import("./commands/generate.js")).addGenerate,
  },
  plan: {
    about: "prints the rows of the plan that generate would run, without loading a model",
    load: async () => (await import("./commands/generate.js")).addPlan,
  },
  methods: {
    about: "lists the methods for --diversity: what each does, its cost and its settings",
    load: async () => (await import("./commands/methods.js")).addMethods,
  },
  calibrate: {
    about: "finds the setting of a hybrid that suits a pair, and stores it as the pair's default",
    load: async () => (await import("./commands/measure.js")).addCalibrate,
  },
  trace: {
    about: "records x0 at every step of each model: when a run commits, and the effect of single rows",
    load: async () => (await import("./commands/trace.js")).addTrace,
  },
  explore: {
    about: "finds the main directions of a prompt's variety, and which of them each model loses",
    load: async () => (await import("./commands/trace.js")).addExplore,
  },
  slide: {
    about: "generates one prompt at every scale of a slider, with base, distilled and hybrid",
    load: async () => (await import("./commands/trace.js")).addSlide,
  },
  train: {
    about: "trains LoRAs on a folder of images, and sliders, on the base or on the distilled model",
    load: async () => (await import("./commands/train.js")).addTrain,
  },
  studio: {
    about: "serves the models of this machine as a page and an HTTP API, with a queue and a history",
    load: async () => (await import("./commands/studio.js")).addStudio,
  },
  measure: {
    about: "measures diversity, prompt adherence and fidelity of folders of images from any tool",
    load: async () => (await import("./commands/measure.js")).addMeasure,
  },
  experiment: {
    about: "runs tables and figures of the paper on your models, or an experiment of your own",
    load: async () => (await import("./commands/measure.js")).addExperiment,
  },
  worker: {
    about: "takes cells of experiments from a queue, and puts their results into a store",
    load: async () => (await import("./commands/fleet.js")).addWorker,
  },
  models: {
    about: "lists, checks, downloads and removes models",
    load: async () => (await import("./commands/models.js")).addModels,
  },
  adapter: {
    about: "inspects, converts, merges and extracts LoRAs and sliders",
    load: async () => (await import("./commands/adapter.js")).addAdapter,
  },
  doctor: {
    about: "prints the devices of this machine, and whether the pair fits its memory",
    load: async () => (await import("./commands/models.js")).addDoctor,
  },
};
