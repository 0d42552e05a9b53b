"""The office's private certificate authority and its server certificate, which broker and REST service both show.

EC P-256, which every client here has. The authority is made once and lasts ten years: vehicles keep its certificate,
and its fingerprint stands in every enrolment code. The server certificate lasts 825 days (what platforms accept at
most) and is renewed without touching a vehicle. Python 3.13 checks certificates strictly: keyUsage and the key
identifiers are there for it.
"""

import datetime as dt
import ipaddress
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

CA_DAYS, SERVER_DAYS = 3650, 825
BACKDATED = dt.timedelta(days=1)
"""A vehicle's clock may be a little behind the office's."""
NAMES_MAX = 50
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.I)


class PkiError(Exception):
    """A certificate or key that cannot be made, read or used: says what, and how to mend it."""


class Authority(Struct, frozen=True):
    """A private CA. `repr` hides the key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        """Show its subject alone."""
        return f"Authority({self.certificate.subject.rfc4514_string()!r}, key=***)"

    @property
    def der(self) -> bytes:
        """What an enrolment code's fingerprint is of."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


class Leaf(Struct, frozen=True):
    """A server certificate with its key, as PEM. `repr` hides the key."""

    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return "Leaf(key=***)"


# --- making ----------------------------------------------------------------------------------------------------------


def new_authority(name: str, now: dt.datetime) -> Authority:
    """Make a CA that signs server certificates and nothing below itself; `now` is aware."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name[:40]} PTT CA")])
    public = key.public_key()
    usage = _usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def new_server(authority: Authority, hosts: Sequence[str], now: dt.datetime) -> Leaf:
    """Make a server certificate for these host names and addresses; raises PkiError for one that is neither.

    It ends with the authority, where that is sooner.
    """
    names = [general_name(host) for host in dict.fromkeys(hosts)]
    if not 1 <= len(names) <= NAMES_MAX:
        raise PkiError(f"a certificate is for 1 to {NAMES_MAX} host names and addresses -> give --host")
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + dt.timedelta(days=SERVER_DAYS), authority.certificate.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATED, authority.certificate.not_valid_before_utc))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    return Leaf(certificate.public_bytes(serialization.Encoding.PEM), key_pem(key))


def general_name(host: str) -> x509.GeneralName:
    """Give what stands in a certificate for a host name or an address; raises PkiError for what is neither."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _HOST.fullmatch(host):
        raise PkiError(f"{host!r} is neither a host name nor an address -> give office.example.com or 10.0.0.5")
    return x509.DNSName(host.lower())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Give a key as PEM without a passphrase: services start unattended."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Give a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


# --- reading ---------------------------------------------------------------------------------------------------------


def read_certificate(path: Path) -> x509.Certificate:
    """Read the first certificate of a PEM file; raises PkiError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise PkiError(f"{path}: cannot be read ({error.strerror}) -> was `ptt-dispatch init` run?") from error
    except ValueError as error:
        raise PkiError(f"{path}: is no certificate in PEM -> restore it from a backup") from error


def read_authority(certificate: Path, key: Path) -> Authority:
    """Read a CA with its key; raises PkiError where they do not belong together."""
    read = read_certificate(certificate)
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        raise PkiError(f"{key}: cannot be read ({error.strerror}) -> use sudo, on the machine that has it") from error
    except (ValueError, TypeError) as error:
        raise PkiError(f"{key}: is no unlocked key in PEM -> restore it from a backup") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != read.public_key():
        raise PkiError(f"{key}: is not the key of {certificate} -> restore both from one backup")
    return Authority(read, private)


def ca_der(path: Path) -> bytes:
    """Give a CA's certificate in DER, which enrolment codes hold the fingerprint of; raises PkiError."""
    return read_certificate(path).public_bytes(serialization.Encoding.DER)


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Give the host names and addresses a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether this authority signed it."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def days_left(certificate: x509.Certificate, now: dt.datetime) -> int:
    """Give the whole days until it ends; negative where it has ended."""
    return (certificate.not_valid_after_utc - now).days


# --- files -----------------------------------------------------------------------------------------------------------


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, with `mode` from its first byte on; replaces what is there."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
