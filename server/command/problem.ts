/** Exit codes by the convention of sysexits.h. */
export const exit = {
  /** EX_USAGE: the command was not used as it has to be. */
  usage: 64,
  /** EX_DATAERR: a file cannot be used. */
  data: 65,
  /** EX_NOUSER: the chat does not know that user. */
  noUser: 67,
  /** EX_UNAVAILABLE: a server, a database or a store does not answer. */
  unavailable: 69,
  /** EX_SOFTWARE: the server did not keep a promise. */
  software: 70,
  /** EX_IOERR: a file cannot be written. */
  output: 74,
  /** EX_CONFIG: the site, a setting, or an answer of the owner does not fit. */
  configuration: 78,
} as const;

/** A problem that the owner can mend: the command prints it and ends with that code. */
export class CommandProblem extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'CommandProblem';
    this.code = code;
  }
}
