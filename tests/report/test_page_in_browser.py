"""The page in Chromium: one choice filters figures and tables, a cell opens, links lead there; phone, dark mode, axe.

Needs Debian's ``chromium`` (or Chrome), and Playwright's Python client without a browser of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_records import ACOT, COT, Point, curve, extrapolation, search, trial

from ib_bench.drawing.tables import Entry, StudyTable
from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records
from ib_bench.results.records import Record

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python client")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

CHOSEN = search(Point("LSTM", ACOT, modulus=5), 128)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def _records() -> Iterator[Record]:
    for modulus in (3, 5):
        for model, size in (("LSTM", 128), ("Transformer", None)):
            for supervision in (ACOT, COT):
                point = Point(model, supervision, modulus=modulus)
                yield from (search(point, size), trial(point, 4096), extrapolation(point, 0.75))
    yield curve(Point("LSTM", ACOT, modulus=5), 100.0)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(study_report({"own": Records.of_all(_records())}).html, encoding="utf-8")
    return path


VEGA = """
window.numKept = 0;
window.vegaEmbed = async place => { numKept++; place.append("a figure"); return {finalize() { numKept--; }}; };
window.files = new Set();
{
  const {createObjectURL, revokeObjectURL} = URL;
  URL.createObjectURL = blob => { const file = createObjectURL.call(URL, blob); files.add(file); return file; };
  URL.revokeObjectURL = file => { files.delete(file); revokeObjectURL.call(URL, file); };
}
"""
"""In place of Vega: what is drawn and not finalized is counted, and files that are not released are kept."""

TWIN = replace(CHOSEN, key="0" * len(CHOSEN.key))  # as of another version of the protocol: no label tells it apart


@pytest.fixture(scope="module")
def light_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a league and a result that has a twin. Figures are not drawn, and 3 rows are many."""
    path = tmp_path_factory.mktemp("light") / "report.html"
    report = study_report({"own": Records.of_all([*_records(), TWIN])})
    names = ("LSTM(hidden_size=64)", "Transformer", "GRU(hidden_size=64)")
    rows = [[Entry(str(rank), rank), Entry(name, name), Entry("9", 9)] for rank, name in enumerate(names, start=1)]
    league = StudyTable("league", "League", "", ["rank", "model", "N50"], 2, rows, is_whole=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ib_bench.report.html._vega", lambda: VEGA)
        text = replace(report, tables=[league, *report.tables]).html
    path.write_text(text.replace("const MAX_ROWS = 200;", "const MAX_ROWS = 3;"), encoding="utf-8")
    return path


@pytest.fixture
def light(browser: Any, light_file: Path) -> Iterator[Any]:
    visit = Visit(browser, light_file.as_uri())
    yield visit
    assert visit.errors == []
    visit.page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Visit:
    """A page that is open, with the errors that it has reported."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.page = browser.new_page(**{"viewport": DESKTOP, **options})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_function("document.body.dataset.drawn")

    def choose(self, label: str, *values: str) -> None:
        before = self.page.evaluate("document.body.dataset.drawn")
        self.page.locator("#choice summary", has_text=label).click()
        for value in values:
            self.page.get_by_role("checkbox", name=value, exact=True).check()
        self.page.keyboard.press("Escape")
        self.page.wait_for_function(f"document.body.dataset.drawn > {before}")

    def headings(self, table: str) -> list[str]:
        return list(self.page.locator(f"#{table} thead button").all_inner_texts())

    def violations(self) -> list[str]:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
        found = axe.Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


@pytest.fixture
def visit(browser: Any, page_file: Path) -> Iterator[Any]:
    visits: list[Visit] = []

    def start(end: str = "", **options: Any) -> Visit:
        visits.append(Visit(browser, f"{page_file.as_uri()}{end}", **options))
        return visits[-1]

    yield start
    assert [error for one in visits for error in one.errors] == []
    for one in visits:
        one.page.close()


def test_a_choice_filters_tables_and_figures_and_stands_in_the_address(visit: Any) -> None:
    opened = visit()
    assert opened.headings("min_train_size") == ["task", "supervision", "LSTM", "Transformer"]
    heat_map = opened.page.locator("#figure-min_train_size_heatmap svg")
    assert heat_map.get_by_text("Transformer").count()
    opened.choose("model", "LSTM")
    opened.choose("supervision", "aligned CoT")
    assert opened.headings("min_train_size") == ["task", "supervision", "LSTM"]
    assert opened.page.locator("#min_train_size tbody tr").count() == 2
    assert not heat_map.get_by_text("Transformer").count() and heat_map.get_by_text("LSTM").count()
    assert opened.page.get_by_role("status").inner_text() == "5 of 17 results"
    again = visit(opened.page.evaluate("location.search"))
    assert again.page.get_by_role("status").inner_text() == "5 of 17 results"
    again.page.get_by_role("button", name="show all").click()
    again.page.wait_for_function("location.search === ''")
    assert again.page.get_by_role("status").inner_text() == "17 of 17 results"


def test_what_stands_side_by_side_can_be_chosen(visit: Any) -> None:
    opened = visit("?beside=supervision")
    assert opened.headings("min_train_size") == ["task", "model", "CoT", "aligned CoT"]


def test_bounds_are_open_and_numbers_shaded(visit: Any) -> None:
    table = visit().page.locator("#min_train_size")
    assert table.locator("td.bound").all_inner_texts() == ["> 4,096"] * 4
    assert not table.locator("td.bound.shaded").count() and table.locator("td.shaded").count() == 4


def test_the_shade_of_an_accuracy_is_the_accuracy(visit: Any) -> None:
    """Also where all of them are close together."""
    cell = visit().page.locator("#extrapolation td.shaded").first
    assert cell.evaluate("cell => cell.style.getPropertyValue('--amount')") == f"{0.06 + 0.44 * 0.75:.2f}"


def test_a_heading_sorts(visit: Any) -> None:
    opened = visit()
    button = opened.page.locator("#min_train_size thead button").first
    button.click()
    button.focus()
    opened.page.keyboard.press("Enter")
    first = opened.page.locator("#min_train_size tbody tr").first.inner_text()
    assert "modulus=5" in first
    assert opened.page.locator("#min_train_size [aria-sort=descending]").count() == 1


def test_a_cell_opens_to_trials_losses_and_command_and_the_keyboard_closes_it(visit: Any) -> None:
    opened = visit()
    link = opened.page.locator(f"#min_train_size a[href='#{CHOSEN.key}']")
    link.focus()
    opened.page.keyboard.press("Enter")
    dialog = opened.page.get_by_role("dialog")
    dialog.locator("svg").nth(1).wait_for()
    assert dialog.get_by_role("heading", level=2).inner_text().startswith("LSTM · ModularAddition(modulus=5) · L = 4")
    command = f"ib-bench search --config configs/{CHOSEN.key}.yaml"
    assert dialog.locator(".command").inner_text().startswith(command)
    assert "epsilon = 0.0001" in dialog.inner_text() and "0.100" in dialog.locator("tbody").inner_text()
    assert opened.page.url.endswith(f"#{CHOSEN.key}")
    opened.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert "#" not in opened.page.url


def test_opening_a_cell_leaves_what_is_drawn_and_sorted(visit: Any) -> None:
    opened = visit()
    opened.choose("model", "LSTM")
    opened.page.locator("#min_train_size thead button").first.click()
    drawn = opened.page.evaluate("document.body.dataset.drawn")
    opened.page.locator(f"#min_train_size a[href='#{CHOSEN.key}']").click()
    opened.page.get_by_role("dialog").wait_for()
    opened.page.keyboard.press("Escape")
    opened.page.get_by_role("dialog").wait_for(state="hidden")
    assert opened.page.locator("#min_train_size [aria-sort=ascending]").count() == 1
    assert opened.page.evaluate("document.body.dataset.drawn") == drawn
    assert opened.page.evaluate("document.activeElement.getAttribute('href')") == f"#{CHOSEN.key}"


def test_a_median_over_all_tasks_is_left_out_of_one_task(visit: Any) -> None:
    figure = "#figure-extrapolation svg"
    medians = f"{figure} [aria-roledescription='line mark']"  # lines that lead nowhere
    opened = visit(), visit("?task=ModularAddition(modulus%3D5)"), visit("?model=LSTM")
    assert [one.page.locator(medians).count() for one in opened] == [4, 0, 2]
    assert not any(one.page.get_by_text("Nothing of this choice").count() for one in opened)


def test_a_choice_of_the_source_filters_figures_too(browser: Any, tmp_path: Path) -> None:
    sources = {name: Records.of_all([search(Point(name, ACOT), 128)]) for name in ("LSTM", "GRU")}
    path = tmp_path / "report.html"
    path.write_text(study_report({f"with {name}": own for name, own in sources.items()}).html, encoding="utf-8")
    opened = Visit(browser, f"{path.as_uri()}?source=with+GRU")
    heat_map = opened.page.locator("#figure-min_train_size_heatmap svg")
    assert heat_map.get_by_text("GRU").count() and not heat_map.get_by_text("LSTM").count()
    assert opened.errors == []
    opened.page.close()


def test_a_link_leads_to_an_opened_cell_with_the_choice(visit: Any) -> None:
    opened = visit(f"?model=LSTM#{CHOSEN.key}")
    assert opened.page.get_by_role("dialog").is_visible()
    assert opened.headings("min_train_size")[-1] == "LSTM"


def test_a_marker_leads_to_its_cell(visit: Any) -> None:
    opened = visit("?model=LSTM&task=ModularAddition(modulus%3D5)&supervision=aligned+CoT")
    opened.page.locator("#figure-min_train_size_heatmap svg path[role=link]").click()
    opened.page.get_by_role("dialog").wait_for()
    assert "model=LSTM" in opened.page.url and opened.page.url.endswith(f"#{CHOSEN.key}")


def test_the_keyboard_reaches_every_marker_and_opens_its_cell(visit: Any) -> None:
    opened = visit("?model=LSTM")
    figure = opened.page.locator("#figure-min_train_size_against_length")
    markers = figure.get_by_role("link")
    assert markers.count() == 4 and figure.locator("[role=link][tabindex='0']").count() == 1
    figure.locator(".chart").focus()
    opened.page.keyboard.press("Tab")
    seen = set()
    for _ in range(4):
        seen.add(opened.page.evaluate("document.activeElement.getAttribute('aria-label')"))
        assert opened.page.locator("#vg-tooltip-element.visible").count() == 1, "the text that a pointer gets"
        opened.page.keyboard.press("ArrowRight")
    assert len(seen) == 4 and all("model: LSTM" in text and "href" not in text for text in seen)
    assert opened.violations() == []
    opened.page.keyboard.press("Home")
    opened.page.keyboard.press("Enter")
    opened.page.get_by_role("dialog").wait_for()
    assert opened.page.get_by_role("dialog").get_by_role("heading", level=2).inner_text().startswith("LSTM")


def test_labels_are_text_in_tables_figures_and_cells(browser: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    one = search(Point("LSTM", ACOT), 128)
    config = replace(one.config, experiment=one.config.experiment.with_data(modulus=evil))
    record = replace(one, config=config, key=config.key)
    path = tmp_path / "report.html"
    path.write_text(study_report({evil: Records.of_all([record])}).html, encoding="utf-8")
    opened = Visit(browser, f"{path.as_uri()}#{record.key}")
    assert "<img src=x" in opened.page.get_by_role("dialog").inner_text()
    assert not opened.page.locator("img").count() and opened.errors == []
    opened.page.close()


def test_contents_stay_in_view_and_lead_to_tables(visit: Any) -> None:
    opened = visit("?model=LSTM")
    opened.page.get_by_role("navigation").get_by_role("link", name="Length extrapolation").click()
    assert "model=LSTM" in opened.page.url and opened.page.url.endswith("#extrapolation")
    assert opened.page.evaluate("document.querySelector('nav').getBoundingClientRect().top") >= 0


@pytest.mark.parametrize(
    "options", [{}, {"viewport": PHONE}, {"color_scheme": "dark"}], ids=["desktop", "phone", "dark"]
)
def test_axe_finds_nothing_and_nothing_sticks_out(visit: Any, options: dict[str, Any]) -> None:
    opened = visit(**options)
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width == opened.page.viewport_size["width"]
    assert opened.violations() == []
    opened.page.locator(f"#min_train_size a[href='#{CHOSEN.key}']").click()
    opened.page.get_by_role("dialog").locator("svg").nth(1).wait_for()
    assert opened.violations() == []


def test_print_has_tables_and_no_controls(visit: Any) -> None:
    opened = visit()
    opened.page.emulate_media(media="print")
    assert not opened.page.locator("#choice").is_visible() and not opened.page.locator("nav").is_visible()
    assert opened.page.locator("#min_train_size table").is_visible()
    assert opened.page.pdf().startswith(b"%PDF")


def test_a_league_stays_whole(light: Any) -> None:
    light.choose("model", "LSTM")
    assert light.page.locator("#league tbody tr").count() == 3


def test_results_that_no_label_tells_apart_have_a_row_each(light: Any) -> None:
    light.choose("task", "ModularAddition(modulus=5)")
    light.choose("model", "LSTM")
    for beside in ("model", "supervision", "task"):
        light.page.locator("#choice select").select_option(beside)
        for key in (CHOSEN.key, TWIN.key):
            assert light.page.locator(f"#min_train_size a[href='#{key}']").count() == 1


def test_a_new_choice_and_a_closed_cell_release_figures_and_files(light: Any) -> None:
    light.choose("task", "ModularAddition(modulus=5)")
    light.choose("model", "LSTM")
    num_drawn = light.page.locator("figure > .chart > div").count()
    assert num_drawn > 3 and light.page.evaluate("numKept") == num_drawn
    light.page.locator(f"#min_train_size a[href='#{TWIN.key}']").click()
    light.page.wait_for_function(f"numKept === {num_drawn + 2} && files.size === 1")
    light.page.evaluate(f"location.hash = '{CHOSEN.key}'")
    light.page.get_by_role("dialog").locator(".command", has_text=CHOSEN.key).wait_for()
    light.page.wait_for_function(f"numKept === {num_drawn + 2} && files.size === 1")
    light.page.keyboard.press("Escape")
    light.page.wait_for_function(f"numKept === {num_drawn} && files.size === 0")


def test_the_focus_goes_to_the_first_new_row(light: Any) -> None:
    table = light.page.locator("#min_train_size")
    assert table.locator("tbody tr").count() == 3
    table.get_by_role("button", name="show all 5 rows").press("Enter")
    rows = table.locator("tbody tr")
    assert rows.count() == 5 and rows.nth(3).evaluate("row => row === document.activeElement")


def test_the_form_keeps_the_focus_and_its_live_region(light: Any) -> None:
    light.choose("model", "LSTM")
    light.page.evaluate("window.output = document.querySelector('#choice output')")
    button = light.page.locator("#choice").get_by_role("button", name="show all")
    button.press("Enter")
    light.page.wait_for_function("location.search === ''")
    assert button.evaluate("button => button === document.activeElement")
    assert light.page.evaluate("output.isConnected && output.textContent") == "18 of 18 results"
    assert not light.page.locator("#choice input:checked").count()
    assert "model: all" in light.page.locator("#choice summary").all_inner_texts()


def test_a_new_choice_keeps_the_sorting(light: Any) -> None:
    button = light.page.locator("#min_train_size thead button", has_text="LSTM")
    for _ in range(2):
        button.click()
    light.choose("supervision", "aligned CoT")
    light.choose("model", "LSTM")
    assert light.page.locator("#min_train_size [aria-sort=descending]").inner_text().startswith("LSTM")
