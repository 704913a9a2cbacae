import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTransport } from 'nodemailer';
import PostalMime, { type Email } from 'postal-mime';
import { vi } from 'vitest';
import { bundled, ownPort, startChild } from './child.ts';
import { hanging } from './hanging.ts';
import { reachable } from './memcached.ts';

/** Postfix and Dovecot of Debian on this machine, as separate processes and not as Debian's services. */
export interface RealMailSystem {
  /** The value of CHAT_MAIL. */
  smtp: string;
  /** The value of CHAT_MAIL_IN for the mailbox of an address. */
  imap(address: string): string;
  /** Sends a mail to this recipient. @param from the sender of the envelope */
  send(mail: Buffer, recipient: string, from: string): Promise<void>;
  /** Makes Postfix pass mails to the address with this local part to `receive-mail`, as docs/operate/mail-replies.md says. */
  pipeTo(settings: NodeJS.ProcessEnv): void;
  /** The mails in the mailbox of an address, the oldest first. */
  mailsTo(address: string): Promise<Email[]>;
  /** Waits until an address has this many mails. */
  until(address: string, count: number): Promise<Email[]>;
  /** All mails in all mailboxes. */
  allMails(): Promise<Email[]>;
  /** Waits until Postfix has delivered everything, and this mailbox has no unread mail. */
  settled(mailbox: string): Promise<void>;
  /** What Postfix and Dovecot logged. */
  log(): string;
  stop(): Promise<void>;
}

/** The domains of all mailboxes. Any other address is unknown. */
const domains = ['garden.example', 'site.example', 'mail.example', 'evil.example'];
const password = 'p@ss';
/** Owns the alias, and runs its command. */
const commandUser = 'daemon';
const root = join(import.meta.dirname, '../..');

/** @param piped the local part of the address whose mails go to `receive-mail` */
export async function startRealMailSystem(piped: string): Promise<RealMailSystem> {
  const folder = mkdtempSync(join(tmpdir(), 'mail-'));
  // Postfix, Dovecot and the command run as other users.
  chmodSync(folder, 0o755);
  const inFolder = (name: string) => join(folder, name);
  for (const name of ['postfix', 'queue', 'data', 'dovecot', 'mail', 'command']) mkdirSync(inFolder(name));
  chownSync(inFolder('data'), idOf('-u', 'postfix'), idOf('-g', 'postfix'));
  chownSync(inFolder('mail'), idOf('-u', 'mail'), idOf('-g', 'mail'));
  const [smtp, imap, lmtp] = [await ownPort(), await ownPort(), await ownPort()];

  writeFileSync(inFolder('dovecot/dovecot.conf'), dovecotConfig(folder, imap, lmtp));
  const PATH = `${process.env.PATH}:/usr/sbin`;
  const dovecot = startChild('dovecot', ['-F', '-c', inFolder('dovecot/dovecot.conf')], { env: { PATH } });
  await reachable(imap, dovecot);
  await reachable(lmtp, dovecot);

  // Node's pipes are sockets, to which Postfix cannot log.
  writeFileSync(inFolder('postfix/main.cf'), postfixConfig(folder, lmtp));
  writeFileSync(inFolder('postfix/master.cf'), postfixServices(smtp));
  const setAlias = (command: string) => {
    const file = inFolder('postfix/chat-aliases');
    writeFileSync(file, `${piped}: "|${command}"\n`);
    execFileSync('postalias', ['-c', inFolder('postfix'), file], { env: { PATH } });
    for (const name of [file, `${file}.db`])
      chownSync(name, idOf('-u', commandUser), idOf('-g', commandUser));
  };
  setAlias('/bin/false');
  // Creates the folders of the queue.
  execFileSync('postfix', ['-c', inFolder('postfix'), 'check'], { env: { PATH }, stdio: 'ignore' });
  // The command `postfix` would start it in a session of its own, which tests could not end.
  const master = ['-c', inFolder('postfix'), '-d'];
  const postfix = startChild('/usr/lib/postfix/sbin/master', master, { env: { PATH } });
  await reachable(smtp, postfix);

  const transport = createTransport({ pool: true, host: '127.0.0.1', port: smtp, ignoreTLS: true });
  const mailbox = (address: string) => inFolder(`mail/${address.toLowerCase()}`);
  const filesIn = (address: string) =>
    ['cur', 'new']
      .map((name) => join(mailbox(address), name))
      .filter((name) => existsSync(name))
      .flatMap((name) => readdirSync(name).map((file) => join(name, file)))
      .sort((a, b) => numbersOf(a) - numbersOf(b));
  const mailsTo = (address: string) =>
    Promise.all(filesIn(address).map((file) => PostalMime.parse(readFileSync(file))));
  const unreadOf = (address: string) => filesIn(address).filter((file) => !/:2,\w*S/.test(file)).length;
  const queued = () =>
    ['maildrop', 'incoming', 'active', 'deferred'].reduce(
      (sum, name) => sum + filesBelow(inFolder(`queue/${name}`)),
      0,
    );

  return {
    smtp: `smtp://127.0.0.1:${smtp}`,
    imap: (address) =>
      `imap://${encodeURIComponent(address)}:${encodeURIComponent(password)}@127.0.0.1:${imap}/INBOX`,
    async send(raw, recipient, from) {
      await transport.sendMail({ envelope: { from, to: [recipient] }, raw });
    },
    pipeTo(settings) {
      const file = inFolder('command/settings');
      writeFileSync(
        file,
        Object.entries(settings)
          .map(([name, value]) => `${name}='${value}'\n`)
          .join(''),
        { mode: 0o600 },
      );
      chownSync(file, idOf('-u', commandUser), idOf('-g', commandUser));
      const [program = ''] = bundled(['server/command/main.ts'], root, {});
      setAlias(`${process.execPath} ${resolve(root, program)} receive-mail --settings ${file}`);
    },
    mailsTo,
    async until(address, count) {
      await vi.waitUntil(() => filesIn(address).length >= count, { timeout: 6 * hanging, interval: 100 });
      return mailsTo(address);
    },
    async allMails() {
      return (await Promise.all(readdirSync(inFolder('mail')).map(mailsTo))).flat();
    },
    async settled(address) {
      // Twice, because a mail moves between the folders of the queue while they are read.
      for (let times = 0; times < 2; times++)
        await vi.waitUntil(() => unreadOf(address) + queued() === 0, { timeout: 6 * hanging, interval: 100 });
    },
    log: () => readFileSync(inFolder('postfix.log'), 'utf8') + postfix.output() + dovecot.output(),
    async stop() {
      transport.close();
      await postfix.stop();
      await dovecot.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

const idOf = (kind: '-u' | '-g', name: string) =>
  Number(execFileSync('id', [kind, name], { encoding: 'utf8' }));

/** Names in a Maildir start with the time in seconds, then `M` and microseconds. */
const numbersOf = (file: string) => {
  const [, seconds = 0, micros = 0] = /\/(\d+)\.M(\d+)P/.exec(file) ?? [];
  return Number(seconds) + Number(micros) / 1e6;
};

function filesBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
    .length;
}

const dovecotConfig = (folder: string, imap: number, lmtp: number) => `
base_dir = ${folder}/dovecot/run
state_dir = ${folder}/dovecot/run
log_path = /dev/stderr
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
recipient_delimiter = +
mail_location = maildir:${folder}/mail/%Lu
first_valid_uid = 1
passdb {
  driver = static
  args = password=${password}
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${folder}/mail/%Lu allow_all_users=yes
}
service imap-login {
  inet_listener imap {
    port = ${imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtp}
  }
}
`;

const postfixConfig = (folder: string, lmtp: number) => `
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
maillog_file = ${folder}/postfix.log
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.garden.example
mydestination = ${domains.join(', ')}
local_recipient_maps =
mailbox_transport = lmtp:inet:127.0.0.1:${lmtp}
recipient_delimiter = +
alias_maps = hash:${folder}/postfix/chat-aliases
alias_database =
default_transport = error:5.1.2 unknown domain
message_size_limit = 40000000
mailbox_size_limit = 0
smtpd_reject_unlisted_recipient = no
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
`;

const postfixServices = (smtp: number) => `
127.0.0.1:${smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`;
