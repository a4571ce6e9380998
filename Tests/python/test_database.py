"""Tests the database file as other programs may treat it: paths, modes, a second service, deletion, and migrations
while the service runs."""

import os
import signal
import sqlite3
import stat
import time

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc

from callers import details
from program import run
from waiting import wait_until

TIMEOUT = 60
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def start_fails(database, *arguments):
    """Returns the one line on standard error with which `serve` refuses to start."""
    result = run("serve", "--listen", "127.0.0.1:0", "--auth", "off", "--database", str(database), *arguments)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    return line


def create(pb, channel, email, timeout=TIMEOUT):
    return pb.Stub(channel).CreateUser(pb.CreateUserRequest(email=email), timeout=timeout)


def reason(call):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    [info] = details(raised.value, ErrorInfo)
    return raised.value.code(), info.reason


def is_serving(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    status = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT).status
    return status == health_pb2.HealthCheckResponse.SERVING


def errors_of(service):
    service.process.send_signal(signal.SIGTERM)
    _, errors = service.process.communicate(timeout=60)
    return service.process.returncode, errors


# Paths and modes.


@pytest.mark.parametrize("name", ["file:g.db", "file::memory:", "file:h.db?mode=memory", "./:memory:", "a%20b?c#d.db"])
def test_a_path_is_a_path(pb, serve, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        service = serve(database=name)
        with grpc.insecure_channel(service.address) as channel:
            create(pb, channel, f"user{number}@example.com")
        assert service.stop() == (0, "")
    assert (tmp_path / name).exists()
    assert {path.name for path in tmp_path.iterdir()} <= {os.path.basename(name), os.path.basename(name) + ".keys"}
    status = run("migrate", "verify", "--database", name)
    assert status.returncode == 0, status.stderr


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_only_the_owner_can_read_the_database_whatever_the_umask(pb, serve, tmp_path, mask):
    before = os.umask(mask)
    try:
        service = serve()
    finally:
        os.umask(before)
    with grpc.insecure_channel(service.address) as channel:
        create(pb, channel, "ada@example.com")
    for suffix in ["", "-wal", "-shm", ".lock"]:
        assert stat.S_IMODE(os.stat(service.database + suffix).st_mode) == 0o600, suffix


def test_a_database_that_others_may_read_is_named_at_the_start(serve, tmp_path):
    database = tmp_path / "users.db"
    assert run("migrate", "up", "--database", str(database)).returncode == 0
    database.chmod(0o644)
    code, errors = errors_of(serve("--log-level", "warning", database=database))
    assert code == 0
    [line] = [line for line in errors.splitlines() if "chmod" in line]
    assert "warning" in line and str(database) in line


# One service per database.


def test_a_second_service_is_refused_unless_it_takes_over(pb, serve, tmp_path):
    database = tmp_path / "users.db"
    link = tmp_path / "link.db"
    link.symlink_to(database)
    first = serve(database=database)
    for path in [database, link]:
        line = start_fails(path)
        assert f"process {first.process.pid} serves this database" in line and "--take-over" in line
    second = serve("--take-over", database=database)
    with grpc.insecure_channel(first.address) as one, grpc.insecure_channel(second.address) as other:
        user = create(pb, one, "ada@example.com")
        assert create(pb, other, "bob@example.com").id > user.id
    assert first.stop() == (0, "")
    # After its next attempt it holds the lock, and records its id in the file.
    lock = tmp_path / "users.db.lock"
    wait_until(lambda: lock.exists() and lock.read_text() == f"{second.process.pid}\n")
    assert f"process {second.process.pid} serves" in start_fails(database)
    assert second.stop() == (0, "")
    assert not os.path.exists(f"{database}.lock")


def test_a_service_that_was_killed_does_not_lock_out_the_next(pb, serve, tmp_path):
    first = serve(database=tmp_path / "users.db")
    first.process.kill()
    first.process.wait()
    serve(database=tmp_path / "users.db")


def test_what_another_process_revokes_is_refused_within_a_second(pb, serve, tmp_path):
    database = tmp_path / "users.db"
    first = serve(database=database, auth="on")
    second = serve("--take-over", database=database, auth="on")
    with grpc.insecure_channel(first.address) as one, grpc.insecure_channel(second.address) as other:
        user = pb.Stub(one).CreateUser(
            pb.CreateUserRequest(email="ada@example.com", password="correct horse"), timeout=TIMEOUT)
        signed_in = pb.AuthStub(one).SignIn(
            pb.auth.SignInRequest(email="ada@example.com", password="correct horse"), timeout=TIMEOUT)
        token = [("authorization", f"Bearer {signed_in.access_token}")]

        def get():
            return pb.Stub(other).GetUser(pb.GetUserRequest(user_id=user.id), timeout=TIMEOUT, metadata=token)

        assert get() == user
        pb.AuthStub(one).RevokeToken(
            pb.auth.RevokeTokenRequest(refresh_token=signed_in.refresh_token), timeout=TIMEOUT)
        revoked_at = time.monotonic()
        while True:
            try:
                asked_at = time.monotonic()
                get()
                # The target, with room for a busy machine.
                assert asked_at - revoked_at < 3
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAUTHENTICATED
                break


# Deletion and migrations while the service runs.


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_deleted_database_is_said_and_nothing_more_is_acknowledged(pb, serve, tmp_path, suffix):
    service = serve(database=tmp_path / "users.db")
    with grpc.insecure_channel(service.address) as channel:
        user = create(pb, channel, "ada@example.com")
        assert is_serving(channel)
        os.remove(service.database + suffix)
        assert reason(lambda: create(pb, channel, "bob@example.com")) == (UNAVAILABLE, "DATABASE_REPLACED")
        assert not is_serving(channel)
        assert pb.Stub(channel).GetUser(pb.GetUserRequest(user_id=user.id), timeout=TIMEOUT) == user
    code, errors = errors_of(service)
    assert code == 1
    assert "deleted or replaced" in errors.splitlines()[-1]


def test_a_replaced_database_is_noticed_without_a_write(pb, serve, tmp_path):
    database = tmp_path / "users.db"
    other = tmp_path / "other.db"
    assert run("migrate", "up", "--database", str(other)).returncode == 0
    service = serve(database=database)
    with grpc.insecure_channel(service.address) as channel:
        other.rename(database)
        wait_until(lambda: not is_serving(channel))
    code, errors = errors_of(service)
    assert code == 1
    assert sum("not serving" in line for line in errors.splitlines()) == 1


def test_how_long_another_process_lock_is_waited_for_is_a_setting(pb, serve, tmp_path, monkeypatch):
    service = serve(settings={"busy.timeout": "0s"})
    with grpc.insecure_channel(service.address) as channel:
        with sqlite3.connect(service.database, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            # The default timeout is longer than this call's.
            busy = reason(lambda: create(pb, channel, "ada@example.com", timeout=4))
            assert busy == (UNAVAILABLE, "DATABASE_BUSY")
            other.execute("ROLLBACK")
        create(pb, channel, "ada@example.com")
    assert errors_of(service)[0] == 0
    for wrong in "11m", "soon", "-1s":
        monkeypatch.setenv("USER_SERVICE_BUSY_TIMEOUT", wrong)
        assert "busy.timeout" in start_fails(tmp_path / "other.db")


def test_migrations_that_are_taken_back_under_the_service_may_come_again(pb, serve, tmp_path):
    service = serve(database=tmp_path / "users.db")
    with grpc.insecure_channel(service.address) as channel:
        create(pb, channel, "ada@example.com")
        assert run("migrate", "down", "--to", "4", "--yes", "--database", service.database).returncode == 0
        assert reason(lambda: create(pb, channel, "bob@example.com")) == (UNAVAILABLE, "DATABASE_NOT_MIGRATED")
        assert not is_serving(channel)
        # The write lock is free.
        connection = sqlite3.connect(service.database, timeout=0)
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
        connection.close()
        assert run("migrate", "up", "--database", service.database).returncode == 0
        wait_until(lambda: is_serving(channel))
        create(pb, channel, "bob@example.com")
    code, errors = errors_of(service)
    assert code == 0
    assert any("migrate up" in line for line in errors.splitlines())
