import type { KeyObject } from 'node:crypto';

/** Returns a signed JSON Web Token. */
export async function signedToken(
  alg: 'ES256' | 'RS256',
  claims: Record<string, string | number>,
  key: KeyObject,
): Promise<string> {
  // Loaded on demand, because a site without devices sends no push.
  const { SignJWT } = await import('jose');
  return new SignJWT(claims).setProtectedHeader({ typ: 'JWT', alg }).sign(key);
}
