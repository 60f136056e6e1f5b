/** Writes the report of a finished run: JSON, Markdown, an HTML page, and a Parquet file of all images. */
import path from "node:path";
import { writeWhole } from "../files/index.js";
import { versions } from "../inspect/index.js";
import { modelFlags } from "../open/index.js";
import type { SamplingRequest } from "../sampling/index.js";
import type { FrontDetails } from "./front-page.js";
import { placesNote, timedPlace } from "./machine.js";
import { type About, markdownOf } from "./markdown.js";
import type { ExperimentRequest } from "./request.js";
import type { Reference } from "./sample-set.js";
import { type CellResult, readSamples } from "./store.js";
import type { Table } from "./table.js";
import type { Work } from "./work.js";

/** Sampling of a row as options of the command line can say it. */
function samplingIn(works: readonly Work[], name: string, row: string): SamplingRequest {
  const found = works.find((w) => w.definition.name === name)?.definition.rows.find((r) => r.name === row);
  const {
    negative: _negative,
    size: _size,
    promptSyntax: _syntax,
    clipSkip: _skip,
    ...sampling
  } = found?.sampling ?? {};
  return sampling;
}

/** Writes the files of the report into the run's folder. Returns their names. */
export async function writeReport(
  request: ExperimentRequest,
  works: readonly Work[],
  results: ReadonlyMap<string, CellResult>,
  tables: readonly Table[],
  reference: Reference | null,
): Promise<string[]> {
  const { pair = request.base === undefined ? "embedded" : "", base = "", distilled = "" } = request;
  const about: About = {
    command: request.command,
    versions: { ...versions() },
    models: [pair && `pair ${pair}`, base && `base ${base}`, distilled && `distilled ${distilled}`]
      .filter(Boolean)
      .join(", "),
    student: request.student ?? null,
    reference: reference?.about ?? null,
    places: works.flatMap(({ definition, cells }) => {
      const resultsOf = (row: string) =>
        cells.filter((c) => c.row.name === row).flatMap((c) => results.get(c.id) ?? []);
      const rows = definition.rows.map((row) => resultsOf(row.name));
      const note = placesNote(rows.flat(), timedPlace(rows));
      return note === null ? [] : [works.length > 1 ? `${definition.name}: ${note}` : note];
    }),
  };
  // Loaded on demand: commands without a report start faster.
  const [{ pageOf, sampleKey }, { parquetOf }] = await Promise.all([import("./page.js"), import("./parquet.js")]);
  const samples = new Map<string, readonly string[]>();
  for (const { definition, cells } of works) {
    for (const row of definition.rows) {
      const first = cells.find((c) => c.row.name === row.name);
      if (first) samples.set(sampleKey(definition.name, row.name), await readSamples(request.out, first.id));
    }
  }
  const detailsOf = ({ name }: Table): FrontDetails => ({
    images: (row) => samples.get(sampleKey(name, row)) ?? [],
    sampling: (row) => samplingIn(works, name, row),
    models: modelFlags(request),
  });
  const { models, student } = about;
  const definitions = { models, student, definitions: request.definitions };
  const text = (s: string) => Buffer.from(s);
  const files: Record<string, Uint8Array> = {
    "definitions.json": text(`${JSON.stringify(definitions, null, 2)}\n`),
    "results.json": text(`${JSON.stringify({ ...about, tables }, null, 1)}\n`),
    "results.parquet": parquetOf(works, results),
    "report.md": text(markdownOf(tables, about)),
    "report.html": text(pageOf(tables, about, samples, detailsOf)),
  };
  for (const [name, bytes] of Object.entries(files)) await writeWhole(path.join(request.out, name), bytes);
  return Object.keys(files);
}
