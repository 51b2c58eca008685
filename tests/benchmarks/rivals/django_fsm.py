"""Django, django-fsm-2 and the REST framework under gunicorn: how most would build it.

Measured: changes a second over HTTP from 64 connections (`apps/fsm_site`): token authentication, a
validating serializer, `select_for_update`, a guarded transition, the row of history, one atomic
block.

Fair: psycopg 3 and connections that stay open, no middleware, session, log or renderer that a JSON
service can do without, and as many gunicorn workers of the kind that does best here: its plain
workers take a new connection for each request, which costs less than what its threads cost, and
the client does not count the time of connecting as latency. It may use both cores, where the
product's service is one process. Unfair to the product: less is written, and one query finds the
caller's rights. Unfair to Django: people take it for what it has beside speed.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..bench import Bench, Measure, over_http
from ..database import column, libpq, scratch
from ..process import Argument, free_port, output_of, serving
from .changes import SCRIPT
from .environment import APPS, python_of

_IDS = "SELECT id FROM fsm_site_escalation ORDER BY id"
_PREPARED_WITHIN = 120.0
_SETTINGS = {
    "1 worker": ["--workers=1"],
    "2 workers": ["--workers=2"],
    "4 workers": ["--workers=4"],
    "2 workers of 4 threads": ["--workers=2", "--worker-class=gthread", "--threads=4"],
}


class DjangoFsm:
    """The Django service behind gunicorn."""

    name = "django"
    title = "Django + django-fsm-2 + DRF"
    unit = "transitions/s"
    settings = tuple(_SETTINGS)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """Its own tables, an agent with a token, then the service."""
        python = await python_of("django", bench.cache)
        token = secrets.token_hex(20)
        async with scratch(bench.server, self.name) as url:
            env = {
                **libpq(url),
                "DJANGO_SETTINGS_MODULE": "fsm_site.settings",
                "BENCH_TOKEN": token,
                "PYTHONPATH": str(APPS),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            prepare: list[Argument] = [python, "-m", "fsm_site.prepare"]
            await output_of(prepare, within=_PREPARED_WITHIN, env=env)
            port = free_port()
            argv: list[Argument] = [python, "-m", "gunicorn", "fsm_site.wsgi"]
            argv += [f"--bind=127.0.0.1:{port}", "--no-control-socket", *_SETTINGS[setting]]
            async with serving(argv, port=port, env=env, cwd=bench.cache):
                ids = await column(url, _IDS)
                said = {"ids": ids, "authorization": f"Token {token}"}
                yield over_http(bench, port, SCRIPT, said)
