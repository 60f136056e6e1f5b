/** What pictures show, in words: near to their prompt, varied in what it leaves open, and the truth where a judge knows it. */

import type { ClipScorer, JudgeReader } from "../instruments/index.js";
import {
  cosineDistance,
  entropy,
  leaning,
  meanEstimate,
  nameValues,
  setEstimate,
  shownEntropy,
} from "../metrics/index.js";
import type { RgbImage } from "../tensor/index.js";
import { isNamed, type OpenAttribute } from "./attributes.js";
import type { Group } from "./folder.js";
import { lookAt, type MeasureOptions } from "./look.js";
import type { Measured } from "./measure.js";
import { every, few, type Measure, measured, orNull, pick, type Sample } from "./number.js";
import { varietyOf } from "./variety.js";

/** Prompts that are known to be one: not the lack of any. */
export const isTold = (g: Group) => g.prompt !== "";

export async function adherence(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  groups: readonly Group[],
  sample: Sample,
): Promise<Measure[]> {
  const told = groups.flatMap((g, p) => (isTold(g) ? [{ g, p }] : []));
  if (told.length === 0) return [];
  const scores = new Map<number, number[]>();
  for (const { g, p } of told) {
    const words = await clip.text(g.prompt);
    scores.set(
      p,
      (features[p] ?? []).map((f) => 100 * Math.max(0, 1 - cosineDistance(f, words))),
    );
  }
  const guessed = told.filter(({ g }) => g.told === "folder" || g.told === "name").length;
  return [
    measured(sample, {
      id: "clip.score",
      about: "CLIP score: 100 · max(cosine of picture and prompt, 0)",
      kind: "adherence",
      better: "higher",
      value: meanEstimate([...scores.values()]),
      perPrompt: groups.map((_, p) => {
        const own = scores.get(p);
        return own ? own.reduce((s, v) => s + v, 0) / own.length : null;
      }),
      warnings: [guessed > 0 && `${guessed} prompts were guessed from names of files and folders`],
    }),
  ];
}

/** Pictures without content, for what CLIP says when there is nothing to see: black, grey, white. */
export const contentFree = (side = 64): RgbImage[] =>
  [0, 64, 128, 192, 255].map((v) => ({ width: side, height: side, data: new Uint8Array(3 * side * side).fill(v) }));

export async function semanticVariety(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  groups: readonly Group[],
  attributes: readonly OpenAttribute[],
  sample: Sample,
): Promise<{ measures: Measure[]; shown: Measured["attributes"] }> {
  if (attributes.length === 0) return { measures: [], shown: [] };
  const empty = await clip.images(contentFree());
  const entropies: {
    name: string;
    most: number;
    perPrompt: (number | null)[];
    statistic: (p: number, at: readonly number[]) => number;
  }[] = [];
  const shown: { name: string; shown: Record<string, number> }[] = [];
  for (const attribute of attributes) {
    const texts: Float32Array[] = [];
    for (const text of attribute.texts) texts.push(await clip.text(text));
    const prior = leaning(empty, texts);
    const values = features.map((f, p) =>
      isNamed(attribute, groups[p]?.prompt ?? "") ? null : nameValues(f, texts, prior),
    );
    const statistic = (p: number, at: readonly number[]) => {
      const own = values[p];
      return own && at.length > 1 ? shownEntropy(pick(own, at)) : Number.NaN;
    };
    const most = Math.log(attribute.values.length);
    const perPrompt = features.map((f, p) => orNull(statistic(p, every(f.length))));
    entropies.push({ name: attribute.name, most, perPrompt, statistic });
    const counts = Object.fromEntries(attribute.values.map((v) => [v, 0]));
    for (const { value } of values.flatMap((v) => v ?? [])) {
      const word = attribute.values[value] ?? "";
      counts[word] = (counts[word] ?? 0) + 1;
    }
    shown.push({ name: attribute.name, shown: counts });
  }
  const sizes = features.map((f) => f.length);
  // Of what could be varied: the sum of entropies over the sum of their ceilings, over the attributes that a prompt leaves open.
  const share = (p: number, at: readonly number[]) => {
    const open = entropies.filter((e) => e.perPrompt[p] !== null);
    const most = open.reduce((s, e) => s + e.most, 0);
    return open.length === 0 ? Number.NaN : open.reduce((s, e) => s + e.statistic(p, at), 0) / most;
  };
  const largest = Math.max(...attributes.map((a) => a.values.length));
  const warnings = [
    few(sample, 5 * largest, `entropy over ${largest} values comes out too low; compare only with as many pictures`),
  ];
  const measures = [
    measured(sample, {
      id: "attributes.entropy",
      about: "entropy of the attributes a prompt leaves open, as a share of the most possible, named by CLIP",
      kind: "semantic",
      better: "higher",
      value: setEstimate(sizes, share),
      perPrompt: sizes.map((n, p) => orNull(share(p, every(n)))),
      warnings,
    }),
    ...entropies
      .filter((e) => e.perPrompt.some((v) => v !== null))
      .map((e) =>
        measured(sample, {
          id: `attributes.${e.name}`,
          about: `entropy of ${e.name}, nats (at most ${e.most.toFixed(2)}), over the prompts that leave it open`,
          kind: "semantic",
          better: "higher",
          value: setEstimate(sizes, e.statistic),
          perPrompt: e.perPrompt,
        }),
      ),
  ];
  return { measures, shown };
}

/** What the judge of a known world reads: the truth that other measures are held against. */
export async function truth(
  judge: JudgeReader,
  groups: readonly Group[],
  sample: Sample,
  attributes: readonly OpenAttribute[],
  o: MeasureOptions,
): Promise<Measure[]> {
  const read = await lookAt(groups, "judge", (i) => judge.read(i), o);
  const factors = Object.entries(judge.config.factors);
  const named = groups.map(({ prompt }) => {
    const found = factors.flatMap(([name, values]) => {
      const attribute = attributes.find((a) => a.name === name) ?? { name, values: values.map(String), texts: [] };
      const at = attribute.values.findIndex((v) => isNamed({ ...attribute, values: [v] }, prompt));
      const value = values[at];
      return value === undefined ? [] : [[name, value] as const];
    });
    return new Map(found);
  });
  const share = (p: number, at: readonly number[]) => {
    const open = factors.filter(([name]) => !named[p]?.has(name));
    const most = open.reduce((s, [, values]) => s + Math.log(values.length), 0);
    const own = pick(read[p] ?? [], at);
    if (open.length === 0 || own.length < 2) return Number.NaN;
    return open.reduce((s, [name]) => s + entropy(own.map((r) => r.factors[name] ?? "")), 0) / most;
  };
  const sizes = read.map((r) => r.length);
  const hits = read.map((own, p) =>
    own.flatMap((r) => [...(named[p] ?? [])].map(([name, value]) => Number(r.factors[name] === value))),
  );
  const asked = hits.filter((h) => h.length > 0);
  const found = [
    ...(
      await varietyOf(
        "judge",
        read.map((r) => r.map((x) => x.features)),
        sample,
      )
    ).filter((m) => m.id === "judge.distance"),
    measured(sample, {
      id: "judge.entropy",
      about: "entropy of the factors a prompt leaves free, as a share of the most possible, as the judge reads them",
      kind: "semantic",
      better: "higher",
      value: setEstimate(sizes, share),
      perPrompt: sizes.map((n, p) => orNull(share(p, every(n)))),
      warnings: [few(sample, 40, "entropy over 8 values comes out too low; compare only with as many pictures")],
    }),
  ];
  if (asked.length === 0) return found;
  const accuracy = measured(sample, {
    id: "judge.named",
    about: "share of the factors a prompt names that the pictures show",
    kind: "adherence",
    better: "higher",
    value: meanEstimate(asked),
    perPrompt: hits.map((h) => (h.length > 0 ? h.reduce((s, v) => s + v, 0) / h.length : null)),
  });
  return [...found, accuracy];
}
