import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { Admission } from '../../../server/connections/admission.ts';
import { Drain } from '../../../server/requests/drain.ts';
import { cpuOf, tenMillionBytes } from '../../helpers/cpu.ts';

test('the longest origin that a header holds costs no more than another one', () => {
  const unlimited = { count: 0, ms: 1000 };
  const admission = new Admission(
    {
      origins: ['https://good.example'],
      nativeClients: true,
      trustedProxies: [],
      limitConnectAddress: unlimited,
      limitConnectionsAddress: 0,
      limitMe: unlimited,
    },
    { binding: () => null },
    new Drain(),
  );
  const signs = Array.from({ length: 1700 }, (_, n) => String.fromCodePoint(0x4e00 + ((n * 7919) % 20_000)));
  const headers = { host: 'chat.example', origin: `http://${encodeURIComponent(signs.join(''))}` };
  const req = {
    method: 'GET',
    headers,
    socket: { remoteAddress: '127.0.0.1' },
  } as unknown as IncomingMessage;
  const url = new URL('http://chat.example/socket.io/?EIO=4&transport=polling');
  expect(admission.refusal(req, url, false)).toMatchObject({ code: 'origin_not_allowed' });
  const cpu = cpuOf(() => {
    for (let n = 0; n < 20; n++) admission.refusal(req, url, false);
  });
  expect(cpu).toBeLessThan(tenMillionBytes());
});
