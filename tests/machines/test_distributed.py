"""Several GPUs and several hosts train what one process trains; a lost worker costs no epoch.

The workers are real: processes on this machine that meet at ports of their own. Parts of the
processor stand for GPUs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from conftest import modified

from brain_mri.errors import InputError
from brain_mri.models import distribution
from brain_mri.models.training import order
from stages import train
from tests.models.small import CLASSES, SETTINGS, write_examples
from tests.models.together import LONG, SAME, Worker, stage, work

pytestmark = [
    pytest.mark.machines,
    pytest.mark.skipif(os.name == "nt", reason="forks, and sends signals"),
]

ROOT = Path(__file__).parents[2]
COUNT = 41  # in batches of 8 the last one has a single image, fewer than there are replicas
EPOCHS = 6  # of a training that is killed in between


def together(workers):
    """Give the TF_CONFIG of every worker, at ports that are free now."""
    listening = [socket.socket() for _ in range(workers)]
    for each in listening:
        each.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{each.getsockname()[1]}" for each in listening]}
    for each in listening:
        each.close()
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}})
        for number in range(workers)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What each worker of trainings by one process, two, four, and one with two GPUs ended with."""
    folder = tmp_path_factory.mktemp("trained")
    weights = np.linspace(0.5, 1.5, COUNT)
    write_examples(folder / "set", COUNT, noise=200, brighter=30, weights=weights)
    trainings = [
        ("one", 0, [None]),
        ("gpus", 2, [None]),
        ("two", 0, together(2)),
        ("four", 0, together(4)),
    ]
    for name, gpus, configs in trainings:
        workers = [
            Worker(work, Path(f"{name}-{number}.npz"), gpus, folder=folder, tf_config=config)
            for number, config in enumerate(configs)
        ]
        for worker in workers:
            worker.ended()
    trained = {
        name: [dict(np.load(folder / f"{name}-{number}.npz")) for number in range(len(configs))]
        for name, _, configs in trainings
    }
    trained["dropped"] = np.load(folder / "gpus-0.dropped.npy")
    return trained


TOGETHER = pytest.mark.parametrize("name", ["gpus", "two", "four"])


@TOGETHER
def test_all_replicas_end_with_the_same_weights_and_figures(trained, name):
    first, *others = trained[name]
    assert first["copies"] == (2 if name == "gpus" else 1)
    assert first["same"]
    for other in others:
        for key in first.keys() - {"rows", "signals"}:
            assert np.array_equal(first[key], other[key]), key


@TOGETHER
def test_any_number_of_replicas_trains_what_one_process_trains(trained, name):
    (one,), (chief, *_) = trained["one"], trained[name]
    for key in one.keys() - {"rows", "signals", "history", "copies", "same"}:
        assert np.allclose(chief[key], one[key], rtol=1e-2, atol=1e-2), key
    # Images augmented by other rows than one process takes would be off by nearly the whole.
    assert np.allclose(chief["history"], one["history"], rtol=5e-3)
    assert np.allclose(chief["signals"], one["signals"], rtol=5e-2, atol=1e-2, equal_nan=True)


@TOGETHER
def test_an_epoch_is_in_the_order_of_one_process_and_each_worker_reads_its_part(trained, name):
    probed = 8  # images, read by all before the first epoch
    parts = [worker["rows"][probed:] for worker in trained[name]]
    epochs = [order(COUNT, 1, epoch, COUNT) for epoch in range(1, SAME["epochs"] + 1)]
    for number, part in enumerate(parts):
        expected = []
        for epoch in epochs:
            batches = [epoch[start : start + 8] for start in range(0, COUNT, 8)]
            # A batch with fewer images than workers is taken whole by each.
            expected += [b[number :: len(parts)] if len(b) >= len(parts) else b for b in batches]
            expected += batches  # which the averages of batch normalisation are of, on each
        assert np.array_equal(part, np.concatenate(expected))


def test_dropout_lets_other_units_through_on_each_replica_and_in_each_batch(trained):
    parts = trained["dropped"].reshape(4, 100)
    assert set(parts.ravel()) == {0.0, 2.0}
    assert len({part.tobytes() for part in parts}) == 4


@pytest.mark.parametrize("onednn", ["0", "1"])
def test_replicas_exchange_the_same_in_the_same_order_once_a_layer_and_direction(tmp_path, onednn):
    """Whatever TensorFlow makes of the graph: oneDNN's operations are on or off by processor."""
    write_examples(tmp_path / "set", COUNT, noise=200, brighter=30)
    subprocess.run(
        [sys.executable, "-m", "tests.models.together", "exchanged.json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TF_ENABLE_ONEDNN_OPTS": onednn},
        check=True,
    )
    first, other = json.loads((tmp_path / "exchanged.json").read_text(encoding="utf-8"))
    assert first == other
    layers = [name for name in first if "batch_normalization" in name]
    assert len(layers) == len(set(layers)) == 2 * 2
    assert len(first) == len(layers) + 2  # the gradients, and the loss with the right answers


TRAIN = ("stages.train", "model_4", "--activation", "relu", "--training", "train")
TRAIN += ("--validation", "val", "--model", "models/model_4.keras", "--reports", "reports")


def host(folder, **changes):
    """Make a host's folder: parameters, and the sets that prepare and balance would make."""
    write_examples(folder / "train", COUNT, noise=200, brighter=30)
    write_examples(folder / "val", 18, noise=200, brighter=30)
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content |= {"classes": CLASSES, "healthy_class": None, "image_size": 32}
    content["train"] |= {"batch_size": 8, "steps_per_epoch": 5, "batch_norm": True} | changes
    content["models"]["model_4"]["epochs"] = EPOCHS
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in ("models", "reports")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and path.parent.name != "timing"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder that two workers shared, who trained until the end, and what they said."""
    folder = host(tmp_path_factory.mktemp("whole"))
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", *TRAIN],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CONFIG": config},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for config in together(2)
    ]
    said = [worker.communicate(timeout=LONG) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    return folder, said


def test_workers_that_share_a_folder_write_everything_once(whole):
    folder, (chief, other) = whole
    assert chief[0].startswith("train@model_4: 41 images, 6 epochs, kept ")
    assert other[0].startswith("train@model_4, worker 1: 41 images, 6 epochs, kept ")
    tables = {f"reports/{kind}/model_4.csv" for kind in ("history", "layers", "signals")}
    expected = {"models/model_4.keras", "reports/training/model_4.json"} | tables
    assert files(folder).keys() == expected
    record = json.loads((folder / "reports/training/model_4.json").read_text(encoding="utf-8"))
    assert record["model_4"]["replicas"] == 2
    assert chief[1] == "train@model_4: worker 0 of 2, waits until all have started\n"


def started(folders):
    return [
        Worker(stage, *TRAIN, folder=folder, tf_config=config)
        for folder, config in zip(folders, together(len(folders)), strict=True)
    ]


def killed(workers, victim, folder):
    """Kill one of two workers once the chief has kept an epoch more; give what the other said."""

    def state():
        return modified(folder / "models/.checkpoints/model_4", "*[0-9a-f].npz")

    before = state()
    while state() in (before, {}):
        assert workers[0].process.is_alive(), workers[0].ended()
        time.sleep(0.002)
    workers[victim].process.kill()
    at = time.monotonic()
    said = workers[1 - victim].ended(code=1)
    print(f"the other ended {time.monotonic() - at:.0f} s later")
    workers[victim].ended(code=-signal.SIGKILL)
    return said


def test_after_a_worker_is_killed_all_end_and_the_same_command_ends_with_the_same_bytes(
    whole, tmp_path
):
    folders = [host(tmp_path / name) for name in ("chief", "other")]
    for victim in (1, 0):
        workers = started(folders)
        *_, waits, sentence = killed(workers, victim, folders[0]).splitlines()
        assert waits.endswith("waits until all have started")
        assert "another worker has ended or cannot be reached" in sentence
    for worker in started(folders):
        assert f"{EPOCHS} epochs, resumed in epoch" in worker.ended()
    assert files(folders[0]) == files(whole[0])
    assert not files(folders[1])


def test_workers_with_other_parameters_end_with_a_sentence(tmp_path):
    folders = [host(tmp_path / "0"), host(tmp_path / "1", learning_rate=0.002)]
    for number, worker in enumerate(started(folders)):
        said = worker.ended(code=1)
        assert f"worker {1 - number} has other parameters, code, data or versions" in said
        assert "Traceback" not in said
        assert not files(folders[number])


def test_a_worker_whose_port_is_taken_ends_with_a_sentence(tmp_path):
    config, _ = together(2)
    port = int(json.loads(config)["cluster"]["worker"][0].split(":")[1])
    with socket.create_server(("127.0.0.1", port)):
        said = Worker(stage, *TRAIN, folder=host(tmp_path), tf_config=config).ended(code=1)
    assert "TF_CONFIG's workers cannot connect" in said
    assert "Traceback" not in said


TWO = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("", "TF_CONFIG: Invalid JSON"),
        ("{", "TF_CONFIG: Invalid JSON"),
        ("[]", "TF_CONFIG: Input should be an object"),
        ({"cluster": TWO}, "TF_CONFIG.task: Field required"),
        ({"task": {"type": "worker", "index": 0}}, "TF_CONFIG.cluster: Field required"),
        ({"cluster": TWO, "task": {"type": "ps", "index": 0}}, "'chief' or 'worker'"),
        ({"cluster": TWO, "task": {"type": "worker", "index": 2}}, "its cluster has 2 of these"),
        ({"cluster": TWO, "task": {"type": "chief", "index": 0}}, "its cluster has 0 of these"),
        ({"cluster": TWO, "task": {"type": "worker", "index": -1}}, "greater than or equal to 0"),
        ({"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}, "match pattern"),
        ({"cluster": {"ps": ["a:1"]}, "task": {"type": "worker", "index": 0}}, "cluster.ps"),
        (
            {"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}},
            "names an address twice",
        ),
    ],
)
def test_a_wrong_tf_config_is_named_in_one_sentence(monkeypatch, config, says):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(InputError) as error:
        distribution.place()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_tf_config_ends_a_stage_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(host(tmp_path))
    monkeypatch.setenv("TF_CONFIG", "{")
    monkeypatch.setattr(sys, "argv", list(TRAIN))
    with pytest.raises(SystemExit, match=r"^train@model_4: TF_CONFIG: Invalid JSON[^\n]*$"):
        train.main()


def test_the_chief_is_the_first_worker(monkeypatch):
    places = []
    for kind, number in [("chief", 0), ("worker", 0), ("worker", 1)]:
        cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
        task = {"type": kind, "index": number}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
        places.append(distribution.place())
    assert places == [(0, 3), (1, 3), (2, 3)]
    monkeypatch.delenv("TF_CONFIG")
    assert distribution.place() == (0, 1)


def test_more_gpus_than_there_are_end_with_a_sentence():
    settings = SimpleNamespace(**SETTINGS | {"devices": 1000})
    with (
        pytest.raises(InputError, match=r"train\.devices is 1000, but this host has \d+ GPUs"),
        distribution.joined(settings, ""),
    ):
        pass


SLURM, KUBERNETES = "docs/slurm/train.sbatch", "docs/kubernetes/train.yaml"


def place_told(script, variables, monkeypatch):
    """Give the place that a host's script tells a worker, by what it puts in TF_CONFIG."""
    said = subprocess.run(
        ["bash", "-ec", f"{script}\nprintenv TF_CONFIG"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    monkeypatch.setenv("TF_CONFIG", said.stdout)
    return distribution.place()


def test_slurm_s_script_gives_every_worker_its_place(monkeypatch):
    subprocess.run(["bash", "-n", SLURM], cwd=ROOT, check=True)
    text = (ROOT / SLURM).read_text(encoding="utf-8")
    on_each = text.partition("bash -c '")[2].partition("exec")[0]
    workers = text.partition("\nworkers=")[2].partition("\n")[0]
    hosts = "scontrol() { printf 'n1\\nn2\\n'; }; port=2222; SLURM_JOB_NODELIST=n[1-2]"
    for number in (0, 1):
        script = f"{hosts}\nworkers={workers}\n{on_each}"
        told = place_told(script, {"SLURM_PROCID": str(number)}, monkeypatch)
        assert told == (number, 2)
    assert "n2:2222" in os.environ["TF_CONFIG"]


def test_kubernetes_job_gives_every_worker_its_place_and_runs_the_stage_of_dvc(monkeypatch):
    service, job = yaml.safe_load_all((ROOT / KUBERNETES).read_text(encoding="utf-8"))
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    script, _, command = container["args"][0].partition("exec ")
    for number in range(job["spec"]["completions"]):
        told = place_told(script, {"JOB_COMPLETION_INDEX": str(number)}, monkeypatch)
        assert told == (number, job["spec"]["parallelism"])
    assert pod["subdomain"] == service["metadata"]["name"]
    assert "train-1.train:2222" in os.environ["TF_CONFIG"]
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    assert command.replace("\\\n", " ").split() == lock["stages"]["train@model_4"]["cmd"].split()
