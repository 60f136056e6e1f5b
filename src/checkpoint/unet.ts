/** A UNet in a file of its own, whose config is that of another as far as shapes do not tell. */
import type { ByteSource } from "../tensor/index.js";
import type { Component, ConfigSource } from "./component.js";
import { readRecognised, refusal, unetPart } from "./parts.js";

export interface OpenedUNet {
  readonly unet: Component;
  /** A scheduler that stands beside it. */
  readonly scheduler: ConfigSource | null;
  /** The file is a LoRA: the network is that of `like`, with it. */
  readonly lora: boolean;
}

/** Where a whole checkpoint has its UNet. */
const WHOLE = "model.diffusion_model.";

/** The UNet of a file, or a LoRA on `like`. What shapes do not tell of it is as in `like`. @throws FileError */
export async function readUNet(source: ByteSource, like: Component): Promise<OpenedUNet> {
  const { index, recognised } = await readRecognised(source);
  if (recognised.kind === "adapter") return { unet: like, scheduler: null, lora: true };
  if (recognised.kind !== "unet" && recognised.kind !== "checkpoint") {
    throw refusal(source.name, recognised, "a UNet or a LoRA was expected");
  }
  const { family } = recognised;
  const place = recognised.kind === "unet" ? recognised : { family, names: "stability" as const, prefix: WHOLE };
  const unet = unetPart(index, place);
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
  return { unet: { ...unet, config }, scheduler: null, lora: false };
}
