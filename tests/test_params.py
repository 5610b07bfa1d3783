"""A wrong parameter ends a stage before any work, in one sentence that names it."""

from pathlib import Path

import pytest
import yaml
from dvc.exceptions import DvcException
from dvc.utils.serialize import load_yaml

from brain_mri import params
from brain_mri.errors import InputError

PARAMS = Path(__file__).parent.parent / "params.yaml"


def written(folder, **changes):
    """Write params.yaml with some values changed, each by its dotted name."""
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *sections, key = name.split(".")
        section = content
        for part in sections:
            section = section[part]
        section[key] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_committed_parameters_are_valid():
    own = {f"model_{n}" for n in range(1, 5)} | {"baseline", "efficientnet", "resnet"}
    assert set(params.load(PARAMS).models) == own


def test_every_parameter_has_a_comment():
    """What a model sets over `train`'s is explained there, and what is a model's own once."""
    lines = [line for line in PARAMS.read_text(encoding="utf-8").splitlines() if ":" in line]
    commented = {line.split(":")[0].strip() for line in lines if "#" in line}
    bare = {line.split(":")[0].strip() for line in lines if "#" not in line and line[-1] != ":"}
    assert bare - commented <= {"architecture", "data", "classes"}  # explained at `models`


@pytest.mark.parametrize("path", ["data/phantom/", "./data/phantom", "data//phantom"])
def test_a_folder_is_the_same_however_its_path_is_written(tmp_path, path):
    assert params.load(written(tmp_path, dataset=path)).dataset == "data/phantom"


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("activation", "sigmod", "'relu', 'tanh' or 'sigmoid'"),
        ("train.epochs", -1, "greater than or equal to 1"),
        ("train.epochs", 2.5, "valid integer"),
        ("train.epochs", "6", "valid integer"),
        ("train.epochs", True, "valid integer"),
        ("train.learning_rate", float("nan"), "finite number"),
        ("train.learning_rate", 0, "greater than 0"),
        ("train.dropout", 1.0, "less than 1"),
        ("train.devices", -1, "greater than or equal to 0"),
        ("train.schedule", "linear", "'constant', 'cosine' or 'reduce_on_plateau'"),
        ("image_size", 8, "greater than or equal to 32"),
        ("compute", "http://host:8786", "takes local, or the address of a Dask scheduler, such as"),
        ("compute", "tcp://host", "tcp://host:8786 or tls://host:8786"),
        ("leakage", "remove", "'drop' or 'keep'"),
        ("classes", ["glioma_tumor"], "at least 2"),
        ("classes", ["a", "../b"], "match pattern"),
        ("classes", [0, 1], """'0' in the file, -S "classes=['0','1']" on a command line"""),
        ("healthy_class", 1, "a name that reads as a number"),
        ("models.model_2.data", "smote", "'none', 'oversample'"),
        ("models.model_4.epochs", 0, "greater than or equal to 1"),
        ("prepare.validation", 1.5, "less than 1"),
        ("phantom", None, "dictionary or instance"),
        ("phantom.shortcut", "glioma", "'glioma_tumor', 'meningioma_tumor'"),
        ("phantom.shared_patients", 1.5, "less than or equal to 1"),
        ("seed", -5, "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_got_and_what_it_takes(tmp_path, name, value, takes):
    with pytest.raises(InputError) as error:
        params.load(written(tmp_path, **{name: value}))
    sentence = str(error.value)
    assert name in sentence
    assert takes in sentence
    assert "\n" not in sentence


def test_train_is_blamed_for_its_own_values_and_not_the_models_that_inherit_them(tmp_path):
    with pytest.raises(InputError, match=r"train\.epochs is -1"):
        params.load(written(tmp_path, **{"train.epochs": -1}))


def test_of_a_study_the_file_is_blamed_that_holds_the_value(tmp_path):
    study = tmp_path / "study.yaml"
    text = (PARAMS.parent / "studies/activation/params.yaml").read_text(encoding="utf-8")
    study.write_text(text, encoding="utf-8")
    path = written(tmp_path, **{"train.dropout": float("nan")})
    with pytest.raises(InputError, match=r"params\.yaml: train\.dropout is nan"):
        params.load(path, study)
    study.write_text(text.replace("epochs: 6", "epochs: .nan"), encoding="utf-8")
    with pytest.raises(InputError, match=r"study\.yaml: train\.epochs is nan"):
        params.load(PARAMS, study)


def test_a_value_of_a_model_knows_the_key_that_sets_it():
    model = params.load(PARAMS).model("model_4", "relu")
    assert model.key("epochs") == "models.model_4.epochs"
    assert model.key("learning_rate") == "train.learning_rate"
    study = Path("studies/activation/params.yaml")
    model = params.load(PARAMS, PARAMS.parent / study).model("sigmoid_slow")
    assert model.key("learning_rate").endswith(f"{study}:models.sigmoid_slow.learning_rate")
    assert model.key("epochs").endswith(f"{study}:train.epochs")
    assert model.key("dropout") == "train.dropout"


def test_an_unknown_key_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"train\.epoch is not a parameter"):
        params.load(written(tmp_path, **{"train.epoch": 6}))


def test_a_model_takes_from_train_what_it_does_not_name():
    loaded = params.load(PARAMS)
    assert loaded.models["model_4"].epochs == 20
    assert loaded.models["model_4"].batch_size == loaded.train.batch_size


def test_a_healthy_class_must_be_one_of_the_classes(tmp_path):
    with pytest.raises(InputError, match="healthy_class is 'none', but takes null or one of"):
        params.load(written(tmp_path, healthy_class="none"))
    assert params.load(written(tmp_path, healthy_class=None)).healthy_class is None


def test_more_twins_than_the_smaller_split_has_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="phantom plants 241 twins, more than its Training or"):
        params.load(written(tmp_path, **{"phantom.turned": 160}))


def test_weights_are_for_the_architecture_that_has_some(tmp_path):
    with pytest.raises(
        InputError,
        match=r"models\.model_1 takes weights for efficientnet_lite0 and inception_v3 alone",
    ):
        params.load(written(tmp_path, **{"models.model_1.weights": "imagenet"}))


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "holds no parameters"), ("- a", "holds no parameters"), ("a: [", "is not YAML")],
)
def test_a_file_that_holds_no_parameters_is_refused(tmp_path, text, says):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        params.load(path)


# What YAML 1.1, which PyYAML reads, and 1.2, which DVC writes, read differently; and forms near it.
WORDS = """
yes no on off y n Yes NO On OFF Y N true True TRUE tRUE false ~ null Null NULL nULL None NA
010 0o10 0O10 08 09 007 0b11 0B11 -0b1 0x1F 0X1F 0o8 0o_7 1_000 _1 1__ 1,000 +1 -0 1_000.5 0b_ +_
1:30 1:30.5 190:20:30 1:60 12345678901234567890 .5 -.5 +.5 5. ._ 1e-05 1e5 1E+5 12e03 1.e5 .5e3
.5e+3 1e 1_e5 1e999 .inf +.inf -.Inf .nan .NAN nan inf 2024-01-01 2024-1-1 2024-13-01
2024-01-01T00:00:00Z = << - ? ! !!int !!bool 'yes' "1" [yes,no] *gone
"""
LINES = r"""
! yes
!!str yes
!!int '3'
!!bool yes
!!float 1
!foo 1
!!set {a, b}
!!binary aGk=
!!timestamp 2024
{yes: 1, no: 2}
{1: a}
{[a]: 1}
{{a: 1}: 1}
{a: 1, a: 2}
{1: a, 1.0: b}
{<<: {a: 1}, b: 2}
{<<: [{a: 1}, {a: 2}]}
{<<: 3}
'\ud800'
"\ud800"
"""
FORMS = [*WORDS.split(), *LINES.splitlines(), "\t1", "a\tb", "|\n  yes\n", "\0", "9" * 5000]


def read_by(read, path):
    """Give what a reader makes of a file, with every type; None if it refuses."""
    try:
        return repr(read(path))  # since NaN is not equal to itself
    except (DvcException, ValueError, LookupError):
        return None


@pytest.mark.parametrize("form", FORMS)
def test_a_stage_reads_the_values_that_dvc_tracks(tmp_path, form):
    path = tmp_path / "params.yaml"
    path.write_text(f"value: {form}\n", encoding="utf-8")
    assert read_by(params.read_yaml, path) == read_by(load_yaml, path)


def test_yaml_is_read_as_1_2_and_not_as_1_1(tmp_path):
    path = tmp_path / "params.yaml"
    forms = ["yes", "off", "010", "0o10", "1:30", "1e3", "-.5", "true", "~"]
    path.write_text("values:\n" + "".join(f"- {form}\n" for form in forms), encoding="utf-8")
    wanted = ["yes", "off", 10, 8, "1:30", 1000.0, -0.5, True, None]
    assert params.read_yaml(path) == {"values": wanted}


def test_numbers_are_read_as_dvc_writes_them(tmp_path):
    path = written(tmp_path)
    text = path.read_text(encoding="utf-8").replace("learning_rate: 0.001", "learning_rate: 1e-05")
    path.write_text(text.replace("l2: 0.0", "l2: 2E+1"), encoding="utf-8")
    train = params.load(path).train
    assert (train.learning_rate, train.l2) == (0.00001, 20)


def test_a_mapping_may_be_merged_into_another(tmp_path):
    path = tmp_path / "params.yaml"
    text = PARAMS.read_text(encoding="utf-8")
    text = text.replace("  model_1:\n", "  model_1: &one\n", 1)
    path.write_text(text + "  model_5:\n    <<: *one\n    epochs: 9\n", encoding="utf-8")
    loaded = params.load(path).models
    wanted = loaded["model_1"].model_dump() | {"epochs": 9}
    assert loaded["model_5"].model_dump() == wanted


def test_a_missing_file_tells_where_to_stand(tmp_path):
    with pytest.raises(InputError, match="run from the project's root"):
        params.load(tmp_path / "params.yaml")


def test_an_unknown_model_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"'model_9' is not among .* baseline, model_1"):
        params.load(PARAMS).model("model_9")


def test_an_activation_from_dvc_yaml_is_checked_too():
    with pytest.raises(InputError, match=r"models\.model_1: activation is 'sigmod'"):
        params.load(PARAMS).model("model_1", "sigmod")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train.warmup": 0.1}, r"models\.baseline takes warmup with schedule: cosine alone, not"),
        ({"models.model_1.frozen": 0}, r"models\.model_1 takes frozen with weights alone"),
        ({"models.efficientnet.frozen": "some"}, r"frozen is 'some', but takes all, or a number"),
        ({"models.efficientnet.frozen": -1}, r"frozen is -1, but takes all, or a number of layers"),
        ({"models.efficientnet.frozen": "all"}, r"models\.efficientnet takes augment where a"),
        ({"models.efficientnet.fine_tune_epochs": 1}, r"takes fine_tune_epochs with frozen: all"),
        ({"models.efficientnet.backbone_rate": 0.0}, r"backbone_rate is 0\.0, but should be great"),
        ({"train.augment.rotation": 200}, r"train\.augment\.rotation is 200, but should be less"),
        ({"train.augment.mirror": 1}, r"train\.augment\.mirror is 1, but should be a valid bool"),
        ({"models.resnet.augment.tilt": 1.0}, r"models\.resnet\.augment\.tilt is not a parameter"),
        (
            {"train.label_smoothing": 1.0},
            r"train\.label_smoothing is 1\.0, but should be less than",
        ),
    ],
)
def test_what_training_takes_is_named_where_it_is_wrong(tmp_path, change, says):
    with pytest.raises(InputError, match=says):
        params.load(written(tmp_path, **change))


def test_a_model_changes_some_of_train_s_augmentation_and_keeps_the_rest(tmp_path):
    path = written(tmp_path, **{"train.augment.cutout": 0.1, "models.resnet.augment.rotation": 5.0})
    augment = params.load(path).models["resnet"].augment
    assert (augment.cutout, augment.rotation, augment.mirror) == (0.1, 5.0, True)
    assert params.load(path).models["model_1"].augment.rotation == 0
