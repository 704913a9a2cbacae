import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { CommandProblem, exit } from '../program/problem.ts';

/**
 * Finds a file or folder that the user named.
 * @returns undefined if it does not exist
 * @throws CommandProblem if it cannot be read
 */
export function findGiven(path: string): Stats | undefined {
  try {
    const stats = statSync(path);
    accessSync(path, constants.R_OK);
    return stats;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const isForbidden = code === 'EACCES' || code === 'EPERM';
    const hint = isForbidden ? ': let this account read it and enter its folders' : '';
    throw new CommandProblem(exit.data, `${path} cannot be read (${code})${hint}`);
  }
}
