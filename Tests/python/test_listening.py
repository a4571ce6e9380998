"""Tests addresses and TLS."""

import os
import pathlib
import socket
import ssl
import stat
import subprocess

import grpc
import pytest

import frames
from program import PROGRAM
from waiting import wait_until


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates, in its own directory."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.certificate, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)

    def issue(self, name):
        """Returns the certificate and key for `localhost` stored as `name`."""
        certificate, key, request = (self.directory / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", key, "-out", request)
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-copy_extensions", "copy", "-days", 2, "-out", certificate)
        return certificate, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def identity(authority):
    return authority.issue("server")


def flags(certificate, key):
    return "--tls-cert", str(certificate), "--tls-key", str(key)


def trusting(authority, certificate=None, protocols=("h2",), version=None):
    """Returns a client's TLS context."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if protocols:
        context.set_alpn_protocols(protocols)
    if certificate:
        context.load_cert_chain(*certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def test_a_unix_domain_socket(serve, connect, tmp_path):
    """Its path is in the start-up line, and it is removed at the end."""
    path = tmp_path / "service.sock"
    service = serve(listen=[f"unix:{path}"])
    assert service.addresses == [f"unix:{path}"]
    assert connect(service.address).is_healthy(1)
    assert service.stop() == (0, "")
    assert not path.exists()


def test_a_stale_unix_domain_socket_is_replaced(serve, connect, tmp_path):
    """The socket of a killed process does not prevent a start."""
    path = tmp_path / "service.sock"
    serve(listen=[f"unix:{path}"]).process.kill()
    assert connect(serve(listen=[f"unix:{path}"]).address).is_healthy(1)


def test_a_unix_domain_socket_of_a_running_service_is_not_taken(serve, connect, tmp_path):
    """The second service reports it, and the first one keeps running."""
    path = tmp_path / "service.sock"
    service = serve(listen=[f"unix:{path}"])
    message = refusal("--database", tmp_path / "other.db", "--listen", f"unix:{path}")
    assert f"cannot listen on unix:{path}: another program listens there" in message
    assert connect(service.address).is_healthy(1)


def test_one_of_many_that_start_at_once_gets_a_stale_unix_domain_socket(serve, connect, tmp_path):
    """The others end, and the socket belongs to the winner."""
    path = tmp_path / "service.sock"
    serve(listen=[f"unix:{path}"]).process.kill()
    processes = [
        subprocess.Popen(
            [PROGRAM, "serve", "--auth", "off", "--database", str(tmp_path / f"many{number}.db"), "--listen",
             f"unix:{path}", "--log-level", "error"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(4)]
    lines = [process.stdout.readline() for process in processes]
    winners = [process for process, line in zip(processes, lines, strict=True) if line]
    assert len(winners) == 1
    assert connect(f"unix:{path}").is_healthy(1)
    for process in processes:
        if process not in winners:
            assert "another program listens there" in process.communicate(timeout=frames.TIMEOUT)[1]
    winners[0].terminate()
    winners[0].communicate(timeout=frames.TIMEOUT)
    assert winners[0].returncode == 0 and not path.exists()


def test_a_service_removes_its_own_unix_domain_socket_only(serve, connect, tmp_path):
    """A socket that has replaced it stays."""
    path = tmp_path / "service.sock"
    first = serve(listen=[f"unix:{path}"])
    path.unlink()
    second = serve(listen=[f"unix:{path}"])
    assert first.stop() == (0, "")
    assert connect(second.address).is_healthy(1)


def datagram_socket(path):
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bound.bind(str(path))
    return bound


@pytest.mark.parametrize("make,words", [
    (lambda path: path.write_text("precious"), "the file there is not a socket"),
    (lambda path: path.mkdir(), "the file there is not a socket"),
    (datagram_socket, "socket there is of another type"),
], ids=["file", "folder", "datagram socket"])
def test_what_is_not_a_socket_of_ours_is_not_replaced(tmp_path, make, words):
    """Any other file at the path stays."""
    path = tmp_path / "service.sock"
    kept = make(path)
    assert words in refusal("--database", tmp_path / "other.db", "--listen", f"unix:{path}")
    assert path.exists()
    del kept


@pytest.mark.parametrize("umask", [0, 0o077])
@pytest.mark.parametrize("setting,mode", [(None, 0o600), ("0660", 0o660)])
def test_a_unix_domain_socket_has_the_mode_of_its_setting(serve, tmp_path, umask, setting, mode):
    """The umask has no effect."""
    path = tmp_path / "service.sock"
    before = os.umask(umask)
    try:
        serve(listen=[f"unix:{path}"], settings={"unix.socket.mode": setting} if setting else None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_several_addresses(serve, connect, tmp_path):
    """Each address has its own port, and all are served."""
    service = serve(listen=["127.0.0.1:0,127.0.0.1:0", f"unix:{tmp_path / 'service.sock'}"])
    assert len(set(service.addresses)) == 3
    assert all(connect(address).is_healthy(1) for address in service.addresses)


@pytest.mark.skipif(not has_ipv6(), reason="there is no ::1")
def test_ipv6(serve, connect):
    """The address is written with brackets."""
    service = serve(listen=["[::1]:0"])
    assert service.address.startswith("[::1]:")
    assert connect(service.address).is_healthy(1)


def refusal(*arguments):
    """Returns the error of `serve` when it does not start."""
    done = subprocess.run(
        [PROGRAM, "serve", *map(str, arguments)], capture_output=True, text=True, timeout=frames.TIMEOUT)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_an_address_that_is_taken(service, tmp_path):
    """One line names the address and the remedy."""
    message = refusal("--database", tmp_path / "other.db", "--listen", service.address)
    assert f"cannot listen on {service.address}: the address is in use; stop the other program" in message
    assert "errno" not in message


def test_a_socket_goes_again_when_another_address_cannot_be_used(service, tmp_path):
    path = tmp_path / "service.sock"
    message = refusal("--database", tmp_path / "other.db", "--listen", f"unix:{path}", "--listen", service.address)
    assert f"cannot listen on {service.address}" in message
    assert not path.exists()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls(serve, connect, authority, identity, version):
    """Versions 1.2 and 1.3 are served."""
    service = serve(*flags(*identity))
    client = connect(service.address, tls=trusting(authority, version=version))
    assert client.socket.selected_alpn_protocol() == "h2"
    assert client.is_healthy(1)


def test_tls_of_a_stock_client(serve, pb, authority, identity):
    """Python's grpcio connects, with its own certificate."""
    service = serve(*flags(*identity), "--tls-client-ca", str(authority.certificate))
    certificate, key = (path.read_bytes() for path in authority.issue("stock"))
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes(), key, certificate)
    options = [("grpc.ssl_target_name_override", "localhost")]
    with grpc.secure_channel(service.address, credentials, options) as channel:
        assert list(pb.Stub(channel).ListUsers(pb.ListUsersRequest(), timeout=frames.TIMEOUT)) == []


@pytest.fixture(scope="module")
def rsa_identity(tmp_path_factory):
    """Returns a self-signed certificate with an RSA key."""
    folder = tmp_path_factory.mktemp("rsa")
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost", "-keyout", folder / "rsa.key", "-out", folder / "rsa.pem")
    return folder / "rsa.pem", folder / "rsa.key"


@pytest.mark.parametrize("rsa,suite,permitted", [
    (False, "ECDHE-ECDSA-AES128-GCM-SHA256", True), (False, "ECDHE-ECDSA-AES256-GCM-SHA384", True),
    (False, "ECDHE-ECDSA-CHACHA20-POLY1305", True), (True, "ECDHE-RSA-AES128-GCM-SHA256", True),
    (True, "ECDHE-RSA-AES256-GCM-SHA384", True), (True, "ECDHE-RSA-CHACHA20-POLY1305", True),
    (False, "ECDHE-ECDSA-AES128-SHA", False), (False, "ECDHE-ECDSA-AES256-SHA", False),
    (True, "ECDHE-RSA-AES128-SHA", False), (True, "ECDHE-RSA-AES256-SHA", False), (True, "AES128-SHA", False),
    (True, "AES128-GCM-SHA256", False), (True, "AES256-GCM-SHA384", False)])
def test_suites_of_tls_1_2(serve, connect, identity, rsa_identity, rsa, suite, permitted):
    """The suites have forward secrecy and AEAD (RFC 9113 section 9.2.2, RFC 9325 section 4.2)."""
    service = serve(*flags(*(rsa_identity if rsa else identity)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    context.set_ciphers(suite + ":@SECLEVEL=0")
    if permitted:
        client = connect(service.address, tls=context)
        assert client.socket.cipher()[0] == suite
        assert client.is_healthy(1)
    else:
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            connect(service.address, tls=context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_protocols_without_h2_get_the_alert(serve, connect, authority, identity, version):
    """RFC 7301 section 3.2 requires the alert."""
    service = serve(*flags(*identity))
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        connect(service.address, tls=trusting(authority, protocols=["http/1.1", "h2c"], version=version))
    both = trusting(authority, protocols=["http/1.1", "h2"], version=version)
    assert connect(service.address, tls=both).is_healthy(1)


@pytest.mark.parametrize("protocols", [None, ["http/1.1"], ["grpc-exp", "http/1.1"]])
def test_tls_without_h2_is_refused(serve, connect, authority, identity, protocols):
    """ALPN must be h2 (RFC 9113 section 3.2)."""
    service = serve(*flags(*identity))
    with pytest.raises((ssl.SSLError, ConnectionError, frames.Ended)):
        connect(service.address, tls=trusting(authority, protocols=protocols))
    assert connect(service.address, tls=trusting(authority)).is_healthy(1)


def test_cleartext_is_no_tls(serve, connect, identity):
    """A client without TLS is disconnected."""
    service = serve(*flags(*identity))
    client = connect(service.address, preface=False)
    client.send(frames.PREFACE, frames.settings())
    while client.socket.recv(1_024):
        pass


@pytest.mark.parametrize("beginning", [b"", b"\x16\x03\x01"])
def test_a_handshake_must_come_in_time(serve, connect, authority, identity, beginning):
    """Rule 26: The connection is closed otherwise."""
    service = serve(*flags(*identity), settings={"grpc.connection.timeout": "500ms"})
    late = connect(service.address, preface=False)
    late.send(beginning)
    late.end()
    assert connect(service.address, tls=trusting(authority)).is_healthy(1)


def test_mutual_tls(serve, connect, authority, identity, tmp_path):
    """Clients need a certificate signed by the authority."""
    service = serve(*flags(*identity), "--tls-client-ca", str(authority.certificate))
    signed = authority.issue("client")
    assert connect(service.address, tls=trusting(authority, signed)).is_healthy(1)
    strange = Authority(tmp_path, "stranger").issue("client")
    for certificate in (None, strange):
        # TLS 1.3 reports the failure only with the first bytes that the client reads.
        with pytest.raises((ssl.SSLError, ConnectionError, frames.Ended)):
            connect(service.address, tls=trusting(authority, certificate))


def test_a_key_that_others_can_read_is_refused(serve, authority, tmp_path):
    """The file behind a link is checked; a group of the service may read it."""
    certificate, key = authority.issue("exposed")
    link = tmp_path / "tls.key"
    link.symlink_to(key)
    for mode in (0o644, 0o604, 0o660):
        key.chmod(mode)
        said = refusal("--database", tmp_path / "users.db", "--listen", "127.0.0.1:0", *flags(certificate, link))
        assert f"{link}: its mode is {mode:04o}" in said and f"chmod 600 {link}" in said
    for mode in (0o640, 0o400):
        key.chmod(mode)
        assert serve(*flags(certificate, link)).stop()[0] == 0


def serial(address, authority):
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=frames.TIMEOUT) as plain,
        trusting(authority).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert()["serialNumber"]


def test_a_certificate_is_reloaded_when_its_files_change(serve, connect, authority, tmp_path):
    """Old connections continue, and new ones get the new certificate. The service checks the files every 10 s."""
    files = tmp_path / "live.pem", tmp_path / "live.key"

    def install(pair):
        for source, target in zip(pair, files, strict=True):
            target.touch(0o600)
            target.write_bytes(pathlib.Path(source).read_bytes())

    install(authority.issue("one"))
    service = serve(*flags(*files))
    client = connect(service.address, tls=trusting(authority))
    old = serial(service.address, authority)
    install(authority.issue("two"))
    wait_until(lambda: serial(service.address, authority) != old)
    assert client.is_healthy(1)


@pytest.mark.parametrize("spoil,expected", [
    (lambda certificate, key, other: (certificate, other), "not the key"),
    (lambda certificate, key, other: (certificate, certificate), "not a private key"),
    (lambda certificate, key, other: (key, key), "not a certificate"),
    (lambda certificate, key, other: (certificate, key.parent / "missing"), "missing"),
], ids=["another key", "no key", "no certificate", "no file"])
def test_files_that_cannot_be_used(authority, identity, tmp_path, spoil, expected):
    """`serve` ends with one line that names the file."""
    certificate, key = spoil(*identity, authority.key)
    assert expected in refusal(
        "--database", tmp_path / "users.db", "--listen", "127.0.0.1:0", *flags(certificate, key))
