import { describe, expect, it } from "vitest";
import { labelOf } from "../../src/files/labels.js";

const label = (key: string, text: string) => labelOf(new Map([[key, text]]));

describe("labelOf", () => {
  it("reads Variegate's own", () => {
    expect(label("variegate", JSON.stringify({ prompt: "a fox", seed: 1 }))).toEqual({
      prompt: "a fox",
      by: "variegate",
    });
  });

  it("reads Automatic1111's, whatever follows, over several lines", () => {
    const parameters = "a fox,\nin snow\nNegative prompt: blurry\nSteps: 20, Sampler: Euler";
    expect(label("parameters", parameters)).toEqual({ prompt: "a fox,\nin snow", by: "automatic1111" });
    expect(label("parameters", "a fox\nSteps: 20, Sampler: Euler")?.prompt).toBe("a fox");
    expect(label("parameters", "only words")?.prompt).toBe("only words");
  });

  it("follows ComfyUI's sampler to the positive text, through links and other nodes, not to the negative one", () => {
    const graph = {
      "3": { class_type: "KSampler", inputs: { positive: ["10", 0], negative: ["7", 0], seed: 1 } },
      "7": { class_type: "CLIPTextEncode", inputs: { text: "blurry", clip: ["4", 1] } },
      "6": { class_type: "CLIPTextEncode", inputs: { text: ["20", 0], clip: ["4", 1] } },
      "10": { class_type: "ControlNetApply", inputs: { conditioning: ["6", 0], strength: 1 } },
      "20": { class_type: "PrimitiveString", inputs: { value: "a fox" } },
    };
    expect(label("prompt", JSON.stringify(graph))).toEqual({ prompt: "a fox", by: "comfyui" });
  });

  it("does not follow a circle for ever", () => {
    const graph = {
      "1": { class_type: "KSampler", inputs: { positive: ["2", 0], negative: ["2", 0] } },
      "2": { class_type: "Combine", inputs: { conditioning: ["2", 0] } },
    };
    expect(label("prompt", JSON.stringify(graph))).toBeNull();
  });

  it("finds nothing where there is no text, or none that is JSON", () => {
    expect(labelOf(new Map())).toBeNull();
    expect(label("variegate", "{")).toBeNull();
    expect(label("prompt", "{")).toBeNull();
  });
});
