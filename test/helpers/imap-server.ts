import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** An IMAP server without TLS, with one mailbox. */
export interface TestImapServer {
  /** `imap:` with a valid login. */
  url: string;
  /** The mails, and whether they are marked as read. */
  mails: { bytes: Buffer; seen: boolean }[];
  /** Adds a mail, and notifies clients that wait for one. */
  deliver(bytes: Buffer): void;
  /** The number of logins so far. */
  logins: number;
  /** Closes the connections of all clients. */
  drop(): void;
  stop(): Promise<void>;
}

const user = 'replies@site.example';
const password = 'p@ss';

/** Starts the server. It knows the commands of a client that waits for mails and reads them. */
export async function startImapServer(capabilities = 'IMAP4rev1 IDLE'): Promise<TestImapServer> {
  const sockets = new Set<Socket>();
  /** The tags of waiting clients, and the numbers of mails of which the clients know. */
  const idle = new Map<Socket, string>();
  const known = new WeakMap<Socket, number>();
  const notify = (socket: Socket) => {
    if (known.get(socket) === self.mails.length) return;
    known.set(socket, self.mails.length);
    socket.write(`* ${self.mails.length} EXISTS\r\n`);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      idle.delete(socket);
    });
    socket.on('error', () => {});
    socket.write(`* OK [CAPABILITY ${capabilities}] ready\r\n`);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        answer(socket, text.slice(0, end));
        text = text.slice(end + 2);
      }
    });
  });

  function answer(socket: Socket, line: string): void {
    const say = (...lines: string[]) => socket.write(lines.map((one) => `${one}\r\n`).join(''), 'latin1');
    if (line === 'DONE') {
      say(`${idle.get(socket)} OK done`);
      idle.delete(socket);
      return;
    }
    const [tag = '', ...words] = line.split(' ');
    const command = words.join(' ');
    const ok = (...lines: string[]) => say(...lines, `${tag} OK done`);
    if (/^LOGIN /i.test(command)) {
      self.logins++;
      if (command.includes(user) && command.includes(password)) ok(`* CAPABILITY ${capabilities}`);
      else say(`${tag} NO [AUTHENTICATIONFAILED] wrong password of ${user}`);
    } else if (/^CAPABILITY/i.test(command)) ok(`* CAPABILITY ${capabilities}`);
    else if (/^LIST /i.test(command)) ok('* LIST (\\HasNoChildren) "/" INBOX');
    else if (/^SELECT "?INBOX/i.test(command)) {
      known.set(socket, self.mails.length);
      ok(
        `* ${self.mails.length} EXISTS`,
        '* FLAGS (\\Seen)',
        '* OK [UIDVALIDITY 1] x',
        `* OK [UIDNEXT ${self.mails.length + 1}] x`,
      );
    } else if (/^SELECT /i.test(command)) say(`${tag} NO [NONEXISTENT] no such mailbox`);
    else if (/^UID SEARCH /i.test(command)) {
      const unseen = self.mails.flatMap(({ seen }, n) => (seen ? [] : [n + 1]));
      ok(`* SEARCH ${unseen.join(' ')}`.trim());
    } else if (/^UID FETCH /i.test(command)) {
      const uid = Number(words[2]);
      const mail = self.mails[uid - 1];
      if (mail === undefined) return void ok();
      const whole = mail.bytes.toString('latin1');
      const [section = '', from, length] =
        /BODY\.PEEK(\[[^\]]*\])(?:<(\d+)\.(\d+)>)?/i.exec(command)?.slice(1) ?? [];
      const head = whole.slice(0, whole.indexOf('\r\n\r\n') + 4);
      const part =
        section === '[]'
          ? whole.slice(Number(from ?? 0), Number(from ?? 0) + Number(length ?? whole.length))
          : head;
      const body =
        section === ''
          ? ''
          : ` BODY${section}${from === undefined ? '' : `<${from}>`} {${part.length}}\r\n${part}`;
      ok(`* ${uid} FETCH (UID ${uid} RFC822.SIZE ${whole.length}${body})`);
    } else if (/^UID STORE /i.test(command)) {
      const mail = self.mails[Number(words[2]) - 1];
      if (mail !== undefined && /\\Seen/i.test(command)) mail.seen = true;
      ok(`* ${words[2]} FETCH (UID ${words[2]} FLAGS (\\Seen))`);
    } else if (/^IDLE/i.test(command)) {
      idle.set(socket, tag);
      say('+ idling');
      notify(socket);
    } else if (/^LOGOUT/i.test(command)) {
      ok('* BYE');
      socket.end();
    } else ok();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const self: TestImapServer = {
    url: `imap://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/INBOX`,
    mails: [],
    deliver(bytes) {
      self.mails.push({ bytes, seen: false });
      for (const socket of idle.keys()) notify(socket);
    },
    logins: 0,
    drop() {
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      self.drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}
