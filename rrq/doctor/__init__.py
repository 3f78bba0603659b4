"""Does what stands in Redis agree with itself? Every invariant of the schema, looked for on a live
server.

A server that is at work changes between two reads. So what looks wrong at a cheap first look is
only a suspect: it is a finding when one atomic look confirms it, twice, with so much time between
that no producer can still be in the middle of writing it. Of a healthy server nothing remains.

`examination` leads; `keyspace` knows the keys, `view` reads all that concerns a job in one
transaction, `judgement` says what is wrong with it, `repair` mends it. The command is `rrq doctor`.
"""
