"""Verdicts written in the form of another tool."""

from __future__ import annotations

from collections.abc import Sequence

from judge.errors import InputError
from judge.forms import FORMS
from judge.forms.form import Exported
from judge.io.pairs import pairs_by_id
from judge.io.wording import some_of
from judge.records import Pair, Verdict


def export_verdicts(form: str, verdicts: Sequence[Verdict], pairs: Sequence[Pair], at: str) -> Exported:
    """The text of a file in that form.

    Args:
        pairs: those that the verdicts are on; others may be among them.
        at: the time now (ISO 8601), for forms that say when they were made.

    Raises:
        InputError: no such form is written, the verdicts are not of one judge, one is on a pair that is not
            among these, or two different pairs have one id.
    """
    found = FORMS.find(form) if form in FORMS else None
    if found is None or found.export is None:
        written = [name for name in FORMS.ours if FORMS[name].export]
        raise InputError(f"form {form!r}: nothing is written in it. There are {', '.join(written)}.")
    if len(judges := sorted({verdict.judge for verdict in verdicts})) > 1:
        raise InputError(
            f"verdicts of {len(judges)} judges: {some_of(judges)}. A file in another form is of one judge; "
            "export each apart."
        )
    known = pairs_by_id(pairs)
    if lost := [verdict.pair_id for verdict in verdicts if verdict.pair_id not in known]:
        raise InputError(f"verdicts on {len(lost)} pairs that --pairs does not have: {some_of(lost)}.")
    return found.export([(known[verdict.pair_id], verdict) for verdict in verdicts], at)
