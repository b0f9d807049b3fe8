"""The tables, named and shaped after Chatwoot's own. JSON columns hold text; times are unix seconds."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
CREATE TABLE world_ids (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active',
    locale TEXT NOT NULL DEFAULT 'en', last_display_id INTEGER NOT NULL DEFAULT 0,
    features TEXT NOT NULL DEFAULT '{"assignment_v2": true}', created_at REAL NOT NULL);
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, display_name TEXT, email TEXT NOT NULL UNIQUE);
CREATE TABLE account_users (account_id INTEGER NOT NULL, user_id INTEGER NOT NULL, role TEXT NOT NULL,
    availability TEXT NOT NULL DEFAULT 'offline', auto_offline INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (account_id, user_id));
CREATE TABLE agent_bots (id INTEGER PRIMARY KEY, account_id INTEGER, name TEXT NOT NULL, description TEXT,
    outgoing_url TEXT);
CREATE TABLE access_tokens (token TEXT PRIMARY KEY, owner_type TEXT NOT NULL, owner_id INTEGER NOT NULL);
CREATE TABLE inboxes (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, name TEXT NOT NULL,
    channel_type TEXT NOT NULL, channel_id INTEGER NOT NULL,
    channel TEXT NOT NULL DEFAULT '{}', channel_secrets TEXT NOT NULL DEFAULT '{}',
    enable_auto_assignment INTEGER NOT NULL DEFAULT 1, lock_to_single_conversation INTEGER NOT NULL DEFAULT 0,
    csat_survey_enabled INTEGER NOT NULL DEFAULT 0, agent_bot_id INTEGER);
CREATE TABLE inbox_members (inbox_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (inbox_id, user_id));
CREATE TABLE teams (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, name TEXT NOT NULL, description TEXT,
    allow_auto_assign INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL);
CREATE TABLE team_members (team_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (team_id, user_id));
CREATE TABLE labels (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, title TEXT NOT NULL, description TEXT,
    color TEXT NOT NULL DEFAULT '#1f93ff', show_on_sidebar INTEGER NOT NULL DEFAULT 1);
CREATE TABLE canned_responses (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, short_code TEXT NOT NULL,
    content TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE custom_attribute_definitions (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL,
    attribute_model TEXT NOT NULL, attribute_key TEXT NOT NULL, attribute_display_name TEXT NOT NULL,
    attribute_display_type TEXT NOT NULL, attribute_values TEXT NOT NULL DEFAULT '[]', created_at REAL NOT NULL);
CREATE TABLE contacts (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, name TEXT, email TEXT,
    phone_number TEXT, identifier TEXT, blocked INTEGER NOT NULL DEFAULT 0,
    additional_attributes TEXT NOT NULL DEFAULT '{}', custom_attributes TEXT NOT NULL DEFAULT '{}',
    last_activity_at REAL, created_at REAL NOT NULL);
CREATE UNIQUE INDEX contacts_email ON contacts (account_id, lower(email));
CREATE UNIQUE INDEX contacts_phone ON contacts (account_id, phone_number);
CREATE UNIQUE INDEX contacts_identifier ON contacts (account_id, identifier);
CREATE TABLE contact_labels (contact_id INTEGER NOT NULL, title TEXT NOT NULL, PRIMARY KEY (contact_id, title));
CREATE TABLE contact_inboxes (id INTEGER PRIMARY KEY, contact_id INTEGER NOT NULL, inbox_id INTEGER NOT NULL,
    source_id TEXT NOT NULL, hmac_verified INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL,
    UNIQUE (inbox_id, source_id));
CREATE TABLE conversations (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, display_id INTEGER NOT NULL,
    uuid TEXT NOT NULL, inbox_id INTEGER NOT NULL, contact_id INTEGER NOT NULL, contact_inbox_id INTEGER NOT NULL,
    status TEXT NOT NULL, priority TEXT, assignee_id INTEGER, assignee_agent_bot_id INTEGER, team_id INTEGER,
    additional_attributes TEXT NOT NULL DEFAULT '{}', custom_attributes TEXT NOT NULL DEFAULT '{}',
    snoozed_until REAL, waiting_since REAL, first_reply_created_at REAL, agent_last_seen_at REAL,
    assignee_last_seen_at REAL, contact_last_seen_at REAL, last_activity_at REAL NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, UNIQUE (account_id, display_id));
CREATE TABLE conversation_labels (conversation_id INTEGER NOT NULL, title TEXT NOT NULL,
    PRIMARY KEY (conversation_id, title));
CREATE TABLE messages (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, inbox_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL, message_type INTEGER NOT NULL, content TEXT, private INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'sent', source_id TEXT, content_type TEXT NOT NULL DEFAULT 'text',
    content_attributes TEXT NOT NULL DEFAULT '{}', additional_attributes TEXT NOT NULL DEFAULT '{}',
    attachments TEXT NOT NULL DEFAULT '[]',
    sender_type TEXT, sender_id INTEGER, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX messages_conversation ON messages (conversation_id, created_at);
"""
"""``inboxes.channel`` holds the channel's public fields (phone_number, medium, message_templates, website_url, ...),
``channel_secrets`` those shown only to administrators. ``conversations.id`` is internal; ``display_id`` is the one
in addresses. ``messages.conversation_id`` refers to the internal id. ``accounts.features``
holds those that are on; without ``assignment_v2``, as in older accounts, agents are assigned before the answer."""
