"""What is where in a head: tables of ellipses that the phantom is painted from."""

from typing import NamedTuple

import numpy as np

# Signal on T1 after contrast medium; the display saturates at 1.
SIGNAL = {
    "air": 0.02,
    "bone": 0.06,
    "csf": 0.13,
    "vitreous": 0.15,
    "necrosis": 0.17,
    "oedema": 0.22,
    "muscle": 0.25,
    "grey": 0.34,
    "white": 0.42,
    "pituitary": 0.45,
    "vessel": 0.48,
    "fat": 0.52,
}


class Ellipse(NamedTuple):
    """A piece of anatomy, in head units: 1 is about half the height of the head.

    ``x`` runs to the right of the image, ``y`` down; ``angle`` turns clockwise, in degrees.
    """

    tissue: str
    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0

    def depth(self, x, y):
        """Return how far points lie inside the outline, about; negative outside."""
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        dx, dy = x - self.x, y - self.y
        across, along = (dx * cos + dy * sin) / self.rx, (dy * cos - dx * sin) / self.ry
        return (1 - np.sqrt(across**2 + along**2)) * min(self.rx, self.ry)


def _bilateral(half: list[Ellipse]) -> list[Ellipse]:
    """Add the left of what lies off the midline."""
    left = {e: e._replace(x=-e.x, angle=-e.angle) for e in half if e.x}
    return [side for e in half for side in ((e, left[e]) if e.x else (e,))]


E = Ellipse
# Two levels of each plane, as ellipses in painting order; the first level passes the sella.
VIEWS = {
    "axial": [
        _bilateral(  # orbits, sella, temporal lobes, posterior fossa
            [
                E("fat", 0, 0, 0.74, 0.92),
                E("bone", 0, 0, 0.69, 0.87),
                E("soft", 0, -0.60, 0.58, 0.26),
                E("fat", 0.32, -0.62, 0.19, 0.25, -12),
                E("vitreous", 0.33, -0.73, 0.125, 0.125),
                E("muscle", 0.22, -0.50, 0.025, 0.14, -22),
                E("air", 0, -0.58, 0.09, 0.27),
                E("soft", 0, -0.58, 0.02, 0.24),
                E("csf", 0.36, -0.05, 0.285, 0.355, 12),
                E("cortex", 0.36, -0.05, 0.28, 0.35, 12),
                E("csf", 0, 0.40, 0.52, 0.43),
                E("cerebellum", 0.22, 0.43, 0.28, 0.36, -8),
                E("bone", 0.50, 0.20, 0.18, 0.04, -25),
                E("csf", 0, -0.04, 0.14, 0.12),
                E("white", 0, 0.14, 0.17, 0.15),
                E("csf", 0, 0.31, 0.06, 0.045),
                E("bone", 0, -0.21, 0.13, 0.05),
                E("vessel", 0.12, -0.13, 0.025, 0.03),
                E("pituitary", 0, -0.14, 0.05, 0.03),
                E("vessel", 0, 0.83, 0.035, 0.04),
            ]
        ),
        _bilateral(  # frontal horns, basal ganglia, atria
            [
                E("fat", 0, 0, 0.76, 0.94),
                E("bone", 0, 0, 0.70, 0.88),
                E("csf", 0, 0, 0.655, 0.835),
                E("cortex", 0, 0, 0.645, 0.825),
                E("csf", 0, -0.62, 0.014, 0.24),
                E("vessel", 0, 0.62, 0.010, 0.24),
                E("vessel", 0, 0.83, 0.035, 0.05),
                E("csf", 0.52, -0.08, 0.13, 0.018, -12),
                E("grey", 0.25, -0.02, 0.09, 0.21, 12),
                E("grey", 0.10, 0.10, 0.08, 0.13, -15),
                E("csf", 0.10, -0.21, 0.045, 0.17, -16),
                E("csf", 0.22, 0.30, 0.050, 0.19, -18),
                E("csf", 0, 0.06, 0.018, 0.11),
            ]
        ),
    ],
    "coronal": [
        _bilateral(  # third ventricle, sella, sphenoid sinus, nasal cavity
            [
                E("fat", 0, 0.62, 0.60, 0.85),
                E("soft", 0, 0.62, 0.54, 0.80),
                E("fat", 0, -0.20, 0.72, 0.76),
                E("bone", 0, -0.20, 0.67, 0.71),
                E("soft", 0, 0.55, 0.47, 0.33),
                E("csf", 0, -0.24, 0.62, 0.61),
                E("cortex", 0, -0.24, 0.61, 0.60),
                E("cortex", 0.37, 0.13, 0.23, 0.24),
                E("bone", 0, 0.33, 0.17, 0.16),
                E("csf", 0, 0.09, 0.17, 0.07),
                E("csf", 0, -0.65, 0.012, 0.18),
                E("vessel", 0, -0.83, 0.045, 0.045),
                E("csf", 0.47, -0.04, 0.14, 0.018, 22),
                E("white", 0, -0.38, 0.22, 0.05),
                E("grey", 0.22, -0.17, 0.08, 0.13, 15),
                E("csf", 0.11, -0.28, 0.05, 0.11, 30),
                E("csf", 0, -0.08, 0.018, 0.10),
                E("vessel", 0.12, 0.17, 0.025, 0.03),
                E("pituitary", 0, 0.18, 0.06, 0.03),
                E("air", 0, 0.36, 0.13, 0.10),
                E("fat", 0.42, 0.45, 0.06, 0.16, -10),
                E("bone", 0.33, 0.72, 0.04, 0.22, -6),
                E("air", 0, 0.70, 0.06, 0.17),
            ]
        ),
        _bilateral(  # atria, cerebellum, cervical spine
            [
                E("fat", 0, 0.65, 0.60, 0.85),
                E("soft", 0, 0.65, 0.55, 0.80),
                E("fat", 0, -0.15, 0.72, 0.78),
                E("bone", 0, -0.15, 0.67, 0.73),
                E("csf", 0, -0.16, 0.62, 0.68),
                E("cortex", 0, -0.17, 0.61, 0.66),
                E("csf", 0, 0.30, 0.50, 0.25),
                E("cerebellum", 0.19, 0.30, 0.27, 0.20, 8),
                E("vessel", 0.27, 0.10, 0.30, 0.014, 20),
                E("white", 0, 0.26, 0.07, 0.12),
                E("white", 0, 0.60, 0.06, 0.30),
                E("csf", 0, -0.65, 0.012, 0.18),
                E("vessel", 0, -0.81, 0.045, 0.045),
                E("white", 0, -0.17, 0.18, 0.05),
                E("csf", 0.23, -0.07, 0.055, 0.15, -25),
                E("bone", 0.15, 0.80, 0.05, 0.20),
            ]
        ),
    ],
    "sagittal": [
        [  # the midline, facing left
            E("fat", 0.25, 0.75, 0.42, 0.85, -4),
            E("fat", -0.38, 0.52, 0.42, 0.60, 10),
            E("fat", -0.80, 0.30, 0.09, 0.13, 25),
            E("soft", 0.22, 0.78, 0.38, 0.82, -4),
            E("soft", -0.35, 0.52, 0.42, 0.57, 10),
            E("fat", 0.06, -0.20, 0.86, 0.72),
            E("bone", 0.06, -0.20, 0.81, 0.67),
            E("soft", -0.30, 0.36, 0.45, 0.17, -6),
            E("csf", 0.06, -0.22, 0.765, 0.61),
            E("cortex", 0.06, -0.25, 0.755, 0.575),
            E("bone", -0.42, 0.22, 0.28, 0.08, -8),
            E("csf", 0.20, 0.18, 0.34, 0.24),
            E("white", -0.02, -0.20, 0.35, 0.21, -4),
            E("csf", -0.02, -0.15, 0.31, 0.16, -4),
            E("grey", 0.05, -0.06, 0.20, 0.12),
            E("white", 0.12, 0.10, 0.09, 0.12, 10),
            E("white", 0.10, 0.24, 0.11, 0.12),
            E("white", 0.20, 0.55, 0.065, 0.30, -14),
            E("cerebellum", 0.43, 0.20, 0.24, 0.20, 15),
            E("csf", 0.24, 0.21, 0.035, 0.09, 10),
            E("vessel", 0.66, 0.10, 0.15, 0.02, -50),
            E("fat", -0.02, 0.36, 0.055, 0.15, -22),
            E("air", -0.26, 0.29, 0.13, 0.09),
            E("pituitary", -0.15, 0.17, 0.055, 0.035),
            E("air", -0.50, 0.40, 0.22, 0.04, 6),
            E("muscle", -0.36, 0.70, 0.24, 0.14, -15),
            E("air", -0.03, 0.66, 0.035, 0.20, -6),
        ],
        [  # off the midline: orbit, body of the lateral ventricle, petrous bone
            E("fat", 0.25, 0.75, 0.45, 0.85, -4),
            E("fat", -0.37, 0.50, 0.40, 0.58, 10),
            E("soft", 0.22, 0.78, 0.41, 0.82, -4),
            E("soft", -0.35, 0.50, 0.38, 0.55, 10),
            E("fat", 0.06, -0.18, 0.82, 0.70),
            E("bone", 0.06, -0.18, 0.77, 0.65),
            E("soft", -0.30, 0.38, 0.40, 0.17),
            E("csf", 0.06, -0.22, 0.725, 0.58),
            E("cortex", 0.06, -0.24, 0.715, 0.55),
            E("cortex", -0.10, 0.12, 0.36, 0.17, 8),
            E("fat", -0.56, 0.24, 0.20, 0.13, 10),
            E("vitreous", -0.64, 0.23, 0.105, 0.105),
            E("bone", 0.14, 0.32, 0.24, 0.06, -12),
            E("csf", 0.45, 0.20, 0.28, 0.20),
            E("cerebellum", 0.45, 0.22, 0.26, 0.17, 10),
            E("csf", -0.18, -0.04, 0.32, 0.018, -14),
            E("grey", -0.02, -0.12, 0.20, 0.10),
            E("csf", 0.00, -0.24, 0.27, 0.055, -6),
            E("csf", 0.26, -0.14, 0.05, 0.13, -25),
            E("air", -0.36, 0.52, 0.12, 0.12),
            E("bone", -0.40, 0.78, 0.18, 0.05, 15),
        ],
    ],
}
