"""The parameters that this report comes from."""

from brain_mri.report.contents import flat
from brain_mri.report.reading import Reports

PHANTOM = "data/phantom"  # the one data set that the parameters of that name make


def content(reports: Reports) -> dict:
    """Give the parameters by name, those of each model apart."""
    parameters = reports.parameters
    unused = {"models", "train", "compute"}  # shown by model; and what no result depends on
    if parameters.dataset != PHANTOM:
        unused.add("phantom")
    return {
        "settings": flat(parameters.model_dump(exclude=unused)),
        "model_settings": {
            name: model.model_dump() | {"activation": reports.training[name]["activation"]}
            for name, model in parameters.models.items()
        },
    }
