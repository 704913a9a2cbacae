import type { Client } from '../client.ts';
import type { CommandLine } from '../command-line.ts';
import type { OpenSession } from '../sessions.ts';

/** Fails a command with this message. If it is empty, the command's `failure` is sent. */
export class CommandError extends Error {}

export interface Command {
  /** The text of an error reply, unless a CommandError has another message. */
  failure: string;
  /** Whether the command needs an open session, or a session that is open for writing. */
  session?: 'open' | 'write';
  /** Allowed before `auth`. */
  beforeAuth?: true;
  /** Allowed while the connection has subscriptions. */
  whileSubscribed?: true;
  /**
   * Runs the command.
   * @returns the text after `ok `, or undefined for `ok` alone
   * @throws CommandError with a message for a specific error
   */
  run(client: Client, line: CommandLine): string | undefined | Promise<string | undefined>;
}

/** Commands by name in lower case. */
export type Commands = Record<string, Command>;

/** Whether the text is a session ID. An ID is also a file name, so it must not contain a path. */
export const isSessionId = (text: string): boolean => /^[A-Za-z0-9,_-]{1,128}$/.test(text);

/** Returns the text if it is a session ID. @throws CommandError */
export function requireSessionId(text: string): string {
  if (!isSessionId(text)) throw new CommandError();
  return text;
}

/** Parses a number. @throws CommandError if the text is not a decimal number up to `max` */
export function parseNumber(text: string, max: number): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > max) throw new CommandError();
  return Number(text);
}

/** Returns the open session of a client. @throws CommandError if none is open */
export function requireSession({ session }: Client): OpenSession {
  if (session === null) throw new CommandError('No session opened.');
  return session;
}
