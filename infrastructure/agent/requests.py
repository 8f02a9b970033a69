"""Bodies of the agent's requests, checked by pydantic."""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from tasks.contract import Track

DEFAULT_TRACK: Track = get_args(Track)[0]


class Body(BaseModel):
    """A request's body: unknown fields are errors, so that a misspelt one cannot be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerStart(Body):
    """A worker as asked for, without its variant, which the node has."""

    processes: int = Field(ge=1)
    slots: int = Field(ge=1)
    queues: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    track: Track = DEFAULT_TRACK


class WorkerStop(Body):
    """How long the worker may take to end by itself."""

    grace_s: float = Field(ge=0, allow_inf_nan=False)


class ProducerConnect(Body):
    """The variant whose tasks will be enqueued."""

    variant: str = Field(min_length=1)


class ProducerStart(Body):
    """The fields of a ``tasks.producing.ProduceOrder``; the bridge checks them."""

    order: dict[str, Any]


class QueuesPurge(Body):
    """The queues to empty."""

    queues: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)


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


class SamplesBegin(Body):
    """How often the worker's tree is sampled."""

    interval_s: float = Field(gt=0, allow_inf_nan=False)
