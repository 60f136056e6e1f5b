/** Page of an exploration: the spectrum of each mode, and for each direction where the images lie and a strip of them. */
import { lineY, type PlotOptions, ruleY, tickX } from "@observablehq/plot";
import type { Direction, Exploration, ExploredMode } from "../explore/index.js";
import { thumbnailUrl } from "../files/index.js";
import type { Versions } from "../inspect/index.js";
import { formatEstimate, indices, quantile } from "../metrics/index.js";
import { type Content, type Html, html, loadChart, markup, renderPage, table } from "../report/index.js";
import { directionName, explorationFinding } from "./explored.js";
import { percent } from "./finding.js";

/** Images of a strip, from the lowest coordinate to the highest. */
const STRIP = 7;
const COLOURS: Readonly<Record<string, string>> = { base: "#2f7fd1", distilled: "#d9601a", hybrid: "#2a9a50" };
const colour = { domain: Object.keys(COLOURS), range: Object.values(COLOURS) };

const STYLE = `
.strip { display: grid; grid-template-columns: 6.5rem repeat(${STRIP}, minmax(2.5rem, 6rem)); gap: 4px; align-items: center; max-width: 100%; overflow-x: auto }
.report .strip img { width: 100%; height: auto; border-radius: 3px }
.strip b { font-weight: 600 }
.strip small { display: block; color: var(--faint) }
.lost { color: var(--bad) } .kept { color: var(--good) } .undecided { color: var(--doubt) }
.note { color: var(--faint); max-width: 75ch }
`;

export async function explorePage(
  found: Exploration,
  made: readonly ExploredMode[],
  versions: Versions,
): Promise<string> {
  const chart = await loadChart();
  const sections: Html[] = [];
  for (const [i, direction] of found.directions.entries()) {
    sections.push(html`<h2>${directionName(direction, i)}</h2>
<p>${percent(direction.share)} of the ${found.reference} images’ variance${followedBy(direction)}.</p>
<figure>${markup(chart(dots(direction)))}</figure>
${await strips(direction, made, found)}`);
  }
  const { prompt, seeds, reference, features } = found;
  const measured = seeds.length - found.found.length;
  return renderPage({
    title: `${prompt} · directions`,
    style: STYLE,
    body: html`<h1>${prompt}</h1>
${explorationFinding(found).map((line) => html`<p>${line}</p>\n`)}
<p class="note">Principal directions of ${features === "clip" ? "CLIP features" : "the mean colours of 16×16 parts"} of the ${found.found.length} ${reference} images of every second
seed. Variances are those of the other ${measured} seeds, so that they are not larger in the model that the directions come from; intervals (95 %) are over seeds. A direction is lost where a model’s
variance along it is below a half of the ${reference} model’s by its whole interval, kept where it is above. Variegate ${versions.variegate}.</p>
<h2>Spectrum</h2>
<p class="note">Variance along each model’s own principal directions, as a share of the ${reference} model’s whole variance; at most ${measured - 1} directions can be seen.</p>
<figure>${markup(chart(spectrum(found)))}</figure>
${table([
  ["model", `variance ÷ ${reference}`, "effective directions"],
  ...found.modes.map((m): Content[] => [
    m.mode,
    m.variance ? formatEstimate(m.variance) : "1",
    m.effectiveRank.toFixed(1),
  ]),
])}
${sections}`,
  });
}

const followedBy = ({ follows }: Direction): string =>
  follows
    ? `; the attribute “${follows.attribute}” of the classifier explains ${percent(follows.share)} of the variance along it`
    : "";

/** Share of the reference's variance along each model's own directions. */
function spectrum({ modes }: Exploration): PlotOptions {
  const points = modes.flatMap(({ mode, spectrum: own, variance }) =>
    own.slice(0, 16).map((share, i) => ({ mode, direction: i + 1, share: share * (variance?.mean ?? 1) })),
  );
  return {
    ...{ width: 720, height: 260, marginLeft: 50, color: { ...colour, legend: true } },
    x: { label: "principal direction", ticks: indices(16).map((i) => i + 1), tickFormat: "d" },
    y: { label: "share of the variance, %", grid: true, percent: true },
    marks: [lineY(points, { x: "direction", y: "share", stroke: "mode", strokeWidth: 2, marker: "dot" }), ruleY([0])],
  };
}

/** Where the images of each model lie along a direction. */
function dots({ modes }: Direction): PlotOptions {
  const points = modes.flatMap(({ mode, at }) => at.map((x) => ({ mode, x })));
  return {
    ...{ width: 720, height: 40 + 46 * modes.length, marginLeft: 80, color: colour },
    x: { label: "coordinate of an image →" },
    y: { label: null, domain: modes.map(({ mode }) => mode) },
    marks: [tickX(points, { x: "x", y: "mode", stroke: "mode", strokeOpacity: 0.6, strokeWidth: 1.5, inset: 8 })],
  };
}

async function strips(direction: Direction, made: readonly ExploredMode[], { reference }: Exploration): Promise<Html> {
  const rows: Html[] = [];
  for (const [m, { mode, at, variance, verdict }] of direction.modes.entries()) {
    const order = at.map((x, i) => ({ x, i })).sort((a, b) => a.x - b.x);
    const shown = indices(STRIP).map((k) => quantile(indices(order.length), k / (STRIP - 1)));
    const images: Html[] = [];
    for (const k of shown) {
      const { i = 0, x = 0 } = order[k] ?? {};
      const image = made[m]?.images[i];
      if (image) images.push(html`<img src="${await thumbnailUrl(image)}" alt="${mode}, coordinate ${x.toFixed(2)}">`);
    }
    const kept = variance
      ? html`<small>${formatEstimate(variance, (v) => v.toFixed(2))} of ${reference}</small><small class="${verdict ?? ""}">${verdict ?? ""}</small>`
      : html`<small>1</small>`;
    rows.push(html`<div><b>${mode}</b>${kept}</div>${images}\n`);
  }
  return html`<div class="strip">${rows}</div>`;
}
