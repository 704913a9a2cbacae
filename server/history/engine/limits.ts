/** Times in milliseconds for a database that is slow or does not answer. A client gets its answer within 8 s. */
export const connectLimit = 3000;
/** A statement is given up by the database, and so is the wait for a lock. */
export const statementLimit = 5000;
export const lockLimit = 3000;
/** A transaction in which nothing happens ends, with its locks: the server that began it is gone. */
export const transactionLimit = 10_000;
/** A database that has not answered at all by then is given up. */
export const answerLimit = 6000;

/** The claim of a server that has asked for nothing for so long is free: its machine, or the network, is gone. */
export const claimLimit = 5000;

/**
 * Connections at once: of reads, and of searches. There is another connection for writes, one for background work,
 * and one for the claim.
 */
export const mostReaders = 4;
export const mostSearchers = 2;
