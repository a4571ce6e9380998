"""Tests what callers see while PostgreSQL's server, or the network to it, fails, and that nothing acknowledged is lost."""

import concurrent.futures
import os
import random
import subprocess
import time

import pytest

from databases import Session, execute, locked
from loads import UNREACHABLE, Load, end, probing, succeeds
from postgres_server import INSTALLATIONS, PostgresServer
from tcp_proxy import TO_CLIENT, TO_SERVER, TCPProxy
from waiting import wait_until

SEED = 20_261_130
BUSY = ("UNAVAILABLE", "DATABASE_BUSY", True)
# How long a service may take to be back, in seconds: its attempts to connect are a second apart. The rest is for a busy
# machine.
SOON = 8


@pytest.fixture
def server():
    """A server of the oldest version that is installed, which the test may stop, kill and change."""
    with PostgresServer(min(INSTALLATIONS, key=int)) as server:
        yield server


@pytest.fixture
def start(serve):
    """Starts services of a database."""
    return lambda database, **settings: serve(database=database, settings=settings)


@pytest.fixture
def service(server, start):
    return start(server.create_database("users"))


@pytest.fixture
def proxy(server):
    with TCPProxy(("127.0.0.1", server.port)) as proxy:
        yield proxy


@pytest.fixture
def behind(server, proxy, start):
    """A service that reaches its database through the proxy."""
    return start(server.create_database("users").replace(str(server.port), str(proxy.port)))


# The server's end


def ends(server, how):
    server.kill() if how == "kill" else server.stop(how)


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_calls_say_that_the_server_is_gone_until_it_is_back(pb, server, service, how):
    with Load(pb, [service.address], bulk=10) as load, probing(pb, service) as probe:
        user = probe.create("ada@example.com")
        load.wait_for_successes(20)
        assert probe.is_serving()
        ends(server, how)
        wait_until(lambda: not probe.is_serving(), SOON)
        for call in (lambda: probe.get(user.id), lambda: probe.create("bob@example.com")):
            failure = probe.failure(call)
            assert failure[:3] == UNREACHABLE and failure.seconds < 5
        server.start()
        wait_until(probe.is_serving, SOON)
        load.wait_for_successes(20, seconds=SOON)
        assert probe.get(user.id) == user
    load.check(service.database)
    load.check_failures()
    end(service)


def test_a_server_that_is_restarted_at_once_is_found_again(pb, server, service):
    with Load(pb, [service.address]) as load:
        for mode in ("fast", "immediate", "fast"):
            load.wait_for_successes(20, seconds=SOON)
            server.restart(mode)
        load.wait_for_successes(20, seconds=SOON)
    load.check(service.database)
    load.check_failures()
    end(service)


def test_a_service_waits_for_no_server_when_it_starts(server, start):
    """It would otherwise be started by a supervisor that believes it to run."""
    uri = server.create_database("users")
    server.kill()
    began = time.monotonic()
    with pytest.raises(AssertionError, match="the server of the database cannot be used"):
        start(uri)
    assert time.monotonic() - began < SOON


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_100_times(pb, start):
    """Even where the server's default is a commit that waits for nothing. What the processes have given to the kernel
    survives them, so that fsync makes no difference here."""
    chance = random.Random(SEED)
    with PostgresServer(min(INSTALLATIONS, key=int), fsync="off", synchronous_commit="off") as server:
        service = start(server.create_database("users"))
        with Load(pb, [service.address], threads=6, bulk=5, pause=0.02) as load:
            for _ in range(100):
                load.wait_for_successes(chance.randrange(1, 20), seconds=SOON)
                # The moment of the kill is random; what is tested holds at any.
                time.sleep(chance.random() * 0.02)
                server.kill()
                server.start()
            load.wait_for_successes(20, seconds=SOON)
        load.check(service.database)
        load.check_failures()
        assert len(load.failures) > 100
        end(service)


# Connections


@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_a_connection_that_is_cut_after_any_byte_loses_nothing(pb, proxy, server, behind, direction):
    chance = random.Random(f"{SEED} {direction}")
    counts = [*range(1, 16), *(chance.randrange(16, 6_000) for _ in range(35))]
    with Load(pb, [behind.address], bulk=6) as load:
        for count in counts:
            load.wait_for_successes(4, seconds=SOON)
            proxy.cut_after(count, direction)
            wait_until(lambda: direction not in proxy.limits, SOON)
        load.wait_for_successes(10, seconds=SOON)
    load.check(server.uri("users"))
    load.check_failures()
    end(behind)


def test_connections_that_are_ended_at_random_lose_nothing(pb, server, service):
    chance = random.Random(SEED)
    with Load(pb, [service.address], bulk=6) as load:
        for _ in range(40):
            load.wait_for_successes(chance.randrange(1, 10), seconds=SOON)
            server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'users' AND random() < 0.6")
        load.wait_for_successes(10, seconds=SOON)
    load.check(service.database)
    load.check_failures()
    end(service)


def test_connections_that_a_firewall_has_forgotten_are_given_up_in_time(pb, proxy, behind):
    """Nothing tells of their end: the kernel gives up what is not acknowledged after 20 seconds (tcp_user_timeout)."""
    with probing(pb, behind) as probe, concurrent.futures.ThreadPoolExecutor(3) as threads:
        user = probe.create("ada@example.com")
        proxy.drop(new=False)
        try:
            short = threads.submit(probe.failure, lambda: probe.get(user.id, timeout=2))
            calls = [threads.submit(probe.failure, lambda: probe.get(user.id, timeout=40)),
                     threads.submit(probe.failure, lambda: probe.create("bob@example.com", timeout=40))]
            assert short.result().code == "DEADLINE_EXCEEDED" and short.result().seconds < 4
            for call in calls:
                failure = call.result()
                assert failure[:3] == UNREACHABLE and failure.seconds < 25, failure
            # New connections are forwarded.
            wait_until(lambda: succeeds(lambda: probe.create("carl@example.com", timeout=2)), SOON)
            assert probe.get(user.id, timeout=5) == user
            wait_until(probe.is_serving, SOON)
        finally:
            proxy.restore()
    end(behind)


def test_a_server_that_stops_answering_is_given_up_in_time(pb, server, service):
    """Its kernel acknowledges everything, so that only the missing answers tell."""
    with probing(pb, service) as probe:
        user = probe.create("ada@example.com")
        with server.frozen(), concurrent.futures.ThreadPoolExecutor(2) as threads:
            calls = [threads.submit(probe.failure, lambda: probe.get(user.id, timeout=40)),
                     threads.submit(probe.failure, lambda: probe.create("bob@example.com", timeout=3))]
            failure = calls[1].result()
            assert failure.code == "DEADLINE_EXCEEDED" and failure.seconds < 5
            # The time limit of answers is 10 seconds.
            failure = calls[0].result()
            assert failure[:3] == UNREACHABLE and failure.seconds < 14, failure
            wait_until(lambda: not probe.is_serving(), SOON)
            failure = probe.failure(lambda: probe.get(user.id))
            assert failure[:3] == UNREACHABLE and failure.seconds < SOON
        wait_until(probe.is_serving, 15)
        wait_until(lambda: succeeds(lambda: probe.create("carl@example.com")), SOON)
    end(service)


# Locks and time-outs


def test_the_lock_of_another_session_is_waited_for_as_long_as_the_setting_says(pb, server, start):
    service = start(server.create_database("users"), **{"busy.timeout": "1s"})
    with probing(pb, service) as probe:
        user = probe.create("ada@example.com")
        with locked(service.database):
            failure = probe.failure(lambda: probe.create("bob@example.com"))
            assert failure[:3] == BUSY and 0.9 < failure.seconds < 4
            assert probe.get(user.id) == user
        wait_until(lambda: succeeds(lambda: probe.create("bob@example.com")), SOON)
        wait_until(probe.is_serving, SOON)
        assert execute(service.database, "SELECT count(*) FROM users") == [["2"]]
    end(service)


def test_a_table_that_is_locked_holds_up_reads_for_two_seconds(pb, server, start):
    service = start(server.create_database("users"))
    with probing(pb, service) as probe, Session(service.database) as session:
        user = probe.create("ada@example.com")
        session("BEGIN; LOCK TABLE users;")
        failure = probe.failure(lambda: probe.get(user.id, timeout=30))
        assert failure[:3] == BUSY and failure.seconds < 5, failure
        session("ROLLBACK;")
        wait_until(lambda: succeeds(lambda: probe.get(user.id)), SOON)
    end(service)


def test_a_statement_time_out_in_the_uri_is_respected(pb, server, start):
    """An operator's limit that is shorter than the service's own holds."""
    server.create_database("users")
    service = start(server.uri("users", options="-c statement_timeout=300ms"))
    with probing(pb, service) as probe, Session(server.uri("users")) as session:
        user = probe.create("ada@example.com")
        session("BEGIN; LOCK TABLE users;")
        failure = probe.failure(lambda: probe.get(user.id, timeout=30))
        assert failure[:3] == BUSY and failure.seconds < 1.8, failure
        session("ROLLBACK;")
        wait_until(lambda: succeeds(lambda: probe.get(user.id)), SOON)
    end(service)


def test_a_deadlock_with_another_session_is_resolved_without_a_failed_call(pb, server, service):
    """The service's transaction loses, and is repeated: another session has a user, and wants the lock of the writers."""
    name = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with probing(pb, service) as probe, Session(service.database) as session:
        user = probe.create("ada@example.com")
        session("SET deadlock_timeout = '60s';")
        session(f"BEGIN; UPDATE users SET name = 'other' WHERE id = '{user.id}';")
        update = pb.UpdateUserRequest(user=pb.User(id=user.id, name="Ada"))
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            updated = threads.submit(probe.stub.UpdateUser, update, timeout=20)
            wait_until(lambda: int(execute(service.database, name)[0][0]) == 1)
            session("SELECT is_only FROM store_revision FOR UPDATE;")
            session("COMMIT;")
            assert updated.result().name == "Ada"
        assert "deadlock detected" in server.messages()
        assert probe.get(user.id).name == "Ada"


# Disks


@pytest.fixture
def small(server):
    """A folder of 24 MiB on a file system of its own, for a tablespace; and a function that gives it room."""
    folder = server.folder / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size=24m,mode=0700,uid={folder.parent.stat().st_uid}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(["mount", *options], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the permission to mount a tmpfs, which fills up at a known size")
    try:
        yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
    finally:
        if server.process.poll() is None:
            server.kill()
        subprocess.run(["umount", str(folder)], check=True)


FULL = ("RESOURCE_EXHAUSTED", "STORAGE_FULL", False)


def test_a_full_disk_of_the_server_is_said_until_there_is_room(pb, server, small, start):
    folder, make_room = small
    server.psql(f"CREATE TABLESPACE small LOCATION '{folder}'")
    server.psql("CREATE DATABASE users TABLESPACE small")
    service = start(server.uri("users"))
    with Load(pb, [service.address], bulk=2) as load, probing(pb, service) as probe:
        user = probe.create("ada@example.com")
        # Something else fills the disk.
        (folder / "other").write_bytes(b"x" * (12 << 20))
        names = iter(range(1_000_000))

        def fill():
            rows = [pb.CreateUserRequest(email=f"fill{next(names)}@example.com", name="x" * 250) for _ in range(1_000)]
            return probe.failure(lambda: probe.stub.BulkCreateUsers(iter(rows), timeout=20))

        wait_until(lambda: fill() is not None)
        wait_until(lambda: (probe.failure(lambda: probe.create(f"x{next(names)}@example.com")) or FULL)[:3] == FULL
                   and not probe.is_serving(), 20)
        assert probe.get(user.id) == user
        make_room()
        wait_until(probe.is_serving, SOON)
        load.wait_for_successes(20, seconds=SOON)
    load.check(server.uri("users"))
    load.check_failures(FULL)
    assert any(failure[:3] == FULL for _, failure in load.failures)
    end(service)
