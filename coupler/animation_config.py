"""The section ``animation:`` of ``coupled.yaml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bmi_common.calendar import naive_utc
from bmi_common.config import CalendarTime, Config

_Time = Annotated[CalendarTime, AfterValidator(naive_utc)]


class AnimationConfig(Config):
    """Water table and rain as a film, into ``figures/`` of the run's folder.

    Attributes
    ----------
    format : {"gif", "mp4"}
        MP4 needs ffmpeg.
    start, end : datetime, optional
        Period that is shown; by default from a day before the wettest hour to two days after it.
    frames_per_second : int
        Speed.
    """

    format: Literal["gif", "mp4"] = "gif"
    start: _Time | None = None
    end: _Time | None = None
    frames_per_second: Annotated[int, Field(ge=1, le=50)] = 8

    @model_validator(mode="after")
    def _some_time(self) -> AnimationConfig:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("end must be after start")
        return self


def _from_switch(value: Any) -> Any:
    if value is True:
        return {}
    return None if value is False else value


Animation = Annotated[AnimationConfig | None, BeforeValidator(_from_switch)]
"""Type of the key: true, false or a mapping."""
