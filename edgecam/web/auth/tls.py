"""A certificate of the board's own, made by ``openssl``; the package ``cryptography`` would be 18 MB."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from edgecam.core.errors import ConfigError

#: Chromium and Safari refuse certificates that last longer than 825 days.
DAYS = 800


def context(certificate: Path) -> ssl.SSLContext:
    """A server's context from one PEM file with key and certificate. Raises ConfigError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"'{certificate}' is no PEM file with a key and a certificate ({error});"
            " name one, or let edgecam make it: --web-tls self"
        ) from error
    return made


def own_certificate(folder: Path) -> Path:
    """The file with key and certificate, made by ``openssl`` when there is none yet. Raises ConfigError."""
    path = folder / "web.pem"
    if path.is_file():
        return path
    if shutil.which("openssl") is None:
        raise ConfigError("--web-tls self needs the program openssl: sudo apt install openssl")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = socket.gethostname() or "edgecam"
    key, cert = folder / f".web-key.{os.getpid()}", folder / f".web-cert.{os.getpid()}"
    names = [f"DNS:{n}" for n in dict.fromkeys((name, f"{name}.local", "edgecam.local", "localhost"))]
    names += ["IP:127.0.0.1", "IP:::1"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-sha256", "-days", str(DAYS), "-subj", f"/CN={name}/O=edgecam"]
    command += ["-addext", f"subjectAltName={','.join(names)}", "-keyout", str(key), "-out", str(cert)]
    old = os.umask(0o077)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise ConfigError(f"openssl could not make a certificate: {done.stderr.strip()[-200:]}")
        whole = folder / f".web-pem.{os.getpid()}"
        whole.write_bytes(key.read_bytes() + cert.read_bytes())
        whole.replace(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"no certificate could be made in '{folder}': {error}") from error
    finally:
        os.umask(old)
        key.unlink(missing_ok=True)
        cert.unlink(missing_ok=True)
    return path
