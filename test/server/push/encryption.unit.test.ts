import { createECDH, createPublicKey, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { areKeys, encrypted, mostPlain } from '../../../server/push/encryption.ts';
import { authorization, drawVapidKey, vapidKeyOf } from '../../../server/push/vapid.ts';
import { browserKeys, decrypted } from '../../helpers/push-service.ts';

const bytes = (text: string) => Buffer.from(text, 'base64url');
/** Appendix A of RFC 8291. */
const vector = {
  plain: 'When I grow up, I want to be a watermelon',
  p256dh: bytes('BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4'),
  auth: bytes('BTBZMqHH6r4Tts7J_aSIgg'),
  sender: bytes('yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw'),
  salt: bytes('DGv6ra1nlYgDCS1FRnbzlw'),
  body: 'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
};

test('encrypts the example of RFC 8291 byte for byte', () => {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(vector.sender);
  const body = encrypted(Buffer.from(vector.plain), vector, { ecdh, salt: vector.salt });
  expect(body.toString('base64url')).toBe(vector.body);
});

test('limits a push to 4,096 bytes, with a new key and salt each time', () => {
  const keys = browserKeys();
  const longest = Buffer.alloc(mostPlain, 'x');
  const [one, other] = [encrypted(longest, keys), encrypted(longest, keys)];
  expect(one).toHaveLength(4096);
  expect(one.subarray(0, 86).equals(other.subarray(0, 86))).toBe(false);
  for (const body of [one, other]) expect(decrypted(body, keys)).toEqual(longest);
  expect(() => encrypted(Buffer.alloc(mostPlain + 1), keys)).toThrow(RangeError);
});

test('recognizes keys that no browser can have generated', () => {
  const { p256dh, auth } = vector;
  expect(areKeys({ p256dh, auth })).toBe(true);
  const off = Buffer.from(p256dh);
  off[64] = (off[64] as number) ^ 1;
  const compressed = Buffer.concat([Buffer.of(2), p256dh.subarray(1, 33)]);
  for (const point of [off, compressed, Buffer.alloc(65), Buffer.of(4), Buffer.alloc(65, 4)]) {
    expect(areKeys({ p256dh: point, auth })).toBe(false);
  }
  expect(areKeys({ p256dh, auth: auth.subarray(1) })).toBe(false);
});

test('signs a push as in the example of RFC 8292, for its service only', async () => {
  const key = vapidKeyOf(drawVapidKey());
  const at = (1_453_523_768 - 12 * 60 * 60) * 1000;
  const header = await authorization(key, 'https://push.example.net', 'mailto:push@example.com', at);
  const [, token = '', point = ''] = /^vapid t=(.+),k=(.+)$/.exec(header) ?? [];
  const [head, claims, signature = ''] = token.split('.');
  expect(`${head}.${claims}`).toBe(
    'eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0',
  );
  expect(point).toBe(key.public);
  const raw = bytes(point);
  const [x, y] = [raw.subarray(1, 33).toString('base64url'), raw.subarray(33).toString('base64url')];
  const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  const signed = Buffer.from(`${head}.${claims}`);
  expect(verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes(signature))).toBe(
    true,
  );
});
