/**
 * Compares measures of diversity: generates the prompts of a pair's card in three modes, measures the images with the pair's instruments, and
 * correlates each measure with the entropy of the attributes predicted by the classifier, in nats. Prints a Markdown table.
 *
 *     node scripts/trust.js [--pair emoji] [--seeds 48] [--attributes FILE] [--clip DIR]
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { generate, measure, openPair } from "variegate";
import { encodePng, writeWhole } from "variegate/files";
import { correlation, rankCorrelation, uniform } from "variegate/metrics";
import { CARDS } from "../pair/cards.js";

const MODES = ["base", "distilled", "hybrid"];
const TRUTH = "classifier.entropy";

const { values: given } = parseArgs({
  options: {
    pair: { type: "string", default: "embedded" },
    seeds: { type: "string", default: "48" },
    attributes: { type: "string" },
    clip: { type: "string" },
  },
});
const PROMPTS = CARDS[given.pair].prompts;
const seeds = Array.from({ length: Number(given.seeds) }, (_, i) => i);
const folder = mkdtempSync(path.join(tmpdir(), "variegate-trust-"));
try {
  const pair = await openPair({ pair: given.pair });
  for (const mode of MODES) {
    mkdirSync(path.join(folder, mode));
    for await (const e of generate(pair, { mode, prompts: PROMPTS, seeds })) {
      if (e.type !== "image") continue;
      const png = await encodePng(e.image, {
        variegate: JSON.stringify({ prompt: PROMPTS[e.prompt], seed: e.seed, mode, pair: given.pair }),
      });
      await writeWhole(path.join(folder, mode, `${e.prompt}-${e.seed}.png`), png);
    }
    process.stderr.write(`${mode} generated\n`);
  }
  await pair.close();
  const { attributes, clip } = given;
  const instruments = { ...(attributes && { attributes, selfCheck: "off" }), ...(clip && { clip }) };
  const { folders } = await measure({ folders: MODES.map((m) => path.join(folder, m)), ...instruments });
  const values = (id) =>
    folders.flatMap(({ measured }) => {
      const of = measured.measures.find((m) => m.id === id)?.perPrompt ?? [];
      return measured.prompts.map(({ prompt }, p) => ({ prompt, value: of[p] ?? null }));
    });
  const truth = values(TRUTH);
  const ids = folders[0].measured.measures.filter((m) => m.perPrompt && m.id !== TRUTH).map((m) => m.id);
  const rows = ids.flatMap((id) => {
    const own = values(id);
    const both = own.flatMap((o, i) =>
      o.value === null || truth[i].value === null ? [] : [{ ...o, truth: truth[i].value }],
    );
    if (both.length < 0.9 * truth.length) return [];
    const r = correlation(
      both.map((b) => b.value),
      both.map((b) => b.truth),
    );
    const rank = rankCorrelation(
      both.map((b) => b.value),
      both.map((b) => b.truth),
    );
    // Within a prompt only the mode changes, so the mean of each prompt is subtracted.
    const less = (key) => both.map((b) => b[key] - mean(both.filter((x) => x.prompt === b.prompt).map((x) => x[key])));
    return [{ id, r, rank, within: correlation(less("value"), less("truth")), interval: intervalOverPrompts(both) }];
  });
  rows.sort((a, b) => Math.abs(b.rank) - Math.abs(a.rank));
  const out = [`${PROMPTS.length} prompts × ${MODES.length} modes, ${seeds.length} seeds each`, ""];
  out.push("| measure | rank correlation [95 %] | correlation | within a prompt |", "|---|---|---|---|");
  for (const { id, r, rank, within, interval } of rows) {
    out.push(
      `| ${id} | ${rank.toFixed(2)} [${interval.map((v) => v.toFixed(2)).join(", ")}] | ${r.toFixed(2)} | ${within.toFixed(2)} |`,
    );
  }
  process.stdout.write(`${out.join("\n")}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function mean(v) {
  return v.reduce((s, x) => s + x, 0) / v.length;
}

/** 95 % bootstrap interval of the rank correlation over prompts, each with all modes. */
function intervalOverPrompts(both) {
  const prompts = [...new Set(both.map((b) => b.prompt))];
  const random = uniform(1);
  const drawn = Array.from({ length: 1000 }, () => {
    const some = prompts.flatMap(() => {
      const p = prompts[Math.floor(random() * prompts.length)];
      return both.filter((b) => b.prompt === p);
    });
    return rankCorrelation(
      some.map((b) => b.value),
      some.map((b) => b.truth),
    );
  }).sort((a, b) => a - b);
  return [drawn[24], drawn[974]];
}
