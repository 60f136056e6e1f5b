import { describe, expect, it } from "vitest";
import { z } from "zod";
import { alphasIn } from "../../src/adapters/strength.js";
import { description } from "../support/parity.js";

const schema = z.record(
  z.string(),
  z.object({
    config: z.record(z.string(), z.unknown()),
    layers: z.record(z.string(), z.object({ rank: z.number(), strength: z.number() })),
  }),
);
const golden = description("peft-strength", schema);

describe("the strength of a layer is PEFT's", () => {
  it.each(Object.entries(golden))("%s", (_, { config, layers }) => {
    const prefixed = Object.fromEntries(Object.entries(config).map(([key, value]) => [`unet.${key}`, value]));
    const sources = [
      alphasIn("a.safetensors", {}, { file: "adapter_config.json", fields: config }),
      alphasIn("a.safetensors", { lora_adapter_metadata: JSON.stringify(prefixed) }),
      alphasIn("a.safetensors", { lora_adapter_metadata: JSON.stringify(config) }),
    ];
    for (const [name, { rank, strength }] of Object.entries(layers)) {
      for (const alpha of sources) {
        expect((alpha({ part: "unet", name }, rank) ?? 0) / rank, name).toBeCloseTo(strength, 12);
      }
    }
  });
});
