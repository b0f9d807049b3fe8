"""``POST /conversations/filter`` and ``/contacts/filter``: conditions joined left to right, without parentheses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from chatwoot_sandbox.call import Call
from chatwoot_sandbox.rails import InternalError, Unprocessable, as_array
from chatwoot_sandbox.store.enums import STATUSES
from chatwoot_sandbox.store.store import Row
from chatwoot_sandbox.versions import Version

_EQUAL: Final = ("equal_to", "not_equal_to")
_PRESENT: Final = ("is_present", "is_not_present")
_CONTAINS: Final = ("contains", "does_not_contain")
_DATES: Final = ("is_greater_than", "is_less_than", "days_before")
CONVERSATION_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "status": _EQUAL,
    "assignee_id": (*_EQUAL, *_PRESENT),
    "inbox_id": (*_EQUAL, *_PRESENT),
    "team_id": (*_EQUAL, *_PRESENT),
    "priority": _EQUAL,
    "contact_id": _EQUAL,
    "display_id": (*_EQUAL, *_CONTAINS),
    "campaign_id": (*_EQUAL, *_PRESENT),
    "labels": (*_EQUAL, *_PRESENT),
    "browser_language": _EQUAL,
    "conversation_language": _EQUAL,
    "referer": (*_EQUAL, *_CONTAINS),
    "mail_subject": (*_EQUAL, *_CONTAINS),
    "created_at": _DATES,
    "last_activity_at": _DATES,
}
_KEYS_4_11: Final = (
    *("status", "assignee_id", "inbox_id", "team_id", "priority", "display_id", "campaign_id", "labels"),
    *("browser_language", "conversation_language", "referer", "created_at", "last_activity_at", "mail_subject"),
)
_KEYS_4_7: Final = (*_KEYS_4_11[:10], "country_code", *_KEYS_4_11[10:])
"""In the order in which Chatwoot lists them when it refuses another key."""
CONTACT_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "name": (*_EQUAL, *_CONTAINS),
    "phone_number": (*_EQUAL, *_CONTAINS, "starts_with"),
    "email": (*_EQUAL, *_CONTAINS),
    "identifier": _EQUAL,
    "country_code": _EQUAL,
    "city": (*_EQUAL, *_CONTAINS),
    "company_name": (*_EQUAL, *_CONTAINS),
    "labels": (*_EQUAL, *_PRESENT),
    "created_at": _DATES,
    "last_activity_at": _DATES,
    "blocked": _EQUAL,
}
_CUSTOM: Final = (*_EQUAL, *_PRESENT, *_CONTAINS, *_DATES, "starts_with")
_ADDITIONAL: Final = {
    *("browser_language", "conversation_language", "referer", "mail_subject"),
    *("city", "company_name", "country_code"),
}

Condition = tuple[str, list[Any]]


class _Model:
    """What can be asked of conversations, or of contacts, and how a value is compared."""

    def __init__(self, call: Call, owner: str, keys: dict[str, tuple[str, ...]]) -> None:
        self.owner, self.keys = owner, keys
        self.doubles_the_plus = call.store.version.doubles_the_plus
        rows = call.store.rows(
            "SELECT attribute_key FROM custom_attribute_definitions WHERE account_id = ? AND attribute_model = ?",
            call.account_id,
            f"{owner}_attribute",
        )
        self.custom = {str(row["attribute_key"]) for row in rows}
        self.today = datetime.fromtimestamp(call.store.now(), UTC).date()

    def operators(self, key: Any) -> tuple[str, ...]:
        if isinstance(key, str) and key in self.keys:
            return self.keys[key]
        if isinstance(key, str) and key in self.custom:
            return _CUSTOM
        allowed = ",".join(self.keys)
        raise Unprocessable(
            f"Invalid attribute key - [{key}]. The key should be one of [{allowed}]"
            " or a custom attribute defined in the account."
        )

    def column(self, key: str) -> Condition:
        if key in self.keys and key not in _ADDITIONAL:
            return ("NULL" if key == "campaign_id" else f"c.{key}"), []
        table = "additional_attributes" if key in self.keys else "custom_attributes"
        return f"json_extract(c.{table}, ?)", [f'$."{key}"']

    def values(self, key: str, item: Row) -> list[Any]:
        """The values to compare with; InternalError if they are not an array."""
        values = as_array(item.get("values"))
        if values is None:
            raise InternalError
        if self.owner == "contact":
            values = values[:1]
            if key == "phone_number":
                values = [f"+{value}" if self.doubles_the_plus else f"+{str(value).lstrip('+')}" for value in values]
        if key == "status" and "all" in values:
            return list(STATUSES)
        if key == "blocked":
            return [int(value in {True, "true"}) for value in values]
        return [value for value in values if isinstance(value, str | int | float)]


def _labels_condition(model: _Model, item: Row) -> Condition:
    operator = item["filter_operator"]
    base = f"SELECT 1 FROM {model.owner}_labels l WHERE l.{model.owner}_id = c.id"  # noqa: S608
    params: list[Any] = []
    if operator in _EQUAL:
        params = model.values("labels", item)
        base += f" AND l.title IN ({', '.join('?' * len(params))})"
    return f"{'NOT ' if 'not' in operator else ''}EXISTS ({base})", params


def _invalid_value(key: str) -> Unprocessable:
    return Unprocessable(f"Invalid value. The values provided for {key} are invalid")


def _date_condition(model: _Model, key: str, item: Row) -> Condition:
    """Days are compared, not moments. ``days_before`` takes a number of days, the others a date."""
    values = model.values(key, item)
    try:
        if item["filter_operator"] == "days_before":
            day = model.today - timedelta(days=int(values[0]))
        else:
            day = date.fromisoformat(str(values[0])[:10])
    except (ValueError, IndexError, OverflowError) as error:
        raise _invalid_value(key) from error
    sign = ">" if item["filter_operator"] == "is_greater_than" else "<"
    column, params = model.column(key)
    text = column if key in model.custom else f"date({column}, 'unixepoch')"
    return f"{text} {sign} ?", [*params, day.isoformat()]


def _number_condition(model: _Model, key: str, item: Row) -> Condition:
    values = model.values(key, item)
    column, params = model.column(key)
    sign = ">" if item["filter_operator"] == "is_greater_than" else "<"
    return f"{column} {sign} ?", [*params, *values[:1]]


def _text_pattern(operator: str, value: Any) -> str:
    return f"{value}%" if operator == "starts_with" else f"%{value}%"


def _value_condition(model: _Model, key: str, item: Row) -> Condition:
    operator = item["filter_operator"]
    column, params = model.column(key)
    if operator in _PRESENT:
        return f"{column} IS {'NOT ' if operator == 'is_present' else ''}NULL", params
    values = model.values(key, item)
    negated = "NOT " if operator in {"not_equal_to", "does_not_contain"} else ""
    null = f" OR {column} IS NULL" if negated and key in model.custom else ""
    again = params if null else []
    if operator in _EQUAL:
        marks = ", ".join(["lower(?)"] * len(values))
        compared = [str(int(value)) if isinstance(value, bool) else str(value) for value in values]
        return f"(lower({column}) {negated}IN ({marks}){null})", [*params, *compared, *again]
    joined = " OR ".join([f"{column} LIKE ?"] * len(values)) or "0"
    patterns = [part for value in values for part in (*params, _text_pattern(operator, value))]
    return f"({negated}({joined}){null})", [*patterns, *again]


def _build_condition(model: _Model, item: Row) -> Condition:
    key, operator = item.get("attribute_key"), item.get("filter_operator")
    allowed = model.operators(key)
    if operator not in allowed:
        raise Unprocessable(f"Invalid operator. The allowed operators for {key} are [{','.join(allowed)}].")
    name = str(key)
    if name == "labels" and name in model.keys:
        return _labels_condition(model, item)
    if operator in _DATES:
        number = any(isinstance(value, int | float) for value in model.values(name, item)[:1])
        compare = (
            _number_condition if number and operator != "days_before" and name in model.custom else _date_condition
        )
        return compare(model, name, item)
    return _value_condition(model, name, item)


def _join_conditions(conditions: list[Condition], operators: list[Any]) -> Condition:
    """One SQL expression. A missing operator between two, or one after the last, is an SQL error."""
    if any(operator is None for operator in operators[:-1]) or operators[-1] is not None:
        raise InternalError
    sql, params = "", list[Any]()
    for (condition, values), operator in zip(conditions, operators, strict=True):
        sql += f"{condition} {str(operator).upper() if operator else ''} "
        params += values
    return sql, params


def _build_filter(call: Call, owner: str, keys: dict[str, tuple[str, ...]]) -> Condition:
    """The body's filter as an SQL expression over the table alias ``c``."""
    payload = as_array(call.body.get("payload")) or []
    if not payload or not all(isinstance(item, dict) for item in payload):
        raise InternalError
    items: list[Row] = payload
    operators = [item.get("query_operator") for item in items]
    if any(operator is not None and str(operator).upper() not in {"AND", "OR"} for operator in operators):
        raise Unprocessable('Query operator must be either "AND" or "OR".')
    model = _Model(call, owner, keys)
    return _join_conditions([_build_condition(model, item) for item in items], operators)


def _conversation_keys(version: Version) -> dict[str, tuple[str, ...]]:
    if not version.before(4, 15):
        return CONVERSATION_KEYS
    known = _KEYS_4_7 if version.before(4, 11) else _KEYS_4_11
    return {key: CONVERSATION_KEYS.get(key, _EQUAL) for key in known}


def conversation_filter(call: Call) -> Condition:
    return _build_filter(call, "conversation", _conversation_keys(call.store.version))


def contact_filter(call: Call) -> Condition:
    return _build_filter(call, "contact", CONTACT_KEYS)


def page_of_filter(call: Call) -> Any:
    """The page asked for, in the query or the body."""
    return call.one("page") or call.body.get("page")
