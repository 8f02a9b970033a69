"""Bodies of the agent's requests, checked by pydantic."""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from tasks.contract import Track

DEFAULT_TRACK: Track = get_args(Track)[0]


class Body(BaseModel):
    """A request's body: unknown fields are errors, so that a misspelt one cannot be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StartWatch(Body):
    """A start that is watched (``infrastructure.agent.starting``): with an empty folder for compiled modules, with what it reads
    from files out of the page cache, and with a line in its log for every module that it imports."""

    bytecode_cold: bool = False
    page_cache_cold: bool = False
    profile_imports: bool = False


class WorkerStart(Body):
    """A worker as asked for, without its variant, which the node has."""

    processes: int = Field(ge=1)
    concurrency: int = Field(ge=1)
    queues: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    track: Track = DEFAULT_TRACK
    lanes_by_priority: bool = False
    serializer: str = ""
    events: bool = False
    results: bool = False
    long_jobs: bool = False
    long_tasks: bool = False
    optional_packages: bool = False
    watch: StartWatch | None = None


class WebStart(Body):
    """The web application as asked for: its tasks are to be executed by a variant and go to a queue; or ``bare``, without the
    framework."""

    variant: str = Field(min_length=1)
    queue: str = Field(min_length=1)
    bare: bool = False


class HealthBegin(Body):
    """How often the web application is asked whether it is well, and how long it may take to answer."""

    interval_s: float = Field(ge=0.01, allow_inf_nan=False)
    limit_s: float = Field(gt=0, le=60, allow_inf_nan=False)


class WorkerStop(Body):
    """How long the worker, or the web application, may take to end by itself."""

    grace_s: float = Field(ge=0, allow_inf_nan=False)


class ProducerConnect(Body):
    """The variant whose tasks will be enqueued, and in which of its serializers (empty: the default)."""

    variant: str = Field(min_length=1)
    serializer: str = ""


class ProducerStart(Body):
    """The fields of a ``tasks.producing.ProduceOrder``; the bridge checks them."""

    order: dict[str, Any]


class SubscribersStart(Body):
    """Subscribers to the framework's task events: what ``tasks.subscriber`` is to be told."""

    run: int = Field(ge=0)
    phase: int = Field(ge=0, le=255)
    count: int = Field(ge=1, le=1000)
    delay_s: float = Field(ge=0, allow_inf_nan=False)


class MessagesRead(Body):
    """The fields of a ``tasks.reading.ReadOrder``; the bridge checks them."""

    order: dict[str, Any]


class QueuesPurge(Body):
    """The queues to empty."""

    queues: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)


class EventsTake(Body):
    """What of the event log was taken before, by file, and how much of the rest is wanted at once."""

    cursors: dict[str, Annotated[int, Field(ge=0)]]
    most_bytes: int = Field(ge=48, le=64 * 1024 * 1024)


class EventsDrop(Body):
    """Up to where the files of the event log are needed no more."""

    cursors: dict[str, Annotated[int, Field(ge=0)]]


class LabState(Body):
    """What the runner is doing, for those who watch: the run, its phase and how far it is (``done`` of ``planned`` tasks, a plan
    of 0 being an open one), and the runs of the suite. ``running`` is false between two runs."""

    running: bool
    scenario: str
    framework: str
    variant: str
    run: int = Field(ge=1)
    repetition: int = Field(ge=1)
    phase: str
    phase_began_unix_s: float = Field(ge=0, allow_inf_nan=False)
    planned: int = Field(ge=0)
    done: int = Field(ge=0)
    runs_planned: int = Field(ge=0)
    runs_valid: int = Field(ge=0)
    runs_invalid: int = Field(ge=0)


class SamplesTake(Body):
    """Whether it is an error if there is no worker; else its sample is one of no processes."""

    required: bool = True


class SamplesBegin(Body):
    """How often the worker's tree is sampled."""

    interval_s: float = Field(gt=0, allow_inf_nan=False)
