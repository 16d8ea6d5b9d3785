"""Upload a run, or a folder of shards, to a bucket; or the model of a run to a model hub, with its card."""

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.shard_index import holds_shards, read_index
from muybridge.errors import UserError
from muybridge.files import write_text
from muybridge.remote_runs import opened_run, upload_to
from muybridge.runs import RunFolder
from muybridge.storage.urls import url_at, written
from muybridge.text import one_line
from muybridge.verbs.push.model_card import model_card
from muybridge.verbs.push.shards import upload_shards

HUB = "hf"


@dataclass(frozen=True)
class PushResult:
    """What was uploaded.

    Attributes:
        source: The folder.
        url: Where it lies now.
    """

    source: Path
    url: str

    def __str__(self) -> str:
        return f"uploaded: {self.url}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"source": written(self.source), "url": self.url}


def push(source: str | Path, url: str, *, private: bool = False, console: Console = STDERR) -> PushResult:
    """Upload a run or shards.

    Args:
        source: A run, also by URL, or a folder that ``pack`` made.
        url: ``s3://``, ``gs://``, ``az://`` and a name that is free there, or the same once more: only what changed is
            uploaded. Or ``hf://owner/name``: the model of a run with a card, and no clips.
        private: Whether a new repository on a hub is private.
        console: Where progress is printed.

    Raises:
        UserError: ``source`` is neither, the name is another run's, or what is there cannot be reached.
    """
    source, address = Path(source), url_at(url)
    if address is None:
        raise UserError(f"{url} is no URL; give s3://bucket/name, gs://, az:// or hf://owner/name")
    announce = partial(say, console)
    if holds_shards(source):
        if address.startswith(f"{HUB}://"):
            raise UserError(f"{source} holds clips, and {address} is a place for models; push it to a bucket")
        upload_shards(read_index(source), address, announce=announce)
        return PushResult(source, address)
    with opened_run(source, announce=announce) as folder:
        RunFolder.existing(folder)
        if address.startswith(f"{HUB}://"):
            _to_hub(RunFolder.trained(folder), address.removeprefix(f"{HUB}://"), private=private)
        else:
            upload_to(folder, address, announce=announce)
    return PushResult(source, address)


def _to_hub(run: RunFolder, repository: str, *, private: bool) -> None:
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise UserError(f"{repository!r} is no repository; give hf://owner/name")
    if not (run.model / "model.json").is_file():
        raise UserError(f"{run.path} has no model yet; finish it with: muybridge train --resume {run.path}")
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    except ImportError as error:
        raise UserError(f"hf:// needs pip install 'muybridge[hf]' ({error})") from error
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The clips' names and places stay here: split.json and predictions.csv name them, the recipe their folder.
        shutil.copytree(run.model, folder / "model")
        write_text(folder / "README.md", model_card(run, repository))
        api = HfApi()
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            if private and not api.repo_info(repository).private:
                raise UserError(f"hf://{repository} is there already, and public; make it private first")
            api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Model of muybridge")
        except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
            raise UserError(
                f"hf://{repository} cannot be written: {one_line(error)}; set HF_TOKEN to a token that may write there"
            ) from error
