"""The report as one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isnan
from typing import Any

STYLE = """
:root { --ink:#17202a; --soft:#5a6672; --line:#d9dee4; --back:#fbfcfd; --card:#fff;
  --s1:#0b6e75; --s2:#b3541e; --s3:#5b4b9a; --s4:#8a8f98; --cell:11,110,117; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6eaee; --soft:#9aa6b2; --line:#2c343d; --back:#12171c;
  --card:#181e25; --s1:#4cc3c9; --s2:#f0a05a; --s3:#a99bf0; --s4:#8a939d; --cell:76,195,201; } }
* { box-sizing:border-box }
body { margin:0; background:var(--back); color:var(--ink); font:15px/1.5 system-ui,sans-serif }
main { max-width:1000px; margin:0 auto; padding:28px 20px 60px }
h1 { font-size:26px; line-height:1.25; margin:0 0 4px } h2 { font-size:18px; margin:36px 0 8px }
p { margin:6px 0; max-width:75ch } .soft, figcaption, caption { color:var(--soft) }
table { border-collapse:collapse; margin:10px 0; font-variant-numeric:tabular-nums }
th, td { text-align:left; padding:5px 18px 5px 0; border-bottom:1px solid var(--line); vertical-align:top }
th { font-weight:600 } td.n { text-align:right } .wide { overflow-x:auto }
.plots { display:flex; flex-wrap:wrap; gap:16px }
.plot { flex:1 1 400px; max-width:480px; margin:0; padding:12px; background:var(--card);
  border:1px solid var(--line); border-radius:8px }
svg { width:100%; height:auto; display:block } svg text { font-size:12px; fill:var(--soft) }
.grid { stroke:var(--line); fill:none } path.line, path.both, path.faint { fill:none; stroke-width:2 }
path.faint { stroke-dasharray:4 4; stroke-width:1.3 } circle { fill-opacity:.55 }
path.s1 { stroke:var(--s1) } path.s2 { stroke:var(--s2) } path.s3 { stroke:var(--s3) }
path.s4 { stroke:var(--s4) } circle.s1 { fill:var(--s1) } circle.s2 { fill:var(--s2) }
circle.s3 { fill:var(--s3) } circle.s4 { fill:var(--s4) }
.legend { font-size:13px; margin:4px 0 0 } .key { margin-right:14px }
.key::before { content:""; display:inline-block; width:16px; height:3px; margin:0 6px 3px 0 }
.key.s1::before { background:var(--s1) } .key.s2::before { background:var(--s2) }
.key.s3::before { background:var(--s3) } .key.s4::before { background:var(--s4) }
.cases { display:grid; grid-template-columns:repeat(auto-fill,minmax(150px,1fr)); gap:12px }
.case { margin:0; font-size:12.5px; line-height:1.35 }
.case img { width:100%; border-radius:6px; display:block; margin-bottom:4px }
.confusion td.cell { text-align:center; padding:8px 14px; border:2px solid var(--back) }
.confusion caption { text-align:left; white-space:nowrap }
section:last-of-type { margin-bottom:32px }
.confusion small { display:block; color:var(--soft) }
.ours { color:#0fa39a } .theirs { color:#c98600 }
"""
STYLE += "".join(f".d{n} {{ background:rgba(var(--cell),{0.05 + 0.06 * n:.2f}) }}\n" for n in range(10))


@dataclass(frozen=True)
class Section:
    """Heading, a sentence below it, and HTML that is already safe."""

    title: str
    note: str
    body: str


@dataclass(frozen=True)
class KeyRow:
    """One line of the first table: what, how much, its interval, and what to hold against it."""

    name: str
    value: float | int | None
    interval: Sequence[float] | None = None
    beside: str = ""


def number(value: float | int | None) -> str:
    """Three decimals for measures, none for counts, a dash for what is undefined."""
    if value is None or isnan(value):
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def key_table(rows: Sequence[KeyRow]) -> str:
    head = "<tr><th>figure</th><th>value</th><th>95 % interval</th><th>beside it</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(_key_row(r) for r in rows)}</table></div>'


def _key_row(row: KeyRow) -> str:
    span = f"{number(row.interval[0])} – {number(row.interval[1])}" if row.interval else ""
    return (
        f'<tr><th scope="row">{escape(row.name)}</th><td class="n">{number(row.value)}</td>'
        f'<td>{span}</td><td class="soft">{escape(row.beside)}</td></tr>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{lines}</table></div>'


def cases(figures: Sequence[str]) -> str:
    return f'<div class="cases">{"".join(figures)}</div>'


def plots(figures: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(figures)}</div>'


def page(told: Mapping[str, Any], lead: str, sections: Sequence[Section]) -> str:
    """The whole report. `told`: task, split, data, date and the hashes of the networks."""
    title = f"Evaluation: {told['task']}"
    hashes = ", ".join(f"{name} {sha[:12]}" for name, sha in told["networks"].items()) or "no network"
    parts = "".join(
        f'<section><h2>{escape(s.title)}</h2><p class="soft">{escape(s.note)}</p>{s.body}</section>'
        for s in sections
    )
    first = f", the first {told['limit']} cases alone" if told.get("limit") else ""
    facts = f"{told['data']}, split {told['split']}{first} · {told['date']} · {hashes}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><p class="soft">{escape(facts)}</p><p>{escape(lead)}</p>{parts}'
        '<p class="soft">Research figures. Labels are radiologists\' opinions unless a section says '
        "otherwise; they are no proof of clinical benefit.</p></main></body></html>\n"
    )
