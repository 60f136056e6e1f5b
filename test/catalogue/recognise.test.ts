import { describe, expect, it } from "vitest";
import { SHA256 } from "../../src/catalogue/hashes.js";
import { PAIRS } from "../../src/catalogue/index.js";
import { type Evidence, recogniseBase, recognisePair } from "../../src/catalogue/node/index.js";

const evidence = (facts: Partial<Evidence>): Evidence => ({
  ref: "/models/x",
  path: "/models/x",
  family: "sdxl",
  isLora: false,
  guidanceFeatures: null,
  metadata: {},
  sha256: null,
  is: (ref) => ref === (facts.ref ?? "/models/x"),
  ...facts,
});
const recognised = (facts: Partial<Evidence>) => {
  const match = recognisePair(evidence(facts), PAIRS);
  return match && [match.row.name, match.by];
};
const LORA = { isLora: true } as const;

describe("a distilled model is recognised by", () => {
  it.each<[name: string, facts: Partial<Evidence>, pair: string]>([
    ["dmd2_sdxl_4step_lora.safetensors", LORA, "sdxl-dmd2-lora"],
    ["bigmerge_DMD2.safetensors", {}, "sdxl-dmd2"],
    ["dmd2_sdxl_1step_unet.bin", {}, "sdxl-dmd2-1"],
    ["sd_xl_turbo_1.0_fp16.safetensors", {}, "sdxl-turbo"],
    ["dreamshaperXL_lightningDPMSDE.safetensors", {}, "sdxl-lightning-4"],
    ["juggernautXL_v9Rdphoto2Lightning.safetensors", {}, "sdxl-lightning-4"],
    ["SDXL-Lightning-8 steps-LoRA.safetensors", LORA, "sdxl-lightning-8-lora"],
    ["sdxl_lightning_1step_unet_x0.safetensors", {}, "sdxl-lightning-1"],
    ["Hyper-SDXL-1step-Unet.safetensors", {}, "sdxl-hyper-1"],
    ["Hyper-SDXL-1step-lora.safetensors", LORA, "sdxl-hyper-1-lora"],
    ["hyper_sdxl_8step_CFG_lora.safetensors", LORA, "sdxl-hyper-8-cfg"],
    ["Hyper-SDXL-12steps-CFG-lora.safetensors", LORA, "sdxl-hyper-12-cfg"],
    ["Hyper-SD15-2steps-lora.safetensors", { ...LORA, family: "sd1" }, "sd15-hyper-2"],
    ["tcd-sd15.safetensors", { ...LORA, family: "sd1" }, "sd15-tcd"],
    ["pcm_sdxl_normalcfg_8step_converted.safetensors", LORA, "sdxl-pcm-8-cfg"],
    ["pcm_sdxl_smallcfg_2step_converted.safetensors", LORA, "sdxl-pcm-2"],
    ["lcm_lora_sdxl.safetensors", LORA, "sdxl-lcm-lora"],
    ["lcm-ssd-1b.safetensors", { guidanceFeatures: 256 }, "ssd-1b-lcm"],
    ["sd_turbo.safetensors", { family: "sd2" }, "sd-turbo"],
  ])("its name: %s", (name, facts, pair) => {
    expect(recognised({ path: `/models/${name}`, ...facts })).toEqual([pair, "name"]);
  });

  it("the folder's name, where the file's says nothing", () => {
    const facts = { path: "/models/lcm-lora-sdxl/pytorch_lora_weights.safetensors", ...LORA };
    expect(recognised(facts)).toEqual(["sdxl-lcm-lora", "name"]);
    expect(recognised({ path: "/models/sdxl-turbo/unet" })).toEqual(["sdxl-turbo", "name"]);
    expect(recognised({ path: "/lightning/hat.safetensors", ...LORA })).toBeNull();
  });

  it("its reference, of several rows the first", () => {
    expect(recognised({ ref: "embedded:distilled" })).toEqual(["embedded", "reference"]);
    expect(recognised({ ref: "embedded:adapters/distilled.safetensors", ...LORA })).toEqual([
      "embedded-lora",
      "reference",
    ]);
    expect(recognised({ ref: "ByteDance/Hyper-SD/Hyper-SDXL-1step-lora.safetensors", ...LORA })).toEqual([
      "sdxl-hyper-1-lora",
      "reference",
    ]);
  });

  it("its repository on the Hub, also from a path in the cache", () => {
    expect(recognised({ ref: "stabilityai/sdxl-turbo", path: "/cache/x" })).toEqual(["sdxl-turbo", "repository"]);
    const commit = "0".repeat(40);
    const path = `/hub/models--tianweiy--DMD2/snapshots/${commit}/dmd2_sdxl_1step_unet_fp16.bin`;
    expect(recognised({ path })).toEqual(["sdxl-dmd2-1", "repository"]);
  });

  it("its hash, whatever its name", () => {
    const sha256 = "a764e6859b6e04047cd761c08ff0cee96413a8e004c9f07707530cd776b19141";
    expect(recognised({ path: "/models/turbo.safetensors", sha256, ...LORA })).toEqual(["sdxl-lcm-lora", "hash"]);
  });

  it("its metadata", () => {
    const metadata = { ss_output_name: "my_dmd2_4step" };
    expect(recognised({ path: "/models/a.safetensors", metadata, ...LORA })).toEqual(["sdxl-dmd2-lora", "metadata"]);
  });

  it("a guidance embedding in its config, which other models do not have", () => {
    expect(recognised({ guidanceFeatures: 256 })).toEqual(["sdxl-lcm", "config"]);
    expect(recognised({ guidanceFeatures: 256, family: "sd1" })).toEqual(["sd15-lcm", "config"]);
    expect(recognised({ guidanceFeatures: 64 })).toEqual(["embedded-lcm", "config"]);
    expect(recognised({ guidanceFeatures: 100 })).toBeNull();
    expect(recognised({ guidanceFeatures: 256, path: "/models/turbo" })).toEqual(["sdxl-lcm", "config"]);
  });
});

describe("a model is not recognised", () => {
  it.each(["hyperrealism_v2", "lcmodel", "turbovision", "4steps", "final", "flashlight"])(
    "by a part of a word: %s",
    (name) => {
      expect(recognised({ path: `/models/${name}.safetensors` })).toBeNull();
    },
  );

  it("as one of another family", () => {
    expect(recognised({ path: "/models/lightning.safetensors", family: "sd1" })).toBeNull();
  });
});

it("a base is recognised by its reference alone", () => {
  const match = recogniseBase(evidence({ ref: "segmind/SSD-1B" }), PAIRS);
  expect(match).toMatchObject({ row: { sampling: { base: { steps: 50, guidance: 9 } } }, by: "reference" });
  expect(recogniseBase(evidence({ ref: "/somewhere/SSD-1B" }), PAIRS)).toBeNull();
});

it("a hash is that of one file, and all that are listed belong to a row", () => {
  const hashes = PAIRS.flatMap((row) => row.sha256.map((hash) => [hash, row.distilled] as const));
  for (const [hash, ref] of hashes) {
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes.filter(([h]) => h === hash).every(([, r]) => r === ref)).toBe(true);
  }
  expect(new Set(hashes.map(([, ref]) => ref))).toEqual(new Set(Object.keys(SHA256)));
});
