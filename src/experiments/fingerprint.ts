/** Hashes of the files and settings that determine images. */

import { createHash } from "node:crypto";
import type { Evaluator } from "../evaluation/index.js";
import { hashBlocks } from "../files/index.js";
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
  return `${await hashBlocks([...files])} ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}
