"""Forwards TCP connections, and causes the faults of networks on them."""

import asyncio
import contextlib
import ctypes
import socket
import struct
import threading

TO_SERVER, TO_CLIENT = "to the server", "to the client"
TIMEOUT = 60
# From Linux's asm-generic/socket.h; Python does not define them.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
# A program of the Berkeley packet filter: return 0, which keeps no byte of a packet.
KEEP_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
FILTER = struct.pack("HP", 1, ctypes.addressof(KEEP_NOTHING))
NO_LINGERING = struct.pack("ii", 1, 0)


def filter_packets(transport_socket, dropped):
    """Sets whether the kernel drops all packets that arrive at a TCP socket, also those that open a connection.

    It then acknowledges none of them, nor answers keep-alive probes.
    """
    if transport_socket.family == socket.AF_UNIX:
        return
    if dropped:
        transport_socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, FILTER)
    else:
        transport_socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


class Connection:
    """A client's connection and the one to the server."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.passing = asyncio.Event()
        self.passing.set()

    @property
    def sockets(self):
        """The open ones of its sockets."""
        transports = [writer.transport for _, writer in (self.client, self.server)]
        return [transport.get_extra_info("socket") for transport in transports if not transport.is_closing()]

    def set_dropped(self, dropped):
        if dropped != self.passing.is_set():
            return
        for end in self.sockets:
            filter_packets(end, dropped)
        # What has arrived before the filter was set is held back here.
        self.passing.clear() if dropped else self.passing.set()

    def cut(self, reset):
        """Closes both sides at once, with a reset or as if each had closed its own."""
        if reset:
            for end in self.sockets:
                if end.family != socket.AF_UNIX:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
        for _, writer in (self.client, self.server):
            writer.transport.abort()
        self.passing.set()

    async def forward(self):
        pumps = self.pump(self.client[0], self.server[1], TO_SERVER), self.pump(self.server[0], self.client[1], TO_CLIENT)
        await asyncio.gather(*pumps)
        for _, writer in (self.client, self.server):
            writer.close()

    async def pump(self, reader, writer, direction):
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(self.proxy.delay)
                await self.passing.wait()
                rest = self.proxy.take(direction, len(data))
                writer.write(data[:rest])
                await writer.drain()
                if rest is not None:
                    for _, end in (self.client, self.server):
                        end.close()
                    return
            await self.passing.wait()
            if not writer.transport.is_closing():
                # Half of a connection may be closed.
                writer.write_eof()
        except OSError:
            self.cut(reset=True)


class TCPProxy:
    """Listens on a port of 127.0.0.1 and forwards to `target`: a pair of host and port, or the path of a Unix socket.

    A context manager, whose methods act from the test's thread. `target` and `delay` may be changed at any time.
    """

    def __init__(self, target):
        self.target = target
        # How long each piece of at most 64 KiB is held back, in seconds.
        self.delay = 0
        self.drops_new = False
        self.connections, self.limits = set(), {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self):
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.accept, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.run(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(TIMEOUT)

    async def end(self):
        self.server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in self.connections:
            connection.cut(reset=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def accept(self, reader, writer):
        try:
            if isinstance(self.target, tuple):
                server = await asyncio.open_connection(*self.target)
            else:
                server = await asyncio.open_unix_connection(self.target)
        except OSError:
            # The connection is accepted already, and can only be ended.
            writer.transport.abort()
            return
        connection = Connection(self, (reader, writer), server)
        self.connections.add(connection)
        with contextlib.suppress(asyncio.CancelledError):
            await connection.forward()
        self.connections.discard(connection)

    def take(self, direction, count):
        """Returns how many of `count` bytes are forwarded before their connection is cut; None: all, and it is not."""
        if direction not in self.limits:
            return None
        if count < self.limits[direction]:
            self.limits[direction] -= count
            return None
        return self.limits.pop(direction)

    def count(self):
        """The number of open connections."""
        return len(self.connections)

    def cut(self, reset=True):
        """Cuts all open connections, with a reset or an orderly end. New ones are forwarded."""
        async def cut():
            for connection in list(self.connections):
                connection.cut(reset)

        self.run(cut())

    def cut_after(self, count, direction):
        """Closes, once, the connection that carries the `count`th byte from now on in that direction, after this byte.

        Bytes of all connections are counted together, and `count` is at least 1.
        """
        async def limit():
            self.limits[direction] = count

        self.run(limit())

    def drop(self, new=True):
        """Drops all packets of the open connections silently, as a firewall that has forgotten them; with `new`, also those
        that would open another one."""
        self.set_dropped(True, new)

    def restore(self):
        """Ends what `drop` began. Peers that have not given up by then send the dropped bytes once more."""
        self.set_dropped(False, True)

    def set_dropped(self, dropped, new):
        async def change():
            for connection in self.connections:
                connection.set_dropped(dropped)
            if new and dropped is not self.drops_new:
                self.drops_new = dropped
                for listener in self.server.sockets:
                    filter_packets(listener, dropped)

        self.run(change())
