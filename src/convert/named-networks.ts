/**
 * LoRAs and textual inversions that A1111's parameters list by name and hash ("Lora hashes", "TI hashes"), compared with the files of a
 * run. A1111 has a LoRA's hash without its header, in 12 digits; Civitai that of the whole file, in 10. Either is accepted.
 */
import type { SourceFile } from "../open/index.js";

/** A LoRA or textual inversion with a recorded hash. */
export interface NamedNetwork {
  readonly role: "adapter" | "embedding";
  /** File name without ending, without A1111's commas and colons. */
  readonly name: string;
  /** First digits of a SHA-256, 8 to 64, in lower case. */
  readonly hash: string;
}

const ENTRY = /^(.+):\s*([0-9a-f]{8,64})$/i;

/** Entries of a list such as "detail: 9c2cbbdb1b5e, soft: 0123456789ab"; null where the value is no such list. */
export function networksIn(role: NamedNetwork["role"], value: string | undefined): NamedNetwork[] | null {
  if (value === undefined) return [];
  const entries = value.split(",").map((entry) => ENTRY.exec(entry.trim()));
  const found = entries.flatMap((match) => {
    const [, name, hash] = match ?? [];
    return name === undefined || hash === undefined ? [] : [{ role, name: name.trim(), hash: hash.toLowerCase() }];
  });
  return found.length === entries.length ? found : null;
}

const TITLES: { readonly [R in NamedNetwork["role"]]: readonly [title: string, flag: string] } = {
  adapter: ["LoRA", "--lora"],
  embedding: ["textual inversion", "--embedding"],
};

const keyOf = (file: string): string =>
  file
    .replace(/^.*[\\/]/, "")
    .replace(/\.(safetensors|sft|ckpt|pt|pth|bin)$/i, "")
    .replace(/[:,]/g, "")
    .toLowerCase();

/** Recorded networks whose hash no file of the run has, as sentences. */
export function networkDifferences(named: readonly NamedNetwork[], sources: readonly SourceFile[]): string[] {
  return named.flatMap(({ role, name, hash }) => {
    const files = sources.filter((source) => source.role === role);
    const hashes = ({ weights, sha256 }: SourceFile) => [...(weights === undefined ? [] : [weights]), sha256];
    if (files.some((file) => hashes(file).some((own) => own.startsWith(hash)))) return [];
    const [title, flag] = TITLES[role];
    const same = files.find(({ file, ref }) => keyOf(file) === keyOf(name) || keyOf(ref) === keyOf(name));
    const [own] = same ? hashes(same) : [];
    return own === undefined
      ? [`its ${title} ${name} (${hash}) is not used; name it with ${flag}`]
      : [`its ${title} ${name} (${hash}) is ${same?.ref}, whose hash is ${own.slice(0, hash.length)}`];
  });
}
