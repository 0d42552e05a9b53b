"""The office's certificates as a strict client sees them, and the refusals."""

import datetime as dt
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from dispatch import pki

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
HOSTS = ("office.example.com", "localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    return pki.new_authority("Seoul", NOW)


def write(folder: Path, authority: pki.Authority, leaf: pki.Leaf) -> None:
    for name, content in (
        ("ca.pem", pki.certificate_pem(authority.certificate)),
        ("ca.key", pki.key_pem(authority.key)),
        ("server.pem", leaf.certificate_pem),
        ("server.key", leaf.key_pem),
    ):
        pki.write_file(folder / name, content, 0o600)


def greet(folder: Path, host: str, ca: Path) -> str:
    """Make a real TLS connection; gives the protocol's version."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem", folder / "server.key")
    client = ssl.create_default_context(cafile=str(ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=serve, name="tls-server")
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=host) as greeted:
            return greeted.version() or ""
    finally:
        ours.close()
        thread.join(10)


@pytest.mark.parametrize("host", HOSTS)
def test_a_strict_client_takes_the_certificate_for_each_of_its_names(
    tmp_path: Path, authority: pki.Authority, host: str
) -> None:
    write(tmp_path, authority, pki.new_server(authority, HOSTS, NOW))

    assert greet(tmp_path, host, tmp_path / "ca.pem") == "TLSv1.3"


def test_a_client_refuses_another_name_and_another_authority(tmp_path: Path, authority: pki.Authority) -> None:
    write(tmp_path, authority, pki.new_server(authority, HOSTS, NOW))
    other = tmp_path / "other.pem"
    other.write_bytes(pki.certificate_pem(pki.new_authority("Seoul", NOW).certificate))

    with pytest.raises(ssl.SSLCertVerificationError, match="ostname mismatch"):
        greet(tmp_path, "office.example.org", tmp_path / "ca.pem")
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate"):
        greet(tmp_path, "localhost", other)


def test_a_renewed_certificate_is_of_the_same_authority(tmp_path: Path, authority: pki.Authority) -> None:
    write(tmp_path, authority, pki.new_server(authority, HOSTS, NOW - dt.timedelta(days=800)))
    old = pki.read_certificate(tmp_path / "server.pem")

    read = pki.read_authority(tmp_path / "ca.pem", tmp_path / "ca.key")
    write(tmp_path, read, pki.new_server(read, pki.hosts_of(old), NOW))

    new = pki.read_certificate(tmp_path / "server.pem")
    assert (pki.days_left(old, NOW), pki.days_left(new, NOW)) == (25, 825)
    assert sorted(pki.hosts_of(new)) == sorted(HOSTS)
    assert pki.signed_by(new, authority.certificate)
    assert greet(tmp_path, "localhost", tmp_path / "ca.pem") == "TLSv1.3"
    assert pki.ca_der(tmp_path / "ca.pem") == authority.der


def test_a_server_certificate_never_outlives_its_authority(authority: pki.Authority) -> None:
    late = NOW + dt.timedelta(days=pki.CA_DAYS - 10)

    leaf = pki.new_server(authority, ["localhost"], late)

    from cryptography import x509

    made = x509.load_pem_x509_certificate(leaf.certificate_pem)
    assert made.not_valid_after_utc == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("host", ["", "*.example.com", "a b", "https://x", "-a.com", "x" * 300, "office..com", "a_b"])
def test_what_is_neither_a_host_name_nor_an_address_is_refused(authority: pki.Authority, host: str) -> None:
    with pytest.raises(pki.PkiError, match="is neither a host name nor an address"):
        pki.new_server(authority, [host], NOW)


def test_files_that_do_not_belong_together_are_told(tmp_path: Path, authority: pki.Authority) -> None:
    write(tmp_path, authority, pki.new_server(authority, ["localhost"], NOW))
    pem, key = tmp_path / "ca.pem", tmp_path / "ca.key"

    with pytest.raises(pki.PkiError, match=r"server.key: is not the key of .*ca.pem -> restore"):
        pki.read_authority(pem, tmp_path / "server.key")
    with pytest.raises(pki.PkiError, match=r"ca.pem: is no unlocked key"):
        pki.read_authority(pem, pem)
    with pytest.raises(pki.PkiError, match=r"none.pem: cannot be read"):
        pki.read_authority(tmp_path / "none.pem", key)
    with pytest.raises(pki.PkiError, match=r"ca.key: is no certificate"):
        pki.ca_der(key)


def test_a_key_file_is_for_its_owner_alone_and_keys_show_nowhere(tmp_path: Path, authority: pki.Authority) -> None:
    leaf = pki.new_server(authority, ["localhost"], NOW)

    write(tmp_path, authority, leaf)

    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    shown = repr(leaf) + repr(authority)
    assert "PRIVATE" not in shown
    assert "***" in shown
