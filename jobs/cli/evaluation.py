"""`./edulake evaluation`: the law of quality balance from files, what it would take, and the reports."""

from __future__ import annotations

import typer

from jobs.cli import balance, evaluation_collected, evaluation_report, takes

app = typer.Typer(
    help="评估 Quality balance of districts by the state's law, and what it would take.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Typer would take an application with one command for that command."""


app.command("balance")(balance.balance)
app.command()(evaluation_report.report)
app.command()(evaluation_report.profile)
app.command("takes")(takes.takes)
app.command("what-if")(takes.what_if)
app.command("collected")(evaluation_collected.collected)
