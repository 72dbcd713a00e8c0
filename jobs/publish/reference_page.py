"""The reference of all layers as one searchable HTML file that asks for nothing from outside.

Everything stands in the file as text, Chinese first; the script only filters, and switches the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby

from jobs.publish.reference_entries import LAYERS, PRIVACY, Entry, Line, Words
from jobs.settings import ROOT

# Headings of a table, and what is read of a line.
_HEADS: tuple[Words, ...] = (
    ("名称", "name"),
    ("含义", "meaning"),
    ("类型与单位", "type and unit"),
    ("隐私", "privacy"),
    ("来源", "sources"),
    ("规则与可加性", "rules and sums"),
)
# Sources of a column that are shown; the rest is counted, and `./edulake lineage` tells all.
_SHOWN = 8
_FOLDER = ROOT / "jobs" / "publish"


def page(
    entries: Iterable[Entry], rows: Mapping[str, int], changed: Mapping[str, Words], about: Words
) -> str:
    """The whole file as text. `rows`: table -> rows at hand; `changed`: table -> its last change; `about`: of
    which release and site they are.
    """
    house = (ROOT / "jobs" / "page.css").read_text("utf-8") + (_FOLDER / "reference.css").read_text("utf-8")
    script = (_FOLDER / "reference.js").read_text("utf-8")
    sections = "".join(
        f'<section aria-labelledby="layer-{layer}"><h2 id="layer-{layer}">{_both(LAYERS[layer])}</h2>'
        f"{''.join(_entry(entry, rows, changed) for entry in own)}</section>"
        for layer, own in groupby(entries, key=lambda entry: entry.layer)
    )
    layers = "".join(
        f'<option value="{layer}">{escape(f"{zh} {en}")}</option>' for layer, (zh, en) in LAYERS.items()
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>数据字典 Data dictionary</title><style>{house}</style></head><body>"
        f'<header><div class="frame"><h1>{_both(("数据字典", "Data dictionary"))}</h1>'
        f'<p class="kicker">{_both(about)}</p></div></header><main class="frame">'
        '<div class="tools" role="search">'
        f'<label for="q">{_both(("搜索", "Search"))}</label>'
        '<input id="q" type="search" placeholder="表、列、表头、含义" data-zh="表、列、表头、含义"'
        ' data-en="table, column, heading, meaning">'
        f'<label for="layer">{_both(("层", "Layer"))}</label>'
        f'<select id="layer"><option value="">全部 All</option>{layers}</select>'
        '<button id="lang" type="button">English</button>'
        '<output id="found" aria-live="polite"></output></div>'
        f"{sections}</main><script>\n{script}</script></body></html>\n"
    )


def _both(words: Words) -> str:
    """Both languages; the page shows one."""
    zh, en = words
    if zh == en:
        return escape(zh)
    return f'<span class="zh" lang="zh-CN">{escape(zh)}</span><span class="en" lang="en">{escape(en)}</span>'


def anchor(entry: Entry) -> str:
    """The entry's name within the page; a code list may have the name of a dataset."""
    return f"{entry.layer}:{entry.name}" if entry.layer in ("code", "metric") else entry.name


def _entry(entry: Entry, rows: Mapping[str, int], changed: Mapping[str, Words]) -> str:
    facts: list[tuple[Words, str]] = [(("一行", "one row"), entry.grain), *entry.facts]
    if entry.about:
        facts.insert(0, (("说明", "about"), entry.about))
    # A code list or metric may have the name of a table.
    if (counted := rows.get(anchor(entry))) is not None:
        facts.append((("行数", "rows"), f"{counted:,}"))
    if entry.readers:
        facts.append((("使用", "read by"), ", ".join(entry.readers)))
    told = "".join(f"<dt>{_both(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts if value)
    if anchor(entry) in changed:
        told += f"<dt>{_both(('最近变化', 'last change'))}</dt><dd>{_both(changed[anchor(entry)])}</dd>"
    heads = "".join(f'<th scope="col">{_both(head)}</th>' for head in _HEADS)
    body = "".join(_line(entry, line) for line in entry.lines)
    table = f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    return (
        f'<details id="{escape(anchor(entry))}" data-layer="{entry.layer}">'
        f"<summary><code>{escape(entry.name)}</code> {_both(entry.means)}</summary>"
        f"<dl>{told}</dl>{table if body else ''}</details>"
    )


def _line(entry: Entry, line: Line) -> str:
    kind = " ".join(filter(None, [escape(line.kind), _both(line.unit)]))
    more = len(line.sources) - _SHOWN
    sources = [escape(one) for one in line.sources[:_SHOWN]]
    if more > 0:
        sources.append(_both((f"另有 {more} 个", f"and {more} more")))
    rules = [_both(rule) for rule in (*line.rules, *([line.sums] if line.sums[0] else []))]
    privacy = _both(PRIVACY[line.privacy]) if line.privacy else ""
    cells = [_both(line.means), kind, privacy, "<br>".join(sources), "<br>".join(rules)]
    return (
        f'<tr><th scope="row" id="{escape(f"{anchor(entry)}.{line.name}")}">{escape(line.name)}</th>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )
