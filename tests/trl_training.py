"""A step of TRL's online DPO with a judge, in a process of its own, as two versions of TRL have to be tried.

    python trl_training.py FOLDER judge|reward_funcs

The folder holds a small model. What is printed: the version, steps, losses, and pairs that were judged.
"""

from __future__ import annotations

import json
import sys

import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

from judge.frameworks.judging import FrameworkJudge
from judge.frameworks.trl import PairwiseJudge


def main(folder: str, argument: str) -> None:
    judged = []
    verdicts = FrameworkJudge.verdicts
    FrameworkJudge.verdicts = lambda self, pairs: judged.extend(pairs) or verdicts(self, pairs)  # type: ignore
    prompt = [{"role": "user", "content": "Why?"}]
    trainer = OnlineDPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        args=OnlineDPOConfig(
            output_dir=f"{folder}/trained",
            max_steps=1,
            per_device_train_batch_size=2,
            max_new_tokens=4,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        processing_class=AutoTokenizer.from_pretrained(folder),
        train_dataset=Dataset.from_list([{"prompt": prompt}, {"prompt": [prompt[0] | {"content": "How?"}]}]),
        **{argument: PairwiseJudge(backend="scripted:longer", cache=False)},
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    said = {
        "trl": trl.__version__,
        "steps": trainer.state.global_step,
        "losses": losses,
        "prompts": [pair.prompt for pair in judged],
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
