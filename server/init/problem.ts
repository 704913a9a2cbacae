/** Exit codes by the convention of sysexits.h. */
export const exit = {
  /** The command was not used as it has to be. */
  usage: 64,
  /** A database or a store does not answer. */
  unavailable: 69,
  /** A file cannot be written. */
  output: 74,
  /** The site, or the answers of the owner, do not fit. */
  configuration: 78,
} as const;

/** A problem that the owner can mend: `init` prints it and ends with that code. */
export class InitProblem extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'InitProblem';
    this.code = code;
  }
}
