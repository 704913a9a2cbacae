import type { Client } from '../client.ts';
import type { CommandLine } from '../command-line.ts';
import type { OpenSession } from '../sessions.ts';

/** Ends a command with an error: its message, or the command's `failure` if it has none. */
export class Refused extends Error {}

export interface Command {
  /** The error if the command fails and there is no better one. */
  failure: string;
  /** `open`: needs an open session; `write`: needs one that is open for writing. */
  session?: 'open' | 'write';
  /** Allowed before `auth`. */
  beforeAuth?: true;
  /** Allowed while the connection has subscriptions. */
  whileSubscribed?: true;
  /**
   * @returns the text after `ok `; undefined for `ok` alone
   * @throws Refused for an error of its own; anything else becomes `failure`
   */
  run(client: Client, line: CommandLine): string | undefined | Promise<string | undefined>;
}

/** Commands by their names in lower case. */
export type Commands = Record<string, Command>;

/** An ID is also the name of a file, so it must not hold a path. */
export const isSessionId = (text: string): boolean => /^[A-Za-z0-9,_-]{1,128}$/.test(text);

/** @throws Refused if the text is no ID */
export function sessionId(text: string): string {
  if (!isSessionId(text)) throw new Refused();
  return text;
}

/** Reads a decimal number. @throws Refused if it is none, or above the limit */
export function numberUpTo(limit: number, text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > limit) throw new Refused();
  return Number(text);
}

/** The session of a command that needs one. */
export function openSession({ session }: Client): OpenSession {
  if (session === null) throw new Refused('No session opened.');
  return session;
}
