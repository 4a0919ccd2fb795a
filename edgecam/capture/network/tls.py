"""Which certificate to trust at the other end of rtsps:// and https://."""

from __future__ import annotations

import ssl
from pathlib import Path

from edgecam.core.errors import ConfigError

#: Words of ``--camera-certificate``: trust the system's authorities, or every certificate. Else a PEM file.
CHECK, ANY = "check", "any"


def tls_context(trust: str) -> ssl.SSLContext:
    """A client's TLS context that trusts what ``trust`` says. Raises ConfigError for a wrong file.

    With a file the camera's name is not checked: the certificate itself identifies the camera, and one that
    is reached by an IP address seldom has a certificate with that address.
    """
    context = ssl.create_default_context()
    if trust == CHECK:
        return context
    context.check_hostname = False
    if trust == ANY:
        context.verify_mode = ssl.CERT_NONE
        return context
    path = Path(trust).expanduser()
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    alone.check_hostname = False
    # a camera's own certificate is an anchor of trust, though no authority stands behind it
    alone.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        alone.load_verify_locations(path)
    except ssl.SSLError:
        raise ConfigError(
            f"--camera-certificate '{trust}' is not a certificate in PEM; give check, any or such a file"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"--camera-certificate '{trust}' cannot be read: {error.strerror}; give check, any or a PEM file"
        ) from None
    return alone


def libav_settings(trust: str) -> dict[str, str]:
    """The same as options for libavformat, which checks nothing by default (FFmpeg's protocols, tls)."""
    if trust == ANY:
        return {"tls_verify": "0"}
    file = ssl.get_default_verify_paths().cafile if trust == CHECK else str(Path(trust).expanduser())
    return {"tls_verify": "1"} | ({"ca_file": file} if file else {})


def tls_fault(error: ssl.SSLError) -> str:
    """What was wrong with the encryption, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".") or "unknown"
        return (
            f"its certificate is not trusted ({why}); --camera-certificate FILE.pem trusts the camera's own, "
            "--camera-certificate any trusts whatever answers there."
        )
    return (
        f"it does not speak TLS as it should ({error.reason or error}); is it rtsp:// or http:// after all?"
    )
