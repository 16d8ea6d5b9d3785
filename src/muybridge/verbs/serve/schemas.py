"""What goes in and out, as OpenAPI describes it; the contract of the page and of clients."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST_LABEL = 200
MOST_SEGMENTS = 100_000
LONGEST_SECONDS = 1e7

AnnotationsFormat = Literal["csv", "json", "srt", "vtt", "label-studio", "elan", "boris", "activitynet", "cvat"]


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(examples=["there is no model 'defualt-1'; did you mean 'default-1'?"])


class ModelInfo(BaseModel):
    """A model."""

    name: str = Field(examples=["default-1"])
    classes: list[str] = Field(examples=[["Basketball", "Biking"]])
    encoder: str = Field(examples=["movinet-a0"])
    head: str = Field(examples=["probe"])
    frames_per_second: float = Field(description="how often it looks at a long video or a stream", examples=[5.0])
    window_seconds: float = Field(description="how much of a video one score is of", examples=[2.0])
    look_ahead_seconds: float = Field(description="how long after a moment its score comes", examples=[0.0])
    none_of_these: bool = Field(description="whether it can say that a video shows none of its classes")
    accuracy: str | None = Field(examples=["97.5 % (91.3-99.3 %; 78 of 80 test clips)"])


class ModelList(BaseModel):
    """All models."""

    default: str = Field(description="the one that answers where a request names none", examples=["default-1"])
    max_upload_bytes: int = Field(description="most bytes of one request; more is 413", examples=[2_048_000_000])
    models: list[ModelInfo]


class Score(BaseModel):
    """A class with its probability."""

    label: str = Field(examples=["Biking"])
    score: float = Field(ge=0, le=1, examples=[0.93])


class FilePrediction(BaseModel):
    """What is said of one file; of one that does not decode, only `file` and `error`."""

    file: str = Field(description="what you called it", examples=["ride.mp4"])
    label: str | None = Field(default=None, examples=["Biking"])
    score: float | None = Field(default=None, examples=[0.93])
    none_of_these: bool | None = None
    scores: list[Score] | None = None
    error: str | None = None


class PredictionList(BaseModel):
    """One prediction for each file, in order."""

    model: str = Field(examples=["default-1"])
    predictions: list[FilePrediction]


class SegmentValue(BaseModel):
    """A part of a video with one label."""

    start_seconds: float = Field(examples=[1.2])
    end_seconds: float = Field(examples=[4.8])
    label: str = Field(examples=["Biking"])
    score: float | None = Field(default=None, examples=[0.91])


class JobState(BaseModel):
    """A timeline."""

    id: str = Field(examples=["1vXnq0s9yQe0fWl3sV2k1A"])
    file: str = Field(examples=["game.mp4"])
    model: str = Field(examples=["default-1"])
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    done_seconds: float
    expected_seconds: float | None
    times_real_time: float | None
    eta_seconds: float | None
    error: str | None
    segments: list[SegmentValue] = Field(description="those so far while it runs")
    classes: list[str]
    seconds: float | None = Field(description="how long the video is, once that is known")
    plays_in_browsers: bool | None


class ScoreTable(BaseModel):
    """The probability of each class in each step of a video."""

    step_seconds: float = Field(examples=[0.2])
    classes: list[str]
    probabilities: list[list[float]] = Field(description="row n is of the time from n to n + 1 steps")


class GivenSegment(BaseModel):
    """A segment to write."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    start_seconds: float = Field(ge=0, le=LONGEST_SECONDS, examples=[1.2])
    end_seconds: float = Field(gt=0, le=LONGEST_SECONDS, examples=[4.8])
    label: Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL, examples=["Biking"])]

    @model_validator(mode="after")
    def _in_order(self) -> "GivenSegment":
        if self.start_seconds >= self.end_seconds:
            raise ValueError("a segment ends behind its start")
        return self


class GivenSegments(BaseModel):
    """Segments to write; labels need not be classes of the model."""

    segments: list[GivenSegment] = Field(max_length=MOST_SEGMENTS)


class LabelStudioTask(BaseModel):
    """A task of Label Studio."""

    model_config = ConfigDict(extra="ignore")

    id: int | str | None = Field(default=None, examples=[7])
    data: dict[str, Any] = Field(examples=[{"video": "http://localhost:8080/data/upload/1/game.mp4"}])


class LabelStudioRequest(BaseModel):
    """What Label Studio asks of a backend."""

    model_config = ConfigDict(extra="ignore")

    tasks: list[LabelStudioTask] = Field(max_length=64)
    label_config: str | None = Field(default=None, max_length=1_000_000)
    project: str | int | None = None


class LabelStudioSetup(BaseModel):
    """What Label Studio says when a project is connected; what else is in it is passed over."""

    model_config = ConfigDict(extra="ignore")

    project: str | int | None = Field(default=None, examples=["1.1700000000"])
    label_schema: str | None = Field(default=None, alias="schema", max_length=1_000_000)
    hostname: str | None = Field(default=None, max_length=2000, examples=["http://localhost:8080"])


class SetupAnswer(BaseModel):
    """The version of the model."""

    model_version: str = Field(examples=["default-1-1f3a5c7e"])
