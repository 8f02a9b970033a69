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


class SamplesBegin(Body):
    """How often the worker's tree is sampled."""

    interval_s: float = Field(gt=0, allow_inf_nan=False)
