import { connect } from 'node:net';

/** Sends a request. @returns the response, up to the end of its body, its upgrade or the connection */
export function say(port: number, request: string, localAddress = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.write(request, 'latin1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      answer += piece;
      const [head = '', body] = answer.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (body !== undefined && (/^HTTP\/1\.1 (101|204)/.test(head) || body.length >= length))
        socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

/** Returns a request with only these headers besides Host. */
export function request(
  target: string,
  { method = 'GET', body = '', ...headers }: Record<string, string> = {},
): string {
  const all = { Host: 'chat.example', ...headers, ...(body && { 'Content-Length': String(body.length) }) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** The headers of a WebSocket request. */
export const upgrade = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** Returns the status and the error code, if any, of an HTTP response, such as `403 origin_not_allowed`. */
export const inShort = (answer: string): string =>
  `${/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]} ${/"error":\{"code":"(\w+)"/.exec(answer)?.[1] ?? ''}`.trim();
