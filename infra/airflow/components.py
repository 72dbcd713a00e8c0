"""Import Airflow once, then fork its api-server, dag-processor and scheduler; end them with the parent.

    python components.py <state file> <log folder> <port> [--migrate]

Each component is what `airflow <component>` runs, in a session of its own, its output in `<log folder>`.
Started apart they would each import Airflow (4 s of CPU); `airflow standalone` would also start log servers
that listen on every interface. Standard input is a pipe that the parent holds open: when it closes, whatever
the parent died of, all components are ended. When one ends by itself the others are ended too, with exit
code 1. When this process is killed, or a component, the kernel ends what it had forked, down to the tasks.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

COMPONENTS: dict[str, list[str]] = {
    "api-server": [],
    "dag-processor": [],
    "scheduler": ["--skip-serve-logs"],
}
# Idle components end in 1-2 s. A scheduler with running tasks would wait for them; nobody else would.
GRACE_S = 3.0


_PR_SET_PDEATHSIG = 1
_kernel = ctypes.CDLL(None, use_errno=True)
_forking: list[int] = [0]


def _end_with_parent() -> None:
    """In a process just forked: it ends with the one that forked it, also if that has ended by now."""
    _kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _forking[0]:
        os._exit(1)


def main() -> int:
    """Start everything, wait for the parent's end or a component's, stop everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("state", type=Path)
    parser.add_argument("logs", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--migrate", action="store_true", help="bring the database up to date first")
    given = parser.parse_args()
    state, logs, port, must_migrate = given.state, given.logs, given.port, given.migrate
    owner, launcher = os.getppid(), os.getpid()
    # Inherited: the scheduler's workers and the tasks that they fork do the same.
    os.register_at_fork(before=lambda: _forking.__setitem__(0, os.getpid()), after_in_child=_end_with_parent)
    # Importing makes objects that stay; collecting garbage meanwhile takes an eighth of the start.
    gc.disable()

    import airflow.__main__
    import airflow.jobs.scheduler_job_runner  # noqa: F401  (shared with the children, copy on write)

    ready, release = os.pipe()
    children: dict[str, int] = {}
    for name in COMPONENTS:
        children[name] = _fork(
            partial(_component, name, launcher, ready, release), logs / f"airflow-{name}.log"
        )
    database = _fork(lambda: _database(must_migrate), logs / "airflow-database.log")
    os.close(ready)
    _write_state(state, port, {"owner": owner, "launcher": launcher, **children})
    if os.waitpid(database, 0)[1] != 0:
        _stop(children)
        return 1
    # The database stands: closing the last writing end lets every component go on.
    os.close(release)
    code = _supervise(children)
    _stop(children)
    return code


def _fork(work: Callable[[], None], log: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        # From the start: the last lines say what went wrong this time.
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        work()
        code = 0
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _component(name: str, launcher: int, ready: int, release: int) -> None:
    os.close(release)
    _warm_up(name)
    gc.enable()
    os.read(ready, 1)
    os.close(ready)
    if os.getppid() != launcher:
        sys.exit("the launcher ended before the database was ready")
    _airflow(name, *COMPONENTS[name])


def _warm_up(name: str) -> None:
    """What a component can do while the database is still being made."""
    if name == "scheduler":
        from airflow_local_settings import preload

        preload()
    elif name == "api-server":
        import airflow.api_fastapi.main

        # The execution API builds all its versions at the first request: 4-6 s in which the first tasks hold
        # their slots and no other request is answered.
        asyncio.run(_request_once(airflow.api_fastapi.main.app, "/execution/health"))
    else:
        import airflow.dag_processing.manager


async def _request_once(app: Any, path: str) -> None:
    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://warm-up") as client:
        await client.get(path)


def _database(must_migrate: bool) -> None:
    if must_migrate:
        _airflow("db", "migrate")
    _fail_unfinished_runs()


def _airflow(*arguments: str) -> None:
    from airflow.__main__ import main as airflow_main

    sys.argv = ["airflow", *arguments]
    airflow_main()


def _fail_unfinished_runs() -> None:
    """Fail the `build_lake` runs of a killed command: the next one would wait behind them for ever.

    Nothing is lost: a task's work does not depend on the DAG run it was started by. Runs of the schedule are
    left alone, the scheduler takes them up again.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, State, TaskInstanceState
    from sqlalchemy import select

    with create_session() as session:
        unfinished = select(DagRun).where(
            DagRun.dag_id == "build_lake", DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING])
        )
        for run in session.scalars(unfinished):
            for task in run.get_task_instances(session=session):
                if task.state not in State.finished:
                    started = task.start_date is not None
                    task.set_state(
                        TaskInstanceState.FAILED if started else TaskInstanceState.SKIPPED, session=session
                    )
            run.set_state(DagRunState.FAILED)


def _write_state(path: Path, port: int, pids: dict[str, int]) -> None:
    # A process id is used again by the system: only with its start time it names a process.
    processes = {
        name: {"pid": pid, "started": psutil.Process(pid).create_time()} for name, pid in pids.items()
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"port": port, "processes": processes}, indent=1))
    fresh.replace(path)


def _supervise(children: dict[str, int]) -> int:
    """Wait. 0: the parent is gone or asked to stop; 1: a component ended by itself."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: asked.append(number))
    while not asked:
        gone, _, _ = select.select([0], [], [], 0.5)
        if gone and not os.read(0, 4096):
            return 0
        for name, pid in children.items():
            if os.waitpid(pid, os.WNOHANG)[0]:
                print(f"{name} ended by itself", file=sys.stderr)
                del children[name]
                return 1
    return 0


def _stop(children: dict[str, int]) -> None:
    """End every component with all its descendants (tasks have process groups of their own)."""
    tree: list[psutil.Process] = []
    for pid in children.values():
        try:
            component = psutil.Process(pid)
            tree += [*component.children(recursive=True), component]
        except psutil.NoSuchProcess:
            continue
    for pid in children.values():
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and any(_alive(pid) for pid in children.values()):
        time.sleep(0.05)
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=2)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    sys.exit(main())
