/** Tables of an experiment as rows of text, with the paper's values, and the report as Markdown. */
import { type Estimate, formatEstimate } from "../metrics/index.js";
import { counted } from "../tensor/index.js";
import { kindOf, type MeasureName } from "./measures.js";
import type { ClaimResult, Table, TableRow } from "./table.js";
import { VERDICT_NOTE } from "./verdict.js";

/** Facts of a run for the header of its report. */
export interface About {
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly models: string;
  readonly reference: string | null;
}

const shown = (e: Estimate | null | undefined, digits: number): string => formatEstimate(e, (v) => v.toFixed(digits));

/** Table of measures, with a header row. */
export function numbersOf({ rows, measures, paperMeasures }: Table): string[][] {
  const withPaper = (m: MeasureName) => rows.some((r) => r.paper[m] !== undefined);
  const head = measures.flatMap((m) => {
    const { title, better } = kindOf(m);
    const arrow = better === "more" ? " ↑" : better === "less" ? " ↓" : "";
    return [`${title}${arrow}`, ...(withPaper(m) ? [`paper${paperMeasures[m] ? ` (${paperMeasures[m]})` : ""}`] : [])];
  });
  const cells = (row: TableRow) =>
    measures.flatMap((m) => {
      const paper = row.paper[m];
      return [
        shown(row.values[m], kindOf(m).digits),
        ...(withPaper(m) ? [paper === undefined ? "–" : `${paper}`] : []),
      ];
    });
  return [["", ...head], ...rows.map((row) => [row.name, ...cells(row)])];
}

/** Table of claims, with a header row; without the column of the paper's values where it has none, as in an experiment of one's own. */
export function claimsOf({ judgements }: Table): string[][] {
  const withPaper = judgements.some(({ paper }) => paper !== null);
  const cells = ({ claim, ours, paper, verdict }: ClaimResult): string[] => {
    const compared = claim.than === undefined ? claim.row : `${claim.row} ÷ ${claim.than}`;
    const digits = claim.than === undefined ? kindOf(claim.measure).digits : 3;
    return [
      claim.says,
      `${kindOf(claim.measure).title}: ${compared}`,
      shown(ours, digits),
      ...(withPaper ? [paper === null ? "–" : paper.toFixed(2)] : []),
      verdict,
    ];
  };
  return [["claim", "measure", "here [95 %]", ...(withPaper ? ["paper"] : []), "verdict"], ...judgements.map(cells)];
}

/** Table of a measure by prompt, with a header row; empty without such a measure. */
export function promptsOf({ rows, prompts, byPrompt }: Table): string[][] {
  if (!byPrompt) return [];
  const { digits } = kindOf(byPrompt);
  return [
    [kindOf(byPrompt).title, ...rows.map((r) => r.name)],
    ...prompts.map((prompt, p) => [
      prompt,
      ...rows.map((r) => {
        const value = r.byPrompt?.[p] ?? null;
        return value === null || Number.isNaN(value) ? "–" : value.toFixed(digits);
      }),
    ]),
  ];
}

export const sizeOf = ({ prompts, seeds, rows }: Table): string =>
  `${counted(prompts.length, "prompt")} × ${counted(seeds, "seed")}, ${counted(rows.length, "row")}, ${counted(
    rows.reduce((n, r) => n + r.pictures, 0),
    "image",
  )}`;

/** Explanation of intervals and verdicts, for the report. */
export const NOTE =
  "Intervals are 95 % bootstrap intervals over prompts, then seeds; those of ratios are over prompts. The interval of the time is the interquartile range of its cells. Measures of whole sets have no interval. " +
  VERDICT_NOTE;

/** The report as Markdown. */
export function markdownOf(tables: readonly Table[], about: About): string {
  const cell = (s: string) => s.replaceAll("|", "\\|");
  const table = (rows: readonly (readonly string[])[]) => {
    const [head = [], ...body] = rows;
    const line = (row: readonly string[]) => `| ${row.map(cell).join(" | ")} |`;
    return [line(head), `|${head.map(() => "---").join("|")}|`, ...body.map(line)].join("\n");
  };
  const sections = tables.map((t) =>
    [
      `## ${t.title}`,
      t.found && `Paper: ${t.found}`,
      ...(t.judgements.length > 0 ? [table(claimsOf(t))] : []),
      table(numbersOf(t)),
      ...(t.byPrompt ? [table(promptsOf(t))] : []),
      `${sizeOf(t)}.`,
    ]
      .filter((s) => s !== "")
      .join("\n\n"),
  );
  return `${[`    ${about.command}`, `${facts(about).join(" · ")}. ${NOTE}`, ...sections].join("\n\n")}\n`;
}

export const facts = ({ models, reference, versions }: About): string[] => [
  models,
  ...(reference === null ? [] : [`reference: ${reference}`]),
  ...Object.entries(versions).map(([k, v]) => `${k} ${v}`),
];
