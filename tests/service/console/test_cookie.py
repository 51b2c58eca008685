"""Behind a proxy that ends TLS: the service is told by its public URL."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.service.conftest import running
from tests.service.console.conftest import FORM


async def test_behind_tls_the_cookie_is_for_this_host_and_for_tls_alone(database_url: str) -> None:
    async with running(database_url, public_url="https://esc.example") as service:
        raw = urlencode({"key": service.keys["ann"]}).encode()
        told = await service.call(None, "POST", "/sign-in", raw=raw, Content_Type=FORM, Origin="https://esc.example")
        assert told.status == 303
        given = told.headers["Set-Cookie"]
        assert given.startswith("__Host-session=")
        assert "Secure" in given
        assert "Domain" not in given
        plain = given.partition(";")[0].removeprefix("__Host-")
        assert (await service.call(None, "GET", "/", Cookie=plain)).status == 303  # nobody is signed in by that
        assert (await service.call(None, "GET", "/", Cookie=f"__Host-{plain}")).status == 200
        told = await service.call(None, "POST", "/sign-in", raw=raw, Content_Type=FORM, Origin="https://evil.example")
        assert told.status == 403
