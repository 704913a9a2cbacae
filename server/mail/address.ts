import { visibleLine } from '../text/blank.ts';

/** The name and address of a sender. */
export interface Mailbox {
  /** May be empty. */
  name: string;
  address: string;
}

/** Maximum lengths of the local part and of the whole address (RFC 5321). */
const longest = { local: 64, whole: 254 };
const longestName = 100;

/**
 * Whether the text is an address of the usual form, in any script. Nothing in it can end an address, a header or a
 * command.
 */
export function isMailAddress(text: string): boolean {
  if (text.length > longest.whole) return false;
  const [, local = '', domain = ''] =
    /^([^\s@<>()[\]\\,;:"\p{C}]+)@([\p{L}\p{M}\p{N}.-]+)$/u.exec(text) ?? [];
  const isLocal = local.length <= longest.local && !/^\.|\.\.|\.$/.test(local);
  return isLocal && domain.split('.').every((label) => /^(?!-).{1,63}(?<!-)$/u.test(label));
}

/** Parses `ADDRESS` or `NAME <ADDRESS>`. Returns undefined for anything else. */
export function readMailbox(text: string): Mailbox | undefined {
  const [, name = '', address = text] = /^(.*?)\s*<([^<>]*)>$/.exec(text) ?? [];
  if (!isMailAddress(address) || /[<>"]/.test(name)) return undefined;
  return { name: visibleLine(name, longestName), address };
}
