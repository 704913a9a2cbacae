import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { Admission } from '../../../server/connections/admission.ts';
import { Drain } from '../../../server/requests/drain.ts';

const rate = { count: 1, ms: 1000 };
const admission = new Admission(
  {
    origins: [],
    nativeClients: false,
    trustedProxies: ['10.0.0.0/8'],
    limitConnectAddress: rate,
    limitConnectionsAddress: 1,
    limitMe: rate,
  },
  { binding: () => null },
  new Drain(),
);
const request = (remoteAddress: string, headers: object) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;

test('the credentials of a request have the whole address of the client, and never a forged one', () => {
  const headers = { cookie: 'a=1', 'user-agent': 'Browser', 'x-forwarded-for': '6.6.6.6, 2001:db8::5:6' };
  const forwardedFor = headers['x-forwarded-for'];
  const isPageHost = expect.any(Function);
  const others = { cookies: 'a=1', session: 'own', userAgent: 'Browser', forwardedFor, isPageHost };
  expect(admission.credentials(request('::ffff:10.0.0.1', headers), 'own')).toEqual({
    ...others,
    address: '2001:db8::5:6',
    client: '2001:db8:0:0::/64',
  });
  expect(admission.credentials(request('::ffff:192.0.2.1', headers), 'own')).toEqual({
    ...others,
    address: '192.0.2.1',
    client: '192.0.2.1',
  });
});
