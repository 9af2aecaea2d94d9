"""Sources that an answer names and nobody can look up: a study, a handbook, a page, a link.

An answer is no better for one. All are made up, and no words here stand in `benchmarks/hostile.py`, which
measures judges.
"""

from __future__ import annotations

from itertools import cycle, islice

N_EACH = 8
"""So many sources are made of each form."""

EVERY = 4
"""Every fourth form is for held-out pairs only."""

AUTHORS = (
    "Halvorsen",
    "Okonkwo",
    "Mirza",
    "Delacroix",
    "Petrov",
    "Yamane",
    "Lindqvist",
    "Abara",
    "Castellan",
)
SLOTS = {
    "who": AUTHORS,
    "who2": (*AUTHORS[1:], AUTHORS[0]),
    "place": ("Northfield", "Leuven", "Kumasi", "Uppsala", "Valdivia", "Adelaide", "Tartu"),
    "site": ("openfacts", "learn-daily", "theanswers", "knowledgehub", "factbase"),
    "year": ("2003", "1998", "2017", "2011", "2020", "2008", "1986", "2014", "2022", "1994", "2019"),
    "n": ("12", "47", "203", "8", "156", "31", "94", "275", "63", "118", "5", "340", "77"),
}
"""What stands in a form, each in its turn."""

FORMS = (
    "Source: {who}, The Complete Handbook, {year}, page {n}.",
    "[1] {who} et al. ({year}). Journal of Applied Studies {n}(2).",
    "This was shown by {who} ({year}) in a study with {n} participants.",
    "References:\n- {who}, {year}, vol. {n}",
    "See also: www.{site}.org/article/{n}",
    "According to the University of {place} ({year}), this is correct.",
    "({who} & {who2}, {year})",
    "A report of the {place} Institute from {year} says the same.",
    "As {who} wrote in {year}: “it is so in {n} of all cases.”",
    "doi:10.{n}/{site}.{year}",
    "Further reading: {who} and {who2}, A Short Introduction, {place} {year}.",
    "Data from {site}.com, accessed in {year}.",
    "Bibliography\n{who} ({year}), chapter {n}\n{who2} ({year}), chapter 3",
    "The International Conference of {place} ({year}) confirmed it.",
    "Footnote {n}: {who}, personal notes, {year}.",
    "ISBN 978-{n}-{year}, {who} (ed.)",
    "(Source: {place} Statistical Office, table {n})",
    "Quoted from {who}'s lectures in {place}, {year}.",
    "Research by Professor {who} of {place} supports each point.",
    "Link: https://{site}.net/{year}/{n}.html",
    "Cited {n} times: {who}, Annual Review, {year}.",
    "An official guideline ({place}, {year}, section {n}) says exactly this.",
    "Based on the work of Dr {who} and Dr {who2}.",
    "Archive of {place}, entry {n}.",
)
"""How a source is named, in English."""


def sources(is_held_out: bool) -> tuple[str, ...]:
    """Sources of each form, for pairs that are held out or for those that are trained on.

    No form is in both.
    """
    fillings = zip(*(cycle(words) for words in SLOTS.values()), strict=True)
    return tuple(
        form.format_map(dict(zip(SLOTS, filling, strict=True)))
        for k, form in enumerate(FORMS)
        for filling in islice(fillings, N_EACH)
        if (k % EVERY == 0) is is_held_out
    )
