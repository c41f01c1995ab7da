"""What schemathesis cannot know of our formats: which texts are good ones."""
import schemathesis
from hypothesis import strategies as st

TYPES = [
    "user.created", "user.deleted", "user.profile.updated", "user.identifier.created",
    "user.identifier.deleted", "user.session.created", "user.session.revoked",
]
PATHS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_/", max_size=20)
schemathesis.openapi.format("uri", PATHS.map(lambda path: "https://example.com/" + path))
schemathesis.openapi.format("event-type", st.sampled_from(TYPES))
# Cursors and ids cannot be made up: these are of the right form, and nobody's.
schemathesis.openapi.format("cursor", st.just("1"))
schemathesis.openapi.format("page-cursor", st.just("n1"))
schemathesis.openapi.format("webhook-id", st.just("web_01jqebhswje1ka1z7ahr9rfsgt"))
schemathesis.openapi.format("batch-id", st.just("bat_01jqebhswje1ka1z7ahr9rfsgt"))
