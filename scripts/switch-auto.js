/**
 * Tests whether a number of base steps that follows the prompt, or the sample, pays. Every prompt is generated with k = 0 to 3 base steps, at the
 * same number of model calls; rules that choose k from what a run shows in its first steps are fitted on all prompts but one and tried on that one.
 * Prints a Markdown table for each student.
 *
 *     node scripts/switch-auto.js [pairs, default embedded,embedded-lora] [prompts, default 80] [seeds, default 32]
 *
 * Fixed before it was run: the prompts are the first ones of the embedded world's list that leave an attribute open. The utility of a set of images
 * is the information in the attributes that its prompt leaves open, as a share of the largest possible, less 2 × the attribute accuracy lost
 * against k = 0. A rule passes if the 95 % interval over prompts of its gain over the best fixed k, both chosen without the prompt, is above 0 on
 * both students.
 */
import { evaluate, generate, openEvaluator, openPair } from "variegate";
import { attributeAccuracy, freeAttributes, freeInformation, largestInformation } from "variegate/evaluation";
import { mean, meanEstimate } from "variegate/metrics";
import { worldPrompts } from "./world-prompts.js";

const [pairs = "embedded,embedded-lora", count = "80", seedCount = "32"] = process.argv.slice(2);
const STEPS = [0, 1, 2, 3];
const LOST = 2;
const RIDGE = 8;
const seeds = Array.from({ length: Number(seedCount) }, (_, i) => i);
const print = (line) => process.stdout.write(`${line}\n`);
const rms = (a, b) => Math.sqrt(mean(Array.from(a, (v, i) => (v - b[i]) ** 2)));
/** Mean distance of the latents of a prompt. */
const spread = (all) => mean(all.flatMap((a, i) => all.slice(0, i).map((b) => rms(a, b))));

/** What each prompt's runs gave: attributes of images [k][seed], and predicted clean latents of the first two steps. */
async function measured(pair, evaluator, prompts) {
  const rows = prompts.map((prompt) => ({ prompt, k: [] }));
  for (const k of STEPS) {
    const images = prompts.map(() => []);
    const x0 = prompts.map(() => [[], []]);
    const request = k === 0 ? { mode: "distilled" } : { mode: "hybrid", switch: k };
    for await (const event of generate(pair, { ...request, prompts, seeds })) {
      if (event.type === "step" && event.step < 2) x0[event.prompt][event.step].push(Float32Array.from(event.x0.data));
      if (event.type === "image") images[event.prompt].push(event.image);
    }
    const { attributes } = await evaluate(evaluator, images, prompts);
    for (const [p, row] of rows.entries()) {
      const free = freeAttributes(attributes.all, attributes.named[p]);
      row.k.push({ probabilities: attributes.probabilities[p], predicted: attributes.predicted[p], x0: x0[p] });
      row.named = attributes.named[p];
      row.free = free;
    }
    process.stderr.write(`k = ${k} generated\n`);
  }
  return rows.filter(({ free }) => free.length > 0);
}

/** Utility of the images of a prompt that come from k[i] at seed i. */
function utility({ k, named, free }, largest, chosen, only = seeds) {
  const information = freeInformation(
    only.map((i) => k[chosen[i]].probabilities[i]),
    free,
  );
  const accuracy = (of) => {
    const right = attributeAccuracy(
      only.map((i) => k[of[i]].predicted[i]),
      named,
    );
    return right.length > 0 ? mean(right) : 1;
  };
  const plain = accuracy(seeds.map(() => 0));
  return information / largest(free) - LOST * (plain - accuracy(chosen));
}

/** What a run shows by its second step. */
function signalsOf({ k, named }) {
  const [distilled, base] = [k[0].x0, k[1].x0];
  const own = spread(base[0]);
  return {
    "disagreement of both models' first x0": mean(distilled[0].map((x, i) => rms(x, base[0][i]))) / own,
    "movement of x0 after the first step":
      mean(distilled[0].map((x, i) => rms(x, distilled[1][i]))) / spread(distilled[1]),
    "spread of the distilled first x0": spread(distilled[0]) / own,
    "spread of the base's first x0": own,
    "number of named attributes": Object.keys(named).length,
  };
}

const best = (values) => values.indexOf(Math.max(...values));
const meansOf = (rows) => STEPS.map((k) => mean(rows.map((row) => row.u[k])));

/** One signal and one threshold between two numbers of steps. */
function fitThreshold(rows) {
  let found = { value: Number.NEGATIVE_INFINITY };
  for (const name of Object.keys(rows[0].signals)) {
    const sorted = rows.toSorted((a, b) => a.signals[name] - b.signals[name]);
    for (const low of STEPS) {
      for (const high of STEPS) {
        let value = sorted.reduce((sum, row) => sum + row.u[high], 0);
        for (const [i, row] of sorted.entries()) {
          value += row.u[low] - row.u[high];
          const next = sorted[i + 1]?.signals[name] ?? Number.POSITIVE_INFINITY;
          if (value > found.value && next > row.signals[name]) {
            found = { value, choose: ({ signals }) => (signals[name] < (row.signals[name] + next) / 2 ? low : high) };
          }
        }
      }
    }
  }
  return found.choose;
}

/** Solves a x = b for a symmetric positive definite a, by elimination. */
function solve(a, b) {
  const m = a.map((row, i) => [...row, b[i]]);
  for (let i = 0; i < m.length; i++) {
    for (let j = i + 1; j < m.length; j++) {
      const f = m[j][i] / m[i][i];
      for (let c = i; c <= m.length; c++) m[j][c] -= f * m[i][c];
    }
  }
  const x = new Array(m.length).fill(0);
  for (let i = m.length - 1; i >= 0; i--) {
    x[i] = (m[i][m.length] - x.reduce((sum, v, j) => sum + (j > i ? m[i][j] * v : 0), 0)) / m[i][i];
  }
  return x;
}

/** Ridge regression of each k's utility on all signals. */
function fitRidge(rows) {
  const names = Object.keys(rows[0].signals);
  const scales = names.map((name) => {
    const values = rows.map(({ signals }) => signals[name]);
    const centre = mean(values);
    return { centre, deviation: Math.sqrt(mean(values.map((v) => (v - centre) ** 2))) || 1 };
  });
  const vector = ({ signals }) => names.map((name, i) => (signals[name] - scales[i].centre) / scales[i].deviation);
  const x = rows.map(vector);
  const a = names.map((_, i) => names.map((_, j) => x.reduce((s, v) => s + v[i] * v[j], 0) + (i === j ? RIDGE : 0)));
  const centres = meansOf(rows);
  const weights = STEPS.map((k) =>
    solve(
      a,
      names.map((_, i) => x.reduce((s, v, r) => s + v[i] * (rows[r].u[k] - centres[k]), 0)),
    ),
  );
  return (row) => best(STEPS.map((k) => centres[k] + weights[k].reduce((s, w, i) => s + w * vector(row)[i], 0)));
}

/** Samples whose first predictions of both models differ by more than a share of all samples' take one number of steps, the others another. */
function sampleRules(rows, largest) {
  const differences = rows.flatMap(({ difference }) => difference).sort((a, b) => a - b);
  const rules = [];
  for (const share of [0.2, 0.35, 0.5, 0.65, 0.8]) {
    const threshold = differences[Math.floor(share * differences.length)];
    for (const low of STEPS) {
      for (const high of STEPS) {
        if (low === high) continue;
        rules.push(
          rows.map((row) =>
            utility(
              row,
              largest,
              row.difference.map((d) => (d < threshold ? low : high)),
            ),
          ),
        );
      }
    }
  }
  return rules;
}

const signed = (v) => `${v < 0 ? "−" : "+"}${Math.abs(v).toFixed(3)}`;
const interval = (values) => {
  const {
    mean: m,
    low,
    high,
  } = meanEstimate(
    values.map((v) => [v]),
    "linear",
  );
  return { text: `${signed(m)} [${signed(low)}, ${signed(high)}]`, passes: low > 0 };
};

for (const name of pairs.split(",")) {
  const pair = await openPair({ pair: name });
  const evaluator = await openEvaluator(pair);
  const { factors } = evaluator.classifier.config;
  const largest = (free) => largestInformation(free.map((each) => ({ values: factors[each] })));
  const rows = await measured(pair, evaluator, worldPrompts().slice(0, Number(count)));
  await pair.close();
  for (const row of rows) {
    const all = (k) => seeds.map(() => k);
    row.u = STEPS.map((k) => utility(row, largest, all(k)));
    row.halves = [0, 1].map((half) =>
      STEPS.map((k) =>
        utility(
          row,
          largest,
          all(k),
          seeds.filter((i) => i % 2 === half),
        ),
      ),
    );
    row.signals = signalsOf(row);
    row.difference = row.k[0].x0[0].map((x, i) => rms(x, row.k[1].x0[0][i]));
  }
  const without = (i) => rows.filter((_, j) => j !== i);
  const fixed = rows.map((row, i) => row.u[best(meansOf(without(i)))]);
  const gain = (chosen) => interval(rows.map((_, i) => chosen(i) - fixed[i]));
  const bySample = sampleRules(rows, largest);
  const sampleFit = (i) => bySample[best(bySample.map((values) => mean(values.filter((_, j) => j !== i))))][i];
  const cross = rows.map((row) => {
    const overall = (half) => best(STEPS.map((k) => mean(rows.map(({ halves }) => halves[half][k]))));
    return mean(
      [0, 1].map((half) => row.halves[half][best(row.halves[1 - half])] - row.halves[half][overall(1 - half)]),
    );
  });
  const results = {
    "one signal and one threshold": gain((i) => rows[i].u[fitThreshold(without(i))(rows[i])]),
    "ridge regression on all signals": gain((i) => rows[i].u[fitRidge(without(i))(rows[i])]),
    "each sample by its own disagreement": gain(sampleFit),
    "the best k of the prompt on half of its seeds, tried on the other half": interval(cross),
  };
  print(`${name}: ${rows.length} prompts × ${seeds.length} seeds\n`);
  print(`| k | 0 | 1 | 2 | 3 |\n|---|---|---|---|---|`);
  print(
    `| mean utility | ${meansOf(rows)
      .map((v) => v.toFixed(3))
      .join(" | ")} |`,
  );
  const counts = STEPS.map((k) => rows.filter(({ u }) => best(u) === k).length);
  print(`| prompts whose best it is | ${counts.join(" | ")} |\n`);
  print("| choice of k | gain over the best fixed k |\n|---|---|");
  for (const [rule, { text, passes }] of Object.entries(results))
    print(`| ${rule} | ${text}${passes ? ", above 0" : ""} |`);
  print("");
}
