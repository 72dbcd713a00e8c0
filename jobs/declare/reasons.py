"""Why a file was not taken as it was sent: a code with details, and its sentence in each language.

A reason is kept as JSON, `{"code": "rows_fell", "before": 100, "least": 0.7, "rows": 50}`. Two reasons are
equal where code and details are equal; no program compares sentences. The sentences are in `reasons.yaml`
alone. Details are numbers, names of sheets and columns, or headings: never a cell's value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jobs.declare import words
from jobs.declare.contracts import load
from jobs.declare.words import Text
from jobs.files import parse_yaml

Language = Literal["zh", "en"]
Detail = str | int | float | list[str]

# Details that the sender typed: they stay in the restricted zone (`jobs.lake.receipt_text`).
TYPED = ("member", "sheet", "headings")
# Stands for them where only the rest is known.
_UNTOLD = "…"

_WORDS = Path(__file__).with_suffix(".yaml")

# What kind of file was sent in place of a table.
_KINDS = {
    "pdf": {"zh": "PDF 文件", "en": "a PDF file"},
    "rar": {"zh": "RAR 压缩文件", "en": "a RAR archive"},
    "7z": {"zh": "7z 压缩文件", "en": "a 7z archive"},
    "bzip2": {"zh": "bzip2 压缩文件", "en": "a bzip2 archive"},
    "xz": {"zh": "xz 压缩文件", "en": "an xz archive"},
    "picture": {"zh": "图片 (照片、截图或扫描件)", "en": "a picture (a photo or a scan)"},
    "rtf": {"zh": "RTF 文档", "en": "an RTF document"},
    "document": {"zh": "文档 (如 Word、WPS 文字)", "en": "a document (a letter, for example)"},
    "film": {"zh": "音频或视频", "en": "a recording"},
    "program": {"zh": "程序", "en": "a program"},
    "xml": {"zh": "XML 文件", "en": "an XML file"},
    "parquet": {"zh": "Parquet 文件", "en": "a Parquet file"},
    "database": {"zh": "数据库文件", "en": "a database file"},
}

# Kinds of sender.
_SENDERS = {
    "district": {"zh": "区", "en": "a district"},
    "city": {"zh": "市级部门", "en": "an office of the city"},
    "school": {"zh": "学校", "en": "a school"},
}


def text(code: str, **details: Detail | None) -> str:
    """Return a reason as receipts keep it. Details that are None are left out; `because` is a reason itself.

    Raises KeyError for a code without sentences.
    """
    sentences()[code]
    given: dict[str, Any] = {name: value for name, value in sorted(details.items()) if value is not None}
    if "because" in given:
        given["because"] = json.loads(given["because"])
    return json.dumps({"code": code} | given, ensure_ascii=False)


def without_text(reason: str) -> str:
    """Return a reason without what the sender typed: names of sheets and members, headings."""
    return json.dumps(_without_text(json.loads(reason)), ensure_ascii=False)


def _without_text(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_text(value) if name == "because" else value
        for name, value in details.items()
        if name not in TYPED
    }


def code_of(reason: str) -> str:
    """Return the code of a reason."""
    return str(json.loads(reason)["code"])


def details(reason: str) -> dict[str, Any]:
    """Return the details of a reason, its code among them."""
    found: dict[str, Any] = json.loads(reason)
    return found


def sentence(reason: str, language: Language) -> str:
    """Return what a reason says to people, in one language."""
    return _sentence(json.loads(reason), language)


def joined(reasons: Iterable[str] | None, language: Language) -> str:
    """Return what reasons say, one after the other; empty for none."""
    return "; ".join(sentence(reason, language) for reason in reasons or ())


@cache
def sentences() -> Mapping[str, Mapping[str, str]]:
    """Return code -> language -> sentence, with the details' names in braces."""
    return {code: {"zh": told["zh"], "en": told["en"]} for code, told in _declared().items()}


@cache
def asked_of_lake() -> Mapping[str, Text]:
    """Return what is asked by each reason that only a lake can tell, in words: code -> what is compared."""
    return {
        code: Text(told["of_lake_zh"], told["of_lake_en"])
        for code, told in _declared().items()
        if "of_lake_zh" in told
    }


@cache
def _declared() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = parse_yaml(_WORDS.read_text(encoding="utf-8"))
    return found


def _sentence(details: Mapping[str, Any], language: Language) -> str:
    return sentences()[details["code"]][language].format(**_in_words(details, language))


def _in_words(details: Mapping[str, Any], language: Language) -> dict[str, Any]:
    found = {
        name: _listed(value, language) if isinstance(value, list) else value
        for name, value in details.items()
    }
    for name in TYPED:
        found.setdefault(name, _UNTOLD)
    found["place"] = _place(details.get("member"), details.get("sheet"), language)
    for name in ("dataset", "other_dataset"):
        if name in details:
            contract = load()[details[name]]
            found[name] = contract.zh if language == "zh" else contract.en
    if "columns" in details:
        contract = load()[details["dataset"]]
        name_of = words.column_zh if language == "zh" else words.column_en
        found["columns"] = _listed([name_of(contract, name) for name in details["columns"]], language)
    if "senders" in details:
        found["senders"] = _listed([_SENDERS[kind][language] for kind in details["senders"]], language)
    if "kind" in details:
        found["kind"] = _KINDS[details["kind"]][language]
    if "because" in details:
        found["because"] = _sentence(details["because"], language)
    return found


def _listed(names: list[str], language: Language) -> str:
    return ("、" if language == "zh" else ", ").join(names)


def _place(member: str | None, sheet: str | None, language: Language) -> str:
    """Where in a file a table stands, as its sender would say it."""
    if language == "zh":
        return (f"压缩包成员“{member}”" if member else "") + (f"工作表“{sheet}”" if sheet else "") or "文件"
    parts = [f"sheet “{sheet}”"] * bool(sheet) + [f"member “{member}”"] * bool(member)
    return " of ".join(parts) or "the file"
