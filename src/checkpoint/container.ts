/** Detects the container format of a file from its first bytes, since extensions are unreliable, and names common wrong contents. */
import { FileError } from "../errors.js";
import { type ByteSource, formatBytes } from "../tensor/index.js";

export type Container = "safetensors" | "torch" | "gguf";

const startsWith = (bytes: Uint8Array, word: string): boolean =>
  [...word].every((letter, i) => bytes[i] === letter.charCodeAt(0));

/** Container of a file; null when the first bytes match none. @throws FileError for an empty file, a web page, a JSON message, a Git LFS pointer */
export async function containerOf(source: ByteSource): Promise<Container | null> {
  const { name, size } = source;
  if (size === 0) throw new FileError(name, "is empty: the download went wrong, fetch it again");
  const start = await source.read(0, Math.min(600, size));
  if (startsWith(start, "GGUF")) return "gguf";
  if (startsWith(start, "PK\x03\x04")) return "torch";
  // safetensors: a length of eight bytes, then JSON.
  if (start[8] === 0x7b && start[7] === 0 && start[6] === 0) return "safetensors";
  // PROTO 2 and later: a pickle, by PyTorch before 1.6 or another program.
  if (start[0] === 0x80 && (start[1] ?? 0) >= 2 && (start[1] ?? 9) <= 5) return "torch";
  const impostor = impostorOf(new TextDecoder().decode(start), /\.json$/i.test(name));
  if (impostor) throw new FileError(name, impostor);
  return null;
}

/** Description of content that is often saved as a weight file by mistake; null for any other. */
function impostorOf(start: string, named: boolean): string | null {
  const text = start.trimStart();
  if (/^<(!doctype|html|head|\?xml|!--)/i.test(text))
    return "is a web page, not weights: the download went wrong (a link to a page, or one that asks for a login); fetch the file itself";
  if (text.startsWith("version https://git-lfs")) {
    const size = /^size (\d+)$/m.exec(text)?.[1];
    const whole = size ? ` (the file itself has ${formatBytes(Number(size))})` : "";
    return `is a Git LFS pointer, not weights${whole}: run \`git lfs pull\` in its repository, or fetch the file itself`;
  }
  if (/^[{[]/.test(text)) {
    if (named) return "is a JSON file, not weights; name the folder that it is in";
    const said = /"(?:error|message|detail)"\s*:\s*"([^"]{1,120})/.exec(text)?.[1];
    return `is a JSON text, not weights${said ? `; it says "${said}"` : ""}: the download went wrong, fetch it again`;
  }
  return null;
}
