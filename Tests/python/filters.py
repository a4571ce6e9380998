"""Filters of ListUsers, their users and orders, as a model in Python has them."""

import datetime
import random
import unicodedata

NAMES = ["Ada", "ada", "ADA", "Adam", "adele", "\u00c9va", "\u00e9va", "Eva", "stra\u00dfe", "STRASSE", "a*b", 'say "a"',
         "back\\slash", "\u0130stanbul", "", "_x", "[y", "Zo\u00eb", "zoe", "\U0001f600"]
SEED = 20_260_131


def folded(text):
    """Returns what is equal for texts that are a canonical caseless match (Unicode definition D145)."""
    folded = "".join(one.lower().upper().lower() for one in unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", folded)


def folded_address(text):
    local_part, _, domain = text.rpartition("@")
    return f"{folded(local_part)}@{domain.lower()}" if local_part else folded(text)


def quoted(text):
    """Returns the text as a filter has it."""
    return '"' + "".join("\\" + one if one in '"\\*' else one for one in text) + '"'


def rfc3339(microseconds, offset=0, more=""):
    """Returns a time with an offset from UTC in minutes, and `more` digits."""
    zone = datetime.timezone(datetime.timedelta(minutes=offset))
    text = (datetime.datetime.fromtimestamp(0, zone) + datetime.timedelta(microseconds=microseconds)).isoformat(
        timespec="microseconds")
    return f"{text[:26]}{more}{text[26:]}"


def microseconds(time):
    return time.seconds * 1_000_000 + time.nanos // 1_000


def populate(calls, pb):
    """Creates 300 users, some changed, inactive or deleted. Returns them in the order of creation."""
    chance = random.Random(SEED)
    rows = []
    for number in range(300):
        prefix = chance.choice(["ada", "Ada", "\u00e9va", "\u00c9va", "bob", "stra\u00dfe", "x_y"])
        email = f"{prefix}{number}@{chance.choice(['example.com', 'Example.NET', 'xn--bcher-kva.example'])}"
        labels = {key: chance.choice(["a", "b", ""]) for key in ("tenant", "team") if chance.random() < 0.6}
        rows.append(pb.CreateUserRequest(email=email, name=chance.choice(NAMES), labels=labels))
    ids = list(calls.bulk(*rows).user_ids)
    assert len(ids) == 300
    for user_id in chance.sample(ids, 120):
        calls.update(user_id, status=chance.choice([1, 2]), name=chance.choice(NAMES))
    for user_id in chance.sample(ids, 40):
        calls.delete(user_id)
    return [calls.get(user_id, show_deleted=True) for user_id in ids]


def listing(calls, text, **fields):
    users = calls.listing(filter=text, **fields)
    for user in users:
        user.ClearField("page_token")
    return users


def matched(model, *conditions, deleted=False):
    return [user for user in model if (deleted or not user.HasField("delete_time"))
            and all(condition(user) for condition in conditions)]


def by_name(user):
    return folded(user.name).encode(), user.id


def by_email(user):
    return folded_address(user.email).encode(), user.id


def by_update(user):
    return user.update_time.ToNanoseconds(), user.id


def order(fields):
    """Returns the promised order of a listing with conditions on these fields."""
    if "email" in fields:
        return by_email
    if "name" in fields:
        return by_name
    if any(field.startswith("labels.") for field in fields) or "inactive" in fields:
        return lambda user: user.id
    return by_update if "update" in fields else None
