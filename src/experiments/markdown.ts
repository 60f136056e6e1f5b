/** Tables of an experiment as rows of text, with the paper's values, and the report as Markdown. */
import { type Estimate, formatEstimate } from "../metrics/index.js";
import { counted } from "../tensor/index.js";
import type { ClaimResult } from "./claims.js";
import { kindOf, type MeasureName } from "./measures.js";
import type { Table, TableRow } from "./table.js";
import { countsOf, VERDICT_NOTE } from "./verdict.js";

/** Facts of a run for the header of its report. */
export interface About {
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly models: string;
  /** How the distilled model was made; null where it is not known. */
  readonly student: string | null;
  readonly reference: string | null;
  /** Where several machines generated cells: whose times are shown. */
  readonly places: readonly string[];
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
    const { title, digits: own, floor } = kindOf(claim.measure);
    const digits = claim.than === undefined ? own : 3;
    return [
      claim.says,
      `${title}${floor && claim.than !== undefined ? " above the floor" : ""}: ${compared}`,
      shown(ours, digits),
      ...(withPaper ? [paper === null ? "–" : paper.toFixed(2)] : []),
      verdict,
    ];
  };
  return [["claim", "measure", "here [95 %]", ...(withPaper ? ["paper"] : []), "verdict"], ...judgements.map(cells)];
}

/** Table of the claims that do not agree and whose reason is known, with a header row; empty without one. */
export function reasonsOf({ judgements }: Table): string[][] {
  const known = judgements.flatMap(({ claim, verdict, reason }) =>
    reason ? [[`${claim.says} (${kindOf(claim.measure).title})`, verdict, `the ${reason.of}`, reason.because]] : [],
  );
  return known.length === 0 ? [] : [["claim", "verdict", "because of", "reason"], ...known];
}

/** Table of effects of single rows, one line each, with a header row; empty without effects. */
export function effectsOf({ effects }: Table): string[][] {
  const [first] = effects;
  if (!first) return [];
  return [
    ["effect [95 %]", ...first.rows.map((r) => r.label), "above 0"],
    ...effects.map(({ says, rows }) => [
      says,
      ...rows.map((r) => shown(r.ours, 3)),
      countsOf(rows.map((r) => r.verdict)),
    ]),
  ];
}

/** Agreement of the attributes of x0 with the image, at the timesteps of the row with the fewest, with a header row; empty without a row. */
export function agreementsOf({ rows }: Table): string[][] {
  const curves = rows.flatMap(({ name, curve }) => (curve?.some((c) => c.agreement) ? [{ name, curve }] : []));
  const [shortest] = curves.map((c) => c.curve).sort((a, b) => a.length - b.length);
  if (!shortest) return [];
  return [
    ["attributes of x0 as in the image, above chance", ...shortest.map((c) => `t = ${Math.round(c.timestep)}`)],
    ...curves.map(({ name, curve }) => [
      name,
      ...shortest.map(({ timestep }) => {
        const [near] = curve.toSorted((a, b) => Math.abs(a.timestep - timestep) - Math.abs(b.timestep - timestep));
        return shown(near?.agreement, 2);
      }),
    ]),
  ];
}

/** Means of the front's measures with what dominates each row, with a header row; the terminal has no room for more. */
export function frontNumbersOf({ front, rows, measures }: Table): string[][] {
  const shown = (front?.measures ?? []).filter((m) => measures.includes(m));
  const [head = [], ...dominated] = frontRows({ front });
  return [
    [head[0] ?? "", ...shown.map((m) => kindOf(m).title), head[1] ?? ""],
    ...rows.map(({ name, values }, i) => [
      name,
      ...shown.map((m) => values[m]?.mean.toFixed(kindOf(m).digits) ?? "–"),
      dominated[i]?.[1] ?? "none",
    ]),
  ];
}

/** Rows of the front with what dominates them, with a header row; empty without a front. */
export function frontRows({ front }: Pick<Table, "front">): string[][] {
  return front ? [["point", "dominated by"], ...front.points.map((p) => [p.row, p.dominatedBy ?? "none"])] : [];
}

/** What each row of the front has of its plain row, with a header row; empty without a front. */
export function ratiosOf({ front, measures }: Pick<Table, "front" | "measures">): string[][] {
  const shown = (front?.measures ?? []).filter((m) => measures.includes(m));
  const points = (front?.points ?? []).filter((p) => p.than !== null);
  if (points.length === 0) return [];
  return [
    ["ratio to the plain row", "of", ...shown.map((m) => kindOf(m).title)],
    ...points.map(({ row, than, ratios }) => [
      row,
      than ?? "",
      ...shown.map((m) => formatEstimate(ratios[m], (v) => v.toFixed(2))),
    ]),
  ];
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
  "Intervals are 95 % t intervals over prompts, by the jackknife; the value of a prompt holds the noise of its seeds. Those of the time are over cells. There is none for fewer than five prompts. " +
  "Ratios of Fréchet distances are of what lies above the floor, the distance of images from the reference's own distribution. " +
  VERDICT_NOTE;

/** Verdicts on the paper's own comparisons, those with numbers of the paper, in one sentence; empty without any. */
export function summaryOf(tables: readonly Table[]): string {
  const own = tables.flatMap((t) => t.judgements.filter((j) => j.paper !== null).map((j) => j.verdict));
  return own.length === 0 ? "" : `Of the paper's ${own.length} comparisons with a number: ${countsOf(own)}.`;
}

/** The report as Markdown. */
export function markdownOf(tables: readonly Table[], about: About): string {
  const cell = (s: string) => s.replaceAll("|", "\\|");
  const table = (rows: readonly (readonly string[])[]) => {
    const [head = [], ...body] = rows;
    const line = (row: readonly string[]) => `| ${row.map(cell).join(" | ")} |`;
    return [line(head), `|${head.map(() => "---").join("|")}|`, ...body.map(line)].join("\n");
  };
  const filled = (rows: readonly unknown[]) => rows.length > 0;
  const sections = tables.map((t) =>
    [
      `## ${t.title}`,
      t.found && `Paper: ${t.found}`,
      ...[t.judgements.length > 0 ? claimsOf(t) : [], reasonsOf(t), effectsOf(t)].filter(filled).map(table),
      table(numbersOf(t)),
      ...[ratiosOf(t), frontRows(t), agreementsOf(t)].filter(filled).map(table),
      ...(t.byPrompt ? [table(promptsOf(t))] : []),
      `${sizeOf(t)}.`,
    ]
      .filter((s) => s !== "")
      .join("\n\n"),
  );
  const head = [`    ${about.command}`, about.student ?? "", `${facts(about).join(" · ")}. ${NOTE}`, summaryOf(tables)];
  return `${[...head, ...sections].filter((s) => s !== "").join("\n\n")}\n`;
}

export const facts = ({ models, reference, versions, places }: About): string[] => [
  models,
  ...(reference === null ? [] : [`reference: ${reference}`]),
  ...Object.entries(versions).map(([k, v]) => `${k} ${v}`),
  ...places,
];
