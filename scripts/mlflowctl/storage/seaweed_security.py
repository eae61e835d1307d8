"""Close SeaweedFS's inner doors: its volume port and its gRPC ports serve anybody unless told otherwise.

``-disableHttp`` closes the filer's and the master's HTTP only. The volume port still lets anybody read,
overwrite and delete chunks, and the filer's gRPC port lists them. A ``security.toml`` in the working
directory of ``weed`` closes both: signed tokens (JWT) for chunks, mutual TLS for gRPC. An own CA is
made per store; its key is thrown away, so nobody can add a member later.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

JWT_SECTIONS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
GRPC_PARTS = ("master", "volume", "filer", "s3", "admin", "worker", "client")
LIFETIME = datetime.timedelta(days=3650)
BACKDATED = datetime.timedelta(days=1)  # a clock set back after the start must not lock the store


def write_security(folder: Path) -> Path:
    """Write ``security.toml`` and its certificates into the working directory of ``weed``.

    Files are readable for their owner only. A second call keeps what is there: running parts of the
    store and an administrator's ``weed shell`` (started in this folder) share the same keys.

    Returns:
        The path of ``security.toml``.
    """
    target = folder / "security.toml"
    if target.exists():
        return target
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # security.toml last, so that a half-written folder is made again from the start.
    for name, content in security_files().items():
        _write_private(folder / name, content)
    return target


def security_files(prefix: str = "", *, encryption_key: bool = False) -> dict[str, bytes]:
    """The files of one store: name → content, ``security.toml`` last.

    Args:
        prefix: before the names of the certificates inside ``security.toml``. Empty: relative to weed's
            working directory, so that the store's folder can be moved.
        encryption_key: whether the key of server-side encryption stands here too. ``weed mini`` makes and
            keeps one among its data; ``weed server`` does not encrypt without.
    """
    authority, certificate, key = _certificates()
    document = _document(prefix) + (_encryption() if encryption_key else "")
    return {"ca.crt": authority, "node.crt": certificate, "node.key": key, "security.toml": document.encode()}


def _document(prefix: str) -> str:
    lines = [line for name in JWT_SECTIONS for line in (f"[{name}]", f'key = "{secrets.token_hex(32)}"')]
    lines += ["[grpc]", f'ca = "{prefix}ca.crt"']
    for part in GRPC_PARTS:
        lines += [f"[grpc.{part}]", f'cert = "{prefix}node.crt"', f'key = "{prefix}node.key"']
    return "\n".join(lines) + "\n"


def _encryption() -> str:
    return f'[s3.sse]\nkek = "{secrets.token_hex(32)}"\n'


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
    draft.replace(path)


def _certificates() -> tuple[bytes, bytes, bytes]:
    """The CA's certificate, the node's certificate and the node's key, as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = serialization.Encoding.PEM
    authority_key, node_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _sign("mlflowctl object store CA", authority_key, "mlflowctl object store CA", authority_key)
    node = _sign("mlflowctl object store", node_key, "mlflowctl object store CA", authority_key)
    private = node_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), node.public_bytes(pem), private


def _sign(
    subject: str, key: EllipticCurvePrivateKey, issuer: str, issuer_key: EllipticCurvePrivateKey
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.UTC)
    is_authority = key is issuer_key
    loopback = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(loopback), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
