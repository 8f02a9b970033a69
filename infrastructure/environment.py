"""The environment of a process of the lab: made from nothing, so that whoever starts the lab decides nothing of what it measures.
Standard library only.

Frameworks, servers, libraries and Python itself take settings from hundreds of variables: a broker, a limit, a debug mode. So no
process inherits any. It gets :data:`PASSED` of its parent, :data:`FIXED`, and what the lab itself says, which is recorded with
the run (:func:`shown`).
"""

import re
from collections.abc import Mapping

PASSED = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
"""What a process cannot do without on some machine: where programs lie, where temporary files may, and what a Python that was
built for a place of its own needs to start."""
FIXED: Mapping[str, str] = {"LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
"""The same everywhere: text is UTF-8 whatever the user's locale is, and no file of a home folder sets anything."""
OWN_PREFIX = "LAB_"
"""Of the variables that the lab says something by to its own processes."""
NODE_VARIABLES_VARIABLE = "LAB_NODE_VARIABLES"
"""Names, separated by spaces, of what reaches the processes of a node's framework besides: those of its databases."""

_OF_THE_AGENT = ("LAB_TOKEN", "LAB_TOKEN_FILE")
_SECRET_NAME = re.compile("TOKEN|PASSWORD|SECRET", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
_HIDDEN = "***"


def made(parent: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process: what passes of its ``parent``, what is fixed, and ``variables``."""
    return {**{name: parent[name] for name in PASSED if name in parent}, **FIXED, **variables}


def made_for_framework(agent: Mapping[str, str], python_path: str) -> dict[str, str]:
    """What an agent's children start from: of the agent's own environment what says something to them, but for its token; and
    what they import from."""
    named = agent.get(NODE_VARIABLES_VARIABLE, "").split()
    own = {n: value for n, value in agent.items() if n in named or (n.startswith(OWN_PREFIX) and n not in _OF_THE_AGENT)}
    return made(agent, own | {"PYTHONPATH": python_path})


def shown(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment as a result may hold it: sorted, without the values of secrets and the credentials in URLs."""
    return {
        name: _HIDDEN if _SECRET_NAME.search(name) else _CREDENTIALS.sub(f"{_HIDDEN}@", value)
        for name, value in sorted(environment.items())
    }
