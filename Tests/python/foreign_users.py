"""Rows of ImportUsers, their results, and calls that send them one by one."""

import queue
import random
import time
import uuid

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

from program import TIMEOUT

# The scopes of a token that may do everything.
EVERYTHING = "users:read,users:write,users:import,users:export,users:export-hashes"


def reason(result):
    """Returns the reason of a failed row, and that of each of its invalid fields; nothing if it has not failed."""
    found = {}
    for detail in result.status.details:
        info, bad = ErrorInfo(), BadRequest()
        if detail.Unpack(info):
            found[""] = info.reason
        if detail.Unpack(bad):
            found.update({fault.field: fault.reason for fault in bad.field_violations})
    return found


class Conversation:
    """An ImportUsers call whose rows are sent one by one."""

    def __init__(self, calls, timeout=TIMEOUT):
        self.rows = queue.Queue()
        self.call = calls.stub.ImportUsers(iter(self.rows.get, None), **{**calls.options, "timeout": timeout})

    def send(self, *rows):
        for row in rows:
            self.rows.put(row)

    def end(self):
        self.rows.put(None)

    def result(self):
        return next(self.call)


def at(seconds):
    time = Timestamp()
    time.FromMicroseconds(int(seconds * 1_000_000))
    return time


class Rows:
    """Random rows, and the reasons for which a service that is empty refuses them."""

    def __init__(self, row, seed):
        self.random = random.Random(seed)
        self.row = row
        self.number = 0
        self.ids = set()

    def id(self):
        bits = self.random.getrandbits
        version = self.random.choice([1, 4, 7, None])
        if version is None:
            return ""
        if version == 7:
            # Any millisecond since 1970.
            high = self.random.randrange(int(time.time() * 1_000)) << 16 | 0x7000 | bits(12)
            value = high << 64 | 0b10 << 62 | bits(62)
        else:
            value = uuid.UUID(int=bits(128), version=version).int
        text = str(uuid.UUID(int=value))
        return text.upper() if bits(2) == 0 else text

    def valid(self):
        choice, now = self.random.choice, int(time.time())
        self.number += 1
        domain = choice(["example.com", "b\u00fccher.example"])
        row = self.row(
            id=self.id(), email=f"User{self.number}@{domain}",
            name=choice(["", "Ada", "\u00c9va \U0001f469\u200d\U0001f680", "x" * 256]), status=choice([0, 1, 2]),
            labels=choice([{}, {"tenant": "a"}, {f"key-{n}": "v" * n for n in range(16)}]),
            password_hash=choice(["", "$2b$04$" + "A" * 53]))
        if choice([True, False]):
            created = self.random.randrange(-(10 ** 10), now - 10 ** 6)
            row.created_at.CopyFrom(at(created + self.random.random()))
            if choice([True, False]):
                row.update_time.CopyFrom(at(created + self.random.randrange(1, 10 ** 6)))
            if choice([True, False, False]):
                deleted = created + self.random.randrange(1, 10 ** 6)
                row.delete_time.CopyFrom(at(deleted))
                row.purge_time.CopyFrom(at(now + self.random.randrange(10 ** 4, 10 ** 8)))
        return row

    def invalid(self):
        """Returns an invalid row and the reason for each of its fields."""
        row, now = self.valid(), time.time()
        fault = self.random.randrange(10)
        if fault == 0:
            row.email = "nonsense"
            return row, {"email": "MALFORMED"}
        if fault == 1:
            row.id = self.random.choice(["1", "0" * 32, str(uuid.UUID(int=0))])
            return row, {"id": "MALFORMED"}
        if fault == 2:
            row.name = "\x1b"
            return row, {"name": "FORBIDDEN_CHARACTER"}
        if fault == 3:
            row.status = 9
            return row, {"status": "OUT_OF_RANGE"}
        for field in ("created_at", "update_time", "delete_time", "purge_time"):
            row.ClearField(field)
        row.created_at.CopyFrom(at(now - 1000))
        if fault == 4:
            row.created_at.CopyFrom(at(now + 1000))
            return row, {"created_at": "OUT_OF_RANGE"}
        if fault == 5:
            row.update_time.CopyFrom(at(now - 1001))
            return row, {"update_time": "OUT_OF_RANGE"}
        if fault == 6:
            row.delete_time.CopyFrom(at(now - 500))
            return row, {"purge_time": "REQUIRED"}
        if fault == 7:
            row.purge_time.CopyFrom(at(now + 500))
            return row, {"purge_time": "REQUIRED"}
        if fault == 8:
            row.delete_time.CopyFrom(at(now - 500))
            row.purge_time.CopyFrom(at(now - 501))
            return row, {"purge_time": "OUT_OF_RANGE"}
        row.created_at.seconds = 1 << 40
        return row, {"created_at": "OUT_OF_RANGE"}


def expected(sent, user_id, before, after, exported):
    """Returns `exported` with the fields that a service must store for the row `sent`."""
    stored = type(sent)()
    stored.CopyFrom(sent)
    stored.id = user_id
    stored.status = sent.status or 1
    stored.page_token = exported.page_token
    if not sent.HasField("created_at"):
        assert before <= exported.created_at.ToMicroseconds() / 1e6 <= after
        stored.created_at.CopyFrom(exported.created_at)
    if not sent.HasField("update_time"):
        stored.update_time.CopyFrom(stored.created_at)
    # A deletion is a change.
    if sent.HasField("delete_time") and sent.delete_time.ToMicroseconds() > stored.update_time.ToMicroseconds():
        stored.update_time.CopyFrom(sent.delete_time)
    return stored
