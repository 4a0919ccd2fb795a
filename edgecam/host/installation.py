"""How this edgecam was installed, and the commands that add to it or mend it.

Every hint of the program names its command through here: what is right in a checkout is wrong in
``/opt/edgecam``, and both are wrong in a Debian package.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

#: Written by ``scripts/install`` and by the Debian package into the environment's folder.
RECORD = "edgecam-install.json"

#: checkout: runs from its own source tree. script: ``scripts/install`` made it. debian: a .deb did.
#: environment: pip, in a virtual environment. system: pip, in the system's own Python.
Kind = Literal["checkout", "script", "debian", "environment", "system"]

#: Import name -> the extra of pyproject.toml that brings it.
EXTRA_OF = {
    "torch": "train",
    "onnxscript": "train",
    "safetensors": "train",
    "tensorboard": "train",
    "onnx": "models",
    "pycocotools": "evaluate",
    "matplotlib": "evaluate",
    "PyQt6": "ui",
    "starlette": "web",
    "uvicorn": "web",
    "websockets": "web",
    "segno": "web",
    "paho": "mqtt",
    "prometheus_client": "metrics",
    "apprise": "notify",
}


class Installation(Struct, frozen=True):
    """What the commands depend on; tests give their own.

    package: the folder ``edgecam``. prefix: of the Python that runs it. record: of :data:`RECORD`.
    wheel: the file it was installed from, where that is known (PEP 610).
    """

    package: Path
    prefix: Path
    record: Mapping[str, str] = field(default_factory=dict)
    in_venv: bool = True
    managed: bool = False
    has_pip: bool = True
    has_uv: bool = False
    writable: bool = True
    wheel: str = ""

    @property
    def kind(self) -> Kind:
        """See :data:`Kind`."""
        by = self.record.get("by")
        if by == "script":
            return "script"
        if by == "debian":
            return "debian"
        if self.checkout is not None:
            return "checkout"
        return "environment" if self.in_venv else "system"

    @property
    def checkout(self) -> Path | None:
        """The source tree that the package lies in, or None."""
        root = self.package.parent
        try:
            ours = 'name = "edgecam"' in (root / "pyproject.toml").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        return root if ours else None

    @property
    def words(self) -> str:
        """For people: ``by scripts/install, in /opt/edgecam``."""
        if self.kind == "checkout":
            return f"a checkout in {self.package.parent}, with the Python of {self.prefix}"
        return {
            "script": f"by scripts/install, in {self.prefix}",
            "debian": f"the Debian package, in {self.prefix}",
            "environment": f"by pip, in {self.prefix}",
            "system": "by pip, in the system's own Python",
        }[self.kind]

    @property
    def python(self) -> str:
        """The Python that runs it, as a word of a shell."""
        return shlex.quote(str(self.prefix / "bin" / "python") if self.in_venv else "/usr/bin/python3")

    def as_root(self, words: str) -> str:
        """The command that runs edgecam with these words as root: sudo has a PATH of its own."""
        on_path = self.kind in ("debian", "system") or (self.kind == "script" and not self._for_one_person)
        return f"sudo {'edgecam' if on_path else f'{self.python} -m edgecam'} {words}"

    @property
    def _for_one_person(self) -> bool:
        return self.record.get("mode") == "user"

    def _pip(self, verb: str = "install") -> str:
        python = self.python
        sudo = "" if self.writable else "sudo "
        if self.kind == "debian":  # Debian's pip; what dpkg put there stays as dpkg knows it
            where = f"--prefix {self.record.get('extras', '/var/lib/edgecam/extras')}"
            pip = f"sudo python3 -m pip --python {python} {verb}"
            return f"sudo apt-get install python3-pip && {pip}" + (f" {where}" if verb == "install" else "")
        if not self.has_pip and self.has_uv:
            return f"{sudo}uv pip {verb} --python {python}"
        first = "" if self.has_pip else f"{sudo}{python} -m ensurepip && "
        run = f"{first}{sudo}{python} -m pip {verb}"
        return f"{run} --break-system-packages" if self.managed and not self.in_venv else run

    def pip(self, *requirements: str, again: bool = False) -> str:
        """The command that installs packages of the index beside edgecam; again: anew, whatever is there."""
        force = " --force-reinstall" if again else ""
        return f"{self._pip()}{force} {' '.join(shlex.quote(r) for r in requirements)}"

    def extra(self, *extras: str) -> str:
        """The command that adds extras of edgecam: ``ui``, ``models``, ``train`` …

        pip reads them from the edgecam that is installed; no index needs to know edgecam.
        """
        if self.record.get("mode") == "headless" and extras == ("ui",):  # with the system's packages for it
            return f"{'' if self.writable else 'sudo '}{self._own_script} --window"
        what = f"edgecam[{','.join(extras)}]"
        if self.kind == "checkout":
            return f"{self._pip()} -e {shlex.quote(f'{self.package.parent}[{what[8:]}')}"
        return f"{self._pip()} {shlex.quote(what)}"

    def remove(self, *packages: str) -> str:
        """The command that takes packages away."""
        return f"{self._pip('uninstall')} -y {' '.join(packages)}"

    def system_packages(self) -> str:
        """What to do so that apt's packages (picamera2) are seen from here."""
        if self.kind == "script":
            return f"install edgecam anew, which finds it: {self.mend()}"
        if self.kind in ("debian", "system"):
            return "edgecam finds it at its next start"
        return (
            "make the environment anew with python3 -m venv --system-site-packages ENV, "
            "and install edgecam there"
        )

    def for_all(self) -> str:
        """The command that installs edgecam where every account may run it."""
        if self.checkout is not None:
            return f"sudo {shlex.quote(str(self.checkout / 'scripts' / 'install'))}"
        if self._for_one_person:
            return f"sudo {self._own_script} --window --prefix /opt/edgecam"
        env = "sudo python3 -m venv --system-site-packages /opt/edgecam"
        return f"{env} && sudo /opt/edgecam/bin/python -m pip install {self._wheel_name()}"

    def mend(self) -> str:
        """The command that installs the same edgecam anew, for one whose files are missing or damaged."""
        if self.kind == "checkout":
            return f"git -C {shlex.quote(str(self.package.parent))} checkout -- ."
        if self.kind == "script":
            return f"{'' if self.writable else 'sudo '}{self._own_script}"
        if self.kind == "debian":
            return "sudo apt-get install --reinstall ./edgecam_….deb (the file you installed it from)"
        return f"{self._pip()} --force-reinstall --no-deps {self._wheel_name()}"

    @property
    def _own_script(self) -> str:
        return shlex.quote(str(self.prefix / "bin" / "edgecam-install"))

    def document(self, name: str) -> str:
        """Where that page of the documentation lies here: ``docs/`` of a checkout, or inside the package."""
        folder = self.package / "_docs" if self.checkout is None else self.checkout / "docs"
        return str(folder / name)

    def _wheel_name(self) -> str:
        return shlex.quote(self.wheel) if self.wheel else "edgecam-….whl (the file you installed it from)"


def here() -> Installation:
    """The installation that is running."""
    import shutil  # these here and below, since every start imports this module for its hints
    import sysconfig

    prefix = Path(sys.prefix)
    in_venv = sys.prefix != sys.base_prefix
    return Installation(
        package=Path(__file__).resolve().parents[1],
        prefix=prefix,
        record=_record(prefix),
        in_venv=in_venv,
        managed=(Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").exists(),
        has_pip=importlib.util.find_spec("pip") is not None,
        has_uv=shutil.which("uv") is not None,
        writable=os.access(sysconfig.get_path("purelib"), os.W_OK),
        wheel=_wheel(),
    )


def _record(prefix: Path) -> dict[str, str]:
    try:
        found = json.loads((prefix / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _wheel() -> str:
    """The local file that pip installed edgecam from, if it still exists; else empty."""
    from importlib import metadata

    try:
        text = metadata.distribution("edgecam").read_text("direct_url.json")
        url = str(json.loads(text or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return ""
    path = url.removeprefix("file://")
    return path if url.startswith("file://") and Path(path).is_file() else ""


def install_extra(*extras: str) -> str:
    """The command for extras of edgecam, on this installation."""
    return here().extra(*extras)


def install_package(*requirements: str, again: bool = False) -> str:
    """The command for packages of the index, on this installation."""
    return here().pip(*requirements, again=again)


def document(name: str) -> str:
    """Where that page of the documentation lies, on this installation."""
    return here().document(name)


def mend() -> str:
    """The command that installs edgecam anew, on this installation."""
    return here().mend()


def missing_package(error: ModuleNotFoundError) -> str:
    """What is missing, and the command that brings it."""
    package = (error.name or "").split(".")[0]
    if package == "edgecam":
        return f"'{error.name}' is not part of this installation; install edgecam anew: {mend()}"
    extra = EXTRA_OF.get(package)
    if extra:
        return f"this needs the package '{package}', which is not installed: {install_extra(extra)}"
    return f"the package '{package}' is missing: {install_package(package)}"
