/** Unsupported model families, recognised by tensor and class names so that error messages can name them. */

/** An unsupported family and the names that identify it. */
export interface OtherFamily {
  readonly name: string;
  /**
   * Alternatives, each a list of name prefixes. An alternative matches when every prefix begins a tensor's name, or a part of one after a
   * dot.
   */
  readonly tensors: readonly (readonly string[])[];
  /** Class names of its pipelines and networks in diffusers. */
  readonly classes?: RegExp;
}

const family = (name: string, classes: RegExp | undefined, ...tensors: (readonly string[])[]): OtherFamily => ({
  name,
  tensors,
  ...(classes && { classes }),
});

/** Unsupported families. A family whose names include those of another comes before it. */
export const OTHERS: readonly OtherFamily[] = [
  // Networks that condition another model.
  family("a ControlNet of FLUX or Qwen-Image", /^(Flux|QwenImage)(Multi)?ControlNetModel/, ["controlnet_x_embedder."]),
  family("a ControlNet of Stable Diffusion 3", /^SD3ControlNetModel/, ["controlnet_blocks.", "pos_embed_input."]),
  family("a ControlNet of Z-Image", /^ZImageControlNet/, ["control_layers.0."], ["control_all_x_embedder."]),
  family(
    "a ControlNet",
    /ControlNet(Union|XS)?Model$/,
    ["control_model."],
    ["controlnet_cond_embedding."],
    ["input_hint_block.0."],
    ["controlnet_blocks.0."],
  ),
  family("a T2I-Adapter", /^T2IAdapter/, ["adapter.body.0."], ["adapter.total_downscale_factor"]),
  family("an IP-Adapter", undefined, ["ip_adapter.1."], ["1.to_k_ip.weight"], ["image_proj.proj."]),
  family("GLIGEN", /GLIGEN/, ["position_net."]),

  // Variants of Stable Diffusion with the same names in the UNet.
  family("the SDXL refiner", undefined, ["conditioner.embedders.0.model."]),
  family("Playground v2.5, which is trained on EDM's noise levels", undefined, ["edm_mean"]),
  family("CosXL, which is trained on EDM's noise levels", undefined, ["edm_vpred.sigma_max"]),
  family("Stable unCLIP", /^StableUnCLIP/, ["noise_augmentor."], ["embedder.model.visual."]),
  family(
    "Stable Video Diffusion",
    /^(StableVideoDiffusion|UNetSpatioTemporalCondition)/,
    ["input_blocks.1.0.time_stack."],
    ["input_blocks.1.1.time_stack."],
    ["down_blocks.0.resnets.0.temporal_res_block."],
  ),
  family(
    "AnimateDiff",
    /^(AnimateDiff|MotionAdapter|UNetMotion|PIA)/,
    ["down_blocks.0.motion_modules."],
    ["motion_modules.0."],
    ["mid_block.motion_modules."],
  ),
  family("I2VGen-XL", /^I2VGenXL/, ["image_latents_context_embedding."]),
  family(
    "ModelScope's text to video",
    /^(TextToVideo|VideoToVideo|UNet3DCondition)/,
    ["transformer_in.", "temp_convs."],
    ["down_blocks.0.temp_convs."],
    ["input_blocks.1.2.transformer_blocks.", "input_blocks.1.0.temopral_conv."],
  ),
  family("Kandinsky 3", /^Kandinsky3/, ["encoder_hid_proj.projection_linear."]),
  family(
    "Kandinsky 5",
    /^Kandinsky5/,
    ["visual_transformer_blocks.", "text_transformer_blocks."],
    ["text_embeddings.in_layer."],
  ),
  family(
    "Kandinsky 2",
    /^Kandinsky/,
    ["add_embedding.image_norm."],
    ["encoder_hid_proj.image_embeds."],
    ["prd_embedding", "clip_mean"],
  ),
  family("DeepFloyd IF", /^IF[A-Z]/, ["add_embedding.pool.", "encoder_hid_proj."], ["encoder_pooling."]),

  // Transformers.
  family("FLUX.2 for image editing, with a cache of reference images", /^Flux2Klein(KV|Inpaint)/),
  family("FLUX.2 dev, whose text encoder is Mistral", /^Flux2(?!Klein|Transformer)/),
  family("FLUX.3", /^Flux3/, ["early_stream_modulations."], ["x_embedders.image."], ["ref_time_in.in_layer."]),
  family("Chroma Radiance, which denoises pixels", undefined, ["nerf_image_embedder."], ["nerf_blocks.0."]),
  family("Chroma for image editing", /^Chroma(?!Pipeline$|Transformer2DModel$)/),
  family(
    "HunyuanVideo",
    /^Hunyuan(Video|Skyreels)/,
    ["txt_in.individual_token_refiner."],
    ["context_embedder.token_refiner.", "transformer_blocks."],
  ),
  family(
    "HunyuanDiT",
    /^HunyuanDiT/,
    ["mlp_t5.0.", "pooler.q_proj."],
    ["text_embedder.linear_1.", "norm_out.linear.", "blocks.0.norm3."],
  ),
  family("FLUX.1 Kontext, for image editing", /^FluxKontext/),
  family("FLUX.1 Fill, for inpainting", /^Flux(Fill|Inpaint|DifferentialImg2Img|Img2Img)/),
  family("FLUX.1 Canny or Depth, which reads an image", /^FluxControl(?!Net)/),
  family("FLUX.1 Redux, which reads an image", /^(FluxPriorRedux|ReduxImage)/, ["redux_up."]),
  family(
    "a variant of FLUX.1",
    /^Flux(?!2|Pipeline$|Transformer2DModel$)/,
    ["double_blocks.0.img_attn."],
    ["single_transformer_blocks.0.proj_mlp.", "context_embedder."],
  ),
  family("Stable Diffusion 3 for inpainting or image to image", /^StableDiffusion3(Inpaint|Img2Img|InstructPix2Pix)/),
  family("Stable Diffusion 3 with a ControlNet", /^StableDiffusion3ControlNet/),
  family(
    "a variant of Stable Diffusion 3",
    /^(StableDiffusion3(?!Pipeline$)|SD3(?!Transformer2DModel$))/,
    ["joint_blocks."],
    ["transformer_blocks.0.attn.add_k_proj.", "pos_embed.proj.", "time_text_embed.text_embedder."],
  ),
  family("AuraFlow", /^AuraFlow/, ["double_layers.0.attn."], ["joint_transformer_blocks.0."]),
  family(
    "a variant of SANA",
    /^Sana(?!(Sprint)?Pipeline$|Transformer2DModel$)/,
    ["blocks.0.mlp.inverted_conv."],
    ["transformer_blocks.0.ff.conv_inverted."],
  ),
  family("LTX-2", /^LTX2/, ["av_ca_a2v_gate_adaln_single."], ["av_cross_attn_video_scale_shift."]),
  family(
    "LTX-Video",
    /^LTX/,
    ["patchify_proj."],
    ["transformer_blocks.0.scale_shift_table", "time_embed.emb.", "caption_projection.", "proj_in."],
    ["decoder.last_scale_shift_table"],
  ),
  family("Mochi", /^Mochi/, ["blocks.0.attn.qkv_x."], ["pos_frequencies", "time_embed.pooler."]),
  family(
    "Wan",
    /^(Wan|SkyReels|ChronoEdit)/,
    ["head.modulation"],
    ["condition_embedder.text_embedder.", "blocks.0.attn1.norm_q.", "blocks.0.ffn.net."],
  ),
  family("HiDream", /^HiDream/, ["double_stream_blocks.0."]),
  // Z-Image has the caption embedder of Lumina.
  family("Z-Image Omni, which reads images", /^ZImageOmni/, ["siglip_embedder."], ["siglip_refiner."]),
  family("Z-Image for image editing", /^ZImage(Img2Img|Inpaint|Edit)/),
  family("Lumina", /^Lumina/, ["cap_embedder.0."], ["time_caption_embed.caption_embedder."]),
  family("Qwen-Image-Edit, which reads images", /^QwenImageEdit/, ["__index_timestep_zero__"]),
  family("Qwen-Image-Layered, which separates images into layers", /^QwenImageLayered/, [
    "time_text_embed.addition_t_embedding.",
  ]),
  family("Qwen-Image for inpainting or image to image", /^QwenImage(Img2Img|Inpaint)/),
  family("Qwen-Image with a ControlNet", /^QwenImageControlNet/),
  family(
    "a variant of Qwen-Image",
    /^QwenImage(?!Pipeline$|Transformer2DModel$)/,
    ["transformer_blocks.0.img_mod."],
    ["transformer_blocks.0.img_mlp.net."],
    ["txt_in.text_norm."],
  ),
  family("Krea 2", /^Krea2/, ["txtfusion.projector."], ["time_mod_proj.", "txt_in.linear_1."]),
  family(
    "Cosmos",
    /^Cosmos/,
    ["net.x_embedder.proj.1."],
    ["learnable_pos_embed."],
    ["time_embed.t_embedder.", "patch_embed.proj.", "transformer_blocks.0.norm2.linear_1."],
  ),
  family(
    "PixArt",
    /^PixArt/,
    ["y_embedder.y_proj.fc1.", "blocks.0.scale_shift_table"],
    ["adaln_single.emb.timestep_embedder.", "pos_embed.proj."],
  ),
  // Recognised by its attention layers, which PixArt shares.
  family("a variant of SANA", undefined, ["blocks.0.cross_attn.q_linear.", "blocks.0.cross_attn.kv_linear."]),
  family("CogVideoX", /^(CogVideoX|ConsisID)/, [
    "patch_embed.text_proj.",
    "transformer_blocks.0.norm1.linear.",
    "time_embedding.",
  ]),
  family("CogView", /^CogView/, ["time_condition_embed.", "patch_embed.text_proj."]),
  family("OmniGen", /^OmniGen/, ["llm.layers.0.", "x_embedder."], ["patch_embedding.output_image_proj."]),
  family("DiT", /^DiT/, ["transformer_blocks.0.norm1.emb.timestep_embedder.", "proj_out_2."]),
  family(
    "Stable Cascade",
    /^(StableCascade|Wuerstchen)/,
    ["clip_txt_mapper."],
    ["clip_txt_pooled_mapper."],
    ["down_blocks.1.0.channelwise."],
    ["effnet_mapper."],
  ),

  // Components other than denoisers.
  family("the autoencoder of Wan", /^AutoencoderKLWan/, ["decoder.middle.0.residual.0.gamma"]),
  family(
    "an autoencoder of video",
    /^AutoencoderKL(?!$|Flux2$|QwenImage$)/,
    ["decoder.conv_in.conv.weight"],
    ["decoder.time_conv_out."],
    ["decoder.conv_in_3d."],
  ),
  family(
    "a deep compression autoencoder of another kind than SANA's",
    undefined,
    ["decoder.stages.1.op_list."],
    ["encoder.project_in.conv."],
    ["decoder.up_blocks.1.0.conv1."],
  ),
  family("a T5 model that is not an encoder of T5 1.1", /^(UMT5|MT5|T5(?!EncoderModel$))/i, [
    "encoder.block.0.layer.0.SelfAttention.",
  ]),
  family(
    "a language model",
    undefined,
    ["layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight"],
    ["blk.0.attn_norm.weight", "token_embd.weight"],
  ),
  family("an image upscaler (ESRGAN)", undefined, ["model.1.sub.0.RDB1."], ["body.0.rdb1."], ["RRDB_trunk.0."]),
  family("a hypernetwork", undefined, ["768.0.linear.0.weight"]),
];

/** The unsupported family that tensor names belong to, and the tensor that identifies it; null if there is none. */
export function otherFamily(keys: readonly string[]): { readonly name: string; readonly tensor: string } | null {
  // Tools add different prefixes to names, so a match may also begin after a dot.
  const find = (start: string) => keys.find((k) => k.startsWith(start) || k.includes(`.${start}`));
  for (const { name, tensors } of OTHERS) {
    for (const all of tensors) {
      const found = all.map(find);
      if (found.every((key) => key !== undefined)) return { name, tensor: found[0] ?? "" };
    }
  }
  return null;
}

/** The unsupported family that a class of diffusers belongs to; null if there is none. */
export const otherClass = (className: string): string | null =>
  OTHERS.find(({ classes }) => classes?.test(className))?.name ?? null;

/** The supported families, in words, for messages about unsupported ones. */
export const SUPPORTED_FAMILIES =
  "Stable Diffusion 1.x, 2.x and XL, Z-Image, FLUX.2 klein, FLUX.1, Chroma, Stable Diffusion 3, Qwen-Image and SANA are supported";
