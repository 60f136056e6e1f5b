import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { z } from "zod";
import { inBrowser } from "../support/browser.js";
import { studioForTests } from "../support/studio.js";
import { dropFile, openStudioPage } from "../support/studio-page.js";

const client = studioForTests();

const image = z.object({ id: z.string(), seed: z.number(), favourite: z.boolean() });
const favourites = async () =>
  z.object({ images: z.array(image) }).parse((await client.send("GET", "api/favourites")).body).images;

const images = (page: Page) => page.getByRole("list", { name: "Images", exact: true });
const switchOf = (page: Page) => page.getByRole("slider", { name: "Switch", exact: true });

/** Addresses of the pictures of the grid, once all are saved images. */
async function saved(page: Page, count: number): Promise<string[]> {
  const pictures = images(page).locator("img[src^='/api/images/']");
  await expect.poll(() => pictures.count(), { timeout: 240_000 }).toBe(count);
  return pictures.evaluateAll((all) => all.map((picture) => picture.getAttribute("src") ?? ""));
}

/** Runs with these settings and no sliders, which the test before may have left, and waits until the grid is whole. */
async function generate(page: Page, prompt: string, seeds: number): Promise<void> {
  const removal = page.getByRole("region", { name: "Sliders" }).getByRole("button", { name: /^Remove / });
  await page.waitForLoadState("networkidle");
  while ((await removal.count()) > 0) await removal.first().click();
  await page.getByRole("spinbutton", { name: "Seeds", exact: true }).fill(String(seeds));
  await page.getByRole("textbox", { name: "Prompt", exact: true }).fill(prompt);
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await saved(page, seeds);
}

const slider = fileURLToPath(new URL("../../embedded/sliders/smile.base.safetensors", import.meta.url));

const addSlider = async (page: Page, name: string): Promise<void> => {
  await page.getByRole("combobox", { name: "Add a slider" }).selectOption({ label: name });
  await page.getByRole("slider", { name, exact: true }).waitFor();
};

const faults = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
});

/** Nothing that axe-core finds. */
async function check(page: Page, state: string): Promise<void> {
  // Evaluated past the policy of the page, which allows no foreign script.
  await page.evaluate(axe.source);
  const { violations } = faults.parse(await page.evaluate("axe.run()"));
  expect(
    violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)),
    state,
  ).toEqual([]);
}

describe("the page of the studio", () => {
  inBrowser(
    "generates, switches, favours, undoes and comes back as it was, by the keyboard alone",
    async (browser) => {
      const { page, tabTo, origins, complaints } = await openStudioPage(browser, client.url());
      const seeds = page.getByRole("spinbutton", { name: "Seeds", exact: true });
      await tabTo(seeds);
      await page.keyboard.press("Control+A");
      await page.keyboard.type("3");
      await tabTo(page.getByRole("textbox", { name: "Prompt", exact: true }));
      await page.keyboard.type("a cartoon character with one eye");
      await page.keyboard.press("Enter");
      const first = await saved(page, 3);
      const items = images(page).getByRole("listitem");
      expect(await items.count()).toBe(3);
      for (const seed of [0, 1, 2]) {
        expect(
          await images(page)
            .getByRole("listitem", { name: `seed ${seed}`, exact: true })
            .count(),
        ).toBe(1);
      }

      // 2 sets the switch wherever no text is typed; only the images follow.
      await tabTo(images(page).getByRole("button", { name: "seed 0" }));
      await page.keyboard.press("2");
      await expect.poll(() => switchOf(page).inputValue()).toBe("2");
      await expect
        .poll(async () => (await saved(page, 3)).some((src) => first.includes(src)), { timeout: 240_000 })
        .toBe(false);
      const second = await saved(page, 3);
      const rows = page.getByRole("list", { name: "Plan" }).getByRole("button");
      expect(await rows.evaluateAll((all) => all.map((row) => row.getAttribute("aria-label")))).toEqual([
        "row 1, timestep 999: base",
        "row 2, timestep 749: base",
        "row 3, timestep 499: distilled",
        "row 4, timestep 249: distilled",
      ]);

      await page.keyboard.press("ArrowRight");
      await page.keyboard.press(" ");
      await images(page).getByRole("button", { name: "seed 1, favourite" }).waitFor();
      expect((await favourites()).map(({ seed }) => seed)).toEqual([1]);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Look inside seed 1" }).waitFor();
      expect(await page.getByRole("list", { name: "x0 of seed 1" }).getByRole("img").count()).toBe(4);

      await page.keyboard.press("Control+z");
      await expect.poll(() => switchOf(page).inputValue()).toBe("1");
      await expect
        .poll(async () => (await saved(page, 3)).some((src) => second.includes(src)), { timeout: 240_000 })
        .toBe(false);
      await page.waitForLoadState("networkidle");

      await page.reload();
      expect(await saved(page, 3)).toHaveLength(3);
      // The bars of an image of the history are the rows of the plan.
      await expect.poll(() => page.locator(".steps .base").count()).toBe(3);
      expect(await page.locator(".steps .distilled").count()).toBe(9);
      expect(await page.getByRole("textbox", { name: "Prompt", exact: true }).inputValue()).toBe(
        "a cartoon character with one eye",
      );
      expect([...origins]).toEqual([new URL(client.url()).origin]);
      expect(complaints).toEqual([]);
    },
    120_000,
  );

  inBrowser(
    "shows the run that goes on after a reload, and goes on with it",
    async (browser) => {
      const { page, complaints } = await openStudioPage(browser, client.url());
      await generate(page, "a cartoon character that was there before", 2);
      const prompt = page.getByRole("textbox", { name: "Prompt", exact: true });
      const stop = page.getByRole("button", { name: "Stop", exact: true });
      const newest = async () => {
        const { body } = await client.send("GET", "api/runs?limit=2");
        return z
          .object({ runs: z.array(z.object({ id: z.string(), state: z.string(), client: z.string() })) })
          .parse(body).runs;
      };
      await page.getByRole("spinbutton", { name: "Seeds", exact: true }).fill("64");
      await prompt.fill("a cartoon character that is being made");
      await prompt.press("Enter");
      await expect.poll(async () => (await newest())[0]?.state, { timeout: 60_000 }).toBe("running");
      const [going] = await newest();

      await page.reload();
      await expect.poll(() => prompt.inputValue()).toBe("a cartoon character that is being made");
      await expect.poll(() => images(page).getByRole("listitem").count()).toBe(64);
      expect(await stop.isEnabled()).toBe(true);
      // Its first x0 of before the reload.
      await images(page).locator("img[src^='data:']").first().waitFor();
      expect((await newest())[0]).toEqual({ ...going, state: "running" });

      // The page is the client that it was: its next run supersedes this one.
      await switchOf(page).press("ArrowRight");
      await expect.poll(async () => (await newest())[0]?.id).not.toBe(going?.id);
      await page.reload();
      await expect.poll(() => switchOf(page).inputValue()).toBe("2");
      await saved(page, 64);
      await expect.poll(() => stop.isDisabled()).toBe(true);
      expect((await newest())[0]).toMatchObject({ state: "done", client: going?.client });
      // Removed by the page where it saw its own run end.
      const { status, body } = await client.send("GET", `api/runs/${going?.id}`);
      if (status !== 404) expect(body).toMatchObject({ state: "superseded" });
      expect(complaints).toEqual([]);
    },
    180_000,
  );

  inBrowser(
    "has no fault that axe-core finds, in both themes, empty and with images, a dialog and a trace",
    async (browser) => {
      const { page, complaints } = await openStudioPage(browser, client.url());
      const checkBoth = async (state: string) => {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await check(page, `${colorScheme}, ${state}`);
        }
      };
      await page.getByRole("heading", { name: "Hand-off" }).waitFor();
      await checkBoth("first");
      await generate(page, "a cartoon character", 2);
      await images(page).getByRole("button").first().press("Enter");
      await page.getByRole("combobox", { name: "Beside" }).selectOption("seed 1");
      await page.getByRole("img", { name: "first step of seed 1" }).waitFor();
      await page.getByRole("img", { name: /^Commit curve/ }).waitFor();
      await page.getByRole("button", { name: "Compare two" }).click();
      await page.getByRole("list", { name: "Images to compare" }).getByRole("button").first().click();
      await addSlider(page, "smile.base");
      await saved(page, 2);
      const beside = page.getByRole("checkbox", { name: "Beside base and distilled" });
      await beside.check();
      await checkBoth("images");
      await beside.uncheck();
      await page.getByRole("button", { name: "library code" }).click();
      await checkBoth("text");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Change" }).click();
      await page.getByRole("button", { name: "sdxl-dmd2", exact: true }).waitFor();
      await checkBoth("models");
      expect(complaints).toEqual([]);
    },
    180_000,
  );

  inBrowser(
    "makes sliders of files that are dropped, says why it refuses one, and takes back a PNG of its own",
    async (browser) => {
      const { page, complaints } = await openStudioPage(browser, client.url());
      await generate(page, "a cartoon character with horns", 2);
      const before = await saved(page, 2);
      const [own = ""] = before;
      const alert = page.getByRole("alert");

      // A pickle that would run a command, named as a LoRA.
      await dropFile(page, "grin.safetensors", Buffer.from("cos\nsystem\n(S'touch /tmp/owned'\ntR."));
      await expect.poll(() => alert.textContent(), { timeout: 240_000 }).toMatch(/grin\.safetensors/);
      await dropFile(page, "image.png", Buffer.from("not a PNG"));
      await expect.poll(() => alert.textContent(), { timeout: 240_000 }).not.toMatch(/grin\.safetensors/);
      expect(await page.getByRole("slider", { name: "grin" }).count()).toBe(0);

      await dropFile(page, "grin.safetensors", readFileSync(slider));
      const grin = page.getByRole("slider", { name: "grin", exact: true });
      await grin.waitFor({ timeout: 240_000 });
      await expect
        .poll(async () => (await saved(page, 2)).some((src) => before.includes(src)), { timeout: 240_000 })
        .toBe(false);
      await grin.press("End");
      await expect.poll(() => grin.inputValue()).toBe("3");

      const { body } = await client.send("GET", own);
      await dropFile(page, "0.png", z.instanceof(Buffer).parse(body));
      await grin.waitFor({ state: "detached", timeout: 240_000 });
      await saved(page, 2);
      expect(complaints).toEqual([]);
    },
    120_000,
  );

  inBrowser(
    "chooses seeds, takes the calibrated setting, measures beside base and distilled, and compares two images of the history",
    async (browser) => {
      const { page, complaints } = await openStudioPage(browser, client.url());
      await generate(page, "a cartoon character with antennae", 2);
      const seeds = () =>
        images(page)
          .getByRole("listitem")
          .evaluateAll((all) => all.map((item) => item.getAttribute("aria-label")));
      await page.getByRole("spinbutton", { name: "Keep", exact: true }).fill("3");
      await page.getByRole("spinbutton", { name: "Previews", exact: true }).fill("6");
      await page.getByRole("button", { name: "Choose", exact: true }).click();
      await expect.poll(async () => (await seeds()).length, { timeout: 240_000 }).toBe(3);
      await saved(page, 3);
      const request = {
        prompts: ["a cartoon character with antennae"],
        seeds: [0, 1, 2, 3, 4, 5],
        choose: { keep: 3, of: 6 },
        chooseFit: 0.1,
      };
      const { body } = await client.send("POST", "api/runs", request);
      const { id } = z.object({ id: z.string() }).parse(body);
      const chosen = (await client.events(id, { until: "chosen" })).at(-1)?.data;
      expect(chosen).toMatchObject({ of: 6 });
      expect(await seeds()).toEqual(
        z
          .array(z.number())
          .parse(chosen?.["seeds"])
          .map((seed) => `seed ${seed}`),
      );

      await page.getByRole("button", { name: "Auto", exact: true }).click();
      await page.getByText(/^the default; variegate calibrate/).waitFor();
      expect(await switchOf(page).inputValue()).toBe("1");
      await page.keyboard.press("2");
      expect(await page.getByRole("button", { name: "Auto", pressed: true }).count()).toBe(0);
      await saved(page, 3);

      await page.getByRole("checkbox", { name: "Beside base and distilled" }).check();
      const measured = page.getByRole("img", { name: /^Diversity: base 0\.\d+, distilled 0\.\d+, grid 0\.\d+$/ });
      await measured.waitFor({ timeout: 240_000 });
      expect(await page.getByText(/(base|distilled) \d\.\d+, interval from 5 images on/).count()).toBe(2);

      await page.getByRole("button", { name: "Compare two" }).click();
      const picks = page.getByRole("list", { name: "Images to compare" }).getByRole("button");
      await picks.nth(0).click();
      await picks.nth(1).click();
      expect(await page.getByRole("list", { name: "Compared" }).getByRole("img").count()).toBe(2);
      const rows = page.getByRole("region", { name: "Compare" }).getByRole("row");
      expect(await rows.allTextContents()).toEqual([expect.stringMatching(/^seed\s*\d\s*\d$/)]);
      expect(complaints).toEqual([]);
    },
    120_000,
  );

  inBrowser(
    "fits a phone, and moves nothing where that is not wanted",
    async (browser) => {
      const { page } = await openStudioPage(browser, client.url(), {
        width: 390,
        height: 844,
        reducedMotion: "reduce",
      });
      await generate(page, "a cartoon character wearing a crown", 6);
      const look = page.getByRole("heading", { name: "Look inside seed 0" });
      await images(page).getByRole("button").first().click();
      // Below the grid, which is higher than the window.
      await expect.poll(async () => ((await look.boundingBox())?.y ?? 844) < 200).toBe(true);
      await addSlider(page, "smile.base");
      await saved(page, 6);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
      expect(overflow).toBeLessThanOrEqual(0);
      const moving = await page.evaluate(
        `[...document.querySelectorAll("*")].filter((e) => getComputedStyle(e).transitionDuration !== "0s").length`,
      );
      expect(moving).toBe(0);
    },
    120_000,
  );
});
