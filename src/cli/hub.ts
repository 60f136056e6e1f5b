/** `variegate models pull`, `models list --cached` and `models remove`: downloads from the Hub, and its cache. */

import { pairNamed } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { RequestError } from "../errors.js";
import {
  cachedRepositories,
  checkDiskSpace,
  fetchPlan,
  type HubPlan,
  hubName,
  hubSettings,
  type ModelKind,
  parseHubReference,
  planFetch,
  removeCached,
  type Variant,
} from "../hub/index.js";
import { counted, formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";

export interface PullOptions {
  readonly pair?: string;
  readonly pairs?: string;
  readonly variant?: Variant;
  readonly dryRun?: boolean;
}

/** Prints the download plan, then downloads. */
export async function runPull(terminal: Terminal, ref: string | undefined, options: PullOptions): Promise<void> {
  const wanted = await referencesOf(ref, options);
  const o = { ...fetching(terminal), ...(options.variant && { variant: options.variant }) };
  const plans: HubPlan[] = [];
  for (const [name, kind] of wanted) {
    const reference = parseHubReference(name);
    if (!reference)
      throw new RequestError(`${name} is not a Hub id: owner/name, owner/name:folder or owner/name/file.safetensors`);
    plans.push(await planFetch(reference, kind, o));
  }
  if (plans.length === 0) terminal.print("nothing to download: all files ship with the package");
  for (const plan of plans) describe(terminal, plan, options.dryRun === true);
  await checkDiskSpace(plans);
  if (options.dryRun) return;
  for (const plan of plans) {
    const path = await fetchPlan(plan, o);
    terminal.emit({ type: "pulled", ref: hubName(plan.reference), commit: plan.commit, path, bytes: plan.bytes });
    terminal.print(path);
  }
}

/** References to download, each with its kind. */
async function referencesOf(
  ref: string | undefined,
  { pair, pairs }: PullOptions,
): Promise<(readonly [string, ModelKind])[]> {
  if ((ref === undefined) === (pair === undefined)) throw new RequestError("give either a REF or --pair NAME");
  if (ref !== undefined) return [[ref, "model"]];
  const { base, distilled, clip } = pairNamed(pair ?? "", await readPairs(pairs));
  const parts = [
    [base, "pipeline"],
    [distilled, "unet"],
    [clip ?? "embedded:", "clip"],
  ] as const;
  return parts.filter(([name]) => !name.startsWith("embedded:"));
}

function describe(
  terminal: Terminal,
  { reference, commit, files, bytes, missing, cache }: HubPlan,
  dryRun: boolean,
): void {
  const { id: repository, revision } = reference;
  const listed = files.map(({ path, bytes, there }) => ({ path, bytes, there }));
  // Without --dry-run the download emits it.
  if (dryRun) terminal.emit({ type: "fetch-plan", repository, revision, commit, files: listed, bytes, missing, cache });
  terminal.print(`${hubName(reference)} (commit ${commit.slice(0, 7)})`);
  const shown = (there: number, all: number) => (there === 0 ? "" : there === all ? "yes" : formatBytes(there));
  terminal.table(
    columnsOf(["file", "size", "cached"], { file: { text: true } }),
    files.map((f) => [f.path, formatBytes(f.bytes), shown(f.there, f.bytes)]),
  );
  const left = missing === 0 ? "all of it is cached" : `${formatBytes(missing)} to download into ${cache}`;
  terminal.print(`${counted(files.length, "file")}, ${formatBytes(bytes)}; ${left}`);
  terminal.print("");
}

/** Prints the contents of the cache, one line for each revision. */
export async function runCached(terminal: Terminal): Promise<void> {
  const { cache } = hubSettings();
  const repositories = await cachedRepositories();
  for (const repository of repositories) terminal.emit({ type: "cached", cache, ...repository });
  const rows = repositories.flatMap(({ id, bytes, used, revisions }) => {
    const lines = revisions.length > 0 ? revisions : [{ commit: "", refs: [], files: 0, bytes: 0 }];
    return lines.map(({ commit, refs, files, bytes: own }, i) => [
      i === 0 ? id : "",
      commit.slice(0, 7),
      refs.join(", "),
      String(files),
      formatBytes(own),
      i === 0 ? formatBytes(bytes) : "",
      i === 0 ? (used?.slice(0, 10) ?? "") : "",
    ]);
  });
  if (rows.length > 0) {
    const facts = {
      repository: { text: true },
      files: { drop: 1 },
      commit: { drop: 2 },
      "last used": { drop: 3 },
    } as const;
    terminal.table(
      columnsOf(["repository", "commit", "revision", "files", "size", "on disk", "last used"], facts),
      rows,
    );
    terminal.print("");
  }
  const total = repositories.reduce((n, r) => n + r.bytes, 0);
  const unfinished = repositories.reduce((n, r) => n + r.unfinished, 0);
  const of = unfinished > 0 ? `, ${formatBytes(unfinished)} of it partial downloads` : "";
  terminal.print(
    `${counted(repositories.length, "repository", "repositories")}, ${formatBytes(total)}${of}, in ${cache}`,
  );
}

/** Removes a repository, or one revision of it, from the cache. */
export async function runRemove(terminal: Terminal, ref: string, dryRun: boolean): Promise<void> {
  const reference = parseHubReference(ref);
  if (!reference) throw new RequestError(`${ref} is not a Hub id: owner/name or owner/name@revision`);
  const { removed, freed } = await removeCached(reference, { dryRun, revision: ref.includes("@") });
  terminal.emit({ type: "removed", ref, dryRun, removed, freed });
  terminal.print(`${ref}: ${formatBytes(freed)} ${dryRun ? "would be freed" : "freed"}`);
}
