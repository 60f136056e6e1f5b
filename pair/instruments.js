// What the parts around the UNet reach on the held-out characters that ship with the pair: autoencoder, judge and CLIP.
import { existsSync, readFileSync } from "node:fs";
import sharp from "sharp";
import { decodeLatents } from "variegate";
import { drawEncoder } from "variegate/models";
import { network } from "variegate/networks";
import { openClassifier, openClip } from "variegate/open";
import { float, fromRgb, stack } from "variegate/tensor";

const SIZE = 64;
const BATCH = 64;

/**
 * What is known of the world: priors of each factor's values, a prompt for each of them, and held-out pictures with their factors; `shown`, of a pair
 * on pictures that were not drawn for it, is what pictures of each prompt show (world.js), else null.
 */
export async function openWorld(folder) {
  const { priors, prompts } = JSON.parse(readFileSync(`${folder}/world/world.json`, "utf8"));
  const { factors: values } = JSON.parse(readFileSync(`${folder}/judge/config.json`, "utf8"));
  const shown = existsSync(`${folder}/world/shown.json`) ? JSON.parse(readFileSync(`${folder}/world/shown.json`, "utf8")) : null;
  const factors = JSON.parse(readFileSync(`${folder}/world/held-out.json`, "utf8"));
  const sheet = await sharp(`${folder}/world/held-out.webp`).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const columns = sheet.info.width / SIZE;
  const images = factors.map((_, i) => {
    const [left, top] = [(i % columns) * SIZE, Math.floor(i / columns) * SIZE];
    const rows = Array.from({ length: SIZE }, (_, y) => ((top + y) * sheet.info.width + left) * 3);
    return { width: SIZE, height: SIZE, data: new Uint8Array(Buffer.concat(rows.map((at) => sheet.data.subarray(at, at + SIZE * 3)))) };
  });
  return { priors, values, prompts, shown, images, factors };
}

/** Pictures through the pair's autoencoder and back. */
export async function reconstructed(pair, images) {
  const { decoder, engine } = pair;
  const encoder = network("encoder", engine.runtime, (_, index) => drawEncoder(decoder.config, index, SIZE, SIZE), decoder.weights);
  const out = [];
  for (let i = 0; i < images.length; i += BATCH) {
    const { outputs } = await encoder.run("pixels", { image: stack(images.slice(i, i + BATCH).map((x) => fromRgb(x))) });
    const { shape, data } = outputs.mean;
    out.push(...(await decodeLatents(decoder, float(shape, data.map((v) => v * decoder.scaling.scale)), engine)));
  }
  await encoder.release();
  return out;
}

/** Mean signal-to-noise ratio in dB of pictures b that should be a. */
export function psnr(a, b) {
  const one = (x, y) => {
    const squares = x.data.reduce((sum, v, i) => sum + (v - y.data[i]) ** 2, 0);
    return 10 * Math.log10((255 * 255 * x.data.length) / squares);
  };
  return a.reduce((sum, x, i) => sum + one(x, b[i]), 0) / a.length;
}

const share = (right) => right.filter(Boolean).length / right.length;

/** For each factor, on how many pictures the judge reads it right; for each number, how far off it is in the mean. */
export async function judged(pair, images, factors) {
  const judge = await openClassifier(pair.row.judge, pair.engine.runtime);
  const seen = await judge.classify(images);
  const right = Object.keys(judge.config.factors).map((f) => [f, share(seen.map((s, i) => s.attributes[f] === factors[i][f]))]);
  const off = (f) => seen.reduce((sum, s, i) => sum + Math.abs(s.numbers[f] - factors[i][f]), 0) / seen.length;
  return Object.fromEntries([...right, ...judge.config.regress.map((f) => [f, off(f)])]);
}

/** For each factor, on how many pictures CLIP finds the prompt of the right value the nearest, of the pictures whose value has a prompt. */
export async function zeroShot(pair, images, factors, prompts) {
  const clip = await openClip(pair.row.clip, pair.engine.runtime);
  const seen = await clip.images(images);
  const found = {};
  for (const [factor, said] of Object.entries(prompts)) {
    const names = Object.keys(said);
    const texts = await Promise.all(Object.values(said).map((prompt) => clip.text(prompt)));
    const units = texts.map((t) => t.map((v) => v / Math.hypot(...t)));
    const hits = seen.map((x, i) => names[best(units.map((u) => dot(x, u)))] === String(factors[i][factor]));
    found[factor] = share(hits.filter((_, i) => String(factors[i][factor]) in said));
  }
  return found;
}

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const best = (values) => values.indexOf(Math.max(...values));
