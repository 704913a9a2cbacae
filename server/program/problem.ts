/** Exit codes by the convention of sysexits.h. */
export const exit = {
  /** EX_USAGE: the command line is wrong. */
  usage: 64,
  /** EX_DATAERR: the content of a file is wrong. */
  data: 65,
  /** EX_NOUSER: the chat does not know the user. */
  noUser: 67,
  /** EX_UNAVAILABLE: a server, a database or a store does not answer. */
  unavailable: 69,
  /** EX_SOFTWARE: the server did not do what its documentation promises. */
  software: 70,
  /** EX_IOERR: a file cannot be written. */
  output: 74,
  /** EX_TEMPFAIL: the mail server must try again later. */
  tryAgain: 75,
  /** EX_CONFIG: the site, a setting or an answer of the owner is wrong. */
  configuration: 78,
} as const;

/** A problem that the owner can fix. The command prints the message and exits with the code. */
export class CommandProblem extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'CommandProblem';
    this.code = code;
  }
}
