/** Runs of the engine in a page of Chromium, and of Node, for comparison. */
import { type Browser, chromium, type LaunchOptions, type Page } from "playwright-core";
import { type GenerateRequest, generate, openPair, type PairReference } from "../../src/index.js";
import { chromiumPath } from "../../src/inspect/chromium.js";
import type { Inputs, NetworkClass } from "./network.js";

/** Chromium; null where there is none. */
export const program = chromiumPath();

export const launch = ({ args = [], ...options }: LaunchOptions = {}): Promise<Browser> =>
  chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox", ...args], ...options });

export interface PlainTensor {
  readonly shape: number[];
  readonly data: number[];
}

/** What a run in a page gives back (in-page.js). */
export interface InPage {
  readonly events: string[];
  readonly images: {
    readonly prompt: number;
    readonly seed: number;
    readonly width: number;
    readonly height: number;
    readonly data: number[];
  }[];
  /** Steps, where they were asked for. `goesOn`: x_t is what the step before gave. */
  readonly steps: {
    readonly prompt: number;
    readonly seed: number;
    readonly timestep: number;
    readonly goesOn: boolean;
    readonly xt: PlainTensor;
    readonly next: PlainTensor;
    readonly x0: PlainTensor;
  }[];
  readonly threads: boolean;
  readonly violations: string[];
  readonly downloads: { readonly url: string; readonly done: number; readonly total: number | null }[];
  /** Bytes read by the page, and passed to the worker in buffers and as Blobs. */
  readonly bytes: { readonly read: number; readonly buffers: number; readonly blobs: number };
  readonly error: string | null;
}

/** What networks-in-page.js computes: a network, its files by name with their addresses, and the inputs of its runs. */
export interface NetworkInPage {
  readonly network: NetworkClass;
  readonly stem: string;
  readonly files: Readonly<Record<string, string>>;
  readonly runs: readonly Inputs[];
}

/** Computes the outputs of a network in a page of a server with the bundle of networks-in-page.js, for each run. */
export const computeIn = (page: Page, asked: NetworkInPage): Promise<(PlainTensor & { readonly name: string })[][]> =>
  page.evaluate(`import("/bundled/networks-in-page.js").then(({ compute }) => compute(${JSON.stringify(asked)}))`);

/** Opens a pair in a page, and runs a request. `abortAfter`: the kind of event after which it is aborted. */
export const runIn = (page: Page, request: object, options: object): Promise<InPage> =>
  page.evaluate(`import("/in-page.js").then(({ run }) => run(${JSON.stringify(request)}, ${JSON.stringify(options)}))`);

/** The same run in Node. */
export async function runInNode(request: GenerateRequest, reference: PairReference = {}) {
  await using pair = await openPair(reference, { threads: 1 });
  const events: string[] = [];
  const images: { seed: number; data: Uint8Array }[] = [];
  for await (const event of generate(pair, request)) {
    events.push(event.type);
    if (event.type === "image") images.push({ seed: event.seed, data: event.image.data });
  }
  return { events, images };
}

/** Largest difference of two rows of bytes; 255 where lengths differ. */
export const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length ? Math.max(...Array.from(a, (v, i) => Math.abs(v - (b[i] ?? 255)))) : 255;
