/**
 * Decodes base64url as RFC 7515, section 2, defines it. Returns null for padding, blanks, other characters, and a last
 * character with excess bits: otherwise a signature would have several forms.
 */
export function decodeBase64Url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}
