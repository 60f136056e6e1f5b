/** Report page of a measurement: one HTML file with every measure, its interval, and thumbnails of the images. */
import { barX, barY, dot, link, ruleX, ruleY } from "@observablehq/plot";
import { thumbnailUrl } from "../files/index.js";
import { formatEstimate } from "../metrics/index.js";
import { type Html, html, loadChart, markup, renderPage, table } from "../report/index.js";
import { counted, type RgbImage } from "../tensor/index.js";
import type { ImageFolder } from "./folder.js";
import type { FolderMeasures, Measure } from "./result.js";

const chart = await loadChart();

const number = (v: number | null) => (v === null || !Number.isFinite(v) ? "–" : v.toPrecision(4).replace(/\.?0+$/, ""));

/** Styles of warnings and thumbnails, in addition to those of all pages. */
const STYLE = `
.warn { color: var(--doubt); font-size: 13px }
.grid { display: flex; flex-wrap: wrap; gap: 4px }
`;

const KINDS = ["diversity", "semantic", "adherence", "fidelity"] as const;
/** Maximum number of images for each prompt, and of prompts, on the page. */
const [SHOWN, PROMPTS] = [12, 24];

export interface Page {
  readonly command: string;
  readonly instruments: readonly {
    readonly name: string;
    readonly network: string;
    readonly preparation: string;
    readonly weights: readonly { readonly file: string; readonly sha256: string }[];
  }[];
  readonly notes: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly folders: readonly { readonly measured: FolderMeasures; readonly images: ImageFolder }[];
}

/** Renders the page. */
export async function measurePage({ command, instruments, notes, versions, folders }: Page): Promise<string> {
  const sections = [];
  for (const { measured, images } of folders) sections.push(await folderSection(measured, images));
  const tools = instruments.map((i) => {
    const files = i.weights.map((w, n) => html`${n > 0 ? ", " : ""}${w.file} <code>${w.sha256.slice(0, 12)}</code>`);
    return [i.name, i.network, i.preparation, files];
  });
  const made = Object.entries(versions).map(([k, v]) => `${k} ${v}`);
  const body = html`<h1>Measures</h1>
<p><code>${command}</code></p>
${notes.map((n) => html`<p class="warn">${n}</p>\n`)}
${folders.length > 1 ? comparison(folders.map((f) => f.measured)) : ""}
${sections}
<h2>Instruments</h2>
${table([["name", "network", "preparation", "weights"], ...tools])}
<p>${made.join(" · ")}</p>`;
  return renderPage({ title: "Measures", style: STYLE, body });
}

/** Plots of every measure of several folders. */
function comparison(all: readonly FolderMeasures[]): Html {
  const rows = all.flatMap(({ folder, measures }) =>
    measures.map((m) => ({ folder, id: m.id, mean: m.value.mean, low: m.value.low, high: m.value.high })),
  );
  const ids = [...new Set(rows.map((r) => r.id))];
  const charts = ids.map((id) => {
    const own = rows.filter((r) => r.id === id && Number.isFinite(r.mean));
    return own.length < 2
      ? ""
      : intervals(
          id,
          own.map((r) => ({ ...r, name: r.folder })),
        );
  });
  return html`<h2>Side by side</h2>\n${charts.map(markup)}`;
}

interface Interval {
  readonly name: string;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

const intervals = (title: string, rows: readonly Interval[]): string =>
  chart({
    title,
    width: 720,
    height: 60 + 24 * rows.length,
    marginLeft: 220,
    x: { label: null, nice: true },
    y: { label: null, domain: rows.map((r) => r.name) },
    marks: [
      link(
        rows.filter((r) => r.low !== null),
        { x1: "low", x2: "high", y1: "name", y2: "name", stroke: "#8aa" },
      ),
      dot(rows, { x: "mean", y: "name", fill: "#146" }),
    ],
  });

async function folderSection(measured: FolderMeasures, { groups }: ImageFolder): Promise<Html> {
  const tables = KINDS.flatMap((kind) => {
    const own = measured.measures.filter((m) => m.kind === kind);
    return own.length === 0 ? [] : [html`<h3>${kind}</h3>\n${measureTable(own)}\n`];
  });
  const skipped = measured.skipped.map((s) => html`<li>${s.file}: ${s.why}</li>`);
  const sections = [];
  for (const group of groups.slice(0, PROMPTS)) {
    const shown = await Promise.all(group.images.slice(0, SHOWN).map(async (i) => thumbnail(await i.load(), i.file)));
    const rest = group.images.length - shown.length;
    sections.push(html`<h4>${group.prompt || "(no prompt)"}</h4>
<div class="grid">${shown}</div>
${rest > 0 ? html`<p>and ${rest} more</p>\n` : ""}`);
  }
  const left = groups.length - PROMPTS;
  return html`<h2>${measured.folder}</h2>
${tables}${markup(perPrompt(measured) + spectra(measured) + shares(measured))}
${skipped.length === 0 ? "" : html`<h3>skipped</h3>\n<ul>${skipped}</ul>\n`}<h3>images</h3>
${sections}${left > 0 ? html`<p>and ${left} more ${left === 1 ? "prompt" : "prompts"}</p>\n` : ""}`;
}

function measureTable(measures: readonly Measure[]): Html {
  const rows = measures.map((m) => {
    const { mean, low, high } = m.value;
    const interval = low === null || high === null ? "–" : `${number(low)} … ${number(high)}`;
    const sample = `${counted(m.pictures, "image")} of ${counted(m.prompts, "prompt")}, ${counted(m.seeds, "seed")}${m.reference === undefined ? "" : `, reference ${m.reference}`}`;
    const warnings = m.warnings.map((w) => html`<div class="warn">${w}</div>`);
    return [m.id, [m.about, warnings], number(mean), interval, formatEstimate(m.share, number), sample, m.better];
  });
  const head = ["measure", "description", "value", "95 %", "share of the base's", "images", "better"];
  return table([head, ...rows], (_, column) => (column >= 2 && column <= 4 ? "number" : undefined));
}

/** Plots of the distance by prompt, which show prompts without diversity. */
function perPrompt({ measures, prompts }: FolderMeasures): string {
  const own = measures.filter((m) => m.id.endsWith(".distance") && (m.perPrompt?.length ?? 0) > 1);
  return own
    .map((m) => {
      const rows = (m.perPrompt ?? []).flatMap((value, p) => {
        const name = prompts[p]?.prompt || "(no prompt)";
        return value === null ? [] : [{ name: name.length > 40 ? `${name.slice(0, 39)}…` : name, value }];
      });
      return rows.length < 2 || rows.length > 60
        ? ""
        : chart({
            title: `${m.id} by prompt`,
            width: 720,
            height: 60 + 18 * rows.length,
            marginLeft: 270,
            x: { label: null, zero: true },
            y: { label: null, domain: [...new Set(rows.map((r) => r.name))] },
            marks: [barX(rows, { x: "value", y: "name", fill: "#7aa5c4" }), ruleX([0])],
          });
    })
    .join("");
}

/** Plots of the variance spectrum. A dominant first direction means that images differ in one way only. */
function spectra({ spectra: all }: FolderMeasures): string {
  return Object.entries(all)
    .map(([name, values]) =>
      chart({
        title: `${name}: variance spectrum`,
        width: 720,
        height: 180,
        x: { label: "direction", type: "band" },
        y: { label: "share of variance", grid: true },
        marks: [
          barY(
            values.map((share, i) => ({ i: i + 1, share })),
            { x: "i", y: "share", fill: "#7aa5c4" },
          ),
          ruleY([0]),
        ],
      }),
    )
    .join("");
}

function shares({ attributes }: FolderMeasures): string {
  return attributes
    .map(({ name, shown }) => ({ name, rows: Object.entries(shown).map(([value, count]) => ({ value, count })) }))
    .filter(({ rows }) => rows.some((r) => r.count > 0))
    .map(({ name, rows }) =>
      chart({
        title: `${name}, over prompts that leave it open`,
        width: 720,
        height: 160,
        x: { label: null, domain: rows.map((r) => r.value) },
        y: { label: "expected number of images", grid: true },
        marks: [barY(rows, { x: "value", y: "count", fill: "#c49a7a" }), ruleY([0])],
      }),
    )
    .join("");
}

const thumbnail = async (image: RgbImage, file: string): Promise<Html> =>
  html`<img src="${await thumbnailUrl(image)}" title="${file}" alt="${file}">`;
