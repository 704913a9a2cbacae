/** SQLite result codes. `noRoomForIndex` is an extended code: no disk space for the WAL index. */
const codes = { busy: 5, full: 13, noRoomForIndex: 4874 };

const codeOf = (error: unknown) => (error as { errcode?: number }).errcode ?? 0;

/** Whether SQLite or the system failed because the disk is full. */
export function isFull(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  return (codeOf(error) & 0xff) === codes.full || codeOf(error) === codes.noRoomForIndex;
}

/** Whether another program has locked the file beyond the timeout. */
export function isLocked(error: unknown): boolean {
  return (codeOf(error) & 0xff) === codes.busy;
}

/** Whether the storage failed. An error without a code of SQLite or the system is a bug in this program. */
export function isStorage(error: unknown): boolean {
  const { errcode, syscall } = error as { errcode?: number; syscall?: string };
  return errcode !== undefined || syscall !== undefined;
}
