import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openComponentFolder, openTokenizer } from "../../src/checkpoint/node/index.js";
import { parseTextEncoderConfig } from "../../src/models/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { sample } from "../../src/tensor/index.js";
import { createTokenizer, type TextEncoderParts, textEncoders } from "../../src/text/index.js";
import { componentFolder } from "../support/checkpoint.js";
import { description, EMBEDDED, expectClose, NETWORK, namesIn, tensors } from "../support/parity.js";

const schema = z.object({
  components: z.array(z.string()),
  prompts: z.array(z.string()),
  maxClipSkip: z.number(),
});

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

async function encodersOf(components: readonly string[]) {
  const parts = components.map(async (name, i): Promise<TextEncoderParts> => {
    const { config, configFile, weights } = await openComponentFolder(componentFolder(name));
    const parsed = parseTextEncoderConfig({ file: configFile, config });
    const files = await openTokenizer(`${EMBEDDED}base/${i === 0 ? "tokenizer" : "tokenizer_2"}`);
    return { config: parsed, tokenizer: createTokenizer(files, parsed.positions), weights, pooled: i === 1 };
  });
  return textEncoders(runtime, components.length === 1 ? "sd1" : "sdxl", await Promise.all(parts));
}

describe.each(namesIn("clip-skip"))("clip skip of %s", async (name) => {
  const { components, prompts, maxClipSkip } = description(`clip-skip/${name}`, schema);
  const recorded = await tensors(`clip-skip/${name}`);

  it("ends where diffusers' does", async () => {
    expect((await encodersOf(components)).maxClipSkip).toBe(maxClipSkip);
  });

  it.each(Array.from({ length: maxClipSkip + 1 }, (_, skip) => skip))("of %i", async (skip) => {
    const encoders = await encodersOf(components);
    for (const [i, prompt] of prompts.entries()) {
      const { streams, pooled } = await encoders.encode(prompt, skip);
      const hidden = streams["text"];
      if (!hidden) throw new Error("no hidden states");
      const within = { within: NETWORK, what: `${name}, ${prompt}` };
      expectClose(hidden, sample(recorded.float(`${skip}/hidden`), i), within);
      expect(pooled === undefined).toBe(components.length === 1);
      if (pooled) expectClose(pooled, sample(recorded.float(`${skip}/pooled`), i), within);
    }
    await encoders.release();
  });
});
