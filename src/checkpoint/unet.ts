/** A UNet in its own file; settings that shapes do not determine come from the config of another UNet. */
import type { ByteSource } from "../tensor/index.js";
import type { Component, ConfigSource } from "./component.js";
import { readRecognised, refusal, unetPart } from "./parts.js";

export interface OpenedUNet {
  readonly unet: Component;
  /** Scheduler config in the same pipeline. */
  readonly scheduler: ConfigSource | null;
  /** True when the file is a LoRA; `unet` is then `like`. */
  readonly lora: boolean;
  /** Metadata of a safetensors file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Prefix of the UNet in a complete checkpoint. */
const WHOLE = "model.diffusion_model.";

/** Reads a UNet, or a LoRA on `like`. Settings that shapes do not determine come from `like`. @throws FileError */
export async function readUNet(source: ByteSource, like: Component): Promise<OpenedUNet> {
  const { index, recognised, metadata } = await readRecognised(source);
  if (recognised.kind === "adapter") return { unet: like, scheduler: null, lora: true, metadata };
  if (recognised.kind !== "unet" && recognised.kind !== "checkpoint") {
    throw refusal(source.name, recognised, "a UNet or a LoRA was expected");
  }
  const { family } = recognised;
  const place = recognised.kind === "unet" ? recognised : { family, names: "stability" as const, prefix: WHOLE };
  const unet = await unetPart(index, place);
  if (unet.className !== like.className) throw refusal(source.name, recognised, `a ${like.className} was expected`);
  if (unet.className !== "UNet2DConditionModel") {
    // Heads of other widths rotate other shares of their features: the base's config knows them.
    const { axes_dims: _axes, axes_dims_rope: _rope, ...known } = unet.config;
    return { unet: { ...unet, config: { ...like.config, ...known } }, scheduler: null, lora: false, metadata };
  }
  const { attention_head_dim: heads, sample_size: _, ...told } = unet.config;
  const levels = (channels: unknown) => (Array.isArray(channels) ? channels.length : 0);
  const own = like.config["attention_head_dim"];
  const same = Array.isArray(own)
    ? own.length === levels(told["block_out_channels"])
    : typeof own === "number" || heads === undefined;
  const features = like.config["addition_time_embed_dim"];
  const config = {
    ...like.config,
    ...told,
    ...(!same && { attention_head_dim: heads }),
    ...(typeof features === "number" && { addition_time_embed_dim: features }),
  };
  return { unet: { ...unet, config }, scheduler: null, lora: false, metadata };
}
