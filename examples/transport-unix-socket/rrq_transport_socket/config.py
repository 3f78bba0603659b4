"""The table of an executor of `type = "socket"`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rrq.protocol import MAX_MESSAGE_BYTES
from rrq_transport_socket.address import Address


class SocketConfig(BaseModel):
    """Where the executors are, and how patient to be with them."""

    model_config = ConfigDict(extra="forbid")

    addresses: list[str] = Field(
        min_length=1, description="Where they listen: unix:PATH or tcp:HOST:PORT, each once."
    )
    max_in_flight: int | None = Field(
        default=None, ge=1, description="Requests at once on a connection; its hello may say less."
    )
    start_timeout_seconds: float = Field(
        default=30.0, gt=0, description="How long the first of them may take to answer."
    )
    reconnect_max_seconds: float = Field(
        default=5.0, gt=0, description="The longest pause between two attempts to connect."
    )
    cancel_grace_seconds: float = Field(
        default=5.0, ge=0, description="How long a cancelled request may take to stop."
    )
    max_message_bytes: int = Field(
        default=MAX_MESSAGE_BYTES, ge=1024, description="The longest line, in either direction."
    )

    @field_validator("addresses")
    @classmethod
    def _can_be_parsed(cls, addresses: list[str]) -> list[str]:
        for address in addresses:
            Address.parse(address)
        if len(set(addresses)) < len(addresses):
            raise ValueError("an address is there twice")
        return addresses
