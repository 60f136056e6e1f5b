/** Recognises the content of a path: a pipeline, one network, an adapter, a textual inversion or an instrument. */
import { existsSync, statSync } from "node:fs";
import pathOf from "node:path";
import {
  type Checkpoint,
  type Component,
  readAutoencoder,
  readRecognised,
  readTextEncoder,
  refusal,
  shapesOf,
} from "../checkpoint/index.js";
import { adapterIn, loneFolder, openCheckpoint, openComponentFolder, openFile } from "../checkpoint/node/index.js";
import { type Family, familyByText, type Recognised, recognise } from "../families/index.js";
import type { WeightIndex } from "../tensor/index.js";

export type SubjectKind = "pipeline" | Exclude<Recognised["kind"], "other" | "unknown">;

/** Recognised content of a path. */
export interface Subject {
  readonly kind: SubjectKind;
  /** Architecture. */
  readonly about: string;
  /** Evidence for the architecture. */
  readonly because: readonly string[];
  readonly family: Family | null;
  readonly className: string;
  readonly components: readonly Component[];
  readonly notes: readonly string[];
  /** All tensors of a file without a network, such as an adapter. */
  readonly tensors?: WeightIndex;
  readonly checkpoint?: Checkpoint;
}

/** Recognises a file or folder. @throws FileError for an unsupported architecture or an unreadable file */
export async function subjectOf(path: string): Promise<Subject> {
  if (!statSync(path).isDirectory()) return fileSubject(path);
  const folder = await loneFolder(path);
  const adapter = folder === null ? await adapterIn(path) : null;
  if (adapter) return fileSubject(adapter);
  if (folder === null || isPipeline(path)) {
    return { ...pipelineFacts(await openCheckpoint(path)), kind: "pipeline" };
  }
  const network = await openComponentFolder(folder);
  const kind = KINDS[network.className] ?? ("factors" in network.config ? "measure" : "unet");
  const { about, because } = await recogniseComponent(network);
  return {
    kind,
    about: kind === "measure" && about === "" ? "an attribute classifier" : about,
    because: [...(network.className === "unknown" ? [] : [`its config says ${network.className}`]), ...because],
    family: null,
    className: network.className,
    // Folders of the Hub cache are named by a commit, so the kind is the name.
    components: [{ ...network, name: kind }],
    notes: [],
  };
}

/** True for a folder with the components of a pipeline, also without model_index.json. */
const isPipeline = (path: string): boolean =>
  ["vae", "text_encoder", "unet"].every((part) => existsSync(pathOf.join(path, part, "config.json")));

const KINDS: Readonly<Record<string, SubjectKind>> = {
  UNet2DConditionModel: "unet",
  AutoencoderKL: "autoencoder",
  AutoencoderTiny: "tiny autoencoder",
  CLIPTextModel: "text encoder",
  CLIPTextModelWithProjection: "text encoder",
  CLIPModel: "measure",
};

const pipelineFacts = (checkpoint: Checkpoint): Omit<Subject, "kind"> => ({
  ...checkpoint.recognised,
  family: checkpoint.family,
  className: checkpoint.className,
  components: [...checkpoint.components.values()],
  notes: checkpoint.notes,
  checkpoint,
});

async function recogniseComponent(component: Component): Promise<Pick<Subject, "about" | "because">> {
  const found = recognise(shapesOf((await component.weights()).weights));
  return found.kind === "unknown" ? { about: "", because: [] } : { about: found.about, because: [found.because] };
}

async function fileSubject(path: string): Promise<Subject> {
  const source = await openFile(path);
  const { index, recognised } = await readRecognised(source);
  const { kind, about, because } = recognised;
  const found = { kind, about, because: [because], family: null, notes: [] };
  switch (recognised.kind) {
    case "checkpoint":
    case "unet":
      return { ...pipelineFacts(await openCheckpoint(path)), kind: recognised.kind };
    case "autoencoder":
    case "tiny autoencoder": {
      const own = await readAutoencoder(source);
      return { ...found, kind: recognised.kind, className: own.className, components: [own] };
    }
    case "text encoder": {
      const family = familyByText(recognised.width) ?? "sdxl";
      const own = await readTextEncoder(source, "text_encoder", family);
      return { ...found, kind: recognised.kind, className: own.className, components: [own] };
    }
    case "adapter":
    case "textual inversion":
      return { ...found, ...recognised, because: [because], className: kind, components: [], tensors: index };
    case "measure":
      return { ...found, kind: recognised.kind, className: about, components: [], tensors: index };
    case "other":
    case "unknown":
      throw refusal(path, recognised, "a model of diffusers, ComfyUI or A1111, or an adapter, was expected");
  }
}
