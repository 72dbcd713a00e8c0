"""Commands around feeds, for those who send them: `feed list`, `feed template`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from jobs.cli import report
from jobs.settings import UserError

if TYPE_CHECKING:
    from jobs.declare import Contract

app = typer.Typer(help="报送 What is sent, in which form, and what became of it.", no_args_is_help=True)
console = Console(highlight=False)


@app.callback()
def _group() -> None:
    """报送 What is sent, in which form, and what became of it."""


@app.command(name="list")
def list_datasets() -> None:
    """Every dataset that can be sent: its feed, its Chinese name, who sends it, what one row is.

    可以报送的全部数据表：所属数据源、中文名、报送单位、一行代表什么。
    """
    from jobs import declare

    table = Table("feed", "dataset", "数据表", "sender", "one row")
    for contract in sorted(declare.load().values(), key=lambda c: (c.feed, c.dataset)):
        table.add_row(contract.feed, contract.dataset, contract.zh, contract.sender, contract.grain)
    # Written to a file or a pipe, nothing needs to fit a screen.
    (console if console.is_terminal else Console(highlight=False, width=160)).print(table)


@app.command()
def template(
    dataset: Annotated[str, typer.Argument(help="A dataset, as `feed list` names it.")],
    output: Annotated[Path | None, typer.Option(help="Where to write; else <中文名>_模板.xlsx here.")] = None,
) -> None:
    """Write the workbook that a sender fills in: headings, what each means, code lists to choose from.

    生成报送单位填写的工作簿模板：表头、填写说明、可选代码、示例行。
    """
    from jobs.declare.template import write_template

    contract = _contract(dataset)
    target = output or Path(f"{contract.zh}_模板.xlsx")
    write_template(contract, target)
    console.print(f"{target}: {contract.zh}, {len(contract.columns)} columns", soft_wrap=True)


@app.command()
def contract(
    dataset: Annotated[str, typer.Argument(help="A dataset, as `feed list` names it.")],
    output: Annotated[Path | None, typer.Option(help="Where to write; else it is printed.")] = None,
) -> None:
    """Print the contract as Open Data Contract Standard (YAML), valid by the standard's schema.

    以开放数据契约标准（ODCS）输出一张数据表的完整契约。
    """
    from jobs.declare.odcs import open_contract
    from jobs.files import replacing

    text = open_contract(_contract(dataset)).to_yaml()
    if output is None:
        print(text, end="")
        return
    with replacing(output) as fresh:
        fresh.write_text(text, encoding="utf-8")
    console.print(f"{output}", soft_wrap=True)


report.mount(app)


def _contract(dataset: str) -> Contract:
    from jobs import declare

    known = declare.load()
    if dataset not in known:
        raise UserError(f"there is no dataset `{dataset}`.", f"One of: {', '.join(sorted(known))}.")
    return known[dataset]
