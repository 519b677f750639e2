"""A run as a picture: how fast each gateway is beside nginx as a plain proxy. SVG, for light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.peers import BASELINE, PEERS
from benchmarks.record import Record
from benchmarks.scenarios import SCENARIOS
from benchmarks.statistics import Spread
from benchmarks.table import to_nginx

WIDTH = 980
LEFT = 300
RIGHT = 60
TOP = 78
BAR = 13
GAP = 3
BETWEEN = 16
"""Pixels: the picture, its margins, a bar, what is between bars and between groups."""
LETTER = 6.5
"""Pixels that a letter takes, about."""
LIKE = {"apache-30k": "apache"}
"""What has another's colour, and no place of its own in the legend."""

STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
  .paper { fill: #ffffff; }
  .title { font-size: 15px; font-weight: 600; }
  .quiet { fill: #57606a; }
  .line { stroke: #d0d7de; }
  .one { stroke: #57606a; stroke-dasharray: 4 3; }
  .spread { stroke: #24292f; stroke-width: 1.2; opacity: .65; }
  .tokenward { fill: #0969da; }
  .tokenward-ordinary { fill: #54aeff; }
  .tokenward-python { fill: #0a3069; }
  .apache, .apache-30k { fill: #c4432b; }
  .haproxy { fill: #7a8a99; }
  .caddy { fill: #2c9f6f; }
  .envoy { fill: #a05fc2; }
  .naive { fill: #c69026; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    text { fill: #e6edf3; }
    .quiet { fill: #9198a1; }
    .line { stroke: #3d444d; }
    .one { stroke: #9198a1; }
    .spread { stroke: #e6edf3; }
    .tokenward { fill: #1f6feb; }
    .tokenward-ordinary { fill: #79c0ff; }
    .tokenward-python { fill: #a5d6ff; }
    .apache, .apache-30k { fill: #e5634d; }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One gateway in one scenario."""

    gateway: str
    ratio: Spread


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of a scenario."""

    title: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        return max(len(self.bars) * (BAR + GAP), BAR) + BETWEEN


def groups(record: Record) -> list[Group]:
    """What there is to draw: all but nginx itself, which is the line at 1."""
    names = [name for name in record.gateways(PEERS) if name != BASELINE]
    found = (
        Group(scenario.title, tuple(Bar(name, each) for name in names if (each := to_nginx(record, scenario, name))))
        for scenario in SCENARIOS.values()
    )
    return [group for group in found if group.bars]


def draw(drawn: Sequence[Group], about: str) -> str:
    """The picture. `about` is the line below the title."""
    longest = max((bar.ratio.high for group in drawn for bar in group.bars), default=1.0)
    scale = Scale(max(longest, 1.0) * 1.04)
    height = TOP + sum(group.height for group in drawn) + 30
    tops = [TOP + sum(group.height for group in drawn[:index]) for index in range(len(drawn))]
    inner = [
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="12" y="22">{TITLE}</text>',
        f'<text class="quiet" x="12" y="40">{escape(about)}</text>',
        *_legend(drawn),
        *_axis(scale, height - 24),
        *(line for top, group in zip(tops, drawn, strict=True) for line in _group(group, top, scale)),
    ]
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    body = "\n".join(inner)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{TITLE}">\n{body}\n</svg>\n'


TITLE = "Requests a second, where nginx as a plain proxy is 1"


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a ratio is on the picture."""

    longest: float

    def x(self, value: float) -> float:
        return LEFT + value / self.longest * (WIDTH - LEFT - RIGHT)


def _legend(drawn: Sequence[Group]) -> list[str]:
    there = {LIKE.get(bar.gateway, bar.gateway) for group in drawn for bar in group.bars}
    lines, x = [], 12.0
    for name in (name for name in PEERS if name in there):
        title = PEERS[name].title.partition(" (")[0]
        lines.append(f'<rect class="{name}" x="{x:.0f}" y="52" width="12" height="12" rx="2"/>')
        lines.append(f'<text x="{x + 18:.0f}" y="62">{escape(title)}</text>')
        x += 18 + len(title) * LETTER + BETWEEN
    return lines


def _axis(scale: Scale, bottom: int) -> list[str]:
    lines = []
    for step in range(int(scale.longest / 0.25) + 1):
        x = f"{scale.x(step * 0.25):.1f}"
        kind = "one" if step == 4 else "line"
        lines.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{bottom}"/>')
        lines.append(f'<text class="quiet" x="{x}" y="{bottom + 15}" text-anchor="middle">{step * 0.25:g}</text>')
    return lines


def _group(group: Group, top: int, scale: Scale) -> list[str]:
    middle = top + (group.height - BETWEEN) / 2 + 2
    lines = [f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(group.title)}</text>']
    for index, bar in enumerate(group.bars):
        lines += _bar(bar, top + index * (BAR + GAP), scale)
    return lines


def _bar(bar: Bar, y: int, scale: Scale) -> list[str]:
    zero, end, low, high = (scale.x(value) for value in (0, bar.ratio.median, bar.ratio.low, bar.ratio.high))
    middle = y + BAR / 2
    said = f"{PEERS[bar.gateway].title}: {bar.ratio.median:.2f} ({bar.ratio.low:.2f} to {bar.ratio.high:.2f})"
    width = max(end - zero, 1.0)
    return [
        f'<rect class="{bar.gateway}" x="{zero}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2">'
        f"<title>{escape(said)}</title></rect>",
        f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
        f'<text x="{max(end, high) + 5:.1f}" y="{y + BAR - 2.5}">{bar.ratio.median:.2f}</text>',
    ]
