import type { Client } from './client.ts';
import type { CommandLine } from './command-line.ts';

/** Ends a command with an error: its own, or this one. */
export class Refused extends Error {}

export interface Command {
  /** The error when it cannot be done, and nothing better is to be said. */
  failure: string;
  /** `open`: needs an open session; `write`: and one that may be changed. */
  session?: 'open' | 'write';
  /** Taken before `auth` too. */
  beforeAuth?: true;
  /** Taken while sessions are watched. */
  watching?: true;
  /**
   * @returns what follows `ok`; undefined for nothing, not even a blank
   * @throws Refused with the error; anything else is the failure
   */
  run(client: Client, line: CommandLine): string | undefined | Promise<string | undefined>;
}

/** Commands by their name in lower case. */
export type Commands = Record<string, Command>;

/** An ID is also the name of a file: nothing in it may lead elsewhere. */
export const isSessionId = (text: string): boolean => /^[A-Za-z0-9,_-]{1,128}$/.test(text);

/** @throws Refused when it is none */
export function sessionId(text: string): string {
  if (!isSessionId(text)) throw new Refused();
  return text;
}

/** A number in decimal digits. @throws Refused when it is none, or too high */
export function numberUpTo(most: number, text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > most) throw new Refused();
  return Number(text);
}

/** The session of a command that says it needs one. */
export function openSession({ session }: Client) {
  if (session === null) throw new Refused('No session opened.');
  return session;
}
