// Package hub downloads models and datasets from the Hugging Face hub, or a
// server like it, into the hub's standard cache, which Python's
// huggingface_hub shares:
//
//	CACHE/models--ORG--NAME/refs/main              the commit that main was when it was last pulled
//	CACHE/models--ORG--NAME/snapshots/COMMIT/…     the repository's files, as links to
//	CACHE/models--ORG--NAME/blobs/CHECKSUM         their content, one blob for equal files
//	CACHE/models--ORG--NAME/trees/COMMIT.json      what the commit holds, so that a partial download shows
//	CACHE/.locks/models--ORG--NAME/CHECKSUM.lock   held (flock) while a blob is downloaded
//
// # What is promised
//
// A blob appears under its name only when its size and checksum (SHA-256 for
// large files, git's SHA-1 for the others) are what the hub's listing says.
// Until then it grows as CHECKSUM.incomplete, from which a download that was cut off, also in
// an earlier run, continues. A blob that Pull finds in the cache is read and checked in the
// same way, and replaced if it differs. The reference is written last. Names of files, commits
// and checksums that a server sends are checked before they become parts of paths. Nothing is
// written through a link in the place of a blob or a lock.
//
// The token is sent only to the endpoint's own scheme, host and port; a redirect to another
// host is followed without it.
//
// Every wait for a server ends: for an answer that stops in the middle, and for one that
// arrives a few bytes at a time.
package hub
