"""The picture of a run."""

from xml.etree import ElementTree as Tree

import pytest

from benchmarks.chart import LEFT, LETTER, RIGHT, WIDTH, Bar, Group, Scale, draw, groups
from benchmarks.peers import PEERS
from benchmarks.statistics import Spread
from tests.benchmarks.records import measured, record, sample

SVG = "{http://www.w3.org/2000/svg}"
RUN = record(
    measured("plain", "nginx", sample(1000), sample(1000)),
    measured("plain", "tokenward", sample(500), sample(700)),
    measured("post", "tokenward", sample(500), sample(700)),
    measured("opaque10k", "nginx", sample(1000), sample(1000)),
    measured("opaque10k", "apache-30k", sample(30), sample(50)),
)


def picture(drawn: list[Group]) -> Tree.Element:
    return Tree.fromstring(draw(drawn, "Some <CPU>"))


def test_a_scenario_is_drawn_where_nginx_did_the_same_and_nginx_itself_is_not() -> None:
    assert groups(RUN) == [
        Group("GET 1 KB, no token", (Bar("tokenward", Spread(0.6, 0.5, 0.7)),)),
        Group("10,000 opaque tokens in turn, all seen before", (Bar("apache-30k", Spread(0.04, 0.03, 0.05)),)),
    ]


def test_a_bar_is_as_long_as_its_ratio() -> None:
    bars = [each for each in picture(groups(RUN)).iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    scale = Scale(1.04)
    assert [float(bar.attrib["width"]) for bar in bars] == [
        pytest.approx(scale.x(0.6) - scale.x(0), abs=0.1),
        pytest.approx(scale.x(0.04) - scale.x(0), abs=0.1),
    ]


def test_the_spread_is_drawn_from_the_smallest_ratio_to_the_largest() -> None:
    first, *_ = (each for each in picture(groups(RUN)).iter(f"{SVG}line") if each.get("class") == "spread")
    scale = Scale(1.04)
    assert float(first.attrib["x1"]) == pytest.approx(scale.x(0.5), abs=0.1)
    assert float(first.attrib["x2"]) == pytest.approx(scale.x(0.7), abs=0.1)


def test_the_longest_bar_and_the_line_at_one_are_inside_the_picture() -> None:
    (group,) = groups(record(RUN.measured[:2], measured("plain", "haproxy", sample(3000), sample(5000))))
    assert Scale(5 * 1.04).x(group.bars[0].ratio.high) < WIDTH - RIGHT
    assert Scale(1.04).x(0) == LEFT


def test_a_variant_has_no_place_of_its_own_in_the_legend() -> None:
    both = [Group("a", (Bar("apache", Spread(1, 1, 1)), Bar("apache-30k", Spread(1, 1, 1))))]
    texts = [each.text for each in picture(both).iter(f"{SVG}text")]
    assert texts.count("Apache mod_oauth2") == 1


def test_the_legend_has_a_place_for_everybody() -> None:
    everybody = [Group("a", tuple(Bar(name, Spread(1, 1, 1)) for name in PEERS if name != "nginx"))]
    legend = [each for each in picture(everybody).iter(f"{SVG}text") if each.get("y") == "62"]
    assert [each.text for each in legend][:2] == ["Tokenward", "Tokenward, ordinary lane"]
    places = [float(each.attrib["x"]) for each in legend]
    widths = [len(each.text or "") * LETTER for each in legend]
    assert all(place + width < after for place, width, after in zip(places, widths, [*places[1:], WIDTH], strict=True))


def test_what_was_measured_on_is_escaped_and_both_colour_schemes_are_there() -> None:
    drawn = draw(groups(RUN), "Some <CPU>")
    assert "Some &lt;CPU&gt;" in drawn
    assert "prefers-color-scheme: dark" in drawn
