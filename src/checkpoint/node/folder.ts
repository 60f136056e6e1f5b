/** Diffusers folders, networks and adapters on the disk. */
import type { FloatTensor, WeightIndex } from "../../tensor/index.js";
import type { Checkpoint, Component, TokenizerFiles } from "../component.js";
import * as weights from "../component-weights.js";
import * as folder from "../folder.js";
import type { OpenedUNet } from "../unet.js";
import { type FileWeights, readWeights, tensorsOf } from "../weights.js";
import { disk } from "./disk.js";
import { openFile } from "./file-source.js";

/** Opens a file of tensors; its content decides the format, not its extension. @throws FileError describing other content */
export const openWeights = async (file: string): Promise<FileWeights> => readWeights(await openFile(file));

/** Reads all tensors of a small file as float32, by name. @throws FileError */
export const readTensors = async (file: string): Promise<Map<string, FloatTensor>> =>
  tensorsOf(await openWeights(file));

/** See `openComponentWeights` of `component-weights.ts`. */
export const openComponentWeights = (place: string, stem: string): Promise<WeightIndex> =>
  weights.openComponentWeights(disk, place, stem);
/** Opens a diffusers folder or a single-file checkpoint, without reading its weights. @throws FileError naming the missing part */
export const openCheckpoint = (place: string): Promise<Checkpoint> => folder.openCheckpoint(disk, place);
/** Opens the folder of one network: config.json, weights, optionally a tokenizer. @throws FileError */
export const openComponentFolder = (place: string): Promise<Component> => folder.openComponentFolder(disk, place);
/** Reads the files of a tokenizer. @throws FileError when neither format is complete */
export const openTokenizer = (place: string): Promise<TokenizerFiles> => folder.openTokenizer(disk, place);
/** Folder of the only network outside a pipeline; null when there is none. */
export const loneFolder = (place: string): Promise<string | null> => folder.loneFolder(disk, place);
/** File of an adapter: the given file, or the one in a folder. @throws FileError listing the folder's content when it has none */
export const adapterFile = (place: string): Promise<string> => folder.adapterFile(disk, place);
/** Adapter file in a folder; null when it has none. */
export const adapterIn = (place: string): Promise<string | null> => folder.adapterIn(disk, place);
/** PEFT's config of an adapter file. @throws FileError when a file that PEFT wrote has none */
export const adapterConfig = (file: string): ReturnType<typeof folder.adapterConfig> =>
  folder.adapterConfig(disk, file);
/** Folder of an autoencoder: the given one, or vae/ in a pipeline. @throws FileError listing the content found instead */
export const autoencoderFolder = (place: string): Promise<string> => folder.autoencoderFolder(disk, place);
/** Opens a denoiser: a folder, a file of weights that takes its config from `like`, or a LoRA on `like`. @throws FileError */
export const openUNet = (ref: string, like: Component): Promise<OpenedUNet> => folder.openUNet(disk, ref, like);
