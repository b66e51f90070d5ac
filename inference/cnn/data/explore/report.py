"""The report of a data set: verdict first, then counts, sizes, intensities and pictures, in one HTML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.explore.catalogue import Catalogue, Item
from inference.cnn.data.explore.charts import histogram, picture
from inference.cnn.data.explore.leakage import Leakage, Pair, clusters, many

EXAMPLES, PAIRS_SHOWN = 8, 8
VALUES_PER_ITEM = 400
SIGNS = {"leak": "✗ leak", "beware": "! beware", "good": "✓ good"}
STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px 20px 64px;background:#f4f6f9;color:#17212c;
 font:14px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:24px;margin:0}h2{font-size:16px;margin:32px 0 12px}.dim{color:#465464;margin:4px 0 20px}
.verdict{list-style:none;padding:0;margin:0;display:grid;gap:8px}
.verdict li{display:grid;grid-template-columns:84px 1fr;padding:10px 14px;border-radius:6px;background:#fff;
 border-left:4px solid #a9b6c4}.verdict b{font-weight:600}
.leak{border-color:#b3261e!important;background:#fdecea!important}
.beware{border-color:#b98900!important;background:#fbf3da!important}
.good{border-color:#1a6e3e!important;background:#e5f4eb!important}
.scroll{overflow-x:auto}table{border-collapse:collapse;background:#fff;border-radius:6px}
th,td{padding:6px 14px;text-align:right;border-bottom:1px solid #d8dfe8;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{color:#465464;font-weight:600}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:16px}
figure{margin:0;background:#fff;border-radius:6px;padding:10px 12px}figcaption{font-weight:600}
svg{width:100%;display:block}svg text{font-size:11px;fill:#465464}
.legend{float:right;font-weight:400}.legend span{margin-left:12px}.legend i{display:inline-block;width:10px;
 height:10px;border-radius:2px;margin-right:5px}.one{color:#465464;margin:12px 0}
.pics{display:flex;flex-wrap:wrap;gap:8px}.pic{padding:4px;width:120px}.pic img{display:block;width:112px;
 height:112px;object-fit:contain;background:#000;border-radius:3px}
.pic figcaption{font-size:11px;font-weight:400;color:#465464;
 overflow-wrap:anywhere;line-height:1.3;margin-top:4px}
.pair{display:flex;background:#fff;border-radius:6px}.row{margin:0 0 12px}
.row b{display:block;margin-bottom:4px}
"""


def report(data: Catalogue, found: Leakage) -> str:
    """The whole page."""
    head = f"<h1>{escape(data.name)}</h1><p class=dim>{escape(data.layout)} · {_count(data)}</p>"
    body = [
        head,
        f"<ul class=verdict>{''.join(_verdict(f.level, f.sentence) for f in found.findings)}</ul>",
        "<h2>Counts</h2>",
        _counts(data.items),
        "<h2>Sizes and spacings</h2>",
        f"<div class=grid>{_figures(data.items)}</div>",
        f"<h2>Intensities ({escape(data.unit)})</h2>",
        f"<div class=grid>{_intensities(data)}</div>",
        "<h2>Examples</h2>",
        _examples(data.items),
        _pairs("The same pixels", data.items, found.same_pixels),
        _pairs("Near-identical", data.items, found.alike),
        _clusters(data.items, [*found.same_pixels, *found.alike]),
    ]
    title = f"{escape(data.name)}: a look at the data"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style>{''.join(body)}</html>\n"
    )


def _verdict(level: str, sentence: str) -> str:
    return f"<li class={level}><b>{SIGNS[level]}</b><span>{escape(sentence)}</span></li>"


def _count(data: Catalogue) -> str:
    patients = len({item.patient for item in data.items})
    unit = "patients or groups" if data.patients_known else "pictures of unknown patients"
    return f"{len(data.items)} pictures, {patients} {unit}"


def _counts(items: Sequence[Item]) -> str:
    labels = sorted({item.label for item in items})
    splits = sorted({item.split for item in items})
    rows = []
    for split in splits:
        inside = [i for i in items if i.split == split]
        counted = Counter(i.label for i in inside)
        cells = "".join(f"<td>{counted[label]} ({counted[label] / len(inside):.0%})</td>" for label in labels)
        patients = len({i.patient for i in inside})
        name = escape(split or "no split given")
        rows.append(f"<tr><td>{name}</td><td>{len(inside)}</td><td>{patients}</td>{cells}</tr>")
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    return (
        "<div class=scroll><table><thead><tr><th>split</th><th>pictures</th><th>patients</th>"
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _groups(items: Sequence[Item]) -> dict[str, list[Item]]:
    """By split, or all together where there is one."""
    names = sorted({item.split for item in items})
    return {name or "all": [i for i in items if i.split == name] for name in names}


def _figures(items: Sequence[Item]) -> str:
    names = list(dict.fromkeys(name for item in items for name in item.figures))
    return "".join(
        histogram(
            name,
            {s: [i.figures[name] for i in those if name in i.figures] for s, those in _groups(items).items()},
        )
        for name in names
    )


def _intensities(data: Catalogue) -> str:
    """By split and by label: a class that shows in its greys alone is a trap."""
    labels = {
        label: [i for i in data.items if i.label == label] for label in sorted({i.label for i in data.items})
    }
    drawn = {"by split": _groups(data.items), "by label": labels}
    return "".join(
        histogram(f"{data.unit} {how}", {name: _values(those) for name, those in groups.items()})
        for how, groups in drawn.items()
        if len(groups) > 1 or how == "by split"
    )


def _values(items: Sequence[Item]) -> list[float]:
    """Voxels drawn evenly from each picture."""
    return [float(v) for item in items for v in _thinned(item.values.ravel())]


def _thinned(values: NDArray[np.generic]) -> NDArray[np.generic]:
    # A step that is odd and no divisor of common widths, so that not one column is drawn again and again.
    return values[:: max(1, values.size // VALUES_PER_ITEM) | 1]


def _examples(items: Sequence[Item]) -> str:
    rng = np.random.default_rng(0)
    rows = []
    for label in sorted({i.label for i in items}):
        those = [i for i in items if i.label == label]
        drawn = rng.choice(len(those), min(EXAMPLES, len(those)), replace=False)
        shown = "".join(picture(those[n].grey, those[n].name) for n in sorted(drawn))
        rows.append(f"<div class=row><b>{escape(label)}</b><div class=pics>{shown}</div></div>")
    return "".join(rows)


def _pairs(title: str, items: Sequence[Item], pairs: list[Pair]) -> str:
    if not pairs:
        return ""
    drawn = pairs[:: max(1, len(pairs) // PAIRS_SHOWN)][:PAIRS_SHOWN]
    two = ([picture(items[n].grey, items[n].name) for n in pair] for pair in drawn)
    shown = "".join(f"<div class=pair>{''.join(both)}</div>" for both in two)
    return f"<h2>{escape(title)}: {many(len(pairs), 'pair')}</h2><div class=pics>{shown}</div>"


def _clusters(items: Sequence[Item], pairs: list[Pair]) -> str:
    joined = clusters(pairs, len(items))
    if not joined:
        return ""
    largest = joined[0]
    shown = "".join(picture(items[n].grey, items[n].name) for n in largest[:EXAMPLES])
    told = f"{many(len(joined), 'cluster')} of near-identical pictures; the largest holds {len(largest)}"
    return f"<h2>{told}</h2><div class=pics>{shown}</div>"
