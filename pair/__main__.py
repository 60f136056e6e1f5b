"""Knows the command line: `python -m pair STAGE --out DIR --minutes M|--steps N [--resume]` runs one stage of making the pair."""
import argparse
import importlib

from .run import Run

STAGES = {
    "data": "pair.data", "tokenizer": "pair.tokenizer", "autoencoder": "pair.autoencoder", "clip": "pair.clip", "judge": "pair.judge",
    "narrow": "pair.narrow", "base": "pair.base", "start": "pair.start", "distil": "pair.distil", "plain": "pair.plain", "handed": "pair.handed", "lcm": "pair.lcm", "lora": "pair.lora", "slider": "pair.slider",
    "style": "pair.style", "word": "pair.word", "evaluate": "pair.evaluate", "pack": "pair.pack", "named": "pair.named", "verify": "pair.verify",
    "flow-base": "pair.flow.base", "flow-lora": "pair.flow.lora", "flow-pack": "pair.flow.pack",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pair")
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--out", default="out", help="where everything is written; earlier stages are read from there")
    parser.add_argument("--minutes", type=float, default=30, help="working time of a training stage")
    parser.add_argument("--steps", type=int, help="length of a training stage in steps, instead of its time")
    parser.add_argument("--resume", action="store_true", help="go on from the stage's checkpoint, or, without one, from its weights in OUT")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the stage's own")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="what a stage says about itself in its docstring")
    given = parser.parse_args()
    options = dict(o.split("=", 1) for o in given.option)
    run = Run(given.stage, given.out, given.minutes, given.resume, given.threads, given.lr, options, given.steps)
    if given.resume and run.finished:
        print(f"{run.name} has made its {given.steps} steps", flush=True)
        return
    importlib.import_module(STAGES[given.stage]).run(run)


main()
