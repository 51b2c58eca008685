# mypy: disable-error-code="import-not-found, untyped-decorator"
# This runs in the rival's environment; DBOS is not in the one where types are checked.
"""The level change as a DBOS workflow with one transaction step, as DBOS's own starter is laid out.

A datasource transaction writes the change and DBOS's record of the step in one commit; DBOS's
record of the workflow lies in the same database. Nothing is switched off.
"""

import os
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SQLAlchemyDatasource

URL = os.environ["DBOS_SYSTEM_DATABASE_URL"]
THREADS = int(os.environ["BENCH_THREADS"])

# As many connections as there are threads to use them, and never fewer than the defaults.
_POOL = max(20, THREADS)
_MOVES = {"escalate": (1, 2), "step_down": (2, 1)}
_LOCK = sa.text("SELECT level, version FROM escalation WHERE id = :id FOR UPDATE")
_MOVE = sa.text(
    "UPDATE escalation SET state = :state, level = :level, version = :version, updated_at = now() WHERE id = :id"
)
_RECORD = sa.text(
    "INSERT INTO history (escalation_id, version, actor, trigger, source, dest, detail)"
    " VALUES (:id, :version, 'agent:7', :trigger, :source, :dest, :detail)"
)

config: DBOSConfig = {
    "name": "escalation-bench",
    "system_database_url": URL,
    "sys_db_pool_size": _POOL,
    "executor_id": f"bench-{os.getpid()}",
    "log_level": "WARNING",
}
DBOS(config=config)
datasource = SQLAlchemyDatasource.create(URL, engine_kwargs={"pool_size": _POOL})


@datasource.transaction
def move(escalation_id: str, trigger: str, detail: str) -> dict[str, Any] | None:
    session = datasource.sql_session()
    source, dest = _MOVES[trigger]
    row = session.execute(_LOCK, {"id": escalation_id}).one()
    if row.level != source:
        return None
    moved = {"id": escalation_id, "version": row.version + 1, "level": dest, "state": f"l{dest}"}
    session.execute(_MOVE, moved)
    session.execute(
        _RECORD,
        {
            "id": escalation_id,
            "version": row.version + 1,
            "trigger": trigger,
            "source": f"l{source}",
            "dest": f"l{dest}",
            "detail": detail,
        },
    )
    return moved


@DBOS.workflow()
def change_level(escalation_id: str, trigger: str, detail: str) -> dict[str, Any] | None:
    moved: dict[str, Any] | None = move(escalation_id, trigger, detail)
    return moved
