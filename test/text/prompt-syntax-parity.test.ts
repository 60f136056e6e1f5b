import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openComponentFolder, openTokenizer } from "../../src/checkpoint/node/index.js";
import { parseTextEncoderConfig } from "../../src/models/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { type ClipEncoderParts, createTokenizer, textEncoders } from "../../src/text/index.js";
import type { Piece } from "../../src/text/piece.js";
import { piecesOf } from "../../src/text/syntax.js";
import { textEncoder } from "../../src/text/text-encoder.js";
import { componentFolder } from "../support/checkpoint.js";
import { description, EMBEDDED, expectClose, NETWORK, tensors } from "../support/parity.js";

const piecesSchema = z.array(z.object({ prompt: z.string(), pieces: z.array(z.tuple([z.string(), z.number()])) }));
const schema = z.object({
  components: z.array(z.string()),
  prompts: z.array(
    z.object({ prompt: z.string(), ids: z.array(z.array(z.number())), weights: z.array(z.array(z.number())) }),
  ),
});

const SYNTAXES = ["a1111", "comfy"] as const;

const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

/** A piece as the goldens write it. */
const written = (piece: Piece): [string, number] => {
  if (piece.kind === "break") return ["BREAK", -1];
  return [piece.kind === "text" ? piece.text : `embedding:${piece.name}`, piece.weight];
};

async function partsOf(components: readonly string[]): Promise<ClipEncoderParts[]> {
  const parts = components.map(async (name, i): Promise<ClipEncoderParts> => {
    const { config, configFile, weights } = await openComponentFolder(componentFolder(name));
    const parsed = parseTextEncoderConfig({ file: configFile, config });
    const files = await openTokenizer(`${EMBEDDED}base/${i === 0 ? "tokenizer" : "tokenizer_2"}`);
    return { config: parsed, tokenizer: createTokenizer(files, parsed.positions), weights, pooled: i === 1 };
  });
  return Promise.all(parts);
}

describe.each(SYNTAXES)("the syntax of %s", async (syntax) => {
  it.each(description(`prompt-syntax/pieces-${syntax}`, piecesSchema))("reads $prompt", ({ prompt, pieces }) => {
    // ComfyUI has no piece for text that is empty.
    const ours = piecesOf(prompt, syntax).map(written);
    expect(ours).toEqual(syntax === "comfy" ? pieces.filter(([text]) => text !== "") : pieces);
  });

  const { components, prompts } = description(`prompt-syntax/${syntax}`, schema);
  const parts = await partsOf(components);

  it.each(prompts)("makes chunks of $prompt", ({ prompt, ids, weights }) => {
    for (const [i, part] of parts.entries()) {
      const context = { runtime, finalNorm: false, inversions: [], options: {} };
      const { chunks, truncated } = textEncoder(i, part, context).chunks(prompt, syntax);
      expect(chunks).toEqual(ids.map((chunk, c) => ({ ids: chunk, weights: weights[c] })));
      expect(truncated).toBe(0);
    }
  });

  it("gives the same embeddings", async () => {
    const recorded = await tensors(`prompt-syntax/${syntax}`);
    const encoders = await textEncoders(runtime, "sdxl", parts);
    for (const [i, { prompt, ids }] of prompts.entries()) {
      const { streams, pooled } = await encoders.encode(prompt, 0, [], syntax);
      const { text } = streams;
      if (!text || !pooled) throw new Error("the golden is of two text encoders");
      expect(text.shape[1]).toBe(encoders.tokens * ids.length);
      expect(encoders.lengthOf(prompt, syntax)).toBe(text.shape[1]);
      const within = { within: NETWORK, what: `${syntax}, ${prompt}` };
      expectClose(text, recorded.float(`${i}/hidden`), within);
      expectClose(pooled, recorded.float(`${i}/pooled`), within);
    }
    await encoders.release();
  });
});
