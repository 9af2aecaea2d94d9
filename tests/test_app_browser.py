"""The app in a real browser: what a person sees and types. Screenshots of every page go to docs/screens."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from importlib import resources
from io import BytesIO
from pathlib import Path

import pytest
from pairs import pair_of
from PIL import Image, ImageChops
from test_app_markup import HOSTILE

from judge.forms.reading import read_pairs, read_votes
from judge.io.pairs import write_pairs
from judge.records import Ballot
from judge.review.store import Event, EventKind, ReviewStore

pytestmark = [pytest.mark.slow, pytest.mark.browser]
CHECKOUT = Path(__file__).parents[1]
SCREENS = CHECKOUT / "docs" / "screens"
EXAMPLES = CHECKOUT / "judge" / "examples" / "pairs.jsonl"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
MOST_S = 1.0
N_REVIEWED = 50
IDLE = "[data-test-script-state=notRunning]"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    """Chromium of this machine. Without one tests are skipped, or fail if JUDGE_REQUIRE_BROWSER=1."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        reason = "no Chromium here; on Debian: apt install chromium"
        if os.environ.get("JUDGE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason} (JUDGE_REQUIRE_BROWSER=1)")
        pytest.skip(reason)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def serve(tmp_path):
    """Starts `judge app` in a folder with some files; the address of the page."""
    servers = []

    def serve(*arguments, port=None):
        if port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        program = [sys.executable, "-c", "from judge.cli.main import main; main()", "app", *arguments]
        program += ["--no-browser", "--port", str(port), "--ledger", "ledger.sqlite"]
        log = (tmp_path / "server.log").open("w")
        servers.append(subprocess.Popen(program, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT))
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return f"http://127.0.0.1:{port}"
            time.sleep(0.1)
        raise AssertionError((tmp_path / "server.log").read_text())

    def kill():
        servers[-1].kill()
        servers.pop().wait(20)

    serve.kill = kill
    yield serve
    for server in servers:
        server.terminate()
        server.wait(20)


@pytest.fixture
def visit(browser):
    """Opens a page as a person would; whatever it asks for outside this machine is a failure."""
    contexts = []

    def visit(address, size=WIDE, scheme="light", ready=".cards"):
        context = browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.foreign = []
        page.on("request", lambda asked: page.foreign.append(asked.url) if is_foreign(asked.url) else None)
        page.on("dialog", lambda dialog: page.foreign.append(f"dialog {dialog.message}"))
        page.goto(address)
        page.wait_for_selector(ready, timeout=180_000)
        return page

    yield visit
    foreign = [url for context in contexts for page in context.pages for url in page.foreign]
    for context in contexts:
        context.close()
    assert foreign == []


def is_foreign(url):
    return re.match(r"(https?|wss?)://(?!127\.0\.0\.1[:/])", url) is not None


def settled(page):
    """Waits until no script runs for this page."""
    page.wait_for_selector(IDLE, timeout=60_000)
    page.wait_for_timeout(300)
    page.wait_for_selector(IDLE, timeout=60_000)


def shoot(page, name):
    """A screenshot for the documentation; one that only differs by a clock or a cursor leaves the old one."""
    settled(page)
    SCREENS.mkdir(parents=True, exist_ok=True)
    path = SCREENS / f"{name}.png"
    taken = page.screenshot()
    if not path.exists() or not is_alike(path.read_bytes(), taken):
        path.write_bytes(taken)


def is_alike(old, new):
    """Whether two pictures of one size differ in at most one of 2,000 points."""
    one, other = (Image.open(BytesIO(data)).convert("L") for data in (old, new))
    if one.size != other.size:
        return False
    unlike = ImageChops.difference(one, other).point(lambda by: 255 * (by > 16)).histogram()[255]
    return unlike <= one.width * one.height / 2_000


def open_page(page, name, ready):
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_selector(ready, timeout=180_000)
    settled(page)


def say_who(page, name):
    """Types a reviewer's name and leaves the field, in which keys would be text."""
    field = page.get_by_role("textbox", name="Your name")
    field.fill(name)
    field.press("Enter")
    settled(page)
    field.blur()


def pressed(page, key):
    """Seconds from a key to the next pair, which can then be voted on."""
    page.wait_for_timeout(250)  # nobody reads a pair faster, and a key that is faster does not count
    before = page.locator("section.question").inner_text()
    started = time.perf_counter()
    page.keyboard.press(key)
    page.wait_for_function(
        "before => (document.querySelector('section.question')?.innerText ?? '') !== before",
        arg=before,
        timeout=20_000,
    )
    page.wait_for_selector(IDLE, timeout=20_000)
    return time.perf_counter() - started


def example_files(folder, n=None):
    """The example pairs, as many as wanted, and what a scripted judge says of them."""
    pairs = read_pairs(EXAMPLES)
    if n:
        rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
        rows = [
            row | {"id": f"{row['id']}-{i}", "prompt": f"{row['prompt']} ({i})"}
            for i in range(9)
            for row in rows
        ]
        (folder / "pairs.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows[:n]), encoding="utf-8"
        )
    else:
        write_pairs(folder / "pairs.jsonl", pairs)
    shutil.copy(CHECKOUT / "tests" / "golden" / "example-verdicts.jsonl", folder / "verdicts.jsonl")


def test_fifty_pairs_by_keyboard_alone_each_in_under_a_second(serve, visit, tmp_path, capsys):
    example_files(tmp_path, N_REVIEWED + 1)
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer"))
    settled(page)
    took = [pressed(page, "1234"[n % 4]) for n in range(N_REVIEWED)]
    median = sorted(took)[N_REVIEWED // 2]
    with capsys.disabled():
        print(
            f" from key to next pair: median {median:.2f} s, longest {max(took):.2f} s, {N_REVIEWED} pairs "
        )
    assert max(took) < MOST_S
    assert len(ReviewStore(tmp_path / "judge-reviews.sqlite").standing()) == N_REVIEWED


def test_open_vote_filter_see_agreement_move_export_and_read_it_again(serve, visit, tmp_path):
    example_files(tmp_path)
    address = serve("verdicts.jsonl", "--pairs", "pairs.jsonl", "--backend", "scripted:longer")
    page = visit(address)
    say_who(page, "ada")
    shoot(page, "review")
    pressed(page, "1")
    shoot(page, "revealed")
    open_page(page, "Agreement", "text=Votes")
    before = page.get_by_test_id("stMetricValue").all_inner_texts()
    open_page(page, "Review", ".cards")
    for n in range(14):
        pressed(page, "1213"[n % 4])
    open_page(page, "Agreement", "text=By category")
    page.wait_for_selector("canvas, svg.marks", timeout=30_000)
    page.wait_for_timeout(1_500)
    shoot(page, "agreement")
    after = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert (before[0], after[0]) == ("1", "15")
    assert before[1:] != after[1:]

    open_page(page, "Review", ".cards")
    page.get_by_test_id("stSidebar").get_by_text("inconsistent", exact=True).click()
    settled(page)
    shown = re.search(r"(\d+) in the queue", page.get_by_test_id("stProgress").inner_text())
    flips = {
        json.loads(line)["pair_id"]
        for line in (tmp_path / "verdicts.jsonl").open()
        if '"inconsistent"' in line
    }
    voted = {event.pair_id for event in ReviewStore(tmp_path / "judge-reviews.sqlite").standing()}
    assert int(shown[1]) == len(flips - voted)

    other = visit(address)
    say_who(other, "bob")
    for _ in range(24):
        pressed(other, "4")
    open_page(other, "Adjudicate", "text=settled")
    other.get_by_placeholder("Why this is the final label").fill("the other one is wrong")
    other.keyboard.press("Enter")
    settled(other)
    shoot(other, "adjudicate")
    other.get_by_role("button", name="Left is better").click()
    settled(other)
    assert "1 of" in other.get_by_test_id("stProgress").inner_text()

    open_page(page, "Export", "text=Final labels")
    shoot(page, "export")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download .* votes")).click()
    download.value.save_as(tmp_path / "votes.jsonl")
    votes = read_votes(tmp_path / "votes.jsonl")
    assert {vote.voter for vote in votes} == {"ada", "bob"}
    assert len([vote for vote in votes if vote.voter == "ada"]) == 15

    again = visit(address)
    say_who(again, "ada")
    assert "15 of 24 voted" in again.get_by_test_id("stProgress").first.inner_text()


def test_a_held_key_and_two_quick_ones_are_one_vote_each(serve, visit, tmp_path):
    example_files(tmp_path)
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer"))
    settled(page)
    votes = ReviewStore(tmp_path / "judge-reviews.sqlite")
    for _ in range(60):
        page.keyboard.down("1")
        page.wait_for_timeout(30)
    page.keyboard.up("1")
    settled(page)
    assert len(votes.standing()) == 1
    page.wait_for_timeout(300)
    page.keyboard.press("2")
    page.wait_for_timeout(100)
    page.keyboard.press("2")
    settled(page)
    page.wait_for_timeout(500)
    assert len(votes.standing()) == 2
    assert len({event.pair_id for event in votes.standing()}) == 2


def test_arrows_go_through_the_pairs_and_a_reload_forgets_nothing(serve, visit, tmp_path):
    example_files(tmp_path)
    address = serve("verdicts.jsonl", "--pairs", "pairs.jsonl", "--backend", "scripted:longer")
    page = visit(address)
    say_who(page, "ada")
    first = page.locator("section.question").inner_text()
    pressed(page, "ArrowRight")
    second = page.locator("section.question").inner_text()
    pressed(page, "ArrowLeft")
    assert page.locator("section.question").inner_text() == first != second
    assert ReviewStore(tmp_path / "judge-reviews.sqlite").standing() == []
    page.reload()
    page.wait_for_selector(".cards", timeout=60_000)
    settled(page)
    assert page.get_by_role("textbox", name="Your name").input_value() == "ada"
    assert "pairs.jsonl · verdicts.jsonl · ada" in page.locator("header.top").inner_text()


def test_a_wrong_address_leads_to_the_review_page(serve, visit, tmp_path):
    example_files(tmp_path)
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer") + "/nonsense")
    page.wait_for_url(re.compile(r":\d+/(\?.*)?$"))
    page.wait_for_selector(".cards", timeout=60_000)
    settled(page)
    assert page.get_by_role("heading", name="Review", exact=True).count() == 1
    assert "Page not found" in page.get_by_role("dialog").inner_text()  # Streamlit's own words
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.title() == "Review: judge"


def test_what_is_seen_and_what_is_copied_is_what_was_written(serve, visit, tmp_path):
    code = "```python\nx = '" + "very long " * 40 + "'\n```"
    table = "| internationalization | " + "description | " * 9 + "\n|" + "---|" * 10
    written = f"1998. Film\n- 5\n\n2*3*4 = 24, **so** `it` is.\n{code}\nשלום עולם"
    row = {"id": "p", "prompt": "Why?", "response_a": written, "response_b": table}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer"))
    settled(page)
    texts = page.locator(".cards .body").evaluate_all(
        "all => all.map(e => (getSelection().selectAllChildren(e), getSelection().toString().trimEnd()))"
    )
    assert written in texts
    lines = page.locator(".cards .body > .line")
    assert lines.last.evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert page.locator(".cards .code").evaluate("e => e.scrollWidth <= e.clientWidth")
    rows = page.locator(".cards th").first.evaluate(
        """cell => {
          const text = [...cell.childNodes].find(node => node.data?.includes("internationalization"));
          const word = document.createRange();
          word.setStart(text, text.data.indexOf("i"));
          word.setEnd(text, text.data.trimEnd().length);
          return word.getClientRects().length;
        }"""
    )
    assert rows == 1
    assert page.locator(".cards .wide").evaluate("e => e.scrollWidth > e.clientWidth")


def test_why_and_try_ask_the_judge_live(serve, visit, tmp_path):
    example_files(tmp_path)
    page = visit(serve("pairs.jsonl", "--backend", "scripted:first"))
    open_page(page, "Why", "text=Ask the judge")
    page.get_by_text("slow", exact=True).click()
    settled(page)
    page.get_by_role("button", name="Ask the judge").click()
    page.wait_for_selector("text=B shown first", timeout=60_000)
    page.locator("section.said").scroll_into_view_if_needed()
    shoot(page, "why")
    assert "contradicts itself" in page.locator("section.said").inner_text()
    open_page(page, "Try it", "text=Answer A")
    for label, text in {"Question": "What is 2 + 2?", "Answer A": "4", "Answer B": "Five, I think."}.items():
        page.get_by_label(label, exact=True).fill(text)
        page.keyboard.press("Tab")
    settled(page)
    page.get_by_role("button", name="Ask the judge").click()
    page.wait_for_selector("section.said", timeout=60_000)
    shoot(page, "try")


def test_hostile_answers_are_text(serve, visit, tmp_path):
    rows = [
        {
            "id": f"h{n}",
            "prompt": text,
            "response_a": text,
            "response_b": f"before {text} after",
            "category": text,
        }
        for n, text in enumerate([*HOSTILE, ":red[x] :material/home: $x$", "|a" * 3000])
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer"))
    page.evaluate("() => { window.alert = () => { window.struck = true } }")
    settled(page)
    shown = ""
    for _ in rows[:-1]:
        shown += page.locator("section.question").inner_text()
        assert page.evaluate("window.struck") is None
        assert (
            page.locator(
                "section.question script, .cards script, .cards img, .cards iframe, .cards svg"
            ).count()
            == 0
        )
        assert page.locator(".cards a:not([href^='http']):not([href^='mailto'])").count() == 0
        pressed(page, "3")
    assert "<script>alert(1)</script>" in shown
    assert ":red[x]" in shown
    page.keyboard.press("T")
    settled(page)
    assert page.locator(".cards pre.raw").count() == 2


def test_an_uploaded_file_opens_and_bad_files_say_what_is_wrong(serve, visit, tmp_path):
    page = visit(serve("--backend", "scripted:longer"), ready="text=No pairs are open")
    shoot(page, "empty")
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    for path, ready in (
        (tmp_path / "bad.jsonl", "text=there is no pair in its 1 line"),
        (EXAMPLES, ".cards"),
    ):
        page.get_by_text("Upload a file").click()
        page.locator("input[type=file]").set_input_files(path)
        page.wait_for_selector(ready, timeout=30_000)
        page.keyboard.press("Escape")
        settled(page)
    assert "0 of 24 voted" in page.get_by_test_id("stProgress").first.inner_text()


def test_on_a_phone_in_the_dark_the_answers_stand_below_each_other(serve, visit, tmp_path):
    example_files(tmp_path)
    for name in ("app", "benchmarks"):  # somebody's project may have such folders of its own
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')\n", encoding="utf-8")
    address = serve("verdicts.jsonl", "--pairs", "pairs.jsonl", "--backend", "scripted:longer")
    page = visit(address, NARROW, "dark")
    shoot(page, "phone-dark")
    left, right = (page.locator(".cards .card").nth(n).bounding_box() for n in (0, 1))
    assert right["y"] >= left["y"] + left["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    grounds = [page.locator(one).evaluate(GROUND) for one in (".stApp", ".st-key-votes")]
    assert grounds[0] == grounds[1]
    page.get_by_role("button", name="First", exact=True).click()
    settled(page)
    assert len(ReviewStore(tmp_path / "judge-reviews.sqlite").standing()) == 1


GROUND = "e => getComputedStyle(e).backgroundColor"
LONG_QUESTION = "A question that goes on. " * 100
TARGETS = "button, [role=button], summary, a, label:has(input), .stApp input"
TOO_SMALL = """wanted => [...document.querySelectorAll(wanted)]
  .filter(e => e.offsetParent && !e.closest('.body, [role=dialog]'))
  .map(e => [e, (e.matches('input') ? e.parentElement : e).getBoundingClientRect()])
  .filter(([e, r]) => r.width > 1 && r.right > 0 && r.left < innerWidth)
  .filter(([e, r]) => Math.min(r.width, r.height) < 43.5)
  .map(([e, r]) => `${e.outerHTML.slice(0, 120)} ${Math.round(r.width)} x ${Math.round(r.height)}`)"""


def top_and_bottom(page, selector):
    """Where an element begins and ends, in px from the top of the window."""
    box = page.locator(selector).first.bounding_box()
    return box["y"], box["y"] + box["height"]


def test_a_phone_has_room_for_answers_and_for_fingers(serve, visit, tmp_path):
    rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    rows[1]["prompt"] = LONG_QUESTION
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = "/?name=ada&order=as+in+the+file"
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer") + asked, NARROW)
    settled(page)
    assert page.evaluate(TOO_SMALL, TARGETS) == []
    assert page.locator("kbd").evaluate_all("all => all.filter(e => e.offsetParent).length") == 0
    top, bottom = top_and_bottom(page, ".st-key-votes")
    assert bottom - top < 120
    assert not re.search(r"\b(left|right)\b", page.locator("main").inner_text(), re.IGNORECASE)

    page.locator("main").evaluate("e => e.scrollTo(0, e.scrollHeight)")
    page.get_by_role("button", name="Second", exact=True).click()
    page.wait_for_selector(".turn.long", timeout=20_000)
    settled(page)
    assert page.locator("main").evaluate("e => e.scrollTop") == 0
    assert top_and_bottom(page, ".cards")[0] < top - 44
    folded = page.locator(".turn.long .body").bounding_box()["height"]
    page.get_by_text(f"Show all {len(LONG_QUESTION):,} characters").click()
    assert page.locator(".turn.long .body").bounding_box()["height"] > 3 * folded
    assert not re.search(r"\b(left|right)\b", page.locator("main").inner_text(), re.IGNORECASE)

    page.get_by_role("button", name="Show the judge").click()
    page.wait_for_selector(".said.asked", timeout=20_000)
    settled(page)
    assert 0 < top_and_bottom(page, ".said.asked")[1] <= top
    assert top_and_bottom(page, ".cards")[1] > 100
    page.get_by_test_id("stExpandSidebarButton").click()
    page.wait_for_timeout(500)
    assert page.evaluate(TOO_SMALL, TARGETS) == []


def test_keys_are_votes_after_any_click_and_once_the_note_is_left(serve, visit, tmp_path):
    example_files(tmp_path)
    page = visit(serve("pairs.jsonl", "--backend", "scripted:longer") + "/?name=ada")
    settled(page)
    sidebar = page.get_by_test_id("stSidebar")
    clicks = {
        "a filter": lambda: sidebar.get_by_text("not yet voted").click(),
        "a switch": lambda: sidebar.get_by_text("Blind: vote").click(),
        "a choice": lambda: (
            sidebar.get_by_label("In the order").click(),
            page.get_by_role("option", name="as in the file").click(),
        ),
        "a list left by Esc": lambda: (
            sidebar.get_by_label("Category").click(),
            page.keyboard.press("Escape"),
        ),
        "an answer": lambda: page.locator(".cards .body").first.click(),
        "a button": lambda: page.get_by_role("button", name="Differences").click(),
        "a window left by Esc": lambda: (
            page.get_by_text("Upload a file").click(),
            page.wait_for_timeout(300),
            page.keyboard.press("Escape"),
        ),
    }
    store = ReviewStore(tmp_path / "judge-reviews.sqlite")
    for n, (name, click) in enumerate(clicks.items(), start=1):
        click()
        page.wait_for_timeout(200)
        settled(page)
        pressed(page, "3")
        assert store.last_number() == n, name  # a pair may come again: the filter is off
    for key, words in (("Enter", "because 1"), ("Escape", "because 2")):
        page.get_by_role("textbox", name="Note").click()
        page.keyboard.type(words)
        page.keyboard.press(key)
        page.wait_for_timeout(200)
        settled(page)
        pressed(page, "2")
        assert store.standing()[-1].note == words


SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)
TOO_WIDE = """() => [...document.querySelectorAll('main *')]
  .filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1)
  .filter(e => !e.closest('.wide, [data-testid=stDataFrame], [data-testid=stVegaLiteChart]'))
  .map(e => e.outerHTML.slice(0, 120))"""


def test_on_a_phone_no_page_is_too_wide_and_none_says_left_or_right(serve, visit, tmp_path):
    pairs = read_pairs(EXAMPLES)[:3]
    answers = ("Paris.", "Paris, I think.", "Lyon.")
    pairs += [pair_of(answers[n], answers[n - 1], "The capital of France?", f"rank-{n}") for n in range(3)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    store = ReviewStore(tmp_path / "judge-reviews.sqlite")
    for reviewer, ballot in (("bob", Ballot.A), ("carl", Ballot.B)):
        for pair in pairs:
            store.add(Event(EventKind.VOTE, reviewer, pair.content_hash, pair.id, "2026-11-22", ballot, "so"))
    store.add(Event(EventKind.LABEL, "ada", pairs[0].content_hash, pairs[0].id, "2026-11-22", Ballot.A, "so"))
    files = "name=ada&pairs=pairs.jsonl"
    address = serve("--backend", "scripted:longer")
    page = visit(f"{address}/adjudicate?{files}", NARROW)
    for path, ready, act in (
        ("adjudicate", "table.rows", None),
        ("adjudicate", "table.rows", chosen_last),
        ("why", ".cards", asked_why),
        ("rank", "text=Place of answer 3", None),
        ("progress", "text=By reviewer", None),
    ):
        page.goto(f"{address}/{path}?{files}")
        page.wait_for_selector(ready, timeout=180_000)
        settled(page)
        if act:
            act(page)
        settled(page)
        assert page.evaluate(TOO_WIDE) == [], path
        assert page.evaluate(TOO_SMALL, TARGETS) == [], path
        assert not SIDES.search(page.locator("main").inner_text()), path
        shoot(page, f"phone-{path}")


def chosen_last(page):
    """The last pair of the list, which is a settled one."""
    page.get_by_role("combobox", name="Pair").click()
    page.get_by_role("option").last.click()
    page.wait_for_selector("section.said", timeout=60_000)


AXE = """scheme => axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .flatMap(one => one.nodes.map(
    node => `${scheme}: ${one.id}: ${node.html.slice(0, 150)} ${node.any[0]?.message}`)))"""


def asked_why(page):
    page.get_by_role("button", name="Ask the judge").click()
    page.wait_for_selector("section.said", timeout=60_000)


def revealed(page):
    pressed(page, "1")
    page.keyboard.press("j")
    page.wait_for_selector(".said.asked", timeout=20_000)


@pytest.mark.parametrize(
    "views",
    [
        pytest.param([(WIDE, "light"), (NARROW, "dark")], id="two-views"),
        pytest.param(
            [(size, scheme) for size in (WIDE, NARROW) for scheme in ("light", "dark")],
            marks=pytest.mark.long,
            id="all-views",
        ),
    ],
)
def test_axe_has_no_serious_finding_on_any_page_light_or_dark_wide_or_narrow(serve, visit, tmp_path, views):
    example_files(tmp_path)
    store = ReviewStore(tmp_path / "judge-reviews.sqlite")
    for reviewer, ballot in (("bob", Ballot.A), ("carl", Ballot.B)):
        for pair in read_pairs(EXAMPLES):
            store.add(Event(EventKind.VOTE, reviewer, pair.content_hash, pair.id, "2026-11-22", ballot))
    address, files = (
        serve("--backend", "scripted:longer"),
        "name=ada&pairs=pairs.jsonl&verdicts=verdicts.jsonl",
    )
    page = visit(address, ready="text=No pairs are open")
    script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    found = []
    for path, ready, act in (
        ("", "text=Open the sample pairs", None),
        (f"?{files}", ".cards", revealed),
        (f"why?{files}", ".cards", asked_why),
        (f"agreement?{files}", "text=By category", None),
        (f"adjudicate?{files}", ".cards", None),
        (f"try?{files}", "text=Answer A", None),
        (f"rank?{files}", "text=No question has three answers", None),
        (f"progress?{files}", "text=By reviewer", None),
        (f"export?{files}", "text=Final labels", None),
    ):
        page.set_viewport_size(WIDE)
        page.goto(f"{address}/{path}")
        page.wait_for_selector(ready, timeout=180_000)
        settled(page)
        if act:
            act(page)
        page.evaluate(script)
        for size, scheme in views:
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            settled(page)
            found += page.evaluate(AXE, f"{path} {size['width']} {scheme}")
    assert found == []


N_VOTES = 40


def squeezed(text):
    return "".join(text.split())


def on_screen(page, pairs):
    """The pair on the screen, and which of its answers stands left, both told from the words alone."""
    question = squeezed(page.locator("section.question .body").first.inner_text())
    [pair] = [one for one in pairs if squeezed(one.question) == question]
    left = squeezed(page.locator(".cards .body").first.inner_text())
    [side] = [side for side in "AB" if squeezed(getattr(pair, f"response_{side.lower()}")) == left]
    return pair.id, side


def ballot_of(key, left):
    right = {"A": "B", "B": "A"}[left]
    return {"1": Ballot(left), "2": Ballot(right), "3": Ballot.TIE, "4": Ballot.BOTH_BAD}[key]


@pytest.mark.long
def test_what_two_reviewers_pressed_is_exported_through_reloads_undo_and_a_killed_server(
    serve, visit, tmp_path
):
    example_files(tmp_path, N_VOTES + 2)
    pairs = read_pairs(tmp_path / "pairs.jsonl")
    arguments = ("pairs.jsonl", "--backend", "scripted:longer")
    address = serve(*arguments)
    pages = {name: visit(f"{address}/?name={name}") for name in ("ada", "bob")}
    given = {}
    draw = random.Random(0)

    def vote(name):
        page, key = pages[name], draw.choice("1234")
        id, left = on_screen(page, pairs)
        pressed(page, key)
        given[name, id] = ballot_of(key, left)
        return id

    def again(page):
        page.reload()
        page.wait_for_selector(".cards", timeout=60_000)
        settled(page)

    for page in pages.values():
        settled(page)
    for n in range(N_VOTES):
        for name, page in pages.items():
            id = vote(name)
            if n % 7 == 3:
                pressed(page, "u")
                assert on_screen(page, pairs)[0] == id
                assert vote(name) == id
            if n % 11 == 5:
                again(page)
        if n in (12, 27):
            serve.kill()
            assert serve(*arguments, port=int(address.rpartition(":")[2])) == address
            for page in pages.values():
                again(page)
    assert len(given) == 2 * N_VOTES
    page = pages["ada"]
    open_page(page, "Export", "text=Final labels")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download .* votes")).click()
    download.value.save_as(tmp_path / "votes.jsonl")
    assert {
        (vote.voter, vote.pair_id): vote.outcome for vote in read_votes(tmp_path / "votes.jsonl")
    } == given


def test_side_by_side_cards_are_equally_high_and_every_control_has_a_name(serve, visit, tmp_path):
    example_files(tmp_path)
    page = visit(serve("verdicts.jsonl", "--pairs", "pairs.jsonl", "--backend", "scripted:longer"))
    settled(page)
    left, right = (page.locator(".cards .card").nth(n).bounding_box() for n in (0, 1))
    assert (left["y"], left["height"]) == (right["y"], right["height"])
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input, textarea, [role=button]')]
        .filter(e => e.offsetParent && !(e.innerText || e.ariaLabel || e.title || e.labels?.length
          || e.ariaLabelledByElements?.length || e.placeholder))
        .map(e => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    page.keyboard.press("D")
    settled(page)
    assert page.locator(".cards mark").count() > 0
    shoot(page, "differences")


def test_a_project_opens_one_pair_by_the_hash_shows_its_picture_and_tells_its_keys(serve, visit, tmp_path):
    Image.new("RGB", (30, 20), "green").save(tmp_path / "plot.png")
    answers = ("see ![plot](plot.png)", "![far](http://example.org/x.png)")
    write_pairs(tmp_path / "pairs.jsonl", [pair_of(*answers, f"Question {n}?", f"p #{n}") for n in range(3)])
    (tmp_path / "project.yaml").write_text("pairs: pairs.jsonl\nimages: true\nreviewers: [ada, bob]\n")
    address = serve("project.yaml", "--backend", "scripted:longer")
    page = visit(f"{address}/#pair=p%20%231")
    page.wait_for_selector("text=Question 1?", timeout=60_000)
    settled(page)
    assert page.url.startswith(f"{address}/?")
    page.goto(page.url.partition("?")[0] + "agreement")
    settled(page)
    page.evaluate("location.hash = 'pair=p%20%232'")
    page.wait_for_selector("text=Question 2?", timeout=60_000)
    settled(page)
    picture = page.locator(".cards img")
    assert picture.count() == 1
    assert picture.evaluate("e => [e.alt, e.naturalWidth, e.naturalHeight]") == ["plot", 30, 20]
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for(timeout=20_000)
    assert "both bad" in page.get_by_role("dialog").inner_text()
