"""The words of the page: the report's, which has numbers and reasons too, and the page's own."""

from importlib.resources import files

from ruamel.yaml import YAML

from brain_mri.report.language import Language


class Words(Language):
    """Says every sentence of the page in one language.

    Parameters
    ----------
    code : {"en", "fr"}
    """

    def __init__(self, code: str):
        super().__init__(code)
        text = files("brain_mri.app").joinpath("words", f"{code}.yaml").read_text("utf-8")
        own = YAML(typ="safe").load(text)
        reasons = self.words["reasons"] | own.pop("reasons")
        self.words = self.words | own | {"reasons": reasons}
