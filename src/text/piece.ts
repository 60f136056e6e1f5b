/** Pieces of a prompt, as all syntaxes give them: text and textual inversions with weights (1 without markup), and breaks. */
export type Piece =
  | { readonly kind: "text"; readonly text: string; readonly weight: number }
  /** A textual inversion, by the name of its file without extension, or by its token. */
  | { readonly kind: "embedding"; readonly name: string; readonly weight: number }
  /** The text that follows begins a new chunk. */
  | { readonly kind: "break" };
