"""Starts the real program on port 0 and gives tests a channel to it."""

import contextlib
import functools
import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import uuid

import grpc
import pytest
from grpc_tools import protoc

import frames
from callers import Caller
from commands import Commands
from databases import NewDatabases, is_postgres
from postgres_server import INSTALLATIONS, PostgresServer
from program import PROGRAM
from user_calls import UserCalls

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def pb(tmp_path_factory):
    return contract(tmp_path_factory.mktemp("pb"))


def contract(out):
    """Returns the contract's modules, made from protos/ by grpcio-tools without any code of this project."""
    code = protoc.main([
        "protoc", f"-I{ROOT / 'protos'}", f"-I{pathlib.Path(protoc.__file__).parent / '_proto'}",
        f"--python_out={out}", f"--grpc_python_out={out}", "common.proto", "user_service.proto",
        "auth_service.proto",
    ])
    assert code == 0
    sys.path.insert(0, str(out))
    messages = importlib.import_module("user_service_pb2")
    messages.User = importlib.import_module("common_pb2").User
    messages.Stub = importlib.import_module("user_service_pb2_grpc").UserServiceStub
    messages.auth = importlib.import_module("auth_service_pb2")
    messages.AuthStub = importlib.import_module("auth_service_pb2_grpc").AuthServiceStub
    return messages


class Service:
    """A running program. Its environment has `settings`, such as {"grpc.receive.timeout": "1s"}."""

    def __init__(self, database, *arguments, listen=("127.0.0.1:0",), settings=None, auth="off"):
        self.database = str(database)
        environment = {
            "USER_SERVICE_" + name.upper().replace(".", "_"): str(value)
            for name, value in (settings or {}).items()
        }
        listening = [argument for address in listen for argument in ("--listen", address)]
        self.process = subprocess.Popen(
            [PROGRAM, "serve", *listening, "--database", self.database, "--log-level", "error", "--auth", auth,
             *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        line = self.process.stdout.readline()
        match = re.search(r"listening on (.+), database", line)
        assert match, self.process.stderr.read()
        self.addresses = match[1].split(", ")
        self.address = self.addresses[0]
        page = re.search(r"metrics at (\S+)", line)
        self.metrics = page and page[1]

    @property
    def memory(self):
        """The bytes that the process has written and no file backs."""
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"Anonymous:\s+(\d+) kB", rollup)[1]) * 1_024

    @property
    def processor_time(self):
        """The processor time of the process's threads, in seconds."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    @property
    def sockets(self):
        """The number of open sockets."""
        links = []
        for file in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(file))
        return sum(link.startswith("socket:") for link in links)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        lines = [line for line in errors.splitlines(True) if "AUTHENTICATION IS OFF" not in line]
        return self.process.returncode, "".join(lines)


@contextlib.contextmanager
def starter(directory, answering, new_databases=None):
    """Starts services with the arguments of `Service` except the database, and checks that they stop cleanly.

    A service that names no database has a new file; with `new_databases`, a new database of a server, where commands and
    all services find their keys in one file of the environment's.
    """
    services, databases = [], []

    def new_database():
        if new_databases is None:
            return directory / f"users{len(services)}.db"
        databases.append(new_databases())
        return databases[-1]

    def start(*arguments, **keywords):
        database = keywords.pop("database", None) or new_database()
        # A database of a server has no folder for the keys.
        keys = {"auth.keys": directory / "users.keys"} if is_postgres(database) else {}
        keywords["settings"] = {"grpc.inline": "true" if answering == "inline" else "false", **keys,
                                **(keywords.get("settings") or {})}
        services.append(Service(database, *arguments, **keywords))
        return services[-1]

    with pytest.MonkeyPatch.context() as environment:
        if new_databases is not None:
            environment.setenv("USER_SERVICE_AUTH_KEYS", str(directory / "users.keys"))
        yield start
    with contextlib.ExitStack() as ends:
        for service in services:
            # Also those after one that does not stop as it should.
            ends.callback(service.process.kill)
        for service in services:
            if service.process.poll() is None:
                assert service.stop() == (0, "")
    if new_databases is not None:
        new_databases.drop(databases)


def pytest_configure(config):
    config.addinivalue_line("markers", "engines(*names): run the test only on these of its file's ENGINES")


def pytest_generate_tests(metafunc):
    """Runs the tests of a file once for each of its ENGINES, and on SQLite once for each value of its ANSWERING.

    The road of a call ends where its store begins: on PostgreSQL, tests run on the inline road alone.
    """
    if "answering" not in metafunc.fixturenames:
        return
    engines = getattr(metafunc.module, "ENGINES", ["sqlite"])
    marker = metafunc.definition.get_closest_marker("engines")
    if marker:
        engines = [name for name in engines if name in marker.args]
    roads = getattr(metafunc.module, "ANSWERING", ["inline"])
    if not hasattr(metafunc.module, "ENGINES") and len(roads) == 1:
        return
    runs = [(engine, road) for engine in engines for road in (roads if engine == "sqlite" else ["inline"])]
    if "engine" in metafunc.fixturenames:
        names = [engine if engine == "postgres" or len(roads) == 1 else road for engine, road in runs]
        metafunc.parametrize("engine, answering", runs, indirect=True, scope="module", ids=names)
    else:
        metafunc.parametrize("answering", roads, indirect=True, scope="module")


@pytest.fixture(scope="module")
def answering(request):
    """The road of GetUser and CreateUser: "inline", or "task" for the handler road."""
    return getattr(request, "param", "inline")


@pytest.fixture(scope="module")
def engine(request):
    """Where services keep users: "sqlite", or "postgres"."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def postgres_databases():
    """Makes databases on a server of the oldest version that is installed. None of them has to survive a crash."""
    with PostgresServer(min(INSTALLATIONS, key=int), fsync="off") as server:
        yield NewDatabases(server)


@pytest.fixture(scope="module")
def new_databases(request, engine):
    """Makes databases for services, or is None on SQLite."""
    return request.getfixturevalue("postgres_databases") if engine == "postgres" else None


@pytest.fixture
def serve(tmp_path, answering, new_databases):
    with starter(tmp_path, answering, new_databases) as start:
        yield start


@pytest.fixture
def service(serve):
    return serve()


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory, answering, new_databases):
    """One service for all tests of a file that leave no users behind."""
    with starter(tmp_path_factory.mktemp("shared"), answering, new_databases) as start:
        yield start()


@pytest.fixture
def secured(serve):
    """A service with authentication."""
    return serve(auth="on")


@pytest.fixture
def caller(pb, secured):
    """A caller of the service with authentication."""
    with grpc.insecure_channel(secured.address) as channel:
        yield Caller(pb, channel)


@pytest.fixture
def commands(service, tmp_path):
    """The program's commands, for a service without authentication."""
    return Commands(tmp_path / "home", service.address)


@pytest.fixture
def channel(service):
    with grpc.insecure_channel(service.address) as channel:
        yield channel


@pytest.fixture(scope="module")
def shared_calls(pb, shared_service):
    """Calls of a service without authentication. The tests of a file share it, and take addresses of their own."""
    with grpc.insecure_channel(shared_service.address) as channel:
        yield UserCalls(pb, pb.Stub(channel))


@pytest.fixture
def address():
    """An address that no other test has."""
    return f"{uuid.uuid4().hex}@example.com"


@pytest.fixture
def users(pb, channel):
    return pb.Stub(channel)


@pytest.fixture
def calls(pb, users):
    """Calls of a service without authentication that has no users."""
    return UserCalls(pb, users)


@pytest.fixture
def row(pb):
    """The type of a row of ImportUsers."""
    return pb.ImportUserRequest


@pytest.fixture
def connect():
    """Opens connections that send single frames, with the arguments of `frames.Client`."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **keywords: stack.enter_context(frames.Client(*arguments, **keywords))


@pytest.fixture
def client(service, connect):
    return connect(service.address)


@pytest.fixture(scope="session", params=INSTALLATIONS)
def postgres_version(request):
    """A major version of PostgreSQL: a test that uses it runs once for each that is installed."""
    return request.param


@pytest.fixture(scope="session")
def postgres_servers():
    """Returns the server of a version, which is started for the first test that asks for it."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda version: stack.enter_context(PostgresServer(version)))


@pytest.fixture(scope="session")
def postgres(postgres_version, postgres_servers):
    """A server of PostgreSQL for all tests that leave it as it is and create databases of their own."""
    return postgres_servers(postgres_version)


@pytest.fixture(params=["sqlite", *INSTALLATIONS])
def database(request, tmp_path, postgres_servers):
    """A new database, of SQLite and then of each installed version of PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path / "users.db"
    return postgres_servers(request.param).create_database(f"d{uuid.uuid4().hex}")


@pytest.fixture
def own_postgres(postgres_version):
    """A server of PostgreSQL that the test may stop, kill and change."""
    with PostgresServer(postgres_version) as server:
        yield server
