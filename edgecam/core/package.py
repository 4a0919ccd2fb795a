"""This installation of edgecam: its version, and where its files lie."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than all else that `import edgecam` needs
if TYPE_CHECKING:
    from pathlib import Path

__version__ = "0.1.0"


def package_folder() -> Path:
    """The folder of the package ``edgecam`` itself."""
    from pathlib import Path  # here, so that `import edgecam` stays light

    return Path(__file__).resolve().parent.parent
