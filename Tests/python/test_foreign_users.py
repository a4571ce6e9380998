"""Tests ImportUsers by grpcio: users as another system had them."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from foreign_users import Conversation, Rows, at, expected, reason
from program import TIMEOUT
from user_calls import NOT_FOUND, UserCalls, refusal


@pytest.mark.parametrize("seed", range(3))
def test_random_rows_have_a_result_each_in_order_and_are_exported_as_they_were_sent(calls, row, seed):
    rows = Rows(row, seed)
    plan = [(rows.valid(), {}) if rows.random.random() < 0.8 else rows.invalid() for _ in range(3_000)]
    began = time.time() - 1
    results = calls.imports(*[sent for sent, _ in plan])
    ended = time.time() + 1
    assert [result.index for result in results] == list(range(len(plan)))
    stored = {}
    for (sent, faults), result in zip(plan, results, strict=True):
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


def test_a_row_has_all_its_faults_at_once(calls, row):
    sent = row(email="x", name="\n")
    sent.created_at.seconds = 10 ** 12
    sent.update_time.nanos = -1
    [result] = calls.imports(sent)
    assert reason(result) == {
        "": "INVALID_REQUEST", "email": "MALFORMED", "name": "FORBIDDEN_CHARACTER", "created_at": "OUT_OF_RANGE",
        "update_time": "OUT_OF_RANGE"}
    # A time that is invalid makes no others so.
    sent = row(email="x")
    sent.created_at.nanos = -1
    sent.update_time.seconds = 1
    sent.purge_time.seconds = 1
    sent.delete_time.seconds = 10 ** 12
    [result] = calls.imports(sent)
    assert reason(result) == {
        "": "INVALID_REQUEST", "email": "MALFORMED", "created_at": "OUT_OF_RANGE", "delete_time": "OUT_OF_RANGE"}


def test_a_deleted_user_is_not_stored_already(calls, row):
    user = calls.create("ada@example.com")
    calls.delete(user.id)
    for sent in (row(email="Ada@example.com"), row(id=user.id, email="ada@example.com")):
        for validate_only in (False, True):
            sent.validate_only = validate_only
            [result] = calls.imports(sent)
            assert reason(result) == {"": "EMAIL_ALREADY_REGISTERED"} and not result.already_stored


def test_rows_are_stored_once_and_other_writes_are_answered_meanwhile(calls, row, pb):
    """A batch makes way for other writes, and goes on with the rest."""
    rows = [row(email=f"row{number}@example.com") for number in range(20_000)]
    ended = threading.Event()

    def create_others():
        count = 0
        while not ended.is_set():
            calls.create(email=f"other{count}@example.com")
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(create_others)]
        results = calls.imports(*rows)
        ended.set()
    assert [result.index for result in results] == list(range(len(rows)))
    assert not any(result.already_stored or result.HasField("status") for result in results)
    assert len({result.user_id for result in results}) == len(rows)
    assert others[0].result() > 0


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
        ("", False, "EMAIL_ALREADY_REGISTERED"), ("", False, "EMAIL_ALREADY_REGISTERED"), ("", False, "USER_ID_TAKEN"),
        ("", False, "EMAIL_ALREADY_REGISTERED")]
