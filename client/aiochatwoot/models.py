"""What Chatwoot answers, typed. Unknown fields are ignored, so channel secrets never get past this module.

Required is what no answer of Chatwoot 3.16 to 4.15 and its editions went without. What has a default may be missing,
and null is the same as missing: answers differ by version, by role and by channel, and leave out what is nothing
(``meta.assignee``, ``meta.team``, ``sender``). Where a version is the reason, the field says so (``docs/versions.md``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)


def _moment(value: object) -> object:
    """Chatwoot mixes unix seconds (0 for null), unix floats and ISO 8601 in one object."""
    if value is None or value == 0:
        return None
    if isinstance(value, int | float):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError):
            raise ValueError("out of range") from None
    return value


Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""A time in UTC, or None."""
Attributes = dict[str, Any]
Status = Literal["open", "resolved", "pending", "snoozed"]
Priority = Literal["low", "medium", "high", "urgent"]


class Resource(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in cast("dict[str, Any]", data).items() if value is not None}


class Membership(Resource):
    """An account as a person's profile lists it."""

    id: int
    name: str = ""
    role: str | None = None
    status: str | None = None


class Profile(Resource):
    """Who a person's token belongs to. Bot tokens have no profile."""

    id: int
    name: str | None = None
    email: str | None = None
    accounts: tuple[Membership, ...] = ()


class Account(Resource):
    id: int
    name: str = ""
    status: str | None = None


class Agent(Resource):
    """A person of the account; as an assignee also an agent bot (since 4.11), which has just a name."""

    id: int
    name: str | None = None
    available_name: str | None = None
    email: str | None = None
    role: str | None = None
    availability_status: str | None = None


class Team(Resource):
    id: int
    name: str
    description: str | None = None
    allow_auto_assign: bool | None = None


class Named(Resource):
    name: str | None = None


class InboxBot(Resource):
    """The bot of an inbox: ``{}`` where there is none. Its token and secret come along, and only the name stays."""

    agent_bot: Named | None = None


class Label(Resource):
    id: int
    title: str
    description: str | None = None


class CannedResponse(Resource):
    id: int
    short_code: str
    content: str | None = None


class CustomAttribute(Resource):
    """A field that an account defined. ``attribute_model``: conversation_attribute or contact_attribute."""

    attribute_key: str
    attribute_display_name: str | None = None
    attribute_display_type: str | None = None
    attribute_model: str | None = None
    attribute_values: tuple[Any, ...] | None = None


class Inbox(Resource):
    """An inbox. ``medium`` tells SMS from WhatsApp on Twilio; templates exist on WhatsApp channels."""

    id: int
    name: str = ""
    channel_type: str
    medium: str | None = None
    phone_number: str | None = None
    lock_to_single_conversation: bool | None = None
    enable_auto_assignment: bool | None = None
    csat_survey_enabled: bool | None = None
    message_templates: Any = None
    content_templates: Any = None
    """Of Twilio's channels, since 4.7."""


class SlimInbox(Resource):
    id: int
    name: str = ""
    channel_type: str | None = None


class ContactInbox(Resource):
    """The identity of a contact inside one inbox."""

    source_id: str
    inbox: SlimInbox


class Contact(Resource):
    id: int
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    identifier: str | None = None
    blocked: bool | None = None
    """Since 4.0."""
    custom_attributes: Attributes = Field(default_factory=dict[str, Any])
    additional_attributes: Attributes = Field(default_factory=dict[str, Any])
    last_activity_at: Moment = None
    created_at: Moment = None
    contact_inboxes: tuple[ContactInbox, ...] = ()


class ContactCounts(Resource):
    """``count`` is the total. Of a search only before 4.11: since then that of the page, and ``has_more`` is there."""

    count: int | None = None
    has_more: bool | None = None


class Sender(Resource):
    """Who wrote a message. ``type``: user, contact, agent_bot, captain_assistant."""

    id: int | None = None
    name: str | None = None
    type: str | None = None


class Attachment(Resource):
    """``data_url`` opens without a token."""

    file_type: str | None = None
    data_url: str | None = None


class MessageIdentity(Resource):
    source_id: str | None = None


class MessageConversation(Resource):
    """What a message that is shown inside its conversation says of it."""

    contact_inbox: MessageIdentity | None = None


class Message(Resource):
    """A message in either of Chatwoot's shapes. ``message_type``: 0 incoming, 1 outgoing, 2 activity, 3 template."""

    id: int
    conversation_id: int | None = None
    content: str | None = None
    private: bool = False
    message_type: int
    status: str | None = None
    content_attributes: Attributes = Field(default_factory=dict[str, Any])
    sender: Sender | None = None
    attachments: tuple[Attachment, ...] = ()
    created_at: Moment = None
    conversation: MessageConversation | None = None


class ConversationMeta(Resource):
    sender: Contact | None = None
    channel: str | None = None
    assignee: Agent | None = None
    assignee_type: str | None = None
    """Since 4.11, where somebody is assigned."""
    team: Team | None = None


class ConversationCounts(Resource):
    """Counts over all pages, before ``assignee_type`` is heeded."""

    mine_count: int | None = None
    assigned_count: int | None = None
    unassigned_count: int | None = None
    all_count: int | None = None


class Conversation(Resource):
    """A conversation. ``id`` is the number within the account, which is the one in every address.

    ``raw`` is the answer as Chatwoot gave it.
    """

    id: int
    uuid: str | None = None
    account_id: int
    inbox_id: int
    status: Status
    priority: Priority | None = None
    labels: tuple[str, ...] = ()
    custom_attributes: Attributes = Field(default_factory=dict[str, Any])
    additional_attributes: Attributes = Field(default_factory=dict[str, Any])
    can_reply: bool | None = None
    snoozed_until: Moment = None
    created_at: Moment = None
    meta: ConversationMeta = ConversationMeta()
    last_activity_at: Moment = None
    unread_count: int | None = None
    messages: tuple[Message, ...] = ()
    last_non_activity_message: Message | None = None

    _raw: Mapping[str, Any] = PrivateAttr(default_factory=dict[str, Any])

    @model_validator(mode="wrap")
    @classmethod
    def _keep_raw(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        conversation = handler(data)
        if isinstance(data, dict):
            conversation._raw = data  # noqa: SLF001 - its own
        return conversation

    @property
    def raw(self) -> Mapping[str, Any]:
        return self._raw

    @property
    def source_id(self) -> str | None:
        """Whose identity in the inbox it is of. Its messages alone say so, and only where they are shown in it."""
        of_messages = [each.conversation.contact_inbox for each in self.messages if each.conversation]
        return next((each.source_id for each in of_messages if each), None)
