/** Part of a report page that draws an experiment's front: points to hover or focus, with their images and command. */
import { readFileSync } from "node:fs";
import { formatEstimate } from "../metrics/index.js";
import { type Html, html, jsonScript, script } from "../report/index.js";
import { commandOf, type SamplingRequest } from "../sampling/index.js";
import { kindOf, type MeasureName } from "./measures.js";
import type { Table } from "./table.js";

const asset = (file: string): string => readFileSync(new URL(`../../assets/front/${file}`, import.meta.url), "utf8");

/** Style of all fronts of a page. */
export const frontStyle = (): string => asset("page.css");

/** Script that draws all fronts of a page. */
export const frontScript = (): Html => script(asset("page.js"));

/** What a point needs beside the table. */
export interface FrontDetails {
  /** Sample images of a row, as data URLs. */
  readonly images: (row: string) => readonly string[];
  readonly sampling: (row: string) => SamplingRequest;
  /** Options that name the models of a command. */
  readonly models: readonly string[];
}

const ADHERENCE: readonly MeasureName[] = ["accuracy", "clip-score"];

/** Figure of a front with what the script needs; empty for an experiment without one. */
export function frontFigure({ name, front, rows, measures, prompts }: Table, details: FrontDetails): Html {
  if (!front) return html``;
  const shown = measures.filter((m) => rows.filter((r) => r.values[m]).length > 1);
  const points = rows.map((row, i) => ({
    name: row.name,
    dominatedBy: front.points[i]?.dominatedBy ?? null,
    values: Object.fromEntries(shown.map((m) => [m, row.values[m] ?? null])),
    texts: Object.fromEntries(shown.map((m) => [m, formatEstimate(row.values[m], (v) => v.toFixed(kindOf(m).digits))])),
    images: details.images(row.name),
    command: [
      "variegate generate",
      JSON.stringify(prompts[0] ?? ""),
      ...details.models,
      ...commandOf(details.sampling(row.name)),
    ].join(" "),
  }));
  const axes = shown.map((m) => ({ measure: m, title: kindOf(m).title, better: kindOf(m).better }));
  // Diversity over adherence at first: calls lie in few columns.
  const [y, second] = front.measures;
  const x = front.measures.find((m) => ADHERENCE.includes(m) && shown.includes(m)) ?? second;
  return html`<figure class="front" data-front="${name}">
${jsonScript(`front-${name}`, { axes, points, x, y, measures: front.measures })}
<div class="axes"></div>
<div class="plane"><svg role="group" aria-label="Front of ${name}"></svg><aside aria-live="polite"></aside></div>
<figcaption>${captionOf(front)}</figcaption>
</figure>`;
}

/** What the marks mean, and how many points are dominated. */
export function captionOf({ points, measures }: NonNullable<Table["front"]>): string {
  const dominated = points.filter((p) => p.dominatedBy !== null).length;
  const names = measures.map((m) => kindOf(m).title).join(", ");
  return `${points.length - dominated} of ${points.length} points are not dominated (filled). A point is dominated (hollow) if another is surely better in one of ${names}, by a 95 % interval over the same prompts, and worse in none, surely or by more than 5 % of the mean.`;
}
