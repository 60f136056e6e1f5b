/** Headings of options in help. */

/** Headings under which help lists options, in this order. */
export const GROUPS = {
  what: "What to generate",
  seeds: "How many",
  sampler: "Sampler",
  hybrid: "Hybrid",
  task: "This command",
  fleet: "Many machines",
  models: "Models",
  adapters: "LoRAs, sliders and embeddings",
  machine: "Machine",
  output: "Output",
} as const;
export type Group = keyof typeof GROUPS;
