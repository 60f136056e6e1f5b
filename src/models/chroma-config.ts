/** The config of a Chroma transformer (diffusers' ChromaTransformer2DModel), parsed and checked: FLUX.1's with an approximator. */
import { z } from "zod";
import { type ConfigFile, integer, parseConfig } from "./config.js";
import { type FluxConfig, fluxKeys, readFluxKeys } from "./flux1-config.js";

/** A parsed config. */
export interface ChromaConfig extends FluxConfig {
  /** The network that computes the modulation of all blocks. */
  readonly approximator: {
    /** Features of a row's embedding: a quarter for the time, a quarter for the guidance, half for the row's number. */
    readonly inputs: number;
    readonly hidden: number;
    readonly layers: number;
  };
}

const schema = fluxKeys.extend({
  approximator_num_channels: z
    .int()
    .multipleOf(8, { error: "a multiple of 8" })
    .min(8, { error: "a multiple of 8" })
    .default(64),
  approximator_hidden_dim: integer().default(5120),
  approximator_layers: integer().default(5),
});

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseChromaConfig(source: ConfigFile): ChromaConfig {
  const c = parseConfig(schema, source);
  return {
    ...readFluxKeys(source, c),
    approximator: {
      inputs: c.approximator_num_channels,
      hidden: c.approximator_hidden_dim,
      layers: c.approximator_layers,
    },
  };
}
