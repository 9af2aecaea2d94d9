"""The app in a real browser: what a person sees and types. Screenshots of every page go to docs/screens."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from pairs import pair_of
from PIL import Image, ImageChops
from test_app_markup import HOSTILE

from judge.io.pairs import read_pairs, write_pairs
from judge.io.votes import read_votes
from judge.review.store import ReviewStore

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

    def serve(*arguments):
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
        page.wait_for_selector(ready, timeout=60_000)
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
    page.wait_for_selector(ready, timeout=60_000)
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
    for path, ready in ((tmp_path / "bad.jsonl", "text=none of its 1 lines is a pair"), (EXAMPLES, ".cards")):
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
    page = visit(
        serve("verdicts.jsonl", "--pairs", "pairs.jsonl", "--backend", "scripted:longer"), NARROW, "dark"
    )
    shoot(page, "phone-dark")
    left, right = (page.locator(".cards .card").nth(n).bounding_box() for n in (0, 1))
    assert right["y"] >= left["y"] + left["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert page.locator(".cards.dark").count() == 1
    page.get_by_role("button", name=re.compile("Left is better")).click()
    settled(page)
    assert len(ReviewStore(tmp_path / "judge-reviews.sqlite").standing()) == 1


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
