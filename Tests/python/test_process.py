"""Tests the service as a process: its log, its descriptors, its signals."""

import json
import os
import pathlib
import re
import resource
import select
import signal
import subprocess

import pytest

import frames
from frames import field, message, request
from metrics import families
from program import PROGRAM
from test_listening import Authority, flags, serial

HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


# The log

@pytest.mark.parametrize("log", ["text", "json"])
def test_a_log_that_is_not_read_stops_nothing(serve, connect, log):
    """Calls and health checks are answered, and SIGTERM ends the service cleanly."""
    service = serve("--log-level", "info", "--log-format", log)
    client = connect(service.address)
    # The log lines, one per call, exceed the pipe's capacity several times.
    for stream in range(1, 4_001, 2):
        assert client.is_healthy(stream)
    health = subprocess.run([PROGRAM, "health", "--address", service.address], capture_output=True, text=True)
    assert health.stdout == "serving\n"
    client.socket.close()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=frames.TIMEOUT) == 0


def test_dropped_lines_of_the_log_are_a_metric(serve, connect):
    service = serve("--log-level", "info", "--metrics-listen", "127.0.0.1:0")

    def dropped():
        return families(service)["user_service_log_lines_dropped"].samples[0].value

    assert dropped() == 0
    client = connect(service.address)
    stream = 1
    while dropped() == 0:
        for _ in range(500):
            client.send(client.header_frame(stream, request("GetUser")), frames.data(stream, message(), end=True))
            stream += 2
            client.response(stream - 2)
    client.socket.close()
    code, errors = service.stop()
    assert code == 0 and re.search(r"\d+ log lines were dropped", errors)


@pytest.mark.parametrize("log", ["text", "json"])
def test_the_path_of_a_peer_s_socket_cannot_forge_a_line_of_the_log(serve, connect, tmp_path, log):
    service = serve("--log-level", "info", "--log-format", log, listen=[f"unix:{tmp_path / 'service.sock'}"])
    source = tmp_path / "x\nforged\x1b[1m principal=admin"
    assert connect(service.address, source=str(source)).is_healthy(1)
    code, errors = service.stop()
    lines = [line for line in errors.split("\n") if line and "made a new signing key" not in line]
    assert code == 0 and len(lines) == 1 and "\x1b" not in errors
    if log == "json":
        assert json.loads(lines[0])["peer"] == f"unix:{source}"
    else:
        assert re.search(r'peer="unix:[^"]*\\nforged[^"]*principal=admin" principal=anonymous', lines[0])


# Descriptors

def descriptors(service):
    return [int(file.name) for file in pathlib.Path(f"/proc/{service.process.pid}/fd").iterdir()]


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one(serve):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, HARD_LIMIT))
    try:
        service = serve("--metrics-listen", "127.0.0.1:0")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (HARD_LIMIT, HARD_LIMIT))
    assert resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE) == (HARD_LIMIT, HARD_LIMIT)
    assert families(service)["process_max_fds"].samples[0].value == HARD_LIMIT


def test_there_are_no_more_connections_than_descriptors(connect, tmp_path):
    """The log says so once, and new clients are served: idle connections make room."""
    process = subprocess.Popen(
        ["sh", "-c", 'ulimit -n 300; exec "$0" "$@"', PROGRAM, "serve", "--auth", "off", "--listen", "127.0.0.1:0",
         "--database", str(tmp_path / "users.db")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = process.stdout.readline().split("listening on ")[1].split(",")[0]
    clients = [connect(address) for _ in range(400)]
    assert clients[-1].is_healthy(1)
    process.terminate()
    _, errors = process.communicate(timeout=frames.TIMEOUT)
    assert process.returncode == 0
    said, = [line for line in errors.splitlines() if "grpc.max.connections is lowered" in line]
    assert "setting=10000" in said and "descriptors=300" in said
    assert "cannot be accepted" not in errors


def test_without_descriptors_it_waits_and_says_so(serve, connect):
    """It does not poll for connections; waiting ones are served once descriptors are free again."""
    service = serve()
    process = service.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
    free = next(number for number in range(10_000) if number not in descriptors(service))
    resource.prlimit(process, resource.RLIMIT_NOFILE, (free, limits[1]))
    waiting = [connect(service.address, preface=False) for _ in range(5)]
    ready, _, _ = select.select([service.process.stderr], [], [], frames.TIMEOUT)
    assert ready

    def ticks():
        return sum(map(int, pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before = ticks()
    # Nothing can end this wait early: it is the measured time.
    select.select([], [], [], 3)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
    for client in waiting:
        client.send(frames.PREFACE, frames.settings())
        client.until(lambda client=client: client.settings_acks == 1)
        assert client.is_healthy(1)
        client.socket.close()
    code, errors = service.stop()
    assert code == 0 and used < 0.3
    line, = [line for line in errors.splitlines() if "connections cannot be accepted" in line]
    assert "too many open files" in line and "count=1" in line


# Signals

def test_sighup_has_the_files_read_again_and_does_not_end_the_service(serve, connect, tmp_path):
    authority = Authority(tmp_path)
    files = tmp_path / "live.pem", tmp_path / "live.key"

    def install(name):
        for source, target in zip(authority.issue(name), files, strict=True):
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)

    install("one")
    service = serve("--log-level", "notice", *flags(*files), auth="on")
    old = serial(service.address, authority)
    install("two")
    subprocess.run([PROGRAM, "keys", "rotate", "--database", service.database], check=True, capture_output=True)
    for _ in range(2):
        service.process.send_signal(signal.SIGHUP)
        lines = []
        while not lines or "at SIGHUP" not in lines[-1]:
            lines.append(service.process.stderr.readline())
    assert serial(service.address, authority) != old
    assert service.stop()[0] == 0


def test_sighup_during_the_end_does_not_end_the_service_otherwise(service, connect):
    client = connect(service.address)
    client.headers(1, request("UserUpdates"))
    client.round_trip()
    service.process.send_signal(signal.SIGTERM)
    client.until(lambda: client.goaways)
    service.process.send_signal(signal.SIGHUP)
    client.send(frames.data(1, message(field(1, "nobody")), end=True))
    assert client.response(1).ended
    client.end()
    assert service.process.wait(timeout=frames.TIMEOUT) == 0
