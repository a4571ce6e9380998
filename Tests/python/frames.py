"""An HTTP/2 client that sends single frames as told, and records the frames that it receives."""

import base64
import collections
import contextlib
import dataclasses
import select
import socket
import ssl
import struct
import time

import hpack
from google.rpc import error_details_pb2, status_pb2
from hyperframe import frame as h2

# The time after which a waiting test fails.
TIMEOUT = 30
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGEST_WINDOW = 2**31 - 1
# The largest payload that every peer accepts.
FRAME_SIZE = 16_384

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
STREAM_CLOSED, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0x5, 0x7, 0x8, 0xB
HEADER_TABLE_SIZE = h2.SettingsFrame.HEADER_TABLE_SIZE
INITIAL_WINDOW_SIZE = h2.SettingsFrame.INITIAL_WINDOW_SIZE
MAX_CONCURRENT_STREAMS = h2.SettingsFrame.MAX_CONCURRENT_STREAMS


def raw(kind, flags=0, stream=0, payload=b""):
    """Returns a frame, valid or not."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values=None):
    return raw(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in (values or {}).items()))


def data(stream, payload=b"", end=False):
    return raw(DATA, END_STREAM if end else 0, stream, payload)


def window_update(stream, increment):
    return raw(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream, code=CANCEL):
    return raw(RST_STREAM, 0, stream, struct.pack(">I", code))


def message(payload=b"", flag=0):
    """Returns a length-prefixed message."""
    return struct.pack(">BI", flag, len(payload)) + payload


EMPTY_MESSAGE = message()


def field(number, text):
    """Returns a short string field of protobuf."""
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def request(method, /, *extra, **replaced):
    """Returns the headers of a call. Names in `replaced` have `_` for `-`; a value of None omits the header."""
    headers = {
        ":method": "POST", ":scheme": "http", ":path": f"/user.v1.UserService/{method}",
        ":authority": "localhost", "content-type": "application/grpc", "te": "trailers",
    }
    for key, value in replaced.items():
        name = key.replace("_", "-")
        headers[":" + name if ":" + name in headers else name] = value
    return [(name, value) for name, value in headers.items() if value is not None] + list(extra)


class Ended(Exception):
    """The server closed the connection before the event that the test waits for."""


@dataclasses.dataclass
class Response:
    """The response on a stream."""

    blocks: list = dataclasses.field(default_factory=list)
    body: bytearray = dataclasses.field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def headers(self):
        return self.blocks[0]

    @property
    def trailers(self):
        return self.blocks[-1]

    @property
    def status(self):
        return self.trailers.get("grpc-status") if self.blocks else None

    @property
    def reason(self):
        """The reason of the google.rpc.ErrorInfo in the trailers, which must have the contract's domain."""
        packed = self.trailers.get("grpc-status-details-bin", "")
        status = status_pb2.Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
        info = error_details_pb2.ErrorInfo()
        if not any(detail.Unpack(info) for detail in status.details):
            return None
        assert (info.domain, str(status.code)) == ("user.v1", self.status)
        return info.reason

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    @property
    def messages(self):
        """The complete messages, as pairs of flag and payload."""
        found, rest = [], bytes(self.body)
        while len(rest) >= 5 and len(rest) >= 5 + (length := struct.unpack(">I", rest[1:5])[0]):
            found.append((rest[0], rest[5:5 + length]))
            rest = rest[5 + length:]
        return found


def open_socket(address, buffer=None, source=None):
    """Connects to HOST:PORT, [HOST]:PORT or unix:PATH. `buffer` is the size of the receive buffer, `source` the
    client's IP address or path."""
    if address.startswith("unix:"):
        connection, where = socket.socket(socket.AF_UNIX), address.removeprefix("unix:")
    else:
        host, port = address.rsplit(":", 1)
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        connection, where = socket.socket(family), (host.strip("[]"), int(port))
    connection.settimeout(TIMEOUT)
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if source:
        connection.bind(source if connection.family == socket.AF_UNIX else (source, 0))
    connection.connect(where)
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Client:
    """A connection to the service.

    It acknowledges SETTINGS and PING frames unless `acknowledges` is false, and gives the server `window` bytes for
    each stream and for the connection, once. `preface` says whether it sends a valid preface.
    """

    def __init__(
            self, address, window=LARGEST_WINDOW, acknowledges=True, preface=True, tls=None, buffer=None, source=None):
        self.socket = open_socket(address, buffer, source)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.acknowledges = acknowledges
        self.received = b""
        self.streams = {}
        self.settings, self.settings_acks, self.pings, self.pongs, self.goaways = {}, 0, [], [], []
        # The bytes added to the server's windows, and the bytes of DATA taken from them.
        self.windows, self.sent = collections.Counter(), collections.Counter()
        self.ended = False
        if preface:
            self.send(PREFACE, settings({INITIAL_WINDOW_SIZE: window}))
            if window > 65_535:
                self.send(window_update(0, window - 65_535))
            self.until(lambda: self.settings_acks == 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # Sending

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def block(self, headers):
        return self.encoder.encode(headers, huffman=False)

    def headers(self, stream, headers, end=False):
        self.send(self.header_frame(stream, headers, end))

    def header_frame(self, stream, headers, end=False):
        return raw(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.block(headers))

    def room(self, stream):
        """Returns the number of bytes of DATA that the server's windows allow now."""
        return min(
            self.settings.get(INITIAL_WINDOW_SIZE, 65_535) + self.windows[stream] - self.sent[stream],
            65_535 + self.windows[0] - self.sent[0])

    def upload(self, stream, body, end=True):
        """Sends a body, as the windows allow, until there is a response."""
        for start in range(0, len(body) or 1, FRAME_SIZE):
            piece = body[start:start + FRAME_SIZE]
            self.until(lambda: self.stream(stream).is_over or self.room(stream) >= len(piece))
            if self.stream(stream).is_over:
                break
            self.sent.update({0: len(piece), stream: len(piece)})
            self.send(data(stream, piece, end and start + FRAME_SIZE >= len(body)))

    def call(self, stream, headers, body=EMPTY_MESSAGE):
        """Sends a whole request and returns its response."""
        self.headers(stream, headers)
        self.upload(stream, body)
        return self.response(stream)

    def is_healthy(self, stream):
        """Returns whether the connection serves a call: GetUser with an empty id, which is invalid."""
        return self.call(stream, request("GetUser")).status == "3"

    def round_trip(self):
        """Returns when the server has read everything sent before. It uses SETTINGS, because pings are rationed."""
        expected = self.settings_acks + 1
        self.send(settings())
        self.until(lambda: self.settings_acks == expected)

    # Receiving

    def stream(self, number):
        return self.streams.setdefault(number, Response())

    def response(self, stream):
        """Returns the complete response, or a partial one if the connection ends."""
        self.until(lambda: self.stream(stream).is_over, or_end=True)
        return self.stream(stream)

    def until(self, condition, or_end=False):
        """Receives frames until the condition holds."""
        limit = time.monotonic() + TIMEOUT
        while not condition():
            if self.ended and or_end:
                return
            assert time.monotonic() < limit, "timed out waiting for frames"
            if self.ended:
                raise Ended(self.goaways)
            self.receive()

    def end(self):
        """Receives frames until the server closes the connection. Returns the last GOAWAY, or None."""
        self.until(lambda: self.ended)
        return self.goaways[-1] if self.goaways else None

    def flood(self, chunks):
        """Sends chunks until the server closes the connection or they are exhausted. Returns the last GOAWAY."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for chunk in chunks:
                self.send(chunk)
                while not self.ended and select.select([self.socket], [], [], 0)[0]:
                    self.receive()
                if self.ended:
                    break
        return self.end()

    def receive(self):
        """Handles one frame."""
        header = self.read(9)
        if header is None:
            self.ended = True
            return
        frame, length = h2.Frame.parse_frame_header(memoryview(header))
        payload = self.read(length)
        if payload is None:
            self.ended = True
            return
        frame.parse_body(memoryview(payload))
        self.note(frame)

    def read(self, count):
        while len(self.received) < count:
            try:
                more = self.socket.recv(65_536)
            except ConnectionError:
                more = b""
            if not more:
                return None
            self.received += more
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def note(self, frame):
        match frame:
            case h2.HeadersFrame():
                assert "END_HEADERS" in frame.flags
                self.stream(frame.stream_id).blocks.append(dict(self.decoder.decode(frame.data)))
                self.stream(frame.stream_id).ended |= "END_STREAM" in frame.flags
            case h2.DataFrame():
                self.stream(frame.stream_id).body += frame.data
                self.stream(frame.stream_id).ended |= "END_STREAM" in frame.flags
            case h2.RstStreamFrame():
                self.stream(frame.stream_id).reset = frame.error_code
            case h2.SettingsFrame() if "ACK" in frame.flags:
                self.settings_acks += 1
            case h2.SettingsFrame():
                self.settings.update(frame.settings)
                self.answer(raw(SETTINGS, ACK))
            case h2.PingFrame() if "ACK" in frame.flags:
                self.pongs.append(frame.opaque_data)
            case h2.PingFrame():
                self.pings.append(frame.opaque_data)
                self.answer(raw(PING, ACK, payload=frame.opaque_data))
            case h2.GoAwayFrame():
                self.goaways.append(frame)
            case h2.WindowUpdateFrame():
                self.windows[frame.stream_id] += frame.window_increment
            case _:
                raise AssertionError(f"the server has sent {frame}")

    def answer(self, frame):
        if self.acknowledges:
            with contextlib.suppress(ConnectionError):
                self.send(frame)
