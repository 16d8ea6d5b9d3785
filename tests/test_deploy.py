"""Job files for clusters say what the command line understands, and what docs/how-to/many-gpus.md says."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from muybridge import cli

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SBATCH = DEPLOY / "slurm" / "train.sbatch"
PAGE = (ROOT / "docs" / "how-to" / "many-gpus.md").read_text(encoding="utf-8")


def jobs() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document["kind"] == "Job":
                found[path.stem] = document
    return found


def container(job: dict[str, Any]) -> dict[str, Any]:
    [only] = job["spec"]["template"]["spec"]["containers"]
    return only


def understood(words: list[str]) -> dict[str, Any]:
    """What the command line makes of words, without doing it."""
    command, bound, ignored = cli.app.parse_args(words, exit_on_error=False, print_error=False)
    assert command.__name__ == "train"
    assert not ignored
    return dict(bound.arguments)


def test_one_node() -> None:
    given = container(jobs()["train-one-node"])
    asked = understood(given["args"])
    assert asked["device_count"] == int(given["resources"]["limits"]["nvidia.com/gpu"])
    assert "command" not in given  # the image's entry point is muybridge
    assert '\nENTRYPOINT ["muybridge"]\n' in (ROOT / "Dockerfile").read_text()


def test_many_nodes() -> None:
    job = jobs()["train-many-nodes"]
    given, spec = container(job), job["spec"]
    words = given["args"]
    options = dict(word.split("=", 1) for word in words[: words.index("-m")])
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(options["--nnodes"])
    assert options["--nproc-per-node"] == given["resources"]["limits"]["nvidia.com/gpu"]
    # Pods of an Indexed Job are called JOB-INDEX; the Service and the subdomain make that a name of the network.
    name = job["metadata"]["name"]
    assert options["--master-addr"] == f"{name}-0.{spec['template']['spec']['subdomain']}"
    assert options["--node-rank"] == "$(NODE_RANK)" and "NODE_RANK" in {entry["name"] for entry in given["env"]}
    assert words[words.index("-m") :][:3] == ["-m", "--", "muybridge"]  # as the page says
    assert "torchrun --nproc-per-node 2 -m -- muybridge train" in PAGE
    assert "run" in understood(words[words.index("muybridge") + 1 :])


@pytest.mark.parametrize("name", ["train-one-node", "train-many-nodes"])
def test_batches_have_room_in_shared_memory(name: str) -> None:
    job = jobs()[name]
    mounts = {mount["mountPath"]: mount["name"] for mount in container(job)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"


def test_the_batch_script_of_slurm() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    subprocess.run([bash, "-n", str(SBATCH)], check=True)
    text = SBATCH.read_text(encoding="utf-8").replace("$run", "/shared/runs/one")
    commands = re.findall(r"srun --kill-on-bad-exit muybridge (.+)", text)
    assert [sorted(understood(shlex.split(command))) for command in commands] == [["resume"], ["clips", "run"]]
    # The page shows the same request for machines.
    shown = set(re.findall(r"#SBATCH \S+", PAGE))
    assert shown and shown <= set(re.findall(r"#SBATCH \S+", text))
