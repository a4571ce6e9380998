"""Tests ImportUsers and ExportUsers by grpcio: users as another system had them, and their password hashes."""

import base64
import concurrent.futures
import queue
import random
import time
import uuid

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

import hashes
from callers import UNAUTHENTICATED, Caller, bearer, failure, service_token
from conftest import wait_until
from issuer import ISSUER, make_key, make_token, write_keys
from program import TIMEOUT
from user_calls import DENIED, NOT_FOUND, UserCalls, invalid, refusal

PASSWORD = "corr\u00e9ct h\u00f6rse \U0001f40e"
# The service's own parameters.
OWN = "$argon2id$v=19$m=19456,t=2,p=1$"
EVERYTHING = "users:read,users:write,users:import,users:export,users:export-hashes"


@pytest.fixture
def calls(pb, users):
    """Calls of a service without authentication."""
    return UserCalls(pb, users)


@pytest.fixture
def row(pb):
    return pb.ImportUserRequest


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


# Password hashes


def test_users_sign_in_with_the_hashes_of_other_systems_which_are_then_replaced(pb, serve, row):
    service = serve(auth="on", settings={"peer.rate": "none"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        calls = UserCalls(pb, caller.users, service_token(service, EVERYTHING))
        made = {f"{name}@example.com": hashes.make(name, PASSWORD) for name in hashes.MAKERS}
        results = calls.imports(*[row(email=email, password_hash=text) for email, text in made.items()])
        assert {email: reason(result) for email, result in zip(made, results) if result.HasField("status")} == {}

        def stored():
            return {user.email: user.password_hash for user in calls.export(password_hashes=True)}

        assert stored() == made

        def signs_in(email):
            refused = failure(lambda: caller.sign_in(email, PASSWORD + "x"))[:2]
            assert refused == (UNAUTHENTICATED, "CREDENTIALS_INVALID"), email
            assert caller.sign_in(email, PASSWORD).access_token, email

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(signs_in, made))
            # The hash is replaced after the answer.
            wait_until(lambda: all(text.startswith(OWN) for text in stored().values()))
            list(pool.map(signs_in, made))


SALT, KEY = base64.b64encode(bytes(16)).decode(), base64.b64encode(bytes(32)).decode()
PLAIN = f"{SALT.rstrip('=')}${KEY.rstrip('=')}"


@pytest.mark.parametrize("text, fault", [
    ("$2b$31$" + "A" * 53, "bcrypt cost is 31; it must be 4 to 14"),
    (f"$scrypt$ln=30,r=8,p=1${PLAIN}", "scrypt log2(N) is 30; it must be 1 to 21"),
    (f"$scrypt$ln={1 << 30},r=8,p=1${SALT}${KEY}", "scrypt N is 1073741824; it must be 2 to 2097152"),
    (f"scrypt:{1 << 30}:8:1$salt${'00' * 64}", "scrypt N is 1073741824; it must be 2 to 2097152"),
    (f"$pbkdf2-sha256$i=1000000000,l=32${PLAIN}", "pbkdf2 iterations is 1000000000; it must be 1 to 2000000"),
    (f"pbkdf2_sha256$1000000000$salt${KEY}", "pbkdf2 iterations is 1000000000; it must be 1 to 2000000"),
    (f"$argon2id$v=19$m=4194304,t=2,p=1${PLAIN}", "argon2 memory in KiB is 4194304; it must be 8 to 524288")])
def test_a_hash_that_costs_too_much_is_refused_with_the_reason(calls, row, text, fault):
    result, = calls.imports(row(email="ada@example.com", password_hash=text))
    bad, = [bad for detail in result.status.details for bad in [BadRequest()] if detail.Unpack(bad)]
    violation, = bad.field_violations
    assert (violation.field, violation.reason, violation.description) == ("password_hash", "OUT_OF_RANGE", fault)
    assert calls.export() == []


def test_a_password_in_the_clear_is_hashed_and_keeps_no_rule_for_new_ones(pb, serve, row):
    service = serve(auth="on", settings={"peer.rate": "none"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        calls = UserCalls(pb, caller.users, service_token(service, EVERYTHING))
        emails = [f"user{number}@example.com" for number in range(20)]
        results = calls.imports(
            *[row(email=email, password=f"pw{number}") for number, email in enumerate(emails)],
            row(email="both@example.com", password="pw", password_hash=hashes.make("md5", "pw")))
        assert [reason(result) for result in results] == [{}] * 20 + [
            {"": "INVALID_REQUEST", "password": "ALREADY_USED"}]
        assert all(user.password_hash.startswith(OWN) for user in calls.export(password_hashes=True))
        for number, email in list(enumerate(emails))[::5]:
            assert caller.sign_in(email, f"pw{number}").access_token
            assert failure(lambda: caller.sign_in(email, "pw"))[0] == UNAUTHENTICATED


# Rows and their results


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
    return stored


@pytest.mark.parametrize("seed", range(3))
def test_random_rows_have_a_result_each_in_order_and_are_exported_as_they_were_sent(calls, row, seed):
    rows = Rows(row, seed)
    plan = [(rows.valid(), {}) if rows.random.random() < 0.8 else rows.invalid() for _ in range(3_000)]
    began = time.time() - 1
    results = calls.imports(*[sent for sent, _ in plan])
    ended = time.time() + 1
    assert [result.index for result in results] == list(range(len(plan)))
    stored = {}
    for (sent, faults), result in zip(plan, results):
        assert reason(result) == ({"": "INVALID_REQUEST", **faults} if faults else {}), sent
        assert bool(result.user_id) == (not faults) and not result.already_stored
        if not faults:
            assert result.user_id == sent.id.lower() or not sent.id
            stored[result.user_id] = sent
    exported = calls.export(password_hashes=True)
    assert len(exported) == len(stored) and {user.id for user in exported} == set(stored)
    for user in exported:
        assert user == expected(stored[user.id], user.id, began, ended, user)
    assert [user.id for user in exported] == [user.id for user in calls.listing(show_deleted=True)]
    assert [user.id for user in calls.listing()] == [
        user.id for user in exported if not user.HasField("delete_time")]
    for user in exported[::100]:
        found = calls.get(user.id, show_deleted=True)
        assert (found.email, found.created_at, found.update_time, found.purge_time, found.labels) == (
            user.email, user.created_at, user.update_time, user.purge_time, user.labels)
    # A repetition, and an import of the export, change nothing.
    again = calls.imports(*stored.values(), *exported)
    assert all(result.already_stored and not result.HasField("status") for result in again)
    assert [result.user_id for result in again] == [*stored, *[user.id for user in exported]]
    assert calls.export(password_hashes=True) == exported


def test_an_exported_user_is_the_same_in_another_service(pb, calls, row, serve):
    rows = Rows(row, 7)
    calls.imports(*[rows.valid() for _ in range(500)])
    exported = calls.export(password_hashes=True)
    with grpc.insecure_channel(serve().address) as channel:
        other = UserCalls(pb, pb.Stub(channel))
        assert not any(result.HasField("status") for result in other.imports(*exported))
        moved = other.export(password_hashes=True)
        for users in (exported, moved):
            for user in users:
                user.ClearField("page_token")
        assert moved == exported


def test_an_imported_deleted_user_is_one(calls, row):
    now = time.time()
    result, = calls.imports(row(
        email="ada@example.com", created_at=at(now - 100), delete_time=at(now - 50), purge_time=at(now + 1000)))
    assert refusal(lambda: calls.get(result.user_id))[:2] == NOT_FOUND
    assert calls.undelete(result.user_id).email == "ada@example.com"
    assert [user.id for user in calls.export() if not user.HasField("delete_time")] == [result.user_id]


def test_a_slow_client_has_the_result_of_a_row_without_sending_another(calls, row):
    conversation = Conversation(calls)
    for number in range(20):
        conversation.send(row(email=f"user{number}@example.com"))
        assert conversation.result().index == number
        assert len(calls.listing()) == number + 1
    conversation.send(row(email="bad"))
    assert reason(conversation.result()) == {"": "INVALID_REQUEST", "email": "MALFORMED"}
    conversation.end()
    assert list(conversation.call) == [] and conversation.call.code() == grpc.StatusCode.OK


def test_rows_before_the_end_of_the_requests_have_results_after_it(calls, row):
    assert calls.imports() == []
    conversation = Conversation(calls)
    conversation.send(*[row(email=f"user{number}@example.com") for number in range(2_500)])
    conversation.end()
    results = list(conversation.call)
    assert [result.index for result in results] == list(range(2_500))
    assert [user.id for user in calls.listing()] == sorted(result.user_id for result in results)


def test_a_cancelled_import_keeps_the_rows_whose_results_were_returned(calls, row):
    conversation = Conversation(calls)
    conversation.send(*[row(email=f"user{number}@example.com") for number in range(5_000)])
    ids = [conversation.result().user_id for _ in range(1_500)]
    conversation.call.cancel()
    conversation.end()
    kept = [user.id for user in calls.listing()]
    assert set(ids) <= set(kept)
    again = calls.imports(*[row(email=f"user{number}@example.com") for number in range(5_000)])
    assert [result.user_id for result in again][:1_500] == ids
    assert all(result.already_stored for result in again[:1_500])
    assert len(calls.listing()) == 5_000


def test_a_row_that_cannot_be_decoded_fails_alone(calls, row, channel, pb):
    imports = channel.stream_stream(
        "/user.v1.UserService/ImportUsers", response_deserializer=pb.ImportUserResult.FromString)
    messages = [row(email="a@example.com").SerializeToString(), b"\xff\xff", b"\x12\x02\xc3\x28", b"",
                row(email="b@example.com").SerializeToString()]
    results = list(imports(iter(messages), timeout=TIMEOUT))
    assert [reason(result).get("") for result in results] == [
        None, "UNDECODABLE_REQUEST", "UNDECODABLE_REQUEST", "INVALID_REQUEST", None]
    assert [user.email for user in calls.listing()] == ["a@example.com", "b@example.com"]


def test_rows_that_are_only_checked_are_not_stored_among_others_that_are(calls, row):
    taken = calls.create("taken@example.com")
    other = str(uuid.uuid4())
    results = calls.imports(
        row(email="a@example.com"), row(email="b@example.com", validate_only=True), row(email="c@example.com"),
        row(email="bad", validate_only=True), row(email="TAKEN@example.com", validate_only=True),
        row(email="taken@example.com", id=taken.id, validate_only=True),
        row(email="taken@example.com", id=other, validate_only=True),
        row(email="d@example.com", id=taken.id, validate_only=True),
        row(email="e@example.com", password="pw", validate_only=True))
    assert [reason(result).get("") for result in results] == [
        None, None, None, "INVALID_REQUEST", None, None, "EMAIL_ALREADY_REGISTERED", "USER_ID_TAKEN", None]
    assert [bool(result.user_id) for result in results] == [
        True, False, True, False, True, True, False, False, False]
    assert [result.already_stored for result in results] == [False] * 4 + [True] * 2 + [False] * 3
    assert [user.email for user in calls.listing()] == ["taken@example.com", "a@example.com", "c@example.com"]


def test_of_rows_of_one_call_that_conflict_the_first_is_stored(calls, row):
    rows, outcomes = [], []
    for number in range(200):
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        email = f"user{number}@example.com"
        rows += [
            row(id=first, email=email), row(id=second, email=email.upper()), row(id=first, email=f"x{email}"),
            row(email=email.upper()), row(id=first.upper(), email=email, name="Ada"), row(id=second, email=f"y{email}")]
        outcomes += [
            (first, False, None), ("", False, "EMAIL_ALREADY_REGISTERED"), ("", False, "USER_ID_TAKEN"),
            (first, True, None), (first, True, None), (second, False, None)]
    results = calls.imports(*rows)
    assert [(result.user_id, result.already_stored, reason(result).get("")) for result in results] == outcomes
    stored = {user.id: user for user in calls.listing()}
    assert len(stored) == 400 and all(not user.name for user in stored.values())


def test_a_deleted_user_still_has_its_address_and_id(calls, row):
    ada = calls.delete(calls.create("ada@example.com").id)
    results = calls.imports(
        row(email="ADA@example.com"), row(id=ada.id, email="ada@example.com"), row(id=ada.id, email="b@example.com"),
        row(id=str(uuid.uuid4()), email="ada@example.com"))
    assert [(result.user_id, result.already_stored, reason(result).get("")) for result in results] == [
        (ada.id, True, None), (ada.id, True, None), ("", False, "USER_ID_TAKEN"),
        ("", False, "EMAIL_ALREADY_REGISTERED")]


# Exports


def test_an_export_continues_after_any_of_its_page_tokens(calls, row):
    rows = Rows(row, 11)
    calls.imports(*[rows.valid() for _ in range(1_000)])
    exported = calls.export()
    ends = [index for index, user in enumerate(exported) if user.page_token]
    assert len(ends) >= 5 and ends[-1] == len(exported) - 1
    for end in ends:
        assert calls.export(page_token=exported[end].page_token) == exported[end + 1:]
    # Users that were created meanwhile follow.
    eve = calls.create("eve@example.com")
    assert [user.id for user in calls.export(page_token=exported[-1].page_token)] == [eve.id]
    for token in ("x", exported[-1].page_token[:-1] + "!", "A" * 43):
        assert "page_token" in invalid(lambda: calls.export(page_token=token))


def test_an_export_has_hashes_only_on_request(calls, row):
    text = hashes.make("md5", PASSWORD)
    calls.imports(row(email="ada@example.com", password_hash=text), row(email="bob@example.com"))
    assert {user.email: user.password_hash for user in calls.export(password_hashes=True)} == {
        "ada@example.com": text, "bob@example.com": ""}
    assert all(not user.password_hash and not user.password for user in calls.export())


# Permissions


@pytest.mark.parametrize("scope, permitted", [
    ("users:read,users:write", []), ("users:import", ["import"]), ("users:export", ["export"]),
    ("users:export,users:export-hashes", ["export", "hashes"]), ("users:export-hashes", [])])
def test_imports_exports_and_hashes_have_scopes_of_their_own(pb, secured, row, scope, permitted):
    with grpc.insecure_channel(secured.address) as channel:
        calls = UserCalls(pb, pb.Stub(channel), service_token(secured, scope))
        needs = {
            "import": (lambda: calls.imports(row(email="ada@example.com")), "users:import"),
            "export": (lambda: calls.export(), "users:export"),
            "hashes": (lambda: calls.export(password_hashes=True), None)}
        for name, (call, missing) in needs.items():
            if name in permitted:
                call()
                continue
            status = refusal(call)
            assert status[:2] == DENIED
            missing = missing or ("users:export-hashes" if "users:export" in scope.split(",") else "users:export")
            assert status.metadata == {"scope": missing}


@pytest.fixture
def trusting(serve, tmp_path):
    """A service that trusts another issuer, and the issuer's key."""
    key = make_key("ES256", "key")
    write_keys(tmp_path / "jwks.json", [key])
    return serve(auth="on", settings={
        "auth.jwks.file": tmp_path / "jwks.json", "auth.jwks.issuer": ISSUER}), key


def short_token(key, scope):
    """Returns a token that the service accepts for 3 to 4 more seconds, and the time of its end by the monotonic clock."""
    expires = int(time.time()) + 4
    # The tolerated difference of clocks is 30 seconds.
    return make_token(key, exp=expires - 30, scope=scope), time.monotonic() + expires - time.time()


def test_a_token_that_expires_ends_an_import_and_the_rows_before_stay(pb, trusting, row):
    service, key = trusting
    with grpc.insecure_channel(service.address) as channel:
        token, end = short_token(key, "users:import")
        conversation = Conversation(UserCalls(pb, pb.Stub(channel), token))
        conversation.send(row(email="ada@example.com"))
        assert not conversation.result().HasField("status")
        wait_until(lambda: time.monotonic() > end)
        conversation.send(row(email="bob@example.com"))
        assert failure(conversation.result)[:2] == (UNAUTHENTICATED, "TOKEN_EXPIRED")
        conversation.end()
        calls = UserCalls(pb, pb.Stub(channel), service_token(service, EVERYTHING))
        assert [user.email for user in calls.listing()] == ["ada@example.com"]


def test_a_token_that_expires_ends_an_export(pb, trusting, row):
    service, key = trusting
    # The flow-control window stays at 64 KiB.
    with grpc.insecure_channel(service.address, [("grpc.http2.bdp_probe", 0)]) as channel:
        calls = UserCalls(pb, pb.Stub(channel), service_token(service, EVERYTHING))
        calls.imports(*[row(email=f"user{number}@example.com", name="\U0001f40e" * 256) for number in range(2_000)])
        token, end = short_token(key, "users:export")
        export = calls.stub.ExportUsers(pb.ExportUsersRequest(), timeout=TIMEOUT, metadata=bearer(token))
        assert next(export).email
        wait_until(lambda: time.monotonic() > end)
        assert failure(lambda: list(export))[:2] == (UNAUTHENTICATED, "TOKEN_EXPIRED")
