"""Starts the real program on port 0 and gives tests a channel to it."""

import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys

import grpc
import pytest
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ["USER_SERVICE_PROGRAM"]


@pytest.fixture(scope="session")
def pb(tmp_path_factory):
    """The contract's modules, made from protos/ by grpcio-tools: nothing of ours is in them."""
    out = tmp_path_factory.mktemp("pb")
    code = protoc.main([
        "protoc", f"-I{ROOT / 'protos'}", f"-I{pathlib.Path(protoc.__file__).parent / '_proto'}",
        f"--python_out={out}", f"--grpc_python_out={out}", "common.proto", "user_service.proto",
    ])
    assert code == 0
    sys.path.insert(0, str(out))
    messages = importlib.import_module("user_service_pb2")
    messages.Stub = importlib.import_module("user_service_pb2_grpc").UserServiceStub
    return messages


class Service:
    def __init__(self, database, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", str(database), "--log-level", "error", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.search(r":(\d+), database", line)
        assert match, self.process.stderr.read()
        self.address = f"127.0.0.1:{match[1]}"

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path / "users.db")
    yield service
    if service.process.poll() is None:
        assert service.stop() == (0, "")


@pytest.fixture
def channel(service):
    with grpc.insecure_channel(service.address) as channel:
        yield channel


@pytest.fixture
def users(pb, channel):
    return pb.Stub(channel)
