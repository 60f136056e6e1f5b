/** Tensor names of CLIP text encoders: OpenCLIP → transformers. OpenCLIP fuses the query, key and value projections. */

/** Source of a tensor in a file with other names. */
export interface SourceTensor {
  readonly key: string;
  /** One of several equal parts of the rows, such as the queries of a fused projection: its index, and the number of parts; or some of them from there. */
  readonly share?: readonly [index: number, of: number, parts?: number];
  /** The halves of the rows are in the other order in the file. */
  readonly swapped?: true;
  /** The matrix is transposed. */
  readonly transposed?: true;
}

const LAYER: Readonly<Record<string, string>> = {
  ln_1: "layer_norm1",
  ln_2: "layer_norm2",
  "attn.out_proj": "self_attn.out_proj",
  "mlp.c_fc": "mlp.fc1",
  "mlp.c_proj": "mlp.fc2",
};

/** Names in transformers → sources in OpenCLIP, for the first `layers` layers. Keys outside a text encoder are ignored. */
export function clipNames(keys: readonly string[], layers: number): Map<string, SourceTensor> {
  const found = new Map<string, SourceTensor>();
  const top: Readonly<Record<string, string>> = {
    positional_embedding: "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
  };
  for (const key of keys) {
    const name = top[key];
    if (name) found.set(name, { key });
    if (key === "text_projection") found.set("text_projection.weight", { key, transposed: true });
    const [, layer = "", rest = ""] = /^transformer\.resblocks\.(\d+)\.(.+)$/.exec(key) ?? [];
    if (layer === "" || Number(layer) >= layers) continue;
    const own = `text_model.encoder.layers.${layer}`;
    const fused = /^attn\.in_proj_(weight|bias)$/.exec(rest);
    if (fused) {
      for (const [i, part] of (["q", "k", "v"] as const).entries()) {
        found.set(`${own}.self_attn.${part}_proj.${fused[1]}`, { key, share: [i, 3] });
      }
    }
    const [, name1 = "", end] = /^(.+)\.(weight|bias)$/.exec(rest) ?? [];
    const plain = LAYER[name1];
    if (plain) found.set(`${own}.${plain}.${end}`, { key });
  }
  return found;
}
