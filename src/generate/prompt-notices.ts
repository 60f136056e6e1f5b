/** Sentences about prompts: markup that is read as text, words that the model does not know, and textual inversions that no prompt has. */
import type { PromptSyntax } from "../text/index.js";
import type { Pair } from "./pair.js";
import type { GenerateRequest } from "./request.js";

/** A kind of markup, the syntaxes that read it, and what to do instead. Text where brackets are only brackets does not match. */
interface Markup {
  readonly pattern: RegExp;
  readonly readBy: readonly PromptSyntax[];
  /** @param found the first match, as written */
  readonly instead: (found: string) => string;
}

const NUMBER = "[+-]?(?:\\d+\\.?\\d*|\\.\\d+)";

const MARKUP: readonly Markup[] = [
  {
    pattern: /<(?:lora|lyco):[^>]+>/g,
    readBy: ["a1111"],
    instead: (found) =>
      `a LoRA is named with --lora ${found.slice(found.indexOf(":") + 1, -1)}, or --prompt-syntax a1111`,
  },
  {
    // (word:1.3), but not (16:9); ((word)); brackets that are escaped.
    pattern: new RegExp(`\\([^()]*(?<!\\d):\\s*${NUMBER}\\s*\\)|\\({2,}[^()]*\\){2,}|\\\\[()]`, "g"),
    readBy: ["a1111", "comfy"],
    instead: () => "weights and escapes are read with --prompt-syntax a1111 or comfy",
  },
  {
    pattern: new RegExp(`\\[{2,}[^[\\]]*\\]{2,}|\\[[^[\\]]*:\\s*${NUMBER}\\s*\\]|\\\\[[\\]]`, "g"),
    readBy: ["a1111"],
    instead: () => "square brackets are read with --prompt-syntax a1111",
  },
  {
    pattern: /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/gu,
    readBy: ["a1111"],
    instead: () => "it begins a new part of the prompt with --prompt-syntax a1111",
  },
  {
    pattern: /(?<![^\s(,])embedding:[^\s,()]+/g,
    readBy: ["comfy"],
    instead: () => "a textual inversion is named with --embedding, and by this in a prompt with --prompt-syntax comfy",
  },
];

/** Examples of a kind that one sentence shows. */
const SHOWN = 3;

/** Markup of other syntaxes in the prompts and the negative prompt, one sentence a kind. */
export function unreadMarkup({ prompts, negative = "", promptSyntax = "plain" }: GenerateRequest): string[] {
  // A prompt in capitals has BREAK as a word.
  const texts = [...prompts, negative].filter((text) => text !== text.toUpperCase());
  const kinds = MARKUP.filter(({ readBy }) => !readBy.includes(promptSyntax));
  return kinds.flatMap(({ pattern, instead }) => {
    const found = [...new Set(texts.flatMap((text) => text.match(pattern) ?? []))];
    const [first] = found;
    if (first === undefined) return [];
    const shown = `${found.slice(0, SHOWN).join(", ")}${found.length > SHOWN ? ", …" : ""}`;
    return [`${shown} ${found.length > 1 ? "are" : "is"} read as text here; ${instead(first)}`];
  });
}

/** Markup that contains no words of the prompt. */
const NO_WORDS = /<\w+:[^>]+>|\bBREAK\b|\bembedding:[^\s,()]+/g;

/** Words that a small vocabulary does not have, for models made from a fixed list of words. */
export function unknownWords(
  { text }: Pick<Pair, "text">,
  { prompts, negative = "", promptSyntax = "plain" }: GenerateRequest,
): string[] {
  const texts = [...prompts, negative].map((prompt) => prompt.replace(NO_WORDS, " "));
  const words = [...new Set(texts.flatMap((prompt) => text.unknownWords(prompt, promptSyntax)))];
  if (words.length === 0) return [];
  const shown = words.map((word) => JSON.stringify(word)).join(", ");
  const it = words.length > 1 ? "words" : "a word";
  return [`${shown}: ${it} that this model was not trained on; its prompts use a small vocabulary`];
}

/** Textual inversions whose tokens no prompt has. */
export function unnamedInversions(
  { text }: Pick<Pair, "text">,
  { prompts, negative = "", promptSyntax = "plain" }: GenerateRequest,
): string[] {
  const unused = text.unusedInversions([...prompts, negative], promptSyntax);
  return unused.map(
    ({ name, tokens }) => `the embedding ${name} has no effect: no prompt has its token (${tokens.join(" or ")})`,
  );
}
