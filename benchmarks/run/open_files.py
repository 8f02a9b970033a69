"""How many files each process of a local lab may have open: sockets count, and a worker with many tasks at once has many."""

import resource

WANTED = 4096
"""A worker with a thousand tasks at once holds a connection of each to the mock API, and some to Redis as well."""


def raise_open_files() -> int:
    """Let this process, and whatever it starts from now on, have as many as the lab may need, or the most that it may have where
    that is less. Returns how many, up to :data:`WANTED`. What is allowed already is never lowered."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    now, allowed = (WANTED if limit == resource.RLIM_INFINITY else min(limit, WANTED) for limit in (now, most))
    if now < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return allowed


def what_is_missing(allowed: int) -> str | None:
    """What so few may lack, and what to do; None where they are enough."""
    if allowed >= WANTED:
        return None
    return (
        f"A process may have no more than {allowed} files open here (ulimit -Hn), and {WANTED} are wanted: what has many tasks "
        'or connections at once, as the tuned track, scenario 2 and scenario 6 do, may fail with "Too many open files". Raise it '
        f"before such figures count: ulimit -Hn {WANTED} as root, or nofile in /etc/security/limits.conf."
    )
