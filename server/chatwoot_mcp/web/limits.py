"""What the parser of HTTP and what comes after it have in common."""

from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""Of the head of a request, or of anything else that has to be kept until it is whole."""
REFUSALS: Final = "refusals"
"""Under which name the app's state has what refusals are told to."""
