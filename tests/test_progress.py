from __future__ import annotations

from judge.progress import plain_lines


def lines_of(steps):
    """(second, stage, done, total) -> the lines that are written."""
    lines: list[str] = []
    seconds = iter([step[0] for step in steps])
    progress = plain_lines(lines.append, lambda: next(seconds))
    for _, *step in steps:
        progress(*step)
    return lines


def test_a_line_comes_at_the_start_at_the_end_and_every_ten_seconds():
    steps = [(float(second), f"judging, {second} of 30 pairs", second, 30) for second in range(31)]
    assert lines_of(steps) == [
        "judging, 0 of 30 pairs: 0 %",
        "judging, 10 of 30 pairs: 33 %, about 20 s left",
        "judging, 20 of 30 pairs: 66 %, about 10 s left",
        "judging, 30 of 30 pairs: 100 %",
    ]


def test_what_was_known_before_does_not_flatter_the_time_left():
    lines = lines_of(
        [(0.0, "judging, 900 of 1000 pairs", 900, 1000), (10.0, "judging, 950 of 1000 pairs", 950, 1000)]
    )
    assert lines[1] == "judging, 950 of 1000 pairs: 95 %, about 10 s left"


def test_a_new_stage_starts_its_own_clock():
    lines = lines_of(
        [
            (0.0, "joining", 0, 10),
            (1.0, "joining", 10, 10),
            (2.0, "converting", 0, 10),
            (3.0, "converting", 5, 10),
        ]
    )
    assert lines == ["joining: 0 %", "joining: 100 %", "converting: 0 %"]


def test_a_second_stage_of_the_same_name_starts_its_own_clock_too():
    lines = lines_of(
        [
            (0.0, "training, loss 2.0", 0, 100),
            (900.0, "training, loss 0.1", 100, 100),
            (1000.0, "training, loss 2.1", 0, 100),
            (1010.0, "training, loss 1.9", 10, 100),
        ]
    )
    assert lines[2:] == ["training, loss 2.1: 0 %", "training, loss 1.9: 10 %, about 90 s left"]
