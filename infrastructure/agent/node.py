"""A node: its bridge, its worker or producer, its event log, and the session that may hold it. What a worker node has as its
worker, a process tree that is supervised and sampled, is on a producer node its web application or its subscribers."""

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from infrastructure.agent.bridge import BridgeClient
from infrastructure.agent.cgroup import read_network
from infrastructure.agent.counting import EventReader
from infrastructure.agent.elsewhere import addresses_of, foreign_connections
from infrastructure.agent.errors import BridgeError, NodeConflictError, SupervisionError
from infrastructure.agent.footprints import FootprintSeries
from infrastructure.agent.logs import cut_down
from infrastructure.agent.memory_profile import under_memray
from infrastructure.agent.metrics import AgentScrape, ProducerScrape, Scrape, WorkerScrape
from infrastructure.agent.processes import below, connections, descendants
from infrastructure.agent.producing import ProducerDesk
from infrastructure.agent.requests import LabState, StartWatch, SubscribersStart, WorkerStart
from infrastructure.agent.sampling import Sampler
from infrastructure.agent.settings import AgentSettings
from infrastructure.agent.starting import evict, watch_start
from infrastructure.agent.supervisor import ALIVE, Supervisor, WorkerState
from infrastructure.agent.web import WebApplication
from infrastructure.agent.web_health import WebHealth
from infrastructure.environment import made_for_framework, shown
from infrastructure.readings import StartTimes, TreeSample
from tasks.causes import cause
from tasks.contract import MOCK_API_URL_VARIABLE, OPTIONAL_PATH_VARIABLE, Depth, WorkerCommand, without_credentials

CHECKOUT = Path(__file__).resolve().parents[2]
WATCH_INTERVAL_S = 0.2
"""How often the agent looks whether its worker and its own parent are still there."""
LOOKS_A_LOG = 50
"""Of these looks, how many until the next at how long the logs are."""
_CONNECT_LIMIT_S = 60.0
_CONNECT_POLL_S = 0.1
_SCRAPE_BRIDGE_WAIT_S = 0.5
_DEFAULT_REDIS_PORT = 6379

logger = logging.getLogger("lab.agent")


class Node:
    """Everything that the agent's routes act on.

    Raises NodeConflictError for what the node's role or state does not allow, BridgeError and SupervisionError as the parts do.
    """

    def __init__(self, settings: AgentSettings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        settings.events_dir.mkdir(parents=True, exist_ok=True)
        self._logs = Path(tempfile.mkdtemp(prefix="lab-agent-"))
        # An empty folder: some frameworks read files such as .env where they are started.
        working = self._logs / "working"
        working.mkdir()
        children = made_for_framework(environment, os.fspath(CHECKOUT))
        self._python_path = children["PYTHONPATH"]
        self._optional = environment.get(OPTIONAL_PATH_VARIABLE)
        self._servers = [settings.redis_url, *filter(None, [environment.get(MOCK_API_URL_VARIABLE)])]
        self.bridge = BridgeClient(settings.framework_python, settings.framework, children, working, self._logs / "bridge.log")
        self.worker = Supervisor(children, working, self._logs, lambda: self.bridge.pid)
        self.producer = ProducerDesk(self.bridge)
        self.sampler = Sampler(self.worker.tree, settings.own_cgroup)
        self.footprints = FootprintSeries(self.worker.tree, settings.own_cgroup)
        self.web = WebApplication(settings.framework_python, settings.framework, self.worker, self.sampler)
        self.web_health = WebHealth()
        self.events = EventReader(settings.events_dir)
        self.lab_state: LabState | None = None
        self.closing = asyncio.Event()
        self._redis_port = urlsplit(settings.redis_url).port or _DEFAULT_REDIS_PORT
        self._queues: tuple[str, ...] = ()
        self._starting: asyncio.Task[StartTimes] | None = None
        self._bytecode = self._logs / "bytecode"
        self._session = False
        self._session_end: asyncio.Task[None] | None = None
        self._autostart: asyncio.Task[None] | None = None
        self._autostarted = False
        self._autostart_failed = False

    def logs(self) -> dict[str, str]:
        """What the bridge and the processes of the last worker have printed, by the names of their logs."""
        logs = [log for log in (self.bridge.log, *self.worker.logs) if log.exists()]
        return {log.stem: log.read_text(encoding="utf-8", errors="replace") for log in logs}

    def health(self) -> dict[str, Any]:
        """What the node is, and whether it is well: no worker has died, and its own (LAB_AUTOSTART) is not on its way nor has
        failed."""
        starting = self._autostart is not None and not self._autostart.done()
        return {
            "role": self.settings.role,
            "framework": self.settings.framework,
            "variant": self.settings.variant,
            "worker": self.worker.state,
            "ok": self._is_well() and not starting and not self._autostart_failed,
        }

    @property
    def subscribers(self) -> Supervisor:
        """What looks after the subscribers of a producer node, which has no worker."""
        return self.worker

    async def start_subscribers(self, request: SubscribersStart) -> None:
        """Start subscribers; the event log tells when each is subscribed."""
        settings = self.settings
        options = {"--run": request.run, "--phase": request.phase, "--count": request.count, "--delay-s": request.delay_s}
        arguments = [str(part) for option in options.items() for part in option]
        command = (str(settings.framework_python), "-m", "tasks.subscriber", settings.framework, *arguments)
        await self.subscribers.start([WorkerCommand(command)])

    def require_role(self, role: str) -> None:
        """Raises NodeConflictError on a node of the other role."""
        if self.settings.role != role:
            raise NodeConflictError(f"this node is a {self.settings.role}; ask a {role} node of {self.settings.framework}")

    def begin(self) -> None:
        """Start the worker that the settings ask for, if any."""
        if self.settings.autostart is not None:
            self._autostart_failed = False
            self._autostart = asyncio.create_task(self._start_by_itself(self.settings.autostart))

    async def start_worker(self, request: WorkerStart) -> dict[str, Any]:
        """Start a worker, in the place of one that the node had started by itself. Answers its plan, its root pids, and the
        environment of the first of its commands."""
        await self._end_autostarted()
        plan, environment = await self._start(request)
        worker = self.worker
        self._starting = None
        if request.watch is not None:
            watching = asyncio.to_thread(watch_start, worker.root_pids, worker.logs, worker.spawned_ns, self._redis_port)
            self._starting = asyncio.create_task(watching)
        return {"plan": plan, "pids": worker.root_pids, "environment": shown(environment)}

    async def start_times(self) -> StartTimes:
        """How the worker's start went; returns once it is connected. Raises SupervisionError with its log's end if it ends before
        that, or takes too long."""
        if self._starting is None:
            raise NodeConflictError("no start is being watched; start the worker with watch")
        try:
            return await asyncio.shield(self._starting)
        except SupervisionError as error:
            raise SupervisionError(f"{cause(error)}; its log ends:\n{self.worker.log_tail()}") from error

    def worker_connections(self) -> list[str]:
        """This side's addresses of the worker's connections to Redis, as Redis's CLIENT LIST names them."""
        return connections(self.worker.tree(), self._redis_port)

    async def foreign_connections(self) -> list[str]:
        """Where anything that this node has started is connected to beside the lab's own servers."""
        return await asyncio.to_thread(self._foreign_connections)

    def _foreign_connections(self) -> list[str]:
        servers = {address for url in self._servers for address in addresses_of(url)} | self.web.addresses
        return foreign_connections((process.pid for process in descendants(None)), servers)

    async def take_sample(self, *, required: bool = True) -> TreeSample:
        """One sample of the worker's tree. Raises NodeConflictError where there must be one and is none."""
        sample = await asyncio.to_thread(self.sampler.take)
        if required and not sample.processes:
            what = "worker" if self.settings.role == "worker" else "web application"
            why = f" ({self.worker.died})" if self.worker.died else ""
            raise NodeConflictError(f"there is no {what} to sample: it is {self.worker.state}{why}")
        return sample

    async def open_session(self) -> None:
        """Take the node for one runner. Only one can have it; a worker that the node had started by itself is ended."""
        if self._session:
            raise NodeConflictError("another session holds this node; end that runner first (it holds GET /session open)")
        if self.closing.is_set():
            raise NodeConflictError("the node is shutting down")
        self._session = True
        try:
            if self._session_end is not None:
                await self._session_end
            await self._end_autostarted()
        except BaseException:
            self._session = False
            raise

    def close_session(self) -> None:
        """Give the node back: its load is cancelled and its worker killed, and its own worker started again."""
        self._session = False
        self._session_end = asyncio.create_task(self._clean_up())

    async def watch(self) -> None:
        """Notice ended children, and the end of the agent's parent; returns when that has happened."""
        parent = self.settings.parent_pid
        for look in itertools.count():
            if parent is not None and os.getppid() != parent:
                break
            if look % LOOKS_A_LOG == 0:
                for log in (self.bridge.log, *self.worker.logs):
                    cut_down(log)
            self.bridge.poll()
            try:
                await self.worker.check()
            except SupervisionError:
                logger.exception("the rest of a worker that died could not be ended")
            await asyncio.sleep(WATCH_INTERVAL_S)
        logger.warning("the parent process %s is gone; the node ends", parent)

    async def scrape(self) -> Scrape:
        """What the metrics are made of."""
        role: WorkerScrape | ProducerScrape = ProducerScrape(self.producer.offered_per_s)
        if self.settings.variant is not None:
            up = self.worker.state in ALIVE
            sample = await asyncio.to_thread(self.sampler.recent) if up else None
            role = WorkerScrape(
                variant=self.settings.variant,
                up=up,
                starts=self.worker.starts,
                deaths=self.worker.deaths,
                sample=sample if sample is not None and sample.processes else None,
                depths=await self._depths() if up else {},
            )
        return Scrape(
            framework=self.settings.framework,
            events=await asyncio.to_thread(self.events.totals),
            agent=AgentScrape(
                cpu_s=time.process_time(),
                sampling_cpu_s=self.sampler.cpu_s + self.footprints.cpu_s,
                memory_bytes=psutil.Process().memory_info().rss,
                log_available_bytes=shutil.disk_usage(self.settings.events_dir).free,
                network=read_network() if self.settings.own_cgroup else None,
            ),
            role=role,
            lab=self.lab_state,
        )

    async def close(self) -> None:
        """End everything that the node has started."""
        self.closing.set()
        if self._autostart is not None:
            self._autostart.cancel()
        self.sampler.end()
        await self.web_health.end()
        self.footprints.end()
        await self.worker.close()
        await self.producer.cancel()
        await self.bridge.close()
        shutil.rmtree(self._logs, ignore_errors=True)

    def _is_well(self) -> bool:
        """No worker has died. A subscriber that did is the business of the run that it was for."""
        return self.settings.role != "worker" or self.worker.state is not WorkerState.DIED

    async def _start(self, request: WorkerStart) -> tuple[dict[str, Any], dict[str, str]]:
        wish = request.model_dump(exclude={"optional_packages", "watch"}) | {"variant": self.settings.variant}
        plan = await self.bridge.order("plan", request=wish)
        more = self._optional_path() if request.optional_packages else {}
        if request.watch is not None:
            more |= await self._prepare(request.watch)
        commands = [WorkerCommand(tuple(c["arguments"]), c["environment"] | more) for c in plan["commands"]]
        commands = [self._watched(command, index) for index, command in enumerate(commands)]
        await self.worker.start(commands)
        self._queues = request.queues
        return plan, self.worker.environment_of(commands[0])

    async def _prepare(self, watch: StartWatch) -> dict[str, str]:
        """Have the start as cold as is asked for; answers what its environment needs."""
        environment = {}
        if watch.profile_imports:
            environment["PYTHONPROFILEIMPORTTIME"] = "1"
        if watch.bytecode_cold:
            if self._bytecode.exists():
                await asyncio.to_thread(shutil.rmtree, self._bytecode)
            environment |= {"PYTHONPYCACHEPREFIX": os.fspath(self._bytecode), "PYTHONDONTWRITEBYTECODE": ""}
        if watch.page_cache_cold:
            folders = (await self.bridge.order("folders"))["folders"]
            await asyncio.to_thread(evict, [Path(folder) for folder in folders])
        return environment

    def _watched(self, command: WorkerCommand, index: int) -> WorkerCommand:
        """The command as it is, or under the profiler that the settings ask for."""
        folder, packages = self.settings.memray_dir, self.settings.memray_path
        if folder is None or packages is None:
            return command
        output = folder / f"{self.settings.variant}-{self.worker.starts + 1}-{index}.bin"
        return under_memray(command, packages, self._python_path, output)

    def _optional_path(self) -> dict[str, str]:
        """What puts the optional packages behind all others on a worker's path."""
        if self._optional is None:
            raise NodeConflictError(f"this node has no optional packages: {OPTIONAL_PATH_VARIABLE} is not set")
        return {"PYTHONPATH": f"{self._python_path}{os.pathsep}{self._optional}"}

    async def _start_by_itself(self, request: WorkerStart) -> None:
        try:
            await self._start(request)
            self._autostarted = True
            await self._connected()
            await self.worker.pause()
        except (BridgeError, NodeConflictError, SupervisionError) as error:
            self._autostart_failed = True
            logger.error("the node's own worker (LAB_AUTOSTART) is not up: %s", error)  # noqa: TRY400

    async def _connected(self) -> None:
        """Wait until each command of the worker has a connection to Redis, or the worker has died."""
        deadline_s = time.monotonic() + _CONNECT_LIMIT_S
        while self.worker.state is WorkerState.RUNNING:
            missing = [pid for pid in self.worker.root_pids if not _is_connected(pid, self._redis_port)]
            if not missing:
                return
            if time.monotonic() > deadline_s:
                tail = self.worker.log_tail()
                await self.worker.kill()
                server = without_credentials(self.settings.redis_url)
                raise SupervisionError(
                    f"worker processes {missing} did not connect to Redis at {server} within "
                    f"{_CONNECT_LIMIT_S:.0f} s; their log ends:\n{tail}"
                )
            await asyncio.sleep(_CONNECT_POLL_S)

    async def _end_autostarted(self) -> None:
        if self._autostart is not None:
            self._autostart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._autostart
            self._autostart = None
        if self._autostarted:
            self._autostarted = False
            await self.worker.kill()

    async def _clean_up(self) -> None:
        self.lab_state = None
        self.sampler.end()
        await self.web_health.end()
        self.footprints.end()
        await self.producer.cancel()
        try:
            await self.worker.kill()
        except SupervisionError:
            logger.exception("the worker of a session that has ended could not be killed")
        if not self.closing.is_set():
            self.begin()

    async def _depths(self) -> dict[str, Depth]:
        """Depths of the worker's queues; none if the bridge is busy or the framework cannot tell: a scrape must not fail."""
        depths = {}
        with contextlib.suppress(BridgeError):
            for queue in self._queues:
                found = await self.bridge.order_soon("depth", _SCRAPE_BRIDGE_WAIT_S, queue=queue)
                if found is None:
                    break
                depths[queue] = Depth(**found)
        return depths


def _is_connected(root_pid: int, port: int) -> bool:
    """Whether a process of this root's tree has a connection to this port."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(root_pid)
        return bool(connections((root, *below(root_pid)), port))
    return False
