"""The dictionary's page of metrics: definition, counts, source and targets, from the declarations."""

from __future__ import annotations

from jobs.declare import metrics, standards
from jobs.declare.metrics import Metric

_SERVICES_ZH = {
    "evaluation": "规划指标",
    "balance": "优质均衡",
    "places": "学位",
    "fitness": "体质健康",
    "safety": "校园安全",
    "enrollment": "学生",
    "staff": "师资",
    "ops": "数据质量",
    "resources": "教育资源",
}
_LEVELS_ZH = {"school": "校", "group": "集团", "district": "区", "zone": "功能区", "city": "市"}
_COLUMNS = [
    *("指标 metric", "定义 definition", "分子 numerator", "分母 denominator", "单位 unit", "层级 levels"),
    *("来源 counted from", "依据 clause"),
]
_TARGET_COLUMNS = ["规划 plan", "指标 metric", "基期 base", "目标 target", "生效 in force"]
_OPERATORS = {"gt": ">", "ge": "≥", "eq": "", "": ""}


def page() -> list[str]:
    """The lines of the page, without its head."""
    lines = [
        "# 指标目录 Metrics\n",
        "每个指标只定义一次；数值在 `fct_metric_value`，目录在 `dim_metric`，目标在 `dim_metric_target`。"
        "Each metric is declared once; its values are in `fct_metric_value`, in the unit shown here.\n",
    ]
    by_service: dict[str, list[Metric]] = {}
    for metric in metrics.load().values():
        by_service.setdefault(metric.service, []).append(metric)
    for service, found in by_service.items():
        lines += [f"## {_SERVICES_ZH[service]} {service}\n"]
        lines += _head(_COLUMNS)
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(m)) + " |" for m in found]
        lines += [""]
    lines += ["## 规划目标 Targets\n", *_head(_TARGET_COLUMNS)]
    lines += [f"| {' | '.join(_target(row))} |" for row in standards.rows(metrics.TARGETS)]
    return [*lines, ""]


def _head(columns: list[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]


def _cells(metric: Metric) -> list[str]:
    def both(told: metrics.Words | None) -> str:
        return f"{told.zh}<br>{told.en}" if told else "—"

    note = f"<br>注：{metric.footnote.zh}。{metric.footnote.en}." if metric.footnote else ""
    unit = metric.unit.zh if metric.unit.zh == metric.unit.en else f"{metric.unit.zh} {metric.unit.en}"
    return [
        f"{metric.name.zh}<br>`{metric.code}`",
        both(metric.definition) + note,
        both(metric.numerator),
        both(metric.denominator),
        unit,
        "、".join(_LEVELS_ZH[level] for level in metric.levels),
        "<br>".join(f"`{source.model}` ({source.basis})" for source in metric.values),
        metric.clause or "—",
    ]


def _target(row: dict[str, str]) -> list[str]:
    base = f"{_OPERATORS[row['base_operator']]}{row['base_value']} ({row['base_year']})"
    return [
        row["plan_code"],
        f"`{row['indicator_code']}`",
        base if row["base_value"] else "—",
        f"{_OPERATORS[row['target_operator']]}{row['target_value']} ({row['target_year']})",
        f"{row['valid_from']}–{row['valid_to']}",
    ]
