import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Starts systemd as the first process of new namespaces, on a temporary copy of this machine. */
const boot = `
mount --make-rprivate /
mkdir "$0"
mount -t tmpfs tmpfs "$0"
mkdir "$0/changes" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/changes,workdir=$0/work" "$0/root"
cd "$0/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
for path in run tmp sys/fs/cgroup; do mount -t tmpfs tmpfs $path; done
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir -p sys/fs/cgroup/systemd run/systemd/system etc/php-session-chat mnt/before
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
echo CHAT_API_KEY=secret > etc/php-session-chat/settings
printf %s "$1" > run/systemd/system/stand-in.service
touch run/output
mount --bind "$2" run/output
chroot . useradd --system php-session-chat
pivot_root . mnt/before
umount -l mnt/before
exec env -i container=oci PATH="$PATH" /lib/systemd/systemd --unit=stand-in.service --show-status=no
`;

test('the unit of the Debian package lets a hijacked separate process reach only what it needs', async () => {
  if (process.getuid?.() !== 0) throw new Error('systemd needs root: run this as root');
  if (root.startsWith('/tmp/'))
    throw new Error('The unit has a /tmp of its own: use a checkout in another folder');
  const folder = mkdtempSync(join(tmpdir(), 'chat-systemd-'));
  const cgroup = `/sys/fs/cgroup/systemd/${folder.split('/').at(-1)}`;
  onTestFinished(async () => {
    await promisify(execFile)('find', [cgroup, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
    rmSync(folder, { recursive: true });
  });
  const unit = readFileSync(join(root, 'deploy/debian/php-session-chat.service'), 'utf8');
  const [, service = ''] = /\[Service\]\n([\s\S]*)\[Install\]/.exec(unit) ?? [];
  const kinds = ['types', 'pictures', 'slow', 'pages'];
  const output = join(folder, 'output');
  const text = [
    '[Unit]\nDefaultDependencies=no\nSuccessAction=exit\nFailureAction=exit\n[Service]\nType=oneshot',
    // A container cannot provide private devices or a memory limit.
    service.replace(/^(ExecStart|Restart\w*|PrivateDevices|MemoryMax)=.*\n/gm, ''),
    'StandardOutput=append:/run/output',
    ...kinds.map((kind) => {
      const script = join(root, 'test/helpers/try-stand-in.ts');
      return `ExecStart=${process.execPath} ${script} ${kind} 'taken over'`;
    }),
  ].join('\n');
  writeFileSync(output, '');
  const enter = `mkdir "$3"; echo $$ > "$3/cgroup.procs"; exec unshare -m -p -f -u -i -n -C --kill-child sh -ec "$4" "$0" "$1" "$2"`;
  await promisify(execFile)('sh', ['-ec', enter, join(folder, 'machine'), text, output, cgroup, boot]);
  const results = readFileSync(output, 'utf8')
    .trim()
    .split('\n')
    // Without the warnings of Node.
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  const within = ['call native code', 'run a text as code'];
  const network = ['connect to a port', 'send a datagram', 'ask for a name', 'fetch an address', 'listen'];
  expect(results.map(({ attempts, done, isForbidden }) => ({ attempts, done, isForbidden }))).toEqual(
    [within, within, within, [...within, ...network]].map((done) => ({
      attempts: 38,
      done,
      isForbidden: false,
    })),
  );
});
