"""A service whose people sign in with an identity provider, for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from service import verify
from service.config import Oidc
from service.issuer import Issuer
from service.submit import HOUSE, House
from tests.conftest import database_from
from tests.service.conftest import Answer, Service, running
from tests.service.identity.provider import AUDIENCE, CLIENT, SECRET, Provider, providing


@dataclass
class There:
    """The service, its provider, and a browser's cookies by their names."""

    service: Service
    provider: Provider
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def house(self) -> House:
        """What its routes use."""
        return self.service.app[HOUSE]

    @property
    def issuer(self) -> Issuer:
        """What it knows of the provider."""
        assert self.house.issuer is not None
        return self.house.issuer

    async def get(self, path: str) -> Answer:
        """One answer of the service, not followed; cookies are kept as a browser keeps them."""
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.service.call(None, "GET", path, Cookie=sent)
        for given in answer.headers.getall("Set-Cookie", []):  # type: ignore[attr-defined]  # a multidict
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value.strip('"'):
                self.cookies[name] = value
        return answer

    async def away(self, to: str = "/") -> str:
        """To the provider and back as far as the address that it leads to, which is answered."""
        begun = await self.get(f"/sign-in/oidc?to={to}")
        assert begun.status == 303, begun.raw
        async with self.service.session.get(begun.headers["Location"], allow_redirects=False) as led:
            assert led.status == 302
            back = led.headers["Location"]
        assert back.startswith(f"{self.service.base}/sign-in/oidc/back?")
        return back.removeprefix(self.service.base)

    async def sign_in(self, to: str = "/") -> Answer:
        """The whole way; what is answered at its end."""
        return await self.get(await self.away(to))

    async def signed_in(self) -> bool:
        """Whether this browser is."""
        return (await self.get("/")).status == 200

    def other_browser(self) -> There:
        """One that has none of this one's cookies."""
        return There(self.service, self.provider)

    def bearer(self, audience: str = AUDIENCE, **more: Any) -> str:
        """A header with a token of the provider's."""
        return f"Bearer {self.provider.token(audience, **more)}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_there(postgres_url: str, template: str) -> AsyncIterator[There]:
    """Made once; lee is on the roster with an address."""
    async with database_from(postgres_url, template) as url, providing() as provider:
        oidc = Oidc(issuer=provider.base, client_id=CLIENT, client_secret=SECRET, api_audience=AUDIENCE)
        async with running(url, oidc=oidc) as service:
            await service.db.execute("UPDATE person SET email = 'Lee@ours.example ' WHERE id = 'lee'")
            yield There(service, provider)
            assert await verify.run(url) == []


@pytest.fixture
def there(shared_there: There) -> There:
    """The same, with a provider that tells the truth and a browser that nobody has used."""
    shared_there.provider.behave()
    return shared_there.other_browser()
