# mypy: disable-error-code="import-not-found, untyped-decorator, misc"
"""The workflow behind FastAPI, the framework of DBOS's own starter, under uvicorn.

Handlers run in threads; how many at once is a setting, since Python's lock makes more of them
slower. `python dbos_http.py` makes DBOS's tables, so that two processes need not race for it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from anyio.to_thread import current_default_thread_limiter
from dbos import DBOS
from dbos_work import THREADS, change_level
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class Change(BaseModel):
    trigger: Literal["escalate", "step_down"]
    reason: str
    needed: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = THREADS
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


app = FastAPI(lifespan=lifespan)


@app.post("/escalations/{escalation_id}/transitions", status_code=201)
def transition(escalation_id: str, change: Change) -> dict[str, Any]:
    moved: dict[str, Any] | None = change_level(
        escalation_id, change.trigger, change.model_dump_json(include={"reason", "needed"})
    )
    if moved is None:
        raise HTTPException(409, f"{change.trigger} is not possible at this level")
    return moved


if __name__ == "__main__":
    DBOS.launch()
    DBOS.destroy()
