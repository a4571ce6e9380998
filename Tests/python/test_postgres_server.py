"""Tests the PostgreSQL servers of the other tests."""

import os
import signal
import subprocess

import postgres_server
from postgres_server import PostgresServer


def rows(server):
    return server.psql("SELECT number FROM numbers ORDER BY number").split()


def test_a_database_is_reached_over_tcp_and_over_its_unix_socket(postgres):
    uri = postgres.create_database("reached")
    for address in (uri, postgres.socket_uri("reached")):
        done = subprocess.run(
            [postgres.programs / "psql", "-XAtq", "-d", address, "-c", "SELECT current_database(), inet_server_port()"],
            capture_output=True, text=True, env=postgres_server.ENVIRONMENT)
        assert done.stdout == f"reached|{postgres.port if address == uri else ''}\n", done


def test_the_server_is_of_the_named_version_and_as_durable_as_in_production(postgres):
    assert postgres.psql("SHOW server_version").split(".")[0] == postgres.version
    settings = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
    assert [postgres.psql(f"SHOW {name}") for name in settings] == ["on", "on", "on", "127.0.0.1"]


def test_rows_are_there_after_a_restart_in_each_mode(own_postgres):
    own_postgres.psql("CREATE TABLE numbers (number int)")
    port = own_postgres.port
    for number, mode in enumerate(("smart", "fast", "immediate")):
        own_postgres.psql(f"INSERT INTO numbers VALUES ({number})")
        own_postgres.restart(mode)
    assert rows(own_postgres) == ["0", "1", "2"]
    assert own_postgres.port == port


def test_committed_rows_are_recovered_after_every_process_was_killed(own_postgres):
    own_postgres.psql("CREATE TABLE numbers (number int)")
    for number in range(3):
        own_postgres.psql(f"INSERT INTO numbers VALUES ({number})")
        own_postgres.kill()
        own_postgres.start()
    assert own_postgres.messages().count("database system was not properly shut down") == 3
    assert rows(own_postgres) == ["0", "1", "2"]


def test_a_commit_waits_for_the_standby_which_has_it_when_it_is_promoted(own_postgres):
    own_postgres.psql("CREATE TABLE numbers (number int)")
    standby = own_postgres.make_standby()
    own_postgres.psql("INSERT INTO numbers VALUES (1)")
    # The standby receives nothing more: a commit must not be acknowledged.
    standby.stop()
    waiting = subprocess.Popen(
        [own_postgres.programs / "psql", "-Xq", "-d", own_postgres.uri(), "-c", "INSERT INTO numbers VALUES (2)"],
        env=postgres_server.ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    postgres_server.wait_until(lambda: own_postgres.psql(
        "SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'INSERT%'") == "SyncRep")
    standby.start()
    assert waiting.wait(timeout=postgres_server.TIMEOUT) == 0, waiting.stderr.read()
    own_postgres.kill()
    standby.promote()
    assert rows(standby) == ["1", "2"]
    # It waits for no standby itself.
    standby.psql("INSERT INTO numbers VALUES (3)")
    assert rows(standby) == ["1", "2", "3"]


def test_a_changed_setting_is_in_force_when_the_change_returns(own_postgres):
    own_postgres.change("statement_timeout", "1234ms")
    assert own_postgres.psql("SHOW statement_timeout") == "1234ms"


def test_nothing_of_a_server_is_left_even_after_a_failure(postgres_version):
    try:
        with PostgresServer(postgres_version) as server:
            standby = server.make_standby()
            processes = [server.process.pid, standby.process.pid]
            folders = [server.folder, standby.folder]
            os.kill(server.process.pid, signal.SIGSTOP)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert not any(map(postgres_server.is_running, processes))
    assert not any(folder.exists() for folder in folders)
