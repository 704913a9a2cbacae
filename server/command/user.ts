import { CommandProblem, exit } from '../program/problem.ts';

/** Returns the user ID that a command names. @throws CommandProblem if there is not exactly one */
export function theUser(words: readonly string[], help: string): string {
  const [user, ...more] = words;
  if (user !== undefined && user !== '' && more.length === 0) return user;
  const what = user ? `expected one user, got ${words.length}` : 'the user ID is missing';
  throw new CommandProblem(exit.usage, `${what}\n\n${help}`);
}
