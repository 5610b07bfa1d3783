"""One script per stage of dvc.yaml, of the same name; brain_mri/ has the rooms they call."""

import brain_mri  # noqa: F401  # before anything slow: it has Ctrl-C and missing packages in hand
