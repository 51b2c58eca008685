"""Proofs: the signed head of the tree over all of history, and the way from any row up to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import FieldProblem
from service.door import Route, nowhere, query, wrong
from service.proof.tiles import Tiles
from service.proof.tree import inclusion, leaf
from service.reads import answered, reading
from service.submit import HOUSE

LAST, OVER = sql.query("proof.last"), sql.query("proof.over")
Seq = Annotated[int, Meta(ge=1, le=2**63 - 1, description="The number of a row of history.")]


class CheckpointAnswer(Struct, frozen=True):
    """The newest head. `note` is the signed text to keep elsewhere: a C2SP checkpoint over the first `size` rows of
    history in the order of `seq`, which is the number of the last of them."""

    size: int
    seq: int
    at: datetime
    note: str


class ProofAnswer(Struct, frozen=True):
    """That a row is in the tree, by RFC 9162: its leaf is SHA-256(0x00 ‖ hash), at `index` (from 0) of the `size` that
    `note` is over, and `proof` holds the nodes on the way up to the head. All hashes are in hex."""

    seq: int
    hash: str
    index: int
    size: int
    leaf: str
    proof: tuple[str, ...]
    head: str
    note: str


class Which(Struct, frozen=True, forbid_unknown_fields=True):
    """The row whose proof is wanted: it must be said."""

    seq: Seq | None = None


async def checkpoint(request: web.Request) -> web.StreamResponse:
    """Keep the note outside: whoever has it can tell, from an export and the public key alone, whether a row below it
    was changed, removed or put in since."""
    async with reading(request) as (conn, _):
        row = await conn.fetchrow(LAST)
    if row is None:
        raise nowhere(_why_none(request))
    return answered(CheckpointAnswer(row["size"], row["seq"], row["at"], row["note"]))


async def proof(request: web.Request) -> web.StreamResponse:
    """The way from a row to the first signed head that is over it. The newest rows are sealed within seconds."""
    async with reading(request) as (conn, _):
        seq = query(request, Which).seq
        if seq is None:
            raise wrong(FieldProblem("seq", "is missing: the number of a row of history"))
        row = await conn.fetchrow(OVER, seq)
        if row is None:
            raise nowhere(f"There is no row {seq} of history, or it is not sealed yet. {_why_none(request)}")
        index, tiles = row["after_size"] + row["place"], Tiles()
        inclusion(index, row["size"], tiles.asked)
        await tiles.load(conn)
    path = inclusion(index, row["size"], tiles.node)
    found = leaf(bytes.fromhex(row["hash"])).hex()
    told = tuple(node.hex() for node in path)
    return answered(ProofAnswer(seq, row["hash"], index, row["size"], found, told, row["head"], row["note"]))


def _why_none(request: web.Request) -> str:
    if request.app[HOUSE].settings.signing_key is None:
        return "Nothing is sealed here: ESCALATION_SIGNING_KEY is not set, `keys signing` makes one."
    return "A checkpoint is made within seconds of the first row."


ROUTES = (
    Route(
        "GET",
        "/v1/history/checkpoint",
        checkpoint,
        "The signed head of history",
        {200: CheckpointAnswer},
        refuses=(404,),
    ),
    Route(
        "GET",
        "/v1/history/proof",
        proof,
        "Proof that a row is in history",
        {200: ProofAnswer},
        query=Which,
        refuses=(404,),
    ),
)
