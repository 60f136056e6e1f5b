/** The command line: reads the words, hands them to a command, and turns what goes wrong into a line and an exit code. */
import { Command, CommanderError, Option } from "commander";
import { DIALECTS, LARGEST_RANK } from "../adapters/index.js";
import { VariegateError } from "../errors.js";
import { PAPER } from "../experiments/index.js";
import { versions } from "../inspect/index.js";
import { PREVIEWS } from "../trajectory/index.js";
import type { PullOptions } from "./hub.js";
import { interrupted, listenForInterrupt } from "./interrupt.js";
import {
  collectControls,
  collectTexts,
  type ExperimentWords,
  type ExtractOptions,
  experimentOf,
  measureOf,
  modelsOf,
  type Options,
  placesOf,
  requestOf,
  slideOf,
  traceOf,
  withCompute,
  withDevice,
  withLibraries,
  withMode,
  withModels,
  withOutput,
  withPairs,
  withPictures,
  withSampling,
  withTalk,
  withVariant,
} from "./options.js";
import { openTerminal } from "./terminal.js";
import { modes, real, scales, whole } from "./values.js";

listenForInterrupt();
// Whoever reads our output may stop reading, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const example = (...lines: string[]) => `Example:\n${lines.map((l) => `  ${l}`).join("\n")}\n\n`;

const program = new Command("variegate")
  .description("Variety and control for few-step text-to-image models.")
  .version(versions().variegate)
  .addHelpText(
    "before",
    example("variegate compare", 'variegate generate "a cartoon character wearing a crown" --seeds 0-7'),
  )
  .exitOverride()
  .showSuggestionAfterError()
  .configureOutput({ outputError: () => {} });

withOutput(withPictures(withSampling(withModels(program.command("compare")))))
  .description("base, distilled and hybrid side by side: contact sheet, diversity, adherence, time")
  .argument("[prompts...]", "what to paint (default: the pair's own)")
  .option("--clip <ref>", "a CLIPModel folder that measures the pictures (default: the pair's own)")
  .addHelpText("before", example('variegate compare "a cartoon character with one eye" --seeds 0-7'))
  .action(async (prompts: string[], o: Options) => {
    const { runCompare } = await import("./compare.js");
    await runCompare(
      openTerminal(o),
      { ...modelsOf(o), ...(o.clip && { clip: o.clip }) },
      requestOf(o, prompts),
      o,
      interrupted,
    );
  });

withOutput(withMode(withPictures(withSampling(withModels(program.command("generate"))))))
  .description("pictures")
  .argument("<prompts...>", "what to paint")
  .option("--save-latents", "x_t and x0 of every step beside each picture")
  .option("--resume", "go on with the run in --out")
  .addHelpText("before", example('variegate generate "a cartoon character wearing a crown" --seeds 0-3 --out crowns'))
  .action(async (prompts: string[], o: Options) => {
    const { runGenerate } = await import("./generate.js");
    await runGenerate(openTerminal(o), modelsOf(o), requestOf(o, prompts), o, interrupted);
  });

withTalk(withMode(withPictures(withSampling(withModels(program.command("plan"))))))
  .description("prints the rows that generate would run, without loading a model")
  .argument("[prompts...]", "what the script of --as diffusers paints (default: the pair's own)")
  .addOption(
    new Option("--as <form>", "a table, or a Python script that does the same with diffusers")
      .choices(["table", "diffusers"])
      .default("table"),
  )
  .addHelpText(
    "before",
    example("variegate plan --mode hybrid --switch 1", "variegate plan --pair sdxl-dmd2 --as diffusers > varied.py"),
  )
  .action(async (prompts: string[], o: Options) => {
    const { runPlan } = await import("./inspect.js");
    await runPlan(openTerminal(o), modelsOf(o), requestOf(o, prompts), o.as ?? "table");
  });

withOutput(withPictures(withSampling(withModels(program.command("trace")))))
  .description("x0 at every step of each model: when a run decides, and which model decided what")
  .argument("<prompt>", "what to paint")
  .option("--mode <list>", "which modes, such as base,hybrid (default: all that the models allow)", modes)
  .option("--full-steps <n>", "steps of the base when it paints alone (default: the pair's)", whole(1))
  .addOption(
    new Option("--preview <kind>", "how latents are shown: the whole decoder, a TAESD, or a straight line to colours")
      .choices(PREVIEWS)
      .default("vae"),
  )
  .option("--taesd <ref>", "a TAESD folder, for --preview taesd")
  .option(
    "--watch <phrase>",
    "mark where this is seen and dropped (repeatable)",
    (phrase: string, all: string[] = []) => [...all, phrase],
  )
  .option("--no-causal", "leave out the runs that give single rows to the base")
  .option("--clip <ref>", "a CLIPModel folder to look with (default: the pair's own)")
  .option("--resume", "go on with the trace in --out")
  .addHelpText(
    "before",
    example('variegate trace "a cartoon character with one eye" --seeds 0-7 --watch "a top hat" --out traced'),
  )
  .action(async (prompt: string, o: Options) => {
    const { runTrace } = await import("./trace.js");
    await runTrace(openTerminal(o), modelsOf(o), traceOf(o, prompt), o, interrupted);
  });

withOutput(withLibraries(withDevice(program.command("measure"))))
  .description("diversity, adherence and fidelity of folders of pictures, whoever made them")
  .argument("<folders...>", "folders of pictures; several are set side by side")
  .option("--reference <dir>", "pictures to compare with: precision, recall, density, coverage; FID and KID")
  .option("--prompts <file>", "a .csv, .json or .txt that says which picture belongs to which prompt")
  .option("--clip <ref>", "a CLIPModel folder (default: the embedded one)")
  .option("--dino <ref>", "a ViTModel or Dinov2Model folder, or a file of DINO's own weights")
  .option("--dreamsim <ref>", "DreamSim: the folder of its release, or merged weights")
  .option("--lpips <trunk,heads>", "LPIPS: torchvision's AlexNet or VGG-16 and the package's alex.pth or vgg.pth")
  .option("--inception <file>", "pt_inception-2015-12-05, the Inception-v3 of FID")
  .option("--attributes <file>", "attributes of the pictures' world, for semantic variety")
  .option("--neighbours <k>", "neighbours of precision, recall, density and coverage (default: 5)", whole(1))
  .option("--skip-bad", "leave out pictures that cannot be read or have another size")
  .addHelpText("before", example("variegate measure out/crowns --reference out/base"))
  .action(async (folders: string[], o: Options) => {
    const { runMeasure } = await import("./measure.js");
    await runMeasure(openTerminal(o), measureOf(o, folders), modelsOf(o), o, interrupted);
  });

withOutput(withPictures(withSampling(withModels(program.command("slide")))))
  .description("one prompt along a slider's scales, on base, distilled and hybrid")
  .argument("<prompt>", "what to paint")
  .requiredOption("--slider <file>", "a slider or LoRA, trained on either model")
  .option("--scales <list>", "such as -2..2:5 (from, to, how many) or 0,0.5,1 (default: -2..2:5)", scales)
  .option("--mode <list>", "which modes, such as base,hybrid (default: all that the models allow)", modes)
  .option("--concept <text>", "what the slider is for, in words: likeness to it is measured")
  .option("--clip <ref>", "a CLIPModel folder to measure with (default: the pair's own)")
  .addHelpText(
    "before",
    example(
      'variegate slide "a cartoon character" --slider embedded:sliders/smile.base.safetensors --concept "a smiling cartoon character"',
    ),
  )
  .action(async (prompt: string, o: Options) => {
    const { runSlide } = await import("./slide.js");
    await runSlide(openTerminal(o), modelsOf(o), slideOf(o, prompt), { ...o, slider: o.slider ?? "" }, interrupted);
  });

withOutput(withLibraries(withDevice(program.command("experiment"))))
  .description("tables and figures of the paper on your models, or an experiment of your own")
  .argument("<name>", `${PAPER.join(", ")}, all, or run`)
  .argument("[file]", "with run: a .json file that says what to paint and to measure")
  .option("--pair <name>", "a named pair, as `models list` shows them (default: embedded)")
  .addOption(withPairs())
  .option("--base <ref>", "the base model: a diffusers folder, one file, or a Hub id (owner/name)")
  .option(
    "--distilled <ref>",
    "the distilled model: a folder with unet/, a UNet folder or file, or a LoRA, here or on the Hub",
  )
  .addOption(withVariant())
  .addOption(withCompute())
  .option(
    "--prompts <file>",
    "a .csv such as coco_30k.csv (prompt, evaluation_seed) or a .txt (default: the pair's own)",
  )
  .option("--images <n>", "pictures of every row (default: 128 to 2048, see docs/results.md)", whole(2))
  .option("--slider <file:scale=concept>", "table1: an adapter and what it is for (repeatable)", collectControls)
  .option("--reference <ref>", "real pictures, a folder, for FID, precision and recall (default: the pair's own)")
  .option("--clip <ref>", "a CLIPModel folder that measures (default: the pair's own)")
  .option("--dreamsim <ref>", "DreamSim, for its distance")
  .option("--inception <file>", "pt_inception-2015-12-05, for FID and the Inception score")
  .option(
    "--workers <n>",
    "processes that paint at the same time; times are taken with one only (default: 1)",
    whole(1, 64),
  )
  .option("--dry-run", "say how many pictures and calls it would be, and how long")
  .option("--resume", "go on with the experiment in --out; what is the same is not painted again")
  .addHelpText(
    "before",
    example("variegate experiment table3 --images 128", "variegate experiment all --images 64 --workers 2"),
  )
  .action(async (name: string, file: string | undefined, o: Options & ExperimentWords) => {
    const { runExperiment } = await import("./experiment.js");
    await runExperiment(
      openTerminal(o),
      [name, file],
      experimentOf(o),
      { ...o, ...(o.slider && { sliders: o.slider }) },
      interrupted,
    );
  });

const models = program.command("models").description("what is there and whether it can be used");

withTalk(withLibraries(models.command("list")))
  .description(
    "the named pairs: what --pair takes; or what is in ComfyUI's and A1111's folders, or was fetched from the Hub",
  )
  .addOption(withPairs())
  .option("--cached", "the Hub's cache on this machine: repositories, revisions, sizes, last use")
  .addHelpText(
    "before",
    example("variegate models list", "variegate models list --cached", "variegate models list --comfy ~/ComfyUI"),
  )
  .action(async (o: Options & { cached?: boolean }, command: Command) => {
    // What the environment names serves every command; only who asks for it here wants its list.
    const asked = ["comfy", "a1111"].some((option) => command.getOptionValueSource(option) === "cli");
    const { libraries } = asked ? placesOf(o) : {};
    if (o.cached) {
      const { runCached } = await import("./hub.js");
      await runCached(openTerminal(o));
    } else if (libraries) {
      const { runLibrary } = await import("./library.js");
      await runLibrary(openTerminal(o), libraries);
    } else {
      const { runList } = await import("./inspect.js");
      await runList(openTerminal(o), o.pairs);
    }
  });

withTalk(withLibraries(models.command("check")))
  .description("what a model or adapter is and why we think so, what is missing, what goes with it; nothing is loaded")
  .argument(
    "<ref>",
    "a diffusers folder, one network's folder, a file of weights, an adapter, a Hub id, a name in --comfy",
  )
  .option("--lora <file>", "an adapter: does it fit this model? (repeatable)", collectTexts)
  .option("--base <ref>", "a model: does this adapter fit it?")
  .addHelpText(
    "before",
    example("variegate models check embedded:base", "variegate models check smile.base --base embedded:base"),
  )
  .action(async (ref: string, o: Omit<Options, "lora"> & { readonly lora?: readonly string[] }) => {
    const { runCheck } = await import("./check.js");
    const asked = { ...(o.lora && { adapters: o.lora }), ...(o.base !== undefined && { base: o.base }) };
    await runCheck(openTerminal(o), ref, { ...placesOf(o), ...asked });
  });

withTalk(models.command("pull"))
  .description("fetches a model from the Hub, only what is needed of it; says first what that is")
  .argument("[ref]", "owner/name, owner/name@revision, owner/name:folder, or owner/name/file.safetensors")
  .option("--pair <name>", "both models of a named pair, as `models list` shows them")
  .addOption(withPairs())
  .addOption(withVariant())
  .option("--dry-run", "only say what would be fetched")
  .addHelpText(
    "before",
    example("variegate models pull --pair sdxl-dmd2 --dry-run", "variegate models pull madebyollin/taesdxl"),
  )
  .action(async (ref: string | undefined, o: Options & PullOptions) => {
    const { runPull } = await import("./hub.js");
    await runPull(openTerminal(o), ref, o);
  });

withTalk(models.command("remove"))
  .description("takes a model out of the Hub's cache, or one revision of it; what another revision shares stays")
  .argument("<ref>", "owner/name or owner/name@revision")
  .option("--dry-run", "only say what would be freed")
  .addHelpText("before", example("variegate models remove madebyollin/taesdxl --dry-run"))
  .action(async (ref: string, o: Options & { dryRun?: boolean }) => {
    const { runRemove } = await import("./hub.js");
    await runRemove(openTerminal(o), ref, o.dryRun === true);
  });

const adapters = program
  .command("adapter")
  .description("LoRAs and sliders: what they are, other dialects, merged models");

withTalk(withModels(adapters.command("inspect")))
  .description("what an adapter is, and what it does to a model")
  .argument("<file>", "a LoRA, slider, LoHa, LoKr, DoRA … in any dialect")
  .addHelpText("before", example("variegate adapter inspect smile.base"))
  .action(async (file: string, o: Options) => {
    const { runInspect } = await import("./adapter.js");
    await runInspect(openTerminal(o), modelsOf(o), file);
  });

withTalk(withModels(adapters.command("convert")))
  .description("the same adapter in the words of diffusers (PEFT) or of kohya's trainer")
  .argument("<file>", "the adapter")
  .addOption(new Option("--to <dialect>", "whose words").choices(DIALECTS).makeOptionMandatory())
  .requiredOption("--out <file>", "the new .safetensors file")
  .addHelpText("before", example("variegate adapter convert smile.base --to peft --out smile-peft.safetensors"))
  .action(async (file: string, o: Options & { to: (typeof DIALECTS)[number] }) => {
    const { runConvert } = await import("./adapter.js");
    await runConvert(openTerminal(o), modelsOf(o), file, o.to, o.out ?? "");
  });

withTalk(withModels(adapters.command("merge")))
  .description("a new diffusers folder whose weights hold the adapters of --lora; the old one stays as it is")
  .requiredOption("--out <dir>", "the new folder")
  .addHelpText("before", example("variegate adapter merge --base embedded:base --lora smile.base:1.5 --out smiling"))
  .action(async (o: Options) => {
    const { runMerge } = await import("./adapter.js");
    const { adapters = [], base = "embedded:base" } = modelsOf(o);
    await runMerge(openTerminal(o), base, adapters, o.out ?? "", placesOf(o));
  });

withTalk(withLibraries(withDevice(adapters.command("extract"))))
  .description("what one model has learned since another, as an adapter: then both run in one set of weights")
  .requiredOption("--from <ref>", "the model before: a diffusers folder or a UNet folder")
  .requiredOption("--to <ref>", "the model after: a folder, or a file of UNet weights")
  .option("--rank <r>", `directions kept of each layer, 1 to ${LARGEST_RANK} (default: 64)`, whole(1, LARGEST_RANK))
  .option("--energy <share>", "as many directions as hold this share of a layer's difference, such as 0.95", real(0, 1))
  .addOption(
    new Option("--exact", "the whole difference, biases and norms too; as large as the model").conflicts([
      "rank",
      "energy",
    ]),
  )
  .option("--biases", "biases and norms too, as they are (Variegate and ComfyUI read them, diffusers does not)")
  .addOption(new Option("--dialect <dialect>", "whose words").choices(DIALECTS).default("kohya"))
  .requiredOption("--out <file>", "the new .safetensors file")
  .addHelpText(
    "before",
    example(
      "variegate adapter extract --from embedded:base --to embedded:distilled --rank 32 --out distilled-lora.safetensors",
      'variegate compare "a cartoon character" --base embedded:base --distilled distilled-lora.safetensors --memory shared',
    ),
  )
  .action(async (o: ExtractOptions) => {
    const { runExtract } = await import("./adapter.js");
    const rank = o.rank ?? (o.energy === undefined ? 64 : LARGEST_RANK);
    await runExtract(
      openTerminal(o),
      {
        from: o.from,
        to: o.to,
        keep: o.exact ? null : { rank, energy: o.energy ?? 1 },
        biases: o.biases === true,
      },
      { dialect: o.dialect, out: o.out ?? "" },
      modelsOf(o),
      interrupted,
    );
  });

withTalk(withModels(program.command("doctor")))
  .description("what this machine can run, and why not")
  .addHelpText("before", example("variegate doctor --pair sdxl-dmd2"))
  .action(async (o: Options) => {
    const { runDoctor } = await import("./inspect.js");
    await runDoctor(openTerminal(o), modelsOf(o));
  });

/** Says what went wrong in a line or two and gives the exit code. */
function explain(error: unknown): number {
  const debug = process.argv.includes("--debug");
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Help that nobody asked for by name stands there already.
    if (error.code === "commander.help") return 2;
    process.stderr.write(`${error.message.replace(/^error: /, "")}\n`);
    return 2;
  }
  if (error instanceof VariegateError) {
    process.stderr.write(`${debug ? (error.stack ?? error.message) : error.message}\n`);
    return error.exitCode;
  }
  const shown = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(
    `something went wrong inside variegate: ${debug ? shown.stack : `${shown.message} (--debug shows where)`}\n`,
  );
  return 1;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = explain(error);
}
