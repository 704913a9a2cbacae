import { connect } from 'node:net';

/** Sends a request to PHP-FPM as a web server does. @returns the body of the response */
export function fastCgi(socket: string, script: string, variables: Record<string, string>): Promise<string> {
  const all = {
    REQUEST_METHOD: 'GET',
    SCRIPT_FILENAME: script,
    SCRIPT_NAME: '/',
    REQUEST_URI: '/',
    ...variables,
  };
  const pairs = Object.entries(all).map(([name, value]) => {
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32BE(name.length + 2 ** 31, 0);
    sizes.writeUInt32BE(Buffer.byteLength(value) + 2 ** 31, 4);
    return Buffer.concat([sizes, Buffer.from(name + value)]);
  });
  const record = (type: number, content: Buffer) => {
    const head = Buffer.from([1, type, 0, 1, 0, 0, 0, 0]);
    head.writeUInt16BE(content.length, 4);
    return Buffer.concat([head, content]);
  };
  const [begin, params, stdin, stdout] = [1, 4, 5, 6];
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const connection = connect(socket);
    connection.on('error', reject);
    connection.on('data', (chunk: Buffer) => chunks.push(chunk));
    connection.on('close', () => {
      const answer = Buffer.concat(chunks);
      let text = '';
      for (let at = 0; at + 8 <= answer.length; ) {
        const size = answer.readUInt16BE(at + 4);
        if (answer[at + 1] === stdout) text += answer.toString('utf8', at + 8, at + 8 + size);
        at += 8 + size + (answer[at + 6] ?? 0);
      }
      resolve(text.slice(text.indexOf('\r\n\r\n') + 4));
    });
    const responder = Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]);
    connection.write(
      Buffer.concat([
        record(begin, responder),
        record(params, Buffer.concat(pairs)),
        record(params, Buffer.alloc(0)),
        record(stdin, Buffer.alloc(0)),
      ]),
    );
  });
}
