"""The page of a model on a hub: what it recognises, how well, on what it was measured, and how to use it."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from muybridge.evaluation.phrases import span
from muybridge.evaluation.run_accuracy import kept_accuracy
from muybridge.models.weights.published import DATA_SETS, PRETRAINED, SOURCES
from muybridge.recipes.store import read_values
from muybridge.run_schemas import RUN_WROTE, ModelFile, SplitFile, read_leak
from muybridge.runs import RunFolder
from muybridge.schemas import read
from muybridge.text import counted, percent, printable

_PAGE = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
_PAGE.filters["cell"] = lambda text: printable(str(text)).replace("|", r"\|").replace("<", "&lt;")
_CARD = _PAGE.from_string(
    """---
library_name: muybridge
pipeline_tag: video-classification
tags: [action-recognition, video]
---

# {{ name | cell }}

Names the action in a short video: one of {{ classes | length }}.

## Use

```bash
pip install muybridge
muybridge predict hf://{{ repository }} clip.mp4
```

```python
import muybridge

model = muybridge.load("hf://{{ repository }}")
print(model.predict("clip.mp4"))
```

Weights are safetensors and descriptions JSON: loading runs no code.

## How good it is

{% if accuracy %}
| | |
| --- | --- |
| top-1 | {{ accuracy.value }} ({{ accuracy.correct }} of {{ accuracy.clips }}) |
| 95 %, Wilson | {{ accuracy.interval }} |
| protocol | {{ protocol | cell }} |
| leak | {{ leak | cell }} |

The clips of the test part were not used to fit or to choose anything.
{% if refitted %}
The model here was then fitted on {{ refitted | cell }} as well; the figure is that of the model before.
{% endif %}
{% else %}
Its training measured no test part, so nothing is known.
{% endif %}
On other cameras, people and backgrounds it will be less right. Measure it on your own clips:
`muybridge evaluate hf://{{ repository }} CLIPS`.

## Data

{{ clips }} of {{ classes | length }} classes: {{ parts }}. The clips are not part of this repository.

Classes: {{ classes | map("cell") | join(", ") }}.

## Network and licence

Encoder {{ encoder | cell }}, head {{ head | cell }}. {{ licence }}
"""
)


def model_card(run: RunFolder, repository: str) -> str:
    """The card of a run's model, as Markdown with the header that hubs read.

    Args:
        run: The run of a training.
        repository: Its name on the hub, ``owner/name``.

    Raises:
        UserError: The run is damaged.
    """
    split = read(run.split, SplitFile, hint=RUN_WROTE)
    model = read(run.model / "model.json", ModelFile, hint=RUN_WROTE)
    config: dict[str, Any] = dict(model.model)
    sizes = {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    return _CARD.render(
        name=repository.rpartition("/")[2],
        repository=repository,
        classes=list(model.classes),
        accuracy=_accuracy(run),
        protocol=split.protocol,
        leak=read_leak(run.leak) or "unknown" if run.leak.is_file() else "unknown",
        refitted=" and ".join(model.refitted),
        clips=counted(sum(sizes.values()), "clip"),
        parts=", ".join(f"{count} {part}" for part, count in sizes.items()),
        encoder=config.get("encoder", "unknown"),
        head=config.get("head", "unknown"),
        licence=_licences(run),
    )


def _accuracy(run: RunFolder) -> dict[str, str] | None:
    kept = kept_accuracy(run)
    if kept is None:
        return None
    return {
        "value": percent(kept.value),
        "correct": str(kept.correct),
        "clips": counted(kept.clips, "clip"),
        "interval": span(kept.interval),
    }


def _licences(run: RunFolder) -> str:
    """Whose weights the encoder began with, and under which licence."""
    values = read_values(str(run.recipe))[0].get("model", {})
    weights, encoders = values.get("weights", "pretrained"), values.get("encoder", "")
    if weights == "none":
        return "It began with random weights."
    if weights not in ("pretrained", *DATA_SETS):
        return f"It began with the weights of {printable(Path(str(weights)).name)}; their licence holds for them."
    names = encoders if isinstance(encoders, list) else [encoders]
    found = {
        f"{each.encoder} on {DATA_SETS[each.data_set]}, {each.licence}"
        + (f", from {SOURCES[each.source]}" if each.source else "")
        for each in PRETRAINED
        if each.encoder in names and weights in ("pretrained", each.data_set)
    }
    if not found:
        return "It began with published weights; their licence holds for them."
    return f"It began with published weights: {'; '.join(sorted(found))}. That licence holds for them."
