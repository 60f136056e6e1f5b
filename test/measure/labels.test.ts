import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { labelOf, textChunks } from "../../src/measure/labels.js";

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

function chunk(kind: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, Buffer.from(kind, "latin1"), body, Buffer.alloc(4)]);
}
const text = (key: string, value: string) => chunk("tEXt", Buffer.from(`${key}\0${value}`, "latin1"));
const label = (...chunks: Buffer[]) =>
  labelOf(textChunks(Buffer.concat([SIGNATURE, chunk("IHDR", Buffer.alloc(13)), ...chunks])));

describe("prompts in PNG files", () => {
  it("reads Variegate's own", () => {
    expect(label(text("variegate", JSON.stringify({ prompt: "a fox", seed: 1 })))).toEqual({
      prompt: "a fox",
      by: "variegate",
    });
  });

  it("reads Automatic1111's, whatever follows, over several lines", () => {
    const parameters = "a fox,\nin snow\nNegative prompt: blurry\nSteps: 20, Sampler: Euler";
    expect(label(text("parameters", parameters))).toEqual({ prompt: "a fox,\nin snow", by: "automatic1111" });
    expect(label(text("parameters", "a fox\nSteps: 20, Sampler: Euler"))?.prompt).toBe("a fox");
    expect(label(text("parameters", "only words"))?.prompt).toBe("only words");
  });

  it("follows ComfyUI's sampler to the positive text, through links and other nodes, not to the negative one", () => {
    const graph = {
      "3": { class_type: "KSampler", inputs: { positive: ["10", 0], negative: ["7", 0], seed: 1 } },
      "7": { class_type: "CLIPTextEncode", inputs: { text: "blurry", clip: ["4", 1] } },
      "6": { class_type: "CLIPTextEncode", inputs: { text: ["20", 0], clip: ["4", 1] } },
      "10": { class_type: "ControlNetApply", inputs: { conditioning: ["6", 0], strength: 1 } },
      "20": { class_type: "PrimitiveString", inputs: { value: "a fox" } },
    };
    expect(label(text("prompt", JSON.stringify(graph)))).toEqual({ prompt: "a fox", by: "comfyui" });
  });

  it("does not follow a circle for ever", () => {
    const graph = {
      "1": { class_type: "KSampler", inputs: { positive: ["2", 0], negative: ["2", 0] } },
      "2": { class_type: "Combine", inputs: { conditioning: ["2", 0] } },
    };
    expect(label(text("prompt", JSON.stringify(graph)))).toBeNull();
  });

  it("unpacks compressed and international text, and stops at a bomb", () => {
    const packed = Buffer.concat([
      Buffer.from("parameters\0\0", "latin1"),
      deflateSync(Buffer.from("a fox\nSteps: 1")),
    ]);
    expect(label(chunk("zTXt", packed))?.prompt).toBe("a fox");
    const international = Buffer.concat([
      Buffer.from("parameters\0\0\0en\0\0", "latin1"),
      Buffer.from("ein Füchslein", "utf8"),
    ]);
    expect(label(chunk("iTXt", international))?.prompt).toBe("ein Füchslein");
    const bomb = Buffer.concat([Buffer.from("parameters\0\0", "latin1"), deflateSync(Buffer.alloc(50_000_000))]);
    expect(label(chunk("zTXt", bomb))).toBeNull();
  });

  it("finds nothing in other files, in text that is no JSON, and in one cut short", () => {
    expect(textChunks(Buffer.from("GIF89a and more")).size).toBe(0);
    expect(label(text("variegate", "{"))).toBeNull();
    const whole = Buffer.concat([SIGNATURE, text("parameters", "a fox")]);
    expect(textChunks(whole.subarray(0, whole.length - 6)).size).toBe(0);
  });
});
