/** Hashes of the files and settings that determine images. */

import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { Evaluator } from "../evaluation/index.js";
import { readAll } from "../files/index.js";
import { filesOf } from "../instruments/index.js";
import { locate } from "../lookup/index.js";
import type { OpenedPair } from "../open/index.js";

/** Hash of everything that determines a pair's images and their features. tools: hashes of further instruments and of textual inversions. */
export async function fingerprintOf(pair: OpenedPair, evaluator: Evaluator, tools: readonly string[]): Promise<string> {
  const files = new Set<string>();
  const weights = [
    ...[evaluator.clip.index, evaluator.classifier?.index],
    ...[...pair.parts.values(), pair.decoder.weights, pair.distilled?.weights],
  ];
  for (const index of weights) if (index) for (const file of filesOf(await index())) files.add(file);
  const own = pair.distilled?.lora ? [pair.distilled.ref] : [];
  for (const ref of [...own, ...pair.adapters.map((use) => use.adapter.file)]) {
    files.add(await locate(ref, "adapter", pair.lookup));
  }
  const scales = pair.adapters.map((use) => use.scale);
  // The default float32 is not part of the fingerprint, so that results of earlier runs stay valid.
  const compute = pair.engine.compute === "float32" ? [] : [pair.engine.compute];
  const configs = [pair.base.denoiser.config, pair.distilled?.denoiser.config, pair.decoder.config];
  const text = JSON.stringify([...configs, scales, tools, ...compute]);
  return `${await hashOfFiles([...files])} ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}

const [BLOCK, BLOCKS] = [64 * 1024, 256];

/**
 * Hash of files. Covers all bytes of a small file, and the length and 256 evenly spaced blocks of a large one, which distinguishes weights
 * and takes milliseconds.
 */
export async function hashOfFiles(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      hash.update(`${size}`);
      const step = Math.max(BLOCK, Math.floor(size / BLOCKS));
      const block = Buffer.alloc(BLOCK);
      for (let at = 0; at < size; at += step) {
        hash.update(block.subarray(0, await readAll(handle, block, at)));
      }
    } finally {
      await handle.close();
    }
  }
  return hash.digest("hex").slice(0, 16);
}
