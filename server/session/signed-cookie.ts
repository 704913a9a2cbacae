import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionCookie } from './cookie.ts';

const form = /^([A-Za-z0-9,-]{1,256})\.([0-9a-f]{64})$/;

/**
 * `ID.SIGNATURE`, as `SignedCookie.php` makes it: the signature is the HMAC-SHA-256 of `NAME.ID` in hexadecimal digits,
 * with the cookie's name before the id, so that what is signed for one cookie does not pass as another.
 * @param keys any of them may have signed
 */
export function signedCookie(name: string, keys: readonly Buffer[]): SessionCookie {
  return {
    name,
    idIn(value) {
      const [, id, signature] = (typeof value === 'string' && form.exec(value)) || [];
      if (id === undefined || signature === undefined) return null;
      const given = Buffer.from(signature, 'hex');
      const signedBy = (key: Buffer) =>
        timingSafeEqual(createHmac('sha256', key).update(`${name}.${id}`).digest(), given);
      return keys.some(signedBy) ? id : null;
    },
  };
}
