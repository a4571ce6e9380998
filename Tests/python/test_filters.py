"""Tests the filters of ListUsers by grpcio, and compares them with a model in Python."""

import random
import unicodedata
import uuid

import pytest

from filters import (
    NAMES,
    SEED,
    by_email,
    by_name,
    by_update,
    folded,
    folded_address,
    listing,
    matched,
    microseconds,
    order,
    populate,
    quoted,
    rfc3339,
)
from user_calls import invalid, refusal

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="module")
def calls(shared_calls):
    return shared_calls


@pytest.fixture(scope="module")
def model(calls, pb):
    return populate(calls, pb)


def check(calls, model, text, *conditions, key=None):
    """Compares a filter with conditions: the users, and their order."""
    for deleted in (False, True):
        wanted = matched(model, *conditions, deleted=deleted)
        if key:
            wanted.sort(key=key)
        found = listing(calls, text, show_deleted=deleted)
        assert [user.id for user in found] == [user.id for user in wanted], text
        assert found == wanted


# The fields


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_whole_names_regardless_of_case(calls, model, name):
    for asked in {name, name.upper(), name.lower(), unicodedata.normalize("NFD", name)}:
        check(calls, model, f"name = {quoted(asked)}", lambda user: folded(user.name) == folded(asked), key=by_name)


@pytest.mark.parametrize("beginning", [
    "a", "AD", "\u00c9", "\u00e9v", "stras", "stra\u00df", "a*", 'say "', "back\\", "_",
    "\u0130", "zoe"])
def test_beginnings_of_names(calls, model, beginning):
    text = f'name = {quoted(beginning)[:-1]}*"'
    check(calls, model, text, lambda user: folded(user.name).startswith(folded(beginning)), key=by_name)


def test_names_are_not_empty(calls, model):
    """A user without a name has none to be found by."""
    assert all(user.name for user in listing(calls, 'name = "a*"'))
    assert invalid(lambda: listing(calls, 'name = ""')) == {"filter": "MALFORMED"}
    assert invalid(lambda: listing(calls, 'name = "*"')) == {"filter": "MALFORMED"}


def test_whole_addresses_regardless_of_case(calls, model):
    for user in model[:40]:
        for asked in {user.email, user.email.upper(), user.email.swapcase()}:
            if folded_address(asked) == folded_address(user.email):
                check(calls, model, f"email = {quoted(asked)}", lambda other: other.id == user.id)


@pytest.mark.parametrize("beginning", [
    "a", "ADA1", "\u00c9VA", "e\u0301va2", "stra\u00dfe", "STRASSE", "x_", "ada10@", "Ada2@EXAMPLE.c", "bob3"])
def test_beginnings_of_addresses(calls, model, beginning):
    wanted = folded_address(beginning)
    check(calls, model, f'email = "{beginning}*"',
          lambda user: folded_address(user.email).startswith(wanted), key=by_email)


@pytest.mark.parametrize("name, number", [("ACTIVE", 1), ("INACTIVE", 2)])
def test_status(calls, model, name, number):
    for text in (name, f'"{name}"', f"USER_STATUS_{name}"):
        check(calls, model, f"status = {text}", lambda user: user.status == number, key=lambda user: user.id)


def test_labels(calls, model):
    for key in ("tenant", "team", "other"):
        for value in ("a", "b", "", "A"):
            check(calls, model, f"labels.{key} = {quoted(value)}",
                  lambda user: key in user.labels and user.labels[key] == value)
    check(calls, model, "labels.tenant = a AND labels.team = b",
          lambda user: user.labels.get("tenant") == "a" and user.labels.get("team") == "b")


@pytest.mark.parametrize("field, key", [("create_time", None), ("update_time", by_update)])
def test_times(calls, model, field, key):
    def of(user):
        return microseconds(user.created_at if field == "create_time" else user.update_time)

    times = sorted(map(of, model))
    for low, high in [(times[20], times[200]), (times[100], times[100]), (times[0], times[299])]:
        check(calls, model, f'{field} >= "{rfc3339(low)}" AND {field} <= "{rfc3339(high)}"',
              lambda user: low <= of(user) <= high, key=key)
        check(calls, model, f'{field} > {rfc3339(low, 330)}', lambda user: of(user) > low, key=key)
        check(calls, model, f'{field}<{rfc3339(high, -480)}', lambda user: of(user) < high, key=key)
        # A fraction of a microsecond lies between two stored times.
        check(calls, model, f'{field} >= "{rfc3339(low, more="001")}"', lambda user: of(user) > low, key=key)
        check(calls, model, f'{field} > "{rfc3339(low, more="9")}"', lambda user: of(user) > low, key=key)
        check(calls, model, f'{field} < "{rfc3339(high, more="1")}"', lambda user: of(user) <= high, key=key)
        check(calls, model, f'{field} <= "{rfc3339(high, more="000")}"', lambda user: of(user) <= high, key=key)
    for text in ("0000-01-01T00:00:00Z", "1969-12-31T23:59:59.999999z", "2000-02-29t00:00:00+23:59"):
        check(calls, model, f'{field} > "{text}"', key=key)
    for text in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"):
        check(calls, model, f'{field} > "{text}"', lambda user: False, key=key)


def test_space_around_comparisons(calls, model):
    for text in ("status=INACTIVE AND name=ada*", "\n status\t=  INACTIVE \r\n AND\tname = ada*  "):
        check(calls, model, text, lambda user: user.status == 2 and folded(user.name).startswith("ada"), key=by_name)
    for text in ("", " ", "\n\t "):
        check(calls, model, text)


def condition(chance, model):
    """Returns a random comparison, and what it means."""
    user = chance.choice(model)
    low = microseconds(user.created_at)
    late = microseconds(user.update_time)
    name = user.name or "x"
    part = name[:chance.randint(1, len(name))]
    address = user.email[:chance.randint(1, user.email.index("@"))]
    return chance.choice([
        ("name", f"name = {quoted(name)}", lambda other: folded(other.name) == folded(name)),
        ("name", f'name = {quoted(part)[:-1]}*"', lambda other: folded(other.name).startswith(folded(part))),
        ("email", f"email = {quoted(user.email.swapcase() if user.email.isascii() else user.email)}",
         lambda other: other.id == user.id),
        ("email", f'email = "{address}*"', lambda other: folded(other.email).startswith(folded(address))),
        ("status", "status = INACTIVE", lambda other: other.status == 2),
        ("status", "status = ACTIVE", lambda other: other.status == 1),
        ("create", f"create_time >= {rfc3339(low)}", lambda other: microseconds(other.created_at) >= low),
        ("create", f"create_time < {rfc3339(low, 60)}", lambda other: microseconds(other.created_at) < low),
        ("update", f"update_time > {rfc3339(late)}", lambda other: microseconds(other.update_time) > late),
        ("update", f"update_time <= {rfc3339(late)}", lambda other: microseconds(other.update_time) <= late),
        *((f"labels.{key}", f"labels.{key} = {quoted(value)}",
           lambda other, key=key, value=value: key in other.labels and other.labels[key] == value)
          for key, value in user.labels.items())])


def test_random_filters_select_what_the_model_does(calls, model):
    chance = random.Random(SEED)
    found = 0
    for _ in range(400):
        chosen = {}
        for _ in range(chance.randint(1, 4)):
            field, text, test = condition(chance, model)
            chosen[field] = (text, test)
        fields = set(chosen) | ({"inactive"} if chosen.get("status", ("",))[0] == "status = INACTIVE" else set())
        text = " AND ".join(text for text, _ in chosen.values())
        check(calls, model, text, *(test for _, test in chosen.values()), key=order(fields))
        found += bool(listing(calls, text))
    assert found > 100


# Faults

TIME = '"2026-01-31T00:00:00Z"'
FAULTS = [
    ("x", 2), ("=", 1), ("name", 5), ("name Ada", 6), ("name = ", 8), ("name =", 7), ('name = "Ada', 8),
    ("nickname = a", 1), ("Name = a", 1), ("  nickname = a", 3), ("name = a OR name = b", 10), ("name = a AND", 10),
    ("name = a AND ", 14), ("name = a AND AND", 17), ("name = a name = b", 10), ("name = a and status = ACTIVE", 10),
    ("NOT name = a", 5), ("(name = a)", 1), ("name = (a)", 8), ("name = a)", 9), ("name != a", 6), ("name : a", 6),
    ("name > a", 1), ("status >= ACTIVE", 1), ("email < a", 1), ("labels.a > b", 1), ("name = a AND name = b", 14),
    ("status = ACTIVE AND status = ACTIVE", 21), ("email = a* AND email = b*", 16),
    ("labels.a = b AND labels.a = b", 18), ('name = "a*b"', 10), ("name = a*b", 9), ('name = "*a"', 9),
    ('name = "a**"', 10), ('name = "\\a"', 9), ('name = "a\\', 10), ("name = a\\*", 9), ('name = "a"b', 11),
    ('name = ""', 8), ("status = ACTIV*", 10), ("status = active", 10), ("status = 1", 10), ('status = ""', 10),
    ('email = "*"', 9), ("email = *", 9), ('email = "ada"', 9), ('email = ""', 9), ('email = "a@\u00fc*"', 9),
    ("labels = a", 1), ("labels. = a", 1), ("labels.A = a", 1), ("labels.a.b = c", 1), ("labels.-a = c", 1),
    ("labels.a = b*", 12), ("create_time = " + TIME, 1), ("create_time >= 2026", 16), ('create_time >= ""', 16),
    ("create_time >= 2026-02-29T00:00:00Z", 16), ("create_time >= 2026-01-31T24:00:00Z", 16),
    ("create_time >= 2026-01-31T00:00:60Z", 16), ("create_time >= 2026-01-31T00:00:00", 16),
    ("create_time >= 2026-01-31 00:00:00Z", 16), ("create_time >= 2026-01-31T00:00:00.Z", 16),
    ("create_time >= 2026-01-31T00:00:00+24:00", 16), ("create_time >= 2026-01-31*", 16),
    (f"create_time >= {TIME} AND create_time > {TIME}", 43), (f"update_time < {TIME} AND update_time < {TIME}", 42),
    (f"create_time >= {TIME} AND create_time >= {TIME}", 43), (f"create_time > {TIME} AND create_time < {TIME}", 42),
    ('name = "\u00e9\U0001f600" OR', 13), ("\u00e9 = a", 1), ("name = a AND\u00a0status = ACTIVE", 13),
    ("name\u00a0= a", 5)]


@pytest.mark.parametrize("text, position", FAULTS)
def test_an_invalid_filter_is_refused_with_the_character(calls, text, position):
    status = refusal(lambda: listing(calls, text))
    assert status.violations == {"filter": "MALFORMED"}
    assert f"at character {position}:" in status.descriptions["filter"], status.descriptions


def test_the_length_of_a_filter(calls, model):
    longest = 'name = "' + "\u00e9" * ((4_096 - 9) // 2) + 'x"'
    assert len(longest.encode()) == 4_096
    assert listing(calls, longest) == []
    assert invalid(lambda: listing(calls, longest + " ")) == {"filter": "TOO_LONG"}


def test_all_faults_of_a_request_are_named(calls):
    assert invalid(lambda: listing(calls, "x", page_size=-1, page_token="x")) == {
        "page_size": "OUT_OF_RANGE", "filter": "MALFORMED", "page_token": "MALFORMED"}
    assert invalid(lambda: listing(calls, "", page_token=str(uuid.uuid4()))) == {"page_token": "MALFORMED"}
