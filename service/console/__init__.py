"""The console: pages for people. One more door to the same engine and the same reads; no rule of its own."""

from service.console import (
    assets,
    board,
    escalations,
    history,
    live,
    matrix,
    moves,
    requests,
    reviews,
    sign_in,
    single_sign_on,
    surveys,
)
from service.door import Route

ROUTES: tuple[Route, ...] = (
    *board.ROUTES,
    *escalations.ROUTES,
    *requests.ROUTES,
    *history.ROUTES,
    *matrix.ROUTES,
    *moves.ROUTES,
    *reviews.ROUTES,
    *sign_in.ROUTES,
    *single_sign_on.ROUTES,
    *surveys.ROUTES,
    *live.ROUTES,
    *assets.ROUTES,
)
"""Every page. They are for browsers, and not part of `/openapi.json`."""
