/** Maximum lengths of the local part and of the whole address (RFC 5321). */
const longest = { local: 64, whole: 254 };

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

/** Returns the address of the mailbox: `ann@example.org` for `ann+chat@example.org`. */
export const withoutTag = (address: string): string => address.replace(/\+[^@]*@/, '@');
