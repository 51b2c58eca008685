"""Browsers without a browser: each has its cookie, reads a page's forms as they are, and sends them back filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

import pytest

from tests.service.conftest import Answer, Service

FORM = "application/x-www-form-urlencoded"


@dataclass
class Form:
    """A form of a page: where it goes, and what its fields hold."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """A page as it was read: its words, its forms by their address, and every attribute that was used."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.words = ""
        self.forms: dict[str, Form] = {}
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self._form: Form | None = None
        self._select = self._textarea = ""
        self.feed(text)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.words += " "
        self.tags.append(tag)
        self.attributes |= given.keys()
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "form" and given.get("method") == "post":
            self._form = self.forms[str(given["action"])] = Form(str(given["action"]))
        name, value = str(given.get("name") or ""), given.get("value") or ""
        if self._form is None:
            return
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self._form.fields.append((name, value))
        if tag == "select":
            self._select = name
        if tag == "option" and self._select and "selected" in given:
            self._form.fields.append((self._select, value))
        if tag == "textarea":
            self._textarea = name
            self._form.fields.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        self.words += " "
        if tag == "form":
            self._form = None
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._textarea and self._form is not None:
            name, before = self._form.fields.pop()
            self._form.fields.append((name, (before + data).removeprefix("\n")))


@dataclass
class Browser:
    """Somebody's browser. What it is answered is `page`, and `where` is the address."""

    service: Service
    cookie: str = ""
    page: Page = field(default_factory=lambda: Page(""))
    where: str = ""
    answer: Answer = field(default_factory=lambda: Answer(0, {}, b""))

    async def get(self, path: str, status: int = 200) -> Page:
        """Look at a page, and follow where it leads."""
        return await self._follow(await self._send("GET", path), path, status)

    async def send(self, action: str, status: int = 200, /, **filled: str | list[str]) -> Page:
        """Fill in the form of the page that goes there, and send it. `brief__issue` is `brief.issue`."""
        form = self.page.forms[action]
        told = {name.replace("__", "."): value for name, value in filled.items()}
        fields = [pair for pair in form.fields if pair[0] not in told]
        for name, value in told.items():
            fields += [(name, each) for each in ([value] if isinstance(value, str) else value)]
        return await self.post(action, fields, status)

    async def post(self, action: str, fields: list[tuple[str, str]], status: int = 200, **headers: str) -> Page:
        """Send these fields, whatever the page's form says."""
        raw = urlencode(fields).encode()
        sent = await self._send("POST", action, raw, Content_Type=FORM, **headers)
        return await self._follow(sent, action, status)

    async def _send(self, method: str, path: str, raw: bytes | None = None, **headers: str) -> Answer:
        if self.cookie:
            headers["Cookie"] = self.cookie
        self.answer = await self.service.call(None, method, path, raw=raw, **headers)
        if given := self.answer.headers.get("Set-Cookie"):
            self.cookie = given.partition(";")[0]
        return self.answer

    async def _follow(self, answer: Answer, path: str, status: int) -> Page:
        hops = 0
        while answer.status == 303:
            hops += 1
            assert hops < 5
            path = answer.headers["Location"]
            answer = await self._send("GET", path)
        assert answer.status == status, (answer.status, Page(answer.raw.decode()).words[:800])
        self.where = path
        self.page = Page(answer.raw.decode())
        return self.page

    @property
    def path(self) -> str:
        """Of the page that is shown."""
        return urlsplit(self.where).path

    async def sign_in(self, who: str) -> Browser:
        """With the key of one of the cast."""
        await self.get("/sign-in")
        await self.send("/sign-in", key=self.service.keys[who])
        return self

    async def call(self, escalation: str, trigger: str, status: int = 200, /, **filled: str | list[str]) -> Page:
        """Look at an escalation, and send one of its forms."""
        await self.get(f"/escalations/{escalation}")
        return await self.send(f"/escalations/{escalation}/{trigger}", status, **filled)


@pytest.fixture
async def browser(service: Service) -> Browser:
    """A browser in which nobody is signed in."""
    return Browser(service)


async def as_(service: Service, who: str) -> Browser:
    """A browser in which this one of the cast is signed in."""
    return await Browser(service).sign_in(who)
