"""Tests the proxy that causes faults in other tests."""

import contextlib
import socket
import socketserver
import threading
import time

import pytest

from tcp_proxy import TIMEOUT, TO_CLIENT, TO_SERVER, TCPProxy
from waiting import wait_until

# Long for a machine that only has to deliver a byte to itself.
SILENCE = 0.3


class Echo(socketserver.BaseRequestHandler):
    """Returns what it receives, and counts it."""

    def handle(self):
        with contextlib.suppress(OSError):
            while data := self.request.recv(65_536):
                self.server.received += len(data)
                self.request.sendall(data)


class TCPServer(socketserver.ThreadingTCPServer):
    daemon_threads, received = True, 0


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads, received = True, 0


@pytest.fixture(params=["tcp", "unix"])
def echo(request, tmp_path):
    server = TCPServer(("127.0.0.1", 0), Echo) if request.param == "tcp" else UnixServer(str(tmp_path / "echo"), Echo)
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(echo):
    with TCPProxy(echo.server_address) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT))


def receive(client, count):
    """Returns `count` bytes, or fewer if the connection ends before."""
    received = b""
    while len(received) < count and (data := client.recv(count - len(received))):
        received += data
    return received


def is_echoed(client, data=b"ping"):
    client.sendall(data)
    return receive(client, len(data)) == data


def assert_silent(client):
    client.settimeout(SILENCE)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(TIMEOUT)


def test_bytes_arrive_unchanged_and_in_order(connect):
    client, data = connect(), bytes(range(256)) * 16_384
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    assert receive(client, len(data)) == data


def test_an_end_in_one_direction_leaves_the_other_open(connect):
    client = connect()
    client.sendall(b"last")
    client.shutdown(socket.SHUT_WR)
    assert receive(client, 5) == b"last"


def test_cut_connections_are_reset_and_new_ones_work(proxy, connect):
    clients = [connect(), connect()]
    assert all(map(is_echoed, clients))
    proxy.cut()
    for client in clients:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    wait_until(lambda: proxy.count() == 0)
    assert is_echoed(connect())


def test_connections_can_be_cut_in_an_orderly_way(proxy, connect):
    client = connect()
    assert is_echoed(client)
    proxy.cut(reset=False)
    assert client.recv(1) == b""


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_connection_is_cut_after_bytes_to_the_server(proxy, connect, echo, count):
    client = connect()
    proxy.cut_after(count, TO_SERVER)
    client.sendall(b"hello, and more")
    with contextlib.suppress(ConnectionResetError):
        while client.recv(16):
            pass
    wait_until(lambda: echo.received == count)
    assert is_echoed(connect())


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_connection_is_cut_after_bytes_to_the_client(proxy, connect, count):
    client = connect()
    assert is_echoed(client)
    proxy.cut_after(count, TO_CLIENT)
    client.sendall(b"hello, and more")
    assert receive(client, 16) == b"hello, and more"[:count]
    assert is_echoed(connect())


def test_delayed_bytes_arrive_later(proxy, connect):
    client = connect()
    assert is_echoed(client)
    proxy.delay = 0.1
    begin = time.monotonic()
    assert is_echoed(client)
    # To the server and back.
    assert time.monotonic() - begin >= 0.2


def unacknowledged(client):
    """The number of segments that the peer has not acknowledged: tcpi_unacked of tcp(7)."""
    information = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return int.from_bytes(information[24:28], "little")


def test_dropped_packets_are_not_acknowledged_until_they_pass_again(proxy, connect):
    client = connect()
    assert is_echoed(client)
    proxy.drop()
    client.sendall(b"lost")
    assert_silent(client)
    assert unacknowledged(client) > 0
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=SILENCE)
    proxy.restore()
    assert receive(client, 4) == b"lost"
    assert is_echoed(connect())


def test_a_peer_s_own_time_out_ends_a_dropped_connection(proxy, connect):
    client = connect()
    assert is_echoed(client)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
    proxy.drop()
    client.sendall(b"lost")
    with pytest.raises(TimeoutError, match="timed out"):
        client.recv(1)
    proxy.restore()


def test_new_connections_may_pass_while_older_ones_are_dropped(proxy, connect):
    client = connect()
    assert is_echoed(client)
    proxy.drop(new=False)
    client.sendall(b"lost")
    assert is_echoed(connect())
    assert_silent(client)
    proxy.restore()
    assert receive(client, 4) == b"lost"


def test_connections_to_a_server_that_is_not_there_end(proxy, connect, tmp_path):
    proxy.target = str(tmp_path / "nothing")
    client = connect()
    assert client.recv(1) == b""
