/** Timeouts in milliseconds for a slow or silent database. Together they let a client get a response within 8 s. */
export const connectLimit = 3000;
/** After these times, the database aborts a statement, or its wait for a lock. */
export const statementLimit = 5000;
export const lockLimit = 3000;
/** The database ends an idle transaction and releases its locks, because its server is gone. */
export const transactionLimit = 10_000;
/** Without any response within this time, the connection counts as lost. */
export const answerLimit = 6000;

/**
 * The database releases the claim of a server that was silent for this time, because its machine or network failed.
 */
export const claimLimit = 5000;

/** Maximum connections for reads and for searches. Writes, background work, claim and change log have one each. */
export const mostReaders = 4;
export const mostSearchers = 2;

/**
 * The reads that search. They take longest, so no other read waits for them, and accounts take turns: see `FairQueue`.
 */
export const searches = { search: true, findUsers: true, findMembers: true } as const;

/** The rows of one part of `DatabaseConnection.stream`. */
export const rowsPerPart = 500;
