# mypy: disable-error-code="import-not-found"
"""The program of a worker that AsyncTasQ's command line cannot start: ``python -m tasks.asynctasq_tasks.worker``.

The pool's size cannot be set through the command line (``--process-pool-size`` is parsed and ignored in 1.7), so the process
variant's worker is started through AsyncTasQ's ``Worker`` class.

So is a worker that emits events, which logs warnings alone. The command line would not do: its options for events do not reach
the registry of emitters (only environment variables do), and it logs four formatted messages a task, which would be measured in
the place of the events.

It is no ``__main__`` of the package: the children of the pool import the program again when they start, and would leave out one
that is called so.
"""

import argparse
from collections.abc import Sequence

import asynctasq

from tasks.asynctasq_tasks.events import EMITS_EVENTS, configure_events
from tasks.asynctasq_tasks.settings import configure


async def _work(concurrency: int, pool_size: int | None, queues: Sequence[str], tasks_per_child: int | None) -> None:
    config = asynctasq.Config.get()
    driver = asynctasq.DriverFactory.create(config.driver, config)
    await asynctasq.Worker(
        queue_driver=driver,
        queues=queues,
        concurrency=concurrency,
        process_pool_size=pool_size,
        process_pool_max_tasks_per_child=tasks_per_child,
    ).start()


def main() -> None:
    """Run a worker, with a pool of processes if asked for, until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--pool-size", type=int)
    parser.add_argument("--tasks-per-child", type=int)
    parser.add_argument("--queues", nargs="+", required=True)
    options = parser.parse_args()
    if EMITS_EVENTS:
        configure_events()
    else:
        configure()
    asynctasq.run(_work(options.concurrency, options.pool_size, options.queues, options.tasks_per_child))


if __name__ == "__main__":
    main()
