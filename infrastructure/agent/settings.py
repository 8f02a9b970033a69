"""The agent's configuration, from environment variables.

======================= ==============================================================================================
variable                meaning
======================= ==============================================================================================
LAB_ROLE                ``worker`` or ``producer``
LAB_FRAMEWORK           name of the framework, as in ``tasks/NAME_tasks``
LAB_VARIANT             the variant that a worker node runs; not set on a producer node
LAB_FRAMEWORK_PYTHON    Python interpreter of the framework's environment
LAB_TOKEN               the token that requests must carry; or
LAB_TOKEN_FILE          a file that holds it
LAB_EVENTS_DIR          folder of this node's own for the event log, best on tmpfs; created if missing
LAB_REDIS_URL           the lab's Redis server, ``redis://:PASSWORD@host:port``
LAB_AGENT_HOST          address to listen on; default 127.0.0.1
LAB_AGENT_PORT          port to listen on; 0 takes any free one
LAB_AGENT_PORT_FILE     file that the port is written to once the agent listens; needed with port 0
LAB_AUTOSTART           worker to start at once and leave paused: JSON with processes, concurrency, queues (and track)
LAB_PARENT_PID          the process whose end ends the agent
LAB_OWN_CGROUP          1 where the node has a cgroup of its own (a container)
LAB_MEMRAY_DIR          folder for what memray writes of the workers, which then run under it; needs LAB_MEMRAY_PATH
LAB_MEMRAY_PATH         folder of packages that holds memray
======================= ==============================================================================================

A variable that is set to nothing counts as not set.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from infrastructure.agent.requests import WorkerStart
from tasks.causes import cause
from tasks.contract import without_credentials

_SECRETS = ("LAB_TOKEN",)


class SettingsError(Exception):
    """The environment does not make a node; the text names every variable that is wrong, its value, and what it must be."""


def _redis_server(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("must be a Redis server without a database, such as redis://localhost:6379")
    return url.rstrip("/")


def _interpreter(path: Path) -> Path:
    if not os.access(path, os.X_OK) or path.is_dir():
        raise ValueError("is not an executable file; make the framework's environment first")
    return path


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {cause(error)}") from error


class AgentSettings(BaseModel):
    """What a node is: see the table above."""

    model_config = ConfigDict(frozen=True)

    role: Literal["worker", "producer"] = Field(alias="LAB_ROLE")
    framework: str = Field(alias="LAB_FRAMEWORK", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    variant: str | None = Field(alias="LAB_VARIANT", default=None)
    framework_python: Annotated[Path, AfterValidator(_interpreter)] = Field(alias="LAB_FRAMEWORK_PYTHON")
    token: SecretStr = Field(alias="LAB_TOKEN")
    events_dir: Path = Field(alias="LAB_EVENTS_DIR")
    redis_url: Annotated[str, AfterValidator(_redis_server)] = Field(alias="LAB_REDIS_URL")
    host: str = Field(alias="LAB_AGENT_HOST", default="127.0.0.1")
    port: int = Field(alias="LAB_AGENT_PORT", ge=0, le=65535)
    port_file: Path | None = Field(alias="LAB_AGENT_PORT_FILE", default=None)
    autostart: Annotated[WorkerStart | None, BeforeValidator(_json)] = Field(alias="LAB_AUTOSTART", default=None)
    parent_pid: int | None = Field(alias="LAB_PARENT_PID", default=None, gt=0)
    own_cgroup: bool = Field(alias="LAB_OWN_CGROUP", default=False)
    memray_dir: Path | None = Field(alias="LAB_MEMRAY_DIR", default=None)
    memray_path: Path | None = Field(alias="LAB_MEMRAY_PATH", default=None)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        token = self.token.get_secret_value()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("LAB_TOKEN (or the file LAB_TOKEN_FILE) must hold a token of printable ASCII without spaces")
        if self.role == "worker" and self.variant is None:
            raise ValueError("LAB_VARIANT is missing: a worker node needs the variant that it runs")
        if self.role == "producer" and (self.variant is not None or self.autostart is not None):
            raise ValueError("LAB_VARIANT and LAB_AUTOSTART are for worker nodes, and LAB_ROLE is producer")
        if (self.memray_dir is None) is not (self.memray_path is None):
            raise ValueError("LAB_MEMRAY_DIR and LAB_MEMRAY_PATH must be set together, or neither")
        if self.port == 0 and self.port_file is None:
            raise ValueError("LAB_AGENT_PORT=0 needs LAB_AGENT_PORT_FILE, or nobody could find the agent")
        return self


def settings_from(environment: Mapping[str, str]) -> AgentSettings:
    """The settings that the environment holds. Raises SettingsError."""
    values = {name: value for name, value in environment.items() if name.startswith("LAB_") and value}
    if "LAB_TOKEN_FILE" in values:
        if "LAB_TOKEN" in values:
            raise SettingsError("LAB_TOKEN and LAB_TOKEN_FILE are both set; set one of them")
        path = Path(values["LAB_TOKEN_FILE"])
        try:
            values["LAB_TOKEN"] = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"LAB_TOKEN_FILE={str(path)!r} cannot be read: {cause(error)}") from error
    try:
        return AgentSettings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(e["loc"], e["type"], e["msg"], values) for e in error.errors())) from error


def _problem(location: tuple[int | str, ...], kind: str, message: str, values: Mapping[str, str]) -> str:
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    name = str(location[0])
    if kind == "missing" and len(location) == 1:
        hint = " (or LAB_TOKEN_FILE)" if name == "LAB_TOKEN" else ""
        return f"{name}{hint} is missing"
    inside = "".join(f".{part}" for part in location[1:])
    shown = "" if name in _SECRETS else f"={without_credentials(values.get(name, ''))!r}"
    return f"{name}{shown}{inside and f' ({inside[1:]})'}: {message}"
