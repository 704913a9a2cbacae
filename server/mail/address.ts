import { visibleLine } from '../text/blank.ts';
import { isMailAddress } from '../text/mail-address.ts';

/** The name and address of a sender. */
export interface Mailbox {
  /** May be empty. */
  name: string;
  address: string;
}

const longestName = 100;

/** Parses `ADDRESS` or `NAME <ADDRESS>`. Returns undefined for anything else. */
export function readMailbox(text: string): Mailbox | undefined {
  const [, name = '', address = text] = /^(.*?)\s*<([^<>]*)>$/.exec(text) ?? [];
  if (!isMailAddress(address) || /[<>"]/.test(name)) return undefined;
  return { name: visibleLine(name, longestName), address };
}
