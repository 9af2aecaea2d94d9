"""docs/ci.md, followed to the letter in a fresh project with the wheel and the real judge."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from test_packaging import installed, wheel  # noqa: F401

CHECKOUT = Path(__file__).parents[1]
GUIDE = (CHECKOUT / "docs" / "ci.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
CONSOLE = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)

TEXT = """
How do I reset my password?
  Click on 'Forgot password' on the login page. You get a mail with a link; follow it and choose a new
  password.
Can I pay by invoice?
  Yes. Choose 'Invoice' at the checkout. The invoice comes with your parcel and is due within 14 days.
Where is my parcel?
  Open 'My orders' and click on the order. There you see where your parcel is and when it should
  arrive.
How can I return a shirt?
  Print the return label from 'My orders', put the shirt into its bag and bring it to any post office
  within 30 days.
Do you ship to Norway?
  Yes, we ship to Norway. It takes five to seven days and costs 12 euros; customs fees may be added.
What are your opening hours?
  Our support is there from Monday to Friday, 9 to 18 o'clock, by phone and by chat.
How do I cancel an order?
  As long as it was not sent, click on 'Cancel' beside the order. After that you can refuse or return
  the parcel.
Is the jacket waterproof?
  The jacket keeps off light rain for about an hour. For heavy rain we recommend the model 'Storm',
  which is waterproof.
Can I change my address?
  Yes, under 'My account', 'Addresses'. For an order that is on its way please call the carrier.
How do I wash wool?
  By hand or in the wool programme at 30 degrees, with wool detergent. Do not wring it and let it dry
  lying flat.
Do you have gift cards?
  Yes, from 10 to 200 euros, by mail or printed. They are valid for three years and can be used in
  several parts.
Why was my card refused?
  Mostly because of a typing error or a limit of your bank. Check the number and the date; if they are
  right, please ask your bank.
"""
ANSWERS = {
    question: " ".join(answer.split())
    for question, answer in re.findall(r"^(\S.*)\n((?:  .*\n)+)", TEXT, re.MULTILINE)
}


@pytest.fixture
def shop(tmp_path):
    """A project with a bot, whose tests are those of the guide."""
    folder = tmp_path / "shop"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "questions.txt").write_text("\n".join(ANSWERS) + "\n", encoding="utf-8")
    head, only_compares = PYTHON[0], PYTHON[1]
    assert head.startswith("# tests/test_bot.py\n")
    (folder / "tests" / "test_bot.py").write_text(head, encoding="utf-8")
    decorated = head[: head.index("@pytest.mark.parametrize")]
    (folder / "tests" / "test_gate.py").write_text(decorated + only_compares, encoding="utf-8")
    return folder


def bot(folder, change):
    """A bot with its answers changed."""
    answers = {question: change(question, answer) for question, answer in ANSWERS.items()}
    text = f"ANSWERS = {answers!r}\n\ndef answer(question):\n    return ANSWERS[question]\n"
    (folder / "bot.py").write_text(text, encoding="utf-8")


def commands_of(block):
    return [line for line in block.splitlines() if line.startswith("pytest")]


@pytest.mark.slow
@pytest.mark.weights
def test_the_guide_gives_a_red_gate_for_worse_answers_and_a_green_one_else(installed, shop):  # noqa: F811
    def run(command, *more):
        words = [str(installed / "python"), "-m", *command.split(), "-p", "no:randomly", *more]
        return subprocess.run(words, cwd=shop, capture_output=True, text=True, check=False)

    bot(shop, lambda question, answer: answer)
    [approve] = commands_of(CONSOLE[1])
    approved = run(approve)
    assert approved.returncode == 0, approved.stdout
    files = sorted((shop / "tests" / "judge_baselines" / "test_bot").iterdir())
    assert len(files) == len(ANSWERS)
    assert files[0].read_text(encoding="utf-8").startswith("> ")

    [gate] = commands_of(CONSOLE[2])
    same = run(gate, "tests/test_gate.py", "--judge-ledger", "ledger.sqlite")
    assert same.returncode == 0, same.stdout
    assert "0 ties" not in same.stdout

    bot(shop, lambda question, answer: "I am sorry, I do not know.")
    worse = run(gate, "tests/test_gate.py", "--judge-ledger", "ledger.sqlite")
    assert worse.returncode == 1, worse.stdout
    assert "The gate fails this run." in worse.stdout
    alone = run("pytest", "tests/test_bot.py", "--judge-ledger", "ledger.sqlite")
    assert "[New answer]" in alone.stdout
    assert "I am sorry, I do not know." in alone.stdout
    assert "the approved answer is better; it should not lose" in alone.stdout
