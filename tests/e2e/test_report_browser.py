"""The report as a reader meets it: opened from disk in Chromium."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from benchmarks.report.write import PAGE, write_pictures, write_report
from tests.golden import Golden, unpack

CHROMIUM = shutil.which("chromium")
DESKTOP, PHONE = (1280, 900), (390, 844)
SERIOUS = ("serious", "critical")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the path (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Golden], Path]:
    made: dict[Golden, Path] = {}

    def report(name: Golden) -> Path:
        if name not in made:
            made[name] = unpack(name, tmp_path_factory.mktemp(name))
            if name == "single":
                write_pictures(made[name])
            write_report(made[name])
        return made[name] / PAGE

    return report


class Reader:
    """A page, with everything that it complained of and asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        self.url = file.resolve().as_uri()
        page.goto(self.url)

    def read_all(self) -> None:
        """Open every part and go past every chart, so that all are drawn."""
        self.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        self.page.evaluate(
            """async () => {
                for (const plot of document.querySelectorAll('.plot')) {
                    plot.scrollIntoView();
                    await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
                }
            }"""
        )
        self.page.wait_for_function("document.querySelectorAll('.plot:not([data-drawn])').length === 0")

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)

    def shown_rows(self, table: str) -> list[list[str]]:
        return list(
            self.ask(
                f"[...document.querySelectorAll('{table} tbody tr')].filter(row => row.getClientRects().length)"
                ".map(row => [...row.cells].map(cell => cell.innerText.trim()))"
            )
        )


Open = Callable[..., Reader]


@pytest.fixture
def open_report(browser: Browser, reports: Callable[[Golden], Path]) -> Iterator[Open]:
    contexts = []

    def opened(name: Golden = "good", size: tuple[int, int] = DESKTOP, dark: bool = False) -> Reader:
        width, height = size
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        return Reader(context.new_page(), reports(name))

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["good", "invalid", "single"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_chart_is_drawn_without_a_complaint_or_a_request(open_report: Open, name: Golden, size: tuple[int, int]) -> None:
    reader = open_report(name, size)
    reader.read_all()
    assert reader.ask("document.querySelectorAll('.plot').length") > 5
    empty = reader.ask(
        "[...document.querySelectorAll('.plot')].filter(plot => !plot.querySelector("
        "'.scatterlayer path, .scatterlayer text, .barlayer path, .heatmaplayer image')).map(plot => plot.ariaLabel)"
    )
    assert empty == []
    assert reader.complaints == []
    assert reader.requests == [reader.url]
    assert reader.ask("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize(
    ("name", "size", "dark"),
    [("good", DESKTOP, False), ("good", DESKTOP, True), ("invalid", PHONE, False), ("single", PHONE, True)],
)
def test_axe_finds_nothing_serious(open_report: Open, name: Golden, size: tuple[int, int], dark: bool) -> None:
    reader = open_report(name, size, dark)
    reader.read_all()
    found = Axe().run(reader.page).response["violations"]
    serious = {violation["id"]: violation["nodes"][0]["html"] for violation in found if violation["impact"] in SERIOUS}
    assert serious == {}


RESULTS = "#scenario-1 table.results"


def column(rows: list[list[str]], place: int) -> list[str]:
    return [row[place].split("\n")[0].removesuffix(" (control)") for row in rows]


def test_a_table_is_sorted_by_the_column_that_is_clicked(open_report: Open) -> None:
    reader = open_report()
    header = reader.page.locator(f"{RESULTS} th", has_text="drain")
    header.get_by_role("button").click()
    place = int(header.evaluate("heading => heading.cellIndex"))
    falling = column(reader.shown_rows(RESULTS), place)
    values = [float(text.replace(",", "")) for text in falling]
    assert values == sorted(values, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    header.get_by_role("button").click()
    assert column(reader.shown_rows(RESULTS), place) == falling[::-1]
    assert header.get_attribute("aria-sort") == "ascending"
    name = reader.page.locator(f"{RESULTS} th", has_text="Variant")
    name.get_by_role("button").press("Enter")
    names = column(reader.shown_rows(RESULTS), 0)
    assert names == sorted(names)
    assert header.get_attribute("aria-sort") is None


def test_what_is_missing_is_sorted_last_either_way(open_report: Open) -> None:
    reader = open_report("invalid")
    button = reader.page.locator(f"{RESULTS} th", has_text="drain").get_by_role("button")
    for _ in range(2):
        button.click()
        assert column(reader.shown_rows(RESULTS), 0)[-1] == "leaky"


def names_in_charts(reader: Reader) -> set[str]:
    return set(reader.ask("[...document.querySelectorAll('.plot[data-drawn]')].flatMap(p => p.data.map(t => t.name || ''))"))


def test_a_framework_can_be_left_out_of_tables_and_charts(open_report: Open) -> None:
    reader = open_report()
    reader.read_all()
    assert any("steady" in name for name in names_in_charts(reader))
    reader.page.get_by_label("steady", exact=True).uncheck()
    assert "steady" not in column(reader.shown_rows(RESULTS), 0)
    assert all("steady" not in row[1:3] for row in reader.shown_rows("#scenario-1-pairs"))
    assert not any("steady" in name for name in names_in_charts(reader))
    assert "steady" not in reader.ask("document.querySelector('#scenario-1-heat-map .plot').data[0].y")
    assert reader.ask("document.getElementById('scenario-1-variant-steady').hidden") is True
    reader.page.get_by_label("steady", exact=True).check()
    assert "steady" in column(reader.shown_rows(RESULTS), 0)
    assert any("steady" in name for name in names_in_charts(reader))
    assert reader.complaints == []


def test_a_search_narrows_the_tables_and_says_how_far(open_report: Open) -> None:
    reader = open_report()
    before = len(reader.shown_rows(RESULTS))
    reader.page.get_by_label("Search").fill("swift-twin")
    assert column(reader.shown_rows(RESULTS), 0) == ["swift-twin"]
    assert all("swift-twin" in row[1:3] for row in reader.shown_rows("#scenario-1-pairs"))
    status = reader.page.get_by_role("status").inner_text()
    assert status.endswith("rows")
    assert int(status.split()[0]) < int(status.split()[2])
    reader.page.get_by_label("Search").fill("")
    assert len(reader.shown_rows(RESULTS)) == before
    assert reader.page.get_by_role("status").inner_text() == ""


def test_the_pairs_are_those_of_the_measure_that_is_chosen(open_report: Open) -> None:
    reader = open_report()
    choice = reader.page.locator("select.measure")
    decided, folded = "#scenario-1-pairs", "#scenario-1-undecided"
    assert not reader.ask(f"document.querySelector('{folded}').checkVisibility()"), "what is not decided is folded away"
    reader.page.locator("#scenario-1-not-decided > summary").click()
    first = reader.shown_rows(decided) + reader.shown_rows(folded)
    assert len(first) == 6
    assert len(set(column(first, 0))) == 1
    assert all("no difference shown" in verdict for verdict in column(reader.shown_rows(folded), 4))
    assert not any("no difference shown" in verdict for verdict in column(reader.shown_rows(decided), 4))
    choice.select_option(index=1)
    second = reader.shown_rows(decided) + reader.shown_rows(folded)
    assert len(second) == 6
    assert column(second, 0) != column(first, 0)
    choice.select_option(label="all")
    assert len(set(column(reader.shown_rows(decided), 0))) > 2


def test_the_answer_is_the_first_that_one_sees(open_report: Open) -> None:
    reader = open_report()
    finding = reader.page.locator("#decision .findings li").first
    expect(finding).to_contain_text("leads in drain/s")
    expect(finding).to_be_in_viewport()
    rows = {row[0]: row[1] for row in reader.shown_rows("#standings")}
    assert rows.keys() == {"steady", "swift", "swift-twin"}
    assert sorted(rows.values())[-1] == "= 96.8 %"
    assert "100 %" in rows.values()
    reader.page.locator("#standings thead a").click()
    assert reader.page.locator("#scenario-1").is_visible()
    assert reader.page.url.endswith("#scenario-1")


def test_line_charts_name_their_lines_and_no_title_lies_under_the_tool_bar(open_report: Open) -> None:
    reader = open_report()
    reader.read_all()
    lines = "#scenario-1-latency-percentiles .plot"
    legend = reader.ask(f"[...document.querySelector('{lines}').querySelectorAll('.legendtext')].map(text => text.textContent)")
    assert sorted(legend) == ["bare", "steady", "swift", "swift-twin"]
    covered = reader.ask(
        """[...document.querySelectorAll('.plot')].filter(plot => {
            const title = plot.querySelector('.gtitle'), bar = plot.querySelector('.modebar-container .modebar');
            if (!title || !title.textContent || !bar) return false;
            return title.getBoundingClientRect().top < bar.getBoundingClientRect().bottom - 2;
        }).length"""
    )
    assert covered == 0


@pytest.mark.parametrize("anchor", ["scenario-1", "variant-swift", "scenario-1-variant-swift", "scenario-1-heat-map"])
def test_a_deep_link_opens_and_shows_its_part(open_report: Open, anchor: str) -> None:
    reader = open_report()
    reader.page.goto("about:blank")
    reader.page.goto(f"{reader.url}#{anchor}")
    reader.page.wait_for_function(
        "name => { const { top } = document.getElementById(name).getBoundingClientRect(); return top > -1 && top < innerHeight }",
        arg=anchor,
    )
    assert reader.page.locator(f"#{anchor}").is_visible()


def test_a_link_into_a_closed_part_opens_it(open_report: Open) -> None:
    reader = open_report()
    card = reader.page.locator("#scenario-1-variant-swift")
    assert card.get_attribute("open") is None
    reader.page.locator("#variant-swift").get_by_role("link").click()
    # The page hears of its new address some time after the click.
    expect(card).to_have_attribute("open", "")
    card.locator(".plot[data-drawn]").wait_for()


def brightness(reader: Reader, of: str) -> float:
    return float(reader.ask(f"getComputedStyle({of}).color.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 3"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_the_reader_s_theme_and_can_be_turned(open_report: Open, dark: bool) -> None:
    reader = open_report(dark=dark)
    reader.read_all()
    button = reader.page.get_by_role("button", name="Dark")
    ink = "document.querySelector('.plot .xtick text')"

    def looks_dark() -> bool:
        drawn = float(reader.ask(f"{ink}.style.fill.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 3"))
        assert (drawn > 128) is (brightness(reader, "document.body") > 128)
        return drawn > 128

    assert looks_dark() is dark
    assert button.get_attribute("aria-pressed") == str(dark).lower()
    button.click()
    assert looks_dark() is not dark
    assert button.get_attribute("aria-pressed") == str(not dark).lower()


def test_everything_can_be_reached_with_the_keyboard(open_report: Open) -> None:
    reader = open_report()
    reader.page.keyboard.press("Tab")
    assert reader.ask("document.activeElement.textContent") == "Skip to the report"
    reader.page.keyboard.press("Enter")
    assert reader.ask("document.activeElement.id") == "main"
    unreachable = reader.ask(
        "[...document.querySelectorAll('.scroll')]"
        ".filter(part => part.scrollWidth > part.clientWidth && part.tabIndex < 0).length"
    )
    assert unreachable == 0


def test_it_prints_open_light_and_with_every_chart(open_report: Open, tmp_path: Path) -> None:
    reader = open_report(dark=True)
    file = tmp_path / "report.pdf"
    reader.ask(
        "addEventListener('beforeprint', () => { window.inks = [...document.querySelectorAll('.plot .xtick text')]"
        ".map(label => label.style.fill); })"
    )
    reader.page.pdf(path=file, prefer_css_page_size=True)
    inks = reader.ask("window.inks")
    assert len(inks) > 20
    assert set(inks) == {"rgb(28, 32, 36)"}
    assert file.read_bytes().startswith(b"%PDF")
    assert reader.ask("document.querySelectorAll('.plot:not([data-drawn])').length") == 0
    assert reader.complaints == []


def test_every_picture_that_is_linked_can_be_seen(open_report: Open, browser: Browser) -> None:
    reader = open_report("single")
    links = reader.ask("[...document.querySelectorAll('figcaption a')].map(link => link.href)")
    assert len(links) == 2 * reader.ask("document.querySelectorAll('figure.chart').length")
    page = browser.new_page()
    try:
        for link in links:
            page.goto(link)
            assert page.locator("svg, img").first.bounding_box() is not None
    except Error as error:
        pytest.fail(str(error))
    finally:
        page.close()
