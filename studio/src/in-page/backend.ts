/** The engine in this page as a backend: the models run in a worker, runs are kept in the browser's database, nothing is sent anywhere. */
import {
  checkRequest,
  createGenerateCache,
  type DownloadProgress,
  decodeLatents,
  EMBEDDED_PAIRS,
  eventJson,
  type GenerateCache,
  generate,
  openPair,
  planFor,
  planJson,
  RequestError,
  recogniseFile,
  requestSchema,
  settingsFor,
  VariegateError,
  type WebOptions,
  type WebPair,
  type WebPairReference,
} from "../../../src/browser/index.js";
import {
  type AdapterFacts,
  type Backend,
  BackendError,
  type PairFacts,
  type PlanRow,
  type Request,
  type RunEvent,
  type RunOptions,
} from "../backend.js";
import { type KeptImage, type KeptRun, openRunStore, type RunStore } from "./history.js";
import { diversityOf, traceOf } from "./look.js";
import { decodePng, encodePng, pictureUrl, readPngText } from "./png.js";
import { createTurns } from "./turns.js";

declare const __EMBEDDED__: string;
declare const __ORT__: string;
declare const __VERSION__: string;

/** Results of earlier runs that are used again, in bytes. */
const CACHE = 128e6;
/** Values of latents up to which every step is decoded while a run goes on. */
const SMALL = 4 * 32 * 32;

const EMBEDDED_FILES: WebOptions = { embedded: __EMBEDDED__, runtime: { folder: __ORT__, gzip: true } };

/** Errors of the engine in its own words; what else goes wrong is shown as it is. */
function refused(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  const field = error instanceof RequestError ? (error.field ?? null) : null;
  return new BackendError(error instanceof Error ? error.message : String(error), field);
}

/** Calls a function, and throws what it refuses as a BackendError. */
async function told<T>(action: () => Promise<T> | T): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw refused(error);
  }
}

interface Opened {
  readonly pair: WebPair;
  readonly reference: WebPairReference;
  readonly cache: GenerateCache;
}

/** A run that waits or goes on. */
interface Going {
  readonly lane: string;
  readonly controller: AbortController;
  state: "cancelled" | "superseded";
}

/** Progress of downloads in words; null when none goes on. */
function progressText(progress: ReadonlyMap<string, DownloadProgress>): string | null {
  const all = [...progress.values()];
  if (all.every(({ done, total }) => done === total)) return null;
  const megabytes = (n: number) => (n / 1e6).toFixed(1);
  const done = all.reduce((n, p) => n + p.done, 0);
  const total = all.reduce((n, p) => n + (p.total ?? p.done), 0);
  return `Downloading ${megabytes(done)} of ${megabytes(total)} MB`;
}

/** @param onProgress called while files of the first pair are downloaded, also later ones; with null when none is */
export async function inPageBackend(onProgress: (text: string | null) => void): Promise<Backend> {
  const runs = await openRunStore();
  const files: File[] = [];
  const turns = createTurns();
  const going = new Map<string, Going>();

  async function open(
    reference: WebPairReference & Pick<WebOptions, "device">,
    say: (text: string | null) => void,
    token?: string,
  ): Promise<Opened> {
    const progress = new Map<string, DownloadProgress>();
    const onDownload = (each: DownloadProgress) => {
      progress.set(each.url, each);
      say(progressText(progress));
    };
    const pair = await openPair({ ...EMBEDDED_FILES, ...reference, ...(token && { token }), files, onDownload });
    return { pair, reference, cache: createGenerateCache(CACHE) };
  }

  let opened = open({}, onProgress);
  const warming = new AbortController();
  /** Loads the networks while the user types: a run whose image is not shown, which the first real one ends. */
  const warm = async ({ pair }: Opened) => {
    for await (const _ of generate(pair, { prompts: [""] }, warming.signal));
  };
  opened.then(
    (first) => {
      onProgress(null);
      turns.take(() => warm(first)).catch(() => {});
    },
    (error) => onProgress(String(error)),
  );

  const factsOf = ({ row, family, size, base, distilled, engine }: WebPair): PairFacts => ({
    ...{ pair: row?.name ?? null, family, size: { ...size }, base: base.ref, distilled: distilled?.ref ?? null },
    ...{ device: engine.runtime.device, compute: engine.compute, version: __VERSION__, opening: null },
  });

  function imageOf(id: string): KeptImage {
    const image = runs.image(id);
    if (image) return image;
    throw new BackendError(`there is no image ${id}`);
  }

  async function runNow(
    id: string,
    request: Request,
    options: RunOptions,
    own: Going,
  ): Promise<RunEvent & { readonly type: "ended" }> {
    const { previews, lane, onEvent } = options;
    const images: KeptImage[] = [];
    const ended = (state: string, message: string | null = null) => {
      const event = { type: "ended", state, error: message === null ? null : { message } } as const;
      onEvent(event);
      return event;
    };
    const { signal } = own.controller;
    if (signal.aborted) return ended(own.state);
    onEvent({ type: "started" });
    const { pair, cache } = await opened;
    const created = new Date().toISOString();
    try {
      for await (const event of generate(pair, requestSchema.parse(request), signal, cache)) {
        if (event.type === "image") {
          const { prompt, seed } = event;
          const record = JSON.stringify({ request, image: { prompt, seed } });
          const png = await encodePng(event.image, { variegate: record });
          const { width, height } = event.image;
          const image = {
            id: crypto.randomUUID(),
            run: id,
            prompt,
            seed,
            width,
            height,
            png,
            created,
            favourite: false,
          };
          images.push({ ...image, bytes: png.size, sha256: await sha256(png) });
          runs.put({ id, created, client: lane, request, images: [...images] });
          const last = images.at(-1);
          if (last) onEvent({ type: "image", image: runs.viewImage(last) });
          continue;
        }
        onEvent({ ...eventJson(event), type: event.type } as RunEvent);
        const shown = event.type === "step" && (previews === "all" || (previews === "first" && event.step === 0));
        if (!shown || event.x0.data.length > SMALL) continue;
        const { prompt, seed, step, x0 } = event;
        const [picture] = await decodeLatents(pair.decoder, x0, pair.engine);
        if (picture) onEvent({ type: "preview", prompt, seed, step, image: pictureUrl(picture) });
      }
      return ended("done");
    } catch (error) {
      if (signal.aborted) return ended(own.state);
      if (!(error instanceof VariegateError)) reportError(error);
      return ended("failed", refused(error).message);
    }
  }

  return {
    // A run ends with its page.
    going: async () => null,
    follow: async () => {
      throw new BackendError("no run goes on");
    },
    takes: { about: "A file dropped on the page, an address, or a Hub id.", options: true },
    pair: () => told(async () => factsOf((await opened).pair)),
    plan: (request) =>
      told(async () => {
        const { pair } = await opened;
        checkRequest(pair, requestSchema.parse(request));
        const { rows } = planJson(planFor(pair, requestSchema.parse(request)));
        const from = settingsFor(pair, requestSchema.parse(request)).switch?.from;
        return { rows: rows as readonly PlanRow[], switchFrom: from === "default" ? "the default" : "" };
      }),
    async run(request, options) {
      const { lane, onEvent, onAccepted, signal } = options;
      const { pair } = await told(() => opened);
      await told(() => checkRequest(pair, requestSchema.parse(request)));
      for (const other of going.values()) if (other.lane === lane) stop(other, "superseded");
      warming.abort();
      const id = crypto.randomUUID();
      const own: Going = { lane, controller: new AbortController(), state: "cancelled" };
      going.set(id, own);
      onAccepted?.(id);
      onEvent({ type: "queued", ahead: turns.length });
      signal.addEventListener("abort", () => stop(own, "superseded"), { once: true });
      try {
        return await turns.take(() => runNow(id, request, options, own));
      } finally {
        going.delete(id);
      }
    },
    async cancel(id) {
      const own = going.get(id);
      if (own) stop(own, "cancelled");
    },
    async forget(id) {
      const run = runs.get(id);
      if (run && !isWhole(run) && !run.images.some(({ favourite }) => favourite)) runs.remove(id);
    },
    remove: async (id) => runs.remove(id),
    history: async (before) => {
      const all = runs.all().filter(({ client }) => client === "grid");
      const end = before === undefined ? all.length : all.findIndex(({ id }) => id === before);
      return all
        .slice(Math.max(0, end - PAGE), Math.max(0, end))
        .reverse()
        .map(runs.view);
    },
    async one(id) {
      const run = runs.get(id);
      if (run) return runs.view(run);
      throw new BackendError(`there is no run ${id}`);
    },
    async favourite(id, favourite) {
      const changed = { ...imageOf(id), favourite };
      const run = runs.get(changed.run);
      if (run) runs.put({ ...run, images: run.images.map((image) => (image.id === id ? changed : image)) });
      return runs.viewImage(changed);
    },
    favourites: async () => favourites(runs).map(runs.viewImage),
    adapters: async () =>
      (await opened).pair.adapterNames.map((ref) => ({ ref, name: ref, from: "page" })).filter(isAdapterOf(files)),
    addAdapter: (file) => told(async () => addFile((await opened).pair, file, files)),
    restore: (file) =>
      told(async () => {
        const text = /\.json$/i.test(file.name) ? await file.text() : await readPngText(file, "variegate");
        const record = text === null ? null : JSON.parse(text);
        const { request: given = null, image = null } = record?.whole ?? record ?? {};
        const read = requestSchema.safeParse(given);
        if (!read.success) throw new BackendError(`${file.name} records no run of this page`);
        return { request: given, image, notices: [] };
      }),
    forms: ["library"],
    write: async (request) => ({
      text: libraryText((await opened).reference, request),
      ...{ file: "run.js", notices: ["In a page; variegate without /web is the same in Node."] },
    }),
    diversity: (ids) =>
      told(async () => {
        const images = await Promise.all(ids.map((id) => decodePng(imageOf(id).png)));
        const { pair } = await opened;
        return turns.take(() => diversityOf(pair, images));
      }),
    trace: (id, phrases) =>
      told(async () => {
        const { run, prompt, seed, png } = imageOf(id);
        const { samples: _, batch: _batch, ...request } = requestSchema.parse(runs.get(run)?.request);
        const { pair, cache } = await opened;
        const alone = { ...request, samples: [{ prompt, seed }] };
        const final = await decodePng(png);
        return turns.take(() => traceOf(pair, alone, final, phrases, cache));
      }),
    models: async () => ({
      pairs: EMBEDDED_PAIRS.map(({ name, about }) => ({ name, about, cached: true })),
      files: files.map(({ name }) => ({ ref: name, kind: "file of yours" })),
    }),
    async checkModel(ref) {
      const file = files.find(({ name }) => name === ref);
      if (!file) return { ok: true, sentences: [`${ref} is looked for when it is opened.`] };
      const { about, because } = await told(() => recogniseFile(file));
      return { ok: true, sentences: [`${ref} is ${about} (${because}).`] };
    },
    openPair: ({ token, ...reference }, say) =>
      told(async () => {
        // The token is not part of what is kept or written.
        const next = await open(reference, (text) => say(text ?? ""), token);
        const before = await opened.catch(() => null);
        for (const own of going.values()) stop(own, "cancelled");
        warming.abort();
        await turns.take(async () => {
          opened = Promise.resolve(next);
          await before?.pair.close();
        });
        return factsOf(next.pair);
      }),
  };
}

/** Most runs that are listed at once. */
const PAGE = 100;

function stop(run: Going, state: Going["state"]): void {
  run.state = state;
  run.controller.abort();
}

const isWhole = ({ request, images }: KeptRun): boolean =>
  images.length >= (request.samples?.length ?? request.prompts.length * (request.seeds?.length ?? 1));

const favourites = (runs: RunStore): KeptImage[] =>
  runs
    .all()
    .flatMap(({ images }) => images.filter(({ favourite }) => favourite))
    .reverse();

async function sha256(blob: Blob): Promise<string> {
  const hash = await crypto.subtle?.digest("SHA-256", await blob.arrayBuffer());
  return hash ? [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("") : "";
}

const models = new WeakSet<File>();
const isAdapterOf =
  (files: readonly File[]) =>
  ({ ref }: AdapterFacts): boolean =>
    !files.some((file) => models.has(file) && file.name.startsWith(`${ref}.`));

/** Takes a file of the user: an adapter of the open pair, or a model that can be opened. */
async function addFile(pair: WebPair, file: File, files: File[]): Promise<AdapterFacts> {
  const { kind, about } = await recogniseFile(file);
  if (kind !== "adapter" && kind !== "other") {
    models.add(file);
    files.push(file);
    throw new BackendError(`${file.name} is ${about}. To open it, name it under Models, Change.`);
  }
  const ref = pair.addFile(file).replace(/\.[^.]*$/, "");
  await pair.openAdapter(ref);
  files.push(file);
  return { ref, name: ref, from: "page" };
}

function libraryText(reference: WebPairReference, request: Request): string {
  const { files: _, ...models } = reference;
  return [
    'import { generate, openPair } from "variegate/web";',
    "",
    `const pair = await openPair(${JSON.stringify(models, null, 2)});`,
    `for await (const event of generate(pair, ${JSON.stringify(request, null, 2)})) {`,
    '  if (event.type === "image") console.log(event.seed, event.image);',
    "}",
    "",
  ].join("\n");
}
