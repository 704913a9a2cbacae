import { visibleLine } from '../wire/blank.ts';

/** A sender: the name that readers see, and the address. */
export interface Mailbox {
  /** Empty if there is none. */
  name: string;
  address: string;
}

/** Longer than any address that a server takes (RFC 5321). */
const longest = { local: 64, whole: 254 };
const longestName = 100;

/** The usual form of an address, in any script: nothing in it can end an address, a header or a command. */
export function isMailAddress(text: string): boolean {
  if (text.length > longest.whole) return false;
  const [, local = '', domain = ''] =
    /^([^\s@<>()[\]\\,;:"\p{C}]+)@([\p{L}\p{M}\p{N}.-]+)$/u.exec(text) ?? [];
  const isLocal = local.length <= longest.local && !/^\.|\.\.|\.$/.test(local);
  return isLocal && domain.split('.').every((label) => /^(?!-).{1,63}(?<!-)$/u.test(label));
}

/** `ADDRESS` or `NAME <ADDRESS>`; undefined for anything else. */
export function readMailbox(text: string): Mailbox | undefined {
  const [, name = '', address = text] = /^(.*?)\s*<([^<>]*)>$/.exec(text) ?? [];
  if (!isMailAddress(address) || /[<>"]/.test(name)) return undefined;
  return { name: visibleLine(name, longestName), address };
}
