/** The numbers of experiments as rows of text, the paper's beside ours, and the whole as Markdown. */
import { type Estimate, formatEstimate } from "../metrics/index.js";
import { kindOf, type MeasureName } from "./measures.js";
import type { Judgement, Table, TableRow } from "./table.js";
import { VERDICT_NOTE } from "./verdict.js";

/** Facts of a run, for the head of its report. */
export interface About {
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly models: string;
  readonly reference: string | null;
}

const shown = (e: Estimate | null | undefined, digits: number): string => formatEstimate(e, (v) => v.toFixed(digits));

/** Head and rows of the table of numbers. */
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

/** Head and rows of the table of claims. */
export function claimsOf({ judgements }: Table): string[][] {
  const words = ({ claim, ours, paper, verdict }: Judgement): string[] => {
    const compared = claim.than === undefined ? claim.row : `${claim.row} ÷ ${claim.than}`;
    const digits = claim.than === undefined ? kindOf(claim.measure).digits : 3;
    return [
      claim.says,
      `${kindOf(claim.measure).title}: ${compared}`,
      shown(ours, digits),
      paper === null ? "–" : paper.toFixed(2),
      verdict,
    ];
  };
  return [["the paper's claim", "measured", "here [95 %]", "paper", ""], ...judgements.map(words)];
}

/** Head and rows of the table by prompt; empty where there is none. */
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
  `${prompts.length} prompts × ${seeds} ${seeds === 1 ? "seed" : "seeds"}, ${rows.length} rows, ${rows.reduce((n, r) => n + r.pictures, 0)} pictures`;

/** Explanation of intervals and verdicts. */
export const NOTE =
  "Intervals are 95 % bootstrap intervals over prompts, then seeds; those of ratios are over prompts, that of the time is the middle half of its cells. Measures of whole sets have none. " +
  VERDICT_NOTE;

/** The whole report as Markdown. */
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
