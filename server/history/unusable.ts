/** The SQLite result codes of a file that is damaged or is not a database. */
const damagedCodes = [11, 26];
/** The system's error codes of a file that the account cannot write to. */
const forbiddenCodes = ['EROFS', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR'];

/** The tables or the data of a history do not belong to this version. */
export class UnknownTables extends Error {
  // A property, because an error from a worker thread loses its class.
  readonly code = 'UNKNOWN_TABLES';
}

/** A history that was moved: see server/backup/move.ts. Servers that used it would not share their messages. */
export const movedAway = (): UnknownTables =>
  new UnknownTables(
    'it was moved, or a move was interrupted: set CHAT_HISTORY to the new history, or run the command "move" again. To use the old one again, run "move --back"',
  );

/** A history that cannot be opened. */
export class UnusableHistory extends Error {
  /**
   * `data`: another build made the tables, or the file is damaged. `configuration`: a setting, a right or the database
   * server must be changed. `unavailable`: it may work later, such as after a restart of the database.
   */
  readonly because: 'data' | 'configuration' | 'unavailable';

  /** @param place the path or the address of the history, without a password */
  constructor(place: string, cause: Error) {
    super(`the history ${place} cannot be opened: ${cause.message}`, { cause });
    this.name = 'UnusableHistory';
    this.because = becauseOf(cause);
  }
}

function becauseOf(cause: Error): UnusableHistory['because'] {
  const { code = '', errcode = 0, problem } = cause as { code?: string; errcode?: number; problem?: string };
  // The upper bits of `errcode` have details.
  if (code === 'UNKNOWN_TABLES' || damagedCodes.includes(errcode & 0xff)) return 'data';
  return problem === 'refused' || forbiddenCodes.includes(code) ? 'configuration' : 'unavailable';
}
