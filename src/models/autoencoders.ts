/** Autoencoders by class. The code of those that pages do not run is loaded when one is read. */
import { type AutoencoderConfig, KL_AUTOENCODERS } from "./autoencoder.js";
import { parseTinyAutoencoderConfig, type TinyAutoencoderConfig } from "./autoencoder-tiny.js";
import type { ConfigFile } from "./config.js";
import type { DrawnAutoencoder } from "./drawn-autoencoder.js";

/** A parsed config of any autoencoder. */
export type AnyAutoencoder = AutoencoderConfig | TinyAutoencoderConfig | DrawnAutoencoder;

const CLASSES: Readonly<Record<string, (source: ConfigFile) => AnyAutoencoder | Promise<AnyAutoencoder>>> = {
  ...KL_AUTOENCODERS,
  AutoencoderKLQwenImage: async (source) => (await import("./autoencoder-qwen-image.js")).qwenImageAutoencoder(source),
  AutoencoderDC: async (source) => (await import("./autoencoder-dc.js")).dcAutoencoder(source),
  AutoencoderTiny: parseTinyAutoencoderConfig,
};

/** Classes of autoencoders. */
export const AUTOENCODERS: readonly string[] = Object.keys(CLASSES);

/** Parses the config of an autoencoder. @throws UnsupportedConfigError naming the key; RangeError for another class */
export async function autoencoderOf(className: string, source: ConfigFile): Promise<AnyAutoencoder> {
  const parse = CLASSES[className];
  if (parse) return parse(source);
  throw new RangeError(`${className} is not an autoencoder; expected one of ${AUTOENCODERS.join(", ")}`);
}
