//! Signing what is sent, and keeping the keys it is signed with.
