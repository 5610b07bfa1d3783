"""A training that was killed between epochs goes on, and ends with the same bytes."""

import importlib.util
import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_mri.models import building, runtime, training
from brain_mri.models.checkpoints import Checkpoint, key
from brain_mri.params import Augment
from tests.models.small import SETTINGS, computes_in_bfloat16, write_examples

ROOT = Path(__file__).parents[2]
EPOCHS = 4
MODEL = {"activation": "relu", "dropout": 0.5, "l2": 0.001, "batch_norm": True}


CHANGES = Augment(mirror=True, rotation=20.0, shift=0.1, gamma=0.2, noise=0.05)


class Killed(BaseException):
    """Stands for the end of the process."""


class Mortal(Checkpoint):
    """A checkpoint whose process dies when it has kept a number of them."""

    def __init__(self, output, key, lives):
        super().__init__(output, key)
        self.lives = lives

    def keep(self, arrays, facts):
        super().keep(arrays, facts)
        self.lives -= 1
        if not self.lives:
            raise Killed


@pytest.fixture
def examples(tmp_path):
    """Give 44 noisy images, half with a faintly brighter middle, of different weights."""
    weights = np.linspace(0.5, 1.5, 44)
    return write_examples(tmp_path / "set", 44, noise=200, brighter=30, weights=weights)


def trained(examples, checkpoint=None, architecture="model_4", options=MODEL, **changes):
    """Train from a fresh start, as a process of its own would; give all that can differ."""
    settings = SimpleNamespace(**SETTINGS | {"epochs": EPOCHS, "learning_rate": 0.003} | changes)
    runtime.configure(settings)
    runtime.set_seed(1)
    model = building.build(architecture, 32, 2, **options)
    history, signals, _ = training.fit(
        model, examples, examples, settings, seed=1, checkpoint=checkpoint
    )
    return [weight.tobytes() for weight in model.get_weights()], history, signals


def assert_same(one, other):
    assert one[0] == other[0]
    pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)
    pd.testing.assert_frame_equal(one[2], other[2], check_exact=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "model_1"},
        {"schedule": "reduce_on_plateau", "learning_rate": 0.02},
        {"schedule": "cosine", "optimizer": "adamw"},
        {"augment": CHANGES, "label_smoothing": 0.1, "schedule": "cosine", "warmup": 0.2}
        | {"keep": "last"},
        {"early_stopping": 2, "learning_rate": 1e-12, "optimizer": "rmsprop"},
        pytest.param(
            {"steps_per_epoch": 4, "optimizer": "sgd", "precision": "mixed_bfloat16"},
            marks=computes_in_bfloat16,
        ),
    ],
    ids=lambda changes: "-".join(changes),
)
def test_killed_between_epochs_it_ends_with_the_same_bytes(examples, tmp_path, changes):
    with pytest.raises(Killed):
        trained(examples, Mortal(tmp_path / "model.keras", "key", 2), **changes)
    kept = Checkpoint(tmp_path / "model.keras", "key")
    assert len(kept.facts["rows"]) == 2
    whole = trained(examples, **changes)
    assert len(whole[1]) > 2
    assert_same(trained(examples, kept, **changes), whole)


def test_killed_after_every_epoch_it_ends_with_the_same_bytes(examples, tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(Killed):
        trained(examples, Mortal(path, "key", 1))
    for done in range(2, EPOCHS):
        with pytest.raises(Killed):  # a resumed run first keeps again what it took up
            trained(examples, Mortal(path, "key", 2))
        assert len(Checkpoint(path, "key").facts["rows"]) == done
    assert_same(trained(examples, Checkpoint(path, "key")), trained(examples))


def test_killed_before_or_in_fine_tuning_it_ends_with_the_same_bytes(
    examples, tmp_path, small_weights
):
    changes = {
        "architecture": "inception_v3",
        "options": MODEL | {"weights": small_weights},
        "epochs": 2,
        "fine_tune_epochs": 2,
        "fine_tune_layers": 3,
    }
    whole = trained(examples, **changes)
    for lives in (2, 3):
        path = tmp_path / f"{lives}.keras"
        with pytest.raises(Killed):
            trained(examples, Mortal(path, "key", lives), **changes)
        assert_same(trained(examples, Checkpoint(path, "key"), **changes), whole)


def turned(content, place, bits):
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


def without_its_array(content):
    buffer = io.BytesIO()
    np.savez(buffer, facts=np.load(io.BytesIO(content))["facts"])
    return buffer.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: b"not a checkpoint",
        lambda content: turned(content, 50_000, 1),
        lambda content: turned(content, content.rindex(b"PK\1\2") + 10, 9),
        lambda content: turned(content, content.rindex(b"PK\1\2") + 8, 1),
        without_its_array,
    ],
    ids=[
        *("half", "a byte short", "empty", "text", "a bit turned", "unknown compression"),
        *("encrypted", "an array missing"),
    ],
)
def test_a_torn_checkpoint_is_noticed_and_not_used(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path / "model.keras", "key")
    assert not checkpoint.damaged
    checkpoint.keep({"model-0": np.arange(30_000.0)}, {"rows": [1]})
    assert Checkpoint(tmp_path / "model.keras", "key").facts == {"rows": [1]}
    checkpoint.path.write_bytes(damage(checkpoint.path.read_bytes()))
    found = Checkpoint(tmp_path / "model.keras", "key")
    assert found.damaged
    assert not found.facts
    assert not found.arrays


def test_a_foreign_checkpoint_is_not_used(tmp_path):
    mine = Checkpoint(tmp_path / "model.keras", "mine")
    Checkpoint(tmp_path / "model.keras", "other").keep({}, {"rows": [1]})
    assert not Checkpoint(tmp_path / "model.keras", "mine").facts
    (mine.folder / "other.npz").rename(mine.path)  # one that only its name says to be ours
    found = Checkpoint(tmp_path / "model.keras", "mine")
    assert found.damaged
    assert not found.facts


def test_success_removes_every_checkpoint_of_the_model_and_no_other(tmp_path):
    for name, run in (("a", "1"), ("a", "2"), ("a-b", "1")):
        Checkpoint(tmp_path / f"{name}.keras", run).keep({}, {})
    Checkpoint(tmp_path / "a.keras", "1").remove()
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.npz")]
    assert [path.as_posix() for path in left] == [".checkpoints/a-b/1.npz"]


def test_the_key_is_that_of_parameters_and_data(tmp_path):
    data = tmp_path / "set"
    data.mkdir()
    (data / "index.csv").write_text("a\n")
    first = key({"epochs": 3}, [data])
    assert key({"epochs": 3}, [data]) == first
    assert key({"epochs": 4}, [data]) != first
    (data / "index.csv").write_text("b\n")
    assert key({"epochs": 3}, [data]) != first


def test_the_key_is_that_of_the_code_too_loaded_yet_or_not(tmp_path):
    room = shutil.copytree(ROOT / "brain_mri/models", tmp_path / "models")
    spec = importlib.util.spec_from_file_location("copied", room / "checkpoints.py")
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    first = copied.key({}, [])
    assert copied.key({}, []) == first
    with (room / "architectures/model_4.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    assert copied.key({}, []) != first
