import { writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { hubSettings } from "../../src/hub/index.js";
import { temporaryFolder } from "../support/folder.js";

const home = path.join(os.homedir(), ".cache");

describe("the cache's folder", () => {
  it.each([
    [{}, path.join(home, "huggingface", "hub")],
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/c" }, "/c"],
    [{ HF_HUB_CACHE: "$PLACE/c", PLACE: "/p" }, "/p/c"],
    [{ HF_HOME: "~/hf" }, path.join(os.homedir(), "hf", "hub")],
    [{ HF_HOME: "" }, path.join(home, "huggingface", "hub")],
  ])("%j", (env, expected) => expect(hubSettings(env).cache).toBe(expected));
});

describe("the token", () => {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "token"), "hf_file\n");
  it.each([
    [{ HF_HOME: "/nowhere" }, null],
    [{ HF_HOME: folder }, "hf_file"],
    [{ HF_TOKEN_PATH: path.join(folder, "token") }, "hf_file"],
    [{ HF_HOME: folder, HF_TOKEN: " hf_env\n" }, "hf_env"],
    [{ HF_HOME: "/nowhere", HUGGING_FACE_HUB_TOKEN: "hf_old" }, "hf_old"],
    [{ HF_HOME: "/nowhere", HF_TOKEN: "hf_new", HUGGING_FACE_HUB_TOKEN: "hf_old" }, "hf_new"],
    [{ HF_TOKEN: "hf_env", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, null],
  ])("%j", (env, expected) => expect(hubSettings(env).token).toBe(expected));

  it("is not shown when it is none", () => {
    expect(() => hubSettings({ HF_TOKEN: "secret\nInjected: yes" })).toThrow(/^(?!.*secret).*HF_TOKEN/);
  });
});

describe("the endpoint and the network", () => {
  it("are the Hub's unless something else is said", () => {
    expect(hubSettings({})).toMatchObject({ endpoint: "https://huggingface.co", offline: false });
    expect(hubSettings({ HF_ENDPOINT: "http://127.0.0.1:1/hub/" }).endpoint).toBe("http://127.0.0.1:1/hub");
    for (const on of ["1", "true", "YES", "On"]) expect(hubSettings({ HF_HUB_OFFLINE: on }).offline).toBe(true);
    expect(hubSettings({ HF_HUB_OFFLINE: "0" }).offline).toBe(false);
    expect(() => hubSettings({ HF_ENDPOINT: "hf-mirror.com" })).toThrow(/HF_ENDPOINT is "hf-mirror.com"/);
  });
});
