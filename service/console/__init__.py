"""The console: pages for people. One more door to the same engine and the same reads; no rule of its own."""

from service.console import assets, board, escalations, live, requests, reviews, sign_in
from service.door import Route

ROUTES: tuple[Route, ...] = (
    *board.ROUTES,
    *escalations.ROUTES,
    *requests.ROUTES,
    *reviews.ROUTES,
    *sign_in.ROUTES,
    *live.ROUTES,
    *assets.ROUTES,
)
"""Every page. They are for browsers, and not part of `/openapi.json`."""
